//! FETCH (RFC 9051 §6.4.5): lists come out of the store's rows, octet for octet as they were prepared at delivery;
//! a message is opened only for what isn't in its row.

use super::account::{Account, Outcome, Step};
use super::completion::{Completion, Status};
use super::section::{self, Content, Part};
use super::select::vanished_earlier;
use super::sync::{Expunges, Manner, Tell};
use super::view::View;
use super::{RUN_OCTETS, print};
use crate::mailstore::{Mailstore, Message};
use base::mailbox::{Columns, FlagEdit, MailError, Row};
use base::{Flag, Flags, MailId, MailboxId, ModSeq, Rights, Uid};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use wire::imap::Code;
use wire::imap::command::{Fetch, FetchItem, SectionText};
use wire::mime::LIST_FIELDS;

/// Rows looked at in one go: bounds how long a read of the store lasts where little comes of it.
const ROWS: usize = 20_000;

/// Rows prepared before their messages are opened.
const AHEAD: usize = 64;

/// Lists of header fields that are taken from a row; more come out of the opened message piece by piece, as each may
/// be as large as the whole header.
const ROW_HEADS: usize = 4;

/// A FETCH that goes on.
pub(super) struct Fetching {
    uid: bool,
    plan: Plan,
    changed_since: Option<ModSeq>,
    /// All messages asked for, and how many of them are done.
    uids: Vec<Uid>,
    at: usize,
    /// Where the last sequence number was found.
    hint: usize,
    /// Rows that exist.
    found: usize,
    /// Rows whose messages are to be opened.
    ready: VecDeque<Ready>,
    current: Option<Box<Current>>,
    /// Messages whose `\Seen` is to be set.
    seen: Vec<Uid>,
    /// A part had a transfer encoding that isn't known.
    unknown_encoding: bool,
}

/// What each answer holds.
struct Plan {
    columns: Columns,
    items: Vec<Item>,
    parts: Vec<Part>,
    marks_seen: bool,
    shows_flags: bool,
    recent: bool,
    uid_only: bool,
}

/// An item that the row alone gives.
enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    BodyStructure,
    ModSeq,
    EmailId,
    ThreadId,
    SaveDate,
    /// Header fields that every row holds.
    Head {
        label: Vec<u8>,
        names: Vec<String>,
    },
}

/// The beginning of an answer, and the message that the rest comes from.
struct Ready {
    uid: Uid,
    mail: MailId,
    begun: Vec<u8>,
    seen: bool,
}

/// A message whose parts are being sent.
struct Current {
    message: Box<dyn Message>,
    next: usize,
    content: Option<Content>,
}

