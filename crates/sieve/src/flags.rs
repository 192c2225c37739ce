//! Lists of flags (RFC 5232 §2): words with blanks between them, case not counting.

use base::{Flag, Flags, Keyword};

/// The flags in some strings, each once, as first written. What can be no flag is left out.
pub(crate) fn words<'a>(texts: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let mut words: Vec<&str> = Vec::new();
    for word in texts.into_iter().flat_map(|text| text.split(' ')).filter(|word| is_flag(word)) {
        if words.len() < most && !words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            words.push(word);
        }
    }
    words
}

fn is_flag(word: &str) -> bool {
    system(word).is_some() || Keyword::new(word).is_some()
}

fn system(word: &str) -> Option<Flag> {
    Flag::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(flag, _)| *flag)
}

/// The flags as a message has them.
pub(crate) fn to_flags(words: &[&str]) -> Flags {
    let mut flags = Flags::default();
    for word in words {
        if let Some(flag) = system(word) {
            flags.set(flag, true);
        } else if let Some(keyword) = Keyword::new(word) {
            flags.set_keyword(&keyword, true);
        }
    }
    flags
}
