use crate::rig::{Rig, flags};
use base::mailbox::{FlagEdit, MailError};
use base::{Flags, MailboxName, SpecialUse, Uid};

fn names(rig: &Rig, of: base::AccountId) -> Vec<String> {
    let shown = |info: base::mailbox::MailboxInfo| {
        let mark = if info.mailbox.is_none() { " (name)" } else { "" };
        let subscribed = if info.subscribed { " +" } else { "" };
        format!("{}{mark}{subscribed}", info.name)
    };
    rig.store.mailboxes(of).unwrap().into_iter().map(shown).collect()
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

#[test]
fn an_account_begins_with_its_six() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    assert_eq!(names(&rig, alice), ["Archive +", "Drafts +", "INBOX +", "Junk +", "Sent +", "Trash +"]);
    let all = rig.store.mailboxes(alice).unwrap();
    let uses: Vec<_> = all.iter().filter_map(|info| info.special_use).collect();
    assert_eq!(uses, SpecialUse::ALL.map(|(kind, _)| kind));
    let again = rig.store.create(alice, &name("Other"), Some(SpecialUse::Sent));
    assert!(matches!(again, Err(MailError::Refused(_))), "{again:?}");
}

#[test]
fn parents_are_made_and_survive_as_names() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.create(alice, "a/b/c");
    assert!(matches!(rig.store.create(alice, &name("a/b"), None), Err(MailError::Exists)));
    rig.store.delete(alice, rig.mailbox(alice, "a")).unwrap();
    let below: Vec<String> = names(&rig, alice).into_iter().filter(|n| n.starts_with('a')).collect();
    assert_eq!(below, ["a (name)", "a/b", "a/b/c"]);
    rig.create(alice, "a");
    assert!(names(&rig, alice).contains(&"a".to_owned()));
    assert!(matches!(rig.store.delete(alice, rig.inbox(alice)), Err(MailError::Refused(_))));
    rig.store.subscribe(alice, &name("ghost"), true).unwrap();
    assert!(names(&rig, alice).contains(&"ghost (name) +".to_owned()));
    rig.store.subscribe(alice, &name("ghost"), false).unwrap();
    assert!(!names(&rig, alice).iter().any(|n| n.starts_with("ghost")));
}

#[test]
fn renaming_takes_those_below_along() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    for text in ["x/y/z", "x/y/x", "other"] {
        rig.create(alice, text);
    }
    let (x, y, other) = (rig.mailbox(alice, "x"), rig.mailbox(alice, "x/y"), rig.mailbox(alice, "other"));
    rig.put(alice, y, "m", Flags::default());
    assert!(matches!(rig.store.rename(alice, x, &name("other")), Err(MailError::Exists)));
    assert!(matches!(rig.store.rename(alice, x, &name("x/y/q")), Err(MailError::Refused(_))));
    rig.store.rename(alice, y, &name("new/place")).unwrap();
    let shown: Vec<String> = names(&rig, alice).into_iter().filter(|n| !n.ends_with('+')).collect();
    assert_eq!(shown, ["new", "new/place", "new/place/x", "new/place/z", "other", "x"]);
    assert_eq!((rig.mailbox(alice, "new/place"), rig.mailbox(alice, "other")), (y, other));
    assert_eq!(rig.content(alice, y).len(), 1);
    // A lower level takes the place of a name above it.
    rig.create(alice, "p/p/p");
    rig.store.delete(alice, rig.mailbox(alice, "p")).unwrap();
    rig.store.rename(alice, rig.mailbox(alice, "p/p"), &name("p")).unwrap();
    let shown: Vec<String> = names(&rig, alice).into_iter().filter(|n| n.starts_with('p')).collect();
    assert_eq!(shown, ["p", "p/p"]);
}

#[test]
fn renaming_inbox_moves_its_mail() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    rig.put(alice, inbox, "m", flags(&["\\Seen", "word"]));
    rig.create(alice, "INBOX/below");
    rig.store.rename(alice, inbox, &name("old")).unwrap();
    assert_eq!(rig.inbox(alice), inbox);
    assert!(rig.content(alice, inbox).is_empty());
    let old = rig.content(alice, rig.mailbox(alice, "old"));
    assert_eq!(old.values().collect::<Vec<_>>(), [&flags(&["\\Seen", "word"])]);
    rig.mailbox(alice, "INBOX/below");
}

