use super::*;
use crate::imap::framer::Announced;
use base::{Flag, Uid};

fn body(text: &str, utf8: bool) -> Result<CommandBody, ParseError> {
    parse(format!("t {text}").as_bytes(), utf8).map(|command| {
        assert_eq!(command.tag, "t");
        command.body
    })
}

fn check(text: &str, expected: CommandBody) {
    assert_eq!(body(text, false), Ok(expected.clone()), "{text}");
    // Some clients send a space behind everything.
    assert_eq!(body(&format!("{text} "), false), Ok(expected), "{text} with a space");
}

fn check_bad(text: &str) {
    let error = body(text, false).expect_err(text);
    assert_eq!(
        (error.tag.as_deref(), error.no, error.code),
        (Some("t"), false, None),
        "{text}: {}",
        error.reason
    );
}

fn check_no(text: &str, code: Code) {
    let error = body(text, false).expect_err(text);
    assert_eq!((error.no, error.code), (true, Some(code)), "{text}");
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn flags(system: &[Flag], keywords: &[&str]) -> Flags {
    let mut flags = Flags::default();
    system.iter().for_each(|flag| flags.set(*flag, true));
    keywords.iter().for_each(|text| flags.set_keyword(&Keyword::new(text).unwrap(), true));
    flags
}

/// `1:3,5,*` by its ranges.
fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let end = |number: u32| Some(number).filter(|number| *number != 0);
    SequenceSet::Ranges(ranges.iter().map(|(a, b)| SeqRange { from: end(*a), to: end(*b) }).collect())
}

fn day(year: i64, month: u8, day: u8) -> Timestamp {
    Timestamp::from_civil(year, month, day, 0, 0, 0)
}

#[test]
fn tags() {
    for (text, tag) in [
        ("a1 NOOP", Some("a1")),
        ("A]. NOOP", Some("A].")),
        ("a1", Some("a1")),
        ("a+ NOOP", None),
        ("* NOOP", None),
        (" NOOP", None),
        ("", None),
        ("\u{16}\u{3}\u{1} x", None),
        ("a\u{e9} NOOP", None),
    ] {
        assert_eq!(tag_of(text.as_bytes()).as_deref(), tag, "{text}");
    }
    assert_eq!(tag_of(&[b'a'; 256]), None);
    assert_eq!(parse(b"", false).unwrap_err().tag, None);
}

#[test]
fn commands_without_arguments() {
    for (text, body) in [
        ("CAPABILITY", CommandBody::Capability),
        ("noop", CommandBody::Noop),
        ("LogOut", CommandBody::Logout),
        ("STARTTLS", CommandBody::StartTls),
        ("NAMESPACE", CommandBody::Namespace),
        ("IDLE", CommandBody::Idle),
        ("CHECK", CommandBody::Check),
        ("CLOSE", CommandBody::Close),
        ("UNSELECT", CommandBody::Unselect),
        ("EXPUNGE", CommandBody::Expunge(None)),
    ] {
        check(text, body);
        check_bad(&format!("{text} x"));
    }
    check("UID EXPUNGE 3000:3002", CommandBody::Expunge(Some(set(&[(3000, 3002)]))));
    for text in [
        "",
        " NOOP",
        "NOOPS",
        "UID",
        "UID NOOP",
        "UID ",
        "XLIST \"\" *",
        "NO\u{e9}",
        "NOOP\r",
        "APPEND INBOX",
    ] {
        check_bad(text);
    }
}

#[test]
fn log_in() {
    let login = |user: &str, password: &str| CommandBody::Login {
        user: user.into(),
        password: Secret::new(password),
    };
    check("LOGIN SMITH SESAME", login("SMITH", "SESAME"));
    check("LOGIN \"a b\" \"x\\\"y\\\\z\"", login("a b", "x\"y\\z"));
    check("login {5}\r\nalice {7+}\r\np\"a s\\s", login("alice", "p\"a s\\s"));
    // B039: an umlaut by any road, and what people type without quotes.
    check("LOGIN alice£ \"£ä\\\"\\\\ \"", login("alice£", "£ä\"\\ "));
    check("LOGIN alice@example.org p%*(\\)ss", login("alice@example.org", "p%*(\\)ss"));
    check("LOGIN \"\" \"\"", login("", ""));
    for text in [
        "LOGIN",
        "LOGIN a",
        "LOGIN a b c",
        "LOGIN \"a b",
        "LOGIN \"a\\b\" c",
        "LOGIN {3}\r\na\0b c",
        "LOGIN {9}\r\na b",
        "LOGIN {3}abc d",
        "LOGIN \"a\"b",
        "LOGIN  a b",
    ] {
        check_bad(text);
    }
    let authenticate = |mechanism: &str, initial: Option<&str>| CommandBody::Authenticate {
        mechanism: mechanism.into(),
        initial: initial.map(Secret::new),
    };
    check("AUTHENTICATE PLAIN", authenticate("PLAIN", None));
    check("AUTHENTICATE PLAIN =", authenticate("PLAIN", Some("=")));
    // RFC 4959 §3
    check("authenticate plain dGVzdAB0ZXN0AHRlc3Q=", authenticate("plain", Some("dGVzdAB0ZXN0AHRlc3Q=")));
    check_bad("AUTHENTICATE");
    check_bad("AUTHENTICATE PLAIN a b");
}

#[test]
fn secrets_stay_hidden() {
    let command = parse(b"t LOGIN alice sesame", false);
    assert!(!format!("{command:?}").contains("sesame"));
}

#[test]
fn id_and_enable() {
    check("ID NIL", CommandBody::Id(Vec::new()));
    check("ID ()", CommandBody::Id(Vec::new()));
    // RFC 2971 §3.1
    let fields = vec![("name".to_owned(), Some("sodr".to_owned())), ("vendor".to_owned(), None)];
    check("ID (\"name\" \"sodr\" \"vendor\" NIL)", CommandBody::Id(fields));
    let longest = |fields: usize, field: usize, value: usize| {
        let pair = format!("\"{}\" \"{}\"", "f".repeat(field), "v".repeat(value));
        format!("ID ({})", vec![pair; fields].join(" "))
    };
    assert!(body(&longest(30, 30, 1024), false).is_ok());
    for text in
        [&longest(31, 30, 1024), &longest(1, 31, 1), &longest(1, 1, 1025), "ID", "ID (\"a\")", "ID (a b)"]
    {
        check_bad(text);
    }
    check("ENABLE condstore X-GOOD-IDEA", CommandBody::Enable(vec![Extension::Condstore]));
    check(
        "ENABLE IMAP4rev2 UTF8=ACCEPT QRESYNC QRESYNC",
        CommandBody::Enable(vec![Extension::Imap4Rev2, Extension::Utf8Accept, Extension::Qresync]),
    );
    check_bad("ENABLE");
    check_bad("ENABLE  QRESYNC");
}

