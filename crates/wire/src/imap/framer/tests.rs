use super::*;

/// What a session that accepts every message sees: events in short words, message octets joined.
fn events(framer: &mut Framer, pieces: &[&[u8]], accept: bool) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let shown = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    for piece in pieces {
        let mut input = *piece;
        while let Some(event) = framer.read(&mut input) {
            let word = match event {
                Event::Command(text) => format!("command {}", shown(&text)),
                Event::Line(text) => format!("line {}", shown(&text)),
                Event::Continue => "+".into(),
                Event::Append(message) => {
                    if accept {
                        framer.accept()
                    } else {
                        framer.refuse()
                    }
                    let (wait, binary) = (message.synchronising, message.binary);
                    let kind =
                        format!("{}{}", if wait { " sync" } else { "" }, if binary { " binary" } else { "" });
                    format!("append {} {}{kind}", shown(&message.prefix), message.octets)
                }
                Event::AppendData(data) => {
                    let data = String::from_utf8_lossy(data).into_owned();
                    match seen.last_mut().filter(|last| last.starts_with("data ")) {
                        Some(last) => {
                            last.push_str(&data);
                            continue;
                        }
                        None => format!("data {data}"),
                    }
                }
                Event::AppendEnd => "end".into(),
                Event::AppendRest(text) => format!("rest {}", shown(&text)),
                Event::Refused(error) => {
                    let kind = if error.no { "NO" } else { "BAD" };
                    format!("{kind} {}", error.tag.as_deref().unwrap_or("*"))
                }
                Event::Close => {
                    seen.push("close".into());
                    return seen;
                }
            };
            seen.push(word);
        }
        assert!(input.is_empty(), "left over: {input:?}");
    }
    seen
}

fn limits() -> Limits {
    Limits { message_octets: 1000, imap_command_octets: 200, imap_preauth_octets: 60, ..Limits::default() }
}

fn framer(logged_in: bool) -> Framer {
    let mut framer = Framer::new(&limits());
    if logged_in {
        framer.logged_in();
    }
    framer
}

/// The events must be the same however the octets are cut: at every place, and into single octets.
fn check_with(logged_in: bool, accept: bool, input: &[u8], expected: &[&str]) {
    let show = String::from_utf8_lossy(input);
    for cut in 0..=input.len().min(400) {
        let (one, two) = input.split_at(cut);
        assert_eq!(events(&mut framer(logged_in), &[one, two], accept), expected, "{show} cut at {cut}");
    }
    let single: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(events(&mut framer(logged_in), &single, accept), expected, "{show} octet by octet");
}

fn check(input: &[u8], expected: &[&str]) {
    check_with(true, true, input, expected);
}

#[test]
fn commands_and_literals() {
    check(b"a NOOP\r\nb NOOP\r\n", &["command a NOOP", "command b NOOP"]);
    // RFC 9051 §4.3, RFC 7888 §3
    check(b"A LOGIN {4}\r\nFRED {3}\r\nA B\r\n", &["+", "+", "command A LOGIN {4}\r\nFRED {3}\r\nA B"]);
    check(b"A LOGIN {4+}\r\nFRED {3+}\r\nA B\r\n", &["command A LOGIN {4+}\r\nFRED {3+}\r\nA B"]);
    check(b"a SELECT {0}\r\n\r\n", &["+", "command a SELECT {0}\r\n"]);
    // A literal that looks like an announcement, or ends in CR, is no line end.
    check(b"a X {4}\r\nx{5}\r\nb NOOP\r\n", &["+", "command a X {4}\r\nx{5}", "command b NOOP"]);
    check(b"a X {2}\r\nx\r\r\nb NOOP\r\n", &["+", "command a X {2}\r\nx\r", "command b NOOP"]);
    check(b"a X }\r\na X {}\r\na X {+}\r\n", &["command a X }", "command a X {}", "command a X {+}"]);
    check(b"a X {5\r\n", &["command a X {5"]);
    check(b"\r\n", &["command "]);
}

