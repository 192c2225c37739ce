//! What all connections share.

use crate::access::Access;
use crate::alarms::Board;
use crate::auth::Authenticator;
use crate::filing::Filing;
use crate::gatehouse::Gatehouse;
use crate::hub::Hub;
use crate::lists::Lists;
use crate::mailbox::AccountMail;
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::srs::Srs;
use base::mailbox::MailError;
use base::{AccountId, Address, Domain, Reply, Timestamp};
use gate::{Destination, LocalTarget};
use net::{Connection, Tls};
use session::mailstore::Mailstore;
use std::net::IpAddr;
use std::sync::Arc;
use store::story::Event;
use store::{Account, DirectoryError, Found, Store};
use tokio::sync::{Semaphore, watch};
use wire::mime::HeaderFilter;
use wire::smtp::ForwardPath;

/// How many sessions work on stored mail at once; more take turns. Each occupies a thread while it works, and a thread
/// keeps some memory: without a bound, a flood of commands would decide how much.
pub const WORKING_SESSIONS: usize = 16;

/// The running server.
pub struct Server {
    /// What we call ourselves.
    pub host: Domain,
    /// All that is kept.
    pub store: Arc<dyn Store>,
    /// The checks.
    pub gatehouse: Arc<Gatehouse>,
    /// Runs users' scripts.
    pub filing: Arc<Filing>,
    /// Groups and mailing lists.
    pub lists: Arc<Lists>,
    /// Knows the senders of mail that was sent on.
    pub srs: Srs,
    /// Sends mail to other servers.
    pub outbound: Arc<Outbound>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Log-ins.
    pub auth: Authenticator,
    /// Certificates, if there are any.
    pub tls: Option<Arc<Tls>>,
    /// Who waits for changes.
    pub hub: Arc<Hub>,
    /// What the administrator must hear of.
    pub alarms: Board,
    /// Places for sessions that work on stored mail ([`WORKING_SESSIONS`]).
    pub places: Semaphore,
    /// True when the server stops.
    pub stop: watch::Receiver<bool>,
    /// Whether new passwords get a SCRAM verifier.
    pub scram: bool,
    /// Whether users may share mailboxes with anyone of their mail domain.
    pub share_with_anyone: bool,
}

impl Server {
    /// An account's mail, for a session.
    pub fn mail_of(&self, account: Account) -> Arc<dyn Mailstore> {
        let access = Access::new(account, self.store.clone(), self.hub.clone(), self.share_with_anyone);
        Arc::new(AccountMail::new(access, self.gatehouse.clone()))
    }

    /// Notes that a peer's mail was refused.
    pub fn refused(&self, peer: IpAddr, event: Event) {
        self.metrics.happened(event.what);
        self.store.stories().refused(peer, event);
    }

    /// Notes that a connection to us has TLS.
    pub fn secured(&self, connection: &Connection) {
        if let Some((version, _)) = connection.tls_words() {
            self.metrics.secured("in", version);
        }
    }

    /// Answers whether an account owns an address.
    pub fn owner(&self, account: AccountId) -> Owner {
        Owner { store: self.store.clone(), account }
    }

    /// The address that a forward-path means, and where mail of about `size` octets for it goes.
    pub fn resolve(&self, path: ForwardPath, size: u64) -> Result<(Address, Destination), DirectoryError> {
        let directory = self.store.directory();
        let address = match path {
            ForwardPath::Address(address) => address,
            ForwardPath::Postmaster => {
                // RFC 5321 §4.5.1: it has no domain, so any of ours will do whose account it is.
                let account =
                    directory.postmaster()?.first().map(|id| directory.account(*id)).transpose()?.flatten();
                account.ok_or(DirectoryError::Unknown)?.address
            }
        };
        let destination = match self.srs.original(&address, Timestamp::now()) {
            Some(sender) => self.returned(&address, sender, size)?,
            None => self.destination(directory.find(&address)?, size),
        };
        Ok((address, destination))
    }

