//! The one door to mailboxes. Whoever reads mail has no other way to the store: [`Access::at`] looks up what the reader
//! may do in a mailbox, and each thing that can be done there names the right that it needs (RFC 4314 §4).
//!
//! Rights are looked up anew each time, so one that is taken away is gone with the next command.

pub mod commands;
#[cfg(test)]
mod tests;

use crate::hub::Hub;
use crate::url_access;
use base::mailbox::{
    Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened, Quota, Row, Stored,
};
use base::rights::{AclEntry, Rights, RightsEdit};
use base::{
    AccountId, Address, Annotation, EntryName, Flags, MailId, MailboxId, MailboxName, ModSeq, SpecialUse,
    Timestamp, Uid, UidValidity,
};
use gate::{Delivery, Folder, Screened};
use std::ops::ControlFlow;
use std::sync::Arc;
use store::sharing::{Grantee, SharedMailbox};
use store::{Account, Leaving, Placed, Store, StoreError, StoredMessage};
use wire::imap::command::UrlAuth;

/// Mailboxes of others lie below this name and their owner's address.
pub const SHARED: &str = "Shared/";

/// A flag can be changed with one of these.
const FLAG_RIGHTS: Rights = Rights::SEEN.and(Rights::WRITE).and(Rights::DELETE);

/// With one of these, annotations of a mailbox may be seen, if the mailbox may (RFC 5464 §3.3).
const ANNOTATION_RIGHTS: Rights =
    FLAG_RIGHTS.without(Rights::DELETE).and(Rights::READ).and(Rights::INSERT).and(Rights::POST);

/// The mailboxes that an account may see: its own, and those that others share with it.
pub struct Access {
    reader: Account,
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    /// Whether users may share with anyone of their mail domain.
    anyone: bool,
}

/// A mailbox, and what the reader may do there.
pub struct Place<'a> {
    access: &'a Access,
    owner: AccountId,
    mailbox: MailboxId,
    rights: Rights,
}

impl Access {
    /// What `reader` may see in a store.
    pub fn new(reader: Account, store: Arc<dyn Store>, hub: Arc<Hub>, anyone: bool) -> Self {
        Access { reader, store, hub, anyone }
    }

    /// Who reads.
    pub fn reader(&self) -> &Account {
        &self.reader
    }

