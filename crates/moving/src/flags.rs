//! Flags as file names and header fields write them.

use base::{Flag, Flags, Keyword};

/// The letters of a Maildir's file names, in the order in which they stand there.
const LETTERS: [(u8, Flag); 5] = [
    (b'D', Flag::Draft),
    (b'F', Flag::Flagged),
    (b'R', Flag::Answered),
    (b'S', Flag::Seen),
    (b'T', Flag::Deleted),
];

/// What the letter `P` (passed) stands for.
const FORWARDED: &str = "$Forwarded";

/// Keywords that a Maildir's file names have letters for.
pub(crate) const MOST_KEYWORDS: usize = 26;

/// Reads letters; small ones are keywords by their place in the folder's list.
pub(crate) fn from_letters(letters: &[u8], keywords: &[Option<Keyword>]) -> Flags {
    let mut flags = Flags::default();
    for letter in letters {
        if let Some((_, flag)) = LETTERS.iter().find(|(known, _)| known == letter) {
            flags.set(*flag, true);
        } else if *letter == b'P' {
            Keyword::new(FORWARDED).iter().for_each(|keyword| flags.set_keyword(keyword, true));
        } else if letter.is_ascii_lowercase() {
            let place = usize::from(letter - b'a');
            keywords.get(place).into_iter().flatten().for_each(|keyword| flags.set_keyword(keyword, true));
        }
    }
    flags
}

/// Writes letters. A keyword that has no place in the list yet gets one while there are letters; gives how many went
/// without.
pub(crate) fn to_letters(flags: &Flags, keywords: &mut Vec<Option<Keyword>>) -> (String, usize) {
    let set = LETTERS.iter().filter(|(_, flag)| flags.has(*flag)).map(|(letter, _)| char::from(*letter));
    let mut letters: Vec<char> = set.collect();
    let mut lost = 0;
    for keyword in flags.keywords() {
        let known = keywords.iter().position(|known| known.as_ref() == Some(keyword));
        let place = known.or_else(|| {
            keywords.push(Some(keyword.clone()));
            keywords.len().checked_sub(1)
        });
        match place.filter(|place| *place < MOST_KEYWORDS).and_then(|place| u8::try_from(place).ok()) {
            Some(place) => letters.push(char::from(b'a' + place)),
            None => lost += 1,
        }
    }
    letters.sort_unstable();
    (letters.into_iter().collect(), lost)
}

/// Reads names of flags and keywords, as IMAP writes them; those that are none are left out.
pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Flags {
    let mut flags = Flags::default();
    for name in names {
        match Flag::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)) {
            Some((flag, _)) => flags.set(*flag, true),
            None => Keyword::new(name).iter().for_each(|keyword| flags.set_keyword(keyword, true)),
        }
    }
    flags
}
