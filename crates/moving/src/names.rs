//! What folders are called elsewhere and here.

use crate::Folder;
use base::{MailboxName, SpecialUse};

/// Names that folders for a use commonly have, the most usual first.
const USUAL: [(SpecialUse, &[&str]); 5] = [
    (SpecialUse::Archive, &["Archive", "Archives"]),
    (SpecialUse::Drafts, &["Drafts", "Draft"]),
    (SpecialUse::Junk, &["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"]),
    (SpecialUse::Sent, &["Sent", "Sent Messages", "Sent Items", "Sent Mail"]),
    (SpecialUse::Trash, &["Trash", "Deleted Messages", "Deleted Items", "Deleted"]),
];

/// What a folder of this name is commonly for, and how usual the name is: 0 is the most usual.
pub fn guess_use(name: &MailboxName) -> Option<(SpecialUse, usize)> {
    let text = name.as_str();
    // Servers that keep all below INBOX: INBOX/Sent.
    let text = text.strip_prefix("INBOX/").unwrap_or(text);
    let place = |names: &[&str]| names.iter().position(|usual| usual.eq_ignore_ascii_case(text));
    USUAL.iter().find_map(|(kind, names)| place(names).map(|place| (*kind, place)))
}

/// Gives each special use to one folder at most: to one of which the source says so, else to the one whose name is the
/// most usual for it.
pub fn place_folders(folders: &mut [Folder]) {
    for (kind, _) in USUAL {
        let told = folders.iter().position(|folder| folder.special_use == Some(kind));
        let usual = |(at, folder): (usize, &Folder)| match (folder.special_use, guess_use(&folder.name)) {
            (None, Some((guess, place))) if guess == kind => Some((place, at)),
            _ => None,
        };
        let chosen = told.or_else(|| folders.iter().enumerate().filter_map(usual).min().map(|(_, at)| at));
        for (at, folder) in folders.iter_mut().enumerate() {
            if Some(at) == chosen {
                folder.special_use = Some(kind);
            } else if folder.special_use == Some(kind) {
                folder.special_use = None;
            }
        }
    }
}

/// A level of a name as it was written, in modified UTF-7 or in UTF-8.
pub(crate) fn level(text: &str) -> String {
    wire::imap::utf7::decode(text.as_bytes()).unwrap_or_else(|| text.to_owned())
}

/// A name of these levels. What no mailbox may be called is changed: characters that none may have become `_`.
pub(crate) fn joined<'l>(levels: impl IntoIterator<Item = &'l str>) -> Result<MailboxName, String> {
    let barred = |c: char| c.is_control() || matches!(c, '/' | '*' | '%' | '\u{2028}' | '\u{2029}');
    let clean = |level: &str| level.replace(barred, "_");
    let levels: Vec<String> = levels.into_iter().filter(|level| !level.is_empty()).map(clean).collect();
    MailboxName::new(&levels.join("/")).map_err(|why| format!("no name for a mailbox ({why:?})"))
}

/// A level as the name of a file or folder: never hidden, never one of the two that lead elsewhere.
pub(crate) fn as_file(level: &str) -> String {
    match level.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => level.to_owned(),
    }
}
