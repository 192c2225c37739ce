//! Mail in: sealed and summed up on the caller's thread, then rows only for the writer.

use super::fault::Fault;
use super::memory;
use super::rows::{self, NewRow, Tally};
use super::schema::{NOBODY, inbox, int, own_mailbox};
use super::story;
use super::summary;
use super::thread;
use super::writer::Work;
use super::{Parts, Sqlite};
use super::{edit, quarantine};
use crate::story::{Event, What};
use crate::vault::{BlobId, Body, SealedMessage, Vault};
use crate::{Done, Leaving, Place, Placed, Remembered, StoreError, wait_for};
use base::mailbox::Appended;
use base::{AccountId, Address, DomainId, Flags, MailId, MailboxId, MailboxName, Timestamp, TraceId, Uid};
use gate::{Delivery, Folder, Origin, Screened, Spooled};
use rusqlite::params;
use wire::smtp::Terms;

impl Sqlite {
    pub(super) fn accept_mail(
        &self,
        mut mail: Vec<Screened>,
        memory: Vec<Remembered>,
        done: Done<Vec<Placed>>,
    ) {
        if !self.parts.disk.has_room() {
            return done(Err(StoreError::DiskFull));
        }
        let count = mail.len();
        // What is remembered, and which mail of the batch depends on it.
        let mut notes = Vec::with_capacity(memory.len());
        for mut one in memory {
            let depends = one.unless_known.take().map(|reply| {
                mail.push(reply);
                mail.len() - 1
            });
            notes.push((one, depends));
        }
        match Batch::prepare(&self.parts, &mail) {
            Ok(batch) => self.submit_with(batch, done, move |batch, work| {
                let placed = (0..count).map(|number| batch.place(number, work)).collect::<Result<_, _>>()?;
                for (one, depends) in &notes {
                    if memory::keep(work, one, Timestamp::now())?
                        && let Some(number) = depends
                    {
                        batch.place(*number, work)?;
                    }
                }
                Ok(placed)
            }),
            Err(error) => done(Err(error)),
        }
    }

    /// Accepts messages in place of others, in one commit.
    pub(super) fn accept_in_place(
        &self,
        mail: Vec<Screened>,
        of: AccountId,
        from: MailboxId,
        uids: Vec<Uid>,
        leaving: Leaving,
    ) -> Result<Vec<Placed>, StoreError> {
        if !self.parts.disk.has_room() {
            return Err(StoreError::DiskFull);
        }
        let batch = Batch::prepare(&self.parts, &mail)?;
        let can_keep = self.keeps_deleted();
        wait_for(|done| {
            self.submit_batch(batch, done, move |work| {
                edit::take_away(work, of, from, &uids, leaving, can_keep)
            });
        })
    }

    /// Has the messages of a batch committed, and what `also` does with them.
    pub(super) fn submit_batch(
        &self,
        batch: Batch,
        done: Done<Vec<Placed>>,
        also: impl FnOnce(&mut Work<'_>) -> Result<(), Fault> + Send + 'static,
    ) {
        self.submit_with(batch, done, |batch, work| {
            also(work)?;
            batch.0.iter().map(|one| one.place(work)).collect()
        });
    }

    /// Has `place` put the messages of a batch where they go, in one commit.
    pub(super) fn submit_with<T: Send + 'static>(
        &self,
        batch: Batch,
        done: Done<T>,
        place: impl FnOnce(&Batch, &mut Work<'_>) -> Result<T, Fault> + Send + 'static,
    ) {
        let (octets, fresh) = (batch.0.iter().map(Prepared::octets).sum(), fresh_blobs(&batch.0));
        let parts = self.parts.clone();
        let work = move |work: &mut Work<'_>| place(&batch, work);
        self.parts.writer.submit(octets, work, move |outcome| {
            let outcome = outcome.map_err(StoreError::from);
            if let Err(
                StoreError::OverQuota(_) | StoreError::Gone | StoreError::Busy | StoreError::DiskFull,
            ) = outcome
            {
                discard(&parts, &fresh);
            }
            done(outcome);
        });
    }
}

/// Messages that are ready to be written.
pub(super) struct Batch(Vec<Prepared>);

impl Batch {
    /// Does all that costs time, on the caller's thread.
    pub(super) fn prepare(parts: &Parts, mail: &[Screened]) -> Result<Self, StoreError> {
        let mut prepared = Vec::with_capacity(mail.len());
        for one in mail {
            match prepare(parts, one) {
                Ok(one) => prepared.push(one),
                Err(error) => {
                    discard(parts, &fresh_blobs(&prepared));
                    return Err(error);
                }
            }
        }
        Ok(Batch(prepared))
    }

