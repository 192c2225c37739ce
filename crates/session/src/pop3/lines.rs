//! Octets of a peer, taken line by line.

/// What has been received and not been looked at.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    begin: usize,
}

/// The next line.
pub(super) enum Line<'a> {
    /// Its text, without CRLF (or LF, which many a script sends).
    Text(&'a [u8]),
    /// It is longer than allowed, whether or not its end has come.
    TooLong,
}

impl Lines {
    /// Octets that may wait before the peer is read no further.
    pub(super) const ROOM: usize = 16 * 1024;

    /// Octets that may wait at all: twice what a driver that minds `wants_input` can bring together.
    const MOST: usize = 2 * (Self::ROOM + 16 * 1024);

    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.begin
    }

    /// Adds octets. False, and nothing added, where there would be too many.
    #[must_use]
    pub(super) fn push(&mut self, octets: &[u8]) -> bool {
        if self.len() + octets.len() > Self::MOST {
            return false;
        }
        self.buffer.drain(..self.begin);
        self.begin = 0;
        self.buffer.extend_from_slice(octets);
        true
    }

    /// The next line, if it is there; `limit` bounds its octets with its end.
    pub(super) fn peek(&self, limit: usize) -> Option<Line<'_>> {
        let waiting = self.waiting();
        match memchr::memchr(b'\n', waiting) {
            Some(end) if end < limit => {
                let line = waiting.get(..end).unwrap_or_default();
                Some(Line::Text(line.strip_suffix(b"\r").unwrap_or(line)))
            }
            None if waiting.len() < limit => None,
            _ => Some(Line::TooLong),
        }
    }

    /// Takes the line away that was looked at.
    pub(super) fn consume(&mut self) {
        if let Some(end) = memchr::memchr(b'\n', self.waiting()) {
            self.begin += end + 1;
        }
    }

    /// Whether one whole line waits and nothing else.
    pub(super) fn is_one(&self) -> bool {
        let waiting = self.waiting();
        memchr::memchr(b'\n', waiting).is_some_and(|end| end + 1 == waiting.len())
    }

    /// Gives memory back where nothing waits: idle connections hold no buffers.
    pub(super) fn release(&mut self) {
        if self.len() == 0 {
            *self = Lines::default();
        }
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.begin..).unwrap_or_default()
    }
}
