//! POP3 (RFC 1939, 2449, 2595, 5034, 6856, response codes of RFC 3206): the server's side, without I/O.
//!
//! It is driven as [`MailSession`] says.
//!
//! A maildrop is INBOX as it was at log-in: numbers, sizes and unique ids stay as they are, whatever other sessions
//! do. Several POP3 sessions on one maildrop are allowed, because IMAP changes it meanwhile anyway and a lock would
//! only keep a user's second device out: what one removed, another gets `-ERR` for, never another message.
//!
//! Messages are served as they are kept, octet by octet, in either mode of RFC 6856: header fields with raw 8-bit
//! characters are common in mail that never asked for SMTPUTF8, and refusing such messages would leave clients that
//! know no UTF8 command stuck on them for ever. The sizes of STAT and LIST are those octets; the line end that an
//! appended message may lack counts as part of the answer's end.

mod lines;
mod maildrop;

use crate::mail_session::Turn;
pub use crate::mail_session::{Action, Input, LoginFailure, MailSession, Progress, RUN_OCTETS};
use crate::mailstore::Mailstore;
use crate::sasl::{self, ChannelBinding, Mechanism, Step};
use base::{Limits, Secret};
use lines::{Line, Lines};
use maildrop::Maildrop;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use wire::pop3::{Command, Unparsed};

/// Octets of a line while SASL messages are exchanged (RFC 4954 §4 in base64).
const SASL_LINE: usize = 12 * 1024 + 2;

/// What holds for every connection of a service.
pub struct Config {
    /// This host's name, for the greeting.
    pub host: String,
    /// Bounds on what peers may do.
    pub limits: Limits,
    /// Whether STLS is offered where TLS isn't on.
    pub stls: bool,
    /// Whether passwords are taken without TLS.
    pub clear_passwords: bool,
    /// Whether the SCRAM mechanisms are offered beside PLAIN and LOGIN.
    pub scram: bool,
    /// Random octets for SCRAM.
    pub nonce: fn() -> [u8; 18],
}

/// A connection of a POP3 client.
pub struct Session {
    config: Arc<Config>,
    /// What TLS gave, where it is on.
    tls: Option<ChannelBinding>,
    state: State,
    lines: Lines,
    actions: VecDeque<Action>,
    deadline: Instant,
    errors: usize,
    failed_logins: usize,
    /// The client wants UTF-8 (RFC 6856 §2.1). It changes nothing but that STLS is over.
    utf8: bool,
    /// The peer will send nothing more; what it sent is still done.
    ended: bool,
}

/// Where the connection stands.
enum State {
    /// AUTHORIZATION: a command is awaited; USER may have given a name (RFC 1939 §4).
    Authorization { user: Option<String> },
    /// AUTH: the client's next message is awaited.
    Sasl(sasl::Server),
    /// The driver looks up a SCRAM verifier.
    Keys(sasl::Server),
    /// The driver checks a log-in.
    Checking,
    /// STLS was accepted; nothing of what comes before TLS is up is looked at.
    StartingTls,
    /// Logged in; the maildrop is to be opened by the next run.
    Opening(Arc<dyn Mailstore>),
    /// TRANSACTION (RFC 1939 §5).
    Transaction(Box<Maildrop>),
    /// Nothing more is read.
    Closed,
}

impl Session {
    /// A connection that was just made, over TLS if there is a binding; the greeting is the first action.
    pub fn new(config: Arc<Config>, tls: Option<ChannelBinding>, now: Instant) -> Self {
        let greeting = format!("+OK {} POP3 server ready\r\n", config.host);
        Session {
            tls,
            state: State::Authorization { user: None },
            lines: Lines::default(),
            actions: VecDeque::from([Action::Send(greeting.into_bytes())]),
            deadline: now + config.limits.command_wait,
            errors: 0,
            failed_logins: 0,
            utf8: false,
            ended: false,
            config,
        }
    }
}

impl MailSession for Session {
    fn next(&mut self) -> Option<Action> {
        self.actions.pop_front().or_else(|| self.is_runnable().then_some(Action::Run))
    }

