//! The rows of stories, in the order of the messages' traces, which is that of time: what comes is written at the end,
//! what is old is removed from the front, and no index has to be kept.

use super::fault::Fault;
use super::quarantine::trace as trace_of;
use super::schema::int;
use super::writer::Work;
use super::{Parts, Sqlite};
use crate::StoreError;
use crate::story::{Event, Keep, MOST_EVENTS, MOST_TEXT, Stories, Story, What};
use base::{AccountId, MailboxId, Timestamp, TraceId};
use gate::{Came, Delivery, Origin, Screened};
use parking_lot::Mutex;
use rusqlite::{Connection, Row, params};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Refusals that wait at most; they are written together.
const WAITING: usize = 128;
/// Of these, from one peer.
const WAITING_OF_PEER: usize = 16;
/// How long they gather at least.
const GATHER: Duration = Duration::from_secs(1);
/// How far ahead, in milliseconds, a clock may have been.
const AHEAD: i64 = 24 * 3600 * 1000;
/// Rows that one unit of work removes.
const PIECE: i64 = 1000;

const COLUMNS: &str =
    "trace, at, what, sender, recipient, by_whom, said, account, mailbox, number, other, octets";

/// Refusals that are not written yet.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    waiting: Vec<(IpAddr, Event)>,
    written: Option<Instant>,
}

impl Refusals {
    /// Adds one; gives all of them where it is time to write.
    fn add(&self, peer: IpAddr, event: Event) -> Vec<Event> {
        let mut gathered = self.0.lock();
        let of_peer = gathered.waiting.iter().filter(|(other, _)| *other == peer).count();
        if of_peer < WAITING_OF_PEER && gathered.waiting.len() < WAITING {
            gathered.waiting.push((peer, event));
        } else if let Some((_, last)) =
            gathered.waiting.iter_mut().rev().min_by_key(|(other, _)| *other != peer)
        {
            last.number += 1;
        }
        match gathered.written.is_none_or(|written| written.elapsed() >= GATHER) {
            true => gathered.take(),
            false => Vec::new(),
        }
    }
}

impl Gathered {
    fn take(&mut self) -> Vec<Event> {
        self.written = Some(Instant::now());
        std::mem::take(&mut self.waiting).into_iter().map(|(_, event)| event).collect()
    }
}

impl Stories for Sqlite {
    fn refused(&self, peer: IpAddr, event: Event) {
        let due = self.parts.refusals.add(peer, event);
        if !due.is_empty() && self.parts.disk.has_room() {
            self.parts.writer.submit(0, move |work| write_all(work, &due), |_| ());
        }
    }

    fn story(&self, of: TraceId) -> Result<Story, StoreError> {
        write_refusals(&self.parts)?;
        let read = self.parts.readers.read(|reading| {
            let mut story = Story::default();
            for refused in [true, false] {
                read_ends(reading.sql, of, refused, &mut story)?;
            }
            story.first.sort_by_key(|event| event.at);
            story.last.sort_by_key(|event| event.at);
            Ok(story)
        });
        Ok(read?)
    }

    fn latest(
        &self,
        address: &str,
        account: Option<AccountId>,
        most: usize,
    ) -> Result<Vec<TraceId>, StoreError> {
        write_refusals(&self.parts)?;
        let sql = "SELECT trace FROM story
                   WHERE refused = ?1 AND (sender = ?2 OR recipient = ?2 OR account = ?3) ORDER BY trace DESC";
        let read = self.parts.readers.read(|reading| {
            let mut found = Vec::new();
            for refused in [false, true] {
                let mut statement = reading.sql.prepare_cached(sql)?;
                let mut rows = statement.query(params![refused, address, account.map(|of| int(of.0))])?;
                let mut of_kind: Vec<TraceId> = Vec::new();
                while of_kind.len() < most
                    && let Some(row) = rows.next()?
                {
                    reading.check_time()?;
                    let trace = trace_of(row.get(0)?);
                    if of_kind.last() != Some(&trace) {
                        of_kind.push(trace);
                    }
                }
                found.extend(of_kind);
            }
            found.sort_by_key(|trace| std::cmp::Reverse(trace.0));
            found.dedup();
            found.truncate(most);
            Ok(found)
        });
        Ok(read?)
    }
}

