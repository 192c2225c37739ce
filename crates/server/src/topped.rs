//! A message with other octets on top.

use base::Octets;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Octets put before a message, in place of its beginning.
pub struct Topped {
    /// What comes first.
    pub top: Vec<u8>,
    /// The message.
    pub rest: Arc<dyn Octets>,
    /// Where in the message it goes on.
    pub from: u64,
}

impl Octets for Topped {
    fn len(&self) -> u64 {
        self.top.len() as u64 + self.rest.len().saturating_sub(self.from)
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let top = self.top.len() as u64;
        if range.start < top {
            self.top.read(range.start..range.end.min(top), out)?;
        }
        let within = |place: u64| place.saturating_sub(top).saturating_add(self.from);
        match range.end > top {
            true => self.rest.read(within(range.start)..within(range.end), out),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_can_be_read() {
        let topped = Topped { top: b"ab".to_vec(), rest: Arc::new(b"0123456".to_vec()), from: 4 };
        let whole = b"ab456";
        assert_eq!(topped.len(), 5);
        for start in 0..=5 {
            for end in start..=5 {
                let mut out = Vec::new();
                topped.read(start..end, &mut out).unwrap();
                assert_eq!(out, whole[start as usize..end as usize], "{start}..{end}");
            }
        }
        assert!(topped.read(0..6, &mut Vec::new()).is_err());
    }
}
