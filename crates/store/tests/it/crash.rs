//! `kill -9` at any moment: what was acknowledged is there, whole, once; what was not is there whole or not at all.

use crate::rig::{self, Rig, flags, message, to};
use base::mailbox::FlagEdit;
use base::{AccountId, Flags, MailboxId, Timestamp, Uid};
use gate::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use store::Place;

/// Where the child finds its store; only set for it.
const CHILD: &str = "MAILWARD_CRASH_CHILD";
const ROUNDS: u64 = 4;

/// In the child process: delivers and removes until it is killed, and says what was acknowledged. Elsewhere nothing.
#[test]
fn child() {
    let Some(place) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let settings = rig::settings(&place);
    let rig = Rig::of(rig::open(&settings), settings);
    let alice = rig.store.directory().login("alice").unwrap().unwrap().id;
    let inbox = rig.inbox(alice);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let rig = &rig;
            scope.spawn(move || work(rig, alice, inbox, thread));
        }
    });
}

fn work(rig: &Rig, alice: AccountId, inbox: MailboxId, thread: u32) {
    for number in 0.. {
        // Some have their body in the row, some in a file.
        let text = format!("{thread} {number} ").repeat(if number % 5 == 0 { 20_000 } else { 100 });
        let mail = message(&text, vec![to(alice, Folder::Inbox, Flags::default())]);
        let placed = rig.store.accept_now(vec![mail]).unwrap();
        let Place::Mailbox { appended, .. } = &placed[0].places[0] else { panic!("{placed:?}") };
        say(&format!("+{} {}", appended.uids[0], text.len()));
        if number % 4 == 3 {
            let uid = appended.uids[0];
            rig.store
                .set_flags(
                    alice,
                    inbox,
                    &[uid],
                    &FlagEdit::Add(flags(&["\\Deleted"])),
                    None,
                    base::Rights::ALL,
                )
                .unwrap();
            say(&format!("?{uid}"));
            rig.store.expunge(alice, inbox, Some(&[uid])).unwrap();
            say(&format!("-{uid}"));
        }
    }
}

/// One line, in one write.
fn say(line: &str) {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

fn start(place: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--nocapture", "--test-threads=1"]).env(CHILD, place);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn nothing_acknowledged_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let settings = rig::settings(place.path());
    let alice = Rig::of(rig::open(&settings), settings.clone()).account("alice");
    let (mut lengths, mut doubtful, mut gone) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for round in 0..ROUNDS {
        let mut child = start(place.path());
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(300 + 90 * (round * 7 % ROUNDS)));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            let number = |text: &str| text.parse().map(Uid).unwrap();
            match (line.split_at_checked(1), line.split_once(' ')) {
                (Some(("+", _)), Some((uid, length))) => {
                    lengths.insert(number(&uid[1..]), length.parse::<usize>().unwrap());
                }
                (Some(("?", uid)), None) => drop(doubtful.insert(number(uid))),
                (Some(("-", uid)), None) => drop(gone.insert(number(uid))),
                _ => {}
            }
        }
        check(&Rig::of(rig::open(&settings), settings.clone()), alice, &lengths, &doubtful, &gone);
    }
    assert!(lengths.len() > ROUNDS as usize, "{}", lengths.len());
}

fn check(
    rig: &Rig,
    alice: AccountId,
    lengths: &BTreeMap<Uid, usize>,
    doubtful: &BTreeSet<Uid>,
    gone: &BTreeSet<Uid>,
) {
    let inbox = rig.inbox(alice);
    let there = rig.content(alice, inbox);
    for (uid, length) in lengths {
        if gone.contains(uid) {
            assert!(!there.contains_key(uid), "{uid} came back");
        } else if !doubtful.contains(uid) {
            assert!(there.contains_key(uid), "{uid} is lost");
            let mail = rig.mail(alice, inbox, *uid).unwrap();
            assert!(rig.octets(alice, mail).unwrap().len() > *length, "{uid} is not whole");
        }
    }
    // What was deleted can be had back, whole: a message is in its mailbox or there, never in neither.
    let back = rig.store.recoverable(alice, Timestamp(0), None).unwrap();
    assert!(back.len() >= gone.len(), "{} of {} can be had back", back.len(), gone.len());
    let here = lengths.keys().filter(|uid| there.contains_key(uid)).count();
    assert!(here + back.len() >= lengths.len(), "{here} and {} of {}", back.len(), lengths.len());
    for one in &back {
        assert_eq!(
            rig.octets(alice, one.mail).unwrap().len() as u64,
            one.size,
            "{:?} is not whole",
            one.mail
        );
    }
    // Also what nobody was told of is whole, and the counts are right.
    let mut octets = 0;
    for uid in there.keys() {
        octets += rig.octets(alice, rig.mail(alice, inbox, *uid).unwrap()).unwrap().len() as u64;
    }
    let quota = rig.store.quota(alice).unwrap();
    assert_eq!((quota.messages, quota.octets), (there.len() as u64, octets));
}