#[test]
fn mailbox_names() {
    let deleted = |text: &str| CommandBody::Delete(name(text));
    check("DELETE blurdybloop", deleted("blurdybloop"));
    check("DELETE iNbOx", deleted("INBOX"));
    check("DELETE \"foo bar\"", deleted("foo bar"));
    check("DELETE {7}\r\nfoo bar", deleted("foo bar"));
    check("DELETE ~peter/&U,BTFw-/&ZeVnLIqe-", deleted("~peter/台北/日本語"));
    // RFC 6855 §3: also where the client did not enable it.
    check("DELETE \"台北\"", deleted("台北"));
    assert_eq!(body("DELETE \"台北&U,BTFw-\"", true), Ok(deleted("台北&U,BTFw-")));
    assert_eq!(body("DELETE a&b", true), Ok(deleted("a&b")));
    check("RENAME a \"b c\"", CommandBody::Rename { from: name("a"), to: name("b c") });
    check("SUBSCRIBE #news.comp]", CommandBody::Subscribe(name("#news.comp]")));
    check("UNSUBSCRIBE a/b", CommandBody::Unsubscribe(name("a/b")));
    // B060, B072
    for text in [
        "\"&Jjo\"",
        "&AGE-",
        "&&",
        "&2AA-",
        "&",
        "&AAA-",
        "\"\x7f\"",
        "{3}\r\na\r\n",
        "\"台&-\"",
        "a//b",
        "/a",
        "a/",
        "\"\"",
        "\"a*\"",
        "\"%\"",
    ] {
        check_no(&format!("DELETE {text}"), Code::Cannot);
    }
    check_no("SELECT !#$$&'+,-.0123456789:;<=>?@^_`|[}", Code::Cannot);
    for text in [
        "DELETE",
        "DELETE a b",
        "DELETE (a)",
        "DELETE a\u{e9}",
        "DELETE \"a\rb\"",
        "DELETE {1}\r\n\0",
        "RENAME a",
    ] {
        check_bad(text);
    }
    assert!(body("DELETE \"\u{85}\"", true).is_err());
    assert!(parse(b"t DELETE \"\xff\"", true).is_err());
}

#[test]
fn create() {
    let create = |text: &str, special_use: &[SpecialUse]| CommandBody::Create {
        mailbox: name(text),
        special_use: special_use.to_vec(),
    };
    check("CREATE owatagusiam/", create("owatagusiam", &[]));
    check("CREATE owatagusiam/blurdybloop", create("owatagusiam/blurdybloop", &[]));
    // RFC 6154 §5.3
    check("CREATE MyDrafts (USE (\\Drafts))", create("MyDrafts", &[SpecialUse::Drafts]));
    check("CREATE All (use (\\sent \\ARCHIVE))", create("All", &[SpecialUse::Sent, SpecialUse::Archive]));
    check_no("CREATE Everything (USE (\\All))", Code::UseAttr);
    check_no("CREATE a//", Code::Cannot);
    check_no("CREATE /", Code::Cannot);
    for text in
        ["CREATE a ()", "CREATE a (USE)", "CREATE a (USE (Sent))", "CREATE a (X (\\Sent))", "CREATE a USE"]
    {
        check_bad(text);
    }
}

#[test]
fn select() {
    let select = Select { mailbox: name("INBOX"), read_only: false, condstore: false, qresync: None };
    check("SELECT INBOX", CommandBody::Select(select.clone()));
    check("EXAMINE inbox", CommandBody::Select(Select { read_only: true, ..select.clone() }));
    check("SELECT INBOX (CONDSTORE)", CommandBody::Select(Select { condstore: true, ..select.clone() }));
    // RFC 7162 §3.2.5
    let known = Qresync {
        uid_validity: UidValidity(67890007),
        modseq: 90060115194045000,
        known_uids: None,
        known_numbers: None,
    };
    let with =
        |qresync: &Qresync| CommandBody::Select(Select { qresync: Some(qresync.clone()), ..select.clone() });
    check("SELECT INBOX (QRESYNC (67890007 90060115194045000))", with(&known));
    let known = Qresync { known_uids: Some(set(&[(41, 41), (43, 211), (214, 541)])), ..known };
    check("SELECT INBOX (QRESYNC (67890007 90060115194045000 41,43:211,214:541))", with(&known));
    let numbers = Some((set(&[(1, 1), (3, 3)]), set(&[(4, 4), (10, 10)])));
    check(
        "SELECT INBOX (QRESYNC (67890007 90060115194045000 41,43:211,214:541 (1,3 4,10)))",
        with(&Qresync { known_numbers: numbers.clone(), ..known.clone() }),
    );
    check(
        "SELECT INBOX (QRESYNC (67890007 90060115194045000 (1,3 4,10)))",
        with(&Qresync { known_numbers: numbers, known_uids: None, ..known }),
    );
    for text in [
        "()",
        "(X)",
        "(QRESYNC)",
        "(QRESYNC (0 1))",
        "(QRESYNC (1 0))",
        "(QRESYNC (1 1 *))",
        "(QRESYNC (1 1 1:*))",
        "(QRESYNC (1 1 $))",
        "(QRESYNC (1))",
        "(QRESYNC (1 1 ))",
        "(QRESYNC (1 1 1 ))",
        "(QRESYNC (1 1 1 (1)))",
        "(QRESYNC (1 9223372036854775808))",
        "(QRESYNC (1 1)) x",
        "(CONDSTORE",
    ] {
        check_bad(&format!("SELECT INBOX {text}"));
    }
}

