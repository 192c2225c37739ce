//! Mail going out: the queue is carried to other servers, and senders are told what did not arrive.
//!
//! One task looks what is due and starts carriers ([`lanes`] says for which destination); each carrier asks where its
//! destination's servers are ([`route`]), talks to one ([`hop`]) and settles what it carried ([`carrier`]), together
//! with the notices to senders ([`notices`]) in one commit. What a sender must be told after a time is seen to by
//! [`Outbound::remind`].

mod carrier;
mod clock;
mod hop;
mod lanes;
pub mod notices;
pub mod route;

use crate::config;
use crate::gatehouse::Gatehouse;
use crate::metrics::Metrics;
use base::{Domain, Reply, Resolver, Timestamp};
use clock::Clock;
use gate::{Delivery, Screened};
use hop::Ways;
use lanes::{Board, Most};
use net::TlsClient;
use notices::Report;
use parking_lot::Mutex;
use route::Routes;
use session::smtp::client::{Config, Login, Tls};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::queue::{self, Change, Settled};
use store::story::{Event, What};
use store::{Queued, Store};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tracing::{error, info, warn};
use wire::dsn::Action;
use wire::smtp::ClientName;

/// The longest sleep between two looks at what is due.
const LOOK: Duration = Duration::from_secs(60);

/// How often senders are told of what is late, at least.
const REMIND: Duration = Duration::from_secs(60);

/// Late entries that are seen to at a time.
const REMINDERS: usize = 100;

/// How long before the queue is asked again after it failed.
const AFTER_FAULT: Duration = Duration::from_secs(5);

/// How long before a destination is looked at again where something seems due, and a carrier found nothing to do.
const AFTER_NOTHING: i64 = 60;

/// How long before a notice that could not be made is tried again, in seconds.
const UNTOLD: i64 = 3600;

/// How often the queue is looked through for what nobody told of.
const LOOK_THROUGH: Duration = Duration::from_secs(600);

/// What sends mail to other servers.
pub struct Outbound {
    store: Arc<dyn Store>,
    gatehouse: Arc<Gatehouse>,
    dns: Arc<dyn Resolver>,
    host: Domain,
    routes: Routes,
    ways: Ways,
    /// Room for messages that are made 7-bit.
    conversions: Arc<Semaphore>,
    enabled: bool,
    late_after: Duration,
    give_up_after: Duration,
    board: Mutex<Board>,
    /// Rung when there is something new on the board.
    bell: Notify,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Rung for carriers that wait for more, by destination. It is there while the destination has carriers.
    more: Mutex<HashMap<String, Arc<Notify>>>,
    stop: watch::Receiver<bool>,
}

/// What becomes of an entry when its sender was told.
#[derive(Clone, Debug)]
struct Told {
    entry: Queued,
    fate: queue::Fate,
    /// Where that could not be done.
    otherwise: queue::Fate,
    report: Report,
    /// What its story tells of it.
    event: Event,
}

