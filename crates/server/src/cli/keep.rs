//! Commands that move mail in and out, and keep copies of it.

use super::run::{asked, confirm, fail, list, print, written};
use super::{Backup, Export, Format, Import, MboxQuoting, Restore};
use crate::config::Config;
use crate::confine::privileges;
use crate::control::Doubles;
use crate::transfer::link::Office;
use crate::transfer::past::PastSource;
use crate::transfer::progress::Progress;
use crate::transfer::remote::Url;
use crate::transfer::{Outcome, export, import};
use moving::imap::{ImapReader, Login};
use moving::{
    Bounds, EmlReader, EmlWriter, MaildirReader, MaildirWriter, MboxReader, MboxWriter, Quoting, Source,
    Target,
};
use parking_lot::Mutex;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use store::backup::{self, Past};
use store::rollback;

/// What a command has to say, and whether all went well.
pub type Told = Result<bool, String>;

/// 0 where all went well, 2 where some was left out, 1 where it failed.
pub fn code(told: Told) -> ExitCode {
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(why) => fail(&why),
    }
}

/// `mailward import`
pub fn import(files: &[PathBuf], command: &Import) -> Told {
    let config = config(files)?;
    let bounds = Bounds { message_octets: config.limits.message_octets, ..Bounds::default() };
    let mut source = source(command, bounds)?;
    let office = Office::find(&config)?;
    let mut link = office.account(&command.address, Doubles::Remembered)?;
    let outcome = import::run(&mut link, &mut *source, command.below.as_deref())?;
    tell(&Summary::of(&outcome), ("moved in", "were here already"), command.listing.json)
}

/// `mailward export`
pub fn export(files: &[PathBuf], command: &Export) -> Told {
    let config = config(files)?;
    let office = Office::find(&config)?;
    let mut link = office.account(&command.address, Doubles::Remembered)?;
    let outcome = export::run(&mut link, &mut *target(command.format, &command.target), &command.mailbox)?;
    tell(&Summary::of(&outcome), ("written", "were there already"), command.listing.json)
}

/// `mailward backup`
pub fn backup(files: &[PathBuf], command: &Backup) -> Told {
    let watch = Watched::default();
    if command.verify {
        return verify(files, command, &watch);
    }
    let config = config(files)?;
    let options =
        backup::Options { keep: command.keep, seal_by: command.seal.then_some(config.key_file.as_path()) };
    let made = backup::make(&config.data, &command.folder, options, &|done, all| watch.tell(done, all));
    watch.end();
    let made = made.map_err(|e| e.to_string())?;
    if command.with_key {
        copy_key(&config.key_file, &command.folder.join("store.key"))?;
    }
    let row = MadeRow {
        name: &made.name,
        blobs: made.blobs,
        octets: made.octets,
        new_blobs: made.new_blobs,
        new_octets: made.new_octets,
        removed: made.removed,
        faults: &made.faults,
        all_kept: made.all_kept.as_deref(),
    };
    if command.listing.json {
        print(list(&[row], true, &[], |_| Vec::new()).as_bytes())?;
    } else {
        let (name, octets, new) = (&made.name, made.octets, made.new_octets);
        println!("{name}: {} files and the database, {octets} octets, {new} of them new", made.blobs);
        if made.removed > 0 {
            println!("{} older backups are removed", made.removed);
        }
        if let Some(why) = &made.all_kept {
            println!("no older backup is removed: {why}");
        }
        print_faults(&made.faults);
        if !command.with_key {
            println!("the store's key is not in it: keep a copy of {} elsewhere", config.key_file.display());
        }
    }
    Ok(made.faults.is_empty() && made.all_kept.is_none())
}

/// Faults that are named.
const NAMED: usize = 20;

fn print_faults(faults: &[String]) {
    faults.iter().take(NAMED).for_each(|line| println!("  {line}"));
    if faults.len() > NAMED {
        println!("  and {} more", faults.len() - NAMED);
    }
}

fn verify(files: &[PathBuf], command: &Backup, watch: &Watched) -> Told {
    // Where backups are looked after there need be no server.
    let config = config(files).ok();
    let key = config.as_ref().map(|config| config.key_file.as_path()).filter(|key| key.exists());
    let store = config.as_ref().map_or(Path::new(""), |config| config.data.as_path());
    let found = backup::verify(&command.folder, command.backup.as_deref(), (store, key), &|done, all| {
        watch.tell(done, all);
    });
    watch.end();
    let found = found.map_err(|e| e.to_string())?;
    println!("{} files, {} octets read", found.files, found.octets);
    print_faults(&found.faults);
    match found.faults.len() {
        0 => println!("all is as it was written"),
        count => println!("{count} are missing or damaged"),
    }
    if found.not_compared {
        println!(
            "whether the list of files is whole was not seen: the database is sealed, and the key is not here"
        );
    }
    Ok(found.faults.is_empty())
}

