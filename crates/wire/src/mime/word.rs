//! Encoded words in header fields (RFC 2047), and in the places where they are forbidden but used.

use super::charset;
use super::transfer::{self, Encoding};
use memchr::memmem;

/// An encoded word taken apart.
struct Word<'a> {
    charset: &'a str,
    octets: Vec<u8>,
}

/// A field's value as text: unfolded, encoded words undone, the rest read as UTF-8 or a guess.
///
/// Blanks between two words go, and words of one charset are joined before decoding, so that a character split over
/// two of them comes out right. A word that can't be read stays as it is.
pub fn decode(value: &[u8]) -> String {
    let value = super::header::unfold(value);
    let finder = memmem::Finder::new(b"=?");
    let mut out = String::with_capacity(value.len());
    // Words that are not written yet: one charset, joined.
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut rest: &[u8] = &value;
    let mut plain_from = rest;
    // Once no word's end is found, there is none further on.
    while let Some(at) = finder.find(rest) {
        let from = &rest[at..];
        let plain = &plain_from[..plain_from.len() - from.len()];
        match word(from) {
            Ok((word, used)) => {
                let joins = plain.iter().all(u8::is_ascii_whitespace) && pending.is_some();
                match &mut pending {
                    Some((charset, octets)) if joins && charset.eq_ignore_ascii_case(word.charset) => {
                        octets.extend_from_slice(&word.octets);
                    }
                    _ => {
                        flush(&mut pending, &mut out);
                        if !joins {
                            out.push_str(&charset::guess(plain));
                        }
                        pending = Some((word.charset.to_owned(), word.octets));
                    }
                }
                rest = &from[used..];
                plain_from = rest;
            }
            Err(NoWord::Here) => rest = &from[2..],
            Err(NoWord::Anywhere) => break,
        }
    }
    flush(&mut pending, &mut out);
    out.push_str(&charset::guess(plain_from));
    out
}

fn flush(pending: &mut Option<(String, Vec<u8>)>, out: &mut String) {
    if let Some((charset, octets)) = pending.take() {
        let text = charset::to_utf8(Some(&charset), &octets);
        // Line ends and NULs must not come out of a word into a line.
        out.extend(text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }));
    }
}

enum NoWord {
    Here,
    Anywhere,
}

/// Reads the word that `text`, which starts with `=?`, begins with.
fn word(text: &[u8]) -> Result<(Word<'_>, usize), NoWord> {
    let inner = &text[2..];
    // Charset names are short; a bound keeps this linear.
    let head = &inner[..inner.len().min(80)];
    let question = head.iter().position(|&b| b == b'?').ok_or(NoWord::Here)?;
    let charset = std::str::from_utf8(&head[..question]).map_err(|_| NoWord::Here)?;
    // RFC 2231 §5: charset*language
    let charset = charset.split('*').next().unwrap_or_default().trim();
    let (&[kind, b'?'], body) = inner[question + 1..].split_first_chunk::<2>().ok_or(NoWord::Here)? else {
        return Err(NoWord::Here);
    };
    if charset.is_empty() || !charset::is_known(charset) {
        return Err(NoWord::Here);
    }
    if !b"qQbB".contains(&kind) {
        return Err(NoWord::Here);
    }
    let end = memmem::find(body, b"?=").ok_or(NoWord::Anywhere)?;
    let octets = match kind {
        b'q' | b'Q' => decode_q(&body[..end]),
        _ => transfer::decode(Encoding::Base64, &body[..end]),
    };
    Ok((Word { charset, octets }, 2 + question + 1 + 2 + end + 2))
}

/// RFC 2047 §4.2
fn decode_q(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        at += 1;
        let octet = text.get(at..at + 2).filter(|_| b == b'=').and_then(super::parameter::hex);
        at += if octet.is_some() { 2 } else { 0 };
        out.push(match (octet, b) {
            (Some(octet), _) => octet,
            (None, b'_') => b' ',
            (None, b) => b,
        });
    }
    out
}