/// Adds to a story the rows from its beginning and its end, or all where they meet.
fn read_ends(sql: &Connection, of: TraceId, refused: bool, story: &mut Story) -> Result<(), Fault> {
    let (trace, most) = (of.0.to_be_bytes(), MOST_EVENTS as i64);
    let count = "SELECT count(*) FROM story WHERE refused = ?1 AND trace = ?2";
    let rows: i64 = sql.prepare_cached(count)?.query_row(params![refused, trace], |row| row.get(0))?;
    let between = (rows - 2 * most).max(0);
    let query = format!(
        "SELECT {COLUMNS} FROM story WHERE refused = ?1 AND trace = ?2 ORDER BY seq LIMIT ?3 OFFSET ?4"
    );
    let mut statement = sql.prepare_cached(&query)?;
    let mut read = |limit: i64, offset: i64, events: &mut Vec<Event>| -> Result<(), Fault> {
        for row in statement.query_map(params![refused, trace, limit, offset], events_of)? {
            events.extend(row?);
        }
        Ok(())
    };
    if between == 0 {
        return read(rows, 0, &mut story.first);
    }
    read(most, 0, &mut story.first)?;
    read(most, most + between, &mut story.last)?;
    story.between += between as u64;
    Ok(())
}

/// Writes what was refused lately, and waits for what was handed over before.
pub(super) fn write_refusals(parts: &Parts) -> Result<(), Fault> {
    if !parts.disk.has_room() {
        return Ok(());
    }
    let due = parts.refusals.0.lock().take();
    parts.writer.write(0, move |work| write_all(work, &due))
}

/// Writes events.
pub(super) fn write_all(work: &mut Work<'_>, events: &[Event]) -> Result<(), Fault> {
    events.iter().try_for_each(|event| write(work, event))
}

/// Writes how a message came and where it went: for most, which come from outside for one mailbox, that is one row.
pub(super) fn write_arrival(work: &mut Work<'_>, arrival: &[Event], places: &[Event]) -> Result<(), Fault> {
    match (arrival, places) {
        ([came], [filed]) if share_a_row(came, filed) => write_row(work, filed, Some(came)),
        _ => {
            write_all(work, arrival)?;
            write_all(work, places)
        }
    }
}

/// Whether neither needs a column that the other has filled.
fn share_a_row(came: &Event, filed: &Event) -> bool {
    filed.what == What::Filed
        && filed.by.is_empty()
        && filed.said.is_empty()
        && came.account.is_none()
        && came.other.is_none()
}

/// Writes an event.
pub(super) fn write(work: &Work<'_>, event: &Event) -> Result<(), Fault> {
    write_row(work, event, None)
}

/// Writes a row, in which it may stand, too, how the message `came`.
fn write_row(work: &Work<'_>, event: &Event, came: Option<&Event>) -> Result<(), Fault> {
    // No message's mail is turned away because of its story.
    let sql = "INSERT OR IGNORE INTO story (refused, trace, seq, at, what, sender, recipient, by_whom, said, account,
                                            mailbox, number, other, octets)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let (e, told) = (event, came.unwrap_or(event));
    let values = params![
        e.what == What::Refused,
        e.trace.0.to_be_bytes(),
        next_number(),
        e.at,
        e.what.word(),
        cut(&told.from),
        cut(&e.to),
        cut(&told.by),
        cut(&told.said),
        e.account.map(|of| int(of.0)),
        e.mailbox.map(|mailbox| int(mailbox.0)),
        int(e.number),
        e.other.map(|other| other.0.to_be_bytes()),
        came.map(|came| int(came.number)),
    ];
    work.run(sql, values).map(drop)
}

/// Numbers that only grow, from one run of the program to the next, too: nanoseconds.
fn next_number() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let last =
        LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last.saturating_add(1))));
    now.max(last.unwrap_or_default().saturating_add(1))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}

/// What a row tells: two events, where it tells how the message came, too.
fn events_of(row: &Row<'_>) -> rusqlite::Result<Vec<Event>> {
    let what: String = row.get(2)?;
    let event = Event {
        trace: trace_of(row.get(0)?),
        at: row.get(1)?,
        what: What::of_word(&what).ok_or(rusqlite::Error::InvalidQuery)?,
        from: row.get(3)?,
        to: row.get(4)?,
        by: row.get(5)?,
        said: row.get(6)?,
        account: row.get::<_, Option<i64>>(7)?.map(|of| AccountId(of as u64)),
        mailbox: row.get::<_, Option<i64>>(8)?.map(|mailbox| MailboxId(mailbox as u64)),
        number: row.get::<_, i64>(9)? as u64,
        other: row.get::<_, Option<[u8; 16]>>(10)?.map(trace_of),
    };
    let Some(octets) = row.get::<_, Option<i64>>(11)? else { return Ok(vec![event]) };
    let (from, by, said) = (event.from, event.by, event.said);
    let number = octets as u64;
    let came = Event { at: event.at, from, by, said, number, ..Event::new(event.trace, What::Came) };
    Ok(vec![came, Event { from: String::new(), by: String::new(), said: String::new(), ..event }])
}

