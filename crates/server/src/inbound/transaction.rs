//! One message on its way in: spooled and parsed while it comes, then judged and committed.

use super::calls::{Answered, Call, Called};
use crate::filing::{Circumstances, Filed, Outcome};
use crate::gatehouse::Owns;
use crate::lists::{Errand, Judged};
use crate::outbound;
use crate::server::{Drops, Server};
use crate::topped::Topped;
use base::{AccountId, Address, DomainId, Octets, Reply, SpecialUse, Timestamp, TraceId};
use gate::{
    Content, ContentEvidence, Delivery, Destination, Folder, Origin, Peer, PeerEvidence, Recipient,
    RecipientEvidence, Ruling, Rulings, Screened, Spooled,
};
use session::smtp::Sender;
use std::net::IpAddr;
use std::sync::Arc;
use store::story::{Event, What};
use store::{Account, DirectoryError, Place, Placed, StoreError};
use tokio::sync::oneshot;
use tracing::{info, warn};
use wire::mime::{self, HeaderFilter};
use wire::smtp::{Rcpt, Terms};

/// Messages up to this size are sealed on the spot; larger ones on a thread that may take its time.
const SEALED_AT_ONCE: u64 = 64 * 1024;

/// Octets of a base64 part for which the store may write a file: to wait until it is on disk is not for the threads
/// that everybody's connections share.
const FILE_FROM: u64 = 8 * 1024;

/// A message on its way in, from MAIL to the last reply.
pub struct Transaction {
    trace: TraceId,
    /// When MAIL came.
    begun: Timestamp,
    sender: Sender,
    /// The user of this machine who sends, if one does.
    uid: Option<u32>,
    ruling: Ruling<gate::Sender>,
    recipients: Vec<(Delivery, Ruling<Recipient>)>,
    /// What it is to bring about at lists.
    calls: Vec<Call>,
    /// Who wants to hear that mail is in which mailboxes.
    confirmed: Vec<Confirmed>,
    body: Option<Incoming>,
}

/// By whom mail for other servers is sent.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// The account, unless a user of this machine sends it.
    pub account: Option<AccountId>,
    /// The domain of ours whose mail it is.
    pub domain: DomainId,
}

impl From<&Account> for By {
    fn from(account: &Account) -> Self {
        By { account: Some(account.id), domain: account.domain }
    }
}

/// Why a recipient is not among those of a message.
pub struct NotTaken {
    /// Its address, where one was found.
    pub address: Option<Address>,
    /// What its sender is told.
    pub reply: Reply,
}

/// A recipient here of whose mail the sender wants to hear that it was delivered (RFC 3461 §5.2.3).
struct Confirmed {
    recipient: Address,
    terms: Terms,
    accounts: Vec<AccountId>,
}

/// A message's octets while they come.
struct Incoming {
    spool: store::Spool,
    filter: HeaderFilter<Drops>,
    parser: mime::Parser,
    failed: Option<StoreError>,
}

impl Transaction {
    /// Begins with an accepted MAIL.
    pub fn new(sender: Sender, ruling: Ruling<gate::Sender>) -> Self {
        Transaction {
            trace: crate::random::trace_id(),
            begun: Timestamp::now(),
            sender,
            uid: None,
            ruling,
            recipients: Vec::new(),
            calls: Vec::new(),
            confirmed: Vec::new(),
            body: None,
        }
    }

    /// Begins with mail from a user of this machine.
    pub fn of_user(sender: Sender, ruling: Ruling<gate::Sender>, uid: u32) -> Self {
        Transaction { uid: Some(uid), ..Transaction::new(sender, ruling) }
    }

