//! The server's side of an SMTP session, without I/O.
//!
//! A driver feeds octets, answers and the time, and does what comes out:
//!
//! ```text
//! loop {
//!     while let Some(action) = session.next() { … }      // send, ask, spool, …
//!     if session.wants_bytes() { read, or wait until session.deadline() } else { wait for the answer }
//!     session.feed(now, input);
//! }
//! ```
//!
//! What is decided here is the protocol: order, syntax, limits, log-in before mail. What needs to know accounts,
//! domains, DNS or disks is a [`Question`]. At most one question is out at a time; meanwhile the session does not
//! want octets, and replies of pipelined commands gather until there is nothing more to do without the peer, so a
//! group of commands in one packet is answered in one packet (RFC 2920 §3.2).

pub mod client;
mod commands;
mod content;
mod login;

use crate::sasl::{ChannelBinding, ScramKeys};
use base::{AccountId, Domain, Limits, Reply, ReversePath, Timestamp};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use wire::smtp::{Body, ChunkReader, ClientName, Command, CommandError, DataReader, Line, Mail, Rcpt};

/// What a listener is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Mail from other servers, port 25: STARTTLS, no log-in.
    Mx,
    /// Mail from our own users, port 587: STARTTLS, then log-in (RFC 6409).
    Submission,
    /// The same on port 465, inside TLS from the first octet (RFC 8314 §3.3).
    Submissions,
}

/// What holds for all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the listener is for.
    pub service: Service,
    /// What we call ourselves.
    pub host: Domain,
    /// The bounds. Used here: messages, lines, recipients, commands, mails, errors, failed log-ins, waits.
    pub limits: Limits,
    /// Whether STARTTLS is offered: there is a certificate.
    pub starttls: bool,
    /// Whether passwords may come without TLS: for loopback only.
    pub plaintext_auth: bool,
    /// Whether the SCRAM mechanisms are offered beside PLAIN and LOGIN.
    pub scram: bool,
    /// Whether SMTPUTF8 is offered.
    pub smtputf8: bool,
    /// What is offered of what only a queue can keep.
    pub offers: Offers,
}

/// Extensions that bind whoever sends a message on. One that is not offered is not announced, and its parameters are
/// refused. By default none is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offers {
    /// DSN: RET, ENVID, NOTIFY and ORCPT (RFC 3461).
    pub dsn: bool,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: bool,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// REQUIRETLS (RFC 8689). Offered within TLS only.
    pub require_tls: bool,
    /// FUTURERELEASE: the longest time in seconds that a message may be held, 1 to 999,999,999 (RFC 4865). Offered on
    /// submission services, to sessions that know the date ([`Session::set_date`]).
    pub future_release: Option<u32>,
}

/// Who logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// What it is called in logs and `Received` fields.
    pub name: String,
}

/// What happened. Never shown in debug output: octets of a peer may hold a password.
pub enum Input<'a> {
    /// Octets came from the peer.
    Bytes(&'a [u8]),
    /// The question that is out was decided.
    Answer(Answer),
    /// The handshake that [`Action::StartTls`] asked for succeeded. If it fails the driver just hangs up.
    TlsUp(ChannelBinding),
    /// The peer sends no more. What it sent before is still answered.
    Eof,
    /// Time went by: look at the deadline.
    Tick,
}

/// What to do. In this order, nothing left out.
#[derive(Debug)]
pub enum Action<'a> {
    /// Send octets.
    Send(Vec<u8>),
    /// Find the answer and feed it.
    Ask(Question),
    /// Add octets to the message that [`Question::Begin`] opened.
    Spool(&'a [u8]),
    /// Forget the transaction: its sender, its recipients and what was spooled of it. It was given up before
    /// [`Question::End`].
    Abandon,
    /// Do the server's handshake on the connection, then feed [`Input::TlsUp`]. Octets that the peer sent behind
    /// STARTTLS were thrown away.
    StartTls,
    /// Hang up, once what was sent has gone out. A transaction that is still open is void.
    Close,
}

