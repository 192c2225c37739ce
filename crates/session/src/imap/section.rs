//! What FETCH takes out of an opened message: sections, decoded parts, and what they are called in the answer.

use super::print;
use crate::mailstore::Message;
use base::mailbox::MailError;
use std::io;
use std::ops::Range;
use wire::imap::command::{FetchItem, Partial, Section, SectionText};
use wire::mime::describe::Written;
use wire::mime::{self, Decoder, Encoding, Kind, PartId, Tree};

/// Octets read at once.
pub(super) const CHUNK: u64 = 64 * 1024;

/// An item for which the message is opened.
pub(super) struct Part {
    /// Its name in the answer, the origin of a partial fetch included.
    label: Vec<u8>,
    what: What,
    partial: Option<Partial>,
}

enum What {
    Section(Section),
    Binary(Vec<u32>),
    BinarySize(Vec<u32>),
    /// `BODY`: the structure without extension data.
    Structure,
    /// `PREVIEW` (RFC 8970)
    Preview,
}

/// What is sent of an item, behind its name.
pub(super) enum Content {
    /// Sent at once: a number, NIL, a structure, or a short string with its frame.
    Short(Vec<u8>),
    /// A literal of the message's own octets.
    Octets(Range<u64>),
    /// A literal of decoded octets.
    Decoded(Box<Decoding>),
}

/// A part that is decoded while it is sent.
pub(super) struct Decoding {
    decoder: Decoder,
    /// Octets of the message that are still to be decoded.
    source: Range<u64>,
    /// Decoded octets that are passed over.
    skip: u64,
    /// Decoded octets that are still to be sent.
    left: u64,
    /// Whether there is a NUL, so that the literal is a literal8.
    nul: bool,
}

impl Part {
    /// The item as one that needs the message; `None` for one that doesn't.
    pub(super) fn new(item: &FetchItem) -> Option<Self> {
        let header = Section { part: Vec::new(), text: SectionText::Header };
        let text = Section { part: Vec::new(), text: SectionText::Text };
        let all = Section { part: Vec::new(), text: SectionText::All };
        let (label, what, partial) = match item {
            FetchItem::Rfc822 => ("RFC822".into(), What::Section(all), None),
            FetchItem::Rfc822Header => ("RFC822.HEADER".into(), What::Section(header), None),
            FetchItem::Rfc822Text => ("RFC822.TEXT".into(), What::Section(text), None),
            FetchItem::Body => ("BODY".into(), What::Structure, None),
            FetchItem::Preview => ("PREVIEW".into(), What::Preview, None),
            FetchItem::BodySection { section, partial, .. } => {
                (section_label(section, *partial), What::Section(section.clone()), *partial)
            }
            FetchItem::Binary { part, partial, .. } => {
                (binary_label("BINARY", part, *partial), What::Binary(part.clone()), *partial)
            }
            FetchItem::BinarySize { part } => {
                (binary_label("BINARY.SIZE", part, None), What::BinarySize(part.clone()), None)
            }
            _ => return None,
        };
        Some(Part { label, what, partial })
    }

    /// The item's name, as the answer has it.
    pub(super) fn label(&self) -> &[u8] {
        &self.label
    }

    /// What stands for the item where there is nothing to tell: RFC 3516 §7 has a size that is a number always.
    pub(super) fn nothing(&self) -> &'static [u8] {
        if let What::BinarySize(_) = self.what { b"0" } else { b"NIL" }
    }

    /// Finds the item's octets. `Ok(None)`: the transfer encoding isn't known (RFC 3516 §4.3).
    pub(super) fn open(&self, message: &dyn Message) -> Result<Option<Content>, MailError> {
        let tree = message.tree();
        let content = match &self.what {
            What::Structure => Content::Short(mime::describe::body(tree, message).map_err(unreadable)?),
            What::Preview => {
                let text = mime::preview(tree, message).map_err(unreadable)?;
                let mut shown = Vec::new();
                print::string(&mut shown, text.as_bytes());
                Content::Short(shown)
            }
            What::Section(section) => match find(message, section, self.partial)? {
                None => nil(),
                Some(Found::Octets(range)) => Content::Octets(range),
                Some(Found::Fields(fields)) => Content::Short(framed(&fields)),
            },
            What::Binary(part) | What::BinarySize(part) => return self.open_binary(message, part),
        };
        Ok(Some(content))
    }

    fn open_binary(&self, message: &dyn Message, part: &[u32]) -> Result<Option<Content>, MailError> {
        let tree = message.tree();
        let Some(found) = tree.find(part).and_then(|id| tree.get(id)) else {
            return Ok(Some(Content::Short(self.nothing().to_vec())));
        };
        let source = if part.is_empty() { found.whole() } else { found.body() };
        let encoding =
            if found.kind == Kind::Leaf && !part.is_empty() { found.encoding } else { Encoding::Identity };
        if encoding == Encoding::Unknown {
            return Ok(None);
        }
        let measured = measure(message, source.clone(), encoding)?;
        if matches!(self.what, What::BinarySize(_)) {
            let mut size = Vec::new();
            print::number(&mut size, measured.total);
            return Ok(Some(Content::Short(size)));
        }
        let (skip, length) = self.partial.map_or((0, u64::MAX), |partial| (partial.start, partial.length));
        let left = measured.total.saturating_sub(skip).min(length);
        // RFC 3516 §4.2: a literal8 only where it is needed; a plain one may hold no NUL.
        if encoding == Encoding::Identity && !measured.nul {
            return Ok(Some(Content::Octets(cut_range(source, self.partial))));
        }
        let decoding = Decoding { decoder: Decoder::new(encoding), source, skip, left, nul: measured.nul };
        Ok(Some(Content::Decoded(Box::new(decoding))))
    }
}

