//! The structure of a message.

use super::charset;
use super::parameter::{ContentType, Disposition};
use super::transfer::{Decoder, Encoding};
use super::{Parser, header, word};
use base::{Limits, Octets};
use std::io;
use std::ops::Range;

/// A part of a message; 0 is the message itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartId(pub u32);

impl PartId {
    /// The message itself.
    pub const ROOT: PartId = PartId(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a part is made of, as it was read. A part may declare to be a multipart and yet be a leaf: no delimiter
/// found, nested too deep, encoded where that is forbidden. A note says so then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Content.
    Leaf,
    /// Parts between delimiters (RFC 2046 §5.1).
    Multipart,
    /// One embedded message, its only child (RFC 2046 §5.2.1, RFC 6532 §3.7).
    Message,
}

/// A field of a message's own header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// The name in lower case; empty for a line that is no field (no colon, or no name before it).
    pub name: Box<str>,
    pub(super) start: u64,
    pub(super) value_at: u32,
    pub(super) value_len: u32,
    pub(super) len: u32,
}

impl Field {
    /// The whole field: name, colon, value, folds and the line end.
    pub fn whole(&self) -> Range<u64> {
        self.start..self.start + u64::from(self.len)
    }

    /// What follows the colon, folds included, the last line end not.
    pub fn value(&self) -> Range<u64> {
        let start = self.start + u64::from(self.value_at);
        start..start + u64::from(self.value_len)
    }
}

/// One part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The part that it lies in; `None` for the message itself.
    pub parent: Option<PartId>,
    /// What it is made of.
    pub kind: Kind,
    /// Its declared (or default) type.
    pub content_type: ContentType,
    /// Its content disposition (RFC 2183).
    pub disposition: Option<Disposition>,
    /// Its transfer encoding.
    pub encoding: Encoding,
    /// The transfer encoding as the field names it, lower case; `None` where there is no field.
    pub encoding_name: Option<String>,
    /// Content-ID, as it stands.
    pub id: Option<String>,
    /// Content-Description, unfolded; encoded words as they stand.
    pub description: Option<String>,
    /// Content-MD5.
    pub md5: Option<String>,
    /// Content-Language's tags.
    pub language: Vec<String>,
    /// Content-Location.
    pub location: Option<String>,
    /// Line ends in the body, as IMAP counts lines.
    pub lines: u64,
    /// The header fields, if this is a message: the message itself or an embedded one. At most
    /// `Limits::header_fields`, in order.
    pub fields: Vec<Field>,
    pub(super) start: u64,
    pub(super) body_at: u64,
    pub(super) end: u64,
    /// One past the last part that lies within this one.
    pub(super) after: u32,
}

impl Part {
    pub(super) fn new(parent: Option<PartId>, start: u64) -> Self {
        Part {
            parent,
            kind: Kind::Leaf,
            content_type: ContentType::default(),
            disposition: None,
            encoding: Encoding::Identity,
            encoding_name: None,
            id: None,
            description: None,
            md5: None,
            language: Vec::new(),
            location: None,
            lines: 0,
            fields: Vec::new(),
            start,
            body_at: start,
            end: start,
            after: 0,
        }
    }

    /// The header with the blank line that ends it.
    pub fn header(&self) -> Range<u64> {
        self.start..self.body_at
    }

    /// The body, without the line end that belongs to the next delimiter (RFC 2046 §5.1.1).
    pub fn body(&self) -> Range<u64> {
        self.body_at..self.end
    }

