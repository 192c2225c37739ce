//! What a logged-in client does. Commands are judged first, by one table, then done; long ones go on over several
//! runs as a [`Task`].

use super::append::Append;
use super::completion::{Completion, Status};
use super::context::Again;
use super::fetch::Fetching;
use super::list::Listing;
use super::multisearch::MultiSearching;
use super::search::Searching;
use super::sync::{Expunges, Manner, Tell, sync};
use super::url_fetch::UrlFetching;
use super::urlauth::UrlAuthorizing;
use super::view::View;
use super::{Config, Enabled, Progress, RUN_OCTETS, capability};
use crate::mailstore::Mailstore;
use base::mailbox::{MailError, MailboxInfo};
use base::{MailboxName, ModSeq, Secret, Uid};
use std::sync::Arc;
use std::time::Instant;
use wire::imap::command::{self, Command, CommandBody, Extension, SearchReturn, SequenceSet};
use wire::imap::{Code, Event, Framer};

/// Octets of IDLE's last line.
const DONE_LINE: usize = 100;

/// A logged-in client's state: small, because most of them idle.
pub(super) struct Account {
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<dyn Mailstore>,
    pub(super) enabled: Enabled,
    /// Whether the client, aware of CONDSTORE, was told where its mailbox stands.
    pub(super) modseq_told: bool,
    pub(super) view: Option<Box<View>>,
    task: Option<Box<Task>>,
    /// The tag of the IDLE that goes on.
    idle: Option<String>,
    pub(super) append: Option<Box<Append>>,
    /// The account may have changed.
    changed: bool,
    /// The session ends when all is sent.
    over: bool,
    /// UNAUTHENTICATE was answered.
    left: bool,
    pub(super) compression: Compression,
    /// The time, as far as it is known: told while a long command goes on.
    pub(super) now: Option<Instant>,
    /// Why it ends, as the client is told.
    bye: Option<&'static str>,
    errors: usize,
    pub(super) fault: Option<String>,
}

/// A command that isn't over yet.
pub(super) enum Task {
    /// The last lines and the tagged response.
    Finish { tag: String, tell: Tell, again: Again, completion: Completion },
    /// What an idling client is told.
    Tell { tell: Tell, again: Again },
    /// FETCH.
    Fetch { tag: String, fetching: Fetching },
    /// SEARCH, SORT, THREAD.
    Search { tag: String, searching: Searching },
    /// ESEARCH.
    MultiSearch { tag: String, searching: MultiSearching },
    /// LIST, LSUB.
    List { tag: String, listing: Listing },
    /// GENURLAUTH.
    UrlAuthorize { tag: String, authorizing: UrlAuthorizing },
    /// URLFETCH.
    UrlFetch { tag: String, fetching: UrlFetching },
    /// APPEND, between its literals and at its end.
    Append(Box<Append>),
}

impl Task {
    /// Whether others should have their turn before it goes on.
    fn is_long(&self) -> bool {
        match self {
            Task::Finish { again, .. } => !again.is_done(),
            Task::Append(append) => append.is_long(),
            _ => true,
        }
    }
}

/// What a command came to, before the changes of others are told.
pub(super) struct Outcome {
    pub(super) completion: Completion,
    /// Flags that the command itself reports.
    pub(super) tell: Tell,
    /// Changes that it made and that need not be told again, ascending.
    pub(super) own: Vec<(Uid, ModSeq)>,
}

impl Outcome {
    pub(super) fn ok(text: &'static str) -> Self {
        Completion::ok(text).into()
    }
}

impl From<Completion> for Outcome {
    fn from(completion: Completion) -> Self {
        Outcome { completion, tell: Tell::default(), own: Vec::new() }
    }
}

/// A step of a long command.
pub(super) enum Step {
    /// The output is full, or it is time for others.
    More,
    /// It goes on when the octets of a literal have come.
    Octets,
    /// The command is done.
    Done(Box<Outcome>),
    /// What was begun can't be finished, for this reason (for the log): the connection has to end.
    Abort(String),
}

/// How far COMPRESS is (RFC 4978 §3).
#[derive(PartialEq, Eq)]
pub(super) enum Compression {
    Off,
    /// It was answered with OK; what comes is compressed.
    Asked,
    On,
}

/// What a command needs to be allowed.
#[derive(PartialEq, Eq)]
enum Needs {
    /// Nothing.
    Nothing,
    /// It belongs before log-in.
    NoLogin,
    /// A selected mailbox (RFC 9051 §6.4).
    Mailbox,
    /// One that is not selected by EXAMINE.
    Writable,
}