    /// The id that follows the message.
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// Has a recipient judged, and adds it where it is accepted. `by` is who sends, where that is proven.
    pub async fn recipient(
        &mut self,
        server: &Server,
        peer: &PeerEvidence,
        rcpt: Rcpt,
        by: Option<By>,
    ) -> Result<(), NotTaken> {
        let terms = Terms::of(&self.sender.mail, &rcpt, self.begun);
        let announced = self.sender.mail.size.unwrap_or(0);
        let found = server.resolve(rcpt.path, announced).and_then(|(address, destination)| {
            let (destination, errand) = self.at_a_list(server, destination, by.is_some())?;
            Ok((address, destination, errand))
        });
        let (address, destination, errand) = found.map_err(|error| {
            warn!(%error, "directory failed");
            NotTaken { address: None, reply: Reply::new(451, (4, 3, 0), "Try again later") }
        })?;
        let evidence = RecipientEvidence {
            peer,
            authenticated: by.is_some(),
            reverse_path: &self.sender.mail.reverse_path,
            recipient: &address,
            destination: &destination,
        };
        let ruling = server.gatehouse.recipient(&evidence).await;
        if let Some(reply) = ruling.turns_away() {
            info!(trace = %self.trace, to = %address, %reply, why = ruling.trace(), "recipient refused");
            self.tell_refusal(server, peer, Event::new(self.trace, What::Refused).to(&address).said(reply));
            return Err(NotTaken { reply: reply.clone(), address: Some(address) });
        }
        match errand {
            Some(errand) => {
                let call = Call { errand, terms, proven: by.is_some(), ruling };
                if !self.calls.iter().any(|other| other.is_like(&call)) {
                    self.calls.push(call);
                }
            }
            None => self.add(&address, terms, &destination, by, ruling),
        }
        Ok(())
    }

    /// Where mail goes that goes to a list, and what for, if the list takes it.
    fn at_a_list(
        &self,
        server: &Server,
        destination: Destination,
        proven: bool,
    ) -> Result<(Destination, Option<Errand>), DirectoryError> {
        let Destination::List { list, detail } = &destination else { return Ok((destination, None)) };
        let sender = &self.sender.mail.reverse_path;
        Ok(match server.lists.judge(*list, detail.as_deref(), sender, proven)? {
            Judged::Errand(errand) => (destination, Some(errand)),
            Judged::Elsewhere(destination) => (destination, None),
        })
    }

    /// Adds what an accepted recipient stands for. An account that several recipients lead to gets one copy.
    fn add(
        &mut self,
        to: &Address,
        terms: Terms,
        destination: &Destination,
        by: Option<By>,
        ruling: Ruling<Recipient>,
    ) {
        if let Destination::Local(targets) = destination
            && terms.wants_success()
        {
            let accounts = targets.iter().map(|target| target.account).collect();
            self.confirmed.push(Confirmed { recipient: to.clone(), terms: terms.clone(), accounts });
        }
        let deliveries: Vec<Delivery> = match (destination, by) {
            (Destination::Local(targets), _) => targets
                .iter()
                .map(|target| {
                    let folder = target.detail.clone().map_or(Folder::Inbox, Folder::Named);
                    Delivery::mailbox(target.account, target.domain, folder, to.clone())
                })
                .collect(),
            (Destination::Returned { sender, domain }, _) => {
                vec![Delivery::queue(None, *domain, sender.clone(), terms)]
            }
            (Destination::Remote, Some(by)) => {
                vec![Delivery::queue(by.account, by.domain, to.clone(), terms)]
            }
            // The recipient checks let nothing else through.
            _ => Vec::new(),
        };
        for delivery in deliveries {
            if !self.recipients.iter().any(|(other, _)| same_place(other, &delivery)) {
                self.recipients.push((delivery, ruling.clone()));
            }
        }
    }

    /// Begins to take the message, if there is room; else gives the reply to the peer.
    pub fn begin(&mut self, server: &Server) -> Result<(), Reply> {
        if !server.store.has_room() {
            warn!("disk nearly full: no mail is taken");
            return Err(Reply::new(452, (4, 3, 1), "Out of disk space, try again later"));
        }
        let spool = server.store.spool().map_err(|error| store_reply(&error))?;
        let filter = server.header_filter();
        let parser = mime::Parser::new(server.gatehouse.limits());
        self.body = Some(Incoming { spool, filter, parser, failed: None });
        Ok(())
    }

