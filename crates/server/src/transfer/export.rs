//! `mailward export`: an account's mail into files of other programs; what is there already is left as it is.

use super::link::Link;
use super::progress::Progress;
use super::{Found, MailboxRow, MessageRow, Outcome};
use base::{MailboxName, Timestamp};
use moving::{Outgoing, Target};

/// Messages that are asked for at a time,
const AT_ONCE: usize = 64;
/// and their octets, after which no further one is asked for.
const OCTETS_AT_ONCE: u64 = 8 << 20;

/// Writes all of an account's mail, or that of some mailboxes, to `target`.
pub fn run(link: &mut Link, target: &mut dyn Target, only: &[String]) -> Result<Outcome, String> {
    let all = link.mailboxes()?;
    let chosen: Vec<&MailboxRow> =
        all.iter().filter(|row| only.is_empty() || only.contains(&row.name)).collect();
    if let Some(missing) = only.iter().find(|name| !all.iter().any(|row| row.name == **name)) {
        return Err(format!("there is no mailbox {missing}"));
    }
    let mut outcome = Outcome::default();
    let mut progress = Progress::new(chosen.iter().map(|row| u64::from(row.messages)).sum(), "messages");
    for row in &chosen {
        progress.at(&row.name);
        let name = MailboxName::new(&row.name).map_err(|why| format!("{}: {why:?}", row.name))?;
        if let Err(why) = target.open(&name) {
            outcome.faults.add(&name, why);
            continue;
        }
        write_mailbox(link, target, row, &mut outcome, &mut progress)?;
        target.close()?;
    }
    let subscribed =
        chosen.iter().filter(|row| row.subscribed).filter_map(|row| MailboxName::new(&row.name).ok());
    target.subscribe(&subscribed.collect::<Vec<_>>())?;
    outcome.took = progress.finish();
    Ok(outcome)
}

fn write_mailbox(
    link: &mut Link,
    target: &mut dyn Target,
    mailbox: &MailboxRow,
    outcome: &mut Outcome,
    progress: &mut Progress,
) -> Result<(), String> {
    let mut after = 0;
    loop {
        let page = link.list(mailbox.mailbox, after)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.uid;
        let (there, new): (Vec<_>, Vec<_>) =
            page.into_iter().partition(|row| target.has((mailbox.uid_validity, row.uid)));
        outcome.known += there.len() as u64;
        progress.add(there.len() as u64);
        for some in pieces(new) {
            let mut rows = some.iter();
            link.read(some.iter().map(|row| row.mail).collect(), |found| {
                let Some(row) = rows.next() else { return Ok(()) };
                let octets = match found {
                    Ok(octets) => octets,
                    Err(Found::Unreadable(why)) => {
                        outcome.faults.add(format!("{}, message {}", mailbox.name, row.uid), why);
                        return Ok(());
                    }
                    // Deleted since the list was made.
                    Err(_) => return Ok(()),
                };
                let message = Outgoing {
                    id: (mailbox.uid_validity, row.uid),
                    octets: &octets,
                    flags: &moving::flags::from_names(row.flags.iter().map(String::as_str)),
                    date: Timestamp(row.date),
                };
                target.write(&message, &mut outcome.faults)?;
                outcome.new += 1;
                outcome.octets += octets.len() as u64;
                progress.add(1);
                Ok(())
            })?;
        }
    }
}

/// Rows that are asked for together.
fn pieces(rows: Vec<MessageRow>) -> Vec<Vec<MessageRow>> {
    let mut all: Vec<Vec<MessageRow>> = Vec::new();
    let mut octets = OCTETS_AT_ONCE;
    for row in rows {
        let full = all.last().is_none_or(|last| last.len() >= AT_ONCE) || octets >= OCTETS_AT_ONCE;
        if full {
            all.push(Vec::new());
            octets = 0;
        }
        octets += row.size;
        all.last_mut().into_iter().for_each(|last| last.push(row.clone()));
    }
    all
}
