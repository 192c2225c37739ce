//! Mail as other programs keep it, read and written: Maildir, mbox, trees of `.eml` files; another server's IMAP, read.
//!
//! What is read was written by strangers, and lies in folders that others may change meanwhile: links are not followed,
//! only regular files are opened, every size has a bound, and what can't be read is counted and named in [`Faults`]
//! while the rest goes on.

mod directory;
mod eml;
mod file;
pub mod flags;
pub mod imap;
mod keyword_file;
mod lines;
mod maildir;
mod mbox;
mod names;
#[cfg(test)]
mod tests;
mod walk;

pub use eml::{EmlReader, EmlWriter};
pub use maildir::{MaildirReader, MaildirWriter};
pub use mbox::{MboxReader, MboxWriter, Quoting};
pub use names::{guess_use, place_folders};

use base::{Flags, MailboxName, SpecialUse, Timestamp};
use std::path::Path;

/// A mailbox as a source has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// Its name here.
    pub name: MailboxName,
    /// What it is for, as far as the source says or its name tells.
    pub special_use: Option<SpecialUse>,
    /// Whether its owner subscribed to it.
    pub subscribed: bool,
    /// About how many messages it has; 0 where that is not known before they are read.
    pub messages: u64,
}

/// A message that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its octets, lines ended by CRLF.
    pub octets: Vec<u8>,
    /// Its flags.
    pub flags: Flags,
    /// Its internal date.
    pub date: Option<Timestamp>,
}

/// Takes what is read; an error ends the reading.
pub type Visit<'v> = &'v mut dyn FnMut(Message) -> Result<(), String>;

/// Mail to be moved in.
pub trait Source {
    /// Its mailboxes.
    fn folders(&mut self, faults: &mut Faults) -> Result<Vec<Folder>, String>;

    /// Reads the messages of a mailbox, by its place in the list that [`Source::folders`] gave.
    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String>;
}

/// A message that is written out.
pub struct Outgoing<'m> {
    /// UIDVALIDITY and UID: what it is known by in its mailbox, for ever.
    pub id: (u32, u32),
    /// Its octets.
    pub octets: &'m [u8],
    /// Its flags.
    pub flags: &'m Flags,
    /// Its internal date.
    pub date: Timestamp,
}

/// Where mail is moved out to. Mailbox by mailbox: each is opened, written to and closed.
pub trait Target {
    /// Goes on with a mailbox, which is made where it is missing.
    fn open(&mut self, name: &MailboxName) -> Result<(), String>;

    /// Whether the open mailbox has a message since an earlier time.
    fn has(&self, id: (u32, u32)) -> bool;

    /// Adds a message to the open mailbox.
    fn write(&mut self, message: &Outgoing<'_>, faults: &mut Faults) -> Result<(), String>;

    /// Ends the open mailbox: all of it is on the disk.
    fn close(&mut self) -> Result<(), String>;

    /// Says which mailboxes the owner subscribed to.
    fn subscribe(&mut self, names: &[MailboxName]) -> Result<(), String>;
}

/// What could not be moved: how many, and the first few by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    count: u64,
    first: Vec<String>,
}

impl Faults {
    /// How many are named.
    const NAMED: usize = 10;

    /// Counts one: what, and why.
    pub fn add(&mut self, what: impl std::fmt::Display, why: impl std::fmt::Display) {
        self.count += 1;
        if self.first.len() < Self::NAMED {
            // Names may hold what steers a terminal.
            self.first.push(printable(&format!("{what}: {why}"), 300));
        }
    }

    /// Adds those of another list.
    pub fn merge(&mut self, other: Faults) {
        self.count += other.count;
        self.first.extend(other.first);
        self.first.truncate(Self::NAMED);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first few, a line each.
    pub fn first(&self) -> &[String] {
        &self.first
    }
}

/// Bounds on what is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Octets of a message.
    pub message_octets: u64,
    /// Files in one folder.
    pub files: usize,
    /// Mailboxes.
    pub folders: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { message_octets: 50 << 20, files: 5_000_000, folders: 10_000 }
    }
}

/// Opens what lies at a path, whatever it is.
pub fn open(path: &Path, bounds: Bounds, quoting: Quoting) -> Result<Box<dyn Source>, String> {
    let path = &directory::plain(path);
    let about = std::fs::symlink_metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if about.is_file() {
        return Ok(Box::new(MboxReader::new(path, bounds, quoting)));
    }
    if about.is_symlink() {
        return Err(format!(
            "{} is a symbolic link, which is not followed: name what it leads to",
            path.display()
        ));
    }
    if !about.is_dir() {
        return Err(format!("{} is neither a folder nor a file", path.display()));
    }
    match walk::holds(path)? {
        walk::Holds::Maildir => Ok(Box::new(MaildirReader::new(path, bounds))),
        walk::Holds::Eml => Ok(Box::new(EmlReader::new(path, bounds))),
        walk::Holds::Mbox => Ok(Box::new(MboxReader::new(path, bounds, quoting))),
        walk::Holds::Nothing => Err(format!(
            "{} holds no Maildir, no mbox and no .eml file (say --format if it does)",
            path.display()
        )),
    }
}

/// What a stranger wrote, fit for a terminal: without controls, and at most so many characters of it.
pub fn printable(text: &str, most: usize) -> String {
    // U+202A to U+202E and U+2066 to U+2069 turn the direction of what follows.
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if steers(c) { '?' } else { c };
    text.chars().take(most).map(shown).collect()
}
