//! Message content as DATA and BDAT carry it.

use memchr::memchr3;

/// Why a message can't be taken, although its end may be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// A line over the limit.
    LineTooLong,
    /// More octets than allowed.
    TooLarge,
    /// A NUL (RFC 5321 §4.5.2 allows any octet but readers differ; RFC 6152 §3 forbids it).
    Nul,
    /// A CR without LF or a LF without CR (RFC 5321 §2.3.8). What the peer takes for the end of its message may not
    /// be what we take for it, so nothing that follows can be trusted.
    BareCrLf,
}

/// What a reader found at the front of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A piece of the message; empty where what was read is not to be kept.
    Content(&'a [u8]),
    /// The message, or the chunk, is over. What follows in the input is not part of it.
    End,
    /// More input is needed.
    More,
}

/// Finds the end of a message sent by DATA and undoes the doubling of dots (RFC 5321 §4.5.2).
///
/// Content is handed out as slices of the input; nothing is copied or kept. After a [`Fault`] no more content comes
/// out, but the end of the message is still looked for, so that the refusal reaches the peer as the one reply to its
/// message. Only CRLF.CRLF is an end, also then.
#[derive(Debug)]
pub struct DataReader {
    at: DataState,
    text: Text,
}

/// Where in its line the next octet stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DataState {
    /// At its start.
    Start,
    /// Behind the dot that it starts with.
    Dot,
    /// Behind the CR after that dot.
    DotCr,
    /// Anywhere else.
    Inside,
    /// Behind a CR.
    Cr,
    /// Nowhere: the message is over.
    Over,
}

impl DataReader {
    /// Starts behind the line end of the DATA command. A message may have `message_octets` in all and
    /// `line_octets` in each line, its CRLF not counted.
    pub fn new(message_octets: u64, line_octets: usize) -> Self {
        DataReader { at: DataState::Start, text: Text::new(message_octets, line_octets) }
    }

    /// Looks at the front of `input`. Gives what it found and how many octets to take off `input` before the next
    /// call: all of them with [`Event::More`].
    pub fn read<'a>(&mut self, input: &'a [u8]) -> (usize, Event<'a>) {
        let start = self.skip_dot(input);
        if self.at == DataState::Over {
            return (start, Event::End);
        }
        let end = self.skip_lines(input, start);
        match input.get(start..end) {
            Some(content) if !content.is_empty() => (end, Event::Content(self.text.keep(content))),
            _ => (end, Event::More),
        }
    }

    /// Why the message is to be refused, if it is: the gravest of what was found so far.
    pub fn fault(&self) -> Option<Fault> {
        self.text.fault
    }

    /// Octets of the message so far, refused ones included.
    pub fn octets(&self) -> u64 {
        self.text.octets
    }

    /// Takes a line's leading dot away, and the CRLF if that is all there is; gives where the rest begins. A CR
    /// behind the dot is either the end's or a bare one, so it never has to be given out later.
    fn skip_dot(&mut self, input: &[u8]) -> usize {
        for (used, octet) in input.iter().enumerate() {
            self.at = match (self.at, octet) {
                (DataState::Start, b'.') => DataState::Dot,
                (DataState::Dot, b'\r') => DataState::DotCr,
                (DataState::Dot, _) => DataState::Inside,
                (DataState::DotCr, b'\n') => {
                    self.at = DataState::Over;
                    return used + 1;
                }
                (DataState::DotCr, _) => DataState::Cr,
                _ => return used,
            };
            if matches!(self.at, DataState::Inside | DataState::Cr) {
                return used;
            }
        }
        input.len()
    }

    /// Takes what goes into the message from `start` on, up to the next dot that starts a line; gives its end.
    fn skip_lines(&mut self, input: &[u8], start: usize) -> usize {
        let mut used = start;
        while let Some(&octet) = input.get(used) {
            match (self.at, octet) {
                (DataState::Start, b'.') | (DataState::Dot | DataState::DotCr | DataState::Over, _) => break,
                (DataState::Cr, b'\n') => {
                    self.at = DataState::Start;
                    used += 1;
                    self.text.line = 0;
                }
                (DataState::Cr, _) => {
                    self.text.set(Fault::BareCrLf);
                    self.at = DataState::Inside;
                }
                (DataState::Start | DataState::Inside, _) => {
                    let (length, stop) = self.text.skip_plain(input, used);
                    used += length;
                    self.at = if stop == Some(b'\r') { DataState::Cr } else { DataState::Inside };
                }
            }
        }
        used
    }
}

