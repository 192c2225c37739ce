//! Copies of a whole store, of one moment each, in a folder that keeps many: `mailward backup`.
//!
//! ```text
//! blobs/xx/NAME.EXT     sealed files, shared by all backups that need them: none ever changes
//! backups/TIME/         one backup
//!   mail.db             the database at that moment; sealed, it is called mail.db. and its store's fingerprint
//!   identity            the store's identity, sealed
//!   blobs               its blobs, a line each: BLAKE3 hash, octets, name
//!   manifest            BLAKE3 hash, octets and name of the three above
//! lock                  held by who makes, reads or removes backups
//! ```
//!
//! The store is not opened for this, and the server may be running: the database is read by a connection of its own,
//! within one transaction, and while the file `hold` is locked housekeeping removes no blob. No key is needed: what is
//! sealed stays sealed.

mod copying;
mod passing;
mod past;
mod restoring;
mod shelf;

pub use past::{Past, PastMailbox, PastMessage};
pub(crate) use restoring::leave_gaps;
pub use restoring::{Restored, restore};

use crate::StoreError;
use crate::sqlite::schema_file;
use crate::vault::DatabaseSeal;
use base::Timestamp;
use copying::Entry;
use passing::Passing;
pub(crate) use passing::sweep;
use rusqlite::Connection;
use rusqlite::backup::Backup as Pages;
use shelf::{Backup, Shelf, sealed_name};
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Files of one backup.
const DATABASE: &str = "mail.db";
const IDENTITY: &str = "identity";
const BLOBS: &str = "blobs";
const MANIFEST: &str = "manifest";
const BACKUPS: &str = "backups";
/// What a backup is called before it is whole.
const PARTIAL: &str = ".partial-";

/// Told of each file: octets done, octets in all.
pub type Watch<'w> = &'w (dyn Fn(u64, u64) + Sync);

/// A backup that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// Its name: when it was begun.
    pub name: String,
    /// Files that it needs, and their octets.
    pub blobs: u64,
    /// Octets of all it needs.
    pub octets: u64,
    /// Files that were copied for it.
    pub new_blobs: u64,
    /// Octets that were written for it.
    pub new_octets: u64,
    /// Files that the store should have and has not, that can't be read, or that are not as they were.
    pub faults: Vec<String>,
    /// Older backups that were removed.
    pub removed: usize,
    /// Why none were removed that should have been.
    pub all_kept: Option<String>,
}

/// A backup that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its name: when it was begun, UTC.
    pub name: String,
    /// Files that it needs, and octets of all it needs; or why that can't be told.
    pub size: Result<(u64, u64), String>,
}

/// What verifying found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Their octets.
    pub octets: u64,
    /// What is missing or not as it was written.
    pub faults: Vec<String>,
    /// Whether the list of files was not compared with the database, which is sealed, for want of the key.
    pub not_compared: bool,
}

/// How a backup is made.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options<'o> {
    /// So many are kept; unless given, all.
    pub keep: Option<usize>,
    /// The store's key, where the database is to be sealed, too.
    pub seal_by: Option<&'o Path>,
}

/// Copies the store in `store` into the folder `to`, which may hold earlier backups of the same store; then removes all but the
/// newest `keep`, where that is wanted.
pub fn make(
    store: &Path,
    to: &Path,
    Options { keep, seal_by }: Options<'_>,
    watch: Watch<'_>,
) -> Result<Made, StoreError> {
    let seal = seal_by.map(DatabaseSeal::load).transpose()?;
    folder(to)?;
    let shelf = Shelf::to_change(to)?;
    let _hold = hold(store)?;
    let name = name_of(Timestamp::now());
    let backup = begin(&shelf, &name)?;
    // What is to be sealed never lies there in clear.
    let passing = seal.as_ref().map(|_| Passing::new(store)).transpose()?;
    let database = passing.as_ref().map_or(&backup.path, |passing| &passing.0).join(DATABASE);
    copy_database(&store.join(schema_file()), &database)?;
    let own = fingerprint(&database)?;
    same_store(&shelf, &own)?;
    copying::copy(&store.join(IDENTITY), &backup.path.join(IDENTITY), IDENTITY)?;
    let copied = copy_blobs(store, &shelf, blobs_of(&database)?, watch)?;
    copying::write_list(&backup.path.join(BLOBS), &copied.entries)?;
    let database = match &seal {
        None => DATABASE.to_owned(),
        Some(seal) => seal_database(seal, &database, &backup, own)?,
    };
    drop(passing);
    let small_octets = backup.write_manifest(&database)?;
    // One wait for all that was written, then the name by which it counts.
    sync_file_system(to)?;
    fs::rename(&backup.path, shelf.backup(&name).path).map_err(|e| io_failed("naming", &backup.path, &e))?;
    sync_file_system(to)?;
    let pruned = keep.map_or(Ok(0), |keep| prune(&shelf, keep, copied.faults.is_empty()));
    let (removed, all_kept) = pruned.map_or_else(|e| (0, Some(e.to_string())), |count| (count, None));
    Ok(Made {
        name,
        blobs: copied.entries.len() as u64,
        octets: copied.entries.iter().map(|entry| entry.octets).sum::<u64>() + small_octets,
        new_blobs: copied.new,
        new_octets: copied.new_octets + small_octets,
        faults: copied.faults,
        removed,
        all_kept,
    })
}

