//! Search keys, made ready for many messages: each is answered by the row, or left open until the message is.

use super::view::View;
use crate::mailstore::{Mailstore, Message};
use base::mailbox::{MailError, Row};
use base::{Flag, Keyword, MailId, ModSeq, ThreadId, Timestamp, Uid};
use std::io;
use std::sync::Arc;
use wire::imap::command::{Ranges, SearchKey, SequenceSet};
use wire::mime::{self, LIST_FIELDS, address};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A search key.
pub(super) enum Test {
    Constant(bool),
    And(Vec<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Uids(Arc<Ranges>),
    Flag(Flag),
    Keyword(Keyword),
    Recent,
    /// From the first second on and before the second.
    Time(Which, i64, i64),
    Size {
        above: u64,
        below: u64,
    },
    ModSeq(ModSeq),
    Mail(MailId),
    Thread(ThreadId),
    Header(Header),
    Text(Text),
}

/// Which time is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Internal,
    Saved,
    /// The Date field, as it was written.
    Sent,
}

/// A text in a header field.
pub(super) struct Header {
    field: String,
    /// Folded; empty: the field is there.
    needle: String,
    /// Addresses are looked at as such too.
    addresses: bool,
    /// Whether rows hold the field.
    in_row: bool,
}

/// A text in the message.
pub(super) struct Text {
    needle: String,
    /// The header too.
    with_header: bool,
    /// All that may hold it, ascending, where the store knows.
    candidates: Option<Vec<Uid>>,
}

/// Candidates that all texts of one search may keep together; further texts are looked for everywhere.
const MOST_CANDIDATES: usize = 1_000_000;

/// Makes keys ready. What it keeps grows with the command's length and the mailbox, not with both multiplied.
struct Maker<'a> {
    store: &'a dyn Mailstore,
    view: &'a View,
    /// `$`, once it was asked for.
    saved: Option<Arc<Ranges>>,
    /// Candidates that may still be kept.
    room: usize,
}

/// A message that was opened to look inside; what was looked at is kept for further keys.
pub(super) struct Opened<'a> {
    message: &'a dyn Message,
    header: Option<Vec<u8>>,
    header_text: Option<String>,
    body: Option<String>,
    pub(super) error: Option<io::Error>,
}

impl Test {
    /// Makes a key ready. Nesting is bounded by the parser.
    pub(super) fn new(key: &SearchKey, store: &dyn Mailstore, view: &View) -> Result<Self, MailError> {
        Maker { store, view, saved: None, room: MOST_CANDIDATES }.make(key)
    }

    /// [`Test::new`], for so few messages that the index is not asked.
    pub(super) fn without_index(
        key: &SearchKey,
        store: &dyn Mailstore,
        view: &View,
    ) -> Result<Self, MailError> {
        Maker { store, view, saved: None, room: 0 }.make(key)
    }

    fn header(field: &str, text: &str, addresses: bool) -> Self {
        let in_row = LIST_FIELDS.iter().any(|kept| kept.eq_ignore_ascii_case(field));
        Test::Header(Header { field: field.to_owned(), needle: mime::casemap(text), addresses, in_row })
    }
}