/// Reads the chunks of one message sent by BDAT (RFC 3030 §2), whose ends are given by their sizes.
///
/// Text is held to the same rules as by [`DataReader`], a binary message (BODY=BINARYMIME) only to its size.
#[derive(Debug)]
pub struct ChunkReader {
    left: u64,
    last: bool,
    binary: bool,
    after_cr: bool,
    text: Text,
}

impl ChunkReader {
    /// Starts a message; see [`DataReader::new`]. `binary`: any octet may come anywhere.
    pub fn new(message_octets: u64, line_octets: usize, binary: bool) -> Self {
        let text = Text::new(message_octets, line_octets);
        ChunkReader { left: 0, last: false, binary, after_cr: false, text }
    }

    /// Starts a chunk of `size` octets, right behind the line end of its BDAT command.
    pub fn start(&mut self, size: u64, last: bool) {
        self.left = size;
        self.last = last;
        if self.text.octets.saturating_add(size) > self.text.message_limit {
            self.text.set(Fault::TooLarge);
        }
    }

    /// Looks at the front of `input`; see [`DataReader::read`]. The end is the chunk's.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> (usize, Event<'a>) {
        if self.left == 0 {
            if self.last && self.after_cr {
                self.text.set(Fault::BareCrLf);
            }
            return (0, Event::End);
        }
        let length = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        let Some(content) = input.get(..length).filter(|content| !content.is_empty()) else {
            return (0, Event::More);
        };
        self.left -= length as u64;
        if !self.binary {
            self.check(content);
        }
        (length, Event::Content(self.text.keep(content)))
    }

    /// Why the message is to be refused, if it is: the gravest of what was found so far.
    pub fn fault(&self) -> Option<Fault> {
        self.text.fault
    }

    /// Octets of the message so far, refused ones included.
    pub fn octets(&self) -> u64 {
        self.text.octets
    }

    fn check(&mut self, content: &[u8]) {
        let mut used = 0;
        while let Some(&octet) = content.get(used) {
            if std::mem::take(&mut self.after_cr) {
                match octet {
                    b'\n' => {
                        used += 1;
                        self.text.line = 0;
                    }
                    _ => self.text.set(Fault::BareCrLf),
                }
                continue;
            }
            let (length, stop) = self.text.skip_plain(content, used);
            used += length;
            self.after_cr = stop == Some(b'\r');
        }
    }
}

/// What both readers check.
#[derive(Debug)]
struct Text {
    message_limit: u64,
    line_limit: usize,
    octets: u64,
    /// Octets of the current line so far.
    line: usize,
    fault: Option<Fault>,
}

impl Text {
    fn new(message_limit: u64, line_limit: usize) -> Self {
        Text { message_limit, line_limit, octets: 0, line: 0, fault: None }
    }

    fn set(&mut self, fault: Fault) {
        self.fault = self.fault.max(Some(fault));
    }

    /// Counts a piece of the message; gives it back if the message may still be taken.
    fn keep<'a>(&mut self, content: &'a [u8]) -> &'a [u8] {
        self.octets = self.octets.saturating_add(content.len() as u64);
        if self.octets > self.message_limit {
            self.set(Fault::TooLarge);
        }
        if self.fault.is_none() { content } else { &[] }
    }

    /// Takes octets from `from` on, up to and with the first CR, LF or NUL: how many, and which of them it was. LF
    /// and NUL here are faults; a LF behind a CR is the caller's.
    fn skip_plain(&mut self, input: &[u8], from: usize) -> (usize, Option<u8>) {
        let rest = input.get(from..).unwrap_or_default();
        let length = memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
        self.line = self.line.saturating_add(length);
        if self.line > self.line_limit {
            self.set(Fault::LineTooLong);
        }
        let stop = rest.get(length).copied();
        match stop {
            Some(b'\n') => self.set(Fault::BareCrLf),
            Some(0) => self.set(Fault::Nul),
            _ => {}
        }
        (length + usize::from(stop.is_some()), stop)
    }
}

#[cfg(test)]
mod tests;
