//! Annotations of mailboxes and of the server (RFC 5464).

use base::mailbox::MailError;
use base::{AccountId, Annotation, EntryName, MailboxId};

/// An entry and its new value; `None` removes it.
pub type Entry = (EntryName, Option<Vec<u8>>);

/// What users note on their mailboxes. Values are kept sealed.
pub trait Annotations: Send + Sync {
    /// Annotations of a mailbox of `of`, or of the server as `of` sees it, by name: the shared ones, and the private
    /// ones of `reader`.
    fn list(
        &self,
        of: AccountId,
        mailbox: Option<MailboxId>,
        reader: AccountId,
    ) -> Result<Vec<Annotation>, MailError>;

    /// Sets annotations, private ones as `reader`'s: all or none. Shared ones count as the mailbox's owner's, private
    /// ones as the reader's.
    fn set(
        &self,
        of: AccountId,
        mailbox: Option<MailboxId>,
        reader: AccountId,
        entries: Vec<Entry>,
    ) -> Result<(), MailError>;
}
