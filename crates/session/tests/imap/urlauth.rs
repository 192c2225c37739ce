//! URLAUTH (RFC 4467): what a URL gives, to whom and how long.

use crate::driver::{Connection, config};
use base::{Flags, Timestamp};
use testkit::mailstore::FakeMailstore;

const TEXT: &str = "Si vis pacem, para bellum.\r\n\r\n";

struct Scene {
    store: FakeMailstore,
    connection: Connection,
}

impl Scene {
    fn new() -> Self {
        let store = FakeMailstore::new();
        store.deliver(
            "INBOX",
            format!("From: a@example.com\r\n\r\n{TEXT}").as_bytes(),
            Flags::default(),
            None,
        );
        let mut scene = Scene { connection: Connection::new(config(true), &store), store };
        scene.ask("LOGIN alice secret");
        scene
    }

    fn ask(&mut self, command: &str) -> String {
        let answer = self.connection.send(format!("a {command}\r\n").as_bytes(), usize::MAX);
        String::from_utf8(answer).unwrap()
    }

    /// A URL of INBOX, authorized.
    fn authorize(&mut self, message: &str) -> String {
        let answer = self.ask(&format!("GENURLAUTH \"imap://alice@mail.example.test/{message}\" INTERNAL"));
        assert!(answer.contains("a OK"), "{answer}");
        answer.split('"').nth(1).unwrap().to_owned()
    }

    /// What a URL gives; `None` for NIL.
    fn fetch(&mut self, url: &str) -> Option<String> {
        let answer = self.ask(&format!("URLFETCH \"{url}\""));
        let data = answer.strip_prefix(&format!("* URLFETCH \"{url}\" ")).unwrap();
        let data = data.strip_suffix("\r\na OK URLFETCH completed\r\n").unwrap();
        let (size, data) = if data == "NIL" { return None } else { data.split_once("\r\n").unwrap() };
        assert_eq!(size, format!("{{{}}}", data.len()));
        Some(data.to_owned())
    }
}

#[test]
fn a_url_gives_what_it_names() {
    let mut scene = Scene::new();
    for (message, expected) in [
        ("INBOX/;uid=1/;section=TEXT;urlauth=user+alice", Some(TEXT)),
        ("INBOX/;uid=1/;section=TEXT/;partial=3.3;urlauth=user+alice@example.test", Some("vis")),
        ("INBOX/;uid=1/;section=TEXT/;partial=1000.3;urlauth=authuser", Some("")),
        ("INBOX/;uid=1/;section=HEADER;urlauth=anonymous", Some("From: a@example.com\r\n\r\n")),
        // No server that submits mail logs in here, and bob is another.
        ("INBOX/;uid=1;urlauth=submit+alice", None),
        ("INBOX/;uid=1;urlauth=user+bob", None),
        // Nothing there.
        ("INBOX/;uid=2;urlauth=authuser", None),
        ("INBOX/;uid=1/;section=7;urlauth=authuser", None),
        ("INBOX;UIDVALIDITY=9/;uid=1;urlauth=authuser", None),
    ] {
        let url = scene.authorize(message);
        assert_eq!(scene.fetch(&url).as_deref(), expected, "{message}");
    }
    // It reads: nothing is flagged, no mailbox is selected.
    assert!(scene.ask("STATUS INBOX (UNSEEN)").contains("UNSEEN 1"));
    assert!(scene.ask("FETCH 1 FLAGS").contains("BAD"));
}

#[test]
fn a_url_that_was_touched_gives_nothing() {
    let mut scene = Scene::new();
    let url = scene.authorize("INBOX/;uid=1/;section=TEXT;urlauth=user+alice");
    for (from, to) in [
        ("uid=1", "uid=01"),
        ("TEXT", "HEADER"),
        ("user+alice", "anonymous"),
        ("INBOX", "Drafts"),
        ("alice@", "bob@"),
        ("internal", "xsample"),
        (";urlauth", ";expire=2030-01-01T00:00:00Z;urlauth"),
    ] {
        assert_eq!(scene.fetch(&url.replace(from, to)), None, "{to}");
    }
    let (rump, token) = url.rsplit_once(':').unwrap();
    for token in ["", &token[..62], &"0".repeat(64), &format!("{token}00")] {
        assert_eq!(scene.fetch(&format!("{rump}:{token}")), None, "{token}");
    }
    assert!(scene.fetch(&url).is_some());
}

