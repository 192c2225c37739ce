//! How a base64 body is laid out in lines, so that it can be kept decoded and rebuilt octet for octet.

use super::transfer::{self, Encoding};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// The layout of a base64 body: full lines of one length, then a shorter or equal last one, then line ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Characters in a full line.
    pub line: u32,
    /// Whether lines end with CRLF; else with LF.
    pub crlf: bool,
    /// Line ends behind the last line.
    pub trailing: u32,
    /// Octets of the decoded content.
    pub decoded: u64,
}

/// The most line ends behind the last line.
const MAX_TRAILING: u32 = 1000;

impl Shape {
    /// The shape of a body that lies in memory; see [`ShapeDetector`].
    pub fn detect(body: &[u8]) -> Option<Shape> {
        let mut detector = ShapeDetector::new();
        detector.push(body);
        detector.finish()
    }

    /// Characters, line ends left out.
    fn characters(&self) -> u64 {
        self.decoded.div_ceil(3) * 4
    }

    fn line_end(&self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    fn stride(&self) -> u64 {
        u64::from(self.line) + self.line_end().len() as u64
    }

    /// Octets of the encoded body.
    pub fn encoded_len(&self) -> u64 {
        let breaks = self.characters().saturating_sub(1) / u64::from(self.line.max(1));
        self.characters() + (breaks + u64::from(self.trailing)) * self.line_end().len() as u64
    }

    /// The decoded octets that are needed to rebuild a range of the encoded body.
    pub fn decoded_range(&self, encoded: Range<u64>) -> Range<u64> {
        let characters = self.characters_of(encoded);
        let start = (characters.start / 4 * 3).min(self.decoded);
        start..(characters.end.div_ceil(4) * 3).clamp(start, self.decoded)
    }

    /// The characters that lie in a range of the encoded body.
    fn characters_of(&self, encoded: Range<u64>) -> Range<u64> {
        let index = |at: u64| {
            let (lines, rest) = (at / self.stride(), at % self.stride());
            (lines * u64::from(self.line) + rest.min(u64::from(self.line))).min(self.characters())
        };
        index(encoded.start)..index(encoded.end)
    }

    /// Rebuilds a range of the encoded body from the decoded octets of [`Shape::decoded_range`].
    pub fn encode(&self, encoded: Range<u64>, decoded: &[u8], out: &mut Vec<u8>) {
        let end = encoded.end.min(self.encoded_len());
        let characters = self.characters_of(encoded.start..end);
        let text = STANDARD.encode(decoded);
        // `text` begins at a quantum.
        let skipped = (characters.start % 4) as usize;
        let mut text = text.as_bytes().get(skipped..).unwrap_or_default();
        let mut at = encoded.start;
        let mut character = characters.start;
        while at < end {
            let column = at % self.stride();
            let room = u64::from(self.line).saturating_sub(column);
            let run = room.min(self.characters().saturating_sub(character)).min(end - at);
            if run > 0 {
                let Some((now, later)) = text.split_at_checked(run as usize) else { return };
                out.extend_from_slice(now);
                text = later;
                (at, character) = (at + run, character + run);
                continue;
            }
            // At a line end; of the last line, or of those that trail behind it.
            let broken = character.div_ceil(u64::from(self.line.max(1)));
            let from = match character < self.characters() {
                true => column - u64::from(self.line),
                false => self.trailing_at(at, broken),
            };
            let rest = self.line_end().get(from as usize..).unwrap_or_default();
            let rest = &rest[..rest.len().min((end - at) as usize)];
            if rest.is_empty() {
                return;
            }
            out.extend_from_slice(rest);
            at += rest.len() as u64;
        }
    }

    /// The place within a line end of those behind the last character.
    fn trailing_at(&self, at: u64, lines: u64) -> u64 {
        let width = self.line_end().len() as u64;
        let start = self.characters() + lines.saturating_sub(1) * width;
        at.saturating_sub(start) % width
    }
}

/// Finds the [`Shape`] of a base64 body while it streams by.
///
/// There is one only if the body can be rebuilt exactly: full lines of one length, one kind of line end, nothing
/// but base64, right padding with zero bits, no more than 1000 line ends at the end.
#[derive(Clone, Debug)]
pub struct ShapeDetector {
    fits: bool,
    crlf: Option<bool>,
    line: Option<u32>,
    /// Characters in the current line and in all.
    column: u32,
    characters: u64,
    /// A line that is shorter than the first has ended: no text may follow.
    short: bool,
    trailing: u32,
    after_cr: bool,
    /// The last four characters.
    last: [u8; 4],
    padding: u8,
}

impl Default for ShapeDetector {
    fn default() -> Self {
        ShapeDetector::new()
    }
}

impl ShapeDetector {
    /// At the beginning of a body.
    pub fn new() -> Self {
        ShapeDetector {
            fits: true,
            crlf: None,
            line: None,
            column: 0,
            characters: 0,
            short: false,
            trailing: 0,
            after_cr: false,
            last: [0; 4],
            padding: 0,
        }
    }

    /// Reads on.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while self.fits && !rest.is_empty() {
            let run = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
            if run > 0 {
                self.text(&rest[..run]);
                rest = &rest[run..];
                continue;
            }
            let is_cr = rest[0] == b'\r';
            rest = &rest[1..];
            match is_cr {
                true => {
                    self.fits &= !self.after_cr;
                    self.after_cr = true;
                }
                false => self.line_end(),
            }
        }
    }

    fn text(&mut self, text: &[u8]) {
        // Text behind a CR, a short line or an empty one.
        self.fits &= !self.after_cr && !self.short && self.trailing <= 1;
        let data = text.iter().take_while(|&&b| b != b'=').count();
        let padding = text.len() - data;
        let good = text[..data].iter().all(|&b| transfer::is_base64(b) && !matches!(b, b' ' | b'\t'));
        self.fits &= good && text[data..].iter().all(|&b| b == b'=') && (self.padding == 0 || data == 0);
        self.fits &= padding <= 2;
        self.padding = self.padding.saturating_add(padding.min(3) as u8);
        self.trailing = 0;
        self.column = self.column.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.fits &= self.line.is_none_or(|line| self.column <= line);
        self.characters += text.len() as u64;
        for &b in &text[text.len().saturating_sub(4)..] {
            self.last.rotate_left(1);
            self.last[3] = b;
        }
    }

    fn line_end(&mut self) {
        let crlf = std::mem::take(&mut self.after_cr);
        self.fits &= *self.crlf.get_or_insert(crlf) == crlf;
        self.trailing += 1;
        self.fits &= self.trailing <= MAX_TRAILING && self.characters > 0;
        if self.column > 0 {
            self.short |= self.column < *self.line.get_or_insert(self.column);
        }
        self.column = 0;
    }

    /// The shape, if the body has one. An empty body has none.
    pub fn finish(self) -> Option<Shape> {
        let fits = self.fits && !self.after_cr && self.characters > 0 && self.characters.is_multiple_of(4);
        if !fits || self.padding > 2 {
            return None;
        }
        // Bits that padding leaves over must be zero, and padding must end the text: the last quantum says both.
        let octets = transfer::decode(Encoding::Base64, &self.last);
        if STANDARD.encode(&octets).as_bytes() != self.last {
            return None;
        }
        let line = self.line.unwrap_or(self.column).max(self.column);
        Some(Shape {
            line,
            crlf: self.crlf.unwrap_or(true),
            trailing: self.trailing,
            decoded: self.characters / 4 * 3 - u64::from(self.padding),
        })
    }
}
