//! Taking a message apart, and putting it together again.

use super::base64::{self, Folded};
use super::blob::{self, Blob, BlobWriter};
use super::keys::Purpose;
use super::layout::{Layout, Segment};
use super::{AttachmentKey, AttachmentRef, BlobId, Body, SealedMessage, Vault, failed, message_failed};
use crate::{StoreError, StoredMessage};
use base::{DomainId, MailId, Octets};
use parking_lot::Mutex;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use wire::mime::{Encoding, Kind, Parser, Part, Tree};

/// Decoded octets from which an attachment gets a file of its own.
pub(super) const ATTACHMENT_FROM: u64 = 8 * 1024;
/// Octets up to which a skeleton lies in the message's row.
pub(super) const INLINE_UP_TO: u64 = 128 * 1024;
/// Decoded octets up to which an attachment is held in memory, and decoded once; larger ones are decoded twice.
const DECODE_ONCE: usize = 512 * 1024;
/// Attachments of one message that get files of their own, each of which costs a sync; further ones stay in the
/// skeleton.
pub(super) const MOST_ATTACHMENTS: usize = 100;
/// Octets read at once.
const WINDOW: u64 = 64 * 1024;
/// Shorter skeletons are not packed: there is little to win.
const PACK_FROM: usize = 512;

/// See [`Vault::seal_message`].
pub(super) fn seal(
    vault: &Vault,
    message: &dyn Octets,
    tree: &Tree,
    domain: DomainId,
    known: &dyn Fn(&AttachmentKey) -> Option<BlobId>,
) -> Result<SealedMessage, StoreError> {
    let domain_key = *blake3::keyed_hash(&vault.0.attachment_key, &domain.0.to_le_bytes()).as_bytes();
    let mut sealing =
        Sealing { vault, message, domain_key, known, attachments: Vec::new(), written: Vec::new() };
    let outcome = sealing.run(tree);
    if outcome.is_err() {
        // Nothing knows of these files; should one resist, the sweep gets it.
        sealing.written.iter().for_each(|id| drop(vault.remove(*id)));
    }
    outcome
}

struct Sealing<'a> {
    vault: &'a Vault,
    message: &'a dyn Octets,
    domain_key: [u8; 32],
    known: &'a dyn Fn(&AttachmentKey) -> Option<BlobId>,
    attachments: Vec<AttachmentRef>,
    /// Files made so far, all in one folder.
    written: Vec<BlobId>,
}

