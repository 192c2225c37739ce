//! Who has mail here: domains, accounts, aliases.

use base::{AccountId, Address, Domain, DomainId, ListId};
use std::fmt;

/// Domains, accounts and aliases. Look-ups are cheap enough for every RCPT.
pub trait Directory: Send + Sync {
    /// Where mail for an address goes: exact account, alias or list first, then without its +subaddress, then the
    /// domain's catch-all. `postmaster` and `abuse` of each domain (and of no domain) always reach someone:
    /// an account or alias of that name, else the server's postmaster (RFC 5321 §4.5.1, RFC 2142).
    fn find(&self, address: &Address) -> Result<Found, DirectoryError>;

    /// Accounts that bare `Postmaster` reaches.
    fn postmaster(&self) -> Result<Vec<AccountId>, DirectoryError>;

    /// An account by its log-in name: its address, in any case; a bare local part where only one domain has it.
    fn login(&self, name: &str) -> Result<Option<Account>, DirectoryError>;

    /// An account.
    fn account(&self, id: AccountId) -> Result<Option<Account>, DirectoryError>;

    /// Whether the account may send from this address: its own, with any +subaddress, or an alias that leads to
    /// it and was given to it for sending. Domains are compared by A-label, local parts without regard to case.
    fn may_send_as(&self, account: AccountId, address: &Address) -> Result<bool, DirectoryError>;

    /// The addresses that are an account's own, its name first: those it may send from, without +subaddresses. None
    /// where there is no such account.
    fn addresses(&self, of: AccountId) -> Result<Vec<Address>, DirectoryError>;

    /// Every account, by address.
    fn accounts(&self) -> Result<Vec<Account>, DirectoryError>;

    /// Adds an account with its mailboxes (INBOX and the five special ones, subscribed). The domain must exist.
    /// The address must not be an account's or alias's.
    fn add_account(&self, address: &Address, credentials: &[u8]) -> Result<AccountId, DirectoryError>;

    /// Replaces the credentials (sealed here; opaque to the store) and raises the account's epoch.
    fn set_credentials(&self, account: AccountId, credentials: &[u8]) -> Result<(), DirectoryError>;

    /// Suspends an account or lets it go on; raises its epoch.
    fn set_state(&self, account: AccountId, state: AccountState) -> Result<(), DirectoryError>;

    /// Limits what an account may keep; `None` lifts the limit.
    fn set_quota(
        &self,
        account: AccountId,
        octets: Option<u64>,
        messages: Option<u64>,
    ) -> Result<(), DirectoryError>;

    /// Whether POP3 keeps what it has served for this account.
    fn set_pop3_keeps(&self, account: AccountId, keeps: bool) -> Result<(), DirectoryError>;

    /// Removes an account and its mail.
    fn remove_account(&self, account: AccountId) -> Result<(), DirectoryError>;

    /// Every domain.
    fn domains(&self) -> Result<Vec<DomainEntry>, DirectoryError>;

    /// Makes a domain ours.
    fn add_domain(&self, domain: &Domain) -> Result<DomainId, DirectoryError>;

    /// Sets or clears where mail for unknown addresses of a domain goes.
    fn set_catch_all(&self, domain: &Domain, account: Option<AccountId>) -> Result<(), DirectoryError>;

    /// Gives up a domain that has no accounts, aliases or lists.
    fn remove_domain(&self, domain: &Domain) -> Result<(), DirectoryError>;

    /// Every alias.
    fn aliases(&self) -> Result<Vec<Alias>, DirectoryError>;

    /// Adds an alias of a domain of ours, or replaces its targets. Targets are accounts of ours.
    fn set_alias(&self, alias: &Alias) -> Result<(), DirectoryError>;

    /// Removes an alias.
    fn remove_alias(&self, address: &Address) -> Result<(), DirectoryError>;

    /// A secret of 32 octets by name, made at random when first asked for, kept sealed: salts, keys of others.
    fn secret(&self, name: &str) -> Result<[u8; 32], DirectoryError>;
}

/// Where an address leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// To these accounts. Suspended ones still receive.
    Accounts {
        /// The accounts, at least one.
        accounts: Vec<AccountId>,
        /// The domain of the address.
        domain: DomainId,
        /// What followed the `+`, where it was what let the address be found.
        detail: Option<String>,
    },
    /// To a group or list.
    List {
        /// Which.
        list: ListId,
        /// What followed the `+`: one of the list's own addresses.
        detail: Option<String>,
    },
    /// The domain is ours and has no such address.
    NoSuchUser,
    /// The domain isn't ours.
    NotOurs,
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its domain.
    pub domain: DomainId,
    /// Its address, also its log-in name.
    pub address: Address,
    /// Whether it may log in.
    pub state: AccountState,
    /// Raised by every change of credentials or state: what was verified under an older one counts no more.
    pub epoch: u64,
    /// What `set_credentials` was given.
    pub credentials: Vec<u8>,
    /// Whether POP3 keeps what it has served.
    pub pop3_keeps: bool,
    /// Octets allowed.
    pub quota_octets: Option<u64>,
    /// Messages allowed.
    pub quota_messages: Option<u64>,
}

/// Whether an account may log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountState {
    /// It may.
    Active,
    /// It may not; its mail is kept and more is taken.
    Suspended,
}

/// A domain of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainEntry {
    /// Its id.
    pub id: DomainId,
    /// Its name.
    pub name: Domain,
    /// Where mail for unknown addresses goes.
    pub catch_all: Option<AccountId>,
}

/// An alias: an address that leads to accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The address.
    pub address: Address,
    /// Where its mail goes.
    pub accounts: Vec<AccountId>,
    /// Whether those accounts may send from it.
    pub send_as: bool,
}

/// Why the directory could not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DirectoryError {
    /// There is one already.
    Exists,
    /// There is no such domain, account, alias or list.
    Unknown,
    /// There are as many as may be.
    TooMany,
    /// The domain still has accounts, aliases or lists.
    InUse,
    /// The database failed; for the log.
    Failed(String),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DirectoryError::Exists => f.write_str("exists already"),
            DirectoryError::Unknown => f.write_str("no such domain, account, alias or list"),
            DirectoryError::TooMany => f.write_str("there are as many as may be"),
            DirectoryError::InUse => f.write_str("still in use"),
            DirectoryError::Failed(why) => f.write_str(why),
        }
    }
}
