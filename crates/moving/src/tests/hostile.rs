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

/// Exports a message to INBOX and one to Work, whatever is said of it.
fn export(target: &mut dyn Target) {
    let mut flags = Flags::default();
    flags.set_keyword(&Keyword::new("$Label1").unwrap(), true);
    for name in ["INBOX", "Work/A"] {
        if target.open(&MailboxName::new(name).unwrap()).is_ok() {
            let message = Outgoing { id: (1, 2), octets: b"x\r\n", flags: &flags, date: Timestamp(0) };
            let _ = target.write(&message, &mut Faults::default());
            let _ = target.close();
        }
    }
    let _ = target.subscribe(&[MailboxName::inbox()]);
}

/// Whoever owns a folder lays in it what leads elsewhere, before someone with more rights exports into it.
#[test]
fn what_is_written_stays_in_its_folder() {
    let writer = |kind: &str, root: &Path| -> Box<dyn Target> {
        match kind {
            "maildir" => Box::new(MaildirWriter::new(root)),
            "mbox" => Box::new(MboxWriter::new(root)),
            _ => Box::new(EmlWriter::new(root)),
        }
    };
    let check = |kind: &str, trap: &str, fifo: bool| {
        let place = Place::new();
        let (root, outside) = (place.path("root"), place.path("outside"));
        let precious = place.write("outside/precious", "as it was");
        let trap = if trap.is_empty() { root.clone() } else { root.join(trap) };
        fs::create_dir_all(trap.parent().unwrap()).unwrap();
        // A link to a folder, to a file, and to what is not there yet.
        let new = outside.join("new");
        let leads_to: &[Option<&Path>] =
            if fifo { &[None] } else { &[Some(&outside), Some(&precious), Some(&new)] };
        for to in leads_to {
            match to {
                Some(to) => symlink(to, &trap).unwrap(),
                None => rustix::fs::mkfifoat(rustix::fs::CWD, &trap, rustix::fs::Mode::RWXU).unwrap(),
            }
            export(&mut *writer(kind, &root));
            let left: Vec<_> = fs::read_dir(&outside).unwrap().collect();
            assert_eq!(left.len(), 1, "{kind} {trap:?} {left:?}");
            assert_eq!(fs::read_to_string(&precious).unwrap(), "as it was", "{kind} {trap:?}");
            if fs::symlink_metadata(&trap).is_ok_and(|about| !about.is_dir()) {
                fs::remove_file(&trap).unwrap();
            } else {
                break;
            }
        }
    };
    let maildir = [
        "",
        "cur",
        "new",
        "tmp",
        "tmp/1.M0000000002",
        ".Work.A",
        ".Work.A/cur",
        ".Work.A/tmp",
        ".Work.A/maildirfolder",
        "dovecot-keywords",
        "dovecot-keywords.new",
        "subscriptions",
        "subscriptions.new",
    ];
    maildir.iter().for_each(|trap| check("maildir", trap, false));
    let mbox = [
        "",
        "INBOX.mbox",
        "INBOX.mbox.exported",
        "INBOX.mbox.exported.new",
        "Work",
        "Work/A.mbox",
        ".subscriptions",
        ".subscriptions.new",
    ];
    mbox.iter().for_each(|trap| check("mbox", trap, false));
    let eml = ["", ".passing", "index.tsv", "1-0000000002.eml", "Work", "Work/A", "Work/A/index.tsv"];
    eml.iter().for_each(|trap| check("eml", trap, false));
    // A pipe that nobody reads or writes keeps nobody waiting.
    for (kind, trap) in [
        ("maildir", "cur"),
        ("maildir", "tmp/1.M0000000002"),
        ("maildir", "dovecot-keywords"),
        ("maildir", ".Work.A/maildirfolder"),
        ("mbox", "INBOX.mbox"),
        ("mbox", "INBOX.mbox.exported"),
        ("eml", ".passing"),
        ("eml", "index.tsv"),
    ] {
        check(kind, trap, true);
    }
}

/// A folder that was looked at, and became a link before it was read.
#[test]
fn a_folder_that_becomes_a_link_is_not_followed() {
    let check = |files: &[&str], open: &dyn Fn(&Path) -> Box<dyn Source>| {
        let place = Place::new();
        for file in files {
            for root in ["in", "outside"] {
                place.write(&format!("{root}/{file}"), "From a Wed Nov 25 08:00:00 2026\nA: 1\n\n");
            }
        }
        let mut source = open(&place.path("in"));
        let (mut faults, mut count) = (Faults::default(), 0);
        let folders = source.folders(&mut faults).unwrap();
        let number = folders.iter().position(|folder| !folder.name.is_inbox()).unwrap();
        let top = files[0].split('/').next().unwrap();
        fs::rename(place.path(&format!("in/{top}")), place.path("away")).unwrap();
        symlink(place.path(&format!("outside/{top}")), place.path(&format!("in/{top}"))).unwrap();
        let read = source.read(number, &mut faults, &mut |_| {
            count += 1;
            Ok(())
        });
        read.unwrap();
        assert_eq!((count, faults.count()), (0, 1), "{files:?}: {faults:?}");
    };
    let bounds = Bounds::default();
    check(&[".Work/cur/1.x:2,", ".Work/new/2.x"], &|root| Box::new(MaildirReader::new(root, bounds)));
    check(&["Work/1.eml"], &|root| Box::new(EmlReader::new(root, bounds)));
    check(&["Work/box"], &|root| Box::new(MboxReader::new(root, bounds, Quoting::Mboxrd)));
}

#[test]
fn what_is_named_is_no_link() {
    let place = Place::new();
    place.maildir("m");
    let file = place.write("box", "From a Wed Nov 25 08:00:00 2026\nA: 1\n");
    for (number, to) in [place.path("m"), file].iter().enumerate() {
        let link = place.path(&format!("link{number}"));
        symlink(to, &link).unwrap();
        for end in ["", "/", "/."] {
            let link = PathBuf::from(format!("{}{end}", link.display()));
            let refused = open(&link, Bounds::default(), Quoting::None).err().unwrap();
            assert!(refused.contains("symbolic link"), "{refused}");
            assert!(MaildirReader::new(&link, Bounds::default()).folders(&mut Faults::default()).is_err());
        }
    }
}
