use crate::rig::Rig;
use base::{AccountId, Address, Domain};
use store::{AccountState, Alias, DirectoryError, Found};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn find(rig: &Rig, text: &str) -> (Vec<AccountId>, Option<String>) {
    match rig.store.directory().find(&address(text)).unwrap() {
        Found::Accounts { accounts, detail, .. } => (accounts, detail),
        Found::NoSuchUser => (Vec::new(), Some("no such user".into())),
        Found::List { detail, .. } => (Vec::new(), detail),
        Found::NotOurs => (Vec::new(), Some("not ours".into())),
    }
}

#[test]
fn addresses_lead_to_accounts() {
    let rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("Bob"));
    let directory = rig.store.directory();
    let domain = Domain::new("other.test").unwrap();
    directory.add_domain(&domain).unwrap();
    let alias = Alias { address: address("team@other.test"), accounts: vec![alice, bob], send_as: true };
    directory.set_alias(&alias).unwrap();
    let plus = Alias { address: address("alice+x@example.test"), accounts: vec![bob], send_as: false };
    directory.set_alias(&plus).unwrap();
    let none = || (Vec::new(), Some("no such user".to_owned()));
    for (text, expected) in [
        ("alice@example.test", (vec![alice], None)),
        ("ALICE@Example.Test", (vec![alice], None)),
        ("bob@example.test", (vec![bob], None)),
        ("alice+lists@example.test", (vec![alice], Some("lists".into()))),
        ("alice+x@example.test", (vec![bob], None)),
        ("team@other.test", (vec![alice, bob], None)),
        ("team+a@other.test", (vec![alice, bob], Some("a".into()))),
        ("nobody@example.test", none()),
        ("alice@other.test", none()),
        ("alice@[192.0.2.1]", (Vec::new(), Some("not ours".into()))),
        ("alice@elsewhere.test", (Vec::new(), Some("not ours".into()))),
        // Someone always answers.
        ("postmaster@example.test", (vec![alice], None)),
        ("Abuse@other.test", (vec![alice], None)),
    ] {
        assert_eq!(find(&rig, text), expected, "{text}");
    }
    directory.set_catch_all(&domain, Some(bob)).unwrap();
    assert_eq!(find(&rig, "anyone@other.test"), (vec![bob], None));
    let postmaster = Alias { address: address("postmaster@other.test"), accounts: vec![bob], send_as: false };
    directory.set_alias(&postmaster).unwrap();
    assert_eq!(directory.postmaster(), Ok(vec![bob]));
    assert_eq!(find(&rig, "abuse@example.test"), (vec![bob], None));
    for (account, text, expected) in [
        (alice, "alice@example.test", true),
        (alice, "Alice+any@EXAMPLE.test", true),
        (alice, "bob@example.test", false),
        (alice, "team@other.test", true),
        (bob, "alice+x@example.test", false),
        (bob, "anyone@other.test", false),
        (bob, "bob@elsewhere.test", false),
    ] {
        assert_eq!(directory.may_send_as(account, &address(text)), Ok(expected), "{text}");
    }
}

#[test]
fn log_in_names() {
    let rig = Rig::new();
    let alice = rig.account("Alice");
    let directory = rig.store.directory();
    let id = |name: &str| directory.login(name).unwrap().map(|account| account.id);
    assert_eq!(
        (id("alice@example.test"), id("ALICE"), id("al"), id("a@b@c")),
        (Some(alice), Some(alice), None, None)
    );
    directory.add_domain(&Domain::new("other.test").unwrap()).unwrap();
    directory.add_account(&address("alice@other.test"), b"").unwrap();
    assert_eq!((id("alice"), id("alice@example.test")), (None, Some(alice)));
}

#[test]
fn accounts_change_and_go() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let directory = rig.store.directory();
    let before = directory.account(alice).unwrap().unwrap();
    assert_eq!(
        (before.credentials.as_slice(), before.state, before.pop3_keeps),
        (b"credentials".as_slice(), AccountState::Active, true)
    );
    directory.set_credentials(alice, b"new").unwrap();
    directory.set_state(alice, AccountState::Suspended).unwrap();
    directory.set_quota(alice, Some(5), None).unwrap();
    directory.set_pop3_keeps(alice, false).unwrap();
    let secret = directory.secret("salt").unwrap();
    rig.reopen();
    let directory = rig.store.directory();
    assert_eq!(
        (directory.secret("salt").unwrap(), directory.secret("other").unwrap() == secret),
        (secret, false)
    );
    let after = directory.account(alice).unwrap().unwrap();
    assert_eq!(
        (after.credentials.as_slice(), after.state, after.pop3_keeps),
        (b"new".as_slice(), AccountState::Suspended, false)
    );
    assert_eq!(
        (after.quota_octets, after.quota_messages, after.epoch > before.epoch + 1),
        (Some(5), None, true)
    );
    assert_eq!(directory.accounts().unwrap(), [after]);

    let alias = Alias { address: address("a@example.test"), accounts: vec![alice], send_as: false };
    directory.set_alias(&alias).unwrap();
    assert_eq!(directory.aliases().unwrap(), std::slice::from_ref(&alias));
    let domain = Domain::new("example.test").unwrap();
    assert_eq!(directory.remove_domain(&domain), Err(DirectoryError::InUse));
    directory.remove_account(alice).unwrap();
    assert_eq!(directory.aliases().unwrap(), []);
    assert!(rig.store.mailboxes(alice).unwrap().is_empty());
    assert_eq!(directory.set_alias(&alias), Err(DirectoryError::Unknown));
    // Its number is not given again.
    assert_ne!(rig.account("alice"), alice);
    let directory = rig.store.directory();
    directory.remove_account(directory.login("alice").unwrap().unwrap().id).unwrap();
    directory.remove_domain(&domain).unwrap();
    assert_eq!(directory.domains().unwrap(), []);
}

#[test]
fn names_are_given_once() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let directory = rig.store.directory();
    assert_eq!(directory.add_account(&address("ALICE@example.test"), b""), Err(DirectoryError::Exists));
    assert_eq!(directory.add_account(&address("alice@none.test"), b""), Err(DirectoryError::Unknown));
    assert_eq!(directory.add_domain(&Domain::new("Example.Test").unwrap()), Err(DirectoryError::Exists));
    let alias = |text: &str, accounts: &[AccountId]| Alias {
        address: address(text),
        accounts: accounts.to_vec(),
        send_as: false,
    };
    assert_eq!(directory.set_alias(&alias("alice@example.test", &[alice])), Err(DirectoryError::Exists));
    assert_eq!(directory.set_alias(&alias("x@example.test", &[AccountId(99)])), Err(DirectoryError::Unknown));
    assert_eq!(directory.set_alias(&alias("x@example.test", &[])), Err(DirectoryError::Unknown));
    directory.set_alias(&alias("x@example.test", &[alice])).unwrap();
    assert_eq!(directory.add_account(&address("x@example.test"), b""), Err(DirectoryError::Exists));
    directory.remove_alias(&address("X@example.test")).unwrap();
    assert_eq!(directory.remove_alias(&address("x@example.test")), Err(DirectoryError::Unknown));
}
