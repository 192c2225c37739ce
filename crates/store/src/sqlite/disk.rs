//! How much room the disk has, and that one process alone uses the directory.

use crate::StoreError;
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an answer of the file system's is believed: what comes in meanwhile goes into the reserve.
const BELIEVED: Duration = Duration::from_millis(50);

/// The directory's file system. While it is held, no other process can hold it.
pub(crate) struct Disk {
    directory: PathBuf,
    least_free: u64,
    last: Mutex<Option<(Instant, bool)>>,
    _lock: OwnedFd,
}

impl Disk {
    /// Keeps backups from beginning to copy blobs, until what is given is dropped; none while one copies them.
    pub(super) fn nobody_copies(&self) -> Option<OwnedFd> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let path = self.directory.join(super::HOLD);
        let hold = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).ok()?;
        rustix::fs::flock(&hold, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(hold)
    }

    /// Takes the directory for this process.
    pub(super) fn open(directory: &Path, least_free: u64) -> Result<Self, StoreError> {
        let path = directory.join("lock");
        let failed = |e: rustix::io::Errno| StoreError::Failed(format!("{}: {e}", path.display()));
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let lock = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            StoreError::Failed(format!("{} is in use by another process", directory.display()))
        })?;
        Ok(Disk { directory: directory.to_owned(), least_free, last: Mutex::new(None), _lock: lock })
    }

    /// Octets of room; 0 where the file system can't say.
    pub(super) fn free_octets(&self) -> u64 {
        let fs = rustix::fs::statvfs(&self.directory);
        fs.map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
    }

    /// Whether there is room for more mail.
    pub(super) fn has_room(&self) -> bool {
        let mut last = self.last.lock();
        if let Some((when, room)) = *last
            && when.elapsed() < BELIEVED
        {
            return room;
        }
        // A file system that can't say is taken at its word when a write fails.
        let room = rustix::fs::statvfs(&self.directory)
            .map_or(true, |fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= self.least_free);
        if room != last.is_none_or(|(_, before)| before) {
            match room {
                true => tracing::info!("the disk has room again"),
                false => tracing::error!("the disk is nearly full: no mail is taken"),
            }
        }
        *last = Some((Instant::now(), room));
        room
    }
}
