//! Groups and mailing lists: who may write to them, what their members get, and what becomes of reports on that.
//!
//! [`Lists::judge`] is asked at RCPT. When the message is there, [`Lists::unfold`] makes of it what goes to the members:
//! it enters the gate with the rulings of the message, and is committed with it. Mail to a list's own addresses
//! ([`address`]) is not kept: [`Lists::do_errand`] does what it asks for before the peer hears `250`.

pub mod address;
pub mod commands;
mod copy;
mod report;
#[cfg(test)]
mod tests;

use crate::gatehouse::Gatehouse;
use crate::own_mail::Letter;
use address::Purpose;
use base::{AccountId, Domain, ListId, Reply, ReversePath, Timestamp, TraceId};
use copy::Unfit;
use gate::{Delivery, Destination, Folder, LocalTarget, Origin, Screened, Spooled};
use std::sync::Arc;
use store::lists::{List, Member, Posters};
use store::{DirectoryError, Found, Store, StoreError};
use tracing::{info, warn};
use wire::smtp::Terms;

/// Seconds before a member is asked once more whether it wants to leave: requests may be forged.
const ASK_AGAIN: i64 = 86_400;

/// The lists of a store.
pub struct Lists {
    store: Arc<dyn Store>,
    gatehouse: Arc<Gatehouse>,
    host: Domain,
}

/// What mail to a list is to bring about.
#[derive(Clone, Debug)]
pub enum Errand {
    /// It goes to all members.
    Post(List),
    /// It reports on mail to a member.
    Bounce(Member),
    /// Its sender wants to leave.
    Unsubscribe(List),
    /// A member wants to leave, that was asked.
    Leave(Member),
}

/// What came of a question about a list's address.
pub enum Judged {
    /// Mail is taken, for this.
    Errand(Errand),
    /// It goes elsewhere, or is refused.
    Elsewhere(Destination),
}

impl Lists {
    /// Over a store; `host` is what the server calls itself.
    pub fn new(store: Arc<dyn Store>, gatehouse: Arc<Gatehouse>, host: Domain) -> Self {
        Lists { store, gatehouse, host }
    }

    /// What mail from a sender to a list's address is for. `proven` says that the sender logged in.
    pub fn judge(
        &self,
        id: ListId,
        detail: Option<&str>,
        sender: &ReversePath,
        proven: bool,
    ) -> Result<Judged, DirectoryError> {
        let unknown = || Ok(Judged::Elsewhere(Destination::NoSuchUser));
        let lists = self.store.lists();
        let Some(list) = lists.list(id)? else { return unknown() };
        let Some(detail) = detail else {
            return Ok(match self.refusal(&list, sender, proven)? {
                Some(reply) => Judged::Elsewhere(Destination::Unavailable(reply)),
                None => Judged::Errand(Errand::Post(list)),
            });
        };
        let member = |id| Ok::<_, DirectoryError>(lists.member(id)?.filter(|one| one.list == list.id));
        match (Purpose::of(detail, id, &*self.store), sender) {
            (Some(Purpose::Owner), _) => Ok(Judged::Elsewhere(self.owners(&list)?)),
            (Some(Purpose::Unsubscribe), ReversePath::Address(_)) => {
                Ok(Judged::Errand(Errand::Unsubscribe(list)))
            }
            (Some(Purpose::Bounce(id)), ReversePath::Null) => match member(id)? {
                Some(member) => Ok(Judged::Errand(Errand::Bounce(member))),
                None => unknown(),
            },
            (Some(Purpose::Leave(id)), ReversePath::Address(_)) => match member(id)? {
                Some(member) => Ok(Judged::Errand(Errand::Leave(member))),
                None => unknown(),
            },
            _ => unknown(),
        }
    }

    /// Why a sender may not write to a list, if so.
    fn refusal(
        &self,
        list: &List,
        sender: &ReversePath,
        proven: bool,
    ) -> Result<Option<Reply>, DirectoryError> {
        let address = match sender {
            // A group passes reports on, but nobody is a member by the null path.
            ReversePath::Null if list.style.is_group && list.style.posters == Posters::Anyone => {
                return Ok(None);
            }
            ReversePath::Null => {
                return Ok(Some(refused("Reports and answers by machines are not for a list")));
            }
            ReversePath::Address(address) => address,
        };
        let lists = self.store.lists();
        if !lists.has_readers(list.id)? {
            return Ok(Some(Reply::new(550, (5, 2, 4), "The list has no members")));
        }
        let may = match list.style.posters {
            Posters::Anyone => return Ok(None),
            Posters::Members => lists.member_at(list.id, address)?.is_some(),
            Posters::Moderators => lists.member_at(list.id, address)?.is_some_and(|member| member.moderates),
        };
        if !may {
            return Ok(Some(refused("You may not write to this list")));
        }
        // Anybody can name an address of ours; its owner has a password.
        let ours = !matches!(self.store.directory().find(address)?, Found::NotOurs);
        Ok((ours && !proven).then(|| refused("Log in to write to this list")))
    }

