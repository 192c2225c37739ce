//! IMAP (RFC 9051 and RFC 3501 together, with the extensions that [`capability`] lists): the server's side,
//! without I/O.
//!
//! It is driven as [`MailSession`] says.
//!
//! Sequence numbers are the client's: [`view`] keeps a message in its place until the client may be told that it
//! is gone, and [`sync`] tells it.

mod account;
mod acl;
mod append;
mod auth;
mod capability;
mod completion;
mod context;
mod fetch;
mod list;
mod mailboxes;
mod metadata;
mod multisearch;
mod print;
mod search;
mod section;
mod select;
mod sort;
mod store;
mod sync;
mod test;
mod thread;
mod url;
mod url_fetch;
mod urlauth;
mod view;

pub use crate::mail_session::{Action, Input, LoginFailure, MailSession, Progress, RUN_OCTETS};
use crate::sasl::ChannelBinding;
use account::{Account, Compression};
use base::{Limits, Secret};
use completion::{Completion, Status};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::imap::command::{self, Command, CommandBody};
use wire::imap::{Event, Framer};

/// Octets that wait to be looked at before no more are read.
const INPUT_ROOM: usize = 64 * 1024;

/// How often an idling client hears something, so that no box between us forgets the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(4 * 60);

/// What holds for every connection of a service.
pub struct Config {
    /// This host's name, for the greeting.
    pub host: String,
    /// What ID tells as our version; `None` for nothing.
    pub version: Option<String>,
    /// Bounds on what peers may do.
    pub limits: Limits,
    /// Whether STARTTLS is offered where TLS isn't on.
    pub starttls: bool,
    /// Whether passwords are taken without TLS.
    pub clear_passwords: bool,
    /// Whether the SCRAM mechanisms are offered beside PLAIN and LOGIN.
    pub scram: bool,
    /// Random octets for SCRAM.
    pub nonce: fn() -> [u8; 18],
}

/// What a client turned on (RFC 5161 and what each extension says).
#[derive(Clone, Copy, Default)]
struct Enabled {
    rev2: bool,
    condstore: bool,
    qresync: bool,
    utf8: bool,
    uid_only: bool,
}

impl Enabled {
    /// Whether names may go out in UTF-8 (RFC 9051 §5.1, RFC 6855 §3).
    fn utf8_names(self) -> bool {
        self.rev2 || self.utf8
    }
}

/// A connection of an IMAP client.
pub struct Session {
    config: Arc<Config>,
    /// What TLS gave, where it is on.
    tls: Option<ChannelBinding>,
    state: State,
    framer: Framer,
    /// Read, but not looked at yet.
    input: Vec<u8>,
    actions: VecDeque<Action>,
    /// A [`Action::Run`] is out.
    running: bool,
    /// The peer is done sending; what came before is still answered.
    ended: bool,
    deadline: Instant,
    /// When an idling client is to hear something.
    keep_alive: Option<Instant>,
    /// When the command that is coming began.
    began: Option<Instant>,
    errors: usize,
    failed_logins: usize,
    fault: Option<String>,
}

/// Where the connection stands.
enum State {
    /// Not authenticated: a command is awaited (RFC 9051 §3.1).
    Start,
    /// AUTHENTICATE: the client's next message is awaited.
    Sasl(Box<auth::Exchange>),
    /// The driver looks up a SCRAM verifier.
    Keys(Box<auth::Exchange>),
    /// The driver checks a log-in.
    Checking { tag: String },
    /// STARTTLS was accepted; nothing of what comes before TLS is up is looked at.
    StartingTls,
    /// Authenticated or selected (RFC 9051 §3.2, §3.3).
    LoggedIn(Box<Account>),
    /// Nothing more is read.
    Closed,
}

impl Session {
    /// A connection that was just made, over TLS if there is a binding; the greeting is the first action.
    pub fn new(config: Arc<Config>, tls: Option<ChannelBinding>, now: Instant) -> Self {
        let mut session = Session::fresh(config, tls, now);
        let mut greeting = b"* OK [CAPABILITY ".to_vec();
        session.capabilities(&mut greeting);
        greeting.extend_from_slice(b"] ");
        greeting.extend_from_slice(session.config.host.as_bytes());
        greeting.extend_from_slice(b" IMAP server ready\r\n");
        session.send(greeting);
        session
    }

    fn fresh(config: Arc<Config>, tls: Option<ChannelBinding>, now: Instant) -> Self {
        Session {
            tls,
            state: State::Start,
            framer: Framer::new(&config.limits),
            input: Vec::new(),
            actions: VecDeque::new(),
            running: false,
            ended: false,
            deadline: now + config.limits.command_wait,
            keep_alive: None,
            began: None,
            errors: 0,
            failed_logins: 0,
            fault: None,
            config,
        }
    }
}

