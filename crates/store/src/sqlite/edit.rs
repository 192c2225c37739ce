//! Changing what lies in mailboxes: flags, expunge, copy, move, remove and have back.
//!
//! Long lists are worked on in pieces, so that no delivery waits behind one for long; a copy or a move is one piece,
//! because it is all or nothing.

use super::Sqlite;
use super::fault::Fault;
use super::rows::{self, NewRow, Tally};
use super::scan::flags_of;
use super::schema::{inbox, int, own_mail, own_mailbox};
use super::story;
use super::summary;
use super::writer::{Work, first};
use crate::story::What;
use crate::{Leaving, Recoverable};
use base::mailbox::{Changed, Copied, FlagEdit, MailError, Stored};
use base::{
    AccountId, Flag, Flags, MailId, MailboxId, MailboxName, ModSeq, Rights, Timestamp, Uid, UidValidity,
};
use rusqlite::{Connection, params};
use std::sync::Arc;

/// Messages in one piece of work.
const PIECE: usize = 2000;
/// Recovered messages in one piece of work.
const RECOVERED: usize = 200;

impl Sqlite {
    pub(super) fn edit_flags(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
        rights: Rights,
    ) -> Result<Stored, Fault> {
        let mut stored = Stored { done: Vec::with_capacity(uids.len()), modified: Vec::new() };
        let (edit, limit) = (Arc::new(edit.clone()), self.parts.settings.limits.keywords);
        for piece in pieces(uids) {
            let edit = edit.clone();
            let part = self.write(move |work| {
                let id = rows::existing(work.sql(), of, mailbox)?;
                edit_piece(work, of, id, &piece, &edit, unchanged_since, (rights, limit))
            })?;
            stored.done.extend(part.done);
            stored.modified.extend(part.modified);
        }
        Ok(stored)
    }

    pub(super) fn expunge_mail(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: Option<&[Uid]>,
    ) -> Result<Vec<Uid>, Fault> {
        let flagged = self.parts.readers.lend(|sql| flagged_deleted(sql, of, mailbox))?;
        let chosen: Vec<Uid> = match uids {
            None => flagged,
            Some(uids) => flagged.into_iter().filter(|uid| uids.binary_search(uid).is_ok()).collect(),
        };
        self.remove_in_pieces(of, mailbox, &chosen, Removal::Expunge, self.keeps_deleted())
    }

