//! The queue's rows.

use super::accept::Batch;
use super::fault::Fault;
use super::schema::int;
use super::writer::Work;
use super::{Sqlite, housekeeping, quarantine, story};
use crate::queue::{Change, Changed, Counts, Fate, Hold, Queue, Queued, Settled, Waiting, Which};
use crate::story::{Event, What};
use crate::{Done, Placed, StoreError};
use base::{AccountId, Address, DomainId, MailId, ReversePath, Timestamp, TraceId};
use gate::Screened;
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row, params_from_iter};
use wire::smtp::Terms;

const COLUMNS: &str =
    "id, trace, mail, account, domain, reverse_path, recipient, size, smtputf8, since, due, deadline,
                       tries, held, last, tried, terms";

/// Entries that one unit of work changes at most, so that the writer is never held up for long.
const PIECE: usize = 1000;

impl Queue for Sqlite {
    fn entries(&self, after: u64, most: usize) -> Result<Vec<Queued>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM queue WHERE id > ?1 ORDER BY id LIMIT ?2");
        self.list(&sql, [int(after), int(most as u64)])
    }

    fn destinations(&self) -> Result<Vec<Waiting>, StoreError> {
        let sql = "SELECT destination, min(due), count(*) FROM queue WHERE held IS NULL GROUP BY destination";
        let read = |reader: &Connection| {
            let mut statement = reader.prepare_cached(sql)?;
            let waiting = |row: &Row<'_>| {
                Ok(Waiting {
                    destination: row.get(0)?,
                    due: Timestamp(row.get(1)?),
                    entries: row.get::<_, i64>(2)? as u64,
                })
            };
            Ok::<_, Fault>(statement.query_map([], waiting)?.collect::<Result<_, _>>()?)
        };
        self.parts.readers.lend(read).map_err(StoreError::from)
    }

    fn earliest(&self, destination: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(due) FROM queue WHERE destination = ?1 AND held IS NULL";
        let read = |reader: &Connection| {
            super::writer::first(reader, sql, [destination], |row| row.get::<_, Option<i64>>(0))
        };
        let due = self.parts.readers.lend(read).map_err(StoreError::from)?;
        Ok(due.flatten().map(Timestamp))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE held IS NULL AND due <= ?1),
                   count(*) FILTER (WHERE held IS NULL AND due > ?1), count(*) FILTER (WHERE held IS NOT NULL) FROM queue";
        let number = |row: &Row<'_>, column| row.get::<_, i64>(column).map(|count| count as u64);
        let read = |reader: &Connection| {
            let counts = |row: &Row<'_>| {
                Ok(Counts { waiting: number(row, 0)?, deferred: number(row, 1)?, held: number(row, 2)? })
            };
            super::writer::first(reader, sql, [Timestamp::now().0], counts)
        };
        Ok(self.parts.readers.lend(read).map_err(StoreError::from)?.unwrap_or_default())
    }

    fn due(
        &self,
        destination: &str,
        now: Timestamp,
        after: Option<(Timestamp, u64)>,
        most: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM queue WHERE destination = ?1 AND held IS NULL AND due <= ?2
             AND (due, id) > (?3, ?4) ORDER BY due, id LIMIT ?5"
        );
        let (time, id) = after.map_or((i64::MIN, 0), |(time, id)| (time.0, int(id)));
        self.list(&sql, (destination, now.0, time, id, int(most as u64)))
    }

    fn overdue(&self, now: Timestamp, most: usize) -> Result<Vec<Queued>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM queue WHERE held IS NULL AND deadline <= ?1 ORDER BY deadline, id LIMIT ?2"
        );
        self.list(&sql, [now.0, int(most as u64)])
    }

    fn settle(&self, settled: Vec<Settled>, notices: Vec<Screened>, done: Done<Vec<Placed>>) {
        let batch = match Batch::prepare(&self.parts, &notices) {
            Ok(batch) => batch,
            Err(error) => return done(Err(error)),
        };
        // A notice must not be lost because its reader's mailbox is full: that is for who delivers it to see to.
        self.submit_batch(batch, done, move |work| settled.iter().try_for_each(|one| settle_one(work, one)));
    }

    fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let read = |reader: &Connection| {
            let sql = "SELECT kind, key, why, since FROM queue_hold ORDER BY kind, key";
            let mut statement = reader.prepare_cached(sql)?;
            let hold = |row: &Row<'_>| {
                let which = match row.get::<_, String>(0)?.as_str() {
                    "account" => Which::Account(AccountId(row.get::<_, i64>(1)? as u64)),
                    _ => Which::Destination(row.get(1)?),
                };
                Ok(Hold { which, why: row.get(2)?, since: Timestamp(row.get(3)?) })
            };
            Ok::<_, Fault>(statement.query_map([], hold)?.collect::<Result<_, _>>()?)
        };
        self.parts.readers.lend(read).map_err(StoreError::from)
    }

    fn change(&self, which: &Which, change: &Change) -> Result<Changed, StoreError> {
        let standing = (which.clone(), change.clone());
        self.write(move |work| change_hold(work, &standing.0, &standing.1))?;
        let mut changed = Changed::default();
        let mut destinations = std::collections::BTreeSet::new();
        let mut after = 0;
        // Mail that is released has as long as new mail has before its sender is told that it is late.
        let grace = int(self.parts.settings.late_after.as_secs());
        loop {
            let (which, change) = (which.clone(), change.clone());
            let piece = self.write(move |work| change_piece(work, &which, &change, after, grace))?;
            let Some(last) = piece.last else {
                changed.destinations = destinations.into_iter().collect();
                return Ok(changed);
            };
            after = last;
            changed.entries += piece.entries;
            destinations.extend(piece.destinations);
        }
    }
}

