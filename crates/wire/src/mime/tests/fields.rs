//! Header fields: encoded words, addresses, dates, identifiers, subjects.

use crate::mime::address::{self, Entry};
use crate::mime::{HeaderFilter, casemap, date, header, header_text, list_head, message_id, subject, word};

#[test]
fn encoded_words() {
    for (value, expected) in [
        // RFC 2047 §8
        ("(=?ISO-8859-1?Q?a?=)", "(a)"),
        ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        (
            "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        ),
        ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        // A character split over two words.
        ("=?utf-8?B?w6Q=?= =?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ää"),
        ("=?x-unheard-of?q?a?=", "=?x-unheard-of?q?a?="),
        ("=?utf-8?q?never ends", "=?utf-8?q?never ends"),
        ("a =?= b", "a =?= b"),
        ("x=?utf-8?q?y?=z", "xyz"),
        ("=?utf-8?q?a=0D=0AX:_b?=", "a  X: b"),
    ] {
        assert_eq!(word::decode(value.as_bytes()), expected, "{value}");
    }
}

fn addresses(value: &str) -> String {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let shown = address::parse(value.as_bytes()).into_iter().map(|entry| match entry {
        Entry::Mailbox(m) => {
            let route = m.route.map(|route| format!("{}:", text(&route))).unwrap_or_default();
            format!(
                "{}<{route}{}|{}>",
                m.name.map(|name| text(&name)).unwrap_or_default(),
                text(&m.local),
                text(&m.host)
            )
        }
        Entry::GroupStart(name) => format!("{}:", text(&name)),
        Entry::GroupEnd => ";".to_owned(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn address_lists() {
    for (value, expected) in [
        // RFC 5322 appendix A
        ("John Doe <jdoe@machine.example>", "John Doe<jdoe|machine.example>"),
        ("\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public<john.q.public|example.com>"),
        (
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            "Mary Smith<mary|x.test> <jdoe|example.org> Who?<one|y.test>",
        ),
        (
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            "<boss|nil.test> Giant; \"Big\" Box<sysservices|example.net>",
        ),
        (
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            "A Group: Ed Jones<c|a.test> <joe|where.test> John<jdoe|one.test> ;",
        ),
        ("Undisclosed recipients:;", "Undisclosed recipients: ;"),
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete<pete|silly.test>"),
        (
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end of the group)",
            "A Group: Chris Jones<c|public.example> <joe|example.org> John<jdoe|one.test> ;",
        ),
        ("Joe Q. Public <john.q.public@example.com>", "Joe Q. Public<john.q.public|example.com>"),
        (
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test . example",
            "Mary Smith<@node.test:mary|example.net> <jdoe|test.example>",
        ),
        // B113
        ("A:a@x,b@y;, B:;", "A: <a|x> <b|y> ; B: ;"),
        // B112: two authors must not look like one
        ("\"boss@example.org\" <x@evil.example>", "boss@example.org<x|evil.example>"),
        ("A <a@x> <b@y>", "A<a|x> <b|y>"),
        ("a@x b@y", "<a|x> <b|y>"),
        ("harley@argote.example (Robert Harley)", "Robert Harley<harley|argote.example>"),
        ("\"quoted local\"@example.net", "<quoted local|example.net>"),
        ("a@[192.0.2.1], root", "<a|[192.0.2.1]> <root|>"),
        ("<never@ends", "<never|ends>"),
        ("\"never ends", "<never ends|>"),
        ("", ""),
        ("<>", "<|>"),
    ] {
        assert_eq!(addresses(value), expected, "{value}");
    }
}

#[test]
fn dates() {
    let check = |value: &str, expected: Option<(&str, i16)>| {
        let got = date::parse(value.as_bytes()).map(|d| (d.at.to_string(), d.zone_minutes));
        assert_eq!(got, expected.map(|(text, zone)| (text.to_owned(), zone)), "{value}");
    };
    // RFC 5322 appendix A
    check("Fri, 21 Nov 1997 09:55:06 -0600", Some(("1997-11-21T15:55:06Z", -360)));
    check("Tue, 1 Jul 2003 10:52:37 +0200", Some(("2003-07-01T08:52:37Z", 120)));
    check(
        "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
        Some(("1969-02-14T03:02:00Z", -210)),
    );
    check("21 Nov 97 09:55:06 GMT", Some(("1997-11-21T09:55:06Z", 0)));
    check("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", Some(("1997-11-21T06:00:00Z", -360)));
    // B115
    check("Mon,\r\n 8 Dec 2025 11:22:33 +0000", Some(("2025-12-08T11:22:33Z", 0)));
    check("Mon, 8 Dec 2025 11:22:33 (GMT+02:00)", Some(("2025-12-08T09:22:33Z", 120)));
    check("Mon, 8 Dec 2025 11:22:33 GMT+02:00", Some(("2025-12-08T09:22:33Z", 120)));
    check("Mon, 8 Dec 2025 11:22:33 +0200 (CEST)", Some(("2025-12-08T09:22:33Z", 120)));
    check("8 Dec 2025 11:22:33 EST", Some(("2025-12-08T16:22:33Z", -300)));
    check("8 Dec 2025 11:22:33 Z", Some(("2025-12-08T11:22:33Z", 0)));
    check("Mon Dec  8 11:22:33 2025", Some(("2025-12-08T11:22:33Z", 0)));
    check("8-Dec-2025", Some(("2025-12-08T00:00:00Z", 0)));
    check("1 Jan 49 00:00:00 +0000", Some(("2049-01-01T00:00:00Z", 0)));
    check("1 Jan 103 00:00:00 +0000", Some(("2003-01-01T00:00:00Z", 0)));
    check("31 Feb 2025 00:00:00 +0000", None);
    check("yesterday", None);
    check("", None);
    check("(", None);
}

#[test]
fn message_ids() {
    for (value, expected) in [
        ("<1234@local.machine.example>", &["1234@local.machine.example"][..]),
        ("<1@a> <2@b>\r\n <3@c>", &["1@a", "2@b", "3@c"]),
        ("<1@a><2@b> (comment <x@y>) words \"<q@r>\" <3@c>", &["1@a", "2@b", "3@c"]),
        ("<bro\r\n ken@a>", &["broken@a"]),
        ("<open@a <2@b>", &["open@a", "2@b"]),
        ("bare@a", &["bare@a"]),
        ("Your message of Monday", &[]),
        ("<>", &[]),
    ] {
        assert_eq!(message_id::parse(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn base_subjects() {
    for (value, expected, marked) in [
        ("hello", "hello", false),
        ("Re: hello", "hello", true),
        ("Re: Fwd: FW: re : hello (fwd) (FWD)", "hello", true),
        ("Re[2]: hello", "hello", true),
        ("[list] Re: [list] hello", "hello", true),
        ("[blob] hello", "hello", false),
        ("[only]", "[only]", false),
        ("[a] [only]", "[only]", false),
        ("[Fwd: Re: hello]", "hello", true),
        ("[Fwd: [Fwd: x] ]", "x", true),
        ("=?utf-8?q?Re=3A_h=C3=A4?=", "hä", true),
        ("  much   space\t here ", "much space here", false),
        ("Re:", "", true),
        ("Reply: x", "Reply: x", false),
    ] {
        let got = subject::base(value.as_bytes());
        assert_eq!((got.text.as_str(), got.is_reply_or_forward), (expected, marked), "{value}");
    }
}

#[test]
fn headers() {
    let block = b"Subject : a\r\n \r\n\t\r\n folded\r\nno colon\r\n: empty\r\nTo: x\r\n\r\nbody: y\r\n";
    let found: Vec<(&[u8], Vec<u8>)> =
        header::fields(block).map(|field| (field.name, header::unfold(field.value).into_owned())).collect();
    let expected: [(&[u8], Vec<u8>); 4] = [
        (b"Subject", b"a \t folded".to_vec()),
        (b"", b"no colon".to_vec()),
        (b"", b": empty".to_vec()),
        (b"To", b"x".to_vec()),
    ];
    assert_eq!(found, expected);
    assert_eq!(&block[header::length(block)..], b"body: y\r\n");
    assert_eq!(header_text(b"A: =?utf-8?q?=C3=A4?=\r\n b\r\n"), "A: ä b\n");
    assert_eq!(
        list_head(b"Received: x\r\nFrom: a\r\nX: y\r\nSUBJECT: b\r\n c\r\n\r\n"),
        b"From: a\r\nSUBJECT: b\r\n c\r\n"
    );
    assert_eq!(casemap("ÄSS ß Σς"), casemap("äss SS σσ"));
}

#[test]
fn filtered_headers() {
    let check = |message: &str, expected: &str| {
        for step in [1, 2, 5, message.len().max(1)] {
            let ours = |value: &[u8]| value.starts_with(b"mx.example.test");
            let mut filter = HeaderFilter::new(|name: &[u8], value: &[u8]| {
                name.eq_ignore_ascii_case(b"Return-Path")
                    || (name.eq_ignore_ascii_case(b"Authentication-Results") && ours(value))
            });
            let mut out = Vec::new();
            for chunk in message.as_bytes().chunks(step) {
                let rest = filter.push(chunk, &mut out);
                out.extend_from_slice(rest);
            }
            filter.finish(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{step}");
        }
    };
    check("Return-Path: <x>\r\nA: b\r\n\r\nReturn-Path: <y>\r\n", "A: b\r\n\r\nReturn-Path: <y>\r\n");
    check("A: b\nAuthentication-Results:\n mx.example.test; dmarc=pass\nC: d\n", "A: b\nC: d\n");
    check("Authentication-Results: other; x\r\n\r\n", "Authentication-Results: other; x\r\n\r\n");
    check("return-path : <x>\r\n folded", "");
    check("junk\r\nReturn-Path: x\r\n\r\nb", "junk\r\n\r\nb");
    let long = format!("Return-Path: {}\r\n more\r\nA: b\r\n\r\n", "x".repeat(100_000));
    check(&long, "A: b\r\n\r\n");
    let kept = format!("X: {}\r\n more\r\nReturn-Path: b\r\n\r\n", "x".repeat(100_000));
    check(&kept, &format!("X: {}\r\n more\r\n\r\n", "x".repeat(100_000)));
}
