//! mbox: messages one after another, each below a line `From SENDER DATE`.
//!
//! A line counts as such only below an empty one (or on top) and with a date in it: a text that begins with "From "
//! and was never quoted stays text.

use crate::directory::{Directory, file_at};
use crate::lines::Lines;
use crate::walk;
use crate::{Bounds, Faults, Folder, Message, Outgoing, Source, Target, Visit, file, names};
use base::time::{DAYS, MONTHS};
use base::{Flag, Flags, Keyword, MailboxName, Timestamp};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use wire::mime::header;

/// How lines of text that begin with "From " were kept from looking like the start of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Quoting {
    /// `>` before any such line, quoted ones too, and taken away again: what we write.
    #[default]
    Mboxrd,
    /// `>` before such a line, and not told from one that had it before: taken away once.
    Mboxo,
    /// Not at all, or not to be undone.
    None,
}

/// Fields in which programs keep flags within an mbox; no part of the message.
const KEPT_FLAGS: [&str; 6] = ["Status", "X-Status", "X-Keywords", "X-UID", "X-IMAP", "X-IMAPbase"];
/// Octets of the list of what an mbox has.
const MOST_LIST: u64 = 1 << 30;
/// The file in which subscriptions are left.
const SUBSCRIPTIONS: &str = ".subscriptions";
/// How the subject of a message begins that is none but the numbers of the program that keeps the mbox.
const INTERNAL_SUBJECT: &[u8] = b"DON'T DELETE THIS MESSAGE";

/// Reads an mbox, or a folder of them.
pub struct MboxReader {
    root: PathBuf,
    bounds: Bounds,
    quoting: Quoting,
    /// Names that lead to each; none to what is one file.
    files: Vec<Vec<String>>,
}

impl MboxReader {
    /// Of the file or folder at `root`.
    pub fn new(root: &Path, bounds: Bounds, quoting: Quoting) -> Self {
        MboxReader { root: root.to_owned(), bounds, quoting, files: Vec::new() }
    }
}

impl Source for MboxReader {
    fn folders(&mut self, faults: &mut Faults) -> Result<Vec<Folder>, String> {
        let mut found = Vec::new();
        if fs::symlink_metadata(&self.root).is_ok_and(|about| about.is_file()) {
            found.push((Vec::new(), MailboxName::inbox()));
        } else {
            let enter = |name: &str| !name.starts_with('.');
            let root = Directory::root(&self.root)?;
            walk::folders(&root, self.bounds, faults, &enter, &mut |folder, levels, faults| {
                files_of(folder, levels, faults, &mut found);
            });
        }
        found.sort_by(|(_, a), (_, b)| (!a.is_inbox(), a).cmp(&(!b.is_inbox(), b)));
        self.files = found.iter().map(|(names, _)| names.clone()).collect();
        let folder = |(_, name)| Folder { name, special_use: None, subscribed: true, messages: 0 };
        Ok(found.into_iter().map(folder).collect())
    }

    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(names) = self.files.get(folder) else { return Ok(()) };
        let path = &self.root.join(names.join("/"));
        let file = match self.open(names) {
            Ok(file) => file,
            Err(error) => {
                faults.add(path.display(), error);
                return Ok(());
            }
        };
        let mut cutter = Cutter { path, bounds: self.bounds, quoting: self.quoting, number: 0, open: None };
        let mut lines = Lines::new(BufReader::with_capacity(1 << 18, file));
        loop {
            match lines.next() {
                Ok(Some(piece)) => cutter.take(piece.octets, piece.begins, faults, visit)?,
                Ok(None) => break,
                Err(error) => {
                    faults.add(path.display(), error);
                    break;
                }
            }
        }
        cutter.finish(faults, visit)
    }
}

impl MboxReader {
    fn open(&self, names: &[String]) -> io::Result<File> {
        match names.split_last() {
            None => file_at(&self.root),
            Some((name, levels)) => Directory::open(&self.root)?.enter_all(levels)?.file(name),
        }
    }
}

/// The mbox files of one folder, with the names of the mailboxes that they are.
fn files_of(
    folder: &Directory,
    levels: &[String],
    faults: &mut Faults,
    found: &mut Vec<(Vec<String>, MailboxName)>,
) {
    for (name, kind) in folder.entries(faults) {
        let file = folder.path().join(&name);
        if name.starts_with('.') || kind.is_dir() {
            continue;
        }
        match is_mbox(folder, &name) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                faults.add(file.display(), error);
                continue;
            }
        }
        // Thunderbird keeps what is below `Work` in `Work.sbd`.
        let above = levels.iter().map(|level| level.strip_suffix(".sbd").unwrap_or(level));
        let own = if walk::has_extension(&name, "mbox") { &name[..name.len() - 5] } else { &name };
        let all: Vec<String> = above.chain([own]).map(names::level).collect();
        match names::joined(all.iter().map(String::as_str)) {
            Ok(mailbox) => found.push(([levels, &[name]].concat(), mailbox)),
            Err(why) => faults.add(file.display(), why),
        }
    }
}

