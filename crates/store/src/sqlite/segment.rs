//! A piece of an account's text index: the words of some mails, and which mail has which.
//!
//! Why not FTS5: its vocabulary is one for all accounts, in clear, and finding a *part* of a word means reading all
//! of it row by row. A segment is sealed like the mail it tells of, belongs to one account, and keeps its words in
//! one run of text, so that a part of a word is found by a plain search through memory.
//!
//! Words are runs of letters and digits of folded text. A run longer than [`LONG`] is cut into pieces that overlap
//! by [`HALF`], and so any part of it up to that length lies whole within one of them. What a client looks for is
//! cut the same way, and a message that holds it has each of its pieces within a word: candidates are never too
//! few.

use memchr::{memchr, memchr_iter, memmem};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Characters of the longest word that is kept whole.
const LONG: usize = 2 * HALF;
/// Characters of the longest piece that is looked for.
const HALF: usize = 16;
/// Pieces of long runs that one mail may bring: text that is no language would fill the index.
const MOST_PIECES: usize = 4000;
/// Words that one mail may bring which no other of its batch has: they lie in memory until the segment is made, at
/// about 120 octets each.
const MOST_NEW: usize = 200_000;
/// Words between two entries of the table of places.
const BLOCK: usize = 64;
/// Octets of postings from which on a new chunk begins: a look-up unseals only the chunks it needs.
const CHUNK: usize = 32 * 1024;

/// Collects mails, then makes a segment.
#[derive(Default)]
pub(super) struct Builder {
    mails: Vec<i64>,
    open: Vec<u32>,
    words: HashMap<Box<str>, Postings>,
    octets: usize,
}

/// A word's mails, as differences.
#[derive(Default)]
struct Postings {
    next: u32,
    coded: Vec<u8>,
}

impl Postings {
    /// Adds a mail, unless it was the last one added.
    fn add(&mut self, mail: u32) {
        if mail >= self.next {
            put(&mut self.coded, u64::from(mail - self.next));
            self.next = mail + 1;
        }
    }
}

/// A segment's two parts, neither sealed yet.
pub(super) struct Segment {
    /// Mails and words.
    pub(super) words: Vec<u8>,
    /// Which mail has which word, in chunks.
    pub(super) postings: Vec<Vec<u8>>,
}

impl Builder {
    /// How many mails were added.
    pub(super) fn mails(&self) -> usize {
        self.mails.len()
    }

    /// About how large the segment will be.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Adds a mail with its folded text; without a text, any search may find it.
    pub(super) fn add(&mut self, mail: i64, text: Option<&str>) {
        let number = self.mails.len() as u32;
        self.mails.push(mail);
        let (mut pieces, mut new) = (0, 0);
        let whole = text.is_some_and(|text| {
            each_word(text, |word, piece| {
                pieces += usize::from(piece);
                if pieces > MOST_PIECES || new > MOST_NEW {
                    return ControlFlow::Break(());
                }
                match self.words.get_mut(word) {
                    Some(postings) => postings.add(number),
                    None => {
                        let mut postings = Postings::default();
                        postings.add(number);
                        new += 1;
                        self.octets += word.len() + 2;
                        self.words.insert(word.into(), postings);
                    }
                }
                self.octets += 1;
                ControlFlow::Continue(())
            })
            .is_continue()
        });
        if !whole {
            self.open.push(number);
        }
    }

    /// The segment.
    pub(super) fn finish(self) -> Segment {
        let mut words: Vec<(Box<str>, Postings)> = self.words.into_iter().collect();
        words.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut writer = Writer::default();
        words.iter().for_each(|(word, postings)| writer.word(word.as_bytes(), &postings.coded));
        writer.finish(&self.mails, &self.open)
    }
}

