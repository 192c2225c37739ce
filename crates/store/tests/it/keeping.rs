//! Mail that is moved in, and copies of the store.

use crate::rig::{Rig, flags, message, raw, to};
use base::{AccountId, Flags, Uid};
use gate::Folder;
use std::fs;
use std::path::Path;
use store::backup::{self, Options, Past};
use store::{Mark, MovedIn, Settings, Sqlite, Store, StoreError};

fn nobody_watches(_: u64, _: u64) {}

/// Backs the store up; all older backups stay.
fn back_up(rig: &Rig, at: &Path) -> backup::Made {
    back_up_keeping(rig, at, None)
}

fn back_up_keeping(rig: &Rig, at: &Path, keep: Option<usize>) -> backup::Made {
    // A backup is called after its second.
    std::thread::sleep(std::time::Duration::from_millis(1010));
    make(rig, at, Options { keep, ..Options::default() }).unwrap()
}

fn make(rig: &Rig, at: &Path, options: Options<'_>) -> Result<backup::Made, StoreError> {
    backup::make(&rig.settings.directory, at, options, &nobody_watches)
}

fn verify(at: &Path) -> Result<backup::Verified, StoreError> {
    backup::verify(at, None, (Path::new(""), None), &nobody_watches)
}

/// Restores the newest backup into a folder that has no key.
fn restore(at: &Path, to: &Path) -> Result<backup::Restored, StoreError> {
    backup::restore(at, None, (to, &to.join("no key")), &nobody_watches)
}

/// What verifying the newest backup finds.
fn faults(at: &Path) -> Vec<String> {
    verify(at).unwrap().faults
}

/// A store whose housekeeping can be called.
fn with_house() -> (std::sync::Arc<Sqlite>, Rig, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let mut settings = crate::rig::settings(place.path());
    settings.keep_deleted = std::time::Duration::ZERO;
    let sqlite = crate::rig::open(&settings);
    (sqlite.clone(), Rig::of(sqlite, settings), place)
}

fn move_in(rig: &Rig, of: AccountId, mail: &[(&str, Mark)]) -> Result<Vec<bool>, StoreError> {
    let (send, receive) = std::sync::mpsc::channel();
    let one = |(text, mark): &(&str, Mark)| MovedIn {
        mail: message(text, vec![to(of, Folder::Inbox, Flags::default())]),
        mark: *mark,
    };
    let mail = mail.iter().map(one).collect();
    rig.store.move_in(of, mail, Box::new(move |outcome| send.send(outcome).unwrap()));
    receive.recv().unwrap()
}

/// A message with an attachment of its own that is kept as a blob.
fn with_attachment(of: AccountId, letter: &str) -> gate::Screened {
    let line = letter.repeat(76) + "\r\n";
    let text = format!(
        "Subject: file\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n{}",
        line.repeat(4000)
    );
    raw(text.into_bytes(), vec![to(of, Folder::Inbox, Flags::default())])
}

#[test]
fn a_message_is_moved_in_once() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let (one, two) = (rig.store.mark(&[b"one"]), rig.store.mark(&[b"two"]));
    assert_ne!(rig.store.mark(&[b"ab", b"c"]), rig.store.mark(&[b"a", b"bc"]));
    assert_eq!(move_in(&rig, alice, &[("1", one), ("1", one)]).unwrap(), [true, false]);
    assert_eq!(move_in(&rig, alice, &[("1", one), ("2", two)]).unwrap(), [false, true]);
    let inbox = rig.inbox(alice);
    assert_eq!(rig.content(alice, inbox).len(), 2);
    // Also after it was deleted, and after a restart; another account has marks of its own.
    rig.store.remove_recoverably(alice, inbox, &[Uid(1)]).unwrap();
    rig.reopen();
    assert_eq!(rig.store.was_moved_in(alice, &[one, rig.store.mark(&[b"three"])]).unwrap(), [true, false]);
    assert_eq!(move_in(&rig, alice, &[("1", one)]).unwrap(), [false]);
    assert_eq!(move_in(&rig, bob, &[("1", one)]).unwrap(), [true]);
}

