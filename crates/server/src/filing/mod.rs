//! What users' Sieve scripts make of their mail (RFC 5228): they run when the gate has ruled, before the commit.
//!
//! [`Filing::file`] runs the scripts of a message's recipients side by side, [`errand`] carries out what each decides, and
//! [`rejecting`] tells senders of what was rejected. All of it is committed with the message ([`Filed`]).

pub mod commands;
mod compiled;
mod errand;
mod filed;
mod host;
mod rejecting;
pub mod scripts;
pub mod site;
pub mod standing;
#[cfg(test)]
mod tests;

pub use filed::{Filed, Outcome};

use crate::allowance::{Allowance, Most};
use crate::gatehouse::Gatehouse;
use crate::srs::Srs;
use base::{AccountId, Address, Domain, DomainId, SpecialUse, Timestamp};
use compiled::Compiled;
use errand::{Carried, Errand};
use gate::{Delivery, Folder, Screened, Spooled};
use host::Owner;
use session::managesieve::Language;
use sieve::{Capabilities, CompileError, Extension, Limits};
use site::SiteScripts;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use store::scripts::{MOST_SCRIPT_OCTETS, Script, ScriptError};
use store::{Found, Store};
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, info, warn};
use wire::smtp::Terms;

/// Scripts that run at the same time; each occupies a thread, for a second or so at worst.
const AT_ONCE: usize = 4;

/// An account waits for its own lane first, so that one whose scripts take long does not take all places. Few accounts
/// share one.
const LANES: usize = 64;

/// How often one message may be sent on to accounts here, by all scripts together.
const PASSED_ON: usize = 100;

/// Accounts that a message may be sent on by, one to the next.
const HOPS: usize = 5;

/// Replies, notifications and notices of one account's scripts.
const AUTOMATIC: Most = Most { messages_per_hour: 100, messages_per_day: 1000, recipients_per_day: 2000 };

/// Extensions whose answers delivery has not: a script that needs one is refused.
const NOT_HERE: [Extension; 3] = [Extension::Spamtest, Extension::Spamtestplus, Extension::Virustest];

/// Compiles a script as delivery does.
///
/// # Errors
/// The first fault, with line and column; also what this server does not carry out.
pub fn compile(text: &str) -> Result<sieve::Script, CompileError> {
    sieve::Script::compile(text, capabilities(), &limits())
}

/// What scripts can do here, as ManageSieve tells it.
pub fn language() -> Language {
    let capabilities = capabilities();
    Language {
        extensions: capabilities.names().collect::<Vec<_>>().join(" "),
        redirects: limits().redirects,
        notify: if capabilities.has(Extension::Enotify) { "mailto".into() } else { String::new() },
    }
}

fn capabilities() -> Capabilities {
    NOT_HERE.into_iter().fold(Capabilities::all(), Capabilities::without)
}

fn limits() -> Limits {
    Limits { script_octets: MOST_SCRIPT_OCTETS, ..Limits::default() }
}

/// Runs the scripts of those who get mail.
pub struct Filing {
    store: Arc<dyn Store>,
    gatehouse: Arc<Gatehouse>,
    srs: Srs,
    host: Domain,
    site: SiteScripts,
    compiled: Compiled,
    automatic: Allowance<AccountId>,
    lanes: Vec<Semaphore>,
    places: Semaphore,
}

/// A copy of a message on its way into an account that has a script.
struct Copy {
    account: AccountId,
    domain: DomainId,
    recipient: Address,
    /// Where it goes unless the script says otherwise.
    folder: Folder,
    script: Option<Script>,
    standing: Option<String>,
    /// Accounts that sent it on, the first one first.
    passed: Arc<[AccountId]>,
    journey: Arc<Journey>,
}

/// What filing must know of a message besides.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Whether it must not leave in the clear (RFC 8689).
    pub require_tls: bool,
    /// Whether it may be refused: nobody else has taken it.
    pub refusable: bool,
}

/// What all copies of a message have in common.
struct Journey {
    /// Whether it must not leave in the clear (RFC 8689).
    require_tls: bool,
    /// How often it may still be sent on to accounts here.
    passes: AtomicUsize,
}

