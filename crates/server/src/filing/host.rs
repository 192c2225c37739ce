//! What a running script asks of its owner's account.

use super::compiled::Compiled;
use base::mailbox::MailboxInfo;
use base::{AccountId, Domain, MailboxName, SpecialUse, Timestamp};
use gate::Folder;
use parking_lot::Mutex;
use sieve::{DuplicateId, Host, NoScript, Place, Script};
use std::sync::Arc;
use store::scripts::ScriptError;
use store::{Mark, Store};
use tracing::warn;

const INBOX: &str = "INBOX";

/// The account whose script runs.
pub struct Owner<'a> {
    pub account: AccountId,
    host: &'a Domain,
    store: &'a dyn Store,
    compiled: &'a Compiled,
    /// Its mailboxes, once a script asked.
    mailboxes: Mutex<Option<Arc<[MailboxInfo]>>>,
}

impl<'a> Owner<'a> {
    pub fn new(account: AccountId, host: &'a Domain, store: &'a dyn Store, compiled: &'a Compiled) -> Self {
        Owner { account, host, store, compiled, mailboxes: Mutex::default() }
    }

    /// By what a message that `duplicate` names is known again.
    pub fn mark(&self, id: &DuplicateId) -> Mark {
        let handle = id.handle.as_deref().map(|handle| format!("handle:{handle}")).unwrap_or_default();
        self.store.mark(&[b"duplicate", handle.as_bytes(), id.id.as_bytes()])
    }

    /// Forgets which mailboxes there are: one was made.
    pub fn look_again(&self) {
        *self.mailboxes.lock() = None;
    }

    /// The mailbox of this use, else of this name, if there is one.
    pub fn folder(&self, name: &str, special_use: Option<SpecialUse>) -> Option<Folder> {
        if let Some(special_use) = special_use.filter(|special_use| self.of_use(*special_use).is_some()) {
            return Some(Folder::Special(special_use));
        }
        self.has(name).then(|| if name == INBOX { Folder::Inbox } else { Folder::Named(name.to_owned()) })
    }

    /// The name of the mailbox that a folder means.
    pub fn name(&self, folder: &Folder) -> String {
        let name = match folder {
            Folder::Inbox => None,
            Folder::Special(special_use) => self.of_use(*special_use),
            Folder::Named(name) => self.has(name).then(|| name.clone()),
            Folder::Exact(id) => {
                let all = self.mailboxes();
                all.iter().find(|one| one.mailbox == Some(*id)).map(|one| one.name.to_string())
            }
        };
        name.unwrap_or_else(|| INBOX.to_owned())
    }

    fn of_use(&self, special_use: SpecialUse) -> Option<String> {
        let all = self.mailboxes();
        let found = all.iter().find(|one| one.mailbox.is_some() && one.special_use == Some(special_use));
        found.map(|one| one.name.to_string())
    }

    fn has(&self, name: &str) -> bool {
        self.mailboxes().iter().any(|one| one.mailbox.is_some() && one.name.as_str() == name)
    }

    fn mailboxes(&self) -> Arc<[MailboxInfo]> {
        let mut known = self.mailboxes.lock();
        known.get_or_insert_with(|| self.list()).clone()
    }

    fn list(&self) -> Arc<[MailboxInfo]> {
        let list = self.store.mailboxes(self.account).unwrap_or_else(|error| {
            warn!(account = %self.account, %error, "mailboxes can't be listed for a script");
            Vec::new()
        });
        list.into()
    }
}

impl Host for Owner<'_> {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        self.has(name.as_str())
    }

    fn special_use_exists(&self, special_use: SpecialUse, mailbox: Option<&MailboxName>) -> bool {
        self.mailboxes().iter().any(|one| {
            one.mailbox.is_some()
                && one.special_use == Some(special_use)
                && mailbox.is_none_or(|mailbox| *mailbox == one.name)
        })
    }

    fn script(&self, place: Place, name: &str) -> Result<Arc<Script>, NoScript> {
        if place == Place::Global {
            return Err(NoScript::Missing);
        }
        let text = self.store.scripts().text(self.account, name).map_err(|error| match error {
            ScriptError::Missing => NoScript::Missing,
            other => NoScript::Broken(other.to_string()),
        })?;
        self.compiled.script(&text).map_err(|error| NoScript::Broken(error.to_string()))
    }

    fn is_duplicate(&self, id: &DuplicateId) -> bool {
        let known = self.store.remembers(self.account, self.mark(id), Timestamp::now());
        known.unwrap_or_else(|error| {
            warn!(account = %self.account, %error, "it can't be told whether a message is a duplicate");
            false
        })
    }

    fn environment(&self, item: &str) -> Option<String> {
        let value = match item {
            "name" => "Mailward",
            "version" => env!("CARGO_PKG_VERSION"),
            "host" => self.host.as_str(),
            "location" => "MS",
            "phase" => "during",
            _ => return None,
        };
        Some(value.to_owned())
    }
}