/// Whether a file begins as an mbox does. One that can't be read, or is no regular file, is an error.
pub(crate) fn is_mbox(folder: &Directory, name: &str) -> io::Result<bool> {
    let mut start = Vec::new();
    folder.file(name)?.take(5).read_to_end(&mut start)?;
    Ok(start == b"From ")
}

/// Cuts a file into messages.
struct Cutter<'f> {
    path: &'f Path,
    bounds: Bounds,
    quoting: Quoting,
    /// Messages begun so far.
    number: u64,
    open: Option<Open>,
}

/// The message that is being read.
struct Open {
    octets: Vec<u8>,
    date: Option<Timestamp>,
    /// Whether the last line was empty: the next may begin a message.
    below_empty: bool,
    too_large: bool,
}

impl Cutter<'_> {
    fn take(
        &mut self,
        octets: &[u8],
        begins: bool,
        faults: &mut Faults,
        visit: Visit<'_>,
    ) -> Result<(), String> {
        let may_begin = begins && self.open.as_ref().is_none_or(|open| open.below_empty);
        if may_begin && let Some(date) = from_line(octets) {
            self.end(faults, visit)?;
            self.number += 1;
            self.open =
                Some(Open { octets: Vec::new(), date: Some(date), below_empty: false, too_large: false });
            return Ok(());
        }
        let Some(open) = &mut self.open else {
            if octets.iter().any(|octet| !octet.is_ascii_whitespace()) && self.number == 0 {
                faults.add(self.path.display(), "text above the first message");
                // Said once.
                self.number = 1;
            }
            return Ok(());
        };
        open.below_empty = begins && matches!(octets, b"\n" | b"\r\n");
        let text = if begins { unquoted(octets, self.quoting) } else { octets };
        let room = self.bounds.message_octets.saturating_sub(open.octets.len() as u64);
        if open.too_large || text.len() as u64 > room {
            // The rest of it is read past, not kept.
            open.too_large = true;
            open.octets = Vec::new();
        } else {
            open.octets.extend_from_slice(text);
        }
        Ok(())
    }

    fn end(&mut self, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if open.too_large {
            let most = self.bounds.message_octets;
            let which = format!("{}, message {}", self.path.display(), self.number);
            faults.add(which, format!("more than the {most} octets allowed"));
            return Ok(());
        }
        if open.below_empty {
            // The empty line belongs to what follows.
            let end = if open.octets.ends_with(b"\r\n") { 2 } else { 1 };
            open.octets.truncate(open.octets.len() - end);
        }
        let octets = file::with_crlf(open.octets);
        // A program's own is only ever the first: mail that looks like it, anywhere else, is mail.
        if self.number == 1 && is_internal(&octets) {
            return Ok(());
        }
        let (octets, flags) = without_kept_flags(octets);
        visit(Message { octets, flags, date: open.date })
    }

    fn finish(mut self, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        self.end(faults, visit)
    }
}

/// The date of a line that begins a message: `From SENDER Wed Nov 25 08:00:00 2026`, perhaps with seconds left out and
/// a zone before or after the year.
fn from_line(line: &[u8]) -> Option<Timestamp> {
    let line = std::str::from_utf8(line.strip_prefix(b"From ")?).ok()?;
    let words: Vec<&str> = line.split_ascii_whitespace().rev().take(8).collect();
    let words: Vec<&str> = words.into_iter().rev().collect();
    let clock = words.iter().rposition(|word| time(word).is_some())?;
    let (hour, minute, second) = time(words.get(clock)?)?;
    let month = MONTHS
        .iter()
        .position(|m| words.get(clock.wrapping_sub(2)).is_some_and(|w| w.eq_ignore_ascii_case(m)))?;
    let day: u8 = words.get(clock.wrapping_sub(1))?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let after = words.get(clock + 1..)?;
    let year = after
        .iter()
        .find_map(|word| word.parse().ok().filter(|y| word.len() == 4 && (1970..=9999).contains(y)))?;
    let at = Timestamp::from_civil(year, month as u8 + 1, day, hour, minute, second);
    let zone = after.iter().find_map(|word| zone(word)).unwrap_or(0);
    Some(Timestamp(at.0 - zone))
}

