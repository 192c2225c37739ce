//! The folder that backups lie in, and what one of them says of itself.

use super::copying::{self, Entry, parse_list};
use super::{BACKUPS, BLOBS, DATABASE, IDENTITY, MANIFEST, PARTIAL, failed, folder, io_failed};
use crate::StoreError;
use crate::vault::DatabaseSeal;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file by which backups in one folder keep out of each other's way.
const LOCK: &str = "lock";
/// Between a database's name and its store's fingerprint, where it is sealed.
const SEALED: &str = "mail.db.";

/// What a database is called that is sealed.
pub(super) fn sealed_name(store: &[u8; 16]) -> String {
    let digits: String = store.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{SEALED}{digits}")
}

/// The store of a database that is sealed, by its name.
fn store_of(name: &str) -> Option<[u8; 16]> {
    let digits = name.strip_prefix(SEALED).filter(|digits| digits.len() == 32)?;
    let mut store = [0; 16];
    for (place, octet) in store.iter_mut().enumerate() {
        *octet = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(store)
}

/// A folder of backups. While it is open to be changed nobody else uses it; while it is read, nobody changes it.
pub(super) struct Shelf {
    at: PathBuf,
    _held: Option<File>,
}

impl Shelf {
    /// For making backups and removing old ones.
    pub(super) fn to_change(at: &Path) -> Result<Self, StoreError> {
        folder(&at.join(BACKUPS))?;
        let path = at.join(LOCK);
        let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open().map_err(|e| io_failed("holding", &path, &e))?;
        file.try_lock().map_err(|e| in_use(&path, e))?;
        Ok(Shelf { at: at.to_owned(), _held: Some(file) })
    }

    /// For looking at what is there.
    pub(super) fn to_read(at: &Path) -> Result<Self, StoreError> {
        let path = at.join(LOCK);
        let held = match File::open(&path) {
            Ok(file) => file.try_lock_shared().map(|()| Some(file)).map_err(|e| in_use(&path, e))?,
            // A copy of a folder of backups may have none: nobody makes any there.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(io_failed("holding", &path, &e)),
        };
        Ok(Shelf { at: at.to_owned(), _held: held })
    }

    /// Without keeping anybody out: what is there may change.
    pub(super) fn glance(at: &Path) -> Self {
        Shelf { at: at.to_owned(), _held: None }
    }

    /// Where the sealed files lie.
    pub(super) fn blobs(&self) -> PathBuf {
        self.at.join(BLOBS)
    }

    pub(super) fn backups(&self) -> PathBuf {
        self.at.join(BACKUPS)
    }

    /// The backup of this name.
    pub(super) fn backup(&self, name: &str) -> Backup {
        Backup { name: name.to_owned(), path: self.backups().join(name) }
    }

    /// Names of whole backups, the oldest first.
    pub(super) fn names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = self.entries()?;
        names.retain(|name| !name.starts_with('.'));
        names.sort_unstable();
        Ok(names)
    }

    /// The newest backup, unless one is named.
    pub(super) fn chosen(&self, name: Option<&str>) -> Result<Backup, StoreError> {
        let (all, at) = (self.names()?, self.at.display());
        let name = match name {
            Some(name) => all.iter().find(|known| *known == name).ok_or_else(|| {
                failed(format!("there is no backup {name} in {at} (`mailward restore --list` shows all)"))
            })?,
            None => all.last().ok_or_else(|| failed(format!("there is no backup in {at}")))?,
        };
        Ok(self.backup(name))
    }

    /// Removes what broke off before it was whole.
    pub(super) fn remove_partial(&self) -> Result<(), StoreError> {
        for name in self.entries()?.into_iter().filter(|name| name.starts_with(PARTIAL)) {
            let path = self.backups().join(name);
            fs::remove_dir_all(&path).map_err(|e| io_failed("removing", &path, &e))?;
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<String>, StoreError> {
        let path = self.backups();
        let entries = fs::read_dir(&path).map_err(|e| io_failed("looking for backups in", &path, &e))?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }
}

fn in_use(lock: &Path, error: fs::TryLockError) -> StoreError {
    match error {
        fs::TryLockError::WouldBlock => failed(format!(
            "another backup, restore or verification is at work in {}: try again when it is done",
            lock.parent().unwrap_or(lock).display()
        )),
        fs::TryLockError::Error(e) => io_failed("holding", lock, &e),
    }
}

/// One backup.
pub(super) struct Backup {
    pub name: String,
    pub path: PathBuf,
}

impl Backup {
    /// What its own files were when they were written: exactly the database, the identity, the list of blobs.
    pub(super) fn manifest(&self) -> Result<Vec<Entry>, StoreError> {
        let path = self.path.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|e| io_failed("reading", &path, &e))?;
        let entries = parse_list(&text).unwrap_or_default();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        match names.as_slice() {
            [database, IDENTITY, BLOBS] if *database == DATABASE || store_of(database).is_some() => {
                Ok(entries)
            }
            _ => Err(failed(format!("{} is damaged", path.display()))),
        }
    }

    /// Writes the manifest of the files that are there; gives their octets.
    pub(super) fn write_manifest(&self, database: &str) -> Result<u64, StoreError> {
        let entries = [database, IDENTITY, BLOBS].map(|file| copying::hash_of(&self.path.join(file), file));
        let entries: Vec<Entry> = entries.into_iter().collect::<Result<_, _>>()?;
        copying::write_list(&self.path.join(MANIFEST), &entries)?;
        Ok(entries.iter().map(|entry| entry.octets).sum())
    }

    /// What one of its own files was.
    pub(super) fn entry(&self, file: &str) -> Result<Entry, StoreError> {
        let found = self.manifest()?.into_iter().find(|entry| entry.name == file);
        found.ok_or_else(|| failed(format!("the backup {} has no {file}", self.name)))
    }

    /// Its database, and of which store it is if it is sealed.
    fn database(&self) -> Result<(Entry, Option<[u8; 16]>), StoreError> {
        let entry = self.manifest()?.into_iter().next();
        let entry = entry.ok_or_else(|| failed(format!("the backup {} has no database", self.name)))?;
        let store = store_of(&entry.name);
        Ok((entry, store))
    }

    /// Which store it is of.
    pub(super) fn fingerprint(&self) -> Result<Vec<u8>, StoreError> {
        match self.database()? {
            (_, Some(store)) => Ok(store.to_vec()),
            (entry, None) => super::fingerprint(&self.path.join(entry.name)),
        }
    }

    /// The database where it can be looked at: where it lies, or, if it is sealed, opened in `within`.
    pub(super) fn open_database(
        &self,
        key_file: Option<&Path>,
        within: &Path,
    ) -> Result<PathBuf, StoreError> {
        let (entry, store) = self.database()?;
        let path = self.path.join(&entry.name);
        let Some(store) = store else { return Ok(path) };
        let key_file =
            key_file.ok_or_else(|| failed("the database is sealed, and the store's key is not here"))?;
        let open = within.join(DATABASE);
        DatabaseSeal::load(key_file)?.open(&path, &open, store)?;
        Ok(open)
    }

    /// Copies the database, opened, into a new file; it must be as it was written.
    pub(super) fn copy_database(&self, key_file: &Path, to: &Path) -> Result<(), StoreError> {
        let (entry, store) = self.database()?;
        let path = self.path.join(&entry.name);
        match store {
            None => copying::copy_sound(&path, to, &entry),
            // Every octet is compared by the seal.
            Some(store) => DatabaseSeal::load(key_file)?.open(&path, to, store),
        }
    }

    /// Whether the database is sealed.
    pub(super) fn is_sealed(&self) -> Result<bool, StoreError> {
        Ok(self.database()?.1.is_some())
    }

    /// Its blobs by what the database calls them. A list that is not as it was written is an error: what it leaves out
    /// would count as not needed.
    pub(super) fn blobs(&self) -> Result<HashMap<String, Entry>, StoreError> {
        let path = self.path.join(BLOBS);
        copying::look_again(&self.path, &self.entry(BLOBS)?)?;
        let text = fs::read_to_string(&path).map_err(|e| io_failed("reading", &path, &e))?;
        let entries = parse_list(&text).ok_or_else(|| failed(format!("{} is damaged", path.display())))?;
        Ok(entries.into_iter().map(|entry| (copying::stem(&entry.name).to_owned(), entry)).collect())
    }

    /// Whether its own files are as they were written.
    pub(super) fn is_sound(&self) -> Result<(), StoreError> {
        self.manifest()?.iter().try_for_each(|entry| copying::look_again(&self.path, entry))
    }
}
