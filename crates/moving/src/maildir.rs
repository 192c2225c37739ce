//! Maildir and Maildir++: a file a message, its flags in its name; below it Dovecot's other files.
//!
//! Folders of folders are read too (Dovecot's `LAYOUT=fs`, mbsync). Dovecot's layout of names is written: `.A.B`, in
//! modified UTF-7.

use crate::directory::Directory;
use crate::flags::{from_letters, to_letters};
use crate::walk;
use crate::{Bounds, Faults, Folder, Message, Outgoing, Source, Target, Visit, file, keyword_file, names};
use base::{Keyword, MailboxName};
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Octets of Dovecot's lists: of UIDs, of subscriptions.
const MOST_LIST: u64 = 1 << 30;
/// Dovecot's list of subscriptions, which others read, too.
const SUBSCRIPTIONS: &str = "subscriptions";
/// What our own files' names end in, before their size and flags.
const OURS: &str = ".mailward";

/// Reads a Maildir.
pub struct MaildirReader {
    root: PathBuf,
    bounds: Bounds,
    /// Names that lead to each.
    folders: Vec<Vec<String>>,
}

impl MaildirReader {
    /// Of the Maildir, or the folder of Maildirs, at `root`.
    pub fn new(root: &Path, bounds: Bounds) -> Self {
        MaildirReader { root: root.to_owned(), bounds, folders: Vec::new() }
    }
}

