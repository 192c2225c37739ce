//! Input that means no good, much of everything, and what a connection costs.

use crate::driver::{Connection, config};
use session::imap::{Input, Progress, RUN_OCTETS, Session};
use session::mail_session::MailSession;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::mailstore::FakeMailstore;

fn logged_in(store: &FakeMailstore) -> Connection {
    let mut connection = Connection::new(config(true), store);
    let answer = text(connection.send(b"a LOGIN alice secret\r\n", usize::MAX));
    assert!(answer.contains("a OK"), "{answer}");
    connection
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8_lossy(&octets).into_owned()
}

fn ask(connection: &mut Connection, command: &str) -> String {
    text(connection.send(format!("{command}\r\n").as_bytes(), usize::MAX))
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() < 1024, "{}", size_of::<Session>());
}

#[test]
fn large_literals_are_not_invited() {
    let mut connection = Connection::new(config(true), &FakeMailstore::new());
    let answer = ask(&mut connection, "a LOGIN {2147483647}");
    assert!(answer.contains("a NO [TOOBIG]") && !answer.contains("\n+"), "{answer}");
}

#[test]
fn an_oversized_literal_is_never_run() {
    for octets in [5_000_000u64, 4_000_000_000, u64::MAX] {
        let mut connection = logged_in(&FakeMailstore::new());
        let mut answer = ask(&mut connection, &format!("a APPEND INBOX {{{octets}+}}"));
        if !connection.closed {
            answer += &text(connection.send(&b"inj NOOP\r\n".repeat(100), usize::MAX));
        }
        assert!(!answer.contains("inj"), "{answer}");
        assert!(answer.contains("TOOBIG"), "{answer}");
    }
}

/// A command of a few octets may not make the server copy without end.
#[test]
fn catenate_copies_no_more_than_a_message() {
    let store = FakeMailstore::new();
    // The limit is 1,000,000: a message may reach it, and what URLs name in all messages of a command together.
    store.deliver("INBOX", &vec![b'x'; 400_000], base::Flags::default(), None);
    let mut connection = logged_in(&store);
    let url = "URL \"/INBOX/;UID=1\"";
    for (messages, taken) in [
        (format!("CATENATE ({url} {url})"), true),
        (format!("CATENATE ({url} {url} {url})"), false),
        (format!("CATENATE ({url}) CATENATE ({url})"), true),
        (format!("CATENATE ({url}) CATENATE ({url}) CATENATE ({url})"), false),
        (format!("CATENATE ({url} {url} TEXT {{200000+}}\r\n{})", "y".repeat(200_000)), true),
        (format!("CATENATE ({url} {url} TEXT {{200001+}}\r\n{})", "y".repeat(200_001)), false),
        (format!("CATENATE ({})", "URL ;UID=1 ".repeat(1001)), false),
    ] {
        let answer = ask(&mut connection, &format!("b APPEND Archive {messages}"));
        let expected = if taken { "b OK" } else { "b NO" };
        assert!(answer.contains(expected), "{answer}");
        assert!(ask(&mut connection, "c NOOP").starts_with("c OK"));
    }
}

/// A search in many mailboxes gives others their turn between any two.
#[test]
fn a_search_in_many_mailboxes_goes_in_steps() {
    let store = FakeMailstore::new();
    let mut connection = logged_in(&store);
    for number in 0..50 {
        assert!(ask(&mut connection, &format!("b CREATE m{number}")).contains("b OK"));
        store.deliver(&format!("m{number}"), b"Subject: x\r\n\r\ny", base::Flags::default(), None);
    }
    connection.session.feed(Instant::now(), Input::Bytes(b"c ESEARCH IN (personal) BODY y\r\n"));
    let (mut out, mut runs) = (Vec::new(), 1);
    while connection.session.run(&mut out) == Progress::More {
        runs += 1;
    }
    connection.session.feed(Instant::now(), Input::RunDone);
    assert_eq!(text(out).matches("UID ALL 1").count(), 50);
    assert!(runs >= 50, "{runs}");
}

