//! What is counted for Prometheus. Labels have few values, all of them ours: none names a user, a domain or a peer.

pub mod endpoint;

use crate::server::Server;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use store::story::What;

/// A label with its value.
type Label = (&'static str, &'static str);

/// Bounds of the delays that are told apart, in seconds: a second to five days.
const DELAYS: [f64; 10] = [1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 432_000.0];

/// All that is counted.
pub struct Metrics {
    registry: Registry,
    connections: Family<[Label; 1], Counter>,
    turned_away: Counter,
    messages: Family<[Label; 1], Counter>,
    logins: Family<[Label; 2], Counter>,
    tls: Family<[Label; 2], Counter>,
    delays: Histogram,
    read: Read,
}

/// What is looked up when somebody asks.
#[derive(Default)]
struct Read {
    open: Gauge,
    queue: Family<[Label; 1], Gauge>,
    free: Gauge,
    memory: Gauge,
    commits: Gauge,
    commit_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("mailward"),
            connections: Family::default(),
            turned_away: Counter::default(),
            messages: Family::default(),
            logins: Family::default(),
            tls: Family::default(),
            delays: Histogram::new(DELAYS),
            read: Read::default(),
        };
        let (registry, read) = (&mut metrics.registry, &metrics.read);
        registry.register(
            "connections",
            "Connections that were let in, by service",
            metrics.connections.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections that were one too many",
            metrics.turned_away.clone(),
        );
        registry.register("connections_open", "Connections now", read.open.clone());
        registry.register(
            "messages",
            "What became of messages, by outcome, once a recipient",
            metrics.messages.clone(),
        );
        registry.register("logins", "Log-ins, by service and outcome", metrics.logins.clone());
        registry.register(
            "tls_handshakes",
            "Connections with TLS, by direction and version",
            metrics.tls.clone(),
        );
        let delays = metrics.delays.clone();
        registry.register_with_unit(
            "delivery",
            "From acceptance till another server has it",
            Unit::Seconds,
            delays,
        );
        registry.register("queue_entries", "Recipients in the queue, by state", read.queue.clone());
        registry.register_with_unit("disk_free", "Room on the data's disk", Unit::Bytes, read.free.clone());
        registry.register_with_unit(
            "memory_resident",
            "Memory of the process",
            Unit::Bytes,
            read.memory.clone(),
        );
        registry.register("store_commits", "Commits of the store so far", read.commits.clone());
        let seconds = read.commit_seconds.clone();
        registry.register_with_unit("store_commit_time", "Time spent in them", Unit::Seconds, seconds);
        metrics
    }
}

impl Metrics {
    /// A connection was let in.
    pub fn connected(&self, service: &'static str) {
        self.connections.get_or_create(&[("service", service)]).inc();
    }

    /// A connection was one too many.
    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// Something became of a message.
    pub fn happened(&self, what: What) {
        self.messages.get_or_create(&[("outcome", what.word())]).inc();
    }

    /// Somebody tried to log in.
    pub fn login(&self, service: &'static str, outcome: &'static str) {
        self.logins.get_or_create(&[("service", service), ("outcome", outcome)]).inc();
    }

    /// A TLS handshake succeeded.
    pub fn secured(&self, direction: &'static str, version: &str) {
        // So that no name but these gets in.
        let version = ["TLSv1.2", "TLSv1.3"].into_iter().find(|known| *known == version).unwrap_or("other");
        self.tls.get_or_create(&[("direction", direction), ("version", version)]).inc();
    }

    /// Another server has a message, so long after it was accepted here.
    pub fn delivered_after(&self, seconds: i64) {
        self.delays.observe(seconds.max(0) as f64);
    }

    /// All of it, as Prometheus reads it. Blocks.
    pub fn text(&self, server: &Server, open: usize) -> String {
        let read = &self.read;
        read.open.set(whole(open as u64));
        if let Ok(counts) = server.store.queue().counts() {
            for (state, count) in
                [("waiting", counts.waiting), ("deferred", counts.deferred), ("held", counts.held)]
            {
                read.queue.get_or_create(&[("state", state)]).set(whole(count));
            }
        }
        read.free.set(whole(server.store.free_octets()));
        read.memory.set(whole(resident()));
        let (commits, time) = server.store.commits();
        read.commits.set(whole(commits));
        read.commit_seconds.set(time.as_secs_f64());
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Octets of memory that the process has (proc(5)), 0 where nobody tells.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages =
        pages.as_ref().and_then(|text| text.split(' ').nth(1)).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}
