//! Patterns of LIST and LSUB.

use base::mail::SEPARATOR;

/// A pattern of mailbox names (RFC 9051 §6.3.9): `*` stands for anything, `%` for anything within one level.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListPattern {
    /// The pattern in UTF-8, the reference in front of it; `None` for one that can't match any name: too long, too
    /// many wildcards, or no modified UTF-7.
    text: Option<String>,
    /// Whether the pattern itself was the empty string.
    empty: bool,
}

impl ListPattern {
    /// The longest pattern that can match, in octets.
    pub const MAX_OCTETS: usize = 1000;

    /// The most wildcards in a pattern that can match: each costs a look at the whole of every name.
    pub const MAX_WILDCARDS: usize = 10;

    /// Joins a reference and a pattern, both in UTF-8; `None` for a text that isn't any.
    pub fn new(reference: Option<String>, pattern: Option<String>) -> Self {
        let empty = pattern.as_deref() == Some("");
        let text = reference.zip(pattern).map(|(reference, pattern)| reference + &pattern);
        let fits = |text: &String| {
            text.len() <= Self::MAX_OCTETS && text.matches(['*', '%']).count() <= Self::MAX_WILDCARDS
        };
        ListPattern { text: text.filter(fits), empty }
    }

    /// Whether the pattern was `""`: the client asks for the separator and the reference's root, which is `""`.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// Whether a name matches. INBOX is matched in any case (RFC 9051 §5.1).
    pub fn matches(&self, name: &str) -> bool {
        let Some(pattern) = &self.text else { return false };
        if matches(pattern, name) {
            return true;
        }
        let level = |text: &str| text.find(SEPARATOR).unwrap_or(text.len());
        let is_inbox = name.get(..level(name)) == Some("INBOX");
        // Only letters of the pattern's first level can be INBOX's.
        let (first, rest) = pattern.split_at(level(pattern));
        is_inbox && matches(&(first.to_ascii_uppercase() + rest), name)
    }
}

/// Matches by the set of places in the name that the pattern so far can end at: no backtracking, so no pattern
/// costs more than its length times the name's.
fn matches(pattern: &str, name: &str) -> bool {
    let name = name.as_bytes();
    let mut places = vec![false; name.len() + 1];
    places[0] = true;
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let literal = rest.find(['*', '%']).unwrap_or(rest.len());
        if literal > 0 {
            places = after_literal(&places, name, &rest.as_bytes()[..literal]);
            rest = &rest[literal..];
        } else {
            spread(&mut places, name, next == '*');
            rest = &rest[1..];
        }
    }
    places.last() == Some(&true)
}

fn after_literal(places: &[bool], name: &[u8], literal: &[u8]) -> Vec<bool> {
    let mut after = vec![false; places.len()];
    for (at, _) in places.iter().enumerate().filter(|(_, can)| **can) {
        let fits = name.get(at..).is_some_and(|rest| rest.starts_with(literal));
        if let Some(place) = after.get_mut(at + literal.len()).filter(|_| fits) {
            *place = true;
        }
    }
    after
}

fn spread(places: &mut [bool], name: &[u8], over_levels: bool) {
    let mut reached = false;
    for (at, place) in places.iter_mut().enumerate() {
        // The octet between the place before and this one.
        let passes = at.checked_sub(1).and_then(|before| name.get(before));
        *place |= reached && passes.is_some_and(|octet| over_levels || *octet != SEPARATOR as u8);
        reached = *place;
    }
}
