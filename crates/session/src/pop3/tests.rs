//! Dialogues. Each is played octet by octet, in odd pieces and all at once: what the server says must be the same.

use super::*;
use crate::mailstore::*;
use crate::sasl::ScramKeys;
use base::rights::{AclEntry, Rights, RightsEdit};
use base::{
    Annotation, EntryName, Flags, MailId, MailboxId, MailboxName, ModSeq, SpecialUse, ThreadId, Timestamp,
    Uid, UidValidity,
};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;
use wire::imap::command::UrlAuth;
use wire::mime;

/// An INBOX in memory. A message's octets may vanish under a session.
struct Drop {
    mail: Mutex<Vec<(u32, Option<Vec<u8>>)>>,
    classic: bool,
    removed: Mutex<Vec<u32>>,
}

impl Drop {
    fn new(mail: &[&str]) -> Self {
        let mail = mail.iter().zip(1..).map(|(text, n)| (n * 10, Some(text.as_bytes().to_vec()))).collect();
        Drop { mail: Mutex::new(mail), classic: false, removed: Mutex::default() }
    }

    fn removed(&self) -> Vec<u32> {
        self.removed.lock().unwrap().clone()
    }
}

struct Octets(Vec<u8>);

impl base::Octets for Octets {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: std::ops::Range<u64>, out: &mut Vec<u8>) -> std::io::Result<()> {
        base::Octets::read(&self.0, range, out)
    }
}

impl Message for Octets {
    fn tree(&self) -> &mime::Tree {
        panic!("POP3 knows no parts")
    }
}

fn no<T>() -> Result<T, MailError> {
    Err(MailError::Refused("POP3 does not do that"))
}

impl Mailstore for Drop {
    fn mailboxes(&self) -> Result<Vec<MailboxInfo>, MailError> {
        let name = MailboxName::inbox();
        Ok(vec![MailboxInfo { name, mailbox: Some(MailboxId(1)), subscribed: true, special_use: None }])
    }

    fn open(&self, _: MailboxId) -> Result<Opened, MailError> {
        let uids: Vec<Uid> = self.mail.lock().unwrap().iter().map(|(uid, _)| Uid(*uid)).collect();
        let status = MailboxStatus {
            messages: uids.len() as u32,
            unseen: 0,
            deleted: 0,
            octets: 0,
            deleted_octets: 0,
            uid_next: Uid(1000),
            recent: 0,
            uid_validity: UidValidity(7),
            highest_modseq: ModSeq(1),
        };
        Ok(Opened { status, uids, first_unseen: None, keywords: Vec::new() })
    }