/// Makes one segment of several, without the mails that are gone.
pub(super) fn merge(segments: &[Segment], is_gone: &dyn Fn(i64) -> bool) -> Option<Segment> {
    let views: Vec<View<'_>> = segments.iter().map(|s| View::new(&s.words)).collect::<Option<_>>()?;
    let (mut mails, mut open, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for view in &views {
        let renumber = |mail: &i64| {
            let new = (!is_gone(*mail)).then_some(mails.len() as u32);
            if new.is_some() {
                mails.push(*mail);
            }
            new
        };
        let map: Vec<Option<u32>> = view.mails.iter().map(renumber).collect();
        open.extend(view.open.iter().filter_map(|old| map.get(*old as usize).copied().flatten()));
        numbers.push(map);
    }
    let whole: Vec<Vec<u8>> = segments.iter().map(|segment| segment.postings.concat()).collect();
    let mut cursors: Vec<Cursor<'_>> =
        views.iter().zip(&whole).map(|(view, postings)| Cursor { words: view.words, postings }).collect();
    let mut writer = Writer::default();
    while let Some(word) = cursors.iter().filter_map(Cursor::word).min() {
        let mut postings = Postings::default();
        for (cursor, map) in cursors.iter_mut().zip(&numbers) {
            if cursor.word() == Some(word) {
                let coded = cursor.advance()?;
                each_mail(coded, |old| {
                    if let Some(new) = map.get(old as usize).copied().flatten() {
                        postings.add(new);
                    }
                })?;
            }
        }
        if !postings.coded.is_empty() {
            writer.word(word, &postings.coded);
        }
    }
    Some(writer.finish(&mails, &open))
}

/// How many mails a segment tells of.
pub(super) fn count(mut words: &[u8]) -> i64 {
    get(&mut words).and_then(|count| i64::try_from(count).ok()).unwrap_or(0)
}

/// The mails that a segment tells of.
pub(super) fn mails(words: &[u8]) -> Option<Vec<i64>> {
    View::new(words).map(|view| view.mails)
}

/// What is looked for, in pieces; nothing where it holds no letter or digit at all.
pub(super) fn pieces(folded: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for run in folded.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let characters: Vec<char> = run.chars().collect();
        pieces.extend(characters.chunks(HALF).map(|chunk| chunk.iter().collect::<String>()));
    }
    // The longest first: it leaves the fewest.
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    pieces.dedup();
    pieces
}

/// Mails of a segment that have a word around each piece. `chunk` gives a chunk of the postings, where it is needed.
/// Nothing where the segment is damaged.
pub(super) fn search<E>(
    words: &[u8],
    chunk: impl Fn(usize) -> Result<Vec<u8>, E>,
    pieces: &[String],
) -> Result<Option<Vec<i64>>, E> {
    let Some(view) = View::new(words) else { return Ok(None) };
    let mut places = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let found = view.places(piece.as_bytes());
        if found.is_empty() {
            return Ok(Some(view.always()));
        }
        places.push(found);
    }
    let mut all = vec![true; view.mails.len()];
    let mut loaded: Option<(usize, Vec<u8>)> = None;
    for found in places {
        let mut these = vec![false; view.mails.len()];
        for place in found {
            let (number, start) = view.chunk_of(place);
            let octets = match loaded.take() {
                Some((last, octets)) if last == number => octets,
                _ => chunk(number)?,
            };
            let marked = view.list(&octets, start, place).and_then(|coded| {
                each_mail(coded, |mail| {
                    if let Some(mark) = these.get_mut(mail as usize) {
                        *mark = true;
                    }
                })
            });
            loaded = Some((number, octets));
            if marked.is_none() {
                return Ok(None);
            }
        }
        all.iter_mut().zip(these).for_each(|(all, this)| *all &= this);
    }
    for mail in &view.open {
        if let Some(mark) = all.get_mut(*mail as usize) {
            *mark = true;
        }
    }
    Ok(Some(view.mails.iter().zip(all).filter(|(_, hit)| *hit).map(|(mail, _)| *mail).collect()))
}

/// Calls `each` with every word of a folded text, and whether it is a piece of a longer run.
fn each_word(text: &str, mut each: impl FnMut(&str, bool) -> ControlFlow<()>) -> ControlFlow<()> {
    let octets = text.as_bytes();
    let mut at = 0;
    while at < octets.len() {
        let length = word_character(text, at);
        let Some(mut end) = length.map(|length| at + length) else {
            at += skip(text, at);
            continue;
        };
        while let Some(length) = word_character(text, end) {
            end += length;
        }
        let run = text.get(at..end).unwrap_or_default();
        at = end;
        if run.len() <= LONG || run.chars().nth(LONG).is_none() {
            each(run, false)?;
            continue;
        }
        let starts: Vec<usize> = run.char_indices().map(|(place, _)| place).step_by(HALF).collect();
        for (number, start) in starts.iter().enumerate() {
            let end = starts.get(number + 2).copied().unwrap_or(run.len());
            each(run.get(*start..end).unwrap_or_default(), true)?;
            if end == run.len() {
                break;
            }
        }
    }
    ControlFlow::Continue(())
}

