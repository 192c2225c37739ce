//! What SORT orders by and THREAD threads by (RFC 5256 §2, §3, RFC 5957), taken from rows.

use super::thread::Threaded;
use base::Uid;
use base::mailbox::Row;
use std::cmp::Ordering;
use wire::imap::command::{SortBy, SortKey};
use wire::mime::{self, address, header, message_id, subject};

/// References of one message that are followed.
const MAX_REFERENCES: usize = 100;

/// Octets of all of them together.
const REFERENCES_OCTETS: usize = 16 * 1024;

/// Octets of a text or an id that are compared: a stranger's subject may be as long as a header, and those of a whole
/// mailbox are held at once.
const COMPARED_OCTETS: usize = 1000;

/// A message with its values of the sort keys.
pub(super) struct Sorted {
    pub(super) uid: Uid,
    values: Vec<Value>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

impl Sorted {
    pub(super) fn new(keys: &[SortKey], row: &Row<'_>) -> Self {
        Sorted { uid: row.uid, values: keys.iter().map(|key| value(key.by, row)).collect() }
    }
}

/// Whether the keys need what clients list by.
pub(super) fn needs_summary(keys: &[SortKey]) -> bool {
    keys.iter().any(|key| !matches!(key.by, SortBy::Arrival | SortBy::Size))
}

/// Sorts; equal messages stay in the mailbox's order, whatever is reversed (RFC 5256 §3).
pub(super) fn sort(keys: &[SortKey], found: &mut [Sorted]) {
    let compare = |a: &Sorted, b: &Sorted| {
        let by_key = keys.iter().zip(a.values.iter().zip(&b.values)).map(|(key, (a, b))| match key.reverse {
            true => b.cmp(a),
            false => a.cmp(b),
        });
        by_key.fold(Ordering::Equal, Ordering::then).then(a.uid.cmp(&b.uid))
    };
    found.sort_unstable_by(compare);
}

fn value(by: SortBy, row: &Row<'_>) -> Value {
    match by {
        SortBy::Arrival => Value::Number(row.internal_date.0),
        SortBy::Date => Value::Number(sent(row)),
        SortBy::Size => Value::Number(row.size as i64),
        SortBy::Subject => Value::Text(ordered(&subject::base(&field(row, "subject")).text)),
        SortBy::From => Value::Text(first_address(row, "from", false)),
        SortBy::To => Value::Text(first_address(row, "to", false)),
        SortBy::Cc => Value::Text(first_address(row, "cc", false)),
        SortBy::DisplayFrom => Value::Text(first_address(row, "from", true)),
        SortBy::DisplayTo => Value::Text(first_address(row, "to", true)),
    }
}

/// Text as `i;unicode-casemap` orders it (RFC 5051): by capital letters, so that `[` and `_` follow them.
fn ordered(text: &str) -> String {
    mime::casemap(compared(text)).to_uppercase()
}

fn compared(text: &str) -> &str {
    &text[..text.floor_char_boundary(COMPARED_OCTETS)]
}

/// The first field of a name, unfolded; empty where there is none.
fn field(row: &Row<'_>, name: &str) -> Vec<u8> {
    let head = row.summary.map_or(&b""[..], |summary| summary.head);
    header::get(head, name).map(|value| value.into_owned()).unwrap_or_default()
}

/// When it was sent; received, where it does not say (RFC 5256 §2.2).
fn sent(row: &Row<'_>) -> i64 {
    mime::date::parse(&field(row, "date")).map_or(row.internal_date, |date| date.at).0
}

/// Of the first address: what stands before the `@` (RFC 5256 §3), or what a client shows (RFC 5957 §3).
fn first_address(row: &Row<'_>, name: &str, display: bool) -> String {
    let entries = address::parse(&field(row, name));
    match entries.first() {
        Some(address::Entry::GroupStart(name)) => ordered(&mime::word::decode(name)),
        Some(address::Entry::Mailbox(mailbox)) if display => {
            ordered(&mailbox.display_name().unwrap_or_else(|| mailbox.address()))
        }
        Some(address::Entry::Mailbox(mailbox)) => ordered(&mime::charset::guess(&mailbox.local)),
        _ => String::new(),
    }
}

/// What threading needs of a message.
pub(super) fn threaded(number: u32, row: &Row<'_>) -> Threaded {
    let base = subject::base(&field(row, "subject"));
    let ids = |name: &str| -> Vec<String> {
        message_id::parse(&field(row, name)).iter().map(|id| compared(id).to_owned()).collect()
    };
    let mut references = ids("references");
    if references.is_empty() {
        // RFC 5256 §3: of several, the first.
        references = ids("in-reply-to");
        references.truncate(1);
    }
    // The nearest ones count: a header may name hundreds, and each is walked.
    let mut octets = 0;
    let near = references.iter().rev().take(MAX_REFERENCES).take_while(|id| {
        octets += id.len();
        octets <= REFERENCES_OCTETS
    });
    let near = near.count();
    references.drain(..references.len() - near);
    Threaded {
        number,
        sent: sent(row),
        subject: mime::casemap(compared(&base.text)),
        reply: base.is_reply_or_forward,
        id: ids("message-id").into_iter().next(),
        references,
    }
}
