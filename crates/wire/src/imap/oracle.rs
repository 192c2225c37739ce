//! Another implementation as witness: `imap-codec` reads commands and prints them its own way, which must mean the
//! same to us; and it reads what we print. It knows RFC 3501, CONDSTORE, QRESYNC and a few more.

use super::command::{Partial, Section, SectionText, parse};
use super::response::{Code, Status};
use super::{print, utf7};
use base::{Flag, Flags, MailboxName, Timestamp, Uid, UidValidity};
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::{Data, Response, Status as TheirStatus, Tagged};
use imap_codec::{CommandCodec, ResponseCodec};

#[test]
fn both_read_commands_alike() {
    for text in [
        "CAPABILITY",
        "noop",
        "LOGOUT",
        "STARTTLS",
        "NAMESPACE",
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "EXPUNGE",
        "UID EXPUNGE 1,3:*",
        "LOGIN alice \"se\\\"s\\\\ame\"",
        "LOGIN {5}\r\nalice {3+}\r\na b",
        "LOGIN a {2}\r\n\"\\",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE PLAIN =",
        "authenticate PLAIN dGVzdAB0ZXN0AHRlc3Q=",
        "ID NIL",
        "ID (\"name\" \"x y\" \"vendor\" NIL)",
        "ENABLE CONDSTORE X-FOO",
        "ENABLE QRESYNC UTF8=ACCEPT",
        "SELECT inbox",
        "SELECT \"a b\"",
        "EXAMINE {3}\r\na b",
        "SELECT INBOX (CONDSTORE)",
        "SELECT INBOX (QRESYNC (67890007 90060115194045000 41,43:211 (1,3 4,10)))",
        "SELECT INBOX (QRESYNC (67890007 90060115194045000))",
        "CREATE a/b",
        "DELETE a",
        "RENAME a \"b c\"",
        "SUBSCRIBE a]b",
        "UNSUBSCRIBE &U,BTFw-",
        "LIST \"\" *",
        "LIST ref/ %/x",
        "LIST \"\" \"a b*\"",
        "LSUB \"\" {2}\r\n%*",
        "STATUS box (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED DELETED-STORAGE HIGHESTMODSEQ SIZE)",
        "GETQUOTA \"\"",
        "GETQUOTAROOT INBOX",
        "SETQUOTA root (STORAGE 512 MESSAGE 5)",
        "COPY 2,4:7,9,12:* x",
        "UID COPY * x",
        "MOVE 1 x",
        "UID MOVE 4:2 x",
        "SEARCH ALL",
        "UID SEARCH UNSEEN",
        "SEARCH NEW",
        "SEARCH OLD RECENT",
        "SEARCH OR SEEN NOT (FROM a SINCE 1-Feb-1994)",
        "SEARCH CHARSET UTF-8 TEXT {2}\r\né",
        "SEARCH 1:5 UID 3,* LARGER 5 SMALLER 6 KEYWORD $x UNKEYWORD y",
        "SEARCH HEADER X \"\" BCC a CC b TO c BODY d",
        "SEARCH BEFORE 1-Jan-2020 ON \"2-Jan-2020\" SENTBEFORE 3-Jan-2020 SENTON 4-Jan-2020 SENTSINCE 5-Jan-2020",
        "SEARCH YOUNGER 5 OLDER 6",
        "SEARCH MODSEQ 620162338",
        "SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
        "SORT (SUBJECT REVERSE DATE ARRIVAL CC FROM SIZE TO DISPLAYFROM DISPLAYTO) UTF-8 ALL",
        "UID THREAD REFERENCES UTF-8 SEEN",
        "THREAD ORDEREDSUBJECT US-ASCII ALL",
        "FETCH 1 ALL",
        "FETCH 1 FAST",
        "FETCH 1 FULL",
        "FETCH 1 FLAGS",
        "UID FETCH 1:* (UID FLAGS MODSEQ)",
        "FETCH 1 (ENVELOPE INTERNALDATE RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE BODY BODYSTRUCTURE)",
        "FETCH 1 (BODY[] BODY.PEEK[HEADER] BODY[TEXT]<5.6> BODY[1.2] BODY[1.MIME] BODY.PEEK[3.TEXT] BODY[1.HEADER])",
        "FETCH 1 (BODY[HEADER.FIELDS (A \"B\")] BODY.PEEK[1.HEADER.FIELDS.NOT (C)]<0.9>)",
        "FETCH 1 (BINARY[1]<1.2> BINARY.PEEK[] BINARY.SIZE[2.3])",
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "STORE 1 +FLAGS (\\Seen a)",
        "STORE 1:2 -FLAGS.SILENT \\Deleted \\Draft",
        "UID STORE * FLAGS ()",
        "STORE 1 (UNCHANGEDSINCE 5) FLAGS.SILENT (\\Answered \\Flagged $Forwarded)",
    ] {
        let line = format!("a1 {text}\r\n");
        let (rest, command) = CommandCodec::default().decode(line.as_bytes()).expect(text);
        assert!(rest.is_empty(), "{text}");
        let theirs = CommandCodec::default().encode(&command).dump();
        let theirs = theirs.strip_suffix(b"\r\n").expect("a line");
        let ours = parse(line.trim_end_matches("\r\n").as_bytes(), false);
        assert!(ours.is_ok(), "{text}: {ours:?}");
        assert_eq!(parse(theirs, false), ours, "{text} as {}", String::from_utf8_lossy(theirs));
    }
}

