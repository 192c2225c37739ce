//! Mail for other servers: when it is due, what becomes of it.

use crate::rig::{Rig, flags, message, raw, to};
use base::{AccountId, Address, DomainId, Timestamp};
use gate::{Delivery, Folder};
use store::queue::{Change, Changed, Fate, Hold, Queued, Settled, Which};
use store::{Placed, StoreError};
use wire::smtp::Terms;

/// When the rig's messages are received.
const RECEIVED: i64 = 1_700_000_000;
const LATE_AFTER: i64 = 4 * 3600;

fn for_other(recipient: &str, account: Option<AccountId>) -> Delivery {
    let recipient = Address::parse(recipient).unwrap();
    Delivery::Queue { account, domain: DomainId(1), recipient, terms: Terms::default(), sender: None }
}

/// A queue with a message for each list of recipients.
fn filled(rig: &Rig, account: Option<AccountId>, mails: &[&[&str]]) -> Vec<Queued> {
    for (number, recipients) in mails.iter().enumerate() {
        let deliveries = recipients.iter().map(|to| for_other(to, account)).collect();
        rig.store.accept_now(vec![message(&"x".repeat(number + 1), deliveries)]).unwrap();
    }
    rig.store.queue().entries(0, 1000).unwrap()
}

fn settle(rig: &Rig, settled: Vec<Settled>, notices: Vec<gate::Screened>) -> Result<Vec<Placed>, StoreError> {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    rig.store.queue().settle(settled, notices, Box::new(move |outcome| send.send(outcome).unwrap()));
    receive.recv().unwrap()
}

fn due(rig: &Rig, destination: &str, now: i64) -> Vec<String> {
    let entries = rig.store.queue().due(destination, Timestamp(now), None, 100).unwrap();
    entries.iter().map(|one| one.recipient.to_string()).collect()
}

fn later(due: i64) -> Fate {
    Fate::Later { due: Timestamp(due), why: "452 full".into() }
}

#[test]
fn entries_are_found_by_destination_and_time() {
    let mut rig = Rig::new();
    let all = filled(&rig, None, &[&["a@Example.COM", "b@example.net"], &["c@example.com", "d@[192.0.2.1]"]]);
    rig.reopen();
    let queue = |rig: &Rig| {
        let mut all: Vec<(String, i64, u64)> = (rig.store.queue().destinations().unwrap().into_iter())
            .map(|one| (one.destination, one.due.0 - RECEIVED, one.entries))
            .collect();
        all.sort();
        all
    };
    assert_eq!(
        queue(&rig),
        [
            ("[192.0.2.1]".to_owned(), 0, 1),
            ("example.com".to_owned(), 0, 2),
            ("example.net".to_owned(), 0, 1)
        ]
    );
    assert!(due(&rig, "example.com", RECEIVED - 1).is_empty());
    assert_eq!(due(&rig, "example.com", RECEIVED), ["a@example.com", "c@example.com"]);

    // One is put off: it comes after the other, and not before its time.
    settle(&rig, vec![Settled { id: all[0].id, fate: later(RECEIVED + 60), events: vec![] }], vec![])
        .unwrap();
    assert_eq!(due(&rig, "example.com", RECEIVED + 59), ["c@example.com"]);
    assert_eq!(due(&rig, "example.com", RECEIVED + 60), ["c@example.com", "a@example.com"]);
    assert_eq!(rig.store.queue().earliest("example.com").unwrap(), Some(Timestamp(RECEIVED)));
    let put_off = &rig.store.queue().entries(0, 1).unwrap()[0];
    assert_eq!((put_off.tries, put_off.last.as_str()), (1, "452 full"));
    assert!(all[0].tried.is_none() && put_off.tried.is_some());

    // Pages join without a gap.
    let first = rig.store.queue().due("example.com", Timestamp(RECEIVED + 60), None, 1).unwrap();
    let after = Some((first[0].due, first[0].id));
    let second = rig.store.queue().due("example.com", Timestamp(RECEIVED + 60), after, 1).unwrap();
    assert_eq!((first[0].id, second[0].id), (all[2].id, all[0].id));
    assert_eq!(rig.store.queue().earliest("nowhere.example").unwrap(), None);
}

