//! `mailward import`: what a source gives, batch by batch, into an account.

use super::link::Link;
use super::progress::Progress;
use super::{BATCH, BATCH_OCTETS, Fate, Incoming, Outcome};
use moving::{Faults, Folder, Message, Source, place_folders};

/// Moves in all that `source` has. `below` is a mailbox to put everything under, instead of where it was.
pub fn run(link: &mut Link, source: &mut dyn Source, below: Option<&str>) -> Result<Outcome, String> {
    let mut faults = Faults::default();
    let mut folders = source.folders(&mut faults)?;
    match below {
        None => place_folders(&mut folders),
        Some(below) => put_below(&mut folders, below)?,
    }
    let mut run = Run {
        link,
        outcome: Outcome::default(),
        progress: Progress::new(folders.iter().map(|folder| folder.messages).sum(), "messages"),
    };
    for (number, folder) in folders.iter().enumerate() {
        run.progress.at(folder.name.as_str());
        let mailbox = match run.link.mailbox(folder) {
            Ok(row) => row.mailbox,
            Err(why) => {
                faults.add(&folder.name, why);
                continue;
            }
        };
        let mut batch = Batch { mailbox, messages: Vec::new(), octets: 0 };
        source.read(number, &mut faults, &mut |message| {
            batch.add(message);
            if batch.is_full() { run.send(&mut batch, folder) } else { Ok(()) }
        })?;
        run.send(&mut batch, folder)?;
        while let Some(fates) = run.link.settled()? {
            run.count(fates, folder);
        }
    }
    let Run { mut outcome, progress, .. } = run;
    outcome.took = progress.finish();
    outcome.faults.merge(faults);
    Ok(outcome)
}

fn put_below(folders: &mut [Folder], below: &str) -> Result<(), String> {
    for folder in folders {
        let name = format!("{below}/{}", folder.name);
        folder.name = base::MailboxName::new(&name).map_err(|why| format!("{name}: {why:?}"))?;
        folder.special_use = None;
    }
    Ok(())
}

struct Run<'l> {
    link: &'l mut Link,
    outcome: Outcome,
    progress: Progress,
}

impl Run<'_> {
    fn send(&mut self, batch: &mut Batch, folder: &Folder) -> Result<(), String> {
        if batch.messages.is_empty() {
            return Ok(());
        }
        self.outcome.octets += batch.octets;
        batch.octets = 0;
        if let Some(fates) = self.link.put(batch.mailbox, std::mem::take(&mut batch.messages))? {
            self.count(fates, folder);
        }
        Ok(())
    }

    fn count(&mut self, fates: Vec<Fate>, folder: &Folder) {
        self.progress.add(fates.len() as u64);
        for fate in fates {
            match fate {
                Fate::New => self.outcome.new += 1,
                Fate::Known => self.outcome.known += 1,
                Fate::Refused(why) => self.outcome.faults.add(format!("a message of {}", folder.name), why),
            }
        }
    }
}

struct Batch {
    mailbox: u64,
    messages: Vec<(Incoming, Vec<u8>)>,
    octets: u64,
}

impl Batch {
    fn add(&mut self, message: Message) {
        let incoming = Incoming {
            size: message.octets.len() as u64,
            flags: message.flags.names().map(str::to_owned).collect(),
            date: message.date.map(|date| date.0),
        };
        self.octets += incoming.size;
        self.messages.push((incoming, message.octets));
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= BATCH || self.octets >= BATCH_OCTETS
    }
}