/// The key as it lies, for its owner only.
fn copy_key(from: &Path, to: &Path) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt;
    let copy = || -> std::io::Result<()> {
        let text = zeroize::Zeroizing::new(std::fs::read(from)?);
        let passing = to.with_extension("key.new");
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o400).open(&passing)?;
        std::io::Write::write_all(&mut file, &text)?;
        file.sync_all()?;
        std::fs::rename(passing, to)
    };
    copy().map_err(|e| format!("the key {} can't be copied: {e}", from.display()))
}

/// `mailward restore`
pub fn restore(files: &[PathBuf], command: &Restore) -> Told {
    if command.list {
        return list_backups(command);
    }
    let config = config(files)?;
    if let Some(address) = &command.account {
        return restore_account(&config, command, address);
    }
    if !config.key_file.exists() {
        return Err(format!(
            "the store's key {} is not there: put back the copy that was kept (`backup --with-key` leaves one as \
             store.key in the backups' folder)",
            config.key_file.display()
        ));
    }
    let watch = Watched::default();
    let name = command.backup.as_deref();
    let restored = backup::restore(&command.folder, name, (&config.data, &config.key_file), &|done, all| {
        watch.tell(done, all);
    });
    watch.end();
    let restored = restored.map_err(|e| e.to_string())?;
    privileges::give_to_owner(&config.data)?;
    println!("{} is back in {}: start the server", restored.name, config.data.display());
    if restored.held > 0 {
        println!(
            "{} messages in the queue are held, since they may have been sent after the backup was made: `mailward \
             queue list`, then `queue release` or `queue drop`",
            restored.held
        );
    }
    if !restored.faults.is_empty() {
        println!(
            "{} files of mail are missing or damaged in the backup: an earlier one may have them",
            restored.faults.len()
        );
        print_faults(&restored.faults);
    }
    Ok(restored.faults.is_empty())
}

fn restore_account(config: &Config, command: &Restore, address: &str) -> Told {
    let past = Past::open(&command.folder, command.backup.as_deref(), &crate::serve::store_settings(config));
    let past = past.map_err(|e| e.to_string())?;
    let below = (!command.merge).then(|| format!("Restored {}", past.name));
    let mut source = PastSource::new(past, address, command.mailbox.as_deref())?;
    let office = Office::find(config)?;
    let mut link = office.account(address, Doubles::Present)?;
    let outcome = import::run(&mut link, &mut source, below.as_deref())?;
    if let Some(below) = below.filter(|_| !command.listing.json) {
        println!("in the mailbox {below}:");
    }
    tell(&Summary::of(&outcome), ("given back", "were there"), command.listing.json)
}

fn list_backups(command: &Restore) -> Told {
    let kept = backup::list(&command.folder).map_err(|e| e.to_string())?;
    let row = |kept: backup::Kept| {
        let (size, damage) = kept.size.map_or_else(|why| (None, Some(why)), |size| (Some(size), None));
        KeptRow { name: kept.name, blobs: size.map(|s| s.0), octets: size.map(|s| s.1), damage }
    };
    let rows: Vec<KeptRow> = kept.into_iter().map(row).collect();
    let text = list(&rows, command.listing.json, &["BACKUP", "FILES", "OCTETS", ""], |row| {
        let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        vec![row.name.clone(), count(row.blobs), count(row.octets), row.damage.clone().unwrap_or_default()]
    });
    print(text.as_bytes())?;
    Ok(rows.iter().all(|row| row.damage.is_none()))
}

/// `mailward rollback`
pub fn rollback(files: &[PathBuf], to: Option<i64>, yes: bool) -> Told {
    let config = config(files)?;
    let snapshots = rollback::snapshots(&config.data).map_err(|e| e.to_string())?;
    let Some(to) = to else {
        for one in &snapshots {
            println!("version {}, as it was on {}, {} octets", one.version, one.made, one.octets);
        }
        println!("go back to one with --to VERSION, and run the program that it is of");
        return Ok(true);
    };
    let chosen = snapshots.iter().find(|one| one.version == to);
    let chosen =
        chosen.ok_or_else(|| format!("there is no snapshot of version {to} in {}", config.data.display()))?;
    let loss = rollback::loss(&config.data, chosen).map_err(|e| e.to_string())?;
    println!(
        "Going back to {}. Lost will be all changes since: {} messages that came in, {} that were queued, {} new \
         accounts, flags, moves and deletions. Mail deleted since is back, but its attachments may be gone.",
        chosen.made, loss.messages, loss.queued, loss.accounts
    );
    if !yes {
        confirm("Type yes to go on: ", "yes")?;
    }
    let kept = privileges::as_owner_of(&config.data, || rollback::rollback(&config.data, chosen))?;
    let kept = kept.map_err(|e| e.to_string())?;
    println!("Done. The database as it was till now is {}.", kept.display());
    Ok(true)
}

