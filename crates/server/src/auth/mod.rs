//! Who may log in: passwords, SCRAM verifiers, app passwords, slowing and banning of guessers, and the end of
//! sessions whose log-in counts no more.
//!
//! What is defended against, and how:
//!
//! - Guessing: every wrong attempt is answered later than the one before, per address block and per account and
//!   block, and a block that goes on is banned for a while ([`failures`]). An account itself is never locked: its
//!   owner logs in from elsewhere as always.
//! - Finding out who exists: an unknown name costs the same Argon2id hash as a wrong password, one for many at once
//!   as there, and has a SCRAM salt of its own that stays the same however the name is written.
//! - Being kept busy: hashes run on a few threads with a bounded queue ([`hashing`]); a full queue is a temporary
//!   failure. A log-in that was verified is remembered for minutes under a keyed hash ([`cache`]).
//! - A stolen log-in: what raises an account's epoch (a new password, a revoked app password, suspension) makes
//!   the cache miss and closes the account's sessions ([`sessions`]).

pub mod cache;
pub mod credentials;
pub mod failures;
pub mod hashing;
pub mod sessions;

pub use credentials::{AppPassword, Credentials};
pub use failures::Policy;
pub use hashing::{Busy, Cost, HashPool};
pub use sessions::{SessionGuard, Sessions};

use crate::random;
use base::{AccountId, Address, Secret};
use cache::LoginCache;
use failures::Failures;
use hmac::{Hmac, KeyInit, Mac};
use net::Block;
use parking_lot::Mutex;
use session::sasl::ScramKeys;
use sha2::Sha256;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Octets of a password that are looked at; a longer one is wrong.
const MAX_PASSWORD: usize = 1024;

/// What the directory knows of a log-in name.
#[derive(Clone)]
pub struct Login {
    /// The account.
    pub account: AccountId,
    /// Raised by every change of credentials or state.
    pub epoch: u64,
    /// False where it is suspended.
    pub active: bool,
    /// [`Credentials::to_bytes`].
    pub credentials: Vec<u8>,
}

/// Finds accounts. Errors are for the log.
pub trait Logins: Send + Sync {
    /// The account of a log-in name.
    fn login(&self, name: &str) -> Result<Option<Login>, String>;

    /// An account's epoch; `None` where it is suspended or gone.
    fn epoch(&self, account: AccountId) -> Result<Option<u64>, String>;

    /// Our domains, always in the same order.
    fn domains(&self) -> Result<Vec<String>, String>;
}

impl<D: store::directory::Directory + ?Sized> Logins for D {
    fn login(&self, name: &str) -> Result<Option<Login>, String> {
        let found = store::directory::Directory::login(self, name).map_err(|error| error.to_string())?;
        Ok(found.map(|account| Login {
            account: account.id,
            epoch: account.epoch,
            active: account.state == store::AccountState::Active,
            credentials: account.credentials,
        }))
    }

    fn epoch(&self, account: AccountId) -> Result<Option<u64>, String> {
        let found = self.account(account).map_err(|error| error.to_string())?;
        Ok(found.filter(|account| account.state == store::AccountState::Active).map(|account| account.epoch))
    }

    fn domains(&self) -> Result<Vec<String>, String> {
        let found = store::directory::Directory::domains(self).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|domain| domain.name.to_string()).collect())
    }
}

/// A log-in that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoggedIn {
    /// The account.
    pub account: AccountId,
    /// Its epoch when this was found; for [`Authenticator::register`].
    pub epoch: u64,
    /// The app password that was used, if it was one.
    pub app_password: Option<u32>,
}

/// Why nobody is logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The name, the password or the proof is wrong, or the account suspended: which of them is not told. Answer
    /// only after this delay.
    Wrong {
        /// How long to wait.
        delay: Duration,
    },
    /// The address block is banned; nothing was looked at. To the peer the same as `Wrong`; then hang up.
    Banned,
    /// Our side can't now. The reason is for the log.
    Unavailable(String),
}

/// What [`Authenticator::scram_keys`] found, to be handed back when the proof is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScramTicket(Option<LoggedIn>);

/// How log-ins are checked.
pub struct Settings {
    /// The cost of new hashes, and of those that unknown names are given.
    pub cost: Cost,
    /// Slowing and banning.
    pub policy: Policy,
    /// How long a verified log-in is remembered.
    pub remember: Duration,
    /// A secret kept across restarts: the fake salts of unknown names are made from it.
    pub secret: [u8; 32],
}

/// Checks log-ins. One for the whole server.
pub struct Authenticator {
    logins: Arc<dyn Logins>,
    pool: HashPool,
    settings: Settings,
    /// Nobody's: checked where there is no other.
    dummy: Arc<str>,
    /// Keys what is remembered of passwords; lives as long as the process.
    process_key: [u8; 32],
    cache: Mutex<LoginCache>,
    /// Verifications under way, by the key they will be remembered by: a client that opens ten connections at once
    /// costs one hash.
    verifying: Mutex<HashMap<[u8; 32], watch::Receiver<Option<bool>>>>,
    failures: Mutex<Failures>,
    sessions: Sessions,
}

