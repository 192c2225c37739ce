//! Who has mail here, from the database.

use super::fault::Fault;
use super::schema::{LAST_ACCOUNT, int, range};
use super::writer::{Work, first};
use super::{Sqlite, lists, mailboxes};
use crate::vault::Vault;
use crate::{Account, AccountState, Alias, Directory, DirectoryError, DomainEntry, Found};
use base::mailbox::{MailError, Quota};
use base::{AccountId, Address, Domain, DomainId};
use rusqlite::{Connection, Row, params};
use zeroize::Zeroizing;

/// Local parts that reach someone in each domain (RFC 5321 §4.5.1, RFC 2142).
const ROLES: [&str; 2] = ["postmaster", "abuse"];
/// What sealed credentials are bound to: another account's must not open for this one.
fn credentials_of(account: i64) -> Vec<u8> {
    [b"account.credentials".as_slice(), &account.to_be_bytes()].concat()
}

const ACCOUNT: &str = "SELECT a.id, a.domain, a.address, a.suspended, a.epoch, a.credentials, a.pop3_keeps,
    l.quota_octets, l.quota_messages FROM account a JOIN ledger l ON l.account = a.id";

impl Sqlite {
    pub(super) fn read_quota(&self, of: AccountId) -> Result<Quota, Fault> {
        let sql = "SELECT octets, quota_octets, messages, quota_messages FROM ledger WHERE account = ?1";
        let quota = self.parts.readers.lend(|reader| {
            first(reader, sql, [int(of.0)], |row| {
                Ok(Quota {
                    octets: row.get::<_, i64>(0)?.max(0).unsigned_abs(),
                    octets_limit: row.get::<_, Option<i64>>(1)?.map(i64::unsigned_abs),
                    messages: row.get::<_, i64>(2)?.max(0).unsigned_abs(),
                    messages_limit: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
                })
            })
        })?;
        quota.ok_or_else(|| MailError::NoMailbox.into())
    }

    fn look<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, DirectoryError> {
        Ok(self.parts.readers.lend(read)?)
    }

    /// Accounts that a query finds, their credentials opened.
    fn read_accounts(
        &self,
        reader: &Connection,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Account>, Fault> {
        let mut statement = reader.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut accounts = Vec::new();
        while let Some(row) = rows.next()? {
            accounts.push(self.account_of(row)?);
        }
        Ok(accounts)
    }

    fn account_of(&self, row: &Row<'_>) -> Result<Account, Fault> {
        let (id, address): (i64, String) = (row.get(0)?, row.get(2)?);
        let mut credentials = Vec::new();
        let sealed: Vec<u8> = row.get(5)?;
        if !sealed.is_empty() {
            self.parts.vault.open_row(&credentials_of(id), &sealed, &mut credentials)?;
        }
        Ok(Account {
            id: AccountId(id as u64),
            domain: DomainId(row.get::<_, i64>(1)? as u64),
            address: Address::parse(&address).map_err(|_| Fault::broken("an account's address"))?,
            state: if row.get(3)? { AccountState::Suspended } else { AccountState::Active },
            epoch: row.get::<_, i64>(4)? as u64,
            credentials,
            pop3_keeps: row.get(6)?,
            quota_octets: row.get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
            quota_messages: row.get::<_, Option<i64>>(8)?.map(i64::unsigned_abs),
        })
    }

    /// Runs a statement about one account, whose id is its first parameter.
    fn change_account(
        &self,
        account: AccountId,
        sql: &'static str,
        value: Change,
    ) -> Result<(), DirectoryError> {
        let changed = self.write(move |work| {
            work.touch(account);
            match value {
                Change::Number(number) => work.run(sql, params![int(account.0), number]),
                Change::Octets(octets) => work.run(sql, params![int(account.0), octets]),
            }
        })?;
        if changed == 0 { Err(DirectoryError::Unknown) } else { Ok(()) }
    }
}

enum Change {
    Number(i64),
    Octets(Vec<u8>),
}

impl Directory for Sqlite {
    fn find(&self, address: &Address) -> Result<Found, DirectoryError> {
        let Some(domain) = address.domain() else { return Ok(Found::NotOurs) };
        self.look(|reader| {
            let Some(id) = domain_id(reader, domain)? else { return Ok(Found::NotOurs) };
            let found = |accounts, detail: Option<&str>| Found::Accounts {
                accounts,
                domain: DomainId(id as u64),
                detail: detail.map(str::to_owned),
            };
            let local = address.local.folded();
            let exact = accounts_named(reader, id, &local)?;
            if !exact.is_empty() {
                return Ok(found(exact, None));
            }
            if let Some(list) = lists::named(reader, id, &local)? {
                return Ok(Found::List { list, detail: None });
            }
            let (base, detail) = match address.local.subaddress() {
                Some((base, detail)) => (base.to_lowercase(), Some(detail)),
                None => (local, None),
            };
            if detail.is_some() {
                let plain = accounts_named(reader, id, &base)?;
                if !plain.is_empty() {
                    return Ok(found(plain, detail));
                }
                if let Some(list) = lists::named(reader, id, &base)? {
                    return Ok(Found::List { list, detail: detail.map(str::to_owned) });
                }
            }
            if ROLES.contains(&base.as_str()) {
                let postmaster = postmasters(reader)?;
                if !postmaster.is_empty() {
                    return Ok(found(postmaster, None));
                }
            }
            let sql = "SELECT catch_all FROM domain WHERE id = ?1";
            let catch_all: Option<Option<i64>> = first(reader, sql, [id], |r| r.get(0))?;
            Ok(match catch_all.flatten() {
                Some(account) => found(vec![AccountId(account as u64)], None),
                None => Found::NoSuchUser,
            })
        })
    }

