//! Who works on what: a lane for each destination that something waits for. Plain data, told the time.
//!
//! A lane is given carriers (connections) one at a time: the first when something is due, another when the other server
//! has answered for a mail and there is more to take. So a destination that is down costs one connection now and then,
//! holds up nobody else, and one that is quick is given more.

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

/// Groups that a lane's only carrier carries before it makes room for a lane that has none.
const SHARE: usize = 50;

/// All lanes.
pub struct Board {
    most: Most,
    carriers: usize,
    /// Carriers that have left.
    turns: u64,
    /// A lane without carriers wants one, and there is no room: somebody has to make it.
    is_crowded: bool,
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
    /// The turn at which a carrier left it last: whoever waits longest is next.
    turn: u64,
    /// Groups that were taken since it has carriers.
    groups: usize,
    /// The server has answered for a mail.
    reached: bool,
    /// Read from the queue, and not taken yet.
    page: VecDeque<Queued>,
    /// The last entry that was read; none where reading starts anew, as an entry may have come in behind.
    read_to: Option<(Timestamp, u64)>,
    /// A carrier is reading the next page.
    reading: bool,
    /// What was given back meanwhile: the page may still show it as it was before.
    back: HashSet<u64>,
    /// The administrator changed something meanwhile: what is being read does not count.
    stale: bool,
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
    /// Leave, although there may be more: another lane needs the place.
    Leave,
}

impl Board {
    /// No lanes yet.
    pub fn new(most: Most) -> Self {
        Board { most, carriers: 0, turns: 0, is_crowded: false, lanes: HashMap::new(), taken: HashSet::new() }
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

    /// Destinations that get another carrier now. Each is one more to be told of by [`Board::left`]. Those without come
    /// first. Those that could not be reached last time come last, and have half of the places at most: else many of
    /// them would hold up all.
    pub fn start(&mut self, now: Timestamp) -> Vec<String> {
        let room = self.most.all.saturating_sub(self.carriers);
        if room == 0 {
            let mut idle = self.lanes.values().filter(|lane| lane.carriers == 0 && lane.failures == 0);
            self.is_crowded = idle.any(|lane| lane.wants(self.most.lane, now));
            return Vec::new();
        }
        self.is_crowded = false;
        let failing = self.lanes.values().filter(|lane| lane.failures > 0);
        let mut room_for_failing =
            self.most.all.div_ceil(2).saturating_sub(failing.map(|lane| lane.carriers).sum());
        let mut wanting: Vec<(bool, bool, u64, Option<Timestamp>, &String)> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.wants(self.most.lane, now))
            .map(|(name, lane)| (lane.failures > 0, lane.carriers > 0, lane.turn, lane.due, name))
            .collect();
        wanting.sort();
        wanting.retain(|(failing, ..)| {
            let has_room = !failing || room_for_failing > 0;
            room_for_failing -= usize::from(*failing && has_room);
            has_room
        });
        let started: Vec<String> =
            wanting.into_iter().take(room).map(|(.., destination)| destination.clone()).collect();
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
        if self.is_crowded && (lane.carriers > 1 || lane.groups >= SHARE) {
            self.is_crowded = false;
            return Task::Leave;
        }
        let Some(first) = lane.page.pop_front() else {
            if lane.reading {
                return Task::Wait;
            }
            lane.reading = true;
            return Task::Read(lane.read_to);
        };
        let mut group = vec![first];
        while group.len() < most && lane.page.front().is_some_and(|next| same_transaction(&group[0], next)) {
            group.extend(lane.page.pop_front());
        }
        lane.groups += 1;
        self.taken.extend(group.iter().map(|one| one.id));
        Task::Carry(group)
    }

    /// Takes in what a carrier read, at most `most` entries at a time. False where there is nothing to do.
    pub fn read(&mut self, destination: &str, page: Vec<Queued>, most: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(destination) else { return false };
        lane.reading = false;
        let back = std::mem::take(&mut lane.back);
        if std::mem::take(&mut lane.stale) {
            lane.read_to = None;
            return true;
        }
        let is_last = page.len() < most;
        lane.read_to = page.last().filter(|_| !is_last).map(|last| (last.due, last.id));
        lane.page
            .extend(page.into_iter().filter(|one| !self.taken.contains(&one.id) && !back.contains(&one.id)));
        !is_last || !lane.page.is_empty()
    }

    /// Forgets what was read of a destination: the administrator changed it.
    pub fn withdraw(&mut self, destination: &str) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            (lane.page, lane.read_to, lane.stale) = (VecDeque::new(), None, lane.reading);
        }
    }

    /// The destination's server answered for a mail: it works. To be connected is not enough, as one may hang up then.
    pub fn reached(&mut self, destination: &str) {
        if let Some(lane) = self.lanes.get_mut(destination) {
            (lane.reached, lane.failures, lane.not_before) = (true, 0, None);
        }
    }

    /// No server of the destination could be reached: it has a pause, the longer the more often. `spread` is a random
    /// number between 0 and 1. Gives when it is over.
    pub fn unreachable(&mut self, destination: &str, why: &str, now: Timestamp, spread: f64) -> Timestamp {
        let lane = self.lanes.entry(destination.to_owned()).or_default();
        // What several carriers meet together is one failure.
        if let Some(until) = lane.not_before.filter(|until| *until > now) {
            return until;
        }
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

    /// Entries that are no longer in the hands of who took them.
    pub fn give_back(&mut self, destination: &str, ids: impl IntoIterator<Item = u64>) {
        let mut lane = self.lanes.get_mut(destination).filter(|lane| lane.reading);
        for id in ids {
            self.taken.remove(&id);
            if let Some(lane) = &mut lane {
                lane.back.insert(id);
            }
        }
    }

    /// Takes an entry out of the carriers' reach, until it is given back. False where one has it in its hands.
    pub fn claim(&mut self, destination: &str, id: u64) -> bool {
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.page.retain(|one| one.id != id);
        }
        self.taken.insert(id)
    }

    /// How many entries are in somebody's hands.
    pub fn taken(&self) -> usize {
        self.taken.len()
    }

    /// A carrier left. True for the last of its lane: then the caller says by [`Board::note`] what is due next.
    pub fn left(&mut self, destination: &str) -> bool {
        self.carriers = self.carriers.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(destination) else { return false };
        self.turns += 1;
        (lane.turn, lane.carriers) = (self.turns, lane.carriers.saturating_sub(1));
        let last = lane.carriers == 0;
        if last {
            (lane.reached, lane.reading, lane.stale, lane.read_to) = (false, false, false, None);
            lane.groups = 0;
            (lane.page, lane.back) = (VecDeque::new(), HashSet::new());
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
    one.mail == other.mail && one.reverse_path == other.reverse_path && one.terms.share_envelope(&other.terms)
}

/// A fifth more or less, so that what failed together does not come back together.
pub fn spread_out(seconds: i64, spread: f64) -> i64 {
    let fifth = seconds as f64 / 5.0;
    seconds + (fifth * (2.0 * spread - 1.0)) as i64
}

#[cfg(test)]
mod tests;