impl MailSession for Session {
    fn next(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if self.actions.is_empty() {
            self.actions.shrink_to_fit();
        }
        action
    }

    fn feed(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Bytes(octets) => self.take_bytes(now, octets),
            Input::LoginOk(store) => self.log_in(now, store),
            Input::LoginFailed(failure) => self.login_failed(failure),
            Input::Keys(keys) => self.take_keys(keys),
            Input::TlsUp(binding) => {
                if matches!(self.state, State::StartingTls) {
                    *self = Session::fresh(self.config.clone(), Some(binding), now);
                }
            }
            Input::RunDone => self.run_done(now),
            Input::Changed => {
                if let State::LoggedIn(account) = &mut self.state {
                    account.has_changes();
                }
            }
            Input::Tick => self.tick(now),
            Input::Shutdown => self.bye("server is going down, please come back later"),
            Input::Eof => self.ended = true,
            Input::Scripts(_) => {}
        }
        self.advance();
    }

    fn run(&mut self, out: &mut Vec<u8>) -> Progress {
        let State::LoggedIn(account) = &mut self.state else { return Progress::Done };
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        let progress = account.run(&mut self.framer, &mut rest, out);
        self.fault = account.fault.take().or(self.fault.take());
        if rest.len() == input.len() {
            self.input = input;
        } else {
            self.input = rest.to_vec();
        }
        progress
    }

    /// When to feed [`Input::Tick`] if nothing else happens. Before log-in the end is fixed: however a peer drips,
    /// it has only so long. After it, the time is counted from the last command (RFC 9051 §5.4).
    fn deadline(&self) -> Instant {
        self.keep_alive.map_or(self.deadline, |at| at.min(self.deadline))
    }

    fn wants_input(&self) -> bool {
        let waiting = matches!(self.state, State::Start | State::Sasl(_) | State::LoggedIn(_));
        waiting && !self.running && !self.ended && self.input.len() < INPUT_ROOM
    }

    fn wants_changes(&self) -> bool {
        !self.running && matches!(&self.state, State::LoggedIn(account) if account.is_idling())
    }

    fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }
}

impl Session {
    fn take_bytes(&mut self, now: Instant, octets: &[u8]) {
        match self.state {
            State::Closed | State::StartingTls => return,
            // RFC 9051 §5.4: any command starts the clock anew; a dripping one has a shorter time, and an end.
            State::LoggedIn(_) => {
                let limits = &self.config.limits;
                let began = *self.began.get_or_insert(now);
                self.deadline = (now + limits.command_wait).min(began + limits.message_wait);
            }
            _ => {}
        }
        self.input.extend_from_slice(octets);
    }

    fn run_done(&mut self, now: Instant) {
        self.running = false;
        let State::LoggedIn(account) = &mut self.state else { return };
        if account.has_left() {
            return self.leave(now);
        }
        if account.compression == Compression::Asked {
            account.compression = Compression::On;
            self.actions.push_back(Action::Compress(std::mem::take(&mut self.input)));
        }
        self.keep_alive = account.is_idling().then(|| now + KEEP_ALIVE);
        let between = self.framer.is_idle() || account.is_idling();
        let limits = &self.config.limits;
        if between {
            self.began = None;
            self.deadline = now + limits.imap_idle;
        } else {
            let began = *self.began.get_or_insert(now);
            self.deadline = (now + limits.command_wait).min(began + limits.message_wait);
        }
        if account.is_over() {
            self.close();
        }
    }

    /// RFC 8437 §3: all begins anew but TLS, and what counts against the peer.
    fn leave(&mut self, now: Instant) {
        if matches!(&self.state, State::LoggedIn(account) if account.compression == Compression::On) {
            // The client's compression ends with the command: what was inflated behind it can't be meant.
            self.input = Vec::new();
        }
        self.state = State::Start;
        self.framer = Framer::new(&self.config.limits);
        (self.keep_alive, self.began) = (None, None);
        self.deadline = now + self.config.limits.command_wait;
        self.actions.push_back(Action::LoggedOut);
    }

    fn tick(&mut self, now: Instant) {
        if self.running {
            if let State::LoggedIn(account) = &mut self.state {
                account.note_time(now);
            }
            return;
        }
        if now >= self.deadline {
            self.bye("nothing was heard for too long");
        } else if self.keep_alive.is_some_and(|at| now >= at) {
            self.keep_alive = Some(now + KEEP_ALIVE);
            self.send(b"* OK still here\r\n".to_vec());
        }
    }