/// A backup that does not count yet. What broke off before is removed.
fn begin(shelf: &Shelf, name: &str) -> Result<Backup, StoreError> {
    shelf.remove_partial()?;
    if shelf.backup(name).path.exists() {
        return Err(failed(format!("a backup of this second is there already: {name}")));
    }
    let backup = shelf.backup(&format!("{PARTIAL}{name}"));
    folder(&backup.path)?;
    Ok(backup)
}

/// Seals a copy of the database into a backup; gives its name there.
fn seal_database(
    seal: &DatabaseSeal,
    database: &Path,
    backup: &Backup,
    own: Vec<u8>,
) -> Result<String, StoreError> {
    let own = own.try_into().map_err(|_| failed("the store's fingerprint has a wrong length"))?;
    let name = sealed_name(&own);
    seal.seal(database, &backup.path.join(&name), own)?;
    Ok(name)
}

/// Copies the blobs that no earlier backup has.
fn copy_blobs(
    store: &Path,
    shelf: &Shelf,
    wanted: Vec<String>,
    watch: Watch<'_>,
) -> Result<copying::Copied, StoreError> {
    let source = store.join(BLOBS);
    let there = copying::full_names(&source)?;
    let known = known(shelf, &|known| {
        wanted.iter().all(|name| there.contains_key(name) || known.contains_key(name))
    })?;
    copying::copy_blobs((&source, there), &shelf.blobs(), wanted, &known, watch)
}

/// The name of a backup that was begun at a time; names order as times do.
pub fn name_of(time: Timestamp) -> String {
    time.to_string().replace(':', "-")
}

/// The name of the newest backup in a folder.
pub fn newest_in(at: &Path) -> Result<Option<String>, StoreError> {
    Ok(Shelf::glance(at).names()?.pop())
}

/// The backups in a folder, the oldest first.
pub fn list(at: &Path) -> Result<Vec<Kept>, StoreError> {
    let shelf = Shelf::glance(at);
    let size = |backup: &Backup| -> Result<(u64, u64), StoreError> {
        let (small, blobs) = (backup.manifest()?, backup.blobs()?);
        let octets = small.iter().chain(blobs.values()).map(|entry| entry.octets).sum();
        Ok((blobs.len() as u64, octets))
    };
    let backups = shelf.names()?.into_iter().map(|name| shelf.backup(&name));
    Ok(backups
        .map(|backup| Kept { size: size(&backup).map_err(|e| e.to_string()), name: backup.name })
        .collect())
}

/// Reads all of a backup (the newest, unless one is named) and compares it with what was written, and the list of its files with
/// what its database needs: one that is sealed is opened for that by `key_file`, in the folder `store`.
pub fn verify(
    at: &Path,
    name: Option<&str>,
    (store, key_file): (&Path, Option<&Path>),
    watch: Watch<'_>,
) -> Result<Verified, StoreError> {
    let shelf = Shelf::to_read(at)?;
    let backup = shelf.chosen(name)?;
    let mut found = Verified::default();
    for entry in backup.manifest()? {
        found.files += 1;
        found.octets += entry.octets;
        found.faults.extend(copying::look_again(&backup.path, &entry).err().map(|error| error.to_string()));
    }
    // A database or a list that is damaged says nothing about the files.
    if found.faults.is_empty() {
        let blobs = backup.blobs()?;
        found.not_compared = backup.is_sealed()? && key_file.is_none();
        if !found.not_compared {
            let passing = Passing::new(store)?;
            found.faults = missing_of(&backup.open_database(key_file, &passing.0)?, &blobs)?;
        }
        let blobs: Vec<Entry> = blobs.into_values().collect();
        found.files += blobs.len() as u64;
        found.octets += blobs.iter().map(|entry| entry.octets).sum::<u64>();
        found.faults.extend(copying::verify_blobs(&shelf.blobs(), &blobs, watch));
    }
    Ok(found)
}

