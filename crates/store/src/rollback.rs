//! Back to the database as it was before an upgrade: `mailward rollback`.

use crate::StoreError;
use crate::backup::{failed, open_copy};
use crate::sqlite::schema_file;
use base::Timestamp;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A database that an upgrade left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The schema's version in it.
    pub version: i64,
    /// When it was made.
    pub made: Timestamp,
    /// Octets of the file.
    pub octets: u64,
    path: PathBuf,
}

/// What going back to a snapshot loses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Messages that came into mailboxes since.
    pub messages: u64,
    /// Messages that were put into the queue since.
    pub queued: u64,
    /// Accounts that were made since.
    pub accounts: u64,
}

/// The snapshots of a store, the oldest version first.
pub fn snapshots(store: &Path) -> Result<Vec<Snapshot>, StoreError> {
    let prefix = format!("{}.before-upgrade-from-", schema_file());
    let entries = fs::read_dir(store).map_err(|e| failed(format!("{}: {e}", store.display())))?;
    let found = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let version = name.strip_prefix(&prefix)?.parse().ok()?;
        let about = entry.metadata().ok()?;
        let made = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let made = Timestamp(i64::try_from(made.as_secs()).ok()?);
        Some(Snapshot { version, made, octets: about.len(), path: entry.path() })
    });
    let mut found: Vec<Snapshot> = found.collect();
    found.sort_by_key(|snapshot| snapshot.version);
    Ok(found)
}

/// What going back to a snapshot would lose: what the database has now and had not then.
pub fn loss(store: &Path, snapshot: &Snapshot) -> Result<Loss, StoreError> {
    let now = open_copy(&store.join(schema_file()))?;
    let then = snapshot.made.0;
    let count = |sql: &str| -> Result<u64, StoreError> {
        let count: i64 = now.query_row(sql, [then], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let last: i64 =
        open_copy(&snapshot.path)?
            .query_row("SELECT coalesce(max(id), 0) FROM account", [], |row| row.get(0))?;
    let accounts: i64 =
        now.query_row("SELECT count(*) FROM account WHERE id > ?1", [last], |row| row.get(0))?;
    Ok(Loss {
        messages: count("SELECT count(*) FROM message WHERE saved >= ?1")?,
        queued: count("SELECT count(*) FROM queue WHERE since >= ?1")?,
        accounts: accounts.unsigned_abs(),
    })
}

/// Puts a snapshot in place of the database, which is kept under another name; gives that. The snapshot is renamed, too:
/// the next upgrade keeps the database as it will be then. Nobody may have the store open.
pub fn rollback(store: &Path, snapshot: &Snapshot) -> Result<PathBuf, StoreError> {
    let _alone = crate::sqlite::alone(store)?;
    let current = store.join(schema_file());
    {
        // What lies in the log belongs into the file that is kept.
        let connection = Connection::open(&current)?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    }
    let stamp = Timestamp::now().to_string().replace(':', "-");
    let kept = store.join(format!("{}.before-rollback-{stamp}", schema_file()));
    let used = store.join(format!("{}.rolled-back-to-{}-{stamp}", schema_file(), snapshot.version));
    // A copy first: should this break off, the snapshot is still there to go back to.
    let passing = store.join(format!("{}.passing", schema_file()));
    let broken = |e| failed(format!("going back in {}: {e}", store.display()));
    // A log that an earlier one left, broken off, belongs to another copy.
    for end in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(store.join(format!("{}.passing{end}", schema_file()))) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(broken(e)),
            _ => {}
        }
    }
    fs::copy(&snapshot.path, &passing).map_err(broken)?;
    // Before it counts: a crash in between would have numbers given again that clients know already.
    crate::backup::leave_gaps(&passing)?;
    let step = || -> std::io::Result<()> {
        fs::File::open(&passing)?.sync_all()?;
        fs::rename(&current, &kept)?;
        fs::rename(&passing, &current)?;
        fs::rename(&snapshot.path, &used)?;
        fs::File::open(store)?.sync_all()
    };
    step().map_err(broken)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_to_before_an_upgrade() {
        let place = tempfile::tempdir().unwrap();
        let store = place.path();
        drop(crate::sqlite::open_writer(store).unwrap());
        let database = store.join(schema_file());
        let snapshot = store.join(format!("{}.before-upgrade-from-2", schema_file()));
        fs::copy(&database, &snapshot).unwrap();
        let now = Connection::open(&database).unwrap();
        now.execute_batch(
            "INSERT INTO message VALUES (1, 1, 1, 1, 0, 0, 9999999999, 1, 1, 1, NULL);
             INSERT INTO domain VALUES (1, 'example.test', NULL);
             INSERT INTO account (domain, local, address, credentials) VALUES (1, 'a', 'a@example.test', x'00');",
        )
        .unwrap();
        drop(now);
        let found = snapshots(store).unwrap();
        assert_eq!(found.iter().map(|one| one.version).collect::<Vec<_>>(), [2]);
        assert_eq!(loss(store, &found[0]).unwrap(), Loss { messages: 1, queued: 0, accounts: 1 });

        let held = crate::sqlite::alone(store).unwrap();
        assert!(rollback(store, &found[0]).is_err(), "a server that runs is not pulled away its database");
        drop(held);
        let log = store.join(format!("{}.passing-wal", schema_file()));
        fs::write(&log, b"of one that broke off").unwrap();
        let kept = rollback(store, &found[0]).unwrap();
        assert!(!log.exists());
        let messages = |path: &Path| -> i64 {
            open_copy(path).unwrap().query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap()
        };
        assert_eq!((messages(&database), messages(&kept)), (0, 1));
        assert_eq!(snapshots(store).unwrap(), [], "an upgrade would take it for one of its own");
        fs::write(&snapshot, b"no database").unwrap();
        let failing = snapshots(store).unwrap().remove(0);
        assert!(rollback(store, &failing).is_err());
        assert_eq!(messages(&database), 0, "what can't be given its gaps does not take the database's place");
        assert_eq!(snapshots(store).unwrap().len(), 1, "what broke off can be tried again");
    }

    #[test]
    fn the_next_upgrade_keeps_what_came_since() {
        let place = tempfile::tempdir().unwrap();
        let store = place.path();
        let database = store.join(schema_file());
        let queued = |path: &Path| -> i64 {
            open_copy(path).unwrap().query_row("SELECT count(*) FROM queue", [], |row| row.get(0)).unwrap()
        };
        drop(crate::sqlite::open_version(store, 2).unwrap());
        drop(crate::sqlite::open_writer(store).unwrap());
        rollback(store, &snapshots(store).unwrap()[0]).unwrap();
        let back = crate::sqlite::open_version(store, 2).unwrap();
        back.execute_batch(
            "INSERT INTO queue (trace, mail, domain, reverse_path, recipient, size, smtputf8, since, destination)
             VALUES (x'00', 1, 1, 'a@example.net', 'b@example.com', 10, 0, 77, 'example.com')",
        )
        .unwrap();
        drop(back);
        drop(crate::sqlite::open_writer(store).unwrap());
        let again = snapshots(store).unwrap();
        assert_eq!(again.iter().map(|one| (one.version, queued(&one.path))).collect::<Vec<_>>(), [(2, 1)]);
        assert_eq!(queued(&database), 1);
    }
}
