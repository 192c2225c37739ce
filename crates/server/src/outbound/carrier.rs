//! A carrier: takes what is due for one destination, and brings it there.

use super::hop::{Content, Hop};
use super::lanes::{Task, spread_out};
use super::notices::Report;
use super::route::{self, Exchange};
use super::{Outbound, Told};
use base::address::Host;
use base::{AccountId, Reply, Timestamp};
use session::smtp::client::{Fate, Mail, Recipient, Stage, Trouble, Why};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Queued;
use store::queue::{self, Settled};
use store::story::{Event, What};
use tokio::sync::Notify;
use tracing::{debug, info, warn};
use wire::dsn::Action;
use wire::mime::NoteKind;
use wire::smtp::Body;

/// Recipients of one transaction (RFC 5321 §4.5.3.1.8).
const RECIPIENTS: usize = 100;

/// Entries that are read from the queue at a time.
pub(super) const PAGE: usize = 100;

/// How long a connection that has nothing to carry waits for more.
const LINGER: Duration = Duration::from_secs(2);

/// How long servers are looked for that can be reached, before the destination has a pause.
const SEARCH: Duration = Duration::from_secs(300);

/// How long a carrier waits for another that reads.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long before a destination is tried again whose carrier broke off by a fault of ours, in seconds.
const AFTER_PANIC: i64 = 60;

/// Waits after the first, second, … temporary refusal of a recipient, in seconds; the last goes on. The first is what
/// greylisting asks for.
const WAITS: [i64; 7] = [300, 600, 1200, 2400, 3600, 7200, 10_800];

/// Carries until nothing is left, or the destination can't be reached.
pub async fn carry(outbound: Arc<Outbound>, destination: String) {
    let mut carrier = Carrier {
        outbound: &outbound,
        destination: &destination,
        hop: None,
        candidates: None,
        in_hand: Vec::new(),
        is_reading: false,
    };
    let was_of_use = carrier.work().await;
    if let Some(hop) = carrier.hop.take() {
        hop.quit().await;
    }
    outbound.carrier_left(&destination, was_of_use).await;
}

/// A server that was sent a message.
struct Server {
    name: String,
    /// It and its TLS, for the log.
    words: String,
    /// Whether it sees to reports.
    dsn: bool,
    /// Whether it sees to the time.
    deliver_by: bool,
}

struct Carrier<'o> {
    outbound: &'o Arc<Outbound>,
    destination: &'o str,
    hop: Option<Hop>,
    /// Servers that are still to be tried; none before the first look-up.
    candidates: Option<Candidates>,
    /// Entries of the message that it carries.
    in_hand: Vec<u64>,
    /// It reads what is due.
    is_reading: bool,
}

/// A carrier that panics must not stop its lane.
impl Drop for Carrier<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let again = Timestamp(self.outbound.clock.now().0.saturating_add(AFTER_PANIC));
            self.outbound.board.lock().broke_off(self.destination, &self.in_hand, self.is_reading, again);
            self.outbound.bell.notify_one();
        }
    }
}

/// Servers in the order in which they are tried, their addresses looked up one by one.
struct Candidates {
    exchanges: VecDeque<Exchange>,
    addresses: VecDeque<(Exchange, SocketAddr)>,
    /// The worst that was met so far: a temporary fault weighs more, since another try may help.
    fault: Option<Reply>,
}

