//! The tables, their version, and the road from one version to the next.
//!
//! Mailboxes and mail carry their account in the upper bits of their id ([`key`]): so the account leads every
//! primary key, one account's rows lie together, and two integers are compared instead of four.

use crate::StoreError;
use base::{AccountId, MailId, MailboxId};
use rusqlite::Connection;
use std::path::Path;

/// `Mlwd`: tells our files from other programs' databases.
const APPLICATION_ID: i32 = 0x4d6c_7764;

/// Octets of a page. A commit writes each page that it changes as a whole, in a dozen places for one message, before the
/// one 250 that waits for it: with pages of 8 KiB that took a quarter longer.
pub(super) const PAGE_OCTETS: u32 = 4096;

/// The database's file in the store's directory.
pub(super) const FILE: &str = "mail.db";

/// Bits of an id that count within the account.
const NUMBER_BITS: u32 = 40;

/// The largest account number that an id has room for.
pub(super) const LAST_ACCOUNT: i64 = (1 << (63 - NUMBER_BITS)) - 1;

/// Owner of what belongs to no account: the queue's and quarantine's mail.
pub(super) const NOBODY: AccountId = AccountId(0);

/// An id within an account: the account above, the account's own count below.
pub(super) fn key(of: AccountId, number: i64) -> i64 {
    (int(of.0) << NUMBER_BITS) | number
}

/// The account that an id belongs to.
pub(super) fn owner(id: i64) -> AccountId {
    AccountId((id >> NUMBER_BITS) as u64)
}

/// The account's INBOX: always its first mailbox.
pub(super) fn inbox(of: AccountId) -> i64 {
    key(of, 1)
}

/// First and last id that the account can have.
pub(super) fn range(of: AccountId) -> (i64, i64) {
    (key(of, 0), key(of, (1 << NUMBER_BITS) - 1))
}

/// A mailbox's id as it is kept, if it is this account's.
pub(super) fn own_mailbox(of: AccountId, mailbox: MailboxId) -> Option<i64> {
    i64::try_from(mailbox.0).ok().filter(|id| owner(*id) == of)
}

/// A mail's id as it is kept, if it is this account's.
pub(super) fn own_mail(of: AccountId, mail: MailId) -> Option<i64> {
    i64::try_from(mail.0).ok().filter(|id| owner(*id) == of)
}

/// SQLite's integers are signed; none of ours comes near the top.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Version by version: step N leads from version N to N + 1.
const STEPS: &[&str] = &[
    VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7, VERSION_8, VERSION_9,
    VERSION_10, VERSION_11, VERSION_12, VERSION_13, VERSION_14,
];

const VERSION_1: &str = "
-- What belongs to the whole store: its UIDVALIDITY counter, its vault's fingerprint.
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('uid_validity', 0);

CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE domain (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  catch_all INTEGER REFERENCES account(id) ON DELETE SET NULL
);
CREATE TABLE account (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain INTEGER NOT NULL REFERENCES domain(id),
  local TEXT NOT NULL,                 -- folded
  address TEXT NOT NULL,
  suspended INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 1,
  credentials BLOB NOT NULL,           -- sealed
  pop3_keeps INTEGER NOT NULL DEFAULT 1,
  UNIQUE (domain, local)
);
CREATE INDEX account_local ON account (local);
CREATE INDEX domain_catch_all ON domain (catch_all) WHERE catch_all IS NOT NULL;
CREATE TABLE alias (
  domain INTEGER NOT NULL REFERENCES domain(id),
  local TEXT NOT NULL,                 -- folded
  address TEXT NOT NULL,
  send_as INTEGER NOT NULL,
  PRIMARY KEY (domain, local)
) WITHOUT ROWID;
CREATE INDEX alias_local ON alias (local);
CREATE TABLE alias_target (
  domain INTEGER NOT NULL,
  local TEXT NOT NULL,
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  PRIMARY KEY (domain, local, account),
  FOREIGN KEY (domain, local) REFERENCES alias (domain, local) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX alias_target_account ON alias_target (account);

-- What changes with each message of an account, apart from what it is, so that the rows stay small.
CREATE TABLE ledger (
  account INTEGER PRIMARY KEY,
  modseq INTEGER NOT NULL DEFAULT 1,
  mails INTEGER NOT NULL DEFAULT 0,      -- the last mail's number
  mailboxes INTEGER NOT NULL DEFAULT 0,  -- the last mailbox's number
  segments INTEGER NOT NULL DEFAULT 0,   -- the last text segment's number
  octets INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  quota_octets INTEGER,
  quota_messages INTEGER
);
INSERT INTO ledger (account) VALUES (0);

CREATE TABLE mailbox (
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  special INTEGER,
  uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL DEFAULT 1,
  modseq INTEGER NOT NULL,
  floor INTEGER NOT NULL DEFAULT 0,      -- tombstones up to here are gone
  recent INTEGER NOT NULL DEFAULT 1,     -- the first UID that no session was told of
  messages INTEGER NOT NULL DEFAULT 0,
  unseen INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  octets INTEGER NOT NULL DEFAULT 0,
  deleted_octets INTEGER NOT NULL DEFAULT 0,
  UNIQUE (account, name),
  UNIQUE (account, special)
);
CREATE TABLE subscription (
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE keyword (
  mailbox INTEGER NOT NULL,
  name TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (mailbox, name)
) WITHOUT ROWID;

-- A message in a mailbox.
CREATE TABLE message (
  mailbox INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  created INTEGER NOT NULL,              -- the MODSEQ with which it came
  flags INTEGER NOT NULL,
  internal_date INTEGER NOT NULL,
  saved INTEGER NOT NULL,
  mail INTEGER NOT NULL,
  thread INTEGER NOT NULL,
  size INTEGER NOT NULL,
  keywords TEXT,
  PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX message_modseq ON message (mailbox, modseq);
CREATE INDEX message_mail ON message (mail);
CREATE INDEX message_deleted ON message (mailbox, uid) WHERE flags & 8;

-- Runs of UIDs that are gone.
CREATE TABLE tombstone (
  mailbox INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  buried INTEGER NOT NULL,
  PRIMARY KEY (mailbox, modseq, first)
) WITHOUT ROWID;

-- A mail's content, shared by its copies within the account, and what lists are served from.
CREATE TABLE content (
  mail INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  blob BLOB,                             -- the file that holds the body, unless it is here
  layout BLOB NOT NULL,
  body BLOB
);
CREATE TABLE summary (
  mail INTEGER PRIMARY KEY,
  sealed BLOB NOT NULL
);
-- Threads by keyed hash of message ids.
CREATE TABLE reference (
  account INTEGER NOT NULL,
  hash INTEGER NOT NULL,
  thread INTEGER NOT NULL,
  PRIMARY KEY (account, hash)
) WITHOUT ROWID;

-- Which mail needs which blob: what nothing needs any more is let go.
CREATE TABLE blob_use (
  mail INTEGER NOT NULL,
  blob BLOB NOT NULL,
  PRIMARY KEY (mail, blob)
) WITHOUT ROWID;
CREATE INDEX blob_use_blob ON blob_use (blob);
CREATE TABLE attachment (
  domain INTEGER NOT NULL,
  hash BLOB NOT NULL,
  blob BLOB NOT NULL,
  PRIMARY KEY (domain, hash)
) WITHOUT ROWID;
CREATE INDEX attachment_blob ON attachment (blob);
CREATE TABLE dead_blob (blob BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX dead_blob_since ON dead_blob (since);

-- Mail that no mailbox holds any more, until it is cleared away.
CREATE TABLE unheld (mail INTEGER PRIMARY KEY, since INTEGER NOT NULL);
CREATE INDEX unheld_since ON unheld (since);
-- Mail that can be had back.
CREATE TABLE removed (
  mail INTEGER NOT NULL,
  mailbox INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  name TEXT NOT NULL,
  removed INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  internal_date INTEGER NOT NULL,
  thread INTEGER NOT NULL,
  size INTEGER NOT NULL,
  keywords TEXT,
  PRIMARY KEY (mail, mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX removed_when ON removed (removed);

CREATE TABLE queue (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  trace BLOB NOT NULL,
  mail INTEGER NOT NULL,
  account INTEGER,
  domain INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,
  recipient TEXT NOT NULL,
  size INTEGER NOT NULL,
  smtputf8 INTEGER NOT NULL,
  since INTEGER NOT NULL
);
CREATE INDEX queue_mail ON queue (mail);
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  trace BLOB NOT NULL,
  mail INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,
  recipient TEXT,
  reason TEXT NOT NULL,
  instead_of BLOB NOT NULL,
  smtputf8 INTEGER NOT NULL,
  since INTEGER NOT NULL
);
CREATE INDEX quarantine_mail ON quarantine (mail);

-- The text index: mail not in it yet, and its sealed segments.
CREATE TABLE unindexed (mail INTEGER PRIMARY KEY);
CREATE TABLE text_segment (
  id INTEGER PRIMARY KEY,
  level INTEGER NOT NULL,
  mails INTEGER NOT NULL,
  words BLOB NOT NULL
);
CREATE TABLE text_posting (
  segment INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (segment, chunk)
) WITHOUT ROWID;
";

/// The queue is sent: when each entry is due, for whom, and what came of it so far.
const VERSION_2: &str = "
ALTER TABLE queue ADD COLUMN destination TEXT NOT NULL DEFAULT '';
ALTER TABLE queue ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN deadline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN held TEXT;
ALTER TABLE queue ADD COLUMN last TEXT NOT NULL DEFAULT '';
UPDATE queue SET due = since, deadline = since,
  -- What stands behind the last @.
  destination = lower(substr(recipient, length(rtrim(recipient, replace(recipient, '@', ''))) + 1));
CREATE INDEX queue_due ON queue (destination, due) WHERE held IS NULL;
CREATE INDEX queue_deadline ON queue (deadline) WHERE held IS NULL;
CREATE INDEX queue_account ON queue (account);
";

/// What senders ask for of queued mail, and when it was tried last.
const VERSION_3: &str = "
ALTER TABLE queue ADD COLUMN tried INTEGER;
ALTER TABLE queue ADD COLUMN terms TEXT NOT NULL DEFAULT '';
";

/// What is to be held that is queued later.
const VERSION_4: &str = "
CREATE TABLE queue_hold (
  kind TEXT NOT NULL,      -- 'account' or 'destination'
  key NOT NULL,            -- its number, its name
  why TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
";

/// What was moved in is known again: by keyed hashes, of which none tells what it stands for.
const VERSION_5: &str = "
CREATE TABLE moved_in (
  account INTEGER NOT NULL,
  mark BLOB NOT NULL,
  PRIMARY KEY (account, mark)
) WITHOUT ROWID;
";

/// What users want done with their mail; at most one script of an account is active.
const VERSION_6: &str = "
CREATE TABLE script (
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 0,
  sealed BLOB NOT NULL,
  UNIQUE (account, name)
);
CREATE UNIQUE INDEX script_active ON script (account) WHERE active;
";

/// What happened to each message, and how its content finds its story.
const VERSION_7: &str = "
CREATE TABLE story (
  refused INTEGER NOT NULL,                -- 1: it was not taken
  trace BLOB NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,                     -- milliseconds
  what TEXT NOT NULL,
  sender TEXT NOT NULL COLLATE NOCASE,
  recipient TEXT NOT NULL COLLATE NOCASE,
  by_whom TEXT NOT NULL,
  said TEXT NOT NULL,
  account INTEGER,
  mailbox INTEGER,
  number INTEGER NOT NULL,
  other BLOB,
  PRIMARY KEY (refused, trace, seq)
) WITHOUT ROWID;
ALTER TABLE content ADD COLUMN trace BLOB;
";

/// Keys that authorize URLs of a mailbox (RFC 4467).
const VERSION_8: &str = "
CREATE TABLE url_key (
  mailbox INTEGER PRIMARY KEY,
  sealed BLOB NOT NULL
);
";

/// What users note on mailboxes, and on the server.
const VERSION_9: &str = "
CREATE TABLE annotation (
  place INTEGER NOT NULL,                -- a mailbox; the account's key 0: the server, as the account sees it
  reader INTEGER NOT NULL,               -- whose it is; 0: shared
  entry TEXT NOT NULL,
  octets INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (place, reader, entry)
) WITHOUT ROWID;
CREATE INDEX annotation_reader ON annotation (reader);
";

/// What others may do in a mailbox, and from which addresses of others accounts may send.
const VERSION_10: &str = "
CREATE TABLE acl (
  mailbox INTEGER NOT NULL,
  who INTEGER NOT NULL,                  -- an account; 0: anyone of the owner's domain
  negative INTEGER NOT NULL,             -- whether these rights are taken away
  rights INTEGER NOT NULL,
  PRIMARY KEY (mailbox, who, negative)
) WITHOUT ROWID;
CREATE INDEX acl_who ON acl (who);
CREATE TABLE send_as (
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  domain TEXT NOT NULL,
  local TEXT NOT NULL,                   -- folded
  address TEXT NOT NULL,
  PRIMARY KEY (account, domain, local)
) WITHOUT ROWID;
";

/// Groups and lists, and what became of mail to their members.
const VERSION_11: &str = "
CREATE TABLE list (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain INTEGER NOT NULL REFERENCES domain(id),
  local TEXT NOT NULL,                 -- folded
  address TEXT NOT NULL,
  is_group INTEGER NOT NULL,
  posters TEXT NOT NULL,
  tag TEXT,
  answers_to_list INTEGER NOT NULL,
  UNIQUE (domain, local)
);
CREATE TABLE list_member (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  list INTEGER NOT NULL REFERENCES list(id) ON DELETE CASCADE,
  folded TEXT NOT NULL,
  address TEXT NOT NULL,
  moderates INTEGER NOT NULL,
  bounces INTEGER NOT NULL DEFAULT 0,
  bounced INTEGER NOT NULL DEFAULT 0,  -- when last
  why TEXT NOT NULL DEFAULT '',
  suspended INTEGER,
  asked INTEGER NOT NULL DEFAULT 0,    -- when, whether it wants to leave
  UNIQUE (list, folded)
);
";

/// One row tells how a message came and where it went.
const VERSION_12: &str = "
ALTER TABLE story ADD COLUMN octets INTEGER; -- of a message, where the row tells that it came, too
";

/// What can be had back is counted, and found by account: it has a bound of its own.
const VERSION_13: &str = "
CREATE INDEX removed_account ON removed (mail >> 40, removed);
ALTER TABLE ledger ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;  -- octets
UPDATE ledger SET removed = kept.octets
  FROM (SELECT mail >> 40 AS account, sum(size) AS octets FROM removed GROUP BY 1) AS kept
  WHERE kept.account = ledger.account;
CREATE TRIGGER removed_kept AFTER INSERT ON removed BEGIN
  UPDATE ledger SET removed = removed + new.size WHERE account = new.mail >> 40;
END;
CREATE TRIGGER removed_gone AFTER DELETE ON removed BEGIN
  UPDATE ledger SET removed = removed - old.size WHERE account = old.mail >> 40;
END;
";

/// What accounts remember for a while, by keyed hashes; what is to be done with their mail besides their scripts.
const VERSION_14: &str = "
CREATE TABLE remembered (
  account INTEGER NOT NULL,
  mark BLOB NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (account, mark)
) WITHOUT ROWID;
CREATE INDEX remembered_until ON remembered (until);
CREATE TABLE standing (account INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
";

/// What every connection is told.
const EVERY: &str = "
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
";

/// Opens the one connection that writes, making or upgrading the database.
pub(crate) fn open_writer(directory: &Path) -> Result<Connection, StoreError> {
    upgrade_to(directory, STEPS)
}

/// As a program whose newest version this was opens it.
#[cfg(test)]
pub(crate) fn open_version(directory: &Path, version: usize) -> Result<Connection, StoreError> {
    upgrade_to(directory, &STEPS[..version])
}

/// Opens a connection that can only read.
pub(super) fn open_reader(directory: &Path) -> rusqlite::Result<Connection> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.join(FILE), flags)?;
    connection.execute_batch(EVERY)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024;")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a connection that does nothing but checkpoints.
pub(super) fn open_checkpointer(directory: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(directory.join(FILE))?;
    connection.execute_batch(EVERY)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -256;",
    )?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    Ok(connection)
}

fn upgrade_to(directory: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
    let path = directory.join(FILE);
    for_owner_only(&path).map_err(|e| StoreError::Failed(format!("{}: {e}", path.display())))?;
    let mut connection = Connection::open(path)?;
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_OCTETS};"))?;
    let known = steps.len() as i64;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != 0 && application != APPLICATION_ID || application == 0 && version != 0 {
        return Err(StoreError::Failed(format!("{FILE} is not a database of Mailward's")));
    }
    if version > known {
        let message = format!(
            "the store was written by a newer Mailward (schema {version}; this one knows up to {known}): \
             use that version, or restore a backup"
        );
        return Err(StoreError::Failed(message));
    }
    if version == 0 {
        // Only a database that is made so can give pages back to the disk. Later this would only write, each time, and
        // so keep a store on a full disk from opening.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL;")?;
    }
    if version > 0 && version < known {
        snapshot(&connection, directory, version)?;
    }
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 33554432;",
    )?;
    connection.execute_batch(EVERY)?;
    if version < known {
        let todo = steps.get(usize::try_from(version).unwrap_or(0)..).unwrap_or_default();
        let transaction = connection.transaction()?;
        todo.iter().try_for_each(|step| transaction.execute_batch(step))?;
        transaction.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};"
        ))?;
        transaction.commit()?;
    }
    connection.set_prepared_statement_cache_capacity(256);
    // Nobody else writes; a checkpoint that meets a reader is tried again later rather than waited for.
    connection.busy_timeout(std::time::Duration::ZERO)?;
    Ok(connection)
}

