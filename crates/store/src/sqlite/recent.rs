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
use std::sync::Arc;

/// Mailboxes that may be held in memory before all are written.
const MOST: usize = 10_000;

/// The first recent UID of mailboxes where it is not yet as the database says.
#[derive(Default)]
pub(super) struct Recent(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    claimed: HashMap<i64, u32>,
    /// Some of it is on its way to the database.
    writing: bool,
    /// How often some was left to the database: what was read there before that may be old.
    forgotten: u64,
}

impl Recent {
    /// The first recent UID, `kept` where only the database knows.
    pub(super) fn first(&self, mailbox: i64, kept: u32) -> u32 {
        self.0.lock().claimed.get(&mailbox).map_or(kept, |claimed| kept.max(*claimed))
    }

    /// What [`Recent::claim`] is to be given, taken before the database is asked.
    fn age(&self) -> u64 {
        self.0.lock().forgotten
    }

    /// Ends recency below a UID; the first that was recent till now, and whether it is time to write. One step, so that
    /// of two sessions only one is told of a message. None where `kept` may be older than what was left to the database.
    fn claim(&self, mailbox: i64, kept: u32, below: u32, age: u64) -> Option<(u32, bool)> {
        let mut state = self.0.lock();
        let first = match state.claimed.get(&mailbox) {
            Some(claimed) => kept.max(*claimed),
            None if state.forgotten == age => kept,
            None => return None,
        };
        if below > first {
            state.claimed.insert(mailbox, below);
        }
        Some((first, state.claimed.len() >= MOST))
    }

    /// Has all of it written, and waits for nothing. What is being written is known here until it is there.
    pub(super) fn flush(&self, writer: &Writer) {
        let claimed = {
            let mut state = self.0.lock();
            if state.writing || state.claimed.is_empty() {
                return;
            }
            state.writing = true;
            state.claimed.clone()
        };
        let (written, state) = (claimed.clone(), self.0.clone());
        let write = move |work: &mut super::Work<'_>| {
            for (mailbox, below) in &claimed {
                work.run(
                    "UPDATE mailbox SET recent = max(recent, ?2) WHERE id = ?1",
                    params![mailbox, below],
                )?;
            }
            Ok(())
        };
        writer.submit(0, write, move |outcome| {
            let mut state = state.lock();
            state.writing = false;
            if outcome.is_ok() {
                state.forgotten += 1;
                state.claimed.retain(|mailbox, below| written.get(mailbox) != Some(below));
            }
        });
    }
}

impl Sqlite {
    pub(super) fn end_recency(&self, of: AccountId, mailbox: MailboxId, below: Uid) -> Result<Uid, Fault> {
        let (recent, full) = loop {
            let age = self.parts.recent.age();
            let (id, kept) = self.parts.readers.lend(|sql| {
                let id = rows::existing(sql, of, mailbox)?;
                let kept = first(sql, "SELECT recent FROM mailbox WHERE id = ?1", [id], |r| r.get(0))?;
                Ok((id, kept.ok_or(MailError::NoMailbox)?))
            })?;
            if let Some(claimed) = self.parts.recent.claim(id, kept, below.0, age) {
                break claimed;
            }
        };
        if full {
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