#[test]
fn list() {
    let pattern = |text: &str| ListPattern::new(Some(String::new()), Some(text.into()));
    let plain =
        List { select: ListSelect::default(), patterns: vec![pattern("*")], returns: None, extended: false };
    let subscribed = ListSelect { subscribed: true, ..ListSelect::default() };
    let expected = |list: &List| CommandBody::List(list.clone());
    check("LIST \"\" *", expected(&plain));
    check("LIST \"\" \"\"", expected(&List { patterns: vec![pattern("")], ..plain.clone() }));
    check("LIST ~/Mail/ %", expected(&List { patterns: vec![pattern("~/Mail/%")], ..plain.clone() }));
    check(
        "LIST \"\" \"&ZeVnLIqe-/%\"",
        expected(&List { patterns: vec![pattern("日本語/%")], ..plain.clone() }),
    );
    // RFC 5258 §5, RFC 5819 §3, RFC 6154 §5
    let extended = List { extended: true, ..plain };
    check("LIST (SUBSCRIBED) \"\" *", expected(&List { select: subscribed, ..extended.clone() }));
    check("LIST () \"\" *", expected(&extended));
    check(
        "LIST \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")",
        expected(&List {
            patterns: vec![pattern("INBOX"), pattern("Drafts"), pattern("Sent/%")],
            ..extended.clone()
        }),
    );
    check(
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" * RETURN (CHILDREN SUBSCRIBED)",
        expected(&List {
            select: ListSelect { recursive_match: true, ..subscribed },
            returns: Some(ListReturn { children: true, subscribed: true, ..ListReturn::default() }),
            ..extended.clone()
        }),
    );
    check(
        "LIST (REMOTE SPECIAL-USE) \"\" * RETURN ()",
        expected(&List {
            select: ListSelect { remote: true, special_use: true, ..ListSelect::default() },
            returns: Some(ListReturn::default()),
            ..extended.clone()
        }),
    );
    check(
        "list \"\" * return (status (messages unseen) special-use)",
        expected(&List {
            returns: Some(ListReturn {
                status: vec![StatusItem::Messages, StatusItem::Unseen],
                special_use: true,
                ..ListReturn::default()
            }),
            ..extended
        }),
    );
    check("LSUB \"#news.\" \"comp.mail.*\"", CommandBody::Lsub(pattern("#news.comp.mail.*")));
    for text in [
        "",
        "\"\"",
        "\"\" \"\" return (imaptest)",
        "(imaptest) \"\" \"\"",
        "(recursivematch remote) \"\" \"\"",
        "(recursivematch) \"\" \"\"",
        "\"\" ()",
        "\"\" * RETURN",
        "\"\" * RETURN (STATUS)",
        "\"\" * RETURN (STATUS ())",
        "\"\" (a",
        "\"\" * (x)",
    ] {
        check_bad(&format!("LIST {text}"));
    }
    // Patterns that can match nothing are no error: imaptest's `atoms`.
    assert!(body("LIST \"\" !#$$&'+,-.0123456789:;<=>?@^_`|[}%*", false).is_ok());
}

#[test]
fn patterns() {
    let long = "a".repeat(990);
    let hostile = "*a".repeat(400) + "b";
    for (pattern, name, expected) in [
        ("*", "a/b/c", true),
        ("%", "a", true),
        ("%", "a/b", false),
        ("%/%", "a/b", true),
        ("a/%", "a/b/c", false),
        ("a/*", "a/b/c", true),
        ("a*", "a", true),
        ("a%c", "abbc", true),
        ("a%c", "ab/c", false),
        ("*c%e", "abcd/cde", true),
        ("%t*4", "xt/y/4", true),
        ("a", "a", true),
        ("a", "A", false),
        ("", "a", false),
        ("inbox", "INBOX", true),
        ("InB%", "INBOX", true),
        ("inbox/x", "INBOX/x", true),
        ("inbox/x", "INBOX/X", false),
        ("%x", "INBOX", true),
        ("%本%", "日本語", true),
        ("%\u{ac}%", "日本語", false),
        (hostile.as_str(), long.as_str(), false),
    ] {
        let pattern = ListPattern::new(Some(String::new()), Some(pattern.into()));
        assert_eq!(pattern.matches(name), expected, "{pattern:?} {name}");
    }
    assert!(!ListPattern::new(Some(String::new()), None).matches("a"));
    assert!(!ListPattern::new(Some("x".repeat(600)), Some("*".repeat(600))).matches("a"));
    for (wildcards, expected) in [(10, true), (11, false)] {
        let pattern = ListPattern::new(Some(String::new()), Some("%".repeat(wildcards)));
        assert_eq!(pattern.matches("name"), expected);
    }
    assert!(ListPattern::new(Some("a/".into()), Some(String::new())).is_empty());
}

#[test]
fn status_and_quota() {
    let status =
        |items: &[StatusItem]| CommandBody::Status { mailbox: name("blurdybloop"), items: items.to_vec() };
    check("STATUS blurdybloop (UIDNEXT MESSAGES)", status(&[StatusItem::UidNext, StatusItem::Messages]));
    let all: Vec<StatusItem> = StatusItem::ALL.iter().map(|(item, _)| *item).collect();
    check(
        "STATUS blurdybloop (messages recent uidnext uidvalidity unseen deleted deleted-storage size highestmodseq \
         appendlimit mailboxid messages)",
        status(&all),
    );
    for text in [
        "STATUS a",
        "STATUS a ()",
        "STATUS a MESSAGES",
        "STATUS a (X)",
        "STATUS (MESSAGES)",
        "STATUS a (MESSAGES",
    ] {
        check_bad(text);
    }
    // RFC 9208 §4.1
    check("GETQUOTA \"!partition/sda4\"", CommandBody::GetQuota("!partition/sda4".into()));
    check("GETQUOTA \"\"", CommandBody::GetQuota(String::new()));
    check("GETQUOTAROOT INBOX", CommandBody::GetQuotaRoot(name("INBOX")));
    let limits = vec![("STORAGE".to_owned(), 510), ("MESSAGE".to_owned(), 7)];
    check(
        "SETQUOTA \"#user/alice\" (STORAGE 510 message 7)",
        CommandBody::SetQuota { root: "#user/alice".into(), limits },
    );
    check_bad("SETQUOTA x (STORAGE)");
    check_bad("GETQUOTA");
}

#[test]
fn sequence_sets() {
    let copy = |set: SequenceSet| CommandBody::Copy(Transfer { uid: false, set, mailbox: name("x") });
    check("COPY 2,4:7,9,12:* x", copy(set(&[(2, 2), (4, 7), (9, 9), (12, 0)])));
    check("COPY *:4,5:7 x", copy(set(&[(0, 4), (5, 7)])));
    check("COPY 4294967295 x", copy(set(&[(u32::MAX, u32::MAX)])));
    check("COPY $ x", copy(SequenceSet::Saved));
    check("UID MOVE * x", CommandBody::Move(Transfer { uid: true, set: set(&[(0, 0)]), mailbox: name("x") }));
    // B062
    for text in [
        "0",
        "1:",
        "1,,1",
        ":1",
        "4294967296",
        "-1",
        "1-2",
        "1:2:3",
        "1,",
        ",1",
        "",
        "a",
        "$,1",
        "1,$",
        "1:0",
        "+1",
        "* ",
    ] {
        check_bad(&format!("COPY {text} x"));
    }
}

#[test]
fn sequence_sets_resolved() {
    let ranges = |set: &SequenceSet, largest| set.resolve(largest).unwrap().iter().collect::<Vec<_>>();
    // RFC 9051 §9 `sequence-set`: the examples, for 15 and for 10 messages.
    assert_eq!(ranges(&set(&[(2, 2), (4, 7), (9, 9), (12, 0)]), 15), [2..=2, 4..=7, 9..=9, 12..=15]);
    assert_eq!(ranges(&set(&[(0, 4), (5, 7)]), 10), [4..=10]);
    assert_eq!(ranges(&set(&[(3291, 0)]), 7), [7..=3291]);
    assert_eq!(ranges(&set(&[(4, 2), (5, 5), (1, u32::MAX), (u32::MAX, u32::MAX)]), 1), [1..=u32::MAX]);
    assert_eq!(SequenceSet::Saved.resolve(9), None);
    assert_eq!(set(&[(2, 4), (0, 9), (3, 3)]).largest_number(), Some(9));
    assert_eq!(set(&[(0, 0)]).largest_number(), None);
    let wanted = set(&[(2, 4), (9, 0)]).resolve(20).unwrap();
    let uids: Vec<Uid> = [1, 3, 4, 7, 9, 20, 21].map(Uid).to_vec();
    let found: Vec<_> = wanted.select(&uids).collect();
    assert_eq!(found, [(1, Uid(3)), (2, Uid(4)), (4, Uid(9)), (5, Uid(20))]);
    for uid in &uids {
        assert_eq!(wanted.contains(uid.0), found.iter().any(|(_, one)| one == uid), "{uid}");
    }
    assert!(!wanted.contains(0));
}

