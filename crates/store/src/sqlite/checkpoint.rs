//! The one place that moves pages from the write-ahead log into the database: a thread of its own, so that no
//! delivery pays for it. Only a log that outgrows its bound makes the writer itself wait.

use super::schema::{self, PAGE_OCTETS};
use crate::StoreError;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// Pages written, about, from which on the log is checkpointed at once (8 MiB).
const WORTHWHILE: i64 = 2048;
/// Pages in the log at which the writer stops and starts it anew (32 MiB).
const TOO_MANY: i64 = 8192;
/// Pages that one unit of work changes, about.
const PAGES_A_UNIT: usize = 10;
/// Rounds after which a small log is checkpointed too.
const PATIENCE: u32 = 40;

/// What writer and checkpointer know of the log.
#[derive(Default)]
pub(super) struct Wal {
    /// Pages written since the last look: a guess.
    written: AtomicI64,
    /// Pages in the log at the last look.
    pages: AtomicI64,
    closed: Mutex<bool>,
    bell: Condvar,
}

impl Wal {
    /// Called by the writer after a commit, with the units of work and the octets that were in it.
    pub(super) fn note(&self, units: usize, octets: usize) {
        let pages = units * PAGES_A_UNIT + octets / PAGE_OCTETS as usize;
        self.written.fetch_add(i64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
    }

    /// Called by the writer between two batches: waits for the log to be emptied where it has outgrown its bound.
    pub(super) fn rein_in(&self, connection: &Connection) {
        if self.pages.load(Ordering::Relaxed) >= TOO_MANY {
            self.pages.store(0, Ordering::Relaxed);
            if let Err(error) = checkpoint(connection, "RESTART") {
                tracing::warn!(%error, "the write-ahead log could not be emptied");
            }
        }
    }

    /// Starts the thread.
    pub(super) fn start(self: &Arc<Self>, directory: &Path) -> Result<JoinHandle<()>, StoreError> {
        let connection = schema::open_checkpointer(directory)?;
        let wal = self.clone();
        std::thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || wal.keep_short(&connection))
            .map_err(|e| StoreError::Failed(e.to_string()))
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        *self.closed.lock() = true;
        self.bell.notify_all();
    }

    fn keep_short(&self, connection: &Connection) {
        let (mut rounds, mut written) = (0, 0);
        let mut closed = self.closed.lock();
        while !*closed {
            self.bell.wait_for(&mut closed, EVERY);
            written += self.written.swap(0, Ordering::Relaxed);
            rounds += u32::from(written > 0);
            if written >= WORTHWHILE || rounds >= PATIENCE || (*closed && written > 0) {
                (rounds, written) = (0, 0);
                match checkpoint(connection, "PASSIVE") {
                    Ok(pages) => self.pages.store(pages, Ordering::Relaxed),
                    Err(error) => tracing::warn!(%error, "checkpoint failed"),
                }
            }
        }
    }
}

/// Checkpoints as far as it goes without waiting for anyone; gives the pages in the log, or 0 where all of them are
/// in the database and so the next commit begins the log anew.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (log, done): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(if done < log { log } else { 0 })
    })
}
