use super::*;

/// Reads all of `input` in every way of cutting it; what is heard, one a line: code, status, text lines, `…` if cut.
fn hear(input: &[u8], size: usize) -> Vec<String> {
    let (mut reader, mut all) = (ReplyReader::default(), Vec::new());
    for mut piece in input.chunks(size) {
        while !piece.is_empty() {
            let (used, event) = reader.read(piece);
            piece = &piece[used..];
            match event {
                None => assert!(piece.is_empty()),
                Some(Err(NotAReply)) => {
                    all.push("?".to_owned());
                    return all;
                }
                Some(Ok(heard)) => {
                    assert!(reader.is_between_replies());
                    let status = heard.reply.enhanced().map(|(a, b, c)| format!(" {a}.{b}.{c}"));
                    let lines: Vec<_> = heard.reply.lines().collect();
                    let end = if heard.whole { "" } else { "…" };
                    let status = status.unwrap_or_default();
                    all.push(format!("{}{status} [{}]{end}", heard.reply.code(), lines.join("|")));
                }
            }
        }
    }
    all
}

fn check(input: &[u8], expected: &[&str]) {
    for size in 1..=input.len() {
        assert_eq!(hear(input, size), expected, "{} by {size}", input.escape_ascii());
    }
}

#[test]
fn replies() {
    check(b"220 mx.example ESMTP\r\n", &["220 [mx.example ESMTP]"]);
    check(b"250-mx\r\n250-SIZE 1\r\n250 DSN\r\n354 go\r\n", &["250 [mx|SIZE 1|DSN]", "354 [go]"]);
    check(b"550 5.1.1 no such user\r\n", &["550 5.1.1 [no such user]"]);
    check(b"550-5.1.1 no such\r\n550 5.1.1 user\r\n", &["550 5.1.1 [no such|user]"]);
    check(b"250 2.0.0\r\n", &["250 2.0.0 []"]);
    // RFC 2034 §4: the class is the code's.
    check(b"250 5.0.0 x\r\n", &["250 [5.0.0 x]"]);
    for none in ["5.1", "5.1.1.1", "5.1.x", "5.1000.1", "5..1", "3.1.1", "25.1.1", "+5.1.1"] {
        check(format!("550 {none} x\r\n").as_bytes(), &[&format!("550 [{none} x]")]);
    }
}

#[test]
fn sloppy_servers() {
    check(b"250\r\n", &["250 []"]);
    check(b"250-\r\n250\r\n", &["250 [|]"]);
    check(b"250 ok\n250-a\n250 b\n", &["250 [ok]", "250 [a|b]"]);
    check(b"250 ok\r\r\n", &["250 [ok]"]);
    // The first code counts.
    check(b"250-a\r\n550 b\r\n", &["250 [a|b]"]);
    check(b"450-a\r\n250-b\r\nwhat\r\n\r\n999 c\r\n450 d\r\n", &["450 [a|b|what||999 c|d]"]);
}

#[test]
fn no_replies() {
    for bad in [
        "\r\n",
        "hello\r\n",
        "25\r\n",
        "2500 ok\r\n",
        "250ok\r\n",
        "199 a\r\n",
        "600 a\r\n",
        "-250 a\r\n",
        "\0",
    ] {
        let input = format!("{bad}\n250 ok\r\n");
        check(input.as_bytes(), &["?"]);
    }
}

#[test]
fn text_is_harmless() {
    check(b"250 a\0b\x1b[2Jc\rd\te\x7f\r\n", &["250 [a?b?[2Jc?d?e?]"]);
    check("250 gr\u{e5} \u{85}\u{202e}\u{2028}x\r\n".as_bytes(), &["250 [gr\u{e5} ???x]"]);
    check(b"250 \xff\xfe\r\n", &["250 [\u{fffd}\u{fffd}]"]);
}

fn sizes(input: &[u8]) -> (usize, usize, usize) {
    let all = [7, 4096, input.len()].map(|size| hear(input, size));
    assert!(all.iter().all(|heard| *heard == all[0]));
    let text = &all[0][0];
    assert!(text.starts_with("250 ["), "{}", &text[..20]);
    (all[0].len(), text.matches('|').count() + 1, text.len())
}

#[test]
fn endless_replies_are_cut() {
    // B149: the first code decides, whatever follows; memory is bounded.
    let lines = b"250-forged\r\n".repeat(100_000);
    let mut reader = ReplyReader::default();
    let (used, heard) = reader.read(&lines);
    assert_eq!(used, REPLY_OCTETS);
    let heard = heard.unwrap().unwrap();
    assert_eq!((heard.reply.code(), heard.whole, heard.reply.lines().count()), (250, false, REPLY_LINES));
    // A line of 1 MB, and one that just fits.
    let (used, heard) = reader.read(&[b"250 ", vec![b'a'; 1 << 20].as_slice(), b"\r\n"].concat());
    let heard = heard.unwrap().unwrap();
    let text = heard.reply.lines().map(str::len).sum::<usize>();
    assert_eq!((used, heard.whole, text), (REPLY_OCTETS, false, REPLY_LINE_OCTETS - 4));
    let fits = [b"250 ", vec![b'a'; REPLY_OCTETS - 6].as_slice(), b"\r\n250 next\r\n"].concat();
    assert_eq!(hear(&fits, 4096)[1..], ["250 [next]"]);
    // Many lines, long lines: text stays within its limits.
    let (replies, lines, octets) = sizes(&[b"250-x\r\n".repeat(1000).as_slice(), b"250 y\r\n"].concat());
    assert_eq!((replies, lines), (1, REPLY_LINES));
    assert!(octets < 1000);
    let long = [b"250-", vec![b'a'; 900].as_slice(), b"\r\n"].concat();
    let (replies, lines, _) = sizes(&[long.repeat(50).as_slice(), b"250 y\r\n"].concat());
    assert_eq!((replies, lines), (1, REPLY_TEXT_OCTETS / 900 + 1));
    // Octets without any line.
    let (used, heard) = reader.read(&vec![b'x'; 2 * REPLY_OCTETS]);
    assert_eq!((used, heard), (REPLY_OCTETS, Some(Err(NotAReply))));
}
