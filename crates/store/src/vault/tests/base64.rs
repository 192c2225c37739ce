use super::super::base64::{Folded, scan};
use super::{Chance, fold};

/// What is recognised at the start of a text: octets of a line, of a line end, decoded octets, and how much of the
/// text is covered.
fn check(text: &str, expected: Option<(u64, u64, &[u8], usize)>) {
    let message = text.as_bytes().to_vec();
    let mut plain = Vec::new();
    let found = scan(&message, 0..message.len() as u64, &mut |part| {
        plain.extend_from_slice(part);
        Ok(())
    })
    .unwrap();
    let found = found.map(|folded| {
        assert_eq!(folded.decoded, plain.len() as u64);
        (folded.line, folded.line_end, plain.as_slice(), folded.octets() as usize)
    });
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn recognised() {
    // RFC 4648 §10's vectors, folded in ways seen in mail.
    check("Zm9vYmFy", Some((8, 1, b"foobar", 8)));
    check("Zm9vYmFy\r\n", Some((8, 2, b"foobar", 8)));
    check("Zm9v\r\nYmFy\r\n", Some((4, 2, b"foobar", 10)));
    check("Zm9v\nYmE=\n", Some((4, 1, b"fooba", 9)));
    check("Zm9vY\r\nmE=", Some((5, 2, b"fooba", 10)));
    check("Zm9vYg\n==\n\n", Some((6, 1, b"foob", 9)));
    // A footer below, a blank line, another line end: what went before counts.
    check("Zm9v\r\nYmFy\r\n\r\n___\r\nlist\r\n", Some((4, 2, b"foobar", 10)));
    check("Zm9v\r\nYmFy\r\n___\r\n", Some((4, 2, b"foobar", 10)));
    check("Zm9vYmFy\r\nZm9v\r\nYmFy\r\n", Some((8, 2, b"foobarfoo", 14)));
    check("Zm9v\r\nYmFy\nZm9v\r\n", Some((4, 2, b"foobar", 10)));
    check("Zm9v\rYmFy", Some((9, 1, b"foo", 4)));
    check("Zg==\r\nZg==\r\n", None);
}

#[test]
fn not_recognised() {
    for text in [
        "",
        "\r\n",
        "\r\nZm9v",
        "Zm9",
        "Zm9vYmF",
        "Zm9v Ymfy",
        " Zm9v",
        "Zm9*",
        "====",
        // Trailing bits that are not zero, padding where nothing is to be padded, or left out: other octets would
        // come back.
        "Zh==",
        "Zm9=",
        "Zg=",
        "Zg",
        "Zm9vYg==Zm9v",
    ] {
        check(text, None);
    }
}

#[test]
fn every_range_comes_back() {
    let mut chance = Chance(7);
    for round in 0..300 {
        let count = 1 + chance.below(if round % 10 == 0 { 200_000 } else { 300 });
        let plain = chance.octets(count);
        let (line, end) = (chance.pick(&[0, 1, 3, 4, 57, 64, 75, 76, 998]), chance.pick(&["\r\n", "\n"]));
        let text = fold(&plain, line, end).into_bytes();
        let mut decoded = Vec::new();
        let folded = scan(&text, 0..text.len() as u64, &mut |part| {
            decoded.extend_from_slice(part);
            Ok(())
        });
        let folded: Folded = folded.unwrap().unwrap();
        assert_eq!((decoded == plain, folded.octets()), (true, text.len() as u64));
        for _ in 0..20 {
            let from = chance.below(text.len() + 1);
            let to = from + chance.below(text.len() + 1 - from);
            let mut out = Vec::new();
            folded.read(&plain, from as u64..to as u64, &mut out).unwrap();
            assert!(out == text[from..to], "{from}..{to} of {folded:?}");
        }
    }
}