/// What the sender asked for is kept, of each recipient.
#[test]
fn terms_are_kept() {
    let mut rig = Rig::new();
    let soon = format!("BY={};R REQUIRETLS", RECEIVED + 600);
    let asked =
        ["", "NOTIFY=SUCCESS ORCPT=utf-8;jürgen@example.net", "NOTIFY=NEVER RET=HDRS ENVID=a+20b", &soon];
    let deliveries = asked.map(|terms| Delivery::Queue {
        account: None,
        domain: DomainId(1),
        recipient: Address::parse("a@example.com").unwrap(),
        terms: Terms::parse(terms).unwrap(),
        sender: None,
    });
    rig.store.accept_now(vec![message("x", deliveries.to_vec())]).unwrap();
    rig.reopen();
    let kept = rig.store.queue().entries(0, 10).unwrap();
    assert_eq!(kept.iter().map(|one| one.terms.to_string()).collect::<Vec<_>>(), asked);
    // Who has no time hears sooner that it is over.
    let late = kept.iter().map(|one| one.deadline.0 - RECEIVED).collect::<Vec<_>>();
    assert_eq!(late, [LATE_AFTER, LATE_AFTER, LATE_AFTER, 600]);
}

#[test]
fn the_last_entry_takes_its_mail_along() {
    let rig = Rig::new();
    let all = filled(&rig, None, &[&["a@example.com", "b@example.net"]]);
    let gone = |id| Settled { id, fate: Fate::Gone, events: vec![] };
    settle(&rig, vec![gone(all[0].id)], vec![]).unwrap();
    assert!(rig.octets(AccountId(0), all[0].mail).is_ok());
    settle(&rig, vec![gone(all[1].id)], vec![]).unwrap();
    assert!(rig.octets(AccountId(0), all[0].mail).is_err());
    // Again, as after a drop that came in between.
    settle(&rig, vec![gone(all[1].id)], vec![]).unwrap();
}

/// What a sender is told is there if and only if the entry is settled, and also when the mailbox is full.
#[test]
fn notices_come_with_what_they_tell_of() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.directory().set_quota(alice, Some(1), Some(0)).unwrap();
    let all = filled(&rig, Some(alice), &[&["a@example.com"]]);
    let gone = || vec![Settled { id: all[0].id, fate: Fate::Gone, events: vec![] }];
    let nobody = to(AccountId(99), Folder::Inbox, flags(&[]));
    assert!(settle(&rig, gone(), vec![internal(vec![nobody])]).is_err());
    assert_eq!(rig.store.queue().entries(0, 10).unwrap(), all);
    let notice = || internal(vec![to(alice, Folder::Inbox, flags(&[]))]);
    settle(&rig, gone(), vec![notice()]).unwrap();
    assert!(rig.store.queue().entries(0, 10).unwrap().is_empty());
    assert_eq!(rig.content(alice, rig.inbox(alice)).len(), 1);
    let other = message("from outside", vec![to(alice, Folder::Inbox, flags(&[]))]);
    assert!(matches!(rig.store.accept_now(vec![other]), Err(StoreError::OverQuota(_))));
}

/// Who is late at a time.
fn overdue(rig: &Rig, now: Timestamp) -> Vec<String> {
    let late = rig.store.queue().overdue(now, 10).unwrap();
    late.iter().map(|one| one.recipient.to_string()).collect()
}

/// A message of our own.
fn internal(deliveries: Vec<Delivery>) -> gate::Screened {
    let octets = b"From: <>\r\nSubject: not delivered\r\n\r\nSorry.\r\n".to_vec();
    crate::rig::sealed(octets, deliveries, gate::Origin::Internal)
}

#[test]
fn the_late_ones_are_found_once() {
    let rig = Rig::new();
    let all = filled(&rig, None, &[&["a@example.com"], &["b@example.com"]]);
    let overdue = |now: i64| rig.store.queue().overdue(Timestamp(now), 10).unwrap().len();
    assert_eq!(all[0].deadline, Timestamp(RECEIVED + LATE_AFTER));
    assert_eq!((overdue(RECEIVED + LATE_AFTER - 1), overdue(RECEIVED + LATE_AFTER)), (0, 2));
    let told = Fate::Told(Timestamp(RECEIVED + 86_400));
    settle(&rig, vec![Settled { id: all[0].id, fate: told, events: vec![] }], vec![]).unwrap();
    assert_eq!((overdue(RECEIVED + LATE_AFTER), overdue(RECEIVED + 86_400)), (1, 2));
    // Who holds an entry does not want its sender to be told.
    rig.store.queue().change(&Which::All, &Change::Hold("by hand".into())).unwrap();
    assert_eq!(overdue(RECEIVED + 86_400), 0);
}

