//! `mailward serve`: opens the store, puts the server together, listens, and stops in order.

use crate::admin::Steward;
use crate::alarms::Board;
use crate::auth::{self, Authenticator, Cost, HashPool, Policy};
use crate::config::{Bans, Certificates, Config};
use crate::confine::privileges::{self, Keep};
use crate::control::{Admin, Control};
use crate::doors::Doors;
use crate::filing::Filing;
use crate::gatehouse::Gatehouse;
use crate::hub::Hub;
use crate::keeper::Line;
use crate::lists::Lists;
use crate::metrics::{Metrics, endpoint::Endpoint};
use crate::outbound::Outbound;
use crate::server::{Server, WORKING_SESSIONS};
use crate::sockets::Sockets;
use crate::srs::Srs;
use crate::systemd::Systemd;
use crate::{alarms, confine, sendmail};
use base::{Limits, Resolver};
use net::{Admission, HickoryResolver, Most, Tls, TlsClient};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::sqlite::Sqlite;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

/// How long connections may take to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// Log-ins that wait for a hash before more are put off.
const HASH_QUEUE: usize = 256;

/// Threads for work that may wait for a disk: twice the sessions that may do so at once, as a thread that is done goes on
/// with its connection for a moment. All take turns with what there is, and each keeps some memory.
const BLOCKING_THREADS: usize = 2 * WORKING_SESSIONS;

/// Runs the server until it is told to stop; `kept`: by a keeper, which hands over the sockets.
pub fn run(config: Config, kept: bool) -> ExitCode {
    let outcome = Start::prepare(&config, kept).and_then(|start| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(start.processors)
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .build();
        runtime.map_err(|error| format!("cannot start threads: {error}"))?.block_on(serve(config, start))
    });
    if let Err(why) = &outcome {
        error!(why, "cannot serve");
    }
    crate::log::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Not `eprintln`, which panics where the disk of standard error is full.
            let _ = writeln!(std::io::stderr(), "mailward: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What must be had before the process is confined.
struct Start {
    sockets: Sockets,
    keeper: Option<Line>,
    authorities: Arc<TlsClient>,
    processors: usize,
}

impl Start {
    /// Gets it, and then confines the process: nothing from outside was read before, and no thread was started.
    fn prepare(config: &Config, kept: bool) -> Result<Self, String> {
        raise_descriptor_limit();
        let keeper = kept.then(Line::of_standard_input).transpose().map_err(|e| format!("no keeper: {e}"))?;
        let sockets = match &keeper {
            Some(keeper) => {
                let handed = keeper.receive().map_err(|e| format!("no sockets from the keeper: {e}"))?;
                handed.ok_or("the keeper is gone")?
            }
            None => {
                let handed = Sockets::of_systemd().map_err(|e| format!("sockets of systemd's: {e}"))?;
                match Sockets::open(&config.doors, handed) {
                    (sockets, failed) if failed.is_empty() => sockets,
                    (_, failed) => return Err(failed.join("\n")),
                }
            }
        };
        let authorities = TlsClient::new().map_err(|error| error.to_string())?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let user = privileges::give_up(config, Keep::Nothing)?;
        let confined = confine::confine(config)?;
        // A log in a file has a thread, and a file that must be the user's.
        crate::log::start(config)?;
        user.tell();
        confined.tell();
        Ok(Start { sockets, keeper, authorities, processors })
    }
}

async fn serve(config: Config, start: Start) -> Result<(), String> {
    let store = open_store(&config)?;
    let (stop, stopping) = watch::channel(false);
    let server = Arc::new(assemble(&config, store.clone(), start.authorities, stopping)?);
    let steward = Arc::new(Steward::new(server.clone(), (config.store.quota, config.store.quota_messages)));
    if let Some(trial) = &config.trial {
        trial.seed(&*steward).await?;
    }
    let admission = Admission::new(most_connections(&config.limits));
    let mut doors = Doors::new(server.clone(), admission.clone());
    doors.open(&config, start.sockets)?;
    let mut tasks = JoinSet::new();
    let socket = config.control_socket.display();
    let control =
        Control::bind(&config.control_socket).map_err(|e| format!("cannot listen on {socket}: {e}"))?;
    tasks.spawn(control.serve(steward as Arc<dyn Admin>));
    if let Some(settings) = &config.sendmail {
        let socket = settings.socket.display();
        let door = sendmail::door::Door::bind(settings, server.clone())
            .map_err(|e| format!("cannot listen on {socket} (sendmail.socket): {e}"))?;
        info!(%socket, "listening for mail from this machine");
        tasks.spawn(door.serve());
    }
    if let Some(tls) = &server.tls {
        tasks.spawn(tls.clone().watch());
    }
    tasks.spawn(alarms::watch(server.clone(), config.alarms.clone()));
    let mut sending = tokio::spawn(server.outbound.clone().run());
    if let Some(place) = &config.metrics {
        let endpoint = Endpoint::bind(place)
            .await
            .map_err(|e| format!("cannot listen on {place} (metrics.address): {e}"))?;
        info!(%place, "listening for Prometheus");
        tasks.spawn(endpoint.serve(server.metrics.clone(), server.clone(), admission.clone()));
    }
    let systemd = Arc::new(Systemd::of_environment());
    tasks.spawn(watchdog(systemd.clone(), store.clone(), admission.clone()));
    systemd.ready("ready");
    info!(host = %config.hostname, "ready");
    if let Some(trial) = &config.trial {
        print!("{}", trial.welcome());
    }
    let mut keeper = Keeper::of(start.keeper);
    wait_for_stop(&config, &server, &admission, &systemd, &mut doors, &mut keeper).await?;
    info!("stopping");
    systemd.stopping();
    drop(doors);
    tasks.shutdown().await;
    stop.send_replace(true);
    if tokio::time::timeout(FAREWELL, admission.wait_empty()).await.is_err() {
        warn!(left = admission.count(), "connections cut");
    }
    if tokio::time::timeout(FAREWELL, &mut sending).await.is_err() {
        warn!("connections to other servers cut");
        sending.abort();
    }
    tokio::task::spawn_blocking(move || store.close()).await.map_err(|e| e.to_string())?;
    info!("stopped");
    Ok(())
}

/// Feeds systemd's watchdog while the runtime and the store's writer answer; a late answer counts, too.
async fn watchdog(systemd: Arc<Systemd>, store: Arc<dyn Store>, admission: Arc<Admission>) {
    let Some(pause) = systemd.feeding_time() else { return };
    let mut clock = tokio::time::interval(pause);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        clock.tick().await;
        let asked = store.clone();
        if let Ok(true) = tokio::task::spawn_blocking(move || asked.answers()).await {
            systemd.feed();
        }
        systemd.status(&format!("{} connections", admission.count()));
    }
}

