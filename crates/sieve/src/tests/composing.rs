//! The mails that go out for a script, read back by the MIME reader.

use super::{NOW, run_on};
use crate::{Action, Limits, NoHost, Stamp, compose_rejection};
use base::{Address, Domain};
use wire::mime::{PartId, Tree, header, word};

const MESSAGE: &str = "From: roadrunner@acme.example.com\nTo: coyote@desert.example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <2@acme.example.com>\n\nbody\n";

fn stamp(host: &Domain) -> Stamp<'_> {
    Stamp { host, date: NOW, id: "20070226.1" }
}

/// The mail that a script's first action makes.
fn sent(script: &str) -> Vec<u8> {
    let outcome = run_on(script, MESSAGE, "roadrunner@acme.example.com", &NoHost, &Limits::default());
    let (own, host) =
        (Address::parse("coyote@desert.example.org").unwrap(), Domain::new("mx.example.org").unwrap());
    let composed = match outcome.actions.first() {
        Some(Action::Vacation(vacation)) => vacation.compose(&own, stamp(&host)),
        Some(Action::Notify(notify)) => notify.compose(&own, stamp(&host)),
        Some(Action::Reject { reason, .. }) => {
            let message = MESSAGE.replace('\n', "\r\n");
            let to = Address::parse("roadrunner@acme.example.com").unwrap();
            compose_rejection(reason, message.as_bytes(), &to, &own, stamp(&host))
        }
        other => panic!("{other:?}"),
    };
    assert!(!composed.smtputf8);
    let lines = composed.octets.split(|b| *b == b'\n');
    assert!(
        lines.clone().all(|line| line.len() <= 998 && (line.is_empty() || line.ends_with(b"\r"))),
        "line ends"
    );
    composed.octets
}

/// Checks decoded header fields, and the text of a part.
fn check(script: &str, fields: &[(&str, &str)], part: u32, text: &str) {
    let mail = sent(script);
    for (name, expected) in fields {
        let found = header::fields(&mail).find(|field| field.is(name)).map(|field| word::decode(field.value));
        assert_eq!(found.as_deref(), Some(*expected), "{name} of {script}");
    }
    let tree = Tree::parse(&mail, &base::Limits::default());
    assert!(tree.notes().is_empty(), "{:?}", tree.notes());
    assert_eq!(tree.text_of(PartId(part), &mail).unwrap().trim_end(), text, "{script}");
}

/// RFC 5230 §5
#[test]
fn vacation_replies() {
    check(
        "require \"vacation\"; vacation :from \"Wile \\\"E.\\\" Coyote <wile@desert.example.org>\" \"I'm away.\n.\nBye\";",
        &[
            ("To", "<roadrunner@acme.example.com>"),
            ("Subject", "Auto: Grüße"),
            ("Date", "Mon, 26 Feb 2007 14:00:00 +0000"),
            ("Message-ID", "<20070226.1@mx.example.org>"),
            ("In-Reply-To", "<2@acme.example.com>"),
            ("References", "<2@acme.example.com>"),
            ("Auto-Submitted", "auto-replied (vacation)"),
        ],
        0,
        "I'm away.\r\n.\r\nBye",
    );
    let long = "Ich bin für längere Zeit nicht da. ".repeat(40);
    check(
        &format!("require \"vacation\"; vacation \"{long}\";"),
        &[("From", "<coyote@desert.example.org>")],
        0,
        long.trim_end(),
    );
    check(
        "require \"vacation\"; vacation :from \"Jürgen <wile@desert.example.org>\" \"x = y \t\n z\";",
        &[("From", "Jürgen <wile@desert.example.org>")],
        0,
        "x = y \t\r\n z",
    );
    // Somebody else's name is not taken.
    check(
        "require \"vacation\"; vacation :from \"boss@example.com\" \"x\";",
        &[("From", "<coyote@desert.example.org>")],
        0,
        "x",
    );
}

