//! The other readings of an ambiguous structure.

use super::Parser;
use super::transfer::{self, Decoder, Encoding};
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
    /// Of several open multiparts with one boundary, a delimiter is the outermost's.
    pub outermost_first: bool,
    /// A boundary that is an encoded word is decoded.
    pub boundary_is_word: bool,
    /// A CR without LF ends a line.
    pub cr_ends_line: bool,
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
    /// The structure; `None` where `octets` are another decoding of a part that is a leaf.
    pub tree: Option<Tree>,
}

/// Parts of one kind of oddity that are decoded.
const MAX_DECODED: usize = 16;

impl Tree {
    /// The other readings of a message whose structure is ambiguous; none, and at no cost, for most messages.
    ///
    /// # Errors
    /// Those of reading `raw`, the message's octets.
    pub fn alternatives(&self, raw: &dyn Octets, limits: &Limits) -> io::Result<Vec<Alternative>> {
        let mut found = Vec::new();
        let usual = Reading::default();
        let readings: [(&[NoteKind], Reading); 7] = [
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
            (&[NoteKind::BoundaryReused], Reading { outermost_first: true, ..usual }),
            (&[NoteKind::BoundaryIsWord], Reading { boundary_is_word: true, ..usual }),
            (&[NoteKind::BareCr], Reading { cr_ends_line: true, ..usual }),
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
                found.push(Alternative { because: *because, part: None, octets: None, tree: Some(tree) });
            }
        }
        self.decoded_containers(raw, limits, &mut found)?;
        self.other_base64(raw, &mut found)?;
        Ok(found)
    }

    /// Bodies that are not clean base64, as other readers decode them: lines with foreign characters left out, or the
    /// alphabet of RFC 4648 §5 taken. And bodies of an unknown encoding as base64, if they look like it.
    fn other_base64(&self, raw: &dyn Octets, found: &mut Vec<Alternative>) -> io::Result<()> {
        let bad = self.notes().iter().filter(|note| note.kind == NoteKind::BadBase64);
        for note in bad.take(MAX_DECODED) {
            let Some(part) = self.get(note.part) else { continue };
            let mut body = Vec::new();
            raw.read(part.body(), &mut body)?;
            let usual = transfer::decode(Encoding::Base64, &body);
            let clean = |line: &&[u8]| line.iter().all(|&b| transfer::is_base64(b));
            let without: Vec<u8> =
                body.split_inclusive(|&b| b == b'\n').filter(clean).flatten().copied().collect();
            let translated: Vec<u8> = body
                .iter()
                .map(|b| match b {
                    b'-' => b'+',
                    b'_' => b'/',
                    b => *b,
                })
                .collect();
            for other in [without, translated] {
                let octets = transfer::decode(Encoding::Base64, &other);
                if octets != usual && !octets.is_empty() {
                    let (because, part) = (note.kind, Some(note.part));
                    found.push(Alternative { because, part, octets: Some(octets), tree: None });
                }
            }
        }
        let unknown = self.notes().iter().filter(|note| note.kind == NoteKind::UnknownEncoding);
        for note in unknown.take(MAX_DECODED) {
            let Some(part) = self.get(note.part).filter(|part| part.kind == Kind::Leaf) else { continue };
            let mut body = Vec::new();
            raw.read(part.body(), &mut body)?;
            if body.iter().all(|&b| transfer::is_base64(b)) {
                let octets = Some(transfer::decode(Encoding::Base64, &body));
                found.push(Alternative { because: note.kind, part: Some(note.part), octets, tree: None });
            }
        }
        Ok(())
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
                let (because, part) = (note.kind, Some(note.part));
                found.push(Alternative { because, part, octets: Some(octets), tree: Some(tree) });
            }
        }
        Ok(())
    }
}