impl Carrier<'_> {
    /// False where there was nothing to do.
    async fn work(&mut self) -> bool {
        let mut was_of_use = false;
        while let Some(group) = self.next_group().await {
            was_of_use = true;
            self.in_hand = group.iter().map(|entry| entry.id).collect();
            if self.outbound.is_stopping() {
                self.outbound.give_back(self.destination, &group);
                break;
            }
            let left = self.carry(group).await;
            self.in_hand.clear();
            let Some(group) = left else { continue };
            // No server takes it: it, and whatever else waits here, has to.
            self.outbound.give_back(self.destination, &group);
            break;
        }
        was_of_use
    }

    /// The next message, and who is to get it; none when there is nothing more.
    async fn next_group(&mut self) -> Option<Vec<Queued>> {
        let mut lingered = false;
        let more = self.outbound.more(self.destination);
        loop {
            let task = self.outbound.board.lock().task(self.destination, RECIPIENTS);
            match task {
                Task::Carry(group) => {
                    // There may be work for another one.
                    self.outbound.bell.notify_one();
                    return Some(group);
                }
                Task::Leave => return None,
                Task::Wait => tokio::time::sleep(PATIENCE).await,
                Task::Read(after) => {
                    // What was queued before is in what is read now; what comes later is not missed.
                    std::pin::pin!(more.notified()).enable();
                    self.is_reading = true;
                    let page = self.outbound.read_due(self.destination, after).await;
                    let nothing = !self.outbound.board.lock().read(self.destination, page, PAGE);
                    self.is_reading = false;
                    if nothing && (lingered || self.hop.is_none() || !self.linger(&more).await) {
                        return None;
                    }
                    lingered = nothing;
                }
            }
        }
    }

    /// Keeps the connection open for a moment. True where there may be something to carry again.
    async fn linger(&mut self, more: &Notify) -> bool {
        let Some(hop) = &mut self.hop else { return false };
        if self.outbound.is_stopping() || self.outbound.board.lock().is_full() {
            return false;
        }
        tokio::select! {
            () = more.notified() => true,
            () = hop.idle() => {
                self.hop = None;
                false
            }
            () = tokio::time::sleep(LINGER) => false,
        }
    }

    /// Brings a message to the first server that takes it or says no for good. Gives back what no server could be
    /// reached for.
    async fn carry(&mut self, group: Vec<Queued>) -> Option<Vec<Queued>> {
        let mut content = match self.content(&group).await {
            Ok(content) => content,
            Err(reply) => {
                self.settle(&group, vec![Fate::Deferred(own_trouble(reply)); group.len()], None).await;
                return None;
            }
        };
        let mut group = group;
        let mut is_reused = self.hop.as_ref().is_some_and(Hop::is_ready);
        if !is_reused {
            // What another message met counts no more.
            (self.hop, self.candidates) = (None, None);
        }
        // What the last server brought that was tried.
        let mut met = None;
        loop {
            if self.hop.is_none()
                && let Err(fault) = self.connect().await
            {
                return self.unreachable(group, fault, met).await;
            }
            let Some(hop) = &mut self.hop else { return Some(group) };
            let outcome = hop.send(mail(&group, &content, self.outbound.clock.now()), &content).await;
            if !content.is_converted()
                && outcome.recipients.iter().any(needs_seven_bit)
                && content.convert(&self.outbound.conversions).await
            {
                info!(destination = self.destination, server = hop.words(), "message made 7-bit");
                continue;
            }
            let server = Server {
                name: hop.name().to_string(),
                words: hop.words(),
                dsn: outcome.dsn,
                deliver_by: outcome.deliver_by,
            };
            if (is_reused || self.candidates.as_ref().is_some_and(Candidates::are_left))
                && outcome.recipients.iter().any(lacks_tls)
                && let Some(hop) = self.hop.take()
            {
                // RFC 8689 §4.2.1: each server is asked.
                hop.quit().await;
            }
            let ready = self.hop.as_ref().is_some_and(Hop::is_ready);
            if !ready {
                self.hop = None;
            }
            let is_answered = outcome
                .recipients
                .iter()
                .any(|fate| !matches!(fate, Fate::NotTried) && hosts_fault(fate).is_none());
            if is_answered {
                self.outbound.board.lock().reached(self.destination);
            }
            if is_reused && !ready || outcome.recipients.iter().any(|fate| matches!(fate, Fate::Delivered(_)))
            {
                // It works: should it be lost, all may be tried again. So may they where a server only has enough of
                // an old connection.
                self.candidates = None;
            }
            let others = !ready && (is_reused || self.has_candidates());
            is_reused = false;
            let (again, fates) = sort_out(&mut group, outcome.recipients, others, &mut met);
            let fault = fates.iter().find_map(hosts_fault).filter(|_| !ready);
            let fault = fault.map(|trouble| trouble.reply.to_string());
            self.settle(&group, fates, Some(&server)).await;
            if again.is_empty() {
                self.outbound.pause(self.destination, &fault?);
                return Some(Vec::new());
            }
            group = again;
        }
    }

    fn has_candidates(&self) -> bool {
        self.candidates.as_ref().is_some_and(Candidates::are_left)
    }

    /// Reaches the next server that there is.
    async fn connect(&mut self) -> Result<(), Reply> {
        self.hop = None;
        if self.candidates.is_none() {
            let host = Host::parse(self.destination).map_err(|_| nowhere(self.destination))?;
            let exchanges = self.outbound.routes.exchanges(&host, self.outbound.dns.as_ref()).await?;
            self.candidates =
                Some(Candidates { exchanges: exchanges.into(), addresses: VecDeque::new(), fault: None });
        }
        let Some(candidates) = &mut self.candidates else { return Err(nowhere(self.destination)) };
        let end = Instant::now() + SEARCH;
        while Instant::now() < end
            && let Some((exchange, address)) = candidates.next(self.outbound).await
        {
            match Hop::open(&exchange, address, &self.outbound.ways).await {
                Ok(hop) => {
                    debug!(destination = self.destination, server = hop.words(), "connected");
                    hop.tls_version()
                        .into_iter()
                        .for_each(|version| self.outbound.metrics.secured("out", version));
                    self.hop = Some(hop);
                    return Ok(());
                }
                Err(trouble) => {
                    info!(destination = self.destination, host = %exchange.host, %address, reply = %trouble.reply, "not connected");
                    candidates.met(for_now(trouble));
                }
            }
        }
        let fault =
            candidates.fault.take().unwrap_or_else(|| Reply::new(451, (4, 4, 1), "no server answers"));
        self.candidates = None;
        let (class, subject, detail) = fault.enhanced().unwrap_or((4, 4, 1));
        Err(match fault.is_permanent() {
            true => route::never((5, subject, detail), fault.text()),
            false => route::not_now((class, subject, detail), fault.text()),
        })
    }

    /// No server could be reached: mail has to wait, or goes back where that is for good. It has to wait, too, where a
    /// server that was tried before put it off; then it lets the others pass, since it may be the fault.
    async fn unreachable(
        &mut self,
        group: Vec<Queued>,
        fault: Reply,
        met: Option<Trouble>,
    ) -> Option<Vec<Queued>> {
        if let Some(trouble) = met.clone().filter(|trouble| trouble.reply.is_permanent()) {
            self.settle(&group, vec![Fate::Refused(trouble); group.len()], None).await;
            return None;
        }
        if let Some(trouble) = met {
            let said = trouble.reply.to_string();
            self.settle(&group, vec![Fate::Deferred(trouble); group.len()], None).await;
            self.outbound.pause(self.destination, &said);
            return Some(Vec::new());
        }
        if !fault.is_permanent() {
            self.outbound.pause(self.destination, &fault.text());
            return Some(group);
        }
        let fates = vec![Fate::Refused(own_trouble(fault)); group.len()];
        self.settle(&group, fates, None).await;
        None
    }

    async fn content(&self, group: &[Queued]) -> Result<Content, Reply> {
        let Some(first) = group.first() else { return Err(Reply::new(451, (4, 3, 0), "nothing to send")) };
        let (store, mail) = (self.outbound.store.clone(), first.mail);
        let read = tokio::task::spawn_blocking(move || store.read(AccountId(0), mail)).await;
        let read =
            read.map_err(|error| error.to_string()).and_then(|read| read.map_err(|error| error.to_string()));
        read.map(Content::new).map_err(|error| {
            warn!(trace = %first.trace, error, "a queued message cannot be read");
            Reply::new(451, (4, 3, 0), "the message cannot be read")
        })
    }

    /// Writes down what became of recipients, and tells the sender where it must be told.
    async fn settle(&self, group: &[Queued], fates: Vec<Fate>, server: Option<&Server>) {
        let now = self.outbound.clock.now();
        let mut settled = Vec::with_capacity(group.len());
        let mut told = Vec::new();
        let spread = crate::random::fraction();
        let (name, words) = server.map_or((None, ""), |server| (Some(&server.name), server.words.as_str()));
        let report = |entry: &Queued, action, reply: Reply, said: Option<&String>| Report {
            recipient: entry.recipient.clone(),
            terms: entry.terms.clone(),
            action,
            reply,
            server: said.cloned(),
            last_attempt: Some(now),
        };
        for (entry, fate) in group.iter().zip(fates) {
            let event = |what, reply: &Reply| {
                Event::new(entry.trace, what).to(&entry.recipient).by(words).said(reply)
            };
            let (fate, event) = match fate {
                Fate::Delivered(reply) => {
                    info!(trace = %entry.trace, to = %entry.recipient, server = words, %reply, "sent");
                    self.outbound.metrics.delivered_after(now.0.saturating_sub(entry.since.0));
                    if server.is_some_and(|server| entry.terms.wants_relay(server.dsn, server.deliver_by)) {
                        let event = event(What::Sent, &reply);
                        let report = report(entry, Action::Relayed, reply, name);
                        let (fate, otherwise) = (queue::Fate::Gone, queue::Fate::Gone);
                        told.push(Told { entry: entry.clone(), fate, otherwise, report, event });
                        continue;
                    }
                    (queue::Fate::Gone, event(What::Sent, &reply))
                }
                Fate::Refused(trouble) => {
                    info!(trace = %entry.trace, to = %entry.recipient, server = words, reply = %trouble.reply, "refused for good");
                    // What we found out ourselves is not to be put into the other server's mouth.
                    let said = name.filter(|_| trouble.why == Why::Reply);
                    let otherwise = later(entry, now, spread, &trouble.reply);
                    let event = event(What::Failed, &trouble.reply);
                    let report = report(entry, Action::Failed, trouble.reply, said);
                    let fate = queue::Fate::Gone;
                    told.push(Told { entry: entry.clone(), fate, otherwise, report, event });
                    continue;
                }
                Fate::Deferred(trouble) | Fate::Unknown(trouble) => {
                    info!(trace = %entry.trace, to = %entry.recipient, server = words, reply = %trouble.reply, tries = entry.tries + 1, "put off");
                    let number = u64::from(entry.tries) + 1;
                    let event = Event { number, ..event(What::PutOff, &trouble.reply) };
                    (later(entry, now, spread, &trouble.reply), event)
                }
                // The next reading finds it again.
                Fate::NotTried => continue,
            };
            settled.push(Settled { id: entry.id, fate, events: vec![event] });
        }
        self.outbound.settle(settled, told).await;
        self.outbound.give_back(self.destination, group);
    }
}

