//! What IMAP tells of a message: ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2, RFC 3501 §7.4.2).

use super::address::{self, Entry};
use super::header::{self, unfold};
use super::parameter::{Disposition, Parameter};
use super::tree::{Kind, Part, PartId, Tree};
use base::Octets;
use std::io;

/// Octets of a text that is sent as a quoted string; a longer one goes as a literal.
const QUOTED_OCTETS: usize = 1000;
/// Octets of an embedded message's header that its envelope is made of.
const EMBEDDED_HEADER_OCTETS: u64 = 1024 * 1024;

/// The ENVELOPE of a message, from its header.
///
/// Of From, Sender and Reply-To the first field counts; several To, Cc or Bcc fields are joined.
pub fn envelope(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len().min(1024) + 64);
    let mut fields: [Vec<&[u8]>; NAMES.len()] = Default::default();
    for field in header::fields(header) {
        if let Some(at) = NAMES.iter().position(|name| field.is(name)) {
            fields[at].push(field.value);
        }
    }
    let [date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id] = fields;
    let text = |out: &mut Vec<u8>, values: &[&[u8]]| {
        nstring(out, values.first().map(|value| unfold(value)).as_deref());
    };
    out.push(b'(');
    text(&mut out, &date);
    out.push(b' ');
    text(&mut out, &subject);
    let mut author = Vec::new();
    addresses(&mut author, from.get(..1).unwrap_or_default());
    out.push(b' ');
    out.extend_from_slice(&author);
    for values in [&sender, &reply_to] {
        out.push(b' ');
        let before = out.len();
        addresses(&mut out, values.get(..1).unwrap_or_default());
        if &out[before..] == b"NIL" {
            out.truncate(before);
            out.extend_from_slice(&author);
        }
    }
    for values in [&to, &cc, &bcc] {
        out.push(b' ');
        addresses(&mut out, values);
    }
    out.push(b' ');
    text(&mut out, &in_reply_to);
    out.push(b' ');
    text(&mut out, &message_id);
    out.push(b')');
    out
}

/// The fields of an envelope, in its order.
const NAMES: [&str; 10] =
    ["date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"];

/// The address structures of some fields' values, or NIL. At most [`address::MAX_ENTRIES`].
fn addresses(out: &mut Vec<u8>, values: &[&[u8]]) {
    let before = out.len();
    let mut room = address::MAX_ENTRIES;
    out.push(b'(');
    for value in values {
        if room == 0 {
            break;
        }
        for entry in address::parse(value) {
            address_structure(out, &entry);
            room = room.saturating_sub(1);
        }
    }
    if out.len() == before + 1 {
        out.truncate(before);
        out.extend_from_slice(b"NIL");
    } else {
        out.push(b')');
    }
}

fn address_structure(out: &mut Vec<u8>, entry: &Entry) {
    let (name, route, local, host) = match entry {
        Entry::Mailbox(m) => {
            (m.name.as_deref(), m.route.as_deref(), Some(m.local.as_slice()), Some(m.host.as_slice()))
        }
        Entry::GroupStart(name) => (None, None, Some(name.as_slice()), None),
        Entry::GroupEnd => (None, None, None, None),
    };
    out.push(b'(');
    for (at, value) in [name, route, local, host].into_iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        nstring(out, value);
    }
    out.push(b')');
}

/// The BODYSTRUCTURE of a message, extension data included.
///
/// # Errors
/// Those of reading `raw`, the message's octets: headers of embedded messages are read.
pub fn body_structure(tree: &Tree, raw: &dyn Octets) -> io::Result<Vec<u8>> {
    describe(tree, raw, PartId::ROOT, true)
}

/// The BODY of a message: its structure without extension data.
///
/// # Errors
/// As [`body_structure`].
pub fn body(tree: &Tree, raw: &dyn Octets) -> io::Result<Vec<u8>> {
    describe(tree, raw, PartId::ROOT, false)
}

