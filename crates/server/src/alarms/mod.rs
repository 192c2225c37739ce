//! Alarms: what an administrator must hear of before the mail suffers. Each is raised once, in the log and by mail to the
//! postmaster, and told again when it is over. Between "bad" and "good again" lies a gap, so that a value that wavers about
//! its threshold raises one alarm and not many.

mod letter;
mod probes;
#[cfg(test)]
mod tests;

use crate::config;
use crate::server::Server;
use base::Timestamp;
use parking_lot::Mutex;
use probes::Probe;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

/// Letters that may wait.
const MOST_LETTERS: usize = 64;

/// What an alarm is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// The data directory's disk.
    Disk,
    /// The server's memory, or the machine's.
    Memory,
    /// What waits to be sent.
    Queue,
    /// The machine's clock.
    Clock,
    /// A certificate's end.
    Certificate,
    /// The thread that writes to the store.
    Writer,
    /// The newest backup.
    Backup,
}

impl Kind {
    /// Its name in lists and in the log.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Disk => "disk",
            Kind::Memory => "memory",
            Kind::Queue => "queue",
            Kind::Clock => "clock",
            Kind::Certificate => "certificate",
            Kind::Writer => "writer",
            Kind::Backup => "backup",
        }
    }
}

/// What a look showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// All is well.
    Fine,
    /// Not as well as to end an alarm, nor as bad as to raise one.
    Between,
    /// It is bad: what, and what to do.
    Bad(String),
}

/// An alarm that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// About what.
    pub kind: Kind,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong, as it was when last looked at.
    pub what: String,
}

/// What changed by a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// An alarm is raised.
    Raised(Alarm),
    /// It is over.
    Over(Alarm),
}

/// The alarms that stand.
#[derive(Default)]
pub struct Board(Mutex<BTreeMap<Kind, Alarm>>);

impl Board {
    /// All of them.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.0.lock().values().cloned().collect()
    }

    /// Notes what a look showed.
    fn note(&self, kind: Kind, reading: Reading, now: Timestamp) -> Option<News> {
        let mut alarms = self.0.lock();
        match reading {
            Reading::Between => None,
            Reading::Fine => alarms.remove(&kind).map(News::Over),
            Reading::Bad(what) => match alarms.get_mut(&kind) {
                Some(alarm) => {
                    alarm.what = what;
                    None
                }
                None => {
                    let alarm = Alarm { kind, since: now, what };
                    alarms.insert(kind, alarm.clone());
                    Some(News::Raised(alarm))
                }
            },
        }
    }
}

/// Looks at everything again and again, for ever.
pub async fn watch(server: Arc<Server>, settings: config::Alarms) {
    // A letter may wait for the very disk that it tells of: no look waits for a letter.
    let (letters, waiting) = mpsc::channel(MOST_LETTERS);
    tokio::join!(look_on(server.clone(), settings, letters), send_all(server, waiting));
}

async fn look_on(server: Arc<Server>, settings: config::Alarms, letters: mpsc::Sender<News>) {
    let mut probes = probes::all(&server, &settings);
    loop {
        let (server, letters) = (server.clone(), letters.clone());
        // A look reads files and the store.
        let look = tokio::task::spawn_blocking(move || {
            look(&server.alarms, &mut probes, &letters);
            probes
        });
        probes = match look.await {
            Ok(probes) => probes,
            Err(error) => return error!(%error, "nothing is watched any more"),
        };
        tokio::time::sleep(settings.interval).await;
    }
}

fn look(board: &Board, probes: &mut [Box<dyn Probe>], letters: &mpsc::Sender<News>) {
    for probe in probes {
        let Some(news) = board.note(probe.kind(), probe.look(), Timestamp::now()) else { continue };
        match &news {
            News::Raised(alarm) => error!(alarm = alarm.kind.word(), what = alarm.what, "alarm"),
            News::Over(alarm) => {
                info!(alarm = alarm.kind.word(), since = %alarm.since, "the alarm is over");
            }
        }
        if letters.try_send(news).is_err() {
            warn!("no mail about the alarm: too many wait");
        }
    }
}

async fn send_all(server: Arc<Server>, mut waiting: mpsc::Receiver<News>) {
    while let Some(news) = waiting.recv().await {
        let server = server.clone();
        let sent = tokio::task::spawn_blocking(move || letter::send(&server, &news)).await;
        if let Err(why) = sent.unwrap_or_else(|error| Err(error.to_string())) {
            warn!(why, "no mail about the alarm");
        }
    }
}
