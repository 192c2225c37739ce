//! A maildrop in the TRANSACTION and UPDATE states (RFC 1939 §5, §6): commands that touch mail.

use crate::mailstore::{Columns, MailError, Mailstore, Message};
use base::{MailId, MailboxId, MailboxName, Uid, UidValidity};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use wire::pop3::{Command, DotStuffer, TopEnd};

/// Octets of a message read at once; RETR's pieces are larger, as all of them will be sent.
const RETR_PIECE: u64 = 128 * 1024;
const TOP_PIECE: u64 = 8 * 1024;

/// A message up to this size is read in a moment.
const BRIEF_OCTETS: u64 = 64 * 1024;

/// INBOX as it was at log-in.
pub(super) struct Maildrop {
    store: Arc<dyn Mailstore>,
    inbox: MailboxId,
    uid_validity: UidValidity,
    /// Message 1 comes first.
    entries: Vec<Entry>,
    keeps: bool,
    sending: Option<Sending>,
    /// The entry that RETR named last, if it named the one before it just before: the next is likely to follow.
    sequence: Option<usize>,
    last: Option<usize>,
    /// The message that was opened ahead of its RETR.
    ahead: Option<(usize, Box<dyn Message>)>,
}

struct Entry {
    mail: MailId,
    uid: Uid,
    size: u64,
    /// DELE was said.
    deleted: bool,
    /// RETR sent all of it.
    retrieved: bool,
}

/// A multi-line answer that has begun.
enum Sending {
    /// LIST or UIDL, from this entry on.
    Listing { unique_ids: bool, from: usize },
    /// RETR or TOP.
    Message(Box<Transfer>),
}

pub(super) struct Transfer {
    entry: usize,
    message: Box<dyn Message>,
    at: u64,
    stuffer: DotStuffer,
    /// Where TOP ends; RETR has none.
    top: Option<TopEnd>,
}

impl Maildrop {
    /// Takes the snapshot and answers the log-in. An error was answered too; the session is over then.
    pub(super) fn open(store: Arc<dyn Mailstore>, out: &mut Vec<u8>) -> Result<Self, ()> {
        match Self::load(store) {
            Ok(maildrop) => {
                out.extend_from_slice(b"+OK maildrop has ");
                maildrop.write_totals(b" messages, octets: ", out);
                Ok(maildrop)
            }
            Err(_) => {
                out.extend_from_slice(b"-ERR [SYS/TEMP] the maildrop can't be opened now\r\n");
                Err(())
            }
        }
    }

    fn load(store: Arc<dyn Mailstore>) -> Result<Self, MailError> {
        let inbox = store.find(&MailboxName::inbox())?.and_then(|info| info.mailbox);
        let inbox = inbox.ok_or(MailError::NoMailbox)?;
        let opened = store.open(inbox)?;
        let mut entries = Vec::with_capacity(opened.uids.len());
        // What was expunged between the two calls is left out from the start.
        store.scan(inbox, &opened.uids, Columns::default(), &mut |row| {
            let (mail, uid, size) = (row.mail, row.uid, row.size);
            entries.push(Entry { mail, uid, size, deleted: false, retrieved: false });
            ControlFlow::Continue(())
        })?;
        let keeps = store.pop3_keeps();
        Ok(Maildrop {
            store,
            inbox,
            uid_validity: opened.status.uid_validity,
            entries,
            keeps,
            sending: None,
            sequence: None,
            last: None,
            ahead: None,
        })
    }

    /// Whether what was retrieved stays.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether an answer is unfinished.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether a command touches one small message at most, and changes nothing in the store.
    pub(super) fn is_brief(&self, command: &Command<'_>) -> bool {
        match command {
            Command::Retr(number) | Command::Top(number, _) => {
                let entry = (*number as usize).checked_sub(1).and_then(|place| self.entries.get(place));
                entry.is_none_or(|entry| entry.size <= BRIEF_OCTETS)
            }
            Command::List(number) | Command::Uidl(number) => number.is_some(),
            Command::Stat | Command::Dele(_) | Command::Rset | Command::Noop => true,
            _ => false,
        }
    }

