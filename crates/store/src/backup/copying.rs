//! Copying files and looking at them again, by a few threads: many are small, and the disk is quicker with some at once.

use super::{StoreError, Watch, failed, folder, io_failed};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Threads that copy.
const THREADS: usize = 4;
/// Octets that are read at a time.
const PIECE: usize = 256 * 1024;

/// BLAKE3.
pub(super) type Hash = blake3::Hash;

/// A file as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub hash: Hash,
    pub octets: u64,
    pub name: String,
}

/// Writes a list, a line an entry.
pub(super) fn write_list(path: &Path, entries: &[Entry]) -> Result<(), StoreError> {
    let line = |entry: &Entry| format!("{} {} {}\n", entry.hash.to_hex(), entry.octets, entry.name);
    let lines: String = entries.iter().map(line).collect();
    fs::write(path, lines).map_err(|e| io_failed("writing", path, &e))
}

/// Reads a list; none if it is damaged. Names lead nowhere else.
pub(super) fn parse_list(text: &str) -> Option<Vec<Entry>> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (hash, octets, name) = (words.next()?, words.next()?, words.next()?);
        let sound = words.next().is_none() && !name.contains("..") && !name.starts_with('/');
        sound.then_some(())?;
        Some(Entry { hash: Hash::from_hex(hash).ok()?, octets: octets.parse().ok()?, name: name.to_owned() })
    };
    text.lines().map(line).collect()
}

/// A blob's name without its extension, which only the store's key tells.
pub(super) fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// The hash of a file, under the name that a list has for it.
pub(super) fn hash_of(path: &Path, name: &str) -> Result<Entry, StoreError> {
    let source = File::open(path).map_err(|e| io_failed("reading", path, &e))?;
    Ok(pass((source, path), (&mut io::sink(), path), name)?)
}

/// Reads a file of a folder again and compares it with what was written.
pub(super) fn look_again(folder: &Path, entry: &Entry) -> Result<(), StoreError> {
    let path = folder.join(&entry.name);
    same(&path, &hash_of(&path, &entry.name)?, entry)
}

/// Whether what was read of a file is what was written.
fn same(path: &Path, now: &Entry, then: &Entry) -> Result<(), StoreError> {
    match (now.hash, now.octets) == (then.hash, then.octets) {
        true => Ok(()),
        false => Err(failed(format!("{} is not as it was written", path.display()))),
    }
}

/// Why a file was not copied.
pub(super) enum NotCopied {
    /// It can't be read: that concerns this file alone.
    Unread(StoreError),
    /// The copy can't be written: no other can be, either.
    Unwritten(StoreError),
}

impl From<NotCopied> for StoreError {
    fn from(why: NotCopied) -> Self {
        let (NotCopied::Unread(error) | NotCopied::Unwritten(error)) = why;
        error
    }
}

/// Copies a file; what was there is replaced.
pub(super) fn copy(from: &Path, to: &Path, name: &str) -> Result<Entry, NotCopied> {
    let source = File::open(from).map_err(|e| NotCopied::Unread(io_failed("reading", from, &e)))?;
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to);
    let mut target = open.map_err(|e| NotCopied::Unwritten(io_failed("making", to, &e)))?;
    pass((source, from), (&mut target, to), name)
}

/// Copies a file, which must be as it was written.
pub(super) fn copy_sound(from: &Path, to: &Path, then: &Entry) -> Result<(), StoreError> {
    same(from, &copy(from, to, &then.name)?, then)
}

fn pass(
    (mut from, source): (File, &Path),
    (to, target): (&mut impl Write, &Path),
    name: &str,
) -> Result<Entry, NotCopied> {
    let (mut hasher, mut piece, mut octets) = (blake3::Hasher::new(), vec![0; PIECE], 0);
    loop {
        let count = from.read(&mut piece).map_err(|e| NotCopied::Unread(io_failed("reading", source, &e)))?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
        hasher.update(read);
        to.write_all(read).map_err(|e| NotCopied::Unwritten(io_failed("copying to", target, &e)))?;
        octets += count as u64;
    }
    Ok(Entry { hash: hasher.finalize(), octets, name: name.to_owned() })
}

/// What copying came to.
#[derive(Default)]
pub(super) struct Copied {
    pub entries: Vec<Entry>,
    pub new: u64,
    pub new_octets: u64,
    /// What the store lacks, or has otherwise than an earlier backup.
    pub faults: Vec<String>,
}

