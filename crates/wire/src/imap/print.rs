//! Pieces of responses, appended to a buffer without allocating. Whatever comes from a client or a message goes
//! through a function here that keeps it from ending a line or a string.

use crate::imap::command::{Partial, Section, SectionText};
use crate::imap::response::{Code, Status};
use crate::imap::utf7;
use base::time::MONTHS;
use base::{Flags, MailboxName, Timestamp, Uid};

/// The longest quoted string; longer ones are sent as literals, which clients with line limits can read.
const MAX_QUOTED: usize = 1000;

/// Appends a number in decimal digits.
pub fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

/// Appends numbers as a set (RFC 9051 §9 `sequence-set`), runs of ascending ones as ranges: `1:3,5`. The order is
/// kept, so two sets whose numbers belong together in pairs still do (RFC 4315 §3).
pub fn set(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    let mut numbers = numbers.into_iter();
    let Some(mut start) = numbers.next() else { return };
    let mut end = start;
    for next in numbers {
        if Some(next) != end.checked_add(1) {
            range(out, start, end);
            out.push(b',');
            start = next;
        }
        end = next;
    }
    range(out, start, end);
}

/// Appends `start:end`, or one number where they are equal.
pub fn range(out: &mut Vec<u8>, start: u32, end: u32) {
    number(out, u64::from(start));
    if end > start {
        out.push(b':');
        number(out, u64::from(end));
    }
}

/// Appends UIDs as a set.
pub fn uid_set(out: &mut Vec<u8>, uids: &[Uid]) {
    set(out, uids.iter().map(|uid| uid.0));
}

/// Appends `* n WHAT`, a whole line: EXISTS, RECENT, EXPUNGE.
pub fn numbered(out: &mut Vec<u8>, count: u32, what: &str) {
    out.extend_from_slice(b"* ");
    number(out, u64::from(count));
    out.push(b' ');
    out.extend_from_slice(what.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends flags in parentheses, and one more that no message keeps: `\Recent` or `\*`.
pub fn flags(out: &mut Vec<u8>, flags: &Flags, and: Option<&str>) {
    out.push(b'(');
    for (place, name) in flags.names().chain(and).enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b')');
}

/// Appends a date and time in quotes (RFC 9051 §9 `date-time`), UTC: `"25-Nov-2026 03:32:43 +0000"`. Years beyond
/// four digits are cut to what the form can hold.
pub fn date_time(out: &mut Vec<u8>, at: Timestamp) {
    let civil = at.civil();
    let year = civil.year.clamp(0, 9999) as u16;
    out.push(b'"');
    match civil.day {
        day @ 0..=9 => out.extend_from_slice(&[b' ', b'0' + day]),
        day => two_digits(out, day),
    }
    out.push(b'-');
    let month = MONTHS.get(usize::from(civil.month).wrapping_sub(1)).copied().unwrap_or("Jan");
    out.extend_from_slice(month.as_bytes());
    out.push(b'-');
    two_digits(out, (year / 100) as u8);
    two_digits(out, (year % 100) as u8);
    for (before, value) in [(b' ', civil.hour), (b':', civil.minute), (b':', civil.second)] {
        out.push(before);
        two_digits(out, value);
    }
    out.extend_from_slice(b" +0000\"");
}

fn two_digits(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}

/// Appends an object id (RFC 8474): a letter for its kind (`F` mailbox, `M` message, `T` thread), then the number.
pub fn object_id(out: &mut Vec<u8>, kind: u8, id: u64) {
    out.push(kind);
    number(out, id);
}

/// Appends a string: quoted where it is short printable ASCII, else as a literal. `octets` may not hold NUL; a
/// message's octets go through [`literal`] anyway.
pub fn string(out: &mut Vec<u8>, octets: &[u8]) {
    match octets.len() <= MAX_QUOTED && octets.iter().all(|b| (b' '..=b'~').contains(b)) {
        true => quoted(out, octets),
        false => {
            literal(out, octets.len() as u64);
            out.extend_from_slice(octets);
        }
    }
}

/// Appends a string of any octets: as [`string`], or as a `literal8` where it holds NUL.
pub fn string8(out: &mut Vec<u8>, octets: &[u8]) {
    match octets.contains(&0) {
        false => string(out, octets),
        true => {
            literal8(out, octets.len() as u64);
            out.extend_from_slice(octets);
        }
    }
}

/// Appends `{n}` and CRLF: exactly `octets` octets have to follow.
pub fn literal(out: &mut Vec<u8>, octets: u64) {
    out.push(b'{');
    number(out, octets);
    out.extend_from_slice(b"}\r\n");
}

/// Appends `~{n}` and CRLF (RFC 3516 `literal8`): the octets may hold NUL.
pub fn literal8(out: &mut Vec<u8>, octets: u64) {
    out.push(b'~');
    literal(out, octets);
}

/// The text has no CR, LF or NUL.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for octet in text {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*octet);
    }
    out.push(b'"');
}