    /// The messages are taken whatever the quota is.
    pub(super) fn even_when_full(mut self) -> Self {
        self.0.iter_mut().for_each(|one| one.even_when_full = true);
        self
    }

    /// Puts one of the messages where it goes.
    pub(super) fn place(&self, number: usize, work: &mut Work<'_>) -> Result<Placed, Fault> {
        let one = self.0.get(number).ok_or_else(|| Fault::broken("a message that is not in its batch"))?;
        one.place(work)
    }
}

/// Files that were written for messages and that nothing refers to before these are committed.
fn fresh_blobs(prepared: &[Prepared]) -> Vec<BlobId> {
    let mut fresh = Vec::new();
    for (_, sealed) in prepared.iter().flat_map(|one| &one.sealed) {
        add_fresh(sealed, &mut fresh);
    }
    fresh
}

fn add_fresh(sealed: &SealedMessage, fresh: &mut Vec<BlobId>) {
    fresh.extend(sealed.attachments.iter().filter(|one| one.new).map(|one| one.blob));
    if let Body::File(blob) = &sealed.body {
        fresh.push(*blob);
    }
}

/// Removes files of messages that were refused, which would else fill the disk until the next sweep. Only for those
/// that surely were not committed.
fn discard(parts: &Parts, fresh: &[BlobId]) {
    for blob in fresh {
        if let Err(error) = parts.vault.remove(*blob) {
            tracing::warn!(%blob, ?error, "a refused message's file stays for the sweep");
        }
    }
}

/// A message ready to be written: all that costs time is done.
struct Prepared {
    mail: Spooled,
    size: i64,
    /// By trust domain.
    sealed: Vec<(DomainId, SealedMessage)>,
    /// Sealed when the mail's id is known, which it is bound to.
    summary: Vec<u8>,
    vault: Vault,
    deliveries: Vec<Delivery>,
    /// By account: hashes of the message's ids, its own first.
    hashes: Vec<(AccountId, Vec<i64>)>,
    saved: i64,
    keyword_limit: usize,
    /// Seconds after which a queue entry is late.
    late_after: i64,
    /// What is told of how it came.
    arrival: Vec<Event>,
    /// Accounts whose script chose their places.
    scripted: Vec<AccountId>,
    /// A notice of ours gets into a mailbox that is over its quota (nobody would be told that it could not), and so
    /// does what replaces as much.
    even_when_full: bool,
}

fn prepare(parts: &Parts, screened: &Screened) -> Result<Prepared, StoreError> {
    let mail = screened.mail().clone();
    let computed = summary::Computed::of(&mail)?;
    let ids = thread::ids(&computed.head);
    let (mut sealed, mut hashes) = (Vec::new(), Vec::new());
    for delivery in screened.deliveries() {
        let (account, domain) = owner_of(delivery);
        if !sealed.iter().any(|(of, _)| *of == domain) {
            match seal(parts, &mail, domain) {
                Ok(one) => sealed.push((domain, one)),
                Err(error) => {
                    let mut fresh = Vec::new();
                    sealed.iter().for_each(|(_, one)| add_fresh(one, &mut fresh));
                    discard(parts, &fresh);
                    return Err(error);
                }
            }
        }
        if account != NOBODY && !hashes.iter().any(|(of, _)| *of == account) {
            hashes.push((account, thread::hashes(&parts.thread_key, account, &ids)));
        }
    }
    Ok(Prepared {
        size: int(mail.octets.len()),
        sealed,
        summary: computed.joined(),
        vault: parts.vault.clone(),
        deliveries: screened.deliveries().to_vec(),
        hashes,
        saved: Timestamp::now().0,
        keyword_limit: parts.settings.limits.keywords,
        late_after: int(parts.settings.late_after.as_secs()),
        arrival: story::arrival(screened),
        scripted: screened.came().scripted.clone(),
        even_when_full: screened.inside() == Some(Origin::Internal),
        mail,
    })
}

fn seal(parts: &Parts, mail: &Spooled, domain: DomainId) -> Result<SealedMessage, StoreError> {
    parts.vault.seal_message(mail.octets.as_ref(), &mail.tree, domain, &|hash| {
        let sql = "SELECT blob FROM attachment WHERE domain = ?1 AND hash = ?2";
        let values = params![int(domain.0), hash.0];
        let known = parts.readers.lend(|reader| super::writer::first(reader, sql, values, |r| r.get(0)));
        known.ok().flatten().and_then(|blob: Vec<u8>| BlobId::from_octets(&blob))
    })
}

/// Whose content the delivery makes, and in which trust domain.
fn owner_of(delivery: &Delivery) -> (AccountId, DomainId) {
    match delivery {
        Delivery::Mailbox { account, domain, .. } => (*account, *domain),
        Delivery::Queue { domain, .. } => (NOBODY, *domain),
        Delivery::Quarantine { instead_of, .. } => (NOBODY, owner_of(instead_of).1),
    }
}

impl Prepared {
    /// Octets of the rows that it makes: each owner's content has a row of its own.
    fn octets(&self) -> usize {
        let mut owners: Vec<(AccountId, DomainId)> = self.deliveries.iter().map(owner_of).collect();
        owners.sort_unstable();
        owners.dedup();
        let rows = |(domain, message): &(DomainId, SealedMessage)| {
            let body = if let Body::Inline(octets) = &message.body { octets.len() } else { 0 };
            let count = owners.iter().filter(|(_, of)| of == domain).count();
            count * (body + message.layout.len() + self.summary.len())
        };
        self.sealed.iter().map(rows).sum()
    }

