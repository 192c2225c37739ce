//! Mail on its way through the door.

use crate::Verdict;
use base::{
    AccountId, Address, DomainId, Flags, ListId, MailboxId, Octets, ReversePath, SpecialUse, Timestamp,
    TraceId,
};
use std::fmt;
use std::sync::Arc;
use wire::mime::Tree;
use wire::smtp::Terms;

/// The road by which mail came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// From a stranger, to port 25.
    Mx,
    /// From an account of ours, by submission.
    Submission,
    /// Put into a mailbox by its owner: content checks note, and never refuse or move.
    Append,
    /// Moved in from elsewhere.
    Import,
    /// Written by ourselves: DSNs, reports.
    Internal,
    /// Sent on or altered as a user's Sieve script says.
    Sieve,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Mx => "mx",
            Origin::Submission => "submission",
            Origin::Append => "append",
            Origin::Import => "import",
            Origin::Internal => "internal",
            Origin::Sieve => "sieve",
        })
    }
}

/// A message that was received, parsed once, and waits to be judged and stored.
#[derive(Clone)]
pub struct Spooled {
    /// The id that follows it.
    pub trace: TraceId,
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// The whole message as it will be served, our trace fields on top.
    pub octets: Arc<dyn Octets>,
    /// Its structure.
    pub tree: Arc<Tree>,
    /// When it was received.
    pub received: Timestamp,
    /// Whether its envelope needs SMTPUTF8 on the way on.
    pub smtputf8: bool,
}

/// Where mail for an address goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To mailboxes of this server: an alias may name several accounts.
    Local(Vec<LocalTarget>),
    /// To another server, through the queue.
    Remote,
    /// To a group or list here.
    List {
        /// Which.
        list: ListId,
        /// Which of its own addresses, if it is one of those.
        detail: Option<String>,
    },
    /// A report on mail that was sent on from here, for who wrote that mail.
    Returned {
        /// Who wrote it: on another server.
        sender: Address,
        /// The domain of ours from which it was sent on.
        domain: DomainId,
    },
    /// The domain is ours and knows no such address.
    NoSuchUser,
    /// Ours, but it can't take mail now: over quota, suspended. The reply says for how long.
    Unavailable(base::Reply),
}

/// One account that an address leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalTarget {
    /// The account.
    pub account: AccountId,
    /// The domain within whose trust its attachments are shared.
    pub domain: DomainId,
    /// The mailbox asked for by a +subaddress, by name; delivered to INBOX where it does not exist.
    pub detail: Option<String>,
}

/// Which mailbox of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Folder {
    /// INBOX.
    Inbox,
    /// By special use; INBOX where the account has none.
    Special(SpecialUse),
    /// By name (from a +subaddress); INBOX where there is none.
    Named(String),
    /// This very one; an error where it is gone.
    Exact(MailboxId),
}

/// One thing the store must do with the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Put it into an account's mailbox.
    Mailbox {
        /// The account.
        account: AccountId,
        /// The domain that its attachments are shared within.
        domain: DomainId,
        /// The mailbox.
        folder: Folder,
        /// Flags to begin with.
        flags: Flags,
        /// The internal date; when it was received, where there is none.
        internal_date: Option<Timestamp>,
        /// Who it was addressed to; none where the mail has no envelope.
        recipient: Option<Address>,
    },
    /// Queue it for another server.
    Queue {
        /// Who sends it, if it is an account of ours.
        account: Option<AccountId>,
        /// The domain that its attachments are shared within.
        domain: DomainId,
        /// The recipient.
        recipient: Address,
        /// What the sender asked for.
        terms: Terms,
        /// Its own reverse-path, where that is not the message's.
        sender: Option<Address>,
    },
    /// Keep it in quarantine.
    Quarantine {
        /// The delivery it would have been.
        instead_of: Box<Delivery>,
        /// Why.
        reason: String,
    },
}

impl Delivery {
    /// Of mail that came for an address, into a mailbox of one of its accounts: unflagged, dated by its receipt.
    pub fn mailbox(account: AccountId, domain: DomainId, folder: Folder, recipient: Address) -> Self {
        let (flags, recipient) = (Flags::default(), Some(recipient));
        Delivery::Mailbox { account, domain, folder, flags, internal_date: None, recipient }
    }

    /// Towards another server, with the message's own reverse-path.
    pub fn queue(account: Option<AccountId>, domain: DomainId, recipient: Address, terms: Terms) -> Self {
        Delivery::Queue { account, domain, recipient, terms, sender: None }
    }

