//! Header blocks: fields, folds, values.

use super::tree::Field;
use memchr::memchr;
use std::borrow::Cow;

/// A header field as it stands.
#[derive(Clone, Copy, Debug)]
pub struct RawField<'a> {
    /// Where it begins in the header.
    pub at: usize,
    /// The whole field with its line end.
    pub raw: &'a [u8],
    /// The name as written; empty for a line that is no field.
    pub name: &'a [u8],
    /// What follows the colon, folds included, the last line end not.
    pub value: &'a [u8],
}

impl RawField<'_> {
    /// Whether the name is this one, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The field by its place in a message whose header begins at `start`.
    pub(super) fn locate(&self, start: u64) -> Field {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let end = self.raw.len() - line_end(self.raw);
        Field {
            name: String::from_utf8_lossy(self.name).to_ascii_lowercase().into(),
            start: start + self.at as u64,
            value_at: small(end - self.value.len()),
            value_len: small(self.value.len()),
            len: small(self.raw.len()),
        }
    }
}

/// The fields of a header, up to its blank line or its end.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header, at: 0 }
}

/// The first field of a name, its value unfolded and trimmed.
pub fn get<'a>(header: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    fields(header).find(|field| field.is(name)).map(|field| unfold(field.value))
}

/// Where a header ends: one past its blank line, or the end of `message`.
pub fn length(message: &[u8]) -> usize {
    let mut fields = fields(message);
    fields.by_ref().for_each(drop);
    let rest = message.get(fields.at..).unwrap_or_default();
    fields.at + rest.iter().take(2).position(|&b| b == b'\n').map_or(0, |at| at + 1)
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        let rest = self.header.get(self.at..)?;
        if rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
            return None;
        }
        let first = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let mut len = first;
        // RFC 5322 §2.2.3: a line that begins with a blank continues the field, even if it holds nothing else (§4.2).
        while let Some(b' ' | b'\t') = rest.get(len) {
            len += memchr(b'\n', &rest[len..]).map_or(rest.len() - len, |at| at + 1);
        }
        let raw = &rest[..len];
        let content = &raw[..len - line_end(raw)];
        let colon = field_name(content);
        let (name, value) = match colon {
            Some((name, colon)) => (name, &content[colon + 1..]),
            None => (&raw[..0], content),
        };
        let at = self.at;
        self.at += len;
        Some(RawField { at, raw, name, value })
    }
}

/// The name that a line begins with, and where its colon is. Blanks before the colon are obsolete (RFC 5322 §4.5).
pub(super) fn field_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic());
    good.then_some((name, colon))
}

/// Octets of the line end that `line` ends with.
pub(super) fn line_end(line: &[u8]) -> usize {
    match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    }
}

/// Takes the line ends out of a value (RFC 5322 §2.2.3) and trims blanks at both ends.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value.trim_ascii());
    }
    let mut out = Vec::with_capacity(value.len());
    for line in value.split_inclusive(|&b| b == b'\n') {
        out.extend_from_slice(&line[..line.len() - line_end(line)]);
    }
    Cow::Owned(out.trim_ascii().to_vec())
}
