//! Who works on what: a lane for each destination that something waits for. Plain data, told the time.
//!
//! A lane is given carriers (connections) one at a time: the first when something is due, another when the other server
//! has answered for a mail and there is more to take. So a destination that is down costs one connection now and then,
//! holds up nobody else, and one that is quick is given more.

use base::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
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
    lanes: HashMap<Arc<str>, Lane>,
    /// Lanes without carriers, by when they want one. With these lines what has to be done does not grow with the number
    /// of destinations.
    waiting: BTreeSet<(Timestamp, Arc<str>)>,
    /// Those whose time has come: who waits longest is next.
    ready: BTreeSet<(u64, Timestamp, Arc<str>)>,
    /// Those of them that could not be reached last time.
    ready_failing: BTreeSet<(u64, Timestamp, Arc<str>)>,
    /// Lanes that have carriers.
    busy: BTreeSet<Arc<str>>,
    /// Entries in some carrier's hands.
    taken: HashSet<u64>,
}

#[derive(Default)]
struct Lane {
    /// Where it waits for a carrier.
    place: Option<Place>,
    /// The earliest time at which something is due, as far as is known.
    due: Option<Timestamp>,
    /// Not tried before.
    not_before: Option<Timestamp>,
    /// Times in a row that no server was reached.
    failures: usize,
    /// What the last of them brought.
    fault: String,
    /// The turn at which a carrier left it last: whoever waits longest is next.
    turn: u64,
    /// What it has while it has carriers. Most lanes have none.
    work: Option<Box<Work>>,
}

#[derive(Default)]
struct Work {
    carriers: usize,
    /// Groups that were taken.
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

/// Where a lane without carriers waits.
#[derive(Clone, Copy)]
enum Place {
    Waiting(Timestamp),
    Ready((u64, Timestamp)),
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
        Board {
            most,
            carriers: 0,
            turns: 0,
            is_crowded: false,
            lanes: HashMap::new(),
            waiting: BTreeSet::new(),
            ready: BTreeSet::new(),
            ready_failing: BTreeSet::new(),
            busy: BTreeSet::new(),
            taken: HashSet::new(),
        }
    }

    /// Notes that something is due for a destination.
    pub fn note(&mut self, destination: &str, due: Timestamp) {
        let (name, lane) = self.lane(destination);
        let before = lane.due;
        lane.due = Some(before.map_or(due, |before| before.min(due)));
        if lane.due != before && !matches!(lane.place, Some(Place::Ready(_))) {
            self.line_up(&name);
        }
    }

    /// Forgets that a destination could not be reached: the administrator wants another try.
    pub fn forgive(&mut self, destination: &str) {
        let (name, lane) = self.lane(destination);
        lane.not_before = None;
        self.line_up(&name);
    }

    /// Destinations that get another carrier now. Each is one more to be told of by [`Board::left`]. Those without come
    /// first. Those that could not be reached last time come last, and have half of the places at most: else many of
    /// them would hold up all.
    pub fn start(&mut self, now: Timestamp) -> Vec<String> {
        self.wake_up(now);
        let room = self.most.all.saturating_sub(self.carriers);
        self.is_crowded = room == 0 && !self.ready.is_empty();
        if room == 0 {
            return Vec::new();
        }
        let mut chosen: Vec<Arc<str>> = self.ready.iter().take(room).map(|(.., name)| name.clone()).collect();
        chosen.extend(self.growing().into_iter().take(room - chosen.len()));
        let failing =
            self.busy.iter().filter_map(|name| self.lanes.get(name)).filter(|lane| lane.failures > 0);
        let room_for_failing = self.most.all.div_ceil(2).saturating_sub(failing.map(Lane::carriers).sum());
        let most = room_for_failing.min(room - chosen.len());
        chosen.extend(self.ready_failing.iter().take(most).map(|(.., name)| name.clone()));
        for name in &chosen {
            self.take_out(name);
            if let Some(lane) = self.lanes.get_mut(name) {
                lane.work.get_or_insert_default().carriers += 1;
                lane.due = None;
                self.carriers += 1;
                self.busy.insert(name.clone());
            }
        }
        chosen.iter().map(|name| name.to_string()).collect()
    }

