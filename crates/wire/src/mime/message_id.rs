//! Message identifiers (RFC 5322 §3.6.4).

use super::parameter::comment;

/// Identifiers of one field that are taken.
const MAX_IDS: usize = 1000;

/// The identifiers of a Message-ID, In-Reply-To or References field, without angle brackets, in order. Words
/// between them (obsolete syntax, §4.5.4) and comments are passed over; blanks and folds within one are taken out.
/// A value with no bracket at all that is one word with an `@` counts as one.
pub fn parse(value: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&b) = value.get(at) {
        match b {
            b'(' => at += comment(&value[at..]),
            b'"' => at += 1 + quoted(&value[at + 1..]),
            b'<' => {
                let inner = &value[at + 1..];
                // An identifier that lost its end is over where the next begins.
                let end = inner.iter().position(|b| matches!(b, b'>' | b'<')).unwrap_or(inner.len());
                let id: Vec<u8> = inner[..end].iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
                if !id.is_empty() {
                    out.push(super::charset::guess(&id));
                }
                at += 1 + end;
                if out.len() >= MAX_IDS {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    let bare = value.trim_ascii();
    if out.is_empty() && bare.contains(&b'@') && !bare.iter().any(|b| b.is_ascii_whitespace() || *b == b'"') {
        out.push(super::charset::guess(bare));
    }
    out
}

/// Octets up to and with the closing quote.
fn quoted(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        at += if b == b'\\' { 2 } else { 1 };
        if b == b'"' {
            break;
        }
    }
    at.min(text.len())
}
