//! Any octets as message content: every cut gives the same message, and it ends where a plain search says it does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, choices, cut, pieces};
use wire::smtp::{ChunkReader, DataReader, Event, Fault};

fuzz_target!(|input: &[u8]| {
    let Some(([choice, cuts, size], octets)) = choices::<3>(input) else { return };
    let limits = if choice & 1 == 1 { (40, 16) } else { (u64::MAX, usize::MAX) };
    let whole = data(octets, limits, Cut::Whole);
    let other = data(octets, limits, cut(*cuts));
    assert_same(&whole, &other);
    assert_true(octets, &whole, limits);
    let (size, binary) = (usize::from(*size) + 1, choice & 2 == 2);
    let whole = chunks(octets, limits, size, binary, Cut::Whole);
    assert_same(&whole, &chunks(octets, limits, size, binary, cut(*cuts)));
    if whole.fault.is_none() {
        assert_eq!(whole.content, octets);
        assert!(binary || is_clean(octets));
    }
    assert_eq!(whole.octets, octets.len() as u64);
});

#[derive(PartialEq, Eq, Debug)]
struct Read {
    content: Vec<u8>,
    /// Where it ended.
    end: Option<usize>,
    fault: Option<Fault>,
    octets: u64,
}

/// How much came of a message with a fault depends on how it was cut.
fn assert_same(one: &Read, other: &Read) {
    assert_eq!((one.end, one.fault, one.octets), (other.end, other.fault, other.octets));
    if one.fault.is_none() {
        assert_eq!(one.content, other.content);
    }
}

fn data(octets: &[u8], (message, line): (u64, usize), cut: Cut) -> Read {
    let mut reader = DataReader::new(message, line);
    let (mut content, mut taken, mut end) = (Vec::new(), 0, None);
    'pieces: for piece in pieces(octets, cut) {
        let mut rest = piece;
        loop {
            let (used, event) = reader.read(rest);
            taken += used;
            rest = &rest[used..];
            match event {
                Event::Content(piece) => content.extend_from_slice(piece),
                Event::End => {
                    end = Some(taken);
                    break 'pieces;
                }
                Event::More => {
                    assert!(rest.is_empty());
                    break;
                }
            }
        }
    }
    assert!(content.len() as u64 <= message);
    Read { content, end, fault: reader.fault(), octets: reader.octets() }
}

/// The same, by searching (RFC 5321 §4.5.2).
fn assert_true(octets: &[u8], read: &Read, (message, line): (u64, usize)) {
    let all = [b"\r\n", octets].concat();
    let end = all.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| at + 3);
    assert_eq!(read.end, end, "{}", octets.escape_ascii());
    let (Some(end), None) = (end, read.fault) else { return };
    let text = String::from_utf8(
        all[..end - 1].iter().flat_map(|b| char::from(*b).to_string().into_bytes()).collect(),
    );
    let text = text.expect("Latin-1").replace("\r\n.", "\r\n");
    let message_text: Vec<u8> = text.chars().skip(2).map(|c| c as u8).collect();
    assert_eq!(read.content, message_text);
    assert!(is_clean(&read.content) && read.content.len() as u64 <= message);
    assert!(read.content.split(|b| *b == b'\n').all(|l| l.len() <= line.saturating_add(1)));
}

/// Lines end with CRLF, and there is no NUL.
fn is_clean(content: &[u8]) -> bool {
    let mut before = 0;
    let fits = content.iter().all(|&b| {
        let fits = (b == b'\n') == (before == b'\r') && b != 0;
        before = b;
        fits
    });
    fits && before != b'\r'
}

fn chunks(octets: &[u8], (message, line): (u64, usize), size: usize, binary: bool, cut: Cut) -> Read {
    let mut reader = ChunkReader::new(message, line, binary);
    let mut content = Vec::new();
    let parts: Vec<&[u8]> = octets.chunks(size).collect();
    for (number, part) in parts.iter().enumerate() {
        reader.start(part.len() as u64, number + 1 == parts.len());
        for piece in pieces(part, cut) {
            let mut rest = piece;
            while let (used, Event::Content(piece)) = reader.read(rest) {
                content.extend_from_slice(piece);
                rest = &rest[used..];
            }
            assert!(rest.is_empty());
        }
        assert_eq!(reader.read(b"X"), (0, Event::End));
    }
    Read { content, end: None, fault: reader.fault(), octets: reader.octets() }
}