impl Sqlite {
    fn list(&self, sql: &str, values: impl Params) -> Result<Vec<Queued>, StoreError> {
        let read = |reader: &Connection| {
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query(values)?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                // One that can't be read must not stop the others (B163).
                match entry(row) {
                    Ok(entry) => entries.push(entry),
                    Err(fault) => {
                        tracing::error!(id = row.get::<_, i64>(0)?, ?fault, "a queue entry cannot be read")
                    }
                }
            }
            Ok::<_, Fault>(entries)
        };
        self.parts.readers.lend(read).map_err(StoreError::from)
    }
}

fn entry(row: &Row<'_>) -> Result<Queued, Fault> {
    let (reverse_path, recipient, terms): (String, String, String) = (row.get(5)?, row.get(6)?, row.get(16)?);
    let number = |column| row.get::<_, i64>(column).map(|value| value as u64);
    Ok(Queued {
        id: number(0)?,
        trace: quarantine::trace(row.get(1)?),
        mail: MailId(number(2)?),
        account: row.get::<_, Option<i64>>(3)?.map(|account| AccountId(account as u64)),
        domain: DomainId(number(4)?),
        reverse_path: match reverse_path.as_str() {
            "" => ReversePath::Null,
            path => ReversePath::Address(
                Address::parse(path).map_err(|_| Fault::broken("a queued reverse-path"))?,
            ),
        },
        recipient: Address::parse(&recipient).map_err(|_| Fault::broken("a queued recipient"))?,
        size: number(7)?,
        smtputf8: row.get(8)?,
        since: Timestamp(row.get(9)?),
        due: Timestamp(row.get(10)?),
        deadline: Timestamp(row.get(11)?),
        tries: row.get(12)?,
        held: row.get(13)?,
        last: row.get(14)?,
        tried: row.get::<_, Option<i64>>(15)?.map(Timestamp),
        terms: Terms::parse(&terms).ok_or_else(|| Fault::broken("a queued entry's terms"))?,
    })
}

fn settle_one(work: &mut Work<'_>, Settled { id, fate, events }: &Settled) -> Result<(), Fault> {
    story::write_all(work, events)?;
    let id = int(*id);
    match fate {
        Fate::Gone => remove(work, id),
        Fate::Later { due, why } => {
            let sql = "UPDATE queue SET due = ?2, tries = tries + 1, last = ?3, tried = ?4 WHERE id = ?1";
            work.run(sql, rusqlite::params![id, due.0, why, Timestamp::now().0]).map(drop)
        }
        Fate::Told(deadline) => {
            work.run("UPDATE queue SET deadline = ?2 WHERE id = ?1", [id, deadline.0]).map(drop)
        }
    }
}

/// Removes an entry, and its mail where that was the last one.
fn remove(work: &Work<'_>, id: i64) -> Result<(), Fault> {
    let mail: Option<i64> =
        work.first("DELETE FROM queue WHERE id = ?1 RETURNING mail", [id], |row| row.get(0))?;
    match mail {
        Some(mail) => housekeeping::clear_if_unheld(work, mail, Timestamp::now().0),
        // Dropped meanwhile.
        None => Ok(()),
    }
}