impl Outbound {
    /// Puts it together; [`Outbound::run`] starts it.
    pub fn new(
        config: &config::Config,
        store: Arc<dyn Store>,
        gatehouse: Arc<Gatehouse>,
        dns: Arc<dyn Resolver>,
        authorities: Arc<TlsClient>,
        stop: watch::Receiver<bool>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, String> {
        let set = &config.outbound;
        let name =
            ClientName::new(config.hostname.as_str()).map_err(|_| "server.hostname can't be said in EHLO")?;
        let tls = match set.tls {
            config::OutboundTls::Opportunistic => Tls::Opportunistic,
            config::OutboundTls::Required => Tls::Required,
            config::OutboundTls::Never => Tls::Never,
        };
        let session = Config { tls, ..Config::new(name) };
        let with_login = set.login.clone().map(|(user, password)| {
            let login = Some(Login { user, password });
            Arc::new(Config { tls: Tls::Required, login, ..session.clone() })
        });
        let plain =
            (tls == Tls::Opportunistic).then(|| Arc::new(Config { tls: Tls::Never, ..session.clone() }));
        let ways = Ways {
            config: Arc::new(session),
            with_login,
            plain,
            tls: authorities,
            source_v4: set.source_v4,
            source_v6: set.source_v6,
        };
        Ok(Arc::new(Outbound {
            store,
            gatehouse,
            dns,
            host: config.hostname.clone(),
            routes: Routes {
                own_names: vec![config.hostname.clone()],
                by_domain: set.routes.clone(),
                smart_host: set.smart_host.clone(),
            },
            ways,
            conversions: Arc::new(Semaphore::new(hop::CONVERTING)),
            enabled: set.enabled,
            late_after: set.late_after,
            give_up_after: set.give_up_after,
            board: Mutex::new(Board::new(Most {
                all: set.connections,
                lane: set.connections_per_destination,
            })),
            bell: Notify::new(),
            clock: Clock::new(),
            metrics,
            more: Mutex::new(HashMap::new()),
            stop,
        }))
    }

    /// Tells that mail for these destinations was queued.
    pub fn wake(&self, destinations: &[String]) {
        if destinations.is_empty() {
            // Most mail that comes in goes to nobody else.
            return;
        }
        let now = self.clock.now();
        let mut board = self.board.lock();
        for destination in destinations {
            board.note(destination, now);
            if let Some(more) = self.more.lock().get(destination) {
                more.notify_one();
            }
        }
        drop(board);
        self.bell.notify_one();
    }

    /// Does what the administrator wants with entries. For a blocking thread.
    pub fn change(&self, which: &queue::Which, change: &Change) -> Result<u64, store::StoreError> {
        let changed = self.store.queue().change(which, change)?;
        let tries_now = matches!(change, Change::Retry | Change::Release);
        {
            let mut board = self.board.lock();
            for destination in &changed.destinations {
                board.withdraw(destination);
                if tries_now {
                    board.forgive(destination);
                }
            }
        }
        if tries_now {
            self.wake(&changed.destinations);
        }
        Ok(changed.entries)
    }

    /// What is in the way of a destination, if the last try did not reach it.
    pub fn fault(&self, destination: &str) -> Option<String> {
        self.board.lock().fault(destination).map(str::to_owned)
    }

    /// Sends until the server stops, and finishes what is under way.
    pub async fn run(self: Arc<Self>) {
        if !self.enabled {
            info!("sending is off: mail for other servers waits in the queue");
            return;
        }
        let mut stop = self.stop.clone();
        tokio::join!(self.clone().send(self.stop.clone()), async {
            tokio::select! {
                () = stopped(&mut stop) => {}
                () = self.look_and_remind() => {}
            }
        });
    }

    /// Learns what the queue holds, again and again, and sees to what is late.
    async fn look_and_remind(&self) {
        let mut reminder = tokio::time::interval((self.late_after / 8).clamp(Duration::from_secs(1), REMIND));
        let mut looked: Option<tokio::time::Instant> = None;
        loop {
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK_THROUGH) {
                self.look_at_queue(looked.is_none()).await;
                looked = Some(tokio::time::Instant::now());
                self.bell.notify_one();
            }
            reminder.tick().await;
            self.board.lock().tidy(self.clock.now());
            while self.remind().await {}
        }
    }

    async fn send(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut carriers = tokio::task::JoinSet::new();
        loop {
            let started = self.start();
            for destination in started {
                carriers.spawn(carrier::carry(self.clone(), destination));
            }
            let next = {
                let board = self.board.lock();
                if board.is_full() { None } else { board.next() }
            };
            let sleep = next.map_or(LOOK, |time| self.until(time)).min(LOOK);
            tokio::select! {
                () = stopped(&mut stop) => break,
                () = self.bell.notified() => {}
                Some(ended) = carriers.join_next(), if !carriers.is_empty() => {
                    if let Err(error) = ended {
                        error!(%error, "a carrier broke off");
                    }
                }
                () = tokio::time::sleep(sleep) => {}
            }
        }
        while carriers.join_next().await.is_some() {}
    }

    /// Destinations that get a carrier now.
    fn start(&self) -> Vec<String> {
        let mut board = self.board.lock();
        let started = board.start(self.clock.now());
        let mut more = self.more.lock();
        for destination in &started {
            more.entry(destination.clone()).or_default();
        }
        started
    }

    fn until(&self, time: Timestamp) -> Duration {
        Duration::from_secs(u64::try_from(time.0.saturating_sub(self.clock.now().0)).unwrap_or(0).max(1))
    }

    async fn look_at_queue(&self, is_first: bool) {
        loop {
            match self.blocking(|store| store.queue().destinations()).await {
                Ok(waiting) => {
                    let entries: u64 = waiting.iter().map(|one| one.entries).sum();
                    if is_first {
                        info!(entries, destinations = waiting.len(), "queue");
                    }
                    let mut board = self.board.lock();
                    waiting.iter().for_each(|one| board.note(&one.destination, one.due));
                    return;
                }
                Err(error) => {
                    error!(%error, "the queue cannot be read");
                    tokio::time::sleep(AFTER_FAULT).await;
                }
            }
        }
    }