/// Progress as it is told by several threads.
#[derive(Default)]
struct Watched(Mutex<Option<(Progress, u64)>>);

impl Watched {
    fn tell(&self, done: u64, all: u64) {
        let mut state = self.0.lock();
        let (progress, before) = state.get_or_insert_with(|| (Progress::new(all, "octets"), 0));
        progress.add(done.saturating_sub(*before));
        *before = done.max(*before);
    }

    fn end(&self) {
        if let Some((progress, _)) = self.0.lock().take() {
            progress.finish();
        }
    }
}

#[derive(Serialize)]
struct MadeRow<'m> {
    name: &'m str,
    blobs: u64,
    octets: u64,
    new_blobs: u64,
    new_octets: u64,
    removed: usize,
    faults: &'m [String],
    all_kept: Option<&'m str>,
}

#[derive(Serialize)]
struct KeptRow {
    name: String,
    blobs: Option<u64>,
    octets: Option<u64>,
    damage: Option<String>,
}

fn source(command: &Import, bounds: Bounds) -> Result<Box<dyn Source>, String> {
    let quoting = match command.mbox_quoting {
        MboxQuoting::Mboxrd => Quoting::Mboxrd,
        MboxQuoting::Mboxo => Quoting::Mboxo,
        MboxQuoting::None => Quoting::None,
    };
    let path = &command.source;
    if let Some(url) = path.to_str().and_then(Url::parse) {
        return other_server(command, &url?, bounds);
    }
    Ok(match command.format {
        None => moving::open(path, bounds, quoting)?,
        Some(Format::Maildir) => Box::new(MaildirReader::new(path, bounds)),
        Some(Format::Mbox) => Box::new(MboxReader::new(path, bounds, quoting)),
        Some(Format::Eml) => Box::new(EmlReader::new(path, bounds)),
    })
}

fn other_server(command: &Import, url: &Url, bounds: Bounds) -> Result<Box<dyn Source>, String> {
    let secret = asked(command.password.password_stdin || command.token_stdin, false)?;
    let user = command.user.clone().unwrap_or_else(|| command.address.clone());
    let login = if command.token_stdin { Login::Token(user, secret) } else { Login::Password(user, secret) };
    let stream = url.connect(command.insecure)?;
    Ok(Box::new(ImapReader::open(stream, url.starttls, &login, bounds)?))
}

fn target(format: Format, path: &Path) -> Box<dyn Target> {
    match format {
        Format::Maildir => Box::new(MaildirWriter::new(path)),
        Format::Mbox => Box::new(MboxWriter::new(path)),
        Format::Eml => Box::new(EmlWriter::new(path)),
    }
}

/// The configuration of the server whose mail it is.
pub fn config(files: &[PathBuf]) -> Result<Config, String> {
    written(files).and_then(|written| written.convert(files)).map_err(|e| e.to_string())
}

/// What was moved, in figures.
#[derive(Serialize)]
struct Summary<'f> {
    new: u64,
    known: u64,
    octets: u64,
    seconds: f64,
    left_out: u64,
    first_left_out: &'f [String],
}

impl<'f> Summary<'f> {
    fn of(outcome: &'f Outcome) -> Self {
        Summary {
            new: outcome.new,
            known: outcome.known,
            octets: outcome.octets,
            seconds: outcome.took.as_secs_f64(),
            left_out: outcome.faults.count(),
            first_left_out: outcome.faults.first(),
        }
    }
}

fn tell(summary: &Summary<'_>, (moved, there): (&str, &str), json: bool) -> Told {
    let whole = summary.left_out == 0;
    if json {
        let line = serde_json::to_string(summary).map_err(|e| e.to_string())?;
        print(format!("{line}\n").as_bytes())?;
        return Ok(whole);
    }
    let rate = (summary.new + summary.known) as f64 / summary.seconds.max(0.001);
    let mut text = format!(
        "{} messages {moved}, {} {there}; {} octets in {}, {rate:.0} messages a second\n",
        summary.new,
        summary.known,
        summary.octets,
        shown(Duration::from_secs_f64(summary.seconds)),
    );
    if !whole {
        text += &format!("{} left out or changed:\n", summary.left_out);
        summary.first_left_out.iter().for_each(|line| text += &format!("  {line}\n"));
        let unnamed = summary.left_out - summary.first_left_out.len() as u64;
        if unnamed > 0 {
            text += &format!("  and {unnamed} more\n");
        }
    }
    print(text.as_bytes())?;
    Ok(whole)
}

fn shown(took: Duration) -> String {
    match took.as_secs() {
        seconds if seconds >= 120 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}
