//! What other sessions did, told to this client: EXPUNGE or VANISHED, EXISTS, and FETCH with flags.

use super::Enabled;
use super::print::{self, Unsolicited};
use super::view::View;
use crate::mailstore::Mailstore;
use base::mailbox::{Changed, MailError};
use base::{ModSeq, Uid};
use std::vec::IntoIter;
use wire::imap::Code;
use wire::imap::response::Status;

/// Whether a command may be answered with expunges: not FETCH, STORE, SEARCH by message number (RFC 9051 §7.5.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expunges {
    Told,
    Held,
}

/// How changes are told with a command's end.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) expunges: Expunges,
    /// The command is a UID one: FETCH lines hold the UID (RFC 9051 §6.4.9).
    pub(super) uid: bool,
}

impl Manner {
    /// That of most commands.
    pub(super) const PLAIN: Manner = Manner { expunges: Expunges::Told, uid: false };
}

/// Lines that are still to be sent before a command is over. The view has taken the changes in already.
#[derive(Default)]
pub(super) struct Tell {
    /// Sequence numbers as they were, ascending; sent from the last on, so that each is right when it is sent.
    expunged: Vec<u32>,
    /// Lines that come first: what may be changed, and what leaves the results of searches that are followed, by numbers as they were.
    left: Vec<u8>,
    vanished: Vec<Uid>,
    exists: Option<Exists>,
    changed: IntoIter<Changed>,
    /// The MODSEQ up to which the client knows all; told last, where FETCH lines don't tell it rightly.
    pub(super) highest: Option<ModSeq>,
    /// Whether FETCH lines hold the UID: the command is a UID one, or QRESYNC is on (RFC 7162 §3.2.3).
    pub(super) with_uid: bool,
    hint: usize,
}

struct Exists {
    messages: u32,
    recent: u32,
}

impl Tell {
    /// Nothing but the flags of these messages, ascending.
    pub(super) fn flags(changed: Vec<Changed>, with_uid: bool) -> Self {
        Tell { changed: changed.into_iter(), with_uid, ..Tell::default() }
    }

    /// Appends lines until all are sent (true) or `out` has reached `limit`.
    pub(super) fn step(
        &mut self,
        view: &mut View,
        enabled: Enabled,
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        out.append(&mut self.left);
        if !self.vanished.is_empty() {
            out.extend_from_slice(b"* VANISHED ");
            print::uid_set(out, &std::mem::take(&mut self.vanished));
            out.extend_from_slice(b"\r\n");
        }
        while let Some(number) = self.expunged.pop() {
            if out.len() >= limit {
                self.expunged.push(number);
                return false;
            }
            print::numbered(out, number, "EXPUNGE");
        }
        if let Some(exists) = self.exists.take() {
            print::numbered(out, exists.messages, "EXISTS");
            // RFC 9051 Appendix E: RECENT is gone.
            if !enabled.rev2 {
                print::numbered(out, exists.recent, "RECENT");
            }
        }
        let with = Unsolicited {
            uid: self.with_uid || enabled.qresync,
            modseq: enabled.condstore,
            uid_only: enabled.uid_only,
        };
        loop {
            if out.len() >= limit && self.changed.len() > 0 {
                return false;
            }
            let Some(entry) = self.changed.next() else { break };
            if let Some(number) = view.sequence_from(&mut self.hint, entry.uid) {
                view.tell_keywords(&entry.flags, out);
                print::flags_changed(out, number, &entry, view.is_recent(entry.uid) && !enabled.rev2, with);
            }
        }
        if let Some(highest) = self.highest.take() {
            print::status(out, None, Status::Ok, Some(&Code::HighestModSeq(highest)), "all is told up to it");
        }
        true
    }
}

/// Brings the view up to date and adds to `tell` what the client is to know.
///
/// Changes listed in `own` (ascending) were told or are not to be told, unless they were followed by others.
pub(super) fn sync(
    store: &dyn Mailstore,
    view: &mut View,
    enabled: Enabled,
    expunges: Expunges,
    own: &[(Uid, ModSeq)],
    tell: &mut Tell,
) -> Result<(), MailError> {
    let changes = store.changes(view.mailbox, view.since)?;
    view.tell_rights(store.rights(view.mailbox)?, &mut tell.left);
    if changes.complete {
        view.lose(changes.vanished);
    } else {
        let left = store.open(view.mailbox)?.uids;
        let lost: Vec<Uid> =
            view.uids().iter().filter(|uid| left.binary_search(uid).is_err()).copied().collect();
        view.lose(lost);
    }
    let before = std::mem::replace(&mut view.since, changes.highest_modseq);
    let known = view.uids().last().copied();
    let arrived = changes.changed.partition_point(|entry| known.is_some_and(|last| entry.uid <= last));
    let mut changed = changes.changed;
    let added = view.add(&changed[arrived..]);
    view.contexts.touch(changed.iter().map(|entry| entry.uid));
    if added {
        // It may have been found for being the last one.
        view.contexts.touch(known);
    }
    changed.truncate(arrived);
    let is_own = |entry: &Changed| {
        let place = own.binary_search_by_key(&entry.uid, |(uid, _)| *uid);
        place.ok().and_then(|at| own.get(at)).is_some_and(|(_, modseq)| *modseq == entry.modseq)
    };
    changed.retain(|entry| !is_own(entry) && !view.is_gone(entry.uid));
    if added {
        if view.read_only {
            view.add_last_recent(store.status(view.mailbox)?.recent);
        } else {
            view.add_recent(store.claim_recent(view.mailbox, changes.uid_next)?);
        }
    }
    if expunges == Expunges::Told {
        view.tell_left(&mut tell.left);
        let (numbers, uids) = view.drop_gone();
        // RFC 7162 §3.2.10, RFC 9586 §3.4
        match enabled.qresync || enabled.uid_only {
            true => tell.vanished = uids,
            false => tell.expunged = numbers,
        }
        tell.highest = view.held.take().map(|_| view.since).filter(|_| enabled.qresync);
    } else if view.has_gone() {
        // RFC 7162 §3.2: a client that lost the connection now would go by the MODSEQ of a FETCH and never hear of
        // the expunge before it.
        tell.highest = Some(*view.held.get_or_insert(before)).filter(|_| enabled.qresync);
    }
    if added {
        tell.exists = Some(Exists { messages: view.exists(), recent: view.recent() });
    }
    let mut all: Vec<Changed> = std::mem::take(&mut tell.changed).collect();
    if all.is_empty() {
        all = changed;
    } else if !changed.is_empty() {
        // Both ascend; where both have an entry, the later one holds.
        all.append(&mut changed);
        all.sort_by_key(|entry| (entry.uid, std::cmp::Reverse(entry.modseq)));
        all.dedup_by_key(|entry| entry.uid);
    }
    tell.changed = all.into_iter();
    Ok(())
}
