//! The Sieve mail filtering language (RFC 5228 and the extensions of [`Extension`]): a compiler and an interpreter
//! that do no I/O.
//!
//! A text becomes a [`Script`] once ([`Script::compile`]); running it on a [`Mail`] gives an [`Outcome`], actions in
//! plain values that the server carries out. What only the server knows it says through [`Host`]. Scripts and messages are
//! both hostile: [`Limits`] bound what each may cost.

mod body;
mod compare;
mod compile;
mod compose;
mod error;
mod extension;
mod field;
mod flags;
mod glob;
mod header;
mod host;
mod lexer;
mod limits;
mod mailto;
mod outcome;
mod program;
mod run;
mod syntax;
mod text;
mod zone;

pub use compile::is_script_name;
pub use compose::{Stamp, compose_rejection};
pub use error::CompileError;
pub use extension::{Capabilities, Extension};
pub use host::{DuplicateId, Host, Mail, NoHost, NoScript, Place};
pub use limits::Limits;
pub use outcome::{Action, Header, Notify, Outcome, RunError, Seen, Sender, TraceLine, Vacation};

/// The methods of `notify`: what ManageSieve announces as `NOTIFY` (RFC 5804 §1.7).
pub const NOTIFY_METHODS: [&str; 1] = ["mailto"];

/// A script that can be run, as often as there are messages. It can be shared by threads.
pub struct Script {
    program: compile::Program,
}

impl Script {
    /// Reads and checks a script. Scripts that it includes are looked for when it runs.
    ///
    /// # Errors
    /// The first fault: where it is, and what is wrong in words for the script's author.
    pub fn compile(text: &str, capabilities: Capabilities, limits: &Limits) -> Result<Script, CompileError> {
        let nodes = syntax::parse(text, limits);
        let program = nodes.and_then(|nodes| compile::compile(text, &nodes, capabilities, limits));
        program.map(|program| Script { program }).map_err(|fault| fault.locate(text))
    }

    /// Runs the script alone; see [`run`].
    pub fn run(&self, mail: &Mail<'_>, host: &dyn Host, limits: &Limits) -> Outcome {
        run::run(&[("", self)], mail, host, limits)
    }
}

/// Runs scripts, each with a name for the trace, one after the other: the site's before, the account's, the site's
/// after. The next one runs only if the one before keeps the message, by its word or by saying nothing; then it decides
/// anew whether the message is kept, while what was filed or sent stays. An error ends the sequence with a keep.
pub fn run(scripts: &[(&str, &Script)], mail: &Mail<'_>, host: &dyn Host, limits: &Limits) -> Outcome {
    run::run(scripts, mail, host, limits)
}

#[cfg(test)]
mod tests;
