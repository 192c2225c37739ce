//! Trees of `.eml` files: a file a message, octet by octet as it is; folders are mailboxes.
//!
//! Flags and dates lie beside them in `index.tsv`, a line a file: name, seconds since 1970, flags.

use crate::directory::Directory;
use crate::walk;
use crate::{Bounds, Faults, Folder, Message, Outgoing, Source, Target, Visit, file, flags, names};
use base::{Flags, MailboxName, Timestamp};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wire::mime::{date, header};

const INDEX: &str = "index.tsv";
/// A message's file until it is whole.
const PASSING: &str = ".passing";
/// Octets of an index.
const MOST_INDEX: u64 = 1 << 30;

/// Reads a tree of `.eml` files.
pub struct EmlReader {
    root: PathBuf,
    bounds: Bounds,
    /// Names that lead to each.
    folders: Vec<Vec<String>>,
}

impl EmlReader {
    /// Of the folder at `root`: what lies in it by itself is INBOX.
    pub fn new(root: &Path, bounds: Bounds) -> Self {
        EmlReader { root: root.to_owned(), bounds, folders: Vec::new() }
    }
}

impl Source for EmlReader {
    fn folders(&mut self, faults: &mut Faults) -> Result<Vec<Folder>, String> {
        let mut found = Vec::new();
        let enter = |name: &str| !name.starts_with('.');
        let root = Directory::root(&self.root)?;
        walk::folders(&root, self.bounds, faults, &enter, &mut |folder, levels, faults| {
            let messages = folder.entries(faults).iter().filter(|(name, _)| is_eml(name)).count() as u64;
            if messages == 0 {
                return;
            }
            let name = match levels.is_empty() {
                true => Ok(MailboxName::inbox()),
                false => names::joined(levels.iter().map(String::as_str)),
            };
            match name {
                Ok(name) => found.push((levels.to_vec(), name, messages)),
                Err(why) => faults.add(folder.path().display(), why),
            }
        });
        self.folders = found.iter().map(|(levels, ..)| levels.clone()).collect();
        let folder = |(_, name, messages)| Folder { name, special_use: None, subscribed: true, messages };
        Ok(found.into_iter().map(folder).collect())
    }

    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(levels) = self.folders.get(folder) else { return Ok(()) };
        let Some(folder) = Directory::reach(&self.root, levels, faults) else { return Ok(()) };
        let index = read_index(&folder).unwrap_or_else(|error| {
            faults.add(folder.path().join(INDEX).display(), error);
            HashMap::new()
        });
        let mut files = folder.entries(faults);
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut read = 0;
        for (name, kind) in files.into_iter().filter(|(name, _)| is_eml(name)) {
            read += 1;
            let path = folder.path().join(&name);
            if !kind.is_file() {
                faults.add(path.display(), "no regular file");
                continue;
            }
            if read > self.bounds.files {
                faults.add(path.display(), "too many files in one folder");
                return Ok(());
            }
            match folder.read(&name, self.bounds.message_octets) {
                Ok((octets, changed)) => {
                    let octets = file::with_crlf(octets);
                    let (date, flags) = match index.get(&name) {
                        Some((date, flags)) => (*date, flags.clone()),
                        None => (written(&octets).unwrap_or(changed), Flags::default()),
                    };
                    visit(Message { octets, flags, date: Some(date) })?;
                }
                Err(error) => faults.add(path.display(), error),
            }
        }
        Ok(())
    }
}

fn is_eml(name: &str) -> bool {
    walk::has_extension(name, "eml") && !name.starts_with('.')
}

/// When a message says that it was written: files that were copied have lost when they were received.
fn written(octets: &[u8]) -> Option<Timestamp> {
    let head = octets.get(..header::length(octets))?;
    Some(date::parse(&header::get(head, "Date")?)?.at)
}

fn read_index(folder: &Directory) -> io::Result<HashMap<String, (Timestamp, Flags)>> {
    let octets = match folder.read(INDEX, MOST_INDEX) {
        Ok((octets, _)) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&octets);
    let line = |line: &str| {
        let mut columns = line.split('\t');
        let (name, date) = (columns.next()?, columns.next()?.parse().ok()?);
        let flags = flags::from_names(columns.next()?.split_ascii_whitespace());
        Some((name.to_owned(), (Timestamp(date), flags)))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Writes a tree of `.eml` files.
pub struct EmlWriter {
    root: PathBuf,
    open: Option<(Directory, File)>,
}

impl EmlWriter {
    /// At `root`, which is made where it is missing.
    pub fn new(root: &Path) -> Self {
        EmlWriter { root: root.to_owned(), open: None }
    }
}

impl Target for EmlWriter {
    fn open(&mut self, name: &MailboxName) -> Result<(), String> {
        let open = || -> io::Result<_> {
            let mut folder = Directory::make(&self.root)?;
            for level in name.as_str().split('/').filter(|_| !name.is_inbox()) {
                folder = folder.enter_made(&names::as_file(level))?;
            }
            let index = folder.append(INDEX)?;
            Ok((folder, index))
        };
        self.open = Some(open().map_err(|e| format!("{}, {name}: {e}", self.root.display()))?);
        Ok(())
    }

    fn has(&self, id: (u32, u32)) -> bool {
        self.open.as_ref().is_some_and(|(folder, _)| folder.kind(&file_name(id)).is_file())
    }

    fn write(&mut self, message: &Outgoing<'_>, _faults: &mut Faults) -> Result<(), String> {
        let Some((folder, index)) = &mut self.open else { return Ok(()) };
        let name = file_name(message.id);
        let mut write = || -> io::Result<()> {
            let mut file = folder.begin(PASSING)?;
            file.write_all(message.octets)?;
            file::set_time(&file, message.date)?;
            // The line first: a file without one would come back without its flags.
            let flags = message.flags.names().collect::<Vec<_>>().join(" ");
            index.write_all(format!("{name}\t{}\t{flags}\n", message.date.0).as_bytes())?;
            folder.place(PASSING, folder, &name)
        };
        write().map_err(|e| format!("{}: {e}", folder.path().join(&name).display()))
    }

    fn close(&mut self) -> Result<(), String> {
        let Some((folder, _)) = self.open.take() else { return Ok(()) };
        folder.sync().map_err(|e| format!("{}: {e}", folder.path().display()))
    }

    fn subscribe(&mut self, _names: &[MailboxName]) -> Result<(), String> {
        Ok(())
    }
}

fn file_name((validity, uid): (u32, u32)) -> String {
    format!("{validity}-{uid:010}.eml")
}