/// What only the driver can decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// May this peer talk to us? Comes first, before the greeting. A refusal with 421 or 521 hangs up, with
    /// another code the peer is told at the greeting and may only quit (RFC 5321 §3.1).
    Peer,
    /// May a message come from here? Opens a transaction.
    Sender(Box<Sender>),
    /// May it go there?
    Recipient(Box<Rcpt>),
    /// Is this the user's password? Answered by [`Answer::LoggedIn`] or [`Answer::LoginFailed`], which may be held
    /// back to slow guessing.
    Password {
        /// Who logs in.
        user: String,
        /// With what.
        password: base::Secret,
    },
    /// What is this user's SCRAM verifier? Answered by [`Answer::Keys`]: a stable fake one for unknown users.
    Keys {
        /// Who logs in.
        user: String,
    },
    /// Which account is this user, who proved by SCRAM to know the password? Answered like [`Question::Password`].
    Account {
        /// Who logged in.
        user: String,
    },
    /// A log-in failed without a password check: a wrong SCRAM proof, or a wish to act as somebody else. Count it,
    /// and answer when the peer may be told; whatever the answer, it is told that the log-in failed.
    WrongProof {
        /// Who wanted to log in; empty where that is not known.
        user: String,
    },
    /// Is there room for a message? The answer opens a spool, unless it refuses.
    Begin,
    /// The message is whole. The answer is the reply to it: a positive one only when it is safe on disk.
    End,
}

/// What is known at MAIL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// The command's argument.
    pub mail: Mail,
    /// What the peer calls itself.
    pub client: ClientName,
    /// Whether it said EHLO rather than HELO.
    pub extended: bool,
    /// Whether the session is inside TLS.
    pub tls: bool,
    /// Who logged in, on submission services.
    pub identity: Option<Identity>,
    /// Whether the peer sent something before our greeting, as only sloppy robots do.
    pub early_talker: bool,
}

impl Sender {
    /// What the `with` clause of a Received field calls this way of transmission (RFC 3848, RFC 6531 §4.3).
    pub fn protocol(&self) -> &'static str {
        match (self.mail.smtputf8, self.extended, self.tls, self.identity.is_some()) {
            (true, _, false, false) => "UTF8SMTP",
            (true, _, false, true) => "UTF8SMTPA",
            (true, _, true, false) => "UTF8SMTPS",
            (true, _, true, true) => "UTF8SMTPSA",
            (false, false, ..) => "SMTP",
            (false, true, false, false) => "ESMTP",
            (false, true, false, true) => "ESMTPA",
            (false, true, true, false) => "ESMTPS",
            (false, true, true, true) => "ESMTPSA",
        }
    }
}

/// The driver's decision. One that does not fit its question counts as a failure on our side (451).
#[derive(Clone, Debug)]
pub enum Answer {
    /// Yes, with the usual reply.
    Accepted,
    /// This reply: yes if it is positive, no if it is not. With 421 the session ends. To a log-in only a refusal
    /// for reasons of our own (454).
    Reply(Reply),
    /// The log-in is good.
    LoggedIn(Identity),
    /// The log-in is bad: wrong password, no such user, suspended; the peer can't tell which.
    LoginFailed,
    /// The verifier.
    Keys(ScramKeys),
}

/// Mail that the session refused by itself: nobody was asked, or not to the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What the peer was told.
    pub reply: Reply,
    /// The reverse-path, where MAIL was refused; a transaction that was under way is known to the driver.
    pub from: Option<ReversePath>,
}

/// An SMTP session. See the module for how it is driven.
pub struct Session {
    config: Arc<Config>,
    /// Where SCRAM's nonces come from.
    entropy: [u8; 32],
    /// TLS, if the session is inside it.
    tls: Option<ChannelBinding>,
    state: State,
    dialogue: Dialogue,
    tally: Tally,
    early_talker: bool,
    /// The date when the session began, and that moment.
    date: Option<(Timestamp, Instant)>,

