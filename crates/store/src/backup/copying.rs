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
/// Missing files that are named.
const NAMED: usize = 100;

/// BLAKE3.
pub(super) type Hash = blake3::Hash;

/// A file as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub hash: Hash,
    pub octets: u64,
    pub name: String,
}

/// A line of a list.
pub(super) fn list_line(entry: &Entry) -> String {
    format!("{} {} {}\n", entry.hash.to_hex(), entry.octets, entry.name)
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

/// The hash of a file, under the name that a list has for it.
pub(super) fn hash_of(path: &Path, name: &str) -> Result<Entry, StoreError> {
    let read = || -> io::Result<Entry> { pass(File::open(path)?, &mut io::sink(), name) };
    read().map_err(|e| io_failed("reading", path, &e))
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

/// Copies a file; what was there is replaced.
pub(super) fn copy(from: &Path, to: &Path) -> Result<Entry, StoreError> {
    let source = File::open(from).map_err(|e| io_failed("reading", from, &e))?;
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let write = || {
        let mut target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
        pass(source, &mut target, &name)
    };
    write().map_err(|e: io::Error| io_failed("copying to", to, &e))
}

fn pass(mut from: File, to: &mut impl Write, name: &str) -> io::Result<Entry> {
    let (mut hasher, mut piece, mut octets) = (blake3::Hasher::new(), vec![0; PIECE], 0);
    loop {
        let count = from.read(&mut piece)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
        hasher.update(read);
        to.write_all(read)?;
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
    pub missing: Vec<String>,
}

/// Copies the blobs that no earlier backup has.
pub(super) fn copy_blobs(
    store: &Path,
    to: &Path,
    wanted: Vec<String>,
    before: &HashMap<String, Entry>,
    watch: Watch<'_>,
) -> Result<Copied, StoreError> {
    let (source, target) = (store.join("blobs"), to.join("blobs"));
    let there = full_names(&source)?;
    let mut copied = Copied::default();
    let mut new = Vec::new();
    for name in wanted {
        match there.get(&name) {
            Some((full, octets)) => match before.get(full) {
                Some(known) if target.join(full).exists() => copied.entries.push(known.clone()),
                _ => new.push((full.clone(), *octets)),
            },
            None if copied.missing.len() < NAMED => copied.missing.push(format!("blobs/{name}: missing")),
            None => {}
        }
    }
    let folders: HashSet<&str> = new.iter().filter_map(|(name, _)| name.get(..2)).collect();
    folders.into_iter().try_for_each(|name| folder(&target.join(name)))?;
    let all: u64 = new.iter().map(|(_, octets)| octets).sum();
    let outcomes = at_once(&new, |(name, octets), done| {
        let entry =
            copy(&source.join(name), &target.join(name)).map(|entry| Entry { name: name.clone(), ..entry });
        watch(done.fetch_add(*octets, Ordering::Relaxed) + octets, all);
        entry
    })?;
    copied.new = outcomes.len() as u64;
    copied.new_octets = outcomes.iter().map(|entry| entry.octets).sum();
    copied.entries.extend(outcomes);
    copied.entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(copied)
}

/// Copies the blobs of a list into a store, each as it was written.
pub(super) fn copy_back(from: &Path, to: &Path, blobs: &[Entry], watch: Watch<'_>) -> Result<(), StoreError> {
    let folders: HashSet<&str> = blobs.iter().filter_map(|entry| entry.name.get(..2)).collect();
    folders.into_iter().try_for_each(|name| folder(&to.join(name)))?;
    let all: u64 = blobs.iter().map(|entry| entry.octets).sum();
    at_once(blobs, |entry, done| {
        let source = from.join(&entry.name);
        same(&source, &copy(&source, &to.join(&entry.name))?, entry)?;
        watch(done.fetch_add(entry.octets, Ordering::Relaxed) + entry.octets, all);
        Ok(())
    })
    .map(drop)
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
    for (full, _) in full_names(blobs)?.into_values().filter(|(full, _)| !needed.contains(full)) {
        let path = blobs.join(full);
        fs::remove_file(&path).map_err(|e| io_failed("removing", &path, &e))?;
    }
    Ok(())
}

/// Names in a folder of blobs: without their extension, which only the store's key tells, and as they are, with sizes.
fn full_names(blobs: &Path) -> Result<HashMap<String, (String, u64)>, StoreError> {
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
            let stem = name.split('.').next().unwrap_or_default();
            let octets = entry.metadata().map_or(0, |about| about.len());
            names.insert(format!("{part}/{stem}"), (format!("{part}/{name}"), octets));
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