    /// Runs a command and appends its answer, or its beginning. False where the peer made an error.
    pub(super) fn run(&mut self, command: Command<'_>, out: &mut Vec<u8>) -> bool {
        match command {
            Command::Stat => {
                out.extend_from_slice(b"+OK ");
                self.write_totals(b" ", out);
            }
            Command::List(None) => self.begin_listing(false, out),
            Command::Uidl(None) => self.begin_listing(true, out),
            Command::List(Some(number)) => return self.list_one(number, false, out),
            Command::Uidl(Some(number)) => return self.list_one(number, true, out),
            Command::Retr(number) => return self.begin_message(number, None, out),
            Command::Top(number, lines) => return self.begin_message(number, Some(TopEnd::new(lines)), out),
            Command::Dele(number) => return self.delete(number, out),
            Command::Rset => {
                self.entries.iter_mut().for_each(|entry| entry.deleted = false);
                out.extend_from_slice(b"+OK\r\n");
            }
            Command::Noop => out.extend_from_slice(b"+OK\r\n"),
            _ => {
                out.extend_from_slice(b"-ERR not after log-in\r\n");
                return false;
            }
        }
        true
    }

    /// Opens the message whose RETR is likely to come next, while the client is busy with the last one: most clients
    /// fetch one after another and wait for each.
    pub(super) fn read_ahead(&mut self) {
        let Some(place) = self.sequence.take().map(|place| place + 1) else { return };
        let likely = self.entries.get(place).filter(|entry| !entry.deleted && entry.size <= BRIEF_OCTETS);
        // An error shows when the RETR comes.
        self.ahead = likely
            .and_then(|entry| self.store.read(self.inbox, entry.mail).ok())
            .map(|message| (place, message));
    }

