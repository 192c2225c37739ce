//! Gathers commands out of octets that come in any pieces: lines and their literals (RFC 9051 §4.3, RFC 7888,
//! RFC 3516). The messages of APPEND are not gathered but passed on as they come.

use crate::imap::command::{ParseError, tag_of};
use crate::imap::response::Code;
use base::{Limits, Secret};

/// How much is read away after a refusal before log-in; a peer that sends more is cut off.
const PREAUTH_SKIP: u64 = 1024 * 1024;

/// How much is read away after log-in, beyond two messages of the largest size.
const SKIP: u64 = 1024 * 1024;

/// Octets at a skipped line's end in which a literal's announcement is looked for.
const TAIL: usize = 64;

/// The first of the two layers that read commands. See [`Framer::read`].
///
/// We announce LITERAL+, so a client may send literals of any size without asking. What is too large is refused
/// with one tagged answer, and none of it is taken for a command: it is read away, or the connection ends.
/// Between commands it holds no memory.
pub struct Framer {
    state: State,
    /// The command so far, literals and their announcements in place.
    text: Vec<u8>,
    /// Where in `text` the current line begins: a literal's octets are not searched for announcements.
    line_start: usize,
    /// Messages of this APPEND were announced.
    in_append: bool,
    /// The tag of that APPEND, if it has one.
    append_tag: Option<String>,
    logged_in: bool,
    command_octets: usize,
    preauth_octets: usize,
    message_octets: u64,
}

enum State {
    /// A command's line, or what follows a literal on it.
    Line,
    /// A literal that belongs into the command.
    Literal { left: usize },
    /// A message was announced; the session has to accept or to refuse it.
    Announced { octets: u64, synchronising: bool },
    /// A message's octets.
    Message { left: u64 },
    /// Something that is not a command: see [`Framer::expect_line`].
    Expected { max: usize },
    /// The command was refused: what is left of it is read away.
    Skip { literal: u64, tail: Vec<u8>, skipped: u64 },
    /// Nothing more is read.
    Closed,
}

/// What was read.
#[derive(PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A whole command, for [`command::parse`](crate::imap::command::parse). May hold a password.
    Command(Secret),
    /// The line that [`Framer::expect_line`] asked for, without its CRLF.
    Line(Secret),
    /// Send a continuation request: the client waits for it with its literal.
    Continue,
    /// A message of APPEND or REPLACE was announced: call [`Framer::accept`] (and send a continuation request if it is
    /// `synchronising`) or answer the command and call [`Framer::refuse`].
    Append(Announced),
    /// Octets of the message.
    AppendData(&'a [u8]),
    /// The message is complete. Another [`Event::Append`] or [`Event::AppendRest`] follows.
    AppendEnd,
    /// The rest of the APPEND's line: the command is whole. For
    /// [`AppendReader::end`](crate::imap::command::AppendReader::end).
    AppendRest(Secret),
    /// The command can't be taken; send this answer. The framer goes on with the next one.
    Refused(ParseError),
    /// Say BYE and close: the peer sends more than anybody should.
    Close,
}

/// A message literal, announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announced {
    /// What came before it: from the tag on, or since the message before.
    pub prefix: Secret,
    /// The message's octets; at most the limit.
    pub octets: u64,
    /// Whether the client waits for our answer.
    pub synchronising: bool,
    /// Whether it is `~{n}`: any octets (RFC 3516).
    pub binary: bool,
}

impl Framer {
    /// Starts at a command's beginning, before log-in.
    pub fn new(limits: &Limits) -> Self {
        Framer {
            state: State::Line,
            text: Vec::new(),
            line_start: 0,
            in_append: false,
            append_tag: None,
            logged_in: false,
            command_octets: limits.imap_command_octets,
            preauth_octets: limits.imap_preauth_octets,
            message_octets: limits.message_octets,
        }
    }

    /// From here on the larger limits hold, and APPEND is streamed.
    pub fn logged_in(&mut self) {
        self.logged_in = true;
    }

    /// The next line is no command: a SASL response, IDLE's `DONE`. At most `max` octets.
    pub fn expect_line(&mut self, max: usize) {
        self.reset();
        self.state = State::Expected { max };
    }

