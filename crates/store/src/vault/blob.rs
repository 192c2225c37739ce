//! A blob: octets sealed in chunks that are opened one by one.
//!
//! ```text
//! head     the blob's own random key, sealed under the store key (KeyRing::seal, bound to the blob's id)
//! chunks   64 KiB each (the last is shorter), packed by LZ4 where that makes it smaller, sealed under the blob's key
//! index    sealed like a chunk: octets of the whole, then a word a chunk: its sealed length, top bit: packed
//! length   of the sealed index, 4 octets, little-endian
//! ```
//!
//! Each chunk is bound to the blob's id, its number, and whether it is the last and packed: none can be moved,
//! swapped or left out without being noticed.

use super::chunks::{self, CHUNK, LastChunk};
use super::cipher::{Cipher, TAG, random};
use super::keys::{KeyRing, OVERHEAD, Purpose};
use super::{BlobId, failed};
use crate::StoreError;
use base::Octets;
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use zeroize::Zeroizing;

const HEAD: usize = 32 + OVERHEAD;
/// The index's number; chunks count from 0.
const INDEX: u64 = u64::MAX;
const PACKED: u32 = 1 << 31;
/// More chunks than this are no blob of ours: 64 GiB.
const MOST_CHUNKS: usize = 1 << 20;
/// Octets of the largest blob.
pub(super) const MOST_OCTETS: u64 = (MOST_CHUNKS * CHUNK) as u64;

/// Writes one blob. Dropped without [`BlobWriter::finish`], it leaves a file that the sweep removes.
pub(super) struct BlobWriter {
    file: File,
    id: BlobId,
    cipher: Cipher,
    /// Sealed, not written yet.
    sealed: Vec<u8>,
    /// Not sealed yet; at most a chunk.
    plain: Vec<u8>,
    packed: Vec<u8>,
    total: u64,
    index: Vec<u32>,
}

impl BlobWriter {
    pub(super) fn new(file: File, id: BlobId, keys: &KeyRing) -> Result<Self, StoreError> {
        let key = Zeroizing::new(random::<32>()?);
        let sealed = keys.seal(Purpose::Blob, &id.0, &*key)?;
        let cipher = Cipher::new(&key)?;
        Ok(BlobWriter {
            file,
            id,
            cipher,
            sealed,
            plain: Vec::new(),
            packed: Vec::new(),
            total: 0,
            index: Vec::new(),
        })
    }

    /// Adds octets.
    pub(super) fn push(&mut self, mut octets: &[u8]) -> Result<(), StoreError> {
        self.total += octets.len() as u64;
        while !octets.is_empty() {
            if self.plain.len() == CHUNK {
                self.seal_chunk(false)?;
            }
            let (now, later) = octets.split_at(octets.len().min(CHUNK - self.plain.len()));
            self.plain.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    /// Writes the rest and waits until the disk has it. The file's name is not synced by this.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        if !self.plain.is_empty() {
            self.seal_chunk(true)?;
        }
        let start = self.sealed.len();
        self.sealed.extend_from_slice(&self.total.to_le_bytes());
        self.index.iter().for_each(|word| self.sealed.extend_from_slice(&word.to_le_bytes()));
        self.cipher.seal(INDEX, &self.id.0, &mut self.sealed, start)?;
        let length = u32::try_from(self.sealed.len() - start).map_err(|_| failed("a blob is too large"))?;
        self.sealed.extend_from_slice(&length.to_le_bytes());
        self.write_sealed()?;
        self.file.sync_data().map_err(|e| blob_failed(self.id, e))
    }

    fn seal_chunk(&mut self, last: bool) -> Result<(), StoreError> {
        let is_packed = pack(&self.plain, &mut self.packed);
        let chosen = if is_packed { &self.packed } else { &self.plain };
        let start = self.sealed.len();
        self.sealed.extend_from_slice(chosen);
        let number = self.index.len() as u64;
        self.cipher.seal(number, &context(self.id, last, is_packed), &mut self.sealed, start)?;
        // A chunk's length always fits: 64 KiB and the tag.
        self.index.push((self.sealed.len() - start) as u32 | if is_packed { PACKED } else { 0 });
        self.plain.clear();
        if self.sealed.len() >= 4 * CHUNK { self.write_sealed() } else { Ok(()) }
    }

    fn write_sealed(&mut self) -> Result<(), StoreError> {
        self.file.write_all(&self.sealed).map_err(|e| blob_failed(self.id, e))?;
        self.sealed.clear();
        Ok(())
    }
}

/// A blob, open for reading. Each read costs the chunks that it touches; the last one is remembered.
pub(super) struct Blob {
    file: File,
    id: BlobId,
    cipher: Cipher,
    total: u64,
    chunks: Vec<Chunk>,
    last: Mutex<LastChunk>,
}

#[derive(Clone, Copy)]
struct Chunk {
    at: u64,
    length: usize,
    packed: bool,
}

