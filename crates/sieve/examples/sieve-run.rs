//! Runs a script on a message and prints what it decides: an action a line, for `tests/sieve/run` and for trying out.
//!
//!     cargo run -p sieve --example sieve-run -- SCRIPT MESSAGE [FROM [TO]]

use base::{Address, ReversePath, Timestamp};
use sieve::{Capabilities, Host, Limits, Mail, NoScript, Place, Script};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use wire::mime::Tree;

/// Scripts to include lie beside the script; a few mailboxes exist.
struct Beside {
    folder: PathBuf,
    limits: Limits,
}

impl Host for Beside {
    fn mailbox_exists(&self, name: &base::MailboxName) -> bool {
        name.is_inbox()
    }

    fn script(&self, _place: Place, name: &str) -> Result<Arc<Script>, NoScript> {
        let path = self.folder.join(format!("{name}.sieve"));
        let text = std::fs::read_to_string(path).map_err(|_| NoScript::Missing)?;
        let script = Script::compile(&text, Capabilities::all(), &self.limits);
        script.map(Arc::new).map_err(|error| NoScript::Broken(error.to_string()))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [script, message, envelope @ ..] = arguments else {
        return Err("sieve-run SCRIPT MESSAGE [FROM [TO]]".into());
    };
    let limits = Limits::default();
    let compiled = Script::compile(&std::fs::read_to_string(script)?, Capabilities::all(), &limits)?;
    let raw = std::fs::read(message)?;
    let tree = Tree::parse(&raw, &base::Limits::default());
    let address = |index: usize, default: &str| {
        Address::parse(envelope.get(index).map_or(default, String::as_str))
            .map_err(|_| "an address is needed")
    };
    let sender = match envelope.first().map(String::as_str) {
        Some("") => ReversePath::Null,
        _ => ReversePath::Address(address(0, "sender@example.net")?),
    };
    let recipient = address(1, "me@example.com")?;
    let mail = Mail {
        tree: &tree,
        raw: &raw,
        sender: &sender,
        recipient: &recipient,
        addresses: &[],
        now: Timestamp::now(),
        zone_minutes: 0,
    };
    let folder = PathBuf::from(script).parent().map(PathBuf::from).unwrap_or_default();
    let outcome = compiled.run(&mail, &Beside { folder, limits: limits.clone() }, &limits);
    for action in &outcome.actions {
        println!("{action}");
    }
    if let Some(error) = &outcome.error {
        println!("stopped: line {}: {}", error.line, error.message);
    }
    if std::env::var_os("SIEVE_TRACE").is_some() {
        for line in &outcome.trace {
            eprintln!("{} line {}: {}", line.script, line.line, line.text);
        }
    }
    Ok(())
}
