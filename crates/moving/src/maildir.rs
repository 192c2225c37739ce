//! Maildir and Maildir++: a file a message, its flags in its name; below it Dovecot's other files.
//!
//! Folders of folders are read too (Dovecot's `LAYOUT=fs`, mbsync). Dovecot's layout of names is written: `.A.B`, in
//! modified UTF-7.

use crate::flags::{from_letters, to_letters};
use crate::walk::{self, entries};
use crate::{Bounds, Faults, Folder, Message, Outgoing, Source, Target, Visit, file, keyword_file, names};
use base::{Keyword, MailboxName};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Octets of Dovecot's lists: of UIDs, of subscriptions.
const MOST_LIST: u64 = 1 << 30;
/// What our own files' names end in, before their size and flags.
const OURS: &str = ".mailward";

/// Reads a Maildir.
pub struct MaildirReader {
    root: PathBuf,
    bounds: Bounds,
    folders: Vec<PathBuf>,
}

impl MaildirReader {
    /// Of the Maildir, or the folder of Maildirs, at `root`.
    pub fn new(root: &Path, bounds: Bounds) -> Self {
        MaildirReader { root: root.to_owned(), bounds, folders: Vec::new() }
    }
}

impl Source for MaildirReader {
    fn folders(&mut self, faults: &mut Faults) -> Result<Vec<Folder>, String> {
        let subscribed = subscriptions(&self.root, faults);
        let mut found = Vec::new();
        let enter = |name: &str| !matches!(name, "cur" | "new" | "tmp");
        walk::folders(&self.root, self.bounds, faults, &enter, &mut |path, levels, faults| {
            if !walk::is_maildir(path) {
                return;
            }
            match folder_name(levels) {
                Ok(name) => found.push((path.to_owned(), name)),
                Err(why) => faults.add(path.display(), why),
            }
        });
        found.sort_by(|(_, a), (_, b)| (!a.is_inbox(), a).cmp(&(!b.is_inbox(), b)));
        self.folders = found.iter().map(|(path, _)| path.clone()).collect();
        let folder = |(path, name): (PathBuf, MailboxName)| Folder {
            subscribed: name.is_inbox() || subscribed.contains(name.as_str()),
            messages: ["cur", "new"].iter().map(|part| count(&path.join(part))).sum(),
            special_use: None,
            name,
        };
        Ok(found.into_iter().map(folder).collect())
    }

    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(path) = self.folders.get(folder).cloned() else { return Ok(()) };
        let keywords = keyword_file::read(&path).unwrap_or_else(|error| {
            faults.add(path.display(), format!("its keywords: {error}"));
            Vec::new()
        });
        let mut moved = Vec::new();
        for file in messages(&path, self.bounds, faults) {
            match self.message(&path, &file, &keywords) {
                Ok(message) => visit(message)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => moved.push(file),
                Err(error) => faults.add(path.join(&file.name).display(), error),
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        // Someone else changed their flags meanwhile, and with these their names; or they are gone.
        let now: HashMap<String, Listed> = messages(&path, self.bounds, faults)
            .into_iter()
            .map(|file| (file.base().to_owned(), file))
            .collect();
        for file in moved {
            let again =
                now.get(file.base()).ok_or_else(|| io::Error::other("it went while the folder was read"));
            match again.and_then(|file| self.message(&path, file, &keywords)) {
                Ok(message) => visit(message)?,
                Err(error) => faults.add(path.join(&file.name).display(), error),
            }
        }
        Ok(())
    }
}

impl MaildirReader {
    fn message(&self, folder: &Path, listed: &Listed, keywords: &[Option<Keyword>]) -> io::Result<Message> {
        let path = folder.join(listed.part).join(&listed.name);
        let (octets, date) = file::read_whole(&path, self.bounds.message_octets)?;
        let flags = from_letters(listed.letters().as_bytes(), keywords);
        Ok(Message { octets: file::with_crlf(octets), flags, date: Some(date) })
    }
}

/// A message's file.
struct Listed {
    part: &'static str,
    name: String,
}

impl Listed {
    /// The name without flags, which stays the same for ever.
    fn base(&self) -> &str {
        base_of(&self.name)
    }