#[test]
fn search_keys() {
    use SearchKey::{All, And, Not, Or};
    let not = |key: SearchKey| Not(Box::new(key));
    let seen = || SearchKey::Flag(Flag::Seen);
    let deleted = || SearchKey::Flag(Flag::Deleted);
    let text = |text: &str| SearchKey::Text(text.into());
    for (keys, expected) in [
        ("ALL", All),
        ("undeleted answered", And(vec![not(deleted()), SearchKey::Flag(Flag::Answered)])),
        ("NEW", And(vec![SearchKey::Recent, not(seen())])),
        ("OLD", not(SearchKey::Recent)),
        ("NOT (SEEN DELETED)", not(And(vec![seen(), deleted()]))),
        ("((((SEEN))))", seen()),
        (
            "OR SEEN NOT OR 1 2:*",
            Or(
                Box::new(seen()),
                Box::new(not(Or(
                    Box::new(SearchKey::Sequence(set(&[(1, 1)]))),
                    Box::new(SearchKey::Sequence(set(&[(2, 0)]))),
                ))),
            ),
        ),
        ("(3) uid 7", And(vec![SearchKey::Sequence(set(&[(3, 3)])), SearchKey::Uid(set(&[(7, 7)]))])),
        ("$ UID *", And(vec![SearchKey::Sequence(SequenceSet::Saved), SearchKey::Uid(set(&[(0, 0)]))])),
        (
            "FROM \"Smith\" SINCE 1-Feb-1994",
            And(vec![SearchKey::From("Smith".into()), SearchKey::Since(day(1994, 2, 1))]),
        ),
        ("BEFORE \"29-feb-2024\"", SearchKey::Before(day(2024, 2, 29))),
        ("ON 01-Jan-2000", SearchKey::On(day(2000, 1, 1))),
        ("SENTBEFORE 1-Jan-0001", SearchKey::SentBefore(day(1, 1, 1))),
        ("SENTON 31-Dec-9999", SearchKey::SentOn(day(9999, 12, 31))),
        ("SENTSINCE 3-Mar-2026", SearchKey::SentSince(day(2026, 3, 3))),
        ("SAVEDBEFORE 3-Mar-2026", SearchKey::SavedBefore(day(2026, 3, 3))),
        ("SAVEDON 3-Mar-2026", SearchKey::SavedOn(day(2026, 3, 3))),
        ("SAVEDSINCE 3-Mar-2026", SearchKey::SavedSince(day(2026, 3, 3))),
        ("SAVEDATESUPPORTED", SearchKey::SaveDateSupported),
        ("header bcc \"\"", SearchKey::Header("bcc".into(), String::new())),
        ("HEADER X-Foo bar", SearchKey::Header("X-Foo".into(), "bar".into())),
        ("KEYWORD $$hello", SearchKey::Keyword(Keyword::new("$$hello").unwrap())),
        ("UNKEYWORD a", not(SearchKey::Keyword(Keyword::new("a").unwrap()))),
        ("LARGER 5000000000", SearchKey::Larger(5_000_000_000)),
        ("SMALLER 0", SearchKey::Smaller(0)),
        ("YOUNGER 259200", SearchKey::Younger(259_200)),
        ("OLDER 1", SearchKey::Older(1)),
        // RFC 7162 §3.1.5
        ("MODSEQ \"/flags/\\\\draft\" all 620162338", SearchKey::ModSeq(620_162_338)),
        ("MODSEQ 0", SearchKey::ModSeq(0)),
        // RFC 8474 §6: ours, and ids that nothing here has.
        ("EMAILID M12", SearchKey::EmailId(Some(MailId(12)))),
        ("EMAILID M012", SearchKey::EmailId(None)),
        ("THREADID T7", SearchKey::ThreadId(Some(ThreadId(7)))),
        ("THREADID 64b478a75b7ea9", SearchKey::ThreadId(None)),
        ("CHARSET UTF-8 TEXT {2}\r\né", text("é")),
        ("CHARSET us-ascii TEXT x", text("x")),
        ("CHARSET \"UTF-8\" TEXT \"é\"", text("é")),
        ("TEXT \"é\"", text("é")),
        ("BCC a", SearchKey::Bcc("a".into())),
        ("CC a]", SearchKey::Cc("a]".into())),
        ("TO a", SearchKey::To("a".into())),
        ("SUBJECT nil", SearchKey::Subject("nil".into())),
        ("BODY {3}\r\na b", SearchKey::Body("a b".into())),
    ] {
        check(
            &format!("SEARCH {keys}"),
            CommandBody::Search(Search { uid: false, returns: None, key: expected }),
        );
    }
    let latin = parse(b"t SEARCH CHARSET iso-8859-1 TEXT {2}\r\n\xe9\xe4", false).unwrap();
    assert_eq!(latin.body, CommandBody::Search(Search { uid: false, returns: None, key: text("éä") }));
    check_no("SEARCH CHARSET X-UNKNOWN TEXT x", Code::BadCharset);
    check_no("SEARCH CHARSET replacement TEXT x", Code::BadCharset);
    check_no(&format!("SEARCH KEYWORD {}", "k".repeat(101)), Code::Limit);
    for text in [
        "",
        "()",
        "( ALL)",
        "(ALL",
        "ALL)",
        "(ALL))",
        "ALL  SEEN",
        "FROM",
        "NOT",
        "OR SEEN",
        "XFOO",
        "KEYWORD \\Seen",
        "BEFORE 30-Feb-2024",
        "BEFORE 29-Feb-2023",
        "BEFORE 1-Foo-2024",
        "BEFORE 1-Jan-24",
        "BEFORE 0-Jan-2024",
        "BEFORE 1-Jan-2024-",
        "BEFORE \"1-Jan-2024",
        "BEFORE +1-Jan-2024",
        "LARGER -1",
        "LARGER 18446744073709551616",
        "YOUNGER 0",
        "MODSEQ",
        "MODSEQ \"/flags/x\" 5",
        "EMAILID (M1)",
        "HEADER a",
        "UID",
        "UID 0",
        "1,,2",
        "CHARSET UTF-8",
        "RETURN (FOO) ALL",
        "RETURN ALL",
        "RETURN (PARTIAL) ALL",
        "\u{e9}",
        "TEXT \"a\0\"",
    ] {
        check_bad(&format!("SEARCH {text}"));
    }
    assert!(parse(b"t SEARCH TEXT \"\xff\"", false).is_err());
    assert!(parse(b"t SEARCH CHARSET UTF-8 TEXT {1}\r\n\xff", false).is_err());
}