#[test]
fn lines_end_with_crlf_only() {
    check(b"a NOOP\nb NOOP\r\nc NOOP\r\n", &["BAD a", "command c NOOP"]);
    check(b"\nb NOOP\r\nc NOOP\r\n", &["BAD *", "command c NOOP"]);
    check(b"a X {1}\r\n\r\nb NOOP\r\nc NOOP\r\n", &["+", "BAD a", "command c NOOP"]);
    check(b"a NOOP\rb NOOP\r\n", &["command a NOOP\rb NOOP"]);
}

#[test]
fn what_is_too_long_is_refused_once() {
    let long = [b"a X ".as_slice(), &[b'y'; 300], b"\r\nb NOOP\r\n"].concat();
    check(&long, &["BAD a", "command b NOOP"]);
    // Its end announces a literal that is not asked for: that is read away too.
    let long =
        [b"a X ".as_slice(), &[b'y'; 300], b" {9+}\r\nc NOOP\r\n {3+}\r\n\r\n\r\r\nb NOOP\r\n"].concat();
    check(&long, &["BAD a", "command b NOOP"]);
    let long = [b"a X ".as_slice(), &[b'y'; 300], b" {9}\r\nb NOOP\r\n"].concat();
    check(&long, &["BAD a", "command b NOOP"]);
    // Exactly as long as is allowed.
    let fits = [b"a X ".as_slice(), &[b'y'; 196], b"\r\n"].concat();
    check(&fits, &[&format!("command a X {}", "y".repeat(196))]);
    // B058: many literals of one command count together.
    let many = b"{60+}\r\n".repeat(5);
    let many: Vec<u8> = many.chunks(7).flat_map(|c| [c, &[b'z'; 60]].concat()).collect();
    check(&[b"a X ".as_slice(), &many, b"\r\nb NOOP\r\n"].concat(), &["NO a", "command b NOOP"]);
}

#[test]
fn literals_that_are_too_large() {
    // B054: no invitation, and the connection goes on.
    check_with(false, true, b"a LOGIN {2147483647}\r\nb NOOP\r\n", &["NO a", "command b NOOP"]);
    check_with(false, true, b"a LOGIN {99999999999999999999999}\r\n", &["NO a"]);
    // B056: nothing of the literal is a command.
    check_with(
        false,
        true,
        b"a LOGIN {14+}\r\ninj1 NOOP\r\nxx \r\n",
        &["command a LOGIN {14+}\r\ninj1 NOOP\r\nxx "],
    );
    check_with(
        false,
        true,
        &[b"a LOGIN {100+}\r\n".as_slice(), &b"inj NOOP\r\n".repeat(10), b"\r\nb NOOP\r\n"].concat(),
        &["NO a", "command b NOOP"],
    );
    check_with(false, true, b"a LOGIN {4000000000+}\r\ninj NOOP\r\n", &["NO a", "close"]);
    check(b"a APPEND INBOX {4000000000+}\r\ninj NOOP\r\n", &["NO a", "close"]);
    check(b"a APPEND INBOX {99999999999999999999999999+}\r\ninj NOOP\r\n", &["NO a", "close"]);
    check(b"a APPEND INBOX {1001}\r\nb NOOP\r\n", &["NO a", "command b NOOP"]);
    let body = b"inj NOOP\r\n".repeat(101);
    check(
        &[b"a APPEND INBOX {1010+}\r\n".as_slice(), &body, b"\r\nb NOOP\r\n"].concat(),
        &["NO a", "command b NOOP"],
    );
}

#[test]
fn endless_input_ends_the_connection() {
    let mut framer = framer(false);
    let line = [b'('; 65536];
    let mut seen = Vec::new();
    for _ in 0..40 {
        seen.extend(events(&mut framer, &[&line], true));
    }
    assert_eq!(seen.first().map(String::as_str), Some("BAD *"));
    assert_eq!(seen.get(1).map(String::as_str), Some("close"));
    assert!(framer.text.capacity() == 0);
}

