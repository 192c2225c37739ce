//! The store key: its file, what is derived from it, and what is sealed under it directly.
//!
//! The file is text: a first line that says what it is, comments, and keys, the newest first. The newest seals; all
//! open. A key's id is derived from the key, so a mistyped key is noticed.
//!
//! ```text
//! mailward store key 1
//! # comment
//! key 9f3a61c2 00112233…(64 hexadecimal digits)
//! ```

use super::cipher::{Cipher, TAG, random};
use super::{failed, io_failed};
use crate::StoreError;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "mailward store key 1";
const COMMENT: &str = "# Without this file no mail of this store can be read: keep a copy in a safe place.\n\
                       # It holds one key a line, the newest first; older ones are still needed to read.\n";
/// More is not a key file.
const LONGEST_FILE: u64 = 64 * 1024;
const MOST_KEYS: usize = 100;

/// First octet of everything sealed directly under the store key.
const VERSION: u8 = 1;
const ID: usize = 4;
const SALT: usize = 16;
/// Octets that [`KeyRing::seal`] adds.
pub(super) const OVERHEAD: usize = 1 + ID + SALT + TAG;

type Key = Zeroizing<[u8; 32]>;

/// What something is sealed for: each purpose has a key of its own.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The store's identity.
    Identity,
    /// Rows, in a context that the database engine names.
    Row,
    /// Skeletons and layouts that lie in rows.
    Mail,
    /// The keys of blobs.
    Blob,
}

/// The store's keys, newest first, never none.
pub(super) struct KeyRing {
    newest: StoreKey,
    older: Vec<StoreKey>,
}

struct StoreKey {
    id: [u8; ID],
    identity: Key,
    row: Key,
    mail: Key,
    blob: Key,
}

impl KeyRing {
    /// Reads the key file, and makes it first where it is missing and that is allowed.
    pub(super) fn load(path: &Path, make: bool) -> Result<Self, StoreError> {
        let missing = std::fs::metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        match (missing, make) {
            (true, true) => make_file(path)?,
            (true, false) => {
                return Err(failed(format!(
                    "the store key {} is missing: put the copy back that was kept",
                    path.display()
                )));
            }
            (false, _) => {}
        }
        parse(&read_file(path)?).map_err(|why| failed(format!("the key file {}: {why}", path.display())))
    }

    /// Seals `plain` under the newest key; [`OVERHEAD`] octets longer.
    pub(super) fn seal(&self, purpose: Purpose, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let salt = random::<SALT>()?;
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.newest.id);
        sealed.extend_from_slice(&salt);
        let start = sealed.len();
        sealed.extend_from_slice(plain);
        self.newest.cipher(purpose, &salt)?.seal(0, context, &mut sealed, start)?;
        Ok(sealed)
    }

    /// Opens what [`KeyRing::seal`] made for the same purpose and context and appends it to `out`, which is left as it
    /// was on failure. The error says why, not what: the caller knows that.
    pub(super) fn open(
        &self,
        purpose: Purpose,
        context: &[u8],
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        let (head, rest) = sealed.split_first_chunk::<{ 1 + ID }>().ok_or("cut short")?;
        let (salt, sealed) = rest.split_first_chunk::<SALT>().ok_or("cut short")?;
        if head[0] != VERSION {
            return Err("sealed by a newer version, or damaged");
        }
        let key =
            self.find(&head[1..]).ok_or("sealed under a key that the key file does not hold, or damaged")?;
        let cipher = key.cipher(purpose, salt).map_err(|_| "the cipher failed")?;
        cipher.open(0, context, sealed, out).map_err(|_| "damaged or tampered with")
    }

    /// Whether `sealed` was sealed under the newest key.
    pub(super) fn is_newest(&self, sealed: &[u8]) -> bool {
        sealed.get(1..1 + ID) == Some(&self.newest.id)
    }

    /// Whether the key that `sealed` names is here.
    pub(super) fn holds_key_of(&self, sealed: &[u8]) -> bool {
        sealed.get(1..1 + ID).is_some_and(|id| self.find(id).is_some())
    }

    /// The ids of all keys, as the key file shows them.
    pub(super) fn ids(&self) -> String {
        let all = std::iter::once(&self.newest).chain(&self.older);
        all.map(|key| hex(&key.id)).collect::<Vec<_>>().join(", ")
    }

    fn find(&self, id: &[u8]) -> Option<&StoreKey> {
        std::iter::once(&self.newest).chain(&self.older).find(|key| key.id == id)
    }
}