#[test]
fn search_returns() {
    let none = SearchReturn::default();
    for (options, expected) in [
        ("()", SearchReturn { all: true, ..none }),
        ("(ALL)", SearchReturn { all: true, ..none }),
        ("(min MAX COUNT)", SearchReturn { min: true, max: true, count: true, ..none }),
        ("(SAVE)", SearchReturn { save: true, ..none }),
        // RFC 5267 §4.3, §4.4, RFC 9394 §3.1
        ("(UPDATE COUNT)", SearchReturn { update: true, count: true, ..none }),
        ("(UPDATE)", SearchReturn { update: true, all: true, ..none }),
        ("(CONTEXT)", SearchReturn { all: true, ..none }),
        ("(CONTEXT COUNT)", SearchReturn { count: true, ..none }),
        ("(PARTIAL 23500:24000)", SearchReturn { partial: partial(23500, 24000, false), ..none }),
        ("(partial 500:400 min)", SearchReturn { partial: partial(400, 500, false), min: true, ..none }),
        ("(PARTIAL -1:-100)", SearchReturn { partial: partial(1, 100, true), ..none }),
    ] {
        let expected = Search { uid: true, returns: Some(expected), key: SearchKey::All };
        check(&format!("UID SEARCH RETURN {options} ALL"), CommandBody::Search(expected.clone()));
        check(&format!("UID SEARCH RETURN {options} CHARSET UTF-8 ALL"), CommandBody::Search(expected));
    }
}

fn partial(first: u32, last: u32, from_end: bool) -> Option<PartialRange> {
    Some(PartialRange { first, last, from_end })
}

#[test]
fn partial_ranges() {
    for range in ["1", "1:*", "*:1", "0:1", "-1:2", "1:-2", "-1", ":", "1:2:3"] {
        check_bad(&format!("SEARCH RETURN (PARTIAL {range}) ALL"));
        check_bad(&format!("SORT RETURN (PARTIAL {range}) (ARRIVAL) UTF-8 ALL"));
        check_bad(&format!("UID FETCH 1 FLAGS (PARTIAL {range})"));
    }
    check_bad("SEARCH RETURN (ALL PARTIAL 1:2) ALL");
    check_bad("SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL");
    check_bad("FETCH 1 FLAGS (PARTIAL 1:2)");
    for (range, count, expected) in [
        (partial(1, 500, false), 3, 0..3),
        (partial(2, 3, false), 3, 1..3),
        (partial(4, 9, false), 3, 3..3),
        (partial(1, 2, true), 3, 1..3),
        (partial(3, 9, true), 3, 0..1),
        (partial(4, 9, true), 3, 0..0),
        (partial(1, u32::MAX, true), 0, 0..0),
    ] {
        assert_eq!(range.map(|range| range.places(count)), Some(expected), "{range:?} of {count}");
    }
}

/// RFC 9586 §3
#[test]
fn message_numbers() {
    for (text, numbers) in [
        ("FETCH 1 FLAGS", true),
        ("UID FETCH 1:* FLAGS", false),
        ("STORE 1 FLAGS ()", true),
        ("UID STORE 1 FLAGS ()", false),
        ("COPY 1 x", true),
        ("UID MOVE $ x", false),
        ("SEARCH ALL", true),
        ("UID SEARCH OR NOT (1 ALL) ALL", true),
        ("UID SEARCH $ UID 1:*", false),
        ("UID SORT (DATE) UTF-8 2", true),
        ("UID THREAD REFERENCES UTF-8 ALL", false),
        ("SELECT x (QRESYNC (1 2 1:3))", false),
        ("SELECT x (QRESYNC (1 2 1:3 (1 1)))", true),
        ("NOOP", false),
    ] {
        assert_eq!(body(text, false).expect(text).has_numbers(), numbers, "{text}");
    }
}

#[test]
fn languages_and_contexts() {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    check("LANGUAGE", CommandBody::Language(Vec::new()));
    check("LANGUAGE FR-CA \"EN\" \"*\"", CommandBody::Language(texts(&["FR-CA", "EN", "*"])));
    check("UNAUTHENTICATE", CommandBody::Unauthenticate);
    check("COMPRESS deflate", CommandBody::Compress("DEFLATE".into()));
    check("CANCELUPDATE \"B01\" \"B02\"", CommandBody::CancelUpdate(texts(&["B01", "B02"])));
    for text in [
        "UNAUTHENTICATE x",
        "COMPRESS",
        "COMPRESS DEFLATE x",
        "CANCELUPDATE",
        "CANCELUPDATE B01",
        "CANCELUPDATE ()",
        "LANGUAGE (DE)",
    ] {
        check_bad(text);
    }
    check_bad(&format!("LANGUAGE {}", "de ".repeat(101)));
}

#[test]
fn search_is_bounded() {
    let nested = |depth: usize| format!("SEARCH {}ALL{}", "(".repeat(depth), ")".repeat(depth));
    assert!(body(&nested(MAX_SEARCH_DEPTH), false).is_ok());
    for text in [
        nested(MAX_SEARCH_DEPTH + 1),
        // B052
        nested(20_000),
        "(".repeat(100_000),
        format!("SEARCH {}ALL", "NOT ".repeat(20_000)),
        format!("SEARCH {}ALL", "OR ".repeat(20_000)),
        format!("SEARCH {}ALL", "ALL ".repeat(MAX_SEARCH_KEYS)),
        format!("FETCH 1 ({})", vec!["FLAGS"; MAX_FETCH_ITEMS + 1].join(" ")),
        format!("FETCH 1 BODY[{}]", vec!["1"; MAX_PART_DEPTH + 1].join(".")),
    ] {
        check_bad(&text);
    }
    // A client that looks for many messages at once.
    let many = "OR FROM a ".repeat(150) + "FROM b";
    assert!(body(&format!("SEARCH {many}"), false).is_ok());
}

