//! What is deleted, for a while and for good.

use crate::rig::{self, Rig, flags, raw, to};
use base::mailbox::{FlagEdit, MailError};
use base::{AccountId, Flags, MailboxId, ModSeq, Timestamp, Uid};
use gate::Folder;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Settings, Sqlite, Store};

/// From then on.
const ALWAYS: Timestamp = Timestamp(0);

/// A message with an attachment that is kept as a blob.
fn with_attachment(of: AccountId, number: u32) -> gate::Screened {
    let mut text = format!(
        "Subject: file {number}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; \
         filename=a.bin\r\n\r\n"
    );
    (0..4000).for_each(|_| {
        text.push_str("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n")
    });
    text.push_str("--b--\r\n");
    raw(text.into_bytes(), vec![to(of, Folder::Inbox, Flags::default())])
}

fn blobs(place: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(place) else { return 0 };
    let count = |entry: std::fs::DirEntry| if entry.path().is_dir() { blobs(&entry.path()) } else { 1 };
    entries.flatten().map(count).sum()
}

#[test]
fn what_was_removed_can_be_had_back() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (inbox, third) = (rig.inbox(alice), rig.create(alice, "third"));
    let first = rig.put(alice, inbox, "one", flags(&["\\Seen", "\\Deleted", "k"]));
    let second = rig.put(alice, third, "two", Flags::default());
    let mails =
        [(inbox, first), (third, second)].map(|(mailbox, uid)| rig.mail(alice, mailbox, uid).unwrap());
    rig.store.remove_recoverably(alice, inbox, &[first]).unwrap();
    rig.store.delete(alice, third).unwrap();
    assert_eq!(rig.store.quota(alice).unwrap().messages, 0);
    let listed = rig.store.recoverable(alice, ALWAYS, None).unwrap();
    let shown: Vec<_> =
        listed.iter().map(|one| (one.mail, one.mailbox.as_str(), one.subject.as_str())).collect();
    assert!(
        shown.contains(&(mails[0], "INBOX", "test")) && shown.contains(&(mails[1], "third", "test")),
        "{shown:?}"
    );
    assert!(!rig.octets(alice, mails[0]).unwrap().is_empty());

    assert_eq!(rig.store.recover(alice, &mails).unwrap(), 2);
    let back = rig.content(alice, inbox);
    assert_eq!(back.len(), 2);
    assert_eq!(back.values().next(), Some(&flags(&["\\Seen", "k"])));
    assert!(back.keys().all(|uid| *uid > first), "UIDs are not given again");
    assert!(rig.store.recoverable(alice, ALWAYS, None).unwrap().is_empty());
    assert_eq!(rig.store.quota(alice).unwrap().messages, 2);
}

/// Flags messages `\Deleted` and expunges them.
fn expunge(rig: &Rig, of: AccountId, mailbox: MailboxId, uids: &[Uid]) {
    let edit = FlagEdit::Add(flags(&["\\Deleted"]));
    rig.store.set_flags(of, mailbox, uids, &edit, None, base::Rights::ALL).unwrap();
    assert_eq!(rig.store.expunge(of, mailbox, Some(uids)).unwrap(), uids);
}

/// The mailboxes of what can be had back, the newest first.
fn homes(rig: &Rig, of: AccountId) -> Vec<String> {
    let all = rig.store.recoverable(of, ALWAYS, None).unwrap();
    all.iter().map(|one| one.mailbox.to_string()).collect()
}

#[test]
fn what_was_expunged_can_be_had_back() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let uid = rig.put(alice, inbox, "one", flags(&["\\Seen", "k"]));
    let mail = rig.mail(alice, inbox, uid).unwrap();
    let octets = rig.octets(alice, mail).unwrap();
    expunge(&rig, alice, inbox, &[uid]);
    assert!(rig.content(alice, inbox).is_empty());
    assert_eq!(rig.store.quota(alice).unwrap().octets, 0);
    let listed = rig.store.recoverable(alice, ALWAYS, Some("INBOX")).unwrap();
    assert_eq!(
        listed.iter().map(|one| (one.mail, one.size)).collect::<Vec<_>>(),
        [(mail, octets.len() as u64)]
    );
    assert!(rig.store.recoverable(alice, ALWAYS, Some("Work")).unwrap().is_empty());
    assert!(rig.store.recoverable(alice, Timestamp(i64::MAX), None).unwrap().is_empty());
    assert_eq!(rig.store.recover(alice, &[mail]).unwrap(), 1);
    assert_eq!(rig.content(alice, inbox).into_values().collect::<Vec<_>>(), [flags(&["\\Seen", "k"])]);
    assert_eq!(rig.octets(alice, mail).unwrap(), octets);
}

