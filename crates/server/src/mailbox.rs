//! One account's mail, as the IMAP and POP3 sessions want it: `session::Mailstore` over the mailboxes that the account
//! may see ([`crate::access`]), with APPEND led through the gate.

use crate::access::{Access, Place};
use crate::gatehouse::Gatehouse;
use base::mailbox::{
    Appended, Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened, Quota, Row,
    Stored,
};
use base::rights::{AclEntry, Rights, RightsEdit};
use base::{
    Annotation, EntryName, MailId, MailboxId, MailboxName, ModSeq, Octets, ReversePath, SpecialUse,
    Timestamp, Uid,
};
use gate::{Delivery, Origin, Screened, Spooled};
use session::mailstore::{Mailstore, Message, NewMail, Spool};
use std::any::Any;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use store::{Placed, StoreError, StoredMessage};
use wire::imap::command::UrlAuth;
use wire::mime;

/// How to reach who runs the server (RFC 5464 §3.2.1.1).
const ADMIN: &str = "/shared/admin";

/// Messages that go from one account to another in one commit.
const ACROSS: usize = 100;

/// An account's mail, for as long as a session is logged in.
pub struct AccountMail {
    access: Access,
    gatehouse: Arc<Gatehouse>,
}

impl AccountMail {
    /// The mail that an account may see.
    pub fn new(access: Access, gatehouse: Arc<Gatehouse>) -> Self {
        AccountMail { access, gatehouse }
    }

    /// Judges one message of an APPEND and makes it fit to be stored.
    fn screened(&self, to: &Place<'_>, mail: NewMail) -> Result<Screened, MailError> {
        let spool = mail.spool.into_any().downcast::<ParsedSpool>();
        let (octets, tree) = spool.map_err(|_| unavailable("a foreign spool"))?.finish()?;
        self.judged(octets, tree, to.delivery(mail.flags, mail.internal_date)?)
    }

    fn judged(
        &self,
        octets: Arc<dyn Octets>,
        tree: mime::Tree,
        delivery: Delivery,
    ) -> Result<Screened, MailError> {
        let spooled = Spooled {
            trace: crate::random::trace_id(),
            reverse_path: ReversePath::Null,
            octets,
            tree: Arc::new(tree),
            received: Timestamp::now(),
            smtputf8: false,
        };
        let screened = self.gatehouse.judge_inside(Origin::Append, spooled, vec![delivery]);
        screened.map_err(|reply| MailError::Rejected(reply.to_string()))
    }

    /// Copies messages into another account: each comes in anew, sealed for that account and its domain. Long lists go
    /// in pieces; where a piece fails, what came in before goes again (RFC 9051 §6.4.7).
    fn copy_across(&self, from: &Place<'_>, uids: &[Uid], to: &Place<'_>) -> Result<Copied, MailError> {
        let mut copied = Copied { uid_validity: to.uid_validity()?, uids: Vec::new() };
        for piece in uids.chunks(ACROSS) {
            let one = self
                .made_anew(from, piece, to)
                .and_then(|(sources, mail)| Ok((sources, self.access.accept(mail).map_err(mail_error)?)));
            match one {
                Ok((sources, placed)) => note(&mut copied, sources, placed),
                Err(error) => {
                    let back: Vec<Uid> = copied.uids.iter().map(|(_, uid)| *uid).collect();
                    to.take_back(&back)?;
                    return Err(error);
                }
            }
        }
        Ok(copied)
    }

    /// Moves messages into another account, each at once out of the one mailbox and into the other.
    fn move_across(&self, from: &Place<'_>, uids: &[Uid], to: &Place<'_>) -> Result<Copied, MailError> {
        let mut moved = Copied { uid_validity: to.uid_validity()?, uids: Vec::new() };
        for piece in uids.chunks(ACROSS) {
            let (sources, mail) = self.made_anew(from, piece, to)?;
            let placed = from.move_away(sources.clone(), mail)?;
            note(&mut moved, sources, placed);
        }
        Ok(moved)
    }

