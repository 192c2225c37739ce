//! Content-Type and Content-Disposition: a value and its parameters (RFC 2045 §5.1, RFC 2183, RFC 2231), read as
//! tolerantly as mail clients do.

use super::{charset, word};
use memchr::{memchr, memchr_iter};
use std::borrow::Cow;

/// Parameters of one field that are looked at.
const MAX_PARAMETERS: usize = 200;

/// A parameter, continuations joined and RFC 2231 undone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// The name in lower case, without `*` and section numbers.
    pub name: String,
    /// The value in UTF-8. Encoded words (which have no place here, RFC 2047 §5) are left as they are.
    pub value: String,
    /// Whether it was written in the extended form, `name*=charset'language'…`.
    pub extended: bool,
}

impl Parameter {
    /// The readings of the value as a file name: encoded words undone; of a value that went through
    /// quoted-printable (`name=3D"x"`) also the name inside.
    pub(super) fn as_file_names(&self) -> Vec<String> {
        let plain = if self.extended { self.value.clone() } else { word::decode(self.value.as_bytes()) };
        let plain: String = plain.chars().filter(|c| !c.is_control()).collect();
        let inner = plain.strip_prefix("3D").map(|rest| rest.trim_matches('"').to_owned());
        inner.into_iter().filter(|_| !self.extended).chain([plain.trim().to_owned()]).collect()
    }
}

/// A media type with its parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentType {
    /// `text`, lower case.
    pub kind: String,
    /// `plain`, lower case.
    pub subtype: String,
    /// In the order they stand.
    pub parameters: Vec<Parameter>,
}

impl Default for ContentType {
    /// RFC 2045 §5.2, without a charset: what is unsaid is guessed from the text.
    fn default() -> Self {
        ContentType::of("text", "plain")
    }
}

impl ContentType {
    pub(super) fn of(kind: &str, subtype: &str) -> Self {
        ContentType { kind: kind.to_owned(), subtype: subtype.to_owned(), parameters: Vec::new() }
    }

    /// Reads the value of a Content-Type field; `None` if it names no type.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = strip_comments(value);
        let slash = memchr(b'/', &value)?;
        let kind = value[..slash].trim_ascii();
        let rest = value[slash + 1..].trim_ascii_start();
        let end = rest.iter().position(|&b| !is_token(b)).unwrap_or(rest.len());
        let subtype = &rest[..end];
        if kind.is_empty() || subtype.is_empty() || !kind.iter().all(|&b| is_token(b)) {
            return None;
        }
        let mut parsed = ContentType::of(&lower(kind), &lower(subtype));
        parsed.parameters = parameters(&rest[end..]);
        Some(parsed)
    }

    /// The value of a parameter (name in lower case): the extended form before the plain one, else the first.
    pub fn get(&self, name: &str) -> Option<&str> {
        pick(&self.parameters, name)
    }

    /// Whether it is this type, given in lower case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    /// Whether it is a type that holds a whole message (RFC 2046 §5.2.1, RFC 6532 §3.7).
    pub fn is_message(&self) -> bool {
        self.is("message", "rfc822") || self.is("message", "global")
    }
}

/// How a part wants to be shown (RFC 2183).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disposition {
    /// `inline`, `attachment`, …, lower case.
    pub kind: String,
    /// In the order they stand.
    pub parameters: Vec<Parameter>,
}

impl Disposition {
    /// Reads the value of a Content-Disposition field; `None` if it is empty. One that begins with a parameter counts
    /// as an attachment (RFC 2183 §2.8: what is not known is one).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let end = value.iter().position(|&b| !is_token(b)).unwrap_or(value.len());
        let (kind, rest) = match value.get(end) {
            Some(b'=') => (&b"attachment"[..], value),
            _ => (&value[..end], &value[end..]),
        };
        if kind.is_empty() && rest.is_empty() {
            return None;
        }
        let kind = if kind.is_empty() { "attachment".to_owned() } else { lower(kind) };
        Some(Disposition { kind, parameters: parameters(rest) })
    }

    /// The value of a parameter (name in lower case), as [`ContentType::get`].
    pub fn get(&self, name: &str) -> Option<&str> {
        pick(&self.parameters, name)
    }
}

fn pick<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a str> {
    let mut named = parameters.iter().filter(|p| p.name == name);
    let first = named.clone().next()?;
    Some(&named.find(|p| p.extended).unwrap_or(first).value)
}

fn lower(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_ascii_lowercase()
}

/// RFC 2045 §5.1, with UTF-8.
pub(super) fn is_token(b: u8) -> bool {
    (b.is_ascii_graphic() || b > 127) && !b"()<>@,;:\\\"/[]?=".contains(&b)
}

/// Takes comments off what stands before the first parameter.
fn strip_comments(value: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr(b';', value).unwrap_or(value.len());
    if memchr(b'(', &value[..end]).is_none() {
        return Cow::Borrowed(value);
    }
    let mut depth = 0_usize;
    let mut out = Vec::with_capacity(value.len());
    for (at, &b) in value.iter().enumerate() {
        match b {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b';' if depth == 0 => {
                out.extend_from_slice(&value[at..]);
                break;
            }
            _ if depth == 0 => out.push(b),
            _ => {}
        }
    }
    Cow::Owned(out)
}

/// A parameter before its continuations are joined.
struct Raw<'a> {
    name: String,
    section: Option<u32>,
    extended: bool,
    value: Cow<'a, [u8]>,
}

/// Whether a field's value may have more parameters than are looked at.
pub(super) fn are_too_many(value: &[u8]) -> bool {
    memchr_iter(b';', value).count() > MAX_PARAMETERS
}

