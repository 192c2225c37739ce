//! Replies of a server, read by a client that trusts none of it (RFC 5321 §4.2).

use base::Reply;
use memchr::memchr;

/// Octets of one reply that are read; a reply that has not ended by then is cut there.
pub const REPLY_OCTETS: usize = 64 * 1024;
/// Lines of one reply whose text is kept.
pub const REPLY_LINES: usize = 128;
/// Octets of one line whose text is kept. RFC 5321 §4.5.3.1.5 allows 512.
pub const REPLY_LINE_OCTETS: usize = 1024;
/// Octets of text that are kept of one reply.
pub const REPLY_TEXT_OCTETS: usize = 8 * 1024;

/// What a server said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The reply: the code of its first line, and text without control characters, not more than the limits allow.
    pub reply: Reply,
    /// Whether its end was found. If not, what follows in the input is anybody's guess.
    pub whole: bool,
}

/// A line that is no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAReply;

/// Reads replies, in whatever pieces they come.
///
/// The first line's code counts. A continuation with another code, or with none, is only text; a missing text, a
/// bare LF at a line's end and any octets in the text are put up with. What is kept of a reply is bounded whatever its
/// length (B149).
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// Octets of the reply so far.
    octets: usize,
    /// The line so far, up to its limit.
    line: Vec<u8>,
    code: Option<u16>,
    enhanced: Option<(u8, u16, u16)>,
    lines: Vec<String>,
    /// Octets in `lines`.
    kept: usize,
}

impl ReplyReader {
    /// Looks at the front of `input`. Gives how many octets to take off it before the next call, all of them if
    /// there is no reply yet, and the reply that ended there. After [`NotAReply`] there is no safe place to go on
    /// from.
    pub fn read(&mut self, input: &[u8]) -> (usize, Option<Result<Heard, NotAReply>>) {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            let window = rest.get(..REPLY_OCTETS - self.octets).unwrap_or(rest);
            let end = memchr(b'\n', window);
            let taken = end.map_or(window.len(), |at| at + 1);
            self.keep(window.get(..end.unwrap_or(taken)).unwrap_or_default());
            self.octets += taken;
            used += taken;
            let last = match end {
                Some(_) => self.line_ended(),
                None => Ok(false),
            };
            match last {
                Err(NotAReply) => return (used, Some(Err(NotAReply))),
                Ok(true) => return (used, Some(self.finish(true))),
                Ok(false) if self.octets >= REPLY_OCTETS => return (used, Some(self.cut())),
                Ok(false) => {}
            }
        }
        (used, None)
    }

    /// Whether no reply has begun.
    pub fn is_between_replies(&self) -> bool {
        self.octets == 0
    }

    fn keep(&mut self, octets: &[u8]) {
        let room = REPLY_LINE_OCTETS.saturating_sub(self.line.len());
        self.line.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    /// Takes a line in; tells whether it was the last.
    fn line_ended(&mut self) -> Result<bool, NotAReply> {
        let line = std::mem::take(&mut self.line);
        let end = line.iter().rposition(|b| *b != b'\r').map_or(0, |at| at + 1);
        let line = line.get(..end).unwrap_or_default();
        let (code, last, text) = match (split(line), self.code) {
            (Some((code, last, text)), None) => (code, last, text),
            (Some((_, last, text)), Some(code)) => (code, last, text),
            (None, Some(code)) => (code, false, line),
            (None, None) => return Err(NotAReply),
        };
        let first = self.code.replace(code).is_none();
        self.add_text(code, text, first);
        Ok(last)
    }

    fn add_text(&mut self, code: u16, octets: &[u8], first: bool) {
        let text = harmless(octets);
        let status = split_status(&text).filter(|((class, ..), _)| u16::from(*class) == code / 100);
        if first {
            self.enhanced = status.map(|(status, _)| status);
        }
        // RFC 2034 §4 has the status on each line.
        let text = match status {
            Some((status, rest)) if Some(status) == self.enhanced => rest,
            _ => text.as_str(),
        };
        if self.lines.len() < REPLY_LINES && self.kept + text.len() <= REPLY_TEXT_OCTETS {
            self.kept += text.len();
            self.lines.push(text.to_owned());
        }
    }

    /// Ends a reply that goes on for too long.
    fn cut(&mut self) -> Result<Heard, NotAReply> {
        if !self.line.is_empty() {
            self.line_ended()?;
        }
        self.finish(false)
    }

    fn finish(&mut self, whole: bool) -> Result<Heard, NotAReply> {
        let read = std::mem::take(self);
        let code = read.code.ok_or(NotAReply)?;
        let mut lines = read.lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let reply = match read.enhanced {
            Some(status) => Reply::new(code, status, first),
            None => Reply::plain(code, first),
        };
        Ok(Heard { reply: lines.fold(reply, Reply::line), whole })
    }
}

/// Splits a line into its code, whether it is a reply's last, and its text.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    // RFC 5321 §4.2: 2 to 5; a client treats others as a fatal error.
    let sound = (b'2'..=b'5').contains(&digits[0]) && digits.iter().all(u8::is_ascii_digit);
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit.wrapping_sub(b'0')));
    match rest {
        _ if !sound => None,
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// Text that may be shown anywhere: no control characters, nothing that turns the direction of what follows.
fn harmless(octets: &[u8]) -> String {
    let safe = |c: char| match c {
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    String::from_utf8_lossy(octets).chars().map(safe).collect()
}

/// Splits an enhanced status code off (RFC 3463 §2): class 2, 4 or 5, subject and detail of up to three digits.
fn split_status(text: &str) -> Option<((u8, u16, u16), &str)> {
    let (status, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut numbers = status.split('.').map(|number| {
        let digits = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        number.parse::<u16>().ok().filter(|_| digits)
    });
    let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    numbers.next().is_none().then_some(((class, subject, detail), rest))
}

#[cfg(test)]
mod tests;