    /// The messages that are still there, as they will come into another account.
    fn made_anew(
        &self,
        from: &Place<'_>,
        uids: &[Uid],
        to: &Place<'_>,
    ) -> Result<(Vec<Uid>, Vec<Screened>), MailError> {
        let mut rows = Vec::with_capacity(uids.len());
        from.scan(uids, Columns::default(), &mut |row| {
            rows.push((row.uid, row.mail, row.flags.clone(), row.internal_date));
            ControlFlow::Continue(())
        })?;
        let (mut sources, mut mail) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (uid, id, flags, date) in rows {
            let message = match from.read(id) {
                Ok(message) => message,
                Err(MailError::NoMessage) => continue,
                Err(error) => return Err(error),
            };
            let tree = message.tree().clone();
            mail.push(self.judged(Arc::new(Reading(message)), tree, to.delivery(flags, Some(date))?)?);
            sources.push(uid);
        }
        Ok((sources, mail))
    }
}

/// Adds to what was copied.
fn note(copied: &mut Copied, sources: Vec<Uid>, placed: Vec<Placed>) {
    copied.uids.extend(sources.into_iter().zip(appended(placed).flat_map(|appended| appended.uids)));
}

fn appended(placed: Vec<Placed>) -> impl Iterator<Item = Appended> {
    placed.into_iter().flat_map(|placed| placed.places).filter_map(|place| match place {
        store::Place::Mailbox { appended, .. } => Some(appended),
        _ => None,
    })
}

/// Where messages went that came in together.
fn together(placed: Vec<Placed>) -> Result<Appended, MailError> {
    let join = |mut all: Appended, more: Appended| {
        all.uids.extend(more.uids);
        all
    };
    appended(placed).reduce(join).ok_or(unavailable("nothing was appended"))
}

impl Mailstore for AccountMail {
    fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError> {
        self.access.mailboxes()
    }

    fn find(&self, name: &MailboxName) -> Result<Option<MailboxInfo>, MailError> {
        self.access.find(name)
    }

