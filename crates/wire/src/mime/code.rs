//! A tree in few octets, to be kept beside its message.
//!
//! Version 1: numbers are LEB128; texts are a length and octets; a part gives lengths, not places.

use super::parameter::{ContentType, Disposition, Parameter};
use super::transfer::Encoding;
use super::tree::{Field, Kind, Note, NoteKind, Part, PartId, Tree};

const VERSION: u8 = 1;

/// Texts that are written as a number. Only append.
const WORDS: &[&str] = &[
    "",
    "received",
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "reply-to",
    "sender",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
    "content-description",
    "return-path",
    "delivered-to",
    "dkim-signature",
    "authentication-results",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "received-spf",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-post",
    "list-help",
    "list-archive",
    "user-agent",
    "x-mailer",
    "x-priority",
    "importance",
    "precedence",
    "auto-submitted",
    "feedback-id",
    "thread-index",
    "thread-topic",
    "x-originating-ip",
    "x-google-dkim-signature",
    "x-gm-message-state",
    "x-received",
    "errors-to",
    "text",
    "plain",
    "html",
    "multipart",
    "mixed",
    "alternative",
    "related",
    "signed",
    "report",
    "digest",
    "application",
    "octet-stream",
    "pdf",
    "image",
    "jpeg",
    "png",
    "gif",
    "message",
    "rfc822",
    "charset",
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "windows-1252",
    "boundary",
    "name",
    "filename",
    "format",
    "flowed",
    "delsp",
    "type",
    "7bit",
    "8bit",
    "binary",
    "base64",
    "quoted-printable",
    "inline",
    "attachment",
    "size",
    "en",
];

impl Tree {
    /// Appends the tree, for [`Tree::decode`] to read.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        number(out, self.size);
        number(out, self.longest_line);
        out.push(u8::from(self.eight_bit));
        number(out, self.parts.len() as u64);
        let mut last_start = 0;
        for part in &self.parts {
            write_part(out, part, last_start);
            last_start = part.start;
        }
        number(out, self.notes.len() as u64);
        for note in &self.notes {
            out.push(note.kind as u8);
            number(out, u64::from(note.part.0));
            number(out, note.at);
        }
    }

    /// Reads what [`Tree::encode`] wrote; `None` if it is something else. A tree that comes out is sound: its ranges
    /// lie within the message, and its parts within each other.
    pub fn decode(octets: &[u8]) -> Option<Tree> {
        let mut input = Input(octets);
        if input.octet()? != VERSION {
            return None;
        }
        let size = input.number()?;
        let longest_line = input.number()?;
        let eight_bit = input.octet()? != 0;
        // A part takes a dozen octets: what is claimed can't make us allocate more than what is there.
        let count = input.count(12)?;
        let mut parts: Vec<Part> = Vec::with_capacity(count);
        let mut last_start = 0;
        for index in 0..count {
            let part = read_part(&mut input, last_start)?;
            let parent_fits = match part.parent {
                None => index == 0 && part.start == 0 && part.end == size,
                Some(id) => parts.get(id.index()).is_some_and(|p| {
                    p.start <= part.start
                        && part.end <= p.end
                        && part.after <= p.after
                        && p.kind != Kind::Leaf
                }),
            };
            if !parent_fits || (part.after as usize) <= index || part.after as usize > count {
                return None;
            }
            last_start = part.start;
            parts.push(part);
        }
        let notes = (0..input.count(3)?).map(|_| input.note()).collect::<Option<Vec<_>>>()?;
        let whole = input.0.is_empty() && !parts.is_empty();
        whole.then_some(Tree { parts, notes, size, longest_line, eight_bit })
    }
}

