//! Who may be written to: no relaying, known addresses only.

use base::{BoxFuture, Reply, ReversePath};
use gate::{Check, Destination, Finding, Item, Recipient, RecipientEvidence, Unsure, Verdict};
use std::future::ready;

/// Mail for a domain that isn't ours is taken from logged-in accounts only. No address is trusted by itself,
/// loopback included (RFC 5321 §7.9, checklist item 6).
pub struct Relay;

impl Check<Recipient> for Relay {
    fn item(&self) -> Item {
        Item::Relay
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Refuse(relay_denied("could not be decided"))
    }

    fn judge<'a>(&'a self, asked: &'a RecipientEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let foreign = *asked.destination == Destination::Remote;
        let verdict = match foreign && !asked.authenticated {
            true => Verdict::Refuse(relay_denied(&format!("{} for {}", asked.peer.ip, asked.recipient))),
            false => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}

fn relay_denied(what: &str) -> Finding {
    Finding::new(Item::Relay, format!("relaying: {what}"), Reply::new(550, (5, 7, 1), "Relaying denied"))
}

/// An unknown recipient is refused at RCPT, so that no bounce is ever owed to a forged sender.
pub struct Known;

impl Check<Recipient> for Known {
    fn item(&self) -> Item {
        Item::Hygiene
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Defer(Finding::new(
            Item::Hygiene,
            "recipient could not be looked up",
            Reply::new(451, (4, 3, 0), "Try again later"),
        ))
    }

    fn judge<'a>(&'a self, asked: &'a RecipientEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let verdict = match asked.destination {
            Destination::NoSuchUser => Verdict::Refuse(Finding::new(
                Item::Hygiene,
                format!("no such user: {}", asked.recipient),
                Reply::new(550, (5, 1, 1), "No such user here"),
            )),
            _ => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}

/// The address under which mail was sent on is for reports on that mail, which have the null reverse-path: nothing else is
/// passed on to its sender.
pub struct Returned;

impl Check<Recipient> for Returned {
    fn item(&self) -> Item {
        Item::Relay
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Refuse(relay_denied("could not be decided"))
    }

    fn judge<'a>(&'a self, asked: &'a RecipientEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let verdict = match (asked.destination, asked.reverse_path) {
            (Destination::Returned { .. }, ReversePath::Address(_)) => Verdict::Refuse(Finding::new(
                Item::Relay,
                format!("{} is for reports only", asked.recipient),
                Reply::new(550, (5, 7, 1), "This address takes delivery reports only"),
            )),
            _ => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}

/// A recipient that can't take mail now, over quota for one, is put off or refused as its reply says.
pub struct Ready;

impl Check<Recipient> for Ready {
    fn item(&self) -> Item {
        Item::Hygiene
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, asked: &'a RecipientEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let verdict = match asked.destination {
            Destination::Unavailable(reply) => {
                let finding = Finding::new(Item::Hygiene, format!("{reply}"), reply.clone());
                if reply.is_temporary() { Verdict::Defer(finding) } else { Verdict::Refuse(finding) }
            }
            _ => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}