    pub(super) fn remove_for_a_while(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<(), Fault> {
        self.remove_in_pieces(of, mailbox, uids, Removal::Remove, self.keeps_deleted()).map(drop)
    }

    pub(super) fn remove_for_good(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<(), Fault> {
        self.remove_in_pieces(of, mailbox, uids, Removal::Remove, false).map(drop)
    }

    /// Whether what is deleted stays recoverable. Where the disk is nearly full it makes room instead.
    pub(super) fn keeps_deleted(&self) -> bool {
        let settings = &self.parts.settings;
        !settings.keep_deleted.is_zero() && settings.keep_deleted_octets > 0 && self.parts.disk.has_room()
    }

    fn remove_in_pieces(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        how: Removal,
        kept: bool,
    ) -> Result<Vec<Uid>, Fault> {
        let mut gone = Vec::with_capacity(uids.len());
        for piece in pieces(uids) {
            gone.extend(self.write(move |work| {
                let id = rows::existing(work.sql(), of, mailbox)?;
                remove(work, of, id, &piece, how, kept)
            })?);
        }
        Ok(gone)
    }

    /// Empties a mailbox that is to be deleted.
    pub(super) fn empty(&self, of: AccountId, mailbox: MailboxId) -> Result<(), Fault> {
        let uids = self.parts.readers.lend(|sql| {
            let id = rows::existing(sql, of, mailbox)?;
            all_uids(sql, id)
        })?;
        self.remove_for_a_while(of, mailbox, &uids)
    }

    pub(super) fn copy_mail(
        &self,
        of: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        rights: Rights,
    ) -> Result<Copied, Fault> {
        let (uids, limit) = (uids.to_vec(), self.parts.settings.limits.keywords);
        self.write(move |work| {
            let (from, to) = both(work, of, from, to)?;
            copy_rows(work, of, from, &uids, to, (rights, limit))
        })
    }

    pub(super) fn move_mail(
        &self,
        of: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        rights: Rights,
    ) -> Result<Copied, Fault> {
        let (uids, limit) = (uids.to_vec(), self.parts.settings.limits.keywords);
        self.write(move |work| {
            let (from, to) = both(work, of, from, to)?;
            move_rows(work, of, from, &uids, to, (rights, limit))
        })
    }

    pub(super) fn list_recoverable(
        &self,
        of: AccountId,
        since: Timestamp,
        mailbox: Option<&str>,
    ) -> Result<Vec<Recoverable>, Fault> {
        self.parts.readers.read(|reading| {
            let sql = "SELECT r.mail, name, removed, size, sealed FROM removed r LEFT JOIN summary s ON s.mail = r.mail
                       WHERE r.mail >> 40 = ?1 AND removed >= ?2 AND (?3 IS NULL OR name = ?3)
                       ORDER BY removed DESC, r.mail DESC LIMIT ?4";
            let mut statement = reading.sql.prepare_cached(sql)?;
            let mut rows = statement.query(params![int(of.0), since.0, mailbox, Recoverable::AT_ONCE as i64])?;
            let (mut all, mut plain) = (Vec::new(), Vec::new());
            while let Some(row) = rows.next()? {
                reading.check_time()?;
                let (mail, name): (i64, String) = (row.get(0)?, row.get(1)?);
                all.push(Recoverable {
                    mail: MailId(mail as u64),
                    mailbox: MailboxName::new(&name).map_err(MailError::Name)?,
                    deleted: Timestamp(row.get(2)?),
                    subject: summary::subject(self.unseal(mail, row.get_ref(4)?, &mut plain)?.head),
                    size: row.get::<_, i64>(3)?.unsigned_abs(),
                });
            }
            Ok(all)
        })
    }

    pub(super) fn recover_mail(&self, of: AccountId, mail: &[MailId]) -> Result<usize, Fault> {
        let mail: Vec<i64> = mail.iter().filter_map(|id| own_mail(of, *id)).collect();
        let limit = self.parts.settings.limits.keywords;
        let mut restored = 0;
        for piece in mail.chunks(RECOVERED).map(<[i64]>::to_vec) {
            restored += self.write(move |work| {
                let mut restored = 0;
                for id in &piece {
                    restored += restore(work, of, *id, limit)?;
                }
                Ok(restored)
            })?;
        }
        Ok(restored)
    }
}

/// How a message leaves its mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// Because it is flagged `\Deleted`. One that lies in another mailbox, too, is not deleted: clients that know no
    /// MOVE copy and expunge.
    Expunge,
    /// Flagged or not.
    Remove,
    /// It lives on in another account.
    Moved,
}

/// A message's row, read.
struct Held {
    uid: u32,
    flags: Flags,
    internal_date: i64,
    mail: i64,
    thread: i64,
    size: i64,
    modseq: i64,
}

fn held(work: &Work<'_>, mailbox: i64, uid: Uid) -> Result<Option<Held>, Fault> {
    let sql = "SELECT flags, keywords, internal_date, mail, thread, size, modseq FROM message
               WHERE mailbox = ?1 AND uid = ?2";
    let mut statement = work.sql().prepare_cached(sql)?;
    let mut rows = statement.query(params![mailbox, uid.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Held {
        uid: uid.0,
        flags: flags_of(row, 0)?,
        internal_date: row.get(2)?,
        mail: row.get(3)?,
        thread: row.get(4)?,
        size: row.get(5)?,
        modseq: row.get(6)?,
    }))
}

fn pieces(uids: &[Uid]) -> impl Iterator<Item = Vec<Uid>> {
    uids.chunks(PIECE).map(<[Uid]>::to_vec)
}

fn both(work: &Work<'_>, of: AccountId, from: MailboxId, to: MailboxId) -> Result<(i64, i64), Fault> {
    Ok((rows::existing(work.sql(), of, from)?, rows::existing(work.sql(), of, to)?))
}

pub(super) fn all_uids(sql: &Connection, mailbox: i64) -> Result<Vec<Uid>, Fault> {
    let mut statement = sql.prepare_cached("SELECT uid FROM message WHERE mailbox = ?1 ORDER BY uid")?;
    let uids = statement.query_map([mailbox], |row| row.get(0).map(Uid))?.collect::<Result<_, _>>();
    Ok(uids?)
}

fn flagged_deleted(sql: &Connection, of: AccountId, mailbox: MailboxId) -> Result<Vec<Uid>, Fault> {
    let id = rows::existing(sql, of, mailbox)?;
    let count = "SELECT deleted FROM mailbox WHERE id = ?1";
    if first(sql, count, [id], |row| row.get::<_, i64>(0))? == Some(0) {
        return Ok(Vec::new());
    }
    let query =
        "SELECT uid FROM message INDEXED BY message_deleted WHERE mailbox = ?1 AND flags & 8 ORDER BY uid";
    let mut statement = sql.prepare_cached(query)?;
    let uids = statement.query_map([id], |row| row.get(0).map(Uid))?.collect::<Result<_, _>>();
    Ok(uids?)
}

fn edit_piece(
    work: &mut Work<'_>,
    of: AccountId,
    mailbox: i64,
    uids: &[Uid],
    edit: &FlagEdit,
    unchanged_since: Option<ModSeq>,
    (rights, limit): (Rights, usize),
) -> Result<Stored, Fault> {
    if let FlagEdit::Add(flags) | FlagEdit::Replace(flags) = edit
        && rights.has(Rights::WRITE)
        && rows::admit_keywords(work, mailbox, flags.keywords(), limit)?.len() < flags.keywords().len()
    {
        return Err(MailError::Limit("too many keywords in this mailbox").into());
    }
    let mut stored = Stored { done: Vec::with_capacity(uids.len()), modified: Vec::new() };
    let (mut tally, mut now) = (Tally::default(), None);
    for uid in uids {
        let Some(row) = held(work, mailbox, *uid)? else { continue };
        if unchanged_since.is_some_and(|since| rows::modseq(row.modseq) > since) {
            stored.modified.push(*uid);
            continue;
        }
        let flags = rights.limit(&row.flags, edited(&row.flags, edit));
        let mut modseq = row.modseq;
        if flags != row.flags {
            modseq = match now {
                Some(modseq) => modseq,
                None => rows::next_modseq(work, of)?,
            };
            now = Some(modseq);
            tally.subtract(row.flags.system_bits(), row.size);
            tally.add(flags.system_bits(), row.size);
            let sql =
                "UPDATE message SET flags = ?3, keywords = ?4, modseq = ?5 WHERE mailbox = ?1 AND uid = ?2";
            let keywords = rows::join(flags.keywords());
            work.run(sql, params![mailbox, uid.0, flags.system_bits(), keywords, modseq])?;
        }
        stored.done.push(Changed { uid: *uid, modseq: rows::modseq(modseq), flags, new: false });
    }
    if let Some(modseq) = now {
        rows::count(work, mailbox, modseq, &tally)?;
    }
    Ok(stored)
}

fn edited(flags: &Flags, edit: &FlagEdit) -> Flags {
    let mut flags = flags.clone();
    match edit {
        FlagEdit::Add(more) => flags.add(more),
        FlagEdit::Remove(less) => flags.remove(less),
        FlagEdit::Replace(new) => flags = new.clone(),
    }
    flags
}

/// Takes messages out of a mailbox; gives those that were there.
fn remove(
    work: &mut Work<'_>,
    of: AccountId,
    mailbox: i64,
    uids: &[Uid],
    how: Removal,
    kept: bool,
) -> Result<Vec<Uid>, Fault> {
    let now = Timestamp::now().0;
    let (mut gone, mut tally) = (Vec::with_capacity(uids.len()), Tally::default());
    for uid in uids {
        let Some(row) = held(work, mailbox, *uid)? else { continue };
        // Someone may have taken the flag back meanwhile.
        if how == Removal::Expunge && !row.flags.has(Flag::Deleted) {
            continue;
        }
        take_out(work, mailbox, &row, &mut tally)?;
        let kept = kept
            && match how {
                Removal::Expunge => !is_in_a_mailbox(work, row.mail)?,
                Removal::Remove => true,
                Removal::Moved => false,
            };
        if kept {
            keep_for_a_while(work, mailbox, &row, now)?;
        }
        rows::let_go(work, row.mail, now)?;
        let what = match how {
            // What it became has a story of its own.
            Removal::Moved => None,
            _ if kept => Some(What::Removed),
            _ => Some(What::Erased),
        };
        if let Some(what) = what {
            story::note(work, row.mail, what, (of, mailbox, row.uid))?;
        }
        gone.push(*uid);
    }
    if !gone.is_empty() {
        let modseq = rows::next_modseq(work, of)?;
        rows::bury(work, mailbox, modseq, &gone, now)?;
        rows::count(work, mailbox, modseq, &tally)?;
        rows::charge(work, of, tally.messages, tally.octets)?;
    }
    Ok(gone)
}

/// Takes out a message that another replaces; false where it is not there.
pub(super) fn replace_out(
    work: &mut Work<'_>,
    of: AccountId,
    mailbox: i64,
    uid: Uid,
    kept: bool,
) -> Result<bool, Fault> {
    Ok(!remove(work, of, mailbox, &[uid], Removal::Remove, kept)?.is_empty())
}

/// Takes messages out for which others come into another account: all of them, or none. `can_keep`: whether deleted
/// mail is kept at all.
pub(super) fn take_away(
    work: &mut Work<'_>,
    of: AccountId,
    mailbox: MailboxId,
    uids: &[Uid],
    leaving: Leaving,
    can_keep: bool,
) -> Result<(), Fault> {
    let id = rows::existing(work.sql(), of, mailbox)?;
    let (how, kept) = match leaving {
        Leaving::Moved => (Removal::Moved, false),
        Leaving::ForGood => (Removal::Remove, false),
        Leaving::Recoverable => (Removal::Remove, can_keep),
    };
    match remove(work, of, id, uids, how, kept)?.len() == uids.len() {
        true => Ok(()),
        false => Err(MailError::NoMessage.into()),
    }
}

/// Takes out all that a mailbox which is to go still holds.
pub(super) fn remove_all(work: &mut Work<'_>, of: AccountId, mailbox: i64, kept: bool) -> Result<(), Fault> {
    let uids = all_uids(work.sql(), mailbox)?;
    remove(work, of, mailbox, &uids, Removal::Remove, kept).map(drop)
}

fn is_in_a_mailbox(work: &Work<'_>, mail: i64) -> Result<bool, Fault> {
    Ok(work.first("SELECT 1 FROM message WHERE mail = ?1", [mail], |_| Ok(()))?.is_some())
}

fn take_out(work: &Work<'_>, mailbox: i64, row: &Held, tally: &mut Tally) -> Result<(), Fault> {
    tally.subtract(row.flags.system_bits(), row.size);
    work.run("DELETE FROM message WHERE mailbox = ?1 AND uid = ?2", params![mailbox, row.uid])?;
    Ok(())
}

fn keep_for_a_while(work: &Work<'_>, mailbox: i64, row: &Held, now: i64) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO removed (mail, mailbox, uid, name, removed, flags, internal_date, thread, size,
               keywords) SELECT ?1, ?2, ?3, name, ?4, ?5, ?6, ?7, ?8, ?9 FROM mailbox WHERE id = ?2";
    let keywords = rows::join(row.flags.keywords());
    let bits = row.flags.system_bits();
    let values =
        params![row.mail, mailbox, row.uid, now, bits, row.internal_date, row.thread, row.size, keywords];
    work.run(sql, values)?;
    Ok(())
}

