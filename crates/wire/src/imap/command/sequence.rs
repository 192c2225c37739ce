//! Sets of message numbers and UIDs.

use base::Uid;
use std::ops::RangeInclusive;

/// A set as the client wrote it (RFC 9051 §9 `sequence-set`). Its size is bounded by the command's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceSet {
    /// `$`: the saved result of a search (RFC 5182).
    Saved,
    /// Numbers and ranges, at least one.
    Ranges(Vec<SeqRange>),
}

/// One number, or all between two, in either order. `None` is `*`, the largest in use. Never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeqRange {
    /// One end.
    pub from: Option<u32>,
    /// The other.
    pub to: Option<u32>,
}

impl SequenceSet {
    /// The numbers meant, `*` being `largest`: the number of messages, or the last message's UID (in an empty
    /// mailbox: 0 and UIDNEXT). `None` for `$`, which only the session knows.
    pub fn resolve(&self, largest: u32) -> Option<Ranges> {
        let SequenceSet::Ranges(ranges) = self else { return None };
        let ends = |range: &SeqRange| {
            let (a, b) = (range.from.unwrap_or(largest), range.to.unwrap_or(largest));
            a.min(b)..=a.max(b)
        };
        Some(ranges.iter().map(ends).collect())
    }

    /// The largest number written out, if there is one: to refuse message numbers beyond the mailbox's end.
    pub fn largest_number(&self) -> Option<u32> {
        let SequenceSet::Ranges(ranges) = self else { return None };
        ranges.iter().filter_map(|range| range.from.max(range.to)).max()
    }

    /// Whether `*` or `$` occurs.
    pub fn is_open(&self) -> bool {
        match self {
            SequenceSet::Saved => true,
            SequenceSet::Ranges(ranges) => {
                ranges.iter().any(|range| range.from.is_none() || range.to.is_none())
            }
        }
    }
}

/// Numbers in ascending ranges that neither overlap nor touch.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ranges(Vec<RangeInclusive<u32>>);

impl Ranges {
    /// Whether a number is among them.
    pub fn contains(&self, number: u32) -> bool {
        let after = self.0.partition_point(|range| *range.start() <= number);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|range| range.contains(&number))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = RangeInclusive<u32>> {
        self.0.iter().cloned()
    }

    /// Those of `uids` (ascending) that are among the numbers, with their places in `uids`. Costs a search a range
    /// and a step a match, however wide the ranges are.
    pub fn select<'a>(&'a self, uids: &'a [Uid]) -> impl Iterator<Item = (usize, Uid)> + 'a {
        self.0.iter().flat_map(move |range| {
            let first = uids.partition_point(|uid| uid.0 < *range.start());
            let of_range =
                uids.iter().enumerate().skip(first).take_while(move |(_, uid)| uid.0 <= *range.end());
            of_range.map(|(at, uid)| (at, *uid))
        })
    }
}

impl FromIterator<RangeInclusive<u32>> for Ranges {
    fn from_iter<T: IntoIterator<Item = RangeInclusive<u32>>>(ranges: T) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u32>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => merged.push(range),
            }
        }
        Ranges(merged)
    }
}

impl FromIterator<Uid> for Ranges {
    fn from_iter<T: IntoIterator<Item = Uid>>(uids: T) -> Self {
        uids.into_iter().map(|uid| uid.0..=uid.0).collect()
    }
}
