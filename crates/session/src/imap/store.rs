//! Commands that change messages: STORE, EXPUNGE, CLOSE, COPY, MOVE (RFC 9051 §6.4).

use super::account::{Account, Outcome};
use super::completion::{Completion, Status};
use super::sync::Tell;
use base::mailbox::{Copied, MailError};
use base::{MailboxId, MailboxName, ModSeq, Uid};
use wire::imap::Code;
use wire::imap::command::{SequenceSet, Store, Transfer};

impl Account {
    pub(super) fn change_flags(&mut self, store: &Store) -> Result<Outcome, Completion> {
        let uids = self.chosen(&store.set, store.uid)?;
        // RFC 7162 §3.1
        self.enabled.condstore |= store.unchanged_since.is_some();
        let Some(view) = &self.view else { return Ok(Outcome::ok("STORE completed")) };
        let stored = self.store.store(view.mailbox, &uids, &store.edit, store.unchanged_since.map(ModSeq))?;
        let missing = stored.done.len() + stored.modified.len() < uids.len();
        let completion = if !stored.modified.is_empty() {
            let number = |uid: &Uid| if store.uid { Some(uid.0) } else { view.sequence(*uid) };
            let held_back = stored.modified.iter().filter_map(number).collect();
            Completion::ok("some messages were changed meanwhile").code(Code::Modified(held_back))
        } else if missing && !store.uid {
            // RFC 2180 §4.2, RFC 5530
            let status = if stored.done.is_empty() { Status::No } else { Status::Ok };
            let gone = Completion::ok("some messages have been deleted").code(Code::ExpungeIssued);
            Completion { status, ..gone }
        } else {
            Completion::ok("STORE completed")
        };
        let own = stored.done.iter().map(|entry| (entry.uid, entry.modseq)).collect();
        // RFC 7162 §3.1.3: with CONDSTORE the new MODSEQ is told even where the flags are not asked for.
        let tell = match store.silent && !self.enabled.condstore {
            true => Tell::default(),
            false => Tell::flags(stored.done, store.uid),
        };
        Ok(Outcome { completion, tell, own })
    }

    pub(super) fn expunge(&mut self, set: Option<&SequenceSet>) -> Result<Outcome, Completion> {
        let uids = set.map(|set| self.chosen(set, true)).transpose()?;
        let Some(view) = &self.view else { return Ok(Outcome::ok("EXPUNGE completed")) };
        let gone = self.store.expunge(view.mailbox, uids.as_deref())?;
        Ok(self.with_modseq(Completion::ok("EXPUNGE completed"), !gone.is_empty()).into())
    }

    /// RFC 7162 §3.1.12, §3.2.7: what the client may rely on after messages went; the number is put in when all is
    /// told.
    pub(super) fn with_modseq(&self, completion: Completion, expunged: bool) -> Completion {
        match self.enabled.condstore && expunged && completion.code.is_none() {
            true => completion.code(Code::HighestModSeq(ModSeq(1))),
            false => completion,
        }
    }

    /// CLOSE, which expunges without a word, and UNSELECT.
    pub(super) fn close(&mut self, expunge: bool) -> Result<Outcome, Completion> {
        let Some(view) = self.view.take() else { return Ok(Outcome::ok("nothing was selected")) };
        if !expunge {
            return Ok(Outcome::ok("UNSELECT completed"));
        }
        if !view.read_only {
            match self.store.expunge(view.mailbox, None) {
                // RFC 4314 §4: the mailbox is closed all the same.
                Err(MailError::NoPerm | MailError::NoMailbox) => {}
                expunged => drop(expunged?),
            }
        }
        Ok(Outcome::ok("CLOSE completed"))
    }

    /// The mailbox that messages are to go to.
    pub(super) fn target(&self, name: &MailboxName) -> Result<MailboxId, Completion> {
        match self.store.find(name)?.and_then(|info| info.mailbox) {
            Some(mailbox) => Ok(mailbox),
            None => Err(Completion::try_create()),
        }
    }

    pub(super) fn copy(&mut self, transfer: &Transfer) -> Result<Outcome, Completion> {
        let uids = self.chosen(&transfer.set, transfer.uid)?;
        let to = self.target(&transfer.mailbox)?;
        let Some(view) = &self.view else { return Ok(Outcome::ok("COPY completed")) };
        let copied = self.store.copy(view.mailbox, &uids, to).map_err(target_lost)?;
        let completion = Completion::ok("COPY completed");
        Ok(match copied.uids.is_empty() {
            true if !uids.is_empty() && !transfer.uid => Completion::from(MailError::NoMessage),
            true => completion,
            false => completion.code(copy_uid(copied)),
        }
        .into())
    }

    pub(super) fn move_to(&mut self, transfer: &Transfer, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        let uids = self.chosen(&transfer.set, transfer.uid)?;
        let to = self.target(&transfer.mailbox)?;
        let Some(view) = &self.view else { return Ok(Outcome::ok("MOVE completed")) };
        let moved = self.store.move_to(view.mailbox, &uids, to).map_err(target_lost)?;
        if moved.uids.is_empty() {
            return match !uids.is_empty() && !transfer.uid {
                true => Err(MailError::NoMessage.into()),
                false => Ok(Outcome::ok("MOVE completed")),
            };
        }
        // RFC 6851 §4.3: untagged, before the expunges.
        Completion::ok("messages went").code(copy_uid(moved)).print(None, out);
        Ok(self.with_modseq(Completion::ok("MOVE completed"), true).into())
    }
}

pub(super) fn target_lost(error: MailError) -> Completion {
    match error {
        MailError::NoMailbox => Completion::try_create(),
        error => error.into(),
    }
}

fn copy_uid(copied: Copied) -> Code {
    Code::CopyUid(copied.uid_validity, copied.uids)
}
