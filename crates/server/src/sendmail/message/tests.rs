use super::*;

fn check_read(input: &str, most: u64, dots: bool, expected: Option<&str>) {
    let found = read(&mut input.as_bytes(), most, dots).unwrap();
    assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{input:?}");
}

#[test]
fn a_lone_dot_ends_unless_told_otherwise() {
    check_read("a\n.\nb\n", 100, false, Some("a\n"));
    check_read("a\r\n.\r\nb\r\n", 100, false, Some("a\r\n"));
    check_read("a\n.", 100, false, Some("a\n"));
    check_read("a\n.\nb\n", 100, true, Some("a\n.\nb\n"));
    check_read("a\n..\n.b\n", 100, false, Some("a\n..\n.b\n"));
    check_read("", 100, false, Some(""));
}

#[test]
fn a_message_has_a_greatest_size() {
    check_read("abc\n", 4, false, Some("abc\n"));
    check_read("abcd\n", 4, false, None);
    check_read("abcdefgh", 4, false, None);
    check_read("a\nb\nc", 4, false, None);
}

fn check(from_header: bool, name: Option<&str>, input: &str, octets: &str, recipients: &[&str]) {
    let own = Address::parse("anna@example.test").unwrap();
    let found = Preparation { own: &own, from: &own, name, from_header }.prepare(input.as_bytes());
    assert_eq!(String::from_utf8_lossy(&found.octets), octets, "{input:?}");
    assert_eq!(found.recipients, recipients, "{input:?}");
}

#[test]
fn line_ends_are_crlf() {
    let expected = "From: a@b.c\r\n\r\none\r\ntwo\r\nthree\r\nfour\r\n";
    check(false, None, "From: a@b.c\n\none\ntwo\r\nthree\rfour", expected, &[]);
    check(false, None, "From: a@b.c\r\n\r\n.\r\n..\n", "From: a@b.c\r\n\r\n.\r\n..\r\n", &[]);
}

#[test]
fn text_alone_gets_a_header() {
    check(false, None, "hello\nworld\n", "From: anna@example.test\r\n\r\nhello\r\nworld\r\n", &[]);
    check(false, None, "", "From: anna@example.test\r\n\r\n", &[]);
    check(
        false,
        None,
        "two words: no field\n",
        "From: anna@example.test\r\n\r\ntwo words: no field\r\n",
        &[],
    );
    check(false, None, "Subject: x\nhello\n", "From: anna@example.test\r\nSubject: x\r\n\r\nhello\r\n", &[]);
    check(
        false,
        None,
        "From anna Mon Nov 23\nSubject: x\n\nb",
        "From: anna@example.test\r\nSubject: x\r\n\r\nb\r\n",
        &[],
    );
    check(false, None, " x: y\n", "From: anna@example.test\r\n\r\n x: y\r\n", &[]);
}

/// RFC 5322 §3.2.5, RFC 2047 §2; the encoded words by Python's email.header.
#[test]
fn an_added_from_has_the_full_name() {
    let from = |name, expected: &str| {
        check(false, Some(name), "", &format!("From: {expected} <anna@example.test>\r\n\r\n"), &[])
    };
    from("CronDaemon", "CronDaemon");
    from("Anna B", "Anna B");
    from("B. \"x\" \\", "\"B. \\\"x\\\" \\\\\"");
    from("Jörg", "=?utf-8?B?SsO2cmc=?=");
    from("a\r\nBcc: x", "=?utf-8?B?YSAgQmNjOiB4?=");
}

/// RFC 5322 §3.6.3; §3.4 for the lists.
#[test]
fn recipients_of_the_header() {
    check(
        true,
        None,
        "From: a@b.c\nTo: X <x@example.org>, root\nCc: g: y@example.org;\nBcc: z@example.org,\n w@example.org\nSubject: s\n\nt\n",
        "From: a@b.c\r\nTo: X <x@example.org>,\r\n\troot@example.test\r\nCc: g: y@example.org;\r\nSubject: s\r\n\r\nt\r\n",
        &["x@example.org", "root@example.test", "y@example.org", "z@example.org", "w@example.org"],
    );
    check(false, None, "From: a@b.c\nBcc: z@b.c\n\n", "From: a@b.c\r\nBcc: z@b.c\r\n\r\n", &[]);
    check(
        true,
        None,
        "From: a@b.c\nbcc : z@b.c\n\nTo: no@b.c\n",
        "From: a@b.c\r\n\r\nTo: no@b.c\r\n",
        &["z@b.c"],
    );
}

/// As Debian's cron writes it.
#[test]
fn names_get_the_domain() {
    check(
        false,
        None,
        "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> true\n\nx\n",
        "From: Cron Daemon <root@example.test>\r\nTo: root@example.test\r\nSubject: Cron <root@host> true\r\n\r\nx\r\n",
        &[],
    );
}