/// When a recipient that was put off is tried again.
fn later(entry: &Queued, now: Timestamp, spread: f64, reply: &Reply) -> queue::Fate {
    let wait = WAITS[(entry.tries as usize).min(WAITS.len() - 1)];
    let due = Timestamp(now.0.saturating_add(spread_out(wait, spread)));
    queue::Fate::Later { due, why: reply.to_string() }
}

impl Candidates {
    fn are_left(&self) -> bool {
        !self.exchanges.is_empty() || !self.addresses.is_empty()
    }

    async fn next(&mut self, outbound: &Outbound) -> Option<(Exchange, SocketAddr)> {
        while self.addresses.is_empty() {
            let exchange = self.exchanges.pop_front()?;
            match exchange.addresses(outbound.dns.as_ref()).await {
                Ok(found) => {
                    self.addresses.extend(found.into_iter().map(|address| (exchange.clone(), address)))
                }
                Err(fault) => {
                    if fault.enhanced() == Some(route::LOOP) {
                        // RFC 5321 §5.1: nor are those tried that are no better.
                        self.exchanges.clear();
                    }
                    self.met(fault);
                }
            }
        }
        self.addresses.pop_front()
    }

    fn met(&mut self, fault: Reply) {
        if self.fault.as_ref().is_none_or(Reply::is_permanent) {
            self.fault = Some(fault);
        }
    }
}

