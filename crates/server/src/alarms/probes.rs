//! What is looked at, and when it is bad. What the machine says comes in through traits, so that tests can say it.

use super::{Kind, Reading};
use crate::config;
use crate::server::Server;
use base::Timestamp;
use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;
use tracing::warn;

/// Entries of the queue that are looked at for the oldest that is not held.
const OLDEST: usize = 100;

/// How long a clock that was set is an alarm.
const AFTER_A_STEP: Duration = Duration::from_secs(3600);

/// What is no wait: the time between asking the writer and looking.
const JUST_NOW: Duration = Duration::from_secs(1);

/// Looks at one thing. Blocks, for a moment.
pub trait Probe: Send {
    /// At what.
    fn kind(&self) -> Kind;
    /// What it shows.
    fn look(&mut self) -> Reading;
}

/// All that the settings ask for.
pub fn all(server: &Server, settings: &config::Alarms) -> Vec<Box<dyn Probe>> {
    let store = &server.store;
    if Linux.own().is_none() || Linux.machine().is_none() {
        warn!(
            "the alarm about memory sees /proc/self/smaps_rollup or /proc/meminfo not: ProcSubset= in the unit?"
        );
    }
    let mut probes: Vec<Box<dyn Probe>> = vec![
        Box::new(Disk { directory: settings.data.clone(), least: settings.disk_free }),
        Box::new(Memory { source: Linux, own: settings.memory_own, free: settings.memory_free }),
        Box::new(Queue { store: store.clone(), most: settings.queue_length, age: settings.queue_age }),
        Box::new(Clock::new(Machine, settings.clock_step)),
        Box::new(Writer { store: store.clone(), patience: settings.writer, asked: Arc::default() }),
    ];
    if let Some(tls) = &server.tls {
        let (tls, before) = (tls.clone(), settings.certificate);
        probes.push(Box::new(Certificate { end: Box::new(move || tls.first_end()), before }));
    }
    if let Some(folder) = &settings.backup_folder {
        probes.push(Box::new(Backup { folder: folder.clone(), age: settings.backup_age }));
    }
    probes
}

/// Room on the disk.
struct Disk {
    directory: PathBuf,
    least: u64,
}

impl Probe for Disk {
    fn kind(&self) -> Kind {
        Kind::Disk
    }

    fn look(&mut self) -> Reading {
        let Ok(system) = rustix::fs::statvfs(&self.directory) else { return Reading::Between };
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        falling(free, self.least, || {
            format!(
                "{} MiB are free on the disk of {}. Below store.least_free no mail is taken any more: make room, or give \
                 it a larger disk.",
                free >> 20,
                self.directory.display()
            )
        })
    }
}

/// What the system says about memory, in octets.
pub(super) trait MemorySource: Send {
    /// What this process takes, its share of what is shared included.
    fn own(&self) -> Option<u64>;
    /// What the machine has, and what of it can be had.
    fn machine(&self) -> Option<(u64, u64)>;
}

/// Memory of the server and of the machine.
pub(super) struct Memory<S> {
    pub(super) source: S,
    /// None is half of the machine's.
    pub(super) own: Option<u64>,
    /// None is a twentieth of the machine's.
    pub(super) free: Option<u64>,
}

impl<S: MemorySource> Probe for Memory<S> {
    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn look(&mut self) -> Reading {
        let (own, machine) = (self.source.own(), self.source.machine());
        let most = self.own.or_else(|| machine.map(|(all, _)| all / 2));
        let own = own.zip(most).map_or(Reading::Between, |(own, most)| {
            rising(own, most, || {
                format!("The server takes {} MiB of memory; more than {} is unusual.", own >> 20, most >> 20)
            })
        });
        let free = machine.map_or(Reading::Between, |(all, free)| {
            falling(free, self.free.unwrap_or(all / 20), || {
                format!(
                    "The machine has {} MiB of memory left: soon the system will end processes.",
                    free >> 20
                )
            })
        });
        worse(own, free)
    }
}

/// The files of proc(5).
struct Linux;

impl MemorySource for Linux {
    fn own(&self) -> Option<u64> {
        kib("/proc/self/smaps_rollup", "Pss:")
    }

    fn machine(&self) -> Option<(u64, u64)> {
        Some((kib("/proc/meminfo", "MemTotal:")?, kib("/proc/meminfo", "MemAvailable:")?))
    }
}

