//! One account's mail in memory: the plainest thing that keeps the promises of [`session::mailstore::Mailstore`].

use base::mailbox::{
    Appended, Changed, Changes, Columns, Copied, FlagEdit, MailError, MailboxInfo, MailboxStatus, Opened,
    Quota, Row, Stored, Summary,
};
use base::rights::{AclEntry, Rights, RightsEdit};
use base::{
    Annotation, EntryName, Flag, Flags, Keyword, Limits, MailId, MailboxId, MailboxName, ModSeq, Octets,
    SpecialUse, ThreadId, Timestamp, Uid, UidValidity,
};
use session::mailstore::{Mailstore, Message, NewMail, Spool};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::imap::command::{Access, UrlAuth};
use wire::mime;

/// Annotations that an account may have.
const MOST_ANNOTATIONS: usize = 10;

/// An account that lives as long as the test. Clones share it.
#[derive(Clone)]
pub struct FakeMailstore(Arc<Mutex<Account>>);

struct Account {
    boxes: BTreeMap<MailboxName, Mailbox>,
    subscribed: BTreeSet<MailboxName>,
    /// Names of deleted mailboxes that others lie below.
    parents: BTreeSet<MailboxName>,
    /// What others were given.
    acl: BTreeMap<(MailboxId, String), Rights>,
    /// Of mailboxes, and of the server.
    annotations: BTreeMap<(Option<MailboxId>, EntryName), Vec<u8>>,
    contents: BTreeMap<MailId, Arc<Content>>,
    modseq: u64,
    next_id: u64,
    now: Timestamp,
    octets_limit: Option<u64>,
    pop3_keeps: bool,
    broken: bool,
    /// What vanished up to here is no longer known.
    floor: u64,
    url_keys: BTreeMap<MailboxId, u64>,
}

struct Mailbox {
    id: MailboxId,
    validity: UidValidity,
    uid_next: u32,
    modseq: u64,
    special_use: Option<SpecialUse>,
    mail: BTreeMap<Uid, Entry>,
    vanished: Vec<(Uid, u64)>,
    /// The first UID that no session was told of.
    recent: Uid,
}

#[derive(Clone)]
struct Entry {
    content: Arc<Content>,
    flags: Flags,
    internal_date: Timestamp,
    saved: Timestamp,
    modseq: u64,
    arrived: u64,
}

/// A message's octets and what is computed of them once.
struct Content {
    id: MailId,
    octets: Vec<u8>,
    tree: mime::Tree,
    head: Vec<u8>,
    envelope: Vec<u8>,
    body_structure: Vec<u8>,
}

impl Default for FakeMailstore {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeMailstore {
    /// An account with the mailboxes that each starts with, and a clock that stands at 2026-01-01.
    pub fn new() -> Self {
        let mut account = Account {
            boxes: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            parents: BTreeSet::new(),
            acl: BTreeMap::new(),
            annotations: BTreeMap::new(),
            contents: BTreeMap::new(),
            modseq: 1,
            next_id: 1,
            now: Timestamp::from_civil(2026, 1, 1, 12, 0, 0),
            octets_limit: None,
            pop3_keeps: true,
            broken: false,
            floor: 0,
            url_keys: BTreeMap::new(),
        };
        let inbox = (MailboxName::inbox(), None);
        let others = SpecialUse::ALL
            .map(|(special_use, name)| Some((MailboxName::new(name).ok()?, Some(special_use))));
        for (name, special_use) in others.into_iter().flatten().chain([inbox]) {
            account.subscribed.insert(name.clone());
            account.add_mailbox(name, special_use);
        }
        FakeMailstore(Arc::new(Mutex::new(account)))
    }

    /// Sets the clock.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// Sets how many octets may be kept.
    pub fn set_quota(&self, octets: Option<u64>) {
        self.lock().octets_limit = octets;
    }

