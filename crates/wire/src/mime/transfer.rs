//! Content transfer encodings (RFC 2045 §6), decoded as tolerantly as mail clients do.

use super::parameter::{comment, hex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr2;
use std::fmt::Write;

/// How a body is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Not at all: 7bit, 8bit, binary, or no field.
    Identity,
    /// RFC 2045 §6.8
    Base64,
    /// RFC 2045 §6.7
    QuotedPrintable,
    /// Named, but not known; the body is taken as it stands.
    Unknown,
}

impl Encoding {
    /// The encoding's name in a field's value, lower case: its first word, without quotes or comments.
    pub(super) fn field_token(value: &[u8]) -> String {
        let mut value = value.trim_ascii_start();
        while value.starts_with(b"(") {
            value = value.get(comment(value)..).unwrap_or_default().trim_ascii_start();
        }
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let end = value.iter().position(|b| b" \t\";(".contains(b)).unwrap_or(value.len());
        String::from_utf8_lossy(&value[..end]).to_ascii_lowercase()
    }

    /// The encoding of that name (lower case).
    pub fn of(name: &str) -> Self {
        match name {
            "" | "7bit" | "8bit" | "binary" => Encoding::Identity,
            "base64" => Encoding::Base64,
            "quoted-printable" => Encoding::QuotedPrintable,
            _ => Encoding::Unknown,
        }
    }

    /// Whether there is something to decode.
    pub fn encodes(self) -> bool {
        matches!(self, Encoding::Base64 | Encoding::QuotedPrintable)
    }
}

/// Octets in quoted-printable (RFC 2045 §6.7); their CRLFs are line ends. A line that is broken softly goes on with no
/// `-`: it could look like a multipart's boundary, which the octets had only within a line.
pub fn quoted_printable(octets: &[u8]) -> String {
    let mut out = String::new();
    for line in octets.split_inclusive(|&b| b == b'\n') {
        let (text, end) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, "\r\n"),
            None => (line, ""),
        };
        let (mut width, mut is_continued) = (0, false);
        for (at, &byte) in text.iter().enumerate() {
            let plain = match byte {
                b' ' | b'\t' => at + 1 < text.len(),
                b'=' => false,
                _ => byte.is_ascii_graphic(),
            };
            if width + if plain { 1 } else { 3 } > 75 {
                out += "=\r\n";
                (width, is_continued) = (0, true);
            }
            let plain = plain && !(byte == b'-' && width == 0 && is_continued);
            width += if plain { 1 } else { 3 };
            if plain {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "={byte:02X}");
            }
        }
        out += end;
    }
    out
}

/// Octets in base64, 76 characters a line (RFC 2045 §6.8), the last without its end.
pub fn base64_lines(octets: &[u8]) -> String {
    let lines: Vec<String> = octets.chunks(57).map(|line| STANDARD.encode(line)).collect();
    lines.join("\r\n")
}

/// Decodes a body piece by piece.
#[derive(Clone, Debug)]
pub struct Decoder {
    inner: Inner,
    flawed: bool,
}

#[derive(Clone, Debug)]
enum Inner {
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

impl Decoder {
    /// A decoder at the beginning of a body.
    pub fn new(encoding: Encoding) -> Self {
        let inner = match encoding {
            Encoding::Identity | Encoding::Unknown => Inner::Identity,
            Encoding::Base64 => Inner::Base64(Base64::default()),
            Encoding::QuotedPrintable => Inner::QuotedPrintable(QuotedPrintable::default()),
        };
        Decoder { inner, flawed: false }
    }

    /// Decodes a piece, cut anywhere, and appends what it gives to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.inner {
            Inner::Identity => out.extend_from_slice(piece),
            Inner::Base64(state) => state.push(piece, out, &mut self.flawed),
            Inner::QuotedPrintable(state) => state.push(piece, out, &mut self.flawed),
        }
    }

    /// Ends the body; appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.inner {
            Inner::Identity => {}
            Inner::Base64(state) => state.finish(out, &mut self.flawed),
            Inner::QuotedPrintable(state) => state.finish(out, &mut self.flawed),
        }
    }

    /// Whether what was decoded so far broke the encoding's rules, so that other readers may see other octets.
    pub fn is_flawed(&self) -> bool {
        self.flawed
    }
}

/// Decodes a whole body.
pub fn decode(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut decoder = Decoder::new(encoding);
    decoder.push(body, &mut out);
    decoder.finish(&mut out);
    out
}

const PAD: u8 = 64;
const BLANK: u8 = 65;
const BAD: u8 = 255;

