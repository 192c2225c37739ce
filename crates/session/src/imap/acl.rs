//! Who may do what in a mailbox (RFC 4314).

use super::account::{Account, Outcome};
use super::completion::Completion;
use super::print;
use crate::sasl;
use base::mailbox::MailError;
use base::rights::{Rights, RightsEdit};
use base::{MailboxId, MailboxName};

/// Any of these lets one ask for one's rights (RFC 4314 §4).
const MAY_ASK: Rights = Rights::LOOKUP
    .and(Rights::READ)
    .and(Rights::INSERT)
    .and(Rights::CREATE)
    .and(Rights::DELETE_MAILBOX)
    .and(Rights::ADMINISTER);

impl Account {
    pub(super) fn get_acl(&self, name: &MailboxName, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        let entries = self.store.acl(self.existing(name)?)?;
        out.extend_from_slice(b"* ACL ");
        print::mailbox(out, name, self.enabled.utf8_names());
        for entry in entries {
            out.push(b' ');
            print::string(out, entry.identifier.as_bytes());
            out.push(b' ');
            print::string(out, entry.rights.to_string().as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(Outcome::ok("GETACL completed"))
    }

    pub(super) fn set_acl(
        &self,
        name: &MailboxName,
        identifier: &str,
        edit: RightsEdit,
    ) -> Result<Outcome, Completion> {
        self.store.set_acl(self.existing(name)?, &prepared(identifier)?, edit)?;
        Ok(Outcome::ok("SETACL completed"))
    }

    pub(super) fn delete_acl(&self, name: &MailboxName, identifier: &str) -> Result<Outcome, Completion> {
        let edit = RightsEdit::Replace(Rights::NONE);
        self.store.set_acl(self.existing(name)?, &prepared(identifier)?, edit)?;
        Ok(Outcome::ok("DELETEACL completed"))
    }

    pub(super) fn list_rights(
        &self,
        name: &MailboxName,
        identifier: &str,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Completion> {
        let always = self.store.fixed_rights(self.existing(name)?, &prepared(identifier)?)?;
        out.extend_from_slice(b"* LISTRIGHTS ");
        print::mailbox(out, name, self.enabled.utf8_names());
        out.push(b' ');
        print::string(out, identifier.as_bytes());
        out.push(b' ');
        print::string(out, always.to_string().as_bytes());
        // No right is tied to another; `c` and `d` are told where they may stand for one.
        let grantable = Rights::ALL.without(always);
        for letter in grantable.to_string().chars() {
            out.extend_from_slice(&[b' ', letter as u8]);
        }
        out.extend_from_slice(b"\r\n");
        Ok(Outcome::ok("LISTRIGHTS completed"))
    }

    pub(super) fn my_rights(&self, name: &MailboxName, out: &mut Vec<u8>) -> Result<Outcome, Completion> {
        let rights = self.store.rights(self.existing(name)?)?;
        if !rights.has_any(MAY_ASK) {
            return Err(MailError::NoMailbox.into());
        }
        self.rights_line(name, rights, out);
        Ok(Outcome::ok("MYRIGHTS completed"))
    }

    /// Appends what LIST adds for a mailbox (RFC 8440).
    pub(super) fn list_rights_of(
        &self,
        name: &MailboxName,
        mailbox: MailboxId,
        out: &mut Vec<u8>,
    ) -> Result<(), MailError> {
        let rights = self.store.rights(mailbox)?;
        self.rights_line(name, rights, out);
        Ok(())
    }

    fn rights_line(&self, name: &MailboxName, rights: Rights, out: &mut Vec<u8>) {
        out.extend_from_slice(b"* MYRIGHTS ");
        print::mailbox(out, name, self.enabled.utf8_names());
        out.push(b' ');
        print::string(out, rights.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// An identifier as log-in would take it (RFC 4314 §3).
fn prepared(identifier: &str) -> Result<String, Completion> {
    match sasl::prepare(identifier) {
        name if name.is_empty() => Err(Completion::bad("that can't be an identifier")),
        name => Ok(name.into_owned()),
    }
}