#[test]
fn sort_and_thread() {
    let by = |by: SortBy, reverse: bool| SortKey { by, reverse };
    // RFC 5256 §3
    check(
        "SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
        CommandBody::Sort(Sort {
            uid: false,
            returns: None,
            keys: vec![by(SortBy::Subject, false), by(SortBy::Date, true)],
            key: SearchKey::All,
        }),
    );
    check(
        "uid sort (arrival cc from size to displayfrom reverse displayto) us-ascii text \"x\"",
        CommandBody::Sort(Sort {
            uid: true,
            returns: None,
            keys: vec![
                by(SortBy::Arrival, false),
                by(SortBy::Cc, false),
                by(SortBy::From, false),
                by(SortBy::Size, false),
                by(SortBy::To, false),
                by(SortBy::DisplayFrom, false),
                by(SortBy::DisplayTo, true),
            ],
            key: SearchKey::Text("x".into()),
        }),
    );
    check(
        "UID THREAD ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000",
        CommandBody::Thread(Thread {
            uid: true,
            algorithm: ThreadAlgorithm::OrderedSubject,
            key: SearchKey::Since(day(2000, 3, 5)),
        }),
    );
    check(
        "thread references us-ascii all",
        CommandBody::Thread(Thread {
            uid: false,
            algorithm: ThreadAlgorithm::References,
            key: SearchKey::All,
        }),
    );
    for text in [
        "SORT () UTF-8 ALL",
        "SORT (REVERSE) UTF-8 ALL",
        "SORT (X) UTF-8 ALL",
        "SORT (DATE) UTF-8",
        "sort return (partial 1) (arrival) us-ascii all",
        "THREAD REFS UTF-8 ALL",
        "THREAD REFERENCES UTF-8",
    ] {
        check_bad(text);
    }
    check_no("SORT (DATE) X-NONE ALL", Code::BadCharset);
}

#[test]
fn fetch() {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size, Uid};
    let one = |text: &str, items: Vec<FetchItem>| {
        let fetch = Fetch {
            uid: false,
            set: set(&[(1, 1)]),
            items,
            changed_since: None,
            vanished: false,
            partial: None,
        };
        check(&format!("FETCH 1 {text}"), CommandBody::Fetch(fetch));
    };
    let section =
        |part: &[u32], text: SectionText, peek: bool, partial: Option<(u64, u64)>| FetchItem::BodySection {
            section: Section { part: part.to_vec(), text },
            peek,
            partial: partial.map(|(start, length)| Partial { start, length }),
        };
    let fields = |names: &[&str], not: bool| SectionText::HeaderFields {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not,
    };
    one("ALL", vec![Flags, InternalDate, Rfc822Size, Envelope]);
    one("fast", vec![Flags, InternalDate, Rfc822Size]);
    one("FULL", vec![Flags, InternalDate, Rfc822Size, Envelope, Body]);
    one("uid", vec![Uid]);
    one("(FLAGS UID flags)", vec![Flags, Uid]);
    one(
        "(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE BODYSTRUCTURE)",
        vec![
            FetchItem::Rfc822,
            FetchItem::Rfc822Header,
            FetchItem::Rfc822Text,
            Rfc822Size,
            FetchItem::BodyStructure,
        ],
    );
    one(
        "(MODSEQ EMAILID THREADID SAVEDATE)",
        vec![FetchItem::ModSeq, FetchItem::EmailId, FetchItem::ThreadId, FetchItem::SaveDate],
    );
    // RFC 8970 §3
    one("PREVIEW", vec![FetchItem::Preview]);
    one("preview (lazy)", vec![FetchItem::Preview]);
    one("(RFC822.SIZE PREVIEW (LAZY) UID)", vec![Rfc822Size, FetchItem::Preview, Uid]);
    one("BODY[]", vec![section(&[], SectionText::All, false, None)]);
    one("body.peek[]<0.4000000000>", vec![section(&[], SectionText::All, true, Some((0, 4_000_000_000)))]);
    one("BODY[HEADER]", vec![section(&[], SectionText::Header, false, None)]);
    one("BODY[4.2.2.1]", vec![section(&[4, 2, 2, 1], SectionText::All, false, None)]);
    one("BODY[4.1.MIME]<5.7>", vec![section(&[4, 1], SectionText::Mime, false, Some((5, 7)))]);
    one("BODY.PEEK[3.TEXT]", vec![section(&[3], SectionText::Text, true, None)]);
    one(
        "(BODY[HEADER.FIELDS (DATE \"from\")])",
        vec![section(&[], fields(&["DATE", "from"], false), false, None)],
    );
    one("body.peek[1.header.fields.not (X-foo)]", vec![section(&[1], fields(&["X-foo"], true), true, None)]);
    one(
        "(binary.peek[5]<0.10> BINARY[] binary.size[2.1])",
        vec![
            FetchItem::Binary { part: vec![5], peek: true, partial: Some(Partial { start: 0, length: 10 }) },
            FetchItem::Binary { part: vec![], peek: false, partial: None },
            FetchItem::BinarySize { part: vec![2, 1] },
        ],
    );
    for text in [
        "",
        "()",
        "(ALL)",
        "(FLAGS ALL)",
        "ALL FAST",
        "FLAGS UID",
        "FOO",
        "(FLAGS",
        "FLAGS)",
        "(FLAGS  UID)",
        "BODY[",
        "BODY[]]",
        "BODY[MIME]",
        "BODY[0]",
        "BODY[1.0]",
        "BODY[1.]",
        "BODY[.1]",
        "BODY[1..2]",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[HEADER.FIELDS (a:b)]",
        "BODY[HEADER.FIELDS ({4}\r\na\r\nb)]",
        "BODY[HEADER.FIELDS (\"\")]",
        "BODY[FOO]",
        "BODY[1.FOO]",
        "BODY[]<0>",
        "BODY[]<0.0>",
        "BODY[]<-1.5>",
        "BODY[]<0.5",
        "BODY.PEEK",
        "BINARY",
        "BINARY[HEADER]",
        "BINARY[1.]",
        "BINARY.SIZE[1]<0.1>",
        "FLAGS[]",
        "PREVIEW (FOO)",
        "PREVIEW ()",
        "BODY[4294967296]",
    ] {
        check_bad(&format!("FETCH 1 {text}"));
    }
    let seen: Vec<bool> =
        [Body, FetchItem::Rfc822, FetchItem::Rfc822Header, section(&[], SectionText::Header, false, None)]
            .iter()
            .map(FetchItem::marks_seen)
            .collect();
    assert_eq!(seen, [false, true, false, true]);
}

#[test]
fn fetch_modifiers() {
    let fetch = |uid: bool, changed_since: u64, vanished: bool| {
        let (set, items) = (set(&[(1, 0)]), vec![FetchItem::Flags]);
        let changed_since = Some(changed_since);
        CommandBody::Fetch(Fetch { uid, set, items, changed_since, vanished, partial: None })
    };
    // RFC 9394 §3.3, §3.4
    for (modifiers, range, changed_since) in [
        ("(PARTIAL -1:-3)", partial(1, 3, true), None),
        ("(PARTIAL 1:30 CHANGEDSINCE 98305)", partial(1, 30, false), Some(98305)),
        ("(CHANGEDSINCE 98305 PARTIAL -1:-30)", partial(1, 30, true), Some(98305)),
    ] {
        let (set, items) = (set(&[(25900, 26600)]), vec![FetchItem::Uid]);
        let fetch = Fetch { uid: true, set, items, changed_since, vanished: false, partial: range };
        check(&format!("UID FETCH 25900:26600 (UID) {modifiers}"), CommandBody::Fetch(fetch));
    }
    // RFC 7162 §3.1.4.1, §3.2.6
    check("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)", fetch(true, 12345, false));
    check("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)", fetch(true, 12345, true));
    check("UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE 1)", fetch(true, 1, true));
    check("FETCH 1:* (FLAGS) (CHANGEDSINCE 9223372036854775807)", fetch(false, i64::MAX as u64, false));
    for text in [
        "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        "UID FETCH 1 FLAGS (VANISHED)",
        "UID FETCH 1 FLAGS ()",
        "UID FETCH 1 FLAGS (CHANGEDSINCE)",
        "UID FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "FETCH 1 FLAGS (X 1)",
    ] {
        check_bad(text);
    }
}