/// The length of the letter or digit at a place, if one is there.
fn word_character(text: &str, at: usize) -> Option<usize> {
    match text.as_bytes().get(at)? {
        octet if octet.is_ascii() => octet.is_ascii_alphanumeric().then_some(1),
        _ => text.get(at..)?.chars().next().filter(|c| c.is_alphanumeric()).map(char::len_utf8),
    }
}

/// The length of the character at a place.
fn skip(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

/// Writes words in order.
#[derive(Default)]
struct Writer {
    words: Vec<u8>,
    postings: Vec<u8>,
    /// Where each chunk begins, the first left out.
    cuts: Vec<usize>,
    blocks: Vec<u8>,
    count: usize,
}

impl Writer {
    fn word(&mut self, word: &[u8], postings: &[u8]) {
        if self.count.is_multiple_of(BLOCK) {
            if self.postings.len() - self.cuts.last().copied().unwrap_or(0) >= CHUNK {
                self.cuts.push(self.postings.len());
            }
            self.blocks.extend_from_slice(&(self.words.len() as u32).to_le_bytes());
            self.blocks.extend_from_slice(&(self.postings.len() as u32).to_le_bytes());
        }
        self.count += 1;
        self.words.extend_from_slice(word);
        self.words.push(b'\n');
        put(&mut self.postings, postings.len() as u64);
        self.postings.extend_from_slice(postings);
    }

    fn finish(self, mails: &[i64], open: &[u32]) -> Segment {
        let mut words = Vec::with_capacity(self.words.len() + self.blocks.len() + mails.len() * 3 + 32);
        put(&mut words, mails.len() as u64);
        let mut last = 0;
        for mail in mails {
            // Mails come in order of their ids, but a merged segment need not.
            put(&mut words, zigzag(mail - last));
            last = *mail;
        }
        put(&mut words, open.len() as u64);
        open.iter().for_each(|mail| put(&mut words, u64::from(*mail)));
        put(&mut words, self.cuts.len() as u64);
        self.cuts.iter().for_each(|cut| put(&mut words, *cut as u64));
        put(&mut words, (self.blocks.len() / 8) as u64);
        words.extend_from_slice(&self.blocks);
        words.extend_from_slice(&self.words);
        let (mut postings, mut rest, mut last) = (Vec::new(), self.postings.as_slice(), 0);
        for cut in self.cuts {
            let (chunk, after) = rest.split_at(cut - last);
            postings.push(chunk.to_vec());
            (rest, last) = (after, cut);
        }
        postings.push(rest.to_vec());
        Segment { words, postings }
    }
}

/// The words part, taken apart.
struct View<'s> {
    mails: Vec<i64>,
    open: Vec<u32>,
    cuts: Vec<usize>,
    blocks: &'s [u8],
    words: &'s [u8],
}

impl<'s> View<'s> {
    fn new(mut octets: &'s [u8]) -> Option<Self> {
        let count = usize::try_from(get(&mut octets)?).ok()?;
        let mut mails = Vec::with_capacity(count.min(octets.len()));
        let mut last = 0i64;
        for _ in 0..count {
            last = last.checked_add(unzigzag(get(&mut octets)?))?;
            mails.push(last);
        }
        let count = usize::try_from(get(&mut octets)?).ok()?;
        let mut open = Vec::with_capacity(count.min(octets.len()));
        for _ in 0..count {
            open.push(u32::try_from(get(&mut octets)?).ok()?);
        }
        let count = usize::try_from(get(&mut octets)?).ok()?;
        let mut cuts = Vec::with_capacity(count.min(octets.len()));
        for _ in 0..count {
            cuts.push(usize::try_from(get(&mut octets)?).ok()?);
        }
        let blocks = usize::try_from(get(&mut octets)?).ok()?.checked_mul(8)?;
        let (blocks, words) = octets.split_at_checked(blocks)?;
        Some(View { mails, open, cuts, blocks, words })
    }

