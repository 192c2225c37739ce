//! Vacation replies and notifications: to whom, and what they say.

use super::{lines, run_on};
use crate::{Action, Limits, NoHost};

const WEEK: u64 = 7 * 86_400;

fn check_from(from: &str, message: &str, script: &str, expected: &[&str]) {
    let script =
        format!("require [\"vacation-seconds\", \"enotify\", \"variables\", \"envelope\"];\n{script}");
    let outcome = run_on(&script, message, from, &NoHost, &Limits::default());
    assert_eq!(lines(&outcome), expected, "{script}{message}");
}

fn check(message: &str, script: &str, expected: &[&str]) {
    check_from("roadrunner@acme.example.com", message, script, expected);
}

const PERSONAL: &str = "From: roadrunner@acme.example.com\nTo: Coyote <COYOTE@desert.example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <2@acme.example.com>\nReferences: <0@x> <1@x>\n\nbody\n";

/// RFC 5230 §4
#[test]
fn vacation() {
    for (script, seconds, subject) in [
        ("vacation \"gone\";", WEEK, "Auto: Grüße"),
        ("vacation :days 23 \"gone\";", 23 * 86_400, "Auto: Grüße"),
        ("vacation :days 0 \"gone\";", 86_400, "Auto: Grüße"),
        ("vacation :days 1000 \"gone\";", 90 * 86_400, "Auto: Grüße"),
        ("vacation :seconds 1800 \"gone\";", 1800, "Auto: Grüße"),
        ("vacation :seconds 0 \"gone\";", 60, "Auto: Grüße"),
        ("vacation :subject \"Away\" \"gone\";", WEEK, "Away"),
        (
            "if header :matches \"subject\" \"*\" { vacation :subject \"Re: ${1}\r\nBcc: x\" \"gone\"; }",
            WEEK,
            "Re: Grüße Bcc: x",
        ),
    ] {
        let reply = format!("vacation roadrunner@acme.example.com {seconds} s {subject:?} \"gone\"");
        check(PERSONAL, script, &[&reply, "implicit keep"]);
    }
}

/// RFC 5230 §4.5, §4.6, RFC 3834 §2
#[test]
fn vacation_answers_people_only() {
    let sent = ["vacation roadrunner@acme.example.com 604800 s \"Auto: x\" \"gone\"", "implicit keep"];
    let none = ["implicit keep"];
    let vacation = "vacation \"gone\";";
    for (header, answered) in [
        ("To: coyote@desert.example.org", true),
        ("Cc: a@example.com, wile@desert.example.org", true),
        ("Resent-To: coyote@DESERT.example.org", true),
        ("To: else@desert.example.org", false),
        ("To: coyote@desert.example.org\nList-Id: <a.example.com>", false),
        ("To: coyote@desert.example.org\nList-Unsubscribe: <mailto:a@example.com>", false),
        ("To: coyote@desert.example.org\nPrecedence: Bulk", false),
        ("To: coyote@desert.example.org\nAuto-Submitted: auto-replied; x=y", false),
        ("To: coyote@desert.example.org\nAuto-Submitted: No", true),
        ("Subject: x", false),
    ] {
        check(&format!("Subject: x\n{header}\n\nbody\n"), vacation, if answered { &sent } else { &none });
    }
    let other = "Subject: x\nTo: else@desert.example.org\n\n";
    check(other, "vacation :addresses [\"a@b.example\", \"Else@desert.example.org\"] \"gone\";", &sent);
    let personal = "Subject: x\nTo: coyote@desert.example.org\n\n";
    for from in [
        "",
        "MAILER-DAEMON@example.com",
        "owner-list@example.com",
        "list-request@example.com",
        "Coyote@desert.example.org",
        "noreply@example.com",
    ] {
        check_from(from, personal, vacation, &none);
    }
}

/// RFC 5230 §4.2: what counts as the same reply.
#[test]
fn vacation_handles() {
    let handle = |script: &str| {
        let script = format!(
            "require [\"vacation\", \"variables\"]; if header :matches \"subject\" \"*\" {{ {script} }}"
        );
        let outcome = run_on(&script, PERSONAL, "roadrunner@acme.example.com", &NoHost, &Limits::default());
        match outcome.actions.into_iter().next() {
            Some(Action::Vacation(vacation)) => vacation.handle,
            other => panic!("{other:?}"),
        }
    };
    let plain = handle("vacation \"gone\";");
    assert_eq!(plain, handle("vacation :days 3 :addresses \"a@example.com\" \"gone\";"));
    for other in [
        "vacation \"away\";",
        "vacation :mime \"gone\";",
        "vacation :subject \"x\" \"gone\";",
        "vacation :from \"a@example.com\" \"gone\";",
        "vacation :subject \"gone\" \"\";",
        "vacation :handle \"gone\" \"gone\";",
    ] {
        assert_ne!(plain, handle(other), "{other}");
    }
    assert_eq!(
        handle("vacation :handle \"ran-away\" \"a\";"),
        handle("vacation :handle \"ran-away\" :subject \"x\" \"b\";")
    );
    // Variables do not count with what they hold.
    assert_eq!(
        handle("vacation :subject \"Re: ${1}\" \"gone\";"),
        handle("set \"a\" \"b\"; vacation :subject \"Re: ${1}\" \"gone\";")
    );
}

