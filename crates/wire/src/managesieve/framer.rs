//! Cuts a client's octets into commands, each with its literals (RFC 5804 §4), and never keeps more than it may.

use base::Secret;

/// Octets of a line that are no literal's: enough for a keyword and three quoted strings.
const MOST_LINE: usize = 4096;

/// What a command may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Octets of a command, literals and line ends included.
    pub command: usize,
    /// Octets of the literals of a command too large for that, which are read all the same so that the next command
    /// is found. A client does not wait before it sends a literal, so nothing else would keep the connection.
    pub skipped: u64,
}

/// What a client sent.
#[derive(PartialEq, Eq, Debug)]
pub enum Frame {
    /// A command, its last line end taken off. It may hold a password.
    Command(Secret),
    /// A command that was too large; it is read and thrown away.
    TooLarge,
    /// A line without end, or a literal that is too large even to be skipped: no next command can be found.
    Endless,
}

/// Octets that wait to become commands.
#[derive(Default, Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Octets of the buffer that are known to be within the first command.
    seen: usize,
    /// Octets of a literal that are still to be thrown away.
    skip: u64,
    /// Octets of the first command's literals that were thrown away, or are to be.
    thrown: u64,
}

impl Framer {
    /// Adds octets.
    pub fn push(&mut self, octets: &[u8]) {
        let skipped = octets.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        self.buffer.extend_from_slice(octets.get(skipped..).unwrap_or_default());
    }

    /// Octets that wait.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next command, once all of it is there.
    pub fn next(&mut self, bounds: Bounds) -> Option<Frame> {
        loop {
            let from = self.seen.min(self.buffer.len());
            let rest = self.buffer.get(from..).unwrap_or_default();
            let Some(length) = memchr::memchr(b'\n', rest) else {
                return (rest.len() > MOST_LINE).then_some(Frame::Endless);
            };
            let end = from + length + 1;
            if length > MOST_LINE || end > bounds.command {
                return Some(Frame::Endless);
            }
            let line = rest.get(..length).unwrap_or_default();
            let Some(literal) = announced(line.strip_suffix(b"\r").unwrap_or(line)) else {
                return Some(self.take(end));
            };
            match usize::try_from(literal).ok().and_then(|octets| end.checked_add(octets)) {
                Some(end) if end <= bounds.command && self.thrown == 0 => self.seen = end,
                _ if literal > bounds.skipped.saturating_sub(self.thrown) => return Some(Frame::Endless),
                _ => self.throw_away(end, literal),
            }
        }
    }

    /// The command that ends here.
    fn take(&mut self, end: usize) -> Frame {
        let rest = self.buffer.split_off(end);
        let command = Secret::new(std::mem::replace(&mut self.buffer, rest));
        self.seen = 0;
        match std::mem::take(&mut self.thrown) {
            1.. => Frame::TooLarge,
            0 => {
                let text = command.expose();
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                Frame::Command(Secret::new(text.strip_suffix(b"\r").unwrap_or(text)))
            }
        }
    }

    /// Forgets what came of the command, and the literal that begins here.
    fn throw_away(&mut self, begin: usize, literal: u64) {
        let rest = self.buffer.split_off(begin);
        (self.buffer, self.seen, self.skip) = (Vec::new(), 0, literal);
        self.thrown += literal;
        self.push(&rest);
    }
}

/// The size of the literal that a line ends with the announcement of. Clients send `{123+}` and nothing else.
pub(super) fn announced(line: &[u8]) -> Option<u64> {
    let begin = memchr::memrchr(b'{', line)?;
    let digits = line.get(begin + 1..)?.strip_suffix(b"+}")?;
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    match text {
        "" => None,
        // A number that is too large for us is too large for everything.
        text => Some(text.parse().unwrap_or(u64::MAX)),
    }
}