/// What comes from the keeper, if there is one.
struct Keeper(Option<mpsc::Receiver<Sockets>>);

impl Keeper {
    /// Tells it that the server serves, and listens to it.
    fn of(line: Option<Line>) -> Self {
        Keeper(line.map(|line| {
            let (send, receive) = mpsc::channel(1);
            // A thread of its own, as it waits nearly always.
            let listening = std::thread::Builder::new().name("keeper".into()).spawn(move || {
                if let Err(error) = line.say_ready() {
                    warn!(%error, "the keeper does not hear");
                }
                loop {
                    let sockets = match line.receive() {
                        Ok(Some(sockets)) => sockets,
                        Ok(None) => return,
                        Err(error) => return warn!(%error, "the keeper can't be understood"),
                    };
                    if send.blocking_send(sockets).is_err() {
                        return;
                    }
                }
            });
            if let Err(error) = listening {
                warn!(%error, "the keeper can't be heard");
            }
            receive
        }))
    }

    /// Fresh sockets; `None` when the keeper is gone.
    async fn sockets(&mut self) -> Option<Sockets> {
        match &mut self.0 {
            Some(handed) => handed.recv().await,
            None => std::future::pending().await,
        }
    }
}

/// The server without doors: what commands find where none runs. Dropped, the store is closed.
pub struct Quiet {
    runtime: tokio::runtime::Runtime,
    steward: Arc<Steward>,
    store: Arc<dyn Store>,
    _stop: watch::Sender<bool>,
}

impl Quiet {
    /// Opens the store of a server that was there before.
    pub fn open(config: &Config) -> Result<Self, String> {
        privileges::as_owner_of(&config.data, || Self::open_here(config))?
    }