    /// Those who answer for a list: moderators here, or the server's postmaster.
    fn owners(&self, list: &List) -> Result<Destination, DirectoryError> {
        let directory = self.store.directory();
        let mut accounts = Vec::new();
        for member in self.store.lists().moderators(list.id)? {
            if let Found::Accounts { accounts: found, .. } = directory.find(&member.address)? {
                accounts.extend(found);
            }
        }
        if accounts.is_empty() {
            accounts = directory.postmaster()?;
        }
        let target = |account| LocalTarget { account, domain: list.domain, detail: None };
        match accounts.is_empty() {
            true => Ok(Destination::NoSuchUser),
            false => Ok(Destination::Local(accounts.into_iter().map(target).collect())),
        }
    }

    /// Where a message goes that a list refuses while others take it: to quarantine, for one who answers for the list.
    pub fn held(&self, list: &List, reply: &Reply) -> Result<Delivery, StoreError> {
        let owners = self.owners(list).map_err(|error| StoreError::Failed(error.to_string()))?;
        let owner = match owners {
            Destination::Local(owners) => owners.into_iter().next(),
            _ => None,
        };
        let nobody = || StoreError::Failed(format!("nobody answers for the list {}", list.address));
        let owner = owner.ok_or_else(nobody)?;
        let instead_of =
            Box::new(Delivery::mailbox(owner.account, owner.domain, Folder::Inbox, list.address.clone()));
        Ok(Delivery::Quarantine {
            instead_of,
            reason: format!("the list {} refuses it: {reply}", list.address),
        })
    }

    /// What a list's members get of a message, and where that goes; or why they don't. Blocks.
    pub fn unfold(
        &self,
        mail: &Spooled,
        list: &List,
        terms: &Terms,
    ) -> Result<Result<(Spooled, Vec<Delivery>), Reply>, StoreError> {
        let unfit = copy::judge(mail, list).map_err(|error| StoreError::Failed(error.to_string()))?;
        match unfit {
            Some(Unfit::Loops) => {
                return Ok(Err(Reply::new(554, (5, 4, 6), "The message was on this list before")));
            }
            Some(Unfit::Answers) => return Ok(Err(refused("Answers by machines are not for a list"))),
            None => {}
        }
        let failed = |error: DirectoryError| StoreError::Failed(error.to_string());
        let mut deliveries: Vec<Delivery> = Vec::new();
        for member in self.store.lists().members(list.id).map_err(failed)? {
            if member.suspended.is_none() {
                self.deliver(list, &member, terms, &mut deliveries).map_err(failed)?;
            }
        }
        if deliveries.is_empty() {
            return Ok(Err(Reply::new(550, (5, 2, 4), "The list has no members")));
        }
        Ok(Ok((copy::make(mail, list, &*self.store)?, deliveries)))
    }

