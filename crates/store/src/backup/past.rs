//! One account's mail as a backup has it, open for reading: for giving back a part of it.

use super::passing::Passing;
use super::shelf::Shelf;
use super::{BLOBS, IDENTITY, copying, failed, open_copy};
use crate::vault::{BlobId, Body, Vault};
use crate::{Settings, StoreError, StoredMessage};
use base::{Flags, MailId, SpecialUse, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// A backup, open for reading. Dropped, it leaves nothing behind.
pub struct Past {
    /// Its name.
    pub name: String,
    database: Connection,
    vault: Vault,
    _passing: Passing,
    /// While it is open, nobody removes what it needs.
    _shelf: Shelf,
}

/// A mailbox in a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PastMailbox {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it was for.
    pub special_use: Option<SpecialUse>,
    /// Its messages.
    pub messages: u64,
}

/// A message in a backup.
pub struct PastMessage {
    /// Its octets and structure.
    pub message: Box<dyn StoredMessage>,
    /// Its flags.
    pub flags: Flags,
    /// Its internal date.
    pub date: Timestamp,
}

impl Past {
    /// Opens a backup (the newest, unless one is named) by the store's key.
    pub fn open(at: &Path, name: Option<&str>, settings: &Settings) -> Result<Self, StoreError> {
        let shelf = Shelf::to_read(at)?;
        let backup = shelf.chosen(name)?;
        backup.is_sound()?;
        let passing = Passing::new(&settings.directory)?;
        let identity = backup.path.join(IDENTITY);
        copying::copy_sound(&identity, &passing.0.join(IDENTITY), &backup.entry(IDENTITY)?)?;
        let blobs = std::path::absolute(shelf.blobs()).map_err(|e| failed(e.to_string()))?;
        super::folder(&blobs)?;
        std::os::unix::fs::symlink(blobs, passing.0.join(BLOBS)).map_err(|e| failed(e.to_string()))?;
        let database = backup.open_database(Some(&settings.key_file), &passing.0)?;
        let settings = Settings { directory: passing.0.clone(), make_key: false, ..settings.clone() };
        Ok(Past {
            database: open_copy(&database)?,
            name: backup.name,
            vault: Vault::open(&settings)?,
            _passing: passing,
            _shelf: shelf,
        })
    }

    /// An account's mailboxes; none where the backup has no such account.
    pub fn mailboxes(&self, address: &str) -> Result<Option<Vec<PastMailbox>>, StoreError> {
        let sql = "SELECT id FROM account WHERE lower(address) = lower(?1)";
        let account: Option<i64> = self.database.query_row(sql, [address], |row| row.get(0)).optional()?;
        let Some(account) = account else { return Ok(None) };
        let sql = "SELECT id, name, special, messages FROM mailbox WHERE account = ?1 ORDER BY name";
        let mut statement = self.database.prepare(sql)?;
        let mailboxes = statement.query_map([account], |row| {
            Ok(PastMailbox {
                id: row.get(0)?,
                name: row.get(1)?,
                special_use: crate::sqlite::special_of(row.get(2)?),
                messages: row.get::<_, i64>(3)?.unsigned_abs(),
            })
        })?;
        Ok(Some(mailboxes.collect::<Result<_, _>>()?))
    }

    /// Visits a mailbox's messages by UID. One that can't be read is visited as the reason why.
    pub fn visit(
        &self,
        mailbox: i64,
        each: &mut dyn FnMut(u32, Result<PastMessage, StoreError>) -> Result<(), String>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT uid, flags, keywords, internal_date, m.mail, blob, layout, body
                   FROM message m JOIN content c ON c.mail = m.mail WHERE mailbox = ?1 ORDER BY uid";
        let mut statement = self.database.prepare(sql)?;
        let mut rows = statement.query([mailbox])?;
        while let Some(row) = rows.next()? {
            let (mail, date): (i64, i64) = (row.get(4)?, row.get(3)?);
            let keywords: Option<String> = row.get(2)?;
            let flags = crate::sqlite::flags(row.get(1)?, keywords.as_deref());
            let (file, layout): (Option<Vec<u8>>, Vec<u8>) = (row.get(5)?, row.get(6)?);
            let inline: Option<Vec<u8>> = row.get(7)?;
            let body =
                file.as_deref().and_then(BlobId::from_octets).map(Body::File).or(inline.map(Body::Inline));
            let body = body.ok_or_else(|| failed("a message without its body"));
            let opened = body.and_then(|body| self.vault.open_message(MailId(mail as u64), &body, &layout));
            let message = opened.map(|message| PastMessage { message, flags, date: Timestamp(date) });
            each(row.get(0)?, message).map_err(StoreError::Failed)?;
        }
        Ok(())
    }
}