    fn feed(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Bytes(octets) => self.take_bytes(now, octets),
            Input::LoginOk(store) => {
                if matches!(self.state, State::Checking) {
                    self.state = State::Opening(store);
                    self.deadline = now + self.config.limits.pop3_idle;
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
                    let fresh = Session::new(self.config.clone(), Some(binding), now);
                    *self = Session { actions: VecDeque::new(), ..fresh };
                }
            }
            Input::RunDone => self.deadline = now + self.config.limits.pop3_idle,
            // RFC 1939 §3: a timeout ends the session without a word and without UPDATE, as does a lost connection.
            // A long answer on a slow line takes as long as it takes; sending it has a time of its own.
            Input::Tick if now >= self.deadline && !self.is_runnable() => self.close(),
            Input::Shutdown => self.close(),
            Input::Tick | Input::Changed | Input::Scripts(_) => {}
            Input::Eof => self.ended = true,
        }
        self.advance();
        self.close_if_ended();
    }

    fn run(&mut self, out: &mut Vec<u8>) -> Progress {
        let begin = out.len();
        if let State::Opening(store) = &self.state {
            match Maildrop::open(store.clone(), out) {
                Ok(maildrop) => self.state = State::Transaction(Box::new(maildrop)),
                Err(()) => self.close(),
            }
        }
        while self.is_runnable() {
            if out.len() - begin >= RUN_OCTETS {
                return Progress::More;
            }
            if !self.run_one(out, begin) {
                return Progress::More;
            }
        }
        self.lines.release();
        self.close_if_ended();
        Progress::Done
    }

    /// When to feed [`Input::Tick`] if nothing else happens. Before log-in this is fixed: however a peer drips, it
    /// has only so long. After it, the time is counted from the last full command (RFC 1939 §3).
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn wants_input(&self) -> bool {
        let waiting =
            matches!(self.state, State::Authorization { .. } | State::Sasl(_) | State::Transaction(_));
        waiting && !self.is_runnable() && self.lines.len() < Lines::ROOM
    }

    fn is_brief(&self) -> bool {
        let State::Transaction(maildrop) = &self.state else { return false };
        if maildrop.is_sending() || !self.lines.is_one() {
            return false;
        }
        match self.lines.peek(self.config.limits.command_octets) {
            Some(Line::Text(line)) => Command::parse(line).is_ok_and(|command| maildrop.is_brief(&command)),
            _ => false,
        }
    }

    fn read_ahead(&mut self) {
        if let State::Transaction(maildrop) = &mut self.state {
            maildrop.read_ahead();
        }
    }
}

impl Session {
    /// One piece of output or one command. False where what was put out has to be written first.
    fn run_one(&mut self, out: &mut Vec<u8>, begin: usize) -> bool {
        let State::Transaction(maildrop) = &mut self.state else { return true };
        if maildrop.is_sending() {
            if maildrop.send(out).is_err() {
                self.close();
            }
            return true;
        }
        let Some(line) = self.lines.peek(self.config.limits.command_octets) else { return true };
        let command = match line {
            Line::Text(line) => Command::parse(line),
            Line::TooLong => {
                out.extend_from_slice(TOO_LONG);
                self.close();
                return true;
            }
        };
        let well = match command {
            // What was retrieved goes out before QUIT may remove it.
            Ok(Command::Quit) if out.len() > begin => return false,
            Ok(Command::Quit) => {
                maildrop.quit(out);
                self.close();
                return true;
            }
            Ok(Command::Capa) => {
                let keeps = maildrop.keeps();
                self.write_capabilities(Some(keeps), out);
                true
            }
            Ok(command) => maildrop.run(command, out),
            Err(unparsed) => {
                out.extend_from_slice(complaint(unparsed));
                false
            }
        };
        self.lines.consume();
        if !well {
            self.errors += 1;
            if self.errors > self.config.limits.errors {
                out.extend_from_slice(TOO_MANY);
                self.close();
            }
        }
        true
    }