    /// Header and body.
    pub fn whole(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Octets of the body, in its transfer encoding.
    pub fn size(&self) -> u64 {
        self.end - self.body_at
    }

    /// The file name as mail clients show it: of the disposition, else of the type; RFC 2231 and RFC 2047 undone.
    pub fn file_name(&self) -> Option<String> {
        self.file_names().into_iter().next()
    }

    /// Every name that some client may take for the file's, the most likely first.
    pub fn file_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let disposition =
            self.disposition.iter().flat_map(|d| &d.parameters).filter(|p| p.name == "filename");
        let content_type = self.content_type.parameters.iter().filter(|p| p.name == "name");
        for parameter in disposition.chain(content_type) {
            for name in parameter.as_file_names() {
                if !name.is_empty() && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Whether the part asks to be offered as a file: by disposition, or by having a name.
    pub fn is_attachment(&self) -> bool {
        self.disposition.as_ref().is_some_and(|d| d.kind == "attachment") || self.file_name().is_some()
    }

    /// The description with its encoded words undone.
    pub fn description_text(&self) -> Option<String> {
        self.description.as_ref().map(|text| word::decode(text.as_bytes()))
    }
}

/// Something odd about a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// What.
    pub kind: NoteKind,
    /// The part it was seen in.
    pub part: PartId,
    /// Where it was first seen in this part.
    pub at: u64,
}

macro_rules! note_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What can be odd. Each is noted once a part.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum NoteKind { $($(#[$doc])* $name = $number,)* }

        impl NoteKind {
            /// Every kind.
            pub const ALL: &[NoteKind] = &[$(NoteKind::$name,)*];
        }
    };
}

note_kinds! {
    /// A multipart ends without its closing delimiter.
    MissingCloseDelimiter = 0,
    /// A multipart in which no delimiter was found; it is a leaf.
    NoDelimiter = 1,
    /// A multipart without a usable boundary parameter; it is a leaf.
    NoBoundary = 2,
    /// More than one boundary parameter; the first was taken.
    DuplicateBoundary = 3,
    /// More than one Content-Type field; the first was taken.
    DuplicateContentType = 4,
    /// A Content-Type that can't be read: text/plain was taken (RFC 2045 §5.2).
    BadContentType = 5,
    /// A line begins with an open boundary's delimiter and goes on with more text. It was taken for text: nearly
    /// all readers do so, though RFC 2046 §5.1.1 speaks of the line's beginning only.
    DelimiterPrefix = 6,
    /// A delimiter of a multipart that was closed already; taken for epilogue.
    DelimiterAfterClose = 7,
    /// A delimiter behind blanks or within a line; taken for text, as it must be.
    DelimiterMidLine = 8,
    /// A boundary that an outer multipart uses too.
    BoundaryReused = 9,
    /// A multipart or message that is nested too deep; it is a leaf.
    TooDeep = 10,
    /// More parts than allowed, or too much header text in all; further ones stay part of their parent.
    TooManyParts = 11,
    /// A header line that is no field. The header goes on behind it.
    NotAField = 12,
    /// A header without the blank line that ends it.
    HeaderNeverEnds = 13,
    /// A header longer than allowed: what lies beyond was not looked at.
    HeaderTooLong = 14,
    /// More header fields than allowed: further ones were not listed.
    TooManyFields = 15,
    /// Octets over 127 in a header.
    EightBitHeader = 16,
    /// A CR without LF.
    BareCr = 17,
    /// An LF without CR.
    BareLf = 18,
    /// A NUL.
    Nul = 19,
    /// Characters in a base64 body that are neither base64 nor blanks.
    BadBase64 = 20,
    /// More than one Content-Transfer-Encoding field, and they differ; the first was taken.
    ConflictingEncodings = 21,
    /// A transfer encoding that is not known.
    UnknownEncoding = 22,
    /// A multipart or message in base64 or quoted-printable, which RFC 2045 §6.4 forbids: a multipart was read as
    /// it stands, a message is a leaf.
    EncodedContainer = 23,
    /// Parameters of one name that differ, or were given in several ways.
    AmbiguousParameter = 24,
    /// A boundary that looks like an encoded word; taken as it stands.
    BoundaryIsWord = 25,
    /// More parameters in one field than are looked at.
    TooManyParameters = 26,
}

/// A message's structure: its parts in order, the message itself first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    pub(super) parts: Vec<Part>,
    pub(super) notes: Vec<Note>,
    pub(super) size: u64,
    pub(super) longest_line: u64,
    pub(super) eight_bit: bool,
}

impl Tree {
    /// Reads a message that lies in memory.
    pub fn parse(message: &[u8], limits: &Limits) -> Tree {
        let mut parser = Parser::new(limits);
        parser.push(message);
        parser.finish()
    }

    /// All parts: each before those that lie within it.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// All parts with their ids.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (PartId, &Part)> {
        self.parts.iter().enumerate().map(|(index, part)| (PartId(index as u32), part))
    }

    /// One part, if the id is this tree's.
    pub fn get(&self, id: PartId) -> Option<&Part> {
        self.parts.get(id.index())
    }

    /// The message itself.
    pub fn root(&self) -> &Part {
        &self.parts[0]
    }

    /// The message's header fields.
    pub fn fields(&self) -> &[Field] {
        &self.root().fields
    }

    /// The message's header fields of one name, in whatever case.
    pub fn fields_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        self.fields().iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The parts directly within a part.
    pub fn children(&self, id: PartId) -> impl Iterator<Item = PartId> {
        let mut next = id.index() + 1;
        let end = self.get(id).map_or(0, |part| part.after as usize);
        std::iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = (self.parts.get(child)?.after as usize).max(child + 1);
            Some(PartId(child as u32))
        })
    }

    /// The message embedded in a message/rfc822 part.
    pub fn embedded(&self, id: PartId) -> Option<PartId> {
        self.get(id).filter(|part| part.kind == Kind::Message)?;
        self.children(id).next()
    }

    /// Whether a part is a message: the message itself or an embedded one.
    pub fn is_message(&self, id: PartId) -> bool {
        self.get(id).is_some_and(|part| match part.parent {
            None => true,
            Some(parent) => self.get(parent).is_some_and(|p| p.kind == Kind::Message),
        })
    }

    /// The part that an IMAP section number names (RFC 9051 §6.4.5.1). The only part of a message that isn't a
    /// multipart has number 1. No numbers name the message itself.
    pub fn find(&self, numbers: &[u32]) -> Option<PartId> {
        let mut at = PartId::ROOT;
        let mut is_message = true;
        for &number in numbers {
            if !is_message && let Some(message) = self.embedded(at) {
                at = message;
                is_message = true;
            }
            let part = self.get(at)?;
            at = match part.kind {
                Kind::Multipart => self.children(at).nth((number as usize).checked_sub(1)?)?,
                _ if is_message && number == 1 => at,
                _ => return None,
            };
            is_message = false;
        }
        Some(at)
    }

    /// What was odd, by place.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether something was odd in a certain way.
    pub fn has_note(&self, kind: NoteKind) -> bool {
        self.notes.iter().any(|note| note.kind == kind)
    }

    /// Whether the header was read to its end: beyond our bounds may be fields that nobody looked at.
    pub fn header_is_whole(&self) -> bool {
        !self.has_note(NoteKind::HeaderTooLong) && !self.has_note(NoteKind::TooManyFields)
    }

    /// Octets of the message.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Octets of the longest line, its line end left out.
    pub fn longest_line(&self) -> u64 {
        self.longest_line
    }

    /// Whether there is any octet over 127.
    pub fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Puts complete header fields (`Received`, `Return-Path`, …) in front of the message: every range moves.
    /// Fields that describe the content are listed, but change no type.
    pub fn prepend_header(&mut self, prefix: &[u8]) {
        let by = prefix.len() as u64;
        for (index, part) in self.parts.iter_mut().enumerate() {
            part.start += if index == 0 { 0 } else { by };
            part.body_at += by;
            part.end += by;
            for field in &mut part.fields {
                field.start += by;
            }
        }
        for note in &mut self.notes {
            note.at += by;
        }
        self.size += by;
        let longest =
            prefix.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).len());
        self.longest_line = self.longest_line.max(longest.max().unwrap_or(0) as u64);
        self.eight_bit |= !prefix.is_ascii();
        if let Some(root) = self.parts.first_mut() {
            root.fields.splice(..0, header::fields(prefix).map(|raw| raw.locate(0)));
        }
    }

    /// The content of a part, its transfer encoding undone, appended to `out`.
    ///
    /// # Errors
    /// Those of reading `raw`, the message's octets.
    pub fn decode_body(&self, id: PartId, raw: &dyn Octets, out: &mut Vec<u8>) -> io::Result<()> {
        let part = self.get(id).ok_or(io::ErrorKind::NotFound)?;
        let mut decoder =
            Decoder::new(if part.kind == Kind::Leaf { part.encoding } else { Encoding::Identity });
        for_each_chunk(raw, part.body(), |chunk| {
            decoder.push(chunk, out);
            true
        })?;
        decoder.finish(out);
        Ok(())
    }

    /// The text of a part in UTF-8, its transfer encoding and its charset undone.
    ///
    /// # Errors
    /// Those of reading `raw`, the message's octets.
    pub fn text_of(&self, id: PartId, raw: &dyn Octets) -> io::Result<String> {
        let mut octets = Vec::new();
        self.decode_body(id, raw, &mut octets)?;
        let label = self.get(id).and_then(|part| part.content_type.get("charset"));
        Ok(charset::to_utf8(label, &octets))
    }
}

/// Octets read at once.
const CHUNK: u64 = 64 * 1024;

/// Gives the octets of a range in bounded chunks, until `each` says `false`.
pub(super) fn for_each_chunk(
    raw: &dyn Octets,
    range: Range<u64>,
    mut each: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let whole = raw
        .as_slice()
        .and_then(|all| all.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?));
    if let Some(whole) = whole {
        let _ = whole.chunks(CHUNK as usize).all(each);
        return Ok(());
    }
    let mut at = range.start;
    let mut buffer = Vec::new();
    while at < range.end {
        let end = range.end.min(at + CHUNK);
        buffer.clear();
        raw.read(at..end, &mut buffer)?;
        if !each(&buffer) {
            break;
        }
        at = end;
    }
    Ok(())
}
