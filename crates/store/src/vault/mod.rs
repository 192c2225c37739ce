//! What seals the mail: keys, blobs, the spool, and how a message is taken apart and put together again.
//!
//! A message is kept as a skeleton and its attachments. An attachment is decoded, found again by a keyed hash where
//! the same one came to its domain before, and sealed into a file whose name says nothing. The skeleton is sealed
//! too: into the message's row while small, else into a file. The layout, sealed in the row, says how to make the
//! message again, octet by octet; docs/storage.md has the formats.

mod base64;
mod blob;
mod chunks;
mod cipher;
mod database;
mod identity;
mod keys;
mod layout;
mod message;
mod shelf;
mod spool;
#[cfg(test)]
mod tests;

pub(crate) use cipher::random;
pub(crate) use database::DatabaseSeal;

use crate::{Settings, Spool, StoreError, StoredMessage};
use base::{DomainId, Limits, MailId, Octets};
use identity::Identity;
pub use keys::make_file as make_key;
use keys::{KeyRing, Purpose};
use shelf::Shelf;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wire::mime::Tree;
use zeroize::Zeroizing;

/// The keys and the files of one store. A clone is the same vault.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keys: KeyRing,
    shelf: Shelf,
    spool: PathBuf,
    attachment_key: Zeroizing<[u8; 32]>,
    hash_key: Zeroizing<[u8; 32]>,
    fingerprint: [u8; 16],
    /// For reading a message's structure anew.
    limits: Limits,
}

/// A sealed file's name: random, the same for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(pub [u8; 17]);

/// What finds an attachment again: a keyed hash of its decoded octets, different in each domain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AttachmentKey(pub [u8; 32]);

/// A message's skeleton, sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// For the message's row.
    Inline(Vec<u8>),
    /// In a file of its own.
    File(BlobId),
}

/// A message, sealed. Its files are on the disk already; nothing refers to them yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedMessage {
    /// The skeleton.
    pub body: Body,
    /// How to put the message together, for its row; not sealed yet: [`Vault::seal_layout`].
    pub layout: Vec<u8>,
    /// The attachments it needs, each once.
    pub attachments: Vec<AttachmentRef>,
    /// Octets of the message.
    pub size: u64,
}

/// An attachment of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttachmentRef {
    /// What finds it again.
    pub key: AttachmentKey,
    /// Where it lies.
    pub blob: BlobId,
    /// Whether it was written now; else it is one that the caller knew.
    pub new: bool,
    /// Its octets, decoded.
    pub octets: u64,
}

impl Vault {
    /// Reads the store key, or makes it where it is missing and `make_key` says so; makes the folders; checks that
    /// the key is this store's.
    pub fn open(settings: &Settings) -> Result<Self, StoreError> {
        let folder = &settings.directory;
        if !folder.exists() {
            shelf::make_folder(folder)?;
        }
        refuse_key_inside(folder, &settings.key_file)?;
        let keys = KeyRing::load(&settings.key_file, settings.make_key)?;
        let identity = Identity::load(folder, &settings.key_file, &keys)?;
        let spool = folder.join("spool");
        shelf::make_folder(&spool)?;
        let shelf = Shelf::open(folder.join("blobs"), identity.derive("mailward identity 1: blob names"))?;
        shelf::sync_folder(folder)?;
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&identity.derive("mailward identity 1: fingerprint")[..16]);
        Ok(Vault(Arc::new(Inner {
            keys,
            shelf,
            spool,
            attachment_key: identity.derive("mailward identity 1: attachments"),
            hash_key: identity.derive("mailward identity 1: hashes"),
            fingerprint,
            limits: settings.limits.clone(),
        })))
    }

    /// What tells this store from any other; no secret. A database that was used with another one is not this
    /// store's.
    pub fn fingerprint(&self) -> [u8; 16] {
        self.0.fingerprint
    }

    /// A place for a message that is being received.
    pub fn spool(&self) -> Result<Spool, StoreError> {
        Ok(Box::new(spool::Writer::new(self.0.spool.clone())))
    }

    /// Seals a message and writes its files, which are on the disk, names included, when this returns. `known` finds
    /// attachments that the domain has already: whoever commits the message must make sure that they still are there.
    /// About a MiB of memory is used, however large the message is (4 where a single line has a MiB). On failure
    /// nothing stays behind.
    pub fn seal_message(
        &self,
        message: &dyn Octets,
        tree: &Tree,
        domain: DomainId,
        known: &dyn Fn(&AttachmentKey) -> Option<BlobId>,
    ) -> Result<SealedMessage, StoreError> {
        message::seal(self, message, tree, domain, known)
    }

    /// Seals a message's layout for the mail that it becomes: it opens as no other, and the body only with it.
    pub fn seal_layout(&self, mail: MailId, message: &SealedMessage) -> Result<Vec<u8>, StoreError> {
        self.0.keys.seal(Purpose::Mail, &message::layout_context(mail), &message.layout)
    }

    /// Opens a message. Files of attachments are opened when they are read.
    pub fn open_message(
        &self,
        mail: MailId,
        body: &Body,
        layout: &[u8],
    ) -> Result<Box<dyn StoredMessage>, StoreError> {
        message::open(self, mail, body, layout)
    }

    /// Seals `plain`. It opens only in the same context: say which table, row and column it is.
    pub fn seal_row(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.keys.seal(Purpose::Row, context, plain)
    }

    /// Opens what [`Vault::seal_row`] made and appends it to `out`, which is left as it was on failure.
    pub fn open_row(&self, context: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Result<(), StoreError> {
        let outcome = self.0.keys.open(Purpose::Row, context, sealed, out);
        outcome.map_err(|why| failed(format!("a row of {}: {why}", context.escape_ascii())))
    }

    /// A hash that only this store can make, the same for ever: for threads, and for whatever is to be found again
    /// without being kept. `context` says for what; hashes of different contexts have nothing to do with each other.
    pub fn keyed_hash(&self, context: &[u8], data: &[u8]) -> [u8; 32] {
        let key = blake3::keyed_hash(&self.0.hash_key, context);
        *blake3::keyed_hash(key.as_bytes(), data).as_bytes()
    }

    /// Removes a file that no message needs any more; one that is gone already is fine.
    pub fn remove(&self, blob: BlobId) -> Result<(), StoreError> {
        self.0.shelf.remove(blob)
    }

    /// Removes files that are older than `grace` and not known: what crashes and failed commits left. Gives how many.
    pub fn sweep(&self, is_known: &dyn Fn(&BlobId) -> bool, grace: Duration) -> usize {
        self.0.shelf.sweep(is_known, grace)
    }
}

impl BlobId {
    /// From the octets that a row holds.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(BlobId)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&keys::hex(&self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// A key that lies beside what it seals goes wherever that is copied, and then seals nothing.
fn refuse_key_inside(folder: &Path, key_file: &Path) -> Result<(), StoreError> {
    let real = |path: &Path| std::fs::canonicalize(path).map_err(|e| io_failed("looking at", path, e));
    let beside = key_file.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if real(beside)?.starts_with(real(folder)?) {
        return Err(failed(format!(
            "the key file {} must lie outside the store's folder {}",
            key_file.display(),
            folder.display()
        )));
    }
    Ok(())
}

fn failed(why: impl Into<String>) -> StoreError {
    StoreError::Failed(why.into())
}

fn io_failed(what: &str, path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => failed(format!("{what} {}: {error}", path.display())),
    }
}

/// The message that is to be sealed can't be read.
fn message_failed(error: io::Error) -> StoreError {
    failed(format!("reading the message: {error}"))
}
