//! ManageSieve (RFC 5804): a client's octets cut into commands, commands parsed, strings printed.

mod framer;
mod parse;

pub use framer::{Bounds, Frame, Framer};

use base::Secret;

/// Octets of a quoted string (RFC 5804 §4); longer ones are literals.
pub const MOST_QUOTED: usize = 1024;

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Log in by SASL (RFC 5804 §2.1).
    Authenticate {
        /// The mechanism's name.
        mechanism: String,
        /// The initial response in base64, empty for an empty one.
        initial: Option<Secret>,
    },
    /// Start TLS (RFC 5804 §2.2).
    StartTls,
    /// End (RFC 5804 §2.3).
    Logout,
    /// What can be done here (RFC 5804 §2.4).
    Capability,
    /// Whether a script of that size could be put (RFC 5804 §2.5).
    HaveSpace {
        /// Its name.
        name: String,
        /// Its octets.
        size: u32,
    },
    /// Keep a script (RFC 5804 §2.6).
    PutScript {
        /// Its name.
        name: String,
        /// Its text.
        text: String,
    },
    /// All scripts (RFC 5804 §2.7).
    ListScripts,
    /// Make a script active; `None`: none is to be (RFC 5804 §2.8).
    SetActive(Option<String>),
    /// A script's text (RFC 5804 §2.9).
    GetScript(String),
    /// Remove a script (RFC 5804 §2.10).
    DeleteScript(String),
    /// Another name for a script (RFC 5804 §2.11).
    RenameScript {
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// Whether a script is right (RFC 5804 §2.12).
    CheckScript(String),
    /// Nothing; the answer has the tag (RFC 5804 §2.13).
    Noop(Option<String>),
    /// Log out without leaving (RFC 5804 §2.14.1).
    Unauthenticate,
}

/// Why octets are no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unparsed {
    /// There is no such command.
    Unknown,
    /// The command is known, its arguments are wrong.
    Arguments,
}

impl Command {
    /// Reads a command, its last line end taken off.
    ///
    /// # Errors
    /// There is no such command, its arguments are too few, too many, of the wrong kind or not UTF-8.
    pub fn parse(octets: &[u8]) -> Result<Self, Unparsed> {
        parse::command(octets)
    }
}

/// Reads a client's answer to a SASL challenge: one string (RFC 5804 §2.1). `None` where it is anything else.
pub fn parse_answer(octets: &[u8]) -> Option<Secret> {
    parse::only_string(octets)
}

/// Appends a string: quoted if it may be, else as a literal of a server.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    if text.len() > MOST_QUOTED / 2 || text.contains(['\r', '\n', '\0']) {
        return write_literal(text, out);
    }
    out.push(b'"');
    for octet in text.bytes() {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

/// Appends a literal of a server.
pub fn write_literal(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
