//! How a message was taken apart: what its row holds beside the skeleton, before sealing.
//!
//! ```text
//! version  1
//! flags    1: the skeleton is packed
//! body     17 octets: the skeleton's blob, or at random for one in the row, which is bound to it
//! size     of the message
//! tree     its length, wire::mime's own encoding
//! blobs    their count; 17 octets each
//! segments their count; each 0, octets of skeleton
//!                       or 1 + the blob's place, octets of a line, octets of a line end, octets decoded
//! ```
//!
//! Numbers are in groups of seven bits, least first, the top bit set on all but the last.

use super::BlobId;
use super::base64::Folded;

const VERSION: u8 = 1;
const FLAG_PACKED: u8 = 1;

/// How a message was taken apart.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub(super) packed: bool,
    pub(super) body: BlobId,
    pub(super) size: u64,
    pub(super) tree: Vec<u8>,
    pub(super) blobs: Vec<BlobId>,
    pub(super) segments: Vec<Segment>,
}

/// A run of the message's octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Segment {
    /// The skeleton's next octets.
    Skeleton(u64),
    /// A whole blob, encoded.
    Attachment { blob: usize, folded: Folded },
}

impl Segment {
    /// Octets of the message.
    pub(super) fn octets(&self) -> u64 {
        match self {
            Segment::Skeleton(octets) => *octets,
            Segment::Attachment { folded, .. } => folded.octets(),
        }
    }
}

impl Layout {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, if self.packed { FLAG_PACKED } else { 0 }];
        out.extend_from_slice(&self.body.0);
        put(self.size, &mut out);
        put(self.tree.len() as u64, &mut out);
        out.extend_from_slice(&self.tree);
        put(self.blobs.len() as u64, &mut out);
        self.blobs.iter().for_each(|blob| out.extend_from_slice(&blob.0));
        put(self.segments.len() as u64, &mut out);
        for segment in &self.segments {
            match segment {
                Segment::Skeleton(octets) => [0, *octets].iter().for_each(|n| put(*n, &mut out)),
                Segment::Attachment { blob, folded } => {
                    let numbers = [*blob as u64 + 1, folded.line, folded.line_end, folded.decoded];
                    numbers.iter().for_each(|n| put(*n, &mut out));
                }
            }
        }
        out
    }

    /// `None` where the octets are no layout, or one that contradicts itself.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let mut rest = octets;
        let [version, flags] = *take(&mut rest, 2)? else { return None };
        if version != VERSION || flags & !FLAG_PACKED != 0 {
            return None;
        }
        let body = blob(&mut rest)?;
        let size = number(&mut rest)?;
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let tree = take(&mut rest, length)?.to_vec();
        // Counts are not trusted for reserving: each item takes octets that must be there.
        let count = number(&mut rest)?;
        let blobs = (0..count).map(|_| blob(&mut rest)).collect::<Option<Vec<_>>>()?;
        let count = number(&mut rest)?;
        let segments = (0..count).map(|_| segment(&mut rest, blobs.len())).collect::<Option<Vec<_>>>()?;
        let sum = segments.iter().try_fold(0u64, |sum, segment| sum.checked_add(segment.octets()))?;
        let packed = flags & FLAG_PACKED != 0;
        (rest.is_empty() && sum == size).then_some(Layout { packed, body, size, tree, blobs, segments })
    }

    /// Octets of the skeleton.
    pub(super) fn skeleton(&self) -> u64 {
        let octets = |segment: &Segment| if let Segment::Skeleton(octets) = segment { *octets } else { 0 };
        self.segments.iter().map(octets).sum()
    }
}

/// No message comes near it; products of numbers below it do not overflow.
const LARGEST: u64 = 1 << 40;

fn segment(rest: &mut &[u8], blobs: usize) -> Option<Segment> {
    let Some(blob) = number(rest)?.checked_sub(1) else { return number(rest).map(Segment::Skeleton) };
    let blob = usize::try_from(blob).ok().filter(|blob| *blob < blobs)?;
    let folded = Folded { line: number(rest)?, line_end: number(rest)?, decoded: number(rest)? };
    let fits = folded.line > 0 && (1..=2).contains(&folded.line_end);
    fits.then_some(Segment::Attachment { blob, folded })
}

fn blob(rest: &mut &[u8]) -> Option<BlobId> {
    take(rest, 17)?.try_into().ok().map(BlobId)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..6 {
        let octet = *take(rest, 1)?.first()?;
        number |= u64::from(octet & 0x7F) << (7 * place);
        if octet < 0x80 {
            return Some(number).filter(|n| *n < LARGEST);
        }
    }
    None
}
