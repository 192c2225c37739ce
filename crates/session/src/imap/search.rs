//! SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256): rows are tested first; a message is opened only where its
//! row leaves the question open.

use super::account::{Account, Outcome, Step};
use super::completion::Completion;
use super::sort::{self, Sorted};
use super::sync::{Expunges, Manner};
use super::test::{Opened, Test};
use super::thread::{self, Threaded};
use super::view::View;
use super::{Enabled, print};
use crate::mailstore::Mailstore;
use base::mailbox::{Columns, MailError, Row, Summary};
use base::{Flags, MailId, ModSeq, ThreadId, Timestamp, Uid};
use std::ops::ControlFlow;
use wire::imap::command::{Search, SearchKey, SearchReturn, Sort, SortKey, Thread, ThreadAlgorithm};

/// Rows looked at in one go.
const ROWS: usize = 20_000;

/// Messages opened in one go.
const AHEAD: usize = 32;

/// A search that goes on.
pub(super) struct Searching {
    uid: bool,
    test: Test,
    columns: Columns,
    /// Messages to look at, and how many of them are done.
    uids: Vec<Uid>,
    at: usize,
    hint: usize,
    /// Rows that did not tell.
    open: Vec<Kept>,
    hits: Hits,
}

/// What was found, in the shape that the answer needs.
enum Hits {
    Search { tag: String, returns: Option<SearchReturn>, wants_modseq: bool, found: Vec<(Uid, ModSeq)> },
    Sort { keys: Vec<SortKey>, found: Vec<Sorted> },
    Thread { algorithm: ThreadAlgorithm, found: Vec<Threaded> },
}

/// A row, kept until its message is opened.
struct Kept {
    mail: MailId,
    thread: ThreadId,
    uid: Uid,
    modseq: ModSeq,
    flags: Flags,
    internal_date: Timestamp,
    saved: Timestamp,
    size: u64,
    head: Option<Vec<u8>>,
}

impl Kept {
    fn new(row: &Row<'_>) -> Self {
        Kept {
            mail: row.mail,
            thread: row.thread,
            uid: row.uid,
            modseq: row.modseq,
            flags: row.flags.clone(),
            internal_date: row.internal_date,
            saved: row.saved,
            size: row.size,
            head: row.summary.map(|summary| summary.head.to_vec()),
        }
    }

    fn row(&self) -> Row<'_> {
        let summary = |head| Summary { head, envelope: b"", body_structure: b"" };
        Row {
            mail: self.mail,
            thread: self.thread,
            uid: self.uid,
            modseq: self.modseq,
            flags: &self.flags,
            internal_date: self.internal_date,
            saved: self.saved,
            size: self.size,
            summary: self.head.as_deref().map(summary),
        }
    }
}

impl Searching {
    pub(super) fn search(account: &mut Account, tag: &str, search: Search) -> Result<Self, Completion> {
        let wants_modseq = names_modseq(&search.key);
        // RFC 7162 §3.1
        account.enabled.condstore |= wants_modseq;
        let all = SearchReturn { all: true, ..SearchReturn::default() };
        // RFC 9051 §6.4.4: an IMAP4rev2 client gets ESEARCH always.
        let returns = search.returns.or(account.enabled.rev2.then_some(all));
        let hits = Hits::Search { tag: tag.to_owned(), returns, wants_modseq, found: Vec::new() };
        let searching = Searching::new(account, search.uid, &search.key, hits);
        if let Some(view) = account.view.as_mut().filter(|_| returns.is_some_and(|returns| returns.save)) {
            // RFC 5182 §2.1: should the search fail, nothing is saved.
            view.saved = Vec::new();
        }
        searching
    }

    pub(super) fn sort(account: &mut Account, sort: Sort) -> Result<Self, Completion> {
        let mut keys: Vec<SortKey> = Vec::new();
        for key in sort.keys {
            // Behind itself a key changes nothing.
            if !keys.iter().any(|before| before.by == key.by) {
                keys.push(key);
            }
        }
        let hits = Hits::Sort { keys, found: Vec::new() };
        Searching::new(account, sort.uid, &sort.key, hits)
    }

    pub(super) fn thread(account: &mut Account, thread: Thread) -> Result<Self, Completion> {
        let hits = Hits::Thread { algorithm: thread.algorithm, found: Vec::new() };
        Searching::new(account, thread.uid, &thread.key, hits)
    }

