use super::*;

/// What a reader made of some input: the content, the fault, and where the message ended.
#[derive(PartialEq, Eq, Debug)]
struct Read {
    content: Vec<u8>,
    fault: Option<Fault>,
    end: Option<usize>,
}

/// Feeds `input` in pieces of `piece` octets.
fn read_data(input: &[u8], piece: usize) -> Read {
    let mut reader = DataReader::new(1000, 100);
    let mut content = Vec::new();
    let mut base = 0;
    for part in input.chunks(piece) {
        let mut at = 0;
        loop {
            let (used, event) = reader.read(&part[at..]);
            at += used;
            match event {
                Event::Content(slice) => content.extend_from_slice(slice),
                Event::End => return Read { content, fault: reader.fault(), end: Some(base + at) },
                Event::More => break,
            }
        }
        assert_eq!(at, part.len(), "all of the input is taken");
        base += at;
    }
    Read { content, fault: reader.fault(), end: None }
}

/// Slow and plain: looks for CRLF.CRLF in a text that a CRLF was put before, then at each octet by itself.
fn slow_data(input: &[u8]) -> Read {
    let text = [b"\r\n", input].concat();
    let found = text.windows(5).position(|w| w == b"\r\n.\r\n");
    let body = &text[2..found.map_or(text.len(), |at| at + 2)];
    let mut content = Vec::new();
    let mut bare = false;
    for (at, &octet) in body.iter().enumerate() {
        let before = at.checked_sub(1).map(|b| body[b]);
        let line_start = at == 0 || (before == Some(b'\n') && at >= 2 && body[at - 2] == b'\r');
        bare |= octet == b'\n' && before != Some(b'\r');
        bare |= octet != b'\n' && before == Some(b'\r');
        if !(line_start && octet == b'.') {
            content.push(octet);
        }
    }
    let fault = bare.then_some(Fault::BareCrLf);
    Read { content, fault, end: found.map(|at| at + 5 - 2) }
}

#[test]
fn every_short_input_reads_as_the_slow_reader_does() {
    let mut inputs = 0;
    for length in 0..=8u32 {
        for number in 0..4u32.pow(length) {
            let input: Vec<u8> =
                (0..length).map(|place| b"\r\n.a"[(number >> (2 * place) & 3) as usize]).collect();
            let slow = slow_data(&input);
            for piece in [1, 2, 3, 8] {
                let fast = read_data(&input, piece);
                assert_eq!((fast.end, fast.fault), (slow.end, slow.fault), "{:?}", input.escape_ascii());
                match slow.fault {
                    // A message that is refused anyway: what came out before the fault is all that may come.
                    Some(_) => assert!(slow.content.starts_with(&fast.content)),
                    // Without an end yet, a CR behind a leading dot is held back.
                    None if slow.end.is_none() => assert!(slow.content.starts_with(&fast.content)),
                    None => assert_eq!(fast.content, slow.content, "{:?}", input.escape_ascii()),
                }
            }
            inputs += 1;
        }
    }
    assert_eq!(inputs, 87_381);
}

fn check(input: &[u8], content: &[u8], fault: Option<Fault>, end: Option<usize>) {
    let expected = Read { content: content.to_vec(), fault, end };
    for piece in 1..=input.len() {
        let mut got = read_data(input, piece);
        if fault.is_some() {
            // How much came out before the fault was seen depends on the pieces.
            got.content = content.to_vec();
        }
        assert_eq!(got, expected, "{:?} in pieces of {piece}", input.escape_ascii());
    }
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    let bare = Some(Fault::BareCrLf);
    check(b".\r\n", b"", None, Some(3));
    check(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", None, Some(6));
    check(b"a\r\n..\r\n...b\r\n.c\r\n.\r\n", b"a\r\n.\r\n..b\r\nc\r\n", None, Some(20));
    check(b"a.\r\n.b.\r\n.\r\n", b"a.\r\nb.\r\n", None, Some(12));
    // B001 and its kin: none of these is an end.
    check(b"a\n.\nMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\n.\r\nMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\r\n.\nMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\r.\rMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\r\n.\rMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\r.\r\nMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\r\n.\r\r\nMAIL FROM:<b@c>\r\n", b"", bare, None);
    check(b"a\r\n\0.\r\n.\r\n", b"", Some(Fault::Nul), Some(10));
    check(b"a\n\0\r\n.\r\n", b"", bare, Some(8));
}

#[test]
fn limits_are_inclusive_and_the_end_is_still_found() {
    let line = |length: usize| [&vec![b'x'; length][..], b"\r\n"].concat();
    let message = |body: &[u8]| [body, b".\r\n"].concat();
    let content = line(100);
    check(&message(&content), &content, None, Some(105));
    check(&message(&line(101)), b"", Some(Fault::LineTooLong), Some(106));
    // The doubled dot is not part of the line.
    check(&message(&[b".", &content[..]].concat()), &content, None, Some(106));
    let full = line(98).repeat(10);
    check(&message(&full), &full, None, Some(1003));
    check(&message(&[&full[..], b"x\r\n"].concat()), b"", Some(Fault::TooLarge), Some(1006));
}

fn check_chunks(chunks: &[&[u8]], binary: bool, fault: Option<Fault>) {
    let whole = chunks.concat();
    for piece in 1..=whole.len().max(1) {
        let mut reader = ChunkReader::new(1000, 100, binary);
        let mut content = Vec::new();
        for (number, chunk) in chunks.iter().enumerate() {
            reader.start(chunk.len() as u64, number + 1 == chunks.len());
            // The next command stands behind the chunk and must stay there.
            let input = [chunk, &b"NOOP\r\n"[..]].concat();
            let mut at = 0;
            loop {
                let until = (at + piece).min(input.len());
                let (used, event) = reader.read(&input[at..until]);
                at += used;
                match event {
                    Event::Content(slice) => content.extend_from_slice(slice),
                    Event::End => break,
                    Event::More => panic!("there is more"),
                }
            }
            assert_eq!(at, chunk.len());
        }
        assert_eq!(reader.fault(), fault, "{:?}", whole.escape_ascii());
        if fault.is_none() {
            assert_eq!(content, whole);
        }
        assert_eq!(reader.octets(), whole.len() as u64);
    }
}

#[test]
fn chunks_are_counted_and_text_is_held_to_crlf() {
    check_chunks(&[b"a\r\n.\r\nb\r\n"], false, None);
    check_chunks(&[b"a\r", b"\nb", b"", b"\r\n"], false, None);
    check_chunks(&[b"no line end"], false, None);
    check_chunks(&[b""], false, None);
    check_chunks(&[b"a\nb"], false, Some(Fault::BareCrLf));
    check_chunks(&[b"a\r", b"b"], false, Some(Fault::BareCrLf));
    check_chunks(&[b"a\r"], false, Some(Fault::BareCrLf));
    check_chunks(&[b"a\r", b""], false, Some(Fault::BareCrLf));
    check_chunks(&[b"a\0b\r\n"], false, Some(Fault::Nul));
    check_chunks(&[b"a\nb\rc\0\r"], true, None);
    check_chunks(&[&[b'x'; 101]], false, Some(Fault::LineTooLong));
    check_chunks(&[&[b'x'; 60], &[b'x'; 41]], false, Some(Fault::LineTooLong));
    check_chunks(&[&[b'x'; 1000]], true, None);
    check_chunks(&[&[b'x'; 600], &[b'x'; 401]], true, Some(Fault::TooLarge));
}
