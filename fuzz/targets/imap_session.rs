//! Whole IMAP sessions over an account in memory: any octets. However they are cut, the same is answered, and the
//! answers are IMAP.
#![no_main]

use base::{Flags, Limits};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, choices, cut, packets, pieces};
use session::imap::{Action, Config, Input, LoginFailure, Progress, RUN_OCTETS, Session};
use session::mail_session::MailSession;
use session::sasl::{ChannelBinding, ScramKeys};
use std::sync::Arc;
use std::time::Instant;
use testkit::mailstore::FakeMailstore;

/// Messages of INBOX; the last comes while the session runs.
const MAIL: [&[u8]; 4] = [
    b"From: a@b\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\nDate: 1 Jan 2020 10:00:00 +0100\r\n\r\nhi\r\n",
    b"From: \"c\" <c@d>\r\nSubject: Re: x\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\nContent-Type: multipart/mixed; boundary=x\
      \r\n\r\n--x\r\nContent-Type: application/octet-stream; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n\
      --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nner\r\n--x--\r\n",
    b"Subject: odd \xff\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\0\n--y",
    b"Subject: new\r\nIn-Reply-To: <2@x>\r\n\r\nnew\r\n",
];

fuzz_target!(|input: &[u8]| {
    let Some(([choice, cuts], octets)) = choices::<2>(input) else { return };
    let now = Instant::now();
    let whole = Connection::play(octets, *choice, Cut::Whole, now);
    let other = Connection::play(octets, *choice, cut(*cuts), now);
    assert_eq!(whole.answers.escape_ascii().to_string(), other.answers.escape_ascii().to_string());
    let lines = octets.iter().filter(|b| **b == b'\n').count();
    assert_responses(&whole.answers, lines);
});

struct Connection {
    session: Session,
    store: FakeMailstore,
    now: Instant,
    answers: Vec<u8>,
    closed: bool,
    /// Whether the rest of the packet is not to be sent: TLS or compression began within it, or compression ended.
    cut_short: bool,
    compressed: bool,
}

impl Connection {
    fn play(octets: &[u8], choice: u8, cut: Cut, now: Instant) -> Connection {
        let bit = |n: u8| choice >> n & 1 == 1;
        let config = Arc::new(Config {
            host: "mail.example.test".into(),
            version: Some("1".into()),
            limits: Limits {
                message_octets: 3000,
                imap_command_octets: 2000,
                errors: 8,
                ..Limits::default()
            },
            starttls: true,
            clear_passwords: true,
            scram: bit(0),
            nonce: || *b"fixed nonce 18 oct",
        });
        let store = FakeMailstore::new();
        for mail in &MAIL[..3] {
            store.deliver("INBOX", mail, Flags::default(), None);
        }
        store.set_quota(bit(1).then_some(20_000));
        let session = Session::new(config, None, now);
        let (answers, closed, cut_short, compressed) = (Vec::new(), false, false, false);
        let mut connection = Connection { session, store, now, answers, closed, cut_short, compressed };
        connection.pump();
        if bit(2) {
            connection.feed(Input::Bytes(b"l1 LOGIN alice secret\r\n"));
        }
        if bit(3) {
            connection.feed(Input::Bytes(b"l2 ENABLE IMAP4rev2 QRESYNC UTF8=ACCEPT\r\n"));
        }
        if bit(4) {
            connection.feed(Input::Bytes(b"l3 SELECT INBOX\r\n"));
        }
        for (packet, event) in packets(octets) {
            connection.packet(packet, cut);
            if event {
                connection.deliver();
            }
        }
        connection.feed(Input::Eof);
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

    fn deliver(&mut self) {
        self.store.deliver("INBOX", MAIL[3], Flags::default(), None);
        if self.session.wants_changes() {
            self.feed(Input::Changed);
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.session.feed(self.now, input);
        self.pump();
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
                Action::Compress(_) => {
                    (self.cut_short, self.compressed) = (true, true);
                    continue;
                }
                Action::LoggedOut => {
                    self.cut_short |= std::mem::take(&mut self.compressed);
                    continue;
                }
                Action::Run => {
                    self.run();
                    Input::RunDone
                }
                Action::Close => {
                    self.closed = true;
                    continue;
                }
            };
            self.session.feed(self.now, input);
        }
        assert_eq!(self.session.fault(), None);
    }

    fn run(&mut self) {
        loop {
            let mut given = Vec::new();
            let progress = self.session.run(&mut given);
            assert!(given.len() <= RUN_OCTETS + 100_000, "{} octets in one run", given.len());
            self.answers.extend(given);
            if progress == Progress::Done {
                break;
            }
        }
    }
}

/// Lines and literals; each line untagged, a continuation or one command's completion; numbers that fit.
fn assert_responses(answers: &[u8], commands: usize) {
    let (mut rest, mut completions, mut exists) = (answers, 0, 0);
    while !rest.is_empty() {
        let line = response(&mut rest);
        let text = String::from_utf8(line).expect("UTF-8 outside literals");
        assert!(!text.contains(|c: char| c.is_ascii_control()), "{text:?}");
        match text.split_once(' ') {
            Some(("*", data)) => numbers(data, &mut exists),
            Some(("+", _)) => {}
            Some((_, status)) => {
                completions += 1;
                let known = ["OK", "NO", "BAD"].iter().any(|word| status.starts_with(&format!("{word} ")));
                assert!(known, "{text}");
            }
            None => panic!("{text:?}"),
        }
    }
    assert!(completions <= commands + 4, "{completions} completions of {commands} lines");
}

/// Takes one response; its text with the literals left out.
fn response(rest: &mut &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a line end");
        text.extend_from_slice(&rest[..end]);
        *rest = &rest[end + 2..];
        let Some(length) = literal(&text) else { return text };
        *rest = rest.get(length..).expect("a whole literal");
    }
}

fn literal(text: &[u8]) -> Option<usize> {
    let inner = text.strip_suffix(b"}")?;
    let at = inner.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(&inner[at + 1..]).ok()?.parse().ok()
}

fn numbers(data: &str, exists: &mut usize) {
    let mut words = data.split(' ');
    let Some(number) = words.next().and_then(|word| word.parse::<usize>().ok()) else { return };
    match words.next() {
        Some("EXISTS") => *exists = number,
        Some("EXPUNGE") => {
            assert!((1..=*exists).contains(&number), "{data} of {exists}");
            *exists -= 1;
        }
        Some("FETCH") => assert!((1..=*exists).contains(&number), "{data} of {exists}"),
        _ => {}
    }
}
