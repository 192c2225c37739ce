//! Whole POP3 sessions over an account in memory: any octets. However they are cut, the same is answered.
#![no_main]

use base::{Flags, Limits};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, choices, cut, packets, pieces};
use session::mail_session::MailSession;
use session::pop3::{Action, Config, Input, LoginFailure, Progress, RUN_OCTETS, Session};
use session::sasl::{ChannelBinding, ScramKeys};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::mailstore::FakeMailstore;

const MAIL: [&[u8]; 3] = [
    b"From: a@b\r\nSubject: one\r\n\r\n.dots\r\n..\r\n.\r\nand more\r\n",
    b"Subject: bare\n\n.\nlines\n.",
    b"",
];

fuzz_target!(|input: &[u8]| {
    let Some(([choice, cuts], octets)) = choices::<2>(input) else { return };
    let now = Instant::now();
    let whole = Connection::play(octets, *choice, Cut::Whole, now);
    let other = Connection::play(octets, *choice, cut(*cuts), now);
    assert_eq!(whole.answers.escape_ascii().to_string(), other.answers.escape_ascii().to_string());
    let answers = &whole.answers;
    assert!(answers.starts_with(b"+OK ") && answers.ends_with(b"\r\n"));
    let mail: usize = MAIL.iter().map(|mail| mail.len() + 500).sum();
    let lines = octets.iter().filter(|b| **b == b'\n').count();
    assert!(answers.len() <= 1000 + (lines + 2) * mail, "{} octets for {lines} lines", answers.len());
});

struct Connection {
    session: Session,
    store: FakeMailstore,
    now: Instant,
    answers: Vec<u8>,
    closed: bool,
    /// Whether the rest of the packet is not to be sent: TLS began within it.
    cut_short: bool,
    reads_ahead: bool,
}

impl Connection {
    fn play(octets: &[u8], choice: u8, cut: Cut, now: Instant) -> Connection {
        let bit = |n: u8| choice >> n & 1 == 1;
        let config = Arc::new(Config {
            host: "mail.example.test".into(),
            limits: Limits { command_octets: 200, errors: 8, ..Limits::default() },
            stls: true,
            clear_passwords: !bit(4),
            scram: bit(0),
            nonce: || *b"fixed nonce 18 oct",
        });
        let store = FakeMailstore::new();
        for mail in MAIL {
            store.deliver("INBOX", mail, Flags::default(), None);
        }
        store.set_pop3_keeps(bit(1));
        let session = Session::new(config, None, now);
        let (answers, closed, cut_short) = (Vec::new(), false, false);
        let reads_ahead = bit(3);
        let mut connection = Connection { session, store, now, answers, closed, cut_short, reads_ahead };
        connection.pump();
        if bit(2) {
            connection.feed(Input::Bytes(b"USER alice\r\n"));
            connection.feed(Input::Bytes(b"PASS secret\r\n"));
        }
        for (packet, event) in packets(octets) {
            connection.packet(packet, cut);
            if event {
                // Another session removes a message.
                let inbox = connection.store.mailbox("INBOX").expect("INBOX");
                let uids = [base::Uid(1)];
                session::mailstore::Mailstore::pop3_remove(&connection.store, inbox, &uids).expect("removed");
            }
        }
        connection.feed(Input::Eof);
        connection.now += Duration::from_secs(100_000);
        connection.feed(Input::Tick);
        assert!(connection.closed, "still open in the end");
        connection
    }

    fn packet(&mut self, packet: &[u8], cut: Cut) {
        self.cut_short = false;
        for piece in pieces(packet, cut).into_iter().flat_map(|piece| piece.chunks(16 * 1024)) {
            if self.closed || self.cut_short {
                break;
            }
            assert!(self.session.wants_input(), "stuck before {}", piece.escape_ascii());
            self.feed(Input::Bytes(piece));
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.session.feed(self.now, input);
        self.pump();
        if self.reads_ahead {
            self.session.read_ahead();
        }
    }

    fn pump(&mut self) {
        while let Some(action) = self.session.next() {
            assert!(!self.closed, "{action:?} after the end");
            let input = match action {
                Action::Send(octets) => {
                    self.answers.extend(octets);
                    continue;
                }
                Action::CheckPassword { user, password } => {
                    match user == "alice" && password.expose() == b"secret" {
                        true => Input::LoginOk(Arc::new(self.store.clone())),
                        false => Input::LoginFailed(LoginFailure::Refused),
                    }
                }
                Action::OpenMail { .. } => panic!("in without a proof"),
                Action::NeedKeys { .. } => {
                    Input::Keys(ScramKeys::from_salted_password(&[1; 32], b"salt".to_vec(), 4096))
                }
                Action::ProofFailed { .. } => Input::LoginFailed(LoginFailure::Refused),
                Action::StartTls => {
                    self.cut_short = true;
                    Input::TlsUp(ChannelBinding::default())
                }
                Action::Compress(_) | Action::LoggedOut => continue,
                Action::Run => {
                    loop {
                        let mut given = Vec::new();
                        let progress = self.session.run(&mut given);
                        assert!(given.len() <= RUN_OCTETS + 100_000);
                        self.answers.extend(given);
                        if progress == Progress::Done {
                            break;
                        }
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
    }
}
