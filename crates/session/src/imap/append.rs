//! APPEND (RFC 9051 §6.3.12, RFC 3502): messages are spooled as they come, and added together at the end.

use super::account::{Account, Outcome};
use super::completion::Completion;
use super::sync::Manner;
use crate::mailstore::{NewMail, Spool};
use base::mailbox::MailError;
use base::{MailboxId, Secret};
use wire::imap::command::{self, AppendMessage};
use wire::imap::{Announced, Code, Framer};

/// Messages of one APPEND.
const MAX_MESSAGES: usize = 200;

/// An APPEND that goes on.
pub(super) struct Append {
    pub(super) tag: String,
    mailbox: MailboxId,
    done: Vec<NewMail>,
    /// The message that is coming.
    message: AppendMessage,
    spool: Option<Box<dyn Spool>>,
    /// Octets of all messages so far, the coming one included.
    octets: u64,
}

impl Account {
    /// Decides on a message before it is sent (or before it is taken in, where the client did not ask).
    pub(super) fn append_announced(&mut self, announced: &Announced, framer: &mut Framer, out: &mut Vec<u8>) {
        match self.judge_append(announced) {
            Ok(()) => {
                framer.accept();
                if announced.synchronising {
                    out.extend_from_slice(b"+ go ahead\r\n");
                }
            }
            Err((tag, completion)) => {
                self.append = None;
                framer.refuse();
                self.finish(tag, completion.into(), Manner::PLAIN);
            }
        }
    }

    fn judge_append(&mut self, announced: &Announced) -> Result<(), (String, Completion)> {
        let refused = |tag: Option<String>, error: command::ParseError| {
            let tag = error.tag.clone().or(tag).unwrap_or_else(|| "*".to_owned());
            (tag, Completion::from(error))
        };
        match self.append.take() {
            None => {
                let parsed = command::append_start(announced, self.enabled.utf8_names());
                let (tag, name, message) = parsed.map_err(|error| refused(None, error))?;
                let mailbox = self.target(&name).map_err(|completion| (tag.clone(), completion))?;
                let append = Append { tag, mailbox, done: Vec::new(), message, spool: None, octets: 0 };
                self.append = Some(Box::new(append));
            }
            Some(mut append) => {
                let message = command::append_next(announced, &append.message);
                append.message = message.map_err(|error| refused(Some(append.tag.clone()), error))?;
                if append.done.len() >= MAX_MESSAGES {
                    let completion = Completion::no("too many messages at once").code(Code::Limit);
                    return Err((append.tag.clone(), completion));
                }
                self.append = Some(append);
            }
        }
        let Some(append) = &mut self.append else { return Ok(()) };
        append.octets = append.octets.saturating_add(announced.octets);
        // RFC 3502 §6.3.11, RFC 9051 §6.3.12: an empty message is none.
        let spool = match announced.octets {
            0 => Err(Completion::no("an empty message is not taken").code(Code::Cannot)),
            _ => {
                self.store.room_for(append.octets).and_then(|()| self.store.spool()).map_err(Completion::from)
            }
        };
        append.spool = Some(spool.map_err(|completion| (append.tag.clone(), completion))?);
        Ok(())
    }

    pub(super) fn append_data(&mut self, octets: &[u8], framer: &mut Framer) {
        let Some(append) = &mut self.append else { return };
        let Some(spool) = &mut append.spool else { return };
        if let Err(error) = spool.push(octets) {
            framer.refuse();
            self.append_failed(error.into());
        }
    }

    /// A message is complete.
    pub(super) fn append_next(&mut self) {
        let Some(append) = &mut self.append else { return };
        let Some(spool) = append.spool.take() else { return };
        let flags = std::mem::take(&mut append.message.flags);
        append.done.push(NewMail { spool, flags, internal_date: append.message.internal_date });
    }

    /// All messages are there: they go in together.
    pub(super) fn append_finish(&mut self, rest: &Secret) {
        let Some(append) = self.append.take() else { return };
        let Append { tag, mailbox, done, message, .. } = *append;
        let result = match command::append_end(rest.expose(), &message) {
            Err(error) => Err(error.into()),
            Ok(()) => self.store.append(mailbox, done).map_err(|error| match error {
                MailError::NoMailbox => Completion::try_create(),
                error => error.into(),
            }),
        };
        let outcome = match result {
            Ok(added) => {
                Completion::ok("APPEND completed").code(Code::AppendUid(added.uid_validity, added.uids))
            }
            Err(completion) => completion,
        };
        self.finish(tag, Outcome::from(outcome), Manner::PLAIN);
    }

    fn append_failed(&mut self, completion: Completion) {
        if let Some(append) = self.append.take() {
            self.finish(append.tag, completion.into(), Manner::PLAIN);
        }
    }
}
