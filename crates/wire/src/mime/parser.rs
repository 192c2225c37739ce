//! The push parser: octets of a message go in while it arrives, its structure comes out.

use super::charset;
use super::header::{self, RawField};
use super::parameter::{self, ContentType, Disposition};
use super::reading::Reading;
use super::transfer::{Encoding, is_base64};
use super::tree::{Kind, Note, NoteKind, Part, PartId, Tree};
use super::word;
use base::Limits;
use memchr::{memchr, memchr2, memmem};
use std::mem;

/// Octets of a line in a body that are kept to see whether it is a delimiter. A longer line is none.
const LINE_KEPT: usize = 4096;
/// The longest boundary that is taken. RFC 2046 §5.1.1 allows 70.
const BOUNDARY_OCTETS: usize = 1000;
/// Header text of all parts together, as a multiple of `Limits::header_octets`.
const HEADERS: usize = 8;
/// Notes kept.
const MAX_NOTES: usize = 1000;

/// Reads a message into a [`Tree`] while it arrives.
///
/// Chunks may be cut anywhere. What is held is one header, and the beginning of one line; never a body. Lines end
/// with CRLF or LF. The cost is linear in the octets; nesting takes no stack.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    reading: Reading,
    parts: Vec<Part>,
    /// For each part, the kinds that were noted already.
    noted: Vec<u32>,
    notes: Vec<Note>,
    /// Open multiparts and messages, the outermost first.
    open: Vec<Open>,
    state: State,
    /// The header being read, and whether it grew too long.
    header: Vec<u8>,
    header_full: bool,
    /// Header octets that may still be read, fields that may still be listed.
    header_budget: usize,
    field_budget: usize,
    /// The beginning of a line that has not ended yet, and how long it is so far.
    kept: Vec<u8>,
    line_length: u64,
    /// Whether the last octet so far is a CR.
    after_cr: bool,
    /// A CR that waits for what follows it, where a bare one ends a line.
    held_cr: bool,
    /// Where the current line begins.
    at: u64,
    /// Octets of the previous line's end.
    last_end: u64,
    /// Line ends so far, and before the current body.
    line_ends: u64,
    body_line_ends: u64,
    longest_line: u64,
    eight_bit: bool,
    /// Whether the current body is base64 and faultless so far.
    check_base64: bool,
}

/// What the current line belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The header of the last part.
    Header,
    /// The body of the last part, which holds no parts.
    Body,
    /// Text of an open multipart before its first, after its last part, or of parts beyond the limit.
    Between,
}

/// An open multipart or message.
#[derive(Debug)]
struct Open {
    part: usize,
    /// `None`: a message.
    boundary: Option<Vec<u8>>,
    closed: bool,
    has_delimiter: bool,
    /// Line ends before its body.
    line_ends: u64,
}

/// A delimiter line: of which open multipart, and whether it closes it.
struct Delimiter {
    depth: usize,
    closes: bool,
}

/// A place between two lines.
#[derive(Clone, Copy)]
struct Place {
    at: u64,
    /// Octets of the line end before it.
    last_end: u64,
    /// Line ends up to it.
    line_ends: u64,
}

impl Parser {
    /// Begins a message.
    pub fn new(limits: &Limits) -> Self {
        Parser::with_reading(limits, Reading::default())
    }

    /// Begins a message that is to be read in another way than usual; see [`Tree::alternatives`].
    pub fn with_reading(limits: &Limits, reading: Reading) -> Self {
        Parser {
            limits: limits.clone(),
            reading,
            parts: vec![Part::new(None, 0)],
            noted: vec![0],
            notes: Vec::new(),
            open: Vec::new(),
            state: State::Header,
            header: Vec::new(),
            header_full: false,
            header_budget: limits.header_octets.saturating_mul(HEADERS),
            field_budget: limits.header_fields.saturating_mul(4),
            kept: Vec::new(),
            line_length: 0,
            after_cr: false,
            held_cr: false,
            at: 0,
            last_end: 0,
            line_ends: 0,
            body_line_ends: 0,
            longest_line: 0,
            eight_bit: false,
            check_base64: false,
        }
    }