    /// Sets whether POP3 keeps what it has served.
    pub fn set_pop3_keeps(&self, keeps: bool) {
        self.lock().pop3_keeps = keeps;
    }

    /// Forgets what vanished so far, as a store does after a while.
    pub fn forget(&self) {
        let mut account = self.lock();
        account.floor = account.modseq;
        account.boxes.values_mut().for_each(|mailbox| mailbox.vanished.clear());
    }

    /// Makes every call fail from now on, or work again.
    pub fn set_broken(&self, broken: bool) {
        self.lock().broken = broken;
    }

    /// The mailbox of a name.
    pub fn mailbox(&self, name: &str) -> Option<MailboxId> {
        let account = self.lock();
        account.boxes.get(&MailboxName::new(name).ok()?).map(|mailbox| mailbox.id)
    }

    /// Puts a message into a mailbox of that name.
    ///
    /// # Panics
    /// Where there is no such mailbox.
    pub fn deliver(&self, name: &str, octets: &[u8], flags: Flags, internal_date: Option<Timestamp>) -> Uid {
        let mut account = self.lock();
        let content = account.content(octets.to_vec());
        let entry = account.entry(content, flags, internal_date);
        let name = MailboxName::new(name).unwrap_or(MailboxName::inbox());
        let account = &mut *account;
        let mailbox = account.boxes.get_mut(&name);
        mailbox.map_or(Uid(0), |mailbox| mailbox.insert(entry, &mut account.modseq))
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Account>, MailError> {
        let account = self.lock();
        match account.broken {
            true => Err(MailError::Unavailable("broken by the test".into())),
            false => Ok(account),
        }
    }
}

impl Account {
    fn add_mailbox(&mut self, name: MailboxName, special_use: Option<SpecialUse>) -> MailboxId {
        let id = MailboxId(self.next_id);
        self.next_id += 1;
        self.modseq += 1;
        self.parents.remove(&name);
        let mailbox = Mailbox {
            id,
            validity: UidValidity(1000 + id.0 as u32),
            uid_next: 1,
            modseq: self.modseq,
            special_use,
            mail: BTreeMap::new(),
            vanished: Vec::new(),
            recent: Uid(1),
        };
        self.boxes.insert(name, mailbox);
        id
    }

    fn content(&mut self, octets: Vec<u8>) -> Arc<Content> {
        let id = MailId(self.next_id);
        self.next_id += 1;
        let content = Arc::new(Content::new(id, octets));
        self.contents.insert(id, content.clone());
        content
    }

    fn entry(&self, content: Arc<Content>, flags: Flags, internal_date: Option<Timestamp>) -> Entry {
        let internal_date = internal_date.unwrap_or(self.now);
        Entry { content, flags, internal_date, saved: self.now, modseq: 0, arrived: 0 }
    }

    fn find(&self, id: MailboxId) -> Result<&Mailbox, MailError> {
        self.boxes.values().find(|mailbox| mailbox.id == id).ok_or(MailError::NoMailbox)
    }

    fn find_mut(&mut self, id: MailboxId) -> Result<(&mut Mailbox, &mut u64), MailError> {
        let modseq = &mut self.modseq;
        let mailbox = self.boxes.values_mut().find(|mailbox| mailbox.id == id).ok_or(MailError::NoMailbox)?;
        Ok((mailbox, modseq))
    }

    fn name_of(&self, id: MailboxId) -> Result<MailboxName, MailError> {
        let found = self.boxes.iter().find(|(_, mailbox)| mailbox.id == id);
        found.map(|(name, _)| name.clone()).ok_or(MailError::NoMailbox)
    }

    fn used(&self) -> u64 {
        self.boxes
            .values()
            .flat_map(|mailbox| mailbox.mail.values())
            .map(|e| e.content.octets.len() as u64)
            .sum()
    }

    fn room_for(&self, octets: u64) -> Result<(), MailError> {
        match self.octets_limit {
            Some(limit) if self.used() + octets > limit => Err(MailError::OverQuota),
            _ => Ok(()),
        }
    }

