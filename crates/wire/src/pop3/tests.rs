use super::*;

#[test]
fn commands() {
    use Command::*;
    let check = |line: &str, expected| assert_eq!(Command::parse(line.as_bytes()), expected, "{line:?}");
    check("QUIT", Ok(Quit));
    check("quit ", Ok(Quit));
    check("QUIT now", Err(Unparsed::Arguments));
    check("USER mrose", Ok(User("mrose")));
    check("USER", Err(Unparsed::Arguments));
    check("USER  ", Err(Unparsed::Arguments));
    check("PASS  two  spaces ", Ok(Pass(" two  spaces ")));
    check("PASS £ä\"\\", Ok(Pass("£ä\"\\")));
    check("PASS a\0b", Err(Unparsed::Arguments));
    check("AUTH PLAIN", Ok(Auth { mechanism: "PLAIN", initial: None }));
    check("auth plain =", Ok(Auth { mechanism: "plain", initial: Some("=") }));
    check("AUTH", Err(Unparsed::Arguments));
    check("AUTH PLAIN a b", Err(Unparsed::Arguments));
    check("LIST", Ok(List(None)));
    check("LIST 2", Ok(List(Some(2))));
    check("LIST x", Err(Unparsed::Arguments));
    check("UIDL 0", Ok(Uidl(Some(0))));
    check("RETR 999999999999999999999", Ok(Retr(u32::MAX)));
    for bad in ["RETR", "RETR -1", "RETR +1", "RETR x", "RETR 1 2", "TOP 1", "TOP 1 -1", "TOP x y", "DELE"] {
        check(bad, Err(Unparsed::Arguments));
    }
    check("TOP 1 10", Ok(Top(1, 10)));
    for bad in ["", " ", "XXXX", "APOP a b", "QUITE"] {
        check(bad, Err(Unparsed::Unknown));
    }
    assert_eq!(Command::parse(b"USER \xff"), Err(Unparsed::Arguments));
}

/// However the octets are cut, the outcome is the same.
fn stuff(content: &str, expected: &str) {
    for size in 1..=content.len().max(1) {
        let (mut stuffer, mut out) = (DotStuffer::default(), Vec::new());
        content.as_bytes().chunks(size).for_each(|piece| stuffer.push(piece, &mut out));
        stuffer.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{content:?} by {size}");
    }
}

#[test]
fn dots() {
    stuff("a\r\nb\r\n", "a\r\nb\r\n.\r\n");
    stuff(
        ".\r\n..\r\n...\r\n.x\r\ny.\r\n\r\n.end\r\n",
        "..\r\n...\r\n....\r\n..x\r\ny.\r\n\r\n..end\r\n.\r\n",
    );
    stuff("", ".\r\n");
    stuff("no end", "no end\r\n.\r\n");
    stuff("cr\r", "cr\r\r\n.\r\n");
    stuff("bare\n.\n.\r\n", "bare\n..\n..\r\n.\r\n");
}

fn top(content: &str, lines: u32, expected: &str) {
    for size in 1..=content.len().max(1) {
        let (mut end, mut got) = (TopEnd::new(lines), String::new());
        for piece in content.as_bytes().chunks(size) {
            let (taken, done) = end.take(piece);
            got += std::str::from_utf8(&piece[..taken]).unwrap();
            if done {
                break;
            }
        }
        assert_eq!(got, expected, "{content:?} {lines} by {size}");
    }
}

#[test]
fn tops() {
    let mail = "A: b\r\n c\r\n\r\n1\r\n\r\n3\r\n";
    top(mail, 0, "A: b\r\n c\r\n\r\n");
    top(mail, 1, "A: b\r\n c\r\n\r\n1\r\n");
    top(mail, 2, "A: b\r\n c\r\n\r\n1\r\n\r\n");
    top(mail, 3, mail);
    top(mail, u32::MAX, mail);
    top("\r\nbody\r\n", 0, "\r\n");
    top("A: only header\r\n", 5, "A: only header\r\n");
    top("A: b\n\nx\ny\n", 1, "A: b\n\nx\n");
    top("", 1, "");
    // Two CRs make no empty line, wherever the octets were cut.
    top("A: b\r\n\r\r\nC: d\r\n\r\nx\r\n", 0, "A: b\r\n\r\r\nC: d\r\n\r\n");
}
