//! The scripts that an account has.

use crate::rig::Rig;
use base::AccountId;
use store::scripts::{MOST_SCRIPT_OCTETS, MOST_SCRIPTS, Script, ScriptError};

/// Names, the active one with a star.
fn names(rig: &Rig, of: AccountId) -> Vec<String> {
    let list = rig.store.scripts().list(of).unwrap();
    list.into_iter().map(|one| if one.active { one.name + "*" } else { one.name }).collect()
}

#[test]
fn scripts_are_kept_and_one_is_active() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let scripts = rig.store.scripts();
    assert_eq!(scripts.active(alice), Ok(None));
    scripts.put(alice, "b", "keep;").unwrap();
    scripts.put(alice, "a", "stop;").unwrap();
    scripts.put(bob, "b", "discard;").unwrap();
    assert_eq!(names(&rig, alice), ["a", "b"]);
    assert_eq!(scripts.activate(alice, Some("c")), Err(ScriptError::Missing));
    scripts.activate(alice, Some("b")).unwrap();
    scripts.activate(alice, Some("a")).unwrap();
    assert_eq!(names(&rig, alice), ["a*", "b"]);
    // A failed change leaves the active one, another text does, too.
    assert_eq!(scripts.activate(alice, Some("c")), Err(ScriptError::Missing));
    scripts.put(alice, "a", "# new\r\n").unwrap();
    assert_eq!(scripts.remove(alice, "a"), Err(ScriptError::Active));
    rig.reopen();
    let scripts = rig.store.scripts();
    assert_eq!(scripts.active(alice), Ok(Some(Script { name: "a".into(), text: "# new\r\n".into() })));
    assert_eq!(scripts.active(bob), Ok(None));
    assert_eq!(scripts.text(bob, "b").as_deref(), Ok("discard;"));
    assert_eq!(scripts.text(bob, "a"), Err(ScriptError::Missing));

    scripts.activate(alice, None).unwrap();
    scripts.remove(alice, "a").unwrap();
    assert_eq!(scripts.remove(alice, "a"), Err(ScriptError::Missing));
    assert_eq!((names(&rig, alice), names(&rig, bob)), (vec!["b".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn scripts_are_bounded() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let scripts = rig.store.scripts();
    scripts.put(alice, "0", &"#".repeat(MOST_SCRIPT_OCTETS)).unwrap();
    assert_eq!(scripts.text(alice, "0").unwrap().len(), MOST_SCRIPT_OCTETS);
    assert_eq!(scripts.put(alice, "0", &"#".repeat(MOST_SCRIPT_OCTETS + 1)), Err(ScriptError::TooLarge));
    for number in 1..MOST_SCRIPTS {
        scripts.put(alice, &number.to_string(), "keep;").unwrap();
    }
    assert_eq!(scripts.put(alice, "one more", "keep;"), Err(ScriptError::TooMany));
    scripts.put(alice, "1", "stop;").unwrap();
}

#[test]
fn scripts_go_with_their_account() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.scripts().put(alice, "a", "keep;").unwrap();
    rig.store.directory().remove_account(alice).unwrap();
    assert_eq!(names(&rig, alice), Vec::<String>::new());
    assert_eq!(rig.store.scripts().put(alice, "a", "keep;"), Err(ScriptError::NoAccount));
}

#[test]
fn another_accounts_script_stays_shut() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    rig.store.scripts().put(alice, "a", "discard;").unwrap();
    rig.store.scripts().put(bob, "a", "keep;").unwrap();
    rig.store.scripts().activate(bob, Some("a")).unwrap();
    rig.store.close();
    let database = rusqlite::Connection::open(rig.settings.directory.join("mail.db")).unwrap();
    let swap = "UPDATE script SET sealed = (SELECT sealed FROM script WHERE account = ?1) WHERE account = ?2";
    assert_eq!(database.execute(swap, [alice.0 as i64, bob.0 as i64]), Ok(1));
    drop(database);
    rig.reopen();
    assert!(matches!(rig.store.scripts().active(bob), Err(ScriptError::Failed(_))));
    assert_eq!(rig.store.scripts().text(alice, "a").as_deref(), Ok("discard;"));
}

#[test]
fn what_stands_besides_scripts() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    assert_eq!(rig.store.scripts().standing(alice), Ok(None));
    rig.store.scripts().set_standing(alice, Some("old")).unwrap();
    rig.store.scripts().set_standing(alice, Some("new")).unwrap();
    rig.reopen();
    let scripts = rig.store.scripts();
    assert_eq!(scripts.standing(alice), Ok(Some("new".into())));
    assert_eq!((scripts.standing(bob), names(&rig, alice)), (Ok(None), Vec::new()));
    scripts.set_standing(alice, None).unwrap();
    assert_eq!(scripts.standing(alice), Ok(None));
    assert_eq!(scripts.set_standing(AccountId(99), Some("x")), Err(ScriptError::NoAccount));
    let long = "x".repeat(MOST_SCRIPT_OCTETS + 1);
    assert_eq!(scripts.set_standing(alice, Some(&long)), Err(ScriptError::TooLarge));
}

#[test]
fn scripts_are_sealed() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    rig.store.scripts().put(alice, "a", "# a secret rule").unwrap();
    rig.store.close();
    for file in std::fs::read_dir(&rig.settings.directory).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            let octets = std::fs::read(&file).unwrap();
            assert!(!octets.windows(13).any(|some| some == b"a secret rule"), "{}", file.display());
        }
    }
}

/// RFC 5804 §2.11: the text stays, so does the mark of the active one; no other script is lost.
#[test]
fn scripts_get_other_names() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.account("alice"), rig.account("bob"));
    let scripts = rig.store.scripts();
    scripts.put(alice, "old", "discard;").unwrap();
    scripts.put(alice, "other", "stop;").unwrap();
    scripts.put(bob, "his", "keep;").unwrap();
    scripts.activate(alice, Some("old")).unwrap();
    assert_eq!(scripts.rename(alice, "old", "other"), Err(ScriptError::Exists));
    assert_eq!(scripts.rename(alice, "old", "old"), Err(ScriptError::Exists));
    assert_eq!(scripts.rename(alice, "his", "mine"), Err(ScriptError::Missing));
    scripts.rename(alice, "old", "his").unwrap();
    assert_eq!(names(&rig, alice), ["his*", "other"]);
    rig.reopen();
    let scripts = rig.store.scripts();
    assert_eq!(scripts.active(alice), Ok(Some(Script { name: "his".into(), text: "discard;".into() })));
    assert_eq!(scripts.text(bob, "his").as_deref(), Ok("keep;"));
}