#[test]
fn store() {
    let store = |edit: FlagEdit, silent: bool, unchanged_since: Option<u64>| {
        CommandBody::Store(Store { uid: false, set: set(&[(2, 4)]), edit, silent, unchanged_since })
    };
    let deleted = || flags(&[Flag::Deleted], &[]);
    check("STORE 2:4 +FLAGS (\\Deleted)", store(FlagEdit::Add(deleted()), false, None));
    check("STORE 2:4 +flags \\deleted", store(FlagEdit::Add(deleted()), false, None));
    check("STORE 2:4 -FLAGS.SILENT (\\Deleted)", store(FlagEdit::Remove(deleted()), true, None));
    check("STORE 2:4 FLAGS ()", store(FlagEdit::Replace(Flags::default()), false, None));
    let some = flags(&[Flag::Answered, Flag::Seen], &["$$hello", "Junk"]);
    check("STORE 2:4 FLAGS \\Answered $$hello \\Seen junk", store(FlagEdit::Replace(some), false, None));
    check("STORE 2:4 FLAGS (\\Recent)", store(FlagEdit::Replace(Flags::default()), false, None));
    // RFC 7162 §3.1.3
    check(
        "STORE 2:4 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Deleted)",
        store(FlagEdit::Add(deleted()), true, Some(0)),
    );
    for text in [
        "+FLAGS",
        "FLAGS \\Foo",
        "FLAGS (\\*)",
        "+FLAGS (\\Seen",
        "FLAGS.LOUD ()",
        "+-FLAGS ()",
        "(X 1) FLAGS ()",
        "() FLAGS ()",
        "FLAGS (\"a\")",
        "FLAGS (a]b)",
        "FLAGS \\",
        "(UNCHANGEDSINCE) FLAGS ()",
        "FLAGS () x",
    ] {
        check_bad(&format!("STORE 2:4 {text}"));
    }
}

/// An APPEND's text before its message: `~` at the end stands for a literal8.
fn append(prefix: &str) -> Result<Append, ParseError> {
    let text = prefix.strip_suffix('~').unwrap_or(prefix);
    let binary = text != prefix;
    let announced = Announced { prefix: Secret::new(text), octets: 310, synchronising: true, binary };
    match parse_announced(&announced, false)?.body {
        CommandBody::Append(append) => Ok(append),
        other => panic!("{other:?}"),
    }
}

#[test]
fn append_forms() {
    let plain = AppendMessage { flags: Flags::default(), internal_date: None, catenate: false };
    // `date -d '17-Jul-1996 02:44:25 -0700' +%s`, and likewise below.
    let dated = |seconds: i64| AppendMessage { internal_date: Some(Timestamp(seconds)), ..plain.clone() };
    let flagged =
        |message: AppendMessage| AppendMessage { flags: flags(&[Flag::Seen], &["$Forwarded"]), ..message };
    // B066
    for (text, expected) in [
        ("", plain.clone()),
        ("() ", plain.clone()),
        ("(\\Seen $Forwarded) ", flagged(plain.clone())),
        ("\"17-Jul-1996 02:44:25 -0700\" ", dated(837_596_665)),
        ("(\\seen $Forwarded) \" 1-Feb-2020 00:00:00 +0000\" ", flagged(dated(1_580_515_200))),
        ("\"1-Feb-2020 00:00:00 +0530\" ", dated(1_580_495_400)),
        ("\"31-Dec-2016 23:59:60 +0000\" ", dated(1_483_228_800)),
        ("CATENATE (TEXT ", AppendMessage { catenate: true, ..plain.clone() }),
        ("~", plain.clone()),
        ("UTF8 (~", plain.clone()),
    ] {
        let append = append(&format!("A3 APPEND saved-messages {text}")).unwrap();
        assert_eq!(append.mailbox, name("saved-messages"), "{text}");
        assert_eq!(append.pieces, [AppendPiece::Begin(expected), AppendPiece::Literal], "{text}");
    }
    assert_eq!(append("a append {5}\r\nInbox ").unwrap().mailbox, MailboxName::inbox());
    for text in [
        "x",
        "(\\Seen)",
        "(\\Foo) ",
        "\"17-Jul-1996\" ",
        "\"17-Jul-1996 02:44 -0700\" ",
        "\"17-Jul-1996 24:00:00 -0700\" ",
        "\"17-Jul-1996 02:44:25 0700\" ",
        "\"17-Jul-1996 02:44:25 -07:00\" ",
        "\"31-Feb-1996 02:44:25 -0700\" ",
        "UTF8 (",
        "UTF8~",
        "  ",
    ] {
        let error = append(&format!("A3 APPEND box {text}")).expect_err(text);
        assert_eq!((error.tag.as_deref(), error.no), (Some("A3"), false), "{text}");
    }
    assert!(append("A3 APPEND \"a\"b ").is_err());
    assert!(append("A3 APPEND &Jjo ").unwrap_err().no);
}

/// RFC 7377 §3, §4
#[test]
fn searches_in_mailboxes() {
    let sources = |text: &str| -> Result<_, ParseError> {
        match parse(format!("t ESEARCH {text}").as_bytes(), false)?.body {
            CommandBody::MultiSearch(sources, search) => {
                assert!(search.uid && search.returns.is_some(), "{text}");
                Ok(sources)
            }
            other => panic!("{other:?}"),
        }
    };
    let names = |list: &[&str]| list.iter().map(|one| name(one)).collect::<Vec<_>>();
    for (text, expected) in [
        ("UNSEEN", vec![MailboxFilter::Selected]),
        (
            "IN (mailboxes \"folder1\" subtree \"folder2\") unseen",
            vec![MailboxFilter::Mailboxes(names(&["folder1"])), MailboxFilter::Subtree(names(&["folder2"]))],
        ),
        (
            "in (Mailboxes (a \"b c\") subtree-one {1}\r\nd) RETURN (COUNT) CHARSET UTF-8 subject \"chad\"",
            vec![MailboxFilter::Mailboxes(names(&["a", "b c"])), MailboxFilter::SubtreeOne(names(&["d"]))],
        ),
        (
            "IN (selected inboxes personal subscribed) ALL",
            vec![
                MailboxFilter::Selected,
                MailboxFilter::Inboxes,
                MailboxFilter::Personal,
                MailboxFilter::Subscribed,
            ],
        ),
        ("RETURN (SAVE) ALL", vec![MailboxFilter::Selected]),
    ] {
        assert_eq!(sources(text), Ok(expected), "{text}");
    }
    for text in [
        "",
        "IN",
        "IN () ALL",
        "IN (personal)",
        "IN (personal ) ALL",
        "IN (personal)ALL",
        "IN (selected-delayed) ALL",
        "IN (mailboxes) ALL",
        "IN (mailboxes ()) ALL",
        "IN (mailboxes (a) ALL",
        "IN (subtree (a b )) ALL",
        "IN (personal) RETURN (SAVE) ALL",
        &format!("IN (selected{}) ALL", " selected".repeat(100)),
        &format!("IN (mailboxes (a{})) ALL", " a".repeat(100)),
    ] {
        assert!(sources(text).is_err(), "{text}");
    }
}

