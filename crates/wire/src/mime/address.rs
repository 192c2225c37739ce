//! Address lists (RFC 5322 §3.4, obsolete syntax §4.4), read as tolerantly as real mail needs.

use super::header::unfold;
use super::parameter::comment;
use super::{charset, word};
use base::address::Host;
use base::{Address, LocalPart};

/// Mailboxes and group marks of one list that are taken.
pub const MAX_ENTRIES: usize = 10_000;

/// An entry of an address list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// A mailbox.
    Mailbox(Mailbox),
    /// A group begins; its name, as [`Mailbox::name`].
    GroupStart(Vec<u8>),
    /// The group ends.
    GroupEnd,
}

/// A mailbox as it stands in a header. The octets are not checked: [`Mailbox::to_address`] does that.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mailbox {
    /// The display name, quoting undone, encoded words as they stand; else the comment behind the address.
    pub name: Option<Vec<u8>>,
    /// The obsolete source route, `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// What stands before the `@`, quoting undone.
    pub local: Vec<u8>,
    /// What stands behind it; empty if there is no `@`.
    pub host: Vec<u8>,
}

impl Mailbox {
    /// The display name with its encoded words undone; those in quotes too, as clients do.
    pub fn display_name(&self) -> Option<String> {
        self.name.as_ref().map(|name| word::decode(name)).filter(|name| !name.is_empty())
    }

    /// `local@host`, as text and unchecked.
    pub fn address(&self) -> String {
        match self.host.as_slice() {
            [] => charset::guess(&self.local),
            host => format!("{}@{}", charset::guess(&self.local), charset::guess(host)),
        }
    }

    /// The address, if it is one.
    pub fn to_address(&self) -> Option<Address> {
        let local = std::str::from_utf8(&self.local).ok()?;
        let local = LocalPart::parse(local).or_else(|_| {
            let escaped: String = local
                .chars()
                .flat_map(|c| ['\\', c].into_iter().skip(usize::from(c != '"' && c != '\\')))
                .collect();
            LocalPart::parse(&format!("\"{escaped}\""))
        });
        Some(Address { local: local.ok()?, host: Host::parse(std::str::from_utf8(&self.host).ok()?).ok()? })
    }
}

/// Reads an address list: the value of a From, To, … field. At most [`MAX_ENTRIES`] come out; the cost is linear.
pub fn parse(value: &[u8]) -> Vec<Entry> {
    let value = unfold(value);
    let mut list = List { text: &value, at: 0, in_group: false, entries: Vec::new() };
    while list.at < list.text.len() && list.entries.len() < MAX_ENTRIES {
        list.entry();
    }
    if list.in_group {
        list.entries.push(Entry::GroupEnd);
    }
    list.entries
}

/// Only the mailboxes of a list, those in groups too.
pub fn mailboxes(value: &[u8]) -> Vec<Mailbox> {
    let mailbox = |entry| match entry {
        Entry::Mailbox(mailbox) => Some(mailbox),
        _ => None,
    };
    parse(value).into_iter().filter_map(mailbox).collect()
}

struct List<'a> {
    text: &'a [u8],
    at: usize,
    in_group: bool,
    entries: Vec<Entry>,
}

/// Words up to something that ends them.
#[derive(Default)]
struct Words {
    words: Vec<Word>,
    comment: Option<Vec<u8>>,
}

struct Word {
    text: Vec<u8>,
    /// Where the last `@` outside quotes is.
    at_sign: Option<usize>,
    quoted: bool,
}

