//! The queue: mail for other servers, until they have it or its sender is told that they won't.
//!
//! | state | in the row | ends by |
//! |---|---|---|
//! | waiting | `held` is none, `due` is past | a try, which settles it |
//! | deferred | `held` is none, `due` is to come | its time, or `Retry` |
//! | held | `held` says why | `Release`, or `Drop` |
//! | gone | no row | |
//!
//! An entry is one message for one recipient. Nothing is written when a try begins: after a crash whatever was not
//! settled is tried again, and only a recipient whose server's reply was lost gets a message twice (RFC 1047).

use crate::story::Event;
use crate::{Done, Placed, StoreError};
use base::{AccountId, Address, DomainId, MailId, ReversePath, Timestamp, TraceId};
use gate::Screened;
use wire::smtp::Terms;

/// What waits to be sent. Numbers are never used again.
pub trait Queue: Send + Sync {
    /// Entries by number, after `after`, at most `most`.
    fn entries(&self, after: u64, most: usize) -> Result<Vec<Queued>, StoreError>;

    /// The destinations for which something waits or is deferred, with the earliest time.
    fn destinations(&self) -> Result<Vec<Waiting>, StoreError>;

    /// The same of one destination.
    fn earliest(&self, destination: &str) -> Result<Option<Timestamp>, StoreError>;

    /// How many entries are in which state.
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Entries for a destination that are due at `now`, by time and number, after the one that `after` names, at
    /// most `most`. Those of one message that became due together are neighbours.
    fn due(
        &self,
        destination: &str,
        now: Timestamp,
        after: Option<(Timestamp, u64)>,
        most: usize,
    ) -> Result<Vec<Queued>, StoreError>;

    /// Entries that are not held and whose `deadline` is past, at most `most`.
    fn overdue(&self, now: Timestamp, most: usize) -> Result<Vec<Queued>, StoreError>;

    /// Commits what became of entries together with what their senders are told: all or nothing. `done` is called
    /// when it survives a power cut.
    fn settle(&self, settled: Vec<Settled>, notices: Vec<Screened>, done: Done<Vec<Placed>>);

    /// What is held, those included that are queued later.
    fn holds(&self) -> Result<Vec<Hold>, StoreError>;

    /// Does what the administrator wants with entries. A hold for a destination or an account stands: what is queued
    /// later is held, too, until it is released. Gives the destinations for which something may be due now.
    fn change(&self, which: &Which, change: &Change) -> Result<Changed, StoreError>;
}

/// One message for one recipient on another server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queued {
    /// Its number.
    pub id: u64,
    /// The message's trace.
    pub trace: TraceId,
    /// The content.
    pub mail: MailId,
    /// The account that sends it, if one of ours does.
    pub account: Option<AccountId>,
    /// The domain that its attachments are shared within.
    pub domain: DomainId,
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// The recipient.
    pub recipient: Address,
    /// Octets.
    pub size: u64,
    /// Whether the envelope was taken with SMTPUTF8.
    pub smtputf8: bool,
    /// When it was queued.
    pub since: Timestamp,
    /// When it is to be tried next.
    pub due: Timestamp,
    /// When its sender is to hear that it is late, or that it failed.
    pub deadline: Timestamp,
    /// Tries that brought an answer about it.
    pub tries: u32,
    /// Why it is held, if it is.
    pub held: Option<String>,
    /// What the last try brought, in words; empty before the first.
    pub last: String,
    /// When that was.
    pub tried: Option<Timestamp>,
    /// What the sender asked for.
    pub terms: Terms,
}

/// A destination and the earliest time at which something is due for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// A domain or an address literal, as [`destination`] gives it.
    pub destination: String,
    /// The earliest time.
    pub due: Timestamp,
    /// Entries.
    pub entries: u64,
}

/// Entries by state.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Due, and not settled yet.
    pub waiting: u64,
    /// Due later.
    pub deferred: u64,
    /// Held.
    pub held: u64,
}

/// What became of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Which.
    pub id: u64,
    /// What.
    pub fate: Fate,
    /// What is told of it.
    pub events: Vec<Event>,
}

/// An entry's fate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is delivered, or its sender is told that it won't be.
    Gone,
    /// It is tried again.
    Later {
        /// When.
        due: Timestamp,
        /// What the try brought.
        why: String,
    },
    /// Its sender was told that it is late; the next deadline.
    Told(Timestamp),
}

/// Some entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// Of these numbers.
    Ids(Vec<u64>),
    /// For a destination.
    Destination(String),
    /// Sent by an account.
    Account(AccountId),
    /// All.
    All,
}

/// What the administrator wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Try it now.
    Retry,
    /// Keep it, and do not try it: why.
    Hold(String),
    /// Hold it no longer, and try it now.
    Release,
    /// Throw it away; nobody is told.
    Drop,
}

/// A hold that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// For a destination, or of an account.
    pub which: Which,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// What a [`Change`] changed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Changed {
    /// Entries.
    pub entries: u64,
    /// Their destinations.
    pub destinations: Vec<String>,
}

/// The destination of a recipient: what its entry is found by.
pub fn destination(recipient: &Address) -> String {
    recipient.host.to_string().to_ascii_lowercase()
}