#[test]
fn the_administrator_changes_some_or_all() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    filled(&rig, Some(alice), &[&["a@example.com", "b@example.net"]]);
    let all = filled(&rig, Some(bob), &[&["c@example.com"]]);
    let change = |which: Which, change: Change| rig.store.queue().change(&which, &change).unwrap();
    let hold = || Change::Hold("spam?".into());
    let both = vec!["example.com".to_owned(), "example.net".to_owned()];
    assert_eq!(change(Which::Account(alice), hold()), Changed { entries: 2, destinations: both });
    assert_eq!(due(&rig, "example.com", RECEIVED), ["c@example.com"]);
    assert_eq!(due(&rig, "example.net", RECEIVED).len(), 0);
    assert_eq!(rig.store.queue().destinations().unwrap().len(), 1);
    assert_eq!(rig.store.queue().entries(0, 1).unwrap()[0].held.as_deref(), Some("spam?"));
    let now = Timestamp::now().0;
    assert_eq!(overdue(&rig, Timestamp::now()), ["c@example.com"], "late, but for what is held");
    // The account's hold stands, whatever is released for a destination; the other way round below.
    assert_eq!(change(Which::Destination("example.net".into()), Change::Release).entries, 1);
    assert_eq!(due(&rig, "example.net", now).len(), 0);
    assert_eq!(change(Which::Destination("example.com".into()), hold()).entries, 2);
    assert_eq!(change(Which::Account(alice), Change::Release).entries, 2);
    assert_eq!(due(&rig, "example.net", now + 1), ["b@example.net"]);
    assert_eq!(due(&rig, "example.com", now + 1).len(), 0);
    assert_eq!(change(Which::Destination("example.com".into()), Change::Release).entries, 2);
    assert_eq!(due(&rig, "example.com", now + 1).len(), 2);
    assert!(overdue(&rig, Timestamp::now()).is_empty(), "what is released has time to be sent");
    settle(&rig, vec![Settled { id: all[2].id, fate: later(now + 1000), events: vec![] }], vec![]).unwrap();
    assert_eq!(change(Which::Ids(vec![all[2].id, 4711]), Change::Retry).entries, 1);
    assert_eq!(due(&rig, "example.com", now + 1), ["a@example.com", "c@example.com"]);
    assert_eq!(change(Which::All, Change::Drop).entries, 3);
    assert!(rig.store.queue().entries(0, 10).unwrap().is_empty());
    assert!(rig.octets(AccountId(0), all[0].mail).is_err());
}

/// What is held for a destination or an account stays held when more comes, until it is released.
#[test]
fn holds_stand() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let hold = |rig: &Rig, which: Which| {
        rig.store.queue().change(&which, &Change::Hold("why".into())).unwrap().entries
    };
    let (there, hers) = (Which::Destination("example.com".into()), Which::Account(alice));
    assert_eq!((hold(&rig, there.clone()), hold(&rig, hers.clone())), (0, 0));
    rig.reopen();
    filled(&rig, Some(alice), &[&["a@example.net"]]);
    filled(&rig, None, &[&["b@example.com"]]);
    let all = filled(&rig, Some(bob), &[&["c@Example.COM", "d@example.net"]]);
    let held: Vec<bool> = all.iter().map(|one| one.held.is_some()).collect();
    assert_eq!(held, [true, true, true, false]);
    let standing = |rig: &Rig| -> Vec<Which> {
        rig.store.queue().holds().unwrap().into_iter().map(|Hold { which, .. }| which).collect()
    };
    assert_eq!(standing(&rig), [hers, there.clone()]);
    assert_eq!(rig.store.queue().change(&there, &Change::Release).unwrap().entries, 2);
    filled(&rig, Some(alice), &[&["e@example.com"]]);
    assert_eq!(
        filled(&rig, Some(bob), &[&["f@example.com"]]).iter().filter(|one| one.held.is_some()).count(),
        2
    );
    rig.store.queue().change(&Which::All, &Change::Release).unwrap();
    assert!(standing(&rig).is_empty());
    assert!(filled(&rig, Some(alice), &[&["g@example.com"]]).iter().all(|one| one.held.is_none()));
}

/// More than one piece of work changes at a time.
#[test]
fn many_entries_are_changed_at_once() {
    let rig = Rig::new();
    let recipients: Vec<String> = (0..2500).map(|n| format!("r{n}@example.com")).collect();
    let deliveries = recipients.iter().map(|to| for_other(to, None)).collect();
    rig.store.accept_now(vec![raw(b"Subject: many\r\n\r\n".to_vec(), deliveries)]).unwrap();
    let change = |change: Change| rig.store.queue().change(&Which::All, &change).unwrap();
    assert_eq!(change(Change::Hold("x".into())).entries, 2500);
    assert_eq!(change(Change::Release).entries, 2500);
    assert_eq!(change(Change::Drop).entries, 2500);
}