    fn scan(
        &self,
        _: MailboxId,
        uids: &[Uid],
        _: Columns,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), MailError> {
        for (uid, text) in self.mail.lock().unwrap().iter().filter(|(uid, _)| uids.contains(&Uid(*uid))) {
            let row = Row {
                mail: MailId(u64::from(*uid)),
                thread: ThreadId(1),
                uid: Uid(*uid),
                modseq: ModSeq(1),
                flags: &Flags::default(),
                internal_date: Timestamp(0),
                saved: Timestamp(0),
                size: text.as_ref().map_or(9, |text| text.len() as u64),
                summary: None,
            };
            if each(&row).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read(&self, _: MailboxId, mail: MailId) -> Result<Box<dyn Message>, MailError> {
        let all = self.mail.lock().unwrap();
        let found = all.iter().find(|(uid, _)| u64::from(*uid) == mail.0);
        let text = found.and_then(|(_, text)| text.clone()).ok_or(MailError::NoMessage)?;
        Ok(Box::new(Octets(text)))
    }

    fn pop3_keeps(&self) -> bool {
        !self.classic
    }

    fn pop3_remove(&self, _: MailboxId, uids: &[Uid]) -> Result<(), MailError> {
        self.removed.lock().unwrap().extend(uids.iter().map(|uid| uid.0));
        Ok(())
    }

    fn claim_recent(&self, _: MailboxId, _: Uid) -> Result<Uid, MailError> {
        no()
    }
    fn status(&self, _: MailboxId) -> Result<MailboxStatus, MailError> {
        no()
    }
    fn create(&self, _: &MailboxName, _: Option<SpecialUse>) -> Result<MailboxId, MailError> {
        no()
    }
    fn delete(&self, _: MailboxId) -> Result<(), MailError> {
        no()
    }
    fn rename(&self, _: MailboxId, _: &MailboxName) -> Result<(), MailError> {
        no()
    }
    fn subscribe(&self, _: &MailboxName, _: bool) -> Result<(), MailError> {
        no()
    }
    fn changes(&self, _: MailboxId, _: ModSeq) -> Result<Changes, MailError> {
        no()
    }
    fn candidates(&self, _: MailboxId, _: &str) -> Result<Option<Vec<Uid>>, MailError> {
        no()
    }
    fn store(&self, _: MailboxId, _: &[Uid], _: &FlagEdit, _: Option<ModSeq>) -> Result<Stored, MailError> {
        no()
    }
    fn expunge(&self, _: MailboxId, _: Option<&[Uid]>) -> Result<Vec<Uid>, MailError> {
        no()
    }
    fn copy(&self, _: MailboxId, _: &[Uid], _: MailboxId) -> Result<Copied, MailError> {
        no()
    }
    fn move_to(&self, _: MailboxId, _: &[Uid], _: MailboxId) -> Result<Copied, MailError> {
        no()
    }
    fn room_for(&self, _: MailboxId, _: u64, _: Option<u64>) -> Result<(), MailError> {
        no()
    }
    fn replace(&self, _: MailboxId, _: Uid, _: MailboxId, _: NewMail) -> Result<Appended, MailError> {
        no()
    }
    fn is_user(&self, _: &str) -> Result<bool, MailError> {
        no()
    }
    fn url_token(&self, _: MailboxId, _: &str) -> Result<[u8; 32], MailError> {
        no()
    }
    fn reset_url_keys(&self, _: Option<MailboxId>) -> Result<(), MailError> {
        no()
    }
    fn authorized(&self, _: &UrlAuth, _: &str) -> Result<Option<Arc<dyn Mailstore>>, MailError> {
        no()
    }
    fn spool(&self) -> Result<Box<dyn Spool>, MailError> {
        no()
    }
    fn append(&self, _: MailboxId, _: Vec<NewMail>) -> Result<Appended, MailError> {
        no()
    }
    fn quota(&self) -> Result<Quota, MailError> {
        no()
    }
    fn is_own(&self, _: MailboxId) -> Result<bool, MailError> {
        no()
    }
    fn rights(&self, _: MailboxId) -> Result<Rights, MailError> {
        no()
    }
    fn acl(&self, _: MailboxId) -> Result<Vec<AclEntry>, MailError> {
        no()
    }
    fn set_acl(&self, _: MailboxId, _: &str, _: RightsEdit) -> Result<(), MailError> {
        no()
    }
    fn fixed_rights(&self, _: MailboxId, _: &str) -> Result<Rights, MailError> {
        no()
    }
    fn annotations(&self, _: Option<MailboxId>) -> Result<Vec<Annotation>, MailError> {
        no()
    }
    fn annotate(&self, _: Option<MailboxId>, _: Vec<(EntryName, Option<Vec<u8>>)>) -> Result<(), MailError> {
        no()
    }
}

/// A driver with one account, `alice` with the password `secret`.
struct Driver {
    session: Session,
    drop: Arc<Drop>,
    now: Instant,
    said: Vec<u8>,
    closed: bool,
}

impl Driver {
    fn new(drop: &Arc<Drop>, tls: bool, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            host: "mx.example.test".into(),
            limits: Limits::default(),
            stls: true,
            clear_passwords: false,
            scram: true,
            nonce: || [0; 18],
        };
        change(&mut config);
        let now = Instant::now();
        let binding = tls.then(ChannelBinding::default);
        let session = Session::new(Arc::new(config), binding, now);
        let mut driver = Driver { session, drop: drop.clone(), now, said: Vec::new(), closed: false };
        driver.act();
        driver
    }

    fn say(&mut self, octets: &[u8]) {
        self.session.feed(self.now, Input::Bytes(octets));
        self.act();
    }

    fn act(&mut self) {
        while let Some(action) = self.session.next() {
            let refused = || Input::LoginFailed(LoginFailure::Refused);
            let answer = match action {
                Action::Send(octets) => {
                    self.said.extend(octets);
                    continue;
                }
                Action::CheckPassword { user, password } => {
                    let store = || Input::LoginOk(self.drop.clone());
                    if user == "alice" && password.expose() == b"secret" { store() } else { refused() }
                }
                Action::OpenMail { user } => {
                    assert_eq!(user, "alice");
                    Input::LoginOk(self.drop.clone())
                }
                Action::NeedKeys { .. } => {
                    Input::Keys(ScramKeys::from_salted_password(&[0; 32], vec![1], 4096))
                }
                Action::ProofFailed { .. } => refused(),
                Action::StartTls => Input::TlsUp(ChannelBinding::default()),
                Action::Compress(_) | Action::LoggedOut => continue,
                Action::Run => {
                    while self.session.run(&mut self.said) == Progress::More {}
                    Input::RunDone
                }
                Action::Close => {
                    self.closed = true;
                    continue;
                }
            };
            self.session.feed(self.now, answer);
        }
    }
}

/// Plays a dialogue of `C: ` and `S: ` lines, the greeting left out; a last `S: (closed)` is the end.
fn play(tls: bool, drop: impl Fn() -> Drop, scene: &str) -> Arc<Drop> {
    let side = |tag: &str| -> String {
        let lines = scene.lines().filter_map(|line| line.trim_start().strip_prefix(tag));
        lines.filter(|line| *line != "(closed)").map(|line| format!("{line}\r\n")).collect()
    };
    let (client, server) = (side("C: "), side("S: "));
    let mut last = None;
    for size in [1, 7, client.len()] {
        let drop = Arc::new(drop());
        let mut driver = Driver::new(&drop, tls, |_| {});
        driver.said.clear();
        client.as_bytes().chunks(size).for_each(|piece| driver.say(piece));
        assert_eq!(String::from_utf8_lossy(&driver.said), server, "by {size}");
        assert_eq!(driver.closed, scene.contains("(closed)"), "by {size}");
        last = Some(drop);
    }
    last.unwrap()
}

const ONE: &str = "A: 1\r\n\r\n.\r\n..x\r\nend\r\n";
const TWO: &str = "A: 2\r\n\r\ntwo";

#[test]
fn a_whole_session() {
    let drop = play(
        true,
        || Drop::new(&[ONE, TWO]),
        "C: USER alice
         S: +OK and the password?
         C: PASS secret
         S: +OK maildrop has 2 messages, octets: 32
         C: STAT
         S: +OK 2 32
         C: LIST
         S: +OK
         S: 1 21
         S: 2 11
         S: .
         C: UIDL
         S: +OK
         S: 1 7.10
         S: 2 7.20
         S: .
         C: UIDL 2
         S: +OK 2 7.20
         C: RETR 1
         S: +OK 21 octets
         S: A: 1
         S: 
         S: ..
         S: ...x
         S: end
         S: .
         C: RETR 2
         S: +OK 11 octets
         S: A: 2
         S: 
         S: two
         S: .
         C: TOP 1 1
         S: +OK
         S: A: 1
         S: 
         S: ..
         S: .
         C: DELE 1
         S: +OK deleted
         C: LIST 1
         S: -ERR message is deleted
         C: STAT
         S: +OK 1 11
         C: LIST
         S: +OK
         S: 2 11
         S: .
         C: RSET
         S: +OK
         C: STAT
         S: +OK 2 32
         C: DELE 2
         S: +OK deleted
         C: NOOP
         S: +OK
         C: QUIT
         S: +OK bye
         S: (closed)",
    );
    assert_eq!(drop.removed(), [20]);
}

#[test]
fn odd_arguments() {
    play(
        true,
        || Drop::new(&[ONE]),
        "C: USER alice
         S: +OK and the password?
         C: PASS secret
         S: +OK maildrop has 1 messages, octets: 21
         C: LIST 0
         S: -ERR no such message
         C: RETR 999999999999999999999
         S: -ERR no such message
         C: RETR -1
         S: -ERR wrong arguments
         C: RETR
         S: -ERR wrong arguments
         C: XXXX
         S: -ERR no such command
         C: DELE 2
         S: -ERR no such message
         C: USER bob
         S: -ERR not after log-in
         C: STLS
         S: -ERR not after log-in
         C: list 1
         S: +OK 1 21",
    );
}

#[test]
fn refused_log_ins_look_alike() {
    play(
        true,
        || Drop::new(&[]),
        "C: USER alice
         S: +OK and the password?
         C: PASS wrong
         S: -ERR [AUTH] wrong name or password
         C: PASS secret
         S: -ERR USER first
         C: STAT
         S: -ERR log in first
         C: USER ghost
         S: +OK and the password?
         C: PASS secret
         S: -ERR [AUTH] wrong name or password
         C: AUTH PLAIN AGFsaWNlAHdyb25n
         S: -ERR [AUTH] wrong name or password
         S: (closed)",
    );
}

#[test]
fn sasl() {
    play(
        true,
        || Drop::new(&[]),
        "C: AUTH PLAIN
         S: + 
         C: *
         S: -ERR authentication cancelled
         C: AUTH CRAM-MD5
         S: -ERR no such mechanism
         C: AUTH SCRAM-SHA-256-PLUS
         S: -ERR no such mechanism
         C: AUTH PLAIN !
         S: -ERR not base64
         C: AUTH LOGIN
         S: + VXNlcm5hbWU6
         C: YWxpY2U=
         S: + UGFzc3dvcmQ6
         C: ?
         S: -ERR not base64
         C: AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWE=
         S: + cj1hQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBLHM9QVE9PSxpPTQwOTY=
         C: Yz1iaXdzLHI9YUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSxwPUFBQUE=
         S: -ERR [AUTH] wrong name or password
         C: AUTH PLAIN =
         S: -ERR authentication failed
         C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
         S: +OK maildrop has 0 messages, octets: 0
         C: LIST
         S: +OK
         S: .
         C: QUIT
         S: +OK bye
         S: (closed)",
    );
}

#[test]
fn nothing_before_tls() {
    play(
        false,
        || Drop::new(&[]),
        "C: CAPA
         S: +OK
         S: TOP
         S: UIDL
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: PIPELINING
         S: EXPIRE 0 USER
         S: UTF8 USER
         S: STLS
         S: IMPLEMENTATION Mailward
         S: .
         C: USER alice
         S: -ERR a password is taken over TLS only: STLS first
         C: PASS secret
         S: -ERR a password is taken over TLS only: STLS first
         C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
         S: -ERR a password is taken over TLS only: STLS first
         C: UTF8
         S: +OK UTF-8 it is
         C: STLS
         S: -ERR no STLS here
         C: QUIT
         S: +OK bye
         S: (closed)",
    );
}

#[test]
fn what_follows_stls_in_the_clear_is_thrown_away() {
    let drop = Arc::new(Drop::new(&[]));
    let mut driver = Driver::new(&drop, false, |_| {});
    driver.said.clear();
    driver.say(b"STLS\r\nCAPA\r\nUSER alice\r\nPA");
    assert_eq!(String::from_utf8_lossy(&driver.said), "+OK begin TLS\r\n");
    driver.said.clear();
    driver.say(b"PASS secret\r\nSTLS\r\nUSER alice\r\n");
    assert_eq!(
        String::from_utf8_lossy(&driver.said),
        "-ERR USER first\r\n-ERR no STLS here\r\n+OK and the password?\r\n"
    );
}

#[test]
fn the_classic_way() {
    let classic = || Drop { classic: true, ..Drop::new(&[ONE, TWO, ONE]) };
    let log_in = "C: USER alice
         S: +OK and the password?
         C: PASS secret
         S: +OK maildrop has 3 messages, octets: 53
         C: RETR 2
         S: +OK 11 octets
         S: A: 2
         S: 
         S: two
         S: .
         C: TOP 3 0
         S: +OK
         S: A: 1
         S: 
         S: .";
    let drop = play(true, classic, &format!("{log_in}\nC: QUIT\nS: +OK bye\nS: (closed)"));
    assert_eq!(drop.removed(), [20]);
    // Without QUIT nothing goes (RFC 1939 §6).
    assert_eq!(play(true, classic, log_in).removed(), []);
}

#[test]
fn a_vanished_message_is_an_error() {
    let vanished = || {
        let drop = Drop::new(&[ONE, TWO]);
        drop.mail.lock().unwrap()[0].1 = None;
        drop
    };
    play(
        true,
        vanished,
        "C: USER alice
         S: +OK and the password?
         C: PASS secret
         S: +OK maildrop has 2 messages, octets: 20
         C: RETR 1
         S: -ERR message is gone
         C: UIDL 2
         S: +OK 2 7.20",
    );
}

fn logged_in(drop: &Arc<Drop>) -> Driver {
    let mut driver = Driver::new(drop, true, |_| {});
    driver.say(b"USER alice\r\nPASS secret\r\n");
    driver.said.clear();
    driver
}

#[test]
fn a_large_message_comes_in_pieces() {
    let text = "A: b\r\n\r\n".to_owned() + &".long line of a message\r\n".repeat(100_000);
    let mut driver = logged_in(&Arc::new(Drop::new(&[&text])));
    driver.session.feed(driver.now, Input::Bytes(b"RETR 1\r\nQUIT\r\n"));
    assert!(matches!(driver.session.next(), Some(Action::Run)) && !driver.session.wants_input());
    let mut runs = Vec::new();
    loop {
        let mut out = Vec::new();
        let progress = driver.session.run(&mut out);
        assert!(out.len() < 2 * RUN_OCTETS);
        runs.push(out);
        if progress == Progress::Done {
            break;
        }
        // The line is slow: the time for the next command is long over.
        driver.now += Duration::from_secs(3600);
        driver.session.feed(driver.now, Input::Tick);
        let next = driver.session.next();
        assert!(!matches!(next, Some(Action::Close)), "cut off after {} pieces", runs.len());
    }
    // QUIT waits until the message is out.
    assert_eq!(runs.last().unwrap(), b"+OK bye\r\n");
    let all = String::from_utf8(runs.concat()).unwrap();
    let body = all.split_once("octets\r\n").unwrap().1.replace("\r\n..", "\r\n.");
    assert_eq!(body, format!("{text}.\r\n+OK bye\r\n"));
}

#[test]
fn an_unreadable_end_is_no_end() {
    struct Torn;
    impl base::Octets for Torn {
        fn len(&self) -> u64 {
            1 << 20
        }
        fn read(&self, range: std::ops::Range<u64>, out: &mut Vec<u8>) -> std::io::Result<()> {
            match range.start {
                0 => out.resize(out.len() + range.end as usize, b'x'),
                _ => return Err(std::io::ErrorKind::Other.into()),
            }
            Ok(())
        }
    }
    impl Message for Torn {
        fn tree(&self) -> &mime::Tree {
            panic!("POP3 knows no parts")
        }
    }
    let mut transfer = maildrop::Transfer::new(0, Box::new(Torn), None);
    let mut out = Vec::new();
    assert_eq!(transfer.send(&mut out), Ok(false));
    assert_eq!(transfer.send(&mut out), Err(()));
    assert!(!out.ends_with(b".\r\n"));
}

#[test]
fn limits() {
    let drop = Arc::new(Drop::new(&[ONE]));
    let said = |driver: &Driver| String::from_utf8_lossy(&driver.said).into_owned();

    for logged_in_first in [false, true] {
        let start = || if logged_in_first { logged_in(&drop) } else { Driver::new(&drop, true, |_| {}) };
        let mut driver = start();
        driver.say(&b"X".repeat(5000));
        assert!(driver.closed && said(&driver).ends_with("-ERR line too long\r\n"));

        let mut driver = start();
        for _ in 0..21 {
            driver.say(b"XXXX\r\n");
        }
        assert!(driver.closed && said(&driver).ends_with("-ERR too many errors\r\n"), "{}", said(&driver));
    }

    let mut driver = Driver::new(&drop, true, |_| {});
    driver.now += Duration::from_secs(299);
    driver.say(b"CAPA\r\n");
    driver.session.feed(driver.now, Input::Tick);
    assert!(driver.session.next().is_none());
    driver.now += Duration::from_secs(1);
    driver.session.feed(driver.now, Input::Tick);
    assert!(matches!(driver.session.next(), Some(Action::Close)));

    let mut driver = logged_in(&drop);
    driver.now += Duration::from_secs(599);
    driver.say(b"DELE 1\r\n");
    assert_eq!(driver.session.deadline(), driver.now + Duration::from_secs(600));
    driver.now += Duration::from_secs(600);
    driver.session.feed(driver.now, Input::Tick);
    driver.act();
    assert!(driver.closed && drop.removed().is_empty());
}

#[test]
fn a_peer_that_ends_early_still_gets_what_it_asked_for() {
    let drop = Arc::new(Drop::new(&[TWO]));
    let mut driver = Driver::new(&drop, true, |_| {});
    driver.session.feed(driver.now, Input::Bytes(b"USER alice\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n"));
    driver.session.feed(driver.now, Input::Eof);
    driver.act();
    assert!(driver.closed && driver.said.ends_with(b"+OK deleted\r\n+OK bye\r\n"));
    assert_eq!(drop.removed(), [10]);

    let mut driver = logged_in(&drop);
    driver.session.feed(driver.now, Input::Bytes(b"DELE 1\r\nQUI"));
    driver.session.feed(driver.now, Input::Eof);
    driver.act();
    assert!(driver.closed && driver.said.ends_with(b"+OK deleted\r\n"));
}

/// Whatever comes in: no panic, no endless loop, a bounded answer.
#[test]
fn noise() {
    let words = [
        "USER alice\r\n",
        "PASS secret\r\n",
        "AUTH LOGIN\r\n",
        "=\r\n",
        "TOP 1 1\r\n",
        "\r\n",
        "\0",
        "STLS\r\n",
        "\u{ff}",
    ];
    let drop = Arc::new(Drop::new(&[ONE, TWO]));
    let mut seed = 1u32;
    for _ in 0..2000 {
        let mut driver = Driver::new(&drop, seed & 64 != 0, |_| {});
        for _ in 0..20 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let word = words[(seed >> 16) as usize % words.len()].as_bytes();
            driver.say(&word[..word.len() - (seed >> 28 == 0) as usize]);
        }
        assert!(driver.said.len() < 10_000);
    }
}
