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

    /// Hands over all octets, at most `most` at a time.
    ///
    /// # Errors
    /// What reading or `each` fails with.
    fn pieces(&self, most: usize, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let (mut at, mut piece) = (0, Vec::new());
        while at < self.len() {
            let end = self.len().min(at.saturating_add(most.max(1) as u64));
            piece.clear();
            self.read(at..end, &mut piece)?;
            each(&piece)?;
            at = end;
        }
        Ok(())
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_of_it_in_order() {
        let text = b"0123456789".to_vec();
        for (most, expected) in [
            (4, vec!["0123", "4567", "89"]),
            (5, vec!["01234", "56789"]),
            (10, vec!["0123456789"]),
            (usize::MAX, vec!["0123456789"]),
        ] {
            let mut found = Vec::new();
            text.pieces(most, &mut |piece| {
                found.push(String::from_utf8_lossy(piece).into_owned());
                Ok(())
            })
            .unwrap();
            assert_eq!(found, expected, "{most}");
        }
        Vec::new().pieces(4, &mut |_| Err(io::ErrorKind::Other.into())).unwrap();
        let mut count = 0;
        let broken = text.pieces(4, &mut |_| {
            count += 1;
            Err(io::ErrorKind::BrokenPipe.into())
        });
        assert!(broken.is_err());
        assert_eq!(count, 1, "goes on after a failure");
    }
}
