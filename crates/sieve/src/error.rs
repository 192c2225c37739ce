//! Why a script can't be used, or stopped.

use std::fmt;

/// Why a text is no script that can be run: where, and what is wrong, in words for the script's author.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompileError {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for CompileError {}

/// A fault at a place of the script, given in octets from its beginning.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Fault { at, message: message.into() }
    }

    /// With the place as people count it.
    pub(crate) fn locate(self, text: &str) -> CompileError {
        let mut at = self.at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        CompileError {
            line: small(before.matches('\n').count() + 1),
            column: small(before[line_start..].chars().count() + 1),
            message: shorten(self.message),
        }
    }
}

/// What is told of a script may repeat what it says, which may be long.
pub(crate) fn shorten(message: String) -> String {
    const CHARACTERS: usize = 300;
    match message.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}
