//! Who may do what in whose mailboxes.

use crate::rig::Rig;
use base::mailbox::MailError;
use base::rights::{Rights, RightsEdit};
use base::{AccountId, MailboxId, MailboxName};
use store::sharing::{Grantee, MOST_ENTRIES};

fn rights(text: &str) -> Rights {
    Rights::parse(text).unwrap()
}

fn give(rig: &Rig, mailbox: MailboxId, who: AccountId, text: &str) {
    let edit = RightsEdit::Replace(rights(text));
    rig.store.sharing().set_acl(mailbox, Grantee::Account(who), false, edit).unwrap();
}

/// `mailbox:rights` of all that others share with an account.
fn shared(rig: &Rig, with: AccountId) -> Vec<String> {
    let all = rig.store.sharing().shared_with(with).unwrap();
    all.into_iter().map(|one| format!("{}:{}", one.info.name, one.rights)).collect()
}

#[test]
fn a_new_mailbox_is_shared_as_the_one_above_it() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let above = rig.create(alice, "a");
    give(&rig, above, bob, "lr");
    rig.create(alice, "a/b/c");
    rig.create(alice, "other/b");
    assert_eq!(shared(&rig, bob), ["a:lr", "a/b:lr", "a/b/c:lr"]);
    // A later change is the one mailbox's; the name makes no difference.
    give(&rig, above, bob, "l");
    rig.store.rename(alice, above, &MailboxName::new("z").unwrap()).unwrap();
    rig.reopen();
    assert_eq!(shared(&rig, bob), ["z:l", "z/b:lr", "z/b/c:lr"]);
    assert_eq!(shared(&rig, alice), [""; 0]);
    // What is deleted is shared no more, nor what comes in its place.
    rig.store.delete(alice, rig.mailbox(alice, "z/b/c")).unwrap();
    rig.store.delete(alice, rig.mailbox(alice, "z/b")).unwrap();
    rig.store.delete(alice, above).unwrap();
    rig.create(alice, "z");
    assert_eq!(shared(&rig, bob), [""; 0]);
}

#[test]
fn rights_go_with_their_account() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let inbox = rig.inbox(alice);
    give(&rig, inbox, bob, "lr");
    assert_eq!(rig.store.sharing().rights(inbox, bob).unwrap(), rights("lr"));
    assert_eq!(rig.store.sharing().rights(inbox, alice).unwrap(), Rights::ALL);
    assert_eq!(rig.store.sharing().acl(inbox).unwrap().len(), 2);
    rig.store.directory().remove_account(bob).unwrap();
    assert_eq!(rig.store.sharing().acl(inbox).unwrap().len(), 1);
    assert_eq!(rig.store.sharing().rights(inbox, bob).unwrap(), Rights::NONE);
    let gone = rig.store.sharing().set_acl(inbox, Grantee::Account(bob), false, RightsEdit::Add(rights("l")));
    assert!(matches!(gone, Err(MailError::Refused(_))));
}

#[test]
fn a_list_is_bounded() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    for number in 0..MOST_ENTRIES {
        give(&rig, inbox, rig.account(&format!("u{number}")), "l");
    }
    let edit = RightsEdit::Add(rights("l"));
    let more = rig.store.sharing().set_acl(inbox, Grantee::Anyone, false, edit);
    assert!(matches!(more, Err(MailError::Limit(_))));
    assert_eq!(rig.store.sharing().acl(inbox).unwrap().len(), MOST_ENTRIES + 1);
}
