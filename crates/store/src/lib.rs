//! Mailboxes, change log, queue and sealed blobs: all that Mailward keeps, durable before `250`.
//!
//! [`Store`] speaks in whole units of work, in domain words: no SQL and no open transaction crosses it. It is plain
//! blocking code; only [`Store::accept`] answers by call-back, so that a session need not park a thread while the
//! disk syncs. `sqlite` is the engine that a single node uses, `vault` seals what it keeps.

pub mod annotations;
pub mod backup;
pub mod directory;
pub mod lists;
pub mod queue;
pub mod rollback;
pub mod scripts;
pub mod sharing;
pub mod sqlite;
pub mod story;
pub mod vault;

pub use annotations::Annotations;
pub use directory::{Account, AccountState, Alias, Directory, DirectoryError, DomainEntry, Found};
pub use queue::{Queue, Queued};
pub use scripts::Scripts;
pub use sharing::Sharing;
pub use sqlite::Sqlite;
pub use vault::make_key;

use base::mailbox::{
    Appended, Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened, Quota, Row,
    Stored,
};
use base::{
    AccountId, Address, MailId, MailboxId, MailboxName, ModSeq, Octets, Rights, SpecialUse, Timestamp,
    TraceId, Uid,
};
use gate::Screened;
use std::ops::ControlFlow;
use std::sync::Arc;
use wire::mime::Tree;

/// Called once with an operation's outcome, on a thread of the store's: it must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Starts something that calls back, and waits for it.
pub(crate) fn wait_for<T: Send + 'static>(start: impl FnOnce(Done<T>)) -> Result<T, StoreError> {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    start(Box::new(move |outcome| drop(send.send(outcome))));
    receive.recv().unwrap_or(Err(StoreError::Closed))
}

/// Everything that is kept.
pub trait Store: Send + Sync {
    // ---- Mail in

    /// A place for a message that is being received.
    fn spool(&self) -> Result<Spool, StoreError>;

    /// Whether mail can be taken at all: false when the disk is nearly full, well before anything breaks.
    fn has_room(&self) -> bool;

    /// Commits screened messages with their deliveries, queue entries and change-log entries: all or none.
    /// `done` is called when they survive a power cut. Sealing and writing of blobs happens on the caller's thread;
    /// commits of concurrent callers share one sync.
    fn accept(&self, mail: Vec<Screened>, done: Done<Vec<Placed>>);

    /// [`Store::accept`], with what is to be remembered of it in the same commit.
    fn accept_and_remember(&self, mail: Vec<Screened>, memory: Vec<Remembered>, done: Done<Vec<Placed>>);

    /// Whether an account still remembers something at `now`.
    fn remembers(&self, of: AccountId, mark: Mark, now: Timestamp) -> Result<bool, StoreError>;

    /// [`Store::accept`], waiting for it.
    fn accept_now(&self, mail: Vec<Screened>) -> Result<Vec<Placed>, StoreError> {
        wait_for(|done| self.accept(mail, done))
    }

    /// The mark that stands for these pieces together: a hash that only this store can make, the same for ever.
    fn mark(&self, pieces: &[&[u8]]) -> Mark;

    // ---- Mail that is moved in from elsewhere

    /// Which marks an account has.
    fn was_moved_in(&self, of: AccountId, marks: &[Mark]) -> Result<Vec<bool>, StoreError>;
    /// [`Store::accept`] for an account's mail, but each message once for ever: one whose mark the account has
    /// already is left out, the others leave theirs in the same commit. Tells which were kept.
    fn move_in(&self, of: AccountId, mail: Vec<MovedIn>, done: Done<Vec<bool>>);

    // ---- Mailboxes of one account; what each does is said at `session::mailstore::Mailstore`

