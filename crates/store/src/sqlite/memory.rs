//! What accounts remember for a while.

use super::fault::Fault;
use super::schema::int;
use super::writer::{Work, first};
use crate::{Mark, Remembered};
use base::{AccountId, Timestamp};
use rusqlite::{Connection, params};

/// Things that one account remembers, and how many are forgotten together where they are too many.
const MOST: i64 = 5000;
const PIECE: i64 = 250;

const KNOWN: &str = "SELECT until FROM remembered WHERE account = ?1 AND mark = ?2";

/// Whether an account remembers something at `now`.
pub(super) fn knows(reader: &Connection, of: AccountId, mark: Mark, now: Timestamp) -> Result<bool, Fault> {
    let until: Option<i64> = first(reader, KNOWN, params![int(of.0), mark.0.as_slice()], |row| row.get(0))?;
    Ok(until.is_some_and(|until| until > now.0))
}

/// Remembers something; false where it was remembered already.
pub(super) fn keep(work: &Work<'_>, what: &Remembered, now: Timestamp) -> Result<bool, Fault> {
    let known = knows(work.sql(), what.of, what.mark, now)?;
    if known && !what.renew {
        return Ok(false);
    }
    if !known {
        make_room(work, what.of)?;
    }
    let sql = "INSERT INTO remembered VALUES (?1, ?2, ?3)
               ON CONFLICT (account, mark) DO UPDATE SET until = excluded.until";
    work.run(sql, params![int(what.of.0), what.mark.0.as_slice(), what.until.0])?;
    Ok(!known)
}

/// Forgets what would be forgotten first, where there is much.
fn make_room(work: &Work<'_>, of: AccountId) -> Result<(), Fault> {
    let sql = "SELECT count(*) FROM remembered WHERE account = ?1";
    if work.first(sql, [int(of.0)], |row| row.get(0))? < Some(MOST) {
        return Ok(());
    }
    let sql = "DELETE FROM remembered WHERE account = ?1 AND mark IN
               (SELECT mark FROM remembered WHERE account = ?1 ORDER BY until LIMIT ?2)";
    work.run(sql, params![int(of.0), PIECE])?;
    Ok(())
}

/// Forgets what is past, `most` at a time; tells whether there was any.
pub(super) fn forget(work: &Work<'_>, now: i64, most: i64) -> Result<bool, Fault> {
    let sql = "DELETE FROM remembered WHERE (account, mark) IN
               (SELECT account, mark FROM remembered WHERE until <= ?1 ORDER BY until LIMIT ?2)";
    Ok(work.run(sql, params![now, most])? > 0)
}
