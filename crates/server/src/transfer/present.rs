//! What a mailbox has already, by content: read only as far as sizes are the same.

use base::mailbox::Columns;
use base::{AccountId, MailId, MailboxId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::ControlFlow;
use store::Store;

/// Octets that are read at a time.
const PIECE: usize = 256 * 1024;

/// The messages of one mailbox at one moment.
pub struct Present {
    by_size: HashMap<u64, Vec<MailId>>,
    /// None of one that can't be read: it is the same as no other.
    hashes: HashMap<MailId, Option<[u8; 32]>>,
}

impl Present {
    /// Notes all that the mailbox has.
    pub fn read(store: &dyn Store, of: AccountId, mailbox: MailboxId) -> Result<Self, String> {
        let opened = store.open(of, mailbox).map_err(|e| e.to_string())?;
        let mut by_size: HashMap<u64, Vec<MailId>> = HashMap::new();
        let scanned = store.scan(of, mailbox, &opened.uids, Columns::default(), &mut |row| {
            by_size.entry(row.size).or_default().push(row.mail);
            ControlFlow::Continue(())
        });
        scanned.map_err(|e| e.to_string())?;
        Ok(Present { by_size, hashes: HashMap::new() })
    }

    /// How many messages have this content.
    pub fn count(&mut self, store: &dyn Store, of: AccountId, size: u64, hash: &[u8; 32]) -> u32 {
        let mut count = 0;
        for mail in self.by_size.get(&size).into_iter().flatten() {
            let known = self.hashes.entry(*mail).or_insert_with(|| {
                let known = hash_of(store, of, *mail);
                known
                    .inspect_err(|why| tracing::warn!(%of, mail = mail.0, why, "a message can't be read"))
                    .ok()
            });
            count += u32::from(known.as_ref() == Some(hash));
        }
        count
    }
}

fn hash_of(store: &dyn Store, of: AccountId, mail: MailId) -> Result<[u8; 32], String> {
    let message = store.read(of, mail).map_err(|e| e.to_string())?;
    let mut hasher = Sha256::new();
    let hashed = message.pieces(PIECE, &mut |piece| {
        hasher.update(piece);
        Ok(())
    });
    hashed.map_err(|e| e.to_string())?;
    Ok(hasher.finalize().into())
}
