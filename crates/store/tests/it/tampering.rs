//! Who can write to the database, and has no key, can't put one thing in another's place unnoticed.

use crate::rig::{Rig, message, to};
use base::mailbox::Columns;
use base::{AccountId, Flags};
use gate::Folder;
use std::os::unix::fs::PermissionsExt;

/// What stands in a row of alice's is copied into the same of bob's; then whoever reads bob's row must fail.
fn check(copy: &str, is_refused: impl Fn(&Rig, AccountId) -> bool) {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    for (of, text) in [(alice, "secretword"), (bob, "other")] {
        rig.store.accept_now(vec![message(text, vec![to(of, Folder::Inbox, Flags::default())])]).unwrap();
    }
    rig.store.wait_indexed();
    assert!(!is_refused(&rig, bob), "{copy}: refused before anything was done");
    rig.store.close();
    let database = rusqlite::Connection::open(rig.settings.directory.join("mail.db")).unwrap();
    let changed = database.execute(copy, [alice.0 as i64, bob.0 as i64]).unwrap();
    assert_eq!(changed, 1, "{copy}");
    drop(database);
    rig.reopen();
    assert!(is_refused(&rig, bob), "{copy}");
}

#[test]
fn credentials_of_another_account() {
    check(
        "UPDATE account SET credentials = (SELECT credentials FROM account WHERE id = ?1) WHERE id = ?2",
        |rig, of| rig.store.directory().account(of).is_err(),
    );
}

#[test]
fn mail_of_another_account() {
    let read = |rig: &Rig, of| {
        let inbox = rig.inbox(of);
        let uid = rig.store.open(of, inbox).unwrap().uids[0];
        rig.octets(of, rig.mail(of, inbox, uid).unwrap()).is_err()
    };
    check(
        "UPDATE content SET (blob, layout, body) = (SELECT blob, layout, body FROM content WHERE mail >> 40 = ?1)
         WHERE mail >> 40 = ?2",
        read,
    );
}

#[test]
fn summary_of_another_mail() {
    let read = |rig: &Rig, of| {
        let inbox = rig.inbox(of);
        let uids = rig.store.open(of, inbox).unwrap().uids;
        let mut each = |_: &base::mailbox::Row<'_>| std::ops::ControlFlow::Continue(());
        rig.store.scan(of, inbox, &uids, Columns { summary: true }, &mut each).is_err()
    };
    check(
        "UPDATE summary SET sealed = (SELECT sealed FROM summary WHERE mail >> 40 = ?1) WHERE mail >> 40 = ?2",
        read,
    );
}

/// The index only saves work: one that is damaged makes a search slower, and never wrong.
#[test]
fn index_of_another_account() {
    for column in [
        "UPDATE text_segment SET words = (SELECT words FROM text_segment WHERE id >> 40 = ?1) WHERE id >> 40 = ?2",
        "UPDATE text_posting SET sealed = (SELECT sealed FROM text_posting WHERE segment >> 40 = ?1)
         WHERE segment >> 40 = ?2",
    ] {
        let asked = if column.contains("words") { "secretword" } else { "other" };
        check(column, |rig, of| {
            let inbox = rig.inbox(of);
            rig.store.candidates(of, inbox, asked).unwrap().is_none()
        });
    }
}

#[test]
fn files_are_for_their_owner_only() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.put(alice, rig.inbox(alice), &"x".repeat(300_000), Flags::default());
    let mut folders = vec![rig.settings.directory.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            assert_eq!(about.permissions().mode() & 0o077, 0, "{}", entry.path().display());
            if about.is_dir() { folders.push(entry.path()) } else { files += 1 }
        }
    }
    assert!(files >= 4, "{files}");
}
