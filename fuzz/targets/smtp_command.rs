//! Any octets as SMTP command lines.
#![no_main]

use base::Reply;
use base::address::ReversePath;
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::choices;
use wire::smtp::{ClientName, Command, ForwardPath, Line, Terms, read_line};

fuzz_target!(|input: &[u8]| {
    let Some(([choice], octets)) = choices::<1>(input) else { return };
    lines(octets, 4 + usize::from(choice >> 1));
    command(octets, choice & 1 == 1);
});

/// The answer for some input does not change with what follows it.
fn lines(octets: &[u8], limit: usize) {
    let whole = read_line(octets, limit);
    if let Line::Whole(line) = whole {
        assert!(line.len() + 2 <= limit && octets[line.len()..].starts_with(b"\r\n"));
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
    }
    let first =
        (0..=octets.len()).map(|end| read_line(&octets[..end], limit)).find(|line| *line != Line::Partial);
    assert_eq!(first.unwrap_or(Line::Partial), whole);
}

fn command(line: &[u8], utf8: bool) {
    match Command::parse(line, utf8) {
        Ok(Command::Mail(mail)) => {
            let again =
                Command::parse(format!("MAIL FROM:<{}> SMTPUTF8", mail.reverse_path).as_bytes(), true);
            assert!(
                matches!(&again, Ok(Command::Mail(m)) if m.reverse_path == mail.reverse_path),
                "{again:?}"
            );
            if let ReversePath::Address(address) = &mail.reverse_path {
                assert!(mail.smtputf8 || !address.needs_utf8());
            }
        }
        Ok(Command::Rcpt(rcpt)) => {
            let again = Command::parse(format!("RCPT TO:<{}>", rcpt.path).as_bytes(), true);
            assert!(matches!(&again, Ok(Command::Rcpt(again)) if again.path == rcpt.path), "{again:?}");
            if let ForwardPath::Address(address) = &rcpt.path {
                assert!(utf8 || !address.needs_utf8());
            }
            let terms = Terms { notify: rcpt.notify, original: rcpt.original, ..Terms::default() };
            assert_eq!(Terms::parse(&terms.to_string()), Some(terms));
        }
        Ok(Command::Ehlo(name) | Command::Helo(name)) => {
            let safe = |b: u8| b.is_ascii_graphic() && !b"()<>\\\",;".contains(&b);
            assert!(name.as_str().bytes().all(safe) && name.as_str().len() <= ClientName::MAX_OCTETS);
            name.host();
        }
        Ok(_) => {}
        Err(error) => assert_one_line(&error.reply()),
    }
}

fn assert_one_line(reply: &Reply) {
    let mut out = Vec::new();
    reply.write(&mut out);
    assert!(out.len() <= 512 && out.ends_with(b"\r\n") && (400..600).contains(&reply.code()));
}
