//! Commands that touch scripts.

use super::write_noop;
use crate::scripts::{MOST_SCRIPT_OCTETS, MOST_SCRIPTS, ScriptError, Scripts};
use wire::managesieve::{Command, write_literal, write_string};

/// Runs a command and appends its answer. False where the peer made an error; what went wrong on our side is put into
/// `fault`.
pub(super) fn run(
    scripts: &dyn Scripts,
    command: Command,
    out: &mut Vec<u8>,
    fault: &mut Option<String>,
) -> bool {
    let outcome = match command {
        Command::HaveSpace { name, size } => have_space(scripts, &name, size),
        Command::PutScript { name, text } => put(scripts, &name, &text),
        Command::CheckScript(text) => check(scripts, &text),
        Command::ListScripts => list(scripts, out),
        Command::GetScript(name) => get(scripts, &name, out),
        Command::SetActive(None) => scripts.activate(None).map_err(Refusal::from),
        Command::SetActive(Some(name)) => activate(scripts, &name),
        Command::DeleteScript(name) => scripts.remove(&name).map_err(Refusal::from),
        Command::RenameScript { from, to } => scripts.rename(&from, &to).map_err(Refusal::from),
        Command::Noop(tag) => {
            write_noop(tag.as_deref(), out);
            return true;
        }
        Command::Authenticate { .. } | Command::StartTls => {
            out.extend_from_slice(b"NO \"Not after log-in\"\r\n");
            return false;
        }
        // The session answers these itself.
        Command::Capability | Command::Logout | Command::Unauthenticate => return true,
    };
    match outcome {
        Ok(()) => out.extend_from_slice(b"OK \"Done\"\r\n"),
        Err(refusal) => {
            refusal.write(out);
            *fault = refusal.fault.or(fault.take());
        }
    }
    true
}

/// RFC 5804 §2.5: a script of that name is replaced.
fn have_space(scripts: &dyn Scripts, name: &str, size: u32) -> Result<(), Refusal> {
    if size as usize > MOST_SCRIPT_OCTETS {
        return Err(ScriptError::TooLarge.into());
    }
    let there = scripts.list()?;
    match there.len() >= MOST_SCRIPTS && there.iter().all(|one| one.name != name) {
        true => Err(ScriptError::TooMany.into()),
        false => Ok(()),
    }
}

/// RFC 5804 §2.6.
fn put(scripts: &dyn Scripts, name: &str, text: &str) -> Result<(), Refusal> {
    check(scripts, text)?;
    Ok(scripts.put(name, text)?)
}

fn check(scripts: &dyn Scripts, text: &str) -> Result<(), Refusal> {
    if text.len() > MOST_SCRIPT_OCTETS {
        return Err(ScriptError::TooLarge.into());
    }
    if text.is_empty() {
        return Err(Refusal::of("the script is empty".into()));
    }
    scripts.check(text).map_err(Refusal::of)
}

fn list(scripts: &dyn Scripts, out: &mut Vec<u8>) -> Result<(), Refusal> {
    for script in scripts.list()? {
        write_string(&script.name, out);
        out.extend_from_slice(if script.active { b" ACTIVE\r\n".as_slice() } else { b"\r\n" });
    }
    Ok(())
}

fn get(scripts: &dyn Scripts, name: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    write_literal(&scripts.text(name)?, out);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// What was right when it was put may be wrong by now: another version may know more or less.
fn activate(scripts: &dyn Scripts, name: &str) -> Result<(), Refusal> {
    check(scripts, &scripts.text(name)?)?;
    Ok(scripts.activate(Some(name))?)
}

/// Why something was not done.
struct Refusal {
    /// The response code (RFC 5804 §1.3); empty for none.
    code: &'static str,
    text: String,
    /// What went wrong on our side.
    fault: Option<String>,
}

impl Refusal {
    fn of(text: String) -> Self {
        Refusal { code: "", text, fault: None }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"NO ");
        if !self.code.is_empty() {
            out.extend_from_slice(format!("({}) ", self.code).as_bytes());
        }
        write_string(&self.text, out);
        out.extend_from_slice(b"\r\n");
    }
}

impl From<ScriptError> for Refusal {
    fn from(error: ScriptError) -> Self {
        let code = match error {
            ScriptError::Missing => "NONEXISTENT",
            ScriptError::Exists => "ALREADYEXISTS",
            ScriptError::Active => "ACTIVE",
            ScriptError::TooMany => "QUOTA/MAXSCRIPTS",
            ScriptError::TooLarge => "QUOTA/MAXSIZE",
            ScriptError::BadName | ScriptError::NoAccount => "",
            // The reason is for the log alone.
            ScriptError::Failed(why) => {
                return Refusal { code: "TRYLATER", text: "not possible now".into(), fault: Some(why) };
            }
        };
        Refusal { code, ..Refusal::of(error.to_string()) }
    }
}
