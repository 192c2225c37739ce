//! Compression of a connection by DEFLATE (RFC 1951), as IMAP's COMPRESS asks for it (RFC 4978).
//!
//! What we send refers to nothing that was sent before: each write is compressed alone, by a compressor that is gone
//! afterwards. So the length of an answer tells nothing of another answer, and a connection that waits holds no
//! compressor. What comes is inflated a bounded piece at a time: a bomb is a long input, not a large buffer.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;

/// Octets inflated at most in one go.
const INFLATED: usize = 16 * 1024;

/// Shorter writes go as they are, in a stored block: a compressor would cost more than it saves.
const WORTH_IT: usize = 100;

/// Space that a compressed write needs at least: for the blocks' frames.
const FRAMES: usize = 64;

/// The peer's side of a compressed connection.
#[derive(Debug)]
pub(crate) struct Inflater {
    stream: Decompress,
    /// Came, and is not inflated yet.
    held: Vec<u8>,
    /// The last piece was full: there may be more without further input.
    full: bool,
    /// The peer ended its stream.
    ended: bool,
}

impl Inflater {
    /// One whose stream begins with `held`.
    pub(crate) fn new(held: Vec<u8>) -> Self {
        Inflater { stream: Decompress::new(false), held, full: false, ended: false }
    }

    /// Whether the peer ended its stream; what follows means nothing.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Takes in what came. The caller first inflates what came before, so that never more than one read is held.
    pub(crate) fn take(&mut self, octets: Vec<u8>) {
        if self.held.is_empty() {
            self.held = octets;
        } else {
            self.held.extend_from_slice(&octets);
        }
    }

    /// Appends the next piece to `out` and gives its length: 0 when more input is needed or the stream is over.
    /// `InvalidData` when it is none.
    pub(crate) fn inflate(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        if self.ended || (self.held.is_empty() && !self.full) {
            return Ok(0);
        }
        let (taken, given) = (self.stream.total_in(), self.stream.total_out());
        let mut space = [0; INFLATED];
        let status = self.stream.decompress(&self.held, &mut space, FlushDecompress::None);
        let count = (self.stream.total_out() - given) as usize;
        self.drop_held((self.stream.total_in() - taken) as usize);
        out.extend_from_slice(space.get(..count).unwrap_or_default());
        self.full = count == INFLATED;
        match status {
            // What came before the fault counts; the next call meets it again.
            Err(_) if count > 0 => self.full = true,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            Ok(status) => self.ended = status == Status::StreamEnd,
        }
        Ok(count)
    }

    /// An idle connection holds no buffer.
    fn drop_held(&mut self, count: usize) {
        match count < self.held.len() {
            true => drop(self.held.drain(..count)),
            false => self.held = Vec::new(),
        }
    }
}

/// These octets as blocks that end at an octet's border and refer to nothing before them.
pub(crate) fn deflated(octets: &[u8]) -> io::Result<Vec<u8>> {
    if octets.len() < WORTH_IT {
        return Ok(stored(octets));
    }
    let mut stream = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(octets.len() / 2 + FRAMES);
    loop {
        let rest = octets.get(stream.total_in() as usize..).unwrap_or_default();
        stream.compress_vec(rest, &mut out, FlushCompress::Sync).map_err(io::Error::other)?;
        // Space left means that all is out.
        if out.len() < out.capacity() {
            return Ok(out);
        }
        out.reserve(octets.len() / 2 + FRAMES);
    }
}

/// A block that is not compressed (RFC 1951 §3.2.4); nothing for nothing.
fn stored(octets: &[u8]) -> Vec<u8> {
    if octets.is_empty() {
        return Vec::new();
    }
    let length = octets.len() as u16;
    let mut out = vec![0];
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(octets);
    out
}

#[cfg(test)]
mod tests;