/// RFC 5524: items are answered by name, the structure first.
#[test]
fn items_of_a_url() {
    let mut scene = Scene::new();
    let mail = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    // "grün" in UTF-8, and a NUL between two letters (`printf 'gr\303\274n' | base64`).
    for text in ["Z3LDvG4=", "YQBi"] {
        scene.store.deliver("INBOX", format!("{mail}{text}").as_bytes(), Flags::default(), None);
    }
    let structure = |encoding: &str, octets: u8| {
        format!(
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"{encoding}\" {octets} 0 NIL NIL NIL NIL)"
        )
    };
    for (message, items, expected) in [
        ("uid=2/;section=1", "BODY", "(BODY {8}\r\nZ3LDvG4=)".to_owned()),
        ("uid=2/;section=1", "BINARY", "(BINARY {5}\r\ngrün)".to_owned()),
        ("uid=2/;section=1/;partial=1.1", "BINARY", "(BINARY {1}\r\nr)".to_owned()),
        ("uid=2/;section=1", "BODYPARTSTRUCTURE", format!("(BODYPARTSTRUCTURE {})", structure("BASE64", 8))),
        (
            "uid=2/;section=1",
            "BINARY BODYPARTSTRUCTURE",
            format!("(BODYPARTSTRUCTURE {}) (BINARY {{5}}\r\ngrün)", structure("8BIT", 5)),
        ),
        (
            "uid=3/;section=1",
            "BINARY BODYPARTSTRUCTURE",
            format!("(BODYPARTSTRUCTURE {}) (BINARY ~{{3}}\r\na\0b)", structure("BINARY", 3)),
        ),
        ("uid=1/;section=TEXT", "BODYPARTSTRUCTURE", "(BODYPARTSTRUCTURE NIL)".to_owned()),
        ("uid=1/;section=9", "BINARY", "NIL".to_owned()),
    ] {
        let url = scene.authorize(&format!("INBOX/;{message};urlauth=authuser"));
        let answer = scene.ask(&format!("URLFETCH (\"{url}\" {items})"));
        assert_eq!(answer, format!("* URLFETCH \"{url}\" {expected}\r\na OK URLFETCH completed\r\n"));
    }
}

#[test]
fn urls_end() {
    let mut scene = Scene::new();
    let until = scene.authorize("INBOX/;uid=1;expire=2026-01-01T12:00:01Z;urlauth=authuser");
    let (inbox, drafts) =
        (scene.authorize("INBOX/;uid=1;urlauth=authuser"), scene.authorize("Drafts/;uid=1;urlauth=authuser"));
    scene.store.deliver("Drafts", b"a: b\r\n\r\nc", Flags::default(), None);
    for url in [&until, &inbox, &drafts] {
        assert!(scene.fetch(url).is_some());
    }
    scene.store.set_now(Timestamp::from_civil(2026, 1, 1, 12, 0, 1));
    assert_eq!(scene.fetch(&until), None);
    scene.ask("RESETKEY INBOX INTERNAL");
    assert_eq!(scene.fetch(&inbox), None);
    assert!(scene.fetch(&drafts).is_some());
    scene.ask("RESETKEY");
    assert_eq!(scene.fetch(&drafts), None);
}

/// A large part goes out in pieces, with turns for others between.
#[test]
fn a_large_message_is_sent_in_pieces() {
    let mut scene = Scene::new();
    scene.store.deliver("INBOX", &vec![b'x'; 900_000], Flags::default(), None);
    let url = scene.authorize("INBOX/;uid=2;urlauth=authuser");
    scene.connection.largest_run = 0;
    assert_eq!(scene.fetch(&url).map(|data| data.len()), Some(900_000));
    assert!(scene.connection.largest_run < 400_000, "{}", scene.connection.largest_run);
}