    /// Where a report to an address goes that stands for a sender.
    fn returned(&self, address: &Address, sender: Address, size: u64) -> Result<Destination, DirectoryError> {
        let directory = self.store.directory();
        let ours = directory.domains()?.into_iter().find(|entry| address.domain() == Some(&entry.name));
        Ok(match (directory.find(&sender)?, ours) {
            (Found::NotOurs, Some(ours)) => Destination::Returned { sender, domain: ours.id },
            // Another domain since, or one that is gone.
            (found, _) => self.destination(found, size),
        })
    }

    fn destination(&self, found: Found, size: u64) -> Destination {
        let (accounts, domain, detail) = match found {
            Found::Accounts { accounts, domain, detail } => (accounts, domain, detail),
            Found::NoSuchUser => return Destination::NoSuchUser,
            Found::NotOurs => return Destination::Remote,
            Found::List { list, detail } => return Destination::List { list, detail },
        };
        if let Some(reply) = accounts.iter().find_map(|account| self.full(*account, size)) {
            return Destination::Unavailable(reply);
        }
        let target = |account| LocalTarget { account, domain, detail: detail.clone() };
        Destination::Local(accounts.into_iter().map(target).collect())
    }

    /// The reply for an account that has no room for a message of this size.
    fn full(&self, account: AccountId, size: u64) -> Option<Reply> {
        let quota = match self.store.quota(account) {
            Ok(quota) => quota,
            Err(MailError::NoMailbox) => return Some(Reply::new(550, (5, 1, 1), "No such user here")),
            Err(_) => return Some(Reply::new(451, (4, 3, 0), "Try again later")),
        };
        let full = quota.octets_limit.is_some_and(|limit| quota.octets >= limit)
            || quota.messages_limit.is_some_and(|limit| quota.messages >= limit);
        if full {
            return Some(Reply::new(452, (4, 2, 2), "Mailbox full"));
        }
        let too_large = quota.octets_limit.is_some_and(|limit| quota.octets.saturating_add(size) > limit);
        too_large.then(|| Reply::new(552, (5, 2, 2), "Message is larger than the room left in the mailbox"))
    }

    /// Drops from incoming mail what only we may say: a Return-Path (RFC 5321 §4.4) and an Authentication-Results
    /// of our own name (RFC 8601 §5).
    pub fn header_filter(&self) -> HeaderFilter<Drops> {
        let host = self.host.clone();
        HeaderFilter::new(Box::new(move |name, value| {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
            // One that says nobody's name where one was looked for (behind a comment without end) may be read as ours.
            let own = || authserv_id(value).is_none_or(|id| id.eq_ignore_ascii_case(host.as_str()));
            is("Return-Path") || is("Authentication-Results") && own()
        }))
    }
}

/// Says of a field, by name and value, whether it is to be dropped.
pub type Drops = Box<dyn FnMut(&[u8], &[u8]) -> bool + Send>;

