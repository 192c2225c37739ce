//! The store's layouts, and base64 that is kept decoded and made again. The product's files are read by path, so that
//! nothing becomes public for this.
#![no_main]
#![allow(dead_code)]

use ::base::Octets;
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Claimed, Dice, choices};

#[path = "../../crates/store/src/vault/base64.rs"]
mod base64;
#[path = "../../crates/store/src/vault/layout.rs"]
mod layout;

use layout::{Layout, Segment};

/// What the two files need of the crate they belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct BlobId([u8; 17]);

#[derive(Debug)]
struct StoreError;

fn message_failed(_: std::io::Error) -> StoreError {
    StoreError
}

fuzz_target!(|input: &[u8]| {
    let Some(([choice, at], octets)) = choices::<2>(input) else { return };
    if choice & 1 == 1 { layout(octets) } else { folded(octets, *at) }
});

fn layout(octets: &[u8]) {
    let Some(layout) = Layout::decode(octets) else { return };
    let again = Layout::decode(&layout.encode());
    assert_eq!(again.as_ref(), Some(&layout));
    assert!(layout.skeleton() <= layout.size);
    // Whatever a layout claims, its attachments can be read at both ends.
    for segment in layout.segments.iter().take(20) {
        let Segment::Attachment { folded, .. } = segment else { continue };
        let (size, mut out) = (folded.octets(), Vec::new());
        for range in [0..size.min(1000), size.saturating_sub(1000)..size] {
            out.clear();
            let wanted = range.end - range.start;
            folded.read(&Claimed(folded.decoded), range, &mut out).expect("octets that are there");
            assert_eq!(out.len() as u64, wanted);
        }
    }
}

/// What is recognised can be made again, in whole and in part.
fn folded(octets: &[u8], seed: u8) {
    let message = octets.to_vec();
    let mut dice = Dice::new(&[seed]);
    let start = dice.roll(4).min(message.len());
    let mut decoded = Vec::new();
    let found = base64::scan(&message, start as u64..Octets::len(&message), &mut |piece| {
        decoded.extend_from_slice(piece);
        Ok(())
    });
    let Some(folded) = found.expect("octets in memory") else { return };
    assert_eq!(folded.decoded, decoded.len() as u64);
    let size = folded.octets() as usize;
    let original = &message[start..start + size];
    for _ in 0..4 {
        let from = dice.roll(size + 1);
        let to = from + dice.roll(size - from + 1);
        for range in [0..size, from..to] {
            let mut out = Vec::new();
            let read = folded.read(&decoded, range.start as u64..range.end as u64, &mut out);
            read.expect("octets in memory");
            assert_eq!(out, original[range]);
        }
    }
}
