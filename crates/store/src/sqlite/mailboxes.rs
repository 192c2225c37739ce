//! An account's mailboxes: making, naming, removing them, and what LIST and STATUS show.

use super::fault::Fault;
use super::recent::{self, Recent};
use super::schema::{inbox, int, own_mailbox};
use super::writer::{Work, first};
use super::{Sqlite, edit, rows, sharing};
use base::mailbox::{MailError, MailboxInfo, MailboxStatus};
use base::{AccountId, MailboxId, MailboxName, ModSeq, Rights, SpecialUse, Timestamp, Uid, UidValidity};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;

/// A special use as it is kept.
pub(super) fn special_number(kind: SpecialUse) -> i64 {
    match kind {
        SpecialUse::Archive => 1,
        SpecialUse::Drafts => 2,
        SpecialUse::Junk => 3,
        SpecialUse::Sent => 4,
        SpecialUse::Trash => 5,
    }
}

/// A special use as it was kept.
pub(crate) fn special_of(number: Option<i64>) -> Option<SpecialUse> {
    SpecialUse::ALL.iter().map(|(kind, _)| *kind).find(|kind| Some(special_number(*kind)) == number)
}

impl Sqlite {
    pub(super) fn list_mailboxes(&self, of: AccountId) -> Result<Vec<MailboxInfo>, Fault> {
        self.parts.readers.read(|reading| {
            let mut all = BTreeMap::new();
            let mut statement =
                reading.sql.prepare_cached("SELECT id, name, special FROM mailbox WHERE account = ?1")?;
            let mut rows = statement.query([int(of.0)])?;
            while let Some(row) = rows.next()? {
                let name = name_of(row, 1)?;
                let (mailbox, special_use) =
                    (Some(MailboxId(row.get::<_, i64>(0)? as u64)), special_of(row.get(2)?));
                // Levels above it that were deleted show as names.
                let mut above = name.parent();
                while let Some(parent) = above {
                    above = parent.parent();
                    all.entry(parent.clone()).or_insert_with(|| unselectable(parent));
                }
                all.insert(name.clone(), MailboxInfo { name, mailbox, subscribed: false, special_use });
            }
            let mut statement =
                reading.sql.prepare_cached("SELECT name FROM subscription WHERE account = ?1")?;
            let mut rows = statement.query([int(of.0)])?;
            while let Some(row) = rows.next()? {
                let name = name_of(row, 0)?;
                all.entry(name.clone()).or_insert_with(|| unselectable(name)).subscribed = true;
            }
            Ok(all.into_values().collect())
        })
    }

    pub(super) fn status_of(&self, of: AccountId, mailbox: MailboxId) -> Result<MailboxStatus, Fault> {
        self.parts.readers.read(|reading| read_status(reading.sql, &self.parts.recent, of, mailbox))
    }

