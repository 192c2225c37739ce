//! Octets that may lie in memory or on disk.

use std::io;
use std::ops::Range;

/// A run of octets that can be read at any place: a spooled message, a stored one, a buffer.
pub trait Octets: Send + Sync {
    /// How many octets there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the octets of `range` to `out`. A range that reaches past the end is an error, as is a failing disk.
    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()>;

    /// All octets as one slice, where they lie in memory anyway: saves a copy.
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }
}

impl Octets for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let part = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok())
            .and_then(|(start, end)| self.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.extend_from_slice(part);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}
