//! A folder for what must not lie where backups are: a database that is not sealed.

use super::failed;
use crate::StoreError;
use crate::vault::random;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::DirBuilder;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const PREFIX: &str = "mailward-passing-";

/// Folders that are made before we give up: each but the last was swept before it could be locked.
const TRIES: usize = 5;

/// A folder of this process alone, locked. Dropped, it is removed with all that is in it; one that a killed process
/// left is removed by whoever makes the next.
pub(super) struct Passing(pub(super) PathBuf, #[expect(dead_code, reason = "held for its lock")] OwnedFd);

impl Passing {
    /// In a store's folder, where the database lies in clear anyway; else where temporary files lie.
    pub(super) fn new(store: &Path) -> Result<Self, StoreError> {
        let within = if store.is_dir() { store.to_owned() } else { std::env::temp_dir() };
        sweep(&within);
        for _ in 0..TRIES {
            let path = within.join(format!("{PREFIX}{:016x}", u64::from_ne_bytes(random()?)));
            // Made newly, so that nobody else can have laid it.
            let made = DirBuilder::new().mode(0o700).create(&path);
            made.map_err(|e| failed(format!("making {}: {e}", path.display())))?;
            // Whoever sweeps has the lock while it removes.
            if let Some(lock) = lock(&path).filter(|_| path.exists()) {
                return Ok(Passing(path, lock));
            }
        }
        Err(failed(format!("making a folder in {}: others remove it", within.display())))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // A link is removed, not what it leads to. What can't be removed tells no more than the store itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes the folders that killed processes left in `within`: those whose lock nobody holds.
pub(crate) fn sweep(within: &Path) {
    let Ok(entries) = std::fs::read_dir(within) else { return };
    for entry in
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()))
    {
        if let Some(_lock) = lock(&entry.path()) {
            // One of another user's stays.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder's lock, where nobody holds it; never that of what a link leads to.
fn lock(folder: &Path) -> Option<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty()).ok()?;
    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_used_stays() {
        let place = tempfile::tempdir().unwrap();
        let stale = place.path().join(format!("{PREFIX}1-0"));
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("mail.db"), b"in clear").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("kept"), b"").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), place.path().join(format!("{PREFIX}link"))).unwrap();
        let other = place.path().join("mail");
        fs::create_dir(&other).unwrap();

        let first = Passing::new(place.path()).unwrap();
        let second = Passing::new(place.path()).unwrap();
        sweep(place.path());
        assert!(!stale.exists() && other.exists() && elsewhere.path().join("kept").exists());
        assert!(first.0 != second.0 && first.0.exists() && second.0.exists());
        let path = first.0.clone();
        drop(first);
        assert!(!path.exists() && second.0.exists());
    }
}