/// Clients that know no MOVE copy and expunge: that deletes nothing.
#[test]
fn what_lies_elsewhere_is_not_deleted() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (inbox, trash) = (rig.inbox(alice), rig.mailbox(alice, "Trash"));
    let uid = rig.put(alice, inbox, "one", Flags::default());
    let copied = rig.store.copy(alice, inbox, &[uid], trash, base::Rights::ALL).unwrap();
    expunge(&rig, alice, inbox, &[uid]);
    assert_eq!(homes(&rig, alice), [] as [&str; 0]);
    expunge(&rig, alice, trash, &[copied.uids[0].1]);
    assert_eq!(homes(&rig, alice), ["Trash"]);
}

#[test]
fn zero_days_keep_nothing() {
    let check = |change: fn(&mut Settings)| {
        let rig = Rig::with(change);
        let alice = rig.account("alice");
        let (inbox, third) = (rig.inbox(alice), rig.create(alice, "third"));
        let uids: Vec<Uid> = (0..2).map(|_| rig.put(alice, inbox, "x", Flags::default())).collect();
        rig.put(alice, third, "y", Flags::default());
        expunge(&rig, alice, inbox, &uids[..1]);
        rig.store.remove_recoverably(alice, inbox, &uids[1..]).unwrap();
        rig.store.delete(alice, third).unwrap();
        assert_eq!(homes(&rig, alice), [] as [&str; 0]);
    };
    check(|settings| settings.keep_deleted = Duration::ZERO);
    check(|settings| settings.keep_deleted_octets = 0);
}

/// Where the disk is nearly full, what is deleted makes room.
#[test]
fn a_full_disk_keeps_nothing_that_is_deleted() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let uids: Vec<Uid> = (0..2).map(|_| rig.put(alice, inbox, "x", Flags::default())).collect();
    expunge(&rig, alice, inbox, &uids[..1]);
    rig.settings.least_free = u64::MAX;
    rig.reopen();
    expunge(&rig, alice, inbox, &uids[1..]);
    assert_eq!(homes(&rig, alice), ["INBOX"]);
}

/// What can be had back has a bound of its own, beside the quota: a full account can delete, and the oldest goes first.
#[test]
fn recoverable_mail_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = rig::settings(place.path());
    settings.keep_deleted_octets = 400;
    let store = rig::open(&settings);
    let rig = Rig::of(store.clone(), settings);
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let inbox = rig.inbox(alice);
    // About 165 octets each.
    let uids: Vec<Uid> = (0..5).map(|_| rig.put(alice, inbox, &"x".repeat(100), Flags::default())).collect();
    let mails: Vec<_> = uids.iter().map(|uid| rig.mail(alice, inbox, *uid).unwrap()).collect();
    rig.put(bob, rig.inbox(bob), "y", Flags::default());
    expunge(&rig, bob, rig.inbox(bob), &[Uid(1)]);
    rig.store.directory().set_quota(alice, Some(1), Some(1)).unwrap();
    for uid in &uids {
        expunge(&rig, alice, inbox, &[*uid]);
    }
    assert_eq!(rig.store.quota(alice).unwrap().octets, 0);
    store.clear_now().unwrap();
    let left: Vec<_> =
        rig.store.recoverable(alice, ALWAYS, None).unwrap().iter().map(|one| one.mail).collect();
    assert_eq!(left, [mails[4], mails[3]]);
    assert!(matches!(rig.octets(alice, mails[0]), Err(MailError::NoMessage)), "it is cleared away");
    assert_eq!(homes(&rig, bob), ["INBOX"]);
    // What was had back makes room there.
    rig.store.directory().set_quota(alice, None, None).unwrap();
    assert_eq!(rig.store.recover(alice, &left).unwrap(), 2);
    let again = rig.content(alice, inbox).into_keys().collect::<Vec<_>>();
    expunge(&rig, alice, inbox, &again);
    store.clear_now().unwrap();
    assert_eq!(homes(&rig, alice), ["INBOX"; 2]);
}

#[test]
fn recovery_ends_and_is_by_quota() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = rig::settings(place.path());
    let store = rig::open(&settings);
    let rig = Rig::of(store.clone(), settings.clone());
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let uids: Vec<Uid> = (0..3).map(|_| rig.put(alice, inbox, "x", Flags::default())).collect();
    let mail = rig.mail(alice, inbox, uids[0]).unwrap();
    rig.store.remove_recoverably(alice, inbox, &uids).unwrap();
    rig.store.directory().set_quota(alice, None, Some(0)).unwrap();
    assert!(matches!(rig.store.recover(alice, &[mail]), Err(MailError::OverQuota)));
    assert_eq!(rig.store.recoverable(alice, ALWAYS, None).unwrap().len(), 3);
    store.keep_house().unwrap();
    assert_eq!(rig.store.recoverable(alice, ALWAYS, None).unwrap().len(), 3);
    // The time for which it is kept can be made shorter.
    store.close();
    drop((store, rig));
    settings.keep_deleted = Duration::ZERO;
    let store = rig::open(&settings);
    store.keep_house().unwrap();
    assert!(store.recoverable(alice, ALWAYS, None).unwrap().is_empty());
}

