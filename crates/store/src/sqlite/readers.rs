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
/// Of these, as many at most go to reads of a whole mailbox or its index: the look-up of a recipient, on which a
/// connection's thread waits, never stands behind sixteen searches.
const LONG: usize = 12;
/// Connections that stay open while idle.
const KEPT: usize = 8;
/// How long one read may take, and may wait for its turn.
const TIME: Duration = Duration::from_secs(30);

/// A pool of connections.
pub(super) struct Readers {
    directory: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
    /// For who waits with a long read.
    returned_for_long: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
    /// How many of the lent ones are for long reads.
    long: usize,
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
        Readers {
            directory: directory.to_owned(),
            state: Mutex::default(),
            returned: Condvar::new(),
            returned_for_long: Condvar::new(),
        }
    }

    /// Lends a connection to `read`, all of whose statements see the same moment.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Reading<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.lend_for(true, |sql| {
            sql.prepare_cached("BEGIN")?.execute([])?;
            let outcome = read(&Reading { sql, end: Instant::now() + TIME });
            sql.prepare_cached("ROLLBACK")?.execute([])?;
            outcome
        })
    }

    /// Lends a connection to a single statement, which needs no transaction around it.
    pub(super) fn lend<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        self.lend_for(false, read)
    }

    fn lend_for<T>(
        &self,
        long: bool,
        read: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let lease = self.take(long)?;
        match &lease.connection {
            Some(connection) => read(connection),
            None => Err(StoreError::Closed.into()),
        }
    }

    fn take(&self, long: bool) -> Result<Lease<'_>, Fault> {
        let end = Instant::now() + TIME;
        let mut state = self.state.lock();
        while state.lent >= MOST || long && state.long >= LONG {
            let returned = if long { &self.returned_for_long } else { &self.returned };
            if returned.wait_until(&mut state, end).timed_out() {
                return Err(StoreError::Busy.into());
            }
        }
        state.lent += 1;
        state.long += usize::from(long);
        let idle = state.idle.pop();
        drop(state);
        // From here on the lease gives the place back, also where opening fails.
        let mut lease = Lease { readers: self, connection: idle, long };
        if lease.connection.is_none() {
            lease.connection = Some(schema::open_reader(&self.directory)?);
        }
        Ok(lease)
    }
}

struct Lease<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
    long: bool,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock();
        state.lent -= 1;
        state.long -= usize::from(self.long);
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
        self.readers.returned_for_long.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn short_reads_pass_by_long_ones() {
        let directory = tempfile::tempdir().unwrap();
        let _writer = schema::open_writer(directory.path()).unwrap();
        let readers = Readers::new(directory.path());
        let (all, done) = (Barrier::new(LONG + 1), Barrier::new(LONG + 1));
        let short = |sql: &Connection| Ok(sql.query_row("SELECT 7", [], |row| row.get::<_, i64>(0))?);
        std::thread::scope(|scope| {
            for _ in 0..LONG {
                scope.spawn(|| {
                    let read = readers.read(|reading| {
                        all.wait();
                        done.wait();
                        short(reading.sql)
                    });
                    assert!(matches!(read, Ok(7)));
                });
            }
            all.wait();
            // One that must wait, and is let in when another ends.
            let waits = scope.spawn(|| readers.read(|reading| short(reading.sql)));
            for _ in 0..3 {
                assert!(matches!(readers.lend(short), Ok(7)));
            }
            assert!(!waits.is_finished());
            done.wait();
            assert!(matches!(waits.join().unwrap(), Ok(7)));
        });
        let state = readers.state.lock();
        assert_eq!((state.lent, state.long), (0, 0));
    }
}
