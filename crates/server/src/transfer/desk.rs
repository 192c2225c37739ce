//! The server's end: one account, one command. Batches are sealed here and committed by the store's writer meanwhile;
//! answers go out in order.

use super::present::Present;
use super::{Answer, Ask, Fate, Found, Incoming, MailboxRow, MessageRow, read_line, write_line};
use crate::control::Doubles;
use crate::server::Server;
use base::mailbox::{Columns, MailError, MailboxInfo};
use base::{MailId, MailboxId, MailboxName, Octets, ReversePath, SpecialUse, Timestamp, Uid};
use gate::{Delivery, Folder, Origin, Spooled};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use store::{Account, Done, MovedIn, StoreError};
use wire::mime;

/// Rows of one page.
const PAGE: usize = 2000;
/// Octets that are read at a time.
const PIECE: usize = 64 * 1024;

/// Serves a command until it hangs up.
pub fn serve(stream: UnixStream, server: &Server, account: Account, doubles: Doubles) -> io::Result<()> {
    let (send, answers) = sync_channel(super::WINDOW);
    let out = stream.try_clone()?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || write_answers(out, &answers));
        let desk = Desk {
            server,
            account,
            mailboxes: HashMap::new(),
            copies: HashMap::new(),
            doubles,
            present: HashMap::new(),
        };
        let outcome = desk.answer_all(BufReader::with_capacity(1 << 18, stream), &send);
        drop(send);
        outcome.and(writer.join().unwrap_or(Ok(())))
    })
}

/// An answer, or where it comes from.
enum Reply {
    Now(Answer),
    /// Messages, each with its octets.
    Octets(Vec<Result<Box<dyn store::StoredMessage>, MailError>>),
    /// What was decided at once about some messages, and what the commit will say of the others, in order.
    Later(Vec<Option<Fate>>, Receiver<Result<Vec<bool>, StoreError>>),
}

fn write_answers(stream: UnixStream, replies: &Receiver<Reply>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, stream);
    for reply in replies {
        match reply {
            Reply::Now(answer) => write_line(&mut out, &answer)?,
            Reply::Octets(messages) => write_messages(&mut out, messages)?,
            Reply::Later(decided, commit) => write_line(&mut out, &fates(decided, &commit))?,
        }
        out.flush()?;
    }
    Ok(())
}

/// Each is read to its end before its size is said: where that fails, the next can still follow.
fn write_messages(
    out: &mut impl Write,
    messages: Vec<Result<Box<dyn store::StoredMessage>, MailError>>,
) -> io::Result<()> {
    let mut octets = Vec::new();
    for message in messages {
        octets.clear();
        let read = message.map_err(|error| match error {
            MailError::NoMessage => Found::Gone,
            error => Found::Unreadable(error.to_string()),
        });
        let read = read.and_then(|message| {
            let all = message.read(0..message.len(), &mut octets);
            all.map_err(|error| Found::Unreadable(error.to_string()))
        });
        match read {
            Ok(()) => {
                write_line(out, &Answer::Read(Found::Octets(octets.len() as u64)))?;
                out.write_all(&octets)?;
            }
            Err(found) => write_line(out, &Answer::Read(found))?,
        }
    }
    Ok(())
}

fn fates(decided: Vec<Option<Fate>>, commit: &Receiver<Result<Vec<bool>, StoreError>>) -> Answer {
    let kept = match commit.recv().unwrap_or(Err(StoreError::Closed)) {
        Ok(kept) => kept,
        Err(StoreError::OverQuota(_)) => {
            return Answer::Failed(
                "the account's quota is used up: raise it (`mailward account quota`) and run this again"
                    .into(),
            );
        }
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let mut kept = kept.into_iter();
    let fate = |decided: Option<Fate>| {
        decided.unwrap_or_else(|| if kept.next() == Some(true) { Fate::New } else { Fate::Known })
    };
    Answer::Put(decided.into_iter().map(fate).collect())
}

struct Desk<'s> {
    server: &'s Server,
    account: Account,
    /// By what the mailboxes that mail was put into are known for ever.
    mailboxes: HashMap<u64, String>,
    /// How often each content came for a mailbox in this run: a source that has a message twice has it twice here.
    copies: HashMap<(u64, [u8; 16]), u32>,
    doubles: Doubles,
    /// What mailboxes had when the first message came for them, where that counts.
    present: HashMap<u64, Present>,
}

