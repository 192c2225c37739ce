use super::super::spool::IN_MEMORY;
use super::*;

fn check(size: usize, step: usize, in_memory: bool) {
    let place = Place::new();
    let vault = place.open();
    let mut chance = Chance(6);
    let octets = chance.octets(size);
    let mut writer = vault.spool().unwrap();
    assert!(writer.is_empty());
    octets.chunks(step).for_each(|part| writer.push(part).unwrap());
    assert_eq!(writer.len(), size as u64);
    let spooled = writer.finish().unwrap();
    assert_eq!((spooled.len(), spooled.as_slice().is_some()), (size as u64, in_memory));
    assert_eq!(files_below(&place.folder().join("spool")), Vec::<PathBuf>::new());
    let mut all = Vec::new();
    spooled.read(0..size as u64, &mut all).unwrap();
    assert!(all == octets);
    for _ in 0..50 {
        let from = chance.below(size);
        let to = from + chance.below(size - from + 1);
        all.clear();
        spooled.read(from as u64..to as u64, &mut all).unwrap();
        assert!(all == octets[from..to], "{from}..{to} of {size}");
    }
    assert!(spooled.read(0..size as u64 + 1, &mut all).is_err());
}

#[test]
fn what_was_pushed_is_read() {
    check(1000, 7, true);
    check(IN_MEMORY, 1000, true);
    check(IN_MEMORY + 1, 1000, false);
    check(IN_MEMORY + 1, IN_MEMORY + 1, false);
    check(1_000_000, 4096, false);
    check(1_048_576, 1_048_576, false);
}

#[test]
fn a_file_in_the_spool_has_no_name_and_no_clear_text() {
    let place = Place::new();
    let vault = place.open();
    let mut writer = vault.spool().unwrap();
    (0..100_000).for_each(|_| writer.push(b"MARKER-").unwrap());
    let spool = place.folder().join("spool");
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let ours = descriptors.filter(|fd| std::fs::read_link(fd).is_ok_and(|file| file.starts_with(&spool)));
    let contents: Vec<Vec<u8>> = ours.map(|fd| std::fs::read(fd).unwrap()).collect();
    assert_eq!(contents.len(), 1);
    assert!(contents[0].len() > 200_000);
    assert!(!contents[0].windows(7).any(|window| window == b"MARKER-"));
    assert_eq!(files_below(&spool), Vec::<PathBuf>::new());
}
