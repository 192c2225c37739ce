//! The arguments of SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256).

use super::cursor::{Cursor, Fault, Parsed, is_atom_char};
use super::filter;
use super::parse::{Parser, date, keyword, sequence_set};
use super::{
    CommandBody, MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS, MailboxFilter, PartialRange, Search, SearchKey,
    SearchReturn, Sort, SortBy, SortKey, Thread, ThreadAlgorithm,
};
use crate::imap::response::Code;
use base::{Flag, MailId, ThreadId, Timestamp};
use encoding_rs::{Encoding, UTF_8};
use std::borrow::Cow;

/// SORT criteria of one command.
const MAX_SORT_KEYS: usize = 20;

pub(super) fn search(parser: &mut Parser<'_>, uid: bool) -> Parsed<Search> {
    let cursor = &mut parser.cursor;
    let returns = returns(cursor)?;
    let mut charset = UTF_8;
    if cursor.eat_word("CHARSET") {
        cursor.space()?;
        charset = self::charset(cursor)?;
        cursor.space()?;
    }
    Ok(Search { uid, returns, key: Keys::new(charset).program(cursor)? })
}

/// ESEARCH's arguments (RFC 7377 §4).
pub(super) fn multi_search(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    let mut sources = vec![MailboxFilter::Selected];
    if parser.cursor.eat_word("IN") {
        parser.cursor.space()?;
        sources = filter::sources(parser)?;
        parser.cursor.space()?;
    }
    let mut search = search(parser, true)?;
    // §2.1
    search.returns.get_or_insert(SearchReturn { all: true, ..SearchReturn::default() });
    let selected_only = sources.iter().all(|source| *source == MailboxFilter::Selected);
    if search.returns.is_some_and(|returns| returns.save) && !selected_only {
        return Err(Fault::bad("SAVE is for the selected mailbox only"));
    }
    Ok(CommandBody::MultiSearch(sources, search))
}

pub(super) fn sort(parser: &mut Parser<'_>, uid: bool) -> Parsed<Sort> {
    let cursor = &mut parser.cursor;
    let returns = returns(cursor)?;
    let keys = cursor.list1(MAX_SORT_KEYS, sort_key)?;
    cursor.space()?;
    let charset = charset(cursor)?;
    cursor.space()?;
    Ok(Sort { uid, returns, keys, key: Keys::new(charset).program(cursor)? })
}

pub(super) fn thread(parser: &mut Parser<'_>, uid: bool) -> Parsed<Thread> {
    let cursor = &mut parser.cursor;
    let algorithm = match cursor.word("an algorithm is missing")?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(Fault::bad("unknown threading algorithm")),
    };
    cursor.space()?;
    let charset = charset(cursor)?;
    cursor.space()?;
    Ok(Thread { uid, algorithm, key: Keys::new(charset).program(cursor)? })
}

/// `RETURN` with its options and the space behind, if it is the next.
fn returns(cursor: &mut Cursor<'_>) -> Parsed<Option<SearchReturn>> {
    if !cursor.eat_word("RETURN") {
        return Ok(None);
    }
    cursor.space()?;
    let returns = search_return(cursor)?;
    cursor.space()?;
    Ok(Some(returns))
}

fn search_return(cursor: &mut Cursor<'_>) -> Parsed<SearchReturn> {
    let mut returns = SearchReturn::default();
    // Options that ask for something in the answer.
    let mut asked = 0;
    let options = cursor.list(10, |cursor| {
        asked += 1;
        match cursor.word("an option is missing")?.as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            "PARTIAL" if returns.partial.is_none() => {
                cursor.space()?;
                returns.partial = Some(partial_range(cursor)?);
            }
            "UPDATE" => {
                returns.update = true;
                asked -= 1;
            }
            // RFC 5267 §4.2
            "CONTEXT" => asked -= 1,
            _ => return Err(Fault::bad("unknown return option of SEARCH")),
        }
        Ok(())
    })?;
    // RFC 9394 §3.1
    if returns.all && returns.partial.is_some() {
        return Err(Fault::bad("ALL and PARTIAL exclude each other"));
    }
    // RFC 9051 §6.4.4: `()` means ALL; what asks for no answer by itself changes nothing in that.
    returns.all |= options.is_empty() || asked == 0;
    Ok(returns)
}

