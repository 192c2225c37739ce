//! What is done now and then: mail that nothing holds is cleared away, what could be had back and no longer can
//! be goes, tombstones are pruned, blobs that nothing needs are removed.
//!
//! All of it in small pieces through the writer, so that no delivery waits for it.

use super::fault::Fault;
use super::schema::{int, owner};
use super::writer::{Work, first};
use super::{Parts, memory, rows, story};
use crate::vault::BlobId;
use crate::{Settings, StoreError};
use base::Timestamp;
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is done.
const EVERY: Duration = Duration::from_secs(60);
/// How often files without a row and old tombstones are looked for.
const SWEEP: Duration = Duration::from_secs(6 * 3600);
/// How often stories are shortened.
const FORGET: Duration = Duration::from_secs(3600);
/// Mails, tombstones or blobs in one piece of work.
const PIECE: i64 = 200;
/// Tombstones of one mailbox that are kept at most.
const TOMBSTONES: i64 = 20_000;

/// How long things are left alone before they go.
pub(super) struct Graces {
    /// Mail that no mailbox holds: sessions that don't know yet that it is gone may still ask for it.
    unheld: Duration,
    /// Mail that can be had back.
    removed: Duration,
    /// Tombstones: how long a client may stay away without a full resync.
    tombstones: Duration,
    /// Blobs: a message that shares one may be on its way in.
    blobs: Duration,
}

impl Graces {
    /// As the settings say.
    pub(super) fn of(settings: &Settings) -> Self {
        Graces {
            unheld: Duration::from_secs(600),
            removed: settings.keep_deleted,
            tombstones: Duration::from_secs(180 * 24 * 3600),
            blobs: Duration::from_secs(3600),
        }
    }

    /// None but for mail that can be had back.
    pub(super) fn none(settings: &Settings) -> Self {
        let zero = Duration::ZERO;
        Graces { unheld: zero, removed: settings.keep_deleted, tombstones: zero, blobs: zero }
    }
}

/// Ends the thread.
#[derive(Default)]
pub(super) struct Bell {
    closed: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn close(&self) {
        *self.closed.lock() = true;
        self.rung.notify_all();
    }
}

/// Starts the thread.
pub(super) fn start(parts: &Arc<Parts>, bell: &Arc<Bell>) -> Result<JoinHandle<()>, StoreError> {
    let (parts, bell) = (parts.clone(), bell.clone());
    std::thread::Builder::new()
        .name("store-housekeeping".into())
        .spawn(move || keep_house(&parts, &bell))
        .map_err(|e| StoreError::Failed(e.to_string()))
}

fn keep_house(parts: &Parts, bell: &Bell) {
    let (mut swept, mut forgot): (Option<Instant>, Option<Instant>) = (None, None);
    let mut closed = bell.closed.lock();
    loop {
        bell.rung.wait_for(&mut closed, EVERY);
        if *closed {
            return;
        }
        // The lock only guards the flag: whoever closes must not wait for the work.
        let outcome = parking_lot::MutexGuard::unlocked(&mut closed, || {
            let graces = Graces::of(&parts.settings);
            // Whatever fails, the rest is tried: where the disk is full, it may be the rest that makes room.
            let mut outcome = clear(parts, &graces);
            if swept.is_none_or(|when| when.elapsed() >= SWEEP) {
                swept = Some(Instant::now());
                outcome = outcome.and(prune(parts, before(graces.tombstones))).and(sweep(parts));
            }
            if forgot.is_none_or(|when| when.elapsed() >= FORGET) {
                forgot = Some(Instant::now());
                outcome = outcome.and(story::prune(parts, parts.settings.stories));
            }
            outcome.and(give_back(parts))
        });
        if let Err(fault) = outcome {
            tracing::warn!(?fault, "housekeeping");
        }
    }
}

/// Does all that is due.
pub(super) fn run(parts: &Parts, graces: &Graces) -> Result<(), Fault> {
    clear(parts, graces)?;
    prune(parts, before(graces.tombstones))?;
    story::prune(parts, parts.settings.stories)?;
    give_back(parts)
}

/// The time that lies this long back.
fn before(grace: Duration) -> i64 {
    Timestamp::now().0.saturating_sub(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX))
}

/// Clears away what its grace no longer keeps.
fn clear(parts: &Parts, graces: &Graces) -> Result<(), Fault> {
    story::write_refusals(parts)?;
    parts.recent.flush(&parts.writer);
    let now = Timestamp::now().0;
    let (removed, unheld, blobs) = (before(graces.removed), before(graces.unheld), before(graces.blobs));
    let most = int(parts.settings.keep_deleted_octets);
    in_pieces(parts, move |work| end_recovery(work, removed, now))?;
    in_pieces(parts, move |work| trim_recovery(work, most, now))?;
    in_pieces(parts, move |work| clear_away(work, unheld, now))?;
    in_pieces(parts, move |work| memory::forget(work, now, PIECE))?;
    let Some(_alone) = parts.disk.nobody_copies() else { return Ok(()) };
    while remove_blobs(parts, blobs)? {}
    Ok(())
}

