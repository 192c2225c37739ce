//! What files hold and when they were changed.

use base::Timestamp;
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a whole file of at most `most` octets, and when it was last changed. One that is changed while it is read is
/// an error.
pub(crate) fn read_file(mut file: File, most: u64) -> io::Result<(Vec<u8>, Timestamp)> {
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