/// The BODYSTRUCTURE of one part. With `decoded`, a part without parts is described as it is once its transfer encoding
/// is undone (RFC 5524).
///
/// # Errors
/// As [`body_structure`].
pub fn part_structure(
    tree: &Tree,
    raw: &dyn Octets,
    id: PartId,
    decoded: Option<Written<'_>>,
) -> io::Result<Vec<u8>> {
    match tree.get(id).filter(|part| part.kind == Kind::Leaf).zip(decoded) {
        Some((part, decoded)) => {
            let mut out = b"(".to_vec();
            leaf(&mut out, part, &decoded, true);
            Ok(out)
        }
        None => describe(tree, raw, id, true),
    }
}

/// How a part's content is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written<'a> {
    /// The transfer encoding's name.
    pub encoding: &'a str,
    /// Octets.
    pub octets: u64,
    /// Lines.
    pub lines: u64,
}

impl<'a> Written<'a> {
    fn of(part: &'a Part) -> Self {
        let encoding = part.encoding_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("7bit");
        Written { encoding, octets: part.size(), lines: part.lines }
    }
}

/// One step of walking through a tree.
enum Step {
    Begin(PartId),
    End(PartId),
}

fn describe(tree: &Tree, raw: &dyn Octets, from: PartId, extended: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut steps = vec![Step::Begin(from)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Begin(id) => {
                let Some(part) = tree.get(id) else { continue };
                out.push(b'(');
                match part.kind {
                    Kind::Leaf => leaf(&mut out, part, &Written::of(part), extended),
                    Kind::Multipart => steps.push(Step::End(id)),
                    Kind::Message => {
                        let written = Written::of(part);
                        basic_fields(&mut out, part, "MESSAGE", &part.content_type.subtype, true, &written);
                        out.push(b' ');
                        out.extend(embedded_envelope(tree, id, raw)?);
                        out.push(b' ');
                        steps.push(Step::End(id));
                    }
                }
                let begun = steps.len();
                steps.extend(tree.children(id).map(Step::Begin));
                if let Some(children) = steps.get_mut(begun..) {
                    children.reverse();
                }
            }
            Step::End(id) => {
                let Some(part) = tree.get(id) else { continue };
                end(&mut out, part, extended);
            }
        }
    }
    Ok(out)
}

fn embedded_envelope(tree: &Tree, id: PartId, raw: &dyn Octets) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    if let Some(message) = tree.embedded(id).and_then(|child| tree.get(child)) {
        let range = message.header();
        raw.read(range.start..range.end.min(range.start + EMBEDDED_HEADER_OCTETS), &mut header)?;
    }
    Ok(envelope(&header))
}

/// What follows the parts of a multipart or the structure of an embedded message.
fn end(out: &mut Vec<u8>, part: &Part, extended: bool) {
    out.push(b' ');
    if part.kind == Kind::Message {
        out.extend_from_slice(part.lines.to_string().as_bytes());
        if extended {
            out.push(b' ');
            nstring(out, part.md5.as_deref().map(str::as_bytes));
            common_extension(out, part);
        }
    } else {
        string(out, part.content_type.subtype.to_ascii_uppercase().as_bytes());
        if extended {
            out.push(b' ');
            parameters(out, &part.content_type.parameters, false);
            common_extension(out, part);
        }
    }
    out.push(b')');
}

/// A part without parts. What could not be taken apart is described as what a client can show: a multipart as text, an
/// encoded message as a file.
fn leaf(out: &mut Vec<u8>, part: &Part, written: &Written<'_>, extended: bool) {
    let declared = &part.content_type;
    let (kind, subtype) = match declared.kind.as_str() {
        "multipart" => ("TEXT", "PLAIN"),
        _ if declared.is_message() => ("APPLICATION", "OCTET-STREAM"),
        kind => (kind, declared.subtype.as_str()),
    };
    basic_fields(out, part, kind, subtype, declared.kind != "multipart", written);
    if kind.eq_ignore_ascii_case("text") {
        out.push(b' ');
        out.extend_from_slice(written.lines.to_string().as_bytes());
    }
    if extended {
        out.push(b' ');
        nstring(out, part.md5.as_deref().map(str::as_bytes));
        common_extension(out, part);
    }
    out.push(b')');
}

