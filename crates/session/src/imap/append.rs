//! APPEND (RFC 9051 §6.3.12, RFC 3502), CATENATE (RFC 4469) and REPLACE (RFC 8508): messages are spooled as their
//! parts come, and added together at the end.

use super::account::{Account, Outcome, Step, Task};
use super::completion::Completion;
use super::store::target_lost;
use super::sync::Manner;
use super::url::Source;
use crate::mailstore::{Mailstore, NewMail, Spool};
use base::mailbox::{Appended, Columns, MailError};
use base::{MailboxId, Secret, Uid};
use std::ops::ControlFlow;
use std::vec::IntoIter;
use wire::imap::command::{self, AppendMessage, AppendPiece, AppendReader, Command, CommandBody, Url};
use wire::imap::{Announced, Code, Framer};

/// Messages of one APPEND.
const MAX_MESSAGES: usize = 200;

/// An APPEND that goes on.
pub(super) struct Append {
    pub(super) tag: String,
    mailbox: MailboxId,
    /// REPLACE: the message that the new one takes the place of.
    replaced: Option<Replaced>,
    reader: AppendReader,
    /// What was read and is still to be done.
    pieces: IntoIter<AppendPiece>,
    /// The literal that comes behind the pieces; `None` where the command ends there.
    announced: Option<Announced>,
    done: Vec<NewMail>,
    coming: Option<Coming>,
    /// What a URL named and is being copied.
    source: Option<Source>,
    /// Octets of all messages, those included that are announced.
    octets: u64,
    /// Octets of them that URLs named.
    copied: u64,
}

/// The message that is to be removed.
struct Replaced {
    mailbox: MailboxId,
    uid: Uid,
    octets: u64,
    /// Whether the client named it by its UID.
    by_uid: bool,
}

/// The message that is being put together.
struct Coming {
    message: AppendMessage,
    spool: Box<dyn Spool>,
}

impl Account {
    /// A literal is announced, and what stands before it was not looked at yet.
    pub(super) fn append_announced(&mut self, announced: Announced, framer: &mut Framer) {
        if let Err((tag, completion)) = self.take_announced(announced) {
            framer.refuse();
            self.finish(tag, completion.into(), Manner::PLAIN);
        }
    }

    fn take_announced(&mut self, announced: Announced) -> Result<(), (String, Completion)> {
        if let Some(mut append) = self.append.take() {
            match append.reader.next(&announced) {
                Ok(pieces) => self.go_on(append, pieces, Some(announced)),
                Err(error) => return Err((append.tag, error.into())),
            }
            return Ok(());
        }
        let parsed = command::parse_announced(&announced, self.enabled.utf8_names());
        let Command { tag, body } = parsed.map_err(|error| {
            let tag = error.tag.clone().unwrap_or_else(|| "*".to_owned());
            (tag, Completion::from(error))
        })?;
        let begun = self.judge(&body).and_then(|()| match body {
            CommandBody::Append(append) => self.append(&tag, append, Some(announced)),
            _ => Err(Completion::bad("that command takes no message")),
        });
        begun.map_err(|completion| (tag, completion))
    }

    /// Begins an APPEND; `announced`: the literal behind what was read of it.
    pub(super) fn append(
        &mut self,
        tag: &str,
        append: command::Append,
        announced: Option<Announced>,
    ) -> Result<(), Completion> {
        let begun = Append {
            tag: tag.to_owned(),
            mailbox: self.target(&append.mailbox)?,
            replaced: append.replaced.map(|replaced| self.replaced(&replaced)).transpose()?,
            reader: append.reader,
            pieces: Vec::new().into_iter(),
            announced: None,
            done: Vec::new(),
            coming: None,
            source: None,
            octets: 0,
            copied: 0,
        };
        self.go_on(Box::new(begun), append.pieces, announced);
        Ok(())
    }

    fn replaced(&self, replaced: &command::Replaced) -> Result<Replaced, Completion> {
        let (Some(view), Some(uid)) = (&self.view, self.chosen(&replaced.set, replaced.uid)?.pop()) else {
            return Err(MailError::NoMessage.into());
        };
        let mut octets = None;
        self.store.scan(view.mailbox, &[uid], Columns::default(), &mut |row| {
            octets = Some(row.size);
            ControlFlow::Break(())
        })?;
        let octets = octets.ok_or(MailError::NoMessage)?;
        Ok(Replaced { mailbox: view.mailbox, uid, octets, by_uid: replaced.uid })
    }

    fn go_on(&mut self, mut append: Box<Append>, pieces: Vec<AppendPiece>, announced: Option<Announced>) {
        append.pieces = pieces.into_iter();
        append.announced = announced;
        self.start(Task::Append(append));
    }

    /// Octets of the announced literal.
    pub(super) fn append_data(&mut self, octets: &[u8], framer: &mut Framer) {
        let Some(append) = &mut self.append else { return };
        if let Some(coming) = &mut append.coming
            && let Err(error) = coming.spool.push(octets)
        {
            framer.refuse();
            self.append_failed(error.into());
        }
    }

    /// The last literal was taken, and the command's line has ended.
    pub(super) fn append_rest(&mut self, rest: &Secret) {
        let Some(mut append) = self.append.take() else { return };
        match append.reader.end(rest.expose()) {
            Ok(pieces) => self.go_on(append, pieces, None),
            Err(error) => self.finish(append.tag, Completion::from(error).into(), Manner::PLAIN),
        }
    }