/// The octets that a line of a file tells in KiB.
fn kib(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

/// The queue: how much waits, and how long already.
pub(super) struct Queue {
    pub(super) store: Arc<dyn Store>,
    pub(super) most: u64,
    pub(super) age: Duration,
}

impl Probe for Queue {
    fn kind(&self) -> Kind {
        Kind::Queue
    }

    fn look(&mut self) -> Reading {
        let queue = self.store.queue();
        let (Ok(waiting), Ok(first)) = (queue.destinations(), queue.entries(0, OLDEST)) else {
            return Reading::Between;
        };
        let count: u64 = waiting.iter().map(|one| one.entries).sum();
        let length = rising(count, self.most, || {
            format!(
                "{count} messages wait to be sent (`mailward queue list`): is an account sending spam, or no server reachable?"
            )
        });
        let oldest = first.iter().find(|entry| entry.held.is_none()).map(|entry| entry.since);
        let waits =
            oldest.map_or(0, |since| Timestamp::now().0.saturating_sub(since.0)).max(0).unsigned_abs();
        let age = rising(waits, self.age.as_secs(), || {
            format!("A message waits for {} hours to be sent (`mailward queue list` says why).", waits / 3600)
        });
        worse(length, age)
    }
}

/// Two clocks of the machine.
pub(super) trait Clocks: Send {
    /// The time of day, since 1970.
    fn time(&self) -> Duration;
    /// The time since some moment, which nobody can set; it goes on while the machine sleeps.
    fn passed(&self) -> Duration;
}

pub(super) struct Machine;

impl Clocks for Machine {
    fn time(&self) -> Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }

    fn passed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// The clock: whether somebody set it.
pub(super) struct Clock<C> {
    clocks: C,
    step: Duration,
    last: (Duration, Duration),
    stepped: Option<(Duration, String)>,
}

impl<C: Clocks> Clock<C> {
    /// Steps longer than `step` count; less is how a clock is kept right.
    pub(super) fn new(clocks: C, step: Duration) -> Self {
        Clock { last: (clocks.time(), clocks.passed()), clocks, step, stepped: None }
    }
}

impl<C: Clocks> Probe for Clock<C> {
    fn kind(&self) -> Kind {
        Kind::Clock
    }

    fn look(&mut self) -> Reading {
        let (time, passed) = (self.clocks.time(), self.clocks.passed());
        let expected = self.last.0 + passed.saturating_sub(self.last.1);
        self.last = (time, passed);
        let (off, way) =
            if time > expected { (time - expected, "forward") } else { (expected - time, "back") };
        if off > self.step {
            let what = format!(
                "The machine's clock was set {way} by {} s. Mail has wrong dates, certificates may seem wrong: does \
                 something keep the clock (systemd-timesyncd, chrony)?",
                off.as_secs()
            );
            self.stepped = Some((passed, what));
        }
        match &self.stepped {
            Some((when, what)) if passed.saturating_sub(*when) < AFTER_A_STEP => Reading::Bad(what.clone()),
            _ => Reading::Fine,
        }
    }
}

/// The certificate that ends first.
pub(super) struct Certificate {
    pub(super) end: Box<dyn Fn() -> Option<Timestamp> + Send>,
    pub(super) before: Duration,
}

impl Probe for Certificate {
    fn kind(&self) -> Kind {
        Kind::Certificate
    }

    fn look(&mut self) -> Reading {
        let Some(end) = (self.end)() else { return Reading::Between };
        let left = end.0.saturating_sub(Timestamp::now().0).max(0).unsigned_abs();
        falling(left, self.before.as_secs(), || match left {
            0 => format!("A certificate ended on {end}: clients refuse to connect. Renew it."),
            _ => format!("A certificate ends on {end}: renew it, or see why nothing did."),
        })
    }
}

/// The store's writer: whether it gets on.
pub(super) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) patience: Duration,
    /// When it was asked for a sign of life that did not come yet.
    pub(super) asked: Arc<Mutex<Option<Instant>>>,
}

impl Probe for Writer {
    fn kind(&self) -> Kind {
        Kind::Writer
    }

    fn look(&mut self) -> Reading {
        let since = *self.asked.lock().get_or_insert_with(Instant::now);
        let asked = self.asked.clone();
        self.store.reach_writer(Box::new(move |outcome| {
            if outcome.is_ok() {
                *asked.lock() = None;
            }
        }));
        let waits = since.elapsed();
        if waits >= self.patience {
            Reading::Bad(format!(
                "Nothing was written for {} s: the disk hangs, or is far too slow. No mail is taken meanwhile.",
                waits.as_secs()
            ))
        } else if waits > JUST_NOW {
            Reading::Between
        } else {
            Reading::Fine
        }
    }
}

/// The newest backup in a folder.
pub(super) struct Backup {
    pub(super) folder: PathBuf,
    pub(super) age: Duration,
}

impl Probe for Backup {
    fn kind(&self) -> Kind {
        Kind::Backup
    }

    fn look(&mut self) -> Reading {
        let oldest = Timestamp(Timestamp::now().0.saturating_sub(self.age.as_secs().cast_signed()));
        match newest_backup(&self.folder) {
            Err(why) => Reading::Bad(format!("{}: {why}", self.folder.display())),
            Ok(None) => {
                Reading::Bad(format!("There is no backup in {}: `mailward backup`.", self.folder.display()))
            }
            // Names are times, and order as they do.
            Ok(Some(name)) if name < store::backup::name_of(oldest) => Reading::Bad(format!(
                "The newest backup in {} is {name}: see why none was made since.",
                self.folder.display()
            )),
            Ok(Some(_)) => Reading::Fine,
        }
    }
}

fn newest_backup(folder: &Path) -> Result<Option<String>, String> {
    store::backup::newest_in(folder).map_err(|error| error.to_string())
}

/// Bad below `least`, fine again a tenth above it.
fn falling(value: u64, least: u64, what: impl FnOnce() -> String) -> Reading {
    if value < least {
        Reading::Bad(what())
    } else if value < least.saturating_add(least / 10) {
        Reading::Between
    } else {
        Reading::Fine
    }
}

/// Bad above `most`, fine again a tenth below it.
fn rising(value: u64, most: u64, what: impl FnOnce() -> String) -> Reading {
    if value > most {
        Reading::Bad(what())
    } else if value > most - most / 10 {
        Reading::Between
    } else {
        Reading::Fine
    }
}

/// What two looks show together.
fn worse(one: Reading, other: Reading) -> Reading {
    match (one, other) {
        (Reading::Bad(one), Reading::Bad(other)) => Reading::Bad(format!("{one} {other}")),
        (bad @ Reading::Bad(_), _) | (_, bad @ Reading::Bad(_)) => bad,
        (Reading::Fine, Reading::Fine) => Reading::Fine,
        _ => Reading::Between,
    }
}