fn copy_rows(
    work: &mut Work<'_>,
    of: AccountId,
    from: i64,
    uids: &[Uid],
    to: i64,
    allowed: (Rights, usize),
) -> Result<Copied, Fault> {
    let mut sources = Vec::with_capacity(uids.len());
    for uid in uids {
        sources.extend(held(work, from, *uid)?);
    }
    put_in(work, of, to, sources, allowed, true)
}

/// Moves messages; both mailboxes change in the same moment.
pub(super) fn move_rows(
    work: &mut Work<'_>,
    of: AccountId,
    from: i64,
    uids: &[Uid],
    to: i64,
    allowed: (Rights, usize),
) -> Result<Copied, Fault> {
    let (mut sources, mut tally) = (Vec::with_capacity(uids.len()), Tally::default());
    for uid in uids {
        let Some(row) = held(work, from, *uid)? else { continue };
        take_out(work, from, &row, &mut tally)?;
        sources.push(row);
    }
    let gone: Vec<Uid> = sources.iter().map(|row| Uid(row.uid)).collect();
    if !gone.is_empty() {
        let modseq = rows::next_modseq(work, of)?;
        rows::bury(work, from, modseq, &gone, Timestamp::now().0)?;
        rows::count(work, from, modseq, &tally)?;
    }
    let moved: Vec<i64> = sources.iter().map(|row| row.mail).collect();
    let copied = put_in(work, of, to, sources, allowed, false)?;
    for (mail, (_, uid)) in moved.iter().zip(&copied.uids) {
        story::note(work, *mail, What::Moved, (of, to, uid.0))?;
    }
    Ok(copied)
}

