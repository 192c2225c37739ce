use crate::rig::{Rig, flags, message, raw, to};
use base::mailbox::Columns;
use base::{Address, DomainId, Flags, SpecialUse, Timestamp};
use gate::{Delivery, Folder};
use std::ops::ControlFlow;
use store::{Place, StoreError};

#[test]
fn mail_comes_back_whole_with_its_summary() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let octets = b"From: <b@example.net>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n\r\nbody\r\n";
    let delivery = to(alice, Folder::Inbox, flags(&["\\Seen", "$Important"]));
    let placed = rig.store.accept_now(vec![raw(octets.to_vec(), vec![delivery])]).unwrap();
    rig.reopen();
    assert_eq!(rig.octets(alice, placed[0].mail).unwrap(), octets);

    let opened = rig.store.open(alice, inbox).unwrap();
    assert_eq!(
        (opened.status.messages, opened.status.unseen, opened.status.octets),
        (1, 0, octets.len() as u64)
    );
    assert_eq!(opened.keywords, flags(&["$Important"]).keywords());
    let mut seen = 0;
    let mut each = |row: &base::mailbox::Row<'_>| {
        seen += 1;
        assert_eq!(
            (row.mail, row.size, row.internal_date),
            (placed[0].mail, octets.len() as u64, Timestamp(1_700_000_000))
        );
        assert_eq!(*row.flags, flags(&["\\Seen", "$Important"]));
        let summary = row.summary.unwrap();
        assert!(summary.head.starts_with(b"From: <b@example.net>\r\nSubject:"));
        assert!(
            summary.envelope.starts_with(b"(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"=?utf-8?q?gr=C3=BCn?=\"")
        );
        assert!(
            summary.body_structure.starts_with(b"(\"TEXT\" \"PLAIN\"")
                || summary.body_structure.starts_with(b"(\"text\" \"plain\"")
        );
        ControlFlow::Continue(())
    };
    rig.store.scan(alice, inbox, &opened.uids, Columns { summary: true }, &mut each).unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn deliveries_find_their_folders() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    rig.create(alice, "lists");
    let cases = [
        (to(alice, Folder::Inbox, Flags::default()), alice, "INBOX"),
        (to(alice, Folder::Special(SpecialUse::Junk), Flags::default()), alice, "Junk"),
        (to(alice, Folder::Named("lists".into()), Flags::default()), alice, "lists"),
        (to(alice, Folder::Named("none".into()), Flags::default()), alice, "INBOX"),
        (to(alice, Folder::Named("bad//name".into()), Flags::default()), alice, "INBOX"),
        (to(bob, Folder::Inbox, Flags::default()), bob, "INBOX"),
    ];
    let deliveries = cases.iter().map(|(delivery, ..)| delivery.clone()).collect();
    let placed = rig.store.accept_now(vec![message("x", deliveries)]).unwrap();
    for ((_, account, name), place) in cases.iter().zip(&placed[0].places) {
        let expected = rig.mailbox(*account, name);
        assert!(matches!(place, Place::Mailbox { mailbox, .. } if *mailbox == expected), "{name}: {place:?}");
    }
    // One content an account.
    let inbox = rig.inbox(alice);
    let uids = rig.store.open(alice, inbox).unwrap().uids;
    assert_eq!(rig.mail(alice, inbox, uids[0]), rig.mail(alice, inbox, uids[1]));
    let gone = to(alice, Folder::Exact(rig.inbox(bob)), Flags::default());
    assert!(matches!(rig.store.accept_now(vec![message("x", vec![gone])]), Err(StoreError::Gone)));
}