impl Authenticator {
    /// Over a directory and a pool.
    pub fn new(logins: Arc<dyn Logins>, pool: HashPool, settings: Settings) -> Self {
        Authenticator {
            dummy: hashing::unmatched(&settings.cost, random::octets(), random::octets()).into(),
            process_key: random::octets(),
            cache: Mutex::new(LoginCache::new(settings.remember)),
            verifying: Mutex::default(),
            failures: Mutex::new(Failures::new(settings.policy)),
            sessions: Sessions::default(),
            logins,
            pool,
            settings,
        }
    }

    /// Checks a name and a password, both prepared by `session::sasl::prepare`.
    pub async fn check_password(
        &self,
        name: &str,
        password: &Secret,
        peer: IpAddr,
        now: Instant,
    ) -> Result<LoggedIn, Refusal> {
        let block = self.admit(peer, now)?;
        let login = self.logins.login(name).map_err(Refusal::Unavailable)?;
        // Whether it is needed or not: it takes time.
        let whole = self.completed(written_alike(name))?;
        let verified = match &login {
            Some(login) => self.verify(login, password, now).await.map_err(|Busy| busy())?,
            None => self.verify_nobody(&whole, password).await?,
        };
        match (verified, login) {
            (Some(logged_in), Some(login)) if login.active => {
                self.failures.lock().succeeded(block, &written_alike(name));
                Ok(logged_in)
            }
            _ => {
                let attempt = self.keyed(&[name.as_bytes(), password.expose()]);
                Err(self.wrong(block, name, Some(attempt), now))
            }
        }
    }

    /// The verifier for a SCRAM log-in: a fake one, stable by name, where there is none.
    pub fn scram_keys(
        &self,
        name: &str,
        peer: IpAddr,
        now: Instant,
    ) -> Result<(ScramKeys, ScramTicket), Refusal> {
        self.admit(peer, now)?;
        let mut login = self.logins.login(name).map_err(Refusal::Unavailable)?;
        let found = login.is_some();
        let name = self.completed(written_alike(name))?;
        let of_whole = self.logins.login(&name).map_err(Refusal::Unavailable)?;
        if !found {
            login = of_whole;
        }
        let real = login.and_then(|login| {
            let keys = Credentials::from_bytes(&login.credentials).ok()?.scram_keys()?;
            Some((login, keys))
        });
        let Some((login, keys)) = real else { return Ok((self.fake_keys(&name), ScramTicket(None))) };
        match login.active && found {
            true => {
                let found = LoggedIn { account: login.account, epoch: login.epoch, app_password: None };
                Ok((keys, ScramTicket(Some(found))))
            }
            // The same salt as ever, and no proof is right.
            false => {
                let fake = self.fake_keys(&name);
                Ok((ScramKeys { salt: keys.salt, iterations: keys.iterations, ..fake }, ScramTicket(None)))
            }
        }
    }

    /// A SCRAM proof was right: the account of the ticket, unless it changed meanwhile.
    pub fn scram_done(
        &self,
        ticket: ScramTicket,
        name: &str,
        peer: IpAddr,
        now: Instant,
    ) -> Result<LoggedIn, Refusal> {
        let block = Block::of(peer);
        if let Some(found) = ticket.0
            && self.logins.epoch(found.account).map_err(Refusal::Unavailable)? == Some(found.epoch)
        {
            self.failures.lock().succeeded(block, &written_alike(name));
            return Ok(found);
        }
        Err(self.wrong(block, name, None, now))
    }

    /// A SCRAM proof was wrong: counts it, and says how long to wait before answering.
    pub fn scram_failed(&self, name: &str, peer: IpAddr, now: Instant) -> Duration {
        match self.wrong(Block::of(peer), name, None, now) {
            Refusal::Wrong { delay } => delay,
            Refusal::Banned | Refusal::Unavailable(_) => Duration::ZERO,
        }
    }

    /// Registers a session of a log-in. `None` where the log-in counts no more already.
    pub fn register(&self, logged_in: LoggedIn) -> Option<SessionGuard> {
        // First the registration, then the look: a change between the two is seen by one of them.
        let guard = self.sessions.register(logged_in.account, logged_in.epoch);
        let current = self.logins.epoch(logged_in.account).ok().flatten();
        guard.filter(|_| current == Some(logged_in.epoch))
    }

    /// Call after an account's credentials or state changed: what was remembered goes, its sessions are closed.
    pub fn changed(&self, account: AccountId, epoch: u64) {
        self.cache.lock().forget(account);
        self.sessions.close_older(account, epoch);
    }

    /// Makes credentials of a password, with a SCRAM verifier if wanted.
    pub async fn make_credentials(&self, password: Secret, scram: bool) -> Result<Credentials, Busy> {
        let cost = self.settings.cost.clone();
        self.pool.run(move || Credentials::new(&password, &cost, scram)).await
    }

    /// Whether the block may try at all.
    fn admit(&self, peer: IpAddr, now: Instant) -> Result<Block, Refusal> {
        let block = Block::of(peer);
        if self.failures.lock().is_banned(block, now) { Err(Refusal::Banned) } else { Ok(block) }
    }

