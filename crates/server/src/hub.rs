//! Tells sessions that their account changed. A hint only: what changed is read from the store's change log.

use base::AccountId;
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::watch;

/// Who waits for which account.
#[derive(Default)]
pub struct Hub {
    accounts: Mutex<HashMap<AccountId, watch::Sender<()>>>,
}

impl Hub {
    /// A receiver that sees a change after each commit that touched the account.
    pub fn subscribe(&self, account: AccountId) -> watch::Receiver<()> {
        self.accounts.lock().entry(account).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Wakes the sessions of these accounts, and forgets accounts that nobody waits for.
    pub fn changed(&self, accounts: &[AccountId]) {
        let mut waiting = self.accounts.lock();
        for account in accounts {
            if let Some(sender) = waiting.get(account)
                && sender.send(()).is_err()
            {
                waiting.remove(account);
            }
        }
    }
}
