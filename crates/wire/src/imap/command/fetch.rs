//! FETCH's arguments (RFC 9051 §6.4.5).

use super::cursor::{Cursor, Fault, Parsed};
use super::parse::Parser;
use super::search::partial_range;
use super::{Fetch, FetchItem, MAX_FETCH_ITEMS, MAX_PART_DEPTH, Partial, Section, SectionText};

pub(super) fn fetch(parser: &mut Parser<'_>, uid: bool) -> Parsed<Fetch> {
    let set = parser.sequence_set()?;
    let cursor = &mut parser.cursor;
    cursor.space()?;
    let mut items = Vec::new();
    match cursor.peek() {
        Some(b'(') => {
            for item in cursor.list1(MAX_FETCH_ITEMS, item)? {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        _ => match macro_items(cursor) {
            Some(all) => items.extend_from_slice(all),
            None => items.push(item(cursor)?),
        },
    }
    let mut fetch = Fetch { uid, set, items, changed_since: None, vanished: false, partial: None };
    if !cursor.at_end() {
        cursor.space()?;
        cursor.list1(3, |cursor| modifier(cursor, &mut fetch))?;
    }
    // RFC 7162 §3.2.6
    if fetch.vanished && !(uid && fetch.changed_since.is_some()) {
        return Err(Fault::bad("VANISHED needs UID FETCH and CHANGEDSINCE"));
    }
    // RFC 9394 §3.3
    if fetch.partial.is_some() && !uid {
        return Err(Fault::bad("PARTIAL needs UID FETCH"));
    }
    Ok(fetch)
}

fn macro_items(cursor: &mut Cursor<'_>) -> Option<&'static [FetchItem]> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    const FULL: &[FetchItem] = &[Flags, InternalDate, Rfc822Size, Envelope, Body];
    let length = [("FAST", 3), ("ALL", 4), ("FULL", 5)].into_iter().find(|(name, _)| cursor.eat_word(name));
    length.and_then(|(_, length)| FULL.get(..length))
}

fn modifier(cursor: &mut Cursor<'_>, fetch: &mut Fetch) -> Parsed<()> {
    match cursor.word("a modifier is missing")?.as_str() {
        "CHANGEDSINCE" if fetch.changed_since.is_none() => {
            cursor.space()?;
            fetch.changed_since = Some(cursor.number64()?);
        }
        "VANISHED" => fetch.vanished = true,
        "PARTIAL" if fetch.partial.is_none() => {
            cursor.space()?;
            fetch.partial = Some(partial_range(cursor)?);
        }
        _ => return Err(Fault::bad("unknown modifier of FETCH")),
    }
    Ok(())
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<FetchItem> {
    let name = cursor.word("a FETCH item is missing")?;
    let has_section = cursor.peek() == Some(b'[');
    Ok(match (name.as_str(), has_section) {
        ("ENVELOPE", false) => FetchItem::Envelope,
        ("FLAGS", false) => FetchItem::Flags,
        ("INTERNALDATE", false) => FetchItem::InternalDate,
        ("RFC822.SIZE", false) => FetchItem::Rfc822Size,
        ("UID", false) => FetchItem::Uid,
        ("BODYSTRUCTURE", false) => FetchItem::BodyStructure,
        ("BODY", false) => FetchItem::Body,
        ("RFC822", false) => FetchItem::Rfc822,
        ("RFC822.HEADER", false) => FetchItem::Rfc822Header,
        ("RFC822.TEXT", false) => FetchItem::Rfc822Text,
        ("MODSEQ", false) => FetchItem::ModSeq,
        ("EMAILID", false) => FetchItem::EmailId,
        ("THREADID", false) => FetchItem::ThreadId,
        ("SAVEDATE", false) => FetchItem::SaveDate,
        ("PREVIEW", false) => {
            // RFC 8970 §3.1
            cursor.eat_text(" (LAZY)");
            FetchItem::Preview
        }
        ("BODY" | "BODY.PEEK", true) => FetchItem::BodySection {
            section: section(cursor)?,
            peek: name.ends_with("PEEK"),
            partial: partial(cursor)?,
        },
        ("BINARY" | "BINARY.PEEK", true) => FetchItem::Binary {
            part: binary_section(cursor)?,
            peek: name.ends_with("PEEK"),
            partial: partial(cursor)?,
        },
        ("BINARY.SIZE", true) => FetchItem::BinarySize { part: binary_section(cursor)? },
        _ => return Err(Fault::bad("unknown FETCH item")),
    })
}

/// `[` section `]`
fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.expect(b'[', "a section is missing")?;
    let section = section_spec(cursor)?;
    cursor.expect(b']', "a section does not end")?;
    Ok(section)
}

/// What stands between a section's brackets, and in a URL without them (RFC 5092 §11: `enc-section`).
pub(super) fn section_spec(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    let (part, dot) = part_number(cursor)?;
    let text = match cursor.peek() {
        Some(b']') | None if !dot => SectionText::All,
        _ => section_text(cursor)?,
    };
    // RFC 9051 §6.4.5.1: MIME is a part's.
    if text == SectionText::Mime && part.is_empty() {
        return Err(Fault::bad("MIME needs a part's number"));
    }
    Ok(Section { part, text })
}

fn section_text(cursor: &mut Cursor<'_>) -> Parsed<SectionText> {
    let name = cursor.word("a section is missing")?;
    Ok(match name.as_str() {
        "HEADER" => SectionText::Header,
        "TEXT" => SectionText::Text,
        "MIME" => SectionText::Mime,
        "HEADER.FIELDS" | "HEADER.FIELDS.NOT" => {
            cursor.space()?;
            let names = cursor.list1(MAX_FETCH_ITEMS, field_name)?;
            SectionText::HeaderFields { names, not: name.ends_with("NOT") }
        }
        _ => return Err(Fault::bad("unknown section")),
    })
}

/// A header field's name (RFC 5322 §2.2): it is printed again in the answer, so nothing else may pass.
fn field_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let name = cursor.astring_text()?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if fits { Ok(name) } else { Err(Fault::bad("that is no header field's name")) }
}

/// `[` part `]`
fn binary_section(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    cursor.expect(b'[', "a section is missing")?;
    let (part, dot) = part_number(cursor)?;
    if dot {
        return Err(Fault::bad("a part's number is missing"));
    }
    cursor.expect(b']', "a section does not end")?;
    Ok(part)
}

/// A part's number, perhaps empty, and whether a dot follows it.
fn part_number(cursor: &mut Cursor<'_>) -> Parsed<(Vec<u32>, bool)> {
    let mut part = Vec::new();
    while cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
        if part.len() >= MAX_PART_DEPTH {
            return Err(Fault::bad("the part's number is too deep"));
        }
        part.push(cursor.nz_number()?);
        if !cursor.eat(b'.') {
            return Ok((part, false));
        }
    }
    let dot = !part.is_empty();
    Ok((part, dot))
}

fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<Partial>> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    let start = cursor.number64()?;
    cursor.expect(b'.', "a partial lacks its length")?;
    let length = cursor.number64()?;
    cursor.expect(b'>', "a partial does not end")?;
    if length == 0 {
        return Err(Fault::bad("a partial's length may not be 0"));
    }
    Ok(Some(Partial { start, length }))
}