impl Decoding {
    /// Decodes a chunk onto `out`; true when all is sent.
    fn step(&mut self, message: &dyn Message, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(true);
        }
        let end = self.source.end.min(self.source.start + CHUNK);
        let mut raw = Vec::new();
        message.read(self.source.start..end, &mut raw)?;
        let mut decoded = Vec::new();
        self.decoder.push(&raw, &mut decoded);
        self.source.start = end;
        let ended = self.source.is_empty();
        if ended {
            self.decoder.finish(&mut decoded);
        }
        let skipped = self.skip.min(decoded.len() as u64);
        self.skip -= skipped;
        let rest = decoded.get(skipped as usize..).unwrap_or_default();
        let sent = self.left.min(rest.len() as u64);
        out.extend_from_slice(rest.get(..sent as usize).unwrap_or_default());
        self.left -= sent;
        match ended && self.left > 0 {
            // It was longer when it was measured.
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(self.left == 0),
        }
    }
}

impl Content {
    /// Appends what stands before the octets: a literal's announcement.
    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        match self {
            Content::Short(_) => {}
            Content::Octets(range) => print::literal(out, range.end - range.start),
            Content::Decoded(decoding) if decoding.nul => print::literal8(out, decoding.left),
            Content::Decoded(decoding) => print::literal(out, decoding.left),
        }
    }

    /// Appends some of the octets; true when all are sent. Fails where the message can't be read, and then what
    /// was announced can't be kept.
    pub(super) fn step(&mut self, message: &dyn Message, out: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Content::Short(text) => {
                out.append(text);
                Ok(true)
            }
            Content::Octets(range) => {
                let end = range.end.min(range.start + CHUNK);
                message.read(range.start..end, out)?;
                range.start = end;
                Ok(range.is_empty())
            }
            Content::Decoded(decoding) => decoding.step(message, out),
        }
    }
}

/// The structure of a part as BODYSTRUCTURE has it, `as_decoded`: with its transfer encoding undone, where it has one
/// that is known (RFC 5524). Its lines are then not counted.
pub(super) fn structure(
    message: &dyn Message,
    part: &[u32],
    as_decoded: bool,
) -> Result<Option<Vec<u8>>, MailError> {
    let tree = message.tree();
    let Some((id, found)) = tree.find(part).and_then(|id| Some((id, tree.get(id)?))) else { return Ok(None) };
    let is_coded = !matches!(found.encoding, Encoding::Identity | Encoding::Unknown);
    let decoded = match as_decoded && is_coded && found.kind == Kind::Leaf {
        true => Some(measure(message, found.body(), found.encoding)?),
        false => None,
    };
    let written = decoded.map(|measured| Written {
        encoding: match measured {
            Measured { nul: true, .. } => "BINARY",
            Measured { ascii: true, .. } => "7BIT",
            _ => "8BIT",
        },
        octets: measured.total,
        lines: 0,
    });
    mime::describe::part_structure(tree, message, id, written).map(Some).map_err(unreadable)
}

/// The octets of a section.
pub(super) enum Found {
    /// The message's own.
    Octets(Range<u64>),
    /// Chosen fields.
    Fields(Vec<u8>),
}

