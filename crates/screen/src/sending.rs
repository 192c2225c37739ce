//! An account sends only as itself or as an address it was given (RFC 6409 §6.1), in envelope and From.

use base::{Address, BoxFuture, Reply, ReversePath};
use gate::{
    Check, Content, ContentEvidence, Finding, Item, Origin, Sender, SenderEvidence, Spooled, Unsure, Verdict,
};
use std::future::ready;
use std::io;
use wire::mime::address::{self, Mailbox};

/// Addresses in From and Sender of one message: each is looked up.
const MOST_AUTHORS: usize = 100;

/// Characters of a foreign address that the log shows.
const SHOWN: usize = 254;

/// The reverse-path of a logged-in account is its own. The null path is allowed: receipts are sent with it.
pub struct OwnReversePath;

impl Check<Sender> for OwnReversePath {
    fn item(&self) -> Item {
        Item::Sending
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Refuse(not_yours("could not be decided"))
    }

    fn judge<'a>(&'a self, asked: &'a SenderEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let verdict = match (asked.account, asked.reverse_path) {
            (Some(owns), ReversePath::Address(address)) if !owns(address) => {
                Verdict::Refuse(not_yours(&format!("reverse-path {address}")))
            }
            _ => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}

/// Every author in From, and Sender if there is one, is the account's own.
pub struct OwnFrom;

impl Check<Content> for OwnFrom {
    fn item(&self) -> Item {
        Item::Sending
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Refuse(not_yours("could not be decided"))
    }

    fn judge<'a>(&'a self, asked: &'a ContentEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let verdict = match (asked.origin, asked.account) {
            (Origin::Submission, Some(owns)) => {
                own_from(asked, owns).map_err(|error| Unsure(error.to_string()))
            }
            (Origin::Submission, None) => Ok(Verdict::Refuse(not_yours("nobody is logged in"))),
            _ => Ok(Verdict::Pass),
        };
        Box::pin(ready(verdict))
    }
}

fn own_from(asked: &ContentEvidence<'_>, owns: &(dyn Fn(&Address) -> bool + Sync)) -> io::Result<Verdict> {
    if !asked.mail.tree.header_is_whole() {
        // There may be further authors where nobody looked.
        return Ok(Verdict::Refuse(not_yours("the header was not wholly read")));
    }
    let authors = mailboxes(asked.mail, "From")?;
    if authors.is_empty() {
        return Ok(Verdict::Refuse(Finding::new(
            Item::Sending,
            "no author in From",
            Reply::new(550, (5, 6, 0), "The message has no valid From field"),
        )));
    }
    let senders = mailboxes(asked.mail, "Sender")?;
    if authors.len() + senders.len() > MOST_AUTHORS {
        return Ok(Verdict::Refuse(Finding::new(
            Item::Sending,
            "too many authors",
            Reply::new(550, (5, 6, 0), "Too many addresses in From and Sender"),
        )));
    }
    let foreign =
        authors.iter().chain(&senders).find(|m| !m.to_address().is_some_and(|address| owns(&address)));
    let refuse = |m: &Mailbox| {
        let shown: String = m.address().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Verdict::Refuse(not_yours(&format!("From or Sender {shown}")))
    };
    Ok(foreign.map_or(Verdict::Pass, refuse))
}

/// The mailboxes of every field of a name.
fn mailboxes(mail: &Spooled, name: &str) -> io::Result<Vec<Mailbox>> {
    let mut found = Vec::new();
    for field in mail.tree.fields_named(name) {
        let mut value = Vec::new();
        mail.octets.read(field.value(), &mut value)?;
        found.extend(address::mailboxes(&value));
    }
    Ok(found)
}

fn not_yours(what: &str) -> Finding {
    Finding::new(
        Item::Sending,
        format!("not the account's address: {what}"),
        Reply::new(553, (5, 7, 1), "You may send only from your own addresses"),
    )
}
