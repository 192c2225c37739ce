//! What someone may do in a mailbox (RFC 4314 §2.1).

use crate::{Flag, Flags};
use std::fmt;

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rights(u16);

/// Every right's letter, in the order of RFC 4314 §2.1; its place is its bit.
const LETTERS: &str = "lrswipkxtea";

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// `l`: the mailbox shows in LIST.
    pub const LOOKUP: Rights = Rights(1);
    /// `r`: SELECT and STATUS.
    pub const READ: Rights = Rights(1 << 1);
    /// `s`: `\Seen`.
    pub const SEEN: Rights = Rights(1 << 2);
    /// `w`: flags other than `\Seen` and `\Deleted`.
    pub const WRITE: Rights = Rights(1 << 3);
    /// `i`: APPEND and COPY into the mailbox.
    pub const INSERT: Rights = Rights(1 << 4);
    /// `p`: mail to an address of the mailbox's own; Mailward has none, and only keeps it.
    pub const POST: Rights = Rights(1 << 5);
    /// `k`: mailboxes below it.
    pub const CREATE: Rights = Rights(1 << 6);
    /// `x`: DELETE and RENAME.
    pub const DELETE_MAILBOX: Rights = Rights(1 << 7);
    /// `t`: `\Deleted`.
    pub const DELETE: Rights = Rights(1 << 8);
    /// `e`: EXPUNGE.
    pub const EXPUNGE: Rights = Rights(1 << 9);
    /// `a`: who else may do what.
    pub const ADMINISTER: Rights = Rights(1 << 10);
    /// All of them.
    pub const ALL: Rights = Rights((1 << LETTERS.len()) - 1);

    /// Reads letters; `c` and `d` stand for `kx` and `te` (RFC 4314 §2.1.1). `None` where one is no right.
    pub fn parse(text: &str) -> Option<Self> {
        let of = |letter| match letter {
            'c' => Some(Rights::CREATE.and(Rights::DELETE_MAILBOX)),
            'd' => Some(Rights::DELETE.and(Rights::EXPUNGE)),
            letter => LETTERS.find(letter).map(|place| Rights(1 << place)),
        };
        text.chars().try_fold(Rights::NONE, |rights, letter| Some(rights.and(of(letter)?)))
    }

    /// As the store keeps it.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// As the store kept it.
    pub fn from_bits(bits: u16) -> Self {
        Rights(bits & Rights::ALL.0)
    }

    /// Whether all of these are among them.
    pub fn has(self, all: Rights) -> bool {
        self.0 & all.0 == all.0
    }

    /// Whether any of these is.
    pub fn has_any(self, some: Rights) -> bool {
        self.0 & some.0 != 0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, more: Rights) -> Self {
        Rights(self.0 | more.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, less: Rights) -> Self {
        Rights(self.0 & !less.0)
    }

    /// The flags that may be what `wanted` says; the others stay as they are in `now` (RFC 4314 §4).
    #[must_use]
    pub fn limit(self, now: &Flags, wanted: Flags) -> Flags {
        if self.has(Rights::SEEN.and(Rights::WRITE).and(Rights::DELETE)) {
            return wanted;
        }
        let mut flags = if self.has(Rights::WRITE) { wanted.clone() } else { now.clone() };
        for (right, flag) in [(Rights::SEEN, Flag::Seen), (Rights::DELETE, Flag::Deleted)] {
            let from = if self.has(right) { &wanted } else { now };
            flags.set(flag, from.has(flag));
        }
        flags
    }

    /// Each right's letter.
    pub fn letters(self) -> impl Iterator<Item = char> {
        LETTERS
            .chars()
            .enumerate()
            .filter(move |(place, _)| self.0 & (1 << place) != 0)
            .map(|(_, letter)| letter)
    }
}