    fn letters(&self) -> &str {
        // What lies in `new` has no flags yet.
        let info = self.name.get(self.base().len() + 1..).filter(|_| self.part == "cur");
        info.and_then(|info| info.strip_prefix("2,")).unwrap_or_default()
    }

    /// When it was delivered, by its name: files without Dovecot's list are read in this order.
    fn delivered(&self) -> u64 {
        let digits = self.name.split('.').next().unwrap_or_default();
        digits.parse().unwrap_or(u64::MAX)
    }
}

/// Some file systems have no colons: `;` and `!` stand for them.
fn base_of(name: &str) -> &str {
    let end = [":2,", ";2,", "!2,"].iter().filter_map(|mark| name.rfind(mark)).min();
    name.get(..end.unwrap_or(name.len())).unwrap_or(name)
}

/// A folder's messages, by UID where Dovecot left its list, else by age.
fn messages(path: &Path, bounds: Bounds, faults: &mut Faults) -> Vec<Listed> {
    let mut all = Vec::new();
    for part in ["cur", "new"] {
        for (name, kind) in entries(&path.join(part), faults) {
            if name.starts_with('.') {
                continue;
            }
            if !kind.is_file() {
                faults.add(path.join(part).join(name).display(), "no regular file");
            } else if all.len() >= bounds.files {
                faults.add(path.join(part).join(name).display(), "too many files in one folder");
            } else {
                all.push(Listed { part, name });
            }
        }
    }
    let places = uid_list(path);
    all.sort_by_cached_key(|file| {
        let place = places.get(file.base()).copied().unwrap_or(usize::MAX);
        (place, file.delivered(), file.name.clone())
    });
    all
}

/// Base names by their place in `dovecot-uidlist`; lines are `UID [EXTENSIONS] :NAME` below a header.
fn uid_list(folder: &Path) -> HashMap<String, usize> {
    let Ok((octets, _)) = file::read_whole(&folder.join("dovecot-uidlist"), MOST_LIST) else {
        return HashMap::new();
    };
    let text = String::from_utf8_lossy(&octets);
    let names = text.lines().skip(1).filter_map(|line| line.split_once(" :"));
    names.enumerate().map(|(place, (_, name))| (base_of(name).to_owned(), place)).collect()
}

/// What a folder is called: Maildir++ writes all levels in one name (`.A.B`), others a folder each.
fn folder_name(levels: &[String]) -> Result<MailboxName, String> {
    let parts = levels.iter().flat_map(|level| match level.strip_prefix('.') {
        Some(flat) => flat.split('.').map(names::level).collect::<Vec<_>>(),
        None => vec![names::level(level)],
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { Ok(MailboxName::inbox()) } else { names::joined(parts.iter().map(String::as_str)) }
}

/// Names that the owner subscribed to. Dovecot writes a header and a tab between levels; before, and elsewhere, a
/// name a line with dots between them.
fn subscriptions(root: &Path, faults: &mut Faults) -> HashSet<String> {
    let path = root.join("subscriptions");
    let octets = match file::read_whole(&path, MOST_LIST) {
        Ok((octets, _)) => octets,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                faults.add(path.display(), error);
            }
            return HashSet::new();
        }
    };
    let text = String::from_utf8_lossy(&octets);
    let mut lines = text.lines().peekable();
    let tabs = lines.next_if(|first| first.starts_with("V\t")).is_some();
    let name = |line: &str| {
        let levels: Vec<String> = line.split(if tabs { '\t' } else { '.' }).map(names::level).collect();
        names::joined(levels.iter().map(String::as_str)).map(|name| name.as_str().to_owned())
    };
    lines.filter(|line| !line.is_empty()).filter_map(|line| name(line).ok()).collect()
}

fn count(folder: &Path) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| entries.count() as u64)
}

