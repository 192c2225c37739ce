//! The client's side of an SMTP session, without I/O: hands mail to the next hop.
//!
//! A driver connects, feeds octets, content and the time, and does what comes out:
//!
//! ```text
//! loop {
//!     while let Some(action) = client.next() { … }       // send, read content, start TLS, …
//!     wait for octets, or until client.deadline()
//!     client.feed(now, input);
//! }
//! ```
//!
//! After [`Action::Ready`] it is given a mail by [`Input::Mail`]; [`Action::Done`] tells what became of each recipient,
//! and then it is ready again or closes. Each mail gets exactly one `Done`. [`Action::Close`] is the last action and
//! says why, unless the session ended as it should.
//!
//! The driver reads while it writes: a group of pipelined commands is one [`Action::Send`], and a server that answers
//! before it has read all of it must not be kept waiting (RFC 2920 §3.1). While writing it minds the deadline too.
//!
//! Nothing that the server says is trusted: replies are bounded ([`wire::smtp::ReplyReader`]), each must be one that
//! its command can have, and one that nobody waits for ends the session. What a reply decided stays decided, whatever
//! comes later.

mod content;
mod extensions;
mod login;
mod mail;
mod outcome;
mod replies;
mod transaction;

pub use extensions::Extensions;
pub use mail::{DeliverBy, EnvelopeId, Mail, Notify, OriginalRecipient, Recipient, Ret};
pub use outcome::{Fate, Outcome, Stage, Trouble, Why};

use base::{Reply, Secret};
use login::Exchange;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transaction::Transaction;
use wire::smtp::{ClientName, ReplyReader};

/// What holds for all sessions with a kind of next hop.
#[derive(Clone, Debug)]
pub struct Config {
    /// What we call ourselves.
    pub name: ClientName,
    /// Whether to use STARTTLS.
    pub tls: Tls,
    /// Whom to log in as, at a smart host. Needs TLS whose certificate was checked.
    pub login: Option<Login>,
    /// How long to wait.
    pub waits: Waits,
    /// Recipients of one transaction; a server may take fewer (RFC 5321 §4.5.3.1.8: 100 at least).
    pub recipients: usize,
    /// Octets of one BDAT chunk.
    pub chunk_octets: u64,
    /// Whether to send text by BDAT where it is offered. Binary content goes by BDAT in any case.
    pub chunking: bool,
    /// Whether to send commands in groups where PIPELINING is offered.
    pub pipelining: bool,
}

impl Config {
    /// The usual one: TLS where it is offered, no log-in.
    pub fn new(name: ClientName) -> Self {
        Config {
            name,
            tls: Tls::Opportunistic,
            login: None,
            waits: Waits::default(),
            recipients: 100,
            chunk_octets: 4 * 1024 * 1024,
            chunking: true,
            pipelining: true,
        }
    }
}

/// Whether to use STARTTLS. Makes no difference to a connection that is inside TLS from the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tls {
    /// No: it failed before, and no policy forbids plain text.
    Never,
    /// If it is offered; if the server then refuses STARTTLS, go on without.
    Opportunistic,
    /// Yes, or there is no session.
    Required,
}

/// A log-in at a smart host.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub user: String,
    /// With what.
    pub password: Secret,
}

/// How long to wait (RFC 5321 §4.5.3.2). A wait is for a whole reply: one that drips in does not prolong it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waits {
    /// For the greeting.
    pub greeting: Duration,
    /// For the reply to EHLO, HELO, STARTTLS, AUTH, RSET.
    pub command: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the reply to MAIL.
    pub mail: Duration,
    /// For the reply to RCPT.
    pub recipient: Duration,
    /// For the reply to DATA.
    pub data: Duration,
    /// For a piece of content to be sent, and for the reply to a chunk that is not the last.
    pub block: Duration,
    /// For the reply to the message.
    pub end: Duration,
    /// For the reply to QUIT, on which nothing depends.
    pub quit: Duration,
    /// For everything up to the first [`Action::Ready`], and again for each mail up to its end: this and
    /// [`Waits::octets_per_second`] bound what all other waits could add up to.
    pub total: Duration,
    /// How fast a server must take content, at least, beyond `total`.
    pub octets_per_second: u64,
}

impl Default for Waits {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Waits {
            greeting: minutes(5),
            command: minutes(5),
            handshake: minutes(1),
            mail: minutes(5),
            recipient: minutes(5),
            data: minutes(2),
            block: minutes(3),
            end: minutes(10),
            quit: Duration::from_secs(10),
            total: minutes(30),
            octets_per_second: 4096,
        }
    }
}

