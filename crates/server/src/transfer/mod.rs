//! How commands move mail in and out of an account: over the control socket, which becomes a channel of its own for it
//! after `Request::Transfer`. A line of JSON each way, then the octets that it announces.
//!
//! The command reads foreign mail and writes files, with the rights of who runs it; the server alone touches the store.
//! Where no server runs, the command plays both parts ([`link`]).

pub mod desk;
pub mod export;
pub mod import;
pub mod link;
pub mod past;
mod present;
pub mod progress;
pub mod remote;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read, Write};

/// Octets of a line.
const MOST_LINE: u64 = 16 << 20;
/// Messages of one batch, which is one commit.
pub const BATCH: usize = 256;
/// Octets of one batch, after which no further message is added.
pub const BATCH_OCTETS: u64 = 8 << 20;
/// Batches that may be under way before one is answered.
pub const WINDOW: usize = 4;

/// What a command asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// The account's mailboxes.
    Mailboxes,
    /// Makes a mailbox where it is missing; gives it. One of a special use that the account has is that one.
    Mailbox { name: String, special_use: Option<String>, subscribed: bool },
    /// Messages for a mailbox; their octets follow.
    Put { mailbox: u64, messages: Vec<Incoming> },
    /// Messages of a mailbox after a UID, some at a time.
    List { mailbox: u64, after: u32 },
    /// The octets of messages.
    Read { mails: Vec<u64> },
}

/// What the server answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Mailboxes.
    Mailboxes(Vec<MailboxRow>),
    /// A mailbox.
    Mailbox(MailboxRow),
    /// What became of each message.
    Put(Vec<Fate>),
    /// Messages; none are left after a last page.
    Listed(Vec<MessageRow>),
    /// One of the messages that were asked for, each in its turn.
    Read(Found),
    /// Not done, and why.
    Failed(String),
}

/// A message that is moved in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Incoming {
    /// Its octets.
    pub size: u64,
    /// Names of its flags.
    pub flags: Vec<String>,
    /// Its internal date, in seconds since 1970.
    pub date: Option<i64>,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is kept.
    New,
    /// It came before.
    Known,
    /// It was not taken, and why.
    Refused(String),
}

/// What there is of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// So many octets, which follow.
    Octets(u64),
    /// It was deleted meanwhile.
    Gone,
    /// It can't be read, and why.
    Unreadable(String),
}

/// A mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailboxRow {
    pub mailbox: u64,
    pub name: String,
    pub special_use: Option<String>,
    pub subscribed: bool,
    pub uid_validity: u32,
    pub messages: u32,
    pub octets: u64,
}

/// A message in a mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MessageRow {
    pub uid: u32,
    pub mail: u64,
    pub flags: Vec<String>,
    pub date: i64,
    pub size: u64,
}

/// What moving came to.
#[derive(Default)]
pub struct Outcome {
    /// Messages that were moved.
    pub new: u64,
    /// Messages that were there already.
    pub known: u64,
    /// Octets: of all that were read, where mail comes in; of what was written, where it goes out.
    pub octets: u64,
    /// What was left out, or could not be kept as it is.
    pub faults: moving::Faults,
    /// How long it took.
    pub took: std::time::Duration,
}

/// Writes a line.
pub fn write_line(to: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads a line; none at the end.
pub fn read_line<T: for<'de> Deserialize<'de>>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    if from.take(MOST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