    /// Tells senders of what is late, and gives up what is too late. True where there may be more of it.
    async fn remind(&self) -> bool {
        // What stands with the mail came from the computer's clock: only that tells what is late.
        let now = Timestamp::now();
        // Those that are being carried right now do not count: their turn comes when that did not help.
        let most = REMINDERS + self.board.lock().taken();
        let Some(mut late) = self.overdue(now, most).await else { return false };
        let may_be_more = late.len() == most;
        late.retain(|entry| self.board.lock().claim(&queue::destination(&entry.recipient), entry.id));
        let claimed: Vec<_> =
            late.iter().map(|entry| (queue::destination(&entry.recipient), entry.id)).collect();
        if !late.is_empty() {
            // A carrier may have settled some of them before they were claimed. Now nobody else has them.
            late = self.overdue(now, most).await.unwrap_or_default();
            let ids: HashSet<u64> = claimed.iter().map(|(_, id)| *id).collect();
            late.retain(|entry| ids.contains(&entry.id));
        }
        let (mut told, mut untried) = (Vec::new(), Vec::new());
        for entry in late {
            let destination = queue::destination(&entry.recipient);
            let (until, next) = self.patience(&entry, now);
            let expired = now >= until;
            let fault = self.fault(&destination);
            // Nothing is given up untried: mail may be old because it was held, or because this server was down.
            let was_tried = fault.is_some() || entry.tried.is_some_and(|tried| tried >= self.clock.start());
            if expired && !was_tried && entry.terms.by.is_none_or(|by| !by.or_return) {
                untried.push(Settled {
                    id: entry.id,
                    fate: queue::Fate::Told(later(now)),
                    events: Vec::new(),
                });
                continue;
            }
            let why = fault.unwrap_or_else(|| entry.last.clone());
            let text = if why.is_empty() { "no server was reached in time".to_owned() } else { why };
            let (reply, fate) = match expired {
                // RFC 3463 §3.5: delivery time expired.
                true => (Reply::new(550, (5, 4, 7), text), queue::Fate::Gone),
                false => (Reply::new(451, (4, 4, 7), text), queue::Fate::Told(next)),
            };
            info!(trace = %entry.trace, to = %entry.recipient, expired, %reply, "late");
            let action = if expired { Action::Failed } else { Action::Delayed(until) };
            let what = if expired { What::Expired } else { What::Late };
            let event = Event::new(entry.trace, what).to(&entry.recipient).said(&reply);
            // One that can't be told must not be in the way of the others.
            let otherwise = queue::Fate::Told(later(now));
            let (recipient, terms, last_attempt) =
                (entry.recipient.clone(), entry.terms.clone(), entry.tried);
            let report = Report { recipient, terms, action, reply, server: None, last_attempt };
            told.push(Told { entry, fate, otherwise, report, event });
        }
        let may_be_more = may_be_more && !(told.is_empty() && untried.is_empty());
        self.settle(untried, told).await;
        let mut board = self.board.lock();
        claimed.iter().for_each(|(destination, id)| board.give_back(destination, [*id]));
        may_be_more
    }

    async fn overdue(&self, now: Timestamp, most: usize) -> Option<Vec<Queued>> {
        let late = self.blocking(move |store| store.queue().overdue(now, most)).await;
        late.inspect_err(|error| warn!(%error, "late mail cannot be looked for")).ok()
    }

    /// Until when an entry is tried, and when its sender is told the next time that it is late.
    fn patience(&self, entry: &Queued, now: Timestamp) -> (Timestamp, Timestamp) {
        let until = Timestamp(entry.since.0.saturating_add(seconds(self.give_up_after)));
        match entry.terms.by {
            // RFC 2852 §4.1: mode R is returned then, mode N is reported late.
            Some(by) if by.or_return => (until.min(by.time), until.min(by.time)),
            Some(by) if by.time > now => (until, until.min(by.time)),
            _ => (until, until),
        }
    }

    /// Commits fates, and others together with what senders are told of them. Comes back when that is done: until then
    /// nobody else may touch these entries, for what was sent and is not written down would be sent again.
    async fn settle(&self, settled: Vec<Settled>, told: Vec<Told>) {
        let events = settled.iter().flat_map(|one| &one.events).chain(told.iter().map(|one| &one.event));
        events.for_each(|event| self.metrics.happened(event.what));
        self.write_down(settled).await;
        if told.is_empty() || self.tell(&told).await {
            return;
        }
        // Not all of them can be told. Some may be.
        let mut untold = Vec::new();
        for of_one in told.chunk_by(|one, other| one.entry.mail == other.entry.mail) {
            if of_one.len() == told.len() || !self.tell(of_one).await {
                let otherwise = |one: &Told| Settled {
                    id: one.entry.id,
                    fate: one.otherwise.clone(),
                    events: Vec::new(),
                };
                untold.extend(of_one.iter().map(otherwise));
            }
        }
        self.write_down(untold).await;
    }