    fn place(&self, work: &mut Work<'_>) -> Result<Placed, Fault> {
        let mut contents = Vec::new();
        let mut places = Vec::with_capacity(self.deliveries.len());
        let mut events = Vec::with_capacity(self.deliveries.len());
        for delivery in &self.deliveries {
            let mail = self.content(work, delivery, &mut contents)?;
            places.push(match delivery {
                Delivery::Mailbox { account, folder, flags, internal_date, .. } => {
                    let date = internal_date.unwrap_or(self.mail.received);
                    self.put_in_mailbox(work, *account, folder, flags, date, mail)?
                }
                Delivery::Queue { account, domain, recipient, terms, sender } => {
                    let own = sender.as_ref().map(Address::to_string);
                    let from = own.unwrap_or_else(|| self.mail.reverse_path.to_string());
                    self.put_in_queue(work, *account, *domain, (from, recipient, terms), mail.0)?
                }
                Delivery::Quarantine { instead_of, reason } => {
                    self.put_in_quarantine(work, instead_of, reason, mail.0)?
                }
            });
            if let Some(place) = places.last() {
                events.push(self.event(work, delivery, place)?);
            }
        }
        story::write_arrival(work, &self.arrival, &events)?;
        let first = contents.first().map_or(0, |(_, mail)| mail.0);
        Ok(Placed { mail: MailId(first as u64), places })
    }

    /// What is told of a delivery.
    fn event(&self, work: &Work<'_>, delivery: &Delivery, place: &Place) -> Result<Event, Fault> {
        let new = |what| Event::new(self.mail.trace, what).to(story::recipient(delivery));
        Ok(match place {
            Place::Mailbox { account, appended, mailbox } => Event {
                account: Some(*account),
                mailbox: Some(*mailbox),
                number: appended.uids.first().map_or(0, |uid| uid.0.into()),
                ..new(What::Filed).by(if self.scripted.contains(account) { "script" } else { "" })
            },
            Place::Queue(id) => {
                let sql = "SELECT coalesce(held, '') FROM queue WHERE id = ?1";
                let held: Option<String> = work.first(sql, [int(*id)], |row| row.get(0))?;
                Event { number: *id, ..new(What::Queued).said(held.unwrap_or_default()) }
            }
            Place::Quarantine(id) => {
                let reason = if let Delivery::Quarantine { reason, .. } = delivery { reason } else { "" };
                Event { number: *id, ..new(What::Quarantined).said(reason) }
            }
        })
    }