    fn add(&mut self, to: MailboxId, mail: Vec<NewMail>) -> Result<Appended, MailError> {
        self.find(to)?;
        let mut uids = Vec::new();
        for new in mail {
            let spool = new.spool.into_any().downcast::<FakeSpool>();
            let octets = spool.map_err(|_| MailError::Refused("a spool of another store"))?.0;
            let content = self.content(octets);
            let entry = self.entry(content, new.flags, new.internal_date);
            let (mailbox, modseq) = self.find_mut(to)?;
            uids.push(mailbox.insert(entry, modseq));
        }
        Ok(Appended { uid_validity: self.find(to)?.validity, uids })
    }

    /// Copies, and where `remove` says so takes the originals away.
    fn transfer(
        &mut self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        remove: bool,
    ) -> Result<Copied, MailError> {
        let source = self.find(from)?;
        let entries: Vec<(Uid, Entry)> =
            uids.iter().filter_map(|uid| Some((*uid, source.mail.get(uid)?.clone()))).collect();
        if !remove {
            self.room_for(entries.iter().map(|(_, entry)| entry.content.octets.len() as u64).sum())?;
        }
        let now = self.now;
        let (target, modseq) = self.find_mut(to)?;
        let copy = |(uid, entry): &(Uid, Entry)| {
            (*uid, target.insert(Entry { saved: now, ..entry.clone() }, modseq))
        };
        let copied: Vec<(Uid, Uid)> = entries.iter().map(copy).collect();
        let uid_validity = target.validity;
        if remove {
            let (source, modseq) = self.find_mut(from)?;
            source.remove(&entries.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), modseq);
        }
        Ok(Copied { uid_validity, uids: copied })
    }
}

impl Mailbox {
    fn insert(&mut self, mut entry: Entry, modseq: &mut u64) -> Uid {
        *modseq += 1;
        self.modseq = *modseq;
        entry.modseq = *modseq;
        entry.arrived = *modseq;
        let uid = Uid(self.uid_next);
        self.uid_next += 1;
        self.mail.insert(uid, entry);
        uid
    }

    fn remove(&mut self, uids: &[Uid], modseq: &mut u64) {
        if uids.is_empty() {
            return;
        }
        *modseq += 1;
        self.modseq = *modseq;
        for uid in uids {
            if self.mail.remove(uid).is_some() {
                self.vanished.push((*uid, *modseq));
            }
        }
    }

    fn status(&self) -> MailboxStatus {
        let count = |wanted: &dyn Fn(&Entry) -> bool| self.mail.values().filter(|e| wanted(e)).count() as u32;
        let octets = |e: &Entry| e.content.octets.len() as u64;
        MailboxStatus {
            messages: self.mail.len() as u32,
            recent: self.mail.range(self.recent..).count() as u32,
            unseen: count(&|e| !e.flags.has(Flag::Seen)),
            deleted: count(&|e| e.flags.has(Flag::Deleted)),
            octets: self.mail.values().map(octets).sum(),
            deleted_octets: self.mail.values().filter(|e| e.flags.has(Flag::Deleted)).map(octets).sum(),
            uid_next: Uid(self.uid_next),
            uid_validity: self.validity,
            highest_modseq: ModSeq(self.modseq),
        }
    }
}

fn changed(uid: Uid, entry: &Entry, since: u64) -> Changed {
    Changed { uid, modseq: ModSeq(entry.modseq), flags: entry.flags.clone(), new: entry.arrived > since }
}

impl Content {
    fn new(id: MailId, octets: Vec<u8>) -> Self {
        let tree = mime::Tree::parse(&octets, &Limits::default());
        let header = octets.get(..tree.root().header().end as usize).unwrap_or_default();
        let head = mime::list_head(header);
        let envelope = mime::describe::envelope(header);
        // Reading from memory can't fail.
        let body_structure = mime::describe::body_structure(&tree, &octets).unwrap_or_default();
        Content { id, head, envelope, body_structure, tree, octets }
    }
}

impl Mailstore for FakeMailstore {
    fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError> {
        let account = self.working()?;
        let names: BTreeSet<&MailboxName> =
            account.boxes.keys().chain(&account.subscribed).chain(&account.parents).collect();
        let info = |name: &MailboxName| {
            let mailbox = account.boxes.get(name);
            MailboxInfo {
                name: name.clone(),
                mailbox: mailbox.map(|mailbox| mailbox.id),
                subscribed: account.subscribed.contains(name),
                special_use: mailbox.and_then(|mailbox| mailbox.special_use),
            }
        };
        Ok(names.into_iter().map(info).collect())
    }

