//! Whole ManageSieve sessions over scripts in memory: any octets. However they are cut, the same is answered.
#![no_main]

use base::Limits;
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, Player, choices, cut, packets};
use session::mail_session::{Input, RUN_OCTETS};
use session::managesieve::{Config, Language, Session};
use session::scripts::{MOST_SCRIPTS, Scripts};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::scripts::FakeScripts;

fuzz_target!(|input: &[u8]| {
    let Some(([choice, cuts], octets)) = choices::<2>(input) else { return };
    let now = Instant::now();
    let (whole, scripts) = play(octets, *choice, Cut::Whole, now);
    let (other, _) = play(octets, *choice, cut(*cuts), now);
    assert_eq!(whole.answers.escape_ascii().to_string(), other.answers.escape_ascii().to_string());
    assert_well_formed(&whole.answers);
    let lines = octets.iter().filter(|b| **b == b'\n').count();
    // Names and texts come back, once for each command that asks for them.
    assert!(whole.answers.len() <= 2000 + (lines + 2) * (1000 + 2 * octets.len()));
    let kept = scripts.list().unwrap_or_default();
    assert!(kept.len() <= MOST_SCRIPTS && kept.iter().filter(|one| one.active).count() <= 1);
});

/// Lines of words, numbers, strings and parentheses; the first word of a response is one of three (RFC 5804 §4).
fn assert_well_formed(answers: &[u8]) {
    let mut rest = answers;
    while let Some(first) = rest.first() {
        rest = match first {
            b'"' => {
                let mut end = 1;
                while rest[end] != b'"' {
                    assert!(!matches!(rest[end], b'\r' | b'\n' | 0), "a line end in a quoted string");
                    end += 1 + usize::from(rest[end] == b'\\');
                }
                assert!(end <= 1025);
                &rest[end + 1..]
            }
            b'{' => {
                let end = rest.iter().position(|b| *b == b'}').expect("an end of the announcement");
                let length: usize =
                    std::str::from_utf8(&rest[1..end]).expect("digits").parse().expect("digits");
                assert_eq!(&rest[end + 1..end + 3], b"\r\n");
                &rest[end + 3 + length..]
            }
            b'\r' => rest.strip_prefix(b"\r\n").expect("a line end"),
            b' ' | b'(' | b')' => &rest[1..],
            _ => {
                let end = rest.iter().position(|b| matches!(b, b' ' | b')' | b'\r')).expect("a line end");
                let words: [&[u8]; 13] = [
                    b"OK",
                    b"NO",
                    b"BYE",
                    b"ACTIVE",
                    b"TAG",
                    b"NONEXISTENT",
                    b"ALREADYEXISTS",
                    b"QUOTA/MAXSIZE",
                    b"QUOTA/MAXSCRIPTS",
                    b"ENCRYPT-NEEDED",
                    b"TRYLATER",
                    b"",
                    b"SASL",
                ];
                assert!(words.contains(&&rest[..end]), "{}", rest[..end].escape_ascii());
                &rest[end..]
            }
        };
    }
    assert!(answers.ends_with(b"\r\n"));
}

/// The player and its scripts, at the end of a session.
fn play(octets: &[u8], choice: u8, cut: Cut, now: Instant) -> (Player<Session>, Arc<FakeScripts>) {
    let bit = |n: u8| choice >> n & 1 == 1;
    let config = Arc::new(Config {
        host: "mail.example.test".into(),
        limits: Limits { errors: 8, ..Limits::default() },
        starttls: true,
        clear_passwords: !bit(2),
        scram: bit(0),
        nonce: || *b"fixed nonce 18 oct",
        language: Language { extensions: "fileinto".into(), redirects: 0, notify: String::new() },
    });
    let scripts = Arc::new(FakeScripts::default());
    let account = scripts.clone();
    let account = move || Input::Scripts(account.clone());
    let mut player = Player::new(Session::new(config, None, now), now, 2 * RUN_OCTETS + 100_000, account);
    if bit(1) {
        player.feed(Input::Bytes(b"AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHNlY3JldA==\"\r\n"));
    }
    for (packet, event) in packets(octets) {
        player.packet(packet, cut, |_| {});
        if event {
            let _ = scripts.remove("a");
        }
    }
    player.feed(Input::Eof);
    player.now += Duration::from_secs(100_000);
    player.feed(Input::Tick);
    assert!(player.closed, "still open in the end");
    (player, scripts)
}