impl Maker<'_> {
    fn make(&mut self, key: &SearchKey) -> Result<Test, MailError> {
        let address = |field: &str, text: &String| Test::header(field, text, true);
        let day = |which, from: i64, to: i64| Test::Time(which, from, to);
        Ok(match key {
            SearchKey::All | SearchKey::SaveDateSupported => Test::Constant(true),
            SearchKey::And(keys) => {
                Test::And(keys.iter().map(|key| self.make(key)).collect::<Result<_, _>>()?)
            }
            SearchKey::Or(one, other) => Test::Or(Box::new(self.make(one)?), Box::new(self.make(other)?)),
            SearchKey::Not(key) => Test::Not(Box::new(self.make(key)?)),
            SearchKey::Sequence(set) => Test::Uids(self.uids(set, false)),
            SearchKey::Uid(set) => Test::Uids(self.uids(set, true)),
            SearchKey::Flag(flag) => Test::Flag(*flag),
            SearchKey::Keyword(keyword) => Test::Keyword(keyword.clone()),
            SearchKey::Recent => Test::Recent,
            SearchKey::Before(at) => day(Which::Internal, i64::MIN, at.0),
            SearchKey::On(at) => day(Which::Internal, at.0, at.0.saturating_add(DAY)),
            SearchKey::Since(at) => day(Which::Internal, at.0, i64::MAX),
            SearchKey::SentBefore(at) => day(Which::Sent, i64::MIN, at.0),
            SearchKey::SentOn(at) => day(Which::Sent, at.0, at.0.saturating_add(DAY)),
            SearchKey::SentSince(at) => day(Which::Sent, at.0, i64::MAX),
            SearchKey::SavedBefore(at) => day(Which::Saved, i64::MIN, at.0),
            SearchKey::SavedOn(at) => day(Which::Saved, at.0, at.0.saturating_add(DAY)),
            SearchKey::SavedSince(at) => day(Which::Saved, at.0, i64::MAX),
            // RFC 5032 §2.
            SearchKey::Younger(seconds) => day(Which::Internal, ago(*seconds), i64::MAX),
            SearchKey::Older(seconds) => day(Which::Internal, i64::MIN, ago(*seconds).saturating_add(1)),
            SearchKey::Larger(octets) => Test::Size { above: octets.saturating_add(1), below: u64::MAX },
            SearchKey::Smaller(octets) => Test::Size { above: 0, below: *octets },
            SearchKey::Bcc(text) => address("bcc", text),
            SearchKey::Cc(text) => address("cc", text),
            SearchKey::From(text) => address("from", text),
            SearchKey::To(text) => address("to", text),
            SearchKey::Subject(text) => Test::header("subject", text, false),
            SearchKey::Header(field, text) => Test::header(field, text, is_address_field(field)),
            SearchKey::Body(text) => self.text(text, false)?,
            SearchKey::Text(text) => self.text(text, true)?,
            SearchKey::ModSeq(modseq) => Test::ModSeq(ModSeq(*modseq)),
            SearchKey::EmailId(id) => id.map_or(Test::Constant(false), Test::Mail),
            SearchKey::ThreadId(id) => id.map_or(Test::Constant(false), Test::Thread),
        })
    }

    fn uids(&mut self, set: &SequenceSet, uid: bool) -> Arc<Ranges> {
        let view = self.view;
        match set {
            SequenceSet::Saved => {
                self.saved.get_or_insert_with(|| Arc::new(view.uid_ranges(set, uid))).clone()
            }
            _ => Arc::new(view.uid_ranges(set, uid)),
        }
    }

    fn text(&mut self, text: &str, with_header: bool) -> Result<Test, MailError> {
        let needle = mime::casemap(text);
        if needle.is_empty() {
            return Ok(Test::Constant(true));
        }
        let candidates = match self.room {
            0 => None,
            room => self.store.candidates(self.view.mailbox, text)?.filter(|found| found.len() <= room),
        };
        self.room -= candidates.as_ref().map_or(0, Vec::len);
        Ok(Test::Text(Text { needle, with_header, candidates }))
    }
}

impl Test {
    /// Whether rows have to come with what clients list by.
    pub(super) fn needs_summary(&self) -> bool {
        match self {
            Test::And(tests) => tests.iter().any(Test::needs_summary),
            Test::Or(one, other) => one.needs_summary() || other.needs_summary(),
            Test::Not(test) => test.needs_summary(),
            Test::Header(header) => header.in_row,
            Test::Time(which, ..) => *which == Which::Sent,
            _ => false,
        }
    }

    /// The only messages that can fit, ascending, where that is known beforehand.
    pub(super) fn narrow(&self, view: &View) -> Option<Vec<Uid>> {
        match self {
            Test::And(tests) => tests.iter().filter_map(|test| test.narrow(view)).min_by_key(Vec::len),
            Test::Uids(ranges) => Some(ranges.select(view.uids()).map(|(_, uid)| uid).collect()),
            Test::Text(text) => text.candidates.clone(),
            Test::Constant(false) => Some(Vec::new()),
            _ => None,
        }
    }

