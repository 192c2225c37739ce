//! Annotations of mailboxes and of the server (RFC 5464).

use super::account::{Account, Outcome};
use super::completion::Completion;
use super::print;
use base::mailbox::{MailError, MailboxInfo};
use base::{Annotation, EntryName, MailboxName};
use wire::imap::Code;
use wire::imap::command::{Depth, GetMetadata, SetMetadata};

/// The special use of a mailbox, as an annotation that can't be set (RFC 6154 §4).
const SPECIAL_USE: &str = "/private/specialuse";

impl Account {
    pub(super) fn get_metadata(
        &mut self,
        get: &GetMetadata,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Completion> {
        let info = get.mailbox.as_ref().map(|name| self.find(name)).transpose()?;
        let all = self.annotations(info.as_ref())?;
        let wanted = |annotation: &&Annotation| {
            let levels = |entry| annotation.entry.levels_below(entry);
            get.entries.iter().filter_map(levels).any(|levels| get.depth.reaches(levels))
        };
        let (short, long): (Vec<&Annotation>, Vec<&Annotation>) = all
            .iter()
            .filter(wanted)
            .partition(|annotation| get.max_size.is_none_or(|max| annotation.value.len() as u64 <= max));
        let mut shown: Vec<(&EntryName, Option<&[u8]>)> =
            short.iter().map(|annotation| (&annotation.entry, Some(annotation.value.as_slice()))).collect();
        if get.depth == Depth::Zero {
            shown.extend(absent(&get.entries, &all));
        }
        self.metadata_line(get.mailbox.as_ref(), &shown, out);
        let completion = Completion::ok("GETMETADATA completed");
        Ok(match long.iter().map(|annotation| annotation.value.len() as u64).max() {
            Some(longest) => completion.code(Code::MetadataLongEntries(longest)),
            None => completion,
        }
        .into())
    }

    pub(super) fn set_metadata(&mut self, set: SetMetadata) -> Result<Outcome, Completion> {
        let mailbox = set.mailbox.as_ref().map(|name| self.existing(name)).transpose()?;
        if set.entries.iter().any(|(entry, _)| entry.as_str() == SPECIAL_USE) {
            return Err(Completion::no("special uses are set by CREATE").code(Code::UseAttr));
        }
        let most = self.config.limits.annotation_octets;
        if set.entries.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > most)) {
            return Err(Completion::no("the value is too long").code(Code::MetadataMaxSize(most as u64)));
        }
        self.store.annotate(mailbox, set.entries)?;
        Ok(Outcome::ok("SETMETADATA completed"))
    }

    /// What a mailbox has, or the server; a name without a mailbox has nothing.
    fn annotations(&self, info: Option<&MailboxInfo>) -> Result<Vec<Annotation>, MailError> {
        let Some(info) = info else { return self.store.annotations(None) };
        let Some(mailbox) = info.mailbox else { return Err(MailError::NoMailbox) };
        let mut all = self.store.annotations(Some(mailbox))?;
        if let (Some(special_use), Some(entry)) = (info.special_use, EntryName::new(SPECIAL_USE)) {
            all.push(Annotation { entry, value: special_use.attribute().into() });
        }
        Ok(all)
    }

    /// Appends what LIST adds for a mailbox (RFC 9590).
    pub(super) fn list_metadata(
        &self,
        info: &MailboxInfo,
        entries: &[EntryName],
        out: &mut Vec<u8>,
    ) -> Result<(), MailError> {
        let all = self.annotations(Some(info))?;
        let wanted = all.iter().filter(|annotation| entries.contains(&annotation.entry));
        let mut shown: Vec<(&EntryName, Option<&[u8]>)> =
            wanted.map(|annotation| (&annotation.entry, Some(annotation.value.as_slice()))).collect();
        shown.extend(absent(entries, &all));
        self.metadata_line(Some(&info.name), &shown, out);
        Ok(())
    }

    /// Appends a METADATA response (RFC 5464 §4.4.1), where there is anything to tell.
    fn metadata_line(
        &self,
        name: Option<&MailboxName>,
        shown: &[(&EntryName, Option<&[u8]>)],
        out: &mut Vec<u8>,
    ) {
        if shown.is_empty() {
            return;
        }
        out.extend_from_slice(b"* METADATA ");
        match name {
            Some(name) => print::mailbox(out, name, self.enabled.utf8_names()),
            None => out.extend_from_slice(b"\"\""),
        }
        for (place, (entry, value)) in shown.iter().enumerate() {
            out.extend_from_slice(if place == 0 { b" (" } else { b" " });
            print::astring(out, entry.as_str().as_bytes());
            out.push(b' ');
            match value {
                Some(value) => print::string8(out, value),
                None => out.extend_from_slice(b"NIL"),
            }
        }
        out.extend_from_slice(b")\r\n");
    }
}

/// Entries that were asked for by name and have no value: told as NIL, each once.
fn absent<'a>(
    entries: &'a [EntryName],
    all: &'a [Annotation],
) -> impl Iterator<Item = (&'a EntryName, Option<&'a [u8]>)> {
    let has = |entry: &EntryName| all.iter().any(|annotation| annotation.entry == *entry);
    let first = |place: usize, entry: &EntryName| !entries.iter().take(place).any(|before| before == entry);
    let missing =
        entries.iter().enumerate().filter(move |(place, entry)| !has(entry) && first(*place, entry));
    missing.map(|(_, entry)| (entry, None))
}
