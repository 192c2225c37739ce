//! A command's end of a transfer, and the way to it: the running server, or the store itself where none runs.

use super::{Answer, Ask, Fate, Found, Incoming, MailboxRow, MessageRow, WINDOW, read_line, write_line};
use crate::config::Config;
use crate::control::{self, Doubles, NoAnswer, Request, Response};
use crate::serve::Quiet;
use std::collections::VecDeque;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;

/// Requests to the server, or to the store itself.
pub enum Office {
    /// The server runs.
    Open(std::path::PathBuf),
    /// It does not: its part is played here.
    Closed(Box<Quiet>),
}

impl Office {
    /// Finds the server, and opens the store where there is none.
    pub fn find(config: &Config) -> Result<Self, String> {
        match UnixStream::connect(&config.control_socket) {
            Ok(_) => Ok(Office::Open(config.control_socket.clone())),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                may_work_as_owner(config)?;
                Ok(Office::Closed(Box::new(Quiet::open(config)?)))
            }
            Err(e) => {
                Err(NoAnswer::NotAllowed(config.control_socket.clone()).to_string() + &format!(" ({e})"))
            }
        }
    }

    /// Opens a channel to an account's mail.
    pub fn account(&self, address: &str, doubles: Doubles) -> Result<Link, String> {
        let mut stream = self.connect()?;
        let request = Request::Transfer { address: address.to_owned(), doubles };
        match exchange(&mut stream, &request)? {
            Response::Done(_) => Link::new(stream),
            Response::Failed(why) => Err(why),
            _ => Err("the server answered something else".into()),
        }
    }

    /// Asks something else.
    pub fn ask(&self, request: &Request) -> Result<Response, String> {
        exchange(&mut self.connect()?, request)
    }

    fn connect(&self) -> Result<UnixStream, String> {
        match self {
            Office::Open(socket) => {
                UnixStream::connect(socket).map_err(|e| format!("{}: {e}", socket.display()))
            }
            Office::Closed(quiet) => quiet.connect(),
        }
    }
}

fn exchange(stream: &mut UnixStream, request: &Request) -> Result<Response, String> {
    control::exchange(stream, request).map_err(|e| NoAnswer::Broken(e.to_string()).to_string())
}

/// What we make here must stay readable to the server's own user; root can be that user ([`Quiet::open`]).
fn may_work_as_owner(config: &Config) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(&config.data).map_err(|e| {
        format!("no server runs, and its data can't be looked at: {}: {e}", config.data.display())
    })?;
    let own = rustix::process::geteuid();
    match own.is_root() || about.uid() == own.as_raw() {
        true => Ok(()),
        false => Err(format!(
            "no server runs, and its data in {} belongs to user {}: start the server, or run this as that user",
            config.data.display(),
            about.uid()
        )),
    }
}

/// An open channel to one account's mail.
pub struct Link {
    from: BufReader<UnixStream>,
    to: BufWriter<UnixStream>,
    /// Sizes of batches that were sent and not answered yet.
    waiting: VecDeque<usize>,
}

impl Link {
    fn new(stream: UnixStream) -> Result<Self, String> {
        // A commit may wait for a busy disk, but not for ever.
        stream.set_read_timeout(Some(control::ANSWER)).map_err(|e| e.to_string())?;
        let out = stream.try_clone().map_err(|e| e.to_string())?;
        Ok(Link {
            from: BufReader::with_capacity(1 << 18, stream),
            to: BufWriter::with_capacity(1 << 18, out),
            waiting: VecDeque::new(),
        })
    }

    /// The account's mailboxes.
    pub fn mailboxes(&mut self) -> Result<Vec<MailboxRow>, String> {
        match self.ask(&Ask::Mailboxes)? {
            Answer::Mailboxes(rows) => Ok(rows),
            other => Err(unexpected(other)),
        }
    }

    /// A mailbox for a folder, made where it is missing.
    pub fn mailbox(&mut self, folder: &moving::Folder) -> Result<MailboxRow, String> {
        let ask = Ask::Mailbox {
            name: folder.name.to_string(),
            special_use: folder.special_use.map(|kind| kind.attribute().to_owned()),
            subscribed: folder.subscribed,
        };
        match self.ask(&ask)? {
            Answer::Mailbox(row) => Ok(row),
            other => Err(unexpected(other)),
        }
    }

    /// A page of a mailbox's messages after a UID; an empty one is the end.
    pub fn list(&mut self, mailbox: u64, after: u32) -> Result<Vec<MessageRow>, String> {
        match self.ask(&Ask::List { mailbox, after })? {
            Answer::Listed(rows) => Ok(rows),
            other => Err(unexpected(other)),
        }
    }

    /// The octets of messages, or why there are none.
    pub fn read(
        &mut self,
        mails: Vec<u64>,
        mut each: impl FnMut(Result<Vec<u8>, Found>) -> Result<(), String>,
    ) -> Result<(), String> {
        let count = mails.len();
        self.send(&Ask::Read { mails })?;
        for _ in 0..count {
            let size = match self.answer()? {
                Answer::Read(Found::Octets(size)) => size,
                Answer::Read(found) => {
                    each(Err(found))?;
                    continue;
                }
                other => return Err(unexpected(other)),
            };
            let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            let count = (&mut self.from).take(size).read_to_end(&mut octets).map_err(broken)?;
            if count as u64 != size {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
            each(Ok(octets))?;
        }
        Ok(())
    }

    /// Sends a batch; gives what became of an earlier one, once enough are under way.
    pub fn put(
        &mut self,
        mailbox: u64,
        batch: Vec<(Incoming, Vec<u8>)>,
    ) -> Result<Option<Vec<Fate>>, String> {
        let (messages, octets): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        self.waiting.push_back(messages.len());
        let sent = write_line(&mut self.to, &Ask::Put { mailbox, messages })
            .and_then(|()| octets.iter().try_for_each(|octets| self.to.write_all(octets)))
            .and_then(|()| self.to.flush());
        // A server that gave up says why, if it can.
        if let Err(error) = sent {
            return self.settled().and(Err(broken(error)));
        }
        if self.waiting.len() < WINDOW { Ok(None) } else { self.settled() }
    }

    /// What became of the oldest batch under way; none where none is.
    pub fn settled(&mut self) -> Result<Option<Vec<Fate>>, String> {
        let Some(count) = self.waiting.pop_front() else { return Ok(None) };
        match self.answer()? {
            Answer::Put(fates) if fates.len() == count => Ok(Some(fates)),
            other => Err(unexpected(other)),
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<Answer, String> {
        self.send(ask)?;
        self.answer()
    }

    fn send(&mut self, ask: &Ask) -> Result<(), String> {
        write_line(&mut self.to, ask).and_then(|()| self.to.flush()).map_err(broken)
    }

    fn answer(&mut self) -> Result<Answer, String> {
        read_line(&mut self.from).map_err(broken)?.ok_or_else(|| broken(io::ErrorKind::UnexpectedEof.into()))
    }
}

fn broken(error: io::Error) -> String {
    NoAnswer::Broken(error.to_string()).to_string()
}

fn unexpected(answer: Answer) -> String {
    match answer {
        Answer::Failed(why) => why,
        _ => "the server answered something else: are both of one version?".into(),
    }
}