    fn new(account: &Account, uid: bool, key: &SearchKey, hits: Hits) -> Result<Self, Completion> {
        let Some(view) = &account.view else { return Err(Completion::bad("select a mailbox first")) };
        let test = Test::new(key, &*account.store, view)?;
        let for_answer = match &hits {
            Hits::Search { .. } => false,
            Hits::Sort { keys, .. } => sort::needs_summary(keys),
            Hits::Thread { .. } => true,
        };
        let columns = Columns { summary: for_answer || test.needs_summary() };
        let uids = match test.narrow(view) {
            Some(few) => few.into_iter().filter(|uid| view.sequence(*uid).is_some()).collect(),
            None => view.uids().to_vec(),
        };
        Ok(Searching { uid, test, columns, uids, at: 0, hint: 0, open: Vec::new(), hits })
    }

    pub(super) fn manner(&self) -> Manner {
        Manner { expunges: if self.uid { Expunges::Told } else { Expunges::Held }, uid: self.uid }
    }

    pub(super) fn step(&mut self, account: &mut Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        let store = account.store.clone();
        let Some(view) = &mut account.view else { return Err(Completion::bad("select a mailbox first")) };
        if !self.open.is_empty() {
            for kept in std::mem::take(&mut self.open) {
                self.look_inside(&*store, view, &kept)?;
            }
        } else if self.at < self.uids.len() {
            self.scan(&*store, view)?;
        }
        if !self.open.is_empty() || self.at < self.uids.len() {
            return Ok(Step::More);
        }
        self.answer(view, account.enabled, out);
        let text = match self.hits {
            Hits::Search { .. } => "SEARCH completed",
            Hits::Sort { .. } => "SORT completed",
            Hits::Thread { .. } => "THREAD completed",
        };
        Ok(Step::Done(Outcome::ok(text).into()))
    }