    /// Numbers of the words that hold a piece, ascending.
    fn places(&self, piece: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        let mut from = 0;
        let finder = memmem::Finder::new(piece);
        while let Some(hit) = self.words.get(from..).and_then(|rest| finder.find(rest)) {
            let at = from + hit;
            places.push(self.number_of(at));
            // A word counts once.
            from = self
                .words
                .get(at..)
                .and_then(|rest| memchr(b'\n', rest))
                .map_or(self.words.len(), |end| at + end);
        }
        places
    }

    /// Which word the octet at a place belongs to.
    fn number_of(&self, at: usize) -> usize {
        let (mut low, mut high) = (0, self.blocks.len() / 8);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.block(middle).0 <= at { low = middle } else { high = middle }
        }
        let before = self.words.get(self.block(low).0..at).unwrap_or_default();
        low * BLOCK + memchr_iter(b'\n', before).count()
    }

    /// Where a block's words and postings begin.
    fn block(&self, number: usize) -> (usize, usize) {
        let number_at = |at: usize| {
            let four = self.blocks.get(at..).and_then(|rest| rest.first_chunk::<4>());
            four.map_or(0, |four| u32::from_le_bytes(*four) as usize)
        };
        (number_at(number * 8), number_at(number * 8 + 4))
    }

    /// Which chunk of the postings a word's are in, and where that chunk begins.
    fn chunk_of(&self, word: usize) -> (usize, usize) {
        let at = self.block(word / BLOCK).1;
        let number = self.cuts.partition_point(|cut| *cut <= at);
        (number, number.checked_sub(1).and_then(|last| self.cuts.get(last)).copied().unwrap_or(0))
    }

    /// A word's mails, from the chunk that has them.
    fn list<'p>(&self, chunk: &'p [u8], start: usize, word: usize) -> Option<&'p [u8]> {
        let mut rest = chunk.get(self.block(word / BLOCK).1.checked_sub(start)?..)?;
        for _ in 0..word % BLOCK {
            let length = usize::try_from(get(&mut rest)?).ok()?;
            rest = rest.get(length..)?;
        }
        let length = usize::try_from(get(&mut rest)?).ok()?;
        rest.get(..length)
    }

    /// Mails that any search may find.
    fn always(&self) -> Vec<i64> {
        self.open.iter().filter_map(|mail| self.mails.get(*mail as usize).copied()).collect()
    }
}

/// A place in a segment while it is merged.
struct Cursor<'s> {
    words: &'s [u8],
    postings: &'s [u8],
}

impl<'s> Cursor<'s> {
    fn word(&self) -> Option<&'s [u8]> {
        memchr(b'\n', self.words).and_then(|end| self.words.get(..end))
    }

    /// The mails of the word; then on to the next.
    fn advance(&mut self) -> Option<&'s [u8]> {
        let end = memchr(b'\n', self.words)?;
        self.words = self.words.get(end + 1..)?;
        let length = usize::try_from(get(&mut self.postings)?).ok()?;
        let (coded, rest) = self.postings.split_at_checked(length)?;
        self.postings = rest;
        Some(coded)
    }
}

fn each_mail(mut coded: &[u8], mut each: impl FnMut(u32)) -> Option<()> {
    let mut next = 0u32;
    while !coded.is_empty() {
        let mail = next.checked_add(u32::try_from(get(&mut coded)?).ok()?)?;
        each(mail);
        next = mail.checked_add(1)?;
    }
    Some(())
}

