//! Comparing texts: match types (RFC 5228 §2.7.1, RFC 5231, draft-ietf-sieve-regex) under comparators (RFC 4790,
//! RFC 5051).

use crate::Limits;
use crate::glob::{Glob, Work};
use crate::text::Text;
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;
use wire::mime;

/// How two texts are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Comparator {
    Octet,
    AsciiCasemap,
    AsciiNumeric,
    UnicodeCasemap,
}

impl Comparator {
    pub(crate) const ALL: [(&str, Comparator); 4] = [
        ("i;octet", Comparator::Octet),
        ("i;ascii-casemap", Comparator::AsciiCasemap),
        ("i;ascii-numeric", Comparator::AsciiNumeric),
        ("i;unicode-casemap", Comparator::UnicodeCasemap),
    ];

    fn order(self, a: &str, b: &str) -> Ordering {
        match self {
            Comparator::Octet => a.cmp(b),
            // RFC 4790 §9.2.1: lower case counts as upper case.
            Comparator::AsciiCasemap => {
                let upper = |text: &str| text.bytes().map(|b| b.to_ascii_uppercase()).collect::<Vec<_>>();
                upper(a).cmp(&upper(b))
            }
            Comparator::AsciiNumeric => Number::of(a).cmp(&Number::of(b)),
            Comparator::UnicodeCasemap => mime::casemap(a).cmp(&mime::casemap(b)),
        }
    }
}

/// A number of any length (RFC 4790 §9.1.1). What begins with no digit is above all numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Number<'a> {
    Finite(usize, &'a str),
    Infinite,
}

impl<'a> Number<'a> {
    fn of(text: &'a str) -> Self {
        let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
        match end {
            0 => Number::Infinite,
            _ => {
                let digits = text[..end].trim_start_matches('0');
                Number::Finite(digits.len(), digits)
            }
        }
    }
}

/// What a match must show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MatchType {
    Is,
    Contains,
    Matches,
    Regex,
    /// How many values there are (RFC 5231 §4.2).
    Count(Relation),
    /// How a value lies to the key (RFC 5231 §4.1).
    Value(Relation),
}

/// RFC 5231 §4
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Relation {
    Gt,
    Ge,
    Lt,
    Le,
    Eq,
    Ne,
}

impl Relation {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [
            ("gt", Relation::Gt),
            ("ge", Relation::Ge),
            ("lt", Relation::Lt),
            ("le", Relation::Le),
            ("eq", Relation::Eq),
            ("ne", Relation::Ne),
        ];
        all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, relation)| relation)
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Gt => order.is_gt(),
            Relation::Ge => order.is_ge(),
            Relation::Lt => order.is_lt(),
            Relation::Le => order.is_le(),
            Relation::Eq => order.is_eq(),
            Relation::Ne => order.is_ne(),
        }
    }
}

/// A text that is compared, with its folded forms once they were needed.
#[derive(Default, Debug)]
pub(crate) struct Value {
    text: String,
    lower: OnceCell<Box<str>>,
    unicode: OnceCell<Box<str>>,
}

impl Value {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Value { text: text.into(), lower: OnceCell::new(), unicode: OnceCell::new() }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn folded(&self, comparator: Comparator) -> &str {
        match comparator {
            Comparator::Octet | Comparator::AsciiNumeric => &self.text,
            Comparator::AsciiCasemap => self.lower.get_or_init(|| self.text.to_ascii_lowercase().into()),
            Comparator::UnicodeCasemap => self.unicode.get_or_init(|| mime::casemap(&self.text).into()),
        }
    }
}

/// The part of a test that compares: comparator, match type and keys.
#[derive(Debug)]
pub(crate) struct Matching {
    pub(crate) comparator: Comparator,
    pub(crate) match_type: MatchType,
    pub(crate) keys: Vec<Key>,
}

/// A key: ready, or to be made when its variables are known.
#[derive(Debug)]
pub(crate) enum Key {
    Ready(Pattern),
    Text(Text),
}

/// A key, prepared for its match type and comparator.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// For `:is` and `:contains` folded by the comparator, else as it stands.
    Plain(Box<str>),
    /// Folded by the comparator.
    Glob(Glob),
    Regex(Box<Machine>),
}

impl Pattern {
    /// # Errors
    /// A regular expression that is none, or that takes too much memory, in words.
    pub(crate) fn new(
        key: &str,
        match_type: MatchType,
        comparator: Comparator,
        limits: &Limits,
    ) -> Result<Self, String> {
        Ok(match match_type {
            MatchType::Is | MatchType::Contains => Pattern::Plain(fold(key, comparator).into()),
            MatchType::Count(_) | MatchType::Value(_) => Pattern::Plain(key.into()),
            MatchType::Matches => Pattern::Glob(Glob::new(&fold(key, comparator))),
            MatchType::Regex => Pattern::Regex(Box::new(Machine::new(key, comparator, limits)?)),
        })
    }