#[test]
fn deep_searches_are_answered() {
    let mut connection = logged_in(&FakeMailstore::new());
    ask(&mut connection, "b SELECT INBOX");
    let deep = format!("c UID SEARCH {}ALL{}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(ask(&mut connection, &deep).contains("c BAD"));
    let nots = format!("d SEARCH {}ALL", "NOT ".repeat(20_000));
    assert!(ask(&mut connection, &nots).contains("d BAD"));
    assert!(ask(&mut connection, "e NOOP").contains("e OK"));
}

/// Octets that are nearly commands: no panic, no growth, and an answer or a close in the end.
#[test]
fn noise_is_survived() {
    let words: &[&[u8]] = &[
        b"a ",
        b"FETCH ",
        b"1:*",
        b" (",
        b")",
        b"BODY[",
        b"]",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"~{1+}\r\n",
        b"\r\n",
        b"\n",
        b"\0",
        b"\xff\xfe",
        b"APPEND INBOX ",
        b"SELECT INBOX",
        b"SEARCH ",
        b"OR ",
        b"NOT ",
        b"$",
        b"*",
        b"UID ",
        b"\"",
        b"\\",
        b"IDLE",
        b"DONE",
        b"STORE 1 +FLAGS ",
        b"(\\Seen)",
        b"LIST \"\" ",
        b"RETURN (",
        b"<0.5>",
        b"4294967295",
        b"0",
        b"HEADER.FIELDS (",
        b"BINARY[1]",
        b"THREAD REFERENCES UTF-8 ALL",
        b"SORT (DATE) UTF-8 ALL",
        b"COPY 1 Trash",
        b"LOGIN alice secret\r\n",
        b"AUTHENTICATE PLAIN ",
        b"ENABLE QRESYNC",
        b"ENABLE UIDONLY",
        b"SEARCH RETURN (UPDATE PARTIAL -1:-2) ",
        b"CANCELUPDATE \"a\"",
        b"PREVIEW (LAZY)",
        b"LANGUAGE ",
        b"UNAUTHENTICATE\r\n",
        b"COMPRESS DEFLATE\r\n",
        b"(QRESYNC (1 1 1:9 (1 1)))",
        b"\r\na ",
    ];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for round in 0..3000 {
        let store = FakeMailstore::new();
        store.deliver(
            "INBOX",
            b"Subject: x\r\nReferences: <a@b> <a@b>\r\n\r\ny",
            base::Flags::default(),
            None,
        );
        let mut connection =
            if round % 3 == 0 { Connection::new(config(true), &store) } else { logged_in(&store) };
        if round % 3 == 2 {
            ask(&mut connection, "b SELECT INBOX");
        }
        for _ in 0..40 {
            let word = words[next(words.len())];
            if connection.closed {
                break;
            }
            connection.send(word, 1 + next(8));
        }
        connection.feed(Input::Eof);
        assert!(connection.closed);
    }
}

/// A long answer comes in pieces, and the store is read only as fast as the client takes them.
#[test]
fn long_answers_come_in_pieces() {
    let store = FakeMailstore::new();
    for number in 0..20_000 {
        let mail = format!("From: sender{number}@example.org\r\nSubject: number {number}\r\n\r\nbody\r\n");
        store.deliver("INBOX", mail.as_bytes(), base::Flags::default(), None);
    }
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    connection.largest_run = 0;
    let answer = ask(&mut connection, "c FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    assert_eq!(answer.matches(" FETCH (").count(), 20_000);
    assert!(answer.contains("* 20000 FETCH (UID 20000 "));
    assert!(answer.ends_with("c OK FETCH completed\r\n"));
    assert!(connection.largest_run < RUN_OCTETS + 10_000, "{}", connection.largest_run);
    let answer = ask(&mut connection, "d FETCH 1:* (BODY.PEEK[])");
    assert_eq!(answer.matches("\r\n\r\nbody\r\n)").count(), 20_000);
    assert!(connection.largest_run < RUN_OCTETS + 100_000, "{}", connection.largest_run);
    // Every flag changes: the changes are told piece by piece too.
    connection.largest_run = 0;
    let answer = ask(&mut connection, "e STORE 1:* +FLAGS (\\Seen)");
    assert_eq!(answer.matches(" FETCH (").count(), 20_000);
    let answer = ask(&mut connection, "f UID SEARCH RETURN (ALL COUNT) SEEN");
    assert!(answer.contains("UID ALL 1:20000 COUNT 20000"), "{answer}");
    assert!(connection.largest_run < RUN_OCTETS + 10_000, "{}", connection.largest_run);
}

#[test]
fn a_large_body_streams() {
    let store = FakeMailstore::new();
    let body = "0123456789abcdef\r\n".repeat(300_000);
    store.deliver("INBOX", format!("Subject: large\r\n\r\n{body}").as_bytes(), base::Flags::default(), None);
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    connection.largest_run = 0;
    let answer = ask(&mut connection, "c FETCH 1 (BODY.PEEK[TEXT])");
    assert!(answer.contains(&format!("BODY[TEXT] {{{}}}\r\n{body})\r\n", body.len())));
    assert!(connection.largest_run <= RUN_OCTETS + 70_000, "{}", connection.largest_run);
    let answer = ask(&mut connection, "d FETCH 1 (BINARY.PEEK[1]<5399990.100>)");
    assert!(answer.contains("BINARY[1]<5399990> {10}\r\n89abcdef\r\n"), "{answer}");
}

/// Many lists of a header that is as large as it may be: never all of them in memory.
#[test]
fn many_views_of_a_large_header_come_in_pieces() {
    let store = FakeMailstore::new();
    let subject = "x".repeat(250_000);
    store.deliver(
        "INBOX",
        format!("Subject: {subject}\r\n\r\nbody").as_bytes(),
        base::Flags::default(),
        None,
    );
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    connection.largest_run = 0;
    let item = |n: usize| format!("BODY.PEEK[HEADER.FIELDS ({}SUBJECT)]", "DATE ".repeat(n));
    let items: Vec<String> = (0..40).map(item).collect();
    let answer = ask(&mut connection, &format!("c FETCH 1 ({})", items.join(" ")));
    assert_eq!(answer.matches(&subject).count(), 40);
    assert!(answer.ends_with(")\r\nc OK FETCH completed\r\n"));
    assert!(connection.largest_run < 6 * RUN_OCTETS, "{}", connection.largest_run);
}

/// What is held of each message for SORT and THREAD is bounded, and still orders and threads.
#[test]
fn long_texts_are_sorted_and_threaded() {
    let store = FakeMailstore::new();
    let long = "a".repeat(100_000);
    for (subject, id) in [("c", "1"), ("b", "2"), ("a", "3")] {
        let mail = format!(
            "Subject: {subject}{long}\r\nMessage-ID: <{id}@x>\r\nReferences: <{long}@x> <1@x>\r\n\r\n"
        );
        store.deliver("INBOX", mail.as_bytes(), base::Flags::default(), None);
    }
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    let answer = ask(&mut connection, "c SORT (SUBJECT REVERSE SUBJECT) UTF-8 ALL");
    assert!(answer.contains("* SORT 3 2 1\r\n"), "{answer}");
    let answer = ask(&mut connection, "d THREAD REFERENCES UTF-8 ALL");
    assert!(answer.contains("* THREAD (1 (2)(3))\r\n"), "{answer}");
}

/// As many sets and texts as a command may hold, each naming all of a mailbox with gaps.
#[test]
fn a_search_of_many_sets_is_exact() {
    let store = FakeMailstore::new();
    for number in 0..100 {
        let flags = if number % 2 == 0 { "odd" } else { "even" };
        store.deliver(
            "INBOX",
            format!("Subject: {flags}\r\n\r\nbody").as_bytes(),
            base::Flags::default(),
            None,
        );
    }
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    ask(&mut connection, "c STORE 1:* +FLAGS.SILENT (\\Deleted)");
    ask(&mut connection, "d UID STORE 1:99,95 -FLAGS.SILENT (\\Deleted)");
    ask(&mut connection, "e UID STORE 2,4,6,8 +FLAGS.SILENT (\\Deleted)");
    ask(&mut connection, "f EXPUNGE");
    // What is left: 1, 3, 5, 7, then 9 to 99.
    let many = |key: &str| vec![key; 1900].join(" ");
    for (key, expected) in [
        ("1:3", "1 3 5"),
        ("3:1", "1 3 5"),
        ("95:*", "99"),
        ("200:*", "99"),
        ("*", "99"),
        ("2,4", "3 7"),
        ("96:4294967295", ""),
        ("UID 2:5", "3 5"),
        ("UID 98:4294967295", "98 99"),
        ("UID 500:*", "99"),
        ("NOT 3:*", "1 3"),
        ("UID 1:4294967295 SUBJECT nothing", ""),
    ] {
        let answer = ask(&mut connection, &format!("g UID SEARCH {}", many(key)));
        let wanted =
            if expected.is_empty() { "* SEARCH\r\n".into() } else { format!("* SEARCH {expected}\r\n") };
        assert!(answer.contains(&wanted) || answer.contains("g BAD too many"), "{key}: {answer}");
        let answer = ask(&mut connection, &format!("h UID SEARCH {key}"));
        assert!(answer.contains(&wanted), "{key}: {answer}");
    }
    ask(&mut connection, "i UID SEARCH RETURN (SAVE) 2:3");
    let answer = ask(&mut connection, &format!("j UID SEARCH {}", many("$")));
    assert!(answer.contains("* SEARCH 3 5\r\n"), "{answer}");
}

/// RFC 9585 §4: a client that waits long hears how far it is.
#[test]
fn a_long_search_tells_how_far_it_is() {
    let store = FakeMailstore::new();
    for _ in 0..200 {
        store.deliver("INBOX", b"Subject: x\r\n\r\ny", base::Flags::default(), None);
    }
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    connection.run_time = Duration::from_secs(6);
    let answer = ask(&mut connection, "c SEARCH BODY y");
    let told: Vec<&str> = answer.lines().filter(|line| line.contains("INPROGRESS")).collect();
    // It opens 32 messages at a time, in two runs.
    assert_eq!(told.first(), Some(&"* OK [INPROGRESS (\"c\" 64 200)] still searching"), "{answer}");
    assert_eq!(told.len(), 5, "{answer}");
    assert!(answer.ends_with("c OK SEARCH completed\r\n"));
    connection.run_time = Duration::ZERO;
    let answer = ask(&mut connection, "d SEARCH BODY y");
    assert!(!answer.contains("INPROGRESS"), "{answer}");
}

/// A connection has only so many searches followed, and none with keys that are large to keep.
#[test]
fn followed_searches_are_bounded() {
    let store = FakeMailstore::new();
    for _ in 0..4000 {
        store.deliver("INBOX", b"Subject: x\r\n\r\ny", base::Flags::default(), None);
    }
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    let odd: Vec<String> = (1..=2001).map(|n| (2 * n - 1).to_string()).collect();
    let answer = ask(&mut connection, &format!("c UID SEARCH RETURN (UPDATE COUNT) UID {}", odd.join(",")));
    assert!(answer.contains("UID COUNT 2000\r\n* NO [NOUPDATE \"c\"]"), "{answer}");
    for number in 0..12 {
        let answer = ask(&mut connection, &format!("d{number} SEARCH RETURN (UPDATE COUNT) BODY y"));
        assert_eq!(answer.contains("NOUPDATE"), number >= 10, "{answer}");
        assert!(answer.contains("COUNT 4000"), "{answer}");
    }
    // Each is tested over many messages, piece by piece.
    connection.largest_run = 0;
    let answer = ask(&mut connection, "e STORE 1:4000 +FLAGS.SILENT (\\Deleted)");
    assert!(answer.ends_with("e OK STORE completed\r\n"), "{answer}");
    let answer = ask(&mut connection, "f EXPUNGE");
    assert_eq!(answer.matches("REMOVEFROM (0 1:4000)").count(), 10);
    assert!(connection.largest_run < RUN_OCTETS + 10_000, "{}", connection.largest_run);
}

/// A thread as long as a hostile mailbox likes: no overflow, no endless walk.
#[test]
fn long_threads_are_threaded() {
    let store = FakeMailstore::new();
    for number in 0..5_000 {
        let mail = format!("Message-ID: <{number}@x>\r\nReferences: <{}@x>\r\n\r\n", number + 1);
        store.deliver("INBOX", mail.as_bytes(), base::Flags::default(), None);
    }
    let mut connection = logged_in(&store);
    ask(&mut connection, "b SELECT INBOX");
    let answer = ask(&mut connection, "c THREAD REFERENCES UTF-8 ALL");
    assert!(answer.contains("* THREAD (") && answer.ends_with("c OK THREAD completed\r\n"));
}

/// What a session says when it is run without anything to do.
#[test]
fn runs_without_work_are_harmless() {
    let mut session = Session::new(config(true), None, Instant::now());
    let mut out = Vec::new();
    assert_eq!(session.run(&mut out), Progress::Done);
    session.feed(Instant::now(), Input::LoginOk(Arc::new(FakeMailstore::new())));
    session.feed(Instant::now(), Input::RunDone);
    session.feed(Instant::now(), Input::Changed);
    assert_eq!(session.run(&mut out), Progress::Done);
    assert!(out.is_empty());
}

/// RFC 4978 §3: what comes behind COMPRESS belongs to the compressed stream and is no command in the clear; RFC 8437 §3:
/// what was compressed behind UNAUTHENTICATE is none of the next log-in.
#[test]
fn commands_do_not_cross_the_border_of_compression() {
    let mut connection = Connection::new(config(true), &FakeMailstore::new());
    connection.send(b"a LOGIN alice secret\r\n", usize::MAX);
    let said = connection.send(b"b COMPRESS DEFLATE\r\nc LOGOUT\r\n", usize::MAX);
    assert_eq!(said, b"b OK DEFLATE active\r\n");
    assert_eq!(connection.came_compressed, b"c LOGOUT\r\n");
    let said = connection.send(b"d UNAUTHENTICATE\r\ne LOGIN alice secret\r\n", usize::MAX);
    assert_eq!(said, b"d OK UNAUTHENTICATE completed\r\n");
}
