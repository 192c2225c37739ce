//! Whole POP3 sessions over an account in memory: any octets. However they are cut, the same is answered.
#![no_main]

use base::{Flags, Limits};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, Player, choices, cut, packets};
use session::mail_session::MailSession;
use session::pop3::{Config, Input, RUN_OCTETS, Session};
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
    let whole = play(octets, *choice, Cut::Whole, now);
    let other = play(octets, *choice, cut(*cuts), now);
    assert_eq!(whole.answers.escape_ascii().to_string(), other.answers.escape_ascii().to_string());
    let answers = &whole.answers;
    assert!(answers.starts_with(b"+OK ") && answers.ends_with(b"\r\n"));
    let mail: usize = MAIL.iter().map(|mail| mail.len() + 500).sum();
    let lines = octets.iter().filter(|b| **b == b'\n').count();
    assert!(answers.len() <= 1000 + (lines + 2) * mail, "{} octets for {lines} lines", answers.len());
});

/// The player, at the end of a session.
fn play(octets: &[u8], choice: u8, cut: Cut, now: Instant) -> Player<Session> {
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
    let account = store.clone();
    let account = move || Input::LoginOk(Arc::new(account.clone()));
    let mut player = Player::new(Session::new(config, None, now), now, RUN_OCTETS + 100_000, account);
    let read_ahead = |session: &mut Session| {
        if bit(3) {
            session.read_ahead();
        }
    };
    if bit(2) {
        player.packet(b"USER alice\r\n", Cut::Whole, read_ahead);
        player.packet(b"PASS secret\r\n", Cut::Whole, read_ahead);
    }
    for (packet, event) in packets(octets) {
        player.packet(packet, cut, read_ahead);
        if event {
            // Another session removes a message.
            let inbox = store.mailbox("INBOX").expect("INBOX");
            session::mailstore::Mailstore::pop3_remove(&store, inbox, &[base::Uid(1)]).expect("removed");
        }
    }
    player.feed(Input::Eof);
    player.now += Duration::from_secs(100_000);
    player.feed(Input::Tick);
    assert!(player.closed, "still open in the end");
    player
}
