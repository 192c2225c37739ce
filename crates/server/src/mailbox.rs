//! One account's mail, as the IMAP and POP3 sessions want it: `session::Mailstore` over the store, with APPEND led
//! through the gate.

use crate::gatehouse::Gatehouse;
use crate::url_access;
use base::mailbox::{
    Appended, Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened, Quota, Row,
    Stored,
};
use base::{MailId, MailboxId, MailboxName, ModSeq, Octets, ReversePath, SpecialUse, Timestamp, Uid};
use gate::{Delivery, Folder, Origin, Spooled};
use session::mailstore::{Mailstore, Message, NewMail, Spool};
use std::any::Any;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use store::{Account, Place, Placed, Store, StoreError, StoredMessage};
use wire::imap::command::UrlAuth;
use wire::mime;

/// An account's mail, for as long as a session is logged in.
pub struct AccountMail {
    account: Account,
    store: Arc<dyn Store>,
    gatehouse: Arc<Gatehouse>,
}

impl AccountMail {
    /// The mail of `account`.
    pub fn new(account: Account, store: Arc<dyn Store>, gatehouse: Arc<Gatehouse>) -> Self {
        AccountMail { account, store, gatehouse }
    }

    /// Judges one message of an APPEND and makes it fit to be stored.
    fn screened(&self, to: MailboxId, mail: NewMail) -> Result<gate::Screened, MailError> {
        let spool = mail.spool.into_any().downcast::<ParsedSpool>();
        let (octets, tree) = spool.map_err(|_| unavailable("a foreign spool"))?.finish()?;
        let received = Timestamp::now();
        let spooled = Spooled {
            trace: crate::random::trace_id(),
            reverse_path: ReversePath::Null,
            octets,
            tree: Arc::new(tree),
            received,
            smtputf8: false,
        };
        let delivery = Delivery::Mailbox {
            account: self.account.id,
            domain: self.account.domain,
            folder: Folder::Exact(to),
            flags: mail.flags,
            internal_date: mail.internal_date,
            recipient: None,
        };
        let screened = self.gatehouse.judge_inside(Origin::Append, spooled, delivery);
        screened.map_err(|reply| MailError::Rejected(reply.to_string()))
    }
}

impl Mailstore for AccountMail {
    fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError> {
        self.store.mailboxes(self.account.id)
    }

