use super::*;

/// A store with one message whose attachment has `octets` octets that can't be packed.
fn one(octets: usize) -> (Place, Vault, SealedMessage, Vec<u8>) {
    let place = Place::new();
    let vault = place.open();
    let message = message_with("text", &[fold(&Chance(3).octets(octets), 76, "\r\n")]);
    let sealed = seal(&vault, &message);
    (place, vault, sealed, message)
}

#[test]
fn any_change_of_a_file_is_noticed() {
    let (place, vault, sealed, message) = one(150_000);
    let path = place.blobs().remove(0);
    let good = std::fs::read(&path).unwrap();
    let refused = |octets: &[u8], what: &str| {
        std::fs::write(&path, octets).unwrap();
        let why = read(&vault, &sealed).expect_err(what);
        assert!(why.contains(&sealed.attachments[0].blob.to_string()), "{what}: {why}");
    };
    // The head, both ends of each chunk, the index and the length, and a sample of the rest.
    let near = |at: usize| (at.saturating_sub(20)..at + 20).collect::<Vec<_>>();
    let head = 1 + 4 + 16 + 32 + 16;
    let chunk = 64 * 1024 + 16;
    let mut places: Vec<usize> = (0..head + 20).chain((0..good.len()).step_by(4999)).collect();
    [head + chunk, head + 2 * chunk, good.len() - 40, good.len() - 20]
        .iter()
        .for_each(|at| places.extend(near(*at)));
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        refused(&bad, &format!("octet {at} flipped"));
    }
    for length in (0..100).chain([head + chunk, good.len() - 100, good.len() - 4, good.len() - 1]) {
        refused(&good[..length], &format!("cut to {length}"));
    }
    refused(&[&good[..], b"x"].concat(), "an octet more");
    let (first, second) = (&good[head..head + chunk], &good[head + chunk..head + 2 * chunk]);
    refused(&[&good[..head], second, first, &good[head + 2 * chunk..]].concat(), "chunks swapped");
    refused(&[&good[..head], first, first, &good[head + 2 * chunk..]].concat(), "a chunk doubled");
    std::fs::write(&path, &good).unwrap();
    assert!(read(&vault, &sealed).unwrap() == message);
    std::fs::remove_file(&path).unwrap();
    assert!(read(&vault, &sealed).unwrap_err().contains("blob "));
}

#[test]
fn chunks_and_files_do_not_fit_elsewhere() {
    let place = Place::new();
    let vault = place.open();
    let plain = Chance(4).octets(150_000);
    let message = message_with("text", &[fold(&plain, 76, "\r\n")]);
    // The same octets, twice: sealed under keys of their own.
    let sealed = [seal(&vault, &message), seal(&vault, &message)];
    let paths = sealed.each_ref().map(|sealed| vault.0.shelf.path(sealed.attachments[0].blob));
    let good = paths.each_ref().map(|path| std::fs::read(path).unwrap());
    assert_eq!(good[0].len(), good[1].len());
    std::fs::write(&paths[0], &good[1]).unwrap();
    assert!(read(&vault, &sealed[0]).is_err());
    let (head, chunk) = (69, 64 * 1024 + 16);
    let mixed = [&good[0][..head], &good[1][head..head + chunk], &good[0][head + chunk..]].concat();
    std::fs::write(&paths[0], mixed).unwrap();
    assert!(read(&vault, &sealed[0]).is_err());
    assert!(read(&vault, &sealed[1]).unwrap() == message);
}

#[test]
fn a_range_needs_only_its_chunks() {
    let (place, vault, sealed, message) = one(1_000_000);
    let path = place.blobs().remove(0);
    let mut octets = std::fs::read(&path).unwrap();
    // All chunks are damaged but the eighth.
    let (head, chunk) = (69, 64 * 1024 + 16);
    for number in (0..15).filter(|number| *number != 7) {
        octets[head + number * chunk + 100] ^= 1;
    }
    std::fs::write(&path, octets).unwrap();
    let open = open(&vault, &sealed).unwrap();
    let from = 7 * 64 * 1024 * 4 / 3 * 78 / 76 + 2000;
    let mut out = Vec::new();
    open.read(from..from + 50_000, &mut out).unwrap();
    assert!(out == message[from as usize..from as usize + 50_000]);
    assert!(open.read(from - 50_000..from, &mut out).is_err());
}

#[test]
fn what_packs_well_is_packed() {
    let place = Place::new();
    let vault = place.open();
    seal(&vault, &message_with("text", &[fold(&[b'z'; 500_000], 76, "\r\n")]));
    assert!(std::fs::metadata(&place.blobs()[0]).unwrap().len() < 10_000);
}

#[test]
fn the_sweep_takes_old_orphans_only() {
    let (place, vault, sealed, message) = one(20_000);
    let known = sealed.attachments[0].blob;
    let orphan = seal(&vault, &message_with("x", &[fold(&Chance(5).octets(20_000), 76, "\r\n")]));
    let foreign = place.folder().join("blobs/00/notes.txt");
    std::fs::write(&foreign, "of an administrator").unwrap();
    let is_known = |id: &BlobId| *id == known;
    assert_eq!(vault.sweep(&is_known, Duration::from_secs(3600)), 0);
    assert_eq!(place.blobs().len(), 3);
    assert_eq!(vault.sweep(&is_known, Duration::ZERO), 1);
    assert_eq!(place.blobs().len(), 2);
    assert!(foreign.exists());
    assert!(read(&vault, &sealed).unwrap() == message);
    assert!(read(&vault, &orphan).is_err());
    vault.remove(known).unwrap();
    vault.remove(known).unwrap();
    assert_eq!(place.blobs(), [foreign]);
}