/// What a message's own commit tells of it: that it came, and what a script wanted no copy of.
pub(super) fn arrival(mail: &Screened) -> Vec<Event> {
    let (spooled, came) = (mail.mail(), mail.came());
    let Came { by, account, because_of, discarded, .. } = came;
    let mut events = Vec::with_capacity(1 + discarded.len());
    // What a script sends on or alters is the message that came, of which that is told already.
    if mail.inside() != Some(Origin::Sieve) {
        events.push(Event {
            from: spooled.reverse_path.to_string(),
            by: mail.inside().map_or_else(|| by.clone(), |origin| origin.to_string()),
            said: mail.story().join("; "),
            account: *account,
            number: spooled.octets.len(),
            other: because_of.map(|(other, _)| other),
            ..Event::new(spooled.trace, What::Came)
        });
    }
    let to =
        |recipient: &Option<base::Address>| recipient.as_ref().map_or_else(String::new, ToString::to_string);
    events.extend(discarded.iter().map(|(account, recipient)| Event {
        account: Some(*account),
        ..Event::new(spooled.trace, What::Discarded).to(to(recipient))
    }));
    events.extend(because_of.map(|(other, what)| {
        Event {
            other: Some(spooled.trace),
            ..Event::new(other, What::Answered)
                .by(what)
                .to(mail.deliveries().first().map_or_else(String::new, recipient))
        }
    }));
    events
}

/// Whom a delivery is for, in words.
pub(super) fn recipient(delivery: &Delivery) -> String {
    super::quarantine::recipient(delivery).map_or_else(String::new, ToString::to_string)
}

/// Notes what became of a mail's copy in a mailbox, if the mail's story is still kept.
pub(super) fn note(
    work: &Work<'_>,
    mail: i64,
    what: What,
    (of, mailbox, uid): (AccountId, i64, u32),
) -> Result<(), Fault> {
    let sql = "SELECT trace FROM content WHERE mail = ?1 AND trace IS NOT NULL AND EXISTS
                 (SELECT 1 FROM story WHERE refused = 0 AND trace = content.trace)";
    let Some(trace) = work.first(sql, [mail], |row| row.get(0))? else { return Ok(()) };
    let (account, mailbox) = (Some(of), Some(MailboxId(mailbox as u64)));
    write(work, &Event { account, mailbox, number: uid.into(), ..Event::new(trace_of(trace), what) })
}

/// Removes what is too old or too much.
pub(super) fn prune(parts: &Parts, keep: Keep) -> Result<(), Fault> {
    for (refused, most) in [(false, keep.events), (true, keep.events / 4)] {
        let counted = parts.readers.lend(|reader| {
            let sql = "SELECT count(*) FROM story WHERE refused = ?1";
            Ok(reader.prepare_cached(sql)?.query_row([refused], |row| row.get::<_, i64>(0))?)
        })?;
        let mut surplus = counted.saturating_sub(int(most)).max(0);
        loop {
            let too_many = surplus.min(PIECE);
            let removed =
                parts.writer.write(0, move |work| remove_first(work, refused, keep.time, too_many))?;
            surplus -= removed.min(surplus);
            if removed == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Removes from the front, at most a piece: so many in any case, others if they are older.
fn remove_first(work: &Work<'_>, refused: bool, keep: Duration, too_many: i64) -> Result<i64, Fault> {
    let now = Timestamp::now().0.saturating_mul(1000);
    let oldest = now.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX)).max(0);
    let surplus = "DELETE FROM story WHERE refused = ?1 AND (trace, seq) IN
                     (SELECT trace, seq FROM story WHERE refused = ?1 ORDER BY trace, seq LIMIT ?2)";
    if too_many > 0 {
        return Ok(work.run(surplus, params![refused, too_many])? as i64);
    }
    // A trace made by a clock that was ahead, or before traces told the time, goes by its events' age.
    let (from, future) = (TraceId::at(oldest, 0), TraceId::at(now.saturating_add(AHEAD), 0));
    let aged = "DELETE FROM story WHERE refused = ?1 AND (trace, seq) IN
                  (SELECT trace, seq FROM story WHERE refused = ?1 AND trace < ?2
                   UNION ALL SELECT trace, seq FROM story WHERE refused = ?1 AND trace > ?3 AND at < ?4 LIMIT ?5)";
    let values = params![refused, from.0.to_be_bytes(), future.0.to_be_bytes(), oldest, PIECE];
    Ok(work.run(aged, values)? as i64)
}