#[test]
fn what_does_not_fit_leaves_no_mark() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let (one, two) = (rig.store.mark(&[b"one"]), rig.store.mark(&[b"two"]));
    rig.store.directory().set_quota(alice, None, Some(1)).unwrap();
    assert!(
        matches!(move_in(&rig, alice, &[("1", one), ("2", two)]), Err(StoreError::OverQuota(of)) if of == alice)
    );
    assert_eq!(rig.store.was_moved_in(alice, &[one, two]).unwrap(), [false, false]);
    rig.store.directory().set_quota(alice, None, None).unwrap();
    assert_eq!(move_in(&rig, alice, &[("1", one), ("2", two)]).unwrap(), [true, true]);
}

#[test]
fn a_backup_is_made_verified_and_restored() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    rig.put(alice, inbox, "before", flags(&["\\Seen", "k"]));
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    let at = tempfile::tempdir().unwrap();
    let made = back_up(&rig, at.path());
    assert_eq!((made.blobs, made.new_blobs, made.faults.len()), (1, 1, 0));
    rig.put(alice, inbox, "after", Flags::default());
    assert_eq!(faults(at.path()), [] as [&str; 0]);

    let elsewhere = tempfile::tempdir().unwrap();
    let directory = elsewhere.path().join("data");
    let restored = restore(at.path(), &directory).unwrap();
    assert_eq!((restored.name.as_str(), restored.blobs), (made.name.as_str(), 1));
    let again = restore(at.path(), &directory);
    assert!(again.is_err_and(|error| error.to_string().contains("already")));

    let store = Sqlite::open(&Settings { directory, ..rig.settings.clone() }).unwrap();
    let opened = store.open(alice, inbox).unwrap();
    assert_eq!(opened.uids, [Uid(1), Uid(2)]);
    let before = rig.store.open(alice, inbox).unwrap();
    assert_eq!(opened.status.uid_validity, before.status.uid_validity);
    // Whoever knows what came after the backup is told that it is gone, and takes nothing new for it.
    assert!(opened.status.uid_next > before.status.uid_next, "{:?}", opened.status);
    let changes = store.changes(alice, inbox, before.status.highest_modseq).unwrap();
    assert!(!changes.complete);
    assert_eq!(changes.changed.iter().map(|one| one.uid).collect::<Vec<_>>(), [Uid(1), Uid(2)]);
    for uid in [Uid(1), Uid(2)] {
        let mail = rig.mail(alice, inbox, uid).unwrap();
        let read = |store: &dyn Store| {
            let message = store.read(alice, mail).unwrap();
            let mut octets = Vec::new();
            message.read(0..message.len(), &mut octets).unwrap();
            octets
        };
        assert_eq!(read(&*store), read(&*rig.store));
    }
}

#[test]
fn one_account_is_read_from_a_backup() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let work = rig.create(alice, "Work");
    rig.put(alice, work, "hello", flags(&["\\Flagged", "k"]));
    let at = tempfile::tempdir().unwrap();
    back_up(&rig, at.path());
    let past = Past::open(at.path(), None, &rig.settings).unwrap();
    assert!(past.mailboxes("nobody@example.test").unwrap().is_none());
    let mailboxes = past.mailboxes("Alice@example.test").unwrap().unwrap();
    let found = mailboxes.iter().find(|mailbox| mailbox.name == "Work").unwrap();
    assert_eq!(found.messages, 1);
    let mut seen = Vec::new();
    let visited = past.visit(found.id, &mut |uid, message| {
        let message = message.unwrap();
        seen.push((uid, message.flags, message.message.len()));
        Ok(())
    });
    visited.unwrap();
    let size = rig.octets(alice, rig.mail(alice, work, Uid(1)).unwrap()).unwrap().len() as u64;
    assert_eq!(seen, [(1, flags(&["\\Flagged", "k"]), size)]);
}

