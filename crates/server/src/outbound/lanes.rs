//! Who works on what: a lane for each destination that something waits for. Plain data, told the time.
//!
//! A lane is given carriers (connections) one at a time: the first when something is due, another when the last one
//! reached the other server and there is more to take. So a destination that is down costs one connection now and
//! then, holds up nobody else, and one that is quick is given more.

use base::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use store::Queued;

/// How many work at a time.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Carriers in all.
    pub all: usize,
    /// Carriers of one destination.
    pub lane: usize,
}

/// Waits after the first, second, … time that a destination could not be reached, in seconds; the last goes on.
const PAUSES: [i64; 8] = [60, 120, 300, 600, 1200, 1800, 3600, 7200];

/// All lanes.
pub struct Board {
    most: Most,
    carriers: usize,
    lanes: HashMap<String, Lane>,
    /// Entries in some carrier's hands.
    taken: HashSet<u64>,
}

#[derive(Default)]
struct Lane {
    /// The earliest time at which something is due, as far as is known.
    due: Option<Timestamp>,
    /// Not tried before.
    not_before: Option<Timestamp>,
    /// Times in a row that no server was reached.
    failures: usize,
    /// What the last of them brought.
    fault: String,
    carriers: usize,
    /// A carrier has reached the server.
    reached: bool,
    /// Read from the queue, and not taken yet.
    page: VecDeque<Queued>,
    /// The last entry that was read.
    read_to: Option<(Timestamp, u64)>,
    /// A carrier is reading the next page.
    reading: bool,
    /// Taken and not given back.
    taken: usize,
}

/// What a carrier is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Carry these: one message, for several recipients perhaps.
    Carry(Vec<Queued>),
    /// Read what is due after this entry, and hand it in by [`Board::read`].
    Read(Option<(Timestamp, u64)>),
    /// Wait: another one reads.
    Wait,
}

impl Board {
    /// No lanes yet.
    pub fn new(most: Most) -> Self {
        Board { most, carriers: 0, lanes: HashMap::new(), taken: HashSet::new() }
    }

    /// Notes that something is due for a destination.
    pub fn note(&mut self, destination: &str, due: Timestamp) {
        let lane = match self.lanes.get_mut(destination) {
            Some(lane) => lane,
            None => self.lanes.entry(destination.to_owned()).or_default(),
        };
        lane.due = Some(lane.due.map_or(due, |before| before.min(due)));
    }

