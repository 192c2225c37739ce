//! Connections that only read. None waits for the writer; each read has a time limit.

use super::fault::Fault;
use super::schema;
use crate::StoreError;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Connections at most: more readers than this take turns.
const MOST: usize = 16;
/// Connections that stay open while idle.
const KEPT: usize = 8;
/// How long one read may take, and may wait for its turn.
const TIME: Duration = Duration::from_secs(30);

/// A pool of connections.
pub(super) struct Readers {
    directory: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
}

/// A read under way: one moment of the database.
pub(super) struct Reading<'r> {
    /// Its connection.
    pub(super) sql: &'r Connection,
    end: Instant,
}

impl Reading<'_> {
    /// Ends a read that takes too long: call it now and then.
    pub(super) fn check_time(&self) -> Result<(), Fault> {
        if Instant::now() < self.end { Ok(()) } else { Err(StoreError::Busy.into()) }
    }
}

impl Readers {
    /// An empty pool.
    pub(super) fn new(directory: &Path) -> Self {
        Readers { directory: directory.to_owned(), state: Mutex::default(), returned: Condvar::new() }
    }

    /// Lends a connection to `read`, all of whose statements see the same moment.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Reading<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.lend(|sql| {
            sql.prepare_cached("BEGIN")?.execute([])?;
            let outcome = read(&Reading { sql, end: Instant::now() + TIME });
            sql.prepare_cached("ROLLBACK")?.execute([])?;
            outcome
        })
    }

    /// Lends a connection to a single statement, which needs no transaction around it.
    pub(super) fn lend<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let lease = self.take()?;
        match &lease.connection {
            Some(connection) => read(connection),
            None => Err(StoreError::Closed.into()),
        }
    }

    fn take(&self) -> Result<Lease<'_>, Fault> {
        let end = Instant::now() + TIME;
        let mut state = self.state.lock();
        while state.lent >= MOST {
            if self.returned.wait_until(&mut state, end).timed_out() {
                return Err(StoreError::Busy.into());
            }
        }
        state.lent += 1;
        let idle = state.idle.pop();
        drop(state);
        // From here on the lease gives the place back, also where opening fails.
        let mut lease = Lease { readers: self, connection: idle };
        if lease.connection.is_none() {
            lease.connection = Some(schema::open_reader(&self.directory)?);
        }
        Ok(lease)
    }
}

struct Lease<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock();
        state.lent -= 1;
        // A connection that is left inside a transaction (its user panicked) is not lent again.
        let sound = self.connection.take().filter(Connection::is_autocommit);
        let surplus = if state.idle.len() < KEPT {
            state.idle.extend(sound);
            None
        } else {
            sound
        };
        drop(state);
        drop(surplus);
        self.readers.returned.notify_one();
    }
}
