//! POP3 commands (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 6856), parsed, and what answers are made of.

use memchr::memmem;

/// A command. Names and passwords stand as they came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// What can be done here (RFC 2449 §5).
    Capa,
    /// Start TLS (RFC 2595 §4).
    Stls,
    /// Switch to UTF-8 (RFC 6856 §2.1).
    Utf8,
    /// The mailbox to log in to.
    User(&'a str),
    /// Its password; spaces belong to it (RFC 1939 §7).
    Pass(&'a str),
    /// Log in by SASL (RFC 5034 §4).
    Auth {
        /// The mechanism's name.
        mechanism: &'a str,
        /// The initial response in base64, or `=`.
        initial: Option<&'a str>,
    },
    /// How many messages, how many octets.
    Stat,
    /// Sizes of all messages, or of one.
    List(Option<u32>),
    /// Unique ids of all messages, or of one.
    Uidl(Option<u32>),
    /// A whole message.
    Retr(u32),
    /// A message's header and some lines of its body.
    Top(u32, u32),
    /// Mark as deleted.
    Dele(u32),
    /// Take back all marks.
    Rset,
    /// Nothing.
    Noop,
    /// Make deletions real, and end.
    Quit,
}

/// Why a line is no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unparsed {
    /// There is no such command.
    Unknown,
    /// The command is known, its arguments are wrong.
    Arguments,
}

impl<'a> Command<'a> {
    /// Reads a line, its line end already taken off. Message numbers too large to be one become `u32::MAX`, which
    /// is no message's number either.
    pub fn parse(line: &'a [u8]) -> Result<Self, Unparsed> {
        let (keyword, rest) = match memchr::memchr(b' ', line) {
            Some(at) => (line.get(..at).unwrap_or(line), line.get(at + 1..)),
            None => (line, None),
        };
        let rest = rest.map(printable).transpose()?;
        let command = match keyword.to_ascii_uppercase().as_slice() {
            b"CAPA" => bare(rest, Command::Capa),
            b"STLS" => bare(rest, Command::Stls),
            b"UTF8" => bare(rest, Command::Utf8),
            b"STAT" => bare(rest, Command::Stat),
            b"RSET" => bare(rest, Command::Rset),
            b"NOOP" => bare(rest, Command::Noop),
            b"QUIT" => bare(rest, Command::Quit),
            b"USER" => rest.map(str::trim_ascii).filter(|name| !name.is_empty()).map(Command::User),
            b"PASS" => rest.map(Command::Pass),
            b"AUTH" => rest.and_then(auth),
            b"LIST" => optional_number(rest).map(Command::List),
            b"UIDL" => optional_number(rest).map(Command::Uidl),
            b"RETR" => rest.and_then(number).map(Command::Retr),
            b"DELE" => rest.and_then(number).map(Command::Dele),
            b"TOP" => rest.and_then(|rest| {
                let (message, lines) = rest.trim_ascii().split_once(' ')?;
                Some(Command::Top(number(message)?, number(lines)?))
            }),
            _ => return Err(Unparsed::Unknown),
        };
        command.ok_or(Unparsed::Arguments)
    }
}

/// UTF-8 without control characters.
fn printable(argument: &[u8]) -> Result<&str, Unparsed> {
    let text = std::str::from_utf8(argument).map_err(|_| Unparsed::Arguments)?;
    let clean = !text.bytes().any(|b| b.is_ascii_control() && b != b'\t');
    if clean { Ok(text) } else { Err(Unparsed::Arguments) }
}

fn bare<'a>(rest: Option<&str>, command: Command<'a>) -> Option<Command<'a>> {
    rest.is_none_or(|rest| rest.trim_ascii().is_empty()).then_some(command)
}

fn auth(rest: &str) -> Option<Command<'_>> {
    let mut words = rest.split_ascii_whitespace();
    let command = Command::Auth { mechanism: words.next()?, initial: words.next() };
    words.next().is_none().then_some(command)
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim_ascii();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

fn optional_number(rest: Option<&str>) -> Option<Option<u32>> {
    match rest {
        Some(rest) if !rest.trim_ascii().is_empty() => number(rest).map(Some),
        _ => Some(None),
    }
}

/// Makes the lines of a multi-line answer: doubles a dot that begins a line (RFC 1939 §3).
///
/// A line begins after any LF, a bare one too: many clients read that way, and a message that was appended with
/// bare LFs must not be able to end its own answer early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DotStuffer {
    line_begins: bool,
    ends_with: [u8; 2],
}

impl Default for DotStuffer {
    fn default() -> Self {
        DotStuffer { line_begins: true, ends_with: *b"\r\n" }
    }
}

impl DotStuffer {
    /// Appends the next octets of the content.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if self.line_begins && octets.first() == Some(&b'.') {
            out.push(b'.');
        }
        let mut rest = octets;
        while let Some((line, after)) =
            memmem::find(rest, b"\n.").and_then(|at| rest.split_at_checked(at + 2))
        {
            out.extend_from_slice(line);
            out.push(b'.');
            rest = after;
        }
        out.extend_from_slice(rest);
        match octets {
            [.., before, last] => self.ends_with = [*before, *last],
            [last] => self.ends_with = [self.ends_with[1], *last],
            [] => return,
        }
        self.line_begins = self.ends_with[1] == b'\n';
    }

    /// Appends the end: a line end, if the content had none, and the line with the dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.ends_with != *b"\r\n" {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

/// Finds where TOP ends: after the header, the empty line, and so many lines of the body (RFC 1939 §7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopEnd {
    in_header: bool,
    line: Begun,
    lines: u32,
}

/// What came of the current line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Begun {
    Nothing,
    Cr,
    Text,
}

impl TopEnd {
    /// With that many lines of the body.
    pub fn new(lines: u32) -> Self {
        TopEnd { in_header: true, line: Begun::Nothing, lines }
    }

    /// Looks at the next octets: how many of them belong to the answer, and whether it ends there.
    pub fn take(&mut self, octets: &[u8]) -> (usize, bool) {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', octets) {
            let line = octets.get(begin..end).unwrap_or_default();
            let begun = std::mem::replace(&mut self.line, Begun::Nothing);
            let empty = matches!((begun, line), (Begun::Nothing, b"" | b"\r") | (Begun::Cr, b""));
            begin = end + 1;
            match self.in_header {
                true => self.in_header = !empty,
                false => self.lines = self.lines.saturating_sub(1),
            }
            if !self.in_header && self.lines == 0 {
                return (begin, true);
            }
        }
        let rest = octets.get(begin..).unwrap_or_default();
        self.line = match (self.line, rest) {
            (begun, b"") => begun,
            (Begun::Nothing, b"\r") => Begun::Cr,
            _ => Begun::Text,
        };
        (octets.len(), false)
    }
}

#[cfg(test)]
mod tests;