/// Finds the octets of a section, or a piece of them; `Ok(None)`: there is no such part.
pub(super) fn find(
    message: &dyn Message,
    section: &Section,
    partial: Option<Partial>,
) -> Result<Option<Found>, MailError> {
    let tree = message.tree();
    let range = match section {
        Section { part, text: SectionText::HeaderFields { names, not } } => {
            let Some(found) = message_of(tree, part).and_then(|id| tree.get(id)) else { return Ok(None) };
            let mut header = Vec::new();
            message.read(found.header(), &mut header).map_err(unreadable)?;
            let mut fields = Vec::new();
            header_fields(&header, names, *not, &mut fields);
            return Ok(Some(Found::Fields(cut(&fields, partial).to_vec())));
        }
        Section { part, text: SectionText::All } if part.is_empty() => Some(0..message.len()),
        section => range_of(tree, section),
    };
    Ok(range.map(|range| Found::Octets(cut_range(range, partial))))
}

pub(super) fn unreadable(error: io::Error) -> MailError {
    MailError::Unavailable(format!("a message can't be read: {error}"))
}

fn nil() -> Content {
    Content::Short(b"NIL".to_vec())
}

fn framed(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 16);
    print::literal(&mut out, octets.len() as u64);
    out.extend_from_slice(octets);
    out
}

/// The message that a section's part number means with HEADER and TEXT: the message itself, or the one that the
/// part holds.
fn message_of(tree: &Tree, part: &[u32]) -> Option<PartId> {
    match part {
        [] => Some(PartId::ROOT),
        part => tree.embedded(tree.find(part)?),
    }
}

fn range_of(tree: &Tree, section: &Section) -> Option<Range<u64>> {
    let part = &section.part;
    match section.text {
        SectionText::All => Some(tree.get(tree.find(part)?)?.body()),
        SectionText::Mime => Some(tree.get(tree.find(part)?)?.header()),
        SectionText::Header | SectionText::HeaderFields { .. } => {
            Some(tree.get(message_of(tree, part)?)?.header())
        }
        SectionText::Text => Some(tree.get(message_of(tree, part)?)?.body()),
    }
}

/// RFC 9051 §6.4.5.1: an origin beyond the end gives nothing, a length beyond it what there is.
fn cut_range(range: Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(partial) = partial else { return range };
    let start = range.start.saturating_add(partial.start).min(range.end);
    start..start.saturating_add(partial.length).min(range.end)
}

fn cut(octets: &[u8], partial: Option<Partial>) -> &[u8] {
    let range = cut_range(0..octets.len() as u64, partial);
    octets.get(range.start as usize..range.end as usize).unwrap_or_default()
}

struct Measured {
    total: u64,
    nul: bool,
    ascii: bool,
}

/// Decodes once to know the length, which stands in front of the octets.
fn measure(message: &dyn Message, source: Range<u64>, encoding: Encoding) -> Result<Measured, MailError> {
    let mut decoder = Decoder::new(encoding);
    let mut measured = Measured { total: 0, nul: false, ascii: true };
    let (mut raw, mut decoded) = (Vec::new(), Vec::new());
    let mut at = source.start;
    while at < source.end {
        let end = source.end.min(at + CHUNK);
        raw.clear();
        message.read(at..end, &mut raw).map_err(unreadable)?;
        decoder.push(&raw, &mut decoded);
        at = end;
        if at == source.end {
            decoder.finish(&mut decoded);
        }
        measured.total += decoded.len() as u64;
        measured.nul |= memchr::memchr(0, &decoded).is_some();
        measured.ascii &= decoded.is_ascii();
        decoded.clear();
    }
    Ok(measured)
}

/// Appends those fields of a header that have (or have not) one of the names, and the blank line
/// (RFC 9051 §6.4.5.1).
pub(super) fn header_fields<N: AsRef<str>>(header: &[u8], names: &[N], not: bool, out: &mut Vec<u8>) {
    for field in mime::header::fields(header) {
        if names.iter().any(|name| field.is(name.as_ref())) != not {
            out.extend_from_slice(field.raw);
            // A header that ends within a field has no line end there.
            if !field.raw.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// `BODY[…]`, as the answer has it.
pub(super) fn section_label(section: &Section, partial: Option<Partial>) -> Vec<u8> {
    let mut out = b"BODY".to_vec();
    print::section(&mut out, section, partial);
    out
}

fn binary_label(name: &str, part: &[u32], partial: Option<Partial>) -> Vec<u8> {
    let mut out = name.as_bytes().to_vec();
    print::binary_section(&mut out, part, partial);
    out
}
