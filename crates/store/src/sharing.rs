//! Mailboxes that their owners share with others, and addresses that accounts may send from (RFC 4314).

use crate::DirectoryError;
use base::mailbox::{MailError, MailboxInfo};
use base::rights::{AclEntry, Rights, RightsEdit};
use base::{AccountId, Address, MailboxId};

/// Entries of one mailbox's list.
pub const MOST_ENTRIES: usize = 200;

/// Whom a right is given to, or taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grantee {
    /// Every account of the owner's mail domain.
    Anyone,
    /// One account, of whatever domain.
    Account(AccountId),
}

/// A mailbox of another account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedMailbox {
    /// Whose it is.
    pub owner: Address,
    /// The mailbox, by the name that its owner gave it.
    pub info: MailboxInfo,
    /// What the reader may do there.
    pub rights: Rights,
}

/// Who may do what in whose mailboxes.
///
/// An owner may do everything, always. Others have what they are given, as themselves and as anyone, less what is
/// taken from either.
pub trait Sharing: Send + Sync {
    /// Whose a mailbox is, by its id.
    fn owner(&self, mailbox: MailboxId) -> AccountId;

    /// What `reader` may do in a mailbox; nothing in one that isn't there.
    fn rights(&self, mailbox: MailboxId, reader: AccountId) -> Result<Rights, MailError>;

    /// The mailboxes of others in which `reader` may do anything, by owner and name.
    fn shared_with(&self, reader: AccountId) -> Result<Vec<SharedMailbox>, MailError>;

    /// A mailbox's list, its owner first.
    fn acl(&self, mailbox: MailboxId) -> Result<Vec<AclEntry>, MailError>;

    /// Changes an entry of a mailbox's list; with `negative` one of those that take rights away.
    fn set_acl(
        &self,
        mailbox: MailboxId,
        grantee: Grantee,
        negative: bool,
        edit: RightsEdit,
    ) -> Result<(), MailError>;

    /// Whether a mailbox holds a mail of its owner's.
    fn holds(&self, mailbox: MailboxId, mail: base::MailId) -> Result<bool, MailError>;

    /// Lets an account send from an address that is not its own, or no more. It need not get the address's mail.
    fn set_send_as(&self, account: AccountId, address: &Address, allowed: bool)
    -> Result<(), DirectoryError>;

    /// Whether an account may send from an address by [`Sharing::set_send_as`].
    fn may_send_as(&self, account: AccountId, address: &Address) -> Result<bool, DirectoryError>;

    /// Which addresses accounts may send from so, by address.
    fn send_as(&self) -> Result<Vec<(AccountId, Address)>, DirectoryError>;
}