fn number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 128 {
        out.push(n as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A text: twice its length and its octets, or an odd number for a known word.
fn text(out: &mut Vec<u8>, text: &str) {
    match WORDS.iter().position(|word| *word == text) {
        Some(at) => number(out, at as u64 * 2 + 1),
        None => {
            number(out, text.len() as u64 * 2);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn optional(out: &mut Vec<u8>, value: Option<&str>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        text(out, value);
    }
}

fn write_part(out: &mut Vec<u8>, part: &Part, last_start: u64) {
    number(out, part.parent.map_or(0, |id| u64::from(id.0) + 1));
    number(out, u64::from(part.after));
    out.push(part.kind as u8);
    number(out, part.start - last_start);
    number(out, part.body_at - part.start);
    number(out, part.end - part.body_at);
    number(out, part.lines);
    text(out, &part.content_type.kind);
    text(out, &part.content_type.subtype);
    write_parameters(out, &part.content_type.parameters);
    optional(out, part.disposition.as_ref().map(|d| d.kind.as_str()));
    if let Some(disposition) = &part.disposition {
        write_parameters(out, &disposition.parameters);
    }
    for value in [&part.encoding_name, &part.id, &part.description, &part.md5, &part.location] {
        optional(out, value.as_deref());
    }
    number(out, part.language.len() as u64);
    part.language.iter().for_each(|tag| text(out, tag));
    number(out, part.fields.len() as u64);
    let mut at = part.start;
    for field in &part.fields {
        text(out, &field.name);
        number(out, field.start - at);
        number(out, u64::from(field.value_at));
        number(out, u64::from(field.value_len));
        number(out, u64::from(field.len));
        at = field.start;
    }
}

fn write_parameters(out: &mut Vec<u8>, parameters: &[Parameter]) {
    number(out, parameters.len() as u64);
    for parameter in parameters {
        text(out, &parameter.name);
        text(out, &parameter.value);
        out.push(u8::from(parameter.extended));
    }
}

fn read_part(input: &mut Input<'_>, last_start: u64) -> Option<Part> {
    let parent = match input.number()? {
        0 => None,
        id => Some(PartId(u32::try_from(id - 1).ok()?)),
    };
    let after = u32::try_from(input.number()?).ok()?;
    let kind = *[Kind::Leaf, Kind::Multipart, Kind::Message].get(usize::from(input.octet()?))?;
    let start = last_start.checked_add(input.number()?)?;
    let body_at = start.checked_add(input.number()?)?;
    let end = body_at.checked_add(input.number()?)?;
    let lines = input.number()?;
    let mut content_type = ContentType::of(&input.text()?, &input.text()?);
    content_type.parameters = input.parameters()?;
    let disposition = match input.optional()? {
        Some(kind) => Some(Disposition { kind, parameters: input.parameters()? }),
        None => None,
    };
    let encoding_name = input.optional()?;
    let encoding = Encoding::of(encoding_name.as_deref().unwrap_or_default());
    let (id, description) = (input.optional()?, input.optional()?);
    let (md5, location) = (input.optional()?, input.optional()?);
    let language = (0..input.count(1)?).map(|_| input.text()).collect::<Option<Vec<_>>>()?;
    let mut fields = Vec::with_capacity(input.clone().count(5)?);
    let mut at = start;
    for _ in 0..input.count(5)? {
        let field = input.field(at)?;
        at = field.start;
        if field.whole().end > body_at {
            return None;
        }
        fields.push(field);
    }
    Some(Part {
        parent,
        kind,
        content_type,
        disposition,
        encoding,
        encoding_name,
        id,
        description,
        md5,
        language,
        location,
        lines,
        fields,
        start,
        body_at,
        end,
        after,
    })
}

/// Octets that are still to be read.
#[derive(Clone)]
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for place in 0..9 {
            let octet = self.octet()?;
            n |= u64::from(octet & 127) << (place * 7);
            if octet < 128 {
                return Some(n);
            }
        }
        None
    }

    /// A count of things that take at least `octets` each.
    fn count(&mut self, octets: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len() / octets).then_some(count)
    }

    fn text(&mut self) -> Option<String> {
        let code = usize::try_from(self.number()?).ok()?;
        if code % 2 == 1 {
            return WORDS.get(code / 2).map(|word| (*word).to_owned());
        }
        let (text, rest) = self.0.split_at_checked(code / 2)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    /// There or not, within another option of running out of octets.
    fn optional(&mut self) -> Option<Option<String>> {
        match self.octet()? {
            0 => Some(None),
            _ => self.text().map(Some),
        }
    }

    fn parameters(&mut self) -> Option<Vec<Parameter>> {
        (0..self.count(3)?).map(|_| self.parameter()).collect()
    }

    fn parameter(&mut self) -> Option<Parameter> {
        Some(Parameter { name: self.text()?, value: self.text()?, extended: self.octet()? != 0 })
    }

    fn field(&mut self, at: u64) -> Option<Field> {
        let name = self.text()?.into();
        let start = at.checked_add(self.number()?)?;
        let mut small = || u32::try_from(self.number()?).ok();
        let field = Field { name, start, value_at: small()?, value_len: small()?, len: small()? };
        start.checked_add(u64::from(field.len))?;
        (field.value_at.checked_add(field.value_len)? <= field.len).then_some(field)
    }

    fn note(&mut self) -> Option<Note> {
        let kind = *NoteKind::ALL.get(usize::from(self.octet()?))?;
        let part = PartId(u32::try_from(self.number()?).ok()?);
        Some(Note { kind, part, at: self.number()? })
    }
}
