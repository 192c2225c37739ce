//! Any octets into the IMAP framer: every cut gives the same events, and nothing is larger than its limit.
#![no_main]

use base::Limits;
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, Dice, choices, cut, pieces};
use wire::imap::{Event, Framer};

fuzz_target!(|input: &[u8]| {
    let Some(([choice, answers, cuts], octets)) = choices::<3>(input) else { return };
    let whole = events(octets, Cut::Whole, choice & 1 == 1, *answers);
    assert_eq!(whole, events(octets, cut(*cuts), choice & 1 == 1, *answers));
});

const COMMAND: usize = 200;
const PREAUTH: usize = 60;
const MESSAGE: u64 = 300;
const LINE: usize = 40;

/// Events, message octets joined. What the session decides depends on how many decisions came before.
fn events(octets: &[u8], cut: Cut, logged_in: bool, answers: u8) -> Vec<(String, Vec<u8>)> {
    let limits = Limits {
        message_octets: MESSAGE,
        imap_command_octets: COMMAND,
        imap_preauth_octets: PREAUTH,
        ..Limits::default()
    };
    let mut framer = Framer::new(&limits);
    if logged_in {
        framer.logged_in();
    }
    let most = if logged_in { COMMAND } else { PREAUTH };
    let mut dice = Dice::new(&[answers]);
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    let mut left = 0;
    for piece in pieces(octets, cut) {
        let mut rest = piece;
        while let Some(event) = framer.read(&mut rest) {
            let (name, data) = match event {
                Event::Command(text) => {
                    assert!(text.expose().len() <= most, "{} octets", text.expose().len());
                    assert!(framer.is_idle());
                    if text.expose().ends_with(b"IDLE") {
                        framer.expect_line(LINE);
                    }
                    ("command".to_owned(), text.expose().to_vec())
                }
                Event::Line(text) => {
                    assert!(text.expose().len() <= LINE);
                    ("line".to_owned(), text.expose().to_vec())
                }
                Event::Continue => ("continue".to_owned(), Vec::new()),
                Event::Append(announced) => {
                    assert!(
                        logged_in && announced.octets <= MESSAGE && announced.prefix.expose().len() <= most
                    );
                    left = announced.octets;
                    let accepted = dice.roll(4) > 0;
                    match accepted {
                        true => framer.accept(),
                        false => framer.refuse(),
                    }
                    let name = format!("append {accepted} {} {}", announced.octets, announced.synchronising);
                    (name, announced.prefix.expose().to_vec())
                }
                Event::AppendData(data) => {
                    left = left.checked_sub(data.len() as u64).expect("no more than was announced");
                    if let Some((_, sofar)) = seen.last_mut().filter(|(name, _)| name == "data") {
                        sofar.extend_from_slice(data);
                        continue;
                    }
                    ("data".to_owned(), data.to_vec())
                }
                Event::AppendEnd => {
                    assert_eq!(left, 0);
                    ("end".to_owned(), Vec::new())
                }
                Event::AppendRest(text) => ("rest".to_owned(), text.expose().to_vec()),
                Event::Refused(error) => (format!("refused {error:?}"), Vec::new()),
                Event::Close => {
                    seen.push(("close".to_owned(), Vec::new()));
                    return seen;
                }
            };
            seen.push((name, data));
        }
        assert!(rest.is_empty());
    }
    seen
}
