//! Tells sessions that their account changed. A hint only: what changed is read from the store's change log.

use base::AccountId;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use tokio::sync::watch;

/// Who waits for which account.
#[derive(Default)]
pub struct Hub {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    accounts: HashMap<AccountId, watch::Sender<()>>,
    /// By owner: accounts whose sessions read the owner's mailboxes, and are woken with the owner's.
    followers: HashMap<AccountId, HashSet<AccountId>>,
}

impl Hub {
    /// A receiver that sees a change after each commit that touched the account, or one that it follows.
    pub fn subscribe(&self, account: AccountId) -> watch::Receiver<()> {
        self.waiting.lock().accounts.entry(account).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Wakes the sessions of `reader` with those of `owner`, as long as there are any.
    pub fn follow(&self, owner: AccountId, reader: AccountId) {
        let mut waiting = self.waiting.lock();
        if waiting.accounts.contains_key(&reader) {
            waiting.followers.entry(owner).or_default().insert(reader);
        }
    }

    /// Wakes the sessions of these accounts, and forgets accounts that nobody waits for.
    pub fn changed(&self, accounts: &[AccountId]) {
        let mut waiting = self.waiting.lock();
        for account in accounts {
            waiting.wake(*account);
            let Some(mut followers) = waiting.followers.remove(account) else { continue };
            followers.retain(|reader| waiting.wake(*reader));
            if !followers.is_empty() {
                waiting.followers.insert(*account, followers);
            }
        }
    }
}

impl Waiting {
    /// Whether anybody was woken.
    fn wake(&mut self, account: AccountId) -> bool {
        let woken = self.accounts.get(&account).is_some_and(|sender| sender.send(()).is_ok());
        if !woken {
            self.accounts.remove(&account);
        }
        woken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_are_woken_as_long_as_they_wait() {
        let (hub, alice, bob) = (Hub::default(), AccountId(1), AccountId(2));
        hub.follow(alice, bob);
        let mut waiting = hub.subscribe(bob);
        hub.changed(&[alice]);
        assert!(!waiting.has_changed().unwrap());
        hub.follow(alice, bob);
        hub.changed(&[alice]);
        assert!(waiting.has_changed().unwrap());
        waiting.mark_unchanged();
        hub.changed(&[bob]);
        assert!(waiting.has_changed().unwrap());
        drop(waiting);
        hub.changed(&[alice]);
        assert!(hub.waiting.lock().followers.is_empty() && hub.waiting.lock().accounts.is_empty());
    }
}
