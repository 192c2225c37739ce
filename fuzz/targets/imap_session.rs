//! Whole IMAP sessions over an account in memory: any octets. However they are cut, the same is answered, and the
//! answers are IMAP.
#![no_main]

use base::{Flags, Limits};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, Player, choices, cut, packets};
use session::imap::{Config, Input, RUN_OCTETS, Session};
use session::mail_session::MailSession;
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
    assert_eq!(
        whole.player.answers.escape_ascii().to_string(),
        other.player.answers.escape_ascii().to_string()
    );
    let lines = octets.iter().filter(|b| **b == b'\n').count();
    assert_responses(&whole.player.answers, lines);
});

/// A connection, and its account.
struct Connection {
    player: Player<Session>,
    store: FakeMailstore,
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
        let account = store.clone();
        let account = move || Input::LoginOk(Arc::new(account.clone()));
        let player = Player::new(Session::new(config, None, now), now, RUN_OCTETS + 100_000, account);
        let mut connection = Connection { player, store };
        if bit(2) {
            connection.player.feed(Input::Bytes(b"l1 LOGIN alice secret\r\n"));
        }
        if bit(3) {
            connection.player.feed(Input::Bytes(b"l2 ENABLE IMAP4rev2 QRESYNC UTF8=ACCEPT\r\n"));
        }
        if bit(4) {
            connection.player.feed(Input::Bytes(b"l3 SELECT INBOX\r\n"));
        }
        for (packet, event) in packets(octets) {
            connection.player.packet(packet, cut, |_| {});
            if event {
                connection.deliver();
            }
        }
        connection.player.feed(Input::Eof);
        assert!(connection.player.closed, "still open in the end");
        connection
    }

    fn deliver(&mut self) {
        self.store.deliver("INBOX", MAIL[3], Flags::default(), None);
        if self.player.session.wants_changes() {
            self.player.feed(Input::Changed);
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