#[test]
fn vacation_refers_to_the_message() {
    let outcome = run_on(
        "require \"vacation\"; vacation \"gone\";",
        PERSONAL,
        "roadrunner@acme.example.com",
        &NoHost,
        &Limits::default(),
    );
    let Some(Action::Vacation(vacation)) = outcome.actions.first() else { panic!("no reply") };
    assert_eq!(vacation.in_reply_to.as_deref(), Some("<2@acme.example.com>"));
    assert_eq!(vacation.references.as_deref(), Some("<0@x> <1@x> <2@acme.example.com>"));
}

/// RFC 5435, RFC 5436
#[test]
fn notifications() {
    // The example of RFC 5436 §3.
    let knitting = "From: \"Jeff Smith\" <jeff@hobbies.example.com>\nTo: <knitting@example.com>\nList-Id: <knitting.example.com>\nSubject: [Knitting] A new sweater\n\n";
    check(
        knitting,
        "if header :contains \"list-id\" \"knitting.example.com\" { if header :matches \"Subject\" \"[*] *\" {
            notify :message \"From ${1} list: ${2}\" :importance \"3\" \"mailto:0123456789@sms.example.net?to=backup@example.com\"; } }",
        &["notify 0123456789@sms.example.net backup@example.com 3 \"From Knitting list: A new sweater\"", "implicit keep"],
    );
    for (script, expected) in [
        ("notify \"mailto:a@example.com\";", "notify a@example.com 2 \"[Knitting] A new sweater\""),
        (
            "notify \"MAILTO:a@example.com,b%2Bc@example.com?subject=You%20got%20mail\";",
            "notify a@example.com b+c@example.com 2 \"You got mail\"",
        ),
        (
            "notify :message \"x\r\nBcc: y\" \"mailto:a@example.com?subject=z\";",
            "notify a@example.com 2 \"x Bcc: y\"",
        ),
    ] {
        check(knitting, script, &[expected, "implicit keep"]);
    }
    check(
        &format!("Auto-Submitted: auto-generated\n{knitting}"),
        "notify \"mailto:a@example.com\";",
        &["implicit keep"],
    );
    // RFC 5436 §2.7: the same address is told once.
    check(
        knitting,
        "notify \"mailto:a@example.com\"; notify \"mailto:a@example.com,b@example.com?subject=x\"; notify \"mailto:b@example.com\";",
        &[
            "notify a@example.com 2 \"[Knitting] A new sweater\"",
            "notify b@example.com 2 \"x\"",
            "implicit keep",
        ],
    );
    let methods = |methods: &str, valid: bool| {
        check(
            knitting,
            &format!("if valid_notify_method {methods} {{ discard; }}"),
            if valid { &[] } else { &["implicit keep"] },
        );
    };
    methods("\"mailto:a@example.com\"", true);
    methods("[\"mailto:a@example.com\", \"http://gw.example.net/notify?test\"]", false);
    methods("\"mailto:\"", false);
    methods("\"mailto:a@example.com?body=%zz\"", false);
    check(
        knitting,
        "if notify_method_capability \"mailto:a@example.com\" \"Online\" \"maybe\" { discard; }",
        &[],
    );
    check(
        knitting,
        "if notify_method_capability \"xmpp:a@example.com\" \"Online\" \"maybe\" { discard; }",
        &["implicit keep"],
    );
}

/// RFC 5436 §2.7: a method does not say who sends, nor what machines go by.
#[test]
fn notification_fields() {
    let script = "require \"enotify\"; notify :from \"wile@desert.example.org\"
        \"mailto:a@example.com?body=hello%0D%0Athere&Auto-Submitted=no&from=x@example.com&X-Note=one%0D%0ABcc:%20y&received=z\";";
    let outcome = run_on(script, PERSONAL, "", &NoHost, &Limits::default());
    let Some(Action::Notify(notify)) = outcome.actions.first() else { panic!("no notification") };
    assert_eq!(notify.fields, [("x-note".to_owned(), "one Bcc: y".to_owned())]);
    assert_eq!(notify.body, "hello\r\nthere");
    assert_eq!(notify.from.as_ref().map(ToString::to_string).as_deref(), Some("wile@desert.example.org"));
    let foreign = run_on(
        "require \"enotify\"; notify :from \"boss@example.com\" \"mailto:a@example.com\";",
        PERSONAL,
        "",
        &NoHost,
        &Limits::default(),
    );
    assert!(matches!(foreign.actions.first(), Some(Action::Notify(notify)) if notify.from.is_none()));
}