    fn postmaster(&self) -> Result<Vec<AccountId>, DirectoryError> {
        self.look(postmasters)
    }

    fn login(&self, name: &str) -> Result<Option<Account>, DirectoryError> {
        if let Ok(address) = Address::parse(name) {
            let Some(domain) = address.domain() else { return Ok(None) };
            let sql =
                format!("{ACCOUNT} JOIN domain d ON d.id = a.domain WHERE d.name = ?1 AND a.local = ?2");
            let values = params![domain.as_str(), address.local.folded()];
            return self.look(|reader| Ok(self.read_accounts(reader, &sql, values)?.pop()));
        }
        let sql = format!("{ACCOUNT} WHERE a.local = ?1 LIMIT 2");
        let mut named = self.look(|reader| self.read_accounts(reader, &sql, [name.to_lowercase()]))?;
        Ok(if named.len() == 1 { named.pop() } else { None })
    }

    fn account(&self, id: AccountId) -> Result<Option<Account>, DirectoryError> {
        let sql = format!("{ACCOUNT} WHERE a.id = ?1");
        self.look(|reader| Ok(self.read_accounts(reader, &sql, [int(id.0)])?.pop()))
    }

    fn may_send_as(&self, account: AccountId, address: &Address) -> Result<bool, DirectoryError> {
        let Some(domain) = address.domain() else { return Ok(false) };
        self.look(|reader| {
            let Some(domain) = domain_id(reader, domain)? else { return Ok(false) };
            let own = "SELECT 1 FROM account WHERE domain = ?1 AND local = ?2 AND id = ?3";
            let given =
                "SELECT 1 FROM alias_target t JOIN alias a ON a.domain = t.domain AND a.local = t.local
                         WHERE t.domain = ?1 AND t.local = ?2 AND t.account = ?3 AND a.send_as";
            let base = address.local.subaddress().map(|(base, _)| base.to_lowercase());
            for local in std::iter::once(address.local.folded()).chain(base) {
                let values = params![domain, local, int(account.0)];
                if first(reader, own, values, |_| Ok(()))?.is_some()
                    || first(reader, given, values, |_| Ok(()))?.is_some()
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn accounts(&self) -> Result<Vec<Account>, DirectoryError> {
        let sql = format!("{ACCOUNT} ORDER BY a.address");
        self.look(|reader| self.read_accounts(reader, &sql, []))
    }

    fn add_account(&self, address: &Address, credentials: &[u8]) -> Result<AccountId, DirectoryError> {
        let (vault, credentials) = (self.parts.vault.clone(), Zeroizing::new(credentials.to_vec()));
        let address = address.clone();
        let id = self.write(move |work| {
            let domain = required_domain(work, &address)?;
            let local = address.local.folded();
            if taken(work, domain, &local)? {
                return Err(DirectoryError::Exists.into());
            }
            let sql = "INSERT INTO account (domain, local, address, credentials) VALUES (?1, ?2, ?3, x'') RETURNING id";
            let values = params![domain, local, address.to_string()];
            let id: i64 = work.first(sql, values, |r| r.get(0))?.unwrap_or(i64::MAX);
            if id > LAST_ACCOUNT {
                return Err(Fault::broken("no account numbers left"));
            }
            let sealed = seal_credentials(&vault, id, &credentials)?;
            work.run("UPDATE account SET credentials = ?2 WHERE id = ?1", params![id, sealed])?;
            work.run("INSERT INTO ledger (account) VALUES (?1)", [id])?;
            mailboxes::make_first(work, AccountId(id as u64))?;
            Ok(AccountId(id as u64))
        })?;
        Ok(id)
    }

    fn set_credentials(&self, account: AccountId, credentials: &[u8]) -> Result<(), DirectoryError> {
        let sealed = seal_credentials(&self.parts.vault, int(account.0), credentials)?;
        let sql = "UPDATE account SET credentials = ?2, epoch = epoch + 1 WHERE id = ?1";
        self.change_account(account, sql, Change::Octets(sealed))
    }

    fn set_state(&self, account: AccountId, state: AccountState) -> Result<(), DirectoryError> {
        let sql = "UPDATE account SET suspended = ?2, epoch = epoch + 1 WHERE id = ?1";
        self.change_account(account, sql, Change::Number(i64::from(state == AccountState::Suspended)))
    }

    fn set_quota(
        &self,
        account: AccountId,
        octets: Option<u64>,
        messages: Option<u64>,
    ) -> Result<(), DirectoryError> {
        let changed = self.write(move |work| {
            work.touch(account);
            let sql = "UPDATE ledger SET quota_octets = ?2, quota_messages = ?3 WHERE account = ?1";
            work.run(sql, params![int(account.0), octets.map(int), messages.map(int)])
        })?;
        if changed == 0 { Err(DirectoryError::Unknown) } else { Ok(()) }
    }

    fn set_pop3_keeps(&self, account: AccountId, keeps: bool) -> Result<(), DirectoryError> {
        let sql = "UPDATE account SET pop3_keeps = ?2 WHERE id = ?1";
        self.change_account(account, sql, Change::Number(i64::from(keeps)))
    }

    fn remove_account(&self, account: AccountId) -> Result<(), DirectoryError> {
        self.write(move |work| {
            let id = int(account.0);
            // Who gets the address next lets nobody write in its name by that.
            let given = "DELETE FROM send_as WHERE (domain, local) IN
                         (SELECT d.name, a.local FROM account a JOIN domain d ON d.id = a.domain WHERE a.id = ?1)";
            work.run(given, [id])?;
            if work.run("DELETE FROM account WHERE id = ?1", [id])? == 0 {
                return Err(DirectoryError::Unknown.into());
            }
            // An alias that leads nowhere any more would be an address that takes mail and keeps none.
            let orphans = "DELETE FROM alias WHERE NOT EXISTS (SELECT 1 FROM alias_target t
                           WHERE t.domain = alias.domain AND t.local = alias.local)";
            work.run(orphans, [])?;
            work.touch(account);
            forget_mail(work, account)
        })?;
        Ok(())
    }

    fn domains(&self) -> Result<Vec<DomainEntry>, DirectoryError> {
        self.look(|reader| {
            let mut statement =
                reader.prepare_cached("SELECT id, name, catch_all FROM domain ORDER BY name")?;
            let mut rows = statement.query([])?;
            let mut domains = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(1)?;
                domains.push(DomainEntry {
                    id: DomainId(row.get::<_, i64>(0)? as u64),
                    name: Domain::new(&name).map_err(|_| Fault::broken("a domain's name"))?,
                    catch_all: row.get::<_, Option<i64>>(2)?.map(|id| AccountId(id as u64)),
                });
            }
            Ok(domains)
        })
    }

    fn add_domain(&self, domain: &Domain) -> Result<DomainId, DirectoryError> {
        let name = domain.clone();
        let id = self.write(move |work| {
            let sql = "INSERT INTO domain (name) VALUES (?1) ON CONFLICT DO NOTHING RETURNING id";
            let id: Option<i64> = work.first(sql, [name.as_str()], |r| r.get(0))?;
            id.ok_or(Fault::Directory(DirectoryError::Exists))
        })?;
        Ok(DomainId(id as u64))
    }

    fn set_catch_all(&self, domain: &Domain, account: Option<AccountId>) -> Result<(), DirectoryError> {
        let name = domain.clone();
        self.write(move |work| {
            require_accounts(work, account.as_slice())?;
            let sql = "UPDATE domain SET catch_all = ?2 WHERE name = ?1";
            match work.run(sql, params![name.as_str(), account.map(|a| int(a.0))])? {
                0 => Err(DirectoryError::Unknown.into()),
                _ => Ok(()),
            }
        })?;
        Ok(())
    }

    fn remove_domain(&self, domain: &Domain) -> Result<(), DirectoryError> {
        let name = domain.clone();
        self.write(move |work| {
            let id = domain_id(work.sql(), &name)?.ok_or(DirectoryError::Unknown)?;
            let used =
                "SELECT 1 FROM account WHERE domain = ?1 UNION ALL SELECT 1 FROM alias WHERE domain = ?1
                 UNION ALL SELECT 1 FROM list WHERE domain = ?1";
            if work.first(used, [id], |_| Ok(()))?.is_some() {
                return Err(DirectoryError::InUse.into());
            }
            work.run("DELETE FROM domain WHERE id = ?1", [id])?;
            Ok(())
        })?;
        Ok(())
    }

    fn aliases(&self) -> Result<Vec<Alias>, DirectoryError> {
        self.look(|reader| {
            let sql = "SELECT a.address, a.send_as, t.account FROM alias a
                       JOIN alias_target t ON t.domain = a.domain AND t.local = a.local
                       ORDER BY a.address, t.account";
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut aliases: Vec<Alias> = Vec::new();
            while let Some(row) = rows.next()? {
                let address: String = row.get(0)?;
                let address = Address::parse(&address).map_err(|_| Fault::broken("an alias's address"))?;
                let target = AccountId(row.get::<_, i64>(2)? as u64);
                match aliases.last_mut().filter(|alias| alias.address == address) {
                    Some(alias) => alias.accounts.push(target),
                    None => aliases.push(Alias { address, accounts: vec![target], send_as: row.get(1)? }),
                }
            }
            Ok(aliases)
        })
    }

    fn addresses(&self, of: AccountId) -> Result<Vec<Address>, DirectoryError> {
        self.look(|reader| {
            let sql = "SELECT address FROM account WHERE id = ?1
                       UNION ALL SELECT a.address FROM alias_target t
                       JOIN alias a ON a.domain = t.domain AND a.local = t.local
                       WHERE t.account = ?1 AND a.send_as";
            let mut statement = reader.prepare_cached(sql)?;
            let rows = statement.query_map([int(of.0)], |row| row.get::<_, String>(0))?;
            let address = |text: rusqlite::Result<String>| {
                Address::parse(&text?).map_err(|_| Fault::broken("an account's address"))
            };
            rows.map(address).collect()
        })
    }

    fn set_alias(&self, alias: &Alias) -> Result<(), DirectoryError> {
        let alias = alias.clone();
        self.write(move |work| {
            let domain = required_domain(work, &alias.address)?;
            let local = alias.address.local.folded();
            if alias.accounts.is_empty() {
                return Err(DirectoryError::Unknown.into());
            }
            require_accounts(work, &alias.accounts)?;
            let account = "SELECT 1 FROM account WHERE domain = ?1 AND local = ?2
                           UNION ALL SELECT 1 FROM list WHERE domain = ?1 AND local = ?2";
            if work.first(account, params![domain, local], |_| Ok(()))?.is_some() {
                return Err(DirectoryError::Exists.into());
            }
            work.run("DELETE FROM alias WHERE domain = ?1 AND local = ?2", params![domain, local])?;
            let sql = "INSERT INTO alias VALUES (?1, ?2, ?3, ?4)";
            work.run(sql, params![domain, local, alias.address.to_string(), alias.send_as])?;
            for target in &alias.accounts {
                let sql = "INSERT OR IGNORE INTO alias_target VALUES (?1, ?2, ?3)";
                work.run(sql, params![domain, local, int(target.0)])?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn remove_alias(&self, address: &Address) -> Result<(), DirectoryError> {
        let address = address.clone();
        self.write(move |work| {
            let domain = required_domain(work, &address)?;
            let sql = "DELETE FROM alias WHERE domain = ?1 AND local = ?2";
            match work.run(sql, params![domain, address.local.folded()])? {
                0 => Err(DirectoryError::Unknown.into()),
                _ => Ok(()),
            }
        })?;
        Ok(())
    }

    fn secret(&self, name: &str) -> Result<[u8; 32], DirectoryError> {
        let context = [b"secret.".as_slice(), name.as_bytes()].concat();
        let query = "SELECT sealed FROM secret WHERE name = ?1";
        let mut sealed: Option<Vec<u8>> = self.look(|reader| first(reader, query, [name], |r| r.get(0)))?;
        if sealed.is_none() {
            let mut fresh = [0; 32];
            aws_lc_rs::rand::fill(&mut fresh).map_err(|_| Fault::broken("no random numbers"))?;
            let new = self.parts.vault.seal_row(&context, &fresh).map_err(Fault::from)?;
            let name = name.to_owned();
            sealed = self.write(move |work| {
                work.run("INSERT OR IGNORE INTO secret VALUES (?1, ?2)", params![name, new])?;
                work.first(query, [&name], |r| r.get(0))
            })?;
        }
        let mut plain = Vec::new();
        self.parts.vault.open_row(&context, &sealed.unwrap_or_default(), &mut plain).map_err(Fault::from)?;
        plain.try_into().map_err(|_| DirectoryError::Failed("a secret of the wrong length".into()))
    }
}

fn seal_credentials(vault: &Vault, account: i64, credentials: &[u8]) -> Result<Vec<u8>, Fault> {
    match credentials.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(vault.seal_row(&credentials_of(account), credentials)?),
    }
}

fn domain_id(reader: &Connection, name: &Domain) -> Result<Option<i64>, Fault> {
    first(reader, "SELECT id FROM domain WHERE name = ?1", [name.as_str()], |r| r.get(0))
}

pub(super) fn required_domain(work: &Work<'_>, address: &Address) -> Result<i64, Fault> {
    let domain = address.domain().ok_or(DirectoryError::Unknown)?;
    Ok(domain_id(work.sql(), domain)?.ok_or(DirectoryError::Unknown)?)
}

fn require_accounts(work: &Work<'_>, accounts: &[AccountId]) -> Result<(), Fault> {
    for account in accounts {
        let known = work.first("SELECT 1 FROM account WHERE id = ?1", [int(account.0)], |_| Ok(()))?;
        known.ok_or(DirectoryError::Unknown)?;
    }
    Ok(())
}

pub(super) fn taken(work: &Work<'_>, domain: i64, local: &str) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM account WHERE domain = ?1 AND local = ?2
               UNION ALL SELECT 1 FROM alias WHERE domain = ?1 AND local = ?2
               UNION ALL SELECT 1 FROM list WHERE domain = ?1 AND local = ?2";
    Ok(work.first(sql, params![domain, local], |_| Ok(()))?.is_some())
}

/// Accounts that an address of a domain of ours leads to by itself, as an account's or an alias's.
fn accounts_named(reader: &Connection, domain: i64, local: &str) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT id FROM account WHERE domain = ?1 AND local = ?2
               UNION SELECT account FROM alias_target WHERE domain = ?1 AND local = ?2";
    let mut statement = reader.prepare_cached(sql)?;
    let ids =
        statement.query_map(params![domain, local], |row| Ok(AccountId(row.get::<_, i64>(0)? as u64)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The server's postmaster: an account or alias of that name in the oldest domain that has one, else the server's
/// first account.
fn postmasters(reader: &Connection) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT domain FROM (SELECT domain FROM account WHERE local = 'postmaster'
               UNION SELECT domain FROM alias WHERE local = 'postmaster') ORDER BY domain LIMIT 1";
    if let Some(domain) = first(reader, sql, [], |r| r.get::<_, i64>(0))? {
        return accounts_named(reader, domain, "postmaster");
    }
    let first_account: Option<i64> =
        first(reader, "SELECT id FROM account ORDER BY id LIMIT 1", [], |r| r.get(0))?;
    Ok(first_account.into_iter().map(|id| AccountId(id as u64)).collect())
}

/// Removes all rows of an account that is gone; its mail's blobs are let go by housekeeping.
fn forget_mail(work: &Work<'_>, account: AccountId) -> Result<(), Fault> {
    let (first, last) = range(account);
    let between = [
        "DELETE FROM message WHERE mailbox BETWEEN ?1 AND ?2",
        "DELETE FROM tombstone WHERE mailbox BETWEEN ?1 AND ?2",
        "DELETE FROM keyword WHERE mailbox BETWEEN ?1 AND ?2",
        "DELETE FROM url_key WHERE mailbox BETWEEN ?1 AND ?2",
        "DELETE FROM mailbox WHERE id BETWEEN ?1 AND ?2",
        "DELETE FROM annotation WHERE place BETWEEN ?1 AND ?2",
        "DELETE FROM acl WHERE mailbox BETWEEN ?1 AND ?2",
        "DELETE FROM removed WHERE mail BETWEEN ?1 AND ?2",
        "DELETE FROM text_posting WHERE segment BETWEEN ?1 AND ?2",
        "DELETE FROM text_segment WHERE id BETWEEN ?1 AND ?2",
        "DELETE FROM unindexed WHERE mail BETWEEN ?1 AND ?2",
        "INSERT OR IGNORE INTO unheld SELECT mail, 0 FROM content WHERE mail BETWEEN ?1 AND ?2",
    ];
    for sql in between {
        work.run(sql, [first, last])?;
    }
    for sql in [
        "DELETE FROM subscription WHERE account = ?1",
        "DELETE FROM reference WHERE account = ?1",
        "DELETE FROM moved_in WHERE account = ?1",
        "DELETE FROM script WHERE account = ?1",
        "DELETE FROM annotation WHERE reader = ?1",
        "DELETE FROM acl WHERE who = ?1",
        "DELETE FROM standing WHERE account = ?1",
        "DELETE FROM remembered WHERE account = ?1",
        "DELETE FROM ledger WHERE account = ?1",
    ] {
        work.run(sql, [int(account.0)])?;
    }
    Ok(())
}
