//! The formats on disk stay as docs/storage.md says: what an independent implementation wrote (Python's
//! `cryptography` and `blake3`) opens.

use super::super::blob::Blob;
use super::super::keys::unhex;
use super::*;
use std::os::unix::fs::PermissionsExt;

const KEY_FILE: &str = "mailward store key 1\n\
    key 00463e86 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
const IDENTITY: &str = "0100463e860101010101010101010101010101010122f06374088ed593f811f314d78d5f2c84a69a5ba625e359aa3c07\
    c6916e701f58af5b1a59cfcc05e1618ca1c9cb63bd";
const ROW: &str = "0100463e8602020202020202020202020202020202f2209affed36f81ea0a89d070cbafe17d38fd6f6d5";
const BLOB_NAME: &str = "ab/000102030405060708090a0b0c0d0e0f.gmkzqh";
const BLOB: &str = "0100463e8603030303030303030303030303030303c0adba5f686f403b0405019900c6898da44e5f8ca912c86f80362b06f57e\
    8374146472d1d4055080a2386a2ab76116d089a01141534c1be2db338d2212e547ca8d6c388a8d3ecd70a93a1e43d643bef6365205d65ed61798\
    7f494ec3f8569b7e278fbf2eae80c8157cbc31ae1c000000";
const HASH: &str = "4647515dc2694bb0f34066be0b30bb2b20a22d7bf2af792b2ca32f2ddb77a085";

#[test]
fn what_another_wrote_opens() {
    let place = Place::new();
    std::fs::create_dir_all(place.folder().join("blobs/ab")).unwrap();
    std::fs::write(place.key_file(), KEY_FILE).unwrap();
    std::fs::set_permissions(place.key_file(), PermissionsExt::from_mode(0o400)).unwrap();
    std::fs::write(place.folder().join("identity"), octets::<69>(IDENTITY)).unwrap();
    std::fs::write(place.folder().join("blobs").join(BLOB_NAME), octets::<133>(BLOB)).unwrap();
    let vault = place.open();

    let mut row = Vec::new();
    vault.open_row(b"account 1", &octets::<42>(ROW), &mut row).unwrap();
    assert_eq!(row, b"a row");
    assert_eq!(vault.keyed_hash(b"threads", b"x"), octets::<32>(HASH));

    let id = BlobId(octets("ab000102030405060708090a0b0c0d0e0f"));
    let blob = Blob::open(vault.0.shelf.file(id).unwrap(), id, &vault.0.keys).unwrap();
    let mut content = Vec::new();
    blob.read(0..blob.len(), &mut content).unwrap();
    assert_eq!(content, b"octets of a blob");
}

fn octets<const N: usize>(text: &str) -> [u8; N] {
    *unhex(text).unwrap()
}