/// The authserv-id at the start of an Authentication-Results value, past white space and comments; `None` where there
/// is none.
fn authserv_id(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let mut rest = text.trim_start();
    while rest.starts_with('(') {
        rest = behind_comment(rest)?.trim_start();
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let id = rest.split([';', ' ', '\t', '\r', '\n', '(', '/']).next();
        return id.filter(|id| !id.is_empty()).map(str::to_owned);
    };
    let mut id = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next().filter(|c| *c != '"') {
        id.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    Some(id)
}

/// What follows the comment that a text begins with, if it ends; they nest (RFC 5322 §3.2.2).
fn behind_comment(text: &str) -> Option<&str> {
    let (mut depth, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(at + 1..),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// An account, asked about addresses.
pub struct Owner {
    store: Arc<dyn Store>,
    account: AccountId,
}

impl Owner {
    /// Whether the account may send from the address. Not knowing is a no.
    pub fn owns(&self, address: &Address) -> bool {
        let directory = self.store.directory();
        // A +subaddress that is all of somebody else's address is not its base's.
        let gets_its_mail = match directory.find(address) {
            Ok(Found::Accounts { accounts, .. }) => accounts.contains(&self.account),
            _ => false,
        };
        let is_its_own = gets_its_mail && directory.may_send_as(self.account, address).unwrap_or(false);
        is_its_own || self.store.sharing().may_send_as(self.account, address).unwrap_or(false)
    }
}

/// A store in a folder, for tests.
#[cfg(test)]
pub fn new_store(folder: &std::path::Path) -> Arc<dyn Store> {
    let settings = store::Settings {
        directory: folder.join("store"),
        key_file: folder.join("key"),
        make_key: true,
        least_free: 0,
        keep_deleted: std::time::Duration::from_secs(86_400),
        keep_deleted_octets: 1 << 30,
        late_after: std::time::Duration::from_secs(3600),
        stories: store::story::Keep::default(),
        index_text: false,
        limits: base::Limits::default(),
    };
    store::Sqlite::open(&settings).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6409 §6.1: with accounts and aliases whose names have a `+` in them, too.
    #[test]
    fn an_account_sends_from_what_is_its_own() {
        let place = tempfile::tempdir().unwrap();
        let store = new_store(place.path());
        let address = |text: &str| Address::parse(text).unwrap();
        let directory = store.directory();
        directory.add_domain(&Domain::new("example.test").unwrap()).unwrap();
        let add = |text: &str| directory.add_account(&address(text), b"").unwrap();
        let (alice, bob) = (add("alice@example.test"), add("bob@example.test"));
        let sales = add("alice+sales@example.test");
        for (alias, accounts, send_as) in [
            ("team", vec![alice, bob], true),
            ("list", vec![alice, bob], false),
            ("alice+ads", vec![bob], true),
        ] {
            let address = address(&format!("{alias}@example.test"));
            directory.set_alias(&store::Alias { address, accounts, send_as }).unwrap();
        }
        for (text, owners) in [
            ("alice@example.test", vec![alice]),
            ("\"Alice\"@EXAMPLE.test", vec![alice]),
            ("alice+any@example.test", vec![alice]),
            ("alice+sales@example.test", vec![sales]),
            ("ALICE+Sales@example.test", vec![sales]),
            ("alice+ads@example.test", vec![bob]),
            ("alice+sales+x@example.test", vec![alice]),
            ("team@example.test", vec![alice, bob]),
            ("list@example.test", vec![]),
            ("nobody@example.test", vec![]),
            ("alice@example.org", vec![]),
            ("alice@[192.0.2.1]", vec![]),
        ] {
            let owns =
                |account: &AccountId| Owner { store: store.clone(), account: *account }.owns(&address(text));
            let found: Vec<AccountId> = [alice, bob, sales].into_iter().filter(owns).collect();
            assert_eq!(found, owners, "{text}");
        }
        store.close();
    }

    /// RFC 8601 §2.2, §5: however a stranger writes our name, it is ours.
    #[test]
    fn authserv_ids() {
        for (value, expected) in [
            ("mail.example.test; none", "mail.example.test"),
            (" mail.example.test 1; spf=pass", "mail.example.test"),
            ("\r\n\t(c) mail.example.test;", "mail.example.test"),
            ("(a (b) c) mail.example.test;", "mail.example.test"),
            ("(\\)) (x)mail.example.test(y);", "mail.example.test"),
            ("\"mail.example.test\"; spf=pass", "mail.example.test"),
            ("\"mail\\.example.test\" ;", "mail.example.test"),
            ("other.test; (mail.example.test)", "other.test"),
            ("(never closed mail.example.test", ""),
            ("", ""),
        ] {
            assert_eq!(authserv_id(value.as_bytes()).unwrap_or_default(), expected, "{value}");
        }
    }
}
