//! What several operations do to the rows of a mailbox: numbers, counts, keywords.

use super::fault::Fault;
use super::schema::{int, key, own_mailbox};
use super::writer::Work;
use crate::StoreError;
use base::mailbox::MailError;
use base::{AccountId, Flag, Flags, Keyword, MailboxId, ModSeq, Uid, UidValidity};
use rusqlite::params;

/// A message on its way into a mailbox.
pub(super) struct NewRow<'a> {
    pub(super) flags: u8,
    pub(super) keywords: Option<&'a str>,
    pub(super) internal_date: i64,
    pub(super) saved: i64,
    pub(super) mail: i64,
    pub(super) thread: i64,
    pub(super) size: i64,
}

/// What messages add to a mailbox's counts, or take from them.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) messages: i64,
    pub(super) unseen: i64,
    pub(super) deleted: i64,
    pub(super) octets: i64,
    pub(super) deleted_octets: i64,
}

impl Tally {
    /// Counts a message with these flags.
    pub(super) fn add(&mut self, flags: u8, size: i64) {
        self.count(flags, size, 1);
    }

    /// Takes a message with these flags away.
    pub(super) fn subtract(&mut self, flags: u8, size: i64) {
        self.count(flags, size, -1);
    }

    fn count(&mut self, flags: u8, size: i64, sign: i64) {
        self.messages += sign;
        self.octets += sign * size;
        if flags & Flag::Seen as u8 == 0 {
            self.unseen += sign;
        }
        if flags & Flag::Deleted as u8 != 0 {
            self.deleted += sign;
            self.deleted_octets += sign * size;
        }
    }
}

/// The next place in the account's log.
pub(super) fn next_modseq(work: &mut Work<'_>, of: AccountId) -> Result<i64, Fault> {
    work.touch(of);
    let sql = "UPDATE ledger SET modseq = modseq + 1 WHERE account = ?1 RETURNING modseq";
    work.first(sql, [int(of.0)], |r| r.get(0))?.ok_or(Fault::Store(StoreError::Gone))
}

/// The account's next mail id.
pub(super) fn next_mail(work: &Work<'_>, of: AccountId) -> Result<i64, Fault> {
    let sql = "UPDATE ledger SET mails = mails + 1 WHERE account = ?1 RETURNING mails";
    let number = work.first(sql, [int(of.0)], |r| r.get(0))?.ok_or(Fault::Store(StoreError::Gone))?;
    Ok(key(of, number))
}

/// The account's next mailbox id.
pub(super) fn next_mailbox(work: &Work<'_>, of: AccountId) -> Result<i64, Fault> {
    let sql = "UPDATE ledger SET mailboxes = mailboxes + 1 WHERE account = ?1 RETURNING mailboxes";
    let number = work.first(sql, [int(of.0)], |r| r.get(0))?.ok_or(Fault::Store(StoreError::Gone))?;
    Ok(key(of, number))
}

/// Counts messages into an account, or out of it. Coming in, they must fit its quota.
pub(super) fn charge(work: &Work<'_>, of: AccountId, messages: i64, octets: i64) -> Result<(), Fault> {
    let sql = "UPDATE ledger SET octets = octets + ?2, messages = messages + ?3 WHERE account = ?1
               RETURNING octets > quota_octets OR messages > quota_messages";
    let over: Option<Option<bool>> = work.first(sql, [int(of.0), octets, messages], |r| r.get(0))?;
    match over {
        None => Err(StoreError::Gone.into()),
        Some(Some(true)) if messages > 0 => Err(StoreError::OverQuota(of).into()),
        Some(_) => Ok(()),
    }
}

/// [`charge`], whatever the quota is.
pub(super) fn charge_anyway(work: &Work<'_>, of: AccountId, messages: i64, octets: i64) -> Result<(), Fault> {
    match charge(work, of, messages, octets) {
        Err(Fault::Store(StoreError::OverQuota(_))) => Ok(()),
        outcome => outcome,
    }
}

/// Octets that an account has.
pub(super) fn used(work: &Work<'_>, of: AccountId) -> Result<i64, Fault> {
    let sql = "SELECT octets FROM ledger WHERE account = ?1";
    work.first(sql, [int(of.0)], |r| r.get(0))?.ok_or(Fault::Store(StoreError::Gone))
}

/// Checks that an account's octets fit its quota.
pub(super) fn within_quota(work: &Work<'_>, of: AccountId) -> Result<(), Fault> {
    let sql = "SELECT 1 FROM ledger WHERE account = ?1 AND octets > quota_octets";
    match work.first(sql, [int(of.0)], |_| Ok(()))? {
        Some(()) => Err(StoreError::OverQuota(of).into()),
        None => Ok(()),
    }
}

/// Checks that a mailbox is there; gives its id as it is kept.
pub(super) fn existing(sql: &rusqlite::Connection, of: AccountId, mailbox: MailboxId) -> Result<i64, Fault> {
    let id = own_mailbox(of, mailbox).ok_or(MailError::NoMailbox)?;
    let mut statement = sql.prepare_cached("SELECT 1 FROM mailbox WHERE id = ?1")?;
    if statement.exists([id])? { Ok(id) } else { Err(MailError::NoMailbox.into()) }
}

