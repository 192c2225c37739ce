//! GENURLAUTH and RESETKEY (RFC 4467): URLs that let others have octets of a message.

use super::account::{Account, Outcome, Step};
use super::completion::Completion;
use super::print;
use base::MailboxName;
use base::mailbox::MailError;
use std::vec::IntoIter;
use wire::imap::Code;
use wire::imap::command::UrlAuth;

/// GENURLAUTH under way: a URL a step.
pub(super) struct UrlAuthorizing {
    urls: IntoIter<UrlAuth>,
    /// The answer so far.
    line: Vec<u8>,
}

impl Account {
    /// RFC 4467 §7: a new key for a mailbox, or none for any.
    pub(super) fn reset_key(&mut self, name: Option<&MailboxName>) -> Result<Outcome, Completion> {
        let mailbox = match name {
            Some(name) => Some(self.find(name)?.mailbox.ok_or(MailError::NoMailbox)?),
            None => None,
        };
        self.store.reset_url_keys(mailbox)?;
        Ok(Completion::ok("URLs that were authorized before are void").code(Code::UrlMech).into())
    }

    /// The token of a URL of one's own. Whether he exists who is given access is not told.
    fn authorize(&self, url: &UrlAuth) -> Result<[u8; 32], Completion> {
        let is_own = match url.owner(&self.config.host) {
            Some(owner) => self.store.is_user(&owner)?,
            None => false,
        };
        let named = url.url.mailbox.as_ref().filter(|_| is_own);
        let mailbox = named.map(|name| self.store.find(name)).transpose()?.flatten();
        match mailbox.and_then(|info| info.mailbox) {
            Some(mailbox) => Ok(self.store.url_token(mailbox, &url.rump)?),
            None => Err(Completion::bad("the URL names no mailbox of yours")),
        }
    }
}

impl UrlAuthorizing {
    pub(super) fn new(urls: Vec<UrlAuth>) -> Self {
        UrlAuthorizing { urls: urls.into_iter(), line: b"* GENURLAUTH".to_vec() }
    }

    pub(super) fn step(&mut self, account: &Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        let Some(url) = self.urls.next() else {
            self.line.extend_from_slice(b"\r\n");
            out.append(&mut self.line);
            return Ok(Step::Done(Box::new(Outcome::ok("GENURLAUTH completed"))));
        };
        let token = account.authorize(&url)?;
        self.line.push(b' ');
        print::string(&mut self.line, url.authorized(&token).as_bytes());
        Ok(Step::More)
    }
}
