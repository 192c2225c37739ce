//! Opening files that others may have laid as a trap, and writing our own so that they are whole or not there.

use base::Timestamp;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Opens a regular file for reading: no link is followed, and no pipe or device waited for.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP => io::Error::other("a symbolic link is not followed"),
        other => other.into(),
    })?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("no regular file")),
    }
}

/// Reads a whole file of at most `most` octets, and when it was last changed. One that is changed while it is read is
/// an error.
pub(crate) fn read_whole(path: &Path, most: u64) -> io::Result<(Vec<u8>, Timestamp)> {
    let mut file = open_regular(path)?;
    let before = file.metadata()?;
    if before.len() > most {
        return Err(io::Error::other(format!("{} octets are more than the {most} allowed", before.len())));
    }
    let mut octets = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1);
    (&mut file).take(most + 1).read_to_end(&mut octets)?;
    let after = file.metadata()?;
    if octets.len() as u64 != before.len() || after.modified()? != before.modified()? {
        return Err(io::Error::other("it was changed while it was read"));
    }
    Ok((octets, timestamp(before.modified()?)))
}

fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp(seconds(since)),
        Err(before) => Timestamp(-seconds(before.duration())),
    }
}

/// Sets when a file was last changed.
pub(crate) fn set_time(file: &File, date: Timestamp) -> io::Result<()> {
    let distance = Duration::from_secs(date.0.unsigned_abs());
    let time = if date.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.map_or(Ok(()), |time| file.set_modified(time))
}

/// Writes a small file in place of an older one, in one step.
pub(crate) fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut passing = path.as_os_str().to_owned();
    passing.push(".new");
    let mut file = File::create(&passing)?;
    file.write_all(octets)?;
    file.sync_all()?;
    std::fs::rename(&passing, path)
}

/// Waits until all that was written to a folder's file system is on the disk: one wait for thousands of files.
pub(crate) fn sync_all(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Makes a message's lines end in CRLF: those that end in LF alone were ended so by the program that kept it.
pub(crate) fn with_crlf(octets: Vec<u8>) -> Vec<u8> {
    let bare = |(at, octet): (usize, &u8)| *octet == b'\n' && (at == 0 || octets.get(at - 1) != Some(&b'\r'));
    let count = octets.iter().enumerate().filter(|pair| bare(*pair)).count();
    if count == 0 {
        return octets;
    }
    let mut out = Vec::with_capacity(octets.len() + count);
    let mut last = 0;
    for octet in &octets {
        if *octet == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(*octet);
        last = *octet;
    }
    out
}
