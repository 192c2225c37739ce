//! Readers against files made by hand after the formats' descriptions; writers against the readers; traps.

use super::*;
use base::{Flag, Keyword};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

mod hostile;
mod mbox;

/// A folder tree that goes away.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, octets).unwrap();
        path
    }

    fn maildir(&self, name: &str) {
        ["cur", "new", "tmp"].iter().for_each(|part| fs::create_dir_all(self.path(name).join(part)).unwrap());
    }
}

/// All that a source has: by mailbox, each message's octets and flags.
fn all(source: &mut dyn Source, faults: &mut Faults) -> Vec<(String, Vec<(String, String)>)> {
    let folders = source.folders(faults).unwrap();
    let mut out = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        let mut messages = Vec::new();
        let read = source.read(number, faults, &mut |message| {
            let flags = message.flags.names().collect::<Vec<_>>().join(" ");
            messages.push((String::from_utf8_lossy(&message.octets).into_owned(), flags));
            Ok(())
        });
        read.unwrap();
        out.push((folder.name.to_string(), messages));
    }
    out
}

fn own(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(text, flags)| ((*text).to_owned(), (*flags).to_owned())).collect()
}

#[test]
fn a_maildir_of_dovecots() {
    let place = Place::new();
    for folder in ["m", "m/.Sent", "m/.Gr&APw-n.Tief", "m/nested"] {
        place.maildir(folder);
    }
    place.write("m/cur/1600000002.M1P1.host,S=3:2,FRS", "b\n");
    place.write("m/cur/1600000001.M1P1.host:2,Sab", "a\r\n");
    place.write("m/new/1600000003.M1P1.host", "c\n\nbody\n");
    place.write("m/dovecot-keywords", "0 $Label1\n1 NotJunk\n");
    place.write("m/.Sent/cur/9.x:2,P", "later\n");
    place.write("m/.Sent/cur/8.x:2,", "sooner\n");
    // Dovecot's list has the order of UIDs.
    place.write("m/.Sent/dovecot-uidlist", "3 V1 N3 Gx\n1 :9.x:2,\n2 :8.x\n");
    place.write("m/.Gr&APw-n.Tief/cur/1.x;2,D", "deep\n");
    place.write("m/subscriptions", "V\t2\n\nSent\nGr&APw-n\tTief\n");
    let mut source = MaildirReader::new(&place.path("m"), Bounds::default());
    let mut faults = Faults::default();
    let folders = source.folders(&mut faults).unwrap();
    let shown: Vec<_> = folders.iter().map(|f| (f.name.as_str(), f.subscribed, f.messages)).collect();
    assert_eq!(shown, [("INBOX", true, 3), ("Grün/Tief", true, 1), ("Sent", true, 2), ("nested", false, 0)]);
    let found = all(&mut source, &mut faults);
    assert_eq!(
        found[0].1,
        own(&[
            ("a\r\n", "\\Seen $Label1 NotJunk"),
            ("b\r\n", "\\Answered \\Flagged \\Seen"),
            ("c\r\n\r\nbody\r\n", "")
        ])
    );
    assert_eq!(found[1].1, own(&[("deep\r\n", "\\Draft")]));
    assert_eq!(found[2].1, own(&[("later\r\n", "$Forwarded"), ("sooner\r\n", "")]));
    assert_eq!(faults, Faults::default());
}

#[test]
fn one_folder_gets_a_special_use() {
    let folder = |name: &str, told: Option<SpecialUse>| Folder {
        name: MailboxName::new(name).unwrap(),
        special_use: told,
        subscribed: true,
        messages: 0,
    };
    let check = |folders: &[(&str, Option<SpecialUse>)], expected: &[Option<SpecialUse>]| {
        let mut folders: Vec<_> = folders.iter().map(|(name, told)| folder(name, *told)).collect();
        place_folders(&mut folders);
        let got: Vec<_> = folders.iter().map(|folder| folder.special_use).collect();
        assert_eq!(got, expected);
    };
    use SpecialUse::{Junk, Sent, Trash};
    check(&[("Sent Messages", None), ("Sent", None)], &[None, Some(Sent)]);
    check(&[("INBOX/Spam", None), ("Deleted Items", None)], &[Some(Junk), Some(Trash)]);
    check(&[("Sent", None), ("Gesendet", Some(Sent))], &[None, Some(Sent)]);
    check(&[("Sent/2025", None)], &[None]);
}

