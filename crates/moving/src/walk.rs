//! Walking a tree of folders that may be laid as a trap: no links, bounded in depth and number.

use crate::{Bounds, Faults};
use std::fs;
use std::path::{Path, PathBuf};

/// How deep folders may nest.
const MOST_LEVELS: usize = 32;
/// Entries that are looked at to tell what a folder holds.
const LOOK: usize = 10_000;

/// What a folder holds.
pub(crate) enum Holds {
    Maildir,
    Eml,
    Mbox,
    Nothing,
}

/// Visits `root` and the folders below it that `enter` wants entered; each by its path and the names that lead to it.
pub(crate) fn folders(
    root: &Path,
    bounds: Bounds,
    faults: &mut Faults,
    enter: &dyn Fn(&str) -> bool,
    visit: &mut dyn FnMut(&Path, &[String], &mut Faults),
) {
    let mut waiting: Vec<(PathBuf, Vec<String>)> = vec![(root.to_owned(), Vec::new())];
    let mut seen = 0;
    while let Some((path, names)) = waiting.pop() {
        seen += 1;
        if seen > bounds.folders {
            return faults.add(path.display(), format!("more than {} folders", bounds.folders));
        }
        visit(&path, &names, faults);
        let mut below = Vec::new();
        for (name, kind) in entries(&path, faults) {
            if !kind.is_dir() || !enter(&name) {
                continue;
            }
            if names.len() + 1 >= MOST_LEVELS {
                faults.add(path.join(&name).display(), "nested too deep");
                continue;
            }
            below.push(name);
        }
        below.sort_unstable_by(|a, b| b.cmp(a));
        for name in below {
            let mut names = names.clone();
            names.push(name.clone());
            waiting.push((path.join(name), names));
        }
    }
}

/// A folder's entries that have names in UTF-8; the kind is the entry's own, whatever a link leads to.
pub(crate) fn entries(path: &Path, faults: &mut Faults) -> Vec<(String, fs::FileType)> {
    let listed = match fs::read_dir(path) {
        Ok(listed) => listed,
        Err(error) => {
            faults.add(path.display(), error);
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for entry in listed {
        let found = entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)));
        match found.map(|(name, kind)| (name.into_string(), kind)) {
            Ok((Ok(name), kind)) => all.push((name, kind)),
            Ok((Err(name), _)) => faults.add(path.join(name).display(), "its name is not UTF-8"),
            Err(error) => faults.add(path.display(), error),
        }
    }
    all
}

/// Whether a folder is a Maildir: both of its parts are there, and are folders.
pub(crate) fn is_maildir(path: &Path) -> bool {
    let is_folder = |name| fs::symlink_metadata(path.join(name)).is_ok_and(|about| about.is_dir());
    is_folder("cur") && is_folder("new")
}

/// Tells what a folder holds.
pub(crate) fn holds(root: &Path) -> Result<Holds, String> {
    fs::read_dir(root).map_err(|e| format!("{}: {e}", root.display()))?;
    let (mut maildir, mut eml, mut mbox, mut looked) = (false, false, false, 0);
    let bounds = Bounds { folders: LOOK, ..Bounds::default() };
    // What can't be read is named when it is read in earnest.
    folders(root, bounds, &mut Faults::default(), &|_| true, &mut |path, _, faults| {
        maildir |= is_maildir(path);
        if maildir || looked > LOOK {
            return;
        }
        for (name, kind) in entries(path, faults).into_iter().filter(|(_, kind)| kind.is_file()) {
            looked += 1;
            eml |= has_extension(&name, "eml");
            mbox |= kind.is_file() && !eml && crate::mbox::is_mbox(&path.join(name)).unwrap_or(false);
        }
    });
    Ok(match (maildir, eml, mbox) {
        (true, _, _) => Holds::Maildir,
        (_, true, _) => Holds::Eml,
        (_, _, true) => Holds::Mbox,
        _ => Holds::Nothing,
    })
}

/// Whether a file's name ends so, in any case.
pub(crate) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}