/// Each file of a backup, damaged in turn, is found; without the database and the list of files nothing is restored, a file of mail
/// is named and the rest comes.
#[test]
fn damage_is_found() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    let at = tempfile::tempdir().unwrap();
    let made = back_up(&rig, at.path());
    let place = at.path().join("backups").join(&made.name);
    let check = |file: &Path, damage: &dyn Fn(&mut Vec<u8>), is_mail: bool| {
        let sound = fs::read(file).unwrap();
        let mut damaged = sound.clone();
        damage(&mut damaged);
        fs::write(file, damaged).unwrap();
        assert_eq!(faults(at.path()).len(), 1, "{file:?}");
        let elsewhere = tempfile::tempdir().unwrap();
        match restore(at.path(), elsewhere.path()) {
            Ok(restored) => assert_eq!((restored.faults.len(), is_mail), (1, true), "{file:?}"),
            Err(_) => assert!(!is_mail && !elsewhere.path().join("mail.db").exists(), "{file:?}"),
        }
        fs::write(file, sound).unwrap();
    };
    let flip = |octets: &mut Vec<u8>| *octets.last_mut().unwrap() ^= 1;
    for name in ["mail.db", "identity", "blobs"] {
        check(&place.join(name), &flip, false);
    }
    let blobs = all_files(&at.path().join("blobs"));
    assert_eq!(blobs.len(), 1);
    check(&blobs[0], &flip, true);
    check(&blobs[0], &|octets| octets.truncate(10), true);
}

/// A sealed backup has the database in no other form, gives all back by the key, and nothing without.
#[test]
fn a_sealed_backup() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let work = rig.create(alice, "Confidential plans");
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    rig.put(alice, work, "hello", Flags::default());
    let at = tempfile::tempdir().unwrap();
    let sealed = Options { seal_by: Some(&rig.settings.key_file), ..Options::default() };
    let (store, key) = (rig.settings.directory.as_path(), rig.settings.key_file.as_path());
    make(&rig, at.path(), sealed).unwrap();
    let clear = b"Confidential plans";
    for file in all_files(at.path()) {
        let octets = fs::read(&file).unwrap();
        assert!(!octets.windows(clear.len()).any(|part| part == clear), "{file:?}");
        assert_ne!(file.file_name().unwrap(), "mail.db");
    }
    // By the key the list is compared with the database; without it that is said.
    let verify_by = |key| backup::verify(at.path(), None, (store, key), &nobody_watches).unwrap();
    assert_eq!(
        (verify_by(Some(key)).not_compared, verify_by(None).not_compared, verify_by(None).faults.len()),
        (false, true, 0)
    );
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(restore(at.path(), &elsewhere.path().join("a")).is_err());
    let directory = elsewhere.path().join("b");
    let restored = backup::restore(at.path(), None, (&directory, key), &nobody_watches).unwrap();
    assert_eq!(restored.faults, [] as [&str; 0]);
    let back = Sqlite::open(&Settings { directory, ..rig.settings.clone() }).unwrap();
    assert_eq!(back.open(alice, work).unwrap().uids, [Uid(1)]);
    let past = Past::open(at.path(), None, &rig.settings).unwrap();
    let mailboxes = past.mailboxes("alice@example.test").unwrap().unwrap();
    assert!(mailboxes.iter().any(|mailbox| mailbox.name == "Confidential plans"));
    drop(past);
    // Nothing of it stays behind in the store's folder.
    let names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.contains("passing")));
    // Sealed and not sealed follow each other; another store is still told.
    assert_eq!(back_up(&rig, at.path()).new_blobs, 0);
    std::thread::sleep(std::time::Duration::from_millis(1010));
    assert_eq!(make(&rig, at.path(), sealed).unwrap().new_blobs, 0);
    let other = Rig::new();
    std::thread::sleep(std::time::Duration::from_millis(1010));
    let refused = make(&other, at.path(), Options::default());
    assert!(refused.is_err_and(|error| error.to_string().contains("another store")));
    // Damage is found, and not restored.
    let newest =
        fs::read_dir(at.path().join("backups")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let files = all_files(&newest);
    let file = files.iter().find(|file| file.display().to_string().contains("mail.db.")).unwrap();
    let mut octets = fs::read(file).unwrap();
    octets[5000] ^= 1;
    fs::write(file, octets).unwrap();
    assert_eq!(verify_by(Some(key)).faults.len(), 1);
    let directory = elsewhere.path().join("c");
    assert!(backup::restore(at.path(), None, (&directory, key), &nobody_watches).is_err());
    assert!(!directory.join("mail.db").exists());
}