    /// Whether the message fits; `None` where that can't be told without opening it.
    pub(super) fn judge(
        &self,
        row: &Row<'_>,
        view: &View,
        mut opened: Option<&mut Opened<'_>>,
    ) -> Option<bool> {
        Some(match self {
            Test::Constant(fits) => *fits,
            Test::And(tests) => return all(tests, row, view, opened),
            Test::Or(one, other) => {
                let first = one.judge(row, view, opened.as_deref_mut());
                if first == Some(true) {
                    return first;
                }
                return match (first, other.judge(row, view, opened)) {
                    (_, Some(true)) => Some(true),
                    (Some(false), second) => second,
                    _ => None,
                };
            }
            Test::Not(test) => !test.judge(row, view, opened)?,
            Test::Uids(ranges) => ranges.contains(row.uid.0),
            Test::Flag(flag) => row.flags.has(*flag),
            Test::Keyword(keyword) => row.flags.has_keyword(keyword),
            Test::Recent => view.is_recent(row.uid),
            Test::Time(which, from, to) => (*from..*to).contains(&time_of(*which, row)),
            Test::Size { above, below } => (*above..*below).contains(&row.size),
            Test::ModSeq(modseq) => row.modseq >= *modseq,
            Test::Mail(mail) => row.mail == *mail,
            Test::Thread(thread) => row.thread == *thread,
            Test::Header(header) => match row.summary.filter(|_| header.in_row) {
                Some(summary) => header.is_in(summary.head),
                None => header.is_in(opened?.header()),
            },
            Test::Text(text)
                if text.candidates.as_ref().is_some_and(|may| may.binary_search(&row.uid).is_err()) =>
            {
                false
            }
            Test::Text(text) => text.is_in(opened?),
        })
    }
}

/// Whether all fit. A row that fails one is not opened for another.
fn all(tests: &[Test], row: &Row<'_>, view: &View, mut opened: Option<&mut Opened<'_>>) -> Option<bool> {
    let mut fits = Some(true);
    for test in tests {
        match test.judge(row, view, opened.as_deref_mut()) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => fits = None,
        }
    }
    fits
}

fn ago(seconds: u32) -> i64 {
    Timestamp::now().0.saturating_sub(i64::from(seconds))
}

fn is_address_field(field: &str) -> bool {
    ["from", "sender", "reply-to", "to", "cc", "bcc"].iter().any(|name| name.eq_ignore_ascii_case(field))
}

fn time_of(which: Which, row: &Row<'_>) -> i64 {
    match which {
        Which::Internal => row.internal_date.0,
        Which::Saved => row.saved.0,
        Which::Sent => {
            let date = row.summary.and_then(|summary| mime::header::get(summary.head, "date"));
            date.and_then(|value| mime::date::parse(&value))
                .map_or(row.internal_date, |date| date.written())
                .0
        }
    }
}

impl Header {
    fn is_in(&self, header: &[u8]) -> bool {
        mime::header::fields(header).filter(|field| field.is(&self.field)).any(|field| self.fits(field.value))
    }

    fn fits(&self, value: &[u8]) -> bool {
        if self.needle.is_empty() {
            return true;
        }
        if mime::casemap(&mime::word::decode(value)).contains(&self.needle) {
            return true;
        }
        // As it is written first; then without what quoting, comments and folds put between (RFC 9051 §6.4.4 has
        // the envelope's fields).
        self.addresses
            && address::parse(value).iter().any(|entry| mime::casemap(&shown(entry)).contains(&self.needle))
    }
}

fn shown(entry: &address::Entry) -> String {
    match entry {
        address::Entry::GroupStart(name) => mime::word::decode(name),
        address::Entry::GroupEnd => String::new(),
        address::Entry::Mailbox(mailbox) => match mailbox.display_name() {
            Some(name) => format!("{name} <{}>", mailbox.address()),
            None => mailbox.address(),
        },
    }
}

impl Text {
    fn is_in(&self, opened: &mut Opened<'_>) -> bool {
        (self.with_header && opened.header_text().contains(&self.needle))
            || opened.body().contains(&self.needle)
    }
}

impl<'a> Opened<'a> {
    pub(super) fn new(message: &'a dyn Message) -> Self {
        Opened { message, header: None, header_text: None, body: None, error: None }
    }

    fn header(&mut self) -> &[u8] {
        let Opened { message, header, error, .. } = self;
        header.get_or_insert_with(|| {
            let mut octets = Vec::new();
            *error = message.read(message.tree().root().header(), &mut octets).err().or(error.take());
            octets
        })
    }

    fn header_text(&mut self) -> &str {
        if self.header_text.is_none() {
            let text = mime::casemap(&mime::header_text(self.header()));
            self.header_text = Some(text);
        }
        self.header_text.as_deref().unwrap_or_default()
    }

    fn body(&mut self) -> &str {
        let Opened { message, body, error, .. } = self;
        body.get_or_insert_with(|| match mime::search_text(message.tree(), *message) {
            Ok(text) => mime::casemap(&text),
            Err(failed) => {
                *error = Some(failed);
                String::new()
            }
        })
    }
}
