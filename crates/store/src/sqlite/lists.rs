//! Groups and lists, from the database.

use super::Sqlite;
use super::directory::{required_domain, taken};
use super::fault::Fault;
use super::schema::int;
use super::writer::{Work, first};
use crate::DirectoryError;
use crate::lists::{BOUNCE_MEMORY, List, Lists, MOST_BOUNCES, MOST_MEMBERS, Member, Posters, Style};
use base::{Address, DomainId, ListId, MemberId, Timestamp};
use rusqlite::{Connection, Params, Row, params};

const LIST: &str = "SELECT id, domain, address, is_group, posters, tag, answers_to_list FROM list";
const MEMBER: &str = "SELECT id, list, address, moderates, bounces, why, suspended FROM list_member";

impl Lists for Sqlite {
    fn all(&self) -> Result<Vec<List>, DirectoryError> {
        Ok(self.parts.readers.lend(|reader| rows(reader, &format!("{LIST} ORDER BY address"), [], list))?)
    }

    fn list(&self, id: ListId) -> Result<Option<List>, DirectoryError> {
        let sql = format!("{LIST} WHERE id = ?1");
        Ok(self.parts.readers.lend(|reader| rows(reader, &sql, [int(id.0)], list))?.pop())
    }

    fn add(&self, address: &Address, style: &Style) -> Result<ListId, DirectoryError> {
        let (address, style) = (address.clone(), style.clone());
        let id: Option<i64> = self.write(move |work| {
            let domain = required_domain(work, &address)?;
            let local = address.local.folded();
            if taken(work, domain, &local)? {
                return Err(DirectoryError::Exists.into());
            }
            let sql = "INSERT INTO list (domain, local, address, is_group, posters, tag, answers_to_list)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";
            let (posters, tag) = (style.posters.word(), style.tag);
            let text = address.to_string();
            let values = params![domain, local, text, style.is_group, posters, tag, style.answers_to_list];
            work.first(sql, values, |row| row.get(0))
        })?;
        Ok(ListId(id.unwrap_or(0) as u64))
    }

    fn set_style(&self, id: ListId, style: &Style) -> Result<(), DirectoryError> {
        let style = style.clone();
        let sql = "UPDATE list SET is_group = ?2, posters = ?3, tag = ?4, answers_to_list = ?5 WHERE id = ?1";
        let changed = self.write(move |work| {
            let (posters, tag) = (style.posters.word(), style.tag);
            work.run(sql, params![int(id.0), style.is_group, posters, tag, style.answers_to_list])
        })?;
        some(changed)
    }

    fn remove(&self, id: ListId) -> Result<(), DirectoryError> {
        some(self.write(move |work| work.run("DELETE FROM list WHERE id = ?1", [int(id.0)]))?)
    }

    fn members(&self, of: ListId) -> Result<Vec<Member>, DirectoryError> {
        let sql = format!("{MEMBER} WHERE list = ?1 ORDER BY address");
        Ok(self.parts.readers.lend(|reader| rows(reader, &sql, [int(of.0)], member))?)
    }

    fn member_at(&self, of: ListId, address: &Address) -> Result<Option<Member>, DirectoryError> {
        let (sql, folded) = (format!("{MEMBER} WHERE list = ?1 AND folded = ?2"), folded(address));
        let values = params![int(of.0), folded];
        Ok(self.parts.readers.lend(|reader| rows(reader, &sql, values, member))?.pop())
    }

    fn moderators(&self, of: ListId) -> Result<Vec<Member>, DirectoryError> {
        let sql = format!("{MEMBER} WHERE list = ?1 AND moderates ORDER BY address");
        Ok(self.parts.readers.lend(|reader| rows(reader, &sql, [int(of.0)], member))?)
    }

    fn has_readers(&self, of: ListId) -> Result<bool, DirectoryError> {
        let sql = "SELECT 1 FROM list_member WHERE list = ?1 AND suspended IS NULL LIMIT 1";
        let found = self.parts.readers.lend(|reader| first(reader, sql, [int(of.0)], |_| Ok(())))?;
        Ok(found.is_some())
    }

    fn member(&self, id: MemberId) -> Result<Option<Member>, DirectoryError> {
        let sql = format!("{MEMBER} WHERE id = ?1");
        Ok(self.parts.readers.lend(|reader| rows(reader, &sql, [int(id.0)], member))?.pop())
    }

