//! Cutting an mbox.

use super::*;

fn check(file: &str, quoting: Quoting, expected: &[(&str, &str)]) {
    let place = Place::new();
    let path = place.write("box", file);
    let mut faults = Faults::default();
    let found = all(&mut MboxReader::new(&path, Bounds::default(), quoting), &mut faults);
    assert_eq!(found, [("INBOX".to_owned(), own(expected))], "{file:?}");
}

#[test]
fn where_messages_begin() {
    let rd = Quoting::Mboxrd;
    check(
        "From a Wed Nov 25 08:00:00 2026\nA: 1\n\nx\n\nFrom b Wed Nov 25 08:00 2026\nA: 2\n\ny\n",
        rd,
        &[("A: 1\r\n\r\nx\r\n", ""), ("A: 2\r\n\r\ny\r\n", "")],
    );
    // Not below an empty line, or without a date: text.
    check(
        "From a Wed Nov 25 08:00:00 2026\nA: 1\n\nx\nFrom b Wed Nov 25 08:00:00 2026\n\nFrom here on it is text\n\n",
        rd,
        &[("A: 1\r\n\r\nx\r\nFrom b Wed Nov 25 08:00:00 2026\r\n\r\nFrom here on it is text\r\n", "")],
    );
    // CRLF, no end of line at the end, and a message without octets.
    check("From - Wed Nov 25 08:00:00 2026\r\nA: 1\r\n\r\nx", rd, &[("A: 1\r\n\r\nx", "")]);
    check(
        "From - Wed Nov 25 08:00:00 2026\n\nFrom - Wed Nov 25 08:00:00 2026\nA: 1\n",
        rd,
        &[("", ""), ("A: 1\r\n", "")],
    );
}

#[test]
fn quoting() {
    let file = "From a Wed Nov 25 08:00:00 2026\n\n>From x\n>>From y\n> From z\n";
    check(file, Quoting::Mboxrd, &[("\r\nFrom x\r\n>From y\r\n> From z\r\n", "")]);
    check(file, Quoting::Mboxo, &[("\r\nFrom x\r\n>>From y\r\n> From z\r\n", "")]);
    check(file, Quoting::None, &[("\r\n>From x\r\n>>From y\r\n> From z\r\n", "")]);
}

#[test]
fn flags_in_fields() {
    check(
        "From a Wed Nov 25 08:00:00 2026\nStatus: RO\nA: 1\nX-Status: AF\nX-Keywords: $Label1 Work \nX-UID: 5\n\nx\n",
        Quoting::Mboxrd,
        &[("A: 1\r\n\r\nx\r\n", "\\Answered \\Flagged \\Seen $Label1 Work")],
    );
}

/// What a program keeps its numbers in is no message; what only looks like it is.
#[test]
fn internal_data() {
    let numbers = "From MAILER-DAEMON Wed Nov 25 08:00:00 2026\n\
         Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 123 4\n\nx\n\n";
    let mail = "From a Wed Nov 25 08:00:00 2026\nA: 1\nX-IMAP: 1 2\n";
    let kept = "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\n\r\nx\r\n";
    check(&format!("{numbers}{mail}"), Quoting::Mboxrd, &[("A: 1\r\n", "")]);
    check(mail, Quoting::Mboxrd, &[("A: 1\r\n", "")]);
    check(&format!("{mail}\n{numbers}"), Quoting::Mboxrd, &[("A: 1\r\n", ""), (kept, "")]);
}

/// A file that can't be read is named, not taken for one that is no mbox.
#[test]
fn what_is_no_file_is_named() {
    let place = Place::new();
    place.write("one", "From a Wed Nov 25 08:00:00 2026\nA: 1\n");
    let notes = place.write("notes", "no mail");
    let root = notes.parent().unwrap();
    std::os::unix::fs::symlink("one", root.join("link")).unwrap();
    let _bound = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let mut faults = Faults::default();
    let found = all(&mut MboxReader::new(root, Bounds::default(), Quoting::Mboxrd), &mut faults);
    assert_eq!(found, [("one".to_owned(), own(&[("A: 1\r\n", "")]))]);
    assert_eq!(faults.count(), 2, "{:?}", faults.first());
}

#[test]
fn dates() {
    let check = |line: &str, expected: Option<i64>| {
        let place = Place::new();
        let path = place.write("box", format!("From {line}\nA: 1\n"));
        let mut source = MboxReader::new(&path, Bounds::default(), Quoting::Mboxrd);
        let (mut faults, mut dates) = (Faults::default(), Vec::new());
        source.folders(&mut faults).unwrap();
        let read = source.read(0, &mut faults, &mut |message| {
            dates.push(message.date);
            Ok(())
        });
        read.unwrap();
        assert_eq!(dates.first().copied().flatten().map(|date| date.0), expected, "{line}");
    };
    // Expected: `date -u -d '…' +%s`.
    check("a@example.net Wed Nov 25 03:32:43 2026", Some(1_795_577_563));
    check("a@example.net  Tue Feb 29 00:00:00 2000", Some(951_782_400));
    check("MAILER-DAEMON Wed Nov 25 03:32:43 +0100 2026", Some(1_795_573_963));
    check("\"a b\"@example.net Wed Nov  5 03:32 CET 2026", Some(1_793_849_520));
    check("a@example.net", None);
    check("a@example.net Wed Nov 99 03:32:43 2026", None);
}

#[test]
fn a_folder_of_them() {
    let place = Place::new();
    let text = "From a Wed Nov 25 08:00:00 2026\nA: 1\n";
    for name in ["d/Inbox", "d/Work.sbd/Deep", "d/Work", "d/.hidden", "d/Old.mbox"] {
        place.write(name, text);
    }
    place.write("d/Inbox.msf", "// no mbox");
    let mut faults = Faults::default();
    let found = all(&mut *open(&place.path("d"), Bounds::default(), Quoting::Mboxrd).unwrap(), &mut faults);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["INBOX", "Old", "Work", "Work/Deep"]);
    assert_eq!(faults, Faults::default());
}

#[test]
fn a_file_that_someone_changed_is_not_added_to() {
    let place = Place::new();
    let mut writer = MboxWriter::new(&place.path("d"));
    let inbox = MailboxName::inbox();
    writer.open(&inbox).unwrap();
    writer.close().unwrap();
    fs::write(place.path("d/INBOX.mbox"), "From a Wed Nov 25 08:00:00 2026\nA: 1\n").unwrap();
    assert!(writer.open(&inbox).unwrap_err().contains("not as the last export left it"));
}
