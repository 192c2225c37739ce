//! One message in another's place (RFC 8508): added and removed in one commit.

use super::accept::Batch;
use super::writer::Work;
use super::{Sqlite, edit, rows};
use crate::{Placed, StoreError, wait_for};
use base::{AccountId, MailboxId, Uid};
use gate::Screened;

impl Sqlite {
    pub(super) fn replace_mail(
        &self,
        of: AccountId,
        from: MailboxId,
        uid: Uid,
        with: Screened,
        recoverable: bool,
    ) -> Result<Option<Placed>, StoreError> {
        if !self.parts.disk.has_room() {
            return Err(StoreError::DiskFull);
        }
        let batch = Batch::prepare(&self.parts, &[with])?.even_when_full();
        let kept = recoverable && self.keeps_deleted();
        let place = move |batch: &Batch, work: &mut Work<'_>| {
            let before = rows::used(work, of)?;
            let mailbox = rows::existing(work.sql(), of, from)?;
            // Files of a message that is not taken are left for the sweep.
            if !edit::replace_out(work, of, mailbox, uid, kept)? {
                return Ok(None);
            }
            let placed = batch.place(0, work)?;
            if rows::used(work, of)? > before {
                rows::within_quota(work, of)?;
            }
            Ok(Some(placed))
        };
        wait_for(|done| self.submit_with(batch, done, place))
    }
}