    /// Octets of the peer; those before `at` are done with.
    input: Vec<u8>,
    at: usize,
    eof: bool,
    /// Replies that were not handed out yet.
    output: Vec<u8>,
    /// A question that was not handed out yet.
    question: Option<Question>,
    /// Whether [`Action::Abandon`] is due.
    abandoned: bool,
    /// Mail that was refused without a question.
    refusal: Option<Refusal>,

    now: Instant,
    /// When what we wait for began.
    since: Instant,
    /// When a message that is coming in must be over.
    content_deadline: Option<Instant>,
}

/// Without what the peer sent, which may hold a password, and without the entropy.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("dialogue", &self.dialogue)
            .field("tally", &self.tally)
            .field("unread", &self.input.len().saturating_sub(self.at))
            .finish_non_exhaustive()
    }
}

/// What a session waits for.
#[derive(Debug)]
enum State {
    /// Nothing happened yet.
    Start,
    /// A command.
    Commands,
    /// QUIT: the peer was refused at the greeting.
    Unwelcome,
    /// The client's next response in an AUTH exchange.
    Login(Box<login::Exchange>),
    /// Content after DATA, up to CRLF.CRLF.
    Data(Box<DataReader>),
    /// Content of a BDAT chunk.
    Chunk {
        /// Whether the message ends with it.
        last: bool,
    },
    /// The rest of a BDAT chunk that is refused.
    Discard {
        /// Octets still to come.
        left: u64,
        /// Whether the message ends with it.
        last: bool,
        /// What to say then.
        reply: Reply,
    },
    /// The answer to a question.
    Asked(Asked),
    /// The TLS handshake.
    Handshake {
        /// Whether the driver was told.
        begun: bool,
    },
    /// That the last replies have gone out.
    Closing,
    /// Nothing.
    Closed,
}

/// Which question is out, with what its answer is needed for.
#[derive(Debug)]
enum Asked {
    Peer,
    Sender(Mail),
    Recipient,
    Keys(Box<login::Exchange>),
    /// Password, Account: the answer is the log-in's outcome.
    Login,
    /// The answer says only when.
    WrongProof,
    BeginData,
    BeginChunk {
        size: u64,
        last: bool,
    },
    End,
}

/// What the peer told us of itself. Made afresh when TLS starts (RFC 3207 §4.2).
#[derive(Debug, Default)]
struct Dialogue {
    /// Its name, and whether it said EHLO.
    client: Option<(ClientName, bool)>,
    identity: Option<Identity>,
    transaction: Option<Transaction>,
}

/// One message on its way in. Made afresh by each MAIL.
#[derive(Debug)]
struct Transaction {
    body: Body,
    smtputf8: bool,
    /// RCPT commands that were asked about, and how many of them were good.
    recipients_tried: usize,
    recipients: usize,
    /// The reader of BDAT, once it began.
    chunks: Option<ChunkReader>,
    /// Why the rest of its BDAT chunks is refused.
    refused: Option<Reply>,
}

/// What the peer may not do too often; TLS does not make it forgotten.
#[derive(Debug, Default)]
struct Tally {
    /// Since the last message that was taken.
    errors: usize,
    failed_logins: usize,
    mails: usize,
    /// Commands without effect since the last message that was taken.
    idle_commands: usize,
    /// AUTH exchanges begun: each gets a nonce of its own.
    logins: u64,
}

/// Commands without effect (NOOP, RSET, EHLO …) between messages, after which each counts as an error.
const IDLE_COMMANDS: usize = 100;

/// Octets kept unread, if the driver goes on feeding although the session does not want it.
const MAX_UNREAD: usize = 1024 * 1024;

/// Octets of a client's response in an AUTH exchange (RFC 4954 §4.5).
const AUTH_LINE: usize = 12_288 + 2;

