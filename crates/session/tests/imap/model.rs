//! Several clients on one mailbox, doing anything: what each was told adds up to what is there.

use crate::driver::{Connection, config};
use session::imap::Input;
use session::mailstore::Mailstore;
use testkit::mailstore::FakeMailstore;

/// What a client knows from responses alone.
struct Client {
    connection: Connection,
    qresync: bool,
    /// UIDs by sequence number, where told.
    known: Vec<Option<u32>>,
    idling: bool,
}

impl Client {
    fn new(store: &FakeMailstore, qresync: bool) -> Self {
        let connection = Connection::new(config(true), store);
        let mut client = Client { connection, qresync, known: Vec::new(), idling: false };
        client.ask("LOGIN alice secret");
        if qresync {
            client.ask("ENABLE QRESYNC");
        }
        client.ask("SELECT INBOX");
        client.fill();
        client
    }

    fn ask(&mut self, command: &str) {
        let answer = self.connection.send(format!("t {command}\r\n").as_bytes(), usize::MAX);
        let answer = String::from_utf8(answer).expect("ASCII");
        let held = ["FETCH", "STORE", "SEARCH"].iter().any(|name| command.starts_with(name));
        assert!(answer.lines().any(|line| line.starts_with("t ")), "{command}: {answer}");
        self.learn(&answer, held);
    }

    /// Learns the UIDs of all messages that are still there.
    fn fill(&mut self) {
        self.ask("UID FETCH 1:* (FLAGS)");
    }

    /// A message without known UID where this one would stand.
    fn unknown_place(&self, uid: u32) -> Option<usize> {
        let fits = |at: &usize| {
            let (before, after) = self.known.split_at(*at);
            self.known[*at].is_none()
                && before.iter().flatten().all(|known| *known < uid)
                && after.iter().flatten().all(|known| *known > uid)
        };
        (0..self.known.len()).find(fits)
    }

    fn learn(&mut self, answer: &str, held: bool) {
        for line in answer.lines().filter_map(|line| line.strip_prefix("* ")) {
            let words: Vec<&str> = line.split(' ').collect();
            let number = words[0].parse::<usize>().unwrap_or(0);
            match words.get(1).copied() {
                Some("EXISTS") => {
                    assert!(number >= self.known.len(), "{line} after {}", self.known.len());
                    self.known.resize(number, None);
                }
                Some("EXPUNGE") => {
                    assert!(!held && !self.qresync, "{answer}");
                    assert!((1..=self.known.len()).contains(&number), "{line} of {}", self.known.len());
                    self.known.remove(number - 1);
                }
                Some("FETCH") => {
                    assert!((1..=self.known.len()).contains(&number), "{line} of {}", self.known.len());
                    let uid = line.split("UID ").nth(1).and_then(|rest| rest.split([' ', ')']).next());
                    if let Some(uid) = uid.and_then(|uid| uid.parse().ok()) {
                        let known = self.known[number - 1].get_or_insert(uid);
                        assert_eq!(*known, uid, "{line}");
                    }
                }
                _ if words[0] == "VANISHED" => {
                    assert!(!held && self.qresync, "{answer}");
                    for gone in numbers(words[1]) {
                        let place = self.known.iter().position(|uid| *uid == Some(gone));
                        // One that came and went before its UID was asked for.
                        let place = place.or_else(|| self.unknown_place(gone));
                        self.known.remove(place.expect("a message that was announced"));
                    }
                }
                _ => {}
            }
        }
        let told: Vec<u32> = self.known.iter().flatten().copied().collect();
        assert!(told.is_sorted(), "{told:?}");
    }
}

fn numbers(set: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<u32>().expect("a number")..=to.parse().expect("a number")
    };
    set.split(',').flat_map(range).collect()
}

#[test]
fn what_clients_are_told_adds_up() {
    for seed in 1..40u64 {
        play(seed);
    }
}

fn play(seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let store = FakeMailstore::new();
    for _ in 0..10 {
        store.deliver("INBOX", b"Subject: x\r\n\r\ny\r\n", base::Flags::default(), None);
    }
    let mut clients: Vec<Client> = (0..4).map(|at| Client::new(&store, at % 2 == 1)).collect();
    for _ in 0..150 {
        let count = clients.len();
        let client = &mut clients[next(count)];
        if std::mem::take(&mut client.idling) {
            let answer = client.connection.feed(Input::Changed);
            client.learn(&String::from_utf8(answer).expect("ASCII"), false);
            let answer = client.connection.send(b"DONE\r\n", usize::MAX);
            client.learn(&String::from_utf8(answer).expect("ASCII"), false);
        }
        let exists = client.known.len();
        let one = if exists == 0 { 1 } else { 1 + next(exists) };
        match next(14) {
            0 => client.ask("NOOP"),
            1 => client.ask(&format!("STORE {one} +FLAGS (\\Deleted)")),
            2 => client.ask(&format!("UID STORE {one}:{} +FLAGS.SILENT (\\Deleted)", one + 2)),
            3 => client.ask("EXPUNGE"),
            4 => client.ask("APPEND INBOX {3+}\r\na\r\n"),
            5 => client.ask(&format!("COPY {one} INBOX")),
            6 => client.ask(&format!("MOVE {one} Trash")),
            7 => client.ask("SEARCH ALL"),
            8 => client.ask("UID SEARCH UNSEEN"),
            9 => client.ask("FETCH 1:* (UID BODY[])"),
            10 => client.ask(&format!("STORE {one} FLAGS ($k{one})")),
            11 => client.ask("STATUS INBOX (MESSAGES)"),
            12 => client.ask(&format!("UID EXPUNGE {one}:*")),
            _ => {
                let answer = client.connection.send(b"i IDLE\r\n", usize::MAX);
                client.learn(&String::from_utf8(answer).expect("ASCII"), false);
                client.idling = true;
            }
        }
    }
    let inbox = store.mailbox("INBOX").expect("INBOX");
    let there: Vec<Option<u32>> =
        store.open(inbox).expect("open").uids.iter().map(|uid| Some(uid.0)).collect();
    for client in &mut clients {
        if std::mem::take(&mut client.idling) {
            client.connection.send(b"DONE\r\n", usize::MAX);
            // What DONE told was not learned: start anew.
            client.known.clear();
            client.ask("SELECT INBOX");
        }
        client.ask("NOOP");
        client.fill();
        assert_eq!(client.known, there, "seed {seed}");
    }
}