    /// Lanes that have carriers and want more.
    fn growing(&self) -> Vec<Arc<str>> {
        let lane = |name: &Arc<str>| self.lanes.get(name).map(|lane| (lane, name.clone()));
        let mut growing: Vec<_> = (self.busy.iter().filter_map(lane))
            .filter(|(lane, _)| lane.work.as_ref().is_some_and(|work| work.wants_more(self.most.lane)))
            .map(|(lane, name)| (lane.turn, lane.due, name))
            .collect();
        growing.sort();
        growing.into_iter().map(|(.., name)| name).collect()
    }

    /// Lines up the lanes whose time has come.
    fn wake_up(&mut self, now: Timestamp) {
        while let Some((time, name)) = self.waiting.first().cloned()
            && time <= now
        {
            self.waiting.pop_first();
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            let turn = (lane.turn, time);
            lane.place = Some(Place::Ready(turn));
            let line = if lane.failures > 0 { &mut self.ready_failing } else { &mut self.ready };
            line.insert((turn.0, turn.1, name));
        }
    }

    /// Gives a lane its place: one that has no carriers, and something due, waits for its time.
    fn line_up(&mut self, name: &Arc<str>) {
        self.take_out(name);
        let Some(lane) = self.lanes.get_mut(name).filter(|lane| lane.work.is_none()) else { return };
        if let Some(time) = lane.wants_at() {
            lane.place = Some(Place::Waiting(time));
            self.waiting.insert((time, name.clone()));
        }
    }

    fn take_out(&mut self, name: &Arc<str>) {
        let place = self.lanes.get_mut(name).and_then(|lane| lane.place.take());
        match place {
            Some(Place::Waiting(time)) => {
                self.waiting.remove(&(time, name.clone()));
            }
            Some(Place::Ready((turn, time))) => {
                let key = (turn, time, name.clone());
                let _ = self.ready.remove(&key) || self.ready_failing.remove(&key);
            }
            None => {}
        }
    }

    fn work(&mut self, destination: &str) -> Option<&mut Box<Work>> {
        self.lanes.get_mut(destination)?.work.as_mut()
    }

    /// A lane and its name, which is made where there is none.
    fn lane(&mut self, destination: &str) -> (Arc<str>, &mut Lane) {
        let name = match self.lanes.get_key_value(destination) {
            Some((name, _)) => name.clone(),
            None => Arc::from(destination),
        };
        (name.clone(), self.lanes.entry(name).or_default())
    }

    /// When a lane without carriers wants one next; a time that is past, where only a free place is missing.
    pub fn next(&self) -> Option<Timestamp> {
        let waiting = self.waiting.first().map(|(time, _)| *time);
        let ready = self.ready.first().or(self.ready_failing.first()).map(|(_, time, _)| *time);
        ready.or(waiting)
    }

    /// Whether all places are taken.
    pub fn is_full(&self) -> bool {
        self.carriers >= self.most.all
    }

    /// The next task of a destination's carrier, for at most `most` recipients at once.
    pub fn task(&mut self, destination: &str, most: usize) -> Task {
        let crowded = self.is_crowded;
        let Some(work) = self.work(destination) else { return Task::Wait };
        if crowded && (work.carriers > 1 || work.groups >= SHARE) {
            self.is_crowded = false;
            return Task::Leave;
        }
        let Some(first) = work.page.pop_front() else {
            if work.reading {
                return Task::Wait;
            }
            work.reading = true;
            return Task::Read(work.read_to);
        };
        let mut group = vec![first];
        while group.len() < most && work.page.front().is_some_and(|next| same_transaction(&group[0], next)) {
            group.extend(work.page.pop_front());
        }
        work.groups += 1;
        self.taken.extend(group.iter().map(|one| one.id));
        Task::Carry(group)
    }

    /// Takes in what a carrier read, at most `most` entries at a time. False where there is nothing to do.
    pub fn read(&mut self, destination: &str, page: Vec<Queued>, most: usize) -> bool {
        let taken = &self.taken;
        let work = self.lanes.get_mut(destination).and_then(|lane| lane.work.as_mut());
        let Some(work) = work else { return false };
        work.reading = false;
        let back = std::mem::take(&mut work.back);
        if std::mem::take(&mut work.stale) {
            work.read_to = None;
            return true;
        }
        let is_last = page.len() < most;
        work.read_to = page.last().filter(|_| !is_last).map(|last| (last.due, last.id));
        work.page.extend(page.into_iter().filter(|one| !taken.contains(&one.id) && !back.contains(&one.id)));
        !is_last || !work.page.is_empty()
    }

