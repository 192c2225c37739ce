//! What IMAP and POP3 need of one account's mail: a trait in their words, so that the sessions know no database.
//!
//! Plain blocking code, whole units of work: no transaction crosses it, and none is held while a peer is waited
//! for. `server` implements it over `store` (and lets APPEND through the gate); tests use a fake in memory.

use base::mail::NameError;
use base::{Flags, MailId, MailboxId, MailboxName, ModSeq, SpecialUse, ThreadId, Timestamp, Uid, UidValidity};
use std::fmt;
use std::ops::ControlFlow;
use wire::mime;

/// One account's mail, as its owner sees it.
pub trait Mailstore: Send + Sync {
    /// Every mailbox, in order of name, and names that are subscribed to without existing.
    fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError>;

    /// Counts and numbers of one mailbox.
    fn status(&self, mailbox: MailboxId) -> Result<MailboxStatus, MailError>;

    /// Makes a mailbox, its missing parents too (RFC 9051 §6.3.4).
    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<MailboxId, MailError>;

    /// Removes a mailbox and its mail (which stays recoverable for a while). One that has others below it stays
    /// as a name that can't be selected; INBOX is refused (RFC 9051 §6.3.5).
    fn delete(&self, mailbox: MailboxId) -> Result<(), MailError>;

    /// Renames a mailbox and those below it; renaming INBOX moves its mail to a new mailbox (RFC 9051 §6.3.6).
    fn rename(&self, mailbox: MailboxId, to: &MailboxName) -> Result<(), MailError>;

    /// Subscribes to a name or ends it. The name need not exist.
    fn subscribe(&self, name: &MailboxName, on: bool) -> Result<(), MailError>;

    /// The messages of a mailbox in UID order, and its numbers at the same moment.
    fn open(&self, mailbox: MailboxId) -> Result<Opened, MailError>;

    /// What changed in a mailbox after `since`: entries in UID order and UIDs that are gone.
    fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError>;

    /// Visits the rows of `uids` (ascending) that still exist, in UID order, until `each` breaks.
    ///
    /// Only the summaries that `columns` asks for are loaded. A read holds no lock that a writer waits for, but it
    /// must end soon: break when the output is full, and come back for the rest.
    fn scan(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError>;

    /// A message's octets and structure.
    fn read(&self, mail: MailId) -> Result<Box<dyn Message>, MailError>;

    /// UIDs whose text may hold `text` (a message that isn't indexed yet always may), ascending; `None`: any may.
    /// `text` is as the client sent it; matching is that of [`mime::search_text`] folded by `mime::casemap`.
    fn candidates(&self, mailbox: MailboxId, text: &str) -> Result<Option<Vec<Uid>>, MailError>;

    /// Changes flags of those `uids` that exist; with `unchanged_since`, only of those whose MODSEQ is not above it
    /// (RFC 7162 §3.1.3).
    fn store(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, MailError>;

    /// Removes for good those messages that are flagged `\Deleted`, all or of `uids` only. Works when over quota.
    fn expunge(&self, mailbox: MailboxId, uids: Option<&[Uid]>) -> Result<Vec<Uid>, MailError>;

    /// Copies messages with flags and internal dates: all or none (RFC 9051 §6.4.7).
    fn copy(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError>;

    /// Moves messages: no moment at which one is in both or in neither (RFC 6851 §3.3).
    fn move_to(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError>;

    /// Whether a message of this size could be taken: quota and disk. Asked before a literal is read.
    fn room_for(&self, octets: u64) -> Result<(), MailError>;

    /// A place to put a message that is being received.
    fn spool(&self) -> Result<Box<dyn Spool>, MailError>;

    /// Adds spooled messages to a mailbox, all or none (RFC 3502 §6.3.11); durable on return.
    fn append(&self, to: MailboxId, mail: Vec<NewMail>) -> Result<Appended, MailError>;

    /// How much is used and allowed.
    fn quota(&self) -> Result<Quota, MailError>;

    /// Whether POP3 keeps what it has served (the default) or removes it.
    fn pop3_keeps(&self) -> bool;

    /// Removes messages as POP3 does: they stay recoverable by their owner for a while.
    fn pop3_remove(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError>;
}

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
    pub keywords: Vec<base::Keyword>,
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
    /// The header fields that clients list by ([`mime::list_head`]), as they stand in the message.
    pub head: &'a [u8],
    /// The IMAP ENVELOPE, ready to send.
    pub envelope: &'a [u8],
    /// The IMAP BODYSTRUCTURE, ready to send.
    pub body_structure: &'a [u8],
}

/// A stored message, open for reading. Only what is asked for is read and unsealed.
pub trait Message: base::Octets {
    /// Its structure.
    fn tree(&self) -> &mime::Tree;
}

/// A message being received: octets go in, nothing shows until it is appended. Dropped, it leaves nothing behind.
pub trait Spool: Send {
    /// Adds octets.
    fn push(&mut self, octets: &[u8]) -> Result<(), MailError>;

    /// Octets so far.
    fn len(&self) -> u64;

    /// Whether nothing came yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For the implementation, which takes its own spools back in `append`.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}

/// A message to add to a mailbox.
pub struct NewMail {
    /// Its octets.
    pub spool: Box<dyn Spool>,
    /// Its flags.
    pub flags: Flags,
    /// Its internal date; now, where there is none.
    pub internal_date: Option<Timestamp>,
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
            MailError::Rejected(why) | MailError::Unavailable(why) => f.write_str(why),
        }
    }
}