    async fn verify(&self, login: &Login, password: &Secret, now: Instant) -> Result<Option<LoggedIn>, Busy> {
        let logged_in = LoggedIn { account: login.account, epoch: login.epoch, app_password: None };
        let key =
            self.keyed(&[&login.account.0.to_be_bytes(), &login.epoch.to_be_bytes(), password.expose()]);
        if self.cache.lock().holds(&key, now) {
            return Ok(Some(logged_in));
        }
        let credentials = Credentials::from_bytes(&login.credentials).unwrap_or_default();
        if let Some(app) = credentials.find_app_password(password) {
            return Ok(Some(LoggedIn { app_password: Some(app), ..logged_in }));
        }
        let hash = credentials.password_hash().map_or_else(|| self.dummy.clone(), Arc::from);
        let right = self.verify_once(key, hash, password).await?;
        if right && login.active {
            self.cache.lock().insert(login.account, key, now);
        }
        Ok(right.then_some(logged_in))
    }

    /// Costs what [`Self::verify`] costs, for a name that nobody has: attempts at once share a hash here as there.
    async fn verify_nobody(&self, name: &str, password: &Secret) -> Result<Option<LoggedIn>, Refusal> {
        let key = self.keyed(&[b"nobody", name.as_bytes(), password.expose()]);
        let _ = self.verify_once(key, self.dummy.clone(), password).await.map_err(|Busy| busy())?;
        Ok(None)
    }

    /// [`Self::verify_hash`], joined to one of the same log-in that is under way.
    async fn verify_once(&self, key: [u8; 32], hash: Arc<str>, password: &Secret) -> Result<bool, Busy> {
        let (send, receive) = watch::channel(None);
        let other = match self.verifying.lock().entry(key) {
            Entry::Occupied(entry) => Some(entry.get().clone()),
            Entry::Vacant(entry) => {
                entry.insert(receive);
                None
            }
        };
        if let Some(mut other) = other {
            let outcome = other.wait_for(Option::is_some).await.ok().and_then(|outcome| *outcome);
            // It ends without an outcome if the pool was busy, or its connection broke.
            return match outcome {
                Some(right) => Ok(right),
                None => self.verify_hash(hash, password).await,
            };
        }
        let _entry = Verifying { of: self, key };
        let right = self.verify_hash(hash, password).await?;
        send.send_replace(Some(right));
        Ok(right)
    }

    async fn verify_hash(&self, hash: Arc<str>, password: &Secret) -> Result<bool, Busy> {
        let fits = password.expose().len() <= MAX_PASSWORD;
        let password = if fits { password.clone() } else { Secret::new(Vec::new()) };
        Ok(self.pool.run(move || hashing::verify(&hash, &password)).await? && fits)
    }

    fn wrong(&self, block: Block, name: &str, attempt: Option<[u8; 32]>, now: Instant) -> Refusal {
        let delay = self.failures.lock().failed(block, &written_alike(name), attempt, now);
        Refusal::Wrong { delay }
    }

    /// A bare name that nobody has, made whole with one of our domains, always the same one: a bare name that somebody
    /// has answers like one whole name too.
    fn completed(&self, name: String) -> Result<String, Refusal> {
        if name.contains('@') {
            return Ok(name);
        }
        let domains = self.logins.domains().map_err(Refusal::Unavailable)?;
        let [a, b, c, d, ..] = keyed(&self.settings.secret, &[b"home", name.as_bytes()]);
        let place = (u32::from_be_bytes([a, b, c, d]) as usize).checked_rem(domains.len());
        let home = place.and_then(|place| domains.get(place));
        Ok(home.map_or(name.clone(), |domain| format!("{name}@{domain}")))
    }

    fn fake_keys(&self, name: &str) -> ScramKeys {
        let name = written_alike(name);
        let part = |label: &[u8]| keyed(&self.settings.secret, &[label, name.as_bytes()]);
        ScramKeys {
            salt: part(b"salt").into_iter().take(credentials::SALT).collect(),
            iterations: credentials::ITERATIONS,
            stored_key: part(b"stored key"),
            server_key: part(b"server key"),
        }
    }

    fn keyed(&self, parts: &[&[u8]]) -> [u8; 32] {
        keyed(&self.process_key, parts)
    }
}

/// An entry of [`Authenticator::verifying`], taken out when its verification ends, however it ends.
struct Verifying<'a> {
    of: &'a Authenticator,
    key: [u8; 32],
}

impl Drop for Verifying<'_> {
    fn drop(&mut self) {
        self.of.verifying.lock().remove(&self.key);
    }
}

/// A log-in name as failures are counted and fake salts are made by: the same for all that the directory takes for one.
fn written_alike(name: &str) -> String {
    match Address::parse(name) {
        Ok(address) => format!("{}@{}", address.local.folded(), address.host),
        Err(_) => name.to_lowercase(),
    }
}

fn busy() -> Refusal {
    Refusal::Unavailable("too many log-ins at once".into())
}

/// HMAC-SHA-256 of parts, each with its length before it.
fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