#[test]
fn all_or_none_when_over_quota() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    rig.store.directory().set_quota(bob, None, Some(1)).unwrap();
    let both = || vec![to(alice, Folder::Inbox, Flags::default()), to(bob, Folder::Inbox, Flags::default())];
    rig.store.accept_now(vec![message("one", both())]).unwrap();
    let second = rig.store.accept_now(vec![message("two", both()[..1].to_vec()), message("three", both())]);
    assert!(matches!(second, Err(StoreError::OverQuota(account)) if account == bob), "{second:?}");
    for account in [alice, bob] {
        assert_eq!(rig.content(account, rig.inbox(account)).len(), 1);
        assert_eq!(rig.store.quota(account).unwrap().messages, 1);
    }
    // Octets count too, and what is removed makes room.
    rig.store.directory().set_quota(bob, Some(10), None).unwrap();
    let only = || vec![to(bob, Folder::Inbox, flags(&["\\Deleted"]))];
    assert!(matches!(rig.store.accept_now(vec![message("four", only())]), Err(StoreError::OverQuota(_))));
    rig.store.directory().set_quota(bob, Some(400), None).unwrap();
    rig.store.accept_now(vec![message("five", only())]).unwrap();
    rig.store.directory().set_quota(bob, Some(10), Some(1)).unwrap();
    assert_eq!(rig.store.expunge(bob, rig.inbox(bob), None).unwrap().len(), 1);
    assert_eq!(rig.store.quota(bob).unwrap().messages, 1);
}

#[test]
fn queue_and_quarantine() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let recipient = Address::parse("c@example.com").unwrap();
    let queue = Delivery::Queue {
        account: Some(alice),
        domain: DomainId(1),
        recipient: recipient.clone(),
        terms: wire::smtp::Terms::default(),
        sender: None,
    };
    let held = to(alice, Folder::Named("x".into()), flags(&["\\Flagged"]));
    let quarantine = Delivery::Quarantine { instead_of: Box::new(held.clone()), reason: "macros".into() };
    let placed = rig.store.accept_now(vec![message("q", vec![queue.clone(), quarantine, queue])]).unwrap();
    rig.reopen();
    let queued = rig.store.queue().entries(0, 10).unwrap();
    assert_eq!(queued.len(), 2);
    assert_eq!((queued[0].recipient.clone(), queued[0].mail), (recipient, placed[0].mail));
    assert_eq!(placed[0].places[0], Place::Queue(queued[0].id));
    assert_eq!(rig.store.queue().entries(queued[0].id, 10).unwrap(), queued[1..]);
    let quarantined = rig.store.quarantined(0, 10).unwrap();
    assert_eq!((quarantined[0].reason.as_str(), &quarantined[0].instead_of), ("macros", &held));
    assert_eq!(placed[0].places[1], Place::Quarantine(quarantined[0].id));
    assert!(!rig.octets(base::AccountId(0), queued[0].mail).unwrap().is_empty());
}

#[test]
fn threads_follow_references() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    for header in [
        "Message-ID: <1@x>",
        "Message-ID: <2@x>\r\nReferences: <1@x>",
        "Message-ID: <3@x>",
        "Message-ID: <4@x>\r\nReferences: <0@x> <1@x>\r\n <2@x>",
        "Message-ID: <5@x>\r\nIn-Reply-To: <3@x>",
        "Subject: none",
    ] {
        let mail =
            raw(format!("{header}\r\n\r\n").into_bytes(), vec![to(alice, Folder::Inbox, Flags::default())]);
        rig.store.accept_now(vec![mail]).unwrap();
    }
    let mut threads = Vec::new();
    let mut each = |row: &base::mailbox::Row<'_>| {
        threads.push(row.thread);
        ControlFlow::Continue(())
    };
    let uids = rig.store.open(alice, inbox).unwrap().uids;
    rig.store.scan(alice, inbox, &uids, Columns::default(), &mut each).unwrap();
    let t = threads;
    assert!(
        t[0] == t[1] && t[1] == t[3] && t[2] == t[4] && t[0] != t[2] && t[5] != t[0] && t[5] != t[2],
        "{t:?}"
    );
}

#[test]
fn nothing_is_taken_when_the_disk_is_nearly_full() {
    let rig = Rig::with(|settings| settings.least_free = u64::MAX);
    let alice = rig.account("alice");
    assert!(!rig.store.has_room());
    let mail = message("x", vec![to(alice, Folder::Inbox, Flags::default())]);
    assert!(matches!(rig.store.accept_now(vec![mail]), Err(StoreError::DiskFull)));
    assert!(rig.store.expunge(alice, rig.inbox(alice), None).is_ok());
}
