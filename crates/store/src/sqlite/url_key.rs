//! The keys that authorize URLs of a mailbox (RFC 4467): random, sealed, one a mailbox.

use super::Sqlite;
use super::fault::Fault;
use super::rows;
use super::schema::{own_mailbox, range};
use super::writer::first;
use base::mailbox::MailError;
use base::{AccountId, MailboxId};
use rusqlite::params;

const QUERY: &str = "SELECT sealed FROM url_key WHERE mailbox = ?1";

impl Sqlite {
    pub(super) fn make_url_token(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
    ) -> Result<[u8; 32], Fault> {
        let key = match self.url_key(of, mailbox)? {
            Some(key) => key,
            None => {
                let fresh = self.fresh_url_key(mailbox)?;
                let sealed = self.write(move |work| {
                    let id = rows::existing(work.sql(), of, mailbox)?;
                    work.run("INSERT OR IGNORE INTO url_key VALUES (?1, ?2)", params![id, fresh])?;
                    work.first(QUERY, [id], |row| row.get::<_, Vec<u8>>(0))
                })?;
                self.open_url_key(mailbox, &sealed.unwrap_or_default())?
            }
        };
        Ok(*blake3::keyed_hash(&key, text.as_bytes()).as_bytes())
    }

    pub(super) fn check_url_token(
        &self,
        of: AccountId,
        mailbox: MailboxId,
        text: &str,
        token: &[u8; 32],
    ) -> Result<bool, Fault> {
        let Some(key) = self.url_key(of, mailbox)? else { return Ok(false) };
        // A hash of blake3's compares in constant time.
        Ok(blake3::keyed_hash(&key, text.as_bytes()) == blake3::Hash::from_bytes(*token))
    }

    pub(super) fn renew_url_keys(&self, of: AccountId, mailbox: Option<MailboxId>) -> Result<(), Fault> {
        let Some(mailbox) = mailbox else {
            return self.write(move |work| {
                work.run("DELETE FROM url_key WHERE mailbox BETWEEN ?1 AND ?2", range(of)).map(drop)
            });
        };
        let fresh = self.fresh_url_key(mailbox)?;
        self.write(move |work| {
            let id = rows::existing(work.sql(), of, mailbox)?;
            work.run("INSERT OR REPLACE INTO url_key VALUES (?1, ?2)", params![id, fresh]).map(drop)
        })
    }

    fn url_key(&self, of: AccountId, mailbox: MailboxId) -> Result<Option<[u8; 32]>, Fault> {
        let id = own_mailbox(of, mailbox).ok_or(MailError::NoMailbox)?;
        let sealed: Option<Vec<u8>> =
            self.parts.readers.lend(|reader| first(reader, QUERY, [id], |row| row.get(0)))?;
        sealed.map(|sealed| self.open_url_key(mailbox, &sealed)).transpose()
    }

    fn fresh_url_key(&self, mailbox: MailboxId) -> Result<Vec<u8>, Fault> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| Fault::broken("no random numbers"))?;
        Ok(self.parts.vault.seal_row(&context(mailbox), &key)?)
    }

    fn open_url_key(&self, mailbox: MailboxId, sealed: &[u8]) -> Result<[u8; 32], Fault> {
        let mut key = Vec::new();
        self.parts.vault.open_row(&context(mailbox), sealed, &mut key)?;
        key.try_into().map_err(|_| Fault::broken("a URL key of the wrong length"))
    }
}

/// What a key is sealed for: no other mailbox's row can stand in for it.
fn context(mailbox: MailboxId) -> Vec<u8> {
    [b"url key.".as_slice(), &mailbox.0.to_be_bytes()].concat()
}
