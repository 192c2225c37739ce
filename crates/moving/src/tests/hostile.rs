//! Files laid as traps: each is passed by, and named.

use super::*;

/// Reads all; what is read, and what is said of the rest.
fn read(root: &Path, bounds: Bounds) -> (usize, Faults) {
    let mut faults = Faults::default();
    let mut source = MaildirReader::new(root, bounds);
    let found = all(&mut source, &mut faults);
    (found.iter().map(|(_, messages)| messages.len()).sum(), faults)
}

fn check(lay: impl Fn(&Place), bounds: Bounds, why: &str) {
    let place = Place::new();
    place.maildir("m");
    place.write("m/cur/1.x:2,S", "A: 1\n\n");
    lay(&place);
    let (count, faults) = read(&place.path("m"), bounds);
    assert_eq!(count, 1, "{why}");
    assert!(faults.count() == 1 && faults.first()[0].contains(why), "{why}: {faults:?}");
}

#[test]
fn each_trap_is_named_and_the_rest_goes_on() {
    let usual = Bounds::default();
    let link = |to: &'static str| move |place: &Place| symlink(to, place.path("m/cur/2.x:2,")).unwrap();
    check(link("/etc/passwd"), usual, "no regular file");
    check(link("/dev/zero"), usual, "no regular file");
    let fifo = |place: &Place| {
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, place.path("m/new/2.x"), mode).unwrap();
    };
    check(fifo, usual, "no regular file");
    check(|place| fs::create_dir(place.path("m/cur/2.x:2,")).unwrap(), usual, "no regular file");
    let sparse = |place: &Place| {
        let file = fs::File::create(place.path("m/cur/2.x:2,")).unwrap();
        file.set_len(2 << 30).unwrap();
    };
    check(sparse, usual, "2147483648 octets are more than");
    let small = Bounds { files: 1, ..usual };
    check(|place| drop(place.write("m/cur/2.x:2,", "b")), small, "too many files");
    let not_utf8 = |place: &Place| {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"2.\xff\xfe:2,");
        fs::write(place.path("m/cur").join(name), "b").unwrap();
    };
    check(not_utf8, usual, "not UTF-8");
    check(|place| place.maildir(&format!("m/.{}", ["x"; 40].join("."))), usual, "no name for a mailbox");
    check(|place| drop(place.write("m/dovecot-keywords", vec![b'x'; 2 << 20])), usual, "its keywords");
}

#[test]
fn links_to_folders_are_not_followed() {
    let place = Place::new();
    place.maildir("m");
    place.maildir("other/.Deep");
    place.write("other/.Deep/cur/1.x:2,", "A: 1\n");
    symlink(place.path("other/.Deep"), place.path("m/.Link")).unwrap();
    symlink(place.path("m"), place.path("m/.Loop")).unwrap();
    assert_eq!(read(&place.path("m"), Bounds::default()), (0, Faults::default()));
}

#[test]
fn nesting_and_number_of_folders_are_bounded() {
    let place = Place::new();
    place.maildir("m");
    fs::create_dir_all(place.path("m").join(["d"; 40].join("/"))).unwrap();
    assert!(read(&place.path("m"), Bounds::default()).1.first()[0].contains("nested too deep"));
    let few = Bounds { folders: 10, ..Bounds::default() };
    assert!(read(&place.path("m"), few).1.first()[0].contains("more than 10 folders"));
}

#[test]
fn one_that_is_renamed_meanwhile_is_found_and_one_that_goes_is_named() {
    let place = Place::new();
    place.maildir("m");
    for number in 1..=3 {
        place.write(&format!("m/cur/{number}.x:2,"), format!("A: {number}\n"));
    }
    let mut source = MaildirReader::new(&place.path("m"), Bounds::default());
    let (mut faults, mut seen) = (Faults::default(), Vec::new());
    source.folders(&mut faults).unwrap();
    let read = source.read(0, &mut faults, &mut |message| {
        if seen.is_empty() {
            fs::rename(place.path("m/cur/2.x:2,"), place.path("m/cur/2.x:2,S")).unwrap();
            fs::remove_file(place.path("m/cur/3.x:2,")).unwrap();
        }
        seen.push((message.octets, message.flags.has(Flag::Seen)));
        Ok(())
    });
    read.unwrap();
    assert_eq!(seen, [(b"A: 1\r\n".to_vec(), false), (b"A: 2\r\n".to_vec(), true)]);
    assert!(faults.count() == 1 && faults.first()[0].contains("it went while"), "{faults:?}");
}

#[test]
fn an_mbox_of_one_endless_line_is_bounded() {
    let place = Place::new();
    let mut text = b"From a Wed Nov 25 08:00:00 2026\nA: 1\n\n".to_vec();
    text.resize(3 << 20, b'x');
    text.extend_from_slice(b"\n\nFrom b Wed Nov 25 08:00:00 2026\nA: \x002\n");
    let path = place.write("box", text);
    let bounds = Bounds { message_octets: 1 << 20, ..Bounds::default() };
    let mut faults = Faults::default();
    let found = all(&mut MboxReader::new(&path, bounds, Quoting::Mboxrd), &mut faults);
    assert_eq!(found[0].1, own(&[("A: \u{0}2\r\n", "")]));
    assert!(faults.count() == 1 && faults.first()[0].contains("message 1: more than"), "{faults:?}");
}

#[test]
fn what_is_no_mail_is_said_so() {
    let place = Place::new();
    for name in ["/dev/null", "/no/such/file"] {
        assert!(open(Path::new(name), Bounds::default(), Quoting::None).is_err(), "{name}");
    }
    let empty = open(place.0.path(), Bounds::default(), Quoting::None).err().unwrap();
    assert!(empty.contains("holds no Maildir"), "{empty}");
    let path = place.write("text", "Dear Sir\nFrom here on\n");
    let mut faults = Faults::default();
    let found = all(&mut MboxReader::new(&path, Bounds::default(), Quoting::None), &mut faults);
    assert_eq!(found[0].1, []);
    assert!(faults.first()[0].contains("text above the first message"), "{faults:?}");
}