    fn open_here(config: &Config) -> Result<Self, String> {
        if !store::sqlite::exists(&config.data) {
            return Err(format!("there is no store in {} yet: start the server once", config.data.display()));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|e| format!("cannot start threads: {e}"))?;
        let _within = runtime.enter();
        let store = open_store(config)?;
        let (stop, stopping) = watch::channel(false);
        let quota = (config.store.quota, config.store.quota_messages);
        // No door, no certificate: a command must not fail for one that is missing.
        let config = Config { certificates: Certificates::None, ..config.clone() };
        let authorities = TlsClient::new().map_err(|error| error.to_string())?;
        let server = Arc::new(assemble(&config, store.clone(), authorities, stopping)?);
        drop(_within);
        Ok(Quiet { runtime, steward: Arc::new(Steward::new(server, quota)), store, _stop: stop })
    }

    /// A connection as to the control socket.
    pub fn connect(&self) -> Result<std::os::unix::net::UnixStream, String> {
        let _within = self.runtime.enter();
        let pair = || {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
            theirs.set_nonblocking(true)?;
            Ok((ours, tokio::net::UnixStream::from_std(theirs)?))
        };
        let (ours, theirs) = pair().map_err(|e: std::io::Error| e.to_string())?;
        let steward = self.steward.clone();
        self.runtime.spawn(async move { crate::control::talk(theirs, &*steward).await });
        Ok(ours)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// Asks the resolvers something that always has an answer; says in a line how that went.
pub fn try_resolver(servers: &[SocketAddr]) -> String {
    let listed = servers.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())
        .and_then(|runtime| {
            runtime.block_on(async {
                let resolver = HickoryResolver::new(servers)?;
                resolver.txt("localhost").await.map_err(|error| format!("{error:?}"))
            })
        });
    match answer {
        Ok(_) => format!("DNS: {listed} answers"),
        Err(why) => {
            format!("DNS: no answer from {listed} ({why}): mail can be received, but nothing looked up")
        }
    }
}

/// A connection takes a descriptor: takes as many as the system gives.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        warn!(%error, "the limit of open files stays as it is");
    }
}

/// How the store is to behave.
pub fn store_settings(config: &Config) -> store::Settings {
    store::Settings {
        directory: config.data.clone(),
        key_file: config.key_file.clone(),
        make_key: config.trial.is_some() || !store::sqlite::exists(&config.data),
        least_free: config.store.least_free,
        keep_deleted: config.store.keep_deleted,
        keep_deleted_octets: config.store.keep_deleted_quota,
        late_after: config.outbound.late_after,
        stories: config.store.stories,
        index_text: config.store.index_text,
        limits: config.limits.clone(),
    }
}

fn open_store(config: &Config) -> Result<Arc<dyn Store>, String> {
    let settings = store_settings(config);
    let store = Sqlite::open(&settings)
        .map_err(|error| format!("cannot open the store in {}: {error}", config.data.display()))?;
    Ok(store)
}

fn assemble(
    config: &Config,
    store: Arc<dyn Store>,
    authorities: Arc<TlsClient>,
    stop: watch::Receiver<bool>,
) -> Result<Server, String> {
    let screen = screen::Settings { limits: config.limits.clone(), record_only: config.record_only };
    let hub = Arc::new(Hub::default());
    let listener = hub.clone();
    store.on_change(Arc::new(move |accounts| listener.changed(accounts)));
    let gatehouse = Arc::new(Gatehouse::new(&screen));
    let dns = Arc::new(HickoryResolver::new(&config.dns_servers)?);
    let metrics = Arc::new(Metrics::default());
    let outbound = Outbound::new(
        config,
        store.clone(),
        gatehouse.clone(),
        dns,
        authorities,
        stop.clone(),
        metrics.clone(),
    )?;
    Ok(Server {
        host: config.hostname.clone(),
        filing: Filing::new(store.clone(), gatehouse.clone(), config.hostname.clone(), config.sieve.clone()),
        lists: Arc::new(Lists::new(store.clone(), gatehouse.clone(), config.hostname.clone())),
        gatehouse,
        srs: Srs::new(store.clone()),
        outbound,
        metrics,
        auth: authenticator(config, store.clone())?,
        tls: load_tls(config)?,
        store,
        hub,
        alarms: Board::default(),
        places: Semaphore::new(WORKING_SESSIONS),
        stop,
        scram: config.auth.scram,
        share_with_anyone: config.store.share_with_anyone,
    })
}

