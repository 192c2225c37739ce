//! Folders that others may change meanwhile, or have laid as a trap: each is held open, and what lies in it is reached
//! by single names from there. So no link is followed, whatever a path becomes; no pipe or device is waited for; and
//! what we write is new, or was there as a regular file.

use crate::Faults;
use crate::file::read_file;
use base::Timestamp;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What is opened to be looked into.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY);
/// Never a link, never a wait.
const CAREFUL: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A folder that is open.
pub(crate) struct Directory {
    fd: OwnedFd,
    /// For messages alone.
    path: PathBuf,
}

impl Directory {
    /// The folder at a path. What leads to it is taken as it is named; if it is a link itself it is not followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = plain(path);
        let fd = rustix::fs::open(&path, FOLDER | CAREFUL, Mode::empty()).map_err(in_words)?;
        Ok(Directory { fd, path })
    }

    /// [`Directory::open`]; it is made where it is missing, with all that leads to it.
    pub(crate) fn make(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Self::open(path)
    }

    /// A folder in it.
    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        let fd = self.open_at(name, FOLDER, Mode::empty())?;
        Ok(Directory { fd, path: self.path.join(name) })
    }

    /// The folder that a source begins with.
    pub(crate) fn root(path: &Path) -> Result<Self, String> {
        Directory::open(path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The folder of these names below a root. Where it is gone since it was found, a fault says so.
    pub(crate) fn reach(root: &Path, levels: &[String], faults: &mut Faults) -> Option<Self> {
        let open = Directory::open(root).and_then(|root| root.enter_all(levels));
        let why = |error| format!("{}: {error}", root.join(levels.join("/")).display());
        open.map_err(|error: io::Error| faults.add("a folder that went", why(error))).ok()
    }

    /// A folder further below.
    pub(crate) fn enter_all(&self, names: &[String]) -> io::Result<Self> {
        let mut at = Directory { fd: self.fd.try_clone()?, path: self.path.clone() };
        for name in names {
            at = at.enter(name)?;
        }
        Ok(at)
    }

    /// A folder in it, which is made where it is missing.
    pub(crate) fn enter_made(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, single(name)?, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.enter(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Its path, as it was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Entries that have names in UTF-8; the kind is the entry's own, whatever a link leads to.
    pub(crate) fn entries(&self, faults: &mut Faults) -> Vec<(String, FileType)> {
        let mut all = Vec::new();
        let listed = match Dir::read_from(&self.fd) {
            Ok(listed) => listed,
            Err(error) => {
                faults.add(self.path.display(), io::Error::from(error));
                return all;
            }
        };
        for entry in listed {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    faults.add(self.path.display(), io::Error::from(error));
                    continue;
                }
            };
            let name = match entry.file_name().to_str() {
                Ok("." | "..") => continue,
                Ok(name) => name.to_owned(),
                Err(_) => {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    faults.add(self.path.join(name).display(), "its name is not UTF-8");
                    continue;
                }
            };
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind(&name),
                kind => kind,
            };
            all.push((name, kind));
        }
        all
    }

    /// How many entries it has.
    pub(crate) fn count(&self) -> u64 {
        Dir::read_from(&self.fd).map_or(0, |listed| (listed.count() as u64).saturating_sub(2))
    }

    /// What an entry is itself; unknown where there is none.
    pub(crate) fn kind(&self, name: &str) -> FileType {
        let look = || -> io::Result<_> {
            Ok(rustix::fs::statat(&self.fd, single(name)?, AtFlags::SYMLINK_NOFOLLOW)?)
        };
        look().map_or(FileType::Unknown, |about| FileType::from_raw_mode(about.st_mode))
    }

    /// Opens a regular file for reading.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        regular(self.open_at(name, OFlags::RDONLY, Mode::empty())?)
    }

    /// Reads a whole file of at most `most` octets, and when it was last changed. One that is changed while it is read
    /// is an error.
    pub(crate) fn read(&self, name: &str, most: u64) -> io::Result<(Vec<u8>, Timestamp)> {
        read_file(self.file(name)?, most)
    }

    /// Opens a regular file, made where it is missing, for adding to its end.
    pub(crate) fn append(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        regular(self.open_at(name, flags, Mode::RUSR | Mode::WUSR)?)
    }

    /// Begins a new file; one that an earlier run left under this name goes.
    pub(crate) fn begin(&self, name: &str) -> io::Result<File> {
        match rustix::fs::unlinkat(&self.fd, single(name)?, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(File::from(self.open_at(name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Gives a file in it its name in another folder; what bears that already is replaced.
    pub(crate) fn place(&self, name: &str, to: &Directory, new: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, single(name)?, &to.fd, single(new)?)?)
    }

    /// Writes a small file in place of an older one, in one step.
    pub(crate) fn replace(&self, name: &str, octets: &[u8]) -> io::Result<()> {
        let passing = format!("{name}.new");
        let mut file = self.begin(&passing)?;
        file.write_all(octets)?;
        file.sync_all()?;
        self.place(&passing, self, name)
    }

    /// Waits until all that was written to its file system is on the disk: one wait for thousands of files.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.fd)?)
    }

    fn open_at(&self, name: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        rustix::fs::openat(&self.fd, single(name)?, flags | CAREFUL, mode).map_err(in_words)
    }
}

/// Opens a regular file at a path for reading; if it is a link itself it is not followed.
pub(crate) fn file_at(path: &Path) -> io::Result<File> {
    regular(rustix::fs::openat(CWD, plain(path), OFlags::RDONLY | CAREFUL, Mode::empty()).map_err(in_words)?)
}

/// A path without a slash or a dot at its end: with one, a link there would be followed.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// A name that leads nowhere else.
fn single(name: &str) -> io::Result<&str> {
    match name.contains('/') || matches!(name, "" | "." | "..") {
        true => Err(io::Error::other("no name of a file")),
        false => Ok(name),
    }
}

fn regular(fd: OwnedFd) -> io::Result<File> {
    let file = File::from(fd);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("no regular file")),
    }
}

fn in_words(error: Errno) -> io::Error {
    match error {
        Errno::LOOP => io::Error::other("a symbolic link is not followed"),
        Errno::NOTDIR => io::Error::other("no folder, or a symbolic link to one, which is not followed"),
        // A pipe that nobody reads, a socket.
        Errno::NXIO => io::Error::other("no regular file"),
        other => other.into(),
    }
}