/// Repeats a piece of work until it finds nothing more to do.
fn in_pieces(
    parts: &Parts,
    piece: impl Fn(&Work<'_>) -> Result<bool, Fault> + Clone + Send + 'static,
) -> Result<(), Fault> {
    loop {
        let piece = piece.clone();
        if !parts.writer.write(0, move |work| piece(work))? {
            return Ok(());
        }
    }
}

fn end_recovery(work: &Work<'_>, before: i64, now: i64) -> Result<bool, Fault> {
    let sql = "SELECT mail, mailbox, uid FROM removed WHERE removed <= ?1 ORDER BY removed LIMIT ?2";
    let due: Vec<(i64, i64, u32)> = {
        let mut statement = work.sql().prepare_cached(sql)?;
        let rows = statement.query_map([before, PIECE], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    due.iter().try_for_each(|removed| forget(work, *removed, now))?;
    Ok(!due.is_empty())
}

/// Ends the recovery of an account's oldest mail, where it keeps more than it may.
fn trim_recovery(work: &Work<'_>, most: i64, now: i64) -> Result<bool, Fault> {
    let sql = "SELECT account, removed - ?1 FROM ledger WHERE removed > ?1 LIMIT 1";
    let over: Option<(i64, i64)> = work.first(sql, [most], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let Some((account, mut surplus)) = over else { return Ok(false) };
    let sql =
        "SELECT mail, mailbox, uid, size FROM removed WHERE mail >> 40 = ?1 ORDER BY removed, mail LIMIT ?2";
    let oldest: Vec<((i64, i64, u32), i64)> = {
        let mut statement = work.sql().prepare_cached(sql)?;
        let rows =
            statement.query_map([account, PIECE], |r| Ok(((r.get(0)?, r.get(1)?, r.get(2)?), r.get(3)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (removed, size) in &oldest {
        if surplus <= 0 {
            break;
        }
        forget(work, *removed, now)?;
        surplus -= size;
    }
    Ok(!oldest.is_empty())
}

/// A removed message can no longer be had back.
fn forget(work: &Work<'_>, (mail, mailbox, uid): (i64, i64, u32), now: i64) -> Result<(), Fault> {
    let sql = "DELETE FROM removed WHERE mail = ?1 AND mailbox = ?2 AND uid = ?3";
    work.run(sql, params![mail, mailbox, uid])?;
    rows::let_go(work, mail, now)
}

fn clear_away(work: &Work<'_>, before: i64, now: i64) -> Result<bool, Fault> {
    let due: Vec<i64> = {
        let sql = "SELECT mail FROM unheld WHERE since <= ?1 LIMIT ?2";
        let mut statement = work.sql().prepare_cached(sql)?;
        statement.query_map([before, PIECE], |r| r.get(0))?.collect::<Result<_, _>>()?
    };
    for mail in &due {
        work.run("DELETE FROM unheld WHERE mail = ?1", [mail])?;
        clear_if_unheld(work, *mail, now)?;
    }
    Ok(!due.is_empty())
}

/// Clears a mail away, unless something refers to it.
pub(super) fn clear_if_unheld(work: &Work<'_>, mail: i64, now: i64) -> Result<(), Fault> {
    if is_held(work, mail)? {
        return Ok(());
    }
    let blobs: Vec<Vec<u8>> = {
        let mut statement = work.sql().prepare_cached("SELECT blob FROM blob_use WHERE mail = ?1")?;
        statement.query_map([mail], |r| r.get(0))?.collect::<Result<_, _>>()?
    };
    work.run("DELETE FROM blob_use WHERE mail = ?1", [mail])?;
    for blob in blobs {
        let_blob_go(work, &blob, now)?;
    }
    for sql in [
        "DELETE FROM content WHERE mail = ?1",
        "DELETE FROM summary WHERE mail = ?1",
        "DELETE FROM unindexed WHERE mail = ?1",
    ] {
        work.run(sql, [mail])?;
    }
    tracing::debug!(mail, account = %owner(mail), "cleared away");
    Ok(())
}

/// Whether anything refers to a mail, again or still.
fn is_held(work: &Work<'_>, mail: i64) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE mail = ?1) OR EXISTS (SELECT 1 FROM removed WHERE mail = ?1)
               OR EXISTS (SELECT 1 FROM queue WHERE mail = ?1) OR EXISTS (SELECT 1 FROM quarantine WHERE mail = ?1)";
    Ok(work.first(sql, [mail], |r| r.get(0))?.unwrap_or(true))
}

fn let_blob_go(work: &Work<'_>, blob: &[u8], now: i64) -> Result<(), Fault> {
    if work.first("SELECT 1 FROM blob_use WHERE blob = ?1", [blob], |_| Ok(()))?.is_none() {
        work.run("DELETE FROM attachment WHERE blob = ?1", [blob])?;
        work.run("INSERT OR IGNORE INTO dead_blob VALUES (?1, ?2)", params![blob, now])?;
    }
    Ok(())
}

/// Prunes the tombstones of mailboxes that have old ones or too many; their floor says up to where. Looking for them
/// reads the whole table, and so is no work for the writer.
fn prune(parts: &Parts, before: i64) -> Result<(), Fault> {
    let targets = parts.readers.read(|reading| {
        let sql =
            "SELECT mailbox, count(*), max(iif(buried <= ?1, modseq, 0)) FROM tombstone GROUP BY mailbox";
        let mut statement = reading.sql.prepare_cached(sql)?;
        let mut rows = statement.query([before])?;
        let mut targets = Vec::new();
        while let Some(row) = rows.next()? {
            reading.check_time()?;
            let (mailbox, count, old): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let surplus =
                if count > TOMBSTONES { nth_last(reading.sql, mailbox, TOMBSTONES / 2)? } else { 0 };
            if old.max(surplus) > 0 {
                targets.push((mailbox, old.max(surplus)));
            }
        }
        Ok(targets)
    })?;
    for (mailbox, floor) in targets {
        parts.writer.write(0, move |work| {
            work.run("DELETE FROM tombstone WHERE mailbox = ?1 AND modseq <= ?2", [mailbox, floor])?;
            work.run("UPDATE mailbox SET floor = max(floor, ?2) WHERE id = ?1", [mailbox, floor])
        })?;
    }
    Ok(())
}

/// The MODSEQ of a mailbox's tombstone that has this many after it.
fn nth_last(reader: &Connection, mailbox: i64, number: i64) -> Result<i64, Fault> {
    let sql = "SELECT modseq FROM tombstone WHERE mailbox = ?1 ORDER BY modseq DESC LIMIT 1 OFFSET ?2";
    Ok(first(reader, sql, [mailbox, number], |r| r.get(0))?.unwrap_or(0))
}

/// Where the disk is nearly full, gives pages that the database no longer uses back to it: else mail that was deleted
/// would make no room for anyone.
fn give_back(parts: &Parts) -> Result<(), Fault> {
    let free =
        |sql: &Connection| Ok(first(sql, "PRAGMA freelist_count", [], |r| r.get::<_, i64>(0))?.unwrap_or(0));
    let mut before = parts.readers.lend(free)?;
    while before > 0 && !parts.disk.has_room() {
        let after = parts.writer.write(0, move |work| {
            work.sql().execute_batch(&format!("PRAGMA incremental_vacuum({PIECE})"))?;
            free(work.sql())
        })?;
        if after >= before {
            break;
        }
        before = after;
    }
    Ok(())
}

/// Removes blobs whose grace is over: the row first, and only then the file. A crash between the two leaves a file
/// for the sweep.
fn remove_blobs(parts: &Parts, before: i64) -> Result<bool, Fault> {
    let gone = parts.writer.write(0, move |work| {
        let due: Vec<Vec<u8>> = {
            let sql = "SELECT blob FROM dead_blob WHERE since <= ?1 LIMIT ?2";
            let mut statement = work.sql().prepare_cached(sql)?;
            statement.query_map([before, PIECE], |r| r.get(0))?.collect::<Result<_, _>>()?
        };
        let mut gone = Vec::new();
        for blob in due {
            work.run("DELETE FROM dead_blob WHERE blob = ?1", [&blob])?;
            if work.first("SELECT 1 FROM blob_use WHERE blob = ?1", [&blob], |_| Ok(()))?.is_none() {
                gone.extend(BlobId::from_octets(&blob));
            }
        }
        Ok(gone)
    })?;
    for blob in &gone {
        parts.vault.remove(*blob)?;
    }
    Ok(!gone.is_empty())
}

/// Removes files that no row names.
fn sweep(parts: &Parts) -> Result<(), Fault> {
    let Some(_alone) = parts.disk.nobody_copies() else { return Ok(()) };
    let grace = Graces::of(&parts.settings).blobs;
    let known = |reader: &Connection, blob: &BlobId| {
        let sql = "SELECT 1 FROM blob_use WHERE blob = ?1 UNION ALL SELECT 1 FROM dead_blob WHERE blob = ?1";
        first(reader, sql, [blob.0.as_slice()], |_| Ok(()))
    };
    // In doubt, a file stays.
    let is_known = |blob: &BlobId| !matches!(parts.readers.lend(|reader| known(reader, blob)), Ok(None));
    let swept = parts.vault.sweep(&is_known, grace);
    if swept > 0 {
        tracing::info!(files = swept, "removed blobs that nothing referred to");
    }
    Ok(())
}