/// The letters, and `c` and `d` where a right is among them that these stand for (RFC 4314 §2.1.1).
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters().try_for_each(|letter| fmt::Write::write_char(f, letter))?;
        if self.has_any(Rights::CREATE.and(Rights::DELETE_MAILBOX)) {
            f.write_str("c")?;
        }
        if self.has_any(Rights::DELETE.and(Rights::EXPUNGE)) {
            f.write_str("d")?;
        }
        Ok(())
    }
}

/// How a list of rights changes (RFC 4314 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RightsEdit {
    /// `+`
    Add(Rights),
    /// `-`
    Remove(Rights),
    /// These and no others.
    Replace(Rights),
}

impl RightsEdit {
    /// Reads rights with a sign or without.
    pub fn parse(text: &str) -> Option<Self> {
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rights), _) => Rights::parse(rights).map(RightsEdit::Add),
            (_, Some(rights)) => Rights::parse(rights).map(RightsEdit::Remove),
            _ => Rights::parse(text).map(RightsEdit::Replace),
        }
    }

    /// What becomes of `rights`.
    pub fn of(self, rights: Rights) -> Rights {
        match self {
            RightsEdit::Add(more) => rights.and(more),
            RightsEdit::Remove(less) => rights.without(less),
            RightsEdit::Replace(new) => new,
        }
    }
}

/// A line of an access control list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclEntry {
    /// An account's address or `anyone`; with `-` in front, the rights are taken away.
    pub identifier: String,
    /// Which rights.
    pub rights: Rights,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keyword;

    #[test]
    fn letters() {
        // RFC 4314 §2.1.1
        for (text, shown) in [
            ("", Some("")),
            ("lr", Some("lr")),
            ("rwipslxetad", Some("lrswipxteacd")),
            ("lrswida", Some("lrswitead")),
            ("lrswikda", Some("lrswikteacd")),
            ("c", Some("kxc")),
            ("d", Some("ted")),
            ("lrq", None),
            ("lR", None),
            ("l0", None),
        ] {
            assert_eq!(Rights::parse(text).map(|rights| rights.to_string()).as_deref(), shown, "{text}");
        }
        assert_eq!(Rights::parse(LETTERS), Some(Rights::ALL));
    }

    #[test]
    fn edits() {
        for (before, edit, after) in
            [("lrswi", "+cda", "lrswikxtea"), ("lrswi", "-sw", "lri"), ("lrswi", "l", "l"), ("lr", "", "")]
        {
            let edited = RightsEdit::parse(edit).unwrap().of(Rights::parse(before).unwrap());
            assert_eq!(edited, Rights::parse(after).unwrap(), "{before} {edit}");
        }
        assert!(RightsEdit::parse("+Q").is_none());
    }

    /// RFC 4314 §4, COPY's example.
    #[test]
    fn flags() {
        let flags = |names: &[&str]| {
            let mut flags = Flags::default();
            for name in names {
                match Flag::ALL.iter().find(|(_, known)| known == name) {
                    Some((flag, _)) => flags.set(*flag, true),
                    None => flags.set_keyword(&Keyword::new(name).unwrap(), true),
                }
            }
            flags
        };
        for (rights, now, wanted, after) in [
            ("rwis", &[][..], &["\\Draft", "\\Deleted"][..], &["\\Draft"][..]),
            ("rwis", &[], &["$Forwarded", "\\Seen"], &["$Forwarded", "\\Seen"]),
            ("rsti", &[], &["\\Draft", "\\Deleted"], &["\\Deleted"]),
            ("rsti", &[], &["$Forwarded", "\\Seen"], &["\\Seen"]),
            ("lrw", &["\\Seen", "a"], &["\\Deleted", "b"], &["\\Seen", "b"]),
            ("lrt", &["\\Deleted", "\\Flagged"], &[], &["\\Flagged"]),
            ("lr", &["\\Deleted", "a"], &["b"], &["\\Deleted", "a"]),
        ] {
            let limited = Rights::parse(rights).unwrap().limit(&flags(now), flags(wanted));
            assert_eq!(limited, flags(after), "{rights} {now:?} {wanted:?}");
        }
    }
}
