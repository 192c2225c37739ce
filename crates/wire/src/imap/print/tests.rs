use super::*;
use base::{Flag, Keyword, MailboxId, UidValidity};

fn check(print: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut out = Vec::new();
    print(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn numbers_and_sets() {
    for (value, text) in [(0, "0"), (7, "7"), (10, "10"), (u64::MAX, "18446744073709551615")] {
        check(|out| number(out, value), text);
    }
    // RFC 4315 §3, RFC 7162 §3.2.10.1
    for (numbers, text) in [
        (vec![], ""),
        (vec![4], "4"),
        (vec![41, 43, 44, 45, 118, 120, 121], "41,43:45,118,120:121"),
        (vec![3, 2, 1], "3,2,1"),
        (vec![u32::MAX - 1, u32::MAX, 1], "4294967294:4294967295,1"),
    ] {
        check(|out| set(out, numbers), text);
    }
}

#[test]
fn dates() {
    // `date -u -d @N '+%e-%b-%Y %T +0000'`
    for (seconds, text) in [
        (1_795_577_563, "\"25-Nov-2026 03:32:43 +0000\""),
        (837_596_665, "\"17-Jul-1996 09:44:25 +0000\""),
        (0, "\" 1-Jan-1970 00:00:00 +0000\""),
    ] {
        check(|out| date_time(out, Timestamp(seconds)), text);
    }
}

#[test]
fn strings_keep_within_their_bounds() {
    for (octets, text) in [
        (&b""[..], "\"\""),
        (b"a \"b\\", "\"a \\\"b\\\\\""),
        (b"x\r\n* LIST", "{9}\r\nx\r\n* LIST"),
        ("é".as_bytes(), "{2}\r\né"),
    ] {
        check(|out| string(out, octets), text);
    }
    check(|out| astring(out, b"SUBJECT"), "SUBJECT");
    check(|out| astring(out, b"nil"), "\"nil\"");
    check(|out| astring(out, b"a]b"), "a]b");
    check(|out| astring(out, b"a b"), "\"a b\"");
    check(|out| literal8(out, 3), "~{3}\r\n");
}

#[test]
fn names_by_what_the_client_enabled() {
    let name = MailboxName::new("台北/a&b \"c\"").unwrap();
    check(|out| mailbox(out, &name, false), "\"&U,BTFw-/a&-b \\\"c\\\"\"");
    check(|out| mailbox(out, &name, true), "\"台北/a&b \\\"c\\\"\"");
}

#[test]
fn flags_with_one_more() {
    let mut some = Flags::default();
    some.set(Flag::Seen, true);
    some.set_keyword(&Keyword::new("$Forwarded").unwrap(), true);
    check(|out| flags(out, &Flags::default(), None), "()");
    check(|out| flags(out, &some, None), "(\\Seen $Forwarded)");
    check(|out| flags(out, &Flags::default(), Some("\\Recent")), "(\\Recent)");
    check(|out| flags(out, &some, Some("\\*")), "(\\Seen $Forwarded \\*)");
}

#[test]
fn status_lines() {
    let uids = |numbers: &[u32]| numbers.iter().map(|n| Uid(*n)).collect::<Vec<_>>();
    let copied = vec![(Uid(304), Uid(3956)), (Uid(319), Uid(3957)), (Uid(320), Uid(3958))];
    // RFC 4315 §3, RFC 7162 §3.1.3, RFC 8474 §4.1, RFC 9051 §7.1
    for (code, text) in [
        (Code::AppendUid(UidValidity(38505), uids(&[3955])), "[APPENDUID 38505 3955]"),
        (Code::AppendUid(UidValidity(1), uids(&[7, 8, 9])), "[APPENDUID 1 7:9]"),
        (Code::CopyUid(UidValidity(38505), copied), "[COPYUID 38505 304,319:320 3956:3958]"),
        (Code::Modified(vec![7, 9]), "[MODIFIED 7,9]"),
        (Code::MailboxId(MailboxId(12)), "[MAILBOXID (F12)]"),
        (Code::UidNext(Uid(4392)), "[UIDNEXT 4392]"),
        (Code::UidValidity(UidValidity(3857529045)), "[UIDVALIDITY 3857529045]"),
        (Code::PermanentFlags(Flags::from_bits(Flag::Seen as u8), true), "[PERMANENTFLAGS (\\Seen \\*)]"),
        (Code::Capability("IMAP4rev2 IDLE".into()), "[CAPABILITY IMAP4rev2 IDLE]"),
        (Code::BadUrl("/Drafts;UIDVALIDITY=1/;UID=20".into()), "[BADURL /Drafts;UIDVALIDITY=1/;UID=20]"),
        (Code::BadUrl("a] x\r\n* BYE\0".into()), "[BADURL a??x??*?BYE?]"),
        (Code::BadUrl(String::new()), "[BADURL ?]"),
        (Code::BadUrl("x".repeat(70_000)), &format!("[BADURL {}]", "x".repeat(1000))),
        (Code::TryCreate, "[TRYCREATE]"),
        (Code::ReadOnly, "[READ-ONLY]"),
        (Code::UnknownCte, "[UNKNOWN-CTE]"),
    ] {
        check(
            |out| status(out, Some("a1"), Status::Ok, Some(&code), "done"),
            &format!("a1 OK {text} done\r\n"),
        );
    }
    check(|out| status(out, None, Status::Bye, None, "bye\r\n* é"), "* BYE bye  * ?\r\n");
    check(|out| status(out, None, Status::No, None, "[ALERT] x"), "* NO ALERT] x\r\n");
    check(|out| status(out, None, Status::No, None, ""), "* NO .\r\n");
}

#[test]
fn sections() {
    let names = vec!["From".to_owned(), "X\"Y".to_owned()];
    let partial = Some(Partial { start: 5, length: 9 });
    for (part, what, partial, expected) in [
        (vec![], SectionText::All, None, "[]"),
        (vec![], SectionText::All, partial, "[]<5>"),
        (vec![], SectionText::Header, None, "[HEADER]"),
        (vec![1, 20], SectionText::All, None, "[1.20]"),
        (vec![4, 2], SectionText::Mime, None, "[4.2.MIME]"),
        (vec![3], SectionText::Text, partial, "[3.TEXT]<5>"),
        (
            vec![3],
            SectionText::HeaderFields { names: names.clone(), not: false },
            None,
            "[3.HEADER.FIELDS (From \"X\\\"Y\")]",
        ),
        (
            vec![],
            SectionText::HeaderFields { names, not: true },
            None,
            "[HEADER.FIELDS.NOT (From \"X\\\"Y\")]",
        ),
    ] {
        check(|out| section(out, &Section { part, text: what }, partial), expected);
    }
    check(|out| binary_section(out, &[1, 2], None), "[1.2]");
    check(|out| binary_section(out, &[], partial), "[]<5>");
}
