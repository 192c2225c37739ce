//! Any script on any message: a fault has a place and plain words; a run ends within its limits, always the same way,
//! and never loses a message by an error.
#![no_main]

use base::{Address, Domain, MailboxName, ReversePath, SpecialUse, Timestamp};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{PACKET, choices};
use sieve::{Action, Capabilities, DuplicateId, Host, Limits, Mail, NoScript, Outcome, Place, Script, Stamp};
use std::sync::Arc;
use wire::dsn::Composed;
use wire::mime::{Tree, header};

/// A message for scripts that bring none.
const MESSAGE: &[u8] = b"Received: from a by b; Mon, 26 Feb 2007 08:30:05 -0500\r\nFrom: Road Runner <rr+x@example.net>\r\n\
    To: me@example.com, other@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= [a] b\r\nMessage-ID: <1@example.net>\r\n\
    Date: Mon, 26 Feb 2007 08:30:05 -0500\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nbody\r\n--x\r\n\
    Content-Type: text/html\r\n\r\n<b>bold</b>\r\n--x--\r\n";

fuzz_target!(|input: &[u8]| {
    let Some(([choice], rest)) = choices::<1>(input) else { return };
    let (script, message) = match rest.iter().position(|b| *b == PACKET) {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, MESSAGE),
    };
    let Ok(text) = std::str::from_utf8(script) else { return };
    let limits = limits(*choice);
    let compiled = match Script::compile(text, Capabilities::all(), &limits) {
        Ok(script) => Arc::new(script),
        Err(error) => {
            assert!(error.line >= 1 && error.line as usize <= text.matches('\n').count() + 1, "{error}");
            assert!(error.column >= 1 && error.column as usize <= text.chars().count() + 1, "{error}");
            assert!(!error.message.is_empty() && !error.message.contains(char::is_control), "{error:?}");
            return;
        }
    };
    let tree = Tree::parse(message, &base::Limits::default());
    let sender = match choice & 1 {
        0 => ReversePath::Null,
        _ => ReversePath::Address(Address::parse("rr+x@example.net").expect("an address")),
    };
    let recipient = Address::parse("me@example.com").expect("an address");
    let raw = message.to_vec();
    let mail = Mail {
        tree: &tree,
        raw: &raw,
        sender: &sender,
        recipient: &recipient,
        addresses: &[],
        now: Timestamp(1_172_498_400),
        zone_minutes: 60,
    };
    let host = Odd { choice: *choice, script: Arc::clone(&compiled) };
    let scripts = [("one", &*compiled), ("two", &*compiled)];
    let outcome = sieve::run(&scripts[..1 + usize::from(choice >> 7)], &mail, &host, &limits);
    check(&outcome, &limits);
    assert_eq!(outcome, sieve::run(&scripts[..1 + usize::from(choice >> 7)], &mail, &host, &limits));
});

fn limits(choice: u8) -> Limits {
    let limits = Limits { steps: 20_000, ..Limits::default() };
    match choice & 2 {
        0 => limits,
        _ => Limits {
            string_octets: 40,
            variable_octets: 10,
            actions: 3,
            trace_lines: 5,
            steps: 200,
            body_octets: 20,
            ..limits
        },
    }
}