fn time(word: &str) -> Option<(u8, u8, u8)> {
    let mut parts = word.split(':').map(|part| part.parse::<u8>().ok().filter(|_| part.len() == 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    (parts.next().is_none() && hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second))
}

/// Seconds east of UTC of a zone in digits.
fn zone(word: &str) -> Option<i64> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

fn unquoted(line: &[u8], quoting: Quoting) -> &[u8] {
    let quotes = line.iter().take_while(|octet| **octet == b'>').count();
    let quoted = quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "));
    match (quoting, quoted) {
        (Quoting::Mboxrd, true) => &line[1..],
        (Quoting::Mboxo, true) if quotes == 1 => &line[1..],
        _ => line,
    }
}

/// Whether it is no message but what a program keeps its own numbers in. The field alone does not tell: any sender can
/// write one.
fn is_internal(octets: &[u8]) -> bool {
    let head = octets.get(..header::length(octets)).unwrap_or_default();
    let has = |test: &dyn Fn(&header::RawField<'_>) -> bool| header::fields(head).any(|field| test(&field));
    has(&|field| field.is("X-IMAP"))
        && has(&|field| field.is("Subject") && field.value.trim_ascii().starts_with(INTERNAL_SUBJECT))
}

/// Takes the flags that are kept in fields out of a message.
fn without_kept_flags(octets: Vec<u8>) -> (Vec<u8>, Flags) {
    let length = header::length(&octets);
    let head = octets.get(..length).unwrap_or_default();
    let is_kept = |field: &header::RawField<'_>| KEPT_FLAGS.iter().any(|name| field.is(name));
    if !header::fields(head).any(|field| is_kept(&field)) {
        return (octets, Flags::default());
    }
    let (mut flags, mut out, mut kept_until) = (Flags::default(), Vec::with_capacity(octets.len()), 0);
    for field in header::fields(head) {
        let value = String::from_utf8_lossy(field.value).into_owned();
        if !is_kept(&field) {
            continue;
        }
        if field.is("Status") || field.is("X-Status") {
            read_letters(&value, &mut flags);
        } else if field.is("X-Keywords") {
            let keywords = value.split_ascii_whitespace().filter_map(Keyword::new);
            keywords.for_each(|keyword| flags.set_keyword(&keyword, true));
        }
        out.extend_from_slice(octets.get(kept_until..field.at).unwrap_or_default());
        kept_until = field.at + field.raw.len();
    }
    out.extend_from_slice(octets.get(kept_until..).unwrap_or_default());
    (out, flags)
}

/// `Status: RO`, `X-Status: AFDT`. O says that it is no longer new, which no flag tells.
fn read_letters(value: &str, flags: &mut Flags) {
    const LETTERS: [(char, Flag); 5] = [
        ('R', Flag::Seen),
        ('A', Flag::Answered),
        ('F', Flag::Flagged),
        ('D', Flag::Deleted),
        ('T', Flag::Draft),
    ];
    let known = LETTERS.iter().filter(|(letter, _)| value.contains(*letter));
    known.for_each(|(_, flag)| flags.set(*flag, true));
}

/// Writes a folder of mboxrd files. Beside each lies a list of what is in it and how long it is, so that running again
/// adds what is new, and never to a file that someone else has changed.
pub struct MboxWriter {
    root: PathBuf,
    open: Option<OpenMbox>,
}

struct OpenMbox {
    folder: Directory,
    path: PathBuf,
    /// The name of the list beside it.
    list: String,
    file: io::BufWriter<File>,
    octets: u64,
    there: HashSet<(u32, u32)>,
}

impl MboxWriter {
    /// At `root`, which is made where it is missing.
    pub fn new(root: &Path) -> Self {
        MboxWriter { root: root.to_owned(), open: None }
    }
}

impl Target for MboxWriter {
    fn open(&mut self, name: &MailboxName) -> Result<(), String> {
        let levels: Vec<String> = name.as_str().split('/').map(names::as_file).collect();
        let (last, above) = levels.split_last().ok_or("a mailbox without a name")?;
        let (own, list) = (format!("{last}.mbox"), format!("{last}.mbox.exported"));
        let path = self.root.join(above.join("/")).join(&own);
        let open = || -> io::Result<_> {
            let mut folder = Directory::make(&self.root)?;
            for level in above {
                folder = folder.enter_made(level)?;
            }
            let file = folder.append(&own)?;
            let (octets, known) = (file.metadata()?.len(), read_list(&folder, &list)?);
            Ok((folder, file, octets, known))
        };
        let (folder, file, octets, (known, there)) =
            open().map_err(|e| format!("{}: {e}", path.display()))?;
        if octets != known {
            return Err(format!(
                "{} is not as the last export left it ({octets} octets, not {known}): export into a new folder",
                path.display()
            ));
        }
        self.open = Some(OpenMbox { folder, path, list, file: io::BufWriter::new(file), octets, there });
        Ok(())
    }

    fn has(&self, id: (u32, u32)) -> bool {
        self.open.as_ref().is_some_and(|open| open.there.contains(&id))
    }

    fn write(&mut self, message: &Outgoing<'_>, faults: &mut Faults) -> Result<(), String> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let head = message.octets.get(..header::length(message.octets)).unwrap_or_default();
        if header::fields(head).any(|field| KEPT_FLAGS.iter().any(|name| field.is(name))) {
            let which = format!("{}, message {}", open.path.display(), message.id.1);
            faults.add(
                which,
                "it has a field in which an mbox keeps flags: reading it back will leave that out",
            );
        }
        let text = as_mboxrd(message);
        open.file.write_all(&text).map_err(|e| format!("{}: {e}", open.path.display()))?;
        open.octets += text.len() as u64;
        open.there.insert(message.id);
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let mut list = format!("{}\n", open.octets);
        let mut ids: Vec<_> = open.there.into_iter().collect();
        ids.sort_unstable();
        ids.iter().for_each(|(validity, uid)| list += &format!("{validity} {uid}\n"));
        let mut close = || -> io::Result<()> {
            open.file.flush()?;
            open.file.get_ref().sync_all()?;
            open.folder.replace(&open.list, list.as_bytes())
        };
        close().map_err(|e| format!("{}: {e}", open.path.display()))
    }

    fn subscribe(&mut self, names: &[MailboxName]) -> Result<(), String> {
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        let replace = || Directory::make(&self.root)?.replace(SUBSCRIPTIONS, text.as_bytes());
        replace().map_err(|e| format!("{}: {e}", self.root.join(SUBSCRIPTIONS).display()))
    }
}

fn read_list(folder: &Directory, name: &str) -> io::Result<(u64, HashSet<(u32, u32)>)> {
    let octets = match folder.read(name, MOST_LIST) {
        Ok((octets, _)) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, HashSet::new())),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&octets);
    let mut lines = text.lines();
    let octets = lines.next().and_then(|line| line.parse().ok());
    let octets = octets.ok_or_else(|| io::Error::other("the list beside it is damaged"))?;
    let id = |line: &str| line.split_once(' ').and_then(|(v, u)| Some((v.parse().ok()?, u.parse().ok()?)));
    Ok((octets, lines.filter_map(id).collect()))
}