    /// Takes octets of the message.
    pub fn push(&mut self, octets: &[u8]) {
        if let Some(body) = &mut self.body {
            body.push(octets);
        }
    }

    /// Judges the whole message and has it committed; gives the reply to the peer.
    pub async fn finish(
        mut self,
        server: &Server,
        peer: &PeerEvidence,
        peer_ruling: Ruling<Peer>,
        owns: Option<Owns<'_>>,
    ) -> Reply {
        let Some(body) = self.body.take() else { return Reply::new(503, (5, 5, 1), "No message was begun") };
        self.take_in(body, server, peer, peer_ruling, owns).await.unwrap_or_else(|reply| {
            self.tell_refusal(server, peer, Event::new(self.trace, What::Refused).said(&reply));
            reply
        })
    }

    /// The way of a message from its last octet to the reply; an error where it is not taken, said in the log already.
    async fn take_in(
        &mut self,
        body: Incoming,
        server: &Server,
        peer: &PeerEvidence,
        peer_ruling: Ruling<Peer>,
        owns: Option<Owns<'_>>,
    ) -> Result<Reply, Reply> {
        let received = Timestamp::now();
        let (octets, tree) = body.finish().map_err(|error| {
            warn!(trace = %self.trace, ?error, "spool failed");
            store_reply(&error)
        })?;
        let mail = self.with_trace(server, peer, received, octets, tree);
        let evidence = ContentEvidence { peer: Some(peer), origin: peer.origin, account: owns, mail: &mail };
        let content = server.gatehouse.content(&evidence).await;
        let screened = self.judge(server, &mail, peer_ruling, content).await?;
        let size = mail.octets.len();
        let story = screened.iter().flat_map(Screened::story).cloned().collect::<Vec<_>>().join("; ");
        let filed = self.file(server, peer, screened, (size, &story)).await?;
        self.keep(server, filed, (size, &story)).await
    }

    /// What the checks let through: the message for its recipients, and its copies for lists.
    async fn judge(
        &mut self,
        server: &Server,
        mail: &Spooled,
        peer: Ruling<Peer>,
        content: Ruling<Content>,
    ) -> Result<Vec<Screened>, Reply> {
        let (trace, from, size, why) = (self.trace, self.from(), mail.octets.len(), content.trace());
        let refused = |reply: Reply| {
            info!(%trace, from, size, %reply, why, "message refused");
            reply
        };
        let (recipients, calls) = (std::mem::take(&mut self.recipients), std::mem::take(&mut self.calls));
        let sender = || self.ruling.clone();
        let called = (!calls.is_empty()).then(|| Called {
            peer: peer.clone(),
            sender: sender(),
            content: content.clone(),
        });
        let mut all = Vec::new();
        if !recipients.is_empty() {
            let rulings = Rulings { peer, sender: sender(), recipients, content: vec![content] };
            let screened = rulings.seal(mail.clone()).map_err(&refused)?;
            leave_out_junk(&mut self.confirmed, &screened);
            all.push(screened);
        }
        if let Some(called) = called {
            match called.answer(server, mail, calls, !all.is_empty()).await {
                Ok(Answered { reply: Some(reply), mail }) if all.is_empty() && mail.is_empty() => {
                    return Err(refused(reply));
                }
                Ok(answered) => all.extend(answered.mail),
                Err(error) => {
                    warn!(%trace, from, size, ?error, "message not sent on to a list");
                    return Err(store_reply(&error));
                }
            }
        }
        Ok(all)
    }