    /// Reads on.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.reading.cr_ends_line {
            return self.push_with_crs(chunk);
        }
        self.push_lines(chunk);
    }

    fn push_lines(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest);
            let (piece, more) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            rest = more;
            self.piece(piece, end.is_some());
        }
    }

    /// Reads on, a bare CR being as good as an LF. No place moves.
    fn push_with_crs(&mut self, chunk: &[u8]) {
        for &b in chunk {
            if mem::replace(&mut self.held_cr, b == b'\r') {
                self.push_lines(if b == b'\n' { b"\r" } else { b"\n" });
            }
            if b != b'\r' {
                self.push_lines(&[b]);
            }
        }
    }

    /// Ends the message.
    pub fn finish(mut self) -> Tree {
        if self.held_cr {
            self.push_lines(b"\n");
        }
        if self.after_cr {
            self.note(NoteKind::BareCr);
        }
        if self.line_length > 0 {
            let kept = mem::take(&mut self.kept);
            let length = self.line_length;
            self.line(&kept, length, 0);
        }
        // The header of an embedded message may begin where one ends.
        while self.state == State::Header {
            if !self.header.is_empty() {
                self.note(NoteKind::HeaderNeverEnds);
            }
            self.end_header();
        }
        self.close_down_to(0, Place { last_end: 0, ..self.place() });
        self.notes.sort_by_key(|note| (note.at, note.part, note.kind as u8));
        Tree {
            parts: self.parts,
            notes: self.notes,
            size: self.at,
            longest_line: self.longest_line,
            eight_bit: self.eight_bit,
        }
    }

    /// A line or a piece of one; only its last octet can be an LF.
    fn piece(&mut self, piece: &[u8], ended: bool) {
        self.look_at(piece, ended);
        if ended && self.line_length == 0 {
            let end = header::line_end(piece);
            return self.line(&piece[..piece.len() - end], piece.len() as u64, end as u64);
        }
        let cap = if self.state == State::Header { self.limits.header_octets } else { LINE_KEPT };
        let room = (cap + 2).saturating_sub(self.kept.len()).min(piece.len());
        self.kept.extend_from_slice(&piece[..room]);
        self.line_length += piece.len() as u64;
        let cr_before = mem::replace(&mut self.after_cr, piece.ends_with(b"\r"));
        if ended {
            let end =
                if piece.len() == 1 { 1 + u64::from(cr_before) } else { header::line_end(piece) as u64 };
            let mut kept = mem::take(&mut self.kept);
            let length = mem::take(&mut self.line_length);
            kept.truncate(usize::try_from(length - end).unwrap_or(usize::MAX));
            self.line(&kept, length, end);
            kept.clear();
            self.kept = kept;
        }
    }

    /// Notes odd octets.
    fn look_at(&mut self, piece: &[u8], ended: bool) {
        if self.after_cr && piece.first() != Some(&b'\n') {
            self.note(NoteKind::BareCr);
        }
        let end = header::line_end(piece);
        if ended && end == 1 && !(piece.len() == 1 && self.after_cr) {
            self.note(NoteKind::BareLf);
        }
        let mut content = &piece[..piece.len() - end];
        if !ended && content.ends_with(b"\r") {
            content = &content[..content.len() - 1];
        }
        self.eight_bit |= !content.is_ascii();
        if memchr2(b'\r', 0, content).is_some() {
            if memchr(b'\r', content).is_some() {
                self.note(NoteKind::BareCr);
            }
            if memchr(0, content).is_some() {
                self.note(NoteKind::Nul);
            }
        }
    }

    /// A whole line, or the beginning of a long one. `length` counts the line end, `end` octets.
    fn line(&mut self, text: &[u8], length: u64, end: u64) {
        self.after_cr = false;
        self.longest_line = self.longest_line.max(length - end);
        let before = self.place();
        if !self.open.is_empty()
            && let Some(delimiter) = self.delimiter(text, length - end)
        {
            self.advance(length, end);
            return self.delimit(&delimiter, before);
        }
        if self.state != State::Header {
            self.look_for_faults(text);
            return self.advance(length, end);
        }
        if self.reading.junk_ends_header && self.ends_as_junk(text) {
            // Again as a line of the body. Twice at most: an embedded message that begins here has no field, so
            // it is text.
            self.note(NoteKind::NotAField);
            self.end_header();
            return self.line(text, length, end);
        }
        self.advance(length, end);
        match text {
            [] => self.end_header(),
            _ => self.keep_header_line(text, end),
        }
    }

    fn place(&self) -> Place {
        Place { at: self.at, last_end: self.last_end, line_ends: self.line_ends }
    }

    fn advance(&mut self, length: u64, end: u64) {
        self.at += length;
        self.last_end = end;
        self.line_ends += u64::from(end > 0);
    }

    fn keep_header_line(&mut self, text: &[u8], end: u64) {
        let limit = self.limits.header_octets.min(self.header_budget);
        if self.header_full || self.header.len() + text.len() + 2 > limit {
            self.header_full = true;
            return self.note(NoteKind::HeaderTooLong);
        }
        self.header.extend_from_slice(text);
        self.header.extend_from_slice(match end {
            0 => b"",
            1 => b"\n",
            _ => b"\r\n",
        });
    }

    /// Whether a header line is neither a field nor the continuation of one. `From ` of a mailbox file is passed over.
    fn ends_as_junk(&self, text: &[u8]) -> bool {
        let continues = matches!(text.first(), Some(b' ' | b'\t')) && !self.header.is_empty();
        let from = self.header.is_empty() && (text.starts_with(b"From ") || text.starts_with(b">From "));
        !text.is_empty() && !continues && !from && header::field_name(text).is_none()
    }

    /// Looks whether a line is a delimiter of an open multipart, the innermost first.
    fn delimiter(&mut self, text: &[u8], length: u64) -> Option<Delimiter> {
        let text = text.strip_prefix(b"--").filter(|_| length <= LINE_KEPT as u64)?;
        let mut odd = None;
        let mut found = None;
        for step in 0..self.open.len() {
            let depth = if self.reading.outermost_first { step } else { self.open.len() - 1 - step };
            let open = &self.open[depth];
            let Some(rest) = open.boundary.as_deref().and_then(|boundary| text.strip_prefix(boundary)) else {
                continue;
            };
            // A CR before the CRLF is passed over like padding.
            let blank = |rest: &[u8]| rest.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'));
            let closes = rest.starts_with(b"--");
            let exact = blank(rest) || closes && blank(&rest[2..]);
            if !exact && !self.reading.prefix_delimits {
                odd = odd.or(Some(NoteKind::DelimiterPrefix).filter(|_| found.is_none()));
            } else if open.closed && !self.reading.closed_reopens {
                odd = odd.or(Some(NoteKind::DelimiterAfterClose).filter(|_| found.is_none()));
            } else if found.is_some() {
                odd = Some(NoteKind::BoundaryReused);
            } else {
                found = Some(Delimiter { depth, closes });
            }
        }
        if let Some(odd) = odd {
            self.note(odd);
        }
        found
    }

    /// Notes what is odd in a line of a body.
    fn look_for_faults(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(LINE_KEPT)];
        if self.check_base64 && !text.iter().all(|&b| is_base64(b)) {
            self.note(NoteKind::BadBase64);
            self.check_base64 = false;
        }
        let Some(open) = self.open.last().filter(|_| memchr(b'-', text).is_some()) else { return };
        let Some(boundary) = open.boundary.as_deref() else { return };
        if memmem::find_iter(text, boundary).take(4).any(|at| at > 2 && &text[at - 2..at] == b"--") {
            self.note(NoteKind::DelimiterMidLine);
        }
    }

    /// Ends what lies before a delimiter line that began at `before`, and begins what follows.
    fn delimit(&mut self, delimiter: &Delimiter, before: Place) {
        if self.state == State::Header {
            self.note(NoteKind::HeaderNeverEnds);
            self.fill_header();
            self.begin_body(before);
        }
        self.close_down_to(delimiter.depth + 1, before);
        self.state = State::Between;
        let Some(open) = self.open.get_mut(delimiter.depth) else { return };
        open.closed = delimiter.closes;
        open.has_delimiter |= !delimiter.closes;
        if !delimiter.closes {
            let parent = open.part;
            self.begin_part(parent);
        }
    }

    /// Begins a part here, if there is room for one.
    fn begin_part(&mut self, parent: usize) -> bool {
        if self.parts.len() >= self.limits.parts.max(1) || self.header_budget == 0 {
            self.note_in(parent, NoteKind::TooManyParts);
            return false;
        }
        self.parts.push(Part::new(Some(PartId(parent as u32)), self.at));
        self.noted.push(0);
        self.state = State::Header;
        true
    }

    /// The header of the last part is complete; its body begins here.
    fn end_header(&mut self) {
        self.fill_header();
        self.begin_body(self.place());
        let index = self.parts.len() - 1;
        if self.parts[index].content_type.kind == "multipart" {
            self.open_multipart(index);
        } else if self.parts[index].content_type.is_message() {
            self.open_message(index);
        }
    }

    fn begin_body(&mut self, place: Place) {
        self.body_line_ends = place.line_ends;
        self.state = State::Body;
        if let Some(part) = self.parts.last_mut() {
            (part.body_at, part.end) = (place.at, place.at);
            self.check_base64 = part.encoding == Encoding::Base64 && part.content_type.kind != "multipart";
        }
    }

    fn open_multipart(&mut self, index: usize) {
        let part = &self.parts[index];
        let encoded = part.encoding.encodes();
        let mut named = part.content_type.parameters.iter().filter(|p| p.name == "boundary");
        let is_double = named.clone().count() > 1;
        let taken = match self.reading.last_wins {
            true => named.next_back().map(|p| p.value.as_str()),
            false => part.content_type.get("boundary"),
        };
        let mut boundary = taken.map(|value| value.trim_ascii_end().to_owned());
        let mut is_word = false;
        if let Some(value) = boundary.as_mut().filter(|value| value.contains("=?")) {
            let decoded = word::decode(value.as_bytes());
            is_word = decoded != *value;
            if self.reading.boundary_is_word {
                *value = decoded;
            }
        }
        if is_word {
            self.note(NoteKind::BoundaryIsWord);
        }
        if is_double {
            self.note(NoteKind::DuplicateBoundary);
        }
        let boundary = boundary.map(String::into_bytes);
        let Some(boundary) = boundary.filter(|b| !b.is_empty() && b.len() <= BOUNDARY_OCTETS) else {
            return self.note(NoteKind::NoBoundary);
        };
        if self.open.len() >= self.limits.nesting {
            return self.note(NoteKind::TooDeep);
        }
        if encoded {
            self.note(NoteKind::EncodedContainer);
        }
        if self.open.iter().any(|open| open.boundary.as_ref() == Some(&boundary)) {
            self.note(NoteKind::BoundaryReused);
        }
        self.parts[index].kind = Kind::Multipart;
        self.push_open(index, Some(boundary));
        self.state = State::Between;
    }

    fn open_message(&mut self, index: usize) {
        if self.parts[index].encoding.encodes() {
            return self.note(NoteKind::EncodedContainer);
        }
        if self.open.len() >= self.limits.nesting {
            return self.note(NoteKind::TooDeep);
        }
        if self.begin_part(index) {
            self.parts[index].kind = Kind::Message;
            self.push_open(index, None);
        }
    }

    fn push_open(&mut self, part: usize, boundary: Option<Vec<u8>>) {
        let line_ends = self.line_ends;
        self.open.push(Open { part, boundary, closed: false, has_delimiter: false, line_ends });
    }

    /// Ends the current body and all that is open, down to `depth` open ones. The line end before `place` belongs
    /// to the delimiter there (RFC 2046 §5.1.1).
    fn close_down_to(&mut self, depth: usize, place: Place) {
        let mut end = 0;
        if self.state == State::Body {
            end = self.end_part(self.parts.len() - 1, self.body_line_ends, place, end);
        }
        while self.open.len() > depth {
            let Some(open) = self.open.pop() else { break };
            end = self.end_part(open.part, open.line_ends, place, end);
            if open.boundary.is_none() {
                continue;
            }
            if open.part + 1 == self.parts.len() {
                self.parts[open.part].kind = Kind::Leaf;
            }
            if !open.has_delimiter {
                self.note_in(open.part, NoteKind::NoDelimiter);
            } else if !open.closed {
                self.note_in(open.part, NoteKind::MissingCloseDelimiter);
            }
        }
    }

    /// Ends a part, at `least` where one within it ended: a header that a delimiter breaks off keeps its line end, and
    /// so does what it lies in. Gives the end.
    fn end_part(&mut self, index: usize, line_ends_before: u64, place: Place, least: u64) -> u64 {
        let after = self.parts.len() as u32;
        let Some(part) = self.parts.get_mut(index) else { return least };
        part.after = after;
        part.end = (place.at - place.last_end).max(part.body_at).max(least);
        part.lines = (place.line_ends - line_ends_before).saturating_sub(u64::from(part.end < place.at));
        part.end
    }

    /// Reads the header that was gathered into the last part.
    fn fill_header(&mut self) {
        let header = mem::take(&mut self.header);
        self.header_full = false;
        self.header_budget = self.header_budget.saturating_sub(header.len());
        let index = self.parts.len() - 1;
        let parent = self.parts[index].parent.map(PartId::index);
        let is_message = parent.is_none_or(|at| self.parts[at].kind == Kind::Message);
        let in_digest = parent.is_some_and(|at| self.parts[at].content_type.is("multipart", "digest"));
        if !header.is_ascii() {
            self.note(NoteKind::EightBitHeader);
        }
        let mut seen = Seen::default();
        for raw in header::fields(&header) {
            if raw.name.is_empty() {
                self.note(NoteKind::NotAField);
            }
            if is_message {
                self.list_field(index, &raw);
            }
            if raw.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-")) {
                self.content_field(index, &raw, &mut seen);
            }
        }
        if !seen.content_type && in_digest {
            // RFC 2046 §5.1.5
            self.parts[index].content_type = ContentType::of("message", "rfc822");
        }
        self.header = header;
        self.header.clear();
    }

    fn list_field(&mut self, index: usize, raw: &RawField<'_>) {
        let part = &mut self.parts[index];
        if part.fields.len() >= self.limits.header_fields || self.field_budget == 0 {
            return self.note(NoteKind::TooManyFields);
        }
        self.field_budget -= 1;
        part.fields.push(raw.locate(part.start));
    }

    fn content_field(&mut self, index: usize, raw: &RawField<'_>, seen: &mut Seen) {
        let value = header::unfold(raw.value);
        if parameter::are_too_many(&value) {
            self.note(NoteKind::TooManyParameters);
        }
        let part = &mut self.parts[index];
        let text = |old: &Option<String>| old.clone().or_else(|| Some(charset::guess(&value)));
        match raw.name[8..].to_ascii_lowercase().as_slice() {
            b"type" => return self.type_field(index, &value, seen),
            b"transfer-encoding" => return self.encoding_field(index, &value),
            b"disposition" if part.disposition.is_none() => part.disposition = Disposition::parse(&value),
            b"id" => part.id = text(&part.id),
            b"description" => part.description = text(&part.description),
            b"md5" => part.md5 = text(&part.md5),
            b"location" => part.location = text(&part.location),
            b"language" if part.language.is_empty() => part.language = languages(&value),
            _ => {}
        }
        if let Some(disposition) = self.parts[index].disposition.as_ref()
            && differ(&disposition.parameters, "filename")
        {
            self.note(NoteKind::AmbiguousParameter);
        }
    }

    fn type_field(&mut self, index: usize, value: &[u8], seen: &mut Seen) {
        let parsed = ContentType::parse(value);
        if parsed.is_none() && !value.is_empty() {
            self.note(NoteKind::BadContentType);
        }
        let parsed = parsed.unwrap_or_default();
        if differ(&parsed.parameters, "name") || differ(&parsed.parameters, "charset") {
            self.note(NoteKind::AmbiguousParameter);
        }
        if mem::replace(&mut seen.content_type, true) {
            self.note(NoteKind::DuplicateContentType);
            if !self.reading.last_wins {
                return;
            }
        }
        self.parts[index].content_type = parsed;
    }

    fn encoding_field(&mut self, index: usize, value: &[u8]) {
        let name = Encoding::field_token(value);
        let encoding = Encoding::of(&name);
        let part = &mut self.parts[index];
        let is_double = part.encoding_name.as_ref().is_some_and(|old| *old != name);
        if !is_double || self.reading.last_wins {
            part.encoding = encoding;
            part.encoding_name = Some(name);
        }
        if is_double {
            self.note(NoteKind::ConflictingEncodings);
        }
        if encoding == Encoding::Unknown {
            self.note(NoteKind::UnknownEncoding);
        }
    }

    /// Notes something odd about the part that the current line belongs to.
    fn note(&mut self, kind: NoteKind) {
        let between = self.open.last().filter(|_| self.state == State::Between);
        self.note_in(between.map_or(self.parts.len() - 1, |open| open.part), kind);
    }

    fn note_in(&mut self, part: usize, kind: NoteKind) {
        let bit = 1 << kind as u32;
        let Some(noted) = self.noted.get_mut(part) else { return };
        if *noted & bit == 0 && self.notes.len() < MAX_NOTES {
            *noted |= bit;
            self.notes.push(Note { kind, part: PartId(part as u32), at: self.at });
        }
    }
}

/// Fields that were met in a header.
#[derive(Default)]
struct Seen {
    content_type: bool,
}

/// Whether parameters of one name have different values.
fn differ(parameters: &[super::Parameter], name: &str) -> bool {
    let mut values = parameters.iter().filter(|p| p.name == name).map(|p| &p.value);
    values.next().is_some_and(|first| values.any(|value| value != first))
}

/// RFC 3282 §2: tags separated by commas.
fn languages(value: &[u8]) -> Vec<String> {
    let tags = value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty());
    tags.take(16).map(charset::guess).collect()
}