/// A manifest is whole or none: what it leaves out would be looked at by nobody.
#[test]
fn a_manifest_lists_three_files() {
    let rig = Rig::new();
    let at = tempfile::tempdir().unwrap();
    let made = back_up(&rig, at.path());
    let manifest = at.path().join("backups").join(&made.name).join("manifest");
    let whole = fs::read_to_string(&manifest).unwrap();
    let first = whole.lines().next().unwrap().to_owned() + "\n";
    for damaged in ["", &first, &whole.repeat(2), &whole.replace("mail.db", "../../mail.db"), "x y z\n"] {
        fs::write(&manifest, damaged).unwrap();
        assert!(verify(at.path()).is_err(), "{damaged}");
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(restore(at.path(), elsewhere.path()).is_err(), "{damaged}");
        assert!(backup::list(at.path()).unwrap()[0].size.is_err(), "{damaged}");
        assert!(Past::open(at.path(), None, &rig.settings).is_err(), "{damaged}");
    }
}

/// A list that was cut, with a manifest that knows no better: the database tells what is missing.
#[test]
fn a_list_is_compared_with_the_database() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    let at = tempfile::tempdir().unwrap();
    let place = at.path().join("backups").join(back_up(&rig, at.path()).name);
    let manifest = fs::read_to_string(place.join("manifest")).unwrap();
    let lines: Vec<&str> = manifest.lines().take(2).collect();
    let of_nothing = blake3::hash(b"").to_hex();
    fs::write(place.join("manifest"), format!("{}\n{of_nothing} 0 blobs\n", lines.join("\n"))).unwrap();
    fs::write(place.join("blobs"), "").unwrap();
    let found = faults(at.path());
    assert!(found.len() == 1 && found[0].ends_with("not in the backup"), "{found:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let restored = restore(at.path(), elsewhere.path()).unwrap();
    assert_eq!(restored.faults, found);
}

/// What the store has lost and a backup still has is kept by all that come after it.
#[test]
fn the_last_good_copy_stays() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    let at = tempfile::tempdir().unwrap();
    back_up(&rig, at.path());
    let lost = all_files(&rig.settings.directory.join("blobs")).remove(0);
    let kept = all_files(&at.path().join("blobs")).remove(0);
    let sound = fs::read(&lost).unwrap();
    for damaged in [None, Some(&sound[..9])] {
        damaged.map_or_else(|| fs::remove_file(&lost).unwrap(), |octets| fs::write(&lost, octets).unwrap());
        for _ in 0..2 {
            let made = back_up_keeping(&rig, at.path(), Some(1));
            assert!(made.faults.len() == 1 && made.faults[0].ends_with("the backup has it"), "{made:?}");
            assert_eq!((made.blobs, made.removed), (1, 1));
            assert_eq!(fs::read(&kept).unwrap(), sound);
        }
    }
    // Where a backup that would go can't tell what it has, it may be the last: none goes.
    let names = fs::read_dir(at.path().join("backups")).unwrap();
    for name in names {
        fs::write(name.unwrap().path().join("blobs"), "damaged").unwrap();
    }
    fs::remove_file(&lost).unwrap();
    let made = back_up_keeping(&rig, at.path(), Some(1));
    assert!(made.removed == 0 && made.all_kept.is_some(), "{made:?}");
    assert_eq!(fs::read(&kept).unwrap(), sound);
}

/// A copy in the backup that was cut is made anew.
#[test]
fn a_cut_copy_is_healed() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    let at = tempfile::tempdir().unwrap();
    back_up(&rig, at.path());
    let copy = all_files(&at.path().join("blobs")).remove(0);
    fs::write(&copy, b"cut").unwrap();
    let made = back_up(&rig, at.path());
    assert_eq!((made.blobs, made.new_blobs, made.faults.len()), (1, 1, 0));
    assert_eq!(faults(at.path()), [] as [&str; 0]);
}

/// While a folder is read nobody changes it, and while it is changed nobody uses it.
#[test]
fn a_folder_of_backups_is_held() {
    let rig = Rig::new();
    let at = tempfile::tempdir().unwrap();
    back_up(&rig, at.path());
    let lock = fs::File::open(at.path().join("lock")).unwrap();
    let check = |reading: bool, making: bool| {
        let is_open = |outcome: Option<StoreError>| {
            let busy = outcome.is_some_and(|error| error.to_string().contains("try again when it is done"));
            !busy
        };
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(is_open(verify(at.path()).err()), reading);
        assert_eq!(is_open(Past::open(at.path(), None, &rig.settings).err()), reading);
        assert_eq!(is_open(restore(at.path(), elsewhere.path()).err()), reading);
        let made = make(&rig, at.path(), Options::default());
        assert_eq!(is_open(made.err()), making);
    };
    lock.lock().unwrap();
    check(false, false);
    lock.unlock().unwrap();
    lock.lock_shared().unwrap();
    check(true, false);
    lock.unlock().unwrap();
    let past = Past::open(at.path(), None, &rig.settings).unwrap();
    assert!(make(&rig, at.path(), Options::default()).is_err());
    drop(past);
    check(true, true);
}

