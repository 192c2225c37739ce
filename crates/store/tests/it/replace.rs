//! REPLACE (RFC 8508): one commit adds and removes.

use crate::rig::{Rig, flags, message, to};
use base::{AccountId, Flags, MailboxId, Uid};
use gate::Folder;
use store::StoreError;

fn replace(
    rig: &Rig,
    of: AccountId,
    (from, uid): (MailboxId, Uid),
    into: MailboxId,
    text: &str,
) -> Result<bool, StoreError> {
    let with = message(text, vec![to(of, Folder::Exact(into), flags(&["\\Draft"]))]);
    rig.store.replace(of, from, uid, with, false).map(|placed| placed.is_some())
}

#[test]
fn the_new_is_there_and_the_old_is_gone() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let (drafts, sent) = (rig.mailbox(alice, "Drafts"), rig.mailbox(alice, "Sent"));
    let old = rig.put(alice, drafts, "old", Flags::default());
    let other = rig.put(alice, drafts, "other", flags(&["\\Deleted"]));
    let since = rig.store.status(alice, drafts).unwrap().highest_modseq;
    assert!(replace(&rig, alice, (drafts, old), drafts, "new").unwrap());
    rig.reopen();
    assert_eq!(rig.content(alice, drafts).into_keys().collect::<Vec<_>>(), [other, Uid(3)]);
    assert_eq!(rig.content(alice, drafts)[&Uid(3)], flags(&["\\Draft"]));
    let changes = rig.store.changes(alice, drafts, since).unwrap();
    assert_eq!((changes.vanished, changes.changed[0].uid), (vec![old], Uid(3)));
    // Into another mailbox.
    assert!(replace(&rig, alice, (drafts, Uid(3)), sent, "sent").unwrap());
    assert_eq!(rig.content(alice, drafts).into_keys().collect::<Vec<_>>(), [other]);
    assert_eq!(rig.content(alice, sent).len(), 1);
    // Gone for good: another is in its place.
    assert!(rig.store.recoverable(alice, base::Timestamp(0), None).unwrap().is_empty());
    assert_eq!(rig.store.quota(alice).unwrap().messages, 2);
}

#[test]
fn both_or_neither() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let drafts = rig.mailbox(alice, "Drafts");
    let old = rig.put(alice, drafts, "old", Flags::default());
    // The old is not there: nothing is added.
    assert!(!replace(&rig, alice, (drafts, Uid(9)), drafts, "new").unwrap());
    // The target is not there, or not hers: nothing is removed.
    for target in [MailboxId(u64::MAX >> 1), rig.inbox(bob)] {
        assert!(matches!(replace(&rig, alice, (drafts, old), target, "new"), Err(StoreError::Gone)));
    }
    assert!(matches!(replace(&rig, alice, (rig.inbox(bob), old), drafts, "new"), Err(StoreError::Gone)));
    assert_eq!(rig.content(alice, drafts).into_keys().collect::<Vec<_>>(), [old]);
    assert_eq!(rig.store.quota(alice).unwrap().messages, 1);
}

/// RFC 8508 §3.4: only the net quota consumption is considered.
#[test]
fn the_difference_counts() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let drafts = rig.mailbox(alice, "Drafts");
    let old = rig.put(alice, drafts, "twelve octs.", Flags::default());
    let octets = rig.store.quota(alice).unwrap().octets;
    // Full to the last octet and message.
    rig.store.directory().set_quota(alice, Some(octets), Some(1)).unwrap();
    let over = replace(&rig, alice, (drafts, old), drafts, "thirteen octs");
    assert!(matches!(over, Err(StoreError::OverQuota(of)) if of == alice), "{over:?}");
    assert_eq!(rig.content(alice, drafts).into_keys().collect::<Vec<_>>(), [old]);
    assert!(replace(&rig, alice, (drafts, old), drafts, "TWELVE OCTS.").unwrap());
    // Over it by far, and no more than before.
    rig.store.directory().set_quota(alice, Some(1), Some(1)).unwrap();
    let uid = *rig.content(alice, drafts).keys().next().unwrap();
    assert!(replace(&rig, alice, (drafts, uid), drafts, "less").unwrap());
    assert_eq!(rig.store.quota(alice).unwrap().messages, 1);
}
