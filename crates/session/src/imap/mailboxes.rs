//! Commands about mailboxes as wholes: CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, quotas.

use super::account::{Account, Outcome};
use super::completion::Completion;
use super::print;
use base::mailbox::{MailError, MailboxInfo};
use base::{MailboxId, MailboxName, SpecialUse};
use wire::imap::Code;
use wire::imap::command::StatusItem;

impl Account {
    pub(super) fn create(&mut self, name: &MailboxName, uses: &[SpecialUse]) -> Result<Outcome, Completion> {
        let special_use = match uses {
            [] => None,
            [only] => Some(*only),
            // RFC 6154 §3
            _ => return Err(Completion::no("a mailbox has one use at most").code(Code::UseAttr)),
        };
        if name.is_inbox() {
            return Err(MailError::Exists.into());
        }
        let created = self.store.create(name, special_use).map_err(|error| match error {
            MailError::Refused(why) if special_use.is_some() => Completion::no(why).code(Code::UseAttr),
            error => error.into(),
        })?;
        // RFC 8474 §4.1
        Ok(Completion::ok("CREATE completed").code(Code::MailboxId(created)).into())
    }

    pub(super) fn delete(&mut self, name: &MailboxName, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        if name.is_inbox() {
            return Err(Completion::no("INBOX can't be deleted").code(Code::Cannot));
        }
        let mailbox = self.existing(name)?;
        self.store.delete(mailbox)?;
        if self.view.take_if(|view| view.mailbox == mailbox).is_some() {
            out.extend_from_slice(b"* OK [CLOSED] the selected mailbox was deleted\r\n");
        }
        Ok(Outcome::ok("DELETE completed"))
    }

    pub(super) fn rename(
        &mut self,
        from: &MailboxName,
        to: &MailboxName,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Completion> {
        let mailbox = self.existing(from)?;
        self.store.rename(mailbox, to)?;
        if self.enabled.rev2 && !from.is_inbox() {
            // RFC 9051 §6.3.6: the new name with the old one.
            let info = self.find(to)?;
            self.list_line(&info, "LIST", &[], Some(from), out);
        }
        Ok(Outcome::ok("RENAME completed"))
    }

    pub(super) fn subscribe(&mut self, name: &MailboxName, on: bool) -> Result<Outcome, Completion> {
        self.store.subscribe(name, on)?;
        Ok(Outcome::ok(if on { "SUBSCRIBE completed" } else { "UNSUBSCRIBE completed" }))
    }

    /// The mailbox that a name has.
    pub(super) fn existing(&self, name: &MailboxName) -> Result<MailboxId, MailError> {
        self.find(name)?.mailbox.ok_or(MailError::NoMailbox)
    }

    pub(super) fn status(
        &mut self,
        name: &MailboxName,
        items: &[StatusItem],
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Completion> {
        // RFC 7162 §3.1
        self.enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
        let mailbox = self.existing(name)?;
        let info =
            MailboxInfo { name: name.clone(), mailbox: Some(mailbox), subscribed: false, special_use: None };
        self.status_line(&info, mailbox, items, out)?;
        Ok(Outcome::ok("STATUS completed"))
    }

    /// Appends a STATUS response.
    pub(super) fn status_line(
        &self,
        info: &MailboxInfo,
        mailbox: MailboxId,
        items: &[StatusItem],
        out: &mut Vec<u8>,
    ) -> Result<(), MailError> {
        let status = self.store.status(mailbox)?;
        out.extend_from_slice(b"* STATUS ");
        print::mailbox(out, &info.name, self.enabled.utf8_names());
        out.extend_from_slice(b" (");
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            let (name, value) = match item {
                StatusItem::Messages => ("MESSAGES", u64::from(status.messages)),
                StatusItem::Recent => ("RECENT", u64::from(status.recent)),
                StatusItem::UidNext => ("UIDNEXT", u64::from(status.uid_next.0)),
                StatusItem::UidValidity => ("UIDVALIDITY", u64::from(status.uid_validity.0)),
                StatusItem::Unseen => ("UNSEEN", u64::from(status.unseen)),
                StatusItem::Deleted => ("DELETED", u64::from(status.deleted)),
                StatusItem::DeletedStorage => ("DELETED-STORAGE", status.deleted_octets),
                StatusItem::Size => ("SIZE", status.octets),
                StatusItem::HighestModSeq => ("HIGHESTMODSEQ", status.highest_modseq.0),
                StatusItem::AppendLimit => ("APPENDLIMIT", self.config.limits.message_octets),
                StatusItem::MailboxId => {
                    out.extend_from_slice(b"MAILBOXID (");
                    print::object_id(out, b'F', mailbox.0);
                    out.push(b')');
                    continue;
                }
            };
            out.extend_from_slice(name.as_bytes());
            out.push(b' ');
            print::number(out, value);
        }
        out.extend_from_slice(b")\r\n");
        Ok(())
    }

    pub(super) fn get_quota(&mut self, root: &str, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        if !root.is_empty() {
            return Err(Completion::no("no such quota root").code(Code::NonExistent));
        }
        self.quota_line(out)?;
        Ok(Outcome::ok("GETQUOTA completed"))
    }

    pub(super) fn get_quota_root(
        &mut self,
        name: &MailboxName,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Completion> {
        let mailbox = self.store.find(name)?.and_then(|info| info.mailbox);
        let is_own = mailbox.map_or(Ok(true), |mailbox| self.store.is_own(mailbox))?;
        out.extend_from_slice(b"* QUOTAROOT ");
        print::mailbox(out, name, self.enabled.utf8_names());
        // What others use of their quota is not for their guests.
        out.extend_from_slice(if is_own { b" \"\"\r\n" } else { b"\r\n" });
        if is_own {
            self.quota_line(out)?;
        }
        Ok(Outcome::ok("GETQUOTAROOT completed"))
    }

    /// Appends the one quota root's use and limits (RFC 9208 §4.2.1).
    fn quota_line(&self, out: &mut Vec<u8>) -> Result<(), MailError> {
        let quota = self.store.quota()?;
        out.extend_from_slice(b"* QUOTA \"\" (");
        // RFC 9208 §5.1: STORAGE counts units of 1024 octets.
        let storage = quota.octets_limit.map(|limit| ("STORAGE", quota.octets.div_ceil(1024), limit / 1024));
        let message = quota.messages_limit.map(|limit| ("MESSAGE", quota.messages, limit));
        for (place, (name, used, limit)) in storage.into_iter().chain(message).enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
            for value in [used, limit] {
                out.push(b' ');
                print::number(out, value);
            }
        }
        out.extend_from_slice(b")\r\n");
        Ok(())
    }
}