    /// Every mailbox and subscription.
    fn mailboxes(&self, of: AccountId) -> Result<Vec<MailboxInfo>, MailError>;
    /// Counts and numbers.
    fn status(&self, of: AccountId, mailbox: MailboxId) -> Result<MailboxStatus, MailError>;
    /// Makes a mailbox and its missing parents.
    fn create(
        &self,
        of: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailError>;
    /// Removes a mailbox; its mail stays recoverable for a while.
    fn delete(&self, of: AccountId, mailbox: MailboxId) -> Result<(), MailError>;
    /// Renames a mailbox and those below it.
    fn rename(&self, of: AccountId, mailbox: MailboxId, to: &MailboxName) -> Result<(), MailError>;
    /// Subscribes or ends it.
    fn subscribe(&self, of: AccountId, name: &MailboxName, on: bool) -> Result<(), MailError>;
    /// UIDs and numbers at one moment.
    fn open(&self, of: AccountId, mailbox: MailboxId) -> Result<Opened, MailError>;
    /// Ends the recency of messages below `below`; gives the first UID that was recent till now. Waits for no disk.
    fn claim_recent(&self, of: AccountId, mailbox: MailboxId, below: Uid) -> Result<Uid, MailError>;
    /// Changes after `since`.
    fn changes(&self, of: AccountId, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError>;
    /// Visits rows in UID order.
    fn scan(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError>;
    /// A message's octets and structure.
    fn read(&self, of: AccountId, mail: MailId) -> Result<Box<dyn StoredMessage>, MailError>;
    /// UIDs whose text may hold `text`; `None`: any may.
    fn candidates(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
    ) -> Result<Option<Vec<Uid>>, MailError>;
    /// Changes flags: those that `rights` let one change, the others stay as they are.
    fn set_flags(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
        rights: Rights,
    ) -> Result<Stored, MailError>;
    /// Removes what is flagged `\Deleted`; what no other mailbox holds stays recoverable for a while.
    fn expunge(&self, of: AccountId, mailbox: MailboxId, uids: Option<&[Uid]>)
    -> Result<Vec<Uid>, MailError>;
    /// Copies, with those flags that `rights` let one set.
    fn copy(
        &self,
        of: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        rights: Rights,
    ) -> Result<Copied, MailError>;
    /// Moves, likewise.
    fn move_to(
        &self,
        of: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        rights: Rights,
    ) -> Result<Copied, MailError>;
    /// Puts a message into a mailbox and removes the one of `uid` in `from`, in one commit; whether its owner can have
    /// that back for a while is `recoverable`. Only what the account grows by has to fit its quota. `None`: `uid` is
    /// not there, and nothing was done.
    fn replace(
        &self,
        of: AccountId,
        from: MailboxId,
        uid: Uid,
        with: Screened,
        recoverable: bool,
    ) -> Result<Option<Placed>, StoreError>;
    /// The token that authorizes a text about a mailbox, which has a key for it (RFC 4467 §1.2): made where it is
    /// missing, gone with the mailbox.
    fn url_token(&self, of: AccountId, mailbox: MailboxId, text: &str) -> Result<[u8; 32], MailError>;
    /// Whether a token is that of [`Store::url_token`]. Takes as long for each wrong one.
    fn is_url_token(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
        token: &[u8; 32],
    ) -> Result<bool, MailError>;
    /// Gives a mailbox a new key, or all mailboxes none: tokens made before are worth nothing any more.
    fn reset_url_keys(&self, of: AccountId, mailbox: Option<MailboxId>) -> Result<(), MailError>;
    /// [`Store::accept_now`], and in the same commit takes messages of another account away for it; nothing of it
    /// where one of them is gone.
    fn accept_moved(
        &self,
        mail: Vec<Screened>,
        of: AccountId,
        from: MailboxId,
        uids: Vec<Uid>,
        leaving: Leaving,
    ) -> Result<Vec<Placed>, StoreError>;
    /// Use and limits.
    fn quota(&self, of: AccountId) -> Result<Quota, MailError>;
    /// Removes messages so that their owner can have them back for a while.
    fn remove_recoverably(&self, of: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError>;
    /// Removes messages for good that came in a moment ago and should not have.
    fn take_back(&self, of: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError>;
    /// Messages that can be had back, removed at `since` or later, the newest first, at most [`Recoverable::AT_ONCE`].
    fn recoverable(
        &self,
        of: AccountId,
        since: Timestamp,
        mailbox: Option<&str>,
    ) -> Result<Vec<Recoverable>, MailError>;
    /// Puts recoverable messages back where they were (INBOX if that is gone); gives how many.
    fn recover(&self, of: AccountId, mail: &[MailId]) -> Result<usize, MailError>;

    // ---- Accounts, domains, aliases

    /// The directory of who has mail here.
    fn directory(&self) -> &dyn directory::Directory;

    /// The scripts that accounts have.
    fn scripts(&self) -> &dyn Scripts;

    /// Who may do what in whose mailboxes.
    fn sharing(&self) -> &dyn Sharing;

    /// What users note on mailboxes.
    fn annotations(&self) -> &dyn Annotations;

    /// Groups and lists.
    fn lists(&self) -> &dyn lists::Lists;

    // ---- Queue and quarantine

    /// What happened to each message.
    fn stories(&self) -> &dyn story::Stories;
    /// What waits to be sent to other servers.
    fn queue(&self) -> &dyn Queue;
    /// Quarantine entries, oldest first, after `after`, at most `most`.
    fn quarantined(&self, after: u64, most: usize) -> Result<Vec<Quarantined>, StoreError>;

    // ---- Housekeeping

    /// Has `listener` called after each commit with the accounts that it changed, on a thread of the store's.
    /// A hint only: the change log is what counts.
    fn on_change(&self, listener: Arc<dyn Fn(&[AccountId]) + Send + Sync>);

    /// Whether work is done: waits for the writer's turn, at most as long as that takes. Blocks.
    fn answers(&self) -> bool;

    /// Commits so far, and the time that they took.
    fn commits(&self) -> (u64, std::time::Duration);

    /// Octets of room on the disk.
    fn free_octets(&self) -> u64;

    /// Has `done` called when the writing thread gets to it, after all that waits already: a sign of life.
    fn reach_writer(&self, done: Done<()>);

    /// Waits until what was delivered so far is in the text index: for tests and benchmarks.
    fn wait_indexed(&self);

    /// Finishes what is under way, and takes no more.
    fn close(&self);
}

/// A stored message, open for reading.
pub trait StoredMessage: Octets {
    /// Its structure.
    fn tree(&self) -> &Tree;
}

/// A message being received. Small ones stay in memory, larger ones go to an unnamed file in the spool; dropped, it
/// leaves nothing.
pub trait SpoolWriter: Send {
    /// Adds octets.
    fn push(&mut self, octets: &[u8]) -> Result<(), StoreError>;
    /// Octets so far.
    fn len(&self) -> u64;
    /// Whether nothing came yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// What was written, to be read.
    fn finish(self: Box<Self>) -> Result<Arc<dyn Octets>, StoreError>;
}

/// A boxed [`SpoolWriter`].
pub type Spool = Box<dyn SpoolWriter>;

/// Something that an account remembers for a while: whom it answered, what it has seen. Of too many things the one that
/// would be forgotten first is.
#[derive(Clone)]
pub struct Remembered {
    /// Who remembers.
    pub of: AccountId,
    /// What.
    pub mark: Mark,
    /// Until when.
    pub until: Timestamp,
    /// Whether that holds, too, where it is remembered already; otherwise the earlier time stays.
    pub renew: bool,
    /// Mail for the same commit, which is left out where it is remembered already.
    pub unless_known: Option<Screened>,
}

/// Stands for a message that was moved in, or for what else its pieces are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mark(pub [u8; 16]);

/// A message that is moved in.
#[derive(Clone)]
pub struct MovedIn {
    /// The message, with one delivery.
    pub mail: Screened,
    /// By what it is known again.
    pub mark: Mark,
}

/// Where a message went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Its content.
    pub mail: MailId,
    /// A place a delivery, in the order of `Screened::deliveries`.
    pub places: Vec<Place>,
}

/// Where one delivery went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Into a mailbox.
    Mailbox {
        /// Whose.
        account: AccountId,
        /// Which and with what number.
        appended: Appended,
        /// Which mailbox.
        mailbox: MailboxId,
    },
    /// Into the queue.
    Queue(u64),
    /// Into quarantine.
    Quarantine(u64),
}

/// A quarantine entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    /// Its number.
    pub id: u64,
    /// The message's trace.
    pub trace: TraceId,
    /// The content.
    pub mail: MailId,
    /// The reverse-path; empty is the null path.
    pub reverse_path: String,
    /// The recipient, if it had one.
    pub recipient: Option<Address>,
    /// Why it is held.
    pub reason: String,
    /// Since when.
    pub since: base::Timestamp,
    /// The delivery that it would have been, for when it is released.
    pub instead_of: gate::Delivery,
}

/// How messages leave an account when others come into another for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// They live on there, where they have a story of their own.
    Moved,
    /// For good.
    ForGood,
    /// Their owner can have them back for a while.
    Recoverable,
}

/// A message that was deleted and can still be had back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recoverable {
    /// The content.
    pub mail: MailId,
    /// The mailbox it was in.
    pub mailbox: MailboxName,
    /// When it was deleted.
    pub deleted: base::Timestamp,
    /// Its subject, decoded.
    pub subject: String,
    /// Octets.
    pub size: u64,
}

