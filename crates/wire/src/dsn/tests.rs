use super::*;
use crate::mime::{PartId, Tree};
use base::Limits;

const ORIGINAL: &[u8] = b"From: <alice@example.test>\r\nTo: <bob@example.net>\r\nSubject: hello\r\n\
                          Message-ID: <one@example.test>\r\n\r\nThe text.\r\n";

struct Case<'a> {
    to: &'a str,
    action: Action,
    recipients: Vec<(&'a str, (u8, u16, u16), Reply)>,
    orcpt: Option<&'a str>,
    original: &'a [u8],
    whole: bool,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Case {
            to: "alice@example.test",
            action: Action::Failed,
            recipients: vec![("bob@example.net", (5, 1, 1), Reply::new(550, (5, 1, 1), "no such user"))],
            orcpt: None,
            original: ORIGINAL,
            whole: true,
        }
    }
}

/// A notice, and the three parts' types and contents as our own reader finds them.
fn composed(case: &Case<'_>) -> (Composed, Vec<(String, String)>) {
    let host = Domain::new("mail.example.test").unwrap();
    let addresses: Vec<Address> = case.recipients.iter().map(|(a, ..)| Address::parse(a).unwrap()).collect();
    let original = case.orcpt.map(|orcpt| OriginalRecipient::parse(orcpt, true).unwrap());
    let recipients: Vec<Recipient<'_>> = (addresses.iter().zip(&case.recipients))
        .map(|(address, (_, status, reply))| Recipient {
            address,
            original: original.as_ref(),
            status: *status,
            remote: Some("mx.example.net"),
            reply,
            last_attempt: Some(Timestamp::from_civil(2026, 11, 25, 7, 0, 0)),
        })
        .collect();
    let envelope_id = EnvelopeId::new("QQ 314159");
    let header_end =
        memchr::memmem::find(case.original, b"\r\n\r\n").map_or(case.original.len(), |at| at + 2);
    let notice = Notice {
        host: &host,
        to: &Address::parse(case.to).unwrap(),
        date: Timestamp::from_civil(2026, 11, 25, 8, 0, 0),
        id: "n1",
        arrival: Timestamp::from_civil(2026, 11, 24, 8, 0, 0),
        trace: "t1",
        envelope_id: envelope_id.as_ref(),
        recipients: &recipients,
        action: case.action,
        original: case.original,
        header_end,
        whole: case.whole,
    };
    let composed = compose(&notice);
    let tree = Tree::parse(&composed.octets, &Limits::default());
    assert_eq!(media_type(tree.root()), "multipart/report");
    // The fifth part is the original: what is odd in it is its own.
    let is_odd = |kind| !composed.smtputf8 || kind != crate::mime::NoteKind::EightBitHeader;
    assert_eq!(tree.notes().iter().find(|note| note.part.0 <= 3 && is_odd(note.kind)), None);
    assert!(tree.longest_line() <= 998);
    assert!(composed.smtputf8 || composed.octets.is_ascii());
    let parts = tree.children(PartId::ROOT).map(|id| {
        let part = tree.get(id).unwrap();
        let mut content = Vec::new();
        tree.decode_body(id, &composed.octets, &mut content).unwrap();
        (media_type(part), String::from_utf8_lossy(&content).into_owned())
    });
    let parts: Vec<(String, String)> = parts.collect();
    assert_eq!(parts.len(), 3);
    (composed, parts)
}

fn media_type(part: &crate::mime::Part) -> String {
    format!("{}/{}", part.content_type.kind, part.content_type.subtype)
}