/// A TLS connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Security {
    /// Whether the server is who it should be, by its certificate or by DANE, as the caller's policy has it.
    pub authenticated: bool,
}

/// What happened.
pub enum Input<'a> {
    /// Octets came from the server. One packet may hold several replies.
    Bytes(&'a [u8]),
    /// The connection is gone, or the server sends no more.
    Eof,
    /// The handshake that [`Action::StartTls`] asked for succeeded.
    TlsUp(Security),
    /// It failed: why, in words for logs and reports.
    TlsFailed(String),
    /// Send this. Only when [`Client::is_ready`]; at another time, the end of the session included, it comes back by
    /// [`Action::Done`] with nothing tried.
    Mail(Box<Mail>),
    /// The octets that [`Action::Content`] asked for, or the first part of them.
    Content(&'a [u8]),
    /// They can't be read.
    ContentFailed,
    /// End the session. A mail that is on its way is given up.
    Quit,
    /// Time went by: look at the deadline.
    Tick,
}

/// What to do. In this order, nothing left out.
pub enum Action {
    /// Send octets. They may hold a password: not for logs.
    Send(Vec<u8>),
    /// Do the client's handshake on the connection, then feed [`Input::TlsUp`] or [`Input::TlsFailed`]. Octets that
    /// were read and not fed yet belong to the handshake.
    StartTls,
    /// When what was sent before has gone out, read these octets of the message and feed them.
    Content(Range<u64>),
    /// A mail may come.
    Ready,
    /// This became of the mail.
    Done(Box<Outcome>),
    /// Hang up, once what was sent has gone out; why, unless all is well. Behind it comes nothing but
    /// [`Action::Done`] for a mail that is given all the same.
    Close(Option<Box<Trouble>>),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Send(octets) => write!(f, "Send({} octets)", octets.len()),
            Action::StartTls => f.write_str("StartTls"),
            Action::Content(range) => f.debug_tuple("Content").field(range).finish(),
            Action::Ready => f.write_str("Ready"),
            Action::Done(outcome) => f.debug_tuple("Done").field(outcome).finish(),
            Action::Close(trouble) => f.debug_tuple("Close").field(trouble).finish(),
        }
    }
}

/// Octets of the message that are asked for at a time.
pub const PIECE: u64 = 64 * 1024;

/// A session with a server. See the module for how it is driven.
pub struct Client {
    config: Arc<Config>,
    security: Option<Security>,
    state: State,
    /// What the server can do. Made afresh when TLS starts (RFC 3207 §4.2).
    extensions: Extensions,
    reader: ReplyReader,
    /// The commands that were sent and not answered yet, in order.
    awaited: VecDeque<Awaited>,
    transaction: Option<Box<Transaction>>,
    /// MAIL commands sent.
    mails: usize,
    actions: VecDeque<Action>,
    now: Instant,
    /// Since when what is awaited now is awaited.
    since: Instant,
    /// When set-up, or the mail, has to be over.
    bound: Instant,
}

/// What the session waits for.
#[derive(Debug)]
enum State {
    /// The reply to the first of the awaited commands.
    Talking,
    /// The TLS handshake.
    Handshake,
    /// A mail.
    Ready,
    /// Octets of the message, from here on.
    Content(Range<u64>),
    /// The reply to QUIT; then the session is over, for this reason.
    Quitting(Option<Box<Trouble>>),
    /// Nothing.
    Closed,
}

/// A command that was sent.
#[derive(Debug)]
enum Awaited {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth(Exchange),
    Mail,
    Recipient(usize),
    Data,
    /// A chunk that is not the last.
    Chunk,
    /// The whole message.
    End,
    Rset,
    Quit,
}

impl Awaited {
    fn stage(&self) -> Stage {
        match self {
            Awaited::Greeting => Stage::Greeting,
            Awaited::Ehlo | Awaited::Helo => Stage::Hello,
            Awaited::StartTls => Stage::StartTls,
            Awaited::Auth(_) => Stage::Login,
            Awaited::Mail => Stage::Mail,
            Awaited::Recipient(_) => Stage::Recipient,
            Awaited::Data => Stage::Data,
            Awaited::Chunk => Stage::Content,
            Awaited::End => Stage::End,
            Awaited::Rset | Awaited::Quit => Stage::Idle,
        }
    }

