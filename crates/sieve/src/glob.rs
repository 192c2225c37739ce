//! Patterns of `:matches` (RFC 5228 §2.7.1): `*` stands for any text, `?` for one octet, `\` takes the meaning of
//! what follows.

use std::ops::Range;

/// Octets that were compared, and how many may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    done: u64,
    allowed: u64,
}

/// How many octets a plain search passes in the time of one comparison.
const FAST: usize = 8;

impl Work {
    pub(crate) fn allow(allowed: u64) -> Self {
        Work { done: 0, allowed }
    }

    pub(crate) fn add(&mut self, octets: usize) {
        self.done = self.done.saturating_add(octets as u64);
    }

    /// For a search that the library does.
    pub(crate) fn add_search(&mut self, octets: usize) {
        self.add(octets / FAST + 1);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// Whether more was done than is allowed: what was found so far counts for nothing then.
    pub(crate) fn is_over(&self) -> bool {
        self.done > self.allowed
    }
}

/// A pattern, ready to be matched against octets.
///
/// Each `*` takes as little as it can (RFC 5229 §3.2): the stretch behind it is looked for from left to right, and
/// never looked for again further left. So the cost is at most the text's length times the pattern's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Glob {
    /// What stands between the stars: one stretch more than there are stars.
    stretches: Vec<Stretch>,
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Stretch {
    /// `None` is `?`.
    octets: Vec<Option<u8>>,
    /// The octets where there is no `?`.
    plain: Option<Box<[u8]>>,
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let mut stretches = vec![Stretch::default()];
        let mut octets = pattern.bytes();
        while let Some(octet) = octets.next() {
            let token = match octet {
                b'*' => {
                    stretches.push(Stretch::default());
                    continue;
                }
                b'?' => None,
                b'\\' => Some(octets.next().unwrap_or(b'\\')),
                other => Some(other),
            };
            if let Some(last) = stretches.last_mut() {
                last.octets.push(token);
            }
        }
        for stretch in &mut stretches {
            stretch.plain =
                stretch.octets.iter().copied().collect::<Option<Vec<u8>>>().map(Vec::into_boxed_slice);
        }
        Glob { stretches }
    }

    /// What each wildcard stands for, in order; `None` if the text does not match. Where
    /// `work` is over, the answer means nothing.
    pub(crate) fn captures(&self, text: &[u8], work: &mut Work) -> Option<Vec<Range<usize>>> {
        let mut captures = Vec::new();
        let (first, others) = self.stretches.split_first()?;
        if !first.is_at(text, 0, work) {
            return None;
        }
        first.wildcards(0, &mut captures);
        let mut at = first.octets.len();
        let Some((last, middle)) = others.split_last() else {
            return (at == text.len()).then_some(captures);
        };
        for stretch in middle {
            let found = stretch.find(text, at, work)?;
            captures.push(at..found);
            stretch.wildcards(found, &mut captures);
            at = found + stretch.octets.len();
        }
        let end = text.len().checked_sub(last.octets.len()).filter(|end| *end >= at)?;
        if !last.is_at(text, end, work) {
            return None;
        }
        captures.push(at..end);
        last.wildcards(end, &mut captures);
        Some(captures)
    }
}

impl Stretch {
    fn is_at(&self, text: &[u8], at: usize, work: &mut Work) -> bool {
        let Some(found) = text.get(at..).and_then(|rest| rest.get(..self.octets.len())) else { return false };
        let same =
            found.iter().zip(&self.octets).take_while(|(b, token)| token.is_none_or(|t| t == **b)).count();
        work.add(same + 1);
        same == self.octets.len()
    }

    /// The first place from `from` on.
    fn find(&self, text: &[u8], from: usize, work: &mut Work) -> Option<usize> {
        let rest = text.get(from..)?;
        if let Some(plain) = &self.plain {
            let found = memchr::memmem::find(rest, plain);
            work.add_search(found.unwrap_or(rest.len()));
            return found.map(|at| from + at);
        }
        let last = text.len().checked_sub(self.octets.len())?;
        for at in from..=last {
            if self.is_at(text, at, work) {
                return Some(at);
            }
            if work.is_over() {
                return None;
            }
        }
        None
    }

    fn wildcards(&self, at: usize, captures: &mut Vec<Range<usize>>) {
        let one =
            |(index, token): (usize, &Option<u8>)| token.is_none().then_some(at + index..at + index + 1);
        captures.extend(self.octets.iter().enumerate().filter_map(one));
    }
}

#[cfg(test)]
mod tests;