    /// Adds what a member stands for: no account twice. Mail to other servers has the member's own reverse-path.
    fn deliver(
        &self,
        list: &List,
        member: &Member,
        terms: &Terms,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<(), DirectoryError> {
        let to = &member.address;
        match self.store.directory().find(to)? {
            Found::Accounts { accounts, domain, .. } => {
                let has = |deliveries: &[Delivery], account: AccountId| {
                    deliveries
                        .iter()
                        .any(|one| matches!(one, Delivery::Mailbox { account: of, .. } if *of == account))
                };
                for account in accounts {
                    if !has(deliveries, account) {
                        deliveries.push(Delivery::mailbox(account, domain, Folder::Inbox, to.clone()));
                    }
                }
            }
            Found::NotOurs => deliveries.push(Delivery::Queue {
                account: None,
                domain: list.domain,
                recipient: to.clone(),
                // RFC 3461 §5.2.7.3: reports are for the list, not for who wrote to it.
                terms: Terms { require_tls: terms.require_tls, ..Terms::default() },
                sender: Purpose::Bounce(member.id).address(list, &*self.store),
            }),
            Found::List { .. } => {
                warn!(list = %list.address, member = %to, "a list within a list gets no mail")
            }
            Found::NoSuchUser => warn!(list = %list.address, member = %to, "a member is gone"),
        }
        Ok(())
    }

    /// Does what mail to one of a list's own addresses asks for; gives mail that is to be sent for it. Blocks.
    pub fn do_errand(
        &self,
        errand: &Errand,
        mail: &Spooled,
        proven: bool,
    ) -> Result<Option<Screened>, StoreError> {
        match errand {
            Errand::Post(_) => Ok(None),
            Errand::Bounce(member) => {
                let failure = report::failure(mail).map_err(|error| StoreError::Failed(error.to_string()))?;
                match failure {
                    Some(why) => bounced(&*self.store, member, &why),
                    None => info!(member = %member.address, "a report on list mail that tells of no failure"),
                }
                Ok(None)
            }
            Errand::Leave(member) => {
                match copy::is_by_machine(mail).map_err(|error| StoreError::Failed(error.to_string()))? {
                    true => info!(member = %member.address, "a machine's answer takes nobody off a list"),
                    false => self.remove(member)?,
                }
                Ok(None)
            }
            Errand::Unsubscribe(list) => self.unsubscribe(list, mail, proven),
        }
    }

    fn remove(&self, member: &Member) -> Result<(), StoreError> {
        match self.store.lists().remove_member(member.id) {
            Ok(()) => info!(member = %member.address, "left a list"),
            // It left already.
            Err(DirectoryError::Unknown) => {}
            Err(error) => return Err(StoreError::Failed(error.to_string())),
        }
        Ok(())
    }

    /// A member that is logged in leaves at once; any other is asked first, as anybody can name its address. Who is no
    /// member hears nothing.
    fn unsubscribe(&self, list: &List, mail: &Spooled, proven: bool) -> Result<Option<Screened>, StoreError> {
        let failed = |error: DirectoryError| StoreError::Failed(error.to_string());
        let ReversePath::Address(sender) = &mail.reverse_path else { return Ok(None) };
        let member = self.store.lists().member_at(list.id, sender).map_err(failed)?;
        let Some(member) = member else { return Ok(None) };
        if proven {
            return self.remove(&member).map(|()| None);
        }
        let now = Timestamp::now();
        let asked = self.store.lists().ask_to_leave(member.id, now, Timestamp(now.0 - ASK_AGAIN));
        match asked.map_err(failed)? {
            true => self.question(list, &member, mail.trace),
            false => Ok(None),
        }
    }

    /// The mail that asks a member whether it wants to leave: an answer to it says so.
    fn question(
        &self,
        list: &List,
        member: &Member,
        asked_by: TraceId,
    ) -> Result<Option<Screened>, StoreError> {
        let Some(from) = Purpose::Leave(member.id).address(list, &*self.store) else { return Ok(None) };
        let (name, to) = (&list.address, &member.address);
        let letter = Letter {
            from: format!("<{from}>"),
            to,
            subject: format!("Leave {name}?"),
            text: format!(
                "Somebody, probably you, asked to take\r\n\r\n    {to}\r\n\r\noff the list\r\n\r\n    {name}\r\n\r\n\
                 If you want that, just answer this message. If not, do nothing."
            ),
        };
        let delivery = match self.store.directory().find(to) {
            Ok(Found::Accounts { accounts, domain, .. }) => {
                accounts.first().map(|one| Delivery::mailbox(*one, domain, Folder::Inbox, to.clone()))
            }
            Ok(Found::NotOurs) => Some(Delivery::queue(None, list.domain, to.clone(), Terms::unreported())),
            _ => None,
        };
        let Some(delivery) = delivery else { return Ok(None) };
        let sealed =
            self.gatehouse.judge_inside(Origin::Internal, letter.spooled(&self.host), vec![delivery]);
        let question =
            sealed.map(|mail| Some(mail.because_of(asked_by, "question whether to leave the list")));
        question.map_err(|reply| StoreError::Failed(format!("the gate refuses a question: {reply}")))
    }
}

/// Counts a failure of mail to a member.
pub fn bounced(store: &dyn Store, member: &Member, why: &str) {
    let address = &member.address;
    match store.lists().bounced(member.id, why, Timestamp::now()) {
        Ok(Some(Member { suspended: Some(_), bounces, .. })) => {
            warn!(member = %address, bounces, why, "a list's member is suspended: its mail fails");
        }
        Ok(Some(Member { bounces, .. })) => {
            info!(member = %address, bounces, why, "list mail to a member failed")
        }
        Ok(None) => {}
        Err(error) => warn!(member = %address, %error, "a failure is not counted"),
    }
}

/// RFC 3463 §3.8: not authorised.
fn refused(text: &'static str) -> Reply {
    Reply::new(550, (5, 7, 2), text)
}