#[test]
fn messages_are_streamed() {
    // RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4, RFC 6855 §4
    check(
        b"a APPEND box (\\Seen) {5}\r\nhello\r\n",
        &["append a APPEND box (\\Seen)  5 sync", "data hello", "end", "rest "],
    );
    check(
        b"a append box {5+}\r\nhello\r\nb NOOP\r\n",
        &["append a append box  5", "data hello", "end", "rest ", "command b NOOP"],
    );
    check(
        b"a APPEND {3}\r\nbox {5}\r\nhello () ~{2}\r\nho\r\n",
        &[
            "+",
            "append a APPEND {3}\r\nbox  5 sync",
            "data hello",
            "end",
            "append  ()  2 sync binary",
            "data ho",
            "end",
            "rest ",
        ],
    );
    check(
        b"a APPEND b UTF8 (~{2}\r\nho)\r\n",
        &["append a APPEND b UTF8 ( 2 sync binary", "data ho", "end", "rest )"],
    );
    check(b"a APPEND b {0}\r\n\r\n", &["append a APPEND b  0 sync", "end", "rest "]);
    // The second message is too large.
    check(
        b"a APPEND b {1+}\r\nx {2000}\r\nb NOOP\r\n",
        &["append a APPEND b  1", "data x", "end", "NO a", "command b NOOP"],
    );
    // Before log-in it is a command like any other.
    check_with(false, true, b"a APPEND b {2}\r\nho\r\n", &["+", "command a APPEND b {2}\r\nho"]);
}

#[test]
fn messages_that_the_session_refuses() {
    check_with(
        true,
        false,
        b"a APPEND b {5}\r\nb NOOP\r\n",
        &["append a APPEND b  5 sync", "command b NOOP"],
    );
    check_with(
        true,
        false,
        b"a APPEND b {8+}\r\nb NOOP\r\n {8+}\r\nc NOOP\r\n\r\nd NOOP\r\n",
        &["append a APPEND b  8", "command d NOOP"],
    );
    check_with(
        true,
        false,
        b"a APPEND b {0+}\r\n\r\nd NOOP\r\n",
        &["append a APPEND b  0", "command d NOOP"],
    );
    // In the middle, and between two messages.
    for cut in [3, 8] {
        let mut framer = framer(true);
        let mut input: &[u8] = b"a APPEND b {8+}\r\n";
        assert!(matches!(framer.read(&mut input), Some(Event::Append(_))));
        framer.accept();
        let (one, two) = b"b NOOP\r\n {8+}\r\nc NOOP\r\n\r\nd NOOP\r\n".split_at(cut);
        let seen = events(&mut framer, &[one], true);
        assert_eq!(seen.len(), if cut == 8 { 2 } else { 1 });
        framer.refuse();
        assert_eq!(events(&mut framer, &[two], true), ["command d NOOP"]);
    }
}

#[test]
fn lines_that_are_no_commands() {
    let mut framer = framer(false);
    framer.expect_line(10);
    assert_eq!(
        events(&mut framer, &[b"DO", b"NE\r\na X {2+}\r\nho\r\n"], true),
        ["line DONE", "command a X {2+}\r\nho"]
    );
    framer.expect_line(10);
    assert_eq!(events(&mut framer, &[b"{2+}\r\n"], true), ["line {2+}"]);
    framer.expect_line(10);
    assert_eq!(
        events(&mut framer, &[b"0123456789\r\nb NOOP\r\n"], true),
        ["line 0123456789", "command b NOOP"]
    );
    framer.expect_line(10);
    assert_eq!(events(&mut framer, &[b"01234567890123\r\nb NOOP\r\n"], true), ["BAD *", "command b NOOP"]);
    framer.expect_line(10);
    assert_eq!(events(&mut framer, &[b"DONE\n\r\nb NOOP\r\n"], true), ["BAD *", "command b NOOP"]);
}

#[test]
fn idle_connections_hold_nothing() {
    let mut framer = framer(true);
    assert!(framer.is_idle());
    events(&mut framer, &[b"a SELECT {3}\r\nbox"], true);
    assert!(!framer.is_idle());
    events(&mut framer, &[b"\r\n"], true);
    assert!(framer.is_idle());
    assert_eq!(framer.text.capacity(), 0);
}

