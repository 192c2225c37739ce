//! ManageSieve (RFC 5804): the server's side, without I/O. It is driven as [`MailSession`] says.
//!
//! A script is kept only if it compiles as it would at delivery, and what is announced as `SIEVE` is what such a script
//! may require. Commands before log-in are answered at once; all others by [`MailSession::run`], one after the other.

mod keeping;

use crate::mail_session::Turn;
pub use crate::mail_session::{Action, Input, LoginFailure, MailSession, Progress, RUN_OCTETS};
use crate::sasl::{self, ChannelBinding, Mechanism, Step};
use crate::scripts::{MOST_SCRIPT_OCTETS, Scripts};
use base::{Limits, Secret};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use wire::managesieve::{Bounds, Command, Frame, Framer, Unparsed, parse_answer, write_string};

/// Before log-in: a SASL message in base64 (RFC 4954 §4), and the command around it. What is larger ends the connection.
const STRANGER: Bounds = Bounds { command: 16 * 1024, skipped: 0 };

/// After it: the largest script, and the command around it. A script that is larger by far ends the connection.
const USER: Bounds =
    Bounds { command: MOST_SCRIPT_OCTETS + 8 * 1024, skipped: 16 * MOST_SCRIPT_OCTETS as u64 };

/// What holds for every connection of a service.
pub struct Config {
    /// This host's name, for the greeting.
    pub host: String,
    /// Bounds on what peers may do.
    pub limits: Limits,
    /// Whether STARTTLS is offered where TLS isn't on.
    pub starttls: bool,
    /// Whether passwords are taken without TLS.
    pub clear_passwords: bool,
    /// Whether the SCRAM mechanisms are offered beside PLAIN.
    pub scram: bool,
    /// Random octets for SCRAM.
    pub nonce: fn() -> [u8; 18],
    /// What scripts can do here.
    pub language: Language,
}

/// What scripts can do: the capabilities that say so (RFC 5804 §1.7).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Language {
    /// The extensions that a script may require, with spaces between.
    pub extensions: String,
    /// The most redirects of a run.
    pub redirects: usize,
    /// The methods of `notify`, with spaces between; empty where there are none.
    pub notify: String,
}

/// A connection of a ManageSieve client.
pub struct Session {
    config: Arc<Config>,
    /// What TLS gave, where it is on.
    tls: Option<ChannelBinding>,
    state: State,
    framer: Framer,
    /// What is to be answered next.
    next: Option<Frame>,
    actions: VecDeque<Action>,
    deadline: Instant,
    errors: usize,
    failed_logins: usize,
    /// The peer will send nothing more; what it sent is still done.
    ended: bool,
    /// What went wrong on our side.
    fault: Option<String>,
}

/// Where the connection stands (RFC 5804 §1.1).
enum State {
    /// A command is awaited of somebody who is not logged in.
    Stranger,
    /// AUTHENTICATE: the client's next message is awaited.
    Sasl(sasl::Server),
    /// The driver looks up a SCRAM verifier.
    Keys(sasl::Server),
    /// The driver checks a log-in.
    Checking,
    /// STARTTLS was accepted; nothing of what comes before TLS is up is looked at.
    StartingTls,
    /// Logged in.
    User(Arc<dyn Scripts>),
    /// Nothing more is read.
    Closed,
}

impl Session {
    /// A connection that was just made, over TLS if there is a binding; the greeting is the first action.
    pub fn new(config: Arc<Config>, tls: Option<ChannelBinding>, now: Instant) -> Self {
        let mut session = Session {
            tls,
            state: State::Stranger,
            framer: Framer::default(),
            next: None,
            actions: VecDeque::new(),
            deadline: now + config.limits.command_wait,
            errors: 0,
            failed_logins: 0,
            ended: false,
            fault: None,
            config,
        };
        session.greet();
        session
    }
}

impl MailSession for Session {
    fn next(&mut self) -> Option<Action> {
        self.actions.pop_front().or_else(|| self.is_runnable().then_some(Action::Run))
    }

