//! URLs that name octets of a message on this server (RFC 5092 §7), as CATENATE has them (RFC 4469 §3).

use super::cursor::{Cursor, Parsed};
use super::fetch::section_spec;
use super::{Partial, Section, SectionText};
use base::{MailboxName, Uid, UidValidity};

/// Octets of one message, named by a URL without a server.
///
/// Taken are `/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=n.n` and, for the selected mailbox,
/// `;UID=n/;SECTION=s/;PARTIAL=n.n`. A URL with a server, a user or an access right ([`UrlAuth`](super::UrlAuth)) is
/// not: nothing is ever fetched from elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    /// The mailbox; `None` for the selected one.
    pub mailbox: Option<MailboxName>,
    /// What the mailbox's UIDVALIDITY has to be, if that is said.
    pub uid_validity: Option<UidValidity>,
    /// The message.
    pub uid: Uid,
    /// Which octets of it; all of them where the URL does not say.
    pub section: Section,
    /// A piece of these. Without a length it goes to the end: the length is `u64::MAX`.
    pub partial: Option<Partial>,
}

impl Url {
    /// Reads a URL; `None` for one that is broken or of a form that is not taken. The answer is BADURL either way
    /// (RFC 4469 §4).
    pub fn parse(url: &str) -> Option<Self> {
        // What is encoded holds no semicolon (RFC 5092 §11: `bchar`), so this cuts it at its parts and nowhere else.
        let (place, message) = match url.strip_prefix('/') {
            Some(absolute) => {
                let (mailbox, message) = absolute.split_once("/;")?;
                (Some(mailbox), message)
            }
            None => (None, url.strip_prefix(';')?),
        };
        let (mailbox, uid_validity) = match place {
            Some(place) => mailbox_ref(place)?,
            None => (None, None),
        };
        let mut parts = message.split("/;").peekable();
        let uid = Uid(whole(value(parts.next()?, "UID")?.as_bytes(), Cursor::nz_number)?);
        let section = parts.next_if(|part| value(part, "SECTION").is_some());
        let section = match section.and_then(|part| value(part, "SECTION")) {
            Some(text) => whole(&decode(text)?, section_spec)?,
            None => Section { part: Vec::new(), text: SectionText::All },
        };
        let partial = match parts.next() {
            Some(part) => Some(whole(value(part, "PARTIAL")?.as_bytes(), partial_range)?),
            None => None,
        };
        let url = Url { mailbox, uid_validity, uid, section, partial };
        parts.next().is_none().then_some(url)
    }
}

/// `enc-mailbox [";UIDVALIDITY=" nz-number]`: the name is UTF-8, never modified UTF-7.
fn mailbox_ref(text: &str) -> Option<(Option<MailboxName>, Option<UidValidity>)> {
    let (name, parameter) = match text.split_once(';') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (text, None),
    };
    let mailbox = MailboxName::new(&decode_text(name)?).ok()?;
    let uid_validity = match parameter {
        Some(parameter) => {
            let number = value(parameter, "UIDVALIDITY")?;
            Some(UidValidity(whole(number.as_bytes(), Cursor::nz_number)?))
        }
        None => None,
    };
    Some((Some(mailbox), uid_validity))
}

/// What stands behind `name=`, whose case does not matter (RFC 5234 §2.3).
fn value<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = part.split_once('=')?;
    (found.eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
}

/// `number ["." nz-number]`
fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<Partial> {
    let start = cursor.number64()?;
    let length = if cursor.eat(b'.') { u64::from(cursor.nz_number()?) } else { u64::MAX };
    Ok(Partial { start, length })
}

/// Reads all of `octets`, with nothing left behind, not even spaces.
fn whole<'a, T>(octets: &'a [u8], read: impl FnOnce(&mut Cursor<'a>) -> Parsed<T>) -> Option<T> {
    let mut cursor = Cursor::new(octets);
    let value = read(&mut cursor).ok()?;
    cursor.peek().is_none().then_some(value)
}

/// [`decode`] into text.
pub(super) fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

/// Undoes percent-encoding of `1*bchar` (RFC 5092 §11).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'%' => (hex(octets.next()?)? << 4) | hex(octets.next()?)?,
            octet if is_bchar(octet) => octet,
            _ => return None,
        });
    }
    (!out.is_empty()).then_some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn is_bchar(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~!$'()*+,&=:@/".contains(&octet)
}

#[cfg(test)]
mod tests;
