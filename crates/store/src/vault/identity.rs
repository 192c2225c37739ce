//! What makes a store this store: a secret, sealed under the store key, in `DIR/identity`. It shows whether a key
//! belongs to a store, and stays when the key changes, so hashes made from it stay comparable.

use super::keys::{self, KeyRing, Purpose};
use super::shelf::sync_folder;
use super::{failed, io_failed};
use crate::StoreError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const CONTEXT: &[u8] = b"mailward store identity 1";
const FILE: &str = "identity";

/// The store's own secret.
pub(super) struct Identity(Zeroizing<[u8; 32]>);

impl Identity {
    /// Reads it, and makes it for a store that has nothing yet.
    pub(super) fn load(folder: &Path, key_file: &Path, keys: &KeyRing) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let sealed = match std::fs::read(&path) {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == ErrorKind::NotFound => return Self::make(folder, keys),
            Err(e) => return Err(io_failed("reading", &path, e)),
        };
        if !keys.holds_key_of(&sealed) {
            return Err(failed(format!(
                "the store in {} was sealed under the key {}, but {} holds {}: put back the key file that was kept",
                folder.display(),
                keys::key_id_of(&sealed),
                key_file.display(),
                keys.ids(),
            )));
        }
        let mut secret = Zeroizing::new(Vec::with_capacity(32));
        let outcome = keys.open(Purpose::Identity, CONTEXT, &sealed, &mut secret);
        outcome.map_err(|why| failed(format!("{}: {why}", path.display())))?;
        let secret =
            secret.as_slice().try_into().map_err(|_| failed("the store's identity has a wrong length"))?;
        let identity = Identity(Zeroizing::new(secret));
        if !keys.is_newest(&sealed) {
            identity.save(folder, keys)?;
        }
        Ok(identity)
    }

    /// A key for one use, the same for ever in this store.
    pub(super) fn derive(&self, context: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(context, &*self.0))
    }

    fn make(folder: &Path, keys: &KeyRing) -> Result<Self, StoreError> {
        if holds_mail(folder) {
            return Err(failed(format!(
                "{} is missing, but the store holds mail: put it back from the backup",
                folder.join(FILE).display()
            )));
        }
        // The folder itself may be new: its name must last before anything in it counts. Where we may not even look
        // at what is above it, someone else made it before.
        let real = std::fs::canonicalize(folder).map_err(|e| io_failed("looking at", folder, e))?;
        if let Some(Ok(above)) = real.parent().map(File::open) {
            above.sync_all().map_err(|e| io_failed("syncing the folder above", folder, e))?;
        }
        let identity = Identity(Zeroizing::new(super::cipher::random()?));
        identity.save(folder, keys)?;
        Ok(identity)
    }

    /// Writes it beside the old one, then in its place, so that there always is one.
    fn save(&self, folder: &Path, keys: &KeyRing) -> Result<(), StoreError> {
        let sealed = keys.seal(Purpose::Identity, CONTEXT, &*self.0)?;
        let (path, passing) = (folder.join(FILE), folder.join("identity.new"));
        write(&passing, &sealed)
            .and_then(|()| std::fs::rename(&passing, &path))
            .map_err(|e| io_failed("writing", &path, e))?;
        sync_folder(folder)
    }
}

fn write(path: &PathBuf, octets: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

/// Whether there is any file of a used store.
fn holds_mail(folder: &Path) -> bool {
    let has_files = |folder: PathBuf| {
        std::fs::read_dir(folder)
            .is_ok_and(|mut files| files.any(|file| file.is_ok_and(|f| f.path().is_file())))
    };
    let folders = std::fs::read_dir(folder.join("blobs")).into_iter().flatten().flatten();
    folders.into_iter().any(|entry| has_files(entry.path()))
}
