//! What users note on mailboxes.

use crate::rig::Rig;
use base::mailbox::MailError;
use base::{AccountId, EntryName, MailboxId, MailboxName};

fn name(text: &str) -> EntryName {
    EntryName::new(text).unwrap()
}

/// Sets or removes some.
fn set(
    rig: &Rig,
    of: AccountId,
    mailbox: Option<MailboxId>,
    reader: AccountId,
    entries: &[(&str, Option<&str>)],
) -> Result<(), MailError> {
    let entries = entries.iter().map(|(entry, value)| (name(entry), value.map(|value| value.into())));
    rig.store.annotations().set(of, mailbox, reader, entries.collect())
}

/// `entry=value`, all of them.
fn all(rig: &Rig, of: AccountId, mailbox: Option<MailboxId>, reader: AccountId) -> Vec<String> {
    let all = rig.store.annotations().list(of, mailbox, reader).unwrap();
    let show = |a: base::Annotation| format!("{}={}", a.entry.as_str(), String::from_utf8_lossy(&a.value));
    all.into_iter().map(show).collect()
}

#[test]
fn each_sees_what_is_shared_and_what_is_theirs() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let inbox = Some(rig.mailbox(alice, "INBOX"));
    set(&rig, alice, inbox, alice, &[("/private/comment", Some("a")), ("/shared/comment", Some("s"))])
        .unwrap();
    set(&rig, alice, inbox, bob, &[("/private/comment", Some("b")), ("/shared/comment", Some("t"))]).unwrap();
    set(&rig, alice, None, alice, &[("/private/x", Some("server"))]).unwrap();
    rig.reopen();
    assert_eq!(all(&rig, alice, inbox, alice), ["/private/comment=a", "/shared/comment=t"]);
    assert_eq!(all(&rig, alice, inbox, bob), ["/private/comment=b", "/shared/comment=t"]);
    assert_eq!(all(&rig, alice, None, alice), ["/private/x=server"]);
    assert_eq!(all(&rig, bob, None, bob), [""; 0]);
    set(&rig, alice, inbox, alice, &[("/private/comment", None), ("/shared/none", None)]).unwrap();
    assert_eq!(all(&rig, alice, inbox, alice), ["/shared/comment=t"]);
    // Another account's mailbox is none of one's own.
    assert!(matches!(set(&rig, bob, inbox, bob, &[("/private/x", Some(""))]), Err(MailError::NoMailbox)));
    rig.store.directory().remove_account(bob).unwrap();
    assert_eq!(all(&rig, alice, inbox, bob), ["/shared/comment=t"]);
}

#[test]
fn they_follow_their_mailbox() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let mailbox = rig.store.create(alice, &MailboxName::new("a").unwrap(), None).unwrap();
    set(&rig, alice, Some(mailbox), alice, &[("/shared/comment", Some("s"))]).unwrap();
    rig.store.rename(alice, mailbox, &MailboxName::new("b").unwrap()).unwrap();
    assert_eq!(all(&rig, alice, Some(mailbox), alice), ["/shared/comment=s"]);
    rig.store.delete(alice, mailbox).unwrap();
    let again = rig.store.create(alice, &MailboxName::new("b").unwrap(), None).unwrap();
    assert_eq!(all(&rig, alice, Some(again), alice), [""; 0]);
}

#[test]
fn they_are_bounded_for_each_account() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let inbox = Some(rig.mailbox(alice, "INBOX"));
    let limits = base::Limits::default();
    let names: Vec<String> = (0..limits.annotations).map(|n| format!("/private/{n}")).collect();
    let mut entries: Vec<(&str, Option<&str>)> = names.iter().map(|name| (&**name, Some(""))).collect();
    set(&rig, alice, inbox, alice, &entries).unwrap();
    // One more is refused, and what came along with it.
    let more = [("/private/0", Some("changed")), ("/shared/comment", Some(""))];
    assert!(matches!(set(&rig, alice, inbox, alice, &more), Err(MailError::TooManyAnnotations)));
    assert_eq!(all(&rig, alice, inbox, alice)[0], "/private/0=");
    set(&rig, alice, inbox, alice, &[("/private/0", None), ("/shared/comment", Some(""))]).unwrap();
    // A guest's count as the guest's.
    entries.truncate(10);
    set(&rig, alice, inbox, bob, &entries).unwrap();
    let long = "x".repeat(limits.all_annotation_octets);
    let long = [("/private/long", Some(&*long))];
    set(&rig, bob, None, bob, &long).unwrap();
    let one = [("/private/one", Some("1"))];
    assert!(matches!(set(&rig, alice, inbox, bob, &one), Err(MailError::TooManyAnnotations)));
}