impl Recoverable {
    /// How many are told at a time.
    pub const AT_ONCE: usize = 10_000;
}

/// Why the store could not do it.
#[derive(Debug)]
pub enum StoreError {
    /// A recipient's account is over its quota.
    OverQuota(AccountId),
    /// A named target (an exact mailbox, an account) is gone.
    Gone,
    /// Too much is under way; try again later.
    Busy,
    /// No room on disk.
    DiskFull,
    /// The store was closed, or a write failed in a way that it can't go on from.
    Closed,
    /// The disk or the database failed; for the log.
    Failed(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::OverQuota(account) => write!(f, "account {account} is over its quota"),
            StoreError::Gone => f.write_str("the target is gone"),
            StoreError::Busy => f.write_str("too much is under way"),
            StoreError::DiskFull => f.write_str("the disk is full"),
            StoreError::Closed => f.write_str("the store is closed"),
            StoreError::Failed(why) => f.write_str(why),
        }
    }
}

/// How the store behaves: defaults are for a small server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything lies.
    pub directory: std::path::PathBuf,
    /// The store key's file, outside `directory`; made (mode 0400) where it is missing and `make_key` says so.
    pub key_file: std::path::PathBuf,
    /// Whether a missing key may be made: only for a store that is made anew.
    pub make_key: bool,
    /// Free octets below which no mail is taken.
    pub least_free: u64,
    /// How long deleted mail can be had back; zero keeps none.
    pub keep_deleted: std::time::Duration,
    /// Octets of deleted mail that an account keeps for that; beyond, the oldest goes first.
    pub keep_deleted_octets: u64,
    /// How long a queue entry waits before its sender is told that it is late.
    pub late_after: std::time::Duration,
    /// How much is kept of what happened to messages.
    pub stories: story::Keep,
    /// Whether message text is indexed for SEARCH.
    pub index_text: bool,
    /// Named bounds.
    pub limits: base::Limits,
}