impl Sealing<'_> {
    fn run(&mut self, tree: &Tree) -> Result<SealedMessage, StoreError> {
        let size = self.message.len();
        let mut segments = Vec::new();
        let mut skeleton = Vec::new();
        let mut at = 0;
        for candidate in candidates(tree) {
            // Ranges of a tree are in order and apart; one that is not stays in the skeleton.
            if candidate.start < at || candidate.end > size || self.attachments.len() == MOST_ATTACHMENTS {
                continue;
            }
            if let Some((blob, folded)) = self.attachment(candidate.clone())? {
                add_skeleton(at..candidate.start, &mut segments, &mut skeleton);
                segments.push(Segment::Attachment { blob, folded });
                at = candidate.start + folded.octets();
            }
        }
        add_skeleton(at..size, &mut segments, &mut skeleton);
        let blobs = self.attachments.iter().map(|attachment| attachment.blob).collect();
        let (body, id, packed) = self.skeleton(&skeleton)?;
        if let Some(any) = self.written.first() {
            self.vault.0.shelf.sync(*any)?;
        }
        let mut encoded = Vec::new();
        tree.encode(&mut encoded);
        let layout = Layout { packed, body: id, size, tree: encoded, blobs, segments }.encode();
        Ok(SealedMessage { body, layout, attachments: std::mem::take(&mut self.attachments), size })
    }

    /// Seals the base64 at the start of a range, if it is large enough and can be made again from what it decodes to.
    fn attachment(&mut self, range: Range<u64>) -> Result<Option<(usize, Folded)>, StoreError> {
        let mut hash = blake3::Hasher::new_keyed(&self.domain_key);
        let mut kept = Vec::new();
        let mut keeps = true;
        let folded = base64::scan(self.message, range.clone(), &mut |plain| {
            hash.update(plain);
            keeps &= kept.len() + plain.len() <= DECODE_ONCE;
            if keeps {
                kept.extend_from_slice(plain);
            } else {
                kept = Vec::new();
            }
            Ok(())
        })?;
        let Some(folded) = folded.filter(|folded| folded.decoded >= ATTACHMENT_FROM) else { return Ok(None) };
        let key = AttachmentKey(*hash.finalize().as_bytes());
        if let Some(place) = self.attachments.iter().position(|attachment| attachment.key == key) {
            return Ok(Some((place, folded)));
        }
        // One that was lost or cut short is written anew: what is acknowledged must be there.
        let is_there =
            |blob: &BlobId| open_blob(self.vault, *blob).is_ok_and(|blob| blob.len() == folded.decoded);
        let (blob, new) = match (self.known)(&key).filter(is_there) {
            Some(blob) => (blob, false),
            None if keeps => (self.write(|writer| writer.push(&kept))?, true),
            None => (self.write_decoded(range, folded)?, true),
        };
        self.attachments.push(AttachmentRef { key, blob, new, octets: folded.decoded });
        Ok(Some((self.attachments.len() - 1, folded)))
    }

    fn write_decoded(&mut self, range: Range<u64>, expected: Folded) -> Result<BlobId, StoreError> {
        let message = self.message;
        self.write(|writer| {
            let folded = base64::scan(message, range, &mut |plain| writer.push(plain))?;
            // The message is ours and does not change; if the disk gave something else this time, it must not be kept.
            if folded == Some(expected) { Ok(()) } else { Err(failed("a message changed while it was read")) }
        })
    }

    /// Seals the skeleton. Gives whether it was packed, too, and what the layout binds it by.
    fn skeleton(&mut self, ranges: &[Range<u64>]) -> Result<(Body, BlobId, bool), StoreError> {
        let octets: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if octets > INLINE_UP_TO {
            let message = self.message;
            let id = self.write(|writer| {
                ranges
                    .iter()
                    .try_for_each(|range| in_windows(message, range.clone(), &mut |part| writer.push(part)))
            })?;
            return Ok((Body::File(id), id, false));
        }
        let mut plain = Vec::with_capacity(octets as usize);
        for range in ranges {
            self.message.read(range.clone(), &mut plain).map_err(message_failed)?;
        }
        let mut packed = Vec::new();
        let is_packed = plain.len() >= PACK_FROM && blob::pack(&plain, &mut packed);
        let id = BlobId(super::cipher::random()?);
        let chosen = if is_packed { &packed } else { &plain };
        let sealed = self.vault.0.keys.seal(Purpose::Mail, &body_context(id), chosen)?;
        Ok((Body::Inline(sealed), id, is_packed))
    }

    fn write(
        &mut self,
        fill: impl FnOnce(&mut BlobWriter) -> Result<(), StoreError>,
    ) -> Result<BlobId, StoreError> {
        let shelf = &self.vault.0.shelf;
        let id = shelf.new_id(self.written.first().copied())?;
        let file = shelf.create(id)?;
        self.written.push(id);
        let mut writer = BlobWriter::new(file, id, &self.vault.0.keys)?;
        fill(&mut writer)?;
        writer.finish()?;
        Ok(id)
    }
}

/// Bodies that may be worth a file of their own: base64, and no plain text without a name.
fn candidates(tree: &Tree) -> impl Iterator<Item = Range<u64>> {
    let fits = |part: &&Part| {
        part.kind == Kind::Leaf
            && part.encoding == Encoding::Base64
            && part.size() / 4 * 3 >= ATTACHMENT_FROM
            && (part.content_type.kind != "text" || part.is_attachment())
    };
    tree.parts().iter().filter(fits).map(Part::body)
}

fn add_skeleton(range: Range<u64>, segments: &mut Vec<Segment>, skeleton: &mut Vec<Range<u64>>) {
    if !range.is_empty() {
        segments.push(Segment::Skeleton(range.end - range.start));
        skeleton.push(range);
    }
}

fn in_windows(
    message: &dyn Octets,
    range: Range<u64>,
    each: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut window = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let end = range.end.min(at + WINDOW);
        window.clear();
        message.read(at..end, &mut window).map_err(message_failed)?;
        each(&window)?;
        at = end;
    }
    Ok(())
}

pub(super) fn layout_context(mail: MailId) -> [u8; 14] {
    let mut context = *b"layout________";
    context[6..].copy_from_slice(&mail.0.to_be_bytes());
    context
}

fn body_context(id: BlobId) -> [u8; 21] {
    let mut context = *b"body_________________";
    context[4..].copy_from_slice(&id.0);
    context
}

/// See [`Vault::open_message`].
pub(super) fn open(
    vault: &Vault,
    mail: MailId,
    body: &Body,
    layout: &[u8],
) -> Result<Box<dyn StoredMessage>, StoreError> {
    let mut plain = Vec::new();
    let outcome = vault.0.keys.open(Purpose::Mail, &layout_context(mail), layout, &mut plain);
    outcome.map_err(|why| failed(format!("a message's layout: {why}")))?;
    let layout = Layout::decode(&plain).ok_or_else(|| failed("a message's layout can't be read"))?;
    let skeleton = open_skeleton(vault, body, &layout)?;
    if skeleton.len() != layout.skeleton() {
        return Err(failed(format!("the skeleton {} has a wrong length", layout.body)));
    }
    let segments = place(&layout);
    let tree = Tree::decode(&layout.tree).filter(|tree| tree.size() == layout.size);
    let (vault, size, blobs) = (vault.clone(), layout.size, layout.blobs);
    let content = Content { vault, size, skeleton, blobs, segments, last: Mutex::default() };
    let tree = match tree {
        Some(tree) => tree,
        // Kept by a version that wrote it otherwise: what counts are the octets.
        None => parse(&content)?,
    };
    Ok(Box::new(Message { tree, content }))
}