/// Appends a number, seven bits an octet, the lowest first.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number off the front.
fn get(octets: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        value |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(segment: &Segment, needle: &str) -> Vec<i64> {
        search::<()>(&segment.words, |chunk| Ok(segment.postings[chunk].clone()), &pieces(needle))
            .unwrap()
            .unwrap()
    }

    fn build(mails: &[(i64, &str)]) -> Segment {
        let mut builder = Builder::default();
        mails.iter().for_each(|(mail, text)| builder.add(*mail, Some(text)));
        builder.finish()
    }

    const TEXTS: [(i64, &str); 6] = [
        (10, "the quick brown fox, 12345-678"),
        (11, "brownian motion; naïve café"),
        (
            20,
            "日本語のテキストは単語の間に空白がありません。とても長い文なので切られるはずですがそれでも見つかります",
        ),
        (21, "emoji 🦀 and aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
        (22, "0123456789abcdefghijklmnopqrstuvwxyz0123456789zyxwvutsrqponmlkjihgfedcba"),
        (23, ""),
    ];

    /// Every part of every text is found in it, in one segment and in one merged of several.
    #[test]
    fn candidates_are_never_too_few() {
        let whole = build(&TEXTS);
        let parts = [build(&TEXTS[..2]), build(&TEXTS[2..3]), build(&TEXTS[3..])];
        let merged = merge(&parts, &|_| false).unwrap();
        for (mail, text) in TEXTS {
            let characters: Vec<char> = text.chars().collect();
            for start in 0..characters.len() {
                for end in start + 1..=characters.len() {
                    let needle: String = characters[start..end].iter().collect();
                    if !pieces(&needle).is_empty() {
                        assert!(find(&whole, &needle).contains(&mail), "{needle}");
                        assert!(find(&merged, &needle).contains(&mail), "{needle} (merged)");
                    }
                }
            }
        }
    }

    #[test]
    fn and_few_otherwise() {
        let segment = build(&TEXTS);
        for (needle, expected) in [
            ("brown", [10, 11].as_slice()),
            ("brown fox", &[10]),
            ("rown-12345", &[10]),
            ("caf", &[11]),
            ("テキスト", &[20]),
            ("nothing", &[]),
            ("brown nothing", &[]),
        ] {
            assert_eq!(find(&segment, needle), expected, "{needle}");
        }
        assert!(pieces(" -🦀!").is_empty());
    }

    #[test]
    fn merging_forgets_what_is_gone() {
        let merged =
            merge(&[build(&TEXTS[..2]), build(&TEXTS[2..])], &|mail| mail == 10 || mail == 22).unwrap();
        assert_eq!(find(&merged, "brown"), [11]);
        assert_eq!(find(&merged, "quick"), []);
        assert!(memmem::find(&merged.words, b"quick").is_none());
        assert_eq!(find(&merged, "emoji"), [21]);
    }

    #[test]
    fn a_mail_without_text_or_with_too_much_may_always_be_it() {
        let mut builder = Builder::default();
        builder.add(1, None);
        builder.add(2, Some("words"));
        let noise: String =
            (0..200_000u32).map(|n| char::from(b'a' + (n.wrapping_mul(n) % 26) as u8)).collect();
        builder.add(3, Some(&noise));
        let segment = builder.finish();
        assert_eq!(find(&segment, "xyzzy"), [1, 3]);
        assert_eq!(find(&merge(&[segment], &|_| false).unwrap(), "xyzzy"), [1, 3]);
    }

    #[test]
    fn large_segments_have_chunks() {
        let texts: Vec<(i64, String)> = (0..3000)
            .map(|mail| (mail, (0..30).map(|n| format!("w{} ", mail * 7 % (50 + n))).collect()))
            .collect();
        let mut builder = Builder::default();
        texts.iter().for_each(|(mail, text)| builder.add(*mail, Some(&format!("{text} only{mail}"))));
        let segment = builder.finish();
        assert!(segment.postings.len() > 1);
        assert_eq!(
            find(&segment, "w13"),
            texts.iter().filter(|(_, t)| t.contains("w13")).map(|(m, _)| *m).collect::<Vec<_>>()
        );
        for mail in [0, 1, 999, 2999] {
            assert!(find(&segment, &format!("only{mail}")).contains(&mail));
        }
    }

    #[test]
    fn damaged_octets_are_no_segment() {
        let segment = build(&TEXTS);
        for length in 0..segment.words.len().min(40) {
            let _ = search::<()>(&segment.words[..length], |_| Ok(Vec::new()), &["brown".to_owned()]);
        }
        let damaged = search::<()>(&segment.words, |_| Ok(vec![0xff; 5]), &["brown".to_owned()]).unwrap();
        assert_eq!(damaged, None);
    }
}