impl List<'_> {
    /// Reads up to and with the next `,` or `;` or group name.
    fn entry(&mut self) {
        let words = self.words();
        let end = self.text.get(self.at).copied();
        self.at += 1;
        match end {
            Some(b'<') => self.angle(words),
            Some(b':') if !self.in_group => {
                self.in_group = true;
                self.entries.push(Entry::GroupStart(words.phrase()));
            }
            Some(b';') if self.in_group => {
                self.bare(words);
                self.in_group = false;
                self.entries.push(Entry::GroupEnd);
            }
            // What has no place here ends the mailbox like a comma.
            _ => self.bare(words),
        }
    }

    /// Reads words up to `<`, `,`, `;`, `:` or the end.
    fn words(&mut self) -> Words {
        let mut found = Words::default();
        // Whether the next text goes on with the last word: no blank between, or a `.` or `@` at the seam.
        let mut joins = false;
        while let Some(&b) = self.text.get(self.at) {
            match b {
                b'<' | b',' | b';' => break,
                b':' if !self.in_group => break,
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.at += 1;
                    joins = false;
                }
                b'(' => {
                    let length = comment(&self.text[self.at..]);
                    found.comment = Some(uncomment(&self.text[self.at..self.at + length]));
                    self.at += length;
                    joins = false;
                }
                b'"' => {
                    let text = self.quoted();
                    found.add(Word { text, at_sign: None, quoted: true }, joins);
                    joins = true;
                }
                b'[' => {
                    // A domain literal: nothing in it ends it but its bracket.
                    let rest = &self.text[self.at..];
                    let length = rest.iter().position(|b| b"],<>\"".contains(b));
                    let length = length.map_or(rest.len(), |end| end + usize::from(rest[end] == b']'));
                    found.add(Word { text: rest[..length].to_vec(), at_sign: None, quoted: false }, joins);
                    self.at += length;
                    joins = true;
                }
                _ => {
                    let rest = &self.text[self.at..];
                    let ends = |b: &u8| b" \t\r\n<,;(\"[".contains(b) || *b == b':' && !self.in_group;
                    let length = rest.iter().skip(1).position(ends).map_or(rest.len(), |at| at + 1);
                    let text = rest[..length].to_vec();
                    found.add(
                        Word { at_sign: text.iter().rposition(|&b| b == b'@'), text, quoted: false },
                        joins,
                    );
                    self.at += length;
                    joins = true;
                }
            }
        }
        found
    }

    /// Reads a quoted string, its escapes undone. One that never ends goes to the end of the value.
    fn quoted(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.at += 1;
        while let Some(&b) = self.text.get(self.at) {
            self.at += 1;
            match b {
                b'"' => break,
                b'\\' => {
                    out.extend(self.text.get(self.at));
                    self.at += 1;
                }
                _ => out.push(b),
            }
        }
        out
    }

    /// Reads what stands between `<` and `>`, and what follows up to the next comma.
    fn angle(&mut self, before: Words) {
        let mut mailbox = Mailbox { name: before.name(), ..Mailbox::default() };
        let rest = &self.text[self.at..];
        if rest.trim_ascii_start().first() == Some(&b'@') {
            // RFC 5322 §4.4: obs-route
            let end = rest.iter().position(|b| matches!(b, b':' | b'>' | b'<')).unwrap_or(rest.len());
            if rest.get(end) == Some(&b':') {
                mailbox.route = Some(rest[..end].trim_ascii().to_vec());
                self.at += end + 1;
            }
        }
        let inner_end = self.inner(&mut mailbox);
        let mut behind = Words::default();
        if inner_end == Some(b'>') {
            self.at += 1;
            // Words behind the address say nothing; another address does.
            let mark = self.at;
            let mut after = self.words();
            if after.words.iter().any(|word| word.at_sign.is_some()) {
                behind.words = std::mem::take(&mut after.words);
            }
            if mailbox.name.is_none() {
                mailbox.name = after.comment;
            }
            if self.text.get(self.at) == Some(&b':') && !self.in_group {
                self.at = mark.max(self.at) + 1;
            }
        }
        self.entries.push(Entry::Mailbox(mailbox));
        self.bare(behind);
        match self.text.get(self.at) {
            Some(b',') => self.at += 1,
            Some(b';') => {
                self.at += 1;
                if self.in_group {
                    self.in_group = false;
                    self.entries.push(Entry::GroupEnd);
                }
            }
            _ => {}
        }
    }

    /// Reads the address in angle brackets; gives what ended it.
    fn inner(&mut self, mailbox: &mut Mailbox) -> Option<u8> {
        let mut text = Vec::new();
        let mut at_sign = None;
        let mut end = None;
        while let Some(&b) = self.text.get(self.at) {
            match b {
                b'>' | b'<' | b',' => {
                    end = Some(b);
                    break;
                }
                b'"' => text.extend(self.quoted()),
                b'(' => self.at += comment(&self.text[self.at..]),
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                _ => {
                    if b == b'@' {
                        at_sign = Some(text.len());
                    }
                    text.push(b);
                    self.at += 1;
                }
            }
        }
        (mailbox.local, mailbox.host) = split_at_sign(text, at_sign);
        end
    }

    /// An address without angle brackets, or what stands in its place. Several without a comma between them are several:
    /// who reads only one must not overlook another.
    fn bare(&mut self, words: Words) {
        self.entries.extend(words.mailboxes().into_iter().map(Entry::Mailbox));
    }
}

