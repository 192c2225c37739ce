//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3), with what CONDSTORE and QRESYNC add (RFC 7162).

use super::account::{Account, Outcome};
use super::completion::Completion;
use super::print;
use super::sync::Tell;
use super::view::View;
use base::mailbox::{Changed, Changes, MailboxInfo, Opened};
use base::{ModSeq, Rights, Uid};
use std::ops::RangeInclusive;
use wire::imap::Code;
use wire::imap::command::{Qresync, Ranges, Select, SequenceSet};

/// With any of these, a mailbox is open for more than reading (RFC 4314 §5.2).
const READ_WRITE: Rights =
    Rights::INSERT.and(Rights::EXPUNGE).and(Rights::SEEN).and(Rights::WRITE).and(Rights::DELETE);

impl Account {
    /// Closes what was selected, then opens. Where that fails, nothing is selected any more.
    pub(super) fn select(&mut self, select: &Select, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        if self.view.take().is_some() {
            // RFC 9051 §7.1: what follows is of the new mailbox.
            out.extend_from_slice(b"* OK [CLOSED] previous mailbox is closed\r\n");
        }
        if select.condstore || select.qresync.is_some() {
            self.enabled.condstore = true;
        }
        if select.qresync.is_some() && !self.enabled.qresync {
            return Err(Completion::bad("QRESYNC was not enabled"));
        }
        let info = self.find(&select.mailbox)?;
        let mailbox =
            info.mailbox.ok_or_else(|| Completion::no("no such mailbox").code(Code::NonExistent))?;
        let opened = self.store.open(mailbox)?;
        let rights = self.store.rights(mailbox)?;
        let read_only = select.read_only || !rights.has_any(READ_WRITE);
        let changeable = if read_only { Rights::NONE } else { rights };
        self.describe(&info, &opened, changeable, out);
        self.modseq_told |= self.enabled.condstore;
        let status = opened.status;
        let mut view = View::new(mailbox, read_only, rights, opened);
        if read_only {
            view.add_last_recent(status.recent);
        } else {
            view.add_recent(self.store.claim_recent(mailbox, status.uid_next)?);
        }
        print::numbered(out, view.exists(), "EXISTS");
        if !self.enabled.rev2 {
            print::numbered(out, view.recent(), "RECENT");
        }
        let mut changed = Vec::new();
        if let Some(known) = select.qresync.as_ref().filter(|known| known.uid_validity == status.uid_validity)
        {
            let changes = self.store.changes(mailbox, ModSeq(known.modseq))?;
            changed = resynchronise(&view, known, changes, out);
        }
        self.view = Some(Box::new(view));
        let code = if read_only { Code::ReadOnly } else { Code::ReadWrite };
        let text = if select.read_only { "EXAMINE completed" } else { "SELECT completed" };
        Ok(Outcome {
            completion: Completion::ok(text).code(code),
            tell: Tell::flags(changed, true),
            own: Vec::new(),
        })
    }

    /// The untagged data that every SELECT gives, EXISTS and RECENT left out.
    fn describe(&self, info: &MailboxInfo, opened: &Opened, rights: Rights, out: &mut Vec<u8>) {
        let status = &opened.status;
        out.extend_from_slice(b"* FLAGS (");
        print::flag_names(out, &opened.keywords);
        out.extend_from_slice(b")\r\n");
        print::permanent_flags(out, rights, &opened.keywords);
        let first_unseen = opened.first_unseen.and_then(|uid| opened.uids.binary_search(&uid).ok());
        if let Some(place) = first_unseen.filter(|_| !self.enabled.rev2 && !self.enabled.uid_only) {
            code(out, "UNSEEN", place as u64 + 1, "first unseen message");
        }
        code(out, "UIDVALIDITY", u64::from(status.uid_validity.0), "UIDs are valid");
        code(out, "UIDNEXT", u64::from(status.uid_next.0), "next UID");
        code(out, "HIGHESTMODSEQ", status.highest_modseq.0, "last change");
        if let Some(mailbox) = info.mailbox {
            out.extend_from_slice(b"* OK [MAILBOXID (");
            print::object_id(out, b'F', mailbox.0);
            out.extend_from_slice(b")] mailbox id\r\n");
        }
        // RFC 4467 §8
        out.extend_from_slice(b"* OK [URLMECH INTERNAL] how URLs are authorized\r\n");
        if self.enabled.rev2 {
            // RFC 9051 §6.3.2: the name as LIST would show it.
            self.list_line(info, "LIST", &[], None, out);
        }
    }
}

