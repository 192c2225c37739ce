//! Lists of who may do what, from the database.

use super::Sqlite;
use super::fault::Fault;
use super::mailboxes::name_of;
use super::rows;
use super::schema::{int, own_mail, owner};
use super::writer::{Work, first};
use crate::DirectoryError;
use crate::sharing::{Grantee, MOST_ENTRIES, SharedMailbox, Sharing};
use base::mailbox::{MailError, MailboxInfo};
use base::rights::{AclEntry, Rights, RightsEdit};
use base::{AccountId, Address, MailId, MailboxId};
use rusqlite::{Connection, Row, params};

/// How `anyone` is kept: no account has this number.
const ANYONE: i64 = 0;

impl Sharing for Sqlite {
    fn owner(&self, mailbox: MailboxId) -> AccountId {
        owner(int(mailbox.0))
    }

    fn rights(&self, mailbox: MailboxId, reader: AccountId) -> Result<Rights, MailError> {
        if self.owner(mailbox) == reader {
            return Ok(Rights::ALL);
        }
        let sql = "SELECT acl.negative, acl.rights FROM acl JOIN account o ON o.id = ?3
                   WHERE acl.mailbox = ?1 AND (acl.who = ?2
                     OR acl.who = 0 AND o.domain = (SELECT domain FROM account WHERE id = ?2))";
        let values = params![int(mailbox.0), int(reader.0), int(self.owner(mailbox).0)];
        Ok(self.parts.readers.lend(|reader| {
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query(values)?;
            let mut sum = Sum::default();
            while let Some(row) = rows.next()? {
                sum.add(row.get(0)?, rights_of(row, 1)?);
            }
            Ok::<_, Fault>(sum.rights())
        })?)
    }

    fn shared_with(&self, reader: AccountId) -> Result<Vec<SharedMailbox>, MailError> {
        Ok(self.parts.readers.lend(|sql| read_shared(sql, reader))?)
    }

    fn acl(&self, mailbox: MailboxId) -> Result<Vec<AclEntry>, MailError> {
        Ok(self.parts.readers.lend(|reader| {
            let id = rows::existing(reader, self.owner(mailbox), mailbox)?;
            let sql = "SELECT address, negative, rights FROM
                         (SELECT 0 AS place, address, 0 AS negative, ?3 AS rights FROM account WHERE id = ?2
                          UNION ALL
                          SELECT 1, coalesce(a.address, 'anyone'), negative, rights
                          FROM acl LEFT JOIN account a ON a.id = acl.who WHERE mailbox = ?1)
                       ORDER BY place, address, negative";
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query(params![id, int(self.owner(mailbox).0), Rights::ALL.bits()])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                let (who, negative): (String, bool) = (row.get(0)?, row.get(1)?);
                let identifier = if negative { format!("-{who}") } else { who };
                entries.push(AclEntry { identifier, rights: rights_of(row, 2)? });
            }
            Ok::<_, Fault>(entries)
        })?)
    }

    fn set_acl(
        &self,
        mailbox: MailboxId,
        grantee: Grantee,
        negative: bool,
        edit: RightsEdit,
    ) -> Result<(), MailError> {
        let of = self.owner(mailbox);
        let who = match grantee {
            Grantee::Anyone => ANYONE,
            Grantee::Account(account) => int(account.0),
        };
        Ok(self.write(move |work| {
            let id = rows::existing(work.sql(), of, mailbox)?;
            // Sessions of others that have it open look again.
            rows::next_modseq(work, of)?;
            set(work, id, who, negative, edit)
        })?)
    }

    fn holds(&self, mailbox: MailboxId, mail: MailId) -> Result<bool, MailError> {
        let Some(mail) = own_mail(self.owner(mailbox), mail) else { return Ok(false) };
        let sql = "SELECT 1 FROM message WHERE mail = ?1 AND mailbox = ?2";
        let found =
            self.parts.readers.lend(|reader| first(reader, sql, [mail, int(mailbox.0)], |_| Ok(())))?;
        Ok(found.is_some())
    }

    fn set_send_as(
        &self,
        account: AccountId,
        address: &Address,
        allowed: bool,
    ) -> Result<(), DirectoryError> {
        let address = address.clone();
        Ok(self.write(move |work| {
            let domain = address.domain().map(|domain| domain.as_str().to_owned()).unwrap_or_default();
            let values = params![int(account.0), domain, address.local.folded(), address.to_string()];
            let sql = match allowed {
                true => "INSERT OR REPLACE INTO send_as VALUES (?1, ?2, ?3, ?4)",
                false => "DELETE FROM send_as WHERE account = ?1 AND domain = ?2 AND local = ?3 AND ?4 != ''",
            };
            match work.run(sql, values)? {
                0 => Err(DirectoryError::Unknown.into()),
                _ => Ok(()),
            }
        })?)
    }

    fn may_send_as(&self, account: AccountId, address: &Address) -> Result<bool, DirectoryError> {
        let Some(domain) = address.domain() else { return Ok(false) };
        let sql = "SELECT 1 FROM send_as WHERE account = ?1 AND domain = ?2 AND local = ?3";
        let values = params![int(account.0), domain.as_str(), address.local.folded()];
        Ok(self.parts.readers.lend(|reader| first(reader, sql, values, |_| Ok(())))?.is_some())
    }

    fn send_as(&self) -> Result<Vec<(AccountId, Address)>, DirectoryError> {
        Ok(self.parts.readers.lend(|reader| {
            let sql = "SELECT account, address FROM send_as ORDER BY domain, local, account";
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((AccountId(row.get::<_, i64>(0)? as u64), address_of(row, 1)?));
            }
            Ok::<_, Fault>(all)
        })?)
    }
}