/// What a step of the machine came to.
enum Step {
    /// Something may be done without the peer.
    Again,
    /// A piece of the message, as a range of the input.
    Content(Range<usize>),
    /// Only input helps.
    Wait,
}

impl Session {
    /// Starts a session on a new connection; `tls` if the handshake is already done. `entropy` is random and known
    /// to nobody else.
    pub fn new(config: Arc<Config>, tls: Option<ChannelBinding>, entropy: [u8; 32], now: Instant) -> Self {
        Session {
            config,
            entropy,
            tls,
            state: State::Start,
            dialogue: Dialogue::default(),
            tally: Tally::default(),
            early_talker: false,
            date: None,
            input: Vec::new(),
            at: 0,
            eof: false,
            output: Vec::new(),
            question: None,
            abandoned: false,
            refusal: None,
            now,
            since: now,
            content_deadline: None,
        }
    }

    /// Tells what the date is at the moment that the session was told last: FUTURERELEASE needs it.
    pub fn set_date(&mut self, date: Timestamp) {
        self.date = Some((date, self.now));
    }

    /// Takes in what happened. Then [`Session::next`] until it gives nothing more.
    pub fn feed(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        let late = now >= self.deadline();
        match input {
            Input::Answer(answer) => self.answered(answer),
            Input::TlsUp(binding) => self.tls_up(binding),
            Input::Eof => self.eof = true,
            Input::Bytes(_) | Input::Tick if late => self.time_out(),
            Input::Bytes(bytes) => self.receive(bytes),
            Input::Tick => {}
        }
    }

