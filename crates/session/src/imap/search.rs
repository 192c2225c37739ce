//! SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256): rows are tested first; a message is opened only where its
//! row leaves the question open.

use super::account::{Account, Outcome, Step};
use super::completion::{Completion, Status};
use super::context::Context;
use super::sort::{self, Sorted};
use super::sync::{Expunges, Manner};
use super::test::{Opened, Test};
use super::thread::{self, Threaded};
use super::view::View;
use super::{Enabled, print};
use crate::mailstore::Mailstore;
use base::mailbox::{Columns, MailError, Row, Summary};
use base::{Flags, MailId, MailboxName, ModSeq, ThreadId, Timestamp, Uid, UidValidity};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use wire::imap::Code;
use wire::imap::command::{
    PartialRange, Search, SearchKey, SearchReturn, Sort, SortKey, Thread, ThreadAlgorithm,
};

/// Rows looked at in one go.
const ROWS: usize = 20_000;

/// Messages that are looked into without asking the index first, which costs more than they do.
const FEW: usize = 200;

/// Messages opened in one go.
const AHEAD: usize = 32;

/// How often a waiting client hears how far a search is (RFC 9585 §4: 10 to 15 seconds).
const PROGRESS: Duration = Duration::from_secs(10);

/// A search that goes on.
pub(super) struct Searching {
    /// The command's tag, or that of the search which is followed.
    tag: String,
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
    /// When the client last heard how far it is; when it began, at first.
    told: Option<Instant>,
    /// Where it searches, if the answer is to tell (RFC 7377 §2.1).
    place: Option<Place>,
}

/// A mailbox that is searched, as the answer tells it.
pub(super) struct Place {
    pub(super) name: MailboxName,
    pub(super) uid_validity: UidValidity,
    pub(super) utf8: bool,
}