/// A message as an mbox holds it: flags in fields on top, lines ended by LF where all end in CRLF.
fn as_mboxrd(message: &Outgoing<'_>) -> Vec<u8> {
    let c = message.date.civil();
    let (day, month) = (DAYS[usize::from(c.weekday) % 7], MONTHS[usize::from(c.month + 11) % 12]);
    let clock = format!("{:02}:{:02}:{:02}", c.hour, c.minute, c.second);
    let mut out =
        format!("From MAILER-DAEMON {day} {month} {:2} {clock} {:04}\n", c.day, c.year).into_bytes();
    let letter = |flag, letter| if message.flags.has(flag) { letter } else { "" };
    let status = [letter(Flag::Seen, "R"), "O"].concat();
    let more = [(Flag::Answered, "A"), (Flag::Flagged, "F"), (Flag::Deleted, "D"), (Flag::Draft, "T")];
    let more: String = more.into_iter().map(|(flag, word)| letter(flag, word)).collect();
    out.extend_from_slice(format!("Status: {status}\n").as_bytes());
    if !more.is_empty() {
        out.extend_from_slice(format!("X-Status: {more}\n").as_bytes());
    }
    let keywords: Vec<&str> = message.flags.keywords().iter().map(Keyword::as_str).collect();
    if !keywords.is_empty() {
        out.extend_from_slice(format!("X-Keywords: {}\n", keywords.join(" ")).as_bytes());
    }
    for line in message.octets.split_inclusive(|octet| *octet == b'\n') {
        let quotes = line.iter().take_while(|octet| **octet == b'>').count();
        if line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From ")) {
            out.push(b'>');
        }
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                out.extend_from_slice(text);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}