    fn feed(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Bytes(octets) => self.take_bytes(octets),
            Input::Scripts(scripts) => {
                if matches!(self.state, State::Checking) {
                    self.state = State::User(scripts);
                    self.deadline = now + self.config.limits.managesieve_idle;
                    self.send("OK \"Logged in\"\r\n");
                }
            }
            Input::LoginFailed(failure) => self.login_failed(failure),
            Input::Keys(keys) => {
                if let State::Keys(mut server) = std::mem::replace(&mut self.state, State::Closed) {
                    let step = server.keys(keys);
                    self.sasl_step(server, step);
                }
            }
            Input::TlsUp(binding) => {
                if matches!(self.state, State::StartingTls) {
                    *self = Session::new(self.config.clone(), Some(binding), now);
                }
            }
            Input::RunDone => self.deadline = now + self.wait(),
            Input::Tick if now >= self.deadline && !self.is_runnable() => {
                self.hang_up("BYE \"Too long without a command\"\r\n");
            }
            Input::Shutdown => {
                self.hang_up("BYE (TRYLATER) \"The server stops, or this log-in is over\"\r\n")
            }
            Input::Tick | Input::Changed | Input::LoginOk(_) => {}
            Input::Eof => self.ended = true,
        }
        self.advance();
        self.close_if_ended();
    }

    fn run(&mut self, out: &mut Vec<u8>) -> Progress {
        let begin = out.len();
        while let Some(frame) = self.next.take_if(|_| matches!(self.state, State::User(_))) {
            self.run_one(frame, out);
            self.look();
            if out.len() - begin >= RUN_OCTETS && self.is_runnable() {
                return Progress::More;
            }
        }
        self.advance();
        self.close_if_ended();
        Progress::Done
    }

    /// When to feed [`Input::Tick`] if nothing else happens. Before log-in this is fixed: however a peer drips, it
    /// has only so long. After it, the time is counted from the last command.
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    fn wants_input(&self) -> bool {
        matches!(self.state, State::Stranger | State::Sasl(_) | State::User(_)) && self.next.is_none()
    }
}

impl Session {
    fn take_bytes(&mut self, octets: &[u8]) {
        if !matches!(self.state, State::StartingTls | State::Closed) {
            self.framer.push(octets);
        }
    }

    /// Looks for the next command, if it was not found yet.
    fn look(&mut self) {
        let bounds = match self.state {
            State::Stranger | State::Sasl(_) => STRANGER,
            State::User(_) => USER,
            _ => return,
        };
        if self.next.is_none() {
            self.next = self.framer.next(bounds);
        }
    }

    /// Answers what comes before log-in, as long as there are whole commands and nothing is waited for.
    fn advance(&mut self) {
        loop {
            self.look();
            if !matches!(self.state, State::Stranger | State::Sasl(_)) {
                return;
            }
            match self.next.take() {
                None => return,
                Some(Frame::Command(command)) => self.take_command(command.expose()),
                Some(Frame::TooLarge | Frame::Endless) => return self.hang_up(ENDLESS),
            }
        }
    }

    fn take_command(&mut self, octets: &[u8]) {
        match std::mem::replace(&mut self.state, State::Stranger) {
            State::Sasl(mut server) => match parse_answer(octets) {
                Some(answer) if answer.expose() == b"*" => self.refuse("NO \"Authentication cancelled\"\r\n"),
                Some(answer) => match wire::sasl::decode(answer.expose()) {
                    Some(message) => {
                        let step = server.step(message.expose());
                        self.sasl_step(server, step);
                    }
                    None => self.refuse("NO \"Not base64\"\r\n"),
                },
                None => self.refuse("NO \"A string is expected\"\r\n"),
            },
            State::Stranger => match Command::parse(octets) {
                Ok(command) => self.answer_stranger(command),
                Err(unparsed) => self.refuse(complaint(unparsed)),
            },
            other => self.state = other,
        }
    }

    fn answer_stranger(&mut self, command: Command) {
        match command {
            Command::Capability => self.greet(),
            Command::Noop(tag) => {
                let mut out = Vec::new();
                write_noop(tag.as_deref(), &mut out);
                self.send(out);
            }
            Command::Logout => self.hang_up(GOODBYE),
            Command::StartTls => self.start_tls(),
            Command::Authenticate { .. } if !self.may_log_in() => {
                self.refuse("NO (ENCRYPT-NEEDED) \"A password is taken over TLS only: STARTTLS first\"\r\n");
            }
            Command::Authenticate { mechanism, initial } => self.authenticate(&mechanism, initial.as_ref()),
            _ => self.refuse("NO \"Log in first\"\r\n"),
        }
    }