impl Fetching {
    pub(super) fn new(account: &mut Account, fetch: Fetch, out: &mut Vec<u8>) -> Result<Self, Completion> {
        let mut uids = account.chosen(&fetch.set, fetch.uid)?;
        if let Some(partial) = fetch.partial {
            // RFC 9394 §3.4: first the piece, then what changed of it.
            uids = uids.get(partial.places(uids.len())).unwrap_or_default().to_vec();
        }
        let wants_modseq = fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq);
        // RFC 7162 §3.1
        account.enabled.condstore |= wants_modseq;
        if fetch.vanished {
            vanished(account, &fetch, out)?;
        }
        // RFC 4314 §4: without the right, reading leaves `\Seen` as it is.
        let may_mark = match account.view.as_ref().filter(|view| !view.read_only) {
            Some(view) => account.store.rights(view.mailbox)?.has(Rights::SEEN),
            None => false,
        };
        let mut plan = Plan::new(&fetch, wants_modseq, account.enabled.uid_only);
        plan.marks_seen &= may_mark;
        plan.recent = !account.enabled.rev2;
        Ok(Fetching {
            uid: fetch.uid,
            plan,
            changed_since: fetch.changed_since.map(ModSeq),
            uids,
            at: 0,
            hint: 0,
            found: 0,
            ready: VecDeque::new(),
            current: None,
            seen: Vec::new(),
            unknown_encoding: false,
        })
    }

    pub(super) fn manner(&self) -> Manner {
        Manner { expunges: if self.uid { Expunges::Told } else { Expunges::Held }, uid: self.uid }
    }

    pub(super) fn step(&mut self, account: &mut Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        let Some(view) = &mut account.view else {
            return Ok(Step::Done(Outcome::ok("FETCH completed").into()));
        };
        let store = &*account.store;
        while out.len() < RUN_OCTETS {
            if let Some(current) = &mut self.current {
                match current.step(&self.plan, out, &mut self.unknown_encoding) {
                    Ok(true) => self.current = None,
                    Ok(false) => {}
                    // Within a literal there is no way to say so.
                    Err(error) => return Ok(Step::Abort(error.to_string())),
                }
            } else if let Some(ready) = self.ready.pop_front() {
                self.open(store, view.mailbox, ready, out)?;
            } else if self.at < self.uids.len() {
                let full = self.scan(store, view, out)?;
                if !full && self.ready.is_empty() {
                    break;
                }
            } else {
                let done = self.outcome();
                account.fault = self.mark_seen(store, view).or(account.fault.take());
                return Ok(Step::Done(done.into()));
            }
        }
        account.fault = self.mark_seen(store, view).or(account.fault.take());
        Ok(Step::More)
    }

    /// Takes rows until the output is full (true), some messages wait to be opened, or enough rows were seen.
    fn scan(&mut self, store: &dyn Mailstore, view: &mut View, out: &mut Vec<u8>) -> Result<bool, MailError> {
        let Fetching { plan, uids, at, hint, found, ready, changed_since, .. } = self;
        let end = uids.len().min(*at + ROWS);
        let wanted = uids.get(*at..end).unwrap_or_default();
        let mut last = None;
        let mut scratch = Vec::new();
        // Octets of begun answers, kept while the client takes what comes before them.
        let mut begun_octets = 0;
        let is_full = |out: &Vec<u8>, ready: &VecDeque<Ready>, begun_octets: usize| {
            out.len() >= RUN_OCTETS || ready.len() >= AHEAD || begun_octets >= RUN_OCTETS
        };
        store.scan(view.mailbox, wanted, plan.columns, &mut |row| {
            *found += 1;
            last = Some(row.uid);
            let fits = changed_since.is_none_or(|since| row.modseq > since);
            if let Some(number) = view.sequence_from(hint, row.uid).filter(|_| fits) {
                if plan.shows_flags {
                    view.tell_keywords(row.flags, out);
                }
                if plan.parts.is_empty() {
                    plan.begin(number, row, view, out, &mut scratch);
                    out.extend_from_slice(b")\r\n");
                } else {
                    let mut begun = Vec::new();
                    plan.begin(number, row, view, &mut begun, &mut scratch);
                    begun_octets += begun.len();
                    let seen = row.flags.has(Flag::Seen);
                    ready.push_back(Ready { uid: row.uid, mail: row.mail, begun, seen });
                }
            }
            match is_full(out, ready, begun_octets) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let full = is_full(out, ready, begun_octets);
        *at = match last.filter(|_| full) {
            Some(last) => uids.partition_point(|uid| *uid <= last),
            None => end,
        };
        Ok(full || end == uids.len())
    }

    fn open(
        &mut self,
        store: &dyn Mailstore,
        mailbox: MailboxId,
        ready: Ready,
        out: &mut Vec<u8>,
    ) -> Result<(), MailError> {
        let message = match store.read(mailbox, ready.mail) {
            Ok(message) => message,
            // Expunged since the row was read.
            Err(MailError::NoMessage) => {
                self.found -= 1;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        out.extend_from_slice(&ready.begun);
        if self.plan.marks_seen && !ready.seen {
            self.seen.push(ready.uid);
        }
        self.current = Some(Box::new(Current { message, next: 0, content: None }));
        Ok(())
    }

    /// RFC 9051 §6.4.5: what was sent counts as read. The flags are told when the command ends. Where they can't be
    /// kept (a full disk), mail can be read all the same; gives what the log should know.
    fn mark_seen(&mut self, store: &dyn Mailstore, view: &View) -> Option<String> {
        let uids = std::mem::take(&mut self.seen);
        let mut flags = Flags::default();
        flags.set(Flag::Seen, true);
        if uids.is_empty() {
            return None;
        }
        store.store(view.mailbox, &uids, &FlagEdit::Add(flags), None).err().map(|error| error.to_string())
    }

    fn outcome(&self) -> Outcome {
        let missing = self.found < self.uids.len() && !self.uid;
        if self.unknown_encoding {
            return Completion::no("a part's transfer encoding is not known").code(Code::UnknownCte).into();
        }
        if missing {
            // RFC 2180 §4.1, RFC 5530
            let status = if self.found == 0 { Status::No } else { Status::Ok };
            let gone = Completion::ok("some messages have been deleted").code(Code::ExpungeIssued);
            return Completion { status, ..gone }.into();
        }
        Outcome::ok("FETCH completed")
    }
}

/// Tells first which of the messages asked for are gone (RFC 7162 §3.2.6).
fn vanished(account: &mut Account, fetch: &Fetch, out: &mut Vec<u8>) -> Result<(), Completion> {
    if !account.enabled.qresync {
        return Err(Completion::bad("QRESYNC was not enabled"));
    }
    let mut tell = Tell::default();
    account.update(Expunges::Told, &[], &mut tell)?;
    let (Some(view), Some(since)) = (&mut account.view, fetch.changed_since) else { return Ok(()) };
    tell.step(view, account.enabled, out, usize::MAX);
    let changes = account.store.changes(view.mailbox, ModSeq(since))?;
    // Those with the highest UIDs may be gone: `*` has to reach them.
    let known = fetch.set.resolve(changes.uid_next.0.saturating_sub(1).max(1));
    let saved = || view.saved.iter().copied().collect();
    vanished_earlier(view, &changes, Some(&known.unwrap_or_else(saved)), 0, out);
    Ok(())
}

impl Plan {
    fn new(fetch: &Fetch, wants_modseq: bool, uid_only: bool) -> Self {
        let mut items = Vec::new();
        let mut parts = Vec::new();
        let mut heads = 0;
        // RFC 9586 §3.3: UIDFETCH begins with it already.
        let adds_uid = fetch.uid && !uid_only;
        if adds_uid {
            items.push(Item::Uid);
        }
        if wants_modseq {
            items.push(Item::ModSeq);
        }
        for item in &fetch.items {
            match item {
                FetchItem::Uid if !adds_uid => items.push(Item::Uid),
                FetchItem::Uid | FetchItem::ModSeq => {}
                FetchItem::Flags => items.push(Item::Flags),
                FetchItem::InternalDate => items.push(Item::InternalDate),
                FetchItem::Rfc822Size => items.push(Item::Size),
                FetchItem::Envelope => items.push(Item::Envelope),
                FetchItem::BodyStructure => items.push(Item::BodyStructure),
                FetchItem::EmailId => items.push(Item::EmailId),
                FetchItem::ThreadId => items.push(Item::ThreadId),
                FetchItem::SaveDate => items.push(Item::SaveDate),
                item => match head_item(item).filter(|_| heads < ROW_HEADS) {
                    Some(head) => {
                        heads += 1;
                        items.push(head);
                    }
                    None => parts.extend(Part::new(item)),
                },
            }
        }
        let from_summary =
            |item: &Item| matches!(item, Item::Envelope | Item::BodyStructure | Item::Head { .. });
        Plan {
            columns: Columns { summary: items.iter().any(from_summary) },
            items,
            parts,
            shows_flags: fetch.items.contains(&FetchItem::Flags),
            marks_seen: fetch.items.iter().any(FetchItem::marks_seen),
            recent: false,
            uid_only,
        }
    }

    /// Appends an answer up to its last item from the row.
    fn begin(&self, number: u32, row: &Row<'_>, view: &View, out: &mut Vec<u8>, scratch: &mut Vec<u8>) {
        print::begin_fetch(out, number, row.uid, self.uid_only);
        for (place, item) in self.items.iter().enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            self.item(item, row, view, out, scratch);
        }
    }

    fn item(&self, item: &Item, row: &Row<'_>, view: &View, out: &mut Vec<u8>, scratch: &mut Vec<u8>) {
        match item {
            Item::Uid => named_number(out, b"UID ", u64::from(row.uid.0)),
            Item::Size => named_number(out, b"RFC822.SIZE ", row.size),
            Item::Flags => {
                out.extend_from_slice(b"FLAGS ");
                let recent = self.recent && view.is_recent(row.uid);
                print::flags(out, row.flags, recent.then_some("\\Recent"));
            }
            Item::InternalDate => {
                out.extend_from_slice(b"INTERNALDATE ");
                print::date_time(out, row.internal_date);
            }
            Item::SaveDate => {
                out.extend_from_slice(b"SAVEDATE ");
                print::date_time(out, row.saved);
            }
            Item::Envelope => {
                out.extend_from_slice(b"ENVELOPE ");
                out.extend_from_slice(row.summary.map_or(b"NIL", |summary| summary.envelope));
            }
            Item::BodyStructure => {
                out.extend_from_slice(b"BODYSTRUCTURE ");
                out.extend_from_slice(row.summary.map_or(b"NIL", |summary| summary.body_structure));
            }
            Item::ModSeq => {
                named_number(out, b"MODSEQ (", row.modseq.0);
                out.push(b')');
            }
            Item::EmailId => object(out, b"EMAILID (", b'M', row.mail.0),
            Item::ThreadId => object(out, b"THREADID (", b'T', row.thread.0),
            Item::Head { label, names } => {
                scratch.clear();
                let head = row.summary.map_or(&b""[..], |summary| summary.head);
                section::header_fields(head, names, false, scratch);
                out.extend_from_slice(label);
                named_number(out, b" {", scratch.len() as u64);
                out.extend_from_slice(b"}\r\n");
                out.extend_from_slice(scratch);
            }
        }
    }
}

fn named_number(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    print::number(out, value);
}

fn object(out: &mut Vec<u8>, name: &[u8], kind: u8, id: u64) {
    out.extend_from_slice(name);
    print::object_id(out, kind, id);
    out.push(b')');
}

/// The item as one that the row's head answers: fields of the message's own header, all of which the head keeps.
fn head_item(item: &FetchItem) -> Option<Item> {
    let FetchItem::BodySection { section, peek: true, partial: None } = item else { return None };
    let SectionText::HeaderFields { names, not: false } = &section.text else { return None };
    let kept = |name: &String| LIST_FIELDS.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    let answers = section.part.is_empty() && names.iter().all(kept);
    answers.then(|| Item::Head { label: section::section_label(section, None), names: names.clone() })
}

impl Current {
    /// Sends some; true when the answer is complete.
    fn step(
        &mut self,
        plan: &Plan,
        out: &mut Vec<u8>,
        unknown_encoding: &mut bool,
    ) -> Result<bool, MailError> {
        let failed = |error: std::io::Error| MailError::Unavailable(error.to_string());
        if let Some(content) = &mut self.content {
            if content.step(&*self.message, out).map_err(failed)? {
                self.content = None;
            }
            return Ok(false);
        }
        let Some(part) = plan.parts.get(self.next) else {
            out.extend_from_slice(b")\r\n");
            return Ok(true);
        };
        if self.next > 0 || !plan.items.is_empty() {
            out.push(b' ');
        }
        self.next += 1;
        out.extend_from_slice(part.label());
        out.push(b' ');
        match part.open(&*self.message)? {
            Some(content) => {
                content.begin(out);
                self.content = Some(content);
            }
            None => {
                *unknown_encoding = true;
                out.extend_from_slice(part.nothing());
            }
        }
        Ok(false)
    }
}
