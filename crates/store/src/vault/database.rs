//! A copy of the database that leaves the machine: sealed as a blob is, and bound to its store.

use super::blob::{Blob, BlobWriter, MOST_OCTETS};
use super::keys::KeyRing;
use super::{BlobId, failed, io_failed};
use crate::StoreError;
use base::Octets;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Octets that are read at a time.
const PIECE: usize = 256 * 1024;

/// Seals and opens copies of databases under a store's key.
pub(crate) struct DatabaseSeal(KeyRing);

impl DatabaseSeal {
    /// By the key that is there.
    pub(crate) fn load(key_file: &Path) -> Result<Self, StoreError> {
        Ok(DatabaseSeal(KeyRing::load(key_file, false)?))
    }

    /// Seals the database `from`, of the store with this fingerprint, into the new file `to`.
    pub(crate) fn seal(&self, from: &Path, to: &Path, store: [u8; 16]) -> Result<(), StoreError> {
        let mut source = File::open(from).map_err(|e| io_failed("reading", from, e))?;
        if source.metadata().map_err(|e| io_failed("looking at", from, e))?.len() > MOST_OCTETS {
            return Err(failed(format!(
                "{} has more than the {MOST_OCTETS} octets that can be sealed",
                from.display()
            )));
        }
        let mut writer = BlobWriter::new(new_file(to)?, id(store), &self.0)?;
        let mut piece = vec![0; PIECE];
        loop {
            let count = source.read(&mut piece).map_err(|e| io_failed("reading", from, e))?;
            let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
            writer.push(read)?;
        }
        writer.finish()
    }

    /// Opens what [`DatabaseSeal::seal`] made into the new file `to`.
    pub(crate) fn open(&self, from: &Path, to: &Path, store: [u8; 16]) -> Result<(), StoreError> {
        let why = |e: std::io::Error| failed(format!("the sealed database {}: {e}", from.display()));
        let sealed = Blob::open(File::open(from).map_err(why)?, id(store), &self.0).map_err(why)?;
        let mut target = new_file(to)?;
        sealed.pieces(PIECE, &mut |piece| target.write_all(piece)).map_err(why)
    }
}

/// What the sealed octets are bound to. Blobs have random ids.
fn id(store: [u8; 16]) -> BlobId {
    let mut id = [b'd'; 17];
    id[..16].copy_from_slice(&store);
    BlobId(id)
}

fn new_file(path: &Path) -> Result<File, StoreError> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    open.map_err(|e| io_failed("making", path, e))
}