#[test]
fn blobs_go_with_the_last_mail_that_needs_them() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = rig::settings(place.path());
    settings.keep_deleted = Duration::ZERO;
    let store: Arc<Sqlite> = rig::open(&settings);
    let rig = Rig::of(store.clone(), settings.clone());
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let folder = settings.directory.join("blobs");
    rig.store.accept_now(vec![with_attachment(alice, 1), with_attachment(bob, 2)]).unwrap();
    let both = blobs(&folder);
    rig.store.accept_now(vec![with_attachment(alice, 3)]).unwrap();
    assert_eq!(blobs(&folder), both, "an attachment known to the domain is kept once");
    let all = |of: AccountId| -> (MailboxId, Vec<Uid>) {
        let inbox = rig.inbox(of);
        (inbox, rig.content(of, inbox).into_keys().collect())
    };
    let remove = |of: AccountId| {
        let (inbox, uids) = all(of);
        let edit = FlagEdit::Add(flags(&["\\Deleted"]));
        rig.store.set_flags(of, inbox, &uids, &edit, None, base::Rights::ALL).unwrap();
        assert_eq!(rig.store.expunge(of, inbox, None).unwrap(), uids);
        store.clear_now().unwrap();
    };
    remove(alice);
    let (inbox, uids) = all(bob);
    let mail = rig.mail(bob, inbox, uids[0]).unwrap();
    assert!(rig.octets(bob, mail).unwrap().len() > 300_000, "bob's is whole");
    remove(bob);
    assert_eq!(blobs(&folder), 0);
    rig.store.directory().set_quota(bob, None, Some(0)).unwrap();
    assert!(rig.store.accept_now(vec![with_attachment(bob, 4)]).is_err());
    assert_eq!(blobs(&folder), 0, "what was refused leaves nothing");
    assert!(matches!(rig.octets(bob, mail), Err(MailError::NoMessage)));
}

#[test]
fn pruned_tombstones_are_told() {
    let place = tempfile::tempdir().unwrap();
    let settings = rig::settings(place.path());
    let store: Arc<Sqlite> = rig::open(&settings);
    let rig = Rig::of(store.clone(), settings);
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let uids: Vec<Uid> = (0..6).map(|_| rig.put(alice, inbox, "x", flags(&["\\Deleted"]))).collect();
    let before = rig.store.status(alice, inbox).unwrap().highest_modseq;
    rig.store.expunge(alice, inbox, Some(&uids[..2])).unwrap();
    let middle = rig.store.changes(alice, inbox, before).unwrap();
    assert_eq!((middle.complete, middle.vanished.as_slice()), (true, &uids[..2]));
    let validity = rig.store.status(alice, inbox).unwrap().uid_validity;
    store.clear_now().unwrap();
    rig.store.expunge(alice, inbox, Some(&uids[4..5])).unwrap();
    let late = rig.store.changes(alice, inbox, before).unwrap();
    assert!(!late.complete, "the log no longer reaches back so far");
    let recent = rig.store.changes(alice, inbox, middle.highest_modseq).unwrap();
    assert_eq!((recent.complete, recent.vanished), (true, vec![uids[4]]));
    assert_eq!(rig.store.status(alice, inbox).unwrap().uid_validity, validity);
    assert!(!rig.store.changes(alice, inbox, ModSeq(1)).unwrap().complete);
}

#[test]
fn deleted_mail_makes_room_where_the_disk_is_nearly_full() {
    // No disk has that much: it counts as nearly full from here on.
    let place = tempfile::tempdir().unwrap();
    let mut settings = rig::settings(place.path());
    settings.index_text = false;
    settings.keep_deleted = Duration::ZERO;
    let rig = Rig::of(rig::open(&settings), settings.clone());
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    // Random text, so that it does not pack.
    let mut chance = 1u64;
    let mut line = || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{chance:016x}")
    };
    for _ in 0..60 {
        let text: String = (0..5000).map(|_| line()).collect();
        rig.put(alice, inbox, &text, flags(&["\\Deleted"]));
    }
    rig.store.expunge(alice, inbox, None).unwrap();
    rig.store.close();
    settings.least_free = u64::MAX;
    drop(rig);
    let store = rig::open(&settings);
    let size = || std::fs::metadata(settings.directory.join("mail.db")).unwrap().len();
    let before = size();
    store.clear_now().unwrap();
    store.close();
    assert!(size() < before / 2, "{} of {before}", size());
}