    /// Goes on as far as possible without the driver.
    fn advance(&mut self) {
        if matches!(self.state, State::Start | State::Sasl(_)) {
            self.read_commands();
        }
        if let State::LoggedIn(account) = &self.state {
            // Whether anything comes of the input is found out where it may block.
            if !self.running && (account.is_runnable() || !self.input.is_empty()) {
                self.running = true;
                self.actions.push_back(Action::Run);
            }
        }
        if self.ended
            && !self.running
            && matches!(self.state, State::Start | State::Sasl(_) | State::LoggedIn(_))
        {
            self.close();
        }
    }

    /// Before log-in: takes commands off the input until there are no more, or one has to wait.
    fn read_commands(&mut self) {
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        while matches!(self.state, State::Start | State::Sasl(_)) {
            match self.framer.read(&mut rest) {
                None => break,
                Some(Event::Continue) => self.send(b"+ go ahead\r\n".to_vec()),
                Some(Event::Command(text)) => self.take_command(&text),
                Some(Event::Line(line)) => self.take_sasl_line(&line),
                Some(Event::Refused(error)) => self.refuse_event(error),
                Some(_) => self.bye("too much that can't be taken"),
            }
        }
        // RFC 9051 §6.2.1: what came in clear behind STARTTLS does not count.
        if !matches!(self.state, State::StartingTls | State::Closed) {
            self.input = rest.to_vec();
        }
    }

    /// What could not be taken ends an exchange too.
    fn refuse_event(&mut self, error: command::ParseError) {
        let tag = match std::mem::replace(&mut self.state, State::Start) {
            State::Sasl(exchange) => Some(exchange.tag),
            _ => None,
        };
        self.refuse(command::ParseError { tag: error.tag.or(tag), ..error });
    }

    fn take_command(&mut self, text: &Secret) {
        match command::parse(text.expose(), false) {
            Ok(command) => self.start_command(command),
            Err(error) => self.refuse(error),
        }
    }

    /// A command before log-in.
    fn start_command(&mut self, Command { tag, body }: Command) {
        let mut out = Vec::new();
        let completion = match body {
            CommandBody::Capability => {
                out.extend_from_slice(b"* CAPABILITY ");
                self.capabilities(&mut out);
                out.extend_from_slice(b"\r\n");
                Completion::ok("CAPABILITY completed")
            }
            CommandBody::Noop => Completion::ok("NOOP completed"),
            CommandBody::Id(_) => {
                capability::id(&self.config, &mut out);
                Completion::ok("ID completed")
            }
            CommandBody::Language(ranges) => capability::language(&ranges, &mut out),
            CommandBody::Logout => {
                out.extend_from_slice(b"* BYE see you\r\n");
                self.send(out);
                self.complete(Some(&tag), Completion::ok("LOGOUT completed"));
                return self.close();
            }
            CommandBody::StartTls => return self.start_tls(&tag),
            CommandBody::Login { user, password } => return self.login(tag, &user, password),
            CommandBody::Authenticate { mechanism, initial } => {
                return self.authenticate(tag, &mechanism, initial);
            }
            _ => Completion::bad("log in first"),
        };
        self.send(out);
        self.complete(Some(&tag), completion);
    }

    fn start_tls(&mut self, tag: &str) {
        if !self.config.starttls || self.tls.is_some() {
            return self.complete(Some(tag), Completion::bad("STARTTLS is not to be had here"));
        }
        self.complete(Some(tag), Completion::ok("begin TLS now"));
        self.framer = Framer::new(&self.config.limits);
        self.state = State::StartingTls;
        self.actions.push_back(Action::StartTls);
    }

    fn refuse(&mut self, error: command::ParseError) {
        let tag = error.tag.clone();
        self.complete(tag.as_deref(), error.into());
    }

    /// Sends a tagged response before log-in, and counts errors.
    fn complete(&mut self, tag: Option<&str>, completion: Completion) {
        let mut out = Vec::new();
        let is_error = completion.status == Status::Bad;
        self.fault = completion.print(tag, &mut out).or(self.fault.take());
        self.send(out);
        if is_error {
            self.errors += 1;
            if self.errors >= self.config.limits.errors {
                self.bye("too many errors");
            }
        }
    }

    fn send(&mut self, octets: Vec<u8>) {
        match self.actions.back_mut() {
            _ if octets.is_empty() => {}
            Some(Action::Send(before)) => before.extend_from_slice(&octets),
            _ => self.actions.push_back(Action::Send(octets)),
        }
    }

    fn bye(&mut self, why: &str) {
        if !matches!(self.state, State::Closed) {
            // Within TLS's handshake nothing can be said.
            if !matches!(self.state, State::StartingTls) {
                self.send(format!("* BYE {why}\r\n").into_bytes());
            }
            self.close();
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.input = Vec::new();
        self.actions.push_back(Action::Close);
    }
}
