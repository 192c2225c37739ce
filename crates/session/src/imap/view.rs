//! The selected mailbox as its client sees it: which sequence number means which UID.
//!
//! A UID stays in its place until the client was told that it is gone, at a moment when the protocol allows it.

use super::context::Contexts;
use super::print;
use base::mailbox::Changed;
use base::{Flags, Keyword, MailboxId, ModSeq, Rights, Uid};
use wire::imap::command::{Ranges, SequenceSet};

/// Keywords that are remembered as told.
const MAX_KEYWORDS: usize = 1000;

/// A selected mailbox.
pub(super) struct View {
    /// Which.
    pub(super) mailbox: MailboxId,
    /// EXAMINE rather than SELECT, or no right to change anything.
    pub(super) read_only: bool,
    /// The account's rights, as far as the client was told what it may change.
    rights: Rights,
    /// All changes up to this one are in the view (or wait in `gone`).
    pub(super) since: ModSeq,
    /// The client's messages: sequence number n is at n - 1. Ascending.
    uids: Vec<Uid>,
    /// Expunged, but the client doesn't know yet. Ascending, all in `uids`.
    gone: Vec<Uid>,
    /// While there are such: the last MODSEQ before them.
    pub(super) held: Option<ModSeq>,
    /// UIDs first announced to this session (RFC 3501 §2.3.2), as half-open ranges, ascending.
    recent: Vec<(Uid, Uid)>,
    /// Keywords that the client was told of by FLAGS.
    keywords: Vec<Keyword>,
    /// The result of the last search that was to be saved (RFC 5182). Ascending.
    pub(super) saved: Vec<Uid>,
    /// Searches that are followed.
    pub(super) contexts: Contexts,
}

impl View {
    /// A freshly opened mailbox.
    pub(super) fn new(
        mailbox: MailboxId,
        read_only: bool,
        rights: Rights,
        opened: base::mailbox::Opened,
    ) -> Self {
        let mut uids = opened.uids;
        uids.shrink_to_fit();
        View {
            mailbox,
            read_only,
            rights,
            since: opened.status.highest_modseq,
            uids,
            gone: Vec::new(),
            held: None,
            recent: Vec::new(),
            keywords: opened.keywords,
            saved: Vec::new(),
            contexts: Contexts::default(),
        }
    }

    /// The messages by UID, those included whose end the client doesn't know yet.
    pub(super) fn uids(&self) -> &[Uid] {
        &self.uids
    }

    /// How many messages the client knows.
    pub(super) fn exists(&self) -> u32 {
        self.uids.len() as u32
    }

    /// The sequence number of a UID. `hint` is the place where the last one was found, and is moved on: walking in
    /// order of UID costs a step each.
    pub(super) fn sequence_from(&self, hint: &mut usize, uid: Uid) -> Option<u32> {
        if self.uids.get(*hint) != Some(&uid) {
            *hint = self.uids.binary_search(&uid).ok()?;
        }
        *hint += 1;
        Some(*hint as u32)
    }

    /// The sequence number of a UID.
    pub(super) fn sequence(&self, uid: Uid) -> Option<u32> {
        let mut hint = usize::MAX;
        self.sequence_from(&mut hint, uid)
    }

    /// Those messages that are gone without the client knowing, ascending.
    pub(super) fn gone(&self) -> &[Uid] {
        &self.gone
    }

    /// Whether any message is gone without the client knowing.
    pub(super) fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Whether a message is known to be gone without the client knowing.
    pub(super) fn is_gone(&self, uid: Uid) -> bool {
        self.gone.binary_search(&uid).is_ok()
    }

    /// Takes in new messages, ascending; true if there were any.
    pub(super) fn add(&mut self, changed: &[Changed]) -> bool {
        let before = self.uids.len();
        for entry in changed {
            if self.uids.last().is_none_or(|last| *last < entry.uid) {
                self.uids.push(entry.uid);
            }
        }
        self.uids.len() > before
    }

    /// Notes that messages are gone; the numbers stay until [`View::drop_gone`].
    pub(super) fn lose(&mut self, vanished: impl IntoIterator<Item = Uid>) {
        self.gone.extend(vanished.into_iter().filter(|uid| self.uids.binary_search(uid).is_ok()));
        self.gone.sort_unstable();
        self.gone.dedup();
    }

