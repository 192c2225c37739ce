//! The keeper: the process that `mailward serve` starts first. It opens the listening sockets, hands them to the server, a
//! child of the same program, and starts that again when it crashes. It has no more rights than to bind low ports, and
//! reads nothing from outside.
//!
//! SIGTERM and SIGINT stop the server and then the keeper. SIGHUP has the configuration read again: the keeper opens and
//! closes what has changed of the doors and hands all sockets over anew, on which the server reloads.

mod line;
#[cfg(test)]
mod tests;

pub use line::Line;

use crate::config::{self, Config};
use crate::confine::privileges::{self, Keep, Whose};
use crate::log::LogTo;
use crate::sockets::Sockets;
use rustix::process::{Pid, Signal};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tracing::{error, info, warn};

/// The shortest wait before a crashed server is started again; it doubles with each crash.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A server that ran so long starts the waits afresh.
const STEADY: Duration = Duration::from_secs(600);

/// How long a server may take to stop: longer than it waits for its connections.
const STOPPING: Duration = Duration::from_secs(60);

/// How long after a port could not be opened that is tried again: the server may have held it still.
const TRY_AGAIN: Duration = Duration::from_secs(2);

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
    waits: Waits,
    signals: Orders,
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
        Ok(Keeper { files, sockets, waits: Waits::default(), signals })
    }

    async fn keep(mut self) -> io::Result<ExitCode> {
        let mut has_served = false;
        loop {
            match self.run_once().await? {
                End::Told => return Ok(ExitCode::SUCCESS),
                // A wrong configuration is no crash: whoever starts us hears of it at once.
                End::Alone { served: None, .. } if !has_served => return Ok(ExitCode::FAILURE),
                End::Alone { status, served } => {
                    has_served = true;
                    let wait = self.waits.after(served.unwrap_or_default());
                    error!(%status, signal = status.signal(), wait = ?wait, "the server ended; it is started again");
                    if self.signals.rest(wait).await == Some(Order::Stop) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
        }
    }

    /// Starts a server and stays with it to its end.
    async fn run_once(&mut self) -> io::Result<End> {
        let (line, theirs) = Line::pair()?;
        line.hand(&self.sockets)?;
        let mut child = self.start(theirs)?;
        let (mut ready, mut retry) = (None, None);
        loop {
            tokio::select! {
                status = child.wait() => {
                    return Ok(End::Alone { status: status?, served: ready.map(|since: Instant| since.elapsed()) });
                }
                said = line.ready(), if ready.is_none() => {
                    if said? {
                        ready = Some(Instant::now());
                    } else {
                        let status = child.wait().await?;
                        return Ok(End::Alone { status, served: None });
                    }
                }
                () = until(retry) => retry = self.renew(&line),
                order = self.signals.next() => match order {
                    Order::Stop => {
                        stop(&mut child).await?;
                        return Ok(End::Told);
                    }
                    Order::Reload => retry = self.renew(&line),
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
        Command::from(command).stdin(Stdio::from(line)).spawn()
    }

    /// Reads the configuration again, opens and closes what has changed, and hands all over, on which the server reloads.
    /// When it is to be done once more.
    fn renew(&mut self, line: &Line) -> Option<Instant> {
        let mut again = None;
        match config::load(&self.files) {
            Ok(config) => {
                let (sockets, failed) = Sockets::open(&config.doors, std::mem::take(&mut self.sockets));
                self.sockets = sockets;
                for why in &failed {
                    warn!(why, "a door stays shut");
                }
                again = (!failed.is_empty()).then(|| Instant::now() + TRY_AGAIN);
            }
            Err(error) => error!(%error, "the configuration is wrong; the old one stays in use"),
        }
        if let Err(error) = line.hand(&self.sockets) {
            // It is about to end, and gets them when it starts again.
            warn!(%error, "the server takes no sockets");
        }
        again
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

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Stops the server, in order if it does so in time.
async fn stop(child: &mut Child) -> io::Result<()> {
    info!("stopping");
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may be gone already.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(STOPPING, child.wait()).await.is_err() {
        warn!("the server does not stop: it is killed");
        child.kill().await?;
    }
    Ok(())
}

/// How long to wait before a crashed server is started again.
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
