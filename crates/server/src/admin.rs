//! What the commands of the control socket do, over the store and the log-ins.

use crate::access::commands as sharing;
use crate::auth::Credentials;
use crate::control::{
    AccountRow, Admin, AlarmRow, AliasRow, AppPasswordRow, Change, DeletedRow, DomainRow, Doubles, HoldRow,
    Matching, Password, QuarantineRow, QueueRow, Request, Response, Which,
};
use crate::server::Server;
use base::address::Host;
use base::{AccountId, Address, BoxFuture, Domain, MailId, Secret, Timestamp};
use parking_lot::Mutex;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use store::{Account, AccountState, Alias, Directory, DirectoryError, Recoverable, queue};

/// Queue entries that are listed at a time.
const QUEUE_PAGE: usize = 1000;

/// Quarantine entries that one command lists.
const MOST_ENTRIES: usize = 100_000;

/// The administrator's hand.
#[derive(Clone)]
pub struct Steward {
    server: Arc<Server>,
    quota: (Option<u64>, Option<u64>),
    /// Held from reading an account's credentials to writing them: two changes at once must not undo each other.
    changing: Arc<Mutex<()>>,
}

/// A request's outcome before it is put into words.
type Outcome = Result<Response, String>;

impl Admin for Steward {
    fn handle(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move { self.answer(request).await.unwrap_or_else(Response::Failed) })
    }

    fn transfer(&self, address: String, doubles: Doubles, stream: UnixStream) -> BoxFuture<'_, ()> {
        let (this, breaker, mut stop) = (self.clone(), stream.try_clone(), self.server.stop.clone());
        Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || {
                let Ok(account) = this.account(&address) else { return };
                if let Err(error) = crate::transfer::desk::serve(stream, &this.server, account, doubles) {
                    tracing::warn!(address, %error, "a transfer broke off");
                }
            });
            tokio::select! {
                // Its panic is in the log already.
                _ = work => {}
                // A server that stops waits for no command.
                _ = stop.wait_for(|stops| *stops) => drop(breaker.map(|stream| stream.shutdown(Shutdown::Both))),
            }
        })
    }
}

impl Steward {
    /// Over a running server; `quota` is what new accounts may keep, in octets and messages.
    pub fn new(server: Arc<Server>, quota: (Option<u64>, Option<u64>)) -> Self {
        Steward { server, quota, changing: Arc::default() }
    }

    async fn answer(&self, request: Request) -> Outcome {
        match request {
            Request::AccountAdd { address, password } => self.add_account(&address, password).await,
            Request::AccountPassword { address, password } => self.set_password(&address, password).await,
            other => {
                let (server, this) = (self.server.clone(), self.clone());
                let work = tokio::task::spawn_blocking(move || this.answer_blocking(other, &server));
                work.await.map_err(|error| error.to_string())?
            }
        }
    }

