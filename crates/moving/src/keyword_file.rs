//! Dovecot's `dovecot-keywords`: which keyword a small letter in a Maildir's file names stands for, `0 $Label1` a line.

use crate::directory::Directory;
use crate::flags::MOST_KEYWORDS;
use base::Keyword;
use std::io;

/// The file's name.
const NAME: &str = "dovecot-keywords";
/// Octets of it.
const MOST_OCTETS: u64 = 1 << 20;

/// The keywords by their places; none where there is no file.
pub(crate) fn read(folder: &Directory) -> io::Result<Vec<Option<Keyword>>> {
    let octets = match folder.read(NAME, MOST_OCTETS) {
        Ok((octets, _)) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut keywords = Vec::new();
    for line in String::from_utf8_lossy(&octets).lines() {
        let Some((place, name)) = line.split_once(' ') else { continue };
        let Some(place) = place.parse().ok().filter(|place| *place < MOST_KEYWORDS) else { continue };
        if keywords.len() <= place {
            keywords.resize(place + 1, None);
        }
        if let Some(slot) = keywords.get_mut(place) {
            *slot = Keyword::new(name);
        }
    }
    Ok(keywords)
}

/// Writes them.
pub(crate) fn write(folder: &Directory, keywords: &[Option<Keyword>]) -> io::Result<()> {
    let known = keywords.iter().take(MOST_KEYWORDS).enumerate();
    let lines =
        known.filter_map(|(place, keyword)| keyword.as_ref().map(|k| format!("{place} {}\n", k.as_str())));
    folder.replace(NAME, lines.collect::<String>().as_bytes())
}