/// Makes a hold stand, or ends it.
fn change_hold(work: &Work<'_>, which: &Which, change: &Change) -> Result<(), Fault> {
    let (kind, key) = match which {
        Which::Destination(name) => ("destination", Value::from(name.clone())),
        Which::Account(account) => ("account", Value::from(int(account.0))),
        Which::All if *change == Change::Release => return work.run("DELETE FROM queue_hold", []).map(drop),
        Which::All | Which::Ids(_) => return Ok(()),
    };
    match change {
        Change::Hold(why) => {
            let sql = "INSERT OR REPLACE INTO queue_hold VALUES (?1, ?2, ?3, ?4)";
            work.run(sql, rusqlite::params![kind, key, why, Timestamp::now().0]).map(drop)
        }
        Change::Release => {
            let sql = "DELETE FROM queue_hold WHERE kind = ?1 AND key = ?2";
            work.run(sql, rusqlite::params![kind, key]).map(drop)
        }
        Change::Retry | Change::Drop => Ok(()),
    }
}

const RELEASE: &str = "UPDATE queue SET held = NULL, due = ?2, deadline = max(deadline, ?3)
    WHERE id = ?1 AND held IS NOT NULL";
/// The hold of the account outlives that of the destination, and the other way round.
const RELEASE_BUT_OTHER_HOLDS: &str = "UPDATE queue SET due = ?2, deadline = max(deadline, ?3), held =
      (SELECT why FROM queue_hold WHERE kind = 'destination' AND key = queue.destination
         OR kind = 'account' AND key = queue.account LIMIT 1)
    WHERE id = ?1 AND held IS NOT NULL";

/// What a piece of a change did; no `last` where nothing was left to do.
struct Piece {
    last: Option<i64>,
    entries: u64,
    destinations: Vec<String>,
}

/// `grace` is in seconds.
fn change_piece(
    work: &Work<'_>,
    which: &Which,
    change: &Change,
    after: i64,
    grace: i64,
) -> Result<Piece, Fault> {
    let (condition, mut values) = match which {
        Which::Ids(ids) => {
            let list: Vec<String> = ids.iter().map(u64::to_string).collect();
            (format!("id IN ({})", list.join(",")), Vec::new())
        }
        Which::Destination(name) => ("destination = ?2".to_owned(), vec![Value::from(name.clone())]),
        Which::Account(account) => ("account = ?2".to_owned(), vec![Value::from(int(account.0))]),
        Which::All => ("1".to_owned(), Vec::new()),
    };
    values.insert(0, Value::from(after));
    let sql = format!(
        "SELECT id, destination, trace, recipient FROM queue WHERE id > ?1 AND {condition} ORDER BY id LIMIT {PIECE}"
    );
    let found: Vec<(i64, String, TraceId, String)> = {
        let mut statement = work.sql().prepare(&sql)?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, quarantine::trace(row.get(2)?), row.get(3)?));
        statement.query_map(params_from_iter(values), row)?.collect::<Result<_, _>>()?
    };
    let now = Timestamp::now().0;
    let release = match which {
        Which::Destination(_) | Which::Account(_) => RELEASE_BUT_OTHER_HOLDS,
        Which::Ids(_) | Which::All => RELEASE,
    };
    for (id, _, trace, recipient) in &found {
        let (what, why, changed) = match change {
            Change::Retry => {
                (What::Retried, "", work.run("UPDATE queue SET due = ?2 WHERE id = ?1", [*id, now])?)
            }
            Change::Hold(why) => {
                let values = rusqlite::params![id, why];
                (What::Held, why.as_str(), work.run("UPDATE queue SET held = ?2 WHERE id = ?1", values)?)
            }
            Change::Release => {
                let values = [*id, now, now.saturating_add(grace)];
                (What::Released, "", work.run(release, values)?)
            }
            Change::Drop => {
                remove(work, *id)?;
                (What::Dropped, "", 1)
            }
        };
        if changed > 0 {
            story::write(work, &Event::new(*trace, what).to(recipient).said(why))?;
        }
    }
    let last = found.last().map(|(id, ..)| *id);
    let entries = found.len() as u64;
    let mut destinations: Vec<String> = found.into_iter().map(|(_, destination, ..)| destination).collect();
    destinations.sort();
    destinations.dedup();
    Ok(Piece { last, entries, destinations })
}
