//! The keeper: the process that `mailward serve` starts first. It opens the listening sockets, hands them to the server, a
//! child of the same program, and starts that again when it crashes. It has no more rights than to bind low ports, and
//! reads nothing from outside.
//!
//! SIGTERM and SIGINT stop the server and then the keeper. SIGHUP has the configuration read again: the keeper opens and
//! closes what has changed of the doors and hands all sockets over anew, on which the server reloads. The same is done
//! before a server is started again.

mod line;
#[cfg(test)]
mod tests;

pub use line::Line;

use crate::config::{self, Config};
use crate::confine::privileges::{self, Keep, Whose};
use crate::log::LogTo;
use crate::sockets::Sockets;
use crate::systemd::Systemd;
use rustix::process::{Pid, Signal};
use std::convert::Infallible;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tracing::{error, info, warn};

/// The shortest wait before a crashed server is started again, or a port that was taken is tried again; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A server that ran so long starts the waits afresh.
const STEADY: Duration = Duration::from_secs(600);

/// How long a server may take to stop: longer than it waits for its connections.
const STOPPING: Duration = Duration::from_secs(60);

/// Keeps a server until it is told to stop; the error is a text to print.
pub fn run(config: &Config) -> Result<ExitCode, String> {
    let user = privileges::give_up(config, Keep::LowPorts)?;
    // A file of the log's has one writer: the server.
    let log_to = match &config.log_to {
        LogTo::File(_) => LogTo::Stderr,
        other => other.clone(),
    };
    crate::log::start(&Config { log_to, ..config.clone() })?;
    if let Whose::Became(_) = user {
        user.tell();
    }
    let handed = Sockets::of_systemd().map_err(|error| format!("sockets of systemd's: {error}"))?;
    let (sockets, failed) = Sockets::open(&config.doors, handed);
    if !failed.is_empty() {
        return Err(failed.join("\n"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot wait for the server: {error}"))?;
    let keep = async { Keeper::new(config.files.clone(), sockets)?.keep().await };
    runtime.block_on(keep).map_err(|error| format!("the keeper: {error}"))
}

/// What keeps a server.
struct Keeper {
    files: Vec<PathBuf>,
    sockets: Sockets,
    /// Whether ports that the configuration names could not be opened.
    has_shut_doors: bool,
    waits: Waits,
    signals: Orders,
    systemd: Systemd,
}

/// What the keeper is told to do.
struct Orders {
    terminate: Signals,
    interrupt: Signals,
    hangup: Signals,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Stop,
    Reload,
}

/// How a server ended.
enum End {
    /// As it was told to.
    Told,
    /// By itself, when it had served for a while, or never served.
    Alone { status: ExitStatus, served: Option<Duration> },
}

impl Keeper {
    fn new(files: Vec<PathBuf>, sockets: Sockets) -> io::Result<Self> {
        let signals = Orders {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        };
        Ok(Keeper {
            files,
            sockets,
            has_shut_doors: false,
            waits: Waits::default(),
            signals,
            systemd: Systemd::of_environment(),
        })
    }

    async fn keep(mut self) -> io::Result<ExitCode> {
        let mut has_served = false;
        loop {
            let served = match self.run_once().await {
                Ok(End::Told) => return Ok(ExitCode::SUCCESS),
                // A wrong configuration is no crash: whoever starts us hears of it at once.
                Ok(End::Alone { served: None, .. }) if !has_served => return Ok(ExitCode::FAILURE),
                Ok(End::Alone { status, served }) => {
                    error!(%status, signal = status.signal(), "the server ended");
                    served.unwrap_or_default()
                }
                Err(error) if !has_served => return Err(error),
                // Too many processes or too little memory may be for now only.
                Err(error) => {
                    error!(%error, "the server can't be started");
                    Duration::ZERO
                }
            };
            has_served = true;
            let wait = self.waits.after(served);
            warn!(?wait, "the server is started again");
            if self.rest(wait).await == Some(Order::Stop) {
                return Ok(ExitCode::SUCCESS);
            }
            self.open_doors();
        }
    }

    /// Waits so long, or until told to stop.
    async fn rest(&mut self, time: Duration) -> Option<Order> {
        tokio::select! {
            order = self.signals.rest(time) => order,
            never = feed(&self.systemd) => match never {},
        }
    }

    /// Starts a server and stays with it to its end.
    async fn run_once(&mut self) -> io::Result<End> {
        let (line, theirs) = Line::pair()?;
        line.hand(&self.sockets)?;
        let mut child = self.start(theirs)?;
        let (mut is_starting, mut ready) = (true, None);
        let mut tries = Waits::default();
        let mut retry = self.next_try(&mut tries);
        loop {
            tokio::select! {
                status = child.wait() => {
                    return Ok(End::Alone { status: status?, served: ready.map(|since: Instant| since.elapsed()) });
                }
                said = line.ready(), if is_starting => {
                    is_starting = false;
                    // An error is an end, too: so a server is seen that ended before it took its sockets.
                    ready = said.unwrap_or(false).then(Instant::now);
                }
                never = feed(&self.systemd), if is_starting => match never {},
                () = until(retry) => {
                    if self.open_doors() {
                        self.hand(&line);
                    }
                    retry = self.next_try(&mut tries);
                }
                order = self.signals.next() => match order {
                    Order::Stop => {
                        stop(&mut child).await;
                        return Ok(End::Told);
                    }
                    Order::Reload => {
                        self.open_doors();
                        self.hand(&line);
                        tries = Waits::default();
                        retry = self.next_try(&mut tries);
                    }
                },
            }
        }
    }

    fn start(&self, line: std::os::fd::OwnedFd) -> io::Result<Child> {
        // The very program that runs, also where its file was replaced meanwhile.
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg0("mailward").args(["serve", "--kept"]);
        for file in &self.files {
            command.arg("--config").arg(file);
        }
        // Never two at once, whatever goes wrong here.
        Command::from(command).stdin(Stdio::from(line)).kill_on_drop(true).spawn()
    }

    /// Reads the configuration again, and opens and closes what has changed: whether anything has.
    fn open_doors(&mut self) -> bool {
        let config = match config::load(&self.files) {
            Ok(config) => config,
            Err(error) => {
                error!(%error, "the configuration is wrong; the old one stays in use");
                return false;
            }
        };
        let before = self.sockets.addresses();
        let (sockets, failed) = Sockets::open(&config.doors, std::mem::take(&mut self.sockets));
        for why in &failed {
            warn!(why, "a door stays shut");
        }
        self.has_shut_doors = !failed.is_empty();
        self.sockets = sockets;
        self.sockets.addresses() != before
    }

    /// Hands all sockets over, on which the server reloads.
    fn hand(&self, line: &Line) {
        if let Err(error) = line.hand(&self.sockets) {
            // It is about to end, and gets them when it starts again.
            warn!(%error, "the server takes no sockets");
        }
    }

    /// When to try again what could not be opened: the server may have held it still, or another program does.
    fn next_try(&self, tries: &mut Waits) -> Option<Instant> {
        self.has_shut_doors.then(|| Instant::now() + tries.after(Duration::ZERO))
    }
}

impl Orders {
    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hangup.recv() => Order::Reload,
        }
    }

    /// Waits so long, or until told to stop.
    async fn rest(&mut self, time: Duration) -> Option<Order> {
        let stopped = async { while self.next().await != Order::Stop {} };
        tokio::time::timeout(time, stopped).await.ok().map(|()| Order::Stop)
    }
}

/// Feeds systemd's watchdog in place of a server that can't yet.
async fn feed(systemd: &Systemd) -> Infallible {
    let Some(pause) = systemd.feeding_time() else { return std::future::pending().await };
    let mut clock = tokio::time::interval(pause);
    loop {
        clock.tick().await;
        systemd.feed();
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Stops the server, in order if it does so in time.
async fn stop(child: &mut Child) {
    info!("stopping");
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may be gone already.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(STOPPING, child.wait()).await.is_err() {
        warn!("the server does not stop: it is killed");
        if let Err(error) = child.kill().await {
            warn!(%error, "it can't be killed");
        }
    }
}

/// How long to wait before what failed is tried again.
#[derive(Default)]
struct Waits {
    next: Option<Duration>,
}

impl Waits {
    /// After one that had served so long.
    fn after(&mut self, served: Duration) -> Duration {
        if served >= STEADY {
            self.next = None;
        }
        let wait = self.next.unwrap_or(FIRST_WAIT);
        self.next = Some((wait * 2).min(LONGEST_WAIT));
        wait
    }
}
