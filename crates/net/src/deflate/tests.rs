use super::*;

/// What zlib 1.2.13 (Python's, raw, level 6, sync flush) makes of [`commands`].
const ZLIB: &[u8] =
    b"\xd2\x52\xf0\xf7\x56\xc8\xcf\x4b\xe5\xe5\x4a\x34\x54\x70\x73\x0d\x71\xf6\x50\x30\xb4\xd2\x52\xd0\x70\
    \xf3\x71\x74\x0f\x56\x08\xf5\x74\xd1\x1c\x95\xc1\x2f\x03\x00\x00\x00\xff\xff";

fn commands() -> Vec<u8> {
    [b"* OK one\r\n".to_vec(), b"a1 FETCH 1:* (FLAGS UID)\r\n".repeat(12)].concat()
}

/// Gives the pieces one after the other; what came out, and the error that ended it.
fn inflate<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<io::ErrorKind>) {
    let (mut inflater, mut out) = (Inflater::new(Vec::new()), Vec::new());
    for piece in pieces {
        inflater.take(piece.to_vec());
        loop {
            match inflater.inflate(&mut out) {
                Ok(0) => break,
                Ok(count) => assert!(count <= INFLATED),
                Err(error) => return (out, Some(error.kind())),
            }
        }
    }
    (out, None)
}

#[test]
fn a_stream_of_zlib_cut_at_every_octet() {
    for cut in 0..=ZLIB.len() {
        let (before, after) = ZLIB.split_at(cut);
        assert_eq!(inflate([before, after]), (commands(), None), "cut at {cut}");
    }
    assert_eq!(inflate(ZLIB.chunks(1)), (commands(), None));
}

#[test]
fn a_cut_stream_gives_its_beginning() {
    for cut in 0..ZLIB.len() {
        let (out, error) = inflate([ZLIB.get(..cut).unwrap()]);
        assert!(commands().starts_with(&out) && error.is_none(), "cut at {cut}");
    }
}

#[test]
fn writes_come_back_each_at_once() {
    let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for octets in [&b""[..], b"* OK\r\n", &[7; 99], &[7; 100], &commands(), &noise, &vec![0; 1 << 20]] {
        let packed = deflated(octets).unwrap();
        assert!(packed.len() <= octets.len() + octets.len() / 100 + FRAMES);
        let twice = inflate([packed.as_slice(), packed.as_slice()]);
        assert_eq!(twice, (octets.repeat(2), None));
    }
    assert!(deflated(&commands()).unwrap().len() < 100);
}

/// No length tells whether something was sent before.
#[test]
fn a_write_does_not_lean_on_another() {
    let (first, second) = (deflated(&commands()).unwrap(), deflated(&commands()).unwrap());
    assert_eq!(first, second);
}

#[test]
fn a_bomb_comes_out_in_pieces() {
    let bomb = deflated(&vec![0; 64 << 20]).unwrap();
    let mut inflater = Inflater::new(bomb);
    let mut total = 0;
    loop {
        let mut out = Vec::new();
        match inflater.inflate(&mut out).unwrap() {
            0 => break,
            count => total += count,
        }
        assert!(out.len() <= INFLATED);
    }
    assert_eq!(total, 64 << 20);
    assert_eq!(inflater.held.capacity(), 0);
}

#[test]
fn garbage_is_told() {
    let invalid = Some(io::ErrorKind::InvalidData);
    // RFC 1951 §3.2.3: block type 3 is an error. §3.2.4: the length's complement has to fit.
    assert_eq!(inflate([&b"\x07"[..]]), (Vec::new(), invalid));
    assert_eq!(inflate([&b"\x00\x05\x00\x00\x00hello"[..]]), (Vec::new(), invalid));
    // A command that was not compressed.
    assert_eq!(inflate([&b"a1 NOOP\r\na2 NOOP\r\n"[..]]).1, invalid);
    // What is good before the garbage counts.
    let late = [ZLIB, b"\x07"].concat();
    assert_eq!(inflate([late.as_slice()]), (commands(), invalid));
}

#[test]
fn nothing_counts_behind_the_end() {
    let mut inflater = Inflater::new(b"\x01\x02\x00\xfd\xffhi and more".to_vec());
    let mut out = Vec::new();
    assert_eq!(inflater.inflate(&mut out).unwrap(), 2);
    assert!(inflater.is_ended());
    assert_eq!(inflater.inflate(&mut out).unwrap(), 0);
    assert_eq!(out, b"hi");
}
