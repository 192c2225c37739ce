//! From a backup to a store: the whole of it.

use super::shelf::Shelf;
use super::{IDENTITY, Watch, copying, failed, folder, io_failed, missing_of};
use crate::StoreError;
use crate::sqlite::schema_file;
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::Path;

/// Numbers that are left out, so that no client takes what comes now for what came after the backup was made.
const GAP: i64 = 1_000_000;

/// The database's name until all is there. It is made first, so that it marks what a restore left that broke off.
const PASSING: &str = "mail.db.restoring";

/// What a restored store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The backup's name.
    pub name: String,
    /// Files of mail.
    pub blobs: u64,
    /// Messages on their way out, which are held: they may have been sent since.
    pub held: u64,
    /// Files of mail that are missing, or not as they were written. The rest is back.
    pub faults: Vec<String>,
}

/// Makes the store in `store` from a backup (the newest, unless one is named). A store that exists is left alone.
/// Every octet is compared with what was written: where the database or the list of files is not so, nothing is restored; a file of
/// mail is named, and the rest comes. The store's key, in `key_file`, is not part of this: without it nothing opens.
pub fn restore(
    at: &Path,
    name: Option<&str>,
    (store, key_file): (&Path, &Path),
    watch: Watch<'_>,
) -> Result<Restored, StoreError> {
    let shelf = Shelf::to_read(at)?;
    let backup = shelf.chosen(name)?;
    folder(store)?;
    // No server may make a store here meanwhile.
    let _alone = crate::sqlite::alone(store)?;
    nothing_there(store)?;
    let blobs = backup.blobs()?;
    let (target, passing) = (store.join(schema_file()), store.join(PASSING));
    File::create(&passing).map_err(|e| io_failed("making", &passing, &e))?;
    copying::copy_sound(&backup.path.join(IDENTITY), &store.join(IDENTITY), &backup.entry(IDENTITY)?)?;
    backup.copy_database(key_file, &passing)?;
    let mut faults = missing_of(&passing, &blobs)?;
    let blobs: Vec<_> = blobs.into_values().collect();
    faults.extend(copying::copy_back(&shelf.blobs(), &store.join("blobs"), &blobs, watch)?);
    let held = leave_gaps(&passing)?;
    super::sync_file_system(store)?;
    // The database under its name at last: a restore that broke off can be begun again.
    fs::rename(&passing, &target).map_err(|e| io_failed("naming", &target, &e))?;
    super::sync_file_system(store)?;
    Ok(Restored { name: backup.name, blobs: blobs.len() as u64, held, faults })
}

/// Refuses a folder that holds a store or parts of one: a log left beside would be replayed into the restored database,
/// and blobs left there be swept. What a restore left that broke off is not in the way.
fn nothing_there(store: &Path) -> Result<(), StoreError> {
    let database = schema_file();
    let mut parts = ["", "-wal", "-shm", "-journal"].map(|end| format!("{database}{end}")).to_vec();
    parts.push(format!("{PASSING}-journal"));
    if !store.join(PASSING).exists() {
        parts.extend([IDENTITY, "blobs"].map(String::from));
    }
    match parts.iter().find(|part| fs::symlink_metadata(store.join(part)).is_ok()) {
        None => Ok(()),
        Some(part) => Err(failed(format!(
            "there is a store in {} already, or a part of one ({part}): move the whole folder away, or name another \
             server.data",
            store.display()
        ))),
    }
}

/// Clients may know messages and changes that came after the backup was made. Numbers that these may have are left
/// out, and every message counts as changed now: so they learn what is gone and what the flags are, and keep the rest.
pub(crate) fn leave_gaps(database: &Path) -> Result<u64, StoreError> {
    let mut connection = Connection::open(database)?;
    let work = connection.transaction()?;
    work.execute_batch(&format!(
        "UPDATE ledger SET modseq = modseq + {GAP}, mails = mails + {GAP}, mailboxes = mailboxes + 1000;
         UPDATE mailbox SET uid_next = min(uid_next + {GAP}, 4294967295), modseq = now.modseq, floor = now.modseq
           FROM (SELECT account, modseq FROM ledger) AS now WHERE now.account = mailbox.account;
         UPDATE message SET modseq = now.modseq
           FROM (SELECT id, modseq FROM mailbox) AS now WHERE now.id = message.mailbox;
         DELETE FROM tombstone;"
    ))?;
    let why = "the store went back in time: this may have been sent since; release it or drop it";
    // A database of the first version has a queue that nothing sends.
    let sends = work.prepare("SELECT 1 FROM pragma_table_info('queue') WHERE name = 'held'")?.exists([])?;
    let held = if sends { work.execute("UPDATE queue SET held = ?1 WHERE held IS NULL", [why])? } else { 0 };
    work.commit()?;
    Ok(held as u64)
}
