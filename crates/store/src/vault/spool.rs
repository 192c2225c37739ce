//! Messages being received: in memory while small, then in an unnamed file, sealed under a key that only memory holds.

use super::chunks::{self, CHUNK, LastChunk};
use super::cipher::{Cipher, TAG, random};
use super::io_failed;
use crate::{SpoolWriter, StoreError};
use base::Octets;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Octets up to which a message stays in memory.
pub(super) const IN_MEMORY: usize = 256 * 1024;

/// A message being received.
pub(super) struct Writer {
    folder: PathBuf,
    /// All, or what is not in the file yet.
    memory: Vec<u8>,
    file: Option<SpoolFile>,
    sealed: Vec<u8>,
}

impl Writer {
    pub(super) fn new(folder: PathBuf) -> Self {
        Writer { folder, memory: Vec::new(), file: None, sealed: Vec::new() }
    }

    /// Moves whole chunks from memory to the file; all of it at the end.
    fn spill(&mut self, all: bool) -> Result<(), StoreError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(SpoolFile::new(&self.folder)?),
        };
        let count = if all { self.memory.len() } else { self.memory.len() / CHUNK * CHUNK };
        self.sealed.clear();
        for chunk in self.memory.get(..count).unwrap_or_default().chunks(CHUNK) {
            let start = self.sealed.len();
            self.sealed.extend_from_slice(chunk);
            file.cipher.seal(file.octets.div_ceil(CHUNK as u64), &[], &mut self.sealed, start)?;
            file.octets += chunk.len() as u64;
        }
        file.file.write_all(&self.sealed).map_err(|e| io_failed("writing to the spool", &self.folder, e))?;
        self.memory.drain(..count);
        Ok(())
    }
}

impl SpoolWriter for Writer {
    fn push(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        for part in octets.chunks(IN_MEMORY) {
            self.memory.extend_from_slice(part);
            if self.memory.len() > IN_MEMORY {
                self.spill(false)?;
            }
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.octets) + self.memory.len() as u64
    }

    fn finish(mut self: Box<Self>) -> Result<Arc<dyn Octets>, StoreError> {
        if self.file.is_some() {
            self.spill(true)?;
        }
        Ok(match self.file {
            Some(file) => Arc::new(file),
            None => Arc::new(self.memory),
        })
    }
}

/// A message in an unnamed file: chunks of 64 KiB, each with its tag.
struct SpoolFile {
    file: File,
    cipher: Cipher,
    octets: u64,
    last: Mutex<LastChunk>,
}

impl SpoolFile {
    fn new(folder: &Path) -> Result<Self, StoreError> {
        let file = unnamed_file(folder).map_err(|e| io_failed("making a file in the spool", folder, e))?;
        let cipher = Cipher::new(&Zeroizing::new(random::<32>()?))?;
        Ok(SpoolFile { file, cipher, octets: 0, last: Mutex::default() })
    }

    fn open_chunk(&self, number: u64, last: &mut LastChunk) -> io::Result<()> {
        last.sealed.resize(chunks::length_of(number, self.octets) + TAG, 0);
        self.file.read_exact_at(&mut last.sealed, number * (CHUNK + TAG) as u64)?;
        last.plain.clear();
        let outcome = self.cipher.open(number, &[], &last.sealed, &mut last.plain);
        outcome.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a spooled message was damaged"))
    }
}

impl Octets for SpoolFile {
    fn len(&self) -> u64 {
        self.octets
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        chunks::read(&self.last, self.octets, range, out, |number, last| self.open_chunk(number, last))
    }
}

/// A file that nobody can open by name. Where the file system can't make one, its name is taken away at once.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(File::from(file));
    }
    let name = random::<16>().map_err(|_| io::Error::other("no random numbers"))?;
    let path = folder.join(super::keys::hex(&name));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