    fn answer_blocking(&self, request: Request, server: &Server) -> Outcome {
        match request {
            Request::AccountAdd { .. } | Request::AccountPassword { .. } => {
                Err("asked in the wrong place".into())
            }
            Request::AccountList => self.list_accounts(),
            Request::AccountSuspend { address } => self.set_state(&address, AccountState::Suspended),
            Request::AccountRelease { address } => self.set_state(&address, AccountState::Active),
            Request::AccountRemove { address } => {
                let account = self.account(&address)?;
                self.directory().remove_account(account.id).map_err(|e| about(&address, e))?;
                server.auth.changed(account.id, u64::MAX);
                done(format!("{address} and its mail are removed"))
            }
            Request::AccountQuota { address, octets, messages } => {
                let account = self.account(&address)?;
                self.directory().set_quota(account.id, octets, messages).map_err(|e| about(&address, e))?;
                done(format!("{address} has a new quota"))
            }
            Request::AccountPop3 { address, keep } => {
                let account = self.account(&address)?;
                self.directory().set_pop3_keeps(account.id, keep).map_err(|e| about(&address, e))?;
                let what = if keep { "keeps" } else { "removes" };
                done(format!("POP3 {what} what {address} has retrieved"))
            }
            Request::AppPasswordAdd { address, label } => self.add_app_password(&address, &label),
            Request::AppPasswordList { address } => self.list_app_passwords(&address),
            Request::AppPasswordRevoke { address, label } => self.revoke_app_password(&address, &label),
            Request::AccountShare { address, mailbox, identifier, rights } => {
                let account = self.account(&address)?;
                sharing::share(&*server.store, &account, &mailbox, &identifier, rights.as_deref())
            }
            Request::AccountShares { address } => sharing::shares(&*server.store, &self.account(&address)?),
            Request::SendAs { address, other, allowed } => {
                sharing::send_as(&*server.store, &self.account(&address)?, &other, allowed)
            }
            Request::SendAsList => sharing::list_send_as(&*server.store),
            Request::DomainAdd { domain } => {
                let domain = parse_domain(&domain)?;
                self.directory().add_domain(&domain).map_err(|e| about(domain.as_str(), e))?;
                done(format!("{domain} is now served here"))
            }
            Request::DomainList => self.list_domains(),
            Request::DomainRemove { domain } => {
                let domain = parse_domain(&domain)?;
                self.directory().remove_domain(&domain).map_err(|e| about(domain.as_str(), e))?;
                done(format!("{domain} is no longer served here"))
            }
            Request::DomainCatchAll { domain, account } => {
                let domain = parse_domain(&domain)?;
                let account = account.map(|address| self.account(&address)).transpose()?.map(|a| a.id);
                self.directory().set_catch_all(&domain, account).map_err(|e| about(domain.as_str(), e))?;
                done(match account {
                    Some(_) => format!("mail for unknown addresses of {domain} is taken"),
                    None => format!("mail for unknown addresses of {domain} is refused"),
                })
            }
            Request::AliasAdd { address, accounts, send_as } => self.add_alias(&address, &accounts, send_as),
            Request::AliasList => self.list_aliases(),
            Request::AliasRemove { address } => {
                self.directory().remove_alias(&parse_address(&address)?).map_err(|e| about(&address, e))?;
                done(format!("{address} is removed"))
            }
            Request::QueueList { after } => self.list_queue(after),
            Request::QueueHolds => self.list_holds(),
            Request::QueueShow { id } => self.show_queued(id),
            Request::QueueChange { which, change } => self.change_queue(which, change),
            Request::QuarantineList => self.list_quarantine(),
            Request::Trace { wanted, last } => {
                crate::story::stories(server, &wanted, last).map(Response::Stories)
            }
            Request::AlarmList => {
                Ok(Response::Alarms(server.alarms.alarms().into_iter().map(alarm_row).collect()))
            }
            Request::TrySandbox => Ok(Response::Trials(crate::confine::trials::run())),
            Request::UndeleteList { address, matching } => self.list_deleted(&address, &matching),
            Request::UndeleteRestore { address, mail, matching } => self.restore(&address, mail, &matching),
            Request::List { what } => crate::lists::commands::answer(&*server.store, what),
            Request::Sieve { address, what } => {
                let account = self.account(&address)?;
                crate::filing::commands::answer(server.store.scripts(), account.id, &address, what)
            }
            Request::Standing { address, what } => {
                let account = self.account(&address)?;
                crate::filing::commands::set(server.store.scripts(), account.id, &address, what)
            }
            Request::Transfer { address, .. } => self.account(&address).and_then(|_| done(String::new())),
        }
    }

    fn directory(&self) -> &dyn Directory {
        self.server.store.directory()
    }

    fn account(&self, address: &str) -> Result<Account, String> {
        let found = self.directory().login(address).map_err(|e| about(address, e))?;
        found.ok_or_else(|| format!("{address}: no such account (`mailward account list` shows all)"))
    }

    async fn credentials(&self, password: Password) -> Result<Credentials, String> {
        let made = self.server.auth.make_credentials(password.0, self.server.scram).await;
        made.map_err(|_| "too many log-ins at once; try again".to_owned())
    }

    async fn add_account(&self, address: &str, password: Password) -> Outcome {
        let parsed = parse_address(address)?;
        let credentials = self.credentials(password).await?.to_bytes();
        let directory = self.directory();
        let account = directory.add_account(&parsed, &credentials).map_err(|error| match error {
            DirectoryError::Unknown => format!(
                "the domain of {address} isn't served here: `mailward domain add {}` first",
                parsed.host
            ),
            other => about(address, other),
        })?;
        if self.quota != (None, None) {
            directory.set_quota(account, self.quota.0, self.quota.1).map_err(|e| about(address, e))?;
        }
        done(format!("{address} is added"))
    }