    fn is_runnable(&self) -> bool {
        match &self.state {
            State::Opening(_) => true,
            State::Transaction(maildrop) => {
                maildrop.is_sending() || self.lines.peek(self.config.limits.command_octets).is_some()
            }
            _ => false,
        }
    }

    fn take_bytes(&mut self, now: Instant, octets: &[u8]) {
        if matches!(self.state, State::StartingTls | State::Closed) {
            return;
        }
        if !self.lines.push(octets) {
            return self.hang_up(TOO_LONG);
        }
        if matches!(self.state, State::Transaction(_)) && octets.contains(&b'\n') {
            self.deadline = now + self.config.limits.pop3_idle;
        }
    }

    /// Commands and SASL messages before log-in, as long as there are whole lines and nothing is waited for.
    fn advance(&mut self) {
        loop {
            let limit = match self.state {
                State::Authorization { .. } => self.config.limits.command_octets,
                State::Sasl(_) => SASL_LINE,
                _ => return,
            };
            match self.lines.peek(limit) {
                None => return self.lines.release(),
                Some(Line::TooLong) => return self.hang_up(TOO_LONG),
                Some(Line::Text(line)) => {
                    let line = Secret::new(line);
                    self.lines.consume();
                    self.take_line(line.expose());
                }
            }
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        match std::mem::replace(&mut self.state, State::Authorization { user: None }) {
            State::Authorization { user } => match Command::parse(line) {
                Ok(command) => self.authorize(user, command),
                Err(unparsed) => self.refuse(complaint(unparsed)),
            },
            State::Sasl(mut server) => match wire::sasl::decode(line) {
                _ if line == b"*" => self.refuse(b"-ERR authentication cancelled\r\n"),
                None => self.refuse(b"-ERR not base64\r\n"),
                Some(message) => {
                    let step = server.step(message.expose());
                    self.sasl_step(server, step);
                }
            },
            other => self.state = other,
        }
    }

    /// A command in AUTHORIZATION. The state is already as after an error: no name given.
    fn authorize(&mut self, user: Option<String>, command: Command<'_>) {
        match command {
            Command::Capa => {
                let mut out = Vec::new();
                self.write_capabilities(None, &mut out);
                self.send(out);
                self.state = State::Authorization { user };
            }
            Command::Quit => self.hang_up(b"+OK bye\r\n"),
            Command::Utf8 => {
                self.utf8 = true;
                self.send(&b"+OK UTF-8 it is\r\n"[..]);
            }
            Command::Stls => self.start_tls(),
            Command::User(_) | Command::Pass(_) | Command::Auth { .. } if !self.may_log_in() => {
                self.refuse(b"-ERR a password is taken over TLS only: STLS first\r\n");
            }
            Command::User(name) => {
                self.state = State::Authorization { user: Some(sasl::prepare(name).into_owned()) };
                self.send(&b"+OK and the password?\r\n"[..]);
            }
            Command::Pass(password) => match user {
                Some(user) => {
                    let password = sasl::prepare_password(Secret::new(password));
                    self.ask(Action::CheckPassword { user, password });
                }
                None => self.refuse(b"-ERR USER first\r\n"),
            },
            Command::Auth { mechanism, initial } => self.authenticate(mechanism, initial),
            _ => self.refuse(b"-ERR log in first\r\n"),
        }
    }

    fn may_log_in(&self) -> bool {
        self.tls.is_some() || self.config.clear_passwords
    }

    fn start_tls(&mut self) {
        // RFC 6856 §2.1 lets STLS after UTF8 be refused; a fresh session would forget the UTF8.
        if self.tls.is_some() || !self.config.stls || self.utf8 {
            return self.refuse(b"-ERR no STLS here\r\n");
        }
        self.send(&b"+OK begin TLS\r\n"[..]);
        self.actions.push_back(Action::StartTls);
        // RFC 2595 §4: what came in the clear behind STLS is never run.
        self.lines = Lines::default();
        self.state = State::StartingTls;
    }

    fn authenticate(&mut self, mechanism: &str, initial: Option<&str>) {
        let offered = Mechanism::offered(self.config.scram, self.tls.as_ref());
        let Some(mechanism) = Mechanism::from_name(mechanism).filter(|m| offered.contains(m)) else {
            return self.refuse(b"-ERR no such mechanism\r\n");
        };
        let initial = match initial.map(|text| wire::sasl::decode_initial(text.as_bytes())) {
            Some(None) => return self.refuse(b"-ERR not base64\r\n"),
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
                self.send(format!("+ {challenge}\r\n"));
                self.state = State::Sasl(server);
            }
            Turn::Keys(action) => {
                self.actions.push_back(action);
                self.state = State::Keys(server);
            }
            Turn::Decide(action) => self.ask(action),
            Turn::Malformed => {
                self.state = State::Authorization { user: None };
                self.refuse(b"-ERR authentication failed\r\n");
            }
        }
    }