    fn status(&self, mailbox: MailboxId) -> Result<MailboxStatus, MailError> {
        self.store.status(self.account.id, mailbox)
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<MailboxId, MailError> {
        self.store.create(self.account.id, name, special_use)
    }

    fn delete(&self, mailbox: MailboxId) -> Result<(), MailError> {
        self.store.delete(self.account.id, mailbox)
    }

    fn rename(&self, mailbox: MailboxId, to: &MailboxName) -> Result<(), MailError> {
        self.store.rename(self.account.id, mailbox, to)
    }

    fn subscribe(&self, name: &MailboxName, on: bool) -> Result<(), MailError> {
        self.store.subscribe(self.account.id, name, on)
    }

    fn open(&self, mailbox: MailboxId) -> Result<Opened, MailError> {
        self.store.open(self.account.id, mailbox)
    }

    fn claim_recent(&self, mailbox: MailboxId, below: Uid) -> Result<Uid, MailError> {
        self.store.claim_recent(self.account.id, mailbox, below)
    }

    fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError> {
        self.store.changes(self.account.id, mailbox, since)
    }

    fn scan(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError> {
        self.store.scan(self.account.id, mailbox, uids, columns, each)
    }

    fn read(&self, mail: MailId) -> Result<Box<dyn Message>, MailError> {
        Ok(Box::new(Reading(self.store.read(self.account.id, mail)?)))
    }

    fn candidates(&self, mailbox: MailboxId, text: &str) -> Result<Option<Vec<Uid>>, MailError> {
        self.store.candidates(self.account.id, mailbox, text)
    }

    fn store(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, MailError> {
        self.store.set_flags(self.account.id, mailbox, uids, edit, unchanged_since)
    }

    fn expunge(&self, mailbox: MailboxId, uids: Option<&[Uid]>) -> Result<Vec<Uid>, MailError> {
        self.store.expunge(self.account.id, mailbox, uids)
    }

    fn copy(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError> {
        self.store.copy(self.account.id, from, uids, to)
    }

    fn move_to(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError> {
        self.store.move_to(self.account.id, from, uids, to)
    }

    fn room_for(&self, octets: u64, replaced: Option<u64>) -> Result<(), MailError> {
        if !self.store.has_room() {
            return Err(mail_error(StoreError::DiskFull));
        }
        let quota = self.store.quota(self.account.id)?;
        let more = octets.saturating_sub(replaced.unwrap_or(0));
        let octets_over =
            more > 0 && quota.octets_limit.is_some_and(|limit| quota.octets.saturating_add(more) > limit);
        let messages_over =
            replaced.is_none() && quota.messages_limit.is_some_and(|limit| quota.messages >= limit);
        if octets_over || messages_over { Err(MailError::OverQuota) } else { Ok(()) }
    }

    fn spool(&self) -> Result<Box<dyn Spool>, MailError> {
        let spool = self.store.spool().map_err(mail_error)?;
        Ok(Box::new(ParsedSpool { spool, parser: mime::Parser::new(self.gatehouse.limits()) }))
    }

    fn append(&self, to: MailboxId, mail: Vec<NewMail>) -> Result<Appended, MailError> {
        let screened = mail.into_iter().map(|m| self.screened(to, m)).collect::<Result<Vec<_>, _>>()?;
        let placed = self.store.accept_now(screened).map_err(mail_error)?;
        appended(placed)
    }

    fn replace(
        &self,
        from: MailboxId,
        uid: Uid,
        to: MailboxId,
        mail: NewMail,
    ) -> Result<Appended, MailError> {
        let with = self.screened(to, mail)?;
        let placed = self.store.replace(self.account.id, from, uid, with).map_err(mail_error)?;
        appended([placed.ok_or(MailError::NoMessage)?])
    }

    fn is_user(&self, name: &str) -> Result<bool, MailError> {
        url_access::is_user(&*self.store, &self.account, name)
    }

    fn url_token(&self, mailbox: MailboxId, rump: &str) -> Result<[u8; 32], MailError> {
        self.store.url_token(self.account.id, mailbox, rump)
    }

    fn reset_url_keys(&self, mailbox: Option<MailboxId>) -> Result<(), MailError> {
        self.store.reset_url_keys(self.account.id, mailbox)
    }

    fn authorized(&self, url: &UrlAuth, owner: &str) -> Result<Option<Arc<dyn Mailstore>>, MailError> {
        let owner = url_access::owner(&*self.store, &self.account, url, owner)?;
        let mail = |owner| AccountMail::new(owner, self.store.clone(), self.gatehouse.clone());
        Ok(owner.map(|owner| Arc::new(mail(owner)) as Arc<dyn Mailstore>))
    }

    fn quota(&self) -> Result<Quota, MailError> {
        self.store.quota(self.account.id)
    }

    fn pop3_keeps(&self) -> bool {
        self.account.pop3_keeps
    }

    fn pop3_remove(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError> {
        self.store.remove_recoverably(self.account.id, mailbox, uids)
    }
}

/// The numbers of messages that went into one mailbox.
fn appended(placed: impl IntoIterator<Item = Placed>) -> Result<Appended, MailError> {
    let mut all: Option<Appended> = None;
    for place in placed.into_iter().flat_map(|placed| placed.places) {
        let Place::Mailbox { appended, .. } = place else { continue };
        match &mut all {
            Some(all) => all.uids.extend(appended.uids),
            None => all = Some(appended),
        }
    }
    all.ok_or(unavailable("nothing was appended"))
}

/// A spool that parses what goes through it.
struct ParsedSpool {
    spool: store::Spool,
    parser: mime::Parser,
}

impl ParsedSpool {
    fn finish(self: Box<Self>) -> Result<(Arc<dyn Octets>, mime::Tree), MailError> {
        Ok((self.spool.finish().map_err(mail_error)?, self.parser.finish()))
    }
}

impl Spool for ParsedSpool {
    fn push(&mut self, octets: &[u8]) -> Result<(), MailError> {
        self.parser.push(octets);
        self.spool.push(octets).map_err(mail_error)
    }

    fn len(&self) -> u64 {
        self.spool.len()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// A stored message under the name that the sessions know.
struct Reading(Box<dyn StoredMessage>);

impl Octets for Reading {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        self.0.read(range, out)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        self.0.as_slice()
    }
}

impl Message for Reading {
    fn tree(&self) -> &mime::Tree {
        self.0.tree()
    }
}

fn unavailable(why: &str) -> MailError {
    MailError::Unavailable(why.to_owned())
}

fn mail_error(error: StoreError) -> MailError {
    match error {
        StoreError::OverQuota(_) => MailError::OverQuota,
        StoreError::Gone => MailError::NoMailbox,
        StoreError::Busy => unavailable("too much is under way"),
        StoreError::DiskFull => {
            tracing::warn!("a message was not stored: the disk is full");
            MailError::Limit("the server's disk is full, please try again later")
        }
        StoreError::Closed => unavailable("shutting down"),
        StoreError::Failed(why) => MailError::Unavailable(why),
    }
}
