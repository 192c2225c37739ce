//! Searches that are followed (RFC 5267 §4.3): the client is told what comes into a result and what leaves it.
//!
//! A change of the mailbox only marks messages as touched. [`super::search`] tests these anew before the command that
//! brought the change to light is over.

use super::account::{Account, Step};
use super::print;
use super::search::{Searching, no_update};
use super::view::View;
use base::Uid;
use base::mailbox::MailError;
use std::vec::IntoIter;
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
    /// The last message that was tested.
    seen: Uid,
}

/// What is still to be tested anew, one search after the other, so that the keys of one only are held ready.
#[derive(Default)]
pub(super) struct Again {
    /// New and changed messages, ascending.
    touched: Vec<Uid>,
    /// The searches whose turn is to come.
    tags: IntoIter<String>,
    current: Option<Box<Searching>>,
}

impl Again {
    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.current.is_none() && self.tags.len() == 0
    }

    /// Goes on. A search that can't be tested is followed no longer, and its client told so; the others go on.
    pub(super) fn step(&mut self, account: &mut Account, out: &mut Vec<u8>) {
        let failed = match &mut self.current {
            Some(searching) => match searching.step(account, out) {
                Ok(Step::More) => return,
                Ok(_) => None,
                Err(completion) => Some((searching.tag().to_owned(), completion.fault)),
            },
            None => {
                let Some(tag) = self.tags.next() else { return };
                match self.begin(account, &tag) {
                    Ok(searching) => {
                        self.current = searching.map(Box::new);
                        return;
                    }
                    Err(error) => Some((tag, Some(error.to_string()))),
                }
            }
        };
        self.current = None;
        if let Some((tag, fault)) = failed {
            account.fault = fault;
            account.end_context(&tag, out);
        }
    }

    fn begin(&self, account: &Account, tag: &str) -> Result<Option<Searching>, MailError> {
        let Some(view) = &account.view else { return Ok(None) };
        let Some(context) = view.contexts.all.iter().find(|context| context.tag == tag) else {
            return Ok(None);
        };
        let since = match is_fickle(&context.key) {
            true => 0,
            false => self.touched.partition_point(|uid| *uid <= context.seen),
        };
        match self.touched.get(since..) {
            None | Some([]) => Ok(None),
            Some(touched) => Searching::again(&*account.store, view, context, touched).map(Some),
        }
    }
}

/// Whether a message that was tested may come to fit, or cease to: by its flags, its place or the time.
fn is_fickle(key: &SearchKey) -> bool {
    match key {
        SearchKey::And(keys) => keys.iter().any(is_fickle),
        SearchKey::Or(one, other) => is_fickle(one) || is_fickle(other),
        SearchKey::Not(key) => is_fickle(key),
        SearchKey::Flag(_) | SearchKey::Keyword(_) | SearchKey::Recent | SearchKey::ModSeq(_) => true,
        SearchKey::Younger(_) | SearchKey::Older(_) => true,
        SearchKey::Uid(set) => set.is_open(),
        _ => false,
    }
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

    /// Follows a search whose result is `found`, of messages up to `seen`.
    pub(super) fn follow(&mut self, tag: String, uid: bool, key: SearchKey, found: Vec<Uid>, seen: Uid) {
        self.all.push(Context { tag, uid, key, found, seen });
    }

    /// The tags of searches that are told by message numbers.
    pub(super) fn numbered(&self) -> Vec<String> {
        self.all.iter().filter(|context| !context.uid).map(|context| context.tag.clone()).collect()
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

    /// What is to be tested anew; then no message counts as touched.
    pub(super) fn again(&mut self) -> Again {
        let mut touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Again::default();
        }
        touched.sort_unstable();
        touched.dedup();
        let tags: Vec<String> = self.all.iter().map(|context| context.tag.clone()).collect();
        Again { touched, tags: tags.into_iter(), current: None }
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
        context.seen = context.seen.max(touched.last().copied().unwrap_or(context.seen));
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

impl Account {
    /// Follows a search no longer, and tells the client so (RFC 5267 §4.3.1).
    pub(super) fn end_context(&mut self, tag: &str, out: &mut Vec<u8>) {
        if let Some(view) = &mut self.view {
            view.contexts.cancel(&[tag.to_owned()]);
            no_update(out, tag);
        }
    }
}
