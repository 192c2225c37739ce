use super::*;

const BOUNDS: Bounds = Bounds { command: 6000, skipped: 9000 };

/// What the octets are cut into, in one piece and in single ones.
fn cut(octets: &[u8], expected: &[Frame]) {
    for piece in [octets.len().max(1), 1, 7] {
        let (mut framer, mut frames) = (Framer::default(), Vec::new());
        for some in octets.chunks(piece) {
            framer.push(some);
            while let Some(frame) = framer.next(BOUNDS) {
                let is_last = frame == Frame::Endless;
                frames.push(frame);
                if is_last {
                    return assert_eq!(frames, expected, "{}", octets.escape_ascii());
                }
            }
            assert!(framer.len() <= BOUNDS.command + piece, "{} octets are kept", framer.len());
        }
        assert_eq!(frames, expected, "{}", octets.escape_ascii());
    }
}

fn command(text: &str) -> Frame {
    Frame::Command(Secret::new(text))
}

#[test]
fn commands_are_cut() {
    cut(b"", &[]);
    cut(b"NOOP\r\nLOGOUT\r\n", &[command("NOOP"), command("LOGOUT")]);
    cut(b"NOOP\nLOGOUT", &[command("NOOP")]);
    cut(
        b"CHECKSCRIPT {6+}\r\na\r\nb\r\n\r\nNOOP\r\n",
        &[command("CHECKSCRIPT {6+}\r\na\r\nb\r\n"), command("NOOP")],
    );
    cut(b"PUTSCRIPT {1+}\r\na {0+}\r\n\r\n", &[command("PUTSCRIPT {1+}\r\na {0+}\r\n")]);
    cut(b"CHECKSCRIPT {10+}\r\nkeep;\r\n", &[]);
    // A literal of a server is none of a client.
    cut(b"CHECKSCRIPT {5}\r\nkeep;\r\n", &[command("CHECKSCRIPT {5}"), command("keep;")]);
    cut(b"X {5+} \r\n{+5+}\r\n{5 +}\r\n{+}\r\n", &["X {5+} ", "{+5+}", "{5 +}", "{+}"].map(command));
}

#[test]
fn what_is_too_large_is_read_and_forgotten() {
    let large = |octets: usize| format!("CHECKSCRIPT {{{octets}+}}\r\n{}\r\nNOOP\r\n", "x".repeat(octets));
    cut(
        large(5970).as_bytes(),
        &[command(large(5970).strip_suffix("\r\nNOOP\r\n").unwrap()), command("NOOP")],
    );
    cut(large(7000).as_bytes(), &[Frame::TooLarge, command("NOOP")]);
    cut(large(9001).as_bytes(), &[Frame::Endless]);
    let twice = format!("X {{7000+}}\r\n{} {{2000+}}\r\n{}\r\nNOOP\r\n", "x".repeat(7000), "y".repeat(2000));
    cut(twice.as_bytes(), &[Frame::TooLarge, command("NOOP")]);
    // No more of one command than that, in however many literals.
    let thrice = format!("X {{7000+}}\r\n{} {{2001+}}\r\n", "x".repeat(7000));
    cut(thrice.as_bytes(), &[Frame::Endless]);
    cut(b"X {99999999999999999999999999+}\r\n", &[Frame::Endless]);
    cut("N".repeat(5000).as_bytes(), &[Frame::Endless]);
}

fn check(octets: &str, expected: Result<Command, Unparsed>) {
    assert_eq!(Command::parse(octets.as_bytes()), expected, "{octets}");
}