    /// What the scripts of those who get it make of it.
    async fn file(
        &mut self,
        server: &Server,
        peer: &PeerEvidence,
        all: Vec<Screened>,
        (size, story): (u64, &str),
    ) -> Result<Filed, Reply> {
        let (by, account) = (self.brought_by(peer), self.account());
        let circumstances =
            Circumstances { require_tls: self.sender.mail.require_tls, refusable: all.len() == 1 };
        let mut filed = Filed::default();
        for screened in all {
            // No script has a word on what the server writes itself.
            if screened.inside().is_some() {
                filed.mail.push(screened);
                continue;
            }
            match server.filing.file(screened.brought(by.clone(), account), circumstances).await {
                Outcome::Filed(one) => filed.add(one),
                Outcome::Refused(reply) => {
                    let (trace, from) = (self.trace, self.from());
                    info!(%trace, from, size, %reply, story, "message rejected by its recipients' scripts");
                    return Err(reply);
                }
            }
        }
        Ok(filed)
    }

    /// Has all of it committed.
    async fn keep(
        &mut self,
        server: &Server,
        filed: Filed,
        (size, story): (u64, &str),
    ) -> Result<Reply, Reply> {
        let (trace, from) = (self.trace, self.from());
        match commit_for_all(server, filed, &self.confirmed).await {
            Ok(placed) => {
                let places: Vec<String> =
                    placed.iter().take(1).flat_map(|p| &p.places).map(|p| format!("{p:?}")).collect();
                info!(%trace, from, size, story, places = places.join(", "), "message accepted");
                count(server, &placed);
                Ok(Reply::new(250, (2, 0, 0), format!("Ok, {trace}")))
            }
            Err(error) => {
                warn!(%trace, from, size, ?error, "message not stored");
                Err(store_reply(&error))
            }
        }
    }

    /// Says in log and story why the message is not taken.
    pub fn refused(&self, server: &Server, peer: &PeerEvidence, reply: &Reply) {
        let from = &self.sender.mail.reverse_path;
        info!(trace = %self.trace, %from, %reply, why = "", "message refused");
        self.tell_refusal(server, peer, Event::new(self.trace, What::Refused).said(reply));
    }

    fn tell_refusal(&self, server: &Server, peer: &PeerEvidence, event: Event) {
        let event = Event { from: self.from(), account: self.account(), ..event };
        server.refused(peer.ip, event.by(self.brought_by(peer)));
    }

    fn from(&self) -> String {
        self.sender.mail.reverse_path.to_string()
    }

    /// The account that sends it, where one logged in.
    fn account(&self) -> Option<AccountId> {
        self.sender.identity.as_ref().map(|who| who.account)
    }

    fn brought_by(&self, peer: &PeerEvidence) -> String {
        match self.uid {
            Some(uid) => format!("user {uid} of this machine"),
            None => peer_words(&self.sender, peer.ip),
        }
    }

    /// Puts our trace fields on top (RFC 5321 §4.4), and what a submitted message lacks (RFC 6409 §8).
    fn with_trace(
        &self,
        server: &Server,
        peer: &PeerEvidence,
        received: Timestamp,
        octets: Arc<dyn Octets>,
        mut tree: mime::Tree,
    ) -> Spooled {
        let mut top = format!("Return-Path: <{}>\r\n", self.sender.mail.reverse_path);
        let from = match self.uid {
            // No protocol of the net brought it, so there is no host to name.
            Some(uid) => format!("by {} (uid {uid})", server.host),
            None => {
                let (name, protocol) = (&self.sender.client, self.sender.protocol());
                format!("from {name} ([{}])\r\n\tby {} with {protocol}", peer.ip, server.host)
            }
        };
        top += &format!("Received: {from} id {};\r\n\t{}\r\n", self.trace, received.rfc5322());
        if peer.origin == Origin::Submission {
            if tree.fields_named("Date").next().is_none() {
                top += &format!("Date: {}\r\n", received.rfc5322());
            }
            if tree.fields_named("Message-ID").next().is_none() {
                top += &format!("Message-ID: <{}@{}>\r\n", self.trace, server.host);
            }
        }
        tree.prepend_header(top.as_bytes());
        Spooled {
            trace: self.trace,
            reverse_path: self.sender.mail.reverse_path.clone(),
            octets: Arc::new(Topped { top: top.into_bytes(), rest: octets, from: 0 }),
            tree: Arc::new(tree),
            received,
            smtputf8: self.sender.mail.smtputf8,
        }
    }
}

