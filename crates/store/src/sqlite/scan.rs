//! Reading a mailbox: its UIDs, its rows, what changed.

use super::fault::Fault;
use super::mailboxes::read_status;
use super::readers::Reading;
use super::schema::own_mail;
use super::{Sqlite, rows, summary};
use crate::StoredMessage;
use base::mailbox::{Changed, Changes, Columns, MailError, Opened, Row};
use base::{AccountId, Flags, Keyword, MailId, MailboxId, ModSeq, ThreadId, Timestamp, Uid};
use std::ops::ControlFlow;

/// UIDs further apart than this are looked up by themselves rather than read past.
const GAP: u32 = 16;
/// Rows between two looks at the clock.
const LOOK: usize = 1024;

type Each<'e> = &'e mut dyn FnMut(&Row<'_>) -> ControlFlow<()>;

impl Sqlite {
    pub(super) fn open_mailbox(&self, of: AccountId, mailbox: MailboxId) -> Result<Opened, Fault> {
        self.parts.readers.read(|reading| {
            let status = read_status(reading.sql, &self.parts.recent, of, mailbox)?;
            let id = mailbox.0 as i64;
            let mut uids = Vec::with_capacity(status.messages as usize);
            let mut first_unseen = None;
            // One walk for both: the first unseen one is mostly among the last.
            let sql = "SELECT uid, flags & 1 FROM message WHERE mailbox = ?1 ORDER BY uid";
            let mut statement = reading.sql.prepare_cached(sql)?;
            let mut rows = statement.query([id])?;
            while let Some(row) = rows.next()? {
                uids.push(Uid(row.get(0)?));
                if first_unseen.is_none() && !row.get::<_, bool>(1)? {
                    first_unseen = uids.last().copied();
                }
                if uids.len() % LOOK == 0 {
                    reading.check_time()?;
                }
            }
            Ok(Opened { status, uids, first_unseen, keywords: keywords(reading, id)? })
        })
    }

    pub(super) fn changes_of(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        since: ModSeq,
    ) -> Result<Changes, Fault> {
        self.parts.readers.read(|reading| {
            let status = read_status(reading.sql, &self.parts.recent, of, mailbox)?;
            let (id, since) = (mailbox.0 as i64, i64::try_from(since.0).unwrap_or(i64::MAX));
            let floor =
                super::writer::first(reading.sql, "SELECT floor FROM mailbox WHERE id = ?1", [id], |r| {
                    r.get::<_, i64>(0)
                })?;
            let mut changes = Changes {
                changed: Vec::new(),
                vanished: Vec::new(),
                complete: since >= floor.unwrap_or(0),
                highest_modseq: status.highest_modseq,
                uid_next: status.uid_next,
            };
            if since < rows_modseq(status.highest_modseq) {
                changes.changed = changed(reading, id, since)?;
                changes.vanished = vanished(reading, id, since)?;
            }
            Ok(changes)
        })
    }

    pub(super) fn scan_rows(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        columns: Columns,
        each: Each<'_>,
    ) -> Result<(), Fault> {
        self.parts.readers.read(|reading| {
            let id = rows::existing(reading.sql, of, mailbox)?;
            let mut plain = Vec::new();
            let mut rest = uids;
            while let Some(run) = next_run(&mut rest) {
                if self.scan_run(reading, id, run, columns, &mut plain, each)?.is_break() {
                    return Ok(());
                }
            }
            Ok(())
        })
    }

    /// Visits the rows of UIDs that lie close together.
    fn scan_run(
        &self,
        reading: &Reading<'_>,
        mailbox: i64,
        run: &[Uid],
        columns: Columns,
        plain: &mut Vec<u8>,
        each: Each<'_>,
    ) -> Result<ControlFlow<()>, Fault> {
        let sql = match columns.summary {
            true => {
                "SELECT uid, modseq, flags, keywords, internal_date, saved, m.mail, thread, size, sealed
                 FROM message m LEFT JOIN summary s ON s.mail = m.mail
                 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid"
            }
            false => {
                "SELECT uid, modseq, flags, keywords, internal_date, saved, mail, thread, size
                 FROM message WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid"
            }
        };
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(ControlFlow::Continue(()));
        };
        let mut statement = reading.sql.prepare_cached(sql)?;
        let mut rows = statement.query((mailbox, first.0, last.0))?;
        let mut wanted = run.iter().peekable();
        let mut visited = 0;
        while let Some(row) = rows.next()? {
            let uid = Uid(row.get(0)?);
            while wanted.next_if(|next| **next < uid).is_some() {}
            if wanted.peek() != Some(&&uid) {
                continue;
            }
            visited += 1;
            if visited % LOOK == 0 {
                reading.check_time()?;
            }
            let flags = flags_of(row, 2)?;
            let summary = match columns.summary {
                true => Some(self.unseal(row.get(6)?, row.get_ref(9)?, plain)?),
                false => None,
            };
            let visit = Row {
                mail: MailId(row.get::<_, i64>(6)? as u64),
                thread: ThreadId(row.get::<_, i64>(7)? as u64),
                uid,
                modseq: rows::modseq(row.get(1)?),
                flags: &flags,
                internal_date: Timestamp(row.get(4)?),
                saved: Timestamp(row.get(5)?),
                size: row.get::<_, i64>(8)?.unsigned_abs(),
                summary,
            };
            if each(&visit).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A mail's summary, opened into `plain`.
    pub(super) fn unseal<'p>(
        &self,
        mail: i64,
        sealed: rusqlite::types::ValueRef<'_>,
        plain: &'p mut Vec<u8>,
    ) -> Result<base::mailbox::Summary<'p>, Fault> {
        let sealed = sealed.as_blob().map_err(|_| Fault::broken("a message without its summary"))?;
        plain.clear();
        self.parts.vault.open_row(&summary::context(mail), sealed, plain)?;
        summary::split(plain).ok_or_else(|| Fault::broken("a summary"))
    }

    pub(super) fn read_mail(&self, of: AccountId, mail: MailId) -> Result<Box<dyn StoredMessage>, Fault> {
        // Mail of the queue and of quarantine belongs to nobody's account, and is read by the server itself.
        let id = own_mail(of, mail).ok_or(MailError::NoMessage)?;
        super::text::open(&self.parts, id)?.ok_or_else(|| MailError::NoMessage.into())
    }
}