/// What was found, in the shape that the answer needs.
enum Hits {
    Search {
        returns: Option<SearchReturn>,
        wants_modseq: bool,
        found: Vec<(Uid, ModSeq)>,
        /// The keys, where the search is to be followed.
        follow: Option<SearchKey>,
    },
    Sort {
        returns: Option<SearchReturn>,
        keys: Vec<SortKey>,
        found: Vec<Sorted>,
    },
    Thread {
        algorithm: ThreadAlgorithm,
        found: Vec<Threaded>,
    },
    /// Messages that fit a search which is followed.
    Again(Vec<Uid>),
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
        let updates = returns.is_some_and(|returns| returns.update);
        account.check_context(tag, returns)?;
        let follow = account.view.as_ref().filter(|_| updates).and_then(|view| view.lasting_key(&search.key));
        let hits = Hits::Search { returns, wants_modseq, found: Vec::new(), follow };
        let searching = Searching::new(account, tag, search.uid, &search.key, hits);
        if let Some(view) = account.view.as_mut().filter(|_| returns.is_some_and(|returns| returns.save)) {
            // RFC 5182 §2.1: should the search fail, nothing is saved.
            view.saved = Vec::new();
        }
        searching
    }

    pub(super) fn sort(account: &mut Account, tag: &str, sort: Sort) -> Result<Self, Completion> {
        account.check_context(tag, sort.returns)?;
        let mut keys: Vec<SortKey> = Vec::new();
        for key in sort.keys {
            // Behind itself a key changes nothing.
            if !keys.iter().any(|before| before.by == key.by) {
                keys.push(key);
            }
        }
        let hits = Hits::Sort { returns: sort.returns, keys, found: Vec::new() };
        Searching::new(account, tag, sort.uid, &sort.key, hits)
    }

    pub(super) fn thread(account: &mut Account, tag: &str, thread: Thread) -> Result<Self, Completion> {
        let hits = Hits::Thread { algorithm: thread.algorithm, found: Vec::new() };
        Searching::new(account, tag, thread.uid, &thread.key, hits)
    }

    /// Tests touched messages (ascending) anew for a search that is followed.
    pub(super) fn again(
        store: &dyn Mailstore,
        view: &View,
        context: &Context,
        touched: &[Uid],
    ) -> Result<Self, MailError> {
        let test = match touched.len() < FEW {
            true => Test::without_index(&context.key, store, view)?,
            false => Test::new(&context.key, store, view)?,
        };
        let hits = Hits::Again(Vec::with_capacity(touched.len()));
        let columns = Columns { summary: test.needs_summary() };
        Ok(Searching::over(context.tag.clone(), context.uid, test, columns, touched.to_vec(), hits))
    }

    fn new(account: &Account, tag: &str, uid: bool, key: &SearchKey, hits: Hits) -> Result<Self, Completion> {
        let Some(view) = &account.view else { return Err(Completion::bad("select a mailbox first")) };
        Ok(Searching::of(&*account.store, view, tag, uid, key, hits)?)
    }

    /// One mailbox's part of a search in several.
    pub(super) fn of_several(
        store: &dyn Mailstore,
        view: &View,
        tag: &str,
        search: &Search,
        place: Place,
    ) -> Result<Self, MailError> {
        let wants_modseq = names_modseq(&search.key);
        let hits = Hits::Search { returns: search.returns, wants_modseq, found: Vec::new(), follow: None };
        let searching = Searching::of(store, view, tag, true, &search.key, hits)?;
        Ok(Searching { place: Some(place), ..searching })
    }

    fn of(
        store: &dyn Mailstore,
        view: &View,
        tag: &str,
        uid: bool,
        key: &SearchKey,
        hits: Hits,
    ) -> Result<Self, MailError> {
        let test = Test::new(key, store, view)?;
        let for_answer = match &hits {
            Hits::Search { .. } | Hits::Again(_) => false,
            Hits::Sort { keys, .. } => sort::needs_summary(keys),
            Hits::Thread { .. } => true,
        };
        let columns = Columns { summary: for_answer || test.needs_summary() };
        let uids = match test.narrow(view) {
            Some(few) => few.into_iter().filter(|uid| view.sequence(*uid).is_some()).collect(),
            None => view.uids().to_vec(),
        };
        Ok(Searching::over(tag.to_owned(), uid, test, columns, uids, hits))
    }

    fn over(tag: String, uid: bool, test: Test, columns: Columns, uids: Vec<Uid>, hits: Hits) -> Self {
        Searching {
            tag,
            uid,
            test,
            columns,
            uids,
            at: 0,
            hint: 0,
            open: Vec::new(),
            hits,
            told: None,
            place: None,
        }
    }

    /// The command's tag, or that of the search which is followed.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    pub(super) fn manner(&self) -> Manner {
        Manner { expunges: if self.uid { Expunges::Told } else { Expunges::Held }, uid: self.uid }
    }

    pub(super) fn step(&mut self, account: &mut Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        let store = account.store.clone();
        let (enabled, now) = (account.enabled, account.now);
        let Some(view) = &mut account.view else { return Err(Completion::bad("select a mailbox first")) };
        self.step_in(&*store, view, enabled, now, out)
    }

    /// Goes on in a mailbox that need not be the selected one.
    pub(super) fn step_in(
        &mut self,
        store: &dyn Mailstore,
        view: &mut View,
        enabled: Enabled,
        now: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Result<Step, Completion> {
        if !self.open.is_empty() {
            for kept in std::mem::take(&mut self.open) {
                self.look_inside(store, view, &kept)?;
            }
        } else if self.at < self.uids.len() {
            self.scan(store, view)?;
        }
        if !self.open.is_empty() || self.at < self.uids.len() {
            self.tell_progress(now, out);
            return Ok(Step::More);
        }
        self.answer(view, enabled, out);
        let text = match self.hits {
            Hits::Search { .. } | Hits::Again(_) => "SEARCH completed",
            Hits::Sort { .. } => "SORT completed",
            Hits::Thread { .. } => "THREAD completed",
        };
        Ok(Step::Done(Outcome::ok(text).into()))
    }

    /// Tells now and then how far it is (RFC 9585).
    fn tell_progress(&mut self, now: Option<Instant>, out: &mut Vec<u8>) {
        let Some(now) = now.filter(|_| !matches!(self.hits, Hits::Again(_))) else { return };
        let told = self.told.get_or_insert(now);
        if now.duration_since(*told) < PROGRESS {
            return;
        }
        *told = now;
        let code = Code::InProgress(self.tag.clone(), self.at as u32, self.uids.len() as u32);
        print::status(out, None, Status::Ok, Some(&code), "still searching");
    }

    /// Tests rows.
    fn scan(&mut self, store: &dyn Mailstore, view: &View) -> Result<(), MailError> {
        let Searching { uid, test, columns, uids, at, hint, open, hits, .. } = self;
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
        let message = match store.read(view.mailbox, kept.mail) {
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
        let (uid, tag) = (self.uid, self.tag.as_str());
        match &mut self.hits {
            Hits::Search { returns, wants_modseq, found, follow } => {
                found.sort_unstable();
                let mut hint = 0;
                let number = |(found, _): &(Uid, ModSeq)| match uid {
                    true => Some(found.0),
                    false => view.sequence_from(&mut hint, *found),
                };
                let numbers: Vec<u32> = found.iter().filter_map(number).collect();
                let Some(returns) = *returns else {
                    list(out, "SEARCH", &numbers);
                    if let Some((_, highest)) = found.iter().max_by_key(|(_, m)| m).filter(|_| *wants_modseq)
                    {
                        modseq(out, *highest, true);
                    }
                    out.extend_from_slice(b"\r\n");
                    return;
                };
                if returns.save {
                    view.saved = chosen(returns, found.iter().map(|(uid, _)| *uid));
                }
                // RFC 7162 §3.1.5, RFC 4731 §3.2: of the messages that are told.
                let highest = chosen(returns, found.iter().map(|(_, modseq)| *modseq)).into_iter().max();
                let highest = highest.filter(|_| *wants_modseq && enabled.condstore);
                match &self.place {
                    // RFC 7377 §2.1
                    Some(_) if numbers.is_empty() => {}
                    Some(place) => {
                        let begin = |out: &mut Vec<u8>| begin_esearch_of(out, tag, place);
                        extended(out, begin, returns, &numbers, highest);
                    }
                    None => {
                        extended(out, |out| print::begin_esearch(out, tag, uid), returns, &numbers, highest)
                    }
                }
                if returns.update {
                    let found = found.iter().map(|(uid, _)| *uid).collect();
                    match follow.take().filter(|_| view.contexts.has_room()) {
                        Some(key) => {
                            let seen = view.uids().last().copied().unwrap_or(Uid(0));
                            view.contexts.follow(tag.to_owned(), uid, key, found, seen);
                        }
                        None => no_update(out, tag),
                    }
                }
            }
            Hits::Sort { returns, keys, found } => {
                sort::sort(keys, found);
                let number = |hit: &Sorted| if uid { Some(hit.uid.0) } else { view.sequence(hit.uid) };
                let numbers: Vec<u32> = found.iter().filter_map(number).collect();
                let Some(returns) = *returns else {
                    list(out, "SORT", &numbers);
                    out.extend_from_slice(b"\r\n");
                    return;
                };
                if returns.save {
                    view.saved = chosen(returns, found.iter().map(|hit| hit.uid));
                    view.saved.sort_unstable();
                }
                extended(out, |out| print::begin_esearch(out, tag, uid), returns, &numbers, None);
                if returns.update {
                    // RFC 5267 §4.3.1: each change would have to be told with its place in the order.
                    no_update(out, tag);
                }
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
            Hits::Again(found) => {
                found.sort_unstable();
                let (came, left) = view.contexts.settle(tag, &self.uids, found);
                view.result_changed(out, tag, uid, "REMOVEFROM", &left);
                view.result_changed(out, tag, uid, "ADDTO", &came);
            }
        }
    }
}

impl Hits {
    fn add(&mut self, row: &Row<'_>, view: &View, hint: &mut usize, uid: bool) {
        match self {
            Hits::Search { found, .. } => found.push((row.uid, row.modseq)),
            Hits::Sort { keys, found, .. } => found.push(Sorted::new(keys, row)),
            Hits::Thread { found, .. } => {
                let number = if uid { Some(row.uid.0) } else { view.sequence_from(hint, row.uid) };
                found.extend(number.map(|number| sort::threaded(number, row)));
            }
            Hits::Again(found) => found.push(row.uid),
        }
    }
}

pub(super) fn names_modseq(key: &SearchKey) -> bool {
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

/// The results that are told, or that `$` is to mean, of those in order (RFC 5182 §2.4, RFC 9394 §3.2): with MIN, MAX or
/// PARTIAL and neither ALL nor COUNT, only these.
fn chosen<T>(returns: SearchReturn, found: impl ExactSizeIterator<Item = T>) -> Vec<T> {
    let SearchReturn { min, max, all, count, partial, .. } = returns;
    let everything = all || count || !(min || max || partial.is_some());
    let last = found.len().saturating_sub(1);
    let piece = partial.map_or(0..0, |partial| partial.places(found.len()));
    let told =
        |place: usize| everything || (min && place == 0) || (max && place == last) || piece.contains(&place);
    found.enumerate().filter(|(place, _)| told(*place)).map(|(_, result)| result).collect()
}

/// Appends `* ESEARCH (TAG "…" MAILBOX … UIDVALIDITY n) UID` (RFC 7377 §2.1).
fn begin_esearch_of(out: &mut Vec<u8>, tag: &str, place: &Place) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    print::string(out, tag.as_bytes());
    out.extend_from_slice(b" MAILBOX ");
    print::mailbox(out, &place.name, place.utf8);
    out.extend_from_slice(b" UIDVALIDITY ");
    print::number(out, u64::from(place.uid_validity.0));
    out.extend_from_slice(b") UID");
}

/// Appends an ESEARCH response (RFC 9051 §7.3.4); none where only SAVE was asked for (RFC 5182 §2.1).
fn extended(
    out: &mut Vec<u8>,
    begin: impl FnOnce(&mut Vec<u8>),
    returns: SearchReturn,
    numbers: &[u32],
    highest: Option<ModSeq>,
) {
    let SearchReturn { min, max, all, count, save, partial, update: _ } = returns;
    if save && !(min || max || all || count || partial.is_some()) {
        return;
    }
    begin(out);
    let ends = [(" MIN ", numbers.first(), min), (" MAX ", numbers.last(), max)];
    for (name, number, _) in ends.into_iter().filter(|(_, _, wanted)| *wanted) {
        let Some(number) = number else { continue };
        out.extend_from_slice(name.as_bytes());
        print::number(out, u64::from(*number));
    }
    if all && !numbers.is_empty() {
        out.extend_from_slice(b" ALL ");
        print::set(out, numbers.iter().copied());
    }
    if let Some(partial) = partial {
        piece(out, partial, numbers);
    }
    if count {
        out.extend_from_slice(b" COUNT ");
        print::number(out, numbers.len() as u64);
    }
    if let Some(highest) = highest {
        modseq(out, highest, false);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends ` PARTIAL (range results)` (RFC 9394 §4).
fn piece(out: &mut Vec<u8>, range: PartialRange, numbers: &[u32]) {
    let sign = if range.from_end { "-" } else { "" };
    out.extend_from_slice(format!(" PARTIAL ({sign}{}:{sign}{} ", range.first, range.last).as_bytes());
    match numbers.get(range.places(numbers.len())) {
        Some(some) if !some.is_empty() => print::set(out, some.iter().copied()),
        _ => out.extend_from_slice(b"NIL"),
    }
    out.push(b')');
}

pub(super) fn no_update(out: &mut Vec<u8>, tag: &str) {
    print::status(out, None, Status::No, Some(&Code::NoUpdate(tag.to_owned())), "will not notify");
}