/// Random mixtures of what commands are made of: cut anywhere, they give the same events, and what is kept of them
/// stays within the limit.
#[test]
fn random_mixtures_read_the_same_in_any_pieces() {
    let words: [&[u8]; 16] = [
        b"a ",
        b"NOOP",
        b"APPEND ",
        b"box ",
        b"\r\n",
        b"\r",
        b"\n",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"~{2+}\r\n",
        b"{900+}\r\n",
        b"{4000}\r\n",
        b"{99999+}\r\n",
        b"}",
        b"{0}\r\n",
        &[b'x'; 90],
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    for _ in 0..3000 {
        let count = 1 + random(30);
        let input: Vec<u8> = (0..count).flat_map(|_| words[random(words.len())]).copied().collect();
        let (accept, logged_in) = (random(2) == 0, random(4) > 0);
        let whole = events(&mut framer(logged_in), &[&input], accept);
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut rest = input.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + random(rest.len().min(20)));
            pieces.push(piece);
            rest = after;
        }
        let mut cut = framer(logged_in);
        let mut seen = Vec::new();
        for piece in pieces {
            let more = events(&mut cut, &[piece], accept);
            let closed = more.last().is_some_and(|last| last == "close");
            join(&mut seen, more);
            assert!(cut.text.len() <= 202);
            if closed {
                break;
            }
        }
        assert_eq!(seen, whole, "{}", String::from_utf8_lossy(&input));
    }
}

/// Appends events; message octets that were cut come together again.
fn join(seen: &mut Vec<String>, more: Vec<String>) {
    for event in more {
        match (event.strip_prefix("data "), seen.last_mut().filter(|last| last.starts_with("data "))) {
            (Some(data), Some(last)) => last.push_str(data),
            _ => seen.push(event),
        }
    }
}

/// RFC 4469 §5: a URL is an astring, so a literal may be one; it is no message.
#[test]
fn urls_of_catenate_are_gathered() {
    check(b"a APPEND b CATENATE (URL {2}\r\n/c)\r\n", &["+", "command a APPEND b CATENATE (URL {2}\r\n/c)"]);
    check(
        b"a APPEND b CATENATE (url {2+}\r\n/c TEXT {3+}\r\nxyz URL {2}\r\n/d URL /e TEXT {1}\r\nz)\r\n",
        &[
            "append a APPEND b CATENATE (url {2+}\r\n/c TEXT  3",
            "data xyz",
            "end",
            "+",
            "append  URL {2}\r\n/d URL /e TEXT  1 sync",
            "data z",
            "end",
            "rest )",
        ],
    );
    check(
        b"a APPEND {1}\r\nb CATENATE (TEXT {1+}\r\nx) CATENATE (URL {2+}\r\n/c)\r\n",
        &[
            "+",
            "append a APPEND {1}\r\nb CATENATE (TEXT  1",
            "data x",
            "end",
            "rest ) CATENATE (URL {2+}\r\n/c)",
        ],
    );
    // A mailbox called URL, and one whose name ends so.
    check(b"a APPEND URL {1}\r\nx\r\n", &["append a APPEND URL  1 sync", "data x", "end", "rest "]);
    check(
        b"a APPEND \"b URL\" {1}\r\nx\r\n",
        &["append a APPEND \"b URL\"  1 sync", "data x", "end", "rest "],
    );
    // It is held in memory, so the command's limit is its limit, not the message's.
    check(
        b"a APPEND b CATENATE (TEXT {1+}\r\nx URL {900}\r\nb NOOP\r\n",
        &["append a APPEND b CATENATE (TEXT  1", "data x", "end", "NO a", "command b NOOP"],
    );
}

/// RFC 8508 §3.2
#[test]
fn messages_of_replace_are_streamed() {
    for command in ["REPLACE 4", "replace *", "UID REPLACE 4", "uid replace 4"] {
        check(
            format!("a {command} b {{1}}\r\nx\r\n").as_bytes(),
            &[&format!("append a {command} b  1 sync"), "data x", "end", "rest "],
        );
        check(
            format!("a {command} {{1}}\r\nb {{1+}}\r\nx\r\n").as_bytes(),
            &["+", &format!("append a {command} {{1}}\r\nb  1"), "data x", "end", "rest "],
        );
    }
    check(b"a REPLACE {1}\r\nx\r\n", &["+", "command a REPLACE {1}\r\nx"]);
    check(b"a UID MOVE 4 {1}\r\nx\r\n", &["+", "command a UID MOVE 4 {1}\r\nx"]);
}
