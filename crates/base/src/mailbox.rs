//! Mailboxes in plain values: what the store gives, what IMAP, POP3 and later protocols serve.

use crate::mail::NameError;
use crate::{
    Flags, MailId, MailboxId, MailboxName, ModSeq, SpecialUse, ThreadId, Timestamp, Uid, UidValidity,
};
use std::fmt;

/// A mailbox as LIST shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailboxInfo {
    /// The full name.
    pub name: MailboxName,
    /// The mailbox; `None` for a name that has no mailbox of its own: a deleted parent of living ones (shown
    /// `\NoSelect`), or one that is only subscribed to (`\NonExistent`).
    pub mailbox: Option<MailboxId>,
    /// Whether the owner subscribed to it.
    pub subscribed: bool,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
}

/// A mailbox's counts and numbers (RFC 9051 §6.3.11, RFC 7162 §3.1.2.1, RFC 8438).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailboxStatus {
    /// Messages.
    pub messages: u32,
    /// Messages that no session which may write has been told of yet: IMAP4rev1's `\Recent` (RFC 3501 §2.3.2).
    pub recent: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Octets of all messages.
    pub octets: u64,
    /// Octets of the messages with `\Deleted`.
    pub deleted_octets: u64,
    /// The next message's UID, at least.
    pub uid_next: Uid,
    /// What the UIDs belong to.
    pub uid_validity: UidValidity,
    /// The mailbox's own last change; at least 1.
    pub highest_modseq: ModSeq,
}

/// A mailbox at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Its numbers.
    pub status: MailboxStatus,
    /// UIDs of its messages, ascending.
    pub uids: Vec<Uid>,
    /// The first message without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Keywords in use.
    pub keywords: Vec<crate::Keyword>,
}

/// What changed in a mailbox since a MODSEQ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changes {
    /// Messages that are new or whose flags changed, by UID.
    pub changed: Vec<Changed>,
    /// Messages that are gone, by UID; those that a client asking since long ago may never have seen too.
    pub vanished: Vec<Uid>,
    /// False where the change log no longer reaches back so far: every UID that isn't in the mailbox is gone.
    pub complete: bool,
    /// The mailbox's last change at this moment; pass it as the next `since`.
    pub highest_modseq: ModSeq,
    /// The next UID at this moment.
    pub uid_next: Uid,
}

/// One changed message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Which.
    pub uid: Uid,
    /// Its last change.
    pub modseq: ModSeq,
    /// Its flags now.
    pub flags: Flags,
    /// Whether it came into the mailbox after `since`.
    pub new: bool,
}

/// What of a message's summary a scan loads; flags, dates, size and ids always come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Columns {
    /// [`Summary`] and its parts.
    pub summary: bool,
}

/// A message in a mailbox.
pub struct Row<'a> {
    /// Its content.
    pub mail: MailId,
    /// Its thread.
    pub thread: ThreadId,
    /// Its number.
    pub uid: Uid,
    /// Its last change.
    pub modseq: ModSeq,
    /// Its flags.
    pub flags: &'a Flags,
    /// When it was received (RFC 9051 §2.3.3).
    pub internal_date: Timestamp,
    /// When it came into this mailbox (RFC 8514).
    pub saved: Timestamp,
    /// Its octets, as RFC822.SIZE gives them.
    pub size: u64,
    /// What was computed at delivery; `None` where it was not asked for.
    pub summary: Option<Summary<'a>>,
}

/// What is computed once at delivery, so that lists are served without opening the message.
#[derive(Clone, Copy)]
pub struct Summary<'a> {
    /// The header fields that clients list by (`mime::list_head`), as they stand in the message.
    pub head: &'a [u8],
    /// The IMAP ENVELOPE, ready to send.
    pub envelope: &'a [u8],
    /// The IMAP BODYSTRUCTURE, ready to send.
    pub body_structure: &'a [u8],
}

/// How STORE changes flags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlagEdit {
    /// `+FLAGS`
    Add(Flags),
    /// `-FLAGS`
    Remove(Flags),
    /// `FLAGS`
    Replace(Flags),
}

/// What STORE did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The messages that exist and were not held back, with flags and MODSEQ after the change (or as they were,
    /// where nothing changed), by UID.
    pub done: Vec<Changed>,
    /// Held back by `unchanged_since`, by UID.
    pub modified: Vec<Uid>,
}

/// Where copies went (RFC 4315 §3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// The target's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// Source and target UIDs, by source UID. Messages that no longer exist are left out.
    pub uids: Vec<(Uid, Uid)>,
}

/// Where appended messages went (RFC 4315 §3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The target's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// One UID a message, in order.
    pub uids: Vec<Uid>,
}

/// An account's use and limits (RFC 9208).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Octets in use.
    pub octets: u64,
    /// Octets allowed, if limited.
    pub octets_limit: Option<u64>,
    /// Messages kept.
    pub messages: u64,
    /// Messages allowed, if limited.
    pub messages_limit: Option<u64>,
}

/// Why a mailbox operation failed: a variant for each thing that a client is told differently.
#[derive(Debug)]
pub enum MailError {
    /// No such mailbox.
    NoMailbox,
    /// A mailbox of that name exists.
    Exists,
    /// No such message, or no longer.
    NoMessage,
    /// Not to be done: INBOX can't be deleted, a special use is taken, too many mailboxes, a bad target.
    Refused(&'static str),
    /// A name that can't be a mailbox's.
    Name(NameError),
    /// The account's quota is used up.
    OverQuota,
    /// A limit on counts: keywords, mailboxes.
    Limit(&'static str),
    /// The account has as many annotations as it may have, or as long ones.
    TooManyAnnotations,
    /// The account may not do that.
    NoPerm,
    /// The message was refused on its way in, with the reason that a client may see.
    Rejected(String),
    /// Our side can't now: disk full, database busy. The reason is for the log.
    Unavailable(String),
}

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MailError::NoMailbox => f.write_str("no such mailbox"),
            MailError::Exists => f.write_str("mailbox exists"),
            MailError::NoMessage => f.write_str("no such message"),
            MailError::Refused(why) | MailError::Limit(why) => f.write_str(why),
            MailError::Name(_) => f.write_str("bad mailbox name"),
            MailError::OverQuota => f.write_str("quota exceeded"),
            MailError::TooManyAnnotations => f.write_str("too many annotations"),
            MailError::NoPerm => f.write_str("not permitted"),
            MailError::Rejected(why) | MailError::Unavailable(why) => f.write_str(why),
        }
    }
}
