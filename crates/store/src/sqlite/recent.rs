//! `\Recent` of RFC 3501 §2.3.2: which messages no session was told of. A hint, kept in memory and written now and
//! then, so that no SELECT waits for the disk.

use super::fault::Fault;
use super::writer::{Writer, first};
use super::{Sqlite, rows};
use base::mailbox::MailError;
use base::{AccountId, MailboxId, Uid};
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Mailboxes that may be held in memory before all are written.
const MOST: usize = 10_000;

/// The first recent UID of mailboxes where it is not yet as the database says.
#[derive(Default)]
pub(super) struct Recent(Mutex<HashMap<i64, u32>>);

impl Recent {
    /// The first recent UID, `kept` where only the database knows.
    pub(super) fn first(&self, mailbox: i64, kept: u32) -> u32 {
        self.0.lock().get(&mailbox).map_or(kept, |claimed| kept.max(*claimed))
    }

    /// Ends recency below a UID; whether it is time to write.
    fn claim(&self, mailbox: i64, below: u32) -> bool {
        let mut claimed = self.0.lock();
        let entry = claimed.entry(mailbox).or_insert(below);
        *entry = below.max(*entry);
        claimed.len() >= MOST
    }

    /// Has all of it written, and waits for nothing.
    pub(super) fn flush(&self, writer: &Writer) {
        let claimed: Vec<(i64, u32)> = self.0.lock().drain().collect();
        if claimed.is_empty() {
            return;
        }
        let write = move |work: &mut super::Work<'_>| {
            for (mailbox, below) in &claimed {
                work.run(
                    "UPDATE mailbox SET recent = max(recent, ?2) WHERE id = ?1",
                    params![mailbox, below],
                )?;
            }
            Ok(())
        };
        writer.submit(0, write, |_| {});
    }
}

impl Sqlite {
    pub(super) fn end_recency(&self, of: AccountId, mailbox: MailboxId, below: Uid) -> Result<Uid, Fault> {
        let (id, kept) = self.parts.readers.lend(|sql| {
            let id = rows::existing(sql, of, mailbox)?;
            let kept = first(sql, "SELECT recent FROM mailbox WHERE id = ?1", [id], |r| r.get(0))?;
            Ok((id, kept.ok_or(MailError::NoMailbox)?))
        })?;
        let recent = self.parts.recent.first(id, kept);
        if below.0 > recent && self.parts.recent.claim(id, below.0) {
            self.parts.recent.flush(&self.parts.writer);
        }
        Ok(Uid(recent))
    }
}

/// How many messages are recent from a UID on.
pub(super) fn count(
    sql: &Connection,
    mailbox: i64,
    from: u32,
    messages: u32,
    uid_next: u32,
) -> Result<u32, Fault> {
    if from <= 1 || from >= uid_next {
        return Ok(if from <= 1 { messages } else { 0 });
    }
    let query = "SELECT count(*) FROM message WHERE mailbox = ?1 AND uid >= ?2";
    Ok(first(sql, query, params![mailbox, from], |r| r.get(0))?.unwrap_or(0))
}