fn needs(body: &CommandBody) -> Needs {
    use CommandBody::*;
    match body {
        Capability
        | Noop
        | Logout
        | Id(_)
        | Language(_)
        | Unauthenticate
        | Compress(_)
        | Enable(_)
        | Select(_)
        | Create { .. }
        | Delete(_)
        | Rename { .. }
        | Subscribe(_)
        | Unsubscribe(_)
        | List(_)
        | Lsub(_)
        | Namespace
        | Status { .. }
        | Idle
        | MultiSearch(..)
        | ResetKey { .. }
        | GenUrlAuth(_)
        | UrlFetch(_)
        | GetQuota(_)
        | GetQuotaRoot(_)
        | SetQuota { .. }
        | SetAcl { .. }
        | DeleteAcl { .. }
        | GetAcl(_)
        | ListRights { .. }
        | MyRights(_)
        | GetMetadata(_)
        | SetMetadata(_) => Needs::Nothing,
        // RFC 8508 §3.5
        Append(append) if append.replaced.is_some() => Needs::Writable,
        Append(_) => Needs::Nothing,
        StartTls | Authenticate { .. } | Login { .. } => Needs::NoLogin,
        Check | Close | Unselect | Search(_) | CancelUpdate(_) | Sort(_) | Thread(_) | Fetch(_) | Copy(_) => {
            Needs::Mailbox
        }
        Expunge(_) | Store(_) | Move(_) => Needs::Writable,
    }
}

/// How changes are told with the command's end.
fn manner(body: &CommandBody) -> Manner {
    let (uid, holds) = match body {
        CommandBody::Fetch(fetch) => (fetch.uid, true),
        CommandBody::Store(store) => (store.uid, true),
        CommandBody::Search(search) => (search.uid, true),
        CommandBody::Sort(sort) => (sort.uid, true),
        CommandBody::Thread(thread) => (thread.uid, true),
        CommandBody::Copy(transfer) | CommandBody::Move(transfer) => (transfer.uid, false),
        CommandBody::Expunge(set) => (set.is_some(), false),
        _ => (false, false),
    };
    Manner { expunges: if holds && !uid { Expunges::Held } else { Expunges::Told }, uid }
}

impl Account {
    pub(super) fn new(config: Arc<Config>, store: Arc<dyn Mailstore>) -> Self {
        Account {
            config,
            store,
            enabled: Enabled::default(),
            modseq_told: false,
            view: None,
            task: None,
            idle: None,
            append: None,
            changed: false,
            over: false,
            left: false,
            compression: Compression::Off,
            now: None,
            bye: None,
            errors: 0,
            fault: None,
        }
    }

    /// Whether an IDLE goes on.
    pub(super) fn is_idling(&self) -> bool {
        self.idle.is_some()
    }

    /// Whether the session is to end.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the client is to log in anew.
    pub(super) fn has_left(&self) -> bool {
        self.left
    }

