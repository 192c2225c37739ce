//! What the tests of the vault share: a folder, chance that repeats itself, messages.

mod base64;
mod blobs;
mod format;
mod keys;
mod messages;
mod spool;

use super::{BlobId, Body, SealedMessage, Vault};
use crate::{Settings, StoreError, StoredMessage};
use base::{DomainId, Limits, MailId, Octets};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::mime::Tree;

const MAIL: MailId = MailId((3 << 40) | 5);

/// A store's folder and, beside it, its key; gone when dropped.
struct Place {
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = std::env::temp_dir().join(super::keys::hex(&super::cipher::random::<12>().unwrap()));
        std::fs::create_dir(&root).unwrap();
        Place { root }
    }

    fn folder(&self) -> PathBuf {
        self.root.join("store")
    }

    fn key_file(&self) -> PathBuf {
        self.root.join("store.key")
    }

    fn settings(&self) -> Settings {
        Settings {
            directory: self.folder(),
            key_file: self.key_file(),
            make_key: true,
            least_free: 0,
            keep_deleted: Duration::ZERO,
            keep_deleted_octets: 0,
            late_after: Duration::ZERO,
            stories: crate::story::Keep::default(),
            index_text: false,
            limits: Limits::default(),
        }
    }

    fn open(&self) -> Vault {
        Vault::open(&self.settings()).unwrap()
    }

    /// Files of blobs.
    fn blobs(&self) -> Vec<PathBuf> {
        files_below(&self.folder().join("blobs"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.root).unwrap();
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    folders.iter().for_each(|folder| files.extend(files_below(folder)));
    files
}

/// Numbers that look random and are the same in each run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

const DOMAIN: DomainId = DomainId(1);

/// Base64 in lines of `line` octets (0: one line), with `end` between them and none after the last.
fn fold(plain: &[u8], line: usize, end: &str) -> String {
    use ::base64::Engine;
    let text = ::base64::engine::general_purpose::STANDARD.encode(plain);
    let line = if line == 0 { text.len().max(1) } else { line };
    let lines: Vec<&str> =
        text.as_bytes().chunks(line).map(|part| std::str::from_utf8(part).unwrap()).collect();
    lines.join(end)
}

/// A message with a text and attachments, whose bodies are given as they are to stand.
fn message_with(text: &str, bodies: &[String]) -> Vec<u8> {
    let mut message = format!(
        "From: a@example.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n\
         --b1\r\nContent-Type: text/plain\r\n\r\n{text}"
    );
    for body in bodies {
        message.push_str(
            "\r\n--b1\r\nContent-Type: application/octet-stream; name=\"secret-plans.exe\"\r\n\
             Content-Disposition: attachment; filename=\"secret-plans.exe\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n",
        );
        message.push_str(body);
    }
    message.push_str("\r\n--b1--\r\n");
    message.into_bytes()
}

fn seal(vault: &Vault, message: &Vec<u8>) -> SealedMessage {
    seal_in(vault, message, DOMAIN, &[])
}

/// Seals in a domain that has some attachments already: those of `before`.
fn seal_in(vault: &Vault, message: &Vec<u8>, domain: DomainId, before: &[&SealedMessage]) -> SealedMessage {
    let tree = Tree::parse(message, &Limits::default());
    let mut all = before.iter().flat_map(|sealed| &sealed.attachments);
    let known = all.clone().map(|attachment| (attachment.key, attachment.blob)).collect::<Vec<_>>();
    assert!(all.all(|attachment| attachment.octets > 0));
    let find = |key: &super::AttachmentKey| known.iter().find(|(k, _)| k == key).map(|(_, blob)| *blob);
    vault.seal_message(message, &tree, domain, &find).unwrap()
}

/// A sealed message as it comes back from a mail's rows.
fn open(vault: &Vault, sealed: &SealedMessage) -> Result<Box<dyn StoredMessage>, String> {
    let layout = vault.seal_layout(MAIL, sealed).unwrap();
    vault.open_message(MAIL, &sealed.body, &layout).map_err(why)
}

/// All of a sealed message, or why it can't be had.
fn read(vault: &Vault, sealed: &SealedMessage) -> Result<Vec<u8>, String> {
    let message = open(vault, sealed)?;
    let mut out = Vec::new();
    message.read(0..message.len(), &mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

fn why(error: StoreError) -> String {
    match error {
        StoreError::Failed(why) => why,
        other => panic!("not a failure with a reason: {other:?}"),
    }
}