    /// The content that the delivery shares with those before it of the same owner; writes it for the first.
    fn content(
        &self,
        work: &Work<'_>,
        delivery: &Delivery,
        contents: &mut Contents,
    ) -> Result<Content, Fault> {
        let owner = owner_of(delivery);
        if let Some((_, content)) = contents.iter().find(|(of, _)| *of == owner) {
            return Ok(*content);
        }
        let (account, domain) = owner;
        let sealed = self.sealed.iter().find(|(of, _)| *of == domain);
        let (_, sealed) = sealed.ok_or_else(|| Fault::broken("a delivery without a sealed message"))?;
        let mail = rows::next_mail(work, account)?;
        let layout = self.vault.seal_layout(MailId(mail as u64), sealed)?;
        write_content(work, mail, (self.size, self.mail.trace), domain, sealed, &layout)?;
        let summary = self.vault.seal_row(&summary::context(mail), &self.summary)?;
        work.run("INSERT INTO summary VALUES (?1, ?2)", params![mail, summary])?;
        if account != NOBODY {
            work.run("INSERT INTO unindexed VALUES (?1)", [mail])?;
        }
        let hashes = self.hashes.iter().find(|(of, _)| *of == account).map(|(_, hashes)| hashes.as_slice());
        let thread = thread::find(work, account, mail, hashes.unwrap_or_default())?;
        contents.push((owner, Content(mail, thread)));
        Ok(Content(mail, thread))
    }

    fn put_in_mailbox(
        &self,
        work: &mut Work<'_>,
        account: AccountId,
        folder: &Folder,
        flags: &Flags,
        internal_date: Timestamp,
        Content(mail, thread): Content,
    ) -> Result<Place, Fault> {
        let mailbox = resolve(work, account, folder)?;
        let modseq = rows::next_modseq(work, account)?;
        match self.even_when_full {
            true => rows::charge_anyway(work, account, 1, self.size)?,
            false => rows::charge(work, account, 1, self.size)?,
        }
        let mut tally = Tally::default();
        tally.add(flags.system_bits(), self.size);
        let (uid, uid_validity) = rows::take_uids(work, mailbox, modseq, &tally)?;
        let keywords = rows::admit_keywords(work, mailbox, flags.keywords(), self.keyword_limit)?;
        let keywords = rows::join(keywords);
        let row = NewRow {
            flags: flags.system_bits(),
            keywords: keywords.as_deref(),
            internal_date: internal_date.0,
            saved: self.saved,
            mail,
            thread,
            size: self.size,
        };
        rows::insert(work, mailbox, uid, modseq, &row)?;
        let appended = Appended { uid_validity, uids: vec![Uid(uid)] };
        Ok(Place::Mailbox { account, appended, mailbox: MailboxId(mailbox as u64) })
    }