/// Reads `; name=value; …`.
fn parameters(text: &[u8]) -> Vec<Parameter> {
    let raw = split(text);
    let mut out: Vec<Parameter> = Vec::with_capacity(raw.len());
    for (index, parameter) in raw.iter().enumerate() {
        if parameter.section.is_none() {
            out.push(single(parameter));
            continue;
        }
        let is_first = |other: &Raw<'_>| other.section.is_some() && other.name == parameter.name;
        if raw[..index].iter().any(is_first) {
            continue;
        }
        out.push(join(raw.iter().filter(|other| is_first(other)).collect()));
    }
    out.dedup();
    out
}

fn single(raw: &Raw<'_>) -> Parameter {
    let value = if raw.extended {
        let (label, rest) = split_charset(&raw.value);
        charset::to_utf8(label.as_deref(), &percent_decode(rest))
    } else {
        charset::guess(&raw.value)
    };
    Parameter { name: raw.name.clone(), value, extended: raw.extended }
}

/// RFC 2231 §3, §4.1. Sections may stand in any order; what follows a gap is dropped.
fn join(mut sections: Vec<&Raw<'_>>) -> Parameter {
    sections.sort_by_key(|raw| raw.section);
    sections.dedup_by_key(|raw| raw.section);
    let first = sections.first().and_then(|raw| raw.section).unwrap_or(0);
    let mut label = None;
    let mut octets = Vec::new();
    let mut extended = false;
    for (number, raw) in sections.iter().enumerate() {
        if raw.section != Some(first.saturating_add(number as u32)) {
            break;
        }
        extended |= raw.extended;
        match (raw.extended, number) {
            (true, 0) => {
                let (named, rest) = split_charset(&raw.value);
                label = named;
                octets.extend_from_slice(&percent_decode(rest));
            }
            (true, _) => octets.extend_from_slice(&percent_decode(&raw.value)),
            (false, _) => octets.extend_from_slice(&raw.value),
        }
    }
    let value =
        if label.is_some() { charset::to_utf8(label.as_deref(), &octets) } else { charset::guess(&octets) };
    let name = sections.first().map(|raw| raw.name.clone()).unwrap_or_default();
    Parameter { name, value, extended }
}

/// `charset'language'text`; one without quotes has no charset.
fn split_charset(value: &[u8]) -> (Option<String>, &[u8]) {
    let mut pieces = value.splitn(3, |&b| b == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(label), Some(_), Some(text)) => (Some(lower(label)).filter(|label| !label.is_empty()), text),
        _ => (None, value),
    }
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| b == b'%').and_then(hex);
        out.push(digits.unwrap_or(b));
        at += if digits.is_some() { 3 } else { 1 };
    }
    out
}

/// Two hexadecimal digits, in any case.
pub(super) fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |b: &u8| (*b as char).to_digit(16);
    match digits {
        [high, low] => Some((digit(high)? * 16 + digit(low)?) as u8),
        _ => None,
    }
}

fn split(text: &[u8]) -> Vec<Raw<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while out.len() < MAX_PARAMETERS {
        rest = rest.trim_ascii_start();
        if let [b';', more @ ..] = rest {
            rest = more;
            continue;
        }
        if let [b'(', ..] = rest {
            rest = &rest[comment(rest)..];
            continue;
        }
        let Some(end) = rest.iter().position(|&b| b == b'=' || b == b';') else { break };
        let name = rest[..end].trim_ascii();
        if rest[end] == b';' {
            rest = &rest[end..];
            continue;
        }
        let (name, section, extended) = split_name(name);
        let (value, more) = value(rest[end + 1..].trim_ascii_start(), &name);
        rest = more;
        if !name.is_empty() {
            out.push(Raw { name, section, extended, value });
        }
    }
    out
}

/// `name`, `name*`, `name*0`, `name*0*`
fn split_name(name: &[u8]) -> (String, Option<u32>, bool) {
    let name = lower(name);
    let (stem, extended) = match name.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (name.as_str(), false),
    };
    if let Some((base, number)) = stem.split_once('*')
        && let Ok(number) = number.trim().parse()
    {
        return (base.trim().to_owned(), Some(number), extended);
    }
    (stem.trim().to_owned(), None, extended)
}

/// Octets of the comment that `text` begins with (RFC 5322 §3.2.2).
pub(super) fn comment(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        at += 1;
        match b {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth <= 1 => return at,
            b')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The value that `text` begins with, and what follows its semicolon.
fn value<'a>(text: &'a [u8], name: &str) -> (Cow<'a, [u8]>, &'a [u8]) {
    if let [b'"', inner @ ..] = text {
        let (value, used) = unquote(inner);
        let after = &inner[used..];
        let next = memchr(b';', after).unwrap_or(after.len());
        return (Cow::Owned(value), &after[next..]);
    }
    let end = memchr(b';', text).unwrap_or(text.len());
    let mut value = text[..end].trim_ascii();
    // A name with a bracket in it is one that was not quoted, not one with a comment.
    if !matches!(name, "name" | "filename")
        && let Some(at) = value.windows(2).position(|w| w[0].is_ascii_whitespace() && w[1] == b'(')
    {
        value = value[..at].trim_ascii_end();
    }
    (Cow::Borrowed(value), &text[end..])
}

/// What stands before the closing quote, escapes undone, and how many octets that took. A backslash before a letter
/// or digit is kept: it is one of a Windows path that was not escaped.
fn unquote(text: &[u8]) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        at += 1;
        match (b, text.get(at)) {
            (b'"', _) => return (out, at),
            (b'\\', Some(&next)) if !next.is_ascii_alphanumeric() => {
                out.push(next);
                at += 1;
            }
            _ => out.push(b),
        }
    }
    (out, at)
}