/// Whatever comes, there is an answer: every command above cut short at every place, and with each octet replaced.
#[test]
fn broken_commands_get_an_answer() {
    let commands = [
        "t LOGIN \"a\\\"b\" {3}\r\nabc",
        "t SELECT {5}\r\nINBOX (QRESYNC (67890007 90060115194045000 41,43:211 (1,3 4,10)))",
        "t LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" a%) RETURN (STATUS (MESSAGES) CHILDREN)",
        "t UID SEARCH RETURN (MIN) CHARSET UTF-8 OR (FROM \"é\" SINCE 1-Feb-1994) NOT UID 1:*,4",
        "t FETCH 1:* (BODY.PEEK[1.2.HEADER.FIELDS (A \"B\")]<0.5> BINARY[1] UID) (CHANGEDSINCE 5)",
        "t STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen a)",
        "t SORT (REVERSE DATE) UTF-8 MODSEQ \"/flags/a\" all 5",
        "t ID (\"name\" \"x\" \"v\" NIL)",
    ];
    for command in commands {
        assert!(parse(command.as_bytes(), false).is_ok(), "{command}");
        for at in 0..command.len() {
            let _ = parse(&command.as_bytes()[..at], at % 2 == 0);
            for octet in [0, b' ', b'"', b'(', b')', b'{', b'\\', b'9', b'*', b'&', 0x7f, 0xff, b'\r', b'\n']
            {
                let mut broken = command.as_bytes().to_vec();
                broken[at] = octet;
                let _ = parse(&broken, true);
                broken.insert(at, octet);
                let _ = parse(&broken, false);
            }
        }
    }
}

/// RFC 5464 §4.2, §4.3, §5
#[test]
fn metadata() {
    let entry = |text: &str| EntryName::new(text).unwrap();
    let get = |mailbox: &str, entries: &[&str], max_size, depth| {
        let mailbox = Some(mailbox).filter(|name| !name.is_empty()).map(name);
        let entries = entries.iter().map(|text| entry(text)).collect();
        CommandBody::GetMetadata(GetMetadata { mailbox, entries, max_size, depth })
    };
    for (text, expected) in [
        ("GETMETADATA \"\" /shared/comment", get("", &["/shared/comment"], None, Depth::Zero)),
        (
            "GETMETADATA INBOX (/shared/comment /private/comment)",
            get("INBOX", &["/shared/comment", "/private/comment"], None, Depth::Zero),
        ),
        (
            "GETMETADATA INBOX (MAXSIZE 1024) (/shared/comment)",
            get("INBOX", &["/shared/comment"], Some(1024), Depth::Zero),
        ),
        (
            "GETMETADATA (DEPTH 1 MAXSIZE 0) INBOX \"/private/a b\"",
            get("INBOX", &["/private/a b"], Some(0), Depth::One),
        ),
        ("GETMETADATA a (depth INFINITY) /private", get("a", &["/private"], None, Depth::Infinity)),
        (
            "GETMETADATA a /private/comment /shared/comment",
            get("a", &["/private/comment", "/shared/comment"], None, Depth::Zero),
        ),
        (
            "SETMETADATA \"\" (/private/a \"x\" /shared/vendor/a/b NIL /private/nil ~{3}\r\na\0b)",
            CommandBody::SetMetadata(SetMetadata {
                mailbox: None,
                entries: vec![
                    (entry("/private/a"), Some(b"x".to_vec())),
                    (entry("/shared/vendor/a/b"), None),
                    (entry("/private/nil"), Some(b"a\0b".to_vec())),
                ],
            }),
        ),
    ] {
        check(text, expected);
    }
    for text in [
        "GETMETADATA",
        "GETMETADATA a",
        "GETMETADATA a ()",
        "GETMETADATA a (DEPTH 2) /private/a",
        "GETMETADATA a (OTHER 2) /private/a",
        "GETMETADATA a (MAXSIZE 2)",
        "GETMETADATA a /public/a",
        "GETMETADATA a /private/a*",
        "SETMETADATA a ()",
        "SETMETADATA a (/private/a)",
        "SETMETADATA a (/private/a x)",
        "SETMETADATA a (/private \"x\")",
        "SETMETADATA a (/shared/vendor/a \"x\")",
        "SETMETADATA a /private/a \"x\"",
    ] {
        check_bad(text);
    }
}

/// RFC 4314 §3, §7
#[test]
fn acl() {
    use base::rights::{Rights, RightsEdit};
    let rights = |text| Rights::parse(text).unwrap();
    let set = |mailbox: &str, identifier: &str, edit| CommandBody::SetAcl {
        mailbox: name(mailbox),
        identifier: identifier.into(),
        edit,
    };
    for (text, expected) in [
        (
            "SeTacl INBOX/Drafts David lrswida",
            set("INBOX/Drafts", "David", RightsEdit::Replace(rights("lrswida"))),
        ),
        ("SETACL a Chris +cda", set("a", "Chris", RightsEdit::Add(rights("kxtea")))),
        ("SETACL a -Fred -w", set("a", "-Fred", RightsEdit::Remove(rights("w")))),
        ("SETACL a anyone \"\"", set("a", "anyone", RightsEdit::Replace(Rights::NONE))),
        (
            "DeleteAcl INBOX Fred",
            CommandBody::DeleteAcl { mailbox: name("INBOX"), identifier: "Fred".into() },
        ),
        ("GETACL INBOX", CommandBody::GetAcl(name("INBOX"))),
        ("MYRIGHTS \"a b\"", CommandBody::MyRights(name("a b"))),
        (
            "LISTRIGHTS a \"jos\u{e9}\"",
            CommandBody::ListRights { mailbox: name("a"), identifier: "jos\u{e9}".into() },
        ),
    ] {
        check(text, expected);
    }
    for text in [
        "SETACL INBOX/Drafts John lrQswicda",
        "SETACL INBOX/Drafts John lrqswicda",
        "SETACL a b",
        "SETACL a",
        "SETACL a \"\" lr",
        "DELETEACL a",
        "LISTRIGHTS a",
        "GETACL",
        "MYRIGHTS",
    ] {
        check_bad(text);
    }
}