#[test]
fn uids_and_validity_only_grow() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let mut mailbox = rig.create(alice, "m");
    let (mut validity, mut last) = (base::UidValidity(0), Uid(0));
    for _ in 0..3 {
        let status = rig.store.status(alice, mailbox).unwrap();
        assert!(status.uid_validity > validity);
        validity = status.uid_validity;
        for _ in 0..3 {
            let uid = rig.put(alice, mailbox, "x", flags(&["\\Deleted"]));
            assert!(uid > last);
            last = uid;
            rig.store.expunge(alice, mailbox, None).unwrap();
            rig.reopen();
            assert_eq!(rig.store.status(alice, mailbox).unwrap().uid_next, Uid(uid.0 + 1));
        }
        rig.store.delete(alice, mailbox).unwrap();
        let again = rig.create(alice, "m");
        assert_ne!(again, mailbox);
        (mailbox, last) = (again, Uid(0));
    }
}

#[test]
fn flags_copies_and_moves() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (inbox, archive) = (rig.inbox(alice), rig.mailbox(alice, "Archive"));
    let uids: Vec<Uid> = (0..5).map(|_| rig.put(alice, inbox, "x", flags(&["k"]))).collect();
    let stored = rig
        .store
        .set_flags(
            alice,
            inbox,
            &uids[..3],
            &FlagEdit::Add(flags(&["\\Seen", "K", "z"])),
            None,
            base::Rights::ALL,
        )
        .unwrap();
    assert_eq!(stored.done.len(), 3);
    assert!(stored.done.iter().all(|one| one.flags == flags(&["\\Seen", "k", "z"])));
    let status = rig.store.status(alice, inbox).unwrap();
    assert_eq!((status.messages, status.unseen, status.highest_modseq), (5, 2, stored.done[0].modseq));
    // What changes nothing moves no MODSEQ.
    let same = rig
        .store
        .set_flags(alice, inbox, &uids[..3], &FlagEdit::Add(flags(&["\\Seen"])), None, base::Rights::ALL)
        .unwrap();
    assert_eq!((same.done, rig.store.status(alice, inbox).unwrap()), (stored.done.clone(), status));
    // Only what hasn't changed since.
    let since = Some(base::ModSeq(stored.done[0].modseq.0 - 1));
    let part = rig
        .store
        .set_flags(alice, inbox, &uids, &FlagEdit::Replace(Flags::default()), since, base::Rights::ALL)
        .unwrap();
    assert_eq!((part.modified, part.done.len()), (uids[..3].to_vec(), 2));

    let copied = rig.store.copy(alice, inbox, &[uids[0], Uid(999)], archive, base::Rights::ALL).unwrap();
    assert_eq!(copied.uids, [(uids[0], Uid(1))]);
    let moved = rig.store.move_to(alice, inbox, &uids[1..3], archive, base::Rights::ALL).unwrap();
    assert_eq!(moved.uids, [(uids[1], Uid(2)), (uids[2], Uid(3))]);
    assert_eq!(rig.content(alice, inbox).into_keys().collect::<Vec<_>>(), [uids[0], uids[3], uids[4]]);
    assert!(rig.content(alice, archive).into_values().all(|f| f == flags(&["\\Seen", "k", "z"])));
    assert_eq!(rig.mail(alice, inbox, uids[0]), rig.mail(alice, archive, Uid(1)));
    assert_eq!(rig.store.quota(alice).unwrap().messages, 6);
    // Within one mailbox a move gives a new number.
    let again = rig.store.move_to(alice, archive, &[Uid(2)], archive, base::Rights::ALL).unwrap();
    assert_eq!(again.uids, [(Uid(2), Uid(4))]);
    assert_eq!(rig.content(alice, archive).into_keys().collect::<Vec<_>>(), [Uid(1), Uid(3), Uid(4)]);
}