    async fn set_password(&self, address: &str, password: Password) -> Outcome {
        self.account(address)?;
        let fresh = self.credentials(password).await?;
        let _changing = self.changing.lock();
        let account = self.account(address)?;
        let mut credentials = Credentials::from_bytes(&account.credentials).unwrap_or_default();
        credentials.take_password(fresh);
        self.put_credentials(&account, &credentials)?;
        done(format!("{address} has a new password; its sessions are closed"))
    }

    /// Stores credentials and has everything forgotten that held under the old ones.
    fn put_credentials(&self, account: &Account, credentials: &Credentials) -> Result<(), String> {
        let name = account.address.to_string();
        self.directory().set_credentials(account.id, &credentials.to_bytes()).map_err(|e| about(&name, e))?;
        self.log_in_anew(account.id);
        Ok(())
    }

    /// After a change: what was verified before it counts no more.
    fn log_in_anew(&self, account: AccountId) {
        let epoch = self.directory().account(account).ok().flatten().map_or(u64::MAX, |a| a.epoch);
        self.server.auth.changed(account, epoch);
    }

    fn set_state(&self, address: &str, state: AccountState) -> Outcome {
        let account = self.account(address)?;
        self.directory().set_state(account.id, state).map_err(|e| about(address, e))?;
        self.log_in_anew(account.id);
        done(match state {
            AccountState::Suspended => format!("{address} can't log in any more; mail for it is still taken"),
            AccountState::Active => format!("{address} may log in"),
        })
    }

    fn list_accounts(&self) -> Outcome {
        let accounts = self.directory().accounts().map_err(|e| e.to_string())?;
        let row = |account: Account| {
            let quota = self.server.store.quota(account.id).map_err(|e| e.to_string())?;
            Ok(AccountRow {
                address: account.address.to_string(),
                state: state_word(account.state).into(),
                octets: quota.octets,
                octets_limit: quota.octets_limit,
                messages: quota.messages,
                messages_limit: quota.messages_limit,
                pop3_keeps: account.pop3_keeps,
            })
        };
        accounts.into_iter().map(row).collect::<Result<_, String>>().map(Response::Accounts)
    }

    fn add_app_password(&self, address: &str, label: &str) -> Outcome {
        let _changing = self.changing.lock();
        let account = self.account(address)?;
        let mut credentials = Credentials::from_bytes(&account.credentials).map_err(|e| e.to_string())?;
        if credentials.app_passwords().iter().any(|app| app.label == label) {
            return Err(format!("{address} has an app password called {label} already: revoke it first"));
        }
        let made = credentials.add_app_password(label, Timestamp::now());
        let password: Secret = made.map_err(|_| format!("{address} has as many app passwords as it may"))?;
        self.put_credentials(&account, &credentials)?;
        Ok(Response::AppPassword(Password(password)))
    }

    fn list_app_passwords(&self, address: &str) -> Outcome {
        let account = self.account(address)?;
        let credentials = Credentials::from_bytes(&account.credentials).map_err(|e| e.to_string())?;
        let row = |app: &crate::auth::AppPassword| AppPasswordRow {
            label: app.label.clone(),
            made: Timestamp(app.created).to_string(),
        };
        Ok(Response::AppPasswords(credentials.app_passwords().iter().map(row).collect()))
    }

    fn revoke_app_password(&self, address: &str, label: &str) -> Outcome {
        let _changing = self.changing.lock();
        let account = self.account(address)?;
        let mut credentials = Credentials::from_bytes(&account.credentials).map_err(|e| e.to_string())?;
        let id = credentials.app_passwords().iter().find(|app| app.label == label).map(|app| app.id);
        if !id.is_some_and(|id| credentials.revoke_app_password(id)) {
            return Err(format!("{address} has no app password called {label}"));
        }
        self.put_credentials(&account, &credentials)?;
        done(format!("the app password {label} of {address} is revoked; its sessions are closed"))
    }