/// Appends a mailbox's name: quoted UTF-8 where the client enabled it, else modified UTF-7.
pub fn mailbox(out: &mut Vec<u8>, name: &MailboxName, utf8: bool) {
    match utf8 {
        // No name holds a control character.
        true => quoted(out, name.as_str().as_bytes()),
        false => quoted(out, utf7::encode(name.as_str()).as_bytes()),
    }
}

/// Appends text for people as a line may hold it: what is no printable ASCII becomes a space or `?`.
pub fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.chars().map(|c| match c {
        ' '..='~' => c as u8,
        c if c.is_control() => b' ',
        _ => b'?',
    }));
}

/// Appends a status response, a whole line: tagged, or `*` without a tag. The text shows only printable ASCII, and
/// cannot be taken for a code.
pub fn status(out: &mut Vec<u8>, tag: Option<&str>, status: Status, code: Option<&Code>, text: &str) {
    out.extend_from_slice(tag.unwrap_or("*").as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    if let Some(code) = code {
        out.push(b'[');
        code.print(out);
        out.extend_from_slice(b"] ");
    }
    // RFC 9051 §9 `resp-text`: what stands first in brackets is a code, and RFC 3501 wants some text.
    match text.trim_start_matches(['[', ' ']) {
        "" => out.push(b'.'),
        shown => self::text(out, shown),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a section in brackets as a FETCH response names it: `[1.2.HEADER.FIELDS (SUBJECT)]`, and `<n>` behind it
/// where only a piece was asked for (RFC 9051 §7.5.2).
pub fn section(out: &mut Vec<u8>, section: &Section, partial: Option<Partial>) {
    out.push(b'[');
    part_number(out, &section.part);
    if section.text != SectionText::All && !section.part.is_empty() {
        out.push(b'.');
    }
    match &section.text {
        SectionText::All => {}
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::HeaderFields { names, not } => {
            out.extend_from_slice(if *not { b"HEADER.FIELDS.NOT (" } else { b"HEADER.FIELDS (" });
            for (place, name) in names.iter().enumerate() {
                if place > 0 {
                    out.push(b' ');
                }
                astring(out, name.as_bytes());
            }
            out.push(b')');
        }
    }
    out.push(b']');
    origin(out, partial);
}

/// Appends a part in brackets, as BINARY names it: `[1.2]`, and `<n>` where only a piece was asked for.
pub fn binary_section(out: &mut Vec<u8>, part: &[u32], partial: Option<Partial>) {
    out.push(b'[');
    part_number(out, part);
    out.push(b']');
    origin(out, partial);
}

fn part_number(out: &mut Vec<u8>, part: &[u32]) {
    for (place, level) in part.iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        number(out, u64::from(*level));
    }
}

fn origin(out: &mut Vec<u8>, partial: Option<Partial>) {
    if let Some(partial) = partial {
        out.push(b'<');
        number(out, partial.start);
        out.push(b'>');
    }
}

/// Appends a string without quotes where it is an atom.
pub fn astring(out: &mut Vec<u8>, octets: &[u8]) {
    let is_atom = !octets.is_empty()
        && octets.len() <= MAX_QUOTED
        && octets.iter().all(|b| b.is_ascii_graphic() && !b"(){%*\"\\".contains(b))
        && !octets.eq_ignore_ascii_case(b"NIL");
    if is_atom { out.extend_from_slice(octets) } else { string(out, octets) }
}

#[cfg(test)]
mod tests;