    pub(super) fn create_mailbox(
        &self,
        of: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, Fault> {
        let (name, limit) = (name.clone(), self.parts.settings.limits.mailboxes);
        self.write(move |work| {
            let modseq = rows::next_modseq(work, of)?;
            if find(work, of, &name)?.is_some() {
                return Err(MailError::Exists.into());
            }
            make_parents(work, of, &name, modseq, limit)?;
            make(work, of, &name, special_use, modseq, limit).map(|id| MailboxId(id as u64))
        })
    }

    pub(super) fn delete_mailbox(&self, of: AccountId, mailbox: MailboxId) -> Result<(), Fault> {
        if own_mailbox(of, mailbox) == Some(inbox(of)) {
            return Err(MailError::Refused("INBOX can't be deleted").into());
        }
        self.empty(of, mailbox)?;
        let kept = self.keeps_deleted();
        self.write(move |work| {
            let id = rows::existing(work.sql(), of, mailbox)?;
            rows::next_modseq(work, of)?;
            // What came in meanwhile.
            edit::remove_all(work, of, id, kept)?;
            work.run("DELETE FROM tombstone WHERE mailbox = ?1", [id])?;
            work.run("DELETE FROM keyword WHERE mailbox = ?1", [id])?;
            work.run("DELETE FROM url_key WHERE mailbox = ?1", [id])?;
            work.run("DELETE FROM annotation WHERE place = ?1", [id])?;
            work.run("DELETE FROM acl WHERE mailbox = ?1", [id])?;
            work.run("DELETE FROM mailbox WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    pub(super) fn rename_mailbox(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        to: &MailboxName,
    ) -> Result<(), Fault> {
        let (to, limit) = (to.clone(), self.parts.settings.limits.mailboxes);
        let keywords = self.parts.settings.limits.keywords;
        self.write(move |work| {
            let id = rows::existing(work.sql(), of, mailbox)?;
            let modseq = rows::next_modseq(work, of)?;
            if find(work, of, &to)?.is_some() {
                return Err(MailError::Exists.into());
            }
            if id == inbox(of) {
                // RFC 9051 §6.3.6: INBOX itself stays, its mail goes; mailboxes below it stay too.
                make_parents(work, of, &to, modseq, limit)?;
                let target = make(work, of, &to, None, modseq, limit)?;
                let uids = edit::all_uids(work.sql(), id)?;
                return edit::move_rows(work, of, id, &uids, target, (Rights::ALL, keywords)).map(drop);
            }
            rename_tree(work, of, id, &to, modseq, limit)
        })
    }

    pub(super) fn set_subscription(&self, of: AccountId, name: &MailboxName, on: bool) -> Result<(), Fault> {
        let (name, limit) = (name.clone(), self.parts.settings.limits.mailboxes);
        self.write(move |work| {
            rows::next_modseq(work, of)?;
            let values = params![int(of.0), name.as_str()];
            if !on {
                work.run("DELETE FROM subscription WHERE account = ?1 AND name = ?2", values)?;
                return Ok(());
            }
            work.run("INSERT OR IGNORE INTO subscription VALUES (?1, ?2)", values)?;
            check_limit(work, "SELECT count(*) FROM subscription WHERE account = ?1", of, 2 * limit)
        })
    }
}

/// INBOX and the five special mailboxes, subscribed: what an account begins with.
pub(super) fn make_first(work: &mut Work<'_>, of: AccountId) -> Result<(), Fault> {
    let modseq = rows::next_modseq(work, of)?;
    let special = SpecialUse::ALL.iter().map(|(kind, name)| (*name, Some(*kind)));
    for (name, kind) in std::iter::once(("INBOX", None)).chain(special) {
        let name = MailboxName::new(name).map_err(MailError::Name)?;
        make(work, of, &name, kind, modseq, usize::MAX)?;
        work.run("INSERT INTO subscription VALUES (?1, ?2)", params![int(of.0), name.as_str()])?;
    }
    Ok(())
}

/// Counts and numbers; how many are recent is counted only where some are, and not all.
pub(super) fn read_status(
    sql: &Connection,
    recent: &Recent,
    of: AccountId,
    mailbox: MailboxId,
) -> Result<MailboxStatus, Fault> {
    let id = own_mailbox(of, mailbox).ok_or(MailError::NoMailbox)?;
    let query =
        "SELECT messages, unseen, deleted, octets, deleted_octets, uid_next, uid_validity, modseq, recent
                 FROM mailbox WHERE id = ?1";
    let status = first(sql, query, [id], |row| {
        Ok(MailboxStatus {
            messages: row.get(0)?,
            recent: row.get(8)?,
            unseen: row.get(1)?,
            deleted: row.get(2)?,
            octets: row.get::<_, i64>(3)?.unsigned_abs(),
            deleted_octets: row.get::<_, i64>(4)?.unsigned_abs(),
            uid_next: Uid(row.get(5)?),
            uid_validity: UidValidity(row.get(6)?),
            highest_modseq: ModSeq(row.get::<_, i64>(7)?.unsigned_abs()),
        })
    })?;
    let mut status = status.ok_or(MailError::NoMailbox)?;
    let from = recent.first(id, status.recent);
    status.recent = recent::count(sql, id, from, status.messages, status.uid_next.0)?;
    Ok(status)
}

fn find(work: &Work<'_>, of: AccountId, name: &MailboxName) -> Result<Option<i64>, Fault> {
    let sql = "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2";
    work.first(sql, params![int(of.0), name.as_str()], |r| r.get(0))
}

fn make_parents(
    work: &Work<'_>,
    of: AccountId,
    name: &MailboxName,
    modseq: i64,
    limit: usize,
) -> Result<(), Fault> {
    let mut above: Vec<MailboxName> = std::iter::successors(name.parent(), MailboxName::parent).collect();
    // Upper levels first: what is shared hands that down.
    above.reverse();
    for parent in above {
        if find(work, of, &parent)?.is_none() {
            make(work, of, &parent, None, modseq, limit)?;
        }
    }
    Ok(())
}

fn make(
    work: &Work<'_>,
    of: AccountId,
    name: &MailboxName,
    special_use: Option<SpecialUse>,
    modseq: i64,
    limit: usize,
) -> Result<i64, Fault> {
    check_limit(work, "SELECT 1 + count(*) FROM mailbox WHERE account = ?1", of, limit)?;
    let special = special_use.map(special_number);
    let taken = "SELECT 1 FROM mailbox WHERE account = ?1 AND special = ?2";
    if special.is_some() && work.first(taken, params![int(of.0), special], |_| Ok(()))?.is_some() {
        return Err(MailError::Refused("another mailbox has this special use").into());
    }
    let id = rows::next_mailbox(work, of)?;
    let sql = "INSERT INTO mailbox (id, account, name, special, uid_validity, modseq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let validity = next_uid_validity(work)?;
    work.run(sql, params![id, int(of.0), name.as_str(), special, validity, modseq])?;
    if let Some(parent) = name.parent()
        && let Some(parent) = find(work, of, &parent)?
    {
        sharing::inherit(work, parent, id)?;
    }
    Ok(id)
}

/// UIDVALIDITY only ever grows, by a counter that outlives mailboxes and accounts, and keeps up with the clock so
/// that it grows across a restored backup too.
fn next_uid_validity(work: &Work<'_>) -> Result<i64, Fault> {
    let clock = Timestamp::now().0.clamp(1, i64::from(u32::MAX) / 2);
    let sql = "UPDATE meta SET value = max(value + 1, ?1) WHERE name = 'uid_validity' RETURNING value";
    work.first(sql, [clock], |r| r.get(0))?.ok_or_else(|| Fault::broken("no UIDVALIDITY counter"))
}

fn check_limit(work: &Work<'_>, count: &str, of: AccountId, limit: usize) -> Result<(), Fault> {
    let count: i64 = work.first(count, [int(of.0)], |r| r.get(0))?.unwrap_or(0);
    match usize::try_from(count) {
        Ok(count) if count <= limit => Ok(()),
        _ => Err(MailError::Limit("too many mailboxes").into()),
    }
}

fn rename_tree(
    work: &Work<'_>,
    of: AccountId,
    id: i64,
    to: &MailboxName,
    modseq: i64,
    limit: usize,
) -> Result<(), Fault> {
    let from: Option<String> = work.first("SELECT name FROM mailbox WHERE id = ?1", [id], |r| r.get(0))?;
    let from = MailboxName::new(&from.unwrap_or_default()).map_err(MailError::Name)?;
    if to.is_below(&from) {
        return Err(MailError::Refused("a mailbox can't move below itself").into());
    }
    make_parents(work, of, to, modseq, limit)?;
    let mut all: Vec<(i64, String)> = Vec::new();
    {
        let mut statement = work.sql().prepare_cached("SELECT id, name FROM mailbox WHERE account = ?1")?;
        let mut rows = statement.query([int(of.0)])?;
        while let Some(row) = rows.next()? {
            all.push((row.get(0)?, row.get(1)?));
        }
    }
    // Upper levels first: they make room for those below.
    all.sort_by_key(|(_, name)| name.len());
    for (id, old) in all {
        let old = MailboxName::new(&old).map_err(MailError::Name)?;
        if old != from && !old.is_below(&from) {
            continue;
        }
        let rest = old.as_str().get(from.as_str().len()..).unwrap_or_default();
        let new = MailboxName::new(&format!("{to}{rest}")).map_err(MailError::Name)?;
        if find(work, of, &new)?.is_some() {
            return Err(MailError::Exists.into());
        }
        work.run("UPDATE mailbox SET name = ?2 WHERE id = ?1", params![id, new.as_str()])?;
    }
    Ok(())
}

pub(super) fn name_of(row: &Row<'_>, column: usize) -> Result<MailboxName, Fault> {
    let name = row.get_ref(column)?.as_str().map_err(|_| Fault::broken("a mailbox name"))?;
    MailboxName::new(name).map_err(|e| MailError::Name(e).into())
}

fn unselectable(name: MailboxName) -> MailboxInfo {
    MailboxInfo { name, mailbox: None, subscribed: false, special_use: None }
}