impl Source for MaildirReader {
    fn folders(&mut self, faults: &mut Faults) -> Result<Vec<Folder>, String> {
        let root = Directory::root(&self.root)?;
        let subscribed = subscriptions(&root, faults);
        let mut found = Vec::new();
        let enter = |name: &str| !matches!(name, "cur" | "new" | "tmp");
        walk::folders(&root, self.bounds, faults, &enter, &mut |folder, levels, faults| {
            if !walk::is_maildir(folder) {
                return;
            }
            let count = |part: &&str| folder.enter(part).map_or(0, |part| part.count());
            match folder_name(levels) {
                Ok(name) => found.push((levels.to_vec(), name, ["cur", "new"].iter().map(count).sum())),
                Err(why) => faults.add(folder.path().display(), why),
            }
        });
        found.sort_by(|(_, a, _), (_, b, _)| (!a.is_inbox(), a).cmp(&(!b.is_inbox(), b)));
        self.folders = found.iter().map(|(levels, ..)| levels.clone()).collect();
        let folder = |(_, name, messages): (_, MailboxName, u64)| Folder {
            subscribed: name.is_inbox() || subscribed.contains(name.as_str()),
            messages,
            special_use: None,
            name,
        };
        Ok(found.into_iter().map(folder).collect())
    }

    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(levels) = self.folders.get(folder) else { return Ok(()) };
        let Some(folder) = Directory::reach(&self.root, levels, faults) else { return Ok(()) };
        let keywords = keyword_file::read(&folder).unwrap_or_else(|error| {
            faults.add(folder.path().display(), format!("its keywords: {error}"));
            Vec::new()
        });
        let parts = Parts::of(&folder, faults);
        let mut moved = Vec::new();
        for file in parts.messages(&folder, self.bounds, faults) {
            match self.message(&parts, &file, &keywords) {
                Ok(message) => visit(message)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => moved.push(file),
                Err(error) => faults.add(folder.path().join(&file.name).display(), error),
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        // Someone else changed their flags meanwhile, and with these their names; or they are gone.
        let now: HashMap<String, Listed> = parts
            .messages(&folder, self.bounds, faults)
            .into_iter()
            .map(|file| (file.base().to_owned(), file))
            .collect();
        for file in moved {
            let again =
                now.get(file.base()).ok_or_else(|| io::Error::other("it went while the folder was read"));
            match again.and_then(|file| self.message(&parts, file, &keywords)) {
                Ok(message) => visit(message)?,
                Err(error) => faults.add(folder.path().join(&file.name).display(), error),
            }
        }
        Ok(())
    }
}

impl MaildirReader {
    fn message(&self, parts: &Parts, listed: &Listed, keywords: &[Option<Keyword>]) -> io::Result<Message> {
        let part = parts.0.iter().find(|(name, _)| *name == listed.part);
        let (_, part) = part.ok_or(io::ErrorKind::NotFound)?;
        let (octets, date) = part.read(&listed.name, self.bounds.message_octets)?;
        let flags = from_letters(listed.letters().as_bytes(), keywords);
        Ok(Message { octets: file::with_crlf(octets), flags, date: Some(date) })
    }
}

/// Where a Maildir's messages lie.
struct Parts(Vec<(&'static str, Directory)>);

impl Parts {
    fn of(folder: &Directory, faults: &mut Faults) -> Self {
        let mut parts = Vec::new();
        for part in ["cur", "new"] {
            match folder.enter(part) {
                Ok(open) => parts.push((part, open)),
                Err(error) => faults.add(folder.path().join(part).display(), error),
            }
        }
        Parts(parts)
    }

    /// The messages, by UID where Dovecot left its list, else by age.
    fn messages(&self, folder: &Directory, bounds: Bounds, faults: &mut Faults) -> Vec<Listed> {
        let mut all = Vec::new();
        for (part, open) in &self.0 {
            for (name, kind) in open.entries(faults) {
                if name.starts_with('.') {
                    continue;
                }
                if !kind.is_file() {
                    faults.add(open.path().join(name).display(), "no regular file");
                } else if all.len() >= bounds.files {
                    faults.add(open.path().join(name).display(), "too many files in one folder");
                } else {
                    all.push(Listed { part, name });
                }
            }
        }
        let places = uid_list(folder);
        all.sort_by_cached_key(|file| {
            let place = places.get(file.base()).copied().unwrap_or(usize::MAX);
            (place, file.delivered(), file.name.clone())
        });
        all
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

/// Base names by their place in `dovecot-uidlist`; lines are `UID [EXTENSIONS] :NAME` below a header.
fn uid_list(folder: &Directory) -> HashMap<String, usize> {
    let Ok((octets, _)) = folder.read("dovecot-uidlist", MOST_LIST) else { return HashMap::new() };
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
fn subscriptions(root: &Directory, faults: &mut Faults) -> HashSet<String> {
    let octets = match root.read(SUBSCRIPTIONS, MOST_LIST) {
        Ok((octets, _)) => octets,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                faults.add(root.path().join(SUBSCRIPTIONS).display(), error);
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

/// Writes a Maildir that Dovecot reads.
pub struct MaildirWriter {
    root: PathBuf,
    open: Option<OpenFolder>,
}

struct OpenFolder {
    folder: Directory,
    cur: Directory,
    tmp: Directory,
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

    fn open_folder(&self, name: &MailboxName) -> io::Result<OpenFolder> {
        let root = Directory::make(&self.root)?;
        let folder = match name.is_inbox() {
            true => root,
            false => {
                let levels = levels(name).iter().fold(String::new(), |name, level| name + "." + level);
                let folder = root.enter_made(&levels)?;
                // By this a Maildir++ tells its folders from other things.
                folder.append("maildirfolder")?;
                folder
            }
        };
        let (cur, new) = (folder.enter_made("cur")?, folder.enter_made("new")?);
        let keywords = keyword_file::read(&folder)?;
        let mut unread = Faults::default();
        let names = [&cur, &new].map(|part| part.entries(&mut unread)).into_iter().flatten();
        let there = names.filter_map(|(name, _)| name.find(OURS).map(|end| name[..end].to_owned())).collect();
        let (tmp, known_keywords) = (folder.enter_made("tmp")?, keywords.len());
        Ok(OpenFolder { folder, cur, tmp, there, keywords, known_keywords })
    }
}

/// A name's levels as they are written. A dot within one would read as two.
fn levels(name: &MailboxName) -> Vec<String> {
    name.as_str().split('/').map(|level| wire::imap::utf7::encode(&level.replace('.', "_"))).collect()
}

impl Target for MaildirWriter {
    fn open(&mut self, name: &MailboxName) -> Result<(), String> {
        let open = self.open_folder(name).map_err(|e| format!("{}, {name}: {e}", self.root.display()))?;
        self.open = Some(open);
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
        let write = || -> io::Result<()> {
            let mut file = open.tmp.begin(&stem)?;
            file.write_all(message.octets)?;
            file::set_time(&file, message.date)?;
            open.tmp.place(&stem, &open.cur, &name)
        };
        write().map_err(|e| format!("{}: {e}", open.cur.path().join(&name).display()))?;
        open.there.insert(stem);
        if open.keywords.len() > open.known_keywords {
            open.known_keywords = open.keywords.len();
            keyword_file::write(&open.folder, &open.keywords)
                .map_err(|e| format!("{}: its keywords: {e}", open.folder.path().display()))?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(open) = self.open.take() else { return Ok(()) };
        open.folder.sync().map_err(|e| format!("{}: {e}", open.folder.path().display()))
    }

    fn subscribe(&mut self, names: &[MailboxName]) -> Result<(), String> {
        let lines = names.iter().map(|name| levels(name).join("\t") + "\n");
        let text = String::from("V\t2\n\n") + &lines.collect::<String>();
        let replace = || Directory::make(&self.root)?.replace(SUBSCRIPTIONS, text.as_bytes());
        replace().map_err(|e| format!("{}: {e}", self.root.join(SUBSCRIPTIONS).display()))
    }
}

/// A name that sorts by UID and stays the same for ever.
fn stem((validity, uid): (u32, u32)) -> String {
    format!("{validity}.M{uid:010}")
}