    /// A mailbox, by its id. One that isn't there, or where the reader may do nothing, is the same as none.
    pub fn at(&self, mailbox: MailboxId) -> Result<Place<'_>, MailError> {
        let owner = self.store.sharing().owner(mailbox);
        let rights = match owner == self.reader.id {
            true => Rights::ALL,
            false => self.store.sharing().rights(mailbox, self.reader.id)?,
        };
        match rights == Rights::NONE {
            true => Err(MailError::NoMailbox),
            false => Ok(Place { access: self, owner, mailbox, rights }),
        }
    }

    /// Every mailbox that LIST may show, and names that are subscribed to, by name.
    pub fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError> {
        let mut all = self.store.mailboxes(self.reader.id)?;
        let shared = self.shared()?;
        if shared.is_empty() {
            return Ok(all);
        }
        for (mut info, _) in shared.into_iter().filter(|(_, rights)| rights.has(Rights::LOOKUP)) {
            match all.binary_search_by(|other| other.name.cmp(&info.name)) {
                // It is subscribed to, or lies above one that is.
                Ok(place) => {
                    info.subscribed = all.get(place).is_some_and(|known| known.subscribed);
                    all.get_mut(place).into_iter().for_each(|known| *known = info.clone());
                }
                Err(place) => all.insert(place, info),
            }
        }
        Ok(all)
    }

    /// The mailbox of a name, if the reader may do anything there.
    pub fn find(&self, name: &MailboxName) -> Result<Option<MailboxInfo>, MailError> {
        if foreign(name).is_some()
            && let Some((info, _)) = self.shared()?.into_iter().find(|(info, _)| info.name == *name)
        {
            return Ok(Some(info));
        }
        // A script may have made one of the reader's own by such a name.
        Ok(self.store.mailboxes(self.reader.id)?.into_iter().find(|info| info.name == *name))
    }

    /// Others' mailboxes under the names that they have here. What can't be named is not shown.
    fn shared(&self) -> Result<Vec<(MailboxInfo, Rights)>, MailError> {
        let named = |shared: SharedMailbox| {
            let owner = shared.owner.to_string();
            let name = MailboxName::new(&format!("{SHARED}{owner}/{}", shared.info.name)).ok()?;
            (!owner.contains('/')).then_some((MailboxInfo { name, ..shared.info }, shared.rights))
        };
        Ok(self.store.sharing().shared_with(self.reader.id)?.into_iter().filter_map(named).collect())
    }

    /// Makes a mailbox; another's needs the right to, on the nearest mailbox above it.
    pub fn create(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailError> {
        match self.new_place(name)? {
            (owner, _) if owner != self.reader.id && special_use.is_some() => {
                Err(MailError::Refused("only an owner's mailboxes have special uses"))
            }
            (owner, name) => self.store.create(owner, &name, special_use),
        }
    }

    /// Whose mailbox a name would be, and by what name its owner would know it. Whoever may not make it learns nothing
    /// of who has an account and what mailboxes there are.
    fn new_place(&self, name: &MailboxName) -> Result<(AccountId, MailboxName), MailError> {
        let Some(rest) = foreign(name) else { return Ok((self.reader.id, name.clone())) };
        let owners = name.as_str().strip_suffix(rest).unwrap_or_default();
        let shared = self.shared()?;
        let known = shared.iter().find(|(info, _)| info.name.as_str().starts_with(owners));
        let known = known.and_then(|(info, _)| info.mailbox).ok_or(MailError::NoPerm)?;
        let (owner, name) =
            (self.store.sharing().owner(known), MailboxName::new(rest).map_err(MailError::Name)?);
        let all = self.store.mailboxes(owner)?;
        let mailbox = |name| all.iter().find(|info| info.name == name).and_then(|info| info.mailbox);
        let nearest = std::iter::successors(name.parent(), MailboxName::parent).find_map(mailbox);
        match nearest.is_some_and(|id| self.at(id).is_ok_and(|above| above.rights.has(Rights::CREATE))) {
            true => Ok((owner, name)),
            false => Err(MailError::NoPerm),
        }
    }

    /// Subscribes the reader to a name, or ends it.
    pub fn subscribe(&self, name: &MailboxName, on: bool) -> Result<(), MailError> {
        self.store.subscribe(self.reader.id, name, on)
    }

    /// The reader's own use and limits.
    pub fn quota(&self) -> Result<Quota, MailError> {
        self.store.quota(self.reader.id)
    }

    /// A place for a message that is being received.
    pub fn spool(&self) -> Result<store::Spool, StoreError> {
        self.store.spool()
    }

    /// Whether the disk has room.
    pub fn has_room(&self) -> bool {
        self.store.has_room()
    }

    /// Commits messages whose deliveries were made by [`Place::delivery`].
    pub fn accept(&self, mail: Vec<Screened>) -> Result<Vec<Placed>, StoreError> {
        self.store.accept_now(mail)
    }

    /// Whether a log-in name is the reader's.
    pub fn is_user(&self, name: &str) -> Result<bool, MailError> {
        url_access::is_user(&*self.store, &self.reader, name)
    }

    /// Takes back what the reader ever authorized by URLs.
    pub fn reset_url_keys(&self) -> Result<(), MailError> {
        self.store.reset_url_keys(self.reader.id, None)
    }

    /// What the owner of a URL may see, if the URL lets the reader read; never what others share with the owner.
    pub fn authorized(&self, url: &UrlAuth, owner: &str) -> Result<Option<Access>, MailError> {
        if url.url.mailbox.as_ref().is_some_and(|name| foreign(name).is_some()) {
            return Ok(None);
        }
        let owner = url_access::owner(&*self.store, &self.reader, url, owner)?;
        Ok(owner.map(|owner| Access::new(owner, self.store.clone(), self.hub.clone(), self.anyone)))
    }

    /// What the reader noted on the server.
    pub fn server_annotations(&self) -> Result<Vec<Annotation>, MailError> {
        self.store.annotations().list(self.reader.id, None, self.reader.id)
    }

    /// Notes more; what is shared there is not a user's to set.
    pub fn annotate_server(&self, entries: Vec<(EntryName, Option<Vec<u8>>)>) -> Result<(), MailError> {
        match entries.iter().all(|(entry, _)| entry.is_private()) {
            true => self.store.annotations().set(self.reader.id, None, self.reader.id, entries),
            false => Err(MailError::NoPerm),
        }
    }
}