    fn wait(&self, waits: &Waits) -> Duration {
        match self {
            Awaited::Greeting => waits.greeting,
            Awaited::Ehlo | Awaited::Helo | Awaited::StartTls | Awaited::Auth(_) | Awaited::Rset => {
                waits.command
            }
            Awaited::Mail => waits.mail,
            Awaited::Recipient(_) => waits.recipient,
            Awaited::Data => waits.data,
            Awaited::Chunk => waits.block,
            Awaited::End => waits.end,
            Awaited::Quit => waits.quit,
        }
    }
}

impl Client {
    /// Starts a session on a new connection; `security` if the handshake is already done (RFC 8314 §3.3).
    pub fn new(config: Arc<Config>, security: Option<Security>, now: Instant) -> Self {
        let bound = now + config.waits.total;
        Client {
            config,
            security,
            state: State::Talking,
            extensions: Extensions::default(),
            reader: ReplyReader::default(),
            awaited: VecDeque::from([Awaited::Greeting]),
            transaction: None,
            mails: 0,
            actions: VecDeque::new(),
            now,
            since: now,
            bound,
        }
    }

    /// Takes in what happened. Then [`Client::next`] until it gives nothing more.
    pub fn feed(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        let late = self.deadline().is_some_and(|deadline| now >= deadline);
        match input {
            Input::Eof => self.lost(),
            Input::TlsFailed(why) => self.tls_failed(&why),
            Input::Mail(mail) => self.begin(*mail),
            Input::Quit => self.quit(),
            _ if late => self.time_out(),
            Input::Bytes(octets) => self.receive(octets),
            Input::TlsUp(security) => self.tls_up(security),
            Input::Content(octets) => self.content(octets),
            Input::ContentFailed => self.content_failed(),
            Input::Tick => {}
        }
    }