/// Writes a Maildir that Dovecot reads.
pub struct MaildirWriter {
    root: PathBuf,
    open: Option<OpenFolder>,
}

struct OpenFolder {
    path: PathBuf,
    /// Names that are there, without flags and sizes.
    there: HashSet<String>,
    keywords: Vec<Option<Keyword>>,
    known_keywords: usize,
}

impl MaildirWriter {
    /// At `root`, which is made where it is missing.
    pub fn new(root: &Path) -> Self {
        MaildirWriter { root: root.to_owned(), open: None }
    }

    fn folder(&self, name: &MailboxName) -> PathBuf {
        if name.is_inbox() {
            return self.root.clone();
        }
        // A dot within a level would read as two levels.
        let levels = name.as_str().split('/').map(|level| wire::imap::utf7::encode(&level.replace('.', "_")));
        self.root.join(levels.fold(String::new(), |name, level| name + "." + &level))
    }
}

impl Target for MaildirWriter {
    fn open(&mut self, name: &MailboxName) -> Result<(), String> {
        let path = self.folder(name);
        let open = || -> io::Result<OpenFolder> {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(path.join(part))?;
            }
            if path != self.root {
                // By this a Maildir++ tells its folders from other things.
                File::create(path.join("maildirfolder"))?;
            }
            let keywords = keyword_file::read(&path)?;
            let there =
                ["cur", "new"].iter().flat_map(|part| fs::read_dir(path.join(part)).into_iter().flatten());
            let names = there.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let there = names.filter_map(|name| name.find(OURS).map(|end| name[..end].to_owned())).collect();
            Ok(OpenFolder { path: path.clone(), there, known_keywords: keywords.len(), keywords })
        };
        self.open = Some(open().map_err(|e| format!("{}: {e}", path.display()))?);
        Ok(())
    }

    fn has(&self, id: (u32, u32)) -> bool {
        self.open.as_ref().is_some_and(|open| open.there.contains(&stem(id)))
    }

    fn write(&mut self, message: &Outgoing<'_>, faults: &mut Faults) -> Result<(), String> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (letters, lost) = to_letters(message.flags, &mut open.keywords);
        let stem = stem(message.id);
        if lost > 0 {
            faults.add(&stem, format!("{lost} keywords left out: a Maildir folder has room for 26"));
        }
        let size = message.octets.len();
        // S and W: size as it is and with CRLF, the same here. Dovecot need not open the file to know them.
        let name = format!("{stem}{OURS},S={size},W={size}:2,{letters}");
        let passing = open.path.join("tmp").join(&stem);
        let write = || -> io::Result<()> {
            let mut file = File::create(&passing)?;
            file.write_all(message.octets)?;
            file::set_time(&file, message.date)?;
            fs::rename(&passing, open.path.join("cur").join(&name))
        };
        write().map_err(|e| format!("{}: {e}", open.path.join("cur").join(&name).display()))?;
        open.there.insert(stem);
        if open.keywords.len() > open.known_keywords {
            open.known_keywords = open.keywords.len();
            keyword_file::write(&open.path, &open.keywords)
                .map_err(|e| format!("{}: its keywords: {e}", open.path.display()))?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(open) = self.open.take() else { return Ok(()) };
        file::sync_all(&open.path).map_err(|e| format!("{}: {e}", open.path.display()))
    }

    fn subscribe(&mut self, names: &[MailboxName]) -> Result<(), String> {
        let levels = |name: &MailboxName| {
            let levels =
                name.as_str().split('/').map(|level| wire::imap::utf7::encode(&level.replace('.', "_")));
            levels.collect::<Vec<_>>().join("\t") + "\n"
        };
        let text = String::from("V\t2\n\n") + &names.iter().map(levels).collect::<String>();
        let path = self.root.join("subscriptions");
        file::replace(&path, text.as_bytes()).map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// A name that sorts by UID and stays the same for ever.
fn stem((validity, uid): (u32, u32)) -> String {
    format!("{validity}.M{uid:010}")
}
