//! The text index at work: a thread that adds mail shortly after it came, in batches, and the look-up for SEARCH.

use super::fault::Fault;
use super::schema::{int, key, owner, range};
use super::segment::{self, Builder, Segment};
use super::writer::{Work, first};
use super::{Parts, rows};
use crate::vault::{BlobId, Body};
use crate::{StoreError, StoredMessage};
use base::{AccountId, MailId, MailboxId, Uid};
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::mime;

/// How long mail gathers before it is indexed: fewer, larger segments.
const GATHER: Duration = Duration::from_secs(2);
/// Mails read in one go.
const BATCH: usize = 1000;
/// About how large a fresh segment may become.
const BATCH_OCTETS: usize = 4 << 20;
/// Segments of one level that are merged into one of the next.
const FAN: usize = 8;
/// Mails from which on a segment is left alone, and the most that a merge makes.
const FULL: i64 = 4096;
const MOST_MERGED: i64 = 8192;
/// Octets from which on a segment is left alone, whatever it holds.
const FULL_OCTETS: i64 = 4 << 20;
/// The level of segments that are left alone.
const FULL_LEVEL: i64 = 100;
/// How often segments are looked through for mail that is gone, and how long after the start first.
const TIDY: Duration = Duration::from_secs(24 * 3600);
const FIRST_TIDY: Duration = Duration::from_secs(3600);
/// A segment is made anew when more than one mail in so many is gone.
const GONE_PART: usize = 4;
/// Candidates up to which each is looked up by itself.
const FEW: usize = 4096;

/// Pieces of what is looked for that the index is asked for: the longest. More would cost and save nothing.
const MOST_PIECES: usize = 8;

/// What a segment's sealed words are bound to: their account.
fn words_of(of: AccountId) -> Vec<u8> {
    [b"text_segment.words".as_slice(), &of.0.to_be_bytes()].concat()
}

/// What a sealed chunk of postings is bound to: the words it belongs to, by the end of their seal, which no other
/// words have, and its place.
fn postings_of(words: &[u8], chunk: i64) -> Vec<u8> {
    let seal = words.last_chunk::<16>().copied().unwrap_or_default();
    [b"text_segment.postings".as_slice(), &seal, &chunk.to_be_bytes()].concat()
}

/// The index thread's nice value.
const GIVE_WAY: i32 = 10;

/// The index's thread and its look-up.
pub(super) struct Indexer {
    parts: Arc<Parts>,
    state: Mutex<State>,
    bell: Condvar,
    /// Held by whoever makes or replaces segments.
    making: Mutex<()>,
}

#[derive(Default)]
struct State {
    rung: bool,
    urgent: bool,
    closed: bool,
}