    /// The next thing to do, if there is one without further input.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to feed [`Input::Tick`] at the latest; none while the session is idle or over. How long an idle one is
    /// kept is the driver's choice.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = &self.config.waits;
        // Whoever is not heard out here gets the message twice (RFC 1047), so this wait is never cut short.
        if let (State::Talking, Some(Awaited::End)) = (&self.state, self.awaited.front()) {
            return Some(self.since + waits.end);
        }
        let wait = match self.state {
            State::Ready | State::Closed => return None,
            State::Quitting(_) => return Some(self.since + waits.quit),
            State::Handshake => waits.handshake,
            State::Content(_) => waits.block,
            State::Talking => self.awaited.front().map_or(waits.command, |awaited| awaited.wait(waits)),
        };
        Some(self.bound.min(self.since + wait))
    }

    /// Whether octets of the server are for this session. Not during the handshake.
    pub fn wants_bytes(&self) -> bool {
        !matches!(self.state, State::Handshake | State::Closed)
    }

    /// Whether a mail may come.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// What the server can do, as it said last.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// TLS, if the session is inside it.
    pub fn security(&self) -> Option<Security> {
        self.security
    }

    fn receive(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            match self.state {
                State::Closed => return,
                // RFC 3207 §6: what came in the clear behind the reply to STARTTLS was put there by somebody.
                State::Handshake => {
                    return self.broke_protocol(Stage::StartTls, "text behind the reply");
                }
                _ => {}
            }
            let (used, event) = self.reader.read(rest);
            rest = rest.get(used..).unwrap_or_default();
            match event {
                None => return,
                Some(Ok(heard)) if heard.whole => self.reply(heard.reply),
                // What it says of a mail counts; but there is no safe place to go on from.
                Some(Ok(heard)) => {
                    let stage = self.stage();
                    if self.transaction.is_some() {
                        self.reply(heard.reply);
                    }
                    return self.broke_protocol(stage, "a reply without end");
                }
                Some(Err(_)) => {
                    let stage = self.stage();
                    return self.broke_protocol(stage, "something that is no reply");
                }
            }
        }
    }

    /// Where the session is.
    fn stage(&self) -> Stage {
        match (&self.state, self.awaited.front()) {
            (State::Handshake, _) => Stage::StartTls,
            (State::Content(_), _) => Stage::Content,
            (_, Some(awaited)) => awaited.stage(),
            (_, None) => Stage::Idle,
        }
    }

    fn lost(&mut self) {
        let stage = self.stage();
        match self.state {
            // A server that can't do our TLS may just hang up.
            State::Handshake => self.tls_failed("connection lost"),
            _ => self.end(ours(stage, Why::Lost, (4, 4, 2), "connection lost")),
        }
    }

    fn time_out(&mut self) {
        let stage = self.stage();
        match self.state {
            State::Handshake => self.tls_failed("timeout"),
            _ => self.end(ours(stage, Why::Timeout, (4, 4, 2), "timeout")),
        }
    }

    fn tls_up(&mut self, security: Security) {
        if let State::Handshake = self.state {
            self.security = Some(security);
            self.extensions = Extensions::default();
            self.reader = ReplyReader::default();
            self.hello();
        }
    }

    fn tls_failed(&mut self, why: &str) {
        if let State::Handshake = self.state {
            // RFC 3463 §3.8: a cryptographic failure.
            let words = format!("TLS handshake failed: {why}");
            self.end(Trouble::new(Stage::StartTls, Why::Tls, 454, (4, 7, 5), words));
        }
    }

    fn broke_protocol(&mut self, stage: Stage, what: &str) {
        // RFC 3463 §3.6: a mail protocol status.
        self.end(ours(stage, Why::Protocol, (4, 5, 0), &format!("server sent {what}")));
    }

    /// Ends the session at once. A mail that is on its way meets this trouble.
    fn end(&mut self, trouble: Trouble) {
        let trouble = match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => return,
            State::Quitting(why) => why,
            _ => Some(Box::new(trouble)),
        };
        if let (Some(transaction), Some(trouble)) = (self.transaction.take(), &trouble) {
            self.actions.push_back(Action::Done(Box::new(transaction.broken_off(trouble))));
        }
        self.close(trouble);
    }

    fn close(&mut self, trouble: Option<Box<Trouble>>) {
        self.state = State::Closed;
        self.awaited.clear();
        let stands = |action: &Action| matches!(action, Action::Send(_) | Action::Done(_));
        self.actions.retain(stands);
        self.actions.push_back(Action::Close(trouble));
    }

    /// Ends the session in good manners, for this reason (RFC 5321 §4.1.1.10).
    fn leave(&mut self, why: Option<Trouble>) {
        self.command(b"QUIT\r\n".to_vec(), [Awaited::Quit]);
        self.since = self.now;
        if !matches!(self.state, State::Closed) {
            self.state = State::Quitting(why.map(Box::new));
        }
    }

    fn quit(&mut self) {
        match self.state {
            State::Closed | State::Quitting(_) => {}
            State::Ready => self.leave(None),
            State::Talking if self.transaction.is_none() && self.is_resetting() => self.leave(None),
            _ => {
                let stage = self.stage();
                self.end(ours(stage, Why::Lost, (4, 4, 2), "session was ended by us"));
            }
        }
    }

    fn is_resetting(&self) -> bool {
        matches!(self.awaited.front(), Some(Awaited::Rset))
    }

    /// Sends a group of commands.
    fn command(&mut self, octets: Vec<u8>, awaited: impl IntoIterator<Item = Awaited>) {
        // A server that has begun to speak before it was asked would be one reply ahead from here on.
        if self.awaited.is_empty() && !self.reader.is_between_replies() {
            let stage = self.stage();
            return self.broke_protocol(stage, "a reply before the command");
        }
        if self.awaited.is_empty() {
            self.since = self.now;
        }
        self.state = State::Talking;
        self.awaited.extend(awaited);
        self.actions.push_back(Action::Send(octets));
    }

    fn hello(&mut self) {
        let line = format!("EHLO {}\r\n", self.config.name);
        self.command(line.into_bytes(), [Awaited::Ehlo]);
    }

    fn ready(&mut self) {
        // RFC 9422 §4.1: transactions that the server would refuse are not begun.
        if self.extensions.mail_max.is_some_and(|most| self.mails >= most) {
            return self.leave(None);
        }
        self.state = State::Ready;
        self.actions.push_back(Action::Ready);
    }
}

/// A trouble that is not the server's reply.
fn ours(stage: Stage, why: Why, status: (u8, u16, u16), what: &str) -> Trouble {
    Trouble::new(stage, why, 451, status, format!("{what} {}", stage.words()))
}

/// What the server said.
fn theirs(stage: Stage, reply: Reply) -> Trouble {
    Trouble { stage, why: Why::Reply, reply }
}

impl fmt::Debug for Client {
    /// Without octets that were not sent yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("state", &self.state)
            .field("security", &self.security)
            .field("extensions", &self.extensions)
            .field("awaited", &self.awaited)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