    fn status(&self, mailbox: MailboxId) -> Result<MailboxStatus, MailError> {
        Ok(self.working()?.find(mailbox)?.status())
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<MailboxId, MailError> {
        let mut account = self.working()?;
        if account.boxes.contains_key(name) {
            return Err(MailError::Exists);
        }
        if special_use.is_some() && account.boxes.values().any(|mailbox| mailbox.special_use == special_use) {
            return Err(MailError::Refused("that special use is taken"));
        }
        let mut above = name.parent();
        while let Some(parent) = above {
            if !account.boxes.contains_key(&parent) {
                account.add_mailbox(parent.clone(), None);
            }
            above = parent.parent();
        }
        Ok(account.add_mailbox(name.clone(), special_use))
    }

    fn delete(&self, mailbox: MailboxId) -> Result<(), MailError> {
        let mut account = self.working()?;
        let name = account.name_of(mailbox)?;
        if name.is_inbox() {
            return Err(MailError::Refused("INBOX stays"));
        }
        account.boxes.remove(&name);
        if account.boxes.keys().any(|other| other.is_below(&name)) {
            account.parents.insert(name);
        } else {
            let above = name.parent();
            let empty = above.filter(|parent| !account.boxes.keys().any(|other| other.is_below(parent)));
            empty.map(|parent| account.parents.remove(&parent));
        }
        Ok(())
    }

    fn rename(&self, mailbox: MailboxId, to: &MailboxName) -> Result<(), MailError> {
        let mut account = self.working()?;
        let from = account.name_of(mailbox)?;
        if account.boxes.contains_key(to) {
            return Err(MailError::Exists);
        }
        if to.is_below(&from) && !from.is_inbox() {
            return Err(MailError::Refused("a mailbox can't be put below itself"));
        }
        if from.is_inbox() {
            let target = account.add_mailbox(to.clone(), None);
            let uids: Vec<Uid> = account.find(mailbox)?.mail.keys().copied().collect();
            return account.transfer(mailbox, &uids, target, true).map(drop);
        }
        let moved: Vec<MailboxName> =
            account.boxes.keys().filter(|name| **name == from || name.is_below(&from)).cloned().collect();
        for name in moved {
            let rest = name.as_str().get(from.as_str().len()..).unwrap_or_default();
            let new = MailboxName::new(&format!("{to}{rest}")).map_err(MailError::Name)?;
            if let Some(mailbox) = account.boxes.remove(&name) {
                account.boxes.insert(new.clone(), mailbox);
            }
            if account.subscribed.remove(&name) {
                account.subscribed.insert(new);
            }
        }
        Ok(())
    }

    fn subscribe(&self, name: &MailboxName, on: bool) -> Result<(), MailError> {
        let mut account = self.working()?;
        match on {
            true => account.subscribed.insert(name.clone()),
            false => account.subscribed.remove(name),
        };
        Ok(())
    }

    fn open(&self, mailbox: MailboxId) -> Result<Opened, MailError> {
        let account = self.working()?;
        let mailbox = account.find(mailbox)?;
        let mut keywords: Vec<Keyword> = Vec::new();
        for keyword in mailbox.mail.values().flat_map(|entry| entry.flags.keywords()) {
            if !keywords.contains(keyword) {
                keywords.push(keyword.clone());
            }
        }
        let first_unseen =
            mailbox.mail.iter().find(|(_, entry)| !entry.flags.has(Flag::Seen)).map(|(uid, _)| *uid);
        Ok(Opened {
            status: mailbox.status(),
            uids: mailbox.mail.keys().copied().collect(),
            first_unseen,
            keywords,
        })
    }

    fn claim_recent(&self, mailbox: MailboxId, below: Uid) -> Result<Uid, MailError> {
        let mut account = self.working()?;
        let (mailbox, _) = account.find_mut(mailbox)?;
        let first = mailbox.recent;
        mailbox.recent = first.max(below);
        Ok(first)
    }

    fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError> {
        let account = self.working()?;
        let complete = since.0 >= account.floor;
        let mailbox = account.find(mailbox)?;
        let is_later = |entry: &&Entry| entry.modseq > since.0;
        let mut vanished: Vec<Uid> =
            mailbox.vanished.iter().filter(|(_, at)| *at > since.0).map(|(uid, _)| *uid).collect();
        vanished.sort_unstable();
        let later = mailbox.mail.iter().filter(|(_, entry)| is_later(entry));
        Ok(Changes {
            changed: later.map(|(uid, entry)| changed(*uid, entry, since.0)).collect(),
            vanished,
            complete,
            highest_modseq: ModSeq(mailbox.modseq),
            uid_next: Uid(mailbox.uid_next),
        })
    }

    fn scan(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError> {
        let account = self.working()?;
        let mailbox = account.find(mailbox)?;
        for (uid, entry) in uids.iter().filter_map(|uid| Some((*uid, mailbox.mail.get(uid)?))) {
            let content = &entry.content;
            let summary = Summary {
                head: &content.head,
                envelope: &content.envelope,
                body_structure: &content.body_structure,
            };
            let row = Row {
                mail: content.id,
                thread: ThreadId(content.id.0),
                uid,
                modseq: ModSeq(entry.modseq),
                flags: &entry.flags,
                internal_date: entry.internal_date,
                saved: entry.saved,
                size: content.octets.len() as u64,
                summary: columns.summary.then_some(summary),
            };
            if each(&row).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read(&self, mailbox: MailboxId, mail: MailId) -> Result<Box<dyn Message>, MailError> {
        let account = self.working()?;
        account.find(mailbox)?;
        let content = account.contents.get(&mail).ok_or(MailError::NoMessage)?;
        Ok(Box::new(FakeMessage(content.clone())))
    }

    fn candidates(&self, _mailbox: MailboxId, _text: &str) -> Result<Option<Vec<Uid>>, MailError> {
        Ok(None)
    }

    fn store(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, MailError> {
        let mut account = self.working()?;
        let (mailbox, modseq) = account.find_mut(mailbox)?;
        let next = *modseq + 1;
        let mut stored = Stored { done: Vec::new(), modified: Vec::new() };
        for uid in uids {
            let Some(entry) = mailbox.mail.get_mut(uid) else { continue };
            if unchanged_since.is_some_and(|since| entry.modseq > since.0) {
                stored.modified.push(*uid);
                continue;
            }
            let before = entry.flags.clone();
            match edit {
                FlagEdit::Add(flags) => entry.flags.add(flags),
                FlagEdit::Remove(flags) => entry.flags.remove(flags),
                FlagEdit::Replace(flags) => entry.flags = flags.clone(),
            }
            if entry.flags != before {
                entry.modseq = next;
                mailbox.modseq = next;
                *modseq = next;
            }
            stored.done.push(changed(*uid, entry, u64::MAX));
        }
        Ok(stored)
    }

    fn expunge(&self, mailbox: MailboxId, uids: Option<&[Uid]>) -> Result<Vec<Uid>, MailError> {
        let mut account = self.working()?;
        let (mailbox, modseq) = account.find_mut(mailbox)?;
        let deleted =
            mailbox.mail.iter().filter(|(_, entry)| entry.flags.has(Flag::Deleted)).map(|(uid, _)| *uid);
        let gone: Vec<Uid> = deleted.filter(|uid| uids.is_none_or(|uids| uids.contains(uid))).collect();
        mailbox.remove(&gone, modseq);
        Ok(gone)
    }

    fn copy(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError> {
        self.working()?.transfer(from, uids, to, false)
    }

    fn move_to(&self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, MailError> {
        self.working()?.transfer(from, uids, to, true)
    }

    fn room_for(&self, _to: MailboxId, octets: u64, replaced: Option<u64>) -> Result<(), MailError> {
        self.working()?.room_for(octets.saturating_sub(replaced.unwrap_or(0)))
    }

    fn spool(&self) -> Result<Box<dyn Spool>, MailError> {
        drop(self.working()?);
        Ok(Box::new(FakeSpool(Vec::new())))
    }

    fn append(&self, to: MailboxId, mail: Vec<NewMail>) -> Result<Appended, MailError> {
        let mut account = self.working()?;
        account.room_for(mail.iter().map(|mail| mail.spool.len()).sum())?;
        account.add(to, mail)
    }

    fn replace(
        &self,
        from: MailboxId,
        uid: Uid,
        to: MailboxId,
        mail: NewMail,
    ) -> Result<Appended, MailError> {
        let mut account = self.working()?;
        let replaced = account.find(from)?.mail.get(&uid).ok_or(MailError::NoMessage)?;
        let replaced = replaced.content.octets.len() as u64;
        account.room_for(mail.spool.len().saturating_sub(replaced))?;
        let appended = account.add(to, vec![mail])?;
        let (mailbox, modseq) = account.find_mut(from)?;
        mailbox.remove(&[uid], modseq);
        Ok(appended)
    }

    fn is_user(&self, name: &str) -> Result<bool, MailError> {
        Ok(["alice", "alice@example.test"].contains(&name))
    }

    fn url_token(&self, mailbox: MailboxId, rump: &str) -> Result<[u8; 32], MailError> {
        let mut account = self.working()?;
        account.find(mailbox)?;
        let fresh = account.modseq;
        let key = *account.url_keys.entry(mailbox).or_insert(fresh);
        Ok(token(key, rump))
    }

    fn reset_url_keys(&self, mailbox: Option<MailboxId>) -> Result<(), MailError> {
        let mut account = self.working()?;
        account.modseq += 1;
        let fresh = account.modseq;
        match mailbox {
            Some(mailbox) => drop(account.url_keys.insert(mailbox, fresh)),
            None => account.url_keys.clear(),
        }
        Ok(())
    }

    fn authorized(&self, url: &UrlAuth, owner: &str) -> Result<Option<Arc<dyn Mailstore>>, MailError> {
        let is_meant = match &url.access {
            Access::Submit(_) => false,
            Access::User(name) => self.is_user(name)?,
            Access::AuthUser | Access::Anonymous => true,
        };
        let account = self.working()?;
        let is_over = url.expire.is_some_and(|end| end <= account.now);
        let mailbox = url.url.mailbox.as_ref().and_then(|name| account.boxes.get(name));
        let key = mailbox.and_then(|mailbox| account.url_keys.get(&mailbox.id));
        let holds = key.is_some_and(|key| url.token() == Some(&token(*key, &url.rump)));
        let yes = is_meant && !is_over && holds && self.is_user(owner)?;
        Ok(yes.then(|| Arc::new(self.clone()) as Arc<dyn Mailstore>))
    }

    fn quota(&self) -> Result<Quota, MailError> {
        let account = self.working()?;
        let messages = account.boxes.values().map(|mailbox| mailbox.mail.len() as u64).sum();
        let octets_limit = account.octets_limit;
        Ok(Quota { octets: account.used(), octets_limit, messages, messages_limit: None })
    }

    fn is_own(&self, _mailbox: MailboxId) -> Result<bool, MailError> {
        Ok(true)
    }

    fn rights(&self, mailbox: MailboxId) -> Result<Rights, MailError> {
        self.working()?.find(mailbox).map(|_| Rights::ALL)
    }

    fn acl(&self, mailbox: MailboxId) -> Result<Vec<AclEntry>, MailError> {
        let account = self.working()?;
        let mut entries = vec![AclEntry { identifier: "alice".into(), rights: Rights::ALL }];
        let given = account.acl.iter().filter(|((place, _), _)| *place == mailbox);
        let entry = |((_, identifier), rights): (&(MailboxId, String), &Rights)| AclEntry {
            identifier: identifier.clone(),
            rights: *rights,
        };
        entries.extend(given.map(entry));
        Ok(entries)
    }

    fn set_acl(&self, mailbox: MailboxId, identifier: &str, edit: RightsEdit) -> Result<(), MailError> {
        let mut account = self.working()?;
        if identifier == "anyone" {
            return Err(MailError::NoPerm);
        }
        let place = (mailbox, identifier.to_owned());
        let rights = edit.of(account.acl.get(&place).copied().unwrap_or_default());
        match rights == Rights::NONE {
            true => account.acl.remove(&place),
            false => account.acl.insert(place, rights),
        };
        Ok(())
    }

    fn fixed_rights(&self, _mailbox: MailboxId, identifier: &str) -> Result<Rights, MailError> {
        Ok(if identifier == "alice" { Rights::ALL } else { Rights::NONE })
    }

    fn annotations(&self, of: Option<MailboxId>) -> Result<Vec<Annotation>, MailError> {
        let account = self.working()?;
        let its = account.annotations.iter().filter(|((place, _), _)| *place == of);
        Ok(its.map(|((_, entry), value)| Annotation { entry: entry.clone(), value: value.clone() }).collect())
    }

    fn annotate(
        &self,
        of: Option<MailboxId>,
        entries: Vec<(EntryName, Option<Vec<u8>>)>,
    ) -> Result<(), MailError> {
        let mut account = self.working()?;
        let mut annotations = account.annotations.clone();
        for (entry, value) in entries {
            match value {
                Some(value) => annotations.insert((of, entry), value),
                None => annotations.remove(&(of, entry)),
            };
        }
        if annotations.len() > MOST_ANNOTATIONS {
            return Err(MailError::TooManyAnnotations);
        }
        account.annotations = annotations;
        Ok(())
    }

    fn pop3_keeps(&self) -> bool {
        self.lock().pop3_keeps
    }

    fn pop3_remove(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<(), MailError> {
        let mut account = self.working()?;
        let (mailbox, modseq) = account.find_mut(mailbox)?;
        mailbox.remove(uids, modseq);
        Ok(())
    }
}

/// What stands for a keyed hash.
fn token(key: u64, text: &str) -> [u8; 32] {
    let mut hasher = DefaultHasher::new();
    (key, text).hash(&mut hasher);
    let mut token = [0; 32];
    token[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    token
}

struct FakeMessage(Arc<Content>);

impl Octets for FakeMessage {
    fn len(&self) -> u64 {
        self.0.octets.len() as u64
    }

    fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> std::io::Result<()> {
        self.0.octets.read(range, out)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.0.octets)
    }
}

impl Message for FakeMessage {
    fn tree(&self) -> &mime::Tree {
        &self.0.tree
    }
}

struct FakeSpool(Vec<u8>);

impl Spool for FakeSpool {
    fn push(&mut self, octets: &[u8]) -> Result<(), MailError> {
        self.0.extend_from_slice(octets);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send> {
        self
    }
}
