//! Walking a tree of folders that may be laid as a trap: no links, bounded in depth and number.

use crate::directory::Directory;
use crate::{Bounds, Faults};
use std::path::Path;

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

/// Visits `root` and the folders below it that `enter` wants entered; each with the names that lead to it.
pub(crate) fn folders(
    root: &Directory,
    bounds: Bounds,
    faults: &mut Faults,
    enter: &dyn Fn(&str) -> bool,
    visit: &mut dyn FnMut(&Directory, &[String], &mut Faults),
) {
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(names) = waiting.pop() {
        seen += 1;
        let folder = match root.enter_all(&names) {
            Ok(folder) if seen <= bounds.folders => folder,
            Ok(folder) => {
                return faults.add(folder.path().display(), format!("more than {} folders", bounds.folders));
            }
            Err(error) => {
                faults.add(root.path().join(names.join("/")).display(), error);
                continue;
            }
        };
        visit(&folder, &names, faults);
        let mut below = Vec::new();
        for (name, kind) in folder.entries(faults) {
            if !kind.is_dir() || !enter(&name) {
                continue;
            }
            if names.len() + 1 >= MOST_LEVELS {
                faults.add(folder.path().join(&name).display(), "nested too deep");
                continue;
            }
            below.push(name);
        }
        below.sort_unstable_by(|a, b| b.cmp(a));
        waiting.extend(below.into_iter().map(|name| [names.as_slice(), &[name]].concat()));
    }
}

/// Whether a folder is a Maildir: both of its parts are there, and are folders.
pub(crate) fn is_maildir(folder: &Directory) -> bool {
    ["cur", "new"].iter().all(|part| folder.kind(part).is_dir())
}

/// Tells what a folder holds.
pub(crate) fn holds(path: &Path) -> Result<Holds, String> {
    let root = Directory::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (mut maildir, mut eml, mut mbox, mut looked) = (false, false, false, 0);
    let bounds = Bounds { folders: LOOK, ..Bounds::default() };
    // What can't be read is named when it is read in earnest.
    folders(&root, bounds, &mut Faults::default(), &|_| true, &mut |folder, _, faults| {
        maildir |= is_maildir(folder);
        if maildir || looked > LOOK {
            return;
        }
        for (name, _) in folder.entries(faults).into_iter().filter(|(_, kind)| kind.is_file()) {
            looked += 1;
            eml |= has_extension(&name, "eml");
            mbox |= !eml && crate::mbox::is_mbox(folder, &name).unwrap_or(false);
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
