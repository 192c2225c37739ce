//! A connection's log-in: what the protocols' loops ask, over [`crate::auth`].

use crate::auth::{LoggedIn, Refusal, ScramTicket, SessionGuard};
use crate::server::Server;
use base::Secret;
use session::sasl::ScramKeys;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Account;
use tracing::{info, warn};

/// How long a banned peer waits for the refusal it gets anyway.
const BANNED_WAIT: Duration = Duration::from_secs(3);

/// Octets of a name that nobody has which are logged.
const LOGGED_NAME: usize = 254;

/// A log-in that holds until [`Login::ended`].
pub struct Login {
    account: Account,
    guard: SessionGuard,
}

impl Login {
    /// The account, as it was at log-in.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether the log-in counts no more.
    pub fn is_over(&self) -> bool {
        self.guard.is_revoked()
    }

    /// Ready when the log-in counts no more: a new password, a revocation, a suspension.
    pub async fn ended(&mut self) {
        self.guard.revoked().await;
    }
}

/// Why nobody is logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Wrong, in whatever way.
    Refused,
    /// Our side can't now.
    Unavailable,
}

/// Who knocks: a peer and the service it came to. Keeps what SCRAM needs between its steps.
pub struct Visitor {
    server: Arc<Server>,
    ip: IpAddr,
    service: &'static str,
    ticket: Option<ScramTicket>,
}

impl Visitor {
    /// A peer that came to a service.
    pub fn new(server: Arc<Server>, ip: IpAddr, service: &'static str) -> Self {
        Visitor { server, ip, service, ticket: None }
    }

    /// Checks a password. A wrong one is answered late.
    pub async fn password(&self, user: &str, password: &Secret) -> Result<Login, Failure> {
        let outcome = self.server.auth.check_password(user, password, self.ip, Instant::now()).await;
        self.finish(user, outcome).await
    }

    /// A user's SCRAM verifier, or a fake one.
    pub async fn keys(&mut self, user: &str) -> Result<ScramKeys, Failure> {
        match self.server.auth.scram_keys(user, self.ip, Instant::now()) {
            Ok((keys, ticket)) => {
                self.ticket = Some(ticket);
                Ok(keys)
            }
            Err(refusal) => Err(self.refused(user, refusal).await),
        }
    }

    /// The user proved by SCRAM to know the password.
    pub async fn proven(&mut self, user: &str) -> Result<Login, Failure> {
        let Some(ticket) = self.ticket.take() else { return Err(Failure::Refused) };
        let outcome = self.server.auth.scram_done(ticket, user, self.ip, Instant::now());
        self.finish(user, outcome).await
    }

    /// The proof was wrong: counts it, and waits as long as a wrong password would have.
    pub async fn wrong_proof(&mut self, user: &str) {
        self.ticket = None;
        let delay = self.server.auth.scram_failed(user, self.ip, Instant::now());
        self.refused(user, Refusal::Wrong { delay }).await;
    }

    async fn finish(&self, user: &str, outcome: Result<LoggedIn, Refusal>) -> Result<Login, Failure> {
        let logged_in = match outcome {
            Ok(logged_in) => logged_in,
            Err(refusal) => return Err(self.refused(user, refusal).await),
        };
        let guard = self.server.auth.register(logged_in);
        let account = self.server.store.directory().account(logged_in.account).ok().flatten();
        let Some((guard, account)) = guard.zip(account) else { return Err(Failure::Refused) };
        self.server.metrics.login(self.service, "right");
        info!(service = self.service, account = %account.address, app = ?logged_in.app_password, "logged in");
        Ok(Login { account, guard })
    }

    async fn refused(&self, user: &str, refusal: Refusal) -> Failure {
        let (delay, banned) = match refusal {
            Refusal::Wrong { delay } => (delay, false),
            Refusal::Banned => (BANNED_WAIT, true),
            Refusal::Unavailable(why) => {
                warn!(service = self.service, why, "log-ins can't be checked");
                return Failure::Unavailable;
            }
        };
        let user = &user[..user.floor_char_boundary(LOGGED_NAME)];
        info!(service = self.service, user, banned, "log-in failed");
        self.server.metrics.login(self.service, if banned { "banned" } else { "wrong" });
        tokio::time::sleep(delay).await;
        Failure::Refused
    }
}
