//! Annotations: a sealed row each.

use super::Sqlite;
use super::fault::Fault;
use super::rows;
use super::schema::{int, key, range};
use super::writer::Work;
use crate::annotations::{Annotations, Entry};
use base::mailbox::MailError;
use base::{AccountId, Annotation, EntryName, Limits, MailboxId};
use rusqlite::{Connection, params};

/// Whose a shared annotation is.
const SHARED: i64 = 0;

impl Annotations for Sqlite {
    fn list(
        &self,
        of: AccountId,
        mailbox: Option<MailboxId>,
        reader: AccountId,
    ) -> Result<Vec<Annotation>, MailError> {
        Ok(self.parts.readers.lend(|sql| self.read_annotations(sql, of, mailbox, reader))?)
    }

    fn set(
        &self,
        of: AccountId,
        mailbox: Option<MailboxId>,
        reader: AccountId,
        entries: Vec<Entry>,
    ) -> Result<(), MailError> {
        if entries.iter().any(|(_, value)| value.is_some()) {
            self.needs_room()?;
        }
        let mut sealed = Vec::with_capacity(entries.len());
        for (entry, value) in entries {
            let place = place_of(of, mailbox);
            let owner = owner_of(&entry, reader);
            let context = context(place, owner, &entry);
            let seal =
                |value: Vec<u8>| self.parts.vault.seal_row(&context, &value).map(|row| (value.len(), row));
            sealed.push((entry, owner, value.map(seal).transpose().map_err(Fault::from)?));
        }
        let limits = self.parts.settings.limits.clone();
        Ok(self.write(move |work| {
            let place = existing(work.sql(), of, mailbox)?;
            rows::next_modseq(work, of)?;
            for (entry, owner, value) in sealed {
                put(work, place, owner, &entry, value)?;
            }
            check_limits(work, of, &limits)?;
            if reader != of { check_limits(work, reader, &limits) } else { Ok(()) }
        })?)
    }
}

impl Sqlite {
    fn read_annotations(
        &self,
        sql: &Connection,
        of: AccountId,
        mailbox: Option<MailboxId>,
        reader: AccountId,
    ) -> Result<Vec<Annotation>, Fault> {
        let place = existing(sql, of, mailbox)?;
        let query = "SELECT entry, reader, sealed FROM annotation WHERE place = ?1 AND reader IN (0, ?2) ORDER BY entry";
        let mut statement = sql.prepare_cached(query)?;
        let mut rows = statement.query(params![place, int(reader.0)])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let entry = EntryName::new(&name).ok_or_else(|| Fault::broken("an annotation's name"))?;
            let sealed = row.get_ref(2)?.as_blob().map_err(|_| Fault::broken("an annotation"))?;
            let mut value = Vec::new();
            self.parts.vault.open_row(&context(place, row.get(1)?, &entry), sealed, &mut value)?;
            all.push(Annotation { entry, value });
        }
        Ok(all)
    }
}

/// What the annotations of a mailbox are kept under; those of the server under what no mailbox has.
fn place_of(of: AccountId, mailbox: Option<MailboxId>) -> i64 {
    mailbox.map_or(key(of, 0), |mailbox| int(mailbox.0))
}

fn existing(sql: &Connection, of: AccountId, mailbox: Option<MailboxId>) -> Result<i64, Fault> {
    match mailbox {
        Some(mailbox) => rows::existing(sql, of, mailbox),
        None => Ok(place_of(of, None)),
    }
}

fn owner_of(entry: &EntryName, reader: AccountId) -> i64 {
    if entry.is_private() { int(reader.0) } else { SHARED }
}

/// What a sealed value is bound to: it opens nowhere else.
fn context(place: i64, owner: i64, entry: &EntryName) -> Vec<u8> {
    [b"annotation.".as_slice(), &place.to_be_bytes(), &owner.to_be_bytes(), entry.as_str().as_bytes()]
        .concat()
}

fn put(
    work: &Work<'_>,
    place: i64,
    owner: i64,
    entry: &EntryName,
    value: Option<(usize, Vec<u8>)>,
) -> Result<(), Fault> {
    let Some((octets, sealed)) = value else {
        let sql = "DELETE FROM annotation WHERE place = ?1 AND reader = ?2 AND entry = ?3";
        work.run(sql, params![place, owner, entry.as_str()])?;
        return Ok(());
    };
    let sql = "INSERT INTO annotation (place, reader, entry, octets, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET octets = excluded.octets, sealed = excluded.sealed";
    work.run(sql, params![place, owner, entry.as_str(), octets as i64, sealed])?;
    Ok(())
}

/// What counts as an account's: shared annotations of its mailboxes, and all that are private to it.
fn check_limits(work: &Work<'_>, of: AccountId, limits: &Limits) -> Result<(), Fault> {
    let sql = "SELECT count(*), total(octets) FROM annotation
               WHERE reader = ?3 OR (reader = 0 AND place BETWEEN ?1 AND ?2)";
    let (first, last) = range(of);
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?));
    let (count, octets) = work.first(sql, params![first, last, int(of.0)], row)?.unwrap_or_default();
    match count <= limits.annotations as i64 && octets <= limits.all_annotation_octets as f64 {
        true => Ok(()),
        false => Err(MailError::TooManyAnnotations.into()),
    }
}