    fn add_member(&self, of: ListId, address: &Address, moderates: bool) -> Result<MemberId, DirectoryError> {
        let (folded, text) = (folded(address), address.to_string());
        let id: Option<i64> = self.write(move |work| {
            if !has_room(work, of, &folded)? {
                return Err(DirectoryError::TooMany.into());
            }
            let sql = "INSERT INTO list_member (list, folded, address, moderates) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (list, folded) DO UPDATE SET moderates = excluded.moderates, bounces = 0,
                           why = '', suspended = NULL
                       RETURNING id";
            work.first(sql, params![int(of.0), folded, text, moderates], |row| row.get(0))
        })?;
        Ok(MemberId(id.unwrap_or(0) as u64))
    }

    fn remove_member(&self, id: MemberId) -> Result<(), DirectoryError> {
        some(self.write(move |work| work.run("DELETE FROM list_member WHERE id = ?1", [int(id.0)]))?)
    }

    fn bounced(&self, id: MemberId, why: &str, at: Timestamp) -> Result<Option<Member>, DirectoryError> {
        let why = why.to_owned();
        self.write(move |work| {
            let sql = "UPDATE list_member SET why = ?2, bounced = ?3,
                           bounces = CASE WHEN bounced < ?3 - ?4 THEN 1 ELSE bounces + 1 END
                       WHERE id = ?1";
            work.run(sql, params![int(id.0), why, at.0, BOUNCE_MEMORY])?;
            let sql = "UPDATE list_member SET suspended = ?2
                       WHERE id = ?1 AND suspended IS NULL AND bounces >= ?3";
            work.run(sql, params![int(id.0), at.0, MOST_BOUNCES])?;
            Ok(())
        })?;
        self.member(id)
    }

    fn ask_to_leave(
        &self,
        id: MemberId,
        at: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, DirectoryError> {
        let sql = "UPDATE list_member SET asked = ?2 WHERE id = ?1 AND asked < ?3";
        Ok(self.write(move |work| work.run(sql, [int(id.0), at.0, not_since.0]))? > 0)
    }
}

/// The list of an address of a domain of ours.
pub(super) fn named(reader: &Connection, domain: i64, local: &str) -> Result<Option<ListId>, Fault> {
    let sql = "SELECT id FROM list WHERE domain = ?1 AND local = ?2";
    let id: Option<i64> = first(reader, sql, params![domain, local], |row| row.get(0))?;
    Ok(id.map(|id| ListId(id as u64)))
}

/// Addresses are the same whatever the case of their letters.
fn folded(address: &Address) -> String {
    format!("{}@{}", address.local.folded(), address.host.to_string().to_lowercase())
}

/// Whether the list is there and takes this member, or has it.
fn has_room(work: &Work<'_>, of: ListId, folded: &str) -> Result<bool, Fault> {
    let list = int(of.0);
    work.first("SELECT 1 FROM list WHERE id = ?1", [list], |_| Ok(()))?.ok_or(DirectoryError::Unknown)?;
    let sql = "SELECT 1 FROM list_member WHERE list = ?1 AND folded = ?2";
    let known = work.first(sql, params![list, folded], |_| Ok(()))?.is_some();
    let sql = "SELECT count(*) FROM list_member WHERE list = ?1";
    let count: Option<i64> = work.first(sql, [list], |row| row.get(0))?;
    Ok(known || count < Some(MOST_MEMBERS as i64))
}

fn some(changed: usize) -> Result<(), DirectoryError> {
    if changed == 0 { Err(DirectoryError::Unknown) } else { Ok(()) }
}

fn rows<T>(
    reader: &Connection,
    sql: &str,
    values: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = reader.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn list(row: &Row<'_>) -> Result<List, Fault> {
    let (address, posters): (String, String) = (row.get(2)?, row.get(4)?);
    Ok(List {
        id: ListId(row.get::<_, i64>(0)? as u64),
        domain: DomainId(row.get::<_, i64>(1)? as u64),
        address: Address::parse(&address).map_err(|_| Fault::broken("a list's address"))?,
        style: Style {
            is_group: row.get(3)?,
            posters: Posters::from_word(&posters).ok_or_else(|| Fault::broken("a list's posters"))?,
            tag: row.get(5)?,
            answers_to_list: row.get(6)?,
        },
    })
}

fn member(row: &Row<'_>) -> Result<Member, Fault> {
    let address: String = row.get(2)?;
    Ok(Member {
        id: MemberId(row.get::<_, i64>(0)? as u64),
        list: ListId(row.get::<_, i64>(1)? as u64),
        address: Address::parse(&address).map_err(|_| Fault::broken("a member's address"))?,
        moderates: row.get(3)?,
        bounces: row.get(4)?,
        why: row.get(5)?,
        suspended: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}
