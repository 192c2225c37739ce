//! Reading what is sealed in chunks as if it were one run of octets.

use parking_lot::Mutex;
use std::io;
use std::ops::Range;

/// Octets of a chunk before packing and sealing.
pub(super) const CHUNK: usize = 64 * 1024;

/// The chunk that was opened last, and room to open the next: reads go mostly forward, in steps that are no multiple
/// of a chunk.
#[derive(Default)]
pub(super) struct LastChunk {
    number: Option<u64>,
    pub(super) plain: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) packed: Vec<u8>,
}

/// Appends `range` of `total` octets to `out`. `open` opens the chunk of a number into [`LastChunk::plain`]; it must
/// give [`length_of`] octets.
pub(super) fn read(
    last: &Mutex<LastChunk>,
    total: u64,
    range: Range<u64>,
    out: &mut Vec<u8>,
    open: impl Fn(u64, &mut LastChunk) -> io::Result<()>,
) -> io::Result<()> {
    if range.start > range.end || range.end > total {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut last = last.lock();
    let mut at = range.start;
    while at < range.end {
        let number = at / CHUNK as u64;
        if last.number != Some(number) {
            last.number = None;
            open(number, &mut last)?;
            last.number = Some(number);
        }
        let first = number * CHUNK as u64;
        let (from, to) = ((at - first) as usize, (range.end - first).min(CHUNK as u64) as usize);
        out.extend_from_slice(last.plain.get(from..to).ok_or(io::ErrorKind::InvalidData)?);
        at = first + to as u64;
    }
    Ok(())
}

/// How long chunk `number` of `total` octets is.
pub(super) fn length_of(number: u64, total: u64) -> usize {
    total.saturating_sub(number.saturating_mul(CHUNK as u64)).min(CHUNK as u64) as usize
}