    fn list_domains(&self) -> Outcome {
        let domains = self.directory().domains().map_err(|e| e.to_string())?;
        let row = |entry: store::DomainEntry| {
            Ok(DomainRow {
                domain: entry.name.to_string(),
                catch_all: entry.catch_all.map(|id| self.name_of(id)).transpose()?,
            })
        };
        domains.into_iter().map(row).collect::<Result<_, String>>().map(Response::Domains)
    }

    fn name_of(&self, account: AccountId) -> Result<String, String> {
        let found = self.directory().account(account).map_err(|e| e.to_string())?;
        Ok(found.map_or_else(|| format!("account {account}"), |a| a.address.to_string()))
    }

    fn add_alias(&self, address: &str, accounts: &[String], send_as: bool) -> Outcome {
        let targets =
            accounts.iter().map(|name| self.account(name).map(|a| a.id)).collect::<Result<_, _>>()?;
        let alias = Alias { address: parse_address(address)?, accounts: targets, send_as };
        self.directory().set_alias(&alias).map_err(|error| match error {
            DirectoryError::Unknown => format!("the domain of {address} isn't served here"),
            other => about(address, other),
        })?;
        done(format!("mail for {address} goes to {}", accounts.join(", ")))
    }

    fn list_aliases(&self) -> Outcome {
        let aliases = self.directory().aliases().map_err(|e| e.to_string())?;
        let row = |alias: Alias| {
            Ok(AliasRow {
                address: alias.address.to_string(),
                accounts: alias.accounts.iter().map(|id| self.name_of(*id)).collect::<Result<_, String>>()?,
                send_as: alias.send_as,
            })
        };
        aliases.into_iter().map(row).collect::<Result<_, String>>().map(Response::Aliases)
    }

    fn list_queue(&self, after: u64) -> Outcome {
        let queued = self.server.store.queue().entries(after, QUEUE_PAGE).map_err(|e| e.to_string())?;
        Ok(Response::Queue(queued.into_iter().map(|entry| self.queue_row(entry)).collect()))
    }

    fn list_holds(&self) -> Outcome {
        let holds = self.server.store.queue().holds().map_err(|e| e.to_string())?;
        let row = |hold: queue::Hold| {
            let (from, to) = match hold.which {
                // Of one that was removed its number is all that is left.
                queue::Which::Account(id) => {
                    (Some(self.name_of(id).unwrap_or_else(|_| id.to_string())), None)
                }
                queue::Which::Destination(name) => (None, Some(name)),
                queue::Which::Ids(_) | queue::Which::All => (None, None),
            };
            HoldRow { from, to, why: hold.why, since: hold.since.to_string() }
        };
        Ok(Response::Holds(holds.into_iter().map(row).collect()))
    }

    fn show_queued(&self, id: u64) -> Outcome {
        let found = self.server.store.queue().entries(id.saturating_sub(1), 1).map_err(|e| e.to_string())?;
        let entry = found.into_iter().find(|entry| entry.id == id);
        let entry = entry.ok_or_else(|| format!("{id}: no such entry (`mailward queue list` shows all)"))?;
        Ok(Response::Queued(self.queue_row(entry)))
    }

    fn queue_row(&self, entry: store::Queued) -> QueueRow {
        let blocked = self.server.outbound.fault(&queue::destination(&entry.recipient));
        let (state, next, why) = match (entry.held, blocked) {
            (Some(why), _) => ("held", None, why),
            (None, Some(fault)) => ("deferred", Some(entry.due), fault),
            (None, None) if entry.due > Timestamp::now() => ("deferred", Some(entry.due), entry.last),
            (None, None) => ("waiting", Some(entry.due), entry.last),
        };
        QueueRow {
            id: entry.id,
            trace: entry.trace.to_string(),
            from: entry.reverse_path.to_string(),
            to: entry.recipient.to_string(),
            size: entry.size,
            since: entry.since.to_string(),
            state: state.to_owned(),
            next: next.map(|time| time.to_string()),
            tries: entry.tries,
            why,
        }
    }

