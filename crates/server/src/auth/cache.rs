//! Log-ins that were verified a moment ago, so that a client that connects for every message costs no hash.

use base::AccountId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Log-ins remembered at most.
const MOST: usize = 20_000;

/// In memory only. The keys are keyed hashes of account, epoch and password, so neither a dump nor a changed
/// password can make use of them.
pub struct LoginCache {
    /// How long a verified log-in is remembered, counted from its verification.
    lifetime: Duration,
    entries: HashMap<[u8; 32], Entry>,
}

struct Entry {
    account: AccountId,
    until: Instant,
}

impl LoginCache {
    /// An empty cache that remembers for `lifetime`.
    pub fn new(lifetime: Duration) -> Self {
        LoginCache { lifetime, entries: HashMap::new() }
    }

    /// Whether this log-in was verified and is still remembered.
    pub fn holds(&self, key: &[u8; 32], now: Instant) -> bool {
        self.entries.get(key).is_some_and(|entry| now < entry.until)
    }

    /// Remembers a verified log-in. When full, what is over goes, and if nothing is, everything.
    pub fn insert(&mut self, account: AccountId, key: [u8; 32], now: Instant) {
        if self.entries.len() >= MOST {
            self.entries.retain(|_, entry| now < entry.until);
        }
        if self.entries.len() >= MOST {
            self.entries.clear();
        }
        self.entries.insert(key, Entry { account, until: now + self.lifetime });
    }

    /// Forgets an account's log-ins.
    pub fn forget(&mut self, account: AccountId) {
        self.entries.retain(|_, entry| entry.account != account);
    }
}