    /// One command of a user.
    fn run_one(&mut self, frame: Frame, out: &mut Vec<u8>) {
        let State::User(scripts) = &self.state else { return };
        let well = match frame {
            Frame::Endless => return self.hang_up(ENDLESS),
            Frame::TooLarge => {
                out.extend_from_slice(b"NO (QUOTA/MAXSIZE) \"The command is too large\"\r\n");
                true
            }
            Frame::Command(octets) => match Command::parse(octets.expose()) {
                Ok(Command::Logout) => return self.hang_up(GOODBYE),
                Ok(Command::Unauthenticate) => return self.log_out(),
                Ok(Command::Capability) => {
                    let owner = scripts.owner();
                    self.write_capabilities(Some(&owner), out);
                    true
                }
                Ok(command) => keeping::run(&**scripts, command, out, &mut self.fault),
                Err(unparsed) => {
                    out.extend_from_slice(complaint(unparsed).as_bytes());
                    false
                }
            },
        };
        if !well {
            self.errors += 1;
            if self.errors > self.config.limits.errors {
                self.hang_up(TOO_MANY);
            }
        }
    }

    /// Whether [`MailSession::run`] has something to do.
    fn is_runnable(&self) -> bool {
        matches!(self.state, State::User(_)) && self.next.is_some()
    }

    fn wait(&self) -> std::time::Duration {
        match self.state {
            State::User(_) => self.config.limits.managesieve_idle,
            _ => self.config.limits.command_wait,
        }
    }

    fn may_log_in(&self) -> bool {
        self.tls.is_some() || self.config.clear_passwords
    }

