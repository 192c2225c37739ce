//! A server played from a script: what it says, hostile or not, and what is made of it.

use super::*;
use base::{Flags, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Says the next piece of its script after each line that it is sent.
struct Script {
    pieces: VecDeque<Vec<u8>>,
    ready: VecDeque<u8>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Script {
    fn new(pieces: &[&str]) -> (Self, Arc<Mutex<Vec<u8>>>) {
        let heard = Arc::default();
        let mut pieces: VecDeque<Vec<u8>> = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let ready = pieces.pop_front().unwrap_or_default().into();
        (Script { pieces, ready, heard: Arc::clone(&heard) }, heard)
    }
}

impl Read for Script {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.ready.read(out)
    }
}

impl Write for Script {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.heard.lock().unwrap().extend_from_slice(octets);
        for _ in octets.iter().filter(|octet| **octet == b'\n') {
            self.ready.extend(self.pieces.pop_front().unwrap_or_default());
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const UP: [&str; 5] = [
    "* OK [X] hello\r\n",
    "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nM1 OK\r\n",
    "+ \r\n",
    "M2 OK in\r\n",
    "* CAPABILITY IMAP4rev1\r\nM3 OK\r\n",
];

fn up(rest: &[&str]) -> ImapReader {
    let pieces: Vec<&str> = UP.iter().chain(rest).copied().collect();
    let login = Login::Password("anna".into(), Secret::new("pw"));
    let bounds = Bounds { message_octets: 100, ..Bounds::default() };
    ImapReader::open(Box::new(Script::new(&pieces).0), false, &login, bounds).unwrap()
}

#[test]
fn an_account_is_read() {
    let mut reader = up(&[
        "* LSUB () \".\" INBOX.Sent\r\nM4 OK\r\n",
        "* LIST (\\HasChildren) \".\" INBOX\r\n* LIST (\\Sent) \".\" \"INBOX.Sent\"\r\n\
         * LIST (\\Noselect) \".\" x\r\n* LIST () \".\" {14}\r\nGr&APw-n.a&-b\"\r\nM5 OK\r\n",
        "* 2 EXISTS\r\nM6 OK\r\n",
        "* SEARCH 7 3\r\nM7 OK\r\n",
        "* 1 FETCH (FLAGS (\\Seen $Label1) UID 3 INTERNALDATE \"25-Nov-2026 03:32:43 +0000\" BODY[] {9}\r\nA: (\"1\n\r\n)\r\n\
         * 9 FETCH (UID 99 BODY[] {1}\r\nx)\r\n* 2 FETCH (UID 7 FLAGS () BODY[] {500}\r\n",
    ]);
    let mut faults = Faults::default();
    let folders = reader.folders(&mut faults).unwrap();
    let shown: Vec<_> = folders.iter().map(|f| (f.name.as_str(), f.special_use, f.subscribed)).collect();
    assert_eq!(
        shown,
        [
            ("INBOX", None, false),
            ("INBOX/Sent", Some(SpecialUse::Sent), true),
            ("Gr\u{fc}n/a&b\"", None, false)
        ]
    );
    let mut seen = Vec::new();
    // The literal is announced and never comes.
    let read = reader.read(0, &mut faults, &mut |message| {
        seen.push(message);
        Ok(())
    });
    assert!(read.is_err());
    let mut flags = Flags::default();
    flags.set(base::Flag::Seen, true);
    flags.set_keyword(&base::Keyword::new("$Label1").unwrap(), true);
    let date = Some(Timestamp(1_795_577_563));
    assert_eq!(seen, [Message { octets: b"A: (\"1\r\n\r\n".to_vec(), flags, date }]);
}

#[test]
fn what_is_too_large_is_read_past_and_named() {
    let large = "x".repeat(500);
    let answer = format!(
        "* 1 FETCH (UID 1 BODY[] {{500}}\r\n{large})\r\n* 2 FETCH (UID 2 BODY[] \"hi\")\r\nM8 OK\r\n"
    );
    let list = "* LIST () \"/\" INBOX\r\nM5 OK\r\n";
    let mut reader = up(&["M4 OK\r\n", list, "M6 OK\r\n", "* SEARCH 1 2 3\r\nM7 OK\r\n", answer.as_str()]);
    let (mut faults, mut count) = (Faults::default(), 0);
    reader.folders(&mut faults).unwrap();
    let read = reader.read(0, &mut faults, &mut |_| {
        count += 1;
        Ok(())
    });
    read.unwrap();
    assert_eq!(count, 1);
    assert_eq!(
        faults.first(),
        ["INBOX, UID 1: more than 100 octets", "INBOX, UID 3: the server did not send it"]
    );
}

/// Reads INBOX of a server that answers so from SEARCH on: the messages and the faults.
fn read_inbox(answers: &[&str]) -> (Vec<Vec<u8>>, Vec<String>) {
    let before = ["M4 OK\r\n", "* LIST () \"/\" INBOX\r\nM5 OK\r\n", "M6 OK\r\n"];
    let mut reader = up(&before.iter().chain(answers).copied().collect::<Vec<_>>());
    reader.bounds.files = 4;
    let (mut faults, mut seen) = (Faults::default(), Vec::new());
    reader.folders(&mut faults).unwrap();
    let read = reader.read(0, &mut faults, &mut |message| {
        seen.push(message.octets);
        Ok(())
    });
    read.unwrap();
    (seen, faults.first().to_vec())
}

#[test]
fn one_message_that_is_refused_keeps_no_other_back() {
    let (seen, faults) = read_inbox(&[
        "* SEARCH 1 2 3\r\nM7 OK\r\n",
        "* 1 FETCH (UID 1 BODY[] \"a\")\r\nM8 NO [SERVERBUG] can't read\r\n",
        "M9 NO gone bad\r\n",
        "* 3 FETCH (UID 3 BODY[] \"c\")\r\nM10 OK\r\n",
    ]);
    assert_eq!(seen, [b"a", b"c"]);
    assert_eq!(faults, ["INBOX, UID 2: the server says: NO gone bad"]);
}

#[test]
fn what_is_left_out_is_named() {
    // No body is no message of three letters.
    let (seen, faults) =
        read_inbox(&["* SEARCH 1\r\nM7 OK\r\n", "* 1 FETCH (UID 1 BODY[] NIL)\r\nM8 OK\r\n"]);
    assert!(seen.is_empty());
    assert_eq!(faults, ["INBOX, UID 1: the server did not send it"]);
    // More messages than are taken.
    let (_, faults) = read_inbox(&[
        "* SEARCH 1 2 3 4 5\r\nM7 OK\r\n",
        "* 1 FETCH (UID 1 BODY[] \"a\")\r\n* 2 FETCH (UID 2 BODY[] \"b\")\r\n\
         * 3 FETCH (UID 3 BODY[] \"c\")\r\n* 4 FETCH (UID 4 BODY[] \"d\")\r\nM8 OK\r\n",
    ]);
    assert_eq!(faults, ["INBOX: more than 4 messages"]);
}

/// Gmail's way: what has no label is in the mailbox of all mail alone.
#[test]
fn of_all_mail_comes_what_no_other_mailbox_has() {
    let list = "* LIST (\\All) \"/\" \"[Gmail]/All Mail\"\r\n* LIST () \"/\" INBOX\r\n* LIST () \"/\" Work\r\nM5 OK\r\n";
    let inbox = "* 1 FETCH (UID 1 BODY[] \"a\")\r\n* 2 FETCH (UID 2 BODY[] \"a\")\r\nM8 OK\r\n";
    let work = "* 1 FETCH (UID 1 BODY[] \"b\")\r\n* 2 FETCH (UID 2 BODY[] \"a\")\r\nM11 OK\r\n";
    let all = "* 1 FETCH (UID 1 BODY[] \"c\")\r\n* 2 FETCH (UID 2 BODY[] \"a\")\r\n\
               * 3 FETCH (UID 3 BODY[] \"b\")\r\n* 4 FETCH (UID 4 BODY[] \"d\")\r\nM14 OK\r\n";
    let mut reader = up(&[
        "M4 OK\r\n",
        list,
        "M6 OK\r\n",
        "* SEARCH 1 2\r\nM7 OK\r\n",
        inbox,
        "M9 OK\r\n",
        "* SEARCH 1 2\r\nM10 OK\r\n",
        work,
        "M12 OK\r\n",
        "* SEARCH 1 2 3 4\r\nM13 OK\r\n",
        all,
    ]);
    let mut faults = Faults::default();
    let folders = reader.folders(&mut faults).unwrap();
    let shown: Vec<_> = folders.iter().map(|folder| (folder.name.as_str(), folder.special_use)).collect();
    assert_eq!(shown, [("INBOX", None), ("Work", None), ("Archive", Some(SpecialUse::Archive))]);
    let read: Vec<String> = (0..folders.len())
        .map(|number| {
            let mut octets = Vec::new();
            let read = reader.read(number, &mut faults, &mut |message| {
                octets.extend(message.octets);
                Ok(())
            });
            read.unwrap();
            String::from_utf8(octets).unwrap()
        })
        .collect();
    assert_eq!(read, ["aa", "ba", "cd"]);
    assert_eq!(faults, Faults::default());
}

#[test]
fn one_response_keeps_no_more_than_a_message() {
    let half = "x".repeat(60);
    let answer = format!("* X {{60}}\r\n{half} {{60}}\r\n{half}\r\n* Y unasked\r\nM4 OK\r\n");
    let got = up(&[answer.as_str()]).command(b"NOOP", "X").unwrap();
    let text = Value::Text(half.into_bytes());
    assert_eq!(got, [[Value::Word(b"*".to_vec()), Value::Word(b"X".to_vec()), text, Value::TooLarge]]);
}

#[test]
fn answers_that_are_none() {
    let check = |answer: &str, why: &str| {
        let got = String::from(up(&[answer]).command(b"NOOP", "X").unwrap_err());
        assert!(got.contains(why), "{answer:.60}: {got}");
    };
    check("M4 NO not now\r\n", "not now");
    check("M4 BAD what\r\n", "what");
    check("", "hung up");
    check("* OK without end", "no end");
    check(&format!("* X {}\r\nM4 OK\r\n", "(".repeat(100)), "nested too deep");
    check("* X {99}\r\nshort", "end of file");
    check(&format!("* X {{{}}}\r\nx", u64::MAX), "more than is read past");
    check("M4 NO \x1b]0;owned\x07 now\r\n", "NO ?]0;owned? now");
    let endless = "* 1 EXISTS\r\n".repeat(100);
    let mut reader = up(&[endless.as_str()]);
    reader.bounds.files = 50;
    assert!(String::from(reader.command(b"NOOP", "X").unwrap_err()).contains("has no end"));
}

#[test]
fn logging_in() {
    let check = |capabilities: &str, login: Login, says: &[&str], expected: &str, well: bool| {
        let capabilities = format!("* CAPABILITY {capabilities}\r\nM1 OK\r\n");
        let mut pieces = vec!["* OK\r\n", capabilities.as_str()];
        pieces.extend(says);
        pieces.push("M3 OK\r\n");
        let (script, heard) = Script::new(&pieces);
        let outcome = ImapReader::open(Box::new(script), false, &login, Bounds::default());
        assert_eq!(outcome.is_ok(), well, "{:?}", outcome.err());
        let heard = String::from_utf8(heard.lock().unwrap().clone()).unwrap();
        assert!(heard.contains(expected), "{heard}");
    };
    let password = || Login::Password("anna".into(), Secret::new("pw"));
    let token = || Login::Token("a,b@x".into(), Secret::new("t0k"));
    // Expected: printf … | base64
    check("AUTH=PLAIN", password(), &["+\r\n", "M2 OK\r\n"], "AUTHENTICATE PLAIN\r\nAGFubmEAcHc=\r\n", true);
    check("AUTH=PLAIN", password(), &["+\r\n", "M2 NO wrong\r\n"], "AGFubmEAcHc=", false);
    check(
        "AUTH=OAUTHBEARER AUTH=XOAUTH2",
        token(),
        &["+\r\n", "M2 OK\r\n"],
        "AUTHENTICATE OAUTHBEARER\r\nbixhPWE9MkNiQHgsAWF1dGg9QmVhcmVyIHQwawEB\r\n",
        true,
    );
    check(
        "AUTH=XOAUTH2",
        token(),
        &["+\r\n", "+ eyJlIjoxfQ==\r\n", "M2 NO no\r\n"],
        "AUTHENTICATE XOAUTH2\r\ndXNlcj1hLGJAeAFhdXRoPUJlYXJlciB0MGsBAQ==\r\n\r\n",
        false,
    );
}

#[test]
fn a_log_in_without_end_is_given_up() {
    let endless = "* OK\r\n".repeat(1000);
    let (script, _) = Script::new(&["* OK\r\n", "* CAPABILITY AUTH=PLAIN\r\nM1 OK\r\n", endless.as_str()]);
    let login = Login::Password("anna".into(), Secret::new("pw"));
    let outcome = ImapReader::open(Box::new(script), false, &login, Bounds::default());
    assert!(outcome.err().unwrap().contains("has no end"));
}

#[test]
fn starttls() {
    let check = |says: &[&str], well: bool| {
        let (mut script, _) = Script::new(says);
        assert_eq!(ask_for_tls(&mut script).is_ok(), well, "{says:?}");
    };
    check(&["* OK hi\r\n", "S1 OK go on\r\n"], true);
    check(&["* OK hi\r\n", "* CAPABILITY X\r\nS1 ok\r\n"], true);
    check(&["* OK hi\r\n", "S1 BAD no\r\n"], false);
    check(
        &[
            "* OK hi\r\n",
            "* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n* OK\r\n",
        ],
        false,
    );
    check(&["* OK without end"], false);
}