#[test]
fn neither_takes_broken_commands() {
    for text in [
        "FETCH 0 FLAGS",
        "FETCH 1: FLAGS",
        "FETCH 1,,2 FLAGS",
        "FETCH :1 FLAGS",
        "FETCH 4294967296 FLAGS",
        "FETCH 1 BODY[0]",
        "FETCH 1 BODY[]<0.0>",
        "SEARCH",
        "SEARCH ()",
        "SEARCH 30-Feb-2024",
        "SEARCH BEFORE 30-Feb-2024",
        "STORE 1 FLAGS",
        "LOGIN a",
        "LOGIN \"a\\b\" c",
        "SELECT",
        "NOOP x",
        "SELECT INBOX (QRESYNC (0 1))",
    ] {
        let line = format!("a1 {text}\r\n");
        assert!(CommandCodec::default().decode(line.as_bytes()).is_err(), "they take {text}");
        assert!(parse(line.trim_end_matches("\r\n").as_bytes(), false).is_err(), "we take {text}");
    }
}

fn read(print: impl FnOnce(&mut Vec<u8>)) -> Response<'static> {
    use imap_codec::imap_types::ToStatic;
    let mut out = Vec::new();
    print(&mut out);
    let (rest, response) = ResponseCodec::default().decode(&out).expect("they can't read our response");
    assert!(rest.is_empty());
    response.to_static()
}

#[test]
fn they_read_our_status_lines() {
    let uids = [7, 8, 10].map(Uid);
    let codes = [
        Code::Alert,
        Code::TryCreate,
        Code::ReadOnly,
        Code::ReadWrite,
        Code::UidNext(Uid(5)),
        Code::Unseen(3),
        Code::UidValidity(UidValidity(9)),
        Code::AppendUid(UidValidity(9), uids.to_vec()),
        Code::BadCharset,
        Code::CopyUid(UidValidity(9), vec![(Uid(1), Uid(7)), (Uid(2), Uid(8))]),
        Code::Closed,
        Code::HighestModSeq(base::ModSeq(1 << 62)),
        Code::Modified(vec![7, 9]),
        Code::NoModSeq,
        Code::PermanentFlags(Flags::from_bits(31), true),
        Code::Capability("IMAP4rev1 IDLE AUTH=PLAIN".into()),
        Code::OverQuota,
        Code::UnknownCte,
        Code::MailboxId(base::MailboxId(4)),
    ];
    for code in codes {
        let text = "done [here] \"x\"";
        let read = read(|out| print::status(out, Some("a1"), Status::Ok, Some(&code), text));
        let Response::Status(TheirStatus::Tagged(Tagged { tag, body })) = read else {
            panic!("{code:?}: {read:?}")
        };
        assert_eq!(tag.as_ref(), "a1");
        assert!(body.code.is_some(), "{code:?}");
        assert_eq!(body.text.as_ref(), text);
    }
}

#[test]
fn they_read_our_fetch_lines() {
    let mut flags = Flags::default();
    flags.set(Flag::Seen, true);
    flags.set_keyword(&base::Keyword::new("$Forwarded").expect("an atom"), true);
    let names = vec!["From".to_owned(), "X-\"odd".to_owned()];
    let section = Section { part: vec![1, 2], text: SectionText::HeaderFields { names, not: true } };
    let read = read(|out| {
        out.extend_from_slice(b"* 12 FETCH (UID ");
        print::number(out, u64::from(u32::MAX));
        out.extend_from_slice(b" FLAGS ");
        print::flags(out, &flags, Some("\\Recent"));
        out.extend_from_slice(b" INTERNALDATE ");
        print::date_time(out, Timestamp(0));
        out.extend_from_slice(b" BODY");
        print::section(out, &section, Some(Partial { start: 5, length: 9 }));
        out.push(b' ');
        print::literal(out, 4);
        out.extend_from_slice(b"a)\r\n BODY");
        print::section(out, &Section { part: vec![], text: SectionText::All }, None);
        out.push(b' ');
        print::string(out, b"\r\n* BYE");
        out.extend_from_slice(b")\r\n");
    });
    let Response::Data(Data::Fetch { seq, items }) = read else { panic!("{read:?}") };
    assert_eq!((seq.get(), items.as_ref().len()), (12, 5));
    let bodies: Vec<&[u8]> = items
        .as_ref()
        .iter()
        .filter_map(|item| match item {
            MessageDataItem::BodyExt { data, .. } => data.0.as_ref().map(|text| text.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(bodies, [&b"a)\r\n"[..], b"\r\n* BYE"]);
}

#[test]
fn they_read_our_names() {
    for text in ["INBOX", "a \"b\" \\c", "Entwürfe/&x", "NIL", "台北"] {
        let name = MailboxName::new(text).expect(text);
        let read = read(|out| {
            out.extend_from_slice(b"* LIST () \"/\" ");
            print::mailbox(out, &name, false);
            out.extend_from_slice(b"\r\n");
        });
        let Response::Data(Data::List { mailbox, .. }) = read else { panic!("{read:?}") };
        let octets = match &mailbox {
            imap_codec::imap_types::mailbox::Mailbox::Inbox => b"INBOX".to_vec(),
            imap_codec::imap_types::mailbox::Mailbox::Other(other) => other.as_ref().to_vec(),
        };
        assert_eq!(utf7::decode(&octets).as_deref(), Some(text));
    }
}
