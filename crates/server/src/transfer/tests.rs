//! A command's end and the server's, joined: mail that can't be read any more, and mailboxes that were renamed.

use super::link::Office;
use super::{Outcome, export, import};
use crate::config::{Config, Written};
use crate::control::Doubles;
use crate::serve::{Quiet, store_settings};
use base::{Address, Domain, Flags, MailboxName, SpecialUse};
use moving::{Faults, Folder, Message, Outgoing, Source, Target, Visit};
use std::fs;
use std::path::PathBuf;
use store::{Sqlite, Store};

const ACCOUNT: &str = "anna@example.test";

/// A store with one account.
struct Site {
    config: Config,
    _place: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        let text = format!(
            "[server]\nhostname = \"mail.example.test\"\ndata = \"{}\"\nkey_file = \"{}\"\n[tls]\nself_signed = true\n",
            path("data"),
            path("key")
        );
        let written = Written::parse(&[("test.toml".into(), text, place.path().to_owned())]).unwrap();
        let site = Site { config: written.convert(&[]).unwrap(), _place: place };
        let store = site.store();
        store.directory().add_domain(&Domain::new("example.test").unwrap()).unwrap();
        store.directory().add_account(&Address::parse(ACCOUNT).unwrap(), b"").unwrap();
        store.close();
        site
    }

    fn store(&self) -> std::sync::Arc<Sqlite> {
        Sqlite::open(&store_settings(&self.config)).unwrap()
    }

    fn import(&self, source: &mut Listed, doubles: Doubles) -> Outcome {
        let office = Office::Closed(Box::new(Quiet::open(&self.config).unwrap()));
        import::run(&mut office.account(ACCOUNT, doubles).unwrap(), source, None).unwrap()
    }

    fn export(&self) -> (Outcome, Vec<Vec<u8>>) {
        let office = Office::Closed(Box::new(Quiet::open(&self.config).unwrap()));
        let mut written = Taken(Vec::new());
        let mut link = office.account(ACCOUNT, Doubles::Remembered).unwrap();
        (export::run(&mut link, &mut written, &[]).unwrap(), written.0)
    }

    /// The files of mail.
    fn blobs(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.config.data.join("blobs")).unwrap();
        folders
            .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
            .map(|f| f.unwrap().path())
            .collect()
    }
}

/// Mail to be moved in: one folder.
struct Listed(Folder, Vec<Vec<u8>>);

impl Listed {
    fn new(name: &str, special_use: Option<SpecialUse>, messages: &[Vec<u8>]) -> Self {
        let folder =
            Folder { name: MailboxName::new(name).unwrap(), special_use, subscribed: false, messages: 0 };
        Listed(folder, messages.to_vec())
    }
}

impl Source for Listed {
    fn folders(&mut self, _: &mut Faults) -> Result<Vec<Folder>, String> {
        Ok(vec![self.0.clone()])
    }

    fn read(&mut self, _: usize, _: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let message =
            |octets: &Vec<u8>| Message { octets: octets.clone(), flags: Flags::default(), date: None };
        self.1.iter().try_for_each(|octets| visit(message(octets)))
    }
}

/// Takes what is exported.
struct Taken(Vec<Vec<u8>>);

impl Target for Taken {
    fn open(&mut self, _: &MailboxName) -> Result<(), String> {
        Ok(())
    }
    fn has(&self, _: (u32, u32)) -> bool {
        false
    }
    fn write(&mut self, message: &Outgoing<'_>, _: &mut Faults) -> Result<(), String> {
        self.0.push(message.octets.to_vec());
        Ok(())
    }
    fn close(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn subscribe(&mut self, _: &[MailboxName]) -> Result<(), String> {
        Ok(())
    }
}

fn text(subject: &str, lines: usize) -> Vec<u8> {
    format!("Subject: {subject}\r\n\r\n{}", "a line of text, and then another one\r\n".repeat(lines))
        .into_bytes()
}

/// A message with an attachment that lies in a file of its own.
fn with_attachment(subject: &str) -> Vec<u8> {
    let line = "QUJD".repeat(19) + "\r\n";
    format!(
        "Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n{}",
        line.repeat(400)
    )
    .into_bytes()
}

#[test]
fn what_can_not_be_read_is_named_and_the_rest_comes() {
    let damages: [fn(&PathBuf); 3] = [
        |file| fs::remove_file(file).unwrap(),
        |file| fs::OpenOptions::new().write(true).open(file).unwrap().set_len(100).unwrap(),
        |file| {
            // Within a chunk: it opens, and can't be read to its end.
            let mut octets = fs::read(file).unwrap();
            octets[100] ^= 1;
            fs::write(file, octets).unwrap();
        },
    ];
    // One whose text lies in a file, and one whose attachment does.
    for damaged in [text("long", 6000), with_attachment("file")] {
        for damage in damages {
            let site = Site::new();
            let all = [text("first", 1), damaged.clone(), text("last", 1)];
            let came = site.import(&mut Listed::new("Work", None, &all), Doubles::Remembered);
            assert_eq!((came.new, came.faults.count()), (3, 0));
            let blobs = site.blobs();
            assert_eq!(blobs.len(), 1);
            damage(&blobs[0]);
            let (outcome, written) = site.export();
            assert_eq!(written, [all[0].clone(), all[2].clone()]);
            assert_eq!((outcome.new, outcome.faults.count()), (2, 1), "{:?}", outcome.faults);
            assert!(outcome.faults.first()[0].starts_with("Work, message 2: "), "{:?}", outcome.faults);
        }
    }
}

/// What is damaged here is the same as nothing: so it can be given back, whole.
#[test]
fn what_is_damaged_here_is_given_back() {
    for damaged in [text("long", 6000), with_attachment("file")] {
        let site = Site::new();
        let all = [text("first", 1), damaged.clone()];
        site.import(&mut Listed::new("Work", None, &all), Doubles::Remembered);
        fs::remove_file(&site.blobs()[0]).unwrap();
        let back = site.import(&mut Listed::new("Work", None, &all), Doubles::Present);
        assert_eq!((back.new, back.known, back.faults.count()), (1, 1, 0), "{:?}", back.faults);
        assert!(site.export().1.contains(&damaged));
        // What was given back is known now.
        let again = site.import(&mut Listed::new("Work", None, &all), Doubles::Present);
        assert_eq!((again.new, again.known), (0, 2));
    }
}

#[test]
fn a_mailbox_that_was_renamed_here_gets_nothing_twice() {
    let check = |name: &str, special_use: Option<SpecialUse>, renamed: &str| {
        let site = Site::new();
        let mut source = Listed::new(name, special_use, &[text("one", 1), text("two", 1)]);
        assert_eq!(site.import(&mut source, Doubles::Remembered).new, 2);
        let store = site.store();
        let account = store.directory().accounts().unwrap()[0].id;
        let mailboxes = store.mailboxes(account).unwrap();
        let filled = mailboxes.iter().filter_map(|info| info.mailbox);
        let filled = filled.into_iter().find(|id| store.status(account, *id).unwrap().messages == 2).unwrap();
        store.rename(account, filled, &MailboxName::new(renamed).unwrap()).unwrap();
        store.close();
        drop(store);
        let again = site.import(&mut source, Doubles::Remembered);
        assert_eq!((again.new, again.known), (0, 2), "{name}");
    };
    check("Sent", Some(SpecialUse::Sent), "Gesendet");
    check("Sent Messages", Some(SpecialUse::Sent), "Gesendet");
    check("Work", None, "Old work");
}
