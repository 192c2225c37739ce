//! ESEARCH (RFC 7377): one search in several mailboxes, one after the other.

use super::account::{Account, Outcome, Step};
use super::completion::Completion;
use super::search::{Place, Searching, names_modseq, no_update};
use super::view::View;
use base::mailbox::{MailError, MailboxInfo};
use base::{MailboxId, MailboxName, Rights};
use std::vec::IntoIter;
use wire::imap::Code;
use wire::imap::command::{MailboxFilter, Search};

/// Mailboxes of one search.
const MAX_MAILBOXES: usize = 1000;

/// A search that goes on, mailbox by mailbox.
pub(super) struct MultiSearching {
    tag: String,
    search: Search,
    mailboxes: IntoIter<(MailboxName, MailboxId)>,
    current: Option<Current>,
}

/// The mailbox that is being searched.
struct Current {
    /// `None`: the selected one, which is seen as its client sees it.
    view: Option<Box<View>>,
    searching: Searching,
}

impl MultiSearching {
    pub(super) fn new(
        account: &mut Account,
        tag: &str,
        filters: &[MailboxFilter],
        mut search: Search,
        out: &mut Vec<u8>,
    ) -> Result<Self, Completion> {
        let selected = account.view.as_ref().map(|view| view.mailbox);
        let updates = search.returns.as_mut().is_some_and(|returns| std::mem::take(&mut returns.update));
        if selected.is_none() && (updates || filters.contains(&MailboxFilter::Selected)) {
            return Err(Completion::bad("select a mailbox first"));
        }
        let store = account.store.clone();
        let is_own = |info: &MailboxInfo| info.mailbox.is_some_and(|id| store.is_own(id).unwrap_or(false));
        let is_chosen =
            |info: &MailboxInfo| filters.iter().any(|filter| is_chosen(filter, info, selected, &is_own));
        let chosen = account.store.mailboxes()?.into_iter().filter(is_chosen);
        let mailboxes: Vec<_> = chosen.filter_map(|info| Some((info.name, info.mailbox?))).collect();
        if mailboxes.len() > MAX_MAILBOXES {
            return Err(Completion::no("too many mailboxes at once").code(Code::Limit));
        }
        // RFC 7162 §3.1
        account.enabled.condstore |= names_modseq(&search.key);
        if updates {
            no_update(out, tag);
        }
        if let Some(view) =
            account.view.as_mut().filter(|_| search.returns.is_some_and(|returns| returns.save))
        {
            // RFC 5182 §2.1: should the search fail, nothing is saved.
            view.saved = Vec::new();
        }
        Ok(MultiSearching { tag: tag.to_owned(), search, mailboxes: mailboxes.into_iter(), current: None })
    }

    pub(super) fn step(&mut self, account: &mut Account, out: &mut Vec<u8>) -> Result<Step, Completion> {
        if let Some(current) = &mut self.current {
            let step = match &mut current.view {
                None => current.searching.step(account, out)?,
                Some(view) => {
                    let (enabled, now) = (account.enabled, account.now);
                    current.searching.step_in(&*account.store, view, enabled, now, out)?
                }
            };
            if !matches!(step, Step::More) {
                self.current = None;
            }
            return Ok(Step::More);
        }
        match self.mailboxes.next() {
            Some((name, mailbox)) => {
                self.current = self.begin(account, name, mailbox)?;
                Ok(Step::More)
            }
            None => Ok(Step::Done(Box::new(Outcome::ok("ESEARCH completed")))),
        }
    }

    /// Begins with a mailbox; nothing where it is gone meanwhile, or may not be read.
    fn begin(
        &self,
        account: &Account,
        name: MailboxName,
        mailbox: MailboxId,
    ) -> Result<Option<Current>, MailError> {
        let is_gone = |error| {
            if matches!(error, MailError::NoMailbox | MailError::NoPerm) { Ok(None) } else { Err(error) }
        };
        let status = match account.store.status(mailbox) {
            Ok(status) => status,
            Err(error) => return is_gone(error),
        };
        let place = Place { name, uid_validity: status.uid_validity, utf8: account.enabled.utf8_names() };
        let of = |view: &View| Searching::of_several(&*account.store, view, &self.tag, &self.search, place);
        if let Some(view) = account.view.as_ref().filter(|view| view.mailbox == mailbox) {
            return Ok(Some(Current { view: None, searching: of(view)? }));
        }
        match account.store.open(mailbox) {
            Ok(opened) => {
                let view = Box::new(View::new(mailbox, true, Rights::NONE, opened));
                Ok(Some(Current { searching: of(&view)?, view: Some(view) }))
            }
            Err(error) => is_gone(error),
        }
    }
}

/// RFC 5465 §6, RFC 7377 §2.2
fn is_chosen(
    filter: &MailboxFilter,
    info: &MailboxInfo,
    selected: Option<MailboxId>,
    is_own: &dyn Fn(&MailboxInfo) -> bool,
) -> bool {
    let name = &info.name;
    match filter {
        MailboxFilter::Selected => info.mailbox.is_some() && info.mailbox == selected,
        // RFC 5465 §6.3: a script may file into any.
        MailboxFilter::Inboxes | MailboxFilter::Personal => is_own(info),
        MailboxFilter::Subscribed => info.subscribed,
        MailboxFilter::Subtree(roots) => roots.iter().any(|root| name == root || name.is_below(root)),
        MailboxFilter::SubtreeOne(roots) => {
            roots.iter().any(|root| name == root || name.parent().as_ref() == Some(root))
        }
        MailboxFilter::Mailboxes(names) => names.contains(name),
    }
}