/// Puts messages into a mailbox with those of their flags that may be set there, and their dates; `charged` to the account if they are copies.
fn put_in(
    work: &mut Work<'_>,
    of: AccountId,
    to: i64,
    mut sources: Vec<Held>,
    (rights, limit): (Rights, usize),
    charged: bool,
) -> Result<Copied, Fault> {
    for row in &mut sources {
        row.flags = rights.limit(&Flags::default(), std::mem::take(&mut row.flags));
    }
    let mut tally = Tally::default();
    sources.iter().for_each(|row| tally.add(row.flags.system_bits(), row.size));
    if sources.is_empty() {
        let sql = "SELECT uid_validity FROM mailbox WHERE id = ?1";
        let validity = work.first(sql, [to], |r| r.get(0))?.ok_or(MailError::NoMailbox)?;
        return Ok(Copied { uid_validity: UidValidity(validity), uids: Vec::new() });
    }
    let modseq = rows::next_modseq(work, of)?;
    if charged {
        rows::charge(work, of, tally.messages, tally.octets)?;
    }
    let (first, uid_validity) = rows::take_uids(work, to, modseq, &tally)?;
    let saved = Timestamp::now().0;
    let mut uids = Vec::with_capacity(sources.len());
    for (source, uid) in sources.iter().zip(first..) {
        let keywords = rows::join(rows::admit_keywords(work, to, source.flags.keywords(), limit)?);
        let row = NewRow {
            flags: source.flags.system_bits(),
            keywords: keywords.as_deref(),
            internal_date: source.internal_date,
            saved,
            mail: source.mail,
            thread: source.thread,
            size: source.size,
        };
        rows::insert(work, to, uid, modseq, &row)?;
        uids.push((Uid(source.uid), Uid(uid)));
    }
    Ok(Copied { uid_validity, uids })
}