impl<'a> Place<'a> {
    /// What the reader may do here.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// Whether the reader's quota counts what is here.
    pub fn is_own(&self) -> bool {
        self.owner == self.access.reader.id
    }

    /// Whether two mailboxes are the same account's.
    pub fn has_owner_of(&self, other: &Place<'_>) -> bool {
        self.owner == other.owner
    }

    /// The store, for what needs these rights: the only way from here to it. Without them, a mailbox that the reader
    /// can't list is as good as none (RFC 4314 §6).
    fn with(&self, needs: Rights) -> Result<&'a dyn Store, MailError> {
        self.allow(self.rights.has(needs))
    }

    fn allow(&self, allowed: bool) -> Result<&'a dyn Store, MailError> {
        match allowed {
            true => Ok(&*self.access.store),
            false if self.rights.has(Rights::LOOKUP) => Err(MailError::NoPerm),
            false => Err(MailError::NoMailbox),
        }
    }

    /// Counts and numbers.
    pub fn status(&self) -> Result<MailboxStatus, MailError> {
        self.with(Rights::READ)?.status(self.owner, self.mailbox)
    }

    /// UIDs and numbers. From now on the reader's sessions hear of changes here.
    pub fn open(&self) -> Result<Opened, MailError> {
        let store = self.with(Rights::READ)?;
        if !self.is_own() {
            self.access.hub.follow(self.owner, self.access.reader.id);
        }
        store.open(self.owner, self.mailbox)
    }

    /// Ends the recency of messages below `below`.
    pub fn claim_recent(&self, below: Uid) -> Result<Uid, MailError> {
        self.with(Rights::READ)?.claim_recent(self.owner, self.mailbox, below)
    }

    /// What changed after `since`.
    pub fn changes(&self, since: ModSeq) -> Result<Changes, MailError> {
        self.with(Rights::READ)?.changes(self.owner, self.mailbox, since)
    }

    /// Visits rows.
    pub fn scan(
        &self,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError> {
        self.with(Rights::READ)?.scan(self.owner, self.mailbox, uids, columns, each)
    }

    /// A message that is here.
    pub fn read(&self, mail: MailId) -> Result<Box<dyn StoredMessage>, MailError> {
        let store = self.with(Rights::READ)?;
        // Every message of one's own may be read, wherever it is.
        if !self.is_own() && !store.sharing().holds(self.mailbox, mail)? {
            return Err(MailError::NoMessage);
        }
        store.read(self.owner, mail)
    }

    /// UIDs whose text may hold `text`.
    pub fn candidates(&self, text: &str) -> Result<Option<Vec<Uid>>, MailError> {
        self.with(Rights::READ)?.candidates(self.owner, self.mailbox, text)
    }

    /// Changes those flags that the reader may; fails where there are none of them.
    pub fn set_flags(
        &self,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, MailError> {
        let store = self.allow(may_change_any(self.rights, edit))?;
        store.set_flags(self.owner, self.mailbox, uids, edit, unchanged_since, self.rights)
    }

    /// Removes what is flagged `\Deleted`.
    pub fn expunge(&self, uids: Option<&[Uid]>) -> Result<Vec<Uid>, MailError> {
        self.with(Rights::EXPUNGE)?.expunge(self.owner, self.mailbox, uids)
    }

    /// Copies within an account.
    pub fn copy(&self, uids: &[Uid], to: &Place<'_>) -> Result<Copied, MailError> {
        to.with(Rights::INSERT)?;
        self.with(Rights::READ)?.copy(self.owner, self.mailbox, uids, to.mailbox, to.rights)
    }

    /// Moves within an account: what COPY, STORE and EXPUNGE need together (RFC 6851 §3.3).
    pub fn move_to(&self, uids: &[Uid], to: &Place<'_>) -> Result<Copied, MailError> {
        to.with(Rights::INSERT)?;
        let needs = Rights::READ.and(Rights::DELETE).and(Rights::EXPUNGE);
        self.with(needs)?.move_to(self.owner, self.mailbox, uids, to.mailbox, to.rights)
    }

    /// Puts a message in, in the place of one that is here; which, if another than its owner removes it, the owner can
    /// have back.
    pub fn replace(&self, uid: Uid, with: Screened) -> Result<Placed, MailError> {
        let needs = Rights::READ.and(Rights::DELETE).and(Rights::EXPUNGE);
        let placed = self.with(needs)?.replace(self.owner, self.mailbox, uid, with, !self.is_own());
        placed.map_err(crate::mailbox::mail_error)?.ok_or(MailError::NoMessage)
    }

    /// The token that authorizes a URL: an owner's to give.
    pub fn url_token(&self, rump: &str) -> Result<[u8; 32], MailError> {
        self.allow(self.is_own())?.url_token(self.owner, self.mailbox, rump)
    }

    /// Makes the tokens worthless that were given.
    pub fn reset_url_key(&self) -> Result<(), MailError> {
        self.allow(self.is_own())?.reset_url_keys(self.owner, Some(self.mailbox))
    }

    /// Commits messages that were made of these, and takes these away in the same moment.
    pub fn move_away(&self, uids: Vec<Uid>, mail: Vec<Screened>) -> Result<Vec<Placed>, MailError> {
        self.take_away(uids, mail, Leaving::Moved)
    }

    /// Commits a message in another account, and takes the one that it replaces away in the same moment.
    pub fn replace_across(&self, uid: Uid, with: Screened) -> Result<Vec<Placed>, MailError> {
        self.take_away(vec![uid], vec![with], Leaving::ForGood)
    }

    /// Whatever another than the owner takes away stays recoverable for the owner.
    fn take_away(
        &self,
        uids: Vec<Uid>,
        mail: Vec<Screened>,
        by_owner: Leaving,
    ) -> Result<Vec<Placed>, MailError> {
        let needs = Rights::READ.and(Rights::DELETE).and(Rights::EXPUNGE);
        let leaving = if self.is_own() { by_owner } else { Leaving::Recoverable };
        let taken = self.with(needs)?.accept_moved(mail, self.owner, self.mailbox, uids, leaving);
        taken.map_err(crate::mailbox::mail_error)
    }

    /// How a new message comes in here: with the flags that the reader may set.
    pub fn delivery(&self, flags: Flags, internal_date: Option<Timestamp>) -> Result<Delivery, MailError> {
        let store = self.with(Rights::INSERT)?;
        let domain = match self.is_own() {
            true => self.access.reader.domain,
            false => {
                let owner = store.directory().account(self.owner);
                let owner = owner.map_err(|error| MailError::Unavailable(error.to_string()))?;
                owner.ok_or(MailError::NoMailbox)?.domain
            }
        };
        Ok(Delivery::Mailbox {
            account: self.owner,
            domain,
            folder: Folder::Exact(self.mailbox),
            flags: self.rights.limit(&Flags::default(), flags),
            internal_date,
            recipient: None,
        })
    }

    /// Use and limits of the account that a new message here would count for.
    pub fn quota(&self) -> Result<Quota, MailError> {
        self.with(Rights::INSERT)?.quota(self.owner)
    }

    /// The mailbox's UIDVALIDITY, as COPYUID tells it.
    pub fn uid_validity(&self) -> Result<UidValidity, MailError> {
        Ok(self.with(Rights::INSERT)?.status(self.owner, self.mailbox)?.uid_validity)
    }

    /// Takes back messages that came in a moment ago: for good, lest they push out what the owner deleted and may want
    /// to have back.
    pub fn take_back(&self, uids: &[Uid]) -> Result<(), MailError> {
        self.with(Rights::INSERT)?.take_back(self.owner, self.mailbox, uids)
    }

    /// Removes messages so that their owner, and nobody else, can have them back.
    pub fn remove_recoverably(&self, uids: &[Uid]) -> Result<(), MailError> {
        let store = self.allow(self.is_own())?;
        store.remove_recoverably(self.owner, self.mailbox, uids)
    }

    /// Removes the mailbox.
    pub fn delete(&self) -> Result<(), MailError> {
        self.with(Rights::DELETE_MAILBOX)?.delete(self.owner, self.mailbox)
    }

    /// Renames it within its account.
    pub fn rename(&self, to: &MailboxName) -> Result<(), MailError> {
        let store = self.with(Rights::DELETE_MAILBOX)?;
        let (owner, name) = self.access.new_place(to)?;
        if owner != self.owner {
            return Err(MailError::Refused("a mailbox can't be renamed into another account"));
        }
        let is_this = |info: &MailboxInfo| info.mailbox == Some(self.mailbox) && info.name.is_inbox();
        if !self.is_own() && store.mailboxes(owner)?.iter().any(is_this) {
            return Err(MailError::Refused("only its owner can rename INBOX"));
        }
        store.rename(owner, self.mailbox, &name)
    }

    /// What is noted here, as the reader may see it.
    pub fn annotations(&self) -> Result<Vec<Annotation>, MailError> {
        let store = self.with_annotations()?;
        store.annotations().list(self.owner, Some(self.mailbox), self.access.reader.id)
    }

    /// Notes more. What others will see needs the right to write.
    pub fn annotate(&self, entries: Vec<(EntryName, Option<Vec<u8>>)>) -> Result<(), MailError> {
        let store = self.with_annotations()?;
        if !entries.iter().all(|(entry, _)| entry.is_private()) {
            self.with(Rights::WRITE)?;
        }
        store.annotations().set(self.owner, Some(self.mailbox), self.access.reader.id, entries)
    }

    fn with_annotations(&self) -> Result<&'a dyn Store, MailError> {
        self.allow(self.rights.has(Rights::LOOKUP) && self.rights.has_any(ANNOTATION_RIGHTS))
    }

    /// Who may do what here.
    pub fn acl(&self) -> Result<Vec<AclEntry>, MailError> {
        self.with(Rights::ADMINISTER)?.sharing().acl(self.mailbox)
    }

    /// Changes it. Sharing with anyone is the administrator's to allow: a user who means three colleagues would open
    /// the mailbox to a whole domain, and to all who join it later.
    pub fn set_acl(&self, identifier: &str, edit: RightsEdit) -> Result<(), MailError> {
        let store = self.with(Rights::ADMINISTER)?;
        let (grantee, negative) = self.grantee(store, identifier)?;
        let gives = !negative && !matches!(edit, RightsEdit::Remove(_) | RightsEdit::Replace(Rights::NONE));
        if grantee == Grantee::Anyone && gives && !self.access.anyone {
            return Err(MailError::NoPerm);
        }
        if grantee == Grantee::Account(self.owner) {
            return Err(MailError::Refused("an owner has every right"));
        }
        store.sharing().set_acl(self.mailbox, grantee, negative, edit)
    }

    /// What someone has here whatever the list says.
    pub fn fixed_rights(&self, identifier: &str) -> Result<Rights, MailError> {
        let store = self.with(Rights::ADMINISTER)?;
        let (grantee, _) = self.grantee(store, identifier)?;
        Ok(if grantee == Grantee::Account(self.owner) { Rights::ALL } else { Rights::NONE })
    }

    fn grantee(&self, store: &dyn Store, identifier: &str) -> Result<(Grantee, bool), MailError> {
        find_grantee(store, identifier)
            .map_err(|error| MailError::Unavailable(error.to_string()))?
            .ok_or(NO_ACCOUNT)
    }
}

