//! What users' Sieve scripts make of their mail (RFC 5228): they run when the gate has ruled, before the commit.
//!
//! A script chooses among mailboxes of its owner, or wants no copy. What sends something is not carried out, so the
//! compiler refuses it: see [`compile`].

pub mod commands;
mod compiled;
mod host;
pub mod scripts;
#[cfg(test)]
mod tests;

use base::mailbox::MailError;
use base::{AccountId, Address, Domain, Flags, SpecialUse, Timestamp};
use compiled::Compiled;
use gate::{Delivery, Folder, Screened, Spooled};
use host::Owner;
use session::managesieve::Language;
use sieve::{Action, Capabilities, CompileError, Extension, Limits, Outcome};
use std::sync::Arc;
use store::Store;
use store::scripts::{MOST_SCRIPT_OCTETS, Script};
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

/// Scripts that run at the same time; each occupies a thread, for a second or so at worst.
const AT_ONCE: usize = 4;

/// An account waits for its own lane first, so that one whose scripts take long does not take all places. Few accounts
/// share one.
const LANES: usize = 64;

/// Extensions whose actions or answers delivery has not: a script that needs one is refused, rather than that it
/// loses mail or a reply.
const NOT_HERE: [Extension; 10] = [
    Extension::Reject,
    Extension::Ereject,
    Extension::Vacation,
    Extension::VacationSeconds,
    Extension::Enotify,
    Extension::Duplicate,
    Extension::Editheader,
    Extension::Spamtest,
    Extension::Spamtestplus,
    Extension::Virustest,
];

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
    Limits { script_octets: MOST_SCRIPT_OCTETS, redirects: 0, ..Limits::default() }
}

/// Runs the active scripts of those who get mail.
pub struct Filing {
    store: Arc<dyn Store>,
    host: Domain,
    compiled: Compiled,
    lanes: Vec<Semaphore>,
    places: Semaphore,
}

/// A copy of a message on its way into an account that has a script.
struct Copy {
    account: AccountId,
    recipient: Address,
    /// Where it goes unless the script says otherwise.
    folder: Folder,
    script: Script,
}

impl Filing {
    /// Over a store; `host` is what scripts are told that this server is called.
    pub fn new(store: Arc<dyn Store>, host: Domain) -> Arc<Self> {
        let lanes = (0..LANES).map(|_| Semaphore::new(1)).collect();
        Arc::new(Filing {
            store,
            host,
            compiled: Compiled::default(),
            lanes,
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// The message with the mailboxes that its recipients' scripts choose. Whatever goes wrong, it is kept where it
    /// would go without a script.
    pub async fn file(self: &Arc<Self>, mut screened: Screened) -> Screened {
        let copies: Vec<Copy> = screened.deliveries().iter().filter_map(|one| self.copy(one)).collect();
        for copy in copies {
            let account = copy.account;
            if let Some(places) = self.run(screened.mail().clone(), copy).await {
                screened = screened.filed(account, &places);
            }
        }
        screened
    }

    fn copy(&self, delivery: &Delivery) -> Option<Copy> {
        let Delivery::Mailbox { account, folder, recipient: Some(recipient), .. } = delivery else {
            return None;
        };
        let script = self.store.scripts().active(*account).unwrap_or_else(|error| {
            warn!(%account, %error, "the script can't be read: mail is kept");
            None
        })?;
        Some(Copy { account: *account, recipient: recipient.clone(), folder: folder.clone(), script })
    }

    /// The places for one copy, chosen on a thread that may take its time. `None` where it stays as it is.
    async fn run(self: &Arc<Self>, mail: Spooled, copy: Copy) -> Option<Vec<(Folder, Flags)>> {
        let lane = self.lanes.get(usize::try_from(copy.account.0).ok()? % LANES)?;
        let _turn = lane.acquire().await.ok()?;
        let _place = self.places.acquire().await.ok()?;
        let this = self.clone();
        // A panic is in the log already; the mail is kept.
        tokio::task::spawn_blocking(move || this.places(&mail, &copy)).await.ok().flatten()
    }

    fn places(&self, mail: &Spooled, copy: &Copy) -> Option<Vec<(Folder, Flags)>> {
        let (account, trace, name) = (copy.account, mail.trace, copy.script.name.as_str());
        let script = match self.compiled.script(&copy.script.text) {
            Ok(script) => script,
            Err(error) => {
                warn!(%trace, %account, script = name, %error, "script can't be run: mail is kept");
                return None;
            }
        };
        let owner = Owner::new(account, &self.host, &*self.store, &self.compiled);
        let sieve_mail = sieve::Mail {
            tree: &mail.tree,
            raw: mail.octets.as_ref(),
            sender: &mail.reverse_path,
            recipient: &copy.recipient,
            addresses: &[],
            now: Timestamp::now(),
            zone_minutes: 0,
        };
        let outcome = sieve::run(&[(name, &script)], &sieve_mail, &owner, &limits());
        tell(mail, copy, &outcome);
        Some(self.chosen(&owner, &copy.folder, &outcome.actions))
    }

    /// Where a script's actions put the message: once into each mailbox, with the flags of all that chose it.
    fn chosen(&self, owner: &Owner<'_>, kept_in: &Folder, actions: &[Action]) -> Vec<(Folder, Flags)> {
        let mut places: Vec<(Folder, Flags)> = Vec::new();
        for action in actions {
            let (folder, flags) = match action {
                Action::FileInto { mailbox, flags, create, special_use, .. } => {
                    let there = owner.folder(mailbox.as_str(), *special_use);
                    let created = || create.then(|| self.create(owner, mailbox, *special_use)).flatten();
                    (there.or_else(created).unwrap_or_else(|| kept_in.clone()), flags.clone())
                }
                Action::Keep { flags, .. } => (kept_in.clone(), flags.clone()),
                // No script that compiles here asks for more.
                _ => (kept_in.clone(), Flags::default()),
            };
            let name = owner.name(&folder);
            match places.iter_mut().find(|(other, _)| owner.name(other) == name) {
                Some((_, all)) => all.add(&flags),
                None => places.push((folder, flags)),
            }
        }
        places
    }

    /// Makes a mailbox and subscribes to it, so that clients show it (RFC 5490 §3.2).
    fn create(
        &self,
        owner: &Owner<'_>,
        name: &base::MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Option<Folder> {
        let account = owner.account;
        match self.store.create(account, name, special_use) {
            Ok(_) => {
                if let Err(error) = self.store.subscribe(account, name, true) {
                    warn!(%account, %error, "a script's new mailbox is not subscribed to");
                }
            }
            Err(MailError::Exists) => {}
            Err(error) => {
                warn!(%account, %error, "a script's mailbox can't be made: mail is kept");
                return None;
            }
        }
        owner.look_again();
        Some(Folder::Named(name.to_string()))
    }
}

/// Says in the log what a script did.
fn tell(mail: &Spooled, copy: &Copy, outcome: &Outcome) {
    let (trace, account, script) = (mail.trace, copy.account, copy.script.name.as_str());
    if let Some(error) = &outcome.error {
        let (line, why) = (error.line, &error.message);
        warn!(%trace, %account, script, line, why, "script stopped by an error: mail is kept");
    } else if outcome.actions.is_empty() {
        info!(%trace, %account, script, "discarded by the recipient's script");
    } else {
        let actions: Vec<String> = outcome.actions.iter().map(Action::to_string).collect();
        debug!(%trace, %account, script, steps = outcome.steps, actions = actions.join("; "), "script ran");
    }
}