    /// Tells the time.
    pub(super) fn note_time(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Whether there is something to do without further input.
    pub(super) fn is_runnable(&self) -> bool {
        self.task.is_some() || (self.changed && self.idle.is_some())
    }

    pub(super) fn has_changes(&mut self) {
        self.changed = true;
    }

    /// Goes on until the output is full or the input is used up.
    pub(super) fn run(&mut self, framer: &mut Framer, input: &mut &[u8], out: &mut Vec<u8>) -> Progress {
        loop {
            if out.len() >= RUN_OCTETS {
                return Progress::More;
            }
            if let Some(task) = self.task.take() {
                self.task = self.step(task, framer, out);
                if self.task.as_ref().is_some_and(|task| task.is_long()) {
                    return Progress::More;
                }
            } else if let Some(why) = self.bye.take() {
                out.extend_from_slice(format!("* BYE {why}\r\n").as_bytes());
                self.over = true;
            } else if self.over || self.left || self.compression == Compression::Asked {
                return Progress::Done;
            } else if self.idle.is_some() && std::mem::take(&mut self.changed) {
                self.tell_idling();
            } else {
                match framer.read(input) {
                    Some(event) => self.take_event(event, framer, out),
                    None => return Progress::Done,
                }
            }
        }
    }

    fn take_event(&mut self, event: Event<'_>, framer: &mut Framer, out: &mut Vec<u8>) {
        match event {
            Event::Command(text) => self.take_command(&text, framer, out),
            Event::Line(line) => self.end_idle(&line),
            Event::Continue => out.extend_from_slice(b"+ go ahead\r\n"),
            Event::Append(announced) => self.append_announced(announced, framer),
            Event::AppendData(octets) => self.append_data(octets, framer),
            // What it ends, the text behind it tells.
            Event::AppendEnd => {}
            Event::AppendRest(rest) => self.append_rest(&rest),
            Event::Refused(error) => self.refuse(error),
            Event::Close => self.bye = Some("too much that can't be taken"),
        }
    }

    pub(super) fn refuse(&mut self, error: command::ParseError) {
        let append = self.append.take().map(|append| append.tag);
        let idle = self.idle.take();
        let tag = error.tag.clone().or(append).or(idle).unwrap_or_else(|| "*".to_owned());
        let (tell, again) = (Tell::default(), Again::default());
        self.task = Some(Box::new(Task::Finish { tag, tell, again, completion: error.into() }));
    }

    fn take_command(&mut self, text: &Secret, framer: &mut Framer, out: &mut Vec<u8>) {
        let Command { tag, body } = match command::parse(text.expose(), self.enabled.utf8_names()) {
            Ok(command) => command,
            Err(error) => return self.refuse(error),
        };
        let manner = manner(&body);
        self.now = None;
        let outcome = self.judge(&body).and_then(|()| self.begin(&tag, body, framer, out));
        match outcome {
            // A task goes on, or an IDLE.
            Ok(None) => {}
            Ok(Some(outcome)) => self.finish(tag, outcome, manner),
            Err(completion) => self.finish(tag, completion.into(), manner),
        }
    }

    pub(super) fn judge(&self, body: &CommandBody) -> Result<(), Completion> {
        let needs = needs(body);
        match &self.view {
            _ if needs == Needs::NoLogin => Err(Completion::bad("you are logged in already")),
            // RFC 9586 §3
            _ if self.enabled.uid_only && body.has_numbers() => {
                Err(Completion::bad("only UIDs may be used").code(Code::UidRequired))
            }
            None if needs != Needs::Nothing => Err(Completion::bad("select a mailbox first")),
            Some(view) if needs == Needs::Writable && view.read_only => {
                Err(Completion::no("the mailbox is open for reading only").code(Code::NoPerm))
            }
            _ => Ok(()),
        }
    }

    /// Does the command, or starts its task (then gives nothing).
    fn begin(
        &mut self,
        tag: &str,
        body: CommandBody,
        framer: &mut Framer,
        out: &mut Vec<u8>,
    ) -> Result<Option<Outcome>, Completion> {
        let outcome = match body {
            CommandBody::Capability => {
                out.extend_from_slice(b"* CAPABILITY ");
                capability::logged_in(&self.config, out);
                out.extend_from_slice(b"\r\n");
                Outcome::ok("CAPABILITY completed")
            }
            CommandBody::Noop => Outcome::ok("NOOP completed"),
            CommandBody::Check => Outcome::ok("CHECK completed"),
            CommandBody::Id(_) => {
                capability::id(&self.config, out);
                Outcome::ok("ID completed")
            }
            CommandBody::Logout => {
                out.extend_from_slice(b"* BYE see you\r\n");
                self.view = None;
                self.over = true;
                Outcome::ok("LOGOUT completed")
            }
            CommandBody::Language(ranges) => capability::language(&ranges, out).into(),
            CommandBody::Unauthenticate => {
                self.view = None;
                self.left = true;
                Outcome::ok("UNAUTHENTICATE completed")
            }
            CommandBody::Compress(algorithm) => self.compress(&algorithm)?,
            CommandBody::CancelUpdate(tags) => {
                if let Some(view) = &mut self.view {
                    view.contexts.cancel(&tags);
                }
                Outcome::ok("CANCELUPDATE completed")
            }
            CommandBody::Enable(extensions) => self.enable(&extensions, out),
            CommandBody::Select(select) => self.select(&select, out)?,
            CommandBody::Close => self.close(true)?,
            CommandBody::Unselect => self.close(false)?,
            CommandBody::Create { mailbox, special_use } => self.create(&mailbox, &special_use)?,
            CommandBody::Delete(mailbox) => self.delete(&mailbox, out)?,
            CommandBody::Rename { from, to } => self.rename(&from, &to, out)?,
            CommandBody::Subscribe(mailbox) => self.subscribe(&mailbox, true)?,
            CommandBody::Unsubscribe(mailbox) => self.subscribe(&mailbox, false)?,
            CommandBody::Status { mailbox, items } => self.status(&mailbox, &items, out)?,
            CommandBody::Namespace => {
                out.extend_from_slice(b"* NAMESPACE ((\"\" \"/\")) ((\"Shared/\" \"/\")) NIL\r\n");
                Outcome::ok("NAMESPACE completed")
            }
            CommandBody::SetAcl { mailbox, identifier, edit } => self.set_acl(&mailbox, &identifier, edit)?,
            CommandBody::DeleteAcl { mailbox, identifier } => self.delete_acl(&mailbox, &identifier)?,
            CommandBody::GetAcl(mailbox) => self.get_acl(&mailbox, out)?,
            CommandBody::ListRights { mailbox, identifier } => {
                self.list_rights(&mailbox, &identifier, out)?
            }
            CommandBody::MyRights(mailbox) => self.my_rights(&mailbox, out)?,
            CommandBody::GetMetadata(get) => self.get_metadata(&get, out)?,
            CommandBody::SetMetadata(set) => self.set_metadata(set)?,
            CommandBody::GetQuota(root) => self.get_quota(&root, out)?,
            CommandBody::GetQuotaRoot(mailbox) => self.get_quota_root(&mailbox, out)?,
            CommandBody::SetQuota { .. } => {
                return Err(Completion::no("quotas are set by the administrator").code(Code::NoPerm));
            }
            CommandBody::ResetKey { mailbox } => self.reset_key(mailbox.as_ref())?,
            CommandBody::GenUrlAuth(urls) => {
                let authorizing = UrlAuthorizing::new(urls);
                self.start(Task::UrlAuthorize { tag: tag.to_owned(), authorizing });
                return Ok(None);
            }
            CommandBody::UrlFetch(urls) => {
                self.start(Task::UrlFetch { tag: tag.to_owned(), fetching: UrlFetching::new(urls) });
                return Ok(None);
            }
            CommandBody::Expunge(set) => self.expunge(set.as_ref())?,
            CommandBody::Store(store) => self.change_flags(&store)?,
            CommandBody::Copy(transfer) => self.copy(&transfer)?,
            CommandBody::Move(transfer) => self.move_to(&transfer, out)?,
            CommandBody::Append(append) => {
                self.append(tag, append, None)?;
                return Ok(None);
            }
            CommandBody::Idle => {
                self.start_idle(tag, framer, out);
                return Ok(None);
            }
            CommandBody::List(list) => {
                let listing = Listing::list(self, list)?;
                self.start(Task::List { tag: tag.to_owned(), listing });
                return Ok(None);
            }
            CommandBody::Lsub(pattern) => {
                let listing = Listing::lsub(self, pattern)?;
                self.start(Task::List { tag: tag.to_owned(), listing });
                return Ok(None);
            }
            CommandBody::Fetch(fetch) => {
                let fetching = Fetching::new(self, fetch, out)?;
                self.start(Task::Fetch { tag: tag.to_owned(), fetching });
                return Ok(None);
            }
            CommandBody::Search(search) => {
                let searching = Searching::search(self, tag, search)?;
                self.start(Task::Search { tag: tag.to_owned(), searching });
                return Ok(None);
            }
            CommandBody::MultiSearch(filters, search) => {
                let searching = MultiSearching::new(self, tag, &filters, search, out)?;
                self.start(Task::MultiSearch { tag: tag.to_owned(), searching });
                return Ok(None);
            }
            CommandBody::Sort(sort) => {
                let searching = Searching::sort(self, tag, sort)?;
                self.start(Task::Search { tag: tag.to_owned(), searching });
                return Ok(None);
            }
            CommandBody::Thread(thread) => {
                let searching = Searching::thread(self, tag, thread)?;
                self.start(Task::Search { tag: tag.to_owned(), searching });
                return Ok(None);
            }
            CommandBody::StartTls | CommandBody::Authenticate { .. } | CommandBody::Login { .. } => {
                return Err(Completion::bad("you are logged in already"));
            }
        };
        Ok(Some(outcome))
    }

    /// RFC 4978 §3.
    fn compress(&mut self, algorithm: &str) -> Result<Outcome, Completion> {
        if algorithm != "DEFLATE" {
            return Err(Completion::bad("only DEFLATE is known here"));
        }
        if self.compression != Compression::Off {
            return Err(Completion::no("DEFLATE is active already").code(Code::CompressionActive));
        }
        self.compression = Compression::Asked;
        Ok(Outcome::ok("DEFLATE active"))
    }

    pub(super) fn start(&mut self, task: Task) {
        self.task = Some(Box::new(task));
    }

    /// Goes on with a task; gives it back where there is more to do.
    fn step(&mut self, mut task: Box<Task>, framer: &mut Framer, out: &mut Vec<u8>) -> Option<Box<Task>> {
        let (step, manner) = match &mut *task {
            Task::Finish { tell, again, .. } | Task::Tell { tell, again } => {
                if let Some(view) = &mut self.view
                    && !tell.step(view, self.enabled, out, RUN_OCTETS)
                {
                    return Some(task);
                }
                if !again.is_done() {
                    again.step(self, out);
                    return Some(task);
                }
                if let Task::Finish { tag, completion, .. } = *task {
                    self.complete(&tag, completion, out);
                }
                return None;
            }
            Task::Fetch { fetching, .. } => (fetching.step(self, out), fetching.manner()),
            Task::Search { searching, .. } => (searching.step(self, out), searching.manner()),
            Task::MultiSearch { searching, .. } => {
                (searching.step(self, out), Manner { uid: true, ..Manner::PLAIN })
            }
            Task::List { listing, .. } => (listing.step(self, out), Manner::PLAIN),
            Task::UrlAuthorize { authorizing, .. } => (authorizing.step(self, out), Manner::PLAIN),
            Task::UrlFetch { fetching, .. } => (fetching.step(self, out), Manner::PLAIN),
            Task::Append(append) => (append.step(self, framer, out), append.manner()),
        };
        let outcome = match step {
            Ok(Step::More) => return Some(task),
            Ok(Step::Octets) => {
                if let Task::Append(append) = *task {
                    self.append = Some(append);
                }
                return None;
            }
            Ok(Step::Done(outcome)) => *outcome,
            Ok(Step::Abort(why)) => {
                self.fault = Some(why);
                self.over = true;
                return None;
            }
            Err(completion) => completion.into(),
        };
        match *task {
            Task::Fetch { tag, .. } | Task::Search { tag, .. } | Task::List { tag, .. } => {
                self.finish(tag, outcome, manner);
            }
            Task::UrlAuthorize { tag, .. } => self.finish(tag, outcome, manner),
            Task::UrlFetch { tag, .. } => self.finish(tag, outcome, manner),
            Task::MultiSearch { tag, .. } => self.finish(tag, outcome, manner),
            Task::Append(append) => self.finish(append.tag, outcome, manner),
            Task::Finish { .. } | Task::Tell { .. } => {}
        }
        self.task.take()
    }

    /// Tells what others did, then how the command ended.
    pub(super) fn finish(&mut self, tag: String, mut outcome: Outcome, manner: Manner) {
        outcome.tell.with_uid |= manner.uid;
        if let Err(error) = self.update(manner.expunges, &outcome.own, &mut outcome.tell) {
            self.lost(error);
        }
        let Outcome { mut completion, mut tell, .. } = outcome;
        if self.enabled.condstore && !std::mem::replace(&mut self.modseq_told, true) {
            // RFC 7162 §3.1: the first command that enables it, with a mailbox selected.
            let stands = self.view.as_ref().map(|view| view.held.unwrap_or(view.since));
            tell.highest = tell.highest.or(stands);
        }
        if let (Some(Code::HighestModSeq(modseq)), Some(view)) = (&mut completion.code, &self.view) {
            // Only now is it known what was told.
            *modseq = view.since;
        }
        let again = self.searches_again();
        self.task = Some(Box::new(Task::Finish { tag, tell, again, completion }));
    }

    /// What is to be tested anew for the searches that are followed.
    fn searches_again(&mut self) -> Again {
        self.view.as_mut().map(|view| view.contexts.again()).unwrap_or_default()
    }

    /// A search that is to be followed needs a tag of its own (RFC 5267 §4.3).
    pub(super) fn check_context(&self, tag: &str, returns: Option<SearchReturn>) -> Result<(), Completion> {
        let has_tag = self.view.as_ref().is_some_and(|view| view.contexts.has(tag));
        match returns.is_some_and(|returns| returns.update) && has_tag {
            true => Err(Completion::bad("a search of this tag is followed already")),
            false => Ok(()),
        }
    }

    /// Brings the view up to date.
    pub(super) fn update(
        &mut self,
        expunges: Expunges,
        own: &[(Uid, ModSeq)],
        tell: &mut Tell,
    ) -> Result<(), MailError> {
        match &mut self.view {
            Some(view) => sync(&*self.store, view, self.enabled, expunges, own, tell),
            None => Ok(()),
        }
    }

    /// The selected mailbox can't be read: deleted by another session, or our disk fails.
    fn lost(&mut self, error: MailError) {
        match error {
            MailError::Unavailable(why) => self.fault = Some(why),
            MailError::NoPerm => {
                self.view = None;
                self.bye = Some("you may no longer read the selected mailbox");
            }
            _ => {
                // No way is foreseen to tell a client that its mailbox is gone, but to begin anew.
                self.view = None;
                self.bye = Some("the selected mailbox was deleted");
            }
        }
    }

    fn complete(&mut self, tag: &str, completion: Completion, out: &mut Vec<u8>) {
        match completion.status {
            Status::Bad => self.errors += 1,
            _ => self.errors = 0,
        }
        self.fault = completion.print(Some(tag), out).or(self.fault.take());
        if self.errors >= self.config.limits.errors {
            self.bye = Some("too many errors");
        }
    }

    fn start_idle(&mut self, tag: &str, framer: &mut Framer, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+ idling\r\n");
        framer.expect_line(DONE_LINE);
        self.idle = Some(tag.to_owned());
        // What happened since the last command is told at once.
        self.changed = true;
    }

    fn tell_idling(&mut self) {
        let mut tell = Tell::default();
        match self.update(Expunges::Told, &[], &mut tell) {
            Ok(()) => {
                let again = self.searches_again();
                self.task = Some(Box::new(Task::Tell { tell, again }));
            }
            Err(error) => self.lost(error),
        }
    }

    fn end_idle(&mut self, line: &Secret) {
        let Some(tag) = self.idle.take() else { return };
        let outcome = match line.expose().eq_ignore_ascii_case(b"DONE") {
            true => Outcome::ok("IDLE completed"),
            false => Completion::bad("IDLE ends with DONE").into(),
        };
        self.finish(tag, outcome, Manner::PLAIN);
    }

    fn enable(&mut self, extensions: &[Extension], out: &mut Vec<u8>) -> Outcome {
        out.extend_from_slice(b"* ENABLED");
        for extension in extensions {
            let (flag, name): (&mut bool, &[u8]) = match extension {
                Extension::Imap4Rev2 => (&mut self.enabled.rev2, b" IMAP4rev2"),
                Extension::Condstore => (&mut self.enabled.condstore, b" CONDSTORE"),
                Extension::Qresync => (&mut self.enabled.qresync, b" QRESYNC"),
                Extension::Utf8Accept => (&mut self.enabled.utf8, b" UTF8=ACCEPT"),
                Extension::UidOnly => (&mut self.enabled.uid_only, b" UIDONLY"),
            };
            // RFC 5161 §3.2: only what this command turned on.
            if !std::mem::replace(flag, true) {
                out.extend_from_slice(name);
            }
        }
        // RFC 7162 §3.2.3
        self.enabled.condstore |= self.enabled.qresync;
        out.extend_from_slice(b"\r\n");
        if self.enabled.uid_only {
            // RFC 9586 §3: no numbers are told from here on.
            let numbered = self.view.as_ref().map(|view| view.contexts.numbered()).unwrap_or_default();
            numbered.iter().for_each(|tag| self.end_context(tag, out));
        }
        Outcome::ok("ENABLE completed")
    }

    /// The mailbox of a name.
    pub(super) fn find(&self, name: &MailboxName) -> Result<MailboxInfo, MailError> {
        self.store.find(name)?.ok_or(MailError::NoMailbox)
    }

    /// The messages that a set means, ascending. Numbers beyond the end are an error of the client's, other than
    /// in a search.
    pub(super) fn chosen(&self, set: &SequenceSet, uid: bool) -> Result<Vec<Uid>, Completion> {
        let Some(view) = &self.view else { return Ok(Vec::new()) };
        // RFC 9051 §9 `seq-number`; `n:*` is taken as it is by everybody.
        if !uid && !set.is_open() && set.largest_number().is_some_and(|number| number > view.exists()) {
            return Err(Completion::bad("no message has that number"));
        }
        Ok(view.chosen(set, uid))
    }
}
