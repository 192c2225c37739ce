//! Mail going out: the queue is carried to other servers, and senders are told what did not arrive.
//!
//! One task looks what is due and starts carriers ([`lanes`] says for which destination); each carrier asks where its
//! destination's servers are ([`route`]), talks to one ([`hop`]) and settles what it carried ([`carrier`]), together
//! with the notices to senders ([`notices`]) in one commit. What a sender must be told after a time is seen to by
//! [`Outbound::remind`].

mod carrier;
mod hop;
mod lanes;
mod notices;
pub mod route;

use crate::config;
use crate::gatehouse::Gatehouse;
use base::{Domain, Reply, Resolver, Timestamp};
use gate::{Delivery, Screened};
use hop::Ways;
use lanes::{Board, Most};
use net::TlsClient;
use parking_lot::Mutex;
use route::Routes;
use session::smtp::client::{Config, Login, Tls};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::queue::{self, Change, Settled};
use store::{Queued, Store};
use tokio::sync::{Notify, oneshot, watch};
use tracing::{error, info, warn};
use wire::smtp::ClientName;

/// The longest sleep between two looks at what is due.
const LOOK: Duration = Duration::from_secs(60);

/// How often senders are told of what is late, at least.
const REMIND: Duration = Duration::from_secs(60);

/// Late entries that are seen to at a time.
const REMINDERS: usize = 500;

/// How long before the queue is asked again after it failed.
const AFTER_FAULT: Duration = Duration::from_secs(5);

/// What sends mail to other servers.
pub struct Outbound {
    store: Arc<dyn Store>,
    gatehouse: Arc<Gatehouse>,
    dns: Arc<dyn Resolver>,
    host: Domain,
    routes: Routes,
    ways: Ways,
    enabled: bool,
    late_after: Duration,
    give_up_after: Duration,
    board: Mutex<Board>,
    /// Rung when there is something new on the board.
    bell: Notify,
    /// Rung for carriers that wait for more, by destination.
    more: Mutex<HashMap<String, Arc<Notify>>>,
    stop: watch::Receiver<bool>,
}

/// What a sender is to be told of an entry.
#[derive(Clone, Debug)]
pub struct Report {
    entry: Queued,
    /// Failed, or late only.
    failed: bool,
    /// What the other server said, or we say.
    reply: Reply,
    /// The server that said it, unless it was ourselves.
    server: Option<String>,
    /// Until when it will be tried, where it is late.
    until: Option<Timestamp>,
}

impl Report {
    fn failed(entry: Queued, reply: Reply, server: Option<&str>) -> Self {
        Report { entry, failed: true, reply, server: server.map(str::to_owned), until: None }
    }
}