impl Words {
    fn add(&mut self, word: Word, joins: bool) {
        // RFC 5322 §4.4: blanks round the `@`, and round the dots of the domain.
        let seam = |last: &Word| {
            let (end, start) = (last.text.last(), word.text.first());
            let is = |b: Option<&u8>, mark: u8| b == Some(&mark);
            joins
                || (!last.quoted && is(end, b'@'))
                || (!word.quoted && is(start, b'@'))
                || (last.at_sign.is_some() && (is(end, b'.') || is(start, b'.')))
        };
        match self.words.last_mut() {
            Some(last) if seam(last) => {
                if let Some(at) = word.at_sign {
                    last.at_sign = Some(last.text.len() + at);
                }
                last.text.extend_from_slice(&word.text);
                last.quoted &= word.quoted;
            }
            _ => self.words.push(word),
        }
    }

    fn phrase(&self) -> Vec<u8> {
        let words: Vec<&[u8]> = self.words.iter().map(|word| word.text.as_slice()).collect();
        words.join(&b' ')
    }

    /// As the name of the address that follows.
    fn name(self) -> Option<Vec<u8>> {
        let phrase = self.phrase();
        if phrase.is_empty() { self.comment } else { Some(phrase) }
    }

    /// As addresses: the words with an `@`, the others being the name of the last; without any, all of it is one.
    fn mailboxes(self) -> Vec<Mailbox> {
        if self.words.iter().all(|word| word.at_sign.is_none()) {
            let local = self.phrase();
            let found =
                (!local.is_empty()).then_some(Mailbox { name: self.comment, local, ..Mailbox::default() });
            return found.into_iter().collect();
        }
        let (addresses, words): (Vec<Word>, Vec<Word>) =
            self.words.into_iter().partition(|word| word.at_sign.is_some());
        let mut found: Vec<Mailbox> = addresses
            .into_iter()
            .map(|word| split_at_sign(word.text, word.at_sign))
            .map(|(local, host)| Mailbox { local, host, ..Mailbox::default() })
            .collect();
        if let Some(last) = found.last_mut() {
            last.name = Words { words, comment: self.comment }.name();
        }
        found
    }
}

fn split_at_sign(mut text: Vec<u8>, at_sign: Option<usize>) -> (Vec<u8>, Vec<u8>) {
    let Some(at) = at_sign else { return (text, Vec::new()) };
    let host = text.get(at + 1..).unwrap_or_default().to_vec();
    text.truncate(at);
    (text, host)
}

/// A comment's text, without its outer parentheses, escapes undone.
fn uncomment(text: &[u8]) -> Vec<u8> {
    let inner = text.strip_prefix(b"(").unwrap_or(text);
    let inner = inner.strip_suffix(b")").unwrap_or(inner);
    let mut out = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for &b in inner {
        if b == b'\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(b);
        }
    }
    out.trim_ascii().to_vec()
}
