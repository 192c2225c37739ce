//! Base64 as mail folds it: recognised so strictly that the same octets can be made again from the decoded ones.

use super::message_failed;
use crate::StoreError;
use base::Octets;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io;
use std::ops::Range;

/// The longest line that is recognised, in octets: what SMTP takes.
const LONGEST_LINE: u64 = 1024 * 1024;
/// Octets looked at in one go; whole lines of it.
const WINDOW: u64 = 64 * 1024;

/// How a run of base64 is folded: lines of one length, the last one shorter or as long, the same line end between
/// them, none after the last, canonical padding (RFC 4648 §3.5) at the end and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Folded {
    /// Octets of a line, its end left out; never 0.
    pub(super) line: u64,
    /// What ends a line: 2 for CRLF, 1 for LF.
    pub(super) line_end: u64,
    /// Octets before encoding.
    pub(super) decoded: u64,
}

impl Folded {
    /// Octets of base64 characters.
    fn characters(&self) -> u64 {
        self.decoded.div_ceil(3) * 4
    }

    /// Octets as folded.
    pub(super) fn octets(&self) -> u64 {
        let characters = self.characters();
        characters + characters.div_ceil(self.line).saturating_sub(1) * self.line_end
    }

    /// How many of the first `at` octets are base64 characters.
    fn characters_before(&self, at: u64) -> u64 {
        let stride = self.line + self.line_end;
        (at / stride * self.line + (at % stride).min(self.line)).min(self.characters())
    }

    /// Appends `range` of the folded octets to `out`, made from the decoded ones.
    pub(super) fn read(&self, decoded: &dyn Octets, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let (mut plain, mut encoded) = (Vec::new(), Vec::new());
        let mut at = range.start;
        while at < range.end {
            let until = range.end.min(at + WINDOW);
            let first = self.characters_before(at) / 4;
            let last = self.characters_before(until).div_ceil(4);
            plain.clear();
            decoded.read(first * 3..(last * 3).min(self.decoded), &mut plain)?;
            encoded.resize((last - first) as usize * 4, 0);
            let length = STANDARD.encode_slice(&plain, &mut encoded).map_err(io::Error::other)?;
            self.fold(encoded.get(..length).unwrap_or_default(), first * 4, at..until, out)?;
            at = until;
        }
        Ok(())
    }

    /// Appends `range` of the folded octets; `encoded` holds the characters it needs, from number `first` on.
    fn fold(&self, encoded: &[u8], first: u64, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let stride = self.line + self.line_end;
        let mut at = range.start;
        while at < range.end {
            let column = at % stride;
            if column < self.line {
                let count = (self.line - column).min(range.end - at);
                let from = (self.characters_before(at) - first) as usize;
                let part = encoded.get(from..from + count as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
                out.extend_from_slice(part);
                at += count;
            } else {
                out.push(if self.line_end == 2 && column == self.line { b'\r' } else { b'\n' });
                at += 1;
            }
        }
        Ok(())
    }
}

/// Looks for folded base64 at the start of `range`, and hands what it decodes to, piece by piece, to `each`.
/// `None` where there is none; then `each` may have been called nonetheless. What follows the base64 (the last line's
/// end, a mailing list's footer) is not part of it.
pub(super) fn scan(
    message: &dyn Octets,
    range: Range<u64>,
    each: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<Option<Folded>, StoreError> {
    let Some((line, line_end)) = first_line(message, range.clone())? else { return Ok(None) };
    let mut scan = Scan { line, line_end, characters: Vec::new(), decoded: 0, plain: Vec::new(), each };
    let stride = line + line_end;
    let step = (WINDOW / stride).max(1) * stride;
    let mut window = Vec::new();
    let mut at = range.start;
    loop {
        let end = range.end.min(at + step);
        window.clear();
        message.read(at..end, &mut window).map_err(message_failed)?;
        match scan.window(&window)? {
            Step::More if end < range.end => at = end,
            Step::More | Step::End => break,
            Step::Bad => return Ok(None),
        }
    }
    let whole = scan.decoded > 0 && scan.characters.is_empty();
    Ok(whole.then_some(Folded { line, line_end, decoded: scan.decoded }))
}

/// The first line's length and its end's.
fn first_line(message: &dyn Octets, range: Range<u64>) -> Result<Option<(u64, u64)>, StoreError> {
    let octets = range.end - range.start;
    let mut head = Vec::new();
    // Almost every line is short: look far only where this one is not.
    for look in [1024, LONGEST_LINE + 2] {
        head.clear();
        message.read(range.start..range.start + octets.min(look), &mut head).map_err(message_failed)?;
        let line = match memchr::memchr(b'\n', &head) {
            Some(at) if at > 0 && head.get(at - 1) == Some(&b'\r') => (at as u64 - 1, 2),
            Some(at) => (at as u64, 1),
            None if octets <= look => (octets, 1),
            None => continue,
        };
        return Ok(Some(line).filter(|(line, _)| (1..=LONGEST_LINE).contains(line)));
    }
    Ok(None)
}

struct Scan<'a> {
    line: u64,
    line_end: u64,
    /// Characters not decoded yet.
    characters: Vec<u8>,
    decoded: u64,
    plain: Vec<u8>,
    each: &'a mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
}

enum Step {
    More,
    End,
    Bad,
}

impl Scan<'_> {
    /// Takes whole lines; the last window may end in a part of one.
    fn window(&mut self, window: &[u8]) -> Result<Step, StoreError> {
        let end: &[u8] = if self.line_end == 2 { b"\r\n" } else { b"\n" };
        let mut lines = window.chunks((self.line + self.line_end) as usize);
        let odd = loop {
            match lines.next() {
                Some(line) => match line.strip_suffix(end) {
                    Some(text) if text.len() as u64 == self.line && !text.contains(&b'\n') => {
                        self.characters.extend_from_slice(text);
                    }
                    _ => break line,
                },
                None => return self.decode_whole_quads(),
            }
        };
        Ok(match self.decode_whole_quads()? {
            Step::More => self.last_line(odd)?,
            other => other,
        })
    }

    /// Decodes all but what may still be the end.
    fn decode_whole_quads(&mut self) -> Result<Step, StoreError> {
        let count = self.characters.len() / 4 * 4;
        let whole = self.characters.get(..count).unwrap_or_default();
        let padded = whole.ends_with(b"=");
        self.plain.resize(count / 4 * 3, 0);
        let Ok(length) = STANDARD.decode_slice(whole, &mut self.plain) else { return Ok(Step::Bad) };
        self.characters.drain(..count);
        self.decoded += length as u64;
        (self.each)(self.plain.get(..length).unwrap_or_default())?;
        Ok(match (padded, self.characters.is_empty()) {
            (false, _) => Step::More,
            (true, true) => Step::End,
            (true, false) => Step::Bad,
        })
    }

    /// Takes the line that is not like the others, if it is base64; it ends the run in any case.
    fn last_line(&mut self, line: &[u8]) -> Result<Step, StoreError> {
        let end = memchr::memchr2(b'\r', b'\n', line).unwrap_or(line.len());
        let text = line.get(..end).unwrap_or_default();
        let before = self.characters.len();
        let fits = text.len() as u64 <= self.line && (before + text.len()).is_multiple_of(4);
        if fits && !text.is_empty() {
            self.characters.extend_from_slice(text);
            if !matches!(self.decode_whole_quads()?, Step::Bad) {
                return Ok(Step::End);
            }
            self.characters.truncate(before);
        }
        Ok(if before == 0 { Step::End } else { Step::Bad })
    }
}