    fn status(&self, mailbox: MailboxId) -> Result<MailboxStatus, MailError> {
        self.access.at(mailbox)?.status()
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<MailboxId, MailError> {
        self.access.create(name, special_use)
    }

    fn delete(&self, mailbox: MailboxId) -> Result<(), MailError> {
        self.access.at(mailbox)?.delete()
    }

    fn rename(&self, mailbox: MailboxId, to: &MailboxName) -> Result<(), MailError> {
        self.access.at(mailbox)?.rename(to)
    }

    fn subscribe(&self, name: &MailboxName, on: bool) -> Result<(), MailError> {
        self.access.subscribe(name, on)
    }

    fn open(&self, mailbox: MailboxId) -> Result<Opened, MailError> {
        self.access.at(mailbox)?.open()
    }

    fn claim_recent(&self, mailbox: MailboxId, below: Uid) -> Result<Uid, MailError> {
        self.access.at(mailbox)?.claim_recent(below)
    }

    fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError> {
        self.access.at(mailbox)?.changes(since)
    }

    fn scan(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError> {
        self.access.at(mailbox)?.scan(uids, columns, each)
    }

    fn read(&self, mailbox: MailboxId, mail: MailId) -> Result<Box<dyn Message>, MailError> {
        Ok(Box::new(Reading(self.access.at(mailbox)?.read(mail)?)))
    }

    fn candidates(&self, mailbox: MailboxId, text: &str) -> Result<Option<Vec<Uid>>, MailError> {
        self.access.at(mailbox)?.candidates(text)
    }

    fn store(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, MailError> {
        self.access.at(mailbox)?.set_flags(uids, edit, unchanged_since)
    }

    fn expunge(&self, mailbox: MailboxId, uids: Option<&[Uid]>) -> Result<Vec<Uid>, MailError> {
        self.access.at(mailbox)?.expunge(uids)
    }

    fn copy(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError> {
        let (from, to) = (self.access.at(from)?, self.access.at(to)?);
        match from.has_owner_of(&to) {
            true => from.copy(uids, &to),
            false => self.copy_across(&from, uids, &to),
        }
    }

    fn move_to(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError> {
        let (from, to) = (self.access.at(from)?, self.access.at(to)?);
        match from.has_owner_of(&to) {
            true => from.move_to(uids, &to),
            false => self.move_across(&from, uids, &to),
        }
    }

    fn room_for(&self, to: MailboxId, octets: u64, replaced: Option<u64>) -> Result<(), MailError> {
        let quota = self.access.at(to)?.quota()?;
        if !self.access.has_room() {
            return Err(mail_error(StoreError::DiskFull));
        }
        let more = octets.saturating_sub(replaced.unwrap_or(0));
        let octets_over =
            more > 0 && quota.octets_limit.is_some_and(|limit| quota.octets.saturating_add(more) > limit);
        let messages_over =
            replaced.is_none() && quota.messages_limit.is_some_and(|limit| quota.messages >= limit);
        if octets_over || messages_over { Err(MailError::OverQuota) } else { Ok(()) }
    }

    fn spool(&self) -> Result<Box<dyn Spool>, MailError> {
        let spool = self.access.spool().map_err(mail_error)?;
        Ok(Box::new(ParsedSpool { spool, parser: mime::Parser::new(self.gatehouse.limits()) }))
    }

    fn append(&self, to: MailboxId, mail: Vec<NewMail>) -> Result<Appended, MailError> {
        let to = self.access.at(to)?;
        let screened = mail.into_iter().map(|m| self.screened(&to, m)).collect::<Result<Vec<_>, _>>()?;
        together(self.access.accept(screened).map_err(mail_error)?)
    }

    fn replace(
        &self,
        from: MailboxId,
        uid: Uid,
        to: MailboxId,
        mail: NewMail,
    ) -> Result<Appended, MailError> {
        let (from, to) = (self.access.at(from)?, self.access.at(to)?);
        let with = self.screened(&to, mail)?;
        together(match from.has_owner_of(&to) {
            true => vec![from.replace(uid, with)?],
            false => from.replace_across(uid, with)?,
        })
    }

    fn is_user(&self, name: &str) -> Result<bool, MailError> {
        self.access.is_user(name)
    }

    fn url_token(&self, mailbox: MailboxId, rump: &str) -> Result<[u8; 32], MailError> {
        self.access.at(mailbox)?.url_token(rump)
    }

    fn reset_url_keys(&self, mailbox: Option<MailboxId>) -> Result<(), MailError> {
        match mailbox {
            Some(mailbox) => self.access.at(mailbox)?.reset_url_key(),
            None => self.access.reset_url_keys(),
        }
    }

    fn authorized(&self, url: &UrlAuth, owner: &str) -> Result<Option<Arc<dyn Mailstore>>, MailError> {
        let mail = |access| Arc::new(AccountMail::new(access, self.gatehouse.clone())) as Arc<dyn Mailstore>;
        Ok(self.access.authorized(url, owner)?.map(mail))
    }

    fn quota(&self) -> Result<Quota, MailError> {
        self.access.quota()
    }

    fn is_own(&self, mailbox: MailboxId) -> Result<bool, MailError> {
        Ok(self.access.at(mailbox)?.is_own())
    }

    fn rights(&self, mailbox: MailboxId) -> Result<Rights, MailError> {
        Ok(self.access.at(mailbox)?.rights())
    }

    fn acl(&self, mailbox: MailboxId) -> Result<Vec<AclEntry>, MailError> {
        self.access.at(mailbox)?.acl()
    }

    fn set_acl(&self, mailbox: MailboxId, identifier: &str, edit: RightsEdit) -> Result<(), MailError> {
        self.access.at(mailbox)?.set_acl(identifier, edit)
    }

    fn fixed_rights(&self, mailbox: MailboxId, identifier: &str) -> Result<Rights, MailError> {
        self.access.at(mailbox)?.fixed_rights(identifier)
    }

    fn annotations(&self, of: Option<MailboxId>) -> Result<Vec<Annotation>, MailError> {
        if let Some(mailbox) = of {
            return self.access.at(mailbox)?.annotations();
        }
        let mut all = self.access.server_annotations()?;
        if let Some(entry) = EntryName::new(ADMIN) {
            let domain = self.access.reader().address.domain().map(ToString::to_string);
            let value = format!("mailto:postmaster@{}", domain.unwrap_or_default()).into_bytes();
            all.push(Annotation { entry, value });
        }
        Ok(all)
    }

    fn annotate(
        &self,
        of: Option<MailboxId>,
        entries: Vec<(EntryName, Option<Vec<u8>>)>,
    ) -> Result<(), MailError> {
        match of {
            Some(mailbox) => self.access.at(mailbox)?.annotate(entries),
            None => self.access.annotate_server(entries),
        }
    }

    fn pop3_keeps(&self) -> bool {
        self.access.reader().pop3_keeps
    }

    fn pop3_remove(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError> {
        self.access.at(mailbox)?.remove_recoverably(uids)
    }
}

/// The numbers of messages that went into one mailbox.
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

/// What a client is told of a failure of the store.
pub fn mail_error(error: StoreError) -> MailError {
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
