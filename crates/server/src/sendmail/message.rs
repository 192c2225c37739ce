//! The message as programs write it, made into one that can be sent: lines end with CRLF, a From is there, addresses
//! without a domain get one.

use base::{Address, Domain};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::{self, BufRead, Read};
use wire::mime::address::{Mailbox, mailboxes};

/// Octets of text in one encoded word: its base64 and `=?utf-8?B??=` stay within 75 (RFC 2047 §2).
const WORD: usize = 45;

/// A message that is ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its octets.
    pub octets: Vec<u8>,
    /// Whom To, Cc and Bcc name; empty unless they were asked for.
    pub recipients: Vec<String>,
}

/// How a message is made ready.
pub struct Preparation<'a> {
    /// The sender's own address; its domain is for names without one.
    pub own: &'a Address,
    /// What an added From has.
    pub from: &'a Address,
    /// The full name beside it.
    pub name: Option<&'a str>,
    /// Recipients are those of the header, and Bcc goes away.
    pub from_header: bool,
}

/// Reads a message to its end: that of the input, or a line with only a dot if that is one. `None` if it has more octets
/// than `most`.
pub fn read(input: &mut impl BufRead, most: u64, dots: bool) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        let left = most.saturating_sub(message.len() as u64);
        let mut line = Vec::new();
        if (&mut *input).take(left + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(Some(message));
        }
        if line.len() as u64 > left {
            return Ok(None);
        }
        if !dots && matches!(line.as_slice(), b".\n" | b".\r\n" | b".") {
            return Ok(Some(message));
        }
        message.append(&mut line);
    }
}

impl Preparation<'_> {
    /// Makes a message ready.
    pub fn prepare(&self, text: &[u8]) -> Message {
        let text = with_crlf(text);
        let (fields, body) = split(&text);
        let mut message = Message { octets: Vec::with_capacity(text.len() + 256), recipients: Vec::new() };
        if !fields.iter().any(|field| is(field, "From")) {
            let from = with_name(self.name.map(phrase), &self.from.to_string());
            message.octets.extend_from_slice(format!("From: {from}\r\n").as_bytes());
        }
        for field in fields {
            self.field(field, &mut message);
        }
        message.octets.extend_from_slice(b"\r\n");
        message.octets.extend_from_slice(body);
        message
    }

    fn field(&self, field: &[u8], message: &mut Message) {
        let Some(name) =
            ["From", "Sender", "Reply-To", "To", "Cc", "Bcc"].into_iter().find(|name| is(field, name))
        else {
            return message.octets.extend_from_slice(field);
        };
        let value = field.splitn(2, |octet| *octet == b':').nth(1).unwrap_or_default();
        let found = mailboxes(value);
        if self.from_header && matches!(name, "To" | "Cc" | "Bcc") {
            message.recipients.extend(found.iter().map(|mailbox| self.qualified(mailbox)));
            if name == "Bcc" {
                return;
            }
        }
        if found.iter().all(|mailbox| !mailbox.host.is_empty()) {
            return message.octets.extend_from_slice(field);
        }
        let full = |mailbox: &Mailbox| {
            let name = mailbox.name.as_ref().map(|name| phrase(&String::from_utf8_lossy(name)));
            with_name(name, &self.qualified(mailbox))
        };
        let list = found.iter().map(full).collect::<Vec<_>>().join(",\r\n\t");
        message.octets.extend_from_slice(format!("{name}: {list}\r\n").as_bytes());
    }

    fn qualified(&self, mailbox: &Mailbox) -> String {
        mailbox
            .to_address()
            .map_or_else(|| qualified(&mailbox.address(), self.own.domain()), |a| a.to_string())
    }
}

/// A name with the domain that it lacks.
pub fn qualified(address: &str, domain: Option<&Domain>) -> String {
    match domain {
        Some(domain) if !address.contains('@') => format!("{address}@{domain}"),
        _ => address.to_owned(),
    }
}

/// Ends each line with CRLF: an LF, a CR LF, or a CR alone, as programs write that draw progress bars.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut octets = text.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' => {
                octets.next_if_eq(&b'\n');
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            octet => out.push(octet),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The header's fields, each with its CRLF and the lines that continue it, and the body. The header ends at an empty
/// line, or where a line is no field: many programs send text alone.
fn split(text: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut fields: Vec<std::ops::Range<usize>> = Vec::new();
    let mut at = 0;
    let mut body = text.len();
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let end = at + line.len();
        match fields.last_mut() {
            _ if line == b"\r\n" => {
                body = end;
                break;
            }
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.end = end,
            _ if is_field(line) => fields.push(at..end),
            // What mbox files put before a message.
            None if line.starts_with(b"From ") => {}
            _ => {
                body = at;
                break;
            }
        }
        at = end;
    }
    let fields = fields.into_iter().filter_map(|range| text.get(range)).collect();
    (fields, text.get(body..).unwrap_or_default())
}

/// Whether a line begins a field: a name of printable characters, then a colon (RFC 5322 §2.2), white space between them
/// allowed (§4.5.3).
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|octet| *octet == b':') else { return false };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

fn is(field: &[u8], name: &str) -> bool {
    let found = field.split(|octet| *octet == b':').next().unwrap_or_default();
    found.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
}

fn with_name(name: Option<String>, address: &str) -> String {
    name.map_or_else(|| address.to_owned(), |name| format!("{name} <{address}>"))
}

/// A display name as it stands in a field: atoms, a quoted string (RFC 5322 §3.2.5), or encoded words (RFC 2047).
fn phrase(name: &str) -> String {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    if !name.is_empty() && name.chars().all(atom) {
        return name.to_owned();
    }
    if name.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let mut words = vec![String::new()];
    for c in name.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD => word.push(c),
            _ => words.push(c.into()),
        }
    }
    let encoded = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word)));
    encoded.collect::<Vec<_>>().join("\r\n\t")
}

#[cfg(test)]
mod tests;
