//! A server's responses: words, strings, literals, lists.

use std::io::{self, BufRead, Read, Write};

/// Octets of a response without its literals: a SEARCH of two million messages.
const MOST_LINE: usize = 16 << 20;
/// Octets of literals too large to be kept that are read past within the answer to one command.
const MOST_PASSED: u64 = 16 << 30;
/// How deep lists may nest.
const MOST_LEVELS: usize = 16;
/// Octets of a literal that is none of a message.
const PIECE: usize = 64 * 1024;

/// A part of a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// A word: an atom, a number, NIL.
    Word(Vec<u8>),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// A literal with which a response is larger than a message may be; it was read past.
    TooLarge,
    /// A list in parentheses.
    List(Vec<Value>),
}

impl Value {
    /// Whether it is this word, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Value::Word(octets) if octets.eq_ignore_ascii_case(word.as_bytes()))
    }

    pub(super) fn octets(&self) -> Option<&[u8]> {
        match self {
            Value::Word(octets) | Value::Text(octets) => Some(octets),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        self.octets().map(|octets| String::from_utf8_lossy(octets).into_owned())
    }
}

/// The words of a response, lists and what is too large left out.
pub(super) fn words(response: &[Value]) -> Vec<String> {
    response.iter().filter_map(Value::text).collect()
}

/// About what a response takes of memory, in octets.
pub(super) fn weight(response: &[Value]) -> usize {
    let of = |value: &Value| match value {
        Value::Word(octets) | Value::Text(octets) => octets.len(),
        Value::TooLarge => 0,
        Value::List(list) => weight(list),
    };
    response.iter().map(|value| size_of::<Value>() + of(value)).sum()
}

/// Reads responses.
pub(super) struct Reader<S> {
    stream: S,
    /// Octets of literals that are kept of one response.
    most_literals: u64,
    /// Octets that may still be read past.
    may_pass: u64,
}

impl<S: BufRead> Reader<S> {
    pub(super) fn new(stream: S, most_literals: u64) -> Self {
        Reader { stream, most_literals, may_pass: MOST_PASSED }
    }

    /// A command is sent: as much may be read past again.
    pub(super) fn begin_answer(&mut self) {
        self.may_pass = MOST_PASSED;
    }

    /// The next response, with the literals in it.
    pub(super) fn next(&mut self) -> io::Result<Vec<Value>> {
        let mut tree = Tree { open: vec![Vec::new()] };
        let (mut octets, mut room) = (0, self.most_literals);
        loop {
            let mut line = Vec::new();
            let left = MOST_LINE.saturating_sub(octets) as u64;
            let count = (&mut self.stream).take(left).read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                let why =
                    if count == 0 { "it hung up, or its answer has no end" } else { "its line has no end" };
                return Err(io::Error::other(why));
            }
            octets += count;
            let line = line.trim_ascii_end();
            let Some((text, size)) = literal_at_end(line) else {
                tree.add_text(line)?;
                return Ok(tree.close());
            };
            tree.add_text(text)?;
            let literal = self.literal(size, &mut room)?;
            tree.push(literal);
        }
    }

    fn literal(&mut self, size: u64, room: &mut u64) -> io::Result<Value> {
        if size > *room {
            let left = self.may_pass.checked_sub(size);
            self.may_pass = left.ok_or_else(|| io::Error::other("it sends more than is read past"))?;
            io::copy(&mut (&mut self.stream).take(size), &mut io::sink())?;
            return Ok(Value::TooLarge);
        }
        *room -= size;
        let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(PIECE));
        (&mut self.stream).take(size).read_to_end(&mut octets)?;
        match octets.len() as u64 == size {
            true => Ok(Value::Text(octets)),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<S: Read + Write> Reader<io::BufReader<S>> {
    pub(super) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(octets)?;
        self.stream.get_mut().flush()
    }
}

/// `{SIZE}` or `~{SIZE}` at the end of a line.
fn literal_at_end(line: &[u8]) -> Option<(&[u8], u64)> {
    let inner = line.strip_suffix(b"}")?;
    let at = inner.iter().rposition(|octet| *octet == b'{')?;
    let (text, digits) = inner.split_at_checked(at)?;
    let size = std::str::from_utf8(digits.get(1..)?).ok()?.parse().ok()?;
    Some((text.strip_suffix(b"~").unwrap_or(text), size))
}

/// Lists that are open, the outermost first.
struct Tree {
    open: Vec<Vec<Value>>,
}

impl Tree {
    fn push(&mut self, value: Value) {
        if let Some(list) = self.open.last_mut() {
            list.push(value);
        }
    }

    fn add_text(&mut self, text: &[u8]) -> io::Result<()> {
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            match first {
                b' ' => rest = after,
                b'(' if self.open.len() >= MOST_LEVELS => {
                    return Err(io::Error::other("lists nested too deep"));
                }
                b'(' => {
                    self.open.push(Vec::new());
                    rest = after;
                }
                b')' => {
                    if self.open.len() > 1
                        && let Some(list) = self.open.pop()
                    {
                        self.push(Value::List(list));
                    }
                    rest = after;
                }
                b'"' => {
                    let (text, behind) = quoted(after);
                    self.push(Value::Text(text));
                    rest = behind;
                }
                _ => {
                    let (word, behind) = word(rest);
                    self.push(Value::Word(word.to_vec()));
                    rest = behind;
                }
            }
        }
        Ok(())
    }

    /// The whole; lists that were not closed are.
    fn close(mut self) -> Vec<Value> {
        while self.open.len() > 1 {
            if let Some(list) = self.open.pop() {
                self.push(Value::List(list));
            }
        }
        self.open.pop().unwrap_or_default()
    }
}

fn quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(octet) = text.get(at) {
        at += 1;
        match octet {
            b'"' => break,
            b'\\' => {
                out.extend(text.get(at));
                at += 1;
            }
            other => out.push(*other),
        }
    }
    (out, text.get(at..).unwrap_or_default())
}

/// A word ends at a space or parenthesis, but not within brackets: `BODY[HEADER.FIELDS (X)]`.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let mut brackets = 0usize;
    let end = text.iter().position(|octet| {
        match octet {
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        brackets == 0 && matches!(octet, b' ' | b'(' | b')')
    });
    text.split_at(end.unwrap_or(text.len()))
}