    /// Takes the gone messages out; gives their sequence numbers, each as it is when the lower ones are still
    /// there, and their UIDs, both ascending.
    pub(super) fn drop_gone(&mut self) -> (Vec<u32>, Vec<Uid>) {
        let gone = std::mem::take(&mut self.gone);
        let mut hint = 0;
        let numbers = gone.iter().filter_map(|uid| self.sequence_from(&mut hint, *uid)).collect();
        if let Some(first) = gone.first() {
            let start = self.uids.partition_point(|uid| uid < first);
            let mut next = gone.iter().peekable();
            let mut kept = start;
            for at in start..self.uids.len() {
                let uid = self.uids[at];
                if next.next_if_eq(&&uid).is_none() {
                    self.uids[kept] = uid;
                    kept += 1;
                }
            }
            self.uids.truncate(kept);
            if self.uids.capacity() > 2 * kept + 64 {
                self.uids.shrink_to_fit();
            }
            self.saved.retain(|uid| gone.binary_search(uid).is_err());
        }
        (numbers, gone)
    }

    /// Remembers that messages from `first` up to the last one were first announced here.
    pub(super) fn add_recent(&mut self, first: Uid) {
        let Some(last) = self.uids.last() else { return };
        let end = Uid(last.0.saturating_add(1));
        if first < end {
            match self.recent.last_mut() {
                Some((_, known)) if first <= *known => *known = end,
                _ => self.recent.push((first, end)),
            }
        }
    }

    /// Appends what flags may be changed, where the rights are others than before (RFC 4314 §5.1.1).
    pub(super) fn tell_rights(&mut self, rights: Rights, out: &mut Vec<u8>) {
        let before = std::mem::replace(&mut self.rights, rights);
        if before != rights && !self.read_only {
            print::permanent_flags(out, rights, &self.keywords);
        }
    }

    /// Appends a FLAGS response where `flags` has keywords that the client knows nothing of (RFC 9051 §7.3.5).
    pub(super) fn tell_keywords(&mut self, flags: &Flags, out: &mut Vec<u8>) {
        if self.keywords.len() > MAX_KEYWORDS {
            // Most are no longer in use; those that are get told again.
            self.keywords.clear();
        }
        let known = self.keywords.len();
        for keyword in flags.keywords() {
            if !self.keywords.contains(keyword) {
                self.keywords.push(keyword.clone());
            }
        }
        if self.keywords.len() > known {
            out.extend_from_slice(b"* FLAGS (");
            print::flag_names(out, &self.keywords);
            out.extend_from_slice(b")\r\n");
        }
    }

    /// Remembers that so many of the last messages were not announced to a session that may write.
    pub(super) fn add_last_recent(&mut self, count: u32) {
        let first = self.uids.len().saturating_sub(count as usize);
        if let Some(first) = self.uids.get(first).copied() {
            self.add_recent(first);
        }
    }

    /// Whether a message was first announced to this session.
    pub(super) fn is_recent(&self, uid: Uid) -> bool {
        self.recent.iter().any(|(start, end)| (*start..*end).contains(&uid))
    }

    /// How many were.
    pub(super) fn recent(&self) -> u32 {
        let place = |uid: &Uid| self.uids.partition_point(|known| known < uid);
        self.recent.iter().map(|(start, end)| (place(end) - place(start)) as u32).sum()
    }
}

impl View {
    /// UIDs that hold the messages of a set and no others of this mailbox: as many ranges as the set has.
    pub(super) fn uid_ranges(&self, set: &SequenceSet, uid: bool) -> Ranges {
        let last = self.uids.last().map_or(0, |uid| uid.0);
        let at = |number: usize| number.checked_sub(1).and_then(|place| self.uids.get(place));
        match set.resolve(if uid { last } else { self.exists() }) {
            None => self.saved.iter().copied().collect(),
            Some(ranges) if uid => ranges,
            Some(ranges) => ranges
                .iter()
                .filter_map(|numbers| {
                    let first = at((*numbers.start() as usize).max(1))?;
                    let last = at((*numbers.end() as usize).min(self.uids.len()))?;
                    Some(first.0..=last.0)
                })
                .collect(),
        }
    }

    /// The messages that a set means, ascending; those that aren't there are left out.
    pub(super) fn chosen(&self, set: &SequenceSet, uid: bool) -> Vec<Uid> {
        let last = self.uids.last().map_or(0, |uid| uid.0);
        match set.resolve(if uid { last } else { self.exists() }) {
            None => self.saved.iter().copied().filter(|uid| self.uids.binary_search(uid).is_ok()).collect(),
            Some(ranges) if uid => ranges.select(&self.uids).map(|(_, uid)| uid).collect(),
            Some(ranges) => {
                let place = |number: u32| (number as usize).min(self.uids.len());
                let of_range = |range: std::ops::RangeInclusive<u32>| {
                    self.uids
                        .get(place(range.start().saturating_sub(1))..place(*range.end()))
                        .unwrap_or_default()
                };
                ranges.iter().flat_map(of_range).copied().collect()
            }
        }
    }
}
