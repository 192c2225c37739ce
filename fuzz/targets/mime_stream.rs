//! What reads a body or a header while it streams by: every cut gives the same octets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, choices, cut, pieces};
use wire::mime::transfer::{self, Decoder, Encoding};
use wire::mime::{HeaderFilter, header};

fuzz_target!(|input: &[u8]| {
    let Some(([cuts], octets)) = choices::<1>(input) else { return };
    for encoding in [Encoding::Identity, Encoding::Base64, Encoding::QuotedPrintable, Encoding::Unknown] {
        let (whole, flawed) = decode(octets, encoding, Cut::Whole);
        assert_eq!((whole.clone(), flawed), decode(octets, encoding, cut(*cuts)), "{encoding:?}");
        assert_eq!(whole, transfer::decode(encoding, octets));
        assert!(whole.len() <= octets.len(), "{encoding:?} grows");
    }
    let whole = filter(octets, Cut::Whole);
    assert_eq!(whole, filter(octets, cut(*cuts)));
    // What it dropped is gone, what it kept is kept.
    let header_end = header::length(octets);
    let kept: Vec<u8> = header::fields(octets)
        .filter(|field| !field.is("return-path"))
        .flat_map(|field| field.raw.iter().copied())
        .collect();
    let fields: usize = header::fields(octets).map(|field| field.raw.len()).sum();
    assert_eq!(whole, [&kept, &octets[fields..header_end], &octets[header_end..]].concat());
});

fn decode(octets: &[u8], encoding: Encoding, cut: Cut) -> (Vec<u8>, bool) {
    let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
    pieces(octets, cut).into_iter().for_each(|piece| decoder.push(piece, &mut out));
    decoder.finish(&mut out);
    (out, decoder.is_flawed())
}

fn filter(octets: &[u8], cut: Cut) -> Vec<u8> {
    let mut filter = HeaderFilter::new(|name, _| name.eq_ignore_ascii_case(b"return-path"));
    let mut out = Vec::new();
    for piece in pieces(octets, cut) {
        let rest = filter.push(piece, &mut out);
        out.extend_from_slice(rest);
    }
    filter.finish(&mut out);
    out
}
