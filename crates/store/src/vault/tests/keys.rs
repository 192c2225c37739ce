use super::*;
use std::os::unix::fs::PermissionsExt;

fn refused(place: &Place, expected: &str) {
    let why = why(Vault::open(&place.settings()).err().expect("a refusal"));
    assert!(why.contains(expected), "{why}");
}

/// Writes the key file anew.
fn set_key_file(place: &Place, text: &str) {
    std::fs::remove_file(place.key_file()).unwrap();
    std::fs::write(place.key_file(), text).unwrap();
    std::fs::set_permissions(place.key_file(), PermissionsExt::from_mode(0o400)).unwrap();
}

fn key_file(place: &Place) -> String {
    std::fs::read_to_string(place.key_file()).unwrap()
}

#[test]
fn made_once_for_the_owner_only() {
    let place = Place::new();
    let fingerprint = place.open().fingerprint();
    let mode = std::fs::metadata(place.key_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o400);
    let text = key_file(&place);
    assert_eq!(place.open().fingerprint(), fingerprint);
    assert_eq!(key_file(&place), text);
    assert_eq!(std::fs::read_dir(&place.root).unwrap().count(), 2, "something was left beside the key");
}

#[test]
fn not_made_unless_allowed() {
    let place = Place::new();
    let settings = Settings { make_key: false, ..place.settings() };
    assert!(why(Vault::open(&settings).err().unwrap()).contains("is missing"));
    assert!(!place.key_file().exists());
}

#[test]
fn a_key_of_another_store_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.open();
    other.open();
    set_key_file(&place, &key_file(&other));
    refused(&place, "put back the key file that was kept");
}

#[test]
fn key_files_that_are_refused() {
    let place = Place::new();
    place.open();
    let good = key_file(&place);
    for mode in [0o404, 0o444, 0o420, 0o644] {
        std::fs::set_permissions(place.key_file(), PermissionsExt::from_mode(mode)).unwrap();
        refused(&place, "can be read by others");
    }
    // As systemd hands out a credential.
    std::fs::set_permissions(place.key_file(), PermissionsExt::from_mode(0o440)).unwrap();
    place.open();
    let last_digit = good.trim_end().chars().last().unwrap();
    let mistyped = format!(
        "{}{}\n",
        &good.trim_end()[..good.trim_end().len() - 1],
        if last_digit == '0' { '1' } else { '0' }
    );
    for (text, expected) in [
        ("", "does not begin with"),
        ("mailward store key 2\n", "does not begin with"),
        ("mailward store key 1\n# nothing\n", "holds no key"),
        ("mailward store key 1\nkey 00000000 00\n", "not 64 hexadecimal digits"),
        ("mailward store key 1\nhello\n", "a line that is no key"),
        (&good[..good.len() - 5], "not 64 hexadecimal digits"),
        (&mistyped, "mistyped or damaged"),
    ] {
        set_key_file(&place, text);
        refused(&place, expected);
    }
    set_key_file(&place, &good);
    place.open();
}

#[test]
fn a_key_among_the_data_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.folder()).unwrap();
    let settings = Settings { key_file: place.folder().join("store.key"), ..place.settings() };
    assert!(why(Vault::open(&settings).err().unwrap()).contains("must lie outside"));
}

#[test]
fn a_lost_identity_is_not_made_anew() {
    let place = Place::new();
    let vault = place.open();
    seal(&vault, &message_with("x", &[fold(&[7; 20_000], 76, "\r\n")]));
    std::fs::remove_file(place.folder().join("identity")).unwrap();
    refused(&place, "the store holds mail");
}

#[test]
fn a_new_key_opens_what_the_old_one_sealed() {
    let (place, other) = (Place::new(), Place::new());
    let message = message_with("before", &[fold(&[7; 20_000], 76, "\r\n")]);
    let vault = place.open();
    let (old, hash) = (seal(&vault, &message), vault.keyed_hash(b"thread", b"x"));
    // The new key is put first, as the key of another store would be made.
    other.open();
    let key_line = |text: &str| text.lines().last().unwrap().to_owned();
    let (old_file, new_line) = (key_file(&place), key_line(&key_file(&other)));
    set_key_file(&place, &format!("mailward store key 1\n{new_line}\n{}\n", key_line(&old_file)));
    let vault = place.open();
    assert!(read(&vault, &old).unwrap() == message);
    assert_eq!(vault.keyed_hash(b"thread", b"x"), hash);
    let new = seal_in(&vault, &message, DOMAIN, &[&old]);
    assert!(!new.attachments[0].new, "found again under the new key");
    let both = seal(&vault, &message);
    // Without the old key, only what the new one sealed opens.
    set_key_file(&place, &format!("mailward store key 1\n{new_line}\n"));
    let vault = place.open();
    assert!(read(&vault, &both).unwrap() == message);
    assert!(read(&vault, &old).unwrap_err().contains("the key file does not hold"));
    // And the old key alone no longer opens the store.
    set_key_file(&place, &old_file);
    refused(&place, "put back the key file that was kept");
}

#[test]
fn rows_open_in_their_context_only() {
    let (place, other) = (Place::new(), Place::new());
    let (vault, stranger) = (place.open(), other.open());
    for plain in [&b""[..], b"x", &[0; 5000]] {
        let sealed = vault.seal_row(b"account 1", plain).unwrap();
        assert_ne!(sealed, vault.seal_row(b"account 1", plain).unwrap());
        let mut out = b"kept".to_vec();
        vault.open_row(b"account 1", &sealed, &mut out).unwrap();
        assert_eq!(out, [b"kept", plain].concat());
        assert!(vault.open_row(b"account 2", &sealed, &mut out).is_err());
        assert!(stranger.open_row(b"account 1", &sealed, &mut out).is_err());
        assert_eq!(out, [b"kept", plain].concat());
        for at in 0..sealed.len().min(60) {
            let mut bad = sealed.clone();
            bad[at] ^= 4;
            assert!(vault.open_row(b"account 1", &bad, &mut out).is_err(), "{at}");
            assert!(vault.open_row(b"account 1", &sealed[..at], &mut out).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn hashes_depend_on_store_and_context() {
    let (place, other) = (Place::new(), Place::new());
    let (vault, stranger) = (place.open(), other.open());
    let hash = vault.keyed_hash(b"a", b"data");
    assert_eq!(hash, vault.keyed_hash(b"a", b"data"));
    let others = [
        vault.keyed_hash(b"b", b"data"),
        vault.keyed_hash(b"a", b"date"),
        stranger.keyed_hash(b"a", b"data"),
    ];
    assert!(others.iter().all(|other| *other != hash));
}