/// The next UIDs that lie close together.
fn next_run<'u>(rest: &mut &'u [Uid]) -> Option<&'u [Uid]> {
    if rest.is_empty() {
        return None;
    }
    let far = |pair: &[Uid]| matches!(pair, [a, b] if b.0.saturating_sub(a.0) > GAP);
    let end = rest.windows(2).position(far).map_or(rest.len(), |at| at + 1);
    let (run, after) = rest.split_at(end);
    *rest = after;
    Some(run)
}

fn rows_modseq(modseq: ModSeq) -> i64 {
    i64::try_from(modseq.0).unwrap_or(i64::MAX)
}

/// The flags of a row: system flags in one column, keywords in the next.
pub(super) fn flags_of(row: &rusqlite::Row<'_>, column: usize) -> Result<Flags, Fault> {
    let keywords = row.get_ref(column + 1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    Ok(rows::flags(row.get(column)?, keywords))
}

fn keywords(reading: &Reading<'_>, mailbox: i64) -> Result<Vec<Keyword>, Fault> {
    let mut statement = reading.sql.prepare_cached("SELECT name FROM keyword WHERE mailbox = ?1")?;
    let mut rows = statement.query([mailbox])?;
    let mut keywords = Vec::new();
    while let Some(row) = rows.next()? {
        keywords.extend(Keyword::new(row.get_ref(0)?.as_str().unwrap_or_default()));
    }
    Ok(keywords)
}

fn changed(reading: &Reading<'_>, mailbox: i64, since: i64) -> Result<Vec<Changed>, Fault> {
    let sql = "SELECT uid, modseq, flags, keywords, created FROM message INDEXED BY message_modseq
               WHERE mailbox = ?1 AND modseq > ?2";
    let mut statement = reading.sql.prepare_cached(sql)?;
    let mut rows = statement.query([mailbox, since])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        if changed.len() % LOOK == 0 {
            reading.check_time()?;
        }
        changed.push(Changed {
            uid: Uid(row.get(0)?),
            modseq: rows::modseq(row.get(1)?),
            flags: flags_of(row, 2)?,
            new: row.get::<_, i64>(4)? > since,
        });
    }
    changed.sort_unstable_by_key(|one| one.uid);
    Ok(changed)
}

fn vanished(reading: &Reading<'_>, mailbox: i64, since: i64) -> Result<Vec<Uid>, Fault> {
    let sql = "SELECT first, last FROM tombstone WHERE mailbox = ?1 AND modseq > ?2";
    let mut statement = reading.sql.prepare_cached(sql)?;
    let mut rows = statement.query([mailbox, since])?;
    let mut vanished = Vec::new();
    while let Some(row) = rows.next()? {
        reading.check_time()?;
        let (first, last): (u32, u32) = (row.get(0)?, row.get(1)?);
        vanished.extend((first..=last).map(Uid));
    }
    vanished.sort_unstable();
    Ok(vanished)
}