    fn change_queue(&self, which: Which, change: Change) -> Outcome {
        let which = match which {
            Which::Ids(ids) => queue::Which::Ids(ids),
            Which::To(domain) => queue::Which::Destination(
                Host::parse(&domain)
                    .map_err(|_| format!("{domain}: no domain"))?
                    .to_string()
                    .to_ascii_lowercase(),
            ),
            Which::From(address) => queue::Which::Account(self.account(&address)?.id),
            Which::All => queue::Which::All,
        };
        let (change, did) = match change {
            Change::Retry => (queue::Change::Retry, "tried now"),
            Change::Hold { why } => (queue::Change::Hold(why), "held"),
            Change::Release => (queue::Change::Release, "released"),
            Change::Drop => (queue::Change::Drop, "dropped"),
        };
        let count = self.server.outbound.change(&which, &change).map_err(|e| e.to_string())?;
        let stands = matches!(which, queue::Which::Account(_) | queue::Which::Destination(_));
        if stands && matches!(change, queue::Change::Hold(_)) {
            return done(format!(
                "{count} held, and whatever comes later (`mailward queue holds` shows that)"
            ));
        }
        if stands && change == queue::Change::Release {
            return done(format!("{count} released, and nothing more is held"));
        }
        done(match count {
            0 => "no entry is meant by that".to_owned(),
            1 => format!("1 entry is {did}"),
            _ => format!("{count} entries are {did}"),
        })
    }

    fn list_quarantine(&self) -> Outcome {
        let held = self.server.store.quarantined(0, MOST_ENTRIES).map_err(|e| format!("{e:?}"))?;
        let row = |entry: store::Quarantined| QuarantineRow {
            id: entry.id,
            trace: entry.trace.to_string(),
            from: entry.reverse_path,
            to: entry.recipient.map(|a| a.to_string()).unwrap_or_default(),
            reason: entry.reason,
            since: entry.since.to_string(),
        };
        Ok(Response::Quarantine(held.into_iter().map(row).collect()))
    }

    fn deleted(&self, account: &Account, matching: &Matching) -> Result<Vec<Recoverable>, String> {
        let after = matching.within.map(|seconds| Timestamp::now().0.saturating_sub_unsigned(seconds));
        let since = Timestamp(after.unwrap_or(i64::MIN));
        let found = self.server.store.recoverable(account.id, since, matching.mailbox.as_deref());
        found.map_err(|e| e.to_string())
    }

    fn list_deleted(&self, address: &str, matching: &Matching) -> Outcome {
        let deleted = self.deleted(&self.account(address)?, matching)?;
        let row = |mail: Recoverable| DeletedRow {
            mail: mail.mail.0,
            mailbox: mail.mailbox.to_string(),
            subject: mail.subject,
            size: mail.size,
            deleted: mail.deleted.to_string(),
        };
        Ok(Response::Deleted(deleted.into_iter().map(row).collect()))
    }

    fn restore(&self, address: &str, mail: Vec<u64>, matching: &Matching) -> Outcome {
        let account = self.account(address)?;
        let wanted: Vec<MailId> = match mail.is_empty() {
            true => self.deleted(&account, matching)?.into_iter().map(|mail| mail.mail).collect(),
            false => mail.into_iter().map(MailId).collect(),
        };
        let count = self.server.store.recover(account.id, &wanted).map_err(|e| e.to_string())?;
        tracing::info!(account = %account.address, count, "mail was undeleted");
        let more = if wanted.len() < Recoverable::AT_ONCE { "" } else { "; run this again for the rest" };
        done(format!("{count} messages are back where they were{more}"))
    }
}

fn alarm_row(alarm: crate::alarms::Alarm) -> AlarmRow {
    AlarmRow { alarm: alarm.kind.word().into(), since: alarm.since.to_string(), what: alarm.what }
}

fn done(text: String) -> Outcome {
    Ok(Response::Done(text))
}

fn about(what: &str, error: DirectoryError) -> String {
    format!("{what}: {error}")
}

/// An address as a person wrote it.
pub fn parse_address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|_| format!("{text} is no mail address (user@domain)"))
}

fn parse_domain(text: &str) -> Result<Domain, String> {
    Domain::new(text).map_err(|_| format!("{text} is no domain name"))
}

fn state_word(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Suspended => "suspended",
    }
}
