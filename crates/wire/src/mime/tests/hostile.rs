//! Messages meant to hurt: deep, long, many, cut anywhere, random.

use crate::mime::{Parser, Tree, address, describe, search_text, subject, word};
use base::Limits;
use std::fmt::Write as _;

fn in_chunks(message: &[u8], limits: &Limits, mut size: impl FnMut() -> usize) -> Tree {
    let mut parser = Parser::new(limits);
    let mut rest = message;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(size().clamp(1, rest.len()));
        parser.push(chunk);
        rest = more;
    }
    parser.finish()
}

/// A small generator, so that failures come again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "--",
    "--a",
    "--a--",
    "--a\r\n",
    "\r\n--a\r\n",
    "\r\n--b--\r\n",
    "--ab\r\n",
    " ",
    "\t",
    "x",
    "Content-Type: multipart/mixed; boundary=a\r\n",
    "Content-Type: multipart/digest; boundary=\"b\"\r\n\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Type: text/html; name*0*=utf-8''%",
    "Subject: =?utf-8?q?",
    "?=",
    "From: a <b@c>, d:e;\r\n",
    "\0",
    "\u{e4}",
    "(((",
    "\"",
    "=",
    "=4",
    "Zm9v",
    ";;",
    "<",
    "&#",
    "[fwd:",
];

#[test]
fn any_cut_gives_the_same_tree_and_all_comes_back() {
    let mut dice = Dice(7);
    let limits = Limits { parts: 20, nesting: 6, header_octets: 300, header_fields: 5, ..Limits::default() };
    for round in 0..3000 {
        let mut message = String::new();
        for _ in 0..dice.roll(40) {
            message.push_str(PIECES[dice.roll(PIECES.len())]);
        }
        let octets = message.into_bytes();
        let whole = Tree::parse(&octets, &limits);
        let cut = in_chunks(&octets, &limits, || dice.roll(5) + 1);
        assert_eq!(whole, cut, "{round} {:?}", String::from_utf8_lossy(&octets));
        let mut code = Vec::new();
        whole.encode(&mut code);
        assert_eq!(Tree::decode(&code), Some(whole.clone()), "{round}");
        for part in whole.parts() {
            let around = part.parent.map_or(0..octets.len() as u64, |id| whole.get(id).unwrap().body());
            assert!(around.start <= part.whole().start && part.whole().end <= around.end, "{round}");
            assert!(part.header().end <= part.whole().end, "{round}");
        }
        let described = describe::body_structure(&whole, &octets).unwrap();
        assert_balanced(&described);
        search_text(&whole, &octets).unwrap();
        whole.alternatives(&octets, &limits).unwrap();
        // Damaged code must give nothing, or a sound tree.
        for _ in 0..3 {
            let mut bad = code.clone();
            let at = dice.roll(bad.len());
            bad[at] = dice.roll(256) as u8;
            bad.truncate(bad.len() - dice.roll(2));
            if let Some(tree) = Tree::decode(&bad) {
                let _ = describe::body_structure(&tree, &octets);
                let _ = search_text(&tree, &octets);
                let _ = tree.find(&[1, 1, 2]);
            }
        }
    }
}

/// Parentheses match, strings and literals left out.
fn assert_balanced(text: &[u8]) {
    let (mut depth, mut at) = (0_i32, 0);
    while at < text.len() {
        match text[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'"' => {
                at += 1;
                while text[at] != b'"' {
                    at += 1 + usize::from(text[at] == b'\\');
                }
            }
            b'{' => {
                let end = at + text[at..].iter().position(|&b| b == b'}').unwrap();
                let length: usize = std::str::from_utf8(&text[at + 1..end]).unwrap().parse().unwrap();
                at = end + 2 + length;
            }
            _ => {}
        }
        assert!(depth >= 0);
        at += 1;
    }
    assert_eq!(depth, 0);
}

/// B096, also without our limit on nesting.
#[test]
fn two_thousand_nested_multiparts() {
    let mut message = String::new();
    for n in 0..2000 {
        write!(message, "Content-Type: multipart/mixed; boundary=\"b{n}.\"\r\n\r\n--b{n}.\r\n").unwrap();
    }
    message += "Content-Type: text/plain\r\n\r\ninnermost\r\n";
    for n in (0..2000).rev() {
        write!(message, "--b{n}.--\r\n").unwrap();
    }
    let octets = message.into_bytes();
    for (nesting, parts) in [(64, 65), (4000, 2001)] {
        let limits = Limits { nesting, parts: 4000, ..Limits::default() };
        let tree = Tree::parse(&octets, &limits);
        assert_eq!(tree.parts().len(), parts);
        assert_balanced(&describe::body_structure(&tree, &octets).unwrap());
    }
}

/// Each would take minutes if something in it were quadratic.
#[test]
fn large_input_takes_linear_time() {
    let limits = Limits { header_octets: 8 << 20, header_fields: 200_000, ..Limits::default() };
    let fields = "To: u@example.net\r\n".repeat(100_000) + "\r\n";
    let tree = Tree::parse(fields.as_bytes(), &limits);
    assert_eq!(tree.fields_named("to").count(), 100_000);
    describe::envelope(fields.as_bytes());
    let lines = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n".to_owned()
        + &"--x\r\n".repeat(1_000_000);
    assert_eq!(Tree::parse(lines.as_bytes(), &limits).parts()[1].lines, 1_000_000);
    for hostile in [
        "a@b,",
        "<",
        "(",
        "\"",
        "a:",
        "@",
        "x ",
        "=?utf-8?q?",
        "=?utf-8?q??=",
        "[",
        "[]",
        "[fwd:",
        "re:",
        "(fwd) ",
    ] {
        let value = hostile.repeat(200_000);
        address::parse(value.as_bytes());
        word::decode(value.as_bytes());
        subject::base(value.as_bytes());
    }
    let parameters = "Content-Type: a/b".to_owned() + &";x*0=y".repeat(100_000) + "\r\n\r\n";
    Tree::parse(parameters.as_bytes(), &limits);
    // Elements and comments that never end.
    let tags = "Content-Type: text/html\r\n\r\n".to_owned()
        + &"<script></".repeat(100_000)
        + &"<!--".repeat(100_000);
    let octets = tags.into_bytes();
    search_text(&Tree::parse(&octets, &limits), &octets).unwrap();
}
