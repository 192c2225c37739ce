//! Mail that is moved in from elsewhere, each message once.

use super::accept::Batch;
use super::fault::Fault;
use super::schema::int;
use super::writer::{Work, first};
use super::{Parts, Sqlite};
use crate::{Done, Mark, MovedIn, StoreError};
use base::AccountId;
use rusqlite::params;

impl Sqlite {
    pub(super) fn keep_moved_in(&self, of: AccountId, mail: Vec<MovedIn>, done: Done<Vec<bool>>) {
        if !self.parts.disk.has_room() {
            return done(Err(StoreError::DiskFull));
        }
        let (marks, mail): (Vec<_>, Vec<_>) = mail.into_iter().map(|one| (one.mark, one.mail)).unzip();
        let batch = match Batch::prepare(&self.parts, &mail) {
            Ok(batch) => batch,
            Err(error) => return done(Err(error)),
        };
        self.submit_with(batch, done, move |batch, work| {
            let place = |(number, mark): (usize, &Mark)| {
                let is_new = make_mark(work, of, *mark)?;
                // Files of one that came twice at the same time are left for the sweep.
                is_new.then(|| batch.place(number, work)).transpose().map(|placed| placed.is_some())
            };
            marks.iter().enumerate().map(place).collect()
        });
    }

    pub(super) fn was_moved_in(&self, of: AccountId, marks: &[Mark]) -> Result<Vec<bool>, Fault> {
        let sql = "SELECT 1 FROM moved_in WHERE account = ?1 AND mark = ?2";
        self.parts.readers.lend(|reader| {
            let known = |mark: &Mark| {
                Ok(first(reader, sql, params![int(of.0), mark.0.as_slice()], |_| Ok(()))?.is_some())
            };
            marks.iter().map(known).collect()
        })
    }
}

/// The mark of what has these pieces.
pub(super) fn mark(parts: &Parts, pieces: &[&[u8]]) -> Mark {
    let mut text = Vec::new();
    for piece in pieces {
        // Lengths first, so that no two lists of pieces read the same.
        text.extend_from_slice(&(piece.len() as u64).to_be_bytes());
        text.extend_from_slice(piece);
    }
    let hash = parts.vault.keyed_hash(b"moved in", &text);
    let (mark, _) = hash.split_first_chunk().unwrap_or((&[0; 16], &[]));
    Mark(*mark)
}

/// Makes a mark; false where it was there already.
fn make_mark(work: &Work<'_>, of: AccountId, mark: Mark) -> Result<bool, Fault> {
    let sql = "INSERT OR IGNORE INTO moved_in VALUES (?1, ?2)";
    Ok(work.run(sql, params![int(of.0), mark.0.as_slice()])? == 1)
}
