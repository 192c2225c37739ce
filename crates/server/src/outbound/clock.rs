//! The time by which mail is sent: one that does not go back.

use base::Timestamp;
use std::time::Instant;

/// Shows the later of what the computer's clock says and what it said at the start plus the time since: a clock that is
/// set back, by an hour even, keeps no mail waiting.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    since: Instant,
}

impl Clock {
    /// Starts one.
    pub fn new() -> Self {
        Clock { start: Timestamp::now(), since: Instant::now() }
    }

    /// When it was started, as stamps tell it that were made since: the earlier of what the computer's clock said then
    /// and what it would have said, had it been right as it is now.
    pub fn start(&self) -> Timestamp {
        self.started(Timestamp::now(), Instant::now())
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.shows(Timestamp::now(), Instant::now())
    }

    fn started(&self, said: Timestamp, now: Instant) -> Timestamp {
        self.start.min(Timestamp(said.0.saturating_sub(self.passed(now))))
    }

    fn shows(&self, said: Timestamp, now: Instant) -> Timestamp {
        said.max(Timestamp(self.start.0.saturating_add(self.passed(now))))
    }

    /// Seconds since the start.
    fn passed(&self, now: Instant) -> i64 {
        i64::try_from(now.saturating_duration_since(self.since).as_secs()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn does_not_go_back() {
        let clock = Clock { start: Timestamp(10_000), since: Instant::now() };
        for (said, passed, expected) in
            [(10_005, 5, 10_005), (6_405, 5, 10_005), (13_600, 5, 13_600), (0, 7200, 17_200)]
        {
            let now = clock.since + Duration::from_secs(passed);
            assert_eq!(clock.shows(Timestamp(said), now), Timestamp(expected), "{said} {passed}");
        }
    }

    /// One that was ahead at the start, or behind: what was done since is not before it.
    #[test]
    fn knows_its_start_when_it_was_wrong() {
        let clock = Clock { start: Timestamp(10_000), since: Instant::now() };
        for (said, passed, expected) in [(10_005, 5, 10_000), (6_405, 5, 6_400), (13_605, 5, 10_000)] {
            let now = clock.since + Duration::from_secs(passed);
            assert_eq!(clock.started(Timestamp(said), now), Timestamp(expected), "{said} {passed}");
        }
    }
}
