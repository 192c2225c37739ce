//! What happened to each message, so that its story can be told: `mailward trace`.
//!
//! An event is written by the same commit that does what it tells of; only refusals, which no commit goes with, are
//! gathered for a moment first. Stories are kept by age and by number ([`Keep`]). Refusals have a share of their own: a
//! flood of them takes no room from the mail that was accepted, and writes no more than so many rows a second.

use crate::StoreError;
use base::{AccountId, MailboxId, TraceId};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Octets of a text of an event: what is longer is cut.
pub const MOST_TEXT: usize = 400;

/// Rows of one message's story that are read from either end.
pub const MOST_EVENTS: usize = 500;

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// How long, from when a message came.
    pub time: Duration,
    /// How many events; of refusals, a quarter as many.
    pub events: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Keep { time: Duration::from_secs(30 * 24 * 3600), events: 1_000_000 }
    }
}

/// One thing that happened to a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The message.
    pub trace: TraceId,
    /// When: milliseconds since 1970.
    pub at: i64,
    /// What.
    pub what: What,
    /// The reverse-path, where it is told; empty for the null path.
    pub from: String,
    /// Whom it concerns: mostly the recipient.
    pub to: String,
    /// Who did it, or who said it.
    pub by: String,
    /// A reply, a reason, what checks found.
    pub said: String,
    /// The account, where it is one's of ours.
    pub account: Option<AccountId>,
    /// The mailbox.
    pub mailbox: Option<MailboxId>,
    /// As [`What`] says.
    pub number: u64,
    /// Another message.
    pub other: Option<TraceId>,
}

/// Kinds of events, and what their fields hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It was taken: `from`, `by` whom it was brought, `said` by the checks; `number` octets. `account` sent it.
    Came,
    /// It is in a `mailbox`, with the UID `number`, for `to`; `by` is `script` where the recipient's chose that.
    Filed,
    /// The recipient's script wanted no copy.
    Discarded,
    /// It waits to be sent `to` somebody, as queue entry `number`; `said` is why, where it is held.
    Queued,
    /// It is in quarantine, as entry `number`; `said` is why.
    Quarantined,
    /// Another server, `by`, took it for `to` and `said` so.
    Sent,
    /// It will never get `to` somebody: the server `by`, or ourselves where that is empty, `said` why.
    Failed,
    /// It was not taken this time, which is the try `number`.
    PutOff,
    /// It is late.
    Late,
    /// It waited too long and is given up.
    Expired,
    /// Another message, `other`, was made because of it: `by` says what that is, `to` who gets it.
    Answered,
    /// The administrator holds it: `said` is why.
    Held,
    /// The administrator holds it no longer.
    Released,
    /// The administrator wants it tried now.
    Retried,
    /// The administrator threw it away.
    Dropped,
    /// It was put into another mailbox.
    Moved,
    /// It was removed from a mailbox, and can be had back for a while.
    Removed,
    /// It was removed from a mailbox for good.
    Erased,
    /// It was put back into a mailbox.
    Restored,
    /// We did not take it from the peer `by`: `said` is the reply, `number` how many more were refused like that.
    Refused,
}

impl What {
    const ALL: [What; 20] = [
        What::Came,
        What::Filed,
        What::Discarded,
        What::Queued,
        What::Quarantined,
        What::Sent,
        What::Failed,
        What::PutOff,
        What::Late,
        What::Expired,
        What::Answered,
        What::Held,
        What::Released,
        What::Retried,
        What::Dropped,
        What::Moved,
        What::Removed,
        What::Erased,
        What::Restored,
        What::Refused,
    ];

    /// Its word: for rows and for programs.
    pub fn word(self) -> &'static str {
        match self {
            What::Came => "came",
            What::Filed => "filed",
            What::Discarded => "discarded",
            What::Queued => "queued",
            What::Quarantined => "quarantined",
            What::Sent => "sent",
            What::Failed => "failed",
            What::PutOff => "put-off",
            What::Late => "late",
            What::Expired => "expired",
            What::Answered => "answered",
            What::Held => "held",
            What::Released => "released",
            What::Retried => "retried",
            What::Dropped => "dropped",
            What::Moved => "moved",
            What::Removed => "removed",
            What::Erased => "erased",
            What::Restored => "restored",
            What::Refused => "refused",
        }
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<What> {
        What::ALL.into_iter().find(|what| what.word() == word)
    }
}

impl Event {
    /// An event of this moment, about which nothing more is known yet.
    pub fn new(trace: TraceId, what: What) -> Self {
        let text = String::new;
        Event {
            trace,
            at: now(),
            what,
            from: text(),
            to: text(),
            by: text(),
            said: text(),
            account: None,
            mailbox: None,
            number: 0,
            other: None,
        }
    }

    /// Whom it concerns.
    #[must_use]
    pub fn to(self, to: impl ToString) -> Self {
        Event { to: to.to_string(), ..self }
    }

    /// Who did it or said it.
    #[must_use]
    pub fn by(self, by: impl ToString) -> Self {
        Event { by: by.to_string(), ..self }
    }

    /// What was said.
    #[must_use]
    pub fn said(self, said: impl ToString) -> Self {
        Event { said: said.to_string(), ..self }
    }
}

/// What happened to one message, each part the earliest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Story {
    /// How it began; all of it, where it is not very long.
    pub first: Vec<Event>,
    /// How many rows of events lie between and are not read: a post to a large list has thousands.
    pub between: u64,
    /// How it went on at last.
    pub last: Vec<Event>,
}

impl Story {
    /// All events that were read.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.first.iter().chain(&self.last)
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The stories that are kept.
pub trait Stories: Send + Sync {
    /// Notes that a peer's mail was refused. Written within a second or so; of very many that come at once only the
    /// number is kept.
    fn refused(&self, peer: IpAddr, event: Event);

    /// What happened to a message; nothing where nothing is known (any more).
    fn story(&self, of: TraceId) -> Result<Story, StoreError>;

    /// The latest messages from an address, to it or, if an account is named, into or out of that. Reads back through
    /// what is kept until it has found as many, so one of which there is little takes a while.
    fn latest(
        &self,
        address: &str,
        account: Option<AccountId>,
        most: usize,
    ) -> Result<Vec<TraceId>, StoreError>;
}
