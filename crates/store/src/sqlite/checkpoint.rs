//! The one place that moves pages from the write-ahead log into the database: a thread of its own, so that no
//! delivery pays for it. Only a log that outgrows its bound makes the writer itself wait.

use super::schema;
use crate::StoreError;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// Pages in the log from which on it is checkpointed at once (16 MiB).
const WORTHWHILE: i64 = 2048;
/// Pages in the log at which the writer stops and helps (64 MiB).
const TOO_MANY: i64 = 8192;
/// Rounds after which a small log is checkpointed too.
const PATIENCE: u32 = 20;

/// What writer and checkpointer know of the log.
#[derive(Default)]
pub(super) struct Wal {
    /// Whether anything was committed since the last look.
    pub(super) dirty: AtomicBool,
    pages: AtomicI64,
    closed: Mutex<bool>,
    bell: Condvar,
}

impl Wal {
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
        let mut rounds = 0;
        let mut closed = self.closed.lock();
        while !*closed {
            self.bell.wait_for(&mut closed, EVERY);
            if !self.dirty.swap(false, Ordering::Relaxed) && rounds == 0 {
                continue;
            }
            rounds += 1;
            let size = log_pages(connection);
            if size >= WORTHWHILE || rounds >= PATIENCE || *closed {
                rounds = 0;
                match checkpoint(connection, "PASSIVE") {
                    Ok(pages) => self.pages.store(pages, Ordering::Relaxed),
                    Err(error) => tracing::warn!(%error, "checkpoint failed"),
                }
            }
        }
    }
}

/// Pages that the log's file has room for.
fn log_pages(connection: &Connection) -> i64 {
    let path = connection.path().map(|path| format!("{path}-wal"));
    let octets = path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |m| m.len());
    i64::try_from(octets / 8192).unwrap_or(i64::MAX)
}

/// Checkpoints; gives the pages that are left in the log.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (log, done): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(log - done)
    })
}
