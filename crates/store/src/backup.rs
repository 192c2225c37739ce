//! Copies of a whole store, of one moment each, in a folder that keeps many: `mailward backup`.
//!
//! ```text
//! blobs/xx/NAME.EXT     sealed files, shared by all backups that need them: none ever changes
//! backups/TIME/         one backup
//!   mail.db             the database at that moment
//!   identity            the store's identity, sealed
//!   blobs               its blobs, a line each: BLAKE3 hash, octets, name
//!   manifest            BLAKE3 hash, octets and name of the three above
//! ```
//!
//! The store is not opened for this, and the server may be running: the database is read by a connection of its own,
//! within one transaction, and while the file `hold` is locked housekeeping removes no blob. No key is needed: what is
//! sealed stays sealed.

mod copying;
mod past;
mod restoring;

pub use past::{Past, PastMailbox, PastMessage};
pub(crate) use restoring::leave_gaps;
pub use restoring::{Restored, restore};

use crate::StoreError;
use crate::sqlite::schema_file;
use base::Timestamp;
use copying::{Entry, hash_of, list_line, parse_list};
use rusqlite::Connection;
use rusqlite::backup::Backup as Pages;
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

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
    /// Files that the store should have and has not, or that can't be read.
    pub missing: Vec<String>,
}

/// A backup that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its name: when it was begun, UTC.
    pub name: String,
    /// Files that it needs.
    pub blobs: u64,
    /// Octets of all it needs.
    pub octets: u64,
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
}

/// Copies the store in `store` into the folder `to`, which may hold earlier backups of the same store.
pub fn make(store: &Path, to: &Path, watch: Watch<'_>) -> Result<Made, StoreError> {
    let _hold = hold(store)?;
    let name = Timestamp::now().to_string().replace(':', "-");
    let backups = to.join(BACKUPS);
    folder(&backups)?;
    remove_partial(&backups)?;
    let place = backups.join(format!("{PARTIAL}{name}"));
    if backups.join(&name).exists() {
        return Err(failed(format!("a backup of this second is there already: {name}")));
    }
    folder(&place)?;
    let database = place.join(DATABASE);
    copy_database(&store.join(schema_file()), &database)?;
    same_store(&backups, &database)?;
    let identity = place.join(IDENTITY);
    copying::copy(&store.join(IDENTITY), &identity)?;
    let before =
        newest(&backups)?.map(|name| read_list(&backups.join(name))).transpose()?.unwrap_or_default();
    let wanted = blobs_of(&database)?;
    let copied = copying::copy_blobs(store, to, wanted, &before, watch)?;
    let lines: String = copied.entries.iter().map(list_line).collect();
    fs::write(place.join(BLOBS), lines).map_err(|e| io_failed("writing", &place, &e))?;
    let mut manifest = String::new();
    let mut small_octets = 0;
    for file in [DATABASE, IDENTITY, BLOBS] {
        let entry = hash_of(&place.join(file), file)?;
        small_octets += entry.octets;
        manifest += &list_line(&entry);
    }
    fs::write(place.join(MANIFEST), manifest).map_err(|e| io_failed("writing", &place, &e))?;
    // One wait for all that was written, then the name by which it counts.
    sync_file_system(to)?;
    fs::rename(&place, backups.join(&name)).map_err(|e| io_failed("naming", &place, &e))?;
    sync_file_system(to)?;
    Ok(Made {
        name,
        blobs: copied.entries.len() as u64,
        octets: copied.entries.iter().map(|entry| entry.octets).sum::<u64>() + small_octets,
        new_blobs: copied.new,
        new_octets: copied.new_octets + small_octets,
        missing: copied.missing,
    })
}

/// The backups in a folder, the oldest first.
pub fn list(at: &Path) -> Result<Vec<Kept>, StoreError> {
    names(&at.join(BACKUPS))?.into_iter().map(|name| kept(at, name)).collect()
}

fn kept(at: &Path, name: String) -> Result<Kept, StoreError> {
    let place = at.join(BACKUPS).join(&name);
    let small = read_manifest(&place)?;
    let blobs = read_list(&place)?;
    let octets = small.iter().chain(blobs.values()).map(|entry| entry.octets).sum();
    Ok(Kept { name, blobs: blobs.len() as u64, octets })
}