/// What the server itself is at fault for, where a recipient has to wait for it.
fn hosts_fault(fate: &Fate) -> Option<&Trouble> {
    match fate {
        Fate::Deferred(trouble) | Fate::Unknown(trouble) => {
            Some(trouble).filter(|trouble| trouble.is_hosts())
        }
        _ => None,
    }
}

/// The server takes only 7-bit content.
fn needs_seven_bit(fate: &Fate) -> bool {
    matches!(fate, Fate::Refused(trouble) if trouble.why == Why::NeedsSevenBit)
}

/// The server can't be trusted with a message that is to be sent by TLS only.
fn lacks_tls(fate: &Fate) -> bool {
    matches!(fate, Fate::Refused(trouble) if trouble.why == Why::NoRequireTls)
}

/// Divides what was tried into what is settled, left in `group` with its fates, and what another server may take now:
/// where there are `others`, and the fault was this server's only, which is noted in `met`.
fn sort_out(
    group: &mut Vec<Queued>,
    fates: Vec<Fate>,
    others: bool,
    met: &mut Option<Trouble>,
) -> (Vec<Queued>, Vec<Fate>) {
    let mut again = Vec::new();
    let (mut settled, mut settled_fates) = (Vec::new(), Vec::new());
    for (entry, fate) in group.drain(..).zip(fates) {
        match fate {
            Fate::NotTried => again.push(entry),
            Fate::Deferred(trouble) if others && trouble.is_hosts() => {
                again.push(entry);
                *met = Some(trouble);
            }
            Fate::Refused(trouble) if others && trouble.why == Why::NoRequireTls => {
                again.push(entry);
                // What may help another time weighs more.
                met.get_or_insert(trouble);
            }
            fate => {
                settled.push(entry);
                settled_fates.push(fate);
            }
        }
    }
    *group = settled;
    (again, settled_fates)
}

