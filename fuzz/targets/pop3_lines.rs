//! POP3's command lines, and how an answer of many lines is made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, choices, cut, pieces};
use wire::pop3::{Command, DotStuffer, TopEnd};

fuzz_target!(|input: &[u8]| {
    let Some(([lines, cuts], octets)) = choices::<2>(input) else { return };
    if let Ok(Command::User(text) | Command::Pass(text)) = Command::parse(octets) {
        assert!(!text.contains(['\r', '\n', '\0']));
    }
    let answer = stuffed(octets, Cut::Whole);
    assert_eq!(answer, stuffed(octets, cut(*cuts)));
    // A client, however it tells lines, finds the end at the end and the message before it (RFC 1939 §3).
    for end in [&b"\r\n.\r\n"[..], b"\n.\n", b"\n.\r\n"] {
        let first = answer.windows(end.len()).position(|some| some == end);
        assert!(first.is_none_or(|at| at + end.len() == answer.len()), "{}", answer.escape_ascii());
    }
    assert!(answer.ends_with(b"\r\n.\r\n") || answer == b".\r\n");
    let top = top(octets, u32::from(*lines), Cut::Whole);
    assert_eq!(top, self::top(octets, u32::from(*lines), cut(*cuts)));
    assert!(octets.starts_with(&top));
    let line_ends = |text: &[u8]| text.iter().filter(|b| **b == b'\n').count();
    let header = wire::mime::header::length(octets).min(top.len());
    assert!(line_ends(&top[header..]) <= usize::from(*lines).max(1));
});

fn stuffed(octets: &[u8], cut: Cut) -> Vec<u8> {
    let (mut stuffer, mut out) = (DotStuffer::default(), Vec::new());
    pieces(octets, cut).into_iter().for_each(|piece| stuffer.push(piece, &mut out));
    stuffer.finish(&mut out);
    out
}

fn top(octets: &[u8], lines: u32, cut: Cut) -> Vec<u8> {
    let (mut end, mut out) = (TopEnd::new(lines), Vec::new());
    for piece in pieces(octets, cut) {
        let (taken, over) = end.take(piece);
        out.extend_from_slice(&piece[..taken]);
        if over {
            break;
        }
        assert_eq!(taken, piece.len());
    }
    out
}