fn parse(content: &Content) -> Result<Tree, StoreError> {
    let mut parser = Parser::new(&content.vault.0.limits);
    in_windows(content, 0..content.size, &mut |part| {
        parser.push(part);
        Ok(())
    })?;
    Ok(parser.finish())
}

fn open_skeleton(vault: &Vault, body: &Body, layout: &Layout) -> Result<Box<dyn Octets>, StoreError> {
    match body {
        Body::File(id) if *id == layout.body => {
            Ok(Box::new(open_blob(vault, *id).map_err(|e| failed(e.to_string()))?))
        }
        Body::File(id) => Err(failed(format!("the skeleton {id} belongs to another message"))),
        Body::Inline(sealed) => {
            let mut plain = Vec::new();
            let outcome = vault.0.keys.open(Purpose::Mail, &body_context(layout.body), sealed, &mut plain);
            outcome.map_err(|why| failed(format!("a message's body: {why}")))?;
            if !layout.packed {
                return Ok(Box::new(plain));
            }
            let length = layout.skeleton().min(INLINE_UP_TO) as usize;
            let mut unpacked = Vec::new();
            let whole = blob::unpack(&plain, length, &mut unpacked);
            if whole { Ok(Box::new(unpacked)) } else { Err(failed("a message's body does not unpack")) }
        }
    }
}

fn open_blob(vault: &Vault, id: BlobId) -> io::Result<Blob> {
    let file = vault.0.shelf.file(id).map_err(|e| io::Error::new(e.kind(), format!("blob {id}: {e}")))?;
    Blob::open(file, id, &vault.0.keys)
}

fn place(layout: &Layout) -> Vec<Placed> {
    let (mut at, mut skeleton) = (0, 0);
    let mut placed = Vec::with_capacity(layout.segments.len());
    for segment in &layout.segments {
        let source = match *segment {
            Segment::Skeleton(_) => Source::Skeleton(skeleton),
            Segment::Attachment { blob, folded } => Source::Attachment { blob, folded },
        };
        placed.push(Placed { octets: at..at + segment.octets(), source });
        at += segment.octets();
        if let Segment::Skeleton(octets) = segment {
            skeleton += octets;
        }
    }
    placed
}

/// A message, open for reading.
struct Message {
    tree: Tree,
    content: Content,
}

struct Content {
    vault: Vault,
    size: u64,
    skeleton: Box<dyn Octets>,
    blobs: Vec<BlobId>,
    /// In order, without gaps.
    segments: Vec<Placed>,
    /// The attachment that was read last: however many there are, one file is open.
    last: Mutex<Option<(BlobId, Arc<Blob>)>>,
}

/// A segment at its place in the message.
struct Placed {
    octets: Range<u64>,
    source: Source,
}

enum Source {
    /// From this octet of the skeleton on.
    Skeleton(u64),
    Attachment {
        blob: usize,
        folded: Folded,
    },
}

impl Content {
    fn read_segment(&self, segment: &Placed, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let within = range.start - segment.octets.start..range.end - segment.octets.start;
        match segment.source {
            Source::Skeleton(at) => self.skeleton.read(at + within.start..at + within.end, out),
            Source::Attachment { blob, folded } => {
                let blob = self.attachment(blob)?;
                if blob.len() != folded.decoded {
                    let why = "an attachment has a wrong length";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                folded.read(&*blob, within, out)
            }
        }
    }

    fn attachment(&self, blob: usize) -> io::Result<Arc<Blob>> {
        let id = *self.blobs.get(blob).ok_or(io::ErrorKind::InvalidData)?;
        let mut last = self.last.lock();
        match &*last {
            Some((open, blob)) if *open == id => Ok(blob.clone()),
            _ => {
                let blob = Arc::new(open_blob(&self.vault, id)?);
                *last = Some((id, blob.clone()));
                Ok(blob)
            }
        }
    }
}

impl Octets for Content {
    fn len(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        if range.start > range.end || range.end > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let first = self.segments.partition_point(|segment| segment.octets.end <= range.start);
        for segment in self.segments.get(first..).unwrap_or_default() {
            if segment.octets.start >= range.end {
                break;
            }
            let (start, end) = (segment.octets.start.max(range.start), segment.octets.end.min(range.end));
            self.read_segment(segment, start..end, out)?;
        }
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        if self.blobs.is_empty() { self.skeleton.as_slice() } else { None }
    }
}

impl Octets for Message {
    fn len(&self) -> u64 {
        self.content.len()
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        self.content.read(range, out)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        self.content.as_slice()
    }
}

impl StoredMessage for Message {
    fn tree(&self) -> &Tree {
        &self.tree
    }
}