/// What is given and what is taken.
#[derive(Default)]
struct Sum {
    given: Rights,
    taken: Rights,
}

impl Sum {
    fn add(&mut self, negative: bool, rights: Rights) {
        match negative {
            true => self.taken = self.taken.and(rights),
            false => self.given = self.given.and(rights),
        }
    }

    fn rights(&self) -> Rights {
        self.given.without(self.taken)
    }
}

fn rights_of(row: &Row<'_>, column: usize) -> Result<Rights, Fault> {
    Ok(Rights::from_bits(row.get(column)?))
}

fn address_of(row: &Row<'_>, column: usize) -> Result<Address, Fault> {
    let text: String = row.get(column)?;
    Address::parse(&text).map_err(|_| Fault::broken("an address"))
}

fn read_shared(sql: &Connection, reader: AccountId) -> Result<Vec<SharedMailbox>, Fault> {
    let query = "SELECT m.id, m.name, o.address, acl.negative, acl.rights
                 FROM acl JOIN mailbox m ON m.id = acl.mailbox JOIN account o ON o.id = m.account
                 WHERE m.account != ?1 AND (acl.who = ?1
                   OR acl.who = 0 AND o.domain = (SELECT domain FROM account WHERE id = ?1))
                 ORDER BY o.address, m.name, m.id";
    let mut statement = sql.prepare_cached(query)?;
    let mut rows = statement.query([int(reader.0)])?;
    let mut all: Vec<(SharedMailbox, Sum)> = Vec::new();
    while let Some(row) = rows.next()? {
        let mailbox = Some(MailboxId(row.get::<_, i64>(0)? as u64));
        if all.last().is_none_or(|(last, _)| last.info.mailbox != mailbox) {
            // What a mailbox is for is its owner's affair.
            let info = MailboxInfo { name: name_of(row, 1)?, mailbox, subscribed: false, special_use: None };
            let owner = address_of(row, 2)?;
            all.push((SharedMailbox { owner, info, rights: Rights::NONE }, Sum::default()));
        }
        if let Some((_, sum)) = all.last_mut() {
            sum.add(row.get(3)?, rights_of(row, 4)?);
        }
    }
    let summed = all.into_iter().map(|(shared, sum)| SharedMailbox { rights: sum.rights(), ..shared });
    Ok(summed.filter(|shared| shared.rights != Rights::NONE).collect())
}

fn set(work: &Work<'_>, mailbox: i64, who: i64, negative: bool, edit: RightsEdit) -> Result<(), Fault> {
    let sql = "SELECT rights FROM acl WHERE mailbox = ?1 AND who = ?2 AND negative = ?3";
    let before = work.first(sql, params![mailbox, who, negative], |row| row.get::<_, u16>(0))?;
    let rights = edit.of(Rights::from_bits(before.unwrap_or(0)));
    if rights == Rights::NONE {
        let sql = "DELETE FROM acl WHERE mailbox = ?1 AND who = ?2 AND negative = ?3";
        work.run(sql, params![mailbox, who, negative])?;
        return Ok(());
    }
    let account = "SELECT 1 FROM account WHERE id = ?1";
    if who != ANYONE && work.first(account, [who], |_| Ok(()))?.is_none() {
        return Err(MailError::Refused("there is no such account").into());
    }
    let sql = "INSERT OR REPLACE INTO acl (mailbox, who, negative, rights) VALUES (?1, ?2, ?3, ?4)";
    work.run(sql, params![mailbox, who, negative, rights.bits()])?;
    let count: Option<i64> =
        work.first("SELECT count(*) FROM acl WHERE mailbox = ?1", [mailbox], |row| row.get(0))?;
    match count > Some(MOST_ENTRIES as i64) {
        true => Err(MailError::Limit("the mailbox is shared with as many as it may be").into()),
        false => Ok(()),
    }
}

/// A new mailbox is shared as the one above it is (RFC 4314 §4).
pub(super) fn inherit(work: &Work<'_>, from: i64, to: i64) -> Result<(), Fault> {
    let sql = "INSERT INTO acl SELECT ?2, who, negative, rights FROM acl WHERE mailbox = ?1";
    work.run(sql, [from, to])?;
    Ok(())
}
