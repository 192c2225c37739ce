//! Where blobs lie: `DIR/blobs/xx/NAME.EXT`, 256 folders, names that say nothing.

use super::cipher::random;
use super::keys::{hex, unhex};
use super::{BlobId, io_failed};
use crate::StoreError;
use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// No vowels, so that no extension is a word or one that some program runs.
const EXTENSION: &[u8; 16] = b"bcdfghjkmnpqrtvz";

pub(super) struct Shelf {
    root: PathBuf,
    /// Salts the extensions.
    salt: Zeroizing<[u8; 32]>,
}

impl Shelf {
    /// Takes `root` for blobs, and makes it and its folders where they are missing.
    pub(super) fn open(root: PathBuf, salt: Zeroizing<[u8; 32]>) -> Result<Self, StoreError> {
        make_folder(&root)?;
        for octet in 0..=255u8 {
            match DirBuilder::new().mode(0o700).create(root.join(hex(&[octet]))) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io_failed("making a folder in", &root, e)),
            }
        }
        // Also where nothing was made now: who made the folders may have been killed before the sync.
        sync_folder(&root)?;
        Ok(Shelf { root, salt })
    }

    /// A new blob's id. `beside` names a blob whose folder it is to share, so that one sync does for both.
    pub(super) fn new_id(&self, beside: Option<BlobId>) -> Result<BlobId, StoreError> {
        let mut id = random::<17>()?;
        if let Some(other) = beside {
            id[0] = other.0[0];
        }
        Ok(BlobId(id))
    }

    /// Makes the file of a new blob: nobody else's, for the owner only.
    pub(super) fn create(&self, id: BlobId) -> Result<File, StoreError> {
        let path = self.path(id);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(|e| io_failed("making blob", &path, e))
    }

    /// Opens a blob's file for reading.
    pub(super) fn file(&self, id: BlobId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Makes sure that the names in a blob's folder survive a power cut.
    pub(super) fn sync(&self, id: BlobId) -> Result<(), StoreError> {
        sync_folder(&self.folder(id))
    }

    /// Removes a blob's file; one that is gone already is fine.
    pub(super) fn remove(&self, id: BlobId) -> Result<(), StoreError> {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_failed("removing blob", &path, e)),
            _ => Ok(()),
        }
    }

    /// Removes blobs that are older than `grace` and not known; gives how many. Files that are none of ours stay.
    pub(super) fn sweep(&self, is_known: &dyn Fn(&BlobId) -> bool, grace: Duration) -> usize {
        let folders = (0..=255u8).filter_map(|octet| std::fs::read_dir(self.root.join(hex(&[octet]))).ok());
        let files = folders.flat_map(|folder| folder.flatten());
        // Age first: what is young may be about to become known.
        let old = files.filter(|file| age(file).is_some_and(|age| age >= grace));
        let orphans = old.filter_map(|file| self.id_of(&file)).filter(|id| !is_known(id));
        orphans.filter(|id| self.remove(*id).is_ok()).count()
    }

    pub(super) fn path(&self, id: BlobId) -> PathBuf {
        self.folder(id).join(format!("{}.{}", hex(&id.0[1..]), self.extension(id)))
    }

    fn folder(&self, id: BlobId) -> PathBuf {
        self.root.join(hex(&id.0[..1]))
    }

    fn extension(&self, id: BlobId) -> String {
        let hash = blake3::keyed_hash(&self.salt, &id.0);
        let octets = hash.as_bytes().iter().take(6);
        octets.map(|octet| char::from(EXTENSION[usize::from(octet % 16)])).collect()
    }

    fn id_of(&self, file: &DirEntry) -> Option<BlobId> {
        let path = file.path();
        let folder = path.parent()?.file_name()?.to_str()?;
        let id = BlobId(*unhex::<17>(&format!("{folder}{}", path.file_stem()?.to_str()?))?);
        (self.path(id) == path).then_some(id)
    }
}

fn age(file: &DirEntry) -> Option<Duration> {
    file.metadata().ok()?.modified().ok()?.elapsed().ok()
}

/// Makes a folder, for the owner only, with those above it; one that exists is made the owner's only.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)))
        .map_err(|e| io_failed("making the folder", path, e))
}

/// Makes sure that the names in a folder survive a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| io_failed("syncing the folder", path, e))
}
