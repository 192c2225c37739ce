//! A folder for what must not lie where backups are: a database that is not sealed.

use super::failed;
use crate::StoreError;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of this process alone. Dropped, it is removed with all that is in it.
pub(super) struct Passing(pub(super) PathBuf);

impl Passing {
    /// In a store's folder, where the database lies in clear anyway; else where temporary files lie.
    pub(super) fn new(store: &Path) -> Result<Self, StoreError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let within = if store.is_dir() { store.to_owned() } else { std::env::temp_dir() };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = within.join(format!("mailward-passing-{}-{number}", std::process::id()));
        // Made newly, so that nobody else can have laid it.
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|e| failed(format!("making {}: {e}", path.display())))?;
        Ok(Passing(path))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // A link is removed, not what it leads to. What can't be removed tells no more than the store itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
