//! Plays a client of IMAP, POP3 or ManageSieve: gives octets to a session, and does what the session asks of its driver.

use crate::{Cut, pieces};
use session::mail_session::{Action, Input, LoginFailure, MailSession, Progress};
use session::sasl::{ChannelBinding, ScramKeys};
use std::time::Instant;

/// A session, and what it answered.
pub struct Player<S> {
    /// The session.
    pub session: S,
    /// The time it is told.
    pub now: Instant,
    /// All it sent.
    pub answers: Vec<u8>,
    /// Whether it closed the connection.
    pub closed: bool,
    /// What `alice` gets for the password `secret`.
    account: Box<dyn Fn() -> Input<'static>>,
    /// Octets of one run at most.
    most: usize,
    /// Whether the rest of the packet is not to be sent: TLS or compression began within it, or compression ended.
    cut_short: bool,
    compressed: bool,
}

impl<S: MailSession> Player<S> {
    /// Begins with the greeting.
    pub fn new(
        session: S,
        now: Instant,
        most: usize,
        account: impl Fn() -> Input<'static> + 'static,
    ) -> Self {
        let mut player = Player {
            session,
            now,
            answers: Vec::new(),
            closed: false,
            account: Box::new(account),
            most,
            cut_short: false,
            compressed: false,
        };
        player.pump();
        player
    }

    /// Sends a packet in pieces; `after` is called behind each.
    pub fn packet(&mut self, packet: &[u8], cut: Cut, mut after: impl FnMut(&mut S)) {
        self.cut_short = false;
        for piece in pieces(packet, cut).into_iter().flat_map(|piece| piece.chunks(16 * 1024)) {
            if self.closed || self.cut_short {
                break;
            }
            assert!(self.session.wants_input(), "stuck before {}", piece.escape_ascii());
            self.feed(Input::Bytes(piece));
            after(&mut self.session);
        }
    }

    /// Tells the session something, and does what it asks for then.
    pub fn feed(&mut self, input: Input<'_>) {
        self.session.feed(self.now, input);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(action) = self.session.next() {
            assert!(!self.closed, "{action:?} after the end");
            if let Some(input) = self.done(action) {
                self.session.feed(self.now, input);
            }
        }
        assert_eq!(self.session.fault(), None);
    }

    /// Does what is asked for; gives what the session is told then.
    fn done(&mut self, action: Action) -> Option<Input<'static>> {
        match action {
            Action::Send(octets) => self.answers.extend(octets),
            Action::Close => self.closed = true,
            Action::Compress(_) => (self.cut_short, self.compressed) = (true, true),
            Action::LoggedOut => self.cut_short |= std::mem::take(&mut self.compressed),
            Action::CheckPassword { user, password } => {
                return Some(match user == "alice" && password.expose() == b"secret" {
                    true => (self.account)(),
                    false => Input::LoginFailed(LoginFailure::Refused),
                });
            }
            Action::OpenMail { .. } => panic!("in without a proof"),
            Action::NeedKeys { .. } => {
                return Some(Input::Keys(ScramKeys::from_salted_password(&[1; 32], b"salt".to_vec(), 4096)));
            }
            Action::ProofFailed { .. } => return Some(Input::LoginFailed(LoginFailure::Refused)),
            Action::StartTls => {
                self.cut_short = true;
                return Some(Input::TlsUp(ChannelBinding::default()));
            }
            Action::Run => {
                self.run();
                return Some(Input::RunDone);
            }
        }
        None
    }

    fn run(&mut self) {
        loop {
            let mut given = Vec::new();
            let progress = self.session.run(&mut given);
            assert!(given.len() <= self.most, "{} octets in one run", given.len());
            self.answers.extend(given);
            if progress == Progress::Done {
                break;
            }
        }
    }
}