fn code(out: &mut Vec<u8>, name: &str, value: u64, text: &str) {
    out.extend_from_slice(b"* OK [");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    print::number(out, value);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Tells what vanished since the client was here last, and gives what changed (RFC 7162 §3.2.5).
fn resynchronise(view: &View, known: &Qresync, changes: Changes, out: &mut Vec<u8>) -> Vec<Changed> {
    let known_uids = known.known_uids.as_ref().and_then(|set| set.resolve(u32::MAX));
    let mut floor = 0;
    if let Some((numbers, uids)) = known.known_numbers.as_ref().filter(|_| !changes.complete) {
        floor = matching_up_to(view, numbers, uids);
    }
    vanished_earlier(view, &changes, known_uids.as_ref(), floor, out);
    let wanted = |entry: &Changed| {
        known_uids.as_ref().is_none_or(|set| set.contains(entry.uid.0)) && view.sequence(entry.uid).is_some()
    };
    let mut changed = changes.changed;
    changed.retain(wanted);
    changed
}

/// The UID up to which the client's numbers are still right, so that nothing below is gone (RFC 7162 §3.2.5.2).
fn matching_up_to(view: &View, numbers: &SequenceSet, uids: &SequenceSet) -> u32 {
    let (Some(numbers), Some(uids)) = (numbers.resolve(0), uids.resolve(0)) else { return 0 };
    let pairs = numbers.iter().flatten().zip(uids.iter().flatten());
    let right = |(number, uid): &(u32, u32)| view.uids().get(*number as usize - 1) == Some(&Uid(*uid));
    pairs.take_while(right).last().map_or(0, |(_, uid)| uid)
}

/// Appends `* VANISHED (EARLIER) …` with those of `known` (all, where there is none) above `floor` that are gone;
/// nothing where none is (RFC 7162 §3.2.10).
pub(super) fn vanished_earlier(
    view: &View,
    changes: &Changes,
    known: Option<&Ranges>,
    floor: u32,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(b"* VANISHED (EARLIER) ");
    let prefix = out.len();
    if changes.complete {
        let wanted = |uid: &&Uid| uid.0 > floor && known.is_none_or(|set| set.contains(uid.0));
        let still_there = |uid: &&Uid| view.uids().binary_search(uid).is_ok();
        let vanished = changes.vanished.iter().filter(wanted).filter(|uid| !still_there(uid));
        print::set(out, vanished.map(|uid| uid.0));
    } else {
        let everything = Ranges::from_iter([1..=u32::MAX]);
        for range in common(gaps(view.uids(), changes.uid_next), known.unwrap_or(&everything)) {
            let first = (*range.start()).max(floor.saturating_add(1));
            if first <= *range.end() {
                if out.len() > prefix {
                    out.push(b',');
                }
                print::range(out, first, *range.end());
            }
        }
    }
    match out.len() > prefix {
        true => out.extend_from_slice(b"\r\n"),
        false => out.truncate(start),
    }
}

/// The UIDs below `next` that no message has.
fn gaps(uids: &[Uid], next: Uid) -> impl Iterator<Item = RangeInclusive<u32>> {
    let before = std::iter::once(0).chain(uids.iter().map(|uid| uid.0));
    let after = uids.iter().map(|uid| uid.0).chain(std::iter::once(next.0));
    before.zip(after).filter(|(a, b)| b.saturating_sub(*a) > 1).map(|(a, b)| a + 1..=b - 1)
}

/// What the ranges of both sides have in common; both ascend.
fn common(left: impl Iterator<Item = RangeInclusive<u32>>, right: &Ranges) -> Vec<RangeInclusive<u32>> {
    let mut both = Vec::new();
    let mut right = right.iter().peekable();
    for range in left {
        while let Some(other) = right.peek() {
            let (first, last) = ((*range.start()).max(*other.start()), (*range.end()).min(*other.end()));
            if first <= last {
                both.push(first..=last);
            }
            if other.end() > range.end() {
                break;
            }
            right.next();
        }
    }
    both
}