    /// Whether the value matches, and with `capture` what the wildcards stand for, the whole first.
    pub(crate) fn test(
        &self,
        value: &Value,
        how: &Matching,
        capture: bool,
        limits: &Limits,
        work: &mut Work,
    ) -> Found {
        match self {
            Pattern::Plain(key) => match how.match_type {
                MatchType::Is => Found::plain(is(value, key, how.comparator, work)),
                MatchType::Contains => {
                    let text = value.folded(how.comparator);
                    work.add_search(text.len());
                    Found::plain(memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some())
                }
                MatchType::Value(relation) | MatchType::Count(relation) => {
                    work.add(value.text.len());
                    Found::plain(relation.holds(how.comparator.order(&value.text, key)))
                }
                MatchType::Matches | MatchType::Regex => Found::No,
            },
            Pattern::Glob(glob) => {
                let Some(spans) = glob.captures(value.folded(how.comparator).as_bytes(), work) else {
                    return Found::No;
                };
                if !capture {
                    return Found::Yes;
                }
                let source = Source::of(value, how.comparator);
                let wildcards = spans.into_iter().map(|span| source.part(span.start, span.end));
                Found::Captured(std::iter::once(value.text.clone()).chain(wildcards).collect())
            }
            Pattern::Regex(machine) => {
                let text = cut(&value.text, limits.regex_text_octets);
                work.add(text.len().saturating_mul(machine.work));
                if !capture {
                    return Found::plain(machine.regex.is_match(text));
                }
                let Some(groups) = machine.regex.captures(text) else { return Found::No };
                let group =
                    |group: Option<regex::Match<'_>>| group.map_or(String::new(), |m| m.as_str().to_owned());
                Found::Captured(groups.iter().map(group).collect())
            }
        }
    }
}

/// A regular expression, ready.
#[derive(Debug)]
pub(crate) struct Machine {
    regex: Regex,
    /// What an octet of the text may cost at worst, in octets that are compared: it grows with the machine.
    work: usize,
}

impl Machine {
    /// # Errors
    /// As [`Pattern::new`].
    fn new(key: &str, comparator: Comparator, limits: &Limits) -> Result<Self, String> {
        let mut size = limits.regex_octets.min(SMALLEST_MACHINE);
        loop {
            match build(key, comparator, size) {
                Ok(regex) => return Ok(Machine { regex, work: size.div_ceil(MACHINE_OCTETS_PER_WORK) }),
                Err(regex::Error::CompiledTooBig(_)) if size < limits.regex_octets => {
                    size = limits.regex_octets.min(size.saturating_mul(4));
                }
                Err(regex::Error::CompiledTooBig(_)) => {
                    return Err("this regular expression is too large".to_owned());
                }
                Err(other) => {
                    let reason = other.to_string();
                    let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    return Err(format!("this is no regular expression: {last}"));
                }
            }
        }
    }
}

/// The size that is tried first, in octets of memory: most regular expressions fit.
const SMALLEST_MACHINE: usize = 4 * 1024;
/// Measured by `bench/sieve`: the worst texts cost 0.08 ns for each octet of text and of machine, a compared octet some
/// 15 ns of the budget.
const MACHINE_OCTETS_PER_WORK: usize = 170;

fn build(key: &str, comparator: Comparator, size: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(key)
        .case_insensitive(comparator != Comparator::Octet)
        .dot_matches_new_line(true)
        .nest_limit(50)
        .size_limit(size)
        .dfa_size_limit(DFA_OCTETS)
        .build()
}

/// Memory for the states of a regular expression that were met.
const DFA_OCTETS: usize = 128 * 1024;

/// What a match showed.
#[derive(Debug)]
pub(crate) enum Found {
    No,
    Yes,
    Captured(Vec<String>),
}

impl Found {
    pub(crate) fn is_match(&self) -> bool {
        !matches!(self, Found::No)
    }

    pub(crate) fn plain(yes: bool) -> Self {
        if yes { Found::Yes } else { Found::No }
    }
}

fn is(value: &Value, key: &str, comparator: Comparator, work: &mut Work) -> bool {
    work.add_search(value.text.len().min(key.len()));
    match comparator {
        Comparator::Octet => value.text == key,
        Comparator::AsciiCasemap => value.text.eq_ignore_ascii_case(key),
        Comparator::AsciiNumeric => Number::of(&value.text) == Number::of(key),
        Comparator::UnicodeCasemap => value.folded(comparator) == key,
    }
}

fn fold(text: &str, comparator: Comparator) -> Cow<'_, str> {
    match comparator {
        Comparator::Octet | Comparator::AsciiNumeric => Cow::Borrowed(text),
        Comparator::AsciiCasemap => Cow::Owned(text.to_ascii_lowercase()),
        Comparator::UnicodeCasemap => Cow::Owned(mime::casemap(text)),
    }
}

/// The beginning of a text, at most so many octets.
pub(crate) fn cut(text: &str, octets: usize) -> &str {
    let mut end = text.len().min(octets);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Finds the unfolded text of what a folded text matched.
struct Source<'a> {
    text: &'a str,
    /// Where folding moved things: for each octet of the folded text, and its end, the octet of the text.
    places: Option<Vec<usize>>,
}

impl<'a> Source<'a> {
    fn of(value: &'a Value, comparator: Comparator) -> Self {
        // Only Unicode's folding changes lengths.
        let moves = comparator == Comparator::UnicodeCasemap && !value.text.is_ascii();
        Source { text: &value.text, places: moves.then(|| places(&value.text)) }
    }

    fn part(&self, start: usize, end: usize) -> String {
        let place = |at: usize| match &self.places {
            Some(places) => places.get(at).copied().unwrap_or(self.text.len()),
            None => at,
        };
        let octets = self.text.as_bytes().get(place(start)..place(end)).unwrap_or_default();
        String::from_utf8_lossy(octets).into_owned()
    }
}

fn places(text: &str) -> Vec<usize> {
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut one = [0; 4];
    for (at, c) in text.char_indices() {
        let folded = mime::casemap(c.encode_utf8(&mut one)).len();
        places.extend(std::iter::repeat_n(at, folded));
    }
    places.push(text.len());
    places
}
