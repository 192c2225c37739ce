//! What IMAP and POP3 need of one account's mail: a trait in their words, so that the sessions know no database.
//!
//! Plain blocking code, whole units of work: no transaction crosses it, and none is held while a peer is waited
//! for. `server` implements it over `store` (and lets APPEND through the gate); tests use a fake in memory.

use base::rights::{AclEntry, Rights, RightsEdit};
use base::{
    Annotation, EntryName, Flags, MailId, MailboxId, MailboxName, ModSeq, SpecialUse, Timestamp, Uid,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use wire::imap::command::UrlAuth;
use wire::mime;

pub use base::mailbox::{
    Appended, Changed, Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened,
    Quota, Row, Stored, Summary,
};

/// One account's mail, as its owner sees it, and what others share with it.
pub trait Mailstore: Send + Sync {
    /// Every mailbox, in order of name, and names that are subscribed to without existing.
    fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError>;

    /// The mailbox of a name: an entry of [`Mailstore::mailboxes`].
    fn find(&self, name: &MailboxName) -> Result<Option<MailboxInfo>, MailError> {
        Ok(self.mailboxes()?.into_iter().find(|info| info.name == *name))
    }

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

    /// Makes every message below `below` count as no longer recent for sessions to come, and gives the first UID that
    /// was recent till now (RFC 3501 §2.3.2: the session that is first told of a message sees it as `\Recent`).
    /// SELECT calls it with UIDNEXT, as does a session, selected for writing, that announces new messages; EXAMINE
    /// and STATUS don't. A hint: it need not survive a crash, and waits for no disk.
    fn claim_recent(&self, mailbox: MailboxId, below: Uid) -> Result<Uid, MailError>;

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

    /// A message of a mailbox: its octets and structure.
    fn read(&self, mailbox: MailboxId, mail: MailId) -> Result<Box<dyn Message>, MailError>;

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

    /// Whether a mailbox could take a message of this size, in the place of one of `replaced` octets: quota and disk.
    /// Asked before a literal is read.
    fn room_for(&self, to: MailboxId, octets: u64, replaced: Option<u64>) -> Result<(), MailError>;

    /// A place to put a message that is being received.
    fn spool(&self) -> Result<Box<dyn Spool>, MailError>;

    /// Adds spooled messages to a mailbox, all or none (RFC 3502 §6.3.11); durable on return.
    fn append(&self, to: MailboxId, mail: Vec<NewMail>) -> Result<Appended, MailError>;

    /// Adds a spooled message and removes for good the one of `uid`, in one step (RFC 8508 §3.4). Only what the
    /// account grows by has to fit its quota. [`MailError::NoMessage`]: `uid` is not there, and nothing was done.
    fn replace(&self, from: MailboxId, uid: Uid, to: MailboxId, mail: NewMail)
    -> Result<Appended, MailError>;

    /// Whether a log-in name is this account's.
    fn is_user(&self, name: &str) -> Result<bool, MailError>;

    /// The token that authorizes a URL about a mailbox of this account, by the mailbox's key (RFC 4467 §1.2).
    fn url_token(&self, mailbox: MailboxId, rump: &str) -> Result<[u8; 32], MailError>;

    /// Gives a mailbox a new key, or takes those of all away: URLs authorized before are worth nothing any more.
    fn reset_url_keys(&self, mailbox: Option<MailboxId>) -> Result<(), MailError>;

    /// The mail of `owner` (a log-in name), from which the octets of a URL may be read; `None` unless its token holds,
    /// it has not expired, and it is meant for this account.
    fn authorized(&self, url: &UrlAuth, owner: &str) -> Result<Option<Arc<dyn Mailstore>>, MailError>;

    /// How much is used and allowed.
    fn quota(&self) -> Result<Quota, MailError>;

    /// Whether a mailbox is the account's own.
    fn is_own(&self, mailbox: MailboxId) -> Result<bool, MailError>;

    /// What the account may do in a mailbox: everything in its own. Every other call looks again, and fails with
    /// [`MailError::NoPerm`], or [`MailError::NoMailbox`] where not even the mailbox may be seen (RFC 4314 §4, §6).
    fn rights(&self, mailbox: MailboxId) -> Result<Rights, MailError>;

    /// A mailbox's access control list.
    fn acl(&self, mailbox: MailboxId) -> Result<Vec<AclEntry>, MailError>;

    /// Changes the rights that an identifier has in the list.
    fn set_acl(&self, mailbox: MailboxId, identifier: &str, edit: RightsEdit) -> Result<(), MailError>;

    /// The rights that an identifier has whatever the list says (RFC 4314 §3.7).
    fn fixed_rights(&self, mailbox: MailboxId, identifier: &str) -> Result<Rights, MailError>;

    /// Annotations of a mailbox, or of the server as the account sees it, by name: shared ones, and private ones of the
    /// account's own (RFC 5464).
    fn annotations(&self, of: Option<MailboxId>) -> Result<Vec<Annotation>, MailError>;

    /// Sets annotations, and removes those without a value: all or none.
    fn annotate(
        &self,
        of: Option<MailboxId>,
        entries: Vec<(EntryName, Option<Vec<u8>>)>,
    ) -> Result<(), MailError>;

    /// Whether POP3 keeps what it has served (the default) or removes it.
    fn pop3_keeps(&self) -> bool;

    /// Removes messages as POP3 does: they stay recoverable by their owner for a while.
    fn pop3_remove(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError>;
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