/// However long a word, an id or a list of ids: lines stay lines.
#[test]
fn long_words() {
    let word = "a".repeat(5000);
    let ids: String = (0..300).map(|n| format!("\n <{n}.{}@example.com>", "x".repeat(100))).collect();
    let message = format!(
        "To: coyote@desert.example.org\nSubject: {word}\nMessage-ID: <{word}@x>\nReferences: <{word}@x>{ids}\n\n"
    );
    let outcome = run_on(
        "require \"vacation\"; vacation \"x\";",
        &message,
        "a@example.com",
        &NoHost,
        &Limits::default(),
    );
    let Some(Action::Vacation(vacation)) = outcome.actions.first() else { panic!("no reply") };
    let (own, host) =
        (Address::parse("coyote@desert.example.org").unwrap(), Domain::new("mx.example.org").unwrap());
    let mail = vacation.compose(&own, stamp(&host)).octets;
    assert!(mail.split(|b| *b == b'\n').all(|line| line.len() <= 998), "{}", mail.escape_ascii());
    assert_eq!(vacation.in_reply_to, None);
    assert_eq!(vacation.references.as_ref().map(|text| text.split(' ').count()), Some(20));
    check(
        &format!("require \"vacation\"; vacation :subject \"{}\" \"x\";", "b".repeat(2000)),
        &[("Subject", &"b".repeat(500))],
        0,
        "x",
    );
}

/// RFC 6532 §3.2
#[test]
fn addresses_that_are_not_ascii() {
    let outcome = run_on(
        "require \"vacation\"; vacation \"x\";",
        MESSAGE,
        "grün@example.com",
        &NoHost,
        &Limits::default(),
    );
    let Some(Action::Vacation(vacation)) = outcome.actions.first() else { panic!("no reply") };
    let (own, host) =
        (Address::parse("coyote@desert.example.org").unwrap(), Domain::new("mx.example.org").unwrap());
    let composed = vacation.compose(&own, stamp(&host));
    assert!(composed.smtputf8);
    assert!(String::from_utf8(composed.octets).unwrap().contains("To: <grün@example.com>\r\n"));
}

/// RFC 5230 §4.4
#[test]
fn vacation_replies_in_mime() {
    let mail = sent(
        "require \"vacation\"; vacation :mime \"Content-Type: text/html\nBcc: x@example.com\nContent-Language: de\n\n<b>gone</b>\";",
    );
    let tree = Tree::parse(&mail, &base::Limits::default());
    assert!(tree.root().content_type.is("text", "html") && !String::from_utf8_lossy(&mail).contains("Bcc"));
    assert_eq!(tree.text_of(PartId::ROOT, &mail).unwrap(), "<b>gone</b>\r\n");
}

#[test]
fn what_is_no_mime_entity_is_text() {
    check(
        "require \"vacation\"; vacation :mime \"I am\n\naway\";",
        &[("MIME-Version", "1.0")],
        0,
        "I am\r\n\r\naway",
    );
    check("require \"vacation\"; vacation :mime \"\nI am away\";", &[], 0, "I am away");
}

/// RFC 5436 §2.7
#[test]
fn notification_mails() {
    check(
        "require \"enotify\"; notify :importance \"1\" :message \"Neu: ü\" \"mailto:a@example.com?cc=b@example.com&body=look%0D%0Ahere&x-note=hi\";",
        &[
            ("Auto-Submitted", "auto-notified; owner-email=\"coyote@desert.example.org\""),
            ("From", "<coyote@desert.example.org>"),
            ("To", "<a@example.com>, <b@example.com>"),
            ("Subject", "Neu: ü"),
            ("Importance", "high"),
            ("x-note", "hi"),
        ],
        0,
        "look\r\nhere",
    );
}

/// RFC 5429 §2.2.1
#[test]
fn rejections() {
    let script = "require \"reject\"; reject \"I am not taking mail from you, grüß Gott.\";";
    check(
        script,
        &[
            ("To", "<roadrunner@acme.example.com>"),
            ("In-Reply-To", "<2@acme.example.com>"),
            ("Auto-Submitted", "auto-replied (rejected)"),
        ],
        1,
        "The message was refused by the recipient's mail filter. The reason given was:\r\n\r\nI am not taking mail from you, grüß Gott.",
    );
    let mail = sent(script);
    let tree = Tree::parse(&mail, &base::Limits::default());
    let types: Vec<String> = tree
        .parts()
        .iter()
        .map(|part| format!("{}/{}", part.content_type.kind, part.content_type.subtype))
        .collect();
    assert_eq!(
        types,
        ["multipart/report", "text/plain", "message/disposition-notification", "text/rfc822-headers"]
    );
    assert_eq!(tree.root().content_type.get("report-type"), Some("disposition-notification"));
    let report = tree.text_of(PartId(2), &mail).unwrap();
    assert!(report.contains("Final-Recipient: rfc822; coyote@desert.example.org\r\n"), "{report}");
    assert!(report.contains("Disposition: automatic-action/MDN-sent-automatically; deleted\r\n"), "{report}");
    assert!(tree.text_of(PartId(3), &mail).unwrap().contains("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?="));
}
