//! The folder that backups lie in, and what one of them says of itself.

use super::copying::{self, Entry, parse_list};
use super::{BACKUPS, BLOBS, DATABASE, IDENTITY, MANIFEST, PARTIAL, failed, folder, io_failed};
use crate::StoreError;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file by which backups in one folder keep out of each other's way.
const LOCK: &str = "lock";
/// The files of one backup, as its manifest lists them.
const FILES: [&str; 3] = [DATABASE, IDENTITY, BLOBS];

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
    /// What its own files were when they were written: exactly these, in this order.
    pub(super) fn manifest(&self) -> Result<Vec<Entry>, StoreError> {
        let path = self.path.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|e| io_failed("reading", &path, &e))?;
        let entries = parse_list(&text).unwrap_or_default();
        match entries.iter().map(|entry| entry.name.as_str()).eq(FILES) {
            true => Ok(entries),
            false => Err(failed(format!("{} is damaged", path.display()))),
        }
    }

    /// Writes the manifest of the files that are there; gives their octets.
    pub(super) fn write_manifest(&self) -> Result<u64, StoreError> {
        let entries = FILES.map(|file| copying::hash_of(&self.path.join(file), file));
        let entries: Vec<Entry> = entries.into_iter().collect::<Result<_, _>>()?;
        copying::write_list(&self.path.join(MANIFEST), &entries)?;
        Ok(entries.iter().map(|entry| entry.octets).sum())
    }

    /// What one of its own files was.
    pub(super) fn entry(&self, file: &str) -> Result<Entry, StoreError> {
        let found = self.manifest()?.into_iter().find(|entry| entry.name == file);
        found.ok_or_else(|| failed(format!("the backup {} has no {file}", self.name)))
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