fn check(outcome: &Outcome, limits: &Limits) {
    let count = |of: fn(&Action) -> bool| outcome.actions.iter().filter(|action| of(action)).count();
    assert!(outcome.actions.len() <= limits.actions + 1);
    assert!(count(|action| matches!(action, Action::Redirect { .. })) <= limits.redirects);
    assert!(count(|action| matches!(action, Action::Notify(_))) <= limits.notifications);
    assert!(count(|action| matches!(action, Action::Vacation(_))) <= 1);
    assert!(count(|action| matches!(action, Action::Keep { .. })) <= 1);
    assert!(outcome.trace.len() <= limits.trace_lines);
    let told =
        outcome.error.iter().map(|error| &error.message).chain(outcome.trace.iter().map(|line| &line.text));
    for text in told {
        assert!(text.chars().count() <= 301 && !text.contains(char::is_control), "{text:?}");
    }
    if outcome.error.is_some() {
        assert!(count(|action| matches!(action, Action::Keep { .. })) == 1, "lost by an error");
        assert!(outcome.duplicates.is_empty());
    }
    let host = Domain::new("mx.example.com").expect("a domain");
    for action in &outcome.actions {
        match action {
            Action::Keep { header, .. }
            | Action::FileInto { header, .. }
            | Action::Redirect { header, .. } => {
                let Some(octets) = header else { continue };
                assert_eq!(header::length(octets), octets.len(), "{}", octets.escape_ascii());
                assert!(octets.ends_with(b"\n"));
            }
            Action::Vacation(vacation) => {
                assert!(!vacation.subject.contains(char::is_control));
                assert!((limits.vacation_seconds.0..=limits.vacation_seconds.1).contains(&vacation.seconds));
                check_mail(&vacation.compose(&vacation.to, stamp(&host)), !vacation.mime);
            }
            Action::Notify(notify) => {
                assert!(!notify.subject.contains(char::is_control) && !notify.recipients.is_empty());
                assert!(
                    notify
                        .fields
                        .iter()
                        .all(|(name, value)| !name.contains(':') && !value.contains(char::is_control))
                );
                check_mail(&notify.compose(&notify.recipients[0], stamp(&host)), true);
            }
            Action::Reject { reason, .. } => {
                let own = Address::parse("me@example.com").expect("an address");
                check_mail(&sieve::compose_rejection(reason, MESSAGE, &own, &own, stamp(&host)), true);
            }
        }
    }
}

fn stamp(host: &Domain) -> Stamp<'_> {
    Stamp { host, date: Timestamp(1_172_498_400), id: "1.2" }
}

/// What is sent is lines of bearable length, whose header says what it must.
fn check_mail(mail: &Composed, is_ours: bool) {
    for line in mail.octets.split_inclusive(|b| *b == b'\n') {
        assert!(
            line.ends_with(b"\r\n") && !line[..line.len() - 2].contains(&b'\r'),
            "{}",
            mail.octets.escape_ascii()
        );
        assert!(!is_ours || line.len() <= 1000 || mail.smtputf8, "{}", mail.octets.escape_ascii());
    }
    for name in ["from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version"] {
        let count = header::fields(&mail.octets).filter(|field| field.is(name)).count();
        assert_eq!(count, 1, "{name} in {}", mail.octets.escape_ascii());
    }
    assert!(header::get(&mail.octets, "bcc").is_none());
}

/// A host whose answers an input chooses.
struct Odd {
    choice: u8,
    script: Arc<Script>,
}

impl Host for Odd {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        name.as_str().len() & 1 == 1
    }

    fn special_use_exists(&self, _: SpecialUse, mailbox: Option<&MailboxName>) -> bool {
        mailbox.is_some()
    }

    fn script(&self, _: Place, name: &str) -> Result<Arc<Script>, NoScript> {
        assert!(sieve::is_script_name(name));
        match name.len() {
            0 | 1 => Err(NoScript::Missing),
            2 => Err(NoScript::Broken("it is".to_owned())),
            _ => Ok(Arc::clone(&self.script)),
        }
    }

    fn is_duplicate(&self, id: &DuplicateId) -> bool {
        id.id.len() & 1 == 1
    }

    fn spam_percent(&self) -> Option<u8> {
        (self.choice & 4 == 0).then_some(self.choice)
    }

    fn virus_level(&self) -> Option<u8> {
        (self.choice & 8 == 0).then_some(self.choice)
    }

    fn environment(&self, item: &str) -> Option<String> {
        (item.len() > 4).then(|| item.to_owned())
    }
}