impl Incoming {
    fn push(&mut self, octets: &[u8]) {
        let mut filtered = Vec::new();
        let rest = self.filter.push(octets, &mut filtered);
        self.pass_on(&filtered);
        self.pass_on(rest);
    }

    fn pass_on(&mut self, octets: &[u8]) {
        if self.failed.is_none() && !octets.is_empty() {
            self.parser.push(octets);
            self.failed = self.spool.push(octets).err();
        }
    }

    fn finish(mut self) -> Result<(Arc<dyn Octets>, mime::Tree), StoreError> {
        let mut held = Vec::new();
        self.filter.finish(&mut held);
        self.pass_on(&held);
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.spool.finish()?, self.parser.finish())),
        }
    }
}

/// Has a message committed, with its copies for lists. Where one of several mailboxes is full (which RCPT could not know if
/// MAIL told no size), its copy goes to quarantine, so that the others get theirs.
async fn commit_for_all(
    server: &Server,
    mut filed: Filed,
    confirmed: &[Confirmed],
) -> Result<Vec<Placed>, StoreError> {
    loop {
        if filed.mail.is_empty() {
            // It was for a list's own address.
            return Ok(Vec::new());
        }
        let notice = confirmation(server, &filed, confirmed).await?;
        // Most messages have one delivery, and nobody else to get them.
        let deliveries: usize = filed.mail.iter().map(|one| one.deliveries().len()).sum();
        let kept = (deliveries > 1).then(|| filed.clone());
        match (commit(server, filed, notice).await, kept) {
            (Err(StoreError::OverQuota(full)), Some(kept)) => {
                match kept.held_for(full, "the mailbox is full") {
                    Some(others) => filed = others,
                    None => return Err(StoreError::OverQuota(full)),
                }
            }
            (outcome, _) => return outcome,
        }
    }
}

/// What is taken for spam, and so likely forged, is not confirmed, wherever a script files it.
fn leave_out_junk(confirmed: &mut [Confirmed], screened: &Screened) {
    for delivery in screened.deliveries() {
        if let Delivery::Mailbox { account, folder: Folder::Special(SpecialUse::Junk), .. } = delivery {
            confirmed.iter_mut().for_each(|one| one.accounts.retain(|other| other != account));
        }
    }
}

/// The notice to a sender who wants to hear that mail is delivered, where it is: what is held is not confirmed, nor what
/// goes to Junk.
async fn confirmation(
    server: &Server,
    filed: &Filed,
    confirmed: &[Confirmed],
) -> Result<Option<Screened>, StoreError> {
    let Some(message) = filed.mail.first().filter(|_| !confirmed.is_empty()) else { return Ok(None) };
    let delivered = |delivery: &Delivery| match delivery {
        Delivery::Mailbox { folder: Folder::Special(SpecialUse::Junk), .. } => None,
        Delivery::Mailbox { account, domain, .. } => Some((*account, *domain)),
        Delivery::Queue { .. } | Delivery::Quarantine { .. } => None,
    };
    let delivered: Vec<(AccountId, DomainId)> =
        filed.copies().flat_map(Screened::deliveries).filter_map(delivered).collect();
    let Some((_, domain)) = delivered.first() else { return Ok(None) };
    let is_delivered = |one: &&Confirmed| delivered.iter().any(|(account, _)| one.accounts.contains(account));
    let recipients: Vec<(Address, Terms)> =
        confirmed.iter().filter(is_delivered).map(|one| (one.recipient.clone(), one.terms.clone())).collect();
    match recipients.is_empty() {
        true => Ok(None),
        false => server.outbound.delivered(message.mail(), *domain, recipients).await,
    }
}

