//! What is deleted, for a while and for good.

use crate::rig::{self, Rig, flags, raw, to};
use base::mailbox::MailError;
use base::{AccountId, Flags, MailboxId, ModSeq, Uid};
use gate::Folder;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Sqlite, Store};

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
    let listed = rig.store.recoverable(alice).unwrap();
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
    assert!(rig.store.recoverable(alice).unwrap().is_empty());
    assert_eq!(rig.store.quota(alice).unwrap().messages, 2);
}

#[test]
fn recovery_ends_and_is_by_quota() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = rig::settings(place.path());
    settings.keep_deleted = Duration::ZERO;
    let store = rig::open(&settings);
    let rig = Rig::of(store.clone(), settings);
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let uids: Vec<Uid> = (0..3).map(|_| rig.put(alice, inbox, "x", Flags::default())).collect();
    let mail = rig.mail(alice, inbox, uids[0]).unwrap();
    rig.store.remove_recoverably(alice, inbox, &uids).unwrap();
    rig.store.directory().set_quota(alice, None, Some(0)).unwrap();
    assert!(matches!(rig.store.recover(alice, &[mail]), Err(MailError::OverQuota)));
    assert_eq!(rig.store.recoverable(alice).unwrap().len(), 3);
    store.keep_house().unwrap();
    assert!(rig.store.recoverable(alice).unwrap().is_empty());
}

#[test]
fn blobs_go_with_the_last_mail_that_needs_them() {
    let place = tempfile::tempdir().unwrap();
    let settings = rig::settings(place.path());
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
        let edit = base::mailbox::FlagEdit::Add(flags(&["\\Deleted"]));
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