fn mail(group: &[Queued], content: &Content, now: Timestamp) -> Mail {
    let first = group.first();
    let tree = content.message().tree();
    let binary = [NoteKind::BareCr, NoteKind::BareLf, NoteKind::Nul].iter().any(|kind| tree.has_note(*kind));
    Mail {
        reverse_path: first.map_or(base::ReversePath::Null, |entry| entry.reverse_path.clone()),
        recipients: group.iter().map(recipient).collect(),
        size: content.len(),
        body: match (binary, tree.is_eight_bit()) {
            _ if content.is_converted() => Body::SevenBit,
            (true, _) => Body::BinaryMime,
            (false, true) => Body::EightBitMime,
            (false, false) => Body::SevenBit,
        },
        utf8_header: first.is_some_and(|entry| entry.smtputf8) && tree.has_note(NoteKind::EightBitHeader),
        require_tls: first.is_some_and(|entry| entry.terms.require_tls),
        priority: None,
        deliver_by: first.and_then(|entry| entry.terms.by).map(|by| by.left(now)),
        ret: first.and_then(|entry| entry.terms.ret),
        envid: first.and_then(|entry| entry.terms.envelope_id.clone()),
    }
}

fn recipient(entry: &Queued) -> Recipient {
    Recipient {
        address: entry.recipient.clone(),
        notify: entry.terms.notify,
        orcpt: entry.terms.original.clone(),
    }
}

/// What a server said, as a reason to wait where it is for the administrator to mend: a log-in or TLS that fails is no
/// fault of the mail.
fn for_now(Trouble { stage, reply, .. }: Trouble) -> Reply {
    if !reply.is_permanent() || !matches!(stage, Stage::StartTls | Stage::Login) {
        return reply;
    }
    let (_, subject, detail) = reply.enhanced().unwrap_or((4, 7, 0));
    Reply::new(454, (4, subject, detail), reply.text())
}

/// What we found out ourselves.
fn own_trouble(reply: Reply) -> Trouble {
    Trouble { stage: Stage::Mail, why: Why::Lost, reply }
}

fn nowhere(destination: &str) -> Reply {
    route::never((5, 1, 2), format!("{destination} is no destination"))
}
