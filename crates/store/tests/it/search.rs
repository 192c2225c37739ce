//! Candidates are never too few, whatever is looked for, and before and after mail is indexed.

use crate::rig::{Rig, raw, to};
use base::{Flags, Uid};
use gate::Folder;

const TEXTS: [&str; 6] = [
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nPlain words here, number 12345-67.",
    "Subject: base64\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\naGlkZGVuTmVlZGxlIGluIGhlcmU=",
    "Subject: html\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>half<b>bold</b> word &amp; entity</p>",
    "Subject: cjk\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n日本語のとても長い文章をここに置きますそして検索します 🦀 emoji",
    "Subject: long\r\n\r\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAneedleBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
    "Subject: none\r\n\r\n",
];

#[test]
fn candidates() {
    let mut rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    for text in TEXTS {
        let mail = raw(text.as_bytes().to_vec(), vec![to(alice, Folder::Inbox, Flags::default())]);
        rig.store.accept_now(vec![mail]).unwrap();
    }
    let found = |rig: &Rig, needle: &str| rig.store.candidates(alice, inbox, needle).unwrap();
    let check_all = |rig: &Rig| {
        for (needle, uid) in [
            ("GRÜSSE", 1),
            ("rüß", 1),
            ("lain wor", 1),
            ("2345-6", 1),
            ("hiddenneedle", 2),
            ("denNeed", 2),
            ("halfbold", 3),
            ("word & ent", 3),
            ("長い文章をここ", 4),
            ("ます 🦀 emo", 4),
            ("aaaneedlebbb", 5),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAneedle", 5),
            ("none", 6),
        ] {
            assert!(found(rig, needle).unwrap().contains(&Uid(uid)), "{needle}");
        }
        assert_eq!(found(rig, " -🦀 "), None);
    };
    check_all(&rig);
    rig.store.wait_indexed();
    check_all(&rig);
    assert_eq!(found(&rig, "hiddenneedle"), Some(vec![Uid(2)]));
    assert_eq!(found(&rig, "nowhere"), Some(Vec::new()));
    rig.reopen();
    check_all(&rig);
    // Copies are found where they are, and what is gone is not.
    let sent = rig.mailbox(alice, "Sent");
    rig.store.move_to(alice, inbox, &[Uid(2)], sent, base::Rights::ALL).unwrap();
    assert_eq!(found(&rig, "hiddenneedle"), Some(Vec::new()));
    assert_eq!(rig.store.candidates(alice, sent, "hiddenneedle").unwrap(), Some(vec![Uid(1)]));
    let bob = rig.account("bob");
    assert_eq!(rig.store.candidates(bob, rig.inbox(bob), "needle").unwrap(), Some(Vec::new()));
}

#[test]
fn many_batches_merge() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    for number in 0..40 {
        let text = format!("Subject: m\r\n\r\ncommon unique{number}x");
        rig.store
            .accept_now(vec![raw(text.into_bytes(), vec![to(alice, Folder::Inbox, Flags::default())])])
            .unwrap();
        rig.store.wait_indexed();
    }
    assert_eq!(rig.store.candidates(alice, inbox, "common").unwrap().map(|uids| uids.len()), Some(40));
    for number in 0..40u32 {
        let found = rig.store.candidates(alice, inbox, &format!("unique{number}x")).unwrap();
        assert_eq!(found, Some(vec![Uid(number + 1)]));
    }
}

#[test]
fn without_an_index_any_may_hold_it() {
    let rig = Rig::with(|settings| settings.index_text = false);
    let alice = rig.account("alice");
    assert_eq!(rig.store.candidates(alice, rig.inbox(alice), "word").unwrap(), None);
    rig.store.wait_indexed();
}

#[test]
fn words_of_deleted_mail_go() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = crate::rig::settings(place.path());
    settings.keep_deleted = std::time::Duration::ZERO;
    let store = crate::rig::open(&settings);
    let rig = Rig::of(store.clone(), settings.clone());
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    for number in 0..3 {
        rig.put(alice, inbox, &format!("word{number}"), crate::rig::flags(&["\\Deleted"]));
    }
    rig.store.wait_indexed();
    let database = rusqlite::Connection::open(settings.directory.join("mail.db")).unwrap();
    let octets = || {
        let sql = "SELECT total(length(words)) FROM text_segment";
        database.query_row(sql, [], |row| row.get::<_, f64>(0)).unwrap()
    };
    store.clear_now().unwrap();
    let before = octets();
    assert!(before > 0.0);
    rig.store.expunge(alice, inbox, Some(&[Uid(1), Uid(2)])).unwrap();
    store.clear_now().unwrap();
    let after = octets();
    assert!(after < before, "{after} of {before}");
    assert_eq!(rig.store.candidates(alice, inbox, "word2").unwrap(), Some(vec![Uid(3)]));
    rig.store.expunge(alice, inbox, None).unwrap();
    store.clear_now().unwrap();
    assert_eq!(octets(), 0.0);
}

/// Text that is no language: its mail is looked through by every search, and the index stays small.
#[test]
fn a_mail_of_endless_new_words_is_found_all_the_same() {
    let rig = Rig::new();
    let alice = rig.account("alice");
    let inbox = rig.inbox(alice);
    let text: String =
        (0..220_000).map(|n| format!("{n}x{}", if n % 9 == 8 { "\r\n" } else { " " })).collect();
    rig.put(alice, inbox, &text, Flags::default());
    rig.put(alice, inbox, "another", Flags::default());
    rig.store.wait_indexed();
    for (needle, uids) in
        [("219999x", vec![Uid(1)]), ("no such", vec![Uid(1)]), ("another", vec![Uid(1), Uid(2)])]
    {
        assert_eq!(rig.store.candidates(alice, inbox, needle).unwrap(), Some(uids), "{needle}");
    }
}