    /// Hands a log-in to the driver.
    fn ask(&mut self, action: Action) {
        self.actions.push_back(action);
        self.state = State::Checking;
    }

    fn login_failed(&mut self, failure: LoginFailure) {
        if !matches!(self.state, State::Checking | State::Keys(_)) {
            return;
        }
        self.state = State::Authorization { user: None };
        // RFC 3206 §4 and §3
        let reply: &[u8] = match failure {
            LoginFailure::Refused => b"-ERR [AUTH] wrong name or password\r\n",
            LoginFailure::Unavailable => b"-ERR [SYS/TEMP] log-in is not possible now\r\n",
        };
        self.failed_logins += 1;
        match self.failed_logins >= self.config.limits.failed_logins {
            true => self.hang_up(reply),
            false => self.send(reply),
        }
    }

    /// RFC 2449 §5, §6. `keeps` is known after log-in.
    fn write_capabilities(&self, keeps: Option<bool>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
        out.extend_from_slice(match keeps {
            // RFC 2449 §6.7: the smallest value of any account.
            None => b"EXPIRE 0 USER\r\n",
            Some(true) => b"EXPIRE NEVER\r\n",
            Some(false) => b"EXPIRE 0\r\n",
        });
        out.extend_from_slice(b"UTF8 USER\r\n");
        if self.tls.is_none() && self.config.stls {
            out.extend_from_slice(b"STLS\r\n");
        }
        if self.may_log_in() {
            out.extend_from_slice(b"USER\r\nSASL");
            for mechanism in Mechanism::offered(self.config.scram, self.tls.as_ref()) {
                out.push(b' ');
                out.extend_from_slice(mechanism.name().as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"IMPLEMENTATION Mailward\r\n.\r\n");
    }

    fn send(&mut self, reply: impl Into<Vec<u8>>) {
        self.actions.push_back(Action::Send(reply.into()));
    }

    /// Answers an error of the peer, and hangs up after too many.
    fn refuse(&mut self, reply: &[u8]) {
        self.errors += 1;
        match self.errors > self.config.limits.errors {
            true => self.hang_up(TOO_MANY),
            false => self.send(reply),
        }
    }

    fn hang_up(&mut self, last: &[u8]) {
        self.send(last);
        self.close();
    }

    fn close(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.actions.push_back(Action::Close);
        }
        self.lines = Lines::default();
    }

    /// Once the peer sends nothing more, what it sent before (QUIT above all) is still done.
    fn close_if_ended(&mut self) {
        let busy = matches!(self.state, State::Checking | State::Keys(_)) || self.is_runnable();
        if self.ended && !busy {
            self.close();
        }
    }
}

const TOO_LONG: &[u8] = b"-ERR line too long\r\n";
const TOO_MANY: &[u8] = b"-ERR too many errors\r\n";

fn complaint(unparsed: Unparsed) -> &'static [u8] {
    match unparsed {
        Unparsed::Unknown => b"-ERR no such command\r\n",
        Unparsed::Arguments => b"-ERR wrong arguments\r\n",
    }
}

#[cfg(test)]
mod tests;