/// Puts one recoverable mail back; gives into how many mailboxes.
fn restore(work: &mut Work<'_>, of: AccountId, mail: i64, limit: usize) -> Result<usize, Fault> {
    let mut kept: Vec<(i64, String, Held)> = Vec::new();
    {
        let sql = "SELECT flags, keywords, internal_date, thread, size, uid, mailbox, name FROM removed WHERE mail = ?1";
        let mut statement = work.sql().prepare_cached(sql)?;
        let mut rows = statement.query([mail])?;
        while let Some(row) = rows.next()? {
            let mut flags = flags_of(row, 0)?;
            flags.set(Flag::Deleted, false);
            let (internal_date, thread, size) = (row.get(2)?, row.get(3)?, row.get(4)?);
            let held = Held { uid: row.get(5)?, flags, internal_date, mail, thread, size, modseq: 0 };
            kept.push((row.get(6)?, row.get(7)?, held));
        }
    }
    let count = kept.len();
    for (mailbox, name, held) in kept {
        let home = home(work, of, mailbox, &name)?;
        let copied = put_in(work, of, home, vec![held], (Rights::ALL, limit), true)?;
        for (_, uid) in copied.uids {
            story::note(work, mail, What::Restored, (of, home, uid.0))?;
        }
    }
    work.run("DELETE FROM removed WHERE mail = ?1", [mail])?;
    Ok(count)
}

/// Where a removed message was, or what bears that name now, or INBOX.
fn home(work: &Work<'_>, of: AccountId, mailbox: i64, name: &str) -> Result<i64, Fault> {
    if let Some(id) = own_mailbox(of, MailboxId(mailbox as u64))
        && work.first("SELECT 1 FROM mailbox WHERE id = ?1", [id], |_| Ok(()))?.is_some()
    {
        return Ok(id);
    }
    let sql = "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2";
    let named = work.first(sql, params![int(of.0), name], |r| r.get(0))?;
    Ok(named.unwrap_or_else(|| inbox(of)))
}
