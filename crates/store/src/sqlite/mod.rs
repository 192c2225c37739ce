//! The engine of a single node: one SQLite database beside the vault's sealed files.
//!
//! One thread writes ([`writer`]), any number read ([`readers`]), a third checkpoints ([`checkpoint`]); the text
//! index ([`text`]) and housekeeping have threads of their own and write through the writer like everyone else.

mod accept;
mod annotations;
mod checkpoint;
mod directory;
mod disk;
mod edit;
mod fault;
mod housekeeping;
mod lists;
mod mailboxes;
mod memory;
mod moved;
mod quarantine;
mod queue;
mod readers;
mod recent;
mod replace;
mod rows;
mod scan;
mod schema;
mod scripts;
mod segment;
mod sharing;
mod story;
mod summary;
mod text;
mod thread;
mod url_key;
mod writer;

pub(crate) use mailboxes::special_of;
pub(crate) use rows::flags;
#[cfg(test)]
pub(crate) use schema::{open_version, open_writer};

use crate::story::Stories;
use crate::vault::Vault;
use crate::{
    Annotations, Directory, Done, Leaving, Mark, MovedIn, Placed, Quarantined, Queue, Recoverable,
    Remembered, Scripts, Settings, Sharing, Spool, Store, StoreError, StoredMessage,
};
use base::mailbox::{
    Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened, Quota, Row, Stored,
};
use base::{AccountId, MailId, MailboxId, MailboxName, ModSeq, Rights, SpecialUse, Timestamp, Uid};
use checkpoint::Wal;
use disk::Disk;
use fault::Fault;
use gate::Screened;
use parking_lot::Mutex;
use readers::Readers;
use recent::Recent;
use rusqlite::Connection;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use text::Indexer;
use writer::{Work, Writer};

/// Whether a directory holds a store already: one that does never gets a new key.
pub fn exists(directory: &std::path::Path) -> bool {
    directory.join(schema::FILE).exists()
}

/// The database's file in a store's directory.
pub(crate) fn schema_file() -> &'static str {
    schema::FILE
}

/// Takes a store's directory for this process, until what is given is dropped.
pub(crate) fn alone(directory: &std::path::Path) -> Result<Disk, StoreError> {
    Disk::open(directory, 0)
}

/// While this file in the store's directory is locked by someone who copies blobs, none is removed.
pub(crate) const HOLD: &str = "hold";

/// Within this a writer that is not stuck has done something.
const PROGRESS: Duration = Duration::from_secs(1);

/// A store in one directory. Dropped, it closes.
pub struct Sqlite {
    parts: Arc<Parts>,
    indexer: Arc<Indexer>,
    wal: Arc<Wal>,
    housekeeper: Arc<housekeeping::Bell>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share.
struct Parts {
    settings: Settings,
    vault: Vault,
    disk: Disk,
    readers: Readers,
    writer: Writer,
    recent: Recent,
    refusals: story::Refusals,
    thread_key: [u8; 32],
}

impl Sqlite {
    /// Opens the store in `settings.directory`, making it or upgrading it where needed. Another process that has it
    /// open is an error.
    pub fn open(settings: &Settings) -> Result<Arc<Sqlite>, StoreError> {
        let vault = Vault::open(settings)?;
        let disk = Disk::open(&settings.directory, settings.least_free)?;
        crate::backup::sweep(&settings.directory);
        let connection = schema::open_writer(&settings.directory)?;
        belongs_to(&connection, &vault)?;
        let wal = Arc::new(Wal::default());
        let parts = Arc::new(Parts {
            readers: Readers::new(&settings.directory),
            writer: Writer::start(connection, wal.clone())?,
            recent: Recent::default(),
            refusals: story::Refusals::default(),
            thread_key: vault.keyed_hash(b"threads", &[]),
            settings: settings.clone(),
            vault,
            disk,
        });
        let indexer = Arc::new(Indexer::new(parts.clone()));
        let housekeeper = Arc::new(housekeeping::Bell::default());
        let mut threads = vec![wal.start(&settings.directory)?, housekeeping::start(&parts, &housekeeper)?];
        if settings.index_text {
            threads.push(indexer.start()?);
            let listening = Arc::downgrade(&indexer);
            parts.writer.listen(Arc::new(move |_| {
                if let Some(indexer) = listening.upgrade() {
                    indexer.wake();
                }
            }));
        }
        Ok(Arc::new(Sqlite { parts, indexer, wal, housekeeper, threads: Mutex::new(threads) }))
    }

    /// Does the housekeeping that is due now, rather than within a minute.
    pub fn keep_house(&self) -> Result<(), StoreError> {
        Ok(housekeeping::run(&self.parts, &housekeeping::Graces::of(&self.parts.settings))?)
    }