/// Writes messages by a writer, twice, and reads them back.
fn check_round(target: &mut dyn Target, reader: impl Fn() -> Box<dyn Source>, names: &[&str]) {
    let mut flags = Flags::default();
    flags.set(Flag::Seen, true);
    flags.set(Flag::Answered, true);
    flags.set_keyword(&Keyword::new("$Label1").unwrap(), true);
    let texts = [
        "Subject: one\r\n\r\nFrom here\r\n>From there\r\n>>From yonder\r\n",
        "Subject: two\r\n\r\n\r\n\r\nends in empty lines\r\n\r\n\r\n",
        "Subject: no body\r\n",
    ];
    let mut faults = Faults::default();
    for round in 0..2 {
        for name in names {
            target.open(&MailboxName::new(name).unwrap()).unwrap();
            for (uid, text) in texts.iter().enumerate() {
                let id = (77, uid as u32 + 1);
                assert_eq!(target.has(id), round == 1, "{name} {id:?}");
                if round == 0 {
                    let flags = if uid == 0 { &flags } else { &Flags::default() };
                    let message =
                        Outgoing { id, octets: text.as_bytes(), flags, date: Timestamp(1_600_000_000) };
                    target.write(&message, &mut faults).unwrap();
                }
            }
            target.close().unwrap();
        }
        target.subscribe(&[MailboxName::inbox()]).unwrap();
    }
    let mut source = reader();
    let found = all(&mut *source, &mut faults);
    let mut got: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let mut wanted = names.to_vec();
    got.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(got, wanted);
    let expected = own(&[(texts[0], "\\Answered \\Seen $Label1"), (texts[1], ""), (texts[2], "")]);
    for (name, messages) in found {
        assert_eq!(messages, expected, "{name}");
    }
    let mut dates = Vec::new();
    let read = source.read(0, &mut faults, &mut |message| {
        dates.extend(message.date);
        Ok(())
    });
    read.unwrap();
    assert_eq!(dates, [Timestamp(1_600_000_000); 3]);
    assert_eq!(faults, Faults::default());
}

const NAMES: [&str; 4] = ["INBOX", "Sent", "Grün & blau/Tief", "Work/A B"];

#[test]
fn what_is_written_is_read_back() {
    let place = Place::new();
    let (maildir, mbox, eml) = (place.path("maildir"), place.path("mbox"), place.path("eml"));
    let bounds = Bounds::default();
    check_round(&mut MaildirWriter::new(&maildir), || Box::new(MaildirReader::new(&maildir, bounds)), &NAMES);
    check_round(
        &mut MboxWriter::new(&mbox),
        || Box::new(MboxReader::new(&mbox, bounds, Quoting::Mboxrd)),
        &NAMES,
    );
    check_round(&mut EmlWriter::new(&eml), || Box::new(EmlReader::new(&eml, bounds)), &NAMES);
    for (path, name) in [(&maildir, "Sent"), (&mbox, "Sent"), (&eml, "Sent")] {
        let mut faults = Faults::default();
        let mut found = open(path, bounds, Quoting::Mboxrd).unwrap();
        assert!(all(&mut *found, &mut faults).iter().any(|(n, m)| n == name && m.len() == 3), "{path:?}");
    }
}

#[test]
fn names_never_lead_out_of_the_target() {
    let place = Place::new();
    for (number, name) in ["../../out", "..", ".", "a/../../out", ".hidden/x"].into_iter().enumerate() {
        let name = MailboxName::new(name).unwrap();
        let root = place.path("in/deep");
        let targets: [Box<dyn Target>; 3] = [
            Box::new(MaildirWriter::new(&root.join("m"))),
            Box::new(MboxWriter::new(&root.join("b"))),
            Box::new(EmlWriter::new(&root.join("e"))),
        ];
        for mut target in targets {
            target.open(&name).unwrap();
            let (flags, id) = (Flags::default(), (1, number as u32));
            let message = Outgoing { id, octets: b"x\r\n", flags: &flags, date: Timestamp(0) };
            target.write(&message, &mut Faults::default()).unwrap();
            target.close().unwrap();
        }
    }
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(place.path("in")).unwrap().count(), 1);
}