/// RFC 5804 §2 and §4.
#[test]
fn commands_are_read() {
    let authenticate = |mechanism: &str, initial: Option<&str>| {
        Ok(Command::Authenticate { mechanism: mechanism.into(), initial: initial.map(Secret::new) })
    };
    check("Authenticate \"DIGEST-MD5\"", authenticate("DIGEST-MD5", None));
    check("AUTHENTICATE \"PLAIN\" \"QJIrweAPyo6Q1T9xu\"", authenticate("PLAIN", Some("QJIrweAPyo6Q1T9xu")));
    check("AUTHENTICATE \"PLAIN\" {4+}\r\nAGEA", authenticate("PLAIN", Some("AGEA")));
    check("AUTHENTICATE \"PLAIN\" \"\"", authenticate("PLAIN", Some("")));
    check("STARTTLS", Ok(Command::StartTls));
    check("logout ", Ok(Command::Logout));
    check("CAPABILITY", Ok(Command::Capability));
    check("HAVESPACE \"myscript\" 999999", Ok(Command::HaveSpace { name: "myscript".into(), size: 999_999 }));
    let put = |name: &str, text: &str| Ok(Command::PutScript { name: name.into(), text: text.into() });
    check(
        "Putscript \"foo\" {31+}\r\n#comment\r\nInvalidSieveCommand\r\n",
        put("foo", "#comment\r\nInvalidSieveCommand\r\n"),
    );
    check("PUTSCRIPT {5+}\r\na \"b\\ \"keep;\"", put("a \"b\\", "keep;"));
    check("PUTSCRIPT \"a \\\"b\\\\\" \"keep;\"", put("a \"b\\", "keep;"));
    check("LISTSCRIPTS", Ok(Command::ListScripts));
    check("Setactive \"vacationscript\"", Ok(Command::SetActive(Some("vacationscript".into()))));
    check("Setactive \"\"", Ok(Command::SetActive(None)));
    check("Getscript \"myscript\"", Ok(Command::GetScript("myscript".into())));
    check("Deletescript \"é\"", Ok(Command::DeleteScript("é".into())));
    let rename = Command::RenameScript { from: "foo".into(), to: "bar".into() };
    check("Renamescript \"foo\" \"bar\"", Ok(rename));
    check("CheckScript {0+}\r\n", Ok(Command::CheckScript(String::new())));
    check("NOOP", Ok(Command::Noop(None)));
    check("NOOP \"STARTTLS-SYNC-42\"", Ok(Command::Noop(Some("STARTTLS-SYNC-42".into()))));
    check("UNAUTHENTICATE", Ok(Command::Unauthenticate));
}

#[test]
fn what_is_no_command() {
    for unknown in ["", " ", "USER alice", "\"NOOP\"", "A1 NOOP", "{4+}\r\nNOOP"] {
        check(unknown, Err(Unparsed::Unknown));
    }
    for wrong in [
        "STARTTLS now",
        "AUTHENTICATE",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE \"PLAIN\" \"a\" \"b\"",
        "HAVESPACE \"a\"",
        "HAVESPACE \"a\" 4294967296",
        "HAVESPACE \"a\" -1",
        "HAVESPACE \"a\" \"1\"",
        "PUTSCRIPT \"a\"",
        "PUTSCRIPT \"a\" keep;",
        "PUTSCRIPT \"a\"\"keep;\"",
        "GETSCRIPT \"a",
        "GETSCRIPT \"a\\\"",
        "GETSCRIPT \"a\\b\"",
        "GETSCRIPT \"a\r\nb\"",
        "GETSCRIPT {1}\r\na",
        "GETSCRIPT {2+}\r\na",
        "GETSCRIPT {1+}\r\nab",
        "GETSCRIPT {+1+}\r\na",
        "NOOP tag",
    ] {
        check(wrong, Err(Unparsed::Arguments));
    }
    check(&format!("GETSCRIPT \"{}\"", "a".repeat(1024)), Ok(Command::GetScript("a".repeat(1024))));
    check(&format!("GETSCRIPT \"{}\"", "a".repeat(1025)), Err(Unparsed::Arguments));
    assert_eq!(Command::parse(b"GETSCRIPT \"\xff\""), Err(Unparsed::Arguments));
    assert_eq!(parse_answer(b"\"*\""), Some(Secret::new("*")));
    assert_eq!(parse_answer(b"{2+}\r\n\"\""), Some(Secret::new("\"\"")));
    for wrong in [&b"*"[..], b"", b" \"a\"", b"\"a\" \"b\"", b"{3+}\r\nab"] {
        assert_eq!(parse_answer(wrong), None, "{}", wrong.escape_ascii());
    }
}

/// RFC 5804 §4: what is quoted has 1024 octets at most and no line end.
#[test]
fn strings_are_printed() {
    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        write_string(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    check("", "\"\"");
    check("a \"b\" \\", "\"a \\\"b\\\" \\\\\"");
    check("é", "\"é\"");
    check("a\r\nb", "{4}\r\na\r\nb");
    check("\0", "{1}\r\n\0");
    check(&"a".repeat(2000), &format!("{{2000}}\r\n{}", "a".repeat(2000)));
}
