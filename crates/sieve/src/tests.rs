//! One script, one message, what is decided: the helpers of all tests here.

mod compiling;
mod composing;
mod extensions;
mod hostile;
mod language;
mod matching;
mod sending;

use crate::{
    Capabilities, CompileError, DuplicateId, Host, Limits, Mail, NoHost, NoScript, Outcome, Place, Script,
};
use base::{Address, MailboxName, ReversePath, SpecialUse, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::mime::Tree;

/// Monday, 26 February 2007, 14:00:00 UTC.
const NOW: Timestamp = Timestamp(1_172_498_400);

/// A message to coyote, who runs the scripts.
const MESSAGE: &str = "From: \"Road Runner\" <roadrunner@acme.example.com>\n\
     To: coyote@desert.example.org, other@example.net\n\
     Subject: I have a present for you\n\
     Date: Mon, 26 Feb 2007 08:30:00 -0500\n\
     Message-ID: <1@acme.example.com>\n\
     X-Caffeine: C8H10N4O2\n\
     X-Empty: \n\
     \n\
     Look, I'm sorry about the whole anvil thing.\n";

fn compile(script: &str) -> Result<Script, CompileError> {
    Script::compile(script, Capabilities::all(), &Limits::default())
}

fn run_on(script: &str, message: &str, from: &str, host: &dyn Host, limits: &Limits) -> Outcome {
    let script =
        compile(script).unwrap_or_else(|error| panic!("{error}\n{}", &script[..script.len().min(500)]));
    run_scripts(&[("", &script)], message, from, host, limits)
}

fn run_scripts(
    scripts: &[(&str, &Script)],
    message: &str,
    from: &str,
    host: &dyn Host,
    limits: &Limits,
) -> Outcome {
    let raw = message.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
    let tree = Tree::parse(&raw, &base::Limits::default());
    let sender = match from {
        "" => ReversePath::Null,
        address => ReversePath::Address(Address::parse(address).unwrap()),
    };
    let recipient = Address::parse("coyote@desert.example.org").unwrap();
    let mail = Mail {
        tree: &tree,
        raw: &raw,
        sender: &sender,
        recipient: &recipient,
        addresses: &[Address::parse("wile@desert.example.org").unwrap()],
        now: NOW,
        zone_minutes: 60,
    };
    crate::run(scripts, &mail, host, limits)
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let error = outcome.error.iter().map(|error| format!("line {}: {}", error.line, error.message));
    outcome.actions.iter().map(ToString::to_string).chain(error).collect()
}

/// Runs a script on a message; an error comes last.
fn check_on(script: &str, message: &str, expected: &[&str]) {
    let outcome = run_on(script, message, "roadrunner@acme.example.com", &NoHost, &Limits::default());
    assert_eq!(lines(&outcome), expected, "{script}");
}

/// Runs a script on [`MESSAGE`].
fn check(script: &str, expected: &[&str]) {
    check_on(script, MESSAGE, expected);
}

/// Whether a test holds for a message.
fn check_test(require: &str, test: &str, message: &str, expected: bool) {
    check_test_with(&NoHost, require, test, message, expected);
}

fn check_test_with(host: &dyn Host, require: &str, test: &str, message: &str, expected: bool) {
    let script = format!(
        "require [\"fileinto\"{require}];\nif {test} {{ fileinto \"yes\"; }} else {{ fileinto \"no\"; }}"
    );
    let outcome = run_on(&script, message, "roadrunner@acme.example.com", host, &Limits::default());
    let expected = if expected { "fileinto \"yes\"" } else { "fileinto \"no\"" };
    assert_eq!(lines(&outcome), [expected], "{test}");
}

/// Scripts are compiled once and run by many threads.
#[test]
fn scripts_can_be_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&compile("keep;").unwrap());
}

/// A host that knows what its fields say.
#[derive(Default)]
struct Known {
    scripts: BTreeMap<(Place, &'static str), &'static str>,
    mailboxes: Vec<&'static str>,
    seen: Vec<(Option<&'static str>, &'static str)>,
    spam: Option<u8>,
    virus: Option<u8>,
    environment: BTreeMap<&'static str, &'static str>,
}

impl Host for Known {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        self.mailboxes.contains(&name.as_str())
    }

    fn special_use_exists(&self, special_use: SpecialUse, mailbox: Option<&MailboxName>) -> bool {
        special_use == SpecialUse::Junk && mailbox.is_none_or(|name| name.as_str() == "Spam")
    }

    fn script(&self, place: Place, name: &str) -> Result<Arc<Script>, NoScript> {
        let text = self.scripts.iter().find(|((p, n), _)| *p == place && *n == name).map(|(_, text)| *text);
        compile(text.ok_or(NoScript::Missing)?)
            .map(Arc::new)
            .map_err(|error| NoScript::Broken(error.to_string()))
    }

    fn is_duplicate(&self, id: &DuplicateId) -> bool {
        self.seen.iter().any(|(handle, known)| *handle == id.handle.as_deref() && *known == id.id)
    }

    fn spam_percent(&self) -> Option<u8> {
        self.spam
    }

    fn virus_level(&self) -> Option<u8> {
        self.virus
    }

    fn environment(&self, item: &str) -> Option<String> {
        self.environment.get(item).map(|value| (*value).to_owned())
    }
}