/// Makes the database's file, for the owner only: what SQLite puts beside it has the same mode.
fn for_owner_only(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// Keeps the database as it was before an upgrade. One that exists already is of an attempt that failed, and of
/// the same content: going back to one (`rollback`) renames it.
fn snapshot(connection: &Connection, directory: &Path, version: i64) -> Result<(), StoreError> {
    let name = directory.join(format!("{FILE}.before-upgrade-from-{version}"));
    if name.exists() {
        return Ok(());
    }
    // Under its final name only once it is whole.
    let partial = name.with_extension("partial");
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(|e| StoreError::Failed(e.to_string()))?;
    }
    for_owner_only(&partial).map_err(|e| StoreError::Failed(e.to_string()))?;
    connection.execute("VACUUM INTO ?1", [partial.to_string_lossy()])?;
    let keep = || -> std::io::Result<()> {
        std::fs::File::open(&partial)?.sync_all()?;
        std::fs::rename(&partial, &name)?;
        std::fs::File::open(directory)?.sync_all()
    };
    keep().map_err(|e| StoreError::Failed(format!("snapshot before the upgrade: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(directory: &Path) -> i64 {
        let connection = Connection::open(directory.join(FILE)).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn upgrades_keep_everything_and_newer_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let first = upgrade_to(place.path(), &["CREATE TABLE a (x)"]).unwrap();
        first.execute("INSERT INTO a VALUES (7)", []).unwrap();
        drop(first);

        // A step that fails half-way leaves the old version whole.
        let broken = ["CREATE TABLE a (x)", "ALTER TABLE a ADD y; SELECT no_such_function()"];
        assert!(upgrade_to(place.path(), &broken).is_err());
        assert_eq!(version(place.path()), 1);

        let steps =
            ["CREATE TABLE a (x)", "ALTER TABLE a ADD y DEFAULT 8", "CREATE TABLE b AS SELECT x, y FROM a"];
        let third = upgrade_to(place.path(), &steps).unwrap();
        let row =
            third.query_row("SELECT x, y FROM b", [], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)));
        assert_eq!(row, Ok((7, 8)));
        drop(third);
        assert_eq!(version(place.path()), 3);
        assert_eq!(version_of_snapshot(place.path()), 1);
        for file in std::fs::read_dir(place.path()).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }

        let Err(StoreError::Failed(why)) = upgrade_to(place.path(), &["CREATE TABLE a (x)"]) else {
            panic!("a newer version was opened")
        };
        assert!(why.contains("newer Mailward (schema 3; this one knows up to 1)"), "{why}");
    }

    fn version_of_snapshot(directory: &Path) -> i64 {
        let snapshot = directory.join(format!("{FILE}.before-upgrade-from-1"));
        let connection = Connection::open(snapshot).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_was_queued_stays_queued() {
        let place = tempfile::tempdir().unwrap();
        let first = upgrade_to(place.path(), &STEPS[..1]).unwrap();
        let sql = "INSERT INTO queue (trace, mail, domain, reverse_path, recipient, size, smtputf8, since)
                   VALUES (x'00', 1, 1, 'a@example.net', ?1, 10, 0, 77)";
        for recipient in ["b@example.com", "\"x@y\"@example.org", "c@[192.0.2.1]"] {
            first.execute(sql, [recipient]).unwrap();
        }
        drop(first);
        let upgraded = open_writer(place.path()).unwrap();
        let mut statement = upgraded.prepare("SELECT destination, due FROM queue ORDER BY id").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(String, i64)> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(
            rows,
            [("example.com".into(), 77), ("example.org".into(), 77), ("[192.0.2.1]".into(), 77)]
        );
    }

    /// Versions 11 and 14 add lists and what accounts remember, and take nothing away.
    #[test]
    fn scripts_outlive_the_upgrade() {
        let place = tempfile::tempdir().unwrap();
        let first = upgrade_to(place.path(), &STEPS[..10]).unwrap();
        first.execute("INSERT INTO script VALUES (1, 7, 'main', 1, x'00')", []).unwrap();
        drop(first);
        let upgraded = open_writer(place.path()).unwrap();
        for (sql, expected) in [
            ("SELECT count(*) FROM script WHERE account = 7 AND active", 1),
            ("SELECT count(*) FROM list", 0),
            ("SELECT count(*) FROM list_member", 0),
            ("SELECT count(*) FROM remembered", 0),
            ("SELECT count(*) FROM standing", 0),
        ] {
            assert_eq!(upgraded.query_row(sql, [], |row| row.get::<_, i64>(0)), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn what_was_kept_before_stories_has_none() {
        let place = tempfile::tempdir().unwrap();
        let older = upgrade_to(place.path(), &STEPS[..6]).unwrap();
        older.execute("INSERT INTO content (mail, size, layout) VALUES (7, 10, x'01')", []).unwrap();
        drop(older);
        let upgraded = open_writer(place.path()).unwrap();
        let sql = "SELECT size, trace IS NULL, (SELECT count(*) FROM story) FROM content WHERE mail = 7";
        let row =
            |r: &rusqlite::Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, bool>(1)?, r.get::<_, i64>(2)?));
        assert_eq!(upgraded.query_row(sql, [], row), Ok((10, true, 0)));
    }

    #[test]
    fn what_was_kept_before_sharing_is_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let older = upgrade_to(place.path(), &STEPS[..8]).unwrap();
        let mailbox =
            "INSERT INTO mailbox (id, account, name, uid_validity, modseq) VALUES (7, 1, 'INBOX', 1, 1)";
        older.execute(mailbox, []).unwrap();
        drop(older);
        let upgraded = open_writer(place.path()).unwrap();
        let sql = "SELECT name, (SELECT count(*) FROM annotation) + (SELECT count(*) FROM acl)
                   + (SELECT count(*) FROM send_as) FROM mailbox WHERE id = 7";
        let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?));
        assert_eq!(upgraded.query_row(sql, [], row), Ok(("INBOX".into(), 0)));
    }

    #[test]
    fn what_was_kept_before_url_keys_has_none() {
        let place = tempfile::tempdir().unwrap();
        let older = upgrade_to(place.path(), &STEPS[..7]).unwrap();
        older.execute("INSERT INTO content (mail, size, layout) VALUES (7, 10, x'01')", []).unwrap();
        drop(older);
        let upgraded = open_writer(place.path()).unwrap();
        let sql = "SELECT size, (SELECT count(*) FROM url_key) FROM content WHERE mail = 7";
        let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?));
        assert_eq!(upgraded.query_row(sql, [], row), Ok((10, 0)));
    }

    #[test]
    fn stories_go_on() {
        let place = tempfile::tempdir().unwrap();
        let older = upgrade_to(place.path(), &STEPS[..11]).unwrap();
        let sql =
            "INSERT INTO story (refused, trace, seq, at, what, sender, recipient, by_whom, said, number)
                   VALUES (0, x'07', 1, 5, 'came', 'a@example.net', '', 'mx', '', 10)";
        older.execute(sql, []).unwrap();
        drop(older);
        let upgraded = open_writer(place.path()).unwrap();
        let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<i64>>(1)?));
        assert_eq!(upgraded.query_row("SELECT number, octets FROM story", [], row), Ok((10, None)));
    }

    #[test]
    fn what_was_removed_is_counted() {
        let place = tempfile::tempdir().unwrap();
        let older = upgrade_to(place.path(), &STEPS[..12]).unwrap();
        older.execute("INSERT INTO ledger (account) VALUES (1), (2)", []).unwrap();
        let remove = |sql: &Connection, of: u64, uid: u32, size: i64| {
            let row = "INSERT INTO removed VALUES (?1, 1, ?2, 'INBOX', 77, 0, 77, 1, ?3, NULL)";
            sql.execute(row, (key(AccountId(of), 5), uid, size)).unwrap();
        };
        remove(&older, 1, 1, 10);
        remove(&older, 1, 2, 20);
        drop(older);
        let upgraded = open_writer(place.path()).unwrap();
        let counts = || -> Vec<i64> {
            let mut statement = upgraded.prepare("SELECT removed FROM ledger ORDER BY account").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        assert_eq!(counts(), [0, 30, 0]);
        remove(&upgraded, 2, 1, 7);
        upgraded.execute("DELETE FROM removed WHERE uid = 2", []).unwrap();
        assert_eq!(counts(), [0, 10, 7]);
    }

    #[test]
    fn another_programs_database_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let other = Connection::open(place.path().join(FILE)).unwrap();
        other.execute_batch("PRAGMA application_id = 77; CREATE TABLE t (x)").unwrap();
        drop(other);
        assert!(matches!(open_writer(place.path()), Err(StoreError::Failed(_))));
    }
}