    /// Forgets that a destination could not be reached: the administrator wants another try.
    pub fn forgive(&mut self, destination: &str) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.not_before = None;
        }
    }

    /// Destinations that get another carrier now. Each is one more to be told of by [`Board::left`].
    pub fn start(&mut self, now: Timestamp) -> Vec<String> {
        let mut wanting: Vec<(Option<Timestamp>, &String)> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.wants(self.most.lane, now))
            .map(|(d, lane)| (lane.due, d))
            .collect();
        wanting.sort();
        let room = self.most.all.saturating_sub(self.carriers);
        let started: Vec<String> =
            wanting.into_iter().take(room).map(|(_, destination)| destination.clone()).collect();
        for destination in &started {
            if let Some(lane) = self.lanes.get_mut(destination) {
                lane.carriers += 1;
                lane.due = None;
                self.carriers += 1;
            }
        }
        started
    }

    /// When a lane without carriers wants one next; now, where only a free place is missing.
    pub fn next(&self) -> Option<Timestamp> {
        let idle = self.lanes.values().filter(|lane| lane.carriers == 0);
        idle.filter_map(|lane| lane.due.map(|due| lane.not_before.map_or(due, |pause| pause.max(due)))).min()
    }

    /// Whether all places are taken.
    pub fn is_full(&self) -> bool {
        self.carriers >= self.most.all
    }

    /// The next task of a destination's carrier, for at most `most` recipients at once.
    pub fn task(&mut self, destination: &str, most: usize) -> Task {
        let Some(lane) = self.lanes.get_mut(destination) else { return Task::Wait };
        let Some(first) = lane.page.pop_front() else {
            if lane.reading {
                return Task::Wait;
            }
            lane.reading = true;
            if lane.taken == 0 {
                // Nothing is in anybody's hands: what lies behind may be read again.
                lane.read_to = None;
            }
            return Task::Read(lane.read_to);
        };
        let mut group = vec![first];
        while group.len() < most && lane.page.front().is_some_and(|next| same_transaction(&group[0], next)) {
            group.extend(lane.page.pop_front());
        }
        lane.taken += group.len();
        self.taken.extend(group.iter().map(|one| one.id));
        Task::Carry(group)
    }

    /// Takes in what a carrier read.
    pub fn read(&mut self, destination: &str, page: Vec<Queued>) {
        let Some(lane) = self.lanes.get_mut(destination) else { return };
        lane.reading = false;
        if let Some(last) = page.last() {
            lane.read_to = Some((last.due, last.id));
        }
        lane.page.extend(page.into_iter().filter(|one| !self.taken.contains(&one.id)));
    }

    /// A carrier reached the destination's server.
    pub fn reached(&mut self, destination: &str) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            (lane.reached, lane.failures, lane.not_before) = (true, 0, None);
        }
    }

    /// No server of the destination could be reached: it has a pause, the longer the more often. `spread` is a random
    /// number between 0 and 1. Gives when it is over.
    pub fn unreachable(&mut self, destination: &str, why: &str, now: Timestamp, spread: f64) -> Timestamp {
        let lane = self.lanes.entry(destination.to_owned()).or_default();
        let pause = spread_out(PAUSES[lane.failures.min(PAUSES.len() - 1)], spread);
        let until = Timestamp(now.0.saturating_add(pause));
        lane.failures += 1;
        (lane.reached, lane.not_before) = (false, Some(until));
        lane.fault.clear();
        lane.fault.push_str(why);
        until
    }

    /// What the last try to reach a destination brought, if it failed.
    pub fn fault(&self, destination: &str) -> Option<&str> {
        self.lanes.get(destination).filter(|lane| lane.failures > 0).map(|lane| lane.fault.as_str())
    }

    /// Entries that a carrier no longer has in its hands.
    pub fn give_back(&mut self, destination: &str, ids: impl IntoIterator<Item = u64>) {
        let before = self.taken.len();
        for id in ids {
            self.taken.remove(&id);
        }
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.taken = lane.taken.saturating_sub(before - self.taken.len());
        }
    }

    /// Whether some carrier has an entry in its hands.
    pub fn is_taken(&self, id: u64) -> bool {
        self.taken.contains(&id)
    }

    /// A carrier left. True for the last of its lane: then the caller says by [`Board::note`] what is due next.
    pub fn left(&mut self, destination: &str) -> bool {
        self.carriers = self.carriers.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(destination) else { return false };
        lane.carriers = lane.carriers.saturating_sub(1);
        let last = lane.carriers == 0;
        if last {
            (lane.reached, lane.reading, lane.read_to) = (false, false, None);
            lane.page = VecDeque::new();
        }
        last
    }

    /// Forgets lanes that nothing waits for.
    pub fn tidy(&mut self) {
        self.lanes.retain(|_, lane| lane.carriers > 0 || lane.due.is_some());
    }
}

impl Lane {
    fn wants(&self, most: usize, now: Timestamp) -> bool {
        match self.carriers {
            0 => self.due.is_some_and(|due| due <= now) && self.not_before.is_none_or(|pause| pause <= now),
            some => some < most && self.reached && !self.page.is_empty(),
        }
    }
}

/// Whether two entries can go in one transaction.
fn same_transaction(one: &Queued, other: &Queued) -> bool {
    one.mail == other.mail && one.reverse_path == other.reverse_path
}

/// A fifth more or less, so that what failed together does not come back together.
pub fn spread_out(seconds: i64, spread: f64) -> i64 {
    let fifth = seconds as f64 / 5.0;
    seconds + (fifth * (2.0 * spread - 1.0)) as i64
}

#[cfg(test)]
mod tests;