/// The id of the key that `sealed` was sealed under, as the key file shows it.
pub(super) fn key_id_of(sealed: &[u8]) -> String {
    hex(sealed.get(1..1 + ID).unwrap_or_default())
}

impl StoreKey {
    fn new(key: &[u8; 32]) -> Self {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, key));
        StoreKey {
            id: id_of(key),
            identity: derive("mailward store key 1: identity"),
            row: derive("mailward store key 1: rows"),
            mail: derive("mailward store key 1: mail in rows"),
            blob: derive("mailward store key 1: keys of blobs"),
        }
    }

    /// A cipher for one use: its key comes from the purpose's and a random salt, so no nonce is ever used twice
    /// however much is sealed.
    fn cipher(&self, purpose: Purpose, salt: &[u8; SALT]) -> Result<Cipher, StoreError> {
        let key = match purpose {
            Purpose::Identity => &self.identity,
            Purpose::Row => &self.row,
            Purpose::Mail => &self.mail,
            Purpose::Blob => &self.blob,
        };
        Cipher::new(&Zeroizing::new(*blake3::keyed_hash(key, salt).as_bytes()))
    }
}

fn id_of(key: &[u8; 32]) -> [u8; ID] {
    let hash = Zeroizing::new(blake3::derive_key("mailward store key 1: id", key));
    [hash[0], hash[1], hash[2], hash[3]]
}

fn parse(text: &str) -> Result<KeyRing, &'static str> {
    let mut lines = text.lines().map(str::trim);
    if lines.next() != Some(FIRST_LINE) {
        return Err("does not begin with \"mailward store key 1\"");
    }
    let mut keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse_key);
    let newest = keys.next().ok_or("holds no key")??;
    let older = keys.take(MOST_KEYS).collect::<Result<Vec<_>, _>>()?;
    Ok(KeyRing { newest, older })
}

fn parse_key(line: &str) -> Result<StoreKey, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some("key"), Some(id), Some(key), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("holds a line that is no key");
    };
    let key = unhex::<32>(key).ok_or("holds a key that is not 64 hexadecimal digits")?;
    if unhex::<ID>(id).as_deref() != Some(&id_of(&key)) {
        return Err("holds a key that does not match its id: mistyped or damaged");
    }
    Ok(StoreKey::new(&key))
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, StoreError> {
    let failed_here = |e| io_failed("reading the key file", path, e);
    let file = File::open(path).map_err(failed_here)?;
    let about = file.metadata().map_err(failed_here)?;
    // A systemd credential is given to its service by an ACL, which shows as the group's right to read.
    if about.mode() & 0o037 != 0 {
        return Err(failed(format!(
            "the key file {} can be read by others or changed: chmod 0400 it",
            path.display()
        )));
    }
    // One allocation, so that no half-grown copy stays in memory.
    let mut text = Zeroizing::new(String::with_capacity(about.len().min(LONGEST_FILE) as usize + 1));
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(failed_here)?;
    Ok(text)
}

/// Makes a store's key in a new file; one that is there stays.
// Under another name first, so that a crash leaves no half of one, and linked, so that of two starting at once only one
// wins.
pub fn make_file(path: &Path) -> Result<(), StoreError> {
    let failed_here = |e| io_failed("making the key file", path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let passing = folder.join(format!(".mailward-{}", hex(&random::<8>()?)));
    let written = write_new(&passing, &new_key_text()?)
        .and_then(|()| match std::fs::hard_link(&passing, path) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        })
        .map_err(failed_here);
    let removed = std::fs::remove_file(&passing).map_err(failed_here);
    written.and(removed)?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed_here)
}

fn new_key_text() -> Result<Zeroizing<String>, StoreError> {
    let key = Zeroizing::new(random::<32>()?);
    let digits = Zeroizing::new(hex(&*key));
    Ok(Zeroizing::new(format!("{FIRST_LINE}\n{COMMENT}key {} {}\n", hex(&id_of(&key)), *digits)))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// Reads exactly `N` octets from lower- or upper-case hexadecimal digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut octets = Zeroizing::new([0; N]);
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16);
    for (octet, pair) in octets.iter_mut().zip(text.chunks_exact(2)) {
        *octet = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(octets)
}
