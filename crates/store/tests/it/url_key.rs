//! Keys that authorize URLs (RFC 4467).

use crate::rig::Rig;
use base::mailbox::MailError;

#[test]
fn tokens_hold_until_the_key_is_gone() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let (inbox, drafts) = (rig.inbox(alice), rig.mailbox(alice, "Drafts"));
    // None was made yet: nothing holds.
    assert!(!rig.store.is_url_token(alice, inbox, "a", &[0; 32]).unwrap());
    let token = rig.store.url_token(alice, inbox, "a").unwrap();
    let other = rig.store.url_token(alice, drafts, "a").unwrap();
    rig.reopen();
    assert_eq!(rig.store.url_token(alice, inbox, "a").unwrap(), token);
    let holds =
        |mailbox, text: &str, token: &[u8; 32]| rig.store.is_url_token(alice, mailbox, text, token).unwrap();
    assert!(holds(inbox, "a", &token) && holds(drafts, "a", &other));
    // Another text, mailbox, account or token.
    assert!(!holds(inbox, "b", &token) && !holds(drafts, "a", &token));
    assert!(!rig.store.is_url_token(bob, rig.inbox(bob), "a", &token).unwrap());
    for at in [0, 31] {
        let mut wrong = token;
        wrong[at] ^= 1;
        assert!(!holds(inbox, "a", &wrong));
    }
    // A new key for one mailbox, and none for any.
    rig.store.reset_url_keys(alice, Some(inbox)).unwrap();
    assert!(!holds(inbox, "a", &token) && holds(drafts, "a", &other));
    assert_ne!(rig.store.url_token(alice, inbox, "a").unwrap(), token);
    let of_bob = rig.store.url_token(bob, rig.inbox(bob), "a").unwrap();
    rig.store.reset_url_keys(alice, None).unwrap();
    assert!(!holds(drafts, "a", &other));
    assert!(rig.store.is_url_token(bob, rig.inbox(bob), "a", &of_bob).unwrap());
}

#[test]
fn a_key_goes_with_its_mailbox() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let lists = rig.create(alice, "lists");
    let token = rig.store.url_token(alice, lists, "a").unwrap();
    rig.store.delete(alice, lists).unwrap();
    assert!(!rig.store.is_url_token(alice, lists, "a", &token).unwrap());
    assert!(matches!(rig.store.url_token(alice, lists, "a"), Err(MailError::NoMailbox)));
    // Of the same name, another.
    let lists = rig.create(alice, "lists");
    assert!(!rig.store.is_url_token(alice, lists, "a", &token).unwrap());
    // Nobody makes keys for what is not theirs.
    assert!(matches!(rig.store.url_token(bob, lists, "a"), Err(MailError::NoMailbox)));
    assert!(matches!(rig.store.reset_url_keys(bob, Some(lists)), Err(MailError::NoMailbox)));
}