/// Changes a mailbox's counts and sets its last change.
pub(super) fn count(work: &Work<'_>, mailbox: i64, modseq: i64, tally: &Tally) -> Result<(), Fault> {
    let t = tally;
    let sql = "UPDATE mailbox SET modseq = ?2, messages = messages + ?3, unseen = unseen + ?4,
               deleted = deleted + ?5, octets = octets + ?6, deleted_octets = deleted_octets + ?7 WHERE id = ?1";
    work.run(sql, params![mailbox, modseq, t.messages, t.unseen, t.deleted, t.octets, t.deleted_octets])?;
    Ok(())
}

/// Counts new messages into a mailbox and gives the first of their UIDs.
pub(super) fn take_uids(
    work: &Work<'_>,
    mailbox: i64,
    modseq: i64,
    tally: &Tally,
) -> Result<(u32, UidValidity), Fault> {
    let t = tally;
    let sql = "UPDATE mailbox SET uid_next = uid_next + ?3, modseq = ?2, messages = messages + ?3,
               unseen = unseen + ?4, deleted = deleted + ?5, octets = octets + ?6,
               deleted_octets = deleted_octets + ?7 WHERE id = ?1 RETURNING uid_next - ?3, uid_validity";
    let values = params![mailbox, modseq, t.messages, t.unseen, t.deleted, t.octets, t.deleted_octets];
    let taken: Option<(i64, u32)> = work.first(sql, values, |r| Ok((r.get(0)?, r.get(1)?)))?;
    let (first, validity) = taken.ok_or(MailError::NoMailbox)?;
    match u32::try_from(first) {
        // The last UID must fit too.
        Ok(uid) if first + t.messages <= i64::from(u32::MAX) => Ok((uid, UidValidity(validity))),
        _ => Err(MailError::Refused("the mailbox has no UIDs left").into()),
    }
}

/// Writes a message's row.
pub(super) fn insert(
    work: &Work<'_>,
    mailbox: i64,
    uid: u32,
    modseq: i64,
    row: &NewRow<'_>,
) -> Result<(), Fault> {
    let sql =
        "INSERT INTO message (mailbox, uid, modseq, created, flags, internal_date, saved, mail, thread, size,
               keywords) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let r = row;
    let values = params![
        mailbox,
        uid,
        modseq,
        r.flags,
        r.internal_date,
        r.saved,
        r.mail,
        r.thread,
        r.size,
        r.keywords
    ];
    work.run(sql, values)?;
    Ok(())
}

/// Makes keywords known in a mailbox; gives those that fit its limit.
pub(super) fn admit_keywords<'k>(
    work: &Work<'_>,
    mailbox: i64,
    keywords: &'k [Keyword],
    limit: usize,
) -> Result<Vec<&'k Keyword>, Fault> {
    let mut admitted = Vec::with_capacity(keywords.len());
    for keyword in keywords {
        let known = "SELECT 1 FROM keyword WHERE mailbox = ?1 AND name = ?2";
        if work.first(known, params![mailbox, keyword.as_str()], |_| Ok(()))?.is_none() {
            let count = "SELECT count(*) FROM keyword WHERE mailbox = ?1";
            let count: i64 = work.first(count, [mailbox], |r| r.get(0))?.unwrap_or(0);
            if usize::try_from(count).unwrap_or(usize::MAX) >= limit {
                continue;
            }
            work.run("INSERT INTO keyword VALUES (?1, ?2)", params![mailbox, keyword.as_str()])?;
        }
        admitted.push(keyword);
    }
    Ok(admitted)
}

/// Keywords as a row keeps them: separated by spaces, nothing where there are none.
pub(super) fn join<'k>(keywords: impl IntoIterator<Item = &'k Keyword>) -> Option<String> {
    let mut text = String::new();
    for keyword in keywords {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(keyword.as_str());
    }
    (!text.is_empty()).then_some(text)
}

/// Flags as a row keeps them.
pub(crate) fn flags(bits: u8, keywords: Option<&str>) -> Flags {
    let mut flags = Flags::from_bits(bits);
    if let Some(text) = keywords {
        text.split(' ').filter_map(Keyword::new).for_each(|keyword| flags.set_keyword(&keyword, true));
    }
    flags
}

/// A MODSEQ as it is kept.
pub(super) fn modseq(value: i64) -> ModSeq {
    ModSeq(u64::try_from(value).unwrap_or(1))
}

/// Leaves tombstones where messages were, one a run of UIDs.
pub(super) fn bury(work: &Work<'_>, mailbox: i64, modseq: i64, uids: &[Uid], now: i64) -> Result<(), Fault> {
    let mut rest = uids.iter().map(|uid| uid.0).peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| Some(*next) == last.checked_add(1)) {
            last = next;
        }
        let sql = "INSERT INTO tombstone VALUES (?1, ?2, ?3, ?4, ?5)";
        work.run(sql, params![mailbox, modseq, first, last, now])?;
    }
    Ok(())
}

/// Where no mailbox and nothing else holds a mail any more, has it cleared away before long.
pub(super) fn let_go(work: &Work<'_>, mail: i64, now: i64) -> Result<(), Fault> {
    let sql =
        "INSERT OR IGNORE INTO unheld SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM message WHERE mail = ?1)
               AND NOT EXISTS (SELECT 1 FROM removed WHERE mail = ?1)";
    work.run(sql, [mail, now])?;
    Ok(())
}