impl Blob {
    /// Opens a blob's file: checks its head and index, reads no chunk.
    pub(super) fn open(file: File, id: BlobId, keys: &KeyRing) -> io::Result<Self> {
        let damaged = |why| damaged(id, why);
        let octets = file.metadata()?.len();
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).map_err(|_| damaged("cut short"))?;
        let mut key = Zeroizing::new(Vec::with_capacity(32));
        keys.open(Purpose::Blob, &id.0, &head, &mut key).map_err(damaged)?;
        let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| damaged("its key has a wrong length"))?;
        let cipher = Cipher::new(key).map_err(|_| damaged("the cipher failed"))?;
        let (at, index) = read_index(&file, octets).map_err(damaged)?;
        let mut plain = Vec::new();
        cipher.open(INDEX, &id.0, &index, &mut plain).map_err(|_| damaged("its index does not open"))?;
        let (total, chunks) = parse_index(&plain, at).ok_or_else(|| damaged("its index does not fit"))?;
        Ok(Blob { file, id, cipher, total, chunks, last: Mutex::default() })
    }

    fn open_chunk(&self, number: u64, last: &mut LastChunk) -> io::Result<()> {
        let damaged = |why| damaged(self.id, why);
        let place = usize::try_from(number).ok().and_then(|n| self.chunks.get(n));
        let chunk = place.ok_or_else(|| damaged("ends early"))?;
        last.sealed.resize(chunk.length, 0);
        self.file.read_exact_at(&mut last.sealed, chunk.at).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => damaged("cut short"),
            _ => e,
        })?;
        let is_last = number + 1 == self.chunks.len() as u64;
        let into = if chunk.packed { &mut last.packed } else { &mut last.plain };
        into.clear();
        let outcome = self.cipher.open(number, &context(self.id, is_last, chunk.packed), &last.sealed, into);
        outcome.map_err(|_| damaged("a chunk does not open"))?;
        // What opened was written by us; should it still not fit, say so rather than serve it.
        let length = chunks::length_of(number, self.total);
        if chunk.packed && !unpack(&last.packed, length, &mut last.plain) {
            return Err(damaged("a chunk does not unpack"));
        }
        if last.plain.len() != length { Err(damaged("a chunk has a wrong length")) } else { Ok(()) }
    }
}

impl Octets for Blob {
    fn len(&self) -> u64 {
        self.total
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        chunks::read(&self.last, self.total, range, out, |number, last| self.open_chunk(number, last))
    }
}

/// Packs by LZ4; false where that saves less than a sixteenth.
pub(super) fn pack(plain: &[u8], packed: &mut Vec<u8>) -> bool {
    packed.resize(lz4_flex::block::get_maximum_output_size(plain.len()), 0);
    match lz4_flex::block::compress_into(plain, packed) {
        Ok(length) => {
            packed.truncate(length);
            length < plain.len() - plain.len() / 16
        }
        Err(_) => false,
    }
}

/// Unpacks what [`pack`] made of `length` octets; false where it was not.
pub(super) fn unpack(packed: &[u8], length: usize, plain: &mut Vec<u8>) -> bool {
    plain.clear();
    plain.resize(length, 0);
    lz4_flex::block::decompress_into(packed, plain).is_ok_and(|unpacked| unpacked == length)
}

fn context(id: BlobId, last: bool, packed: bool) -> [u8; 18] {
    let mut context = [0; 18];
    context[..17].copy_from_slice(&id.0);
    context[17] = u8::from(last) | u8::from(packed) << 1;
    context
}

/// Where the sealed index begins, and the index.
fn read_index(file: &File, octets: u64) -> Result<(u64, Vec<u8>), &'static str> {
    let end = octets.checked_sub(4).ok_or("cut short")?;
    let mut length = [0; 4];
    file.read_exact_at(&mut length, end).map_err(|_| "cut short")?;
    let length = u32::from_le_bytes(length);
    let at =
        end.checked_sub(u64::from(length)).filter(|at| *at >= HEAD as u64).ok_or("cut short or damaged")?;
    if length as usize > 8 + 4 * MOST_CHUNKS + TAG {
        return Err("damaged");
    }
    let mut index = vec![0; length as usize];
    file.read_exact_at(&mut index, at).map_err(|_| "cut short")?;
    Ok((at, index))
}

/// The octets of the whole, and the chunks, which must fill the file from its head to its index at `end`.
fn parse_index(plain: &[u8], end: u64) -> Option<(u64, Vec<Chunk>)> {
    let (total, words) = plain.split_first_chunk::<8>()?;
    let total = u64::from_le_bytes(*total);
    let mut at = HEAD as u64;
    let mut chunks = Vec::with_capacity(words.len() / 4);
    for word in words.chunks_exact(4) {
        let word = u32::from_le_bytes(word.try_into().ok()?);
        let length = word & !PACKED;
        chunks.push(Chunk { at, length: length as usize, packed: word & PACKED != 0 });
        at += u64::from(length);
    }
    let fits = at == end && chunks.len() as u64 == total.div_ceil(CHUNK as u64);
    let bounded = chunks.iter().all(|chunk| chunk.length <= CHUNK + TAG);
    (fits && bounded).then_some((total, chunks))
}

fn damaged(id: BlobId, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("blob {id}: {why}"))
}

/// A failed write.
fn blob_failed(id: BlobId, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => failed(format!("writing blob {id}: {error}")),
    }
}
