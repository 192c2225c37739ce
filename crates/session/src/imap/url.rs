//! The octets that a URL names (RFC 5092), read piece by piece.

use super::section::{self, CHUNK, Found, unreadable};
use crate::mailstore::{Mailstore, Message};
use base::mailbox::{Columns, MailError};
use base::{MailId, MailboxId, Uid};
use std::ops::ControlFlow;
use wire::imap::command::Url;

/// Opens the message that a URL names, `selected` being the mailbox of one that names none; `Ok(None)`: there is none,
/// or none that may be read.
pub(super) fn open(
    store: &dyn Mailstore,
    selected: Option<MailboxId>,
    url: &Url,
) -> Result<Option<Box<dyn Message>>, MailError> {
    match find(store, selected, url) {
        Err(MailError::NoMailbox | MailError::NoMessage | MailError::NoPerm) => Ok(None),
        found => found,
    }
}

fn find(
    store: &dyn Mailstore,
    selected: Option<MailboxId>,
    url: &Url,
) -> Result<Option<Box<dyn Message>>, MailError> {
    let mailbox = match &url.mailbox {
        Some(name) => store.find(name)?.and_then(|info| info.mailbox),
        None => selected,
    };
    let Some(mailbox) = mailbox else { return Ok(None) };
    if let Some(known) = url.uid_validity
        && store.status(mailbox)?.uid_validity != known
    {
        return Ok(None);
    }
    let mail = mail_of(store, mailbox, url.uid)?;
    mail.map(|mail| store.read(mailbox, mail)).transpose()
}

/// Octets of a message, open for reading.
pub(super) struct Source {
    message: Box<dyn Message>,
    found: Found,
}

impl Source {
    /// Finds what a URL names, as [`open`] its message.
    pub(super) fn open(
        store: &dyn Mailstore,
        selected: Option<MailboxId>,
        url: &Url,
    ) -> Result<Option<Self>, MailError> {
        let Some(message) = open(store, selected, url)? else { return Ok(None) };
        let found = section::find(&*message, &url.section, url.partial)?;
        Ok(found.map(|found| Source { message, found }))
    }

    /// Octets that are still to be read.
    pub(super) fn left(&self) -> u64 {
        match &self.found {
            Found::Octets(range) => range.end - range.start,
            Found::Fields(fields) => fields.len() as u64,
        }
    }

    /// Appends some of the octets.
    pub(super) fn step(&mut self, out: &mut Vec<u8>) -> Result<(), MailError> {
        match &mut self.found {
            Found::Octets(range) => {
                let end = range.end.min(range.start + CHUNK);
                self.message.read(range.start..end, out).map_err(unreadable)?;
                range.start = end;
            }
            Found::Fields(fields) => out.append(fields),
        }
        Ok(())
    }
}

/// The message of a UID, if it is there.
fn mail_of(store: &dyn Mailstore, mailbox: MailboxId, uid: Uid) -> Result<Option<MailId>, MailError> {
    let mut mail = None;
    store.scan(mailbox, &[uid], Columns::default(), &mut |row| {
        mail = Some(row.mail);
        ControlFlow::Break(())
    })?;
    Ok(mail)
}
