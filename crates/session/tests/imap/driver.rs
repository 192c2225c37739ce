//! The driver's loop in memory: what `server` does with sockets and threads.

use session::imap::{Action, Config, Input, LoginFailure, Progress, Session};
use session::mail_session::MailSession;
use session::sasl::{ChannelBinding, ScramKeys};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::mailstore::FakeMailstore;

/// A configuration for tests: clear-text log-in where `clear` says so.
pub fn config(clear: bool) -> Arc<Config> {
    Arc::new(Config {
        host: "mail.example.test".into(),
        version: Some("1".into()),
        limits: base::Limits { message_octets: 1_000_000, ..base::Limits::default() },
        starttls: true,
        clear_passwords: clear,
        scram: true,
        nonce: || *b"fixed nonce 18 oct",
    })
}

/// A client's connection: alice with the password "secret".
pub struct Connection {
    pub session: Session,
    store: FakeMailstore,
    now: Instant,
    pub closed: bool,
    /// What came behind COMPRESS; this driver does not inflate it.
    pub came_compressed: Vec<u8>,
    /// The most that one run gave.
    pub largest_run: usize,
    /// How long a run seems to take.
    pub run_time: Duration,
}

impl Connection {
    pub fn new(config: Arc<Config>, store: &FakeMailstore) -> Self {
        let now = Instant::now();
        let session = Session::new(config, None, now);
        Connection {
            session,
            store: store.clone(),
            now,
            closed: false,
            came_compressed: Vec::new(),
            largest_run: 0,
            run_time: Duration::ZERO,
        }
    }

    /// Gives octets, `at_once` of them at a time, and returns the answer.
    pub fn send(&mut self, octets: &[u8], at_once: usize) -> Vec<u8> {
        let mut out = self.pump();
        for piece in octets.chunks(at_once.max(1)) {
            if self.closed {
                break;
            }
            assert!(self.session.wants_input(), "stuck before {:?}", String::from_utf8_lossy(piece));
            self.session.feed(self.now, Input::Bytes(piece));
            out.extend(self.pump());
        }
        out
    }

    pub fn feed(&mut self, input: Input<'_>) -> Vec<u8> {
        self.session.feed(self.now, input);
        self.pump()
    }

    /// Lets time pass, with ticks at each deadline.
    pub fn wait(&mut self, time: Duration) -> Vec<u8> {
        let end = self.now + time;
        let mut out = Vec::new();
        while !self.closed && self.session.deadline() <= end {
            self.now = self.session.deadline();
            out.extend(self.feed(Input::Tick));
        }
        self.now = end;
        out
    }

    fn pump(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(action) = self.session.next() {
            let input = match action {
                Action::Send(octets) => {
                    out.extend(octets);
                    continue;
                }
                Action::CheckPassword { user, password } => {
                    match ["alice", "alice@example.test"].contains(&&*user) && password.expose() == b"secret"
                    {
                        true => Input::LoginOk(Arc::new(self.store.clone())),
                        false => Input::LoginFailed(LoginFailure::Refused),
                    }
                }
                Action::OpenMail { .. } => Input::LoginOk(Arc::new(self.store.clone())),
                Action::NeedKeys { .. } => {
                    Input::Keys(ScramKeys::from_salted_password(&[1; 32], b"salt".to_vec(), 4096))
                }
                Action::ProofFailed { .. } => Input::LoginFailed(LoginFailure::Refused),
                Action::StartTls => Input::TlsUp(ChannelBinding::default()),
                Action::Compress(came) => {
                    self.came_compressed = came;
                    continue;
                }
                Action::LoggedOut => continue,
                Action::Run => {
                    loop {
                        let mut given = Vec::new();
                        let progress = self.session.run(&mut given);
                        self.largest_run = self.largest_run.max(given.len());
                        out.extend(given);
                        if progress == Progress::Done {
                            break;
                        }
                        self.now += self.run_time;
                        self.session.feed(self.now, Input::Tick);
                    }
                    Input::RunDone
                }
                Action::Close => {
                    self.closed = true;
                    continue;
                }
            };
            self.session.feed(self.now, input);
        }
        out
    }
}