#[test]
fn keywords_have_a_limit() {
    let rig = Rig::with(|settings| settings.limits.keywords = 2);
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let uid = rig.put(alice, inbox, "x", flags(&["a", "b", "c"]));
    assert_eq!(rig.content(alice, inbox)[&uid], flags(&["a", "b"]));
    let more =
        rig.store.set_flags(alice, inbox, &[uid], &FlagEdit::Add(flags(&["c"])), None, base::Rights::ALL);
    assert!(matches!(more, Err(MailError::Limit(_))), "{more:?}");
    rig.store
        .set_flags(alice, inbox, &[uid], &FlagEdit::Remove(flags(&["c", "a"])), None, base::Rights::ALL)
        .unwrap();
    assert_eq!(rig.store.open(alice, inbox).unwrap().keywords.len(), 2);
}

#[test]
fn copies_are_all_or_none_over_quota() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (inbox, archive) = (rig.inbox(alice), rig.mailbox(alice, "Archive"));
    let uids: Vec<Uid> = (0..3).map(|_| rig.put(alice, inbox, "x", Flags::default())).collect();
    rig.store.directory().set_quota(alice, None, Some(5)).unwrap();
    assert!(matches!(
        rig.store.copy(alice, inbox, &uids, archive, base::Rights::ALL),
        Err(MailError::OverQuota)
    ));
    assert!(rig.content(alice, archive).is_empty());
    rig.store.directory().set_quota(alice, None, Some(1)).unwrap();
    assert_eq!(rig.store.move_to(alice, inbox, &uids, archive, base::Rights::ALL).unwrap().uids.len(), 3);
}

#[test]
fn recency_ends_once() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    for _ in 0..3 {
        rig.put(alice, inbox, "x", Flags::default());
    }
    assert_eq!(rig.store.status(alice, inbox).unwrap().recent, 3);
    assert_eq!(rig.store.claim_recent(alice, inbox, Uid(4)).unwrap(), Uid(1));
    assert_eq!(rig.store.claim_recent(alice, inbox, Uid(4)).unwrap(), Uid(4));
    rig.put(alice, inbox, "x", Flags::default());
    rig.reopen();
    assert_eq!(rig.store.status(alice, inbox).unwrap().recent, 1);
    assert_eq!(rig.store.claim_recent(alice, inbox, Uid(5)).unwrap(), Uid(4));
    assert_eq!(rig.store.status(alice, inbox).unwrap().recent, 0);
}

/// Of sessions that look at the same time, one is told of a message; imaptest saw two once in 400,000.
#[test]
fn recency_ends_once_for_all_at_once() {
    let place = tempfile::tempdir().unwrap();
    let settings = crate::rig::settings(place.path());
    let store = crate::rig::open(&settings);
    let rig = Rig::of(store.clone(), settings);
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    const UIDS: u32 = 3000;
    let claims: Vec<(u32, u32)> = std::thread::scope(|scope| {
        let work = || {
            let claim = |below: u32| {
                let first = rig.store.claim_recent(alice, inbox, Uid(below)).unwrap().0;
                if below.is_multiple_of(100) {
                    // Has what was claimed written, in between.
                    store.keep_house().unwrap();
                }
                (first, below)
            };
            (2..=UIDS).map(claim).filter(|(first, below)| first < below).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let told: usize = claims.iter().map(|(first, below)| (below - first) as usize).sum();
    assert_eq!(told, UIDS as usize - 1, "a message was told of twice, or never");
}

#[test]
fn one_account_cannot_reach_anothers() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let inbox = rig.inbox(alice);
    let uid = rig.put(alice, inbox, "secret", Flags::default());
    let mail = rig.mail(alice, inbox, uid).unwrap();
    assert!(matches!(rig.store.open(bob, inbox), Err(MailError::NoMailbox)));
    assert!(matches!(rig.store.status(bob, inbox), Err(MailError::NoMailbox)));
    assert!(matches!(rig.store.read(bob, mail), Err(MailError::NoMessage)));
    assert!(matches!(
        rig.store.copy(bob, inbox, &[uid], rig.inbox(bob), base::Rights::ALL),
        Err(MailError::NoMailbox)
    ));
    assert!(matches!(rig.store.delete(bob, rig.mailbox(alice, "Sent")), Err(MailError::NoMailbox)));
    assert_eq!(rig.store.recover(bob, &[mail]).unwrap(), 0);
}