impl Outbound {
    /// Puts it together; [`Outbound::run`] starts it.
    pub fn new(
        config: &config::Config,
        store: Arc<dyn Store>,
        gatehouse: Arc<Gatehouse>,
        dns: Arc<dyn Resolver>,
        stop: watch::Receiver<bool>,
    ) -> Result<Arc<Self>, String> {
        let set = &config.outbound;
        let name =
            ClientName::new(config.hostname.as_str()).map_err(|_| "server.hostname can't be said in EHLO")?;
        let tls = match set.tls {
            config::OutboundTls::Opportunistic if set.login.is_none() => Tls::Opportunistic,
            config::OutboundTls::Opportunistic | config::OutboundTls::Required => Tls::Required,
            config::OutboundTls::Never => Tls::Never,
        };
        let login = set.login.clone().map(|(user, password)| Login { user, password });
        let session = Config { tls, login, ..Config::new(name) };
        let plain =
            (tls == Tls::Opportunistic).then(|| Arc::new(Config { tls: Tls::Never, ..session.clone() }));
        let ways = Ways {
            config: Arc::new(session),
            plain,
            tls: TlsClient::new().map_err(|error| error.to_string())?,
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
            enabled: set.enabled,
            late_after: set.late_after,
            give_up_after: set.give_up_after,
            board: Mutex::new(Board::new(Most {
                all: set.connections,
                lane: set.connections_per_destination,
            })),
            bell: Notify::new(),
            more: Mutex::new(HashMap::new()),
            stop,
        }))
    }

    /// Tells that mail for these destinations was queued.
    pub fn wake<'d>(&self, destinations: impl IntoIterator<Item = &'d str>) {
        let now = Timestamp::now();
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
        if matches!(change, Change::Retry | Change::Release) {
            let mut board = self.board.lock();
            changed.destinations.iter().for_each(|destination| board.forgive(destination));
            drop(board);
            self.wake(changed.destinations.iter().map(String::as_str));
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
        self.look_at_queue().await;
        let mut stop = self.stop.clone();
        let mut carriers = tokio::task::JoinSet::new();
        let mut reminder = tokio::time::interval((self.late_after / 8).clamp(Duration::from_secs(1), REMIND));
        loop {
            let started = self.board.lock().start(Timestamp::now());
            for destination in started {
                carriers.spawn(carrier::carry(self.clone(), destination));
            }
            let next = {
                let board = self.board.lock();
                if board.is_full() { None } else { board.next() }
            };
            let sleep = next.map_or(LOOK, until).min(LOOK);
            tokio::select! {
                () = stopped(&mut stop) => break,
                () = self.bell.notified() => {}
                Some(ended) = carriers.join_next(), if !carriers.is_empty() => {
                    if let Err(error) = ended {
                        error!(%error, "a carrier broke off");
                    }
                }
                _ = reminder.tick() => {
                    self.board.lock().tidy();
                    self.remind().await;
                }
                () = tokio::time::sleep(sleep) => {}
            }
        }
        while carriers.join_next().await.is_some() {}
    }

    /// Learns what the queue holds.
    async fn look_at_queue(&self) {
        loop {
            match self.blocking(|store| store.queue().destinations()).await {
                Ok(waiting) => {
                    let entries: u64 = waiting.iter().map(|one| one.entries).sum();
                    info!(entries, destinations = waiting.len(), "queue");
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

    /// Tells senders of what is late, and gives up what is too late.
    async fn remind(&self) {
        let now = Timestamp::now();
        let late = match self.blocking(move |store| store.queue().overdue(now, REMINDERS)).await {
            Ok(late) => late,
            Err(error) => return warn!(%error, "late mail cannot be looked for"),
        };
        let (mut settled, mut reports) = (Vec::new(), Vec::new());
        for entry in late {
            let taken = self.board.lock().is_taken(entry.id);
            if taken {
                // It is being carried right now: its turn comes when that did not help.
                continue;
            }
            let until = Timestamp(entry.since.0.saturating_add(seconds(self.give_up_after)));
            let expired = now >= until;
            let why = self.fault(&queue::destination(&entry.recipient)).unwrap_or_else(|| entry.last.clone());
            let text = if why.is_empty() { "no server was reached in time".to_owned() } else { why };
            let (reply, fate) = match expired {
                // RFC 3463 §3.5: delivery time expired.
                true => (Reply::new(550, (5, 4, 7), text), queue::Fate::Gone),
                false => (Reply::new(451, (4, 4, 7), text), queue::Fate::Told(until)),
            };
            info!(trace = %entry.trace, to = %entry.recipient, expired, %reply, "late");
            settled.push(Settled { id: entry.id, fate });
            let until = (!expired).then_some(until);
            reports.push(Report { entry, failed: expired, reply, server: None, until });
        }
        self.settle(settled, reports).await;
    }

    /// Commits fates and what senders are told of them.
    async fn settle(&self, settled: Vec<Settled>, reports: Vec<Report>) {
        if settled.is_empty() {
            return;
        }
        let notices = match self.notices(reports).await {
            Ok(notices) => notices,
            // Nothing is settled, so all of it is tried again.
            Err(error) => return error!(%error, "notices to senders cannot be made"),
        };
        let destinations = destinations(&notices);
        let (send, receive) = oneshot::channel();
        let store = self.store.clone();
        let done = Box::new(move |outcome| drop(send.send(outcome)));
        let sealed = notices.is_empty();
        match sealed {
            true => store.queue().settle(settled, notices, done),
            false => {
                drop(tokio::task::spawn_blocking(move || store.queue().settle(settled, notices, done)).await)
            }
        }
        match receive.await {
            Ok(Ok(_)) => self.wake(destinations.iter().map(String::as_str)),
            Ok(Err(error)) => {
                error!(%error, "what became of queued mail cannot be written down: it is tried again")
            }
            Err(_) => error!("what became of queued mail was not written down: it is tried again"),
        }
    }

    /// Entries that are due, or none where the queue can't be read.
    async fn read_due(&self, destination: &str, after: Option<(Timestamp, u64)>) -> Vec<Queued> {
        let (name, now) = (destination.to_owned(), Timestamp::now());
        let page = self.blocking(move |store| store.queue().due(&name, now, after, carrier::PAGE)).await;
        page.unwrap_or_else(|error| {
            error!(%error, "the queue cannot be read");
            Vec::new()
        })
    }

    /// Waits until more is queued for a destination.
    async fn wait_for_more(&self, destination: &str) {
        let more = self.more.lock().entry(destination.to_owned()).or_default().clone();
        more.notified().await;
    }

    fn give_back(&self, destination: &str, group: &[Queued]) {
        self.board.lock().give_back(destination, group.iter().map(|entry| entry.id));
    }

    /// A destination can't be reached: it has a pause.
    fn pause(&self, destination: &str, why: &str) {
        let until =
            self.board.lock().unreachable(destination, why, Timestamp::now(), crate::random::fraction());
        info!(destination, why, %until, "destination can't be reached");
    }

    async fn carrier_left(&self, destination: &str) {
        let last = self.board.lock().left(destination);
        if last {
            self.more.lock().remove(destination);
            let name = destination.to_owned();
            match self.blocking(move |store| store.queue().earliest(&name)).await {
                Ok(due) => due.into_iter().for_each(|due| self.board.lock().note(destination, due)),
                Err(error) => {
                    error!(%error, "the queue cannot be read");
                    self.board.lock().note(destination, Timestamp(Timestamp::now().0 + seconds(AFTER_FAULT)));
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

fn until(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.0.saturating_sub(Timestamp::now().0)).unwrap_or(0).max(1))
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}