    /// The next thing to do, if there is one without further input.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Action<'_>> {
        loop {
            if std::mem::take(&mut self.abandoned) {
                return Some(Action::Abandon);
            }
            if let Some(question) = self.question.take() {
                return Some(Action::Ask(question));
            }
            match self.step() {
                Step::Again => {}
                Step::Content(range) => return self.input.get(range).map(Action::Spool),
                Step::Wait => return self.flush(),
            }
        }
    }

    /// Whether octets of the peer are of use now. If not, don't read: an answer or a handshake is awaited, or the
    /// session is over.
    pub fn wants_bytes(&self) -> bool {
        let waits = matches!(
            self.state,
            State::Commands
                | State::Unwelcome
                | State::Login(_)
                | State::Data(_)
                | State::Chunk { .. }
                | State::Discard { .. }
        );
        waits && !self.eof
    }

    /// When to feed [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Instant {
        let limits = &self.config.limits;
        // While a question is out it is us whom the peer waits for.
        if let State::Asked(_) = self.state {
            return self.since + limits.message_wait;
        }
        let silent = self.since + limits.command_wait;
        self.content_deadline.map_or(silent, |end| end.min(silent))
    }

    /// The mail that was refused last without a question, told once.
    pub fn refusal(&mut self) -> Option<Refusal> {
        self.refusal.take()
    }

    /// Who logged in.
    pub fn identity(&self) -> Option<&Identity> {
        self.dialogue.identity.as_ref()
    }

    /// Ends the session with 421, for a reason of ours: shutdown, a suspended account. A message that was not
    /// wholly received is void; an answer that is still out is no longer waited for.
    pub fn shut_down(&mut self) {
        self.hang_up(Reply::new(421, (4, 3, 2), "service shutting down, try again later"));
    }

    fn receive(&mut self, bytes: &[u8]) {
        match self.state {
            State::Start | State::Asked(Asked::Peer) => self.early_talker = true,
            // RFC 3207 §6: nothing that came in the clear is taken for part of what is protected.
            State::Handshake { .. } | State::Closing | State::Closed => return,
            State::Data(_) | State::Chunk { .. } | State::Discard { .. } => self.since = self.now,
            _ => {}
        }
        self.input.drain(..self.at);
        self.at = 0;
        if self.input.len() + bytes.len() > MAX_UNREAD.max(bytes.len()) {
            return self.hang_up(Reply::new(421, (4, 7, 0), "too much at once"));
        }
        self.input.extend_from_slice(bytes);
    }

    fn tls_up(&mut self, binding: ChannelBinding) {
        if let State::Handshake { begun: true } = self.state {
            self.tls = Some(binding);
            self.dialogue = Dialogue::default();
            self.input = Vec::new();
            self.at = 0;
            self.wait_for(State::Commands);
        }
    }

    fn time_out(&mut self) {
        let reply = match self.state {
            State::Asked(_) => Reply::new(421, (4, 3, 0), "took too long, try again later"),
            // RFC 3463 §3.5: the connection went bad.
            _ => Reply::new(421, (4, 4, 2), "timeout"),
        };
        self.hang_up(reply);
    }

    /// Goes on by one line, one piece of content or one change of state.
    fn step(&mut self) -> Step {
        match self.state {
            State::Start => self.ask(Asked::Peer, Question::Peer),
            State::Commands | State::Unwelcome | State::Login(_) => return self.step_line(),
            State::Data(_) => return self.step_data(),
            State::Chunk { .. } => return self.step_chunk(),
            State::Discard { .. } => return self.step_discard(),
            State::Handshake { .. } if self.eof => self.state = State::Closing,
            State::Asked(_) | State::Handshake { .. } | State::Closing | State::Closed => return Step::Wait,
        }
        Step::Again
    }

    fn step_line(&mut self) -> Step {
        let unread = self.input.get(self.at..).unwrap_or_default();
        let limit = match self.state {
            State::Login(_) => AUTH_LINE.max(self.config.limits.command_octets),
            _ => self.config.limits.command_octets,
        };
        match wire::smtp::read_line(unread, limit) {
            Line::Whole(line) => {
                let used = line.len() + 2;
                if let State::Login(_) = self.state {
                    let response = (line != b"*").then(|| wire::sasl::decode(line));
                    self.at += used;
                    self.login_response(response);
                } else {
                    let command = Command::parse(line, self.transaction_has_utf8());
                    self.at += used;
                    self.command(command);
                }
            }
            Line::Partial => return self.need_more(),
            // RFC 4954 §6 has a code of its own for the length of a response.
            Line::TooLong => {
                let detail = if let State::Login(_) = self.state { 6 } else { 2 };
                self.give_up(Reply::new(500, (5, 5, detail), "line too long"));
            }
            Line::BareCrLf => self.give_up(Reply::new(500, (5, 5, 2), "lines end with CR LF")),
        }
        Step::Again
    }

    /// Nothing can be done with what is there.
    fn need_more(&mut self) -> Step {
        if self.eof {
            self.state = State::Closing;
            return Step::Again;
        }
        Step::Wait
    }

    /// Hands out what is left when only input helps, and lets go of memory: an idle session holds no buffer.
    fn flush(&mut self) -> Option<Action<'static>> {
        if self.at >= self.input.len() {
            self.input = Vec::new();
            self.at = 0;
        }
        if let State::Asked(_) = self.state {
            return None;
        }
        if !self.output.is_empty() {
            return Some(Action::Send(std::mem::take(&mut self.output)));
        }
        match self.state {
            State::Handshake { begun: false } => {
                self.state = State::Handshake { begun: true };
                Some(Action::StartTls)
            }
            State::Closing => {
                self.state = State::Closed;
                Some(Action::Close)
            }
            _ => None,
        }
    }

    fn transaction_has_utf8(&self) -> bool {
        self.dialogue.transaction.as_ref().is_some_and(|transaction| transaction.smtputf8)
    }

    fn wait_for(&mut self, state: State) {
        self.since = self.now;
        self.state = state;
    }

    fn ask(&mut self, asked: Asked, question: Question) {
        self.wait_for(State::Asked(asked));
        self.question = Some(question);
    }

    /// Takes the decision that was waited for and goes on. An answer that nobody waits for is dropped.
    fn answered(&mut self, answer: Answer) {
        let asked = match std::mem::replace(&mut self.state, State::Commands) {
            State::Asked(asked) if self.question.is_none() => asked,
            other => {
                self.state = other;
                return;
            }
        };
        self.since = self.now;
        match asked {
            Asked::Peer => self.greet(verdict(answer)),
            Asked::Sender(mail) => self.open_transaction(&mail, verdict(answer)),
            Asked::Recipient => self.add_recipient(verdict(answer)),
            Asked::Keys(exchange) => self.login_keys(exchange, answer),
            Asked::Login => self.login_outcome(answer),
            Asked::WrongProof => self.login_failed(),
            Asked::BeginData => self.begin_data(verdict(answer)),
            Asked::BeginChunk { size, last } => self.begin_chunk(size, last, verdict(answer)),
            Asked::End => self.end_transaction(verdict(answer)),
        }
    }

    fn greet(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Yes(reply) => {
                let usual = || Reply::plain(220, format!("{} ESMTP", self.config.host));
                let greeting = reply.unwrap_or_else(usual);
                self.say(&greeting);
            }
            Verdict::No(reply) => {
                let at_once = matches!(reply.code(), 421 | 521);
                self.say(&reply);
                self.state = if at_once { State::Closing } else { State::Unwelcome };
            }
        }
    }

    /// Replies; 421 ends the session (RFC 5321 §3.8).
    fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
        if reply.code() == 421 {
            self.state = State::Closing;
        }
    }

    /// Replies to what the peer did wrong, and hangs up when it does so too often.
    fn refuse(&mut self, reply: &Reply) {
        self.say(reply);
        if !reply.is_permanent() {
            return;
        }
        self.tally.errors += 1;
        if self.tally.errors >= self.config.limits.errors {
            self.say(&Reply::new(421, (4, 7, 0), "too many errors"));
        }
    }

    /// Passes on a refusal of the driver. One that logged in may have many stale addresses in its list.
    fn refuse_for_driver(&mut self, reply: &Reply) {
        match self.dialogue.identity {
            Some(_) => self.say(reply),
            None => self.refuse(reply),
        }
    }

    /// Replies and hangs up, because there is no safe place to go on from.
    fn give_up(&mut self, reply: Reply) {
        self.say(&reply);
        self.state = State::Closing;
    }

    /// Ends the session at a point where the peer does not expect a reply.
    fn hang_up(&mut self, reply: Reply) {
        if matches!(self.state, State::Closing | State::Closed) {
            return;
        }
        self.question = None;
        // Nothing can be said in the middle of a handshake.
        match self.state {
            State::Handshake { .. } => self.state = State::Closing,
            _ => self.give_up(reply),
        }
    }

    /// Gives the transaction up, if there is one.
    fn abandon(&mut self) {
        self.content_deadline = None;
        self.abandoned |= self.dialogue.transaction.take().is_some();
    }

    /// Gives up what cannot be taken.
    fn abandon_because(&mut self, reply: &Reply) {
        if self.dialogue.transaction.is_some() {
            self.refusal = Some(Refusal { reply: reply.clone(), from: None });
        }
        self.abandon();
    }

    fn start_content_clock(&mut self) {
        let end = self.now + self.config.limits.message_wait;
        self.content_deadline.get_or_insert(end);
    }
}

/// An answer to a yes-or-no question.
enum Verdict {
    /// Yes, with this reply or the usual one.
    Yes(Option<Reply>),
    /// No.
    No(Reply),
}

fn verdict(answer: Answer) -> Verdict {
    match answer {
        Answer::Accepted => Verdict::Yes(None),
        Answer::Reply(reply) if reply.is_positive() => Verdict::Yes(Some(reply)),
        Answer::Reply(reply) => Verdict::No(reply),
        Answer::LoggedIn(_) | Answer::LoginFailed | Answer::Keys(_) => Verdict::No(local_error()),
    }
}

fn local_error() -> Reply {
    Reply::new(451, (4, 3, 0), "local error, try again later")
}

#[cfg(test)]
mod scene;
#[cfg(test)]
mod tests;