fn authenticator(config: &Config, store: Arc<dyn Store>) -> Result<Authenticator, String> {
    let secret = store.directory().secret("fake salts").map_err(|e| e.to_string())?;
    let pool = HashPool::new(config.auth.hash_threads, HASH_QUEUE)
        .map_err(|error| format!("cannot start the threads that hash: {error}"))?;
    let usual = Policy::default();
    let policy = Policy {
        block_step: config.auth.failure_delay,
        ban_after: config.auth.bans.map(|bans| u32::try_from(bans.after).unwrap_or(u32::MAX)),
        ban: config.auth.bans.map_or(usual.ban, |bans| bans.time),
        forgive: config.auth.bans.map_or(usual.forgive, Bans::forgive),
        ..usual
    };
    let (memory, passes) = (config.auth.argon2_memory_kib, config.auth.argon2_passes);
    let cost =
        Cost::new(memory, passes, 1).ok_or("auth.argon2_memory and auth.argon2_passes don't go together")?;
    let remember = config.auth.remember;
    let settings = auth::Settings { cost, policy, remember, secret };
    Ok(Authenticator::new(Arc::new(Accounts(store)), pool, settings))
}

/// The directory, as log-ins see it.
struct Accounts(Arc<dyn Store>);

impl auth::Logins for Accounts {
    fn login(&self, name: &str) -> Result<Option<auth::Login>, String> {
        auth::Logins::login(self.0.directory(), name)
    }

    fn epoch(&self, account: base::AccountId) -> Result<Option<u64>, String> {
        auth::Logins::epoch(self.0.directory(), account)
    }

    fn domains(&self) -> Result<Vec<String>, String> {
        auth::Logins::domains(self.0.directory())
    }
}

fn load_tls(config: &Config) -> Result<Option<Arc<Tls>>, String> {
    let sources = match &config.certificates {
        Certificates::None => return Ok(None),
        Certificates::Files(sources) => sources.clone(),
        Certificates::SelfSigned(directory, names) => {
            vec![net::tls::self_signed(directory, names).map_err(|e| e.to_string())?]
        }
    };
    Tls::load(sources).map(Some).map_err(|e| e.to_string())
}

/// Waits for SIGTERM, SIGINT or the keeper's end; SIGHUP has configuration and certificates read again, and so have fresh
/// sockets of the keeper's, which are for the doors of the new configuration.
async fn wait_for_stop(
    config: &Config,
    server: &Server,
    admission: &Admission,
    systemd: &Systemd,
    doors: &mut Doors,
    keeper: &mut Keeper,
) -> Result<(), String> {
    let open = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let (mut terminate, mut interrupt) = (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
    let mut hangup = open(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => {
                info!("reloading");
                systemd.reloading();
                if reload(config, server, admission).is_some_and(|new| new.doors != config.doors) {
                    warn!("services or ports have changed: without a keeper that counts at the next start");
                }
                crate::log::reopen();
                systemd.ready("ready");
            }
            handed = keeper.sockets() => {
                let Some(sockets) = handed else {
                    warn!("the keeper is gone");
                    return Ok(());
                };
                info!("reloading");
                systemd.reloading();
                if let Some(new) = reload(config, server, admission)
                    && let Err(why) = doors.open(&new, sockets)
                {
                    error!(why, "doors stay shut");
                }
                crate::log::reopen();
                systemd.ready("ready");
            }
        }
    }
}

fn most_connections(limits: &Limits) -> Most {
    Most {
        all: limits.connections,
        network: limits.connections_per_network,
        peer: limits.connections_per_peer,
    }
}

/// Takes over what can change while the server runs: certificates and the limits on connections. Where the files
/// are wrong, all stays as it was, and there is no new configuration.
fn reload(config: &Config, server: &Server, admission: &Admission) -> Option<Config> {
    let new = match crate::config::load(&config.files) {
        Ok(new) => Some(new),
        Err(_) if config.trial.is_some() => None,
        Err(error) => {
            error!(%error, "the configuration is wrong; the old one stays in use");
            return None;
        }
    };
    if let Some(new) = &new {
        admission.set_limits(most_connections(&new.limits));
    }
    if let Some(tls) = &server.tls {
        // An error is logged where it happens, and the old certificates serve on.
        let _ = match new.as_ref().map(|new| &new.certificates) {
            Some(Certificates::Files(sources)) => tls.replace(sources.clone()),
            _ => tls.reload(),
        };
    }
    new
}