    /// Forgets what was read of a destination: the administrator changed it.
    pub fn withdraw(&mut self, destination: &str) {
        if let Some(work) = self.work(destination) {
            (work.page, work.read_to, work.stale) = (VecDeque::new(), None, work.reading);
        }
    }

    /// The destination's server answered for a mail: it works. To be connected is not enough, as one may hang up then.
    pub fn reached(&mut self, destination: &str) {
        let (name, lane) = self.lane(destination);
        (lane.failures, lane.not_before) = (0, None);
        if let Some(work) = &mut lane.work {
            work.reached = true;
        }
        self.line_up(&name);
    }

    /// No server of the destination could be reached: it has a pause, the longer the more often. `spread` is a random
    /// number between 0 and 1. Gives when it is over.
    pub fn unreachable(&mut self, destination: &str, why: &str, now: Timestamp, spread: f64) -> Timestamp {
        let (name, lane) = self.lane(destination);
        // What several carriers meet together is one failure.
        if let Some(until) = lane.not_before.filter(|until| *until > now) {
            return until;
        }
        let pause = spread_out(PAUSES[lane.failures.min(PAUSES.len() - 1)], spread);
        let until = Timestamp(now.0.saturating_add(pause));
        lane.failures += 1;
        lane.not_before = Some(until);
        if let Some(work) = &mut lane.work {
            work.reached = false;
        }
        lane.fault.clear();
        lane.fault.push_str(why);
        self.line_up(&name);
        until
    }

    /// What the last try to reach a destination brought, if it failed.
    pub fn fault(&self, destination: &str) -> Option<&str> {
        self.lanes.get(destination).filter(|lane| lane.failures > 0).map(|lane| lane.fault.as_str())
    }

    /// Entries that are no longer in the hands of who took them.
    pub fn give_back(&mut self, destination: &str, ids: impl IntoIterator<Item = u64>) {
        let work = self.lanes.get_mut(destination).and_then(|lane| lane.work.as_mut());
        let mut work = work.filter(|work| work.reading);
        for id in ids {
            self.taken.remove(&id);
            if let Some(work) = &mut work {
                work.back.insert(id);
            }
        }
    }

    /// Takes an entry out of the carriers' reach, until it is given back. False where one has it in its hands.
    pub fn claim(&mut self, destination: &str, id: u64) -> bool {
        if let Some(work) = self.work(destination) {
            work.page.retain(|one| one.id != id);
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
        self.turns += 1;
        let turns = self.turns;
        let (name, lane) = self.lane(destination);
        lane.turn = turns;
        let Some(work) = &mut lane.work else { return false };
        work.carriers = work.carriers.saturating_sub(1);
        let last = work.carriers == 0;
        if last {
            lane.work = None;
            self.busy.remove(&name);
            self.line_up(&name);
        }
        last
    }

    /// A carrier broke off with these entries in its hands, or while it read. What it had is tried again, not at once.
    pub fn broke_off(&mut self, destination: &str, ids: &[u64], was_reading: bool, again: Timestamp) {
        self.give_back(destination, ids.iter().copied());
        if let Some(work) = self.work(destination).filter(|_| was_reading) {
            work.reading = false;
        }
        self.left(destination);
        let (name, lane) = self.lane(destination);
        lane.not_before = Some(again);
        self.line_up(&name);
        self.note(destination, again);
    }

    /// Forgets lanes that nothing waits for, and that have no pause: what is due may just be looked for.
    pub fn tidy(&mut self, now: Timestamp) {
        let pauses = |lane: &Lane| lane.not_before.is_some_and(|until| until > now);
        self.lanes.retain(|_, lane| lane.work.is_some() || lane.due.is_some() || pauses(lane));
    }
}

impl Lane {
    fn carriers(&self) -> usize {
        self.work.as_ref().map_or(0, |work| work.carriers)
    }

    /// When it wants its first carrier.
    fn wants_at(&self) -> Option<Timestamp> {
        self.due.map(|due| self.not_before.map_or(due, |pause| pause.max(due)))
    }
}

impl Work {
    fn wants_more(&self, most: usize) -> bool {
        self.carriers < most && self.reached && !self.page.is_empty()
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
