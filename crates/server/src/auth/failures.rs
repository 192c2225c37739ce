//! Failed log-ins: who is slowed, and who is banned for a while.

use net::Block;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::{Duration, Instant};

/// How failed log-ins are slowed and banned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Each failure of a block adds this to the wait for the next one's answer.
    pub block_step: Duration,
    /// Likewise for failures of a block with one account.
    pub account_step: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// One failure is forgiven each time this has passed.
    pub forgive: Duration,
    /// So many different failures ban a block; `None` bans nobody.
    pub ban_after: Option<u32>,
    /// For so long.
    pub ban: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            block_step: Duration::from_millis(100),
            account_step: Duration::from_millis(250),
            longest: Duration::from_secs(5),
            forgive: Duration::from_secs(60),
            ban_after: Some(30),
            ban: Duration::from_secs(15 * 60),
        }
    }
}

/// Blocks, and pairs of block and account, that are remembered at most. When full, those silent for longest go.
const MOST: usize = 50_000;

/// Failures lately. Nothing here is by account alone: nobody can lock an owner out from elsewhere.
pub struct Failures {
    policy: Policy,
    blocks: Table<Block>,
    /// Names by a keyed hash: they are as long as strangers like.
    pairs: Table<(Block, u64)>,
    names: RandomState,
}

impl Failures {
    /// None yet.
    pub fn new(policy: Policy) -> Self {
        Failures {
            policy,
            blocks: Table(HashMap::new()),
            pairs: Table(HashMap::new()),
            names: RandomState::new(),
        }
    }

    /// Whether a block is banned now.
    pub fn is_banned(&self, block: Block, now: Instant) -> bool {
        self.blocks.0.get(&block).and_then(|record| record.banned_until).is_some_and(|until| now < until)
    }

    /// Counts a failure; gives how long its answer has to wait. `attempt` is a keyed hash of what was tried: a
    /// device that tries its old password again and again is slowed, but bans nobody behind the same address.
    pub fn failed(&mut self, block: Block, name: &str, attempt: Option<[u8; 32]>, now: Instant) -> Duration {
        let policy = self.policy;
        let pair = self.pairs.record((block, self.names.hash_one(name)), now);
        let by_pair = pair.count(now, policy.forgive);
        let record = self.blocks.record(block, now);
        let by_block = record.count(now, policy.forgive);
        if !record.repeats(attempt) {
            record.different += 1;
        }
        if policy.ban_after.is_some_and(|most| record.different >= most) {
            record.banned_until = Some(now + policy.ban);
            record.different = 0;
        }
        let delay = (policy.block_step * by_block).max(policy.account_step * by_pair);
        delay.min(policy.longest)
    }

    /// How many blocks, and pairs of block and account, are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.blocks.0.len() + self.pairs.0.len()
    }

    /// A log-in that held: its block starts anew with this account. What the block did to others stays counted,
    /// or a guesser could wash itself clean with an account of its own.
    pub fn succeeded(&mut self, block: Block, name: &str) {
        if !self.pairs.0.is_empty() {
            self.pairs.0.remove(&(block, self.names.hash_one(name)));
        }
    }
}

struct Table<K>(HashMap<K, Record>);

struct Record {
    /// Failures not yet forgiven, as of `last`.
    failures: u32,
    /// Those since the last ban that were not repetitions, as of `last`.
    different: u32,
    last: Instant,
    banned_until: Option<Instant>,
    /// The latest attempts.
    attempts: [u64; 4],
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn record(&mut self, key: K, now: Instant) -> &mut Record {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let new = || Record { failures: 0, different: 0, last: now, banned_until: None, attempts: [0; 4] };
        self.0.entry(key).or_insert_with(new)
    }

    /// Drops the quarter that was silent for longest; those that are banned last of all.
    fn make_room(&mut self, now: Instant) {
        let rank = |record: &Record| (record.banned_until.filter(|until| now < *until), record.last);
        let mut ranks: Vec<_> = self.0.values().map(rank).collect();
        ranks.sort_unstable();
        let bound = ranks.get(MOST / 4).copied();
        self.0.retain(|_, record| Some(rank(record)) > bound);
    }
}

impl Record {
    /// Adds a failure; gives the sum of those not forgiven.
    fn count(&mut self, now: Instant, forgive: Duration) -> u32 {
        let passed = now.saturating_duration_since(self.last).as_secs() / forgive.as_secs().max(1);
        let forgiven = u32::try_from(passed).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_sub(forgiven).saturating_add(1);
        self.different = self.different.saturating_sub(forgiven);
        self.last = now;
        self.failures
    }

    /// Whether this attempt is one of the latest again; remembers it.
    fn repeats(&mut self, attempt: Option<[u8; 32]>) -> bool {
        let Some([a, b, c, d, e, f, g, h, ..]) = attempt else { return false };
        let attempt = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        if self.attempts.contains(&attempt) {
            return true;
        }
        self.attempts.rotate_right(1);
        self.attempts[0] = attempt;
        false
    }
}