fn all_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[test]
fn only_what_is_new_is_copied_and_only_what_nobody_needs_goes() {
    let (sqlite, rig, _place) = with_house();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let at = tempfile::tempdir().unwrap();
    let make = || {
        let made = back_up(&rig, at.path());
        (made.blobs, made.new_blobs)
    };
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    assert_eq!(make(), (1, 1));
    rig.store.accept_now(vec![with_attachment(alice, "REVG")]).unwrap();
    assert_eq!(make(), (2, 1));
    rig.store
        .set_flags(
            alice,
            inbox,
            &[Uid(1)],
            &base::mailbox::FlagEdit::Add(flags(&["\\Deleted"])),
            None,
            base::Rights::ALL,
        )
        .unwrap();
    rig.store.expunge(alice, inbox, None).unwrap();
    sqlite.clear_now().unwrap();
    assert_eq!(make(), (1, 0));
    let kept = backup::list(at.path()).unwrap();
    assert_eq!(kept.iter().map(|one| one.size.as_ref().unwrap().0).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(back_up_keeping(&rig, at.path(), Some(0)).removed, 3);
    assert_eq!(all_files(&at.path().join("blobs")).len(), 1);
    assert_eq!(faults(at.path()), [] as [&str; 0]);
}

#[test]
fn no_blob_goes_while_they_are_copied() {
    let (sqlite, rig, _place) = with_house();
    let alice = rig.account("alice");
    rig.store.accept_now(vec![with_attachment(alice, "QUJD")]).unwrap();
    let inbox = rig.inbox(alice);
    let hold = fs::File::create(rig.settings.directory.join("hold")).unwrap();
    hold.lock_shared().unwrap();
    rig.store
        .set_flags(
            alice,
            inbox,
            &[Uid(1)],
            &base::mailbox::FlagEdit::Add(flags(&["\\Deleted"])),
            None,
            base::Rights::ALL,
        )
        .unwrap();
    rig.store.expunge(alice, inbox, None).unwrap();
    let blobs = rig.settings.directory.join("blobs");
    sqlite.clear_now().unwrap();
    assert_eq!(all_files(&blobs).len(), 1);
    drop(hold);
    sqlite.clear_now().unwrap();
    assert_eq!(all_files(&blobs).len(), 0);
}

#[test]
fn two_stores_do_not_share_a_folder() {
    let (one, other) = (Rig::new(), Rig::new());
    let at = tempfile::tempdir().unwrap();
    back_up(&one, at.path());
    std::thread::sleep(std::time::Duration::from_millis(1010));
    let refused = make(&other, at.path(), Options::default());
    assert!(refused.is_err_and(|error| error.to_string().contains("another store")));
    assert_eq!(backup::list(at.path()).unwrap().len(), 1);
}

#[test]
fn a_restore_leaves_alone_what_is_there() {
    let rig = Rig::new();
    let at = tempfile::tempdir().unwrap();
    back_up(&rig, at.path());
    let restore = |to: &Path| restore(at.path(), to);
    let running = restore(&rig.settings.directory).unwrap_err().to_string();
    assert!(running.contains("in use"), "{running}");
    for part in ["mail.db", "mail.db-wal", "mail.db-shm", "mail.db-journal", "identity", "blobs"] {
        let store = tempfile::tempdir().unwrap();
        fs::write(store.path().join(part), b"of another").unwrap();
        let refused = restore(store.path()).unwrap_err().to_string();
        assert!(refused.contains("move the whole folder away"), "{part}: {refused}");
        assert_eq!(fs::read(store.path().join(part)).unwrap(), b"of another");
    }
    let broken_off = tempfile::tempdir().unwrap();
    fs::create_dir(broken_off.path().join("blobs")).unwrap();
    fs::write(broken_off.path().join("mail.db.restoring"), b"half").unwrap();
    restore(broken_off.path()).unwrap();
}