    /// Whether nothing of a command has come yet.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Line) && self.text.is_empty() && !self.in_append
    }

    /// Takes the announced message.
    pub fn accept(&mut self) {
        if let State::Announced { octets, .. } = self.state {
            self.state = State::Message { left: octets };
        }
    }

    /// Refuses the announced message, or the one that is coming: the APPEND is over, the session answers it. What
    /// the client sends of it regardless is read away.
    pub fn refuse(&mut self) {
        match self.state {
            State::Announced { synchronising: true, .. } => self.reset(),
            State::Announced { octets: left, .. } | State::Message { left } => self.skip(left),
            State::Literal { left } if self.in_append => self.skip(left as u64),
            // Between a message and the next: what follows is the same command's.
            _ if self.in_append => self.skip(0),
            _ => {}
        }
    }

    /// Takes octets off `input` up to the next event; `None` when they are used up (or when an announced message
    /// still awaits its decision).
    pub fn read<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        loop {
            let event = match self.state {
                State::Message { left: 0 } => {
                    self.state = State::Line;
                    Some(Event::AppendEnd)
                }
                State::Closed => {
                    *input = &[];
                    return Some(Event::Close);
                }
                State::Announced { .. } => return None,
                _ if input.is_empty() => return None,
                State::Message { left } => Some(self.message(left, input)),
                State::Literal { left } => self.literal(left, input),
                State::Line => self.line(input),
                State::Expected { max } => self.expected(max, input),
                State::Skip { .. } => {
                    self.skip_some(input);
                    None
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }

    fn message<'a>(&mut self, left: u64, input: &mut &'a [u8]) -> Event<'a> {
        let data = take(input, usize::try_from(left).unwrap_or(usize::MAX));
        self.state = State::Message { left: left - data.len() as u64 };
        Event::AppendData(data)
    }

    fn literal<'a>(&mut self, left: usize, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let data = take(input, left);
        self.text.extend_from_slice(data);
        self.state = State::Literal { left: left - data.len() };
        if left == data.len() {
            self.begin_line();
        }
        None
    }

    fn line<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        match self.gather(self.max_text(), input) {
            Gathered::Part => None,
            Gathered::TooLong => Some(self.refuse_with(bad("the command is too long"), 0)),
            Gathered::BareLf => Some(self.refuse_with(bad("lines end with CR LF"), 0)),
            Gathered::Whole => match announcement(self.text.get(self.line_start..).unwrap_or_default()) {
                Some(literal) => self.announced(literal),
                None if self.in_append => Some(Event::AppendRest(self.take_text())),
                None => Some(Event::Command(self.take_text())),
            },
        }
    }

    fn expected<'a>(&mut self, max: usize, input: &mut &'a [u8]) -> Option<Event<'a>> {
        match self.gather(max, input) {
            Gathered::Part => None,
            Gathered::Whole => Some(Event::Line(self.take_text())),
            // What was read is no command: it has no tag.
            Gathered::TooLong | Gathered::BareLf => {
                self.skip(0);
                Some(Event::Refused(bad("the line is too long or does not end with CR LF")))
            }
        }
    }

    /// Adds to the current line, up to its end, which is taken off.
    fn gather(&mut self, max: usize, input: &mut &[u8]) -> Gathered {
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        // Its CRLF does not count.
        let room = (max + 2).saturating_sub(self.text.len());
        let piece = end.unwrap_or(input.len());
        self.text.extend_from_slice(take(input, piece.min(room)));
        if piece > room {
            return Gathered::TooLong;
        }
        if end.is_none() {
            return Gathered::Part;
        }
        // A literal's last octet is no part of the line end behind it.
        if !self.text.get(self.line_start..).is_some_and(|line| line.ends_with(b"\r\n")) {
            return Gathered::BareLf;
        }
        self.text.truncate(self.text.len() - 2);
        Gathered::Whole
    }

    fn announced<'a>(&mut self, literal: Literal) -> Option<Event<'a>> {
        if self.logged_in && !self.is_url_next() && (self.in_append || is_message_next(&self.text)) {
            if literal.octets > self.message_octets {
                return Some(self.refuse_literal(&literal, "the message is too large"));
            }
            let Literal { octets, synchronising, binary, written } = literal;
            let tag = self.tag();
            self.text.truncate(self.text.len() - written);
            let prefix = self.take_text();
            (self.in_append, self.append_tag) = (true, tag);
            self.state = State::Announced { octets, synchronising };
            return Some(Event::Append(Announced { prefix, octets, synchronising, binary }));
        }
        let room = self.max_text().saturating_sub(self.text.len() + 2) as u64;
        if literal.octets > room {
            return Some(self.refuse_literal(&literal, "the literal is too large"));
        }
        self.text.extend_from_slice(b"\r\n");
        self.state = State::Literal { left: literal.octets as usize };
        if literal.octets == 0 {
            self.begin_line();
        }
        literal.synchronising.then_some(Event::Continue)
    }

    /// Whether the announced literal is a URL of `CATENATE (` (RFC 4469 §5), which is gathered. A mailbox may be
    /// called URL too, but it stands neither behind a literal nor behind a parenthesis.
    fn is_url_next(&self) -> bool {
        let line = self.text.get(self.line_start..).unwrap_or_default();
        let Some(announcement) = line.iter().rposition(|b| *b == b'{') else { return false };
        let before = line.get(..announcement).unwrap_or_default();
        let Some((before, word)) = before.split_last_chunk::<5>() else { return false };
        let inside = self.in_append || self.line_start > 0 || word[0] == b'(' || before.contains(&b'(');
        inside && b" (".contains(&word[0]) && word[1..].eq_ignore_ascii_case(b"URL ")
    }

    /// A client that asked is told no and sends nothing (RFC 9051 §4.3); what one that didn't ask sends is read
    /// away (RFC 7888 §4).
    fn refuse_literal<'a>(&mut self, literal: &Literal, reason: &'static str) -> Event<'a> {
        let error = ParseError { tag: None, no: true, code: Some(Code::TooBig), reason };
        if literal.synchronising {
            let tag = self.tag();
            self.reset();
            return Event::Refused(ParseError { tag, ..error });
        }
        self.refuse_with(error, literal.octets)
    }

    fn refuse_with<'a>(&mut self, error: ParseError, literal: u64) -> Event<'a> {
        let tag = self.tag();
        self.skip(literal);
        Event::Refused(ParseError { tag, ..error })
    }

    fn tag(&self) -> Option<String> {
        if self.in_append { self.append_tag.clone() } else { tag_of(&self.text) }
    }

    fn skip(&mut self, literal: u64) {
        let from = self.line_start.max(self.text.len().saturating_sub(TAIL));
        // A literal that is skipped ended its line; otherwise we are within one.
        let tail = match literal {
            0 if !self.text.ends_with(b"\n") => self.text.get(from..).unwrap_or_default().to_vec(),
            _ => Vec::new(),
        };
        self.reset();
        self.state = match literal > self.max_skip() {
            true => State::Closed,
            false => State::Skip { literal, tail, skipped: literal },
        };
    }

    fn skip_some(&mut self, input: &mut &[u8]) {
        let max_skip = self.max_skip();
        let State::Skip { literal, tail, skipped } = &mut self.state else { return };
        if *literal > 0 {
            *literal -= take(input, usize::try_from(*literal).unwrap_or(usize::MAX)).len() as u64;
            return;
        }
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        let piece = take(input, end.unwrap_or(input.len()));
        *skipped += piece.len() as u64;
        tail.extend_from_slice(piece.get(piece.len().saturating_sub(TAIL)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(TAIL));
        if *skipped > max_skip {
            self.state = State::Closed;
            return;
        }
        let Some(line) = tail.strip_suffix(b"\r\n") else { return };
        match announcement(line) {
            // The client has our answer: it will not send a literal that it has to ask for.
            Some(next) if !next.synchronising => {
                *skipped = skipped.saturating_add(next.octets);
                if *skipped > max_skip {
                    self.state = State::Closed;
                    return;
                }
                *literal = next.octets;
                tail.clear();
            }
            _ => self.reset(),
        }
    }

    fn max_text(&self) -> usize {
        if self.logged_in { self.command_octets } else { self.preauth_octets }
    }

    fn max_skip(&self) -> u64 {
        if self.logged_in { self.message_octets.saturating_mul(2).saturating_add(SKIP) } else { PREAUTH_SKIP }
    }

    fn begin_line(&mut self) {
        self.line_start = self.text.len();
        self.state = State::Line;
    }

    fn take_text(&mut self) -> Secret {
        let text = std::mem::take(&mut self.text);
        self.reset();
        Secret::new(text)
    }

    fn reset(&mut self) {
        self.text = Vec::new();
        self.line_start = 0;
        self.in_append = false;
        self.append_tag = None;
        self.state = State::Line;
    }
}