/// Type to size.
fn basic_fields(
    out: &mut Vec<u8>,
    part: &Part,
    kind: &str,
    subtype: &str,
    with_parameters: bool,
    written: &Written<'_>,
) {
    string(out, kind.to_ascii_uppercase().as_bytes());
    out.push(b' ');
    string(out, subtype.to_ascii_uppercase().as_bytes());
    out.push(b' ');
    let given = if with_parameters { part.content_type.parameters.as_slice() } else { &[] };
    // RFC 2045 §5.2: text/plain without a charset is US-ASCII.
    let is_plain = kind.eq_ignore_ascii_case("text") && subtype.eq_ignore_ascii_case("plain");
    parameters(out, given, is_plain && given.iter().all(|p| p.name != "charset"));
    for value in [&part.id, &part.description] {
        out.push(b' ');
        nstring(out, value.as_deref().map(str::as_bytes));
    }
    out.push(b' ');
    string(out, written.encoding.to_ascii_uppercase().as_bytes());
    out.push(b' ');
    out.extend_from_slice(written.octets.to_string().as_bytes());
}

/// Disposition, language, location.
fn common_extension(out: &mut Vec<u8>, part: &Part) {
    out.push(b' ');
    disposition(out, part.disposition.as_ref());
    out.push(b' ');
    match part.language.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        [tag] => string(out, tag.as_bytes()),
        tags => {
            for (at, tag) in tags.iter().enumerate() {
                out.push(if at == 0 { b'(' } else { b' ' });
                string(out, tag.as_bytes());
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    nstring(out, part.location.as_deref().map(str::as_bytes));
}

fn disposition(out: &mut Vec<u8>, disposition: Option<&Disposition>) {
    let Some(disposition) = disposition else {
        return out.extend_from_slice(b"NIL");
    };
    out.push(b'(');
    string(out, disposition.kind.to_ascii_uppercase().as_bytes());
    out.push(b' ');
    parameters(out, &disposition.parameters, false);
    out.push(b')');
}

/// A parameter list, or NIL. A value that was written in RFC 2231's extended form is given as such, joined and in
/// UTF-8: clients expect no other under a name with an asterisk.
fn parameters(out: &mut Vec<u8>, parameters: &[Parameter], add_ascii: bool) {
    if parameters.is_empty() && !add_ascii {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for (at, parameter) in parameters.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        let name = parameter.name.to_ascii_uppercase();
        if parameter.extended {
            string(out, format!("{name}*").as_bytes());
            out.push(b' ');
            string(out, &percent_encode(&parameter.value));
        } else {
            string(out, name.as_bytes());
            out.push(b' ');
            string(out, parameter.value.as_bytes());
        }
    }
    if add_ascii {
        out.extend_from_slice(if parameters.is_empty() { b"" } else { b" " });
        out.extend_from_slice(b"\"CHARSET\" \"US-ASCII\"");
    }
    out.push(b')');
}

/// RFC 2231 §4: `utf-8''…`
fn percent_encode(value: &str) -> Vec<u8> {
    let mut out = b"utf-8''".to_vec();
    for &b in value.as_bytes() {
        if b.is_ascii_alphanumeric() || b"-._~!#$&+^`{}|".contains(&b) {
            out.push(b);
        } else {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        }
    }
    out
}

/// A text, or NIL.
pub fn nstring(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => string(out, value),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// A text, quoted if it can be, else as a literal. NUL has no place in either (RFC 9051 §4.3) and is left out.
pub fn string(out: &mut Vec<u8>, value: &[u8]) {
    let plain = |b: &u8| b.is_ascii() && !matches!(b, 0 | b'\r' | b'\n');
    if value.len() <= QUOTED_OCTETS && value.iter().all(plain) {
        out.push(b'"');
        for &b in value {
            if matches!(b, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(b);
        }
        return out.push(b'"');
    }
    let nuls = value.iter().filter(|&&b| b == 0).count();
    out.extend_from_slice(format!("{{{}}}\r\n", value.len() - nuls).as_bytes());
    out.extend(value.iter().filter(|&&b| b != 0));
}