/// Removes all but the newest `keep` backups, and the files that none needs any more; gives how many backups went. What a backup
/// needs that stays must be known; and where the store `is_whole` no longer, what those need that go, too: one of them may be the last
/// to have it.
fn prune(shelf: &Shelf, keep: usize, is_whole: bool) -> Result<usize, StoreError> {
    let all = shelf.names()?;
    let (old, stay) = all.split_at(all.len().saturating_sub(keep.max(1)));
    let mut needed = HashSet::new();
    for name in stay {
        needed.extend(shelf.backup(name).blobs()?.into_keys());
    }
    for name in old {
        if !is_whole {
            shelf.backup(name).blobs()?;
        }
    }
    for name in old {
        // Under another name first: half a backup must not count as one.
        let passing = shelf.backup(&format!("{PARTIAL}{name}")).path;
        fs::rename(shelf.backup(name).path, &passing).map_err(|e| io_failed("removing", &passing, &e))?;
    }
    shelf.remove_partial()?;
    if !old.is_empty() {
        copying::remove_others(&shelf.blobs(), &needed)?;
    }
    Ok(old.len())
}

/// The files that earlier backups have: the newest, and older ones until that is enough.
fn known(
    shelf: &Shelf,
    is_enough: &dyn Fn(&HashMap<String, Entry>) -> bool,
) -> Result<HashMap<String, Entry>, StoreError> {
    let mut known = HashMap::new();
    for name in shelf.names()?.iter().rev() {
        // A list that is damaged tells nothing.
        let Ok(blobs) = shelf.backup(name).blobs() else { continue };
        for (name, entry) in blobs {
            known.entry(name).or_insert(entry);
        }
        if is_enough(&known) {
            break;
        }
    }
    Ok(known)
}

/// What a database needs and a list of files lacks.
fn missing_of(database: &Path, blobs: &HashMap<String, Entry>) -> Result<Vec<String>, StoreError> {
    let needed = blobs_of(database)?;
    Ok(needed
        .iter()
        .filter(|name| !blobs.contains_key(*name))
        .map(|name| format!("blobs/{name}: not in the backup"))
        .collect())
}

/// Two stores in one folder would be taken for one that lost its mail.
fn same_store(shelf: &Shelf, own: &[u8]) -> Result<(), StoreError> {
    let names = shelf.names()?;
    let Some(newest) = names.last() else { return Ok(()) };
    let all = names.iter().rev().map(|name| shelf.backup(name).fingerprint());
    let at = shelf.backups();
    match all.flatten().next() {
        Some(before) if before == own => Ok(()),
        Some(_) => {
            Err(failed(format!("{} holds backups of another store: choose another folder", at.display())))
        }
        None => Err(failed(format!(
            "no backup in {} can be read ({newest} and older ones are damaged): choose another folder",
            at.display()
        ))),
    }
}

fn fingerprint(database: &Path) -> Result<Vec<u8>, StoreError> {
    let connection = open_copy(database)?;
    Ok(connection.query_row("SELECT value FROM meta WHERE name = 'vault'", [], |row| row.get(0))?)
}

/// A copy that nobody writes to.
pub(crate) fn open_copy(database: &Path) -> Result<Connection, StoreError> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(database, flags)?)
}

/// Holds back the removal of blobs until it is dropped. The kernel lets go of it when a process dies.
fn hold(store: &Path) -> Result<File, StoreError> {
    let path = store.join(crate::sqlite::HOLD);
    let open = || {
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let (owner, made) = (fs::metadata(store)?, file.metadata()?);
        if owner.uid() != made.uid() {
            // Root makes backups too: the server must still be able to open it.
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockShared)?;
        Ok(file)
    };
    open().map_err(|e: io::Error| io_failed("holding", &path, &e))
}

/// Copies all pages of the database within one read transaction: what is written meanwhile is not in it.
fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.exists() {
        return Err(failed(format!("there is no store in {}", from.parent().unwrap_or(from).display())));
    }
    let source = open_copy(from)?;
    source.execute_batch("BEGIN")?;
    source.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
    let mut copy = Connection::open(to)?;
    // All at once: the moment must not change half-way. What is written goes to the server's log meanwhile.
    Pages::new(&source, &mut copy)?.step(-1)?;
    source.execute_batch("ROLLBACK")?;
    // One file, without a log beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    Ok(())
}

/// Names of the blobs that the database's mail needs, as `xx/NAME` without the extension.
fn blobs_of(database: &Path) -> Result<Vec<String>, StoreError> {
    let connection = open_copy(database)?;
    let mut statement = connection.prepare("SELECT DISTINCT blob FROM blob_use ORDER BY blob")?;
    let mut rows = statement.query([])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(0)?;
        let digits: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        let (folder, name) = digits.split_at_checked(2).ok_or_else(|| failed("a blob without a name"))?;
        names.push(format!("{folder}/{name}"));
    }
    Ok(names)
}

fn folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| io_failed("making", path, &e))
}

fn sync_file_system(path: &Path) -> Result<(), StoreError> {
    let sync = || Ok(rustix::fs::syncfs(File::open(path)?)?);
    sync().map_err(|e: io::Error| io_failed("syncing", path, &e))
}

pub(crate) fn failed(why: impl Into<String>) -> StoreError {
    StoreError::Failed(why.into())
}

fn io_failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => failed(format!("{what} {}: {error}", path.display())),
    }
}
