//! Searches that are followed (RFC 5267 §4.3): the client is told what comes into a result and what leaves it.
//!
//! A change of the mailbox only marks messages as touched. [`super::search`] tests these anew before the command that
//! brought the change to light is over.

use super::print;
use super::view::View;
use base::Uid;
use wire::imap::command::{SearchKey, SeqRange, SequenceSet};

/// Searches that one connection may have followed.
const MAX_CONTEXTS: usize = 10;

/// Ranges of numbers in the keys of a search that is followed: they are kept as long as it is.
const MAX_RANGES: usize = 1000;

/// The searches of a selected mailbox that are followed.
#[derive(Default)]
pub(super) struct Contexts {
    all: Vec<Context>,
    /// Messages that are new or changed since the searches were tested.
    touched: Vec<Uid>,
}

/// A search that is followed.
pub(super) struct Context {
    pub(super) tag: String,
    /// Whether results are told as UIDs.
    pub(super) uid: bool,
    /// With message numbers as the UIDs that they meant when the search began.
    pub(super) key: SearchKey,
    /// The result, ascending.
    found: Vec<Uid>,
}

impl Contexts {
    /// Whether a search with this tag is followed.
    pub(super) fn has(&self, tag: &str) -> bool {
        self.all.iter().any(|context| context.tag == tag)
    }

    /// Whether one more can be followed.
    pub(super) fn has_room(&self) -> bool {
        self.all.len() < MAX_CONTEXTS
    }

    /// Follows a search whose result is `found`.
    pub(super) fn follow(&mut self, tag: String, uid: bool, key: SearchKey, found: Vec<Uid>) {
        self.all.push(Context { tag, uid, key, found });
    }

    /// Ends it for these tags; those that name none are let pass.
    pub(super) fn cancel(&mut self, tags: &[String]) {
        self.all.retain(|context| !tags.contains(&context.tag));
    }

    /// Notes new and changed messages.
    pub(super) fn touch(&mut self, uids: impl IntoIterator<Item = Uid>) {
        if !self.all.is_empty() {
            self.touched.extend(uids);
        }
    }

    /// The messages to test anew, ascending, each once; then none are left.
    pub(super) fn take_touched(&mut self) -> Vec<Uid> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// The searches: tag, whether in UIDs, keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Context> {
        self.all.iter()
    }

    /// Takes in which of `touched` fit a search now, `fitting` (both ascending); gives what came and what left.
    pub(super) fn settle(&mut self, tag: &str, touched: &[Uid], fitting: &[Uid]) -> (Vec<Uid>, Vec<Uid>) {
        let Some(context) = self.all.iter_mut().find(|context| context.tag == tag) else {
            return Default::default();
        };
        let is_in = |list: &[Uid], uid: &Uid| list.binary_search(uid).is_ok();
        let came: Vec<Uid> = fitting.iter().filter(|uid| !is_in(&context.found, uid)).copied().collect();
        let leaves = |uid: &&Uid| is_in(&context.found, uid) && !is_in(fitting, uid);
        let left: Vec<Uid> = touched.iter().filter(leaves).copied().collect();
        context.found.retain(|uid| !is_in(&left, uid));
        context.found.extend(&came);
        context.found.sort_unstable();
        (came, left)
    }
}

impl View {
    /// Takes messages that are gone out of the results, and appends what the client is to hear of that before it hears
    /// of the expunge (RFC 5267 §4.3.4).
    pub(super) fn tell_left(&mut self, out: &mut Vec<u8>) {
        let mut contexts = std::mem::take(&mut self.contexts);
        contexts.touched.retain(|uid| !self.is_gone(*uid));
        for context in &mut contexts.all {
            let is_in = |uid: &&Uid| context.found.binary_search(uid).is_ok();
            let left: Vec<Uid> = self.gone().iter().filter(is_in).copied().collect();
            context.found.retain(|uid| left.binary_search(uid).is_err());
            self.result_changed(out, &context.tag, context.uid, "REMOVEFROM", &left);
        }
        self.contexts = contexts;
    }

    /// Appends `* ESEARCH (TAG …) ADDTO (0 …)` or REMOVEFROM; nothing where there are no messages. The result of a
    /// search is in the mailbox's order, so its places need not be told (RFC 5267 §4.3.3).
    pub(super) fn result_changed(&self, out: &mut Vec<u8>, tag: &str, uid: bool, what: &str, uids: &[Uid]) {
        let mut hint = 0;
        let number = |found: &Uid| if uid { Some(found.0) } else { self.sequence_from(&mut hint, *found) };
        let numbers: Vec<u32> = uids.iter().filter_map(number).collect();
        if numbers.is_empty() {
            return;
        }
        print::begin_esearch(out, tag, uid);
        out.extend_from_slice(format!(" {what} (0 ").as_bytes());
        print::set(out, numbers);
        out.extend_from_slice(b")\r\n");
    }

    /// The key with its message numbers and the saved result as the UIDs that they mean now: messages may change their
    /// numbers, the result's meaning stays (RFC 5267 §4.3). `None` where it would take too much to keep.
    pub(super) fn lasting_key(&self, key: &SearchKey) -> Option<SearchKey> {
        self.lasting(key, &mut MAX_RANGES.clone())
    }

    /// Nesting is bounded by the parser.
    fn lasting(&self, key: &SearchKey, room: &mut usize) -> Option<SearchKey> {
        let boxed = |key: &SearchKey, room: &mut usize| self.lasting(key, room).map(Box::new);
        Some(match key {
            SearchKey::And(keys) => {
                SearchKey::And(keys.iter().map(|key| self.lasting(key, room)).collect::<Option<_>>()?)
            }
            SearchKey::Or(one, other) => SearchKey::Or(boxed(one, room)?, boxed(other, room)?),
            SearchKey::Not(key) => SearchKey::Not(boxed(key, room)?),
            SearchKey::Sequence(set) | SearchKey::Uid(set @ SequenceSet::Saved) => {
                let uids = self.uid_ranges(set, false);
                let ends = |range: std::ops::RangeInclusive<u32>| SeqRange {
                    from: Some(*range.start()),
                    to: Some(*range.end()),
                };
                let ranges: Vec<SeqRange> = uids.iter().map(ends).collect();
                *room = room.checked_sub(ranges.len())?;
                SearchKey::Uid(SequenceSet::Ranges(ranges))
            }
            SearchKey::Uid(SequenceSet::Ranges(ranges)) => {
                *room = room.checked_sub(ranges.len())?;
                key.clone()
            }
            key => key.clone(),
        })
    }
}