/// The fields that RFC 3464 §2 has, in its order.
#[test]
fn a_failure() {
    let (mail, parts) = composed(&Case::default());
    let text = String::from_utf8(mail.octets).unwrap();
    for line in
        ["To: <alice@example.test>", "In-Reply-To: <one@example.test>", "Auto-Submitted: auto-replied"]
    {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{text}");
    }
    assert_eq!(parts[0].0, "text/plain");
    for words in [
        "could not be delivered",
        "bob@example.net",
        "no such mailbox",
        "mx.example.net said: 550 5.1.1 no such user",
        "t1",
    ] {
        assert!(parts[0].1.contains(words), "{}", parts[0].1);
    }
    assert_eq!(parts[1], (
        "message/delivery-status".to_owned(),
        "Original-Envelope-Id: QQ 314159\r\nReporting-MTA: dns; mail.example.test\r\n\
         Arrival-Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\nFinal-Recipient: rfc822; bob@example.net\r\n\
         Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\nLast-Attempt-Date: Wed, 25 Nov 2026 07:00:00 +0000\r\n"
            .to_owned()
    ));
    assert_eq!(parts[2].0, "message/rfc822");
    assert_eq!(parts[2].1.as_bytes(), ORIGINAL);
}

#[test]
fn a_delay_says_until_when() {
    let until = Timestamp::from_civil(2026, 11, 29, 8, 0, 0);
    let (_, parts) = composed(&Case { action: Action::Delayed(until), whole: false, ..Case::default() });
    assert!(parts[0].1.contains("need not send it again") && parts[0].1.contains("until Sun, 29 Nov 2026"));
    assert!(parts[1].1.contains("\r\nAction: delayed\r\n"));
    assert!(parts[1].1.contains("\r\nWill-Retry-Until: Sun, 29 Nov 2026 08:00:00 +0000\r\n"));
    assert_eq!(parts[2].0, "text/rfc822-headers");
    assert!(parts[2].1.ends_with("Message-ID: <one@example.test>\r\n"));
}

/// RFC 6533 §3, §4: other types, and UTF-8, for a sender who can take it; else 7-bit, and `\x{}`.
#[test]
fn what_is_not_ascii() {
    let reply = || Reply::new(550, (5, 1, 1), "niemand heißt so");
    let both = || vec![("jürgen@example.net", (5, 1, 1), reply()), ("bob@example.net", (5, 1, 1), reply())];
    let original = "Subject: grüße\r\n\r\nGrüße\r\n".as_bytes();
    let case = || Case {
        recipients: both(),
        orcpt: Some("utf-8;jörg\\x{20}x@example.net"),
        original,
        ..Case::default()
    };

    let (mail, parts) = composed(&Case { to: "björn@example.test", ..case() });
    assert!(mail.smtputf8);
    assert_eq!(parts[1].0, "message/global-delivery-status");
    for line in [
        "Original-Recipient: utf-8;jörg x@example.net",
        "Final-Recipient: utf-8;jürgen@example.net",
        "Final-Recipient: rfc822; bob@example.net",
    ] {
        assert!(parts[1].1.contains(&format!("\r\n{line}\r\n")), "{}", parts[1].1);
    }
    assert_eq!((parts[2].0.as_str(), parts[2].1.as_bytes()), ("message/global", original));

    let (mail, parts) = composed(&case());
    assert!(!mail.smtputf8 && mail.octets.is_ascii());
    assert_eq!(parts[1].0, "message/delivery-status");
    for line in [
        "Original-Recipient: utf-8;j\\x{F6}rg\\x{20}x@example.net",
        "Final-Recipient: utf-8;j\\x{FC}rgen@example.net",
        "Diagnostic-Code: smtp; 550 5.1.1 niemand hei?t so",
    ] {
        assert!(parts[1].1.contains(&format!("\r\n{line}\r\n")), "{}", parts[1].1);
    }
    assert!(parts[0].1.contains("jürgen@example.net") && parts[0].1.contains("niemand heißt so"));
    assert_eq!((parts[2].0.as_str(), parts[2].1.as_str()), ("message/global-headers", "Subject: grüße\r\n"));
}