impl Indexer {
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        // What an earlier run left is taken up at once.
        let state = State { rung: true, ..State::default() };
        Indexer { parts, state: Mutex::new(state), bell: Condvar::new(), making: Mutex::default() }
    }

    /// Starts the thread.
    pub(super) fn start(self: &Arc<Self>) -> Result<JoinHandle<()>, StoreError> {
        let indexer = self.clone();
        std::thread::Builder::new()
            .name("store-index".into())
            .spawn(move || {
                give_way();
                indexer.index_all();
            })
            .map_err(|e| StoreError::Failed(e.to_string()))
    }

    /// Says that mail may have come.
    pub(super) fn wake(&self) {
        let mut state = self.state.lock();
        if !state.rung {
            state.rung = true;
            self.bell.notify_all();
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.bell.notify_all();
    }

    /// Waits until nothing is left to be indexed.
    pub(super) fn wait(&self) {
        let pending = |reader: &Connection| first(reader, "SELECT 1 FROM unindexed LIMIT 1", [], |_| Ok(()));
        while self.parts.settings.index_text && !self.state.lock().closed {
            match self.parts.readers.lend(pending) {
                Ok(Some(())) => {}
                _ => return,
            }
            let mut state = self.state.lock();
            (state.rung, state.urgent) = (true, true);
            self.bell.notify_all();
            self.bell.wait_for(&mut state, Duration::from_millis(5));
        }
    }

    fn index_all(&self) {
        let mut tidy_at = Instant::now() + FIRST_TIDY;
        while self.gather() {
            if Instant::now() >= tidy_at {
                tidy_at = Instant::now() + TIDY;
                if let Err(fault) = self.tidy() {
                    tracing::warn!(?fault, "text index");
                }
            }
            loop {
                match self.index_batch() {
                    Ok(true) if !self.state.lock().closed => {}
                    Ok(_) => break,
                    Err(fault) => {
                        tracing::warn!(?fault, "text index");
                        break;
                    }
                }
            }
        }
    }

    /// Waits for mail, then for more of it. False when it is time to end.
    fn gather(&self) -> bool {
        let mut state = self.state.lock();
        if !state.rung && !state.closed {
            self.bell.wait_for(&mut state, TIDY);
        }
        if !state.closed && !state.urgent {
            self.bell.wait_while_for(&mut state, |state| !state.closed && !state.urgent, GATHER);
        }
        (state.rung, state.urgent) = (false, false);
        !state.closed
    }

    /// Indexes what waits, up to a batch. Whether there may be more.
    fn index_batch(&self) -> Result<bool, Fault> {
        let _making = self.making.lock();
        let mails = self.parts.readers.lend(|reader| {
            let mut statement = reader.prepare_cached("SELECT mail FROM unindexed ORDER BY mail LIMIT ?1")?;
            let mails = statement.query_map([BATCH as i64], |row| row.get(0))?;
            Ok(mails.collect::<Result<Vec<i64>, _>>()?)
        })?;
        let (mut made, mut accounts, mut octets) = (Vec::new(), Vec::new(), 0);
        let mut rest = mails.as_slice();
        while let Some(of) = rest.first().map(|mail| owner(*mail)) {
            let end = rest.iter().position(|mail| owner(*mail) != of).unwrap_or(rest.len());
            let mut own = rest.get(..end).unwrap_or_default();
            rest = rest.get(end..).unwrap_or_default();
            accounts.push(of);
            while !own.is_empty() {
                let fresh = self.index_some(of, &mut own)?;
                octets += fresh.sealed.octets();
                made.push(fresh);
                if octets >= BATCH_OCTETS {
                    self.replace(std::mem::take(&mut made))?;
                    octets = 0;
                }
            }
        }
        self.replace(made)?;
        self.merge_all(accounts)?;
        Ok(!mails.is_empty())
    }

    /// A segment of an account's first mails, which are taken off the list.
    fn index_some(&self, of: AccountId, mails: &mut &[i64]) -> Result<Replacement, Fault> {
        let mut builder = Builder::default();
        let all = *mails;
        while let Some((mail, others)) = mails.split_first().filter(|_| builder.octets() < BATCH_OCTETS) {
            builder.add(*mail, self.text(*mail).as_deref());
            *mails = others;
        }
        let count = builder.mails();
        let sealed = self.seal(of, &builder.finish())?;
        let indexed = all.get(..count).unwrap_or_default().to_vec();
        Ok(Replacement { of, indexed, merged: Vec::new(), mails: count as i64, sealed })
    }

    /// Writes new segments in one go, in place of what they were made of.
    fn replace(&self, made: Vec<Replacement>) -> Result<(), Fault> {
        if made.is_empty() {
            return Ok(());
        }
        let octets = made.iter().map(|one| one.sealed.octets()).sum();
        self.parts.writer.write(octets, move |work| {
            for one in &made {
                for mail in &one.indexed {
                    work.run("DELETE FROM unindexed WHERE mail = ?1", [mail])?;
                }
                for segment in &one.merged {
                    work.run("DELETE FROM text_segment WHERE id = ?1", [segment])?;
                    work.run("DELETE FROM text_posting WHERE segment = ?1", [segment])?;
                }
                one.sealed.insert(work, one.of, one.mails)?;
            }
            Ok(())
        })
    }

    /// A mail's folded text; nothing where it can't be read (it stays a candidate for every search).
    fn text(&self, mail: i64) -> Option<String> {
        let message = open(&self.parts, mail)
            .inspect_err(|fault| tracing::warn!(mail, ?fault, "not indexed"))
            .ok()??;
        let mut header = Vec::new();
        message.read(message.tree().root().header(), &mut header).ok()?;
        let mut text = mime::search_text(message.tree(), &*message).ok()?;
        text.push('\n');
        text.push_str(&mime::header_text(&header));
        Some(mime::casemap(&text))
    }

    fn seal(&self, of: AccountId, segment: &Segment) -> Result<Sealed, Fault> {
        let packed = lz4_flex::block::compress_prepend_size(&segment.words);
        let words = self.parts.vault.seal_row(&words_of(of), &packed)?;
        // Differences of small numbers don't pack any smaller.
        let seal =
            |(chunk, plain): (i64, &Vec<u8>)| self.parts.vault.seal_row(&postings_of(&words, chunk), plain);
        let postings = (0..).zip(&segment.postings).map(seal).collect::<Result<_, _>>()?;
        Ok(Sealed { words, postings })
    }

    fn unseal_words(&self, of: AccountId, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut packed = Vec::with_capacity(sealed.len());
        self.parts.vault.open_row(&words_of(of), sealed, &mut packed)?;
        lz4_flex::block::decompress_size_prepended(&packed).map_err(|_| Fault::broken("a text segment"))
    }

    /// A segment, unsealed whole.
    fn load(&self, reader: &Connection, id: i64) -> Result<Segment, Fault> {
        let sql = "SELECT words FROM text_segment WHERE id = ?1";
        let words: Option<Vec<u8>> = first(reader, sql, [id], |r| r.get(0))?;
        let words = words.ok_or_else(|| Fault::broken("a text segment went away"))?;
        let sql = "SELECT chunk, sealed FROM text_posting WHERE segment = ?1 ORDER BY chunk";
        let mut statement = reader.prepare_cached(sql)?;
        let mut rows = statement.query([id])?;
        let mut postings = Vec::new();
        while let Some(row) = rows.next()? {
            let mut plain = Vec::new();
            let sealed = row.get_ref(1)?.as_blob().map_err(|_| Fault::broken("a text posting"))?;
            self.parts.vault.open_row(&postings_of(&words, row.get(0)?), sealed, &mut plain)?;
            postings.push(plain);
        }
        Ok(Segment { words: self.unseal_words(owner(id), &words)?, postings })
    }

    /// Merges accounts' segments while they have many of one size.
    fn merge_all(&self, mut accounts: Vec<AccountId>) -> Result<(), Fault> {
        while !accounts.is_empty() {
            let (mut merged, mut octets, mut again) = (Vec::new(), 0, Vec::new());
            for of in accounts {
                let Some(ids) = self.parts.readers.lend(|reader| to_merge(reader, of))? else { continue };
                let one = match self.merge(of, ids) {
                    Ok(one) => one,
                    // One account's damage is no other's.
                    Err(fault) => {
                        tracing::warn!(account = %of, ?fault, "text segments not merged");
                        continue;
                    }
                };
                octets += one.sealed.octets();
                merged.push(one);
                again.push(of);
                if octets >= BATCH_OCTETS {
                    self.replace(std::mem::take(&mut merged))?;
                    octets = 0;
                }
            }
            self.replace(merged)?;
            accounts = again;
        }
        Ok(())
    }

    /// Makes one segment of several, leaving out mail that is gone.
    fn merge(&self, of: AccountId, ids: Vec<i64>) -> Result<Replacement, Fault> {
        let merged = self.parts.readers.read(|reading| {
            let segments = ids.iter().map(|id| self.load(reading.sql, *id)).collect::<Result<Vec<_>, _>>()?;
            // In doubt, a mail's words are kept.
            let is_gone = |mail: i64| !is_held(reading.sql, mail).unwrap_or(true);
            segment::merge(&segments, &is_gone).ok_or_else(|| Fault::broken("a text segment"))
        })?;
        let mails = segment::count(&merged.words);
        Ok(Replacement { of, indexed: Vec::new(), merged: ids, mails, sealed: self.seal(of, &merged)? })
    }

    /// Makes segments anew where many of their mails are gone: their words go too. Full ones are never merged, and the
    /// few small ones of a quiet account may wait for ever.
    pub(super) fn tidy(&self) -> Result<(), Fault> {
        let _making = self.making.lock();
        let mut last = 0;
        while !self.state.lock().closed {
            let sql = "SELECT id, words FROM text_segment WHERE id > ?1 ORDER BY id LIMIT 1";
            let next = self.parts.readers.lend(|reader| {
                first(reader, sql, [last], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)))
            })?;
            let Some((id, words)) = next else { return Ok(()) };
            last = id;
            let mails = segment::mails(&self.unseal_words(owner(id), &words)?);
            let mails = mails.ok_or_else(|| Fault::broken("a text segment"))?;
            let gone = self.parts.readers.read(|reading| {
                let gone = |mail: &&i64| !is_held(reading.sql, **mail).unwrap_or(true);
                Ok(mails.iter().filter(gone).count())
            })?;
            if gone * GONE_PART > mails.len() {
                let anew = self.merge(owner(id), vec![id])?;
                self.replace(vec![anew])?;
            }
        }
        Ok(())
    }

    /// UIDs of a mailbox whose mail may hold `text`; nothing where any may.
    pub(super) fn candidates(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
    ) -> Result<Option<Vec<Uid>>, Fault> {
        let mut pieces = segment::pieces(&mime::casemap(text));
        pieces.truncate(MOST_PIECES);
        if pieces.is_empty() || !self.parts.settings.index_text {
            return Ok(None);
        }
        match self.look_up(of, mailbox, &pieces) {
            // The index only saves work: without it all mail is looked through.
            Err(Fault::Store(StoreError::Failed(why))) => {
                tracing::warn!(account = %of, why, "text index");
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    fn look_up(&self, of: AccountId, mailbox: MailboxId, pieces: &[String]) -> Result<Vec<Uid>, Fault> {
        self.parts.readers.read(|reading| {
            let id = rows::existing(reading.sql, of, mailbox)?;
            let mut mails = Vec::new();
            let mut statement = reading
                .sql
                .prepare_cached("SELECT id, words FROM text_segment WHERE id BETWEEN ?1 AND ?2")?;
            let mut segments = statement.query(range(of))?;
            while let Some(row) = segments.next()? {
                reading.check_time()?;
                let words = row.get_ref(1)?.as_blob().map_err(|_| Fault::broken("a text segment"))?;
                let id = row.get(0)?;
                let posting = |chunk| self.posting(reading.sql, id, words, chunk);
                let hits = segment::search(&self.unseal_words(of, words)?, posting, pieces)?;
                mails.extend(hits.ok_or_else(|| Fault::broken("a text segment"))?);
            }
            let mut statement =
                reading.sql.prepare_cached("SELECT mail FROM unindexed WHERE mail BETWEEN ?1 AND ?2")?;
            let waiting = statement.query_map(range(of), |row| row.get::<_, i64>(0))?;
            for mail in waiting {
                mails.push(mail?);
            }
            mails.sort_unstable();
            in_mailbox(reading.sql, id, &mails)
        })
    }

    fn posting(
        &self,
        reader: &Connection,
        segment: i64,
        words: &[u8],
        chunk: usize,
    ) -> Result<Vec<u8>, Fault> {
        let sql = "SELECT sealed FROM text_posting WHERE segment = ?1 AND chunk = ?2";
        let mut statement = reader.prepare_cached(sql)?;
        let mut rows = statement.query([segment, chunk as i64])?;
        let row = rows.next()?.ok_or_else(|| Fault::broken("a text posting went away"))?;
        let sealed = row.get_ref(0)?.as_blob().map_err(|_| Fault::broken("a text posting"))?;
        let mut plain = Vec::with_capacity(sealed.len());
        self.parts.vault.open_row(&postings_of(words, chunk as i64), sealed, &mut plain)?;
        Ok(plain)
    }
}

/// A new segment of an account, and what it stands in place of.
struct Replacement {
    of: AccountId,
    /// Mails that were not indexed.
    indexed: Vec<i64>,
    /// Segments.
    merged: Vec<i64>,
    mails: i64,
    sealed: Sealed,
}

/// A segment, sealed.
struct Sealed {
    words: Vec<u8>,
    postings: Vec<Vec<u8>>,
}

/// Lets the threads that serve peers go first: on Linux a priority is a thread's own. Mail that is not indexed yet is
/// found all the same.
fn give_way() {
    let own = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(own), GIVE_WAY) {
        tracing::debug!(%error, "the index thread keeps its priority");
    }
}

impl Sealed {
    fn octets(&self) -> usize {
        self.words.len() + self.postings.iter().map(Vec::len).sum::<usize>()
    }

    fn insert(&self, work: &Work<'_>, of: AccountId, mails: i64) -> Result<(), Fault> {
        if mails == 0 {
            return Ok(());
        }
        let sql = "UPDATE ledger SET segments = segments + 1 WHERE account = ?1 RETURNING segments";
        let Some(number) = work.first(sql, [int(of.0)], |r| r.get::<_, i64>(0))? else {
            // The account was removed meanwhile.
            return Ok(());
        };
        let (id, octets) = (key(of, number), int(self.octets() as u64));
        let sql = "INSERT INTO text_segment VALUES (?1, ?2, ?3, ?4)";
        work.run(sql, params![id, level(mails, octets), mails, self.words])?;
        for (number, chunk) in self.postings.iter().enumerate() {
            work.run("INSERT INTO text_posting VALUES (?1, ?2, ?3)", params![id, number as i64, chunk])?;
        }
        Ok(())
    }
}

/// Segments of one level hold about as many mails: each level [`FAN`] times the one below.
fn level(mails: i64, octets: i64) -> i64 {
    match mails >= FULL || octets >= FULL_OCTETS {
        true => FULL_LEVEL,
        false => i64::from(mails.max(1).ilog(FAN as i64)),
    }
}

/// The oldest segments of a level that has too many.
fn to_merge(reader: &Connection, of: AccountId) -> Result<Option<Vec<i64>>, Fault> {
    let sql = "SELECT level FROM text_segment WHERE id BETWEEN ?1 AND ?2 AND level < 100
               GROUP BY level HAVING count(*) >= 8 ORDER BY level LIMIT 1";
    let Some(level) = first(reader, sql, range(of), |r| r.get::<_, i64>(0))? else { return Ok(None) };
    let sql =
        "SELECT id, mails FROM text_segment WHERE id BETWEEN ?1 AND ?2 AND level = ?3 ORDER BY id LIMIT ?4";
    let (low, high) = range(of);
    let mut statement = reader.prepare_cached(sql)?;
    let mut rows = statement.query([low, high, level, FAN as i64])?;
    let (mut ids, mut mails) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        mails += row.get::<_, i64>(1)?;
        if mails > MOST_MERGED && ids.len() > 1 {
            break;
        }
        ids.push(row.get(0)?);
    }
    Ok(Some(ids))
}

