//! Transfer encodings and charsets.

use crate::mime::charset;
use crate::mime::transfer::{self, Decoder, Encoding};

/// Decodes whole, and octet by octet.
fn check(encoding: Encoding, body: &[u8], expected: &[u8], flawed: bool) {
    for step in [1, 3, body.len().max(1)] {
        let mut decoder = Decoder::new(encoding);
        let mut out = Vec::new();
        body.chunks(step).for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected), "{step}");
        assert_eq!(decoder.is_flawed(), flawed, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn base64() {
    // RFC 4648 §10
    for (text, code) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ] {
        check(Encoding::Base64, code.as_bytes(), text.as_bytes(), false);
    }
    check(Encoding::Base64, b"Zm9v\r\nYm Fy\r\n", b"foobar", false);
    check(Encoding::Base64, b"Zm9v*YmFy", b"foobar", true);
    check(Encoding::Base64, b"Zm9vYg", b"foob", true);
    check(Encoding::Base64, b"Zm8=Zm8=", b"fofo", true);
    check(Encoding::Base64, b"Zm9vY", b"foo", true);
}

#[test]
fn quoted_printable() {
    let check =
        |body: &[u8], expected: &[u8], flawed| check(Encoding::QuotedPrintable, body, expected, flawed);
    // The example of RFC 2045 §6.7.
    check(
        b"Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
        b"Now's the time for all folk to come to the aid of their country.",
        false,
    );
    // B104
    check(b"=\r\n", b"", false);
    check(b"a=ZZb", b"a=ZZb", true);
    check(b"=c3=A4", "ä".as_bytes(), false);
    check("=41".repeat(10_000).as_bytes(), "A".repeat(10_000).as_bytes(), false);
    check(b"blanks go  \t\r\nhere\t", b"blanks go\r\nhere\t", false);
    check(b"soft = \t\r\nbreak", b"soft break", false);
    check(b"a=\nb=", b"ab", false);
    check(b"=4", b"=4", true);
    check(b"==41", b"=A", true);
    check(b"= x", b"= x", true);
}

/// Wherever a line is broken softly, what comes next cannot be taken for a boundary, and the octets come back.
#[test]
fn a_soft_break_makes_no_boundary() {
    for before in 0..=160 {
        let octets = format!("{}--boundary--\r\n-{}", "x".repeat(before), "-".repeat(before));
        let quoted = transfer::quoted_printable(octets.as_bytes());
        assert!(!quoted.contains("=\r\n-"), "{quoted}");
        assert!(quoted.lines().all(|line| line.len() <= 76), "{quoted}");
        check(Encoding::QuotedPrintable, quoted.as_bytes(), octets.as_bytes(), false);
    }
}

#[test]
fn charsets() {
    for (label, octets, expected) in [
        (Some("utf-8"), &b"\xc3\xa4"[..], "ä"),
        (Some("ISO-8859-1"), b"\xe4", "ä"),
        (Some("us-ascii"), b"\xc3\xa4", "ä"),
        (None, b"\xe4", "ä"),
        (Some("x-unheard-of"), b"\xe4", "ä"),
        (Some("koi8-r"), b"\xf0", "П"),
        (Some("cp1251"), b"\xcf", "П"),
        (Some("iso-2022-jp"), b"\x1b$B%F\x1b(B\x1b$B%9\x1b(B", "テス"),
        (Some("utf-8"), b"a\xff", "a\u{fffd}"),
    ] {
        assert_eq!(charset::to_utf8(label, octets), expected, "{label:?}");
    }
}
