//! What mailboxes are made of: names, special uses, flags and keywords.

use std::fmt;
use std::sync::Arc;

/// The hierarchy separator in mailbox names.
pub const SEPARATOR: char = '/';

/// A mailbox's full name in UTF-8, its levels separated by `/`, INBOX spelt `INBOX` (RFC 9051 §5.1).
///
/// No level is empty, none holds a control character, nothing is longer than [`MailboxName::MAX_OCTETS`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxName(Arc<str>);

/// Why a text is no mailbox name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    /// Nothing there, or an empty level.
    Empty,
    /// A control character, a line or paragraph separator, or a wildcard that LIST could not name again.
    Character,
    /// Too long, or nested too deep.
    TooLong,
}

impl MailboxName {
    /// The longest full name, in octets.
    pub const MAX_OCTETS: usize = 1000;
    /// The deepest nesting.
    pub const MAX_LEVELS: usize = 32;

    /// The one mailbox that every account has.
    pub fn inbox() -> Self {
        MailboxName("INBOX".into())
    }

    /// Checks a name. INBOX is recognised in any case, also as the first of several levels.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.split(SEPARATOR).any(str::is_empty) {
            return Err(NameError::Empty);
        }
        if name.len() > Self::MAX_OCTETS || name.split(SEPARATOR).count() > Self::MAX_LEVELS {
            return Err(NameError::TooLong);
        }
        // RFC 9051 §5.1: no controls, no U+2028, U+2029; `*` and `%` are LIST's wildcards.
        let barred = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '*' | '%');
        if name.contains(barred) {
            return Err(NameError::Character);
        }
        let (first, rest) = name.split_at(name.find(SEPARATOR).unwrap_or(name.len()));
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(MailboxName(format!("INBOX{rest}").into()));
        }
        Ok(MailboxName(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name one level up, if there is one.
    pub fn parent(&self) -> Option<MailboxName> {
        self.0.rfind(SEPARATOR).map(|at| MailboxName(self.0[..at].into()))
    }

    /// Whether `self` lies below `other` in the hierarchy.
    pub fn is_below(&self, other: &MailboxName) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.starts_with(SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a mailbox is for (RFC 6154 §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpecialUse {
    /// Mail put away for long keeping.
    Archive,
    /// Messages being written.
    Drafts,
    /// Spam.
    Junk,
    /// Copies of what was sent.
    Sent,
    /// What was deleted and may be wanted back.
    Trash,
}

impl SpecialUse {
    /// Every use, with the name of the mailbox that each account starts with.
    pub const ALL: [(SpecialUse, &'static str); 5] = [
        (SpecialUse::Archive, "Archive"),
        (SpecialUse::Drafts, "Drafts"),
        (SpecialUse::Junk, "Junk"),
        (SpecialUse::Sent, "Sent"),
        (SpecialUse::Trash, "Trash"),
    ];

    /// The attribute as LIST shows it, `\Sent` and so on.
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }

    /// Reads an attribute, in any case.
    pub fn from_attribute(text: &str) -> Option<Self> {
        Self::ALL.iter().map(|(kind, _)| *kind).find(|kind| kind.attribute().eq_ignore_ascii_case(text))
    }
}

/// A system flag (RFC 9051 §2.3.2). `\Recent` is none: it is what a session was told first, not kept with a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Flag {
    /// Read.
    Seen = 1,
    /// Answered.
    Answered = 2,
    /// Marked for attention.
    Flagged = 4,
    /// To be removed by EXPUNGE.
    Deleted = 8,
    /// Not finished.
    Draft = 16,
}

impl Flag {
    /// Every system flag with its name.
    pub const ALL: [(Flag, &'static str); 5] = [
        (Flag::Answered, "\\Answered"),
        (Flag::Flagged, "\\Flagged"),
        (Flag::Deleted, "\\Deleted"),
        (Flag::Seen, "\\Seen"),
        (Flag::Draft, "\\Draft"),
    ];
}

/// A keyword: an IMAP atom, compared without regard to ASCII case, shown as first written.
#[derive(Clone, Debug)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// The longest keyword, in octets.
    pub const MAX_OCTETS: usize = 100;

    /// Checks that the text is an atom (RFC 9051 §9) of bearable length.
    pub fn new(text: &str) -> Option<Self> {
        let atom = |b: u8| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b);
        let fits = !text.is_empty() && text.len() <= Self::MAX_OCTETS && text.bytes().all(atom);
        fits.then(|| Keyword(text.into()))
    }

    /// The keyword as first written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

/// A message's flags and keywords in one mailbox.
#[derive(Clone, Default, Debug)]
pub struct Flags {
    system: u8,
    keywords: Vec<Keyword>,
}

impl Flags {
    /// From the bits that [`Flags::system_bits`] gave; unknown bits are dropped.
    pub fn from_bits(bits: u8) -> Self {
        Flags { system: bits & 31, keywords: Vec::new() }
    }

    /// The system flags as bits, for storage.
    pub fn system_bits(&self) -> u8 {
        self.system
    }

    /// Whether a system flag is set.
    pub fn has(&self, flag: Flag) -> bool {
        self.system & flag as u8 != 0
    }

    /// Sets or clears a system flag.
    pub fn set(&mut self, flag: Flag, on: bool) {
        self.system = if on { self.system | flag as u8 } else { self.system & !(flag as u8) };
    }

    /// The keywords, in the order they were set.
    pub fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    /// Whether a keyword is set.
    pub fn has_keyword(&self, keyword: &Keyword) -> bool {
        self.keywords.contains(keyword)
    }

    /// Sets or clears a keyword.
    pub fn set_keyword(&mut self, keyword: &Keyword, on: bool) {
        match (on, self.keywords.iter().position(|k| k == keyword)) {
            (true, None) => self.keywords.push(keyword.clone()),
            (false, Some(at)) => drop(self.keywords.remove(at)),
            _ => {}
        }
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Flags) {
        self.system |= other.system;
        other.keywords.iter().for_each(|k| self.set_keyword(k, true));
    }

    /// Takes away all of `other`.
    pub fn remove(&mut self, other: &Flags) {
        self.system &= !other.system;
        self.keywords.retain(|k| !other.has_keyword(k));
    }

    /// The names of all that is set, system flags first: what FETCH FLAGS shows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let system = Flag::ALL.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name);
        system.chain(self.keywords.iter().map(Keyword::as_str))
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.system == other.system
            && self.keywords.len() == other.keywords.len()
            && self.keywords.iter().all(|k| other.has_keyword(k))
    }
}

impl Eq for Flags {}