/// Whether a mail is in a mailbox, or may come back into one.
fn is_held(reader: &Connection, mail: i64) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE mail = ?1) OR EXISTS (SELECT 1 FROM removed WHERE mail = ?1)";
    Ok(first(reader, sql, [mail], |row| row.get(0))?.unwrap_or(true))
}

/// UIDs that mails (ascending) have in a mailbox.
fn in_mailbox(reader: &Connection, mailbox: i64, mails: &[i64]) -> Result<Vec<Uid>, Fault> {
    let mut uids = Vec::new();
    if mails.len() <= FEW {
        let sql = "SELECT uid FROM message INDEXED BY message_mail WHERE mail = ?1 AND mailbox = ?2";
        let mut statement = reader.prepare_cached(sql)?;
        for mail in mails {
            let mut rows = statement.query([*mail, mailbox])?;
            while let Some(row) = rows.next()? {
                uids.push(Uid(row.get(0)?));
            }
        }
        uids.sort_unstable();
        uids.dedup();
    } else {
        let mut statement =
            reader.prepare_cached("SELECT uid, mail FROM message WHERE mailbox = ?1 ORDER BY uid")?;
        let mut rows = statement.query([mailbox])?;
        while let Some(row) = rows.next()? {
            if mails.binary_search(&row.get(1)?).is_ok() {
                uids.push(Uid(row.get(0)?));
            }
        }
    }
    Ok(uids)
}

/// Opens a mail whoever it belongs to; nothing where it is gone.
pub(super) fn open(parts: &Parts, mail: i64) -> Result<Option<Box<dyn StoredMessage>>, Fault> {
    let sql = "SELECT blob, layout, body FROM content WHERE mail = ?1";
    let found = parts.readers.lend(|reader| {
        first(reader, sql, [mail], |row| {
            Ok((
                row.get::<_, Option<Vec<u8>>>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, Option<Vec<u8>>>(2)?,
            ))
        })
    })?;
    let Some((file, layout, inline)) = found else { return Ok(None) };
    let file = file.as_deref().and_then(BlobId::from_octets);
    let body = file.map(Body::File).or(inline.map(Body::Inline));
    let body = body.ok_or_else(|| Fault::broken("a message without its body"))?;
    Ok(Some(parts.vault.open_message(MailId(mail as u64), &body, &layout)?))
}