/// Reads all of a backup (the newest, unless one is named) and compares it with what was written.
pub fn verify(at: &Path, name: Option<&str>, watch: Watch<'_>) -> Result<Verified, StoreError> {
    let place = chosen(at, name)?;
    let mut found = Verified::default();
    for entry in read_manifest(&place)? {
        found.files += 1;
        found.octets += entry.octets;
        found.faults.extend(copying::look_again(&place, &entry).err().map(|error| error.to_string()));
    }
    // A list that is damaged says nothing about the files.
    if found.faults.is_empty() {
        let blobs: Vec<Entry> = read_list(&place)?.into_values().collect();
        let outcome = copying::verify_blobs(&at.join(BLOBS), &blobs, watch);
        found.files += blobs.len() as u64;
        found.octets += blobs.iter().map(|entry| entry.octets).sum::<u64>();
        found.faults.extend(outcome);
    }
    Ok(found)
}

/// Removes all but the newest `keep` backups, and the files that none needs any more; gives how many backups went.
pub fn prune(at: &Path, keep: usize) -> Result<usize, StoreError> {
    let backups = at.join(BACKUPS);
    let all = names(&backups)?;
    let old = all.len().saturating_sub(keep.max(1));
    for name in all.iter().take(old) {
        // Under another name first: half a backup must not count as one.
        let passing = backups.join(format!("{PARTIAL}{name}"));
        fs::rename(backups.join(name), &passing).map_err(|e| io_failed("removing", &passing, &e))?;
    }
    remove_partial(&backups)?;
    if old > 0 {
        let mut needed = std::collections::HashSet::new();
        for name in all.iter().skip(old) {
            needed.extend(read_list(&backups.join(name))?.into_keys());
        }
        copying::remove_others(&at.join(BLOBS), &needed)?;
    }
    Ok(old)
}

/// The folder of a backup: of the newest, unless one is named.
fn chosen(at: &Path, name: Option<&str>) -> Result<PathBuf, StoreError> {
    let backups = at.join(BACKUPS);
    let all = names(&backups)?;
    let name = match name {
        Some(name) => all.iter().find(|known| *known == name).ok_or_else(|| {
            failed(format!(
                "there is no backup {name} in {} (`mailward restore --list` shows all)",
                at.display()
            ))
        })?,
        None => all.last().ok_or_else(|| failed(format!("there is no backup in {}", at.display())))?,
    };
    Ok(backups.join(name))
}

fn newest(backups: &Path) -> Result<Option<String>, StoreError> {
    Ok(names(backups)?.pop())
}

/// Names of whole backups, the oldest first.
fn names(backups: &Path) -> Result<Vec<String>, StoreError> {
    let entries = fs::read_dir(backups).map_err(|e| io_failed("looking for backups in", backups, &e))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// What broke off before it was whole.
fn remove_partial(backups: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(backups).map_err(|e| io_failed("looking at", backups, &e))?;
    let partial = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PARTIAL));
    for entry in partial {
        fs::remove_dir_all(entry.path()).map_err(|e| io_failed("removing", &entry.path(), &e))?;
    }
    Ok(())
}

/// Two stores in one folder would be taken for one that lost its mail.
fn same_store(backups: &Path, database: &Path) -> Result<(), StoreError> {
    let Some(before) = newest(backups)? else { return Ok(()) };
    match fingerprint(&backups.join(before).join(DATABASE))? == fingerprint(database)? {
        true => Ok(()),
        false => Err(failed(format!(
            "{} holds backups of another store: choose another folder",
            backups.display()
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

fn read_manifest(place: &Path) -> Result<Vec<Entry>, StoreError> {
    let path = place.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|e| io_failed("reading", &path, &e))?;
    parse_list(&text).ok_or_else(|| failed(format!("{} is damaged", path.display())))
}

/// Whether a backup's own files are as they were written.
fn is_sound(place: &Path) -> Result<(), StoreError> {
    read_manifest(place)?.iter().try_for_each(|entry| copying::look_again(place, entry))
}

/// A backup's blobs by name.
fn read_list(place: &Path) -> Result<HashMap<String, Entry>, StoreError> {
    let path = place.join(BLOBS);
    let text = fs::read_to_string(&path).map_err(|e| io_failed("reading", &path, &e))?;
    let entries = parse_list(&text).ok_or_else(|| failed(format!("{} is damaged", path.display())))?;
    Ok(entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect())
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
