//! Drives a session as `server::reader` does, with alice's scripts in memory.

use session::mail_session::{Action, Input, LoginFailure, MailSession, Progress};
use session::managesieve::{Config, Language, Session};
use session::sasl::{ChannelBinding, ScramKeys};
use std::sync::Arc;
use std::time::Instant;
use testkit::scripts::FakeScripts;

/// What a connection begins with.
#[derive(Clone, Copy)]
pub struct Offer {
    pub tls: bool,
    pub starttls: bool,
    pub scram: bool,
}

impl Offer {
    pub const NONE: Offer = Offer { tls: false, starttls: false, scram: false };
}

pub struct Driver {
    pub session: Session,
    pub scripts: Arc<FakeScripts>,
    pub now: Instant,
    out: Vec<u8>,
    closed: bool,
}

impl Driver {
    pub fn new(offer: Offer) -> Self {
        let config = Config {
            host: "mail.example.test".into(),
            limits: base::Limits::default(),
            starttls: offer.starttls,
            clear_passwords: false,
            scram: offer.scram,
            nonce: || *b"fixed nonce 18 oct",
            language: Language {
                extensions: "fileinto envelope".into(),
                redirects: 5,
                notify: "mailto".into(),
            },
        };
        let binding = ChannelBinding { exporter: Some(vec![1; 32]), server_end_point: None };
        let now = Instant::now();
        let session = Session::new(Arc::new(config), offer.tls.then_some(binding), now);
        let scripts = Arc::new(FakeScripts::default());
        let mut driver = Driver { session, scripts, now, out: Vec::new(), closed: false };
        driver.pump();
        driver
    }

    /// What was said since the last call; `closed` in the end.
    pub fn heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }

    /// Sends octets in pieces of this size, those behind a STARTTLS that is accepted included in its piece.
    pub fn send_in(&mut self, octets: &[u8], piece: usize) {
        for some in octets.chunks(piece.min(16 * 1024)) {
            if self.closed {
                return;
            }
            assert!(self.session.wants_input(), "stuck before {}", some.escape_ascii());
            self.feed(Input::Bytes(some));
        }
    }

    pub fn feed(&mut self, input: Input<'_>) {
        self.session.feed(self.now, input);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(action) = self.session.next() {
            assert!(!self.closed, "{action:?} after the end");
            let input = match action {
                Action::Send(octets) => {
                    self.out.extend(octets);
                    continue;
                }
                Action::CheckPassword { user, password } => match (user.as_str(), password.expose()) {
                    ("alice", b"secret") => Input::Scripts(self.scripts.clone()),
                    _ => Input::LoginFailed(LoginFailure::Refused),
                },
                Action::NeedKeys { .. } => {
                    Input::Keys(ScramKeys::from_salted_password(&[1; 32], b"salt".to_vec(), 4096))
                }
                Action::OpenMail { .. } => panic!("in without a proof"),
                Action::ProofFailed { .. } => Input::LoginFailed(LoginFailure::Refused),
                Action::StartTls => {
                    self.out.extend(b"TLS\r\n");
                    Input::TlsUp(ChannelBinding::default())
                }
                Action::Compress(_) | Action::LoggedOut => continue,
                Action::Run => {
                    while self.session.run(&mut self.out) == Progress::More {}
                    Input::RunDone
                }
                Action::Close => {
                    self.out.extend(b"closed\r\n");
                    self.closed = true;
                    continue;
                }
            };
            self.session.feed(self.now, input);
        }
    }
}