    /// Commits fates, however often that has to be tried.
    async fn write_down(&self, settled: Vec<Settled>) {
        if settled.is_empty() {
            return;
        }
        while let Err(error) = self.commit(settled.clone(), Vec::new()).await {
            error!(%error, "what became of queued mail cannot be written down");
            if self.is_stopping() {
                return;
            }
            tokio::time::sleep(AFTER_FAULT).await;
        }
    }

    /// Commits fates and notices together. False where it could not be done.
    async fn tell(&self, told: &[Told]) -> bool {
        let settled = |one: &Told| Settled {
            id: one.entry.id,
            fate: one.fate.clone(),
            events: vec![one.event.clone()],
        };
        let settled = told.iter().map(settled).collect();
        let outcome = match self.notices(told.to_vec()).await {
            Ok(notices) => self.commit(settled, notices).await,
            Err(error) => Err(error),
        };
        outcome
            .inspect_err(|error| error!(%error, "senders cannot be told what became of their mail"))
            .is_ok()
    }

    async fn commit(&self, settled: Vec<Settled>, notices: Vec<Screened>) -> Result<(), store::StoreError> {
        let destinations = destinations(&notices);
        let (send, receive) = oneshot::channel();
        let store = self.store.clone();
        let done = Box::new(move |outcome| drop(send.send(outcome)));
        match notices.is_empty() {
            true => store.queue().settle(settled, notices, done),
            false => {
                drop(tokio::task::spawn_blocking(move || store.queue().settle(settled, notices, done)).await)
            }
        }
        receive.await.unwrap_or(Err(store::StoreError::Closed))?;
        self.wake(&destinations);
        Ok(())
    }

    /// Entries that are due, or none where the queue can't be read.
    async fn read_due(&self, destination: &str, after: Option<(Timestamp, u64)>) -> Vec<Queued> {
        let (name, now) = (destination.to_owned(), self.clock.now());
        let page = self.blocking(move |store| store.queue().due(&name, now, after, carrier::PAGE)).await;
        page.unwrap_or_else(|error| {
            error!(%error, "the queue cannot be read");
            Vec::new()
        })
    }

    /// What is rung when more is queued for a destination.
    fn more(&self, destination: &str) -> Arc<Notify> {
        self.more.lock().entry(destination.to_owned()).or_default().clone()
    }

    fn give_back(&self, destination: &str, group: &[Queued]) {
        self.board.lock().give_back(destination, group.iter().map(|entry| entry.id));
    }

    /// A destination can't be reached: it has a pause.
    fn pause(&self, destination: &str, why: &str) {
        let until =
            self.board.lock().unreachable(destination, why, self.clock.now(), crate::random::fraction());
        info!(destination, why, %until, "destination can't be reached");
    }

    async fn carrier_left(&self, destination: &str, was_of_use: bool) {
        let last = {
            let mut board = self.board.lock();
            let last = board.left(destination);
            if last {
                self.more.lock().remove(destination);
            }
            last
        };
        if last {
            let name = destination.to_owned();
            let now = self.clock.now().0;
            // An entry that is due and can't be read must not be looked at without a rest.
            let earliest = if was_of_use { now } else { now.saturating_add(AFTER_NOTHING) };
            match self.blocking(move |store| store.queue().earliest(&name)).await {
                Ok(Some(due)) => self.board.lock().note(destination, Timestamp(due.0.max(earliest))),
                Ok(None) => {}
                Err(error) => {
                    error!(%error, "the queue cannot be read");
                    self.board.lock().note(destination, Timestamp(now.saturating_add(seconds(AFTER_FAULT))));
                }
            }
        }
        self.bell.notify_one();
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, store::StoreError> + Send + 'static,
    ) -> Result<T, store::StoreError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
        done.unwrap_or_else(|error| Err(store::StoreError::Failed(error.to_string())))
    }
}

/// Destinations that messages are queued for, each once.
pub fn destinations<'s>(mail: impl IntoIterator<Item = &'s Screened>) -> Vec<String> {
    let deliveries = mail.into_iter().flat_map(Screened::deliveries);
    let mut destinations: Vec<String> = deliveries
        .filter_map(|delivery| match delivery {
            Delivery::Queue { recipient, .. } => Some(queue::destination(recipient)),
            _ => None,
        })
        .collect();
    destinations.sort();
    destinations.dedup();
    destinations
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// When an entry is looked at again that its sender could not be told of, or that was not tried yet.
fn later(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_add(UNTOLD))
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}
