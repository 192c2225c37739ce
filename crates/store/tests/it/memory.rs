//! What accounts remember for a while.

use crate::rig::{Rig, message, to};
use base::{AccountId, Flags, Timestamp};
use gate::Folder;
use store::{Mark, Remembered};

/// Has something remembered `seconds` from now, with a message for the INBOX that depends on it.
fn remember(rig: &Rig, of: AccountId, mark: Mark, seconds: i64, renew: bool) {
    let reply = message("Subject: reply\r\n\r\n", vec![to(of, Folder::Inbox, Flags::default())]);
    let until = Timestamp(Timestamp::now().0 + seconds);
    let memory = vec![Remembered { of, mark, until, renew, unless_known: Some(reply) }];
    let (send, receive) = std::sync::mpsc::channel();
    rig.store.accept_and_remember(Vec::new(), memory, Box::new(move |outcome| send.send(outcome).unwrap()));
    // Of what depends on the memory, nothing is told.
    assert!(receive.recv().unwrap().unwrap().is_empty());
}

#[test]
fn what_depends_on_memory_comes_once() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let mark = rig.store.mark(&[b"a", b"b"]);
    let now = Timestamp::now();
    assert!(!rig.store.remembers(alice, mark, now).unwrap());
    remember(&rig, alice, mark, 1000, false);
    remember(&rig, alice, mark, 2000, false);
    remember(&rig, alice, rig.store.mark(&[b"ab"]), 1000, false);
    rig.reopen();
    remember(&rig, alice, mark, 3000, false);
    assert_eq!(rig.content(alice, rig.inbox(alice)).len(), 2);
    assert!(!rig.store.remembers(bob, mark, now).unwrap());
    // The first time stays, unless it is to begin anew.
    let at = |seconds: i64| Timestamp(now.0 + seconds);
    assert!(rig.store.remembers(alice, mark, at(990)).unwrap());
    assert!(!rig.store.remembers(alice, mark, at(1100)).unwrap());
    remember(&rig, alice, mark, 3000, true);
    assert!(rig.store.remembers(alice, mark, at(2900)).unwrap());
    assert_eq!(rig.content(alice, rig.inbox(alice)).len(), 2);
}

#[test]
fn what_is_past_counts_no_more() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let mark = rig.store.mark(&[b"a"]);
    remember(&rig, alice, mark, -1, false);
    assert!(!rig.store.remembers(alice, mark, Timestamp::now()).unwrap());
    remember(&rig, alice, mark, 10, false);
    assert_eq!(rig.content(alice, rig.inbox(alice)).len(), 2);
}

/// Strangers decide how much there is to remember.
#[test]
fn memory_is_bounded() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let mark = |number: i64| rig.store.mark(&[&number.to_be_bytes()]);
    let now = Timestamp::now();
    let many = |range: std::ops::Range<i64>| {
        let one = |number| Remembered {
            of: alice,
            mark: mark(number),
            until: Timestamp(now.0 + 10 + number),
            renew: false,
            unless_known: None,
        };
        rig.store.accept_and_remember(
            Vec::new(),
            range.map(one).collect(),
            Box::new(|outcome| drop(outcome.unwrap())),
        );
        rig.store.accept_now(Vec::new()).unwrap();
    };
    let known = |number| rig.store.remembers(alice, mark(number), now).unwrap();
    many(0..5000);
    assert!(known(0) && known(4999));
    many(5000..5010);
    assert!(!known(0) && !known(249) && known(250) && known(5009));
}

#[test]
fn memory_goes_with_its_account() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let mark = rig.store.mark(&[b"a"]);
    remember(&rig, alice, mark, 1000, false);
    rig.store.directory().remove_account(alice).unwrap();
    assert!(!rig.store.remembers(alice, mark, Timestamp::now()).unwrap());
}