    /// What becomes of the delivery under a verdict.
    pub(crate) fn judged(&self, verdict: &Verdict) -> Delivery {
        match (verdict, self) {
            (Verdict::Pass | Verdict::Note(_) | Verdict::Strip(..), _) => self.clone(),
            (
                Verdict::Junk(_),
                Delivery::Mailbox { account, domain, flags, internal_date, recipient, .. },
            ) => Delivery::Mailbox {
                account: *account,
                domain: *domain,
                folder: Folder::Special(SpecialUse::Junk),
                flags: flags.clone(),
                internal_date: *internal_date,
                recipient: recipient.clone(),
            },
            (Verdict::Junk(_), _) => self.clone(),
            (Verdict::Hold(finding) | Verdict::Defer(finding) | Verdict::Refuse(finding), _) => {
                Delivery::Quarantine { instead_of: Box::new(self.clone()), reason: finding.what.clone() }
            }
        }
    }
}

/// A message that went through the door: only [`crate::Rulings::seal`] makes one.
#[derive(Clone)]
pub struct Screened {
    mail: Spooled,
    deliveries: Vec<Delivery>,
    inside: Option<Origin>,
    story: Vec<String>,
    came: Came,
}

/// How a message came to be here, and what was done with it on the way, for its story.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Came {
    /// Who brought it: a host and how it spoke, a user of this machine; empty where nobody did.
    pub by: String,
    /// The account that sent it, if one of ours did.
    pub account: Option<AccountId>,
    /// The message that it was made because of, and as what: a notice, a forwarded copy.
    pub because_of: Option<(TraceId, &'static str)>,
    /// Accounts whose script chose their places.
    pub scripted: Vec<AccountId>,
    /// Deliveries that a script did without.
    pub discarded: Vec<(AccountId, Option<Address>)>,
}

impl Screened {
    pub(crate) fn new(
        mail: Spooled,
        deliveries: Vec<Delivery>,
        inside: Option<Origin>,
        story: Vec<String>,
    ) -> Self {
        Screened { mail, deliveries, inside, story, came: Came::default() }
    }

    /// How it came to be here.
    pub fn came(&self) -> &Came {
        &self.came
    }

    /// Says who brought it, and for which account of ours.
    #[must_use]
    pub fn brought(mut self, by: String, account: Option<AccountId>) -> Self {
        (self.came.by, self.came.account) = (by, account);
        self
    }

    /// Says that another message is why there is this one, which is `what` of it: `"notice"`, `"copy"`.
    #[must_use]
    pub fn because_of(mut self, other: TraceId, what: &'static str) -> Self {
        self.came.because_of = Some((other, what));
        self
    }

    /// The message.
    pub fn mail(&self) -> &Spooled {
        &self.mail
    }

    /// What is to be done with it.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Its origin, where it came from inside and not from a peer.
    pub fn inside(&self) -> Option<Origin> {
        self.inside
    }

    /// The same with quarantine in place of an account's mailboxes.
    #[must_use]
    pub fn held_for(mut self, account: AccountId, reason: &str) -> Screened {
        for delivery in &mut self.deliveries {
            if matches!(delivery, Delivery::Mailbox { account: of, .. } if *of == account) {
                let instead_of = Box::new(delivery.clone());
                *delivery = Delivery::Quarantine { instead_of, reason: reason.to_owned() };
            }
        }
        self
    }

    /// Whether it is delivered to an account.
    pub fn is_for(&self, account: AccountId) -> bool {
        self.deliveries
            .iter()
            .any(|one| matches!(one, Delivery::Mailbox { account: of, .. } if *of == account))
    }

    /// Whether it is delivered to anybody but an account.
    pub fn is_for_others(&self, account: AccountId) -> bool {
        self.deliveries.iter().any(|one| match one {
            Delivery::Mailbox { account: of, .. } => *of != account,
            Delivery::Queue { .. } => true,
            Delivery::Quarantine { .. } => false,
        })
    }

    /// The same with the places that an account's own script chose in its mailbox: none where the copy goes elsewhere.
    /// What is held stays held.
    #[must_use]
    pub fn filed(mut self, account: AccountId, places: &[(Folder, Flags)]) -> Screened {
        self.came.scripted.push(account);
        let file = |delivery: Delivery| match delivery {
            Delivery::Mailbox { account: of, domain, flags, internal_date, recipient, .. }
                if of == account =>
            {
                let at = |(folder, more): &(Folder, Flags)| {
                    let mut flags = flags.clone();
                    flags.add(more);
                    let (folder, recipient) = (folder.clone(), recipient.clone());
                    Delivery::Mailbox { account, domain, folder, flags, internal_date, recipient }
                };
                places.iter().map(at).collect()
            }
            other => vec![other],
        };
        self.deliveries = self.deliveries.into_iter().flat_map(file).collect();
        self
    }

    /// The same without an account's copies, which its script wants nothing to become of.
    #[must_use]
    pub fn discarded(mut self, account: AccountId) -> Screened {
        let without = |delivery: &Delivery| match delivery {
            Delivery::Mailbox { account: of, recipient, .. } if *of == account => {
                Some((account, recipient.clone()))
            }
            _ => None,
        };
        self.came.discarded.extend(self.deliveries.iter().filter_map(without));
        self.filed(account, &[])
    }

    /// What the checks found, a line a stage, for log and trace.
    pub fn story(&self) -> &[String] {
        &self.story
    }
}
