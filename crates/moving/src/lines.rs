//! Lines of files without end: each at most so long at a time, whatever their length.

use std::io::{self, BufRead};

/// Octets that are given at a time.
const PIECE: usize = 64 * 1024;

/// A piece of a line.
pub(crate) struct Piece<'p> {
    /// The octets, with the line's end where it is reached.
    pub octets: &'p [u8],
    /// Whether a line begins with it.
    pub begins: bool,
}

/// Lines in pieces.
pub(crate) struct Lines<R> {
    reader: R,
    piece: Vec<u8>,
    begins: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Lines { reader, piece: Vec::new(), begins: true }
    }

    /// The next piece; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.piece.clear();
        let mut bounded = io::Read::take(&mut self.reader, PIECE as u64);
        if bounded.read_until(b'\n', &mut self.piece)? == 0 {
            return Ok(None);
        }
        let begins = self.begins;
        self.begins = self.piece.last() == Some(&b'\n');
        Ok(Some(Piece { octets: &self.piece, begins }))
    }
}