    /// Tests rows.
    fn scan(&mut self, store: &dyn Mailstore, view: &View) -> Result<(), MailError> {
        let Searching { uid, test, columns, uids, at, hint, open, hits } = self;
        let end = uids.len().min(*at + ROWS);
        let mut last = None;
        store.scan(view.mailbox, uids.get(*at..end).unwrap_or_default(), *columns, &mut |row| {
            last = Some(row.uid);
            match test.judge(row, view, None) {
                Some(true) => hits.add(row, view, hint, *uid),
                Some(false) => {}
                None => open.push(Kept::new(row)),
            }
            if open.len() >= AHEAD { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        *at = match last.filter(|_| open.len() >= AHEAD) {
            Some(last) => uids.partition_point(|uid| *uid <= last),
            None => end,
        };
        Ok(())
    }

    fn look_inside(&mut self, store: &dyn Mailstore, view: &View, kept: &Kept) -> Result<(), MailError> {
        let message = match store.read(kept.mail) {
            Ok(message) => message,
            Err(MailError::NoMessage) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut opened = Opened::new(&*message);
        let found = self.test.judge(&kept.row(), view, Some(&mut opened));
        if let Some(error) = opened.error {
            return Err(MailError::Unavailable(format!("a message can't be read: {error}")));
        }
        if found == Some(true) {
            self.hint = usize::MAX;
            self.hits.add(&kept.row(), view, &mut self.hint, self.uid);
        }
        Ok(())
    }

    fn answer(&mut self, view: &mut View, enabled: Enabled, out: &mut Vec<u8>) {
        let uid = self.uid;
        match &mut self.hits {
            Hits::Search { tag, returns, wants_modseq, found } => {
                found.sort_unstable();
                let mut hint = 0;
                let number = |(found, _): &(Uid, ModSeq)| match uid {
                    true => Some(found.0),
                    false => view.sequence_from(&mut hint, *found),
                };
                let numbers: Vec<u32> = found.iter().filter_map(number).collect();
                match returns {
                    None => {
                        list(out, "SEARCH", &numbers);
                        if let Some((_, highest)) =
                            found.iter().max_by_key(|(_, m)| m).filter(|_| *wants_modseq)
                        {
                            modseq(out, *highest, true);
                        }
                        out.extend_from_slice(b"\r\n");
                    }
                    Some(returns) => {
                        if returns.save {
                            view.saved = saved(returns, found);
                        }
                        let shown = *wants_modseq && enabled.condstore;
                        extended(out, tag, uid, returns, &numbers, found, shown);
                    }
                }
            }
            Hits::Sort { keys, found } => {
                sort::sort(keys, found);
                let number = |hit: &Sorted| if uid { Some(hit.uid.0) } else { view.sequence(hit.uid) };
                let numbers: Vec<u32> = found.iter().filter_map(number).collect();
                list(out, "SORT", &numbers);
                out.extend_from_slice(b"\r\n");
            }
            Hits::Thread { algorithm, found } => {
                found.sort_unstable_by_key(|message| message.number);
                out.extend_from_slice(if found.is_empty() { b"* THREAD" } else { b"* THREAD " });
                match algorithm {
                    ThreadAlgorithm::OrderedSubject => thread::ordered_subject(found, out),
                    ThreadAlgorithm::References => thread::references(found, out),
                }
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

impl Hits {
    fn add(&mut self, row: &Row<'_>, view: &View, hint: &mut usize, uid: bool) {
        match self {
            Hits::Search { found, .. } => found.push((row.uid, row.modseq)),
            Hits::Sort { keys, found } => found.push(Sorted::new(keys, row)),
            Hits::Thread { found, .. } => {
                let number = if uid { Some(row.uid.0) } else { view.sequence_from(hint, row.uid) };
                found.extend(number.map(|number| sort::threaded(number, row)));
            }
        }
    }
}

fn names_modseq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::And(keys) => keys.iter().any(names_modseq),
        SearchKey::Or(one, other) => names_modseq(one) || names_modseq(other),
        SearchKey::Not(key) => names_modseq(key),
        _ => false,
    }
}

fn list(out: &mut Vec<u8>, name: &str, numbers: &[u32]) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(name.as_bytes());
    for number in numbers {
        out.push(b' ');
        print::number(out, u64::from(*number));
    }
}

fn modseq(out: &mut Vec<u8>, highest: ModSeq, parentheses: bool) {
    out.extend_from_slice(if parentheses { b" (MODSEQ " } else { b" MODSEQ " });
    print::number(out, highest.0);
    if parentheses {
        out.push(b')');
    }
}

/// What `$` is to mean (RFC 5182 §2.4): with MIN or MAX alone only these.
fn saved(returns: &SearchReturn, found: &[(Uid, ModSeq)]) -> Vec<Uid> {
    let only_ends = (returns.min || returns.max) && !returns.all && !returns.count;
    let mut uids: Vec<Uid> = found.iter().map(|(uid, _)| *uid).collect();
    if only_ends {
        let first = uids.first().copied().filter(|_| returns.min);
        let last = uids.last().copied().filter(|_| returns.max);
        uids = first.into_iter().chain(last).collect();
        uids.dedup();
    }
    uids
}

/// Appends an ESEARCH response (RFC 9051 §7.3.4); none where only SAVE was asked for (RFC 5182 §2.1).
fn extended(
    out: &mut Vec<u8>,
    tag: &str,
    uid: bool,
    returns: &SearchReturn,
    numbers: &[u32],
    found: &[(Uid, ModSeq)],
    wants_modseq: bool,
) {
    let SearchReturn { min, max, all, count, save } = *returns;
    if save && !(min || max || all || count) {
        return;
    }
    out.extend_from_slice(b"* ESEARCH (TAG ");
    print::string(out, tag.as_bytes());
    out.extend_from_slice(if uid { b") UID" } else { b")" });
    if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
        for (name, value) in [(" MIN ", first, min), (" MAX ", last, max)]
            .into_iter()
            .filter_map(|(name, value, wanted)| wanted.then_some((name, value)))
        {
            out.extend_from_slice(name.as_bytes());
            print::number(out, u64::from(*value));
        }
        if all {
            out.extend_from_slice(b" ALL ");
            print::set(out, numbers.iter().copied());
        }
    }
    if count {
        out.extend_from_slice(b" COUNT ");
        print::number(out, numbers.len() as u64);
    }
    // RFC 7162 §3.1.5, RFC 4731 §3.2: of the messages that are told.
    let only_ends = (min || max) && !all && !count;
    let told = |(place, _): &(usize, &(Uid, ModSeq))| {
        !only_ends || (min && *place == 0) || (max && *place + 1 == found.len())
    };
    let highest = found.iter().enumerate().filter(told).map(|(_, (_, modseq))| *modseq).max();
    if let Some(highest) = highest.filter(|_| wants_modseq) {
        modseq(out, highest, false);
    }
    out.extend_from_slice(b"\r\n");
}