/// Whatever the original is, the notice is a sound mail, and bounded.
#[test]
fn originals_of_all_kinds() {
    let long = [b"Subject: ".as_slice(), &[b'x'; 5000], b"\r\n\r\ntext\r\n"].concat();
    let huge = [b"X: y\r\n".repeat(20_000), b"\r\ntext\r\n".to_vec()].concat();
    let boundary = b"Subject: =_n1 --=_n1--\r\n\r\n--=_n1\r\n--=_n1--\r\n".to_vec();
    let big_body = [b"Subject: s\r\n\r\n".to_vec(), vec![b'x'; 70_000]].concat();
    let cases: [(&[u8], &str); 10] = [
        (b"", "message/rfc822"),
        (b"\r\n", "message/rfc822"),
        (b"no header at all", "message/rfc822"),
        (b"Subject: \xfc\xe4\r\n\r\n", "text/rfc822-headers"),
        (b"Subject: a\rFrom: b\nX: c\0\r\n\r\ntext", "text/rfc822-headers"),
        (b"Subject: s\r\n\r\nbody \xfc\r\n", "text/rfc822-headers"),
        (&long, "text/rfc822-headers"),
        (&huge, "text/rfc822-headers"),
        (&boundary, "message/rfc822"),
        (&big_body, "text/rfc822-headers"),
    ];
    for (original, kind) in cases {
        let (mail, parts) = composed(&Case { original, ..Case::default() });
        assert_eq!(parts[2].0, kind, "{:?}", String::from_utf8_lossy(&original[..original.len().min(60)]));
        assert!(mail.octets.len() < 100_000);
    }
}

/// RFC 2045 §6.7, the header's octets come back.
#[test]
fn odd_headers_come_back_whole() {
    let original = b"Subject: \xfc = \t \r\nX: a\rb\nc\0 end \r\n\r\ntext".as_slice();
    let (_, parts) = composed(&Case { original, ..Case::default() });
    // The line end before the boundary belongs to that (RFC 2046 §5.1.1).
    assert_eq!(parts[2].1, String::from_utf8_lossy(b"Subject: \xfc = \t \r\nX: a\rb\nc\0 end \r\n"));
}

/// What another server says is quoted, and can't be more than that (B149).
#[test]
fn replies_of_all_kinds() {
    let hostile = "x\r\nAction: delivered\r\n\r\n--=_n1--\0\x1b[2J".to_owned()
        + &"long words ".repeat(500)
        + &"y".repeat(5000);
    let reply = Reply::new(554, (5, 7, 1), hostile);
    let (_, parts) =
        composed(&Case { recipients: vec![("bob@example.net", (5, 7, 1), reply)], ..Case::default() });
    assert_eq!(parts[1].1.matches("\r\nAction: ").count(), 1);
    assert!(!parts[0].1.contains(['\0', '\x1b']) && !parts[1].1.contains(['\0', '\x1b']));
    let many = vec![("bob@example.net", (5, 1, 1), Reply::new(550, (5, 1, 1), "no")); 1000];
    let (mail, parts) = composed(&Case { recipients: many, ..Case::default() });
    assert_eq!(parts[1].1.matches("Final-Recipient").count(), 100);
    assert!(parts[0].1.contains("and 900 more") && mail.octets.len() < 64 * 1024);
}

/// RFC 3463's codes, for who has not read it.
#[test]
fn every_status_has_a_meaning() {
    for (status, words) in [
        ((5, 1, 1), "no such mailbox"),
        ((5, 1, 2), "domain does not exist"),
        ((4, 2, 2), "full"),
        ((5, 3, 4), "too large"),
        ((4, 4, 1), "does not answer"),
        ((5, 4, 7), "in time"),
        ((5, 7, 1), "does not want"),
        ((5, 0, 0), "refused"),
        ((4, 0, 0), "later"),
        ((2, 0, 0), "well"),
    ] {
        assert!(meaning(status).contains(words), "{status:?}: {}", meaning(status));
    }
}
