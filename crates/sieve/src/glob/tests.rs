//! Every short pattern on every short text, beside a matcher that tries all ways.

use super::{Glob, Work};

/// What each wildcard stands for, each `*` taking as little as it can, the first one first.
fn try_all(pattern: &[u8], text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty().then(Vec::new) };
    let with = |taken: &[u8], behind: Option<Vec<Vec<u8>>>| {
        behind.map(|behind| std::iter::once(taken.to_vec()).chain(behind).collect::<Vec<_>>())
    };
    match first {
        b'*' => (0..=text.len()).find_map(|end| with(&text[..end], try_all(rest, &text[end..]))),
        b'?' => text.split_at_checked(1).and_then(|(one, behind)| with(one, try_all(rest, behind))),
        octet => {
            text.split_first().filter(|(b, _)| *b == octet).and_then(|(_, behind)| try_all(rest, behind))
        }
    }
}

fn words(alphabet: &[u8], longest: u32) -> Vec<Vec<u8>> {
    let base = alphabet.len();
    let word = move |length: u32, number: usize| {
        (0..length).map(|at| alphabet[number / base.pow(at) % base]).collect()
    };
    (0..=longest).flat_map(|length| (0..base.pow(length)).map(move |number| word(length, number))).collect()
}

#[test]
fn all_short_patterns() {
    let texts = words(b"ab", 6);
    for pattern in words(b"ab*?", 5) {
        let glob = Glob::new(std::str::from_utf8(&pattern).unwrap());
        for text in &texts {
            let mut work = Work::allow(10_000);
            let found = glob.captures(text, &mut work);
            let found =
                found.map(|spans| spans.into_iter().map(|span| text[span].to_vec()).collect::<Vec<_>>());
            assert_eq!(
                found,
                try_all(&pattern, text),
                "{} on {}",
                pattern.escape_ascii(),
                text.escape_ascii()
            );
            assert!(
                work.done() <= 100,
                "{} on {}: {}",
                pattern.escape_ascii(),
                text.escape_ascii(),
                work.done()
            );
        }
    }
}