    /// Clears away at once what only a grace keeps: mail that nothing holds, its words and blobs, tombstones. Mail that
    /// can be had back stays. For when room is needed now, and for tests.
    pub fn clear_now(&self) -> Result<(), StoreError> {
        self.indexer.tidy()?;
        Ok(housekeeping::run(&self.parts, &housekeeping::Graces::none(&self.parts.settings))?)
    }

    /// A unit of work whose octets don't matter.
    fn write<T, W>(&self, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: FnOnce(&mut Work<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.parts.writer.write(0, work)
    }

    /// For what grows the store: not when the disk is nearly full.
    fn needs_room(&self) -> Result<(), MailError> {
        match self.parts.disk.has_room() {
            true => Ok(()),
            false => Err(Fault::from(StoreError::DiskFull).into()),
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

/// Database and vault must be of one store: with another's key and identity nothing in it would open.
fn belongs_to(connection: &Connection, vault: &Vault) -> Result<(), StoreError> {
    let fingerprint = vault.fingerprint();
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('vault', ?1)", [fingerprint.as_slice()])?;
    let kept: Vec<u8> =
        connection.query_row("SELECT value FROM meta WHERE name = 'vault'", [], |row| row.get(0))?;
    match kept == fingerprint {
        true => Ok(()),
        false => Err(StoreError::Failed("the database belongs to another store's vault".into())),
    }
}

impl Store for Sqlite {
    fn spool(&self) -> Result<Spool, StoreError> {
        self.parts.vault.spool()
    }

    fn has_room(&self) -> bool {
        self.parts.disk.has_room()
    }

    fn accept(&self, mail: Vec<Screened>, done: Done<Vec<Placed>>) {
        self.accept_mail(mail, Vec::new(), done);
    }

    fn accept_and_remember(&self, mail: Vec<Screened>, memory: Vec<Remembered>, done: Done<Vec<Placed>>) {
        self.accept_mail(mail, memory, done);
    }

    fn remembers(&self, of: AccountId, mark: Mark, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.parts.readers.lend(|reader| memory::knows(reader, of, mark, now))?)
    }

    fn mark(&self, pieces: &[&[u8]]) -> Mark {
        moved::mark(&self.parts, pieces)
    }

    fn was_moved_in(&self, of: AccountId, marks: &[Mark]) -> Result<Vec<bool>, StoreError> {
        Ok(Sqlite::was_moved_in(self, of, marks)?)
    }

    fn move_in(&self, of: AccountId, mail: Vec<MovedIn>, done: Done<Vec<bool>>) {
        self.keep_moved_in(of, mail, done);
    }

    fn mailboxes(&self, of: AccountId) -> Result<Vec<MailboxInfo>, MailError> {
        Ok(self.list_mailboxes(of)?)
    }

    fn status(&self, of: AccountId, mailbox: MailboxId) -> Result<MailboxStatus, MailError> {
        Ok(self.status_of(of, mailbox)?)
    }

    fn create(
        &self,
        of: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailError> {
        self.needs_room()?;
        Ok(self.create_mailbox(of, name, special_use)?)
    }

    fn delete(&self, of: AccountId, mailbox: MailboxId) -> Result<(), MailError> {
        Ok(self.delete_mailbox(of, mailbox)?)
    }

    fn rename(&self, of: AccountId, mailbox: MailboxId, to: &MailboxName) -> Result<(), MailError> {
        Ok(self.rename_mailbox(of, mailbox, to)?)
    }

    fn subscribe(&self, of: AccountId, name: &MailboxName, on: bool) -> Result<(), MailError> {
        Ok(self.set_subscription(of, name, on)?)
    }

    fn open(&self, of: AccountId, mailbox: MailboxId) -> Result<Opened, MailError> {
        Ok(self.open_mailbox(of, mailbox)?)
    }

    fn claim_recent(&self, of: AccountId, mailbox: MailboxId, below: Uid) -> Result<Uid, MailError> {
        Ok(self.end_recency(of, mailbox, below)?)
    }

    fn changes(&self, of: AccountId, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError> {
        Ok(self.changes_of(of, mailbox, since)?)
    }

    fn scan(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError> {
        Ok(self.scan_rows(of, mailbox, uids, columns, each)?)
    }

    fn read(&self, of: AccountId, mail: MailId) -> Result<Box<dyn StoredMessage>, MailError> {
        Ok(self.read_mail(of, mail)?)
    }

    fn candidates(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
    ) -> Result<Option<Vec<Uid>>, MailError> {
        Ok(self.indexer.candidates(of, mailbox, text)?)
    }

    fn set_flags(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
        rights: Rights,
    ) -> Result<Stored, MailError> {
        Ok(self.edit_flags(of, mailbox, uids, edit, unchanged_since, rights)?)
    }

    fn expunge(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: Option<&[Uid]>,
    ) -> Result<Vec<Uid>, MailError> {
        Ok(self.expunge_mail(of, mailbox, uids)?)
    }

    fn copy(
        &self,
        of: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        rights: Rights,
    ) -> Result<Copied, MailError> {
        self.needs_room()?;
        Ok(self.copy_mail(of, from, uids, to, rights)?)
    }

    fn move_to(
        &self,
        of: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        rights: Rights,
    ) -> Result<Copied, MailError> {
        Ok(self.move_mail(of, from, uids, to, rights)?)
    }

    fn accept_moved(
        &self,
        mail: Vec<Screened>,
        of: AccountId,
        from: MailboxId,
        uids: Vec<Uid>,
        leaving: Leaving,
    ) -> Result<Vec<Placed>, StoreError> {
        self.accept_in_place(mail, of, from, uids, leaving)
    }

    fn replace(
        &self,
        of: AccountId,
        from: MailboxId,
        uid: Uid,
        with: Screened,
        recoverable: bool,
    ) -> Result<Option<Placed>, StoreError> {
        self.replace_mail(of, from, uid, with, recoverable)
    }

    fn url_token(&self, of: AccountId, mailbox: MailboxId, text: &str) -> Result<[u8; 32], MailError> {
        Ok(self.make_url_token(of, mailbox, text)?)
    }

    fn is_url_token(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
        token: &[u8; 32],
    ) -> Result<bool, MailError> {
        Ok(self.check_url_token(of, mailbox, text, token)?)
    }

    fn reset_url_keys(&self, of: AccountId, mailbox: Option<MailboxId>) -> Result<(), MailError> {
        Ok(self.renew_url_keys(of, mailbox)?)
    }

    fn quota(&self, of: AccountId) -> Result<Quota, MailError> {
        Ok(self.read_quota(of)?)
    }

    fn remove_recoverably(&self, of: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError> {
        Ok(self.remove_for_a_while(of, mailbox, uids)?)
    }

    fn take_back(&self, of: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError> {
        Ok(self.remove_for_good(of, mailbox, uids)?)
    }

    fn recoverable(
        &self,
        of: AccountId,
        since: base::Timestamp,
        mailbox: Option<&str>,
    ) -> Result<Vec<Recoverable>, MailError> {
        Ok(self.list_recoverable(of, since, mailbox)?)
    }

    fn recover(&self, of: AccountId, mail: &[MailId]) -> Result<usize, MailError> {
        Ok(self.recover_mail(of, mail)?)
    }

    fn directory(&self) -> &dyn Directory {
        self
    }

    fn lists(&self) -> &dyn crate::lists::Lists {
        self
    }

    fn scripts(&self) -> &dyn Scripts {
        self
    }

    fn stories(&self) -> &dyn Stories {
        self
    }

    fn sharing(&self) -> &dyn Sharing {
        self
    }

    fn annotations(&self) -> &dyn Annotations {
        self
    }

    fn queue(&self) -> &dyn Queue {
        self
    }

    fn quarantined(&self, after: u64, most: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.read_quarantine(after, most)
    }

    fn on_change(&self, listener: Arc<dyn Fn(&[AccountId]) + Send + Sync>) {
        self.parts.writer.listen(listener);
    }

    fn answers(&self) -> bool {
        match self.write(|_| Ok(())).map_err(StoreError::from) {
            Ok(()) => true,
            // One that has more to do than may wait does it all the same.
            Err(StoreError::Busy) => {
                let before = self.parts.writer.commits().0;
                std::thread::sleep(PROGRESS);
                self.parts.writer.commits().0 > before
            }
            Err(_) => false,
        }
    }

    fn commits(&self) -> (u64, Duration) {
        self.parts.writer.commits()
    }

    fn free_octets(&self) -> u64 {
        self.parts.disk.free_octets()
    }

    fn reach_writer(&self, done: Done<()>) {
        let nothing = |_: &mut Work<'_>| Ok(());
        self.parts.writer.submit(0, nothing, move |outcome| done(outcome.map_err(StoreError::from)));
    }

    fn wait_indexed(&self) {
        self.indexer.wait();
    }

    fn close(&self) {
        self.indexer.close();
        self.housekeeper.close();
        self.parts.recent.flush(&self.parts.writer);
        if let Err(fault) = story::write_refusals(&self.parts) {
            tracing::debug!(?fault, "the last refusals are not in the stories");
        }
        self.parts.writer.close();
        self.wal.close();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            drop(thread.join());
        }
    }
}