impl Desk<'_> {
    fn answer_all(mut self, mut from: BufReader<UnixStream>, replies: &SyncSender<Reply>) -> io::Result<()> {
        while let Some(ask) = read_line(&mut from)? {
            let reply = match ask {
                Ask::Put { mailbox, messages } => self.put(mailbox, messages, &mut from)?,
                other => self.answer(other).unwrap_or_else(|why| Reply::Now(Answer::Failed(why))),
            };
            if replies.send(reply).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn answer(&mut self, ask: Ask) -> Result<Reply, String> {
        Ok(Reply::Now(match ask {
            Ask::Mailboxes => Answer::Mailboxes(self.list_mailboxes()?),
            Ask::Mailbox { name, special_use, subscribed } => {
                Answer::Mailbox(self.mailbox(&name, special_use, subscribed)?)
            }
            Ask::List { mailbox, after } => Answer::Listed(self.list(MailboxId(mailbox), after)?),
            Ask::Read { mails } => return Ok(self.read(&mails)),
            Ask::Put { .. } => Answer::Failed("asked in the wrong place".into()),
        }))
    }

    fn list_mailboxes(&self) -> Result<Vec<MailboxRow>, String> {
        let all = self.server.store.mailboxes(self.account.id).map_err(|e| e.to_string())?;
        all.iter().filter(|info| info.mailbox.is_some()).map(|info| self.row(info)).collect()
    }

    fn row(&self, info: &MailboxInfo) -> Result<MailboxRow, String> {
        let mailbox = info.mailbox.ok_or("a name without a mailbox")?;
        let status = self.server.store.status(self.account.id, mailbox).map_err(|e| e.to_string())?;
        Ok(MailboxRow {
            mailbox: mailbox.0,
            name: info.name.to_string(),
            special_use: info.special_use.map(|kind| kind.attribute().to_owned()),
            subscribed: info.subscribed,
            uid_validity: status.uid_validity.0,
            messages: status.messages,
            octets: status.octets,
        })
    }

    fn mailbox(
        &mut self,
        name: &str,
        special_use: Option<String>,
        subscribed: bool,
    ) -> Result<MailboxRow, String> {
        let store = &self.server.store;
        let name =
            MailboxName::new(name).map_err(|why| format!("{name}: no name for a mailbox ({why:?})"))?;
        let special_use = special_use.as_deref().and_then(SpecialUse::from_attribute);
        let of = self.account.id;
        let find = || -> Result<Option<MailboxInfo>, String> {
            let all = store.mailboxes(of).map_err(|e| e.to_string())?;
            let of_use = all.iter().find(|info| special_use.is_some() && info.special_use == special_use);
            let named = || all.iter().find(|info| info.name == name && info.mailbox.is_some());
            Ok(of_use.or_else(named).cloned())
        };
        let info = match find()? {
            Some(info) => info,
            None => {
                let failed = |e| format!("the mailbox {name} can't be made: {e}");
                store.create(of, &name, special_use).map_err(failed)?;
                find()?.ok_or_else(|| format!("the mailbox {name} went again"))?
            }
        };
        if subscribed && !info.subscribed {
            store.subscribe(of, &info.name, true).map_err(|e| e.to_string())?;
        }
        let row = self.row(&info)?;
        // What was asked for: a mailbox that its owner renames stays the same one.
        let known_by = special_use.map_or(name.as_str(), |kind| kind.attribute().trim_start_matches('\\'));
        self.mailboxes.insert(row.mailbox, known_by.to_owned());
        Ok(row)
    }

    fn put(&mut self, mailbox: u64, messages: Vec<Incoming>, from: &mut impl Read) -> io::Result<Reply> {
        let (mut decided, mut moved) =
            (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
        for message in messages {
            // However it goes, its octets must be read.
            let spooled = self.spool(message.size, from)?;
            match spooled.and_then(|spooled| self.screened(mailbox, &message, spooled)) {
                Ok(Some(one)) => {
                    moved.push(one);
                    decided.push(None);
                }
                Ok(None) => decided.push(Some(Fate::Known)),
                Err(why) => decided.push(Some(Fate::Refused(why))),
            }
        }
        let (done, commit) = sync_channel(1);
        if moved.is_empty() {
            let _ = done.send(Ok(Vec::new()));
        } else {
            let done = Box::new(move |outcome| drop(done.send(outcome)));
            self.keep(moved, done);
        }
        Ok(Reply::Later(decided, commit))
    }

    fn keep(&self, moved: Vec<MovedIn>, done: Done<Vec<bool>>) {
        match self.doubles {
            Doubles::Remembered => self.server.store.move_in(self.account.id, moved, done),
            Doubles::Present => {
                let mail = moved.into_iter().map(|one| one.mail).collect();
                let all_kept = |placed: Vec<store::Placed>| vec![true; placed.len()];
                self.server.store.accept(mail, Box::new(move |outcome| done(outcome.map(all_kept))));
            }
        }
    }

    /// A message's octets, its structure and the hash of its content. The outer error ends the talk.
    fn spool(&self, size: u64, from: &mut impl Read) -> io::Result<Result<Arrived, String>> {
        let limits = self.server.gatehouse.limits();
        let mut spool = self.server.store.spool().map_err(|e| e.to_string());
        if size > limits.message_octets {
            spool = Err(format!("{size} octets are more than limits.message_size allows"));
        }
        let (mut parser, mut hasher) = (mime::Parser::new(limits), Sha256::new());
        let (mut left, mut piece) = (size, vec![0; PIECE]);
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = piece.get_mut(..count).unwrap_or_default();
            from.read_exact(piece)?;
            left -= count as u64;
            if let Ok(open) = &mut spool {
                parser.push(piece);
                hasher.update(&*piece);
                if let Err(error) = open.push(piece) {
                    spool = Err(error.to_string());
                }
            }
        }
        Ok(spool.and_then(|open| {
            let octets = open.finish().map_err(|e| e.to_string())?;
            Ok(Arrived { octets, tree: parser.finish(), hash: hasher.finalize().into() })
        }))
    }

    /// Leads a message through the gate; none for one that was moved in before.
    fn screened(
        &mut self,
        mailbox: u64,
        message: &Incoming,
        arrived: Arrived,
    ) -> Result<Option<MovedIn>, String> {
        let name = self.mailboxes.get(&mailbox).ok_or("a mailbox that was not asked for")?.clone();
        let copy = self.copies.entry((mailbox, arrived.short_hash())).or_default();
        *copy += 1;
        let content = self.server.store.mark(&[name.as_bytes(), &arrived.hash, &copy.to_be_bytes()]);
        let is_known = match self.doubles {
            Doubles::Remembered => {
                self.server.store.was_moved_in(self.account.id, &[content]).map_err(|e| e.to_string())?
                    == [true]
            }
            Doubles::Present => {
                let copies = *copy;
                self.copies_present(MailboxId(mailbox), &arrived)? >= copies
            }
        };
        if is_known {
            return Ok(None);
        }
        let spooled = Spooled {
            trace: crate::random::trace_id(),
            reverse_path: ReversePath::Null,
            octets: arrived.octets,
            tree: Arc::new(arrived.tree),
            received: Timestamp::now(),
            smtputf8: false,
        };
        let delivery = Delivery::Mailbox {
            account: self.account.id,
            domain: self.account.domain,
            folder: Folder::Exact(MailboxId(mailbox)),
            flags: moving::flags::from_names(message.flags.iter().map(String::as_str)),
            internal_date: message.date.map(Timestamp),
            recipient: None,
        };
        let screened = self.server.gatehouse.judge_inside(Origin::Import, spooled, vec![delivery]);
        let mail = screened.map_err(|reply| reply.to_string())?;
        Ok(Some(MovedIn { mail, mark: content }))
    }

    /// How many messages of the same octets the mailbox had before.
    fn copies_present(&mut self, mailbox: MailboxId, arrived: &Arrived) -> Result<u32, String> {
        let (store, of) = (&*self.server.store, self.account.id);
        let present = match self.present.entry(mailbox.0) {
            Entry::Occupied(present) => present.into_mut(),
            Entry::Vacant(place) => place.insert(Present::read(store, of, mailbox)?),
        };
        Ok(present.count(store, of, arrived.octets.len(), &arrived.hash))
    }

    fn list(&self, mailbox: MailboxId, after: u32) -> Result<Vec<MessageRow>, String> {
        let store = &self.server.store;
        let opened = store.open(self.account.id, mailbox).map_err(|e| e.to_string())?;
        let from = opened.uids.partition_point(|uid| uid.0 <= after);
        let page: Vec<Uid> = opened.uids.into_iter().skip(from).take(PAGE).collect();
        let mut rows = Vec::with_capacity(page.len());
        let scanned = store.scan(self.account.id, mailbox, &page, Columns::default(), &mut |row| {
            rows.push(MessageRow {
                uid: row.uid.0,
                mail: row.mail.0,
                flags: row.flags.names().map(str::to_owned).collect(),
                date: row.internal_date.0,
                size: row.size,
            });
            ControlFlow::Continue(())
        });
        scanned.map_err(|e| e.to_string())?;
        Ok(rows)
    }

    fn read(&self, mails: &[u64]) -> Reply {
        let open = |mail: &u64| self.server.store.read(self.account.id, MailId(*mail));
        Reply::Octets(mails.iter().map(open).collect())
    }
}

/// A message that came over.
struct Arrived {
    octets: Arc<dyn Octets>,
    tree: mime::Tree,
    hash: [u8; 32],
}

impl Arrived {
    /// Enough of the hash to count copies by.
    fn short_hash(&self) -> [u8; 16] {
        let mut short = [0; 16];
        short.iter_mut().zip(self.hash).for_each(|(to, from)| *to = from);
        short
    }
}