/// The six bits of each character; or what else it is.
static SIX_BITS: [u8; 256] = {
    let mut table = [BAD; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table[b'=' as usize] = PAD;
    table[b' ' as usize] = BLANK;
    table[b'\t' as usize] = BLANK;
    table[b'\r' as usize] = BLANK;
    table[b'\n' as usize] = BLANK;
    table
};

/// Whether an octet may stand in a base64 body.
pub(super) fn is_base64(b: u8) -> bool {
    SIX_BITS[usize::from(b)] != BAD
}

/// Foreign characters are passed over (RFC 2045 §6.8); decoding goes on behind padding, as for bodies that were
/// joined from encoded pieces.
#[derive(Clone, Default, Debug)]
struct Base64 {
    bits: u32,
    count: u8,
    padded: bool,
}

impl Base64 {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>, flawed: &mut bool) {
        out.reserve(piece.len() / 4 * 3 + 3);
        let mut rest = piece;
        while !rest.is_empty() {
            if self.count == 0 {
                rest = &rest[quanta(rest, out, &mut self.padded, flawed)..];
            }
            let Some((&b, more)) = rest.split_first() else { break };
            rest = more;
            self.character(SIX_BITS[usize::from(b)], out, flawed);
        }
    }

    fn character(&mut self, value: u8, out: &mut Vec<u8>, flawed: &mut bool) {
        match value {
            0..PAD => {
                *flawed |= self.padded && self.count == 0;
                self.bits = self.bits << 6 | u32::from(value);
                self.count += 1;
                if self.count == 4 {
                    out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                    (self.bits, self.count) = (0, 0);
                }
            }
            PAD if self.count == 0 => *flawed |= !self.padded,
            PAD => {
                *flawed |= self.count == 1;
                self.flush(out);
                self.padded = true;
            }
            BLANK => {}
            _ => *flawed = true,
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>, flawed: &mut bool) {
        *flawed |= self.count != 0;
        self.flush(out);
    }

    /// Gives the whole octets of an unfinished quantum.
    fn flush(&mut self, out: &mut Vec<u8>) {
        match self.count {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
        (self.bits, self.count) = (0, 0);
    }
}

/// Decodes the whole quanta that `text` begins with; gives how many octets of it they are.
fn quanta(text: &[u8], out: &mut Vec<u8>, padded: &mut bool, flawed: &mut bool) -> usize {
    let mut used = 0;
    for quantum in text.chunks_exact(4) {
        let value = |at: usize| u32::from(SIX_BITS[usize::from(quantum[at])]);
        let (a, b, c, d) = (value(0), value(1), value(2), value(3));
        if (a | b | c | d) >= u32::from(PAD) {
            break;
        }
        let bits = a << 18 | b << 12 | c << 6 | d;
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
        used += 4;
    }
    *flawed |= *padded && used > 0;
    used
}

/// Blanks that are held back to see whether they end their line.
const BLANKS_HELD: usize = 64 * 1024;

/// RFC 2045 §6.7. A broken escape is kept as it stands; blanks at a line's end go (rule 3).
#[derive(Clone, Default, Debug)]
struct QuotedPrintable {
    /// An escape that is not complete: begins with `=`.
    escape: Vec<u8>,
    blanks: Vec<u8>,
}

impl QuotedPrintable {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>, flawed: &mut bool) {
        let mut rest = piece;
        while let Some(&first) = rest.first() {
            if !self.escape.is_empty() {
                rest = &rest[1..];
                self.escaped(first, out, flawed);
                continue;
            }
            let end = memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
            self.text(&rest[..end], out);
            match rest.get(end) {
                Some(b'=') => {
                    out.append(&mut self.blanks);
                    self.escape.push(b'=');
                }
                Some(_) => self.line_end(out),
                None => {}
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// Text without `=` and LF. Blanks and CRs at its end wait.
    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let kept = text.iter().rposition(|b| !b" \t\r".contains(b)).map_or(0, |at| at + 1);
        if kept > 0 || self.blanks.len() > BLANKS_HELD {
            out.append(&mut self.blanks);
        }
        out.extend_from_slice(&text[..kept]);
        self.blanks.extend_from_slice(&text[kept..]);
    }

    fn line_end(&mut self, out: &mut Vec<u8>) {
        let cr = self.blanks.ends_with(b"\r");
        self.blanks.clear();
        out.extend_from_slice(if cr { b"\r\n" } else { b"\n" });
    }

    /// The next octet behind `=`: hexadecimal digits, or blanks and a line end (a soft line break).
    fn escaped(&mut self, next: u8, out: &mut Vec<u8>, flawed: &mut bool) {
        let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\r');
        let last = self.escape.last().copied().unwrap_or(b'=');
        match next {
            b'\n' if last == b'=' || blank(last) => return self.escape.clear(),
            _ if blank(next) && (last == b'=' || blank(last)) && self.escape.len() < BLANKS_HELD => {
                return self.escape.push(next);
            }
            _ if next.is_ascii_hexdigit() && last == b'=' => return self.escape.push(next),
            _ => {}
        }
        if let Some(octet) = hex(&[last, next]) {
            out.push(octet);
            return self.escape.clear();
        }
        // No escape: what was held is text, and `next` is looked at afresh.
        *flawed = true;
        let held = std::mem::take(&mut self.escape);
        out.push(b'=');
        self.text(&held[1..], out);
        self.push(&[next], out, flawed);
    }

    fn finish(&mut self, out: &mut Vec<u8>, flawed: &mut bool) {
        // A `=` at the very end is a soft line break; half an escape is text.
        if self.escape.len() > 1 && self.escape[1].is_ascii_hexdigit() {
            *flawed = true;
            out.append(&mut self.escape);
        }
        out.append(&mut self.blanks);
    }
}