/// Has a message committed with all that belongs to it, and the notice that it is. The session's thread seals what is small;
/// the store calls back when it is safe on disk.
async fn commit(server: &Server, filed: Filed, notice: Option<Screened>) -> Result<Vec<Placed>, StoreError> {
    let (send, receive) = oneshot::channel();
    let done = Box::new(move |outcome| drop(send.send(outcome)));
    let octets: u64 = filed.all().map(|one| one.mail().octets.len()).sum();
    let at_once = octets <= SEALED_AT_ONCE && !filed.all().any(|one| may_need_files(&one.mail().tree));
    let destinations = outbound::destinations(filed.all().chain(&notice));
    let Filed { mut mail, memory } = filed;
    mail.extend(notice);
    if at_once {
        server.store.accept_and_remember(mail, memory, done);
    } else {
        let store = server.store.clone();
        tokio::task::spawn_blocking(move || store.accept_and_remember(mail, memory, done));
    }
    let placed = receive.await.unwrap_or(Err(StoreError::Closed))?;
    server.outbound.wake(&destinations);
    Ok(placed)
}

fn may_need_files(tree: &mime::Tree) -> bool {
    tree.parts().iter().any(|part| part.encoding == mime::Encoding::Base64 && part.size() >= FILE_FROM)
}

fn count(server: &Server, placed: &[Placed]) {
    server.metrics.happened(What::Came);
    // What follows is a notice of ours.
    for place in placed.iter().take(1).flat_map(|placed| &placed.places) {
        server.metrics.happened(match place {
            Place::Mailbox { .. } => What::Filed,
            Place::Queue(_) => What::Queued,
            Place::Quarantine(_) => What::Quarantined,
        });
    }
}

/// Who a peer is, and how it speaks.
pub fn peer_words(sender: &Sender, ip: IpAddr) -> String {
    format!("{} [{ip}] by {}", sender.client, sender.protocol())
}

/// What a peer is told when the store can't.
fn store_reply(error: &StoreError) -> Reply {
    match error {
        StoreError::OverQuota(_) => Reply::new(452, (4, 2, 2), "Mailbox full"),
        StoreError::DiskFull => Reply::new(452, (4, 3, 1), "Out of disk space, try again later"),
        StoreError::Busy => Reply::new(451, (4, 3, 2), "Too busy, try again later"),
        StoreError::Closed => Reply::new(421, (4, 3, 2), "Shutting down, try again later"),
        StoreError::Gone | StoreError::Failed(_) => Reply::new(451, (4, 3, 0), "Try again later"),
    }
}

/// Whether two deliveries put the message into the same hands.
fn same_place(one: &Delivery, other: &Delivery) -> bool {
    fn account(delivery: &Delivery) -> Option<AccountId> {
        match delivery {
            Delivery::Mailbox { account, .. } => Some(*account),
            _ => None,
        }
    }
    match (one, other) {
        (Delivery::Queue { recipient: a, .. }, Delivery::Queue { recipient: b, .. }) => a == b,
        _ => account(one).is_some() && account(one) == account(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: &str, octets: usize, expected: bool) {
        let message = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/png\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n{}\r\n--b--\r\n",
            "aaaa".repeat(octets / 4)
        );
        let tree = mime::Tree::parse(message.as_bytes(), &base::Limits::default());
        assert_eq!(may_need_files(&tree), expected, "{encoding} {octets}");
    }

    /// Attachments that get a file of their own in the store are synced, which may take long.
    #[test]
    fn messages_with_files_are_not_sealed_at_once() {
        check("base64", 1000, false);
        check("base64", 12 * 1024, true);
        check("7bit", 40 * 1024, false);
    }
}