impl Journey {
    /// Takes one of the passes, if any is left.
    fn pass(&self) -> bool {
        self.passes.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Copy {
    /// Whether the checks took it for spam: its sender is most likely forged.
    fn is_junk(&self) -> bool {
        self.folder == Folder::Special(SpecialUse::Junk)
    }
}

/// A message whose recipients' scripts are to run.
struct Round {
    screened: Screened,
    passed: Arc<[AccountId]>,
}

impl Filing {
    /// Over a store; `host` is what this server is called.
    pub fn new(
        store: Arc<dyn Store>,
        gatehouse: Arc<Gatehouse>,
        host: Domain,
        site: SiteScripts,
    ) -> Arc<Self> {
        Arc::new(Filing {
            srs: Srs::new(store.clone()),
            store,
            gatehouse,
            host,
            site,
            compiled: Compiled::default(),
            automatic: Allowance::new(AUTOMATIC),
            lanes: (0..LANES).map(|_| Semaphore::new(1)).collect(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// What becomes of the message as its recipients' scripts say. Whatever goes wrong, it is kept where it would go
    /// without a script.
    pub async fn file(self: &Arc<Self>, screened: Screened, circumstances: Circumstances) -> Outcome {
        let Circumstances { require_tls, refusable } = circumstances;
        let expected = screened.deliveries().len();
        let mut filed = Filed::default();
        let mut rejected = Vec::new();
        let mut rounds = VecDeque::from([Round { screened, passed: Arc::default() }]);
        let journey = Arc::new(Journey { require_tls, passes: AtomicUsize::new(PASSED_ON) });
        while let Some(Round { mut screened, passed }) = rounds.pop_front() {
            let is_first = filed.mail.is_empty();
            for carried in self.run_all(&screened, &passed, &journey).await {
                screened = match carried.is_discarded() {
                    true => screened.discarded(carried.account),
                    false => screened.filed(carried.account, &carried.places),
                };
                filed.memory.extend(carried.memory);
                filed.mail.extend(carried.sent);
                rejected.extend(carried.rejected);
                rounds.extend(carried.passed_on);
            }
            if is_first {
                if refusable && let Some(reply) = rejecting::refusal(&rejected, expected) {
                    return Outcome::Refused(reply);
                }
                filed.mail.insert(0, screened);
            } else {
                filed.mail.push(screened);
            }
        }
        filed.mail.extend(self.reject(rejected).await);
        Outcome::Filed(filed)
    }

    /// Runs the scripts of all who get a message, side by side.
    async fn run_all(
        self: &Arc<Self>,
        screened: &Screened,
        passed: &Arc<[AccountId]>,
        journey: &Arc<Journey>,
    ) -> Vec<Carried> {
        let copies = screened.deliveries().iter().filter_map(|one| self.copy(one, passed, journey));
        let start = |copy| tokio::spawn(self.clone().run(screened.mail().clone(), copy).in_current_span());
        let runs: Vec<_> = copies.map(start).collect();
        let mut all = Vec::with_capacity(runs.len());
        for run in runs {
            // A panic is in the log already; the mail is kept.
            all.extend(run.await.ok().flatten());
        }
        all
    }

    /// A delivery for which a script is to run.
    fn copy(&self, delivery: &Delivery, passed: &Arc<[AccountId]>, journey: &Arc<Journey>) -> Option<Copy> {
        let Delivery::Mailbox { account, domain, folder, recipient: Some(recipient), .. } = delivery else {
            return None;
        };
        let account = *account;
        let script = known(account, self.store.scripts().active(account));
        let standing = known(account, self.store.scripts().standing(account));
        if script.is_none() && standing.is_none() && self.site.is_empty() {
            return None;
        }
        Some(Copy {
            account,
            domain: *domain,
            recipient: recipient.clone(),
            folder: folder.clone(),
            script,
            standing,
            passed: passed.clone(),
            journey: journey.clone(),
        })
    }

    /// What becomes of one copy, decided on a thread that may take its time. `None` where it stays as it is.
    async fn run(self: Arc<Self>, mail: Spooled, copy: Copy) -> Option<Carried> {
        let this = self.clone();
        let lane = self.lanes.get(usize::try_from(copy.account.0).ok()? % LANES)?;
        let _turn = lane.acquire().await.ok()?;
        let _place = self.places.acquire().await.ok()?;
        tokio::task::spawn_blocking(move || this.decide(&mail, &copy)).await.ok()
    }

    fn decide(&self, mail: &Spooled, copy: &Copy) -> Carried {
        let owner = Owner::new(copy.account, &self.host, &*self.store, &self.compiled);
        let own = self.store.directory().addresses(copy.account).unwrap_or_else(|error| {
            warn!(account = %copy.account, %error, "an account's addresses can't be listed");
            Vec::new()
        });
        let scripts = self.scripts(mail, copy);
        let scripts: Vec<(&str, &sieve::Script)> =
            scripts.iter().map(|(name, script)| (name.as_str(), &**script)).collect();
        let sieve_mail = sieve::Mail {
            tree: &mail.tree,
            raw: mail.octets.as_ref(),
            sender: &mail.reverse_path,
            recipient: &copy.recipient,
            addresses: &own,
            now: Timestamp::now(),
            zone_minutes: 0,
        };
        let outcome = sieve::run(&scripts, &sieve_mail, &owner, &limits());
        tell(mail, copy, &outcome);
        Errand::new(self, mail, copy, &owner, &own).carry_out(outcome)
    }

    /// The scripts that run for a copy: the site's, what stands for the account, its own script, the site's again. One
    /// that does not compile is left out.
    fn scripts(&self, mail: &Spooled, copy: &Copy) -> Vec<(String, Arc<sieve::Script>)> {
        let (trace, account) = (mail.trace, copy.account);
        let compiled = |name: &str, text: &str| match self.compiled.script(text) {
            Ok(script) => Some((name.to_owned(), script)),
            Err(error) => {
                warn!(%trace, %account, script = name, %error, "script can't be run");
                None
            }
        };
        let standing = copy.standing.as_deref().and_then(|text| {
            let script = standing::Standing::parse(text).script();
            compiled("forward and vacation", &script)
        });
        let own = copy.script.as_ref().and_then(|script| compiled(&script.name, &script.text));
        let site = |scripts: &[site::SiteScript]| -> Vec<_> {
            scripts.iter().map(|one| (one.name.clone(), one.script.clone())).collect()
        };
        let before = site(&self.site.before).into_iter();
        before.chain(standing).chain(own).chain(site(&self.site.after)).collect()
    }

    /// Where mail that an account's script sends to an address goes; `domain` is the account's.
    fn deliveries(
        &self,
        account: AccountId,
        domain: DomainId,
        to: &Address,
        terms: Terms,
    ) -> Result<Vec<Delivery>, String> {
        match self.store.directory().find(to).map_err(|error| error.to_string())? {
            Found::NoSuchUser => Err("there is no such address here".into()),
            Found::List { .. } => Err("it is a list or group here".into()),
            Found::NotOurs => Ok(vec![Delivery::queue(Some(account), domain, to.clone(), terms)]),
            Found::Accounts { accounts, domain, detail } => {
                let folder = detail.map_or(Folder::Inbox, Folder::Named);
                let delivery = |account| Delivery::mailbox(account, domain, folder.clone(), to.clone());
                Ok(accounts.into_iter().map(delivery).collect())
            }
        }
    }

    /// Whether an account may send one more mail by itself; the log tells where not.
    fn may_send(&self, mail: &Spooled, account: AccountId, recipients: usize) -> bool {
        let taken = self.automatic.take(account, recipients as u64, std::time::Instant::now());
        if let Err(limit) = taken {
            warn!(trace = %mail.trace, %account, limit = limit.words(), "this account's scripts send too much");
        }
        taken.is_ok()
    }
}

/// What was read for an account; where it can't be, mail is kept.
fn known<T>(account: AccountId, read: Result<Option<T>, ScriptError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(%account, %error, "a script can't be read: mail is kept");
        None
    })
}

/// Says in the log what a script did.
fn tell(mail: &Spooled, copy: &Copy, outcome: &sieve::Outcome) {
    let (trace, account) = (mail.trace, copy.account);
    let script = copy.script.as_ref().map(|script| script.name.as_str()).unwrap_or_default();
    if let Some(error) = &outcome.error {
        let (script, line, why) = (&error.script, error.line, &error.message);
        warn!(%trace, %account, script, line, why, "script stopped by an error: mail is kept");
    } else if outcome.actions.is_empty() {
        info!(%trace, %account, script, "discarded by the recipient's script");
    } else {
        let actions: Vec<String> = outcome.actions.iter().map(ToString::to_string).collect();
        debug!(%trace, %account, script, steps = outcome.steps, actions = actions.join("; "), "script ran");
    }
}