    /// Goes on with an unfinished answer by one piece. An error means that the message can't be read to its end:
    /// the connection has to end, or the peer would take a part for the whole.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> Result<(), ()> {
        match self.sending.take() {
            None => {}
            Some(Sending::Listing { unique_ids, from }) => self.send_listing(unique_ids, from, out),
            Some(Sending::Message(transfer)) => self.send_piece(transfer, out)?,
        }
        Ok(())
    }

    /// UPDATE: removes what was marked, and in the classic way what was retrieved (RFC 2449 §6.7, `EXPIRE 0`).
    pub(super) fn quit(&mut self, out: &mut Vec<u8>) {
        let gone = |entry: &&Entry| entry.deleted || (entry.retrieved && !self.keeps);
        let uids: Vec<Uid> = self.entries.iter().filter(gone).map(|entry| entry.uid).collect();
        let done = if uids.is_empty() { Ok(()) } else { self.store.pop3_remove(self.inbox, &uids) };
        out.extend_from_slice(match done {
            Ok(()) => b"+OK bye\r\n".as_slice(),
            // RFC 1939 §6
            Err(_) => b"-ERR [SYS/TEMP] deleted messages not removed\r\n",
        });
    }

    fn write_totals(&self, between: &[u8], out: &mut Vec<u8>) {
        let left = || self.entries.iter().filter(|entry| !entry.deleted);
        push_number(left().count() as u64, out);
        out.extend_from_slice(between);
        push_number(left().map(|entry| entry.size).sum(), out);
        out.extend_from_slice(b"\r\n");
    }

    /// The entry of a message number that is not marked as deleted; answers what is wrong with it otherwise.
    fn find(&self, number: u32, out: &mut Vec<u8>) -> Option<usize> {
        let place = (number as usize).checked_sub(1);
        let entry = place.and_then(|place| self.entries.get(place));
        match entry {
            Some(entry) if !entry.deleted => return place,
            Some(_) => out.extend_from_slice(b"-ERR message is deleted\r\n"),
            None => out.extend_from_slice(b"-ERR no such message\r\n"),
        }
        None
    }

    fn delete(&mut self, number: u32, out: &mut Vec<u8>) -> bool {
        let found = self.find(number, out);
        if let Some(entry) = found.and_then(|place| self.entries.get_mut(place)) {
            entry.deleted = true;
            out.extend_from_slice(b"+OK deleted\r\n");
        }
        found.is_some()
    }

    fn list_one(&self, number: u32, unique_ids: bool, out: &mut Vec<u8>) -> bool {
        let found = self.find(number, out);
        if let Some((place, entry)) = found.and_then(|place| Some((place, self.entries.get(place)?))) {
            out.extend_from_slice(b"+OK ");
            self.write_line(place, entry, unique_ids, out);
        }
        found.is_some()
    }

    fn begin_listing(&mut self, unique_ids: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK\r\n");
        self.sending = Some(Sending::Listing { unique_ids, from: 0 });
    }

    fn send_listing(&mut self, unique_ids: bool, from: usize, out: &mut Vec<u8>) {
        const LINES: usize = 4096;
        let until = self.entries.len().min(from.saturating_add(LINES));
        for (place, entry) in self.entries.iter().enumerate().take(until).skip(from) {
            if !entry.deleted {
                self.write_line(place, entry, unique_ids, out);
            }
        }
        match until < self.entries.len() {
            true => self.sending = Some(Sending::Listing { unique_ids, from: until }),
            false => out.extend_from_slice(b".\r\n"),
        }
    }

    /// A line of LIST or UIDL. UIDs are never given again and UIDVALIDITY never changes for a mailbox that lives,
    /// so both together are unique for ever (RFC 1939 §7).
    fn write_line(&self, place: usize, entry: &Entry, unique_ids: bool, out: &mut Vec<u8>) {
        push_number(place as u64 + 1, out);
        out.push(b' ');
        match unique_ids {
            true => {
                push_number(self.uid_validity.0.into(), out);
                out.push(b'.');
                push_number(entry.uid.0.into(), out);
            }
            false => push_number(entry.size, out),
        }
        out.extend_from_slice(b"\r\n");
    }

    fn begin_message(&mut self, number: u32, top: Option<TopEnd>, out: &mut Vec<u8>) -> bool {
        let Some(place) = self.find(number, out) else { return false };
        let Some(mail) = self.entries.get(place).map(|entry| entry.mail) else { return false };
        let ahead = self.ahead.take().filter(|(ahead, _)| *ahead == place).map(|(_, message)| message);
        if top.is_none() {
            self.sequence =
                Some(place).filter(|place| place.checked_sub(1).is_some_and(|p| self.last == Some(p)));
            self.last = Some(place);
        }
        match ahead.map_or_else(|| self.store.read(self.inbox, mail), Ok) {
            Ok(message) => {
                out.extend_from_slice(b"+OK");
                if top.is_none() {
                    out.push(b' ');
                    push_number(message.len(), out);
                    out.extend_from_slice(b" octets");
                }
                out.extend_from_slice(b"\r\n");
                self.sending = Some(Sending::Message(Box::new(Transfer::new(place, message, top))));
            }
            Err(MailError::NoMessage) => out.extend_from_slice(b"-ERR message is gone\r\n"),
            Err(_) => out.extend_from_slice(b"-ERR [SYS/TEMP] message can't be read now\r\n"),
        }
        true
    }

    fn send_piece(&mut self, mut transfer: Box<Transfer>, out: &mut Vec<u8>) -> Result<(), ()> {
        if transfer.send(out)? {
            if let Some(entry) = self.entries.get_mut(transfer.entry).filter(|_| transfer.top.is_none()) {
                entry.retrieved = true;
            }
            transfer.stuffer.finish(out);
        } else {
            self.sending = Some(Sending::Message(transfer));
        }
        Ok(())
    }
}

impl Transfer {
    pub(super) fn new(entry: usize, message: Box<dyn Message>, top: Option<TopEnd>) -> Self {
        Transfer { entry, message, at: 0, stuffer: DotStuffer::default(), top }
    }

    /// Sends a piece; true where it was the last one.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> Result<bool, ()> {
        let length = self.message.len();
        let piece = if self.top.is_some() { TOP_PIECE } else { RETR_PIECE };
        let range = self.at..length.min(self.at.saturating_add(piece));
        self.at = range.end;
        let mut read = Vec::new();
        let octets = match self.message.as_slice() {
            Some(all) => part(all, &range).ok_or(())?,
            None => {
                self.message.read(range, &mut read).map_err(drop)?;
                &read
            }
        };
        let (taken, ended) = match &mut self.top {
            Some(top) => top.take(octets),
            None => (octets.len(), false),
        };
        self.stuffer.push(octets.get(..taken).unwrap_or_default(), out);
        Ok(ended || self.at == length)
    }
}

fn part<'a>(all: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    all.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