enum Gathered {
    Part,
    Whole,
    TooLong,
    BareLf,
}

/// `{n}`, `{n+}`, `~{n}`, `~{n+}` at a line's end.
struct Literal {
    octets: u64,
    synchronising: bool,
    binary: bool,
    /// How many octets the announcement takes.
    written: usize,
}

fn announcement(line: &[u8]) -> Option<Literal> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, synchronising) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let digits = inner.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (before, number) = inner.split_at(inner.len() - digits);
    let before = before.strip_suffix(b"{").filter(|_| digits > 0)?;
    let binary = before.ends_with(b"~");
    let written = line.len() - before.len() + usize::from(binary);
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(Literal { octets: number.iter().fold(0, add), synchronising, binary, written })
}

/// Whether the literal announced at the end of `text` is a message of APPEND or REPLACE: any but the mailbox's name,
/// which stands right behind the command's word or the number of what is replaced.
fn is_message_next(text: &[u8]) -> bool {
    let Some(command) = behind_word(text) else { return false };
    let behind = |word: &[u8]| {
        let (start, rest) = command.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some(rest)
    };
    let replaced = behind(b"REPLACE ").or_else(|| behind(b"UID REPLACE "));
    let mailbox = replaced.and_then(behind_word).or_else(|| behind(b"APPEND "));
    mailbox.is_some_and(|mailbox| !mailbox.starts_with(b"{") || mailbox.contains(&b'\n'))
}

fn behind_word(text: &[u8]) -> Option<&[u8]> {
    text.get(memchr::memchr(b' ', text)? + 1..)
}

fn take<'a>(input: &mut &'a [u8], at_most: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(at_most.min(input.len()));
    *input = rest;
    piece
}

fn bad(reason: &'static str) -> ParseError {
    ParseError { tag: None, no: false, code: None, reason }
}

#[cfg(test)]
mod tests;