/// Copies the blobs that no earlier backup has. What these have and the store has lost is listed all the same.
pub(super) fn copy_blobs(
    (source, there): (&Path, Blobs),
    target: &Path,
    wanted: Vec<String>,
    before: &HashMap<String, Entry>,
    watch: Watch<'_>,
) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    let mut new = Vec::new();
    for name in wanted {
        let is_whole = |known: &&Entry| {
            fs::metadata(target.join(&known.name)).is_ok_and(|about| about.len() == known.octets)
        };
        match (there.get(&name), before.get(&name).filter(is_whole)) {
            (here, Some(known)) => {
                copied.entries.push(known.clone());
                let lost = match here {
                    Some((_, octets)) if *octets == known.octets => continue,
                    Some(_) => "no longer as long as it was",
                    None => "missing",
                };
                copied.faults.push(format!("blobs/{name}: {lost} in the store; the backup has it"));
            }
            (Some((full, octets)), None) => new.push((full.clone(), *octets)),
            (None, None) => copied.faults.push(format!("blobs/{name}: missing")),
        }
    }
    make_folders(target, new.iter().map(|(name, _)| name.as_str()))?;
    let all: u64 = new.iter().map(|(_, octets)| octets).sum();
    let outcomes = at_once(&new, |(name, octets), done| {
        let outcome = copy(&source.join(name), &target.join(name), name);
        watch(done.fetch_add(*octets, Ordering::Relaxed) + octets, all);
        match outcome {
            Ok(entry) => Ok(Ok(entry)),
            Err(NotCopied::Unread(why)) => Ok(Err(why.to_string())),
            Err(NotCopied::Unwritten(why)) => Err(why),
        }
    })?;
    for outcome in outcomes {
        match outcome {
            Ok(entry) => {
                // What the backup had was damaged, and is copied anew; blobs never change.
                if before.get(stem(&entry.name)).is_some_and(|known| *known != entry) {
                    copied
                        .faults
                        .push(format!("blobs/{}: the store has other octets than before", entry.name));
                }
                copied.new += 1;
                copied.new_octets += entry.octets;
                copied.entries.push(entry);
            }
            Err(why) => copied.faults.push(why),
        }
    }
    copied.entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(copied)
}

/// Copies the blobs of a list into a store; says which are missing or not as they were written.
pub(super) fn copy_back(
    from: &Path,
    to: &Path,
    blobs: &[Entry],
    watch: Watch<'_>,
) -> Result<Vec<String>, StoreError> {
    make_folders(to, blobs.iter().map(|entry| entry.name.as_str()))?;
    let all: u64 = blobs.iter().map(|entry| entry.octets).sum();
    let outcomes = at_once(blobs, |entry, done| {
        let source = from.join(&entry.name);
        let outcome = copy(&source, &to.join(&entry.name), &entry.name);
        watch(done.fetch_add(entry.octets, Ordering::Relaxed) + entry.octets, all);
        match outcome {
            Ok(now) => Ok(same(&source, &now, entry).err()),
            Err(NotCopied::Unread(why)) => Ok(Some(why)),
            Err(NotCopied::Unwritten(why)) => Err(why),
        }
    })?;
    Ok(outcomes.into_iter().flatten().map(|why| why.to_string()).collect())
}

fn make_folders<'n>(below: &Path, names: impl Iterator<Item = &'n str>) -> Result<(), StoreError> {
    let folders: HashSet<&str> = names.filter_map(|name| name.get(..2)).collect();
    folders.into_iter().try_for_each(|name| folder(&below.join(name)))
}

/// Looks at the blobs of a list; says which are not as they were written.
pub(super) fn verify_blobs(folder: &Path, blobs: &[Entry], watch: Watch<'_>) -> Vec<String> {
    let all: u64 = blobs.iter().map(|entry| entry.octets).sum();
    let outcomes = at_once(blobs, |entry, done| {
        let fault = look_again(folder, entry).err().map(|error| error.to_string());
        watch(done.fetch_add(entry.octets, Ordering::Relaxed) + entry.octets, all);
        Ok(fault)
    });
    outcomes.map_or_else(|error| vec![error.to_string()], |faults| faults.into_iter().flatten().collect())
}

/// Removes blobs that are not needed.
pub(super) fn remove_others(blobs: &Path, needed: &HashSet<String>) -> Result<(), StoreError> {
    for (_, (full, _)) in full_names(blobs)?.into_iter().filter(|(stem, _)| !needed.contains(stem)) {
        let path = blobs.join(full);
        fs::remove_file(&path).map_err(|e| io_failed("removing", &path, &e))?;
    }
    Ok(())
}

/// Blobs in a folder: their names without the extension; as they are, with sizes.
pub(super) type Blobs = HashMap<String, (String, u64)>;

/// The blobs in a folder.
pub(super) fn full_names(blobs: &Path) -> Result<Blobs, StoreError> {
    let mut names = HashMap::new();
    for octet in 0..=255u8 {
        let part = format!("{octet:02x}");
        let entries = match fs::read_dir(blobs.join(&part)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(io_failed("looking at", &blobs.join(&part), &e)),
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let octets = entry.metadata().map_or(0, |about| about.len());
            names.insert(format!("{part}/{}", stem(&name)), (format!("{part}/{name}"), octets));
        }
    }
    Ok(names)
}

/// Has a few threads work through a list; the first error ends it.
fn at_once<T: Sync, R: Send>(
    list: &[T],
    work: impl Fn(&T, &AtomicU64) -> Result<R, StoreError> + Sync,
) -> Result<Vec<R>, StoreError> {
    let (next, done, broken) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let share = || {
        let mut outcomes = Vec::new();
        while !broken.load(Ordering::Relaxed) {
            let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            match work(one, &done) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    broken.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(outcomes)
    };
    let shares = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(share)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(failed("a thread that copies panicked")))
        };
        threads.into_iter().map(join).collect::<Vec<_>>()
    });
    shares.into_iter().collect::<Result<Vec<_>, _>>().map(|shares| shares.into_iter().flatten().collect())
}