    fn put_in_queue(
        &self,
        work: &Work<'_>,
        account: Option<AccountId>,
        domain: DomainId,
        (from, recipient, terms): (String, &Address, &Terms),
        mail: i64,
    ) -> Result<Place, Fault> {
        let sql =
            "INSERT INTO queue (trace, mail, account, domain, reverse_path, recipient, size, smtputf8, since,
                                destination, due, deadline, terms, held)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?9, ?11, ?12,
                           (SELECT why FROM queue_hold
                            WHERE kind = 'destination' AND key = ?10 OR kind = 'account' AND key = ?3))
                   RETURNING id";
        let m = &self.mail;
        let (trace, account) = (m.trace.0.to_be_bytes(), account.map(|a| int(a.0)));
        let to = recipient.to_string();
        let since = m.received.0;
        let late = since.saturating_add(self.late_after);
        let deadline = terms.by.map_or(late, |by| late.min(by.time.0));
        let values = params![
            trace,
            mail,
            account,
            int(domain.0),
            from,
            to,
            self.size,
            m.smtputf8,
            since,
            crate::queue::destination(recipient),
            deadline,
            terms.to_string(),
        ];
        let id: Option<i64> = work.first(sql, values, |r| r.get(0))?;
        Ok(Place::Queue(id.unwrap_or(0) as u64))
    }

    fn put_in_quarantine(
        &self,
        work: &Work<'_>,
        instead_of: &Delivery,
        reason: &str,
        mail: i64,
    ) -> Result<Place, Fault> {
        let sql = "INSERT INTO quarantine (trace, mail, reverse_path, recipient, reason, instead_of, smtputf8, since)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id";
        let m = &self.mail;
        let recipient = quarantine::recipient(instead_of).map(ToString::to_string);
        let (trace, from) = (m.trace.0.to_be_bytes(), m.reverse_path.to_string());
        let kept = quarantine::print(instead_of);
        let values = params![trace, mail, from, recipient, reason, kept, m.smtputf8, m.received.0];
        let id: Option<i64> = work.first(sql, values, |r| r.get(0))?;
        Ok(Place::Quarantine(id.unwrap_or(0) as u64))
    }
}

/// A mail's id and thread.
#[derive(Clone, Copy)]
struct Content(i64, i64);

type Contents = Vec<((AccountId, DomainId), Content)>;

fn write_content(
    work: &Work<'_>,
    mail: i64,
    (size, trace): (i64, TraceId),
    domain: DomainId,
    sealed: &SealedMessage,
    layout: &[u8],
) -> Result<(), Fault> {
    let (body, file) = match &sealed.body {
        Body::Inline(octets) => (Some(octets), None),
        Body::File(blob) => (None, Some(blob.0)),
    };
    let sql = "INSERT INTO content (mail, size, blob, layout, body, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    work.run(sql, params![mail, size, file, layout, body, trace.0.to_be_bytes()])?;
    for one in sealed.attachments.iter().filter(|one| !one.new) {
        // A file that was known when the message was sealed may be gone by now: then it is sealed again.
        let sql = "SELECT 1 FROM blob_use WHERE blob = ?1 UNION ALL SELECT 1 FROM dead_blob WHERE blob = ?1";
        work.first(sql, [one.blob.0], |_| Ok(()))?.ok_or(StoreError::Busy)?;
    }
    let attachments = sealed.attachments.iter().map(|one| one.blob.0);
    for blob in file.into_iter().chain(attachments) {
        work.run("INSERT OR IGNORE INTO blob_use VALUES (?1, ?2)", params![mail, blob])?;
        // It may have been on its way out when the message was sealed.
        work.run("DELETE FROM dead_blob WHERE blob = ?1", params![blob])?;
    }
    for one in &sealed.attachments {
        // Of two that came at once, or one in place of a file that was lost, later mail shares the last.
        let sql = "INSERT OR REPLACE INTO attachment VALUES (?1, ?2, ?3)";
        work.run(sql, params![int(domain.0), one.key.0, one.blob.0])?;
    }
    Ok(())
}

/// Which mailbox a delivery goes to.
fn resolve(work: &Work<'_>, account: AccountId, folder: &Folder) -> Result<i64, Fault> {
    let found = match folder {
        Folder::Inbox => None,
        Folder::Special(kind) => {
            let sql = "SELECT id FROM mailbox WHERE account = ?1 AND special = ?2";
            work.first(sql, [int(account.0), super::mailboxes::special_number(*kind)], |r| r.get(0))?
        }
        Folder::Named(name) => match MailboxName::new(name) {
            Ok(name) => {
                let sql = "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2";
                work.first(sql, params![int(account.0), name.as_str()], |r| r.get(0))?
            }
            Err(_) => None,
        },
        Folder::Exact(mailbox) => {
            let id = own_mailbox(account, *mailbox).ok_or(StoreError::Gone)?;
            return Ok(id);
        }
    };
    Ok(found.unwrap_or_else(|| inbox(account)))
}
