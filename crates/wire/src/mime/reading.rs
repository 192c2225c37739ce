//! The other readings of an ambiguous structure.

use super::Parser;
use super::transfer::Decoder;
use super::tree::{Kind, NoteKind, PartId, Tree, for_each_chunk};
use base::{Limits, Octets};
use std::io;

/// How a message is read where the rules leave it open or readers are known to differ. The default is ours.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reading {
    /// A line that begins with a delimiter and goes on is one (RFC 2046 §5.1.1 to the letter).
    pub prefix_delimits: bool,
    /// A delimiter of a multipart that was closed opens it again.
    pub closed_reopens: bool,
    /// Of several Content-Type or Content-Transfer-Encoding fields, or boundaries, the last counts.
    pub last_wins: bool,
    /// A line that is no field ends a header.
    pub junk_ends_header: bool,
}

/// Another reading of a message, or of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alternative {
    /// The oddity that it comes from.
    pub because: NoteKind,
    /// The part that was decoded and read anew; `None` for a reading of the message itself.
    pub part: Option<PartId>,
    /// The octets that `tree` tells of, where they are not the message's own.
    pub octets: Option<Vec<u8>>,
    /// The structure.
    pub tree: Tree,
}

/// Encoded containers that are read.
const MAX_DECODED: usize = 16;

impl Tree {
    /// The other readings of a message whose structure is ambiguous; none, and at no cost, for most messages.
    ///
    /// # Errors
    /// Those of reading `raw`, the message's octets.
    pub fn alternatives(&self, raw: &dyn Octets, limits: &Limits) -> io::Result<Vec<Alternative>> {
        let mut found = Vec::new();
        let usual = Reading::default();
        let readings: [(&[NoteKind], Reading); 4] = [
            (&[NoteKind::DelimiterPrefix], Reading { prefix_delimits: true, ..usual }),
            (&[NoteKind::DelimiterAfterClose], Reading { closed_reopens: true, ..usual }),
            (
                &[
                    NoteKind::DuplicateContentType,
                    NoteKind::DuplicateBoundary,
                    NoteKind::ConflictingEncodings,
                ],
                Reading { last_wins: true, ..usual },
            ),
            (&[NoteKind::NotAField], Reading { junk_ends_header: true, ..usual }),
        ];
        for (kinds, reading) in readings {
            let Some(because) = kinds.iter().find(|kind| self.has_note(**kind)) else { continue };
            let mut parser = Parser::with_reading(limits, reading);
            for_each_chunk(raw, 0..self.size(), |chunk| {
                parser.push(chunk);
                true
            })?;
            let tree = parser.finish();
            if tree.parts != self.parts {
                found.push(Alternative { because: *because, part: None, octets: None, tree });
            }
        }
        self.decoded_containers(raw, limits, &mut found)?;
        Ok(found)
    }

    /// Multiparts and messages that are encoded against RFC 2045 §6.4, decoded.
    fn decoded_containers(
        &self,
        raw: &dyn Octets,
        limits: &Limits,
        found: &mut Vec<Alternative>,
    ) -> io::Result<()> {
        let encoded = self.notes().iter().filter(|note| note.kind == NoteKind::EncodedContainer);
        for note in encoded.take(MAX_DECODED) {
            let Some(part) = self.get(note.part) else { continue };
            // A message is read by itself, a multipart together with its header, which names the boundary.
            let mut octets = Vec::new();
            if part.content_type.kind == "multipart" {
                raw.read(part.header(), &mut octets)?;
            }
            let mut decoder = Decoder::new(part.encoding);
            for_each_chunk(raw, part.body(), |chunk| {
                decoder.push(chunk, &mut octets);
                true
            })?;
            decoder.finish(&mut octets);
            let tree = Tree::parse(&octets, limits);
            let gained = part.content_type.is_message() || tree.root().kind != Kind::Leaf;
            if gained {
                found.push(Alternative {
                    because: note.kind,
                    part: Some(note.part),
                    octets: Some(octets),
                    tree,
                });
            }
        }
        Ok(())
    }
}
