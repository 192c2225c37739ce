//! What the fuzz targets share: how an input is read, how its octets are cut, what a well-formed answer looks like.
//!
//! An input's first octets choose (limits, answers, how the rest is cut); the rest is what the code under test gets.
//! So a seed is a few octets in front of a text, and a mutated text stays a text.

mod player;

pub use player::Player;

use base::Octets;

/// Ends a packet within the input of a session: what follows comes after everything before was answered.
pub const PACKET: u8 = 0x1e;
/// Ends a packet too; then something happens: time goes by, or new mail comes.
pub const EVENT: u8 = 0x1f;

/// A small generator, so that an input always does the same.
pub struct Dice(u64);

impl Dice {
    /// Begins with what an input chose.
    pub fn new(seed: &[u8]) -> Self {
        Dice(seed.iter().fold(0x9e37_79b9_7f4a_7c15, |sum, octet| {
            (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Splits an input into what chooses and what is read.
pub fn choices<const N: usize>(input: &[u8]) -> Option<(&[u8; N], &[u8])> {
    input.split_first_chunk::<N>()
}

/// How octets are cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// Not at all.
    Whole,
    /// Into single octets.
    Single,
    /// Anywhere.
    Random(u8),
}

/// The pieces of some octets; none is empty.
pub fn pieces(octets: &[u8], cut: Cut) -> Vec<&[u8]> {
    match cut {
        _ if octets.is_empty() => Vec::new(),
        Cut::Whole => vec![octets],
        Cut::Single => octets.chunks(1).collect(),
        Cut::Random(seed) => {
            let mut dice = Dice::new(&[seed]);
            let most = [2, 5, 30, 500][dice.roll(4)];
            let mut rest = octets;
            let mut all = Vec::new();
            while !rest.is_empty() {
                let (piece, more) = rest.split_at((1 + dice.roll(most)).min(rest.len()));
                all.push(piece);
                rest = more;
            }
            all
        }
    }
}

/// How an input wants its octets cut the second time.
pub fn cut(choice: u8) -> Cut {
    if choice == 0 { Cut::Single } else { Cut::Random(choice) }
}

/// The packets of a session's input, each with whether something happens behind it.
pub fn packets(input: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    input.split_inclusive(|b| matches!(*b, PACKET | EVENT)).map(|packet| match packet {
        [octets @ .., PACKET] => (octets, false),
        [octets @ .., EVENT] => (octets, true),
        octets => (octets, false),
    })
}

/// Asserts that parentheses match, strings and literals left out, and that nothing else breaks an IMAP line.
pub fn assert_balanced(text: &[u8]) {
    let (mut depth, mut at) = (0_i32, 0);
    while let Some(b) = text.get(at) {
        match b {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'"' => {
                at += 1;
                while text[at] != b'"' {
                    at += 1 + usize::from(text[at] == b'\\');
                }
            }
            b'{' => {
                let end =
                    at + text[at..].iter().position(|&b| b == b'}').expect("an end of the announcement");
                let length: usize =
                    std::str::from_utf8(&text[at + 1..end]).expect("digits").parse().expect("digits");
                assert_eq!(&text[end + 1..end + 3], b"\r\n");
                let literal = &text[end + 3..end + 3 + length];
                assert!(!literal.contains(&0), "a NUL in a literal");
                at = end + 2 + length;
            }
            b => assert!((b' '..=b'~').contains(b), "{b} outside a string"),
        }
        assert!(depth >= 0, "unbalanced: {}", text.escape_ascii());
        at += 1;
    }
    assert_eq!(depth, 0, "unbalanced: {}", text.escape_ascii());
}

/// Octets that are all alike, as many as a hostile tree claims.
pub struct Claimed(pub u64);

impl Octets for Claimed {
    fn len(&self) -> u64 {
        self.0
    }

    fn read(&self, range: std::ops::Range<u64>, out: &mut Vec<u8>) -> std::io::Result<()> {
        if range.start > range.end || range.end > self.0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        // A read of a whole header may be large, but no larger than the message.
        assert!(range.end - range.start <= self.0);
        out.resize(out.len() + (range.end - range.start) as usize, b'a');
        Ok(())
    }
}