const NO_ACCOUNT: MailError = MailError::Refused("that is no account of this server");

/// Whom an identifier means, and whether it takes rights away.
pub fn find_grantee(
    store: &dyn Store,
    identifier: &str,
) -> Result<Option<(Grantee, bool)>, store::DirectoryError> {
    let (name, negative) = match identifier.strip_prefix('-') {
        Some(name) => (name, true),
        None => (identifier, false),
    };
    if name.eq_ignore_ascii_case("anyone") {
        return Ok(Some((Grantee::Anyone, negative)));
    }
    Ok(store.directory().login(name)?.map(|account| (Grantee::Account(account.id), negative)))
}

/// What follows the owner's address, where a name is one of others' mailboxes; nothing where it ends there.
fn foreign(name: &MailboxName) -> Option<&str> {
    let rest = name.as_str().strip_prefix(SHARED)?;
    let (owner, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Address::parse(owner).is_ok().then_some(rest)
}

/// Whether the edit means a flag that these rights let one change.
fn may_change_any(rights: Rights, edit: &FlagEdit) -> bool {
    let (FlagEdit::Add(flags) | FlagEdit::Remove(flags)) = edit else { return rights.has_any(FLAG_RIGHTS) };
    let changed = rights.limit(&Flags::default(), flags.clone());
    *flags == Flags::default() && rights.has_any(FLAG_RIGHTS) || changed != Flags::default()
}