/// `partial-range` (RFC 9394 §4)
pub(super) fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<PartialRange> {
    let from_end = cursor.eat(b'-');
    let one = cursor.nz_number()?;
    cursor.expect(b':', "a range is missing")?;
    if cursor.eat(b'-') != from_end {
        return Err(Fault::bad("a range has one direction"));
    }
    let other = cursor.nz_number()?;
    Ok(PartialRange { first: one.min(other), last: one.max(other), from_end })
}

fn sort_key(cursor: &mut Cursor<'_>) -> Parsed<SortKey> {
    let reverse = cursor.eat_word("REVERSE");
    if reverse {
        cursor.space()?;
    }
    let by = match cursor.word("a sort key is missing")?.as_str() {
        "ARRIVAL" => SortBy::Arrival,
        "CC" => SortBy::Cc,
        "DATE" => SortBy::Date,
        "FROM" => SortBy::From,
        "SIZE" => SortBy::Size,
        "SUBJECT" => SortBy::Subject,
        "TO" => SortBy::To,
        "DISPLAYFROM" => SortBy::DisplayFrom,
        "DISPLAYTO" => SortBy::DisplayTo,
        _ => return Err(Fault::bad("unknown sort key")),
    };
    Ok(SortKey { by, reverse })
}

fn charset(cursor: &mut Cursor<'_>) -> Parsed<&'static Encoding> {
    let name = cursor.astring()?;
    // US-ASCII is a part of UTF-8, and clients name it while sending UTF-8.
    if name.eq_ignore_ascii_case(b"US-ASCII") {
        return Ok(UTF_8);
    }
    Encoding::for_label_no_replacement(&name).ok_or(Fault::no(Code::BadCharset, "that charset is not known"))
}

/// Reads search keys, counting them.
struct Keys {
    charset: &'static Encoding,
    count: usize,
}

impl Keys {
    fn new(charset: &'static Encoding) -> Self {
        Keys { charset, count: 0 }
    }

    /// The keys up to the command's end.
    fn program(&mut self, cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
        let mut keys = vec![self.key(cursor, 0)?];
        while !cursor.at_end() {
            cursor.space()?;
            keys.push(self.key(cursor, 0)?);
        }
        Ok(all_of(keys))
    }

    fn key(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Parsed<SearchKey> {
        self.count += 1;
        if self.count > MAX_SEARCH_KEYS {
            return Err(Fault::bad("too many search keys"));
        }
        if depth > MAX_SEARCH_DEPTH {
            return Err(Fault::bad("search keys nest too deep"));
        }
        match cursor.peek() {
            Some(b'(') => cursor.list1(MAX_SEARCH_KEYS, |cursor| self.key(cursor, depth + 1)).map(all_of),
            Some(b'0'..=b'9' | b'*' | b'$') => sequence_set(cursor).map(SearchKey::Sequence),
            _ => {
                let name = cursor.word("a search key is missing")?;
                match simple(&name) {
                    Some(key) => Ok(key),
                    None => {
                        cursor.space()?;
                        self.with_argument(&name, cursor, depth)
                    }
                }
            }
        }
    }

    fn with_argument(&mut self, name: &str, cursor: &mut Cursor<'_>, depth: usize) -> Parsed<SearchKey> {
        Ok(match name {
            "NOT" => SearchKey::Not(Box::new(self.key(cursor, depth + 1)?)),
            "OR" => {
                let one = self.key(cursor, depth + 1)?;
                cursor.space()?;
                SearchKey::Or(Box::new(one), Box::new(self.key(cursor, depth + 1)?))
            }
            "BCC" => SearchKey::Bcc(self.text(cursor)?),
            "CC" => SearchKey::Cc(self.text(cursor)?),
            "FROM" => SearchKey::From(self.text(cursor)?),
            "TO" => SearchKey::To(self.text(cursor)?),
            "SUBJECT" => SearchKey::Subject(self.text(cursor)?),
            "BODY" => SearchKey::Body(self.text(cursor)?),
            "TEXT" => SearchKey::Text(self.text(cursor)?),
            "HEADER" => {
                let field = self.text(cursor)?;
                cursor.space()?;
                SearchKey::Header(field, self.text(cursor)?)
            }
            _ => plain(name, cursor)?,
        })
    }

    /// An astring in the command's charset.
    fn text(&self, cursor: &mut Cursor<'_>) -> Parsed<String> {
        let octets = cursor.astring()?;
        let text =
            self.charset.decode_without_bom_handling_and_without_replacement(&octets).map(Cow::into_owned);
        text.ok_or(Fault::bad("the text is not in the charset"))
    }
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.pop() {
        Some(only) if keys.is_empty() => only,
        last => {
            keys.extend(last);
            SearchKey::And(keys)
        }
    }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

/// Keys without an argument.
fn simple(name: &str) -> Option<SearchKey> {
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Flag(Flag::Answered),
        "DELETED" => SearchKey::Flag(Flag::Deleted),
        "DRAFT" => SearchKey::Flag(Flag::Draft),
        "FLAGGED" => SearchKey::Flag(Flag::Flagged),
        "SEEN" => SearchKey::Flag(Flag::Seen),
        "UNANSWERED" => not(SearchKey::Flag(Flag::Answered)),
        "UNDELETED" => not(SearchKey::Flag(Flag::Deleted)),
        "UNDRAFT" => not(SearchKey::Flag(Flag::Draft)),
        "UNFLAGGED" => not(SearchKey::Flag(Flag::Flagged)),
        "UNSEEN" => not(SearchKey::Flag(Flag::Seen)),
        // RFC 3501 §6.4.4
        "RECENT" => SearchKey::Recent,
        "OLD" => not(SearchKey::Recent),
        "NEW" => SearchKey::And(vec![SearchKey::Recent, not(SearchKey::Flag(Flag::Seen))]),
        "SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        _ => return None,
    })
}

/// Keys whose argument is no text.
fn plain(name: &str, cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    Ok(match name {
        "UID" => SearchKey::Uid(sequence_set(cursor)?),
        "KEYWORD" => SearchKey::Keyword(keyword(cursor)?),
        "UNKEYWORD" => not(SearchKey::Keyword(keyword(cursor)?)),
        "BEFORE" => SearchKey::Before(day(cursor)?),
        "ON" => SearchKey::On(day(cursor)?),
        "SINCE" => SearchKey::Since(day(cursor)?),
        "SENTBEFORE" => SearchKey::SentBefore(day(cursor)?),
        "SENTON" => SearchKey::SentOn(day(cursor)?),
        "SENTSINCE" => SearchKey::SentSince(day(cursor)?),
        "SAVEDBEFORE" => SearchKey::SavedBefore(day(cursor)?),
        "SAVEDON" => SearchKey::SavedOn(day(cursor)?),
        "SAVEDSINCE" => SearchKey::SavedSince(day(cursor)?),
        "YOUNGER" => SearchKey::Younger(cursor.nz_number()?),
        "OLDER" => SearchKey::Older(cursor.nz_number()?),
        "LARGER" => SearchKey::Larger(cursor.number64()?),
        "SMALLER" => SearchKey::Smaller(cursor.number64()?),
        "MODSEQ" => mod_seq(cursor)?,
        "EMAILID" => SearchKey::EmailId(object_id(cursor, 'M')?.map(MailId)),
        "THREADID" => SearchKey::ThreadId(object_id(cursor, 'T')?.map(ThreadId)),
        _ => return Err(Fault::bad("unknown search key")),
    })
}

fn day(cursor: &mut Cursor<'_>) -> Parsed<Timestamp> {
    match cursor.peek() {
        Some(b'"') => date(&cursor.string()?),
        _ => date(cursor.take_while(is_atom_char)),
    }
}

/// `[entry-name entry-type] modseq`: we keep one MODSEQ for all of a message's metadata, so which entry is meant
/// makes no difference (RFC 7162 §3.1.5).
fn mod_seq(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.space()?;
        if !["PRIV", "SHARED", "ALL"].into_iter().any(|kind| cursor.eat_word(kind)) {
            return Err(Fault::bad("an entry's type is missing"));
        }
        cursor.space()?;
    }
    Ok(SearchKey::ModSeq(cursor.number64()?))
}

/// An objectid (RFC 8474 §7); the number of one of ours, as [`print::object_id`](crate::imap::print::object_id) writes it.
fn object_id(cursor: &mut Cursor<'_>, kind: char) -> Parsed<Option<u64>> {
    let id = cursor.atom("an id is missing")?;
    if id.len() > 255 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        return Err(Fault::bad("that is no id"));
    }
    let number = id.strip_prefix(kind).and_then(|digits| digits.parse::<u64>().ok());
    Ok(number.filter(|number| format!("{kind}{number}") == id))
}
