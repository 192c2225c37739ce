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

    /// When it was started.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.shows(Timestamp::now(), Instant::now())
    }

    fn shows(&self, said: Timestamp, now: Instant) -> Timestamp {
        let passed = now.saturating_duration_since(self.since).as_secs();
        said.max(Timestamp(self.start.0.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))))
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
}
