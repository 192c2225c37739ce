//! GETMETADATA and SETMETADATA (RFC 5464 §5).

use super::cursor::{Cursor, Fault, Parsed};
use super::parse::{MAX_OPTIONS, Parser};
use base::{EntryName, MailboxName};
use std::borrow::Cow;

/// Entries of one command.
const MAX_ENTRIES: usize = 1000;

/// GETMETADATA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetMetadata {
    /// Which mailbox; `None` for the server.
    pub mailbox: Option<MailboxName>,
    /// Which entries.
    pub entries: Vec<EntryName>,
    /// Only values of at most so many octets.
    pub max_size: Option<u64>,
    /// How many levels below the entries to look.
    pub depth: Depth,
}

/// How many levels below an entry are meant too.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Depth {
    /// None.
    #[default]
    Zero,
    /// One.
    One,
    /// All.
    Infinity,
}

impl Depth {
    /// Whether an entry that lies so many levels below is meant.
    pub fn reaches(self, levels: usize) -> bool {
        match self {
            Depth::Zero => levels == 0,
            Depth::One => levels <= 1,
            Depth::Infinity => true,
        }
    }
}

/// SETMETADATA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetMetadata {
    /// Which mailbox; `None` for the server.
    pub mailbox: Option<MailboxName>,
    /// Entries and their values; `None` removes one.
    pub entries: Vec<(EntryName, Option<Vec<u8>>)>,
}

pub(super) fn get(parser: &mut Parser<'_>) -> Parsed<GetMetadata> {
    let mut get = GetMetadata { mailbox: None, entries: Vec::new(), max_size: None, depth: Depth::default() };
    // The grammar has options before the mailbox, the examples of RFC 5464 §4.2 behind it.
    if options_follow(&parser.cursor) {
        options(&mut parser.cursor, &mut get)?;
        parser.cursor.space()?;
    }
    get.mailbox = parser.mailbox_or_server()?;
    parser.cursor.space()?;
    if options_follow(&parser.cursor) {
        options(&mut parser.cursor, &mut get)?;
        parser.cursor.space()?;
    }
    get.entries = entries(&mut parser.cursor)?;
    Ok(get)
}

pub(super) fn set(parser: &mut Parser<'_>) -> Parsed<SetMetadata> {
    let mailbox = parser.mailbox_or_server()?;
    parser.cursor.space()?;
    let entries = parser.cursor.list1(MAX_ENTRIES, |cursor| {
        let name = entry(cursor)?;
        if !name.can_be_set() {
            return Err(Fault::bad("no annotation has that name"));
        }
        cursor.space()?;
        let value = match cursor.eat_word("NIL") {
            true => None,
            false => Some(cursor.string8()?.into_owned()),
        };
        Ok((name, value))
    })?;
    Ok(SetMetadata { mailbox, entries })
}

/// One entry or a list; several without parentheses too, as an example of RFC 5464 §4.4.1 has them.
pub(super) fn entries(cursor: &mut Cursor<'_>) -> Parsed<Vec<EntryName>> {
    if cursor.peek() == Some(b'(') {
        return cursor.list1(MAX_ENTRIES, entry);
    }
    let mut entries = vec![entry(cursor)?];
    while !cursor.at_end() && entries.len() < MAX_ENTRIES && cursor.eat(b' ') {
        entries.push(entry(cursor)?);
    }
    Ok(entries)
}

/// Whether a list of options is next: an entry's name begins with no letter.
fn options_follow(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.eat(b'(') && ahead.peek().is_some_and(|b| b.is_ascii_alphabetic())
}

fn options(cursor: &mut Cursor<'_>, get: &mut GetMetadata) -> Parsed<()> {
    cursor.list1(MAX_OPTIONS, |cursor| option(cursor, get)).map(drop)
}

fn option(cursor: &mut Cursor<'_>, get: &mut GetMetadata) -> Parsed<()> {
    let word = cursor.word("an option is missing")?;
    cursor.space()?;
    match word.as_str() {
        "MAXSIZE" => get.max_size = Some(cursor.number64()?),
        "DEPTH" => {
            get.depth = match cursor.word("a depth is missing")?.as_str() {
                "0" => Depth::Zero,
                "1" => Depth::One,
                "INFINITY" => Depth::Infinity,
                _ => return Err(Fault::bad("DEPTH is 0, 1 or infinity")),
            }
        }
        _ => return Err(Fault::bad("unknown option of GETMETADATA")),
    }
    Ok(())
}

fn entry(cursor: &mut Cursor<'_>) -> Parsed<EntryName> {
    let name: Cow<'_, [u8]> = cursor.astring()?;
    let name = std::str::from_utf8(&name).ok().and_then(EntryName::new);
    name.ok_or(Fault::bad("that can't be an annotation's name"))
}
