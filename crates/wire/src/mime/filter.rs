//! Taking header fields off a message while it arrives.

use super::header::{field_name, unfold};
use memchr::memchr;

/// Octets of a field after which it is decided whether it goes; the rest goes the same way.
const DECIDED: usize = 64 * 1024;

/// Drops fields from the beginning of a message as it streams by: a Return-Path (RFC 5321 §4.4), an
/// Authentication-Results that claims our name (RFC 8601 §5).
pub struct HeaderFilter<F> {
    drops: F,
    /// The field that has not ended.
    field: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Gathering a field.
    Gather,
    /// The field's fate is known.
    Decided {
        /// Whether it goes.
        drops: bool,
        /// Whether the last octet was an LF, so that the next one tells if the field goes on.
        at_line: bool,
    },
    /// The header is over.
    Body,
}

impl<F: FnMut(&[u8], &[u8]) -> bool> HeaderFilter<F> {
    /// `drops` is asked for each field, with its name as written and its value unfolded.
    pub fn new(drops: F) -> Self {
        HeaderFilter { drops, field: Vec::new(), state: State::Gather }
    }

    /// Takes a chunk, cut anywhere. What may pass is appended to `out`; what is returned (the rest of the chunk, once
    /// the header is over) passes too, after it, uncopied.
    #[must_use]
    pub fn push<'a>(&mut self, chunk: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut rest = chunk;
        while !rest.is_empty() {
            match self.state {
                State::Body => return rest,
                State::Gather => rest = self.gather(rest, out),
                State::Decided { drops, at_line } => rest = self.pass(rest, drops, at_line, out),
            }
        }
        rest
    }

    /// Ends the message: what was held is decided.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Gather {
            self.decide(out);
        }
    }

    /// Adds to the field up to its next line end, and decides when it is known to be over.
    fn gather<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if self.field.ends_with(b"\n") && !matches!(rest.first(), Some(b' ' | b'\t')) {
            self.decide(out);
            return rest;
        }
        let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let line_begins = self.field.is_empty();
        self.field.extend_from_slice(&rest[..end]);
        if line_begins || self.field.len() <= 2 {
            // The blank line.
            if matches!(self.field.as_slice(), b"\n" | b"\r\n") {
                out.append(&mut self.field);
                self.state = State::Body;
                return &rest[end..];
            }
        }
        if self.field.len() > DECIDED {
            let at_line = self.field.ends_with(b"\n");
            let drops = self.decide(out);
            self.state = State::Decided { drops, at_line };
        }
        &rest[end..]
    }

    fn decide(&mut self, out: &mut Vec<u8>) -> bool {
        let drops = match field_name(&self.field) {
            Some((name, colon)) => (self.drops)(name, &unfold(&self.field[colon + 1..])),
            None => false,
        };
        if !drops {
            out.extend_from_slice(&self.field);
        }
        self.field.clear();
        drops
    }

    /// The rest of a long field.
    fn pass<'a>(&mut self, rest: &'a [u8], drops: bool, at_line: bool, out: &mut Vec<u8>) -> &'a [u8] {
        if at_line && !matches!(rest.first(), Some(b' ' | b'\t')) {
            self.state = State::Gather;
            return rest;
        }
        let end = memchr(b'\n', rest);
        let (line, more) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        if !drops {
            out.extend_from_slice(line);
        }
        self.state = State::Decided { drops, at_line: end.is_some() };
        more
    }
}
