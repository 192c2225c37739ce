//! Sessions that are logged in, and the signal that ends them.

use base::AccountId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The accounts that have sessions, each with the epoch that is known to be current.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<AccountId, watch::Sender<u64>>>>);

impl Sessions {
    /// Registers a session that was logged in at this epoch. `None` where the epoch is known to be over.
    pub fn register(&self, account: AccountId, epoch: u64) -> Option<SessionGuard> {
        let mut accounts = self.0.lock();
        let sender = accounts.entry(account).or_insert_with(|| watch::Sender::new(epoch));
        // An account's first session after a change tells the new epoch too.
        sender.send_if_modified(|current| {
            let newer = epoch > *current;
            *current = epoch.max(*current);
            newer
        });
        let over = *sender.borrow() > epoch;
        let current = (!over).then(|| sender.subscribe());
        drop(accounts);
        Some(SessionGuard { sessions: self.clone(), account, epoch, current: Some(current?) })
    }

    /// Ends the sessions of an account that were logged in before this epoch.
    pub fn close_older(&self, account: AccountId, epoch: u64) {
        if let Some(sender) = self.0.lock().get(&account) {
            sender.send_modify(|current| *current = epoch.max(*current));
        }
    }

    /// How many accounts have sessions.
    #[cfg(test)]
    pub fn accounts(&self) -> usize {
        self.0.lock().len()
    }
}

/// A session's place in the register; it is given up when this is dropped.
pub struct SessionGuard {
    sessions: Sessions,
    account: AccountId,
    epoch: u64,
    /// Taken only while dropping.
    current: Option<watch::Receiver<u64>>,
}

impl SessionGuard {
    /// Ready when the log-in counts no more: close the connection then.
    pub async fn revoked(&mut self) {
        let epoch = self.epoch;
        if let Some(current) = &mut self.current {
            // The sender lives as long as any receiver does.
            let _ = current.wait_for(|current| *current > epoch).await;
        }
    }

    /// Whether the log-in counts no more.
    pub fn is_revoked(&self) -> bool {
        self.current.as_ref().is_some_and(|current| *current.borrow() > self.epoch)
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let mut accounts = self.sessions.0.lock();
        self.current = None;
        if accounts.get(&self.account).is_some_and(|sender| sender.receiver_count() == 0) {
            accounts.remove(&self.account);
        }
    }
}