    fn append_failed(&mut self, completion: Completion) {
        if let Some(append) = self.append.take() {
            self.finish(append.tag, completion.into(), Manner::PLAIN);
        }
    }
}

impl Append {
    /// How changes are told with its end.
    pub(super) fn manner(&self) -> Manner {
        Manner { uid: self.replaced.as_ref().is_some_and(|replaced| replaced.by_uid), ..Manner::PLAIN }
    }

    /// Whether others should have their turn before it goes on.
    pub(super) fn is_long(&self) -> bool {
        self.source.is_some()
    }

    /// Does some of what was read.
    pub(super) fn step(
        &mut self,
        account: &Account,
        framer: &mut Framer,
        out: &mut Vec<u8>,
    ) -> Result<Step, Completion> {
        let step = self.advance(account, out);
        match &step {
            Ok(Step::Octets) => {
                framer.accept();
                if self.announced.take().is_some_and(|announced| announced.synchronising) {
                    out.extend_from_slice(b"+ go ahead\r\n");
                }
            }
            Ok(_) => {}
            Err(_) => framer.refuse(),
        }
        step
    }

    fn advance(&mut self, account: &Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        if self.source.is_some() {
            self.copy()?;
            return Ok(Step::More);
        }
        match self.pieces.next() {
            Some(AppendPiece::Begin(message)) => self.begin(&*account.store, message)?,
            Some(AppendPiece::Url(url)) => self.open(account, url)?,
            Some(AppendPiece::Literal) => {
                self.admit_literal(account)?;
                return Ok(Step::Octets);
            }
            Some(AppendPiece::End) => self.end()?,
            None => return self.add(account, out).map(|outcome| Step::Done(Box::new(outcome))),
        }
        Ok(Step::More)
    }

    fn begin(&mut self, store: &dyn Mailstore, message: AppendMessage) -> Result<(), Completion> {
        if self.done.len() >= MAX_MESSAGES {
            return Err(Completion::no("too many messages at once").code(Code::Limit));
        }
        self.coming = Some(Coming { message, spool: store.spool()? });
        Ok(())
    }

    /// RFC 4469 §3: what any URL names is found before the next part is looked at.
    fn open(&mut self, account: &Account, url: String) -> Result<(), Completion> {
        let selected = account.view.as_ref().map(|view| view.mailbox);
        let source = match Url::parse(&url) {
            Some(url) => Source::open(&*account.store, selected, &url)?,
            None => None,
        };
        let Some(source) = source else {
            return Err(Completion::no("the URL names nothing that is here").code(Code::BadUrl(url)));
        };
        self.copied = self.copied.saturating_add(source.left());
        if self.copied > account.config.limits.message_octets {
            return Err(too_large());
        }
        self.admit(account, source.left())?;
        self.source = Some(source);
        Ok(())
    }

    fn copy(&mut self) -> Result<(), MailError> {
        let mut octets = Vec::new();
        if let (Some(source), Some(coming)) = (&mut self.source, &mut self.coming) {
            source.step(&mut octets)?;
            coming.spool.push(&octets)?;
        }
        self.source.take_if(|source| source.left() == 0);
        Ok(())
    }

    /// Decides on a literal before it is sent (or before it is taken in, where the client did not ask).
    fn admit_literal(&mut self, account: &Account) -> Result<(), Completion> {
        let octets = self.announced.as_ref().map_or(0, |announced| announced.octets);
        if octets == 0 && self.coming.as_ref().is_some_and(|coming| !coming.message.catenate) {
            return Err(empty());
        }
        self.admit(account, octets)
    }

    /// Makes sure that the message, and the account, may grow by so many octets.
    fn admit(&mut self, account: &Account, octets: u64) -> Result<(), Completion> {
        let before = self.coming.as_ref().map_or(0, |coming| coming.spool.len());
        if before.saturating_add(octets) > account.config.limits.message_octets {
            return Err(too_large());
        }
        self.octets = self.octets.saturating_add(octets);
        let replaced = self.replaced.as_ref().map(|replaced| replaced.octets);
        account.store.room_for(self.mailbox, self.octets, replaced).map_err(target_lost)
    }

    /// The message is whole.
    fn end(&mut self) -> Result<(), Completion> {
        let Some(Coming { message, spool }) = self.coming.take() else { return Ok(()) };
        // RFC 3502 §6.3.11, RFC 9051 §6.3.12: an empty message is none.
        if spool.is_empty() {
            return Err(empty());
        }
        self.done.push(NewMail { spool, flags: message.flags, internal_date: message.internal_date });
        Ok(())
    }

    /// All messages are there: they go in together.
    fn add(&mut self, account: &Account, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        let mut done = std::mem::take(&mut self.done);
        let appended = |added: Appended| Code::AppendUid(added.uid_validity, added.uids);
        if let Some(replaced) = &self.replaced
            && let Some(mail) = done.pop()
        {
            let added = account.store.replace(replaced.mailbox, replaced.uid, self.mailbox, mail);
            // RFC 8508 §4.3: untagged, before the expunge.
            Completion::ok("it is there").code(appended(added.map_err(target_lost)?)).print(None, out);
            return Ok(account.with_modseq(Completion::ok("REPLACE completed"), true).into());
        }
        let added = account.store.append(self.mailbox, done).map_err(target_lost)?;
        Ok(Completion::ok("APPEND completed").code(appended(added)).into())
    }
}

fn too_large() -> Completion {
    Completion::no("the message is too large").code(Code::TooBig)
}

fn empty() -> Completion {
    Completion::no("an empty message is not taken").code(Code::Cannot)
}