    /// The mechanisms announced. LOGIN is older than this protocol, and no client of it needs it.
    fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let offered = match self.may_log_in() {
            true => Mechanism::offered(self.config.scram, self.tls.as_ref()),
            false => &[],
        };
        offered.iter().copied().filter(|mechanism| *mechanism != Mechanism::Login)
    }

    fn start_tls(&mut self) {
        if self.tls.is_some() || !self.config.starttls {
            return self.refuse("NO \"No STARTTLS here\"\r\n");
        }
        self.send("OK \"Begin TLS\"\r\n");
        self.actions.push_back(Action::StartTls);
        // RFC 5804 §2.2: what came in the clear behind STARTTLS is never run.
        self.framer = Framer::default();
        self.state = State::StartingTls;
    }

    fn authenticate(&mut self, mechanism: &str, initial: Option<&Secret>) {
        let Some(mechanism) = Mechanism::from_name(mechanism).filter(|m| self.mechanisms().any(|o| o == *m))
        else {
            return self.refuse("NO \"No such mechanism\"\r\n");
        };
        // RFC 5804 §2.1: an empty string is an empty response; `=` for it belongs to other protocols.
        let initial = match initial.map(|text| wire::sasl::decode(text.expose())) {
            Some(None) => return self.refuse("NO \"Not base64\"\r\n"),
            Some(decoded) => decoded,
            None => None,
        };
        let mut server = sasl::Server::new(mechanism, self.tls.clone(), (self.config.nonce)());
        let step = server.start(initial.as_ref().map(Secret::expose));
        self.sasl_step(server, step);
    }

    fn sasl_step(&mut self, server: sasl::Server, step: Step) {
        match Turn::of(step, &server) {
            Turn::Challenge(challenge) => {
                let mut out = Vec::new();
                write_string(&challenge, &mut out);
                out.extend_from_slice(b"\r\n");
                self.send(out);
                self.state = State::Sasl(server);
            }
            Turn::Keys(action) => {
                self.actions.push_back(action);
                self.state = State::Keys(server);
            }
            Turn::Decide(action) => {
                self.actions.push_back(action);
                self.state = State::Checking;
            }
            Turn::Malformed => {
                self.state = State::Stranger;
                self.refuse("NO \"Authentication failed\"\r\n");
            }
        }
    }

    fn login_failed(&mut self, failure: LoginFailure) {
        if !matches!(self.state, State::Checking | State::Keys(_)) {
            return;
        }
        self.state = State::Stranger;
        self.failed_logins += 1;
        match (failure, self.failed_logins >= self.config.limits.failed_logins) {
            (_, true) => self.hang_up("BYE \"Too many failed log-ins\"\r\n"),
            (LoginFailure::Refused, _) => self.send("NO \"Wrong name or password\"\r\n"),
            (LoginFailure::Unavailable, _) => self.send("NO (TRYLATER) \"Log-in is not possible now\"\r\n"),
        }
    }

    /// RFC 5804 §2.14.1: as after the greeting, but that TLS stays.
    fn log_out(&mut self) {
        self.state = State::Stranger;
        self.actions.push_back(Action::LoggedOut);
        self.send("OK \"Logged out\"\r\n");
    }

    fn greet(&mut self) {
        let mut out = Vec::new();
        self.write_capabilities(None, &mut out);
        self.send(out);
    }

    /// RFC 5804 §1.7.
    fn write_capabilities(&self, owner: Option<&str>, out: &mut Vec<u8>) {
        let mechanisms: Vec<&str> = self.mechanisms().map(Mechanism::name).collect();
        let language = &self.config.language;
        let (sasl, redirects) = (mechanisms.join(" "), language.redirects.to_string());
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let with_value = [
            ("IMPLEMENTATION", Some("Mailward")),
            ("SASL", Some(sasl.as_str())),
            ("SIEVE", Some(language.extensions.as_str())),
            ("NOTIFY", some(language.notify.as_str())),
            ("MAXREDIRECTS", Some(redirects.as_str())),
            ("LANGUAGE", Some("en")),
            ("OWNER", owner),
            ("VERSION", Some("1.0")),
        ];
        for (name, value) in with_value {
            if let Some(value) = value {
                out.extend_from_slice(format!("\"{name}\" ").as_bytes());
                write_string(value, out);
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(b"\"UNAUTHENTICATE\"\r\n");
        if self.tls.is_none() && self.config.starttls && owner.is_none() {
            out.extend_from_slice(b"\"STARTTLS\"\r\n");
        }
        out.extend_from_slice(b"OK ");
        write_string(&format!("{} ManageSieve server ready", self.config.host), out);
        out.extend_from_slice(b"\r\n");
    }

    fn send(&mut self, reply: impl Into<Vec<u8>>) {
        self.actions.push_back(Action::Send(reply.into()));
    }

    /// Answers an error of the peer, and hangs up after too many.
    fn refuse(&mut self, reply: &str) {
        self.errors += 1;
        match self.errors > self.config.limits.errors {
            true => self.hang_up(TOO_MANY),
            false => self.send(reply),
        }
    }

    fn hang_up(&mut self, last: &str) {
        if !matches!(self.state, State::Closed) {
            self.send(last);
            self.close();
        }
    }

    fn close(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.actions.push_back(Action::Close);
        }
        (self.framer, self.next) = (Framer::default(), None);
    }

    /// Once the peer sends nothing more, what it sent before is still done.
    fn close_if_ended(&mut self) {
        let busy = matches!(self.state, State::Checking | State::Keys(_)) || self.is_runnable();
        if self.ended && !busy {
            self.close();
        }
    }
}

const GOODBYE: &str = "OK \"Bye\"\r\n";
const ENDLESS: &str = "BYE \"The command is too long\"\r\n";
const TOO_MANY: &str = "BYE \"Too many errors\"\r\n";

fn complaint(unparsed: Unparsed) -> &'static str {
    match unparsed {
        Unparsed::Unknown => "NO \"No such command\"\r\n",
        Unparsed::Arguments => "NO \"Wrong arguments\"\r\n",
    }
}

/// RFC 5804 §2.13.
fn write_noop(tag: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"OK ");
    if let Some(tag) = tag {
        out.extend_from_slice(b"(TAG ");
        write_string(tag, out);
        out.extend_from_slice(b") ");
    }
    out.extend_from_slice(b"\"Done\"\r\n");
}
