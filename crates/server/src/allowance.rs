//! How much each user may send: a program gone wild, somebody who got into a web server, or a script that answers all the
//! world must not be able to send without end. Counts are kept in memory; a restart forgets them.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Users whose counts are kept. One who has subordinate uids could take as many as there are; beyond this number those not
/// seen yet wait till a count is over.
const MOST_USERS: usize = 4096;

/// What a user may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Most {
    /// Messages within an hour.
    pub messages_per_hour: u64,
    /// Messages within a day.
    pub messages_per_day: u64,
    /// Recipients within a day, each of each message.
    pub recipients_per_day: u64,
}

/// A limit that was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// [`Most::messages_per_hour`].
    MessagesPerHour,
    /// [`Most::messages_per_day`].
    MessagesPerDay,
    /// [`Most::recipients_per_day`].
    RecipientsPerDay,
    /// Too many users send at the same time.
    Users,
}

impl Reached {
    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Reached::MessagesPerHour => "messages_per_hour",
            Reached::MessagesPerDay => "messages_per_day",
            Reached::RecipientsPerDay => "recipients_per_day",
            Reached::Users => "users at the same time",
        }
    }
}

/// What each user has sent; `U` is what users are told apart by.
pub struct Allowance<U> {
    most: Most,
    users: Mutex<HashMap<U, Sent>>,
}

/// What a user has sent in the hour and the day that began with a message.
struct Sent {
    hour: Instant,
    day: Instant,
    in_hour: u64,
    in_day: u64,
    recipients: u64,
}

impl<U: Eq + Hash> Allowance<U> {
    /// Nobody has sent anything yet.
    pub fn new(most: Most) -> Self {
        Allowance { most, users: Mutex::default() }
    }

    /// Counts a message; the limit that it would pass, and then it is not counted.
    pub fn take(&self, user: U, recipients: u64, now: Instant) -> Result<(), Reached> {
        let mut users = self.users.lock();
        if !users.contains_key(&user) && users.len() >= MOST_USERS {
            users.retain(|_, sent| now.duration_since(sent.day) < DAY);
            if users.len() >= MOST_USERS {
                return Err(Reached::Users);
            }
        }
        let sent = users.entry(user).or_insert_with(|| Sent::new(now));
        sent.turn(now);
        let limits = [
            (sent.in_hour + 1, self.most.messages_per_hour, Reached::MessagesPerHour),
            (sent.in_day + 1, self.most.messages_per_day, Reached::MessagesPerDay),
            (
                sent.recipients.saturating_add(recipients),
                self.most.recipients_per_day,
                Reached::RecipientsPerDay,
            ),
        ];
        if let Some((_, _, reached)) = limits.iter().find(|(count, most, _)| count > most) {
            return Err(*reached);
        }
        sent.in_hour += 1;
        sent.in_day += 1;
        sent.recipients = sent.recipients.saturating_add(recipients);
        Ok(())
    }
}

impl Sent {
    fn new(now: Instant) -> Self {
        Sent { hour: now, day: now, in_hour: 0, in_day: 0, recipients: 0 }
    }

    /// Begins a new hour or day when the old one is over.
    fn turn(&mut self, now: Instant) {
        if now.duration_since(self.day) >= DAY {
            *self = Sent::new(now);
        }
        if now.duration_since(self.hour) >= HOUR {
            (self.hour, self.in_hour) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as (uid, recipients, minutes since the start), and what becomes of each.
    fn check(messages: &[(u32, u64, u64, Result<(), Reached>)]) {
        let most = Most { messages_per_hour: 2, messages_per_day: 3, recipients_per_day: 10 };
        let (allowance, start) = (Allowance::new(most), Instant::now());
        for (uid, recipients, minutes, expected) in messages {
            let now = start + Duration::from_secs(minutes * 60);
            assert_eq!(allowance.take(*uid, *recipients, now), *expected, "{uid} {recipients} {minutes}");
        }
    }

    #[test]
    fn each_user_has_its_limits() {
        let (hour, day) = (Err(Reached::MessagesPerHour), Err(Reached::MessagesPerDay));
        check(&[
            (1, 1, 0, Ok(())),
            (1, 1, 0, Ok(())),
            (1, 1, 59, hour),
            (2, 1, 59, Ok(())),
            (1, 1, 60, Ok(())),
        ]);
        check(&[
            (1, 1, 0, Ok(())),
            (1, 1, 0, Ok(())),
            (1, 1, 60, Ok(())),
            (1, 1, 1439, day),
            (1, 1, 1440, Ok(())),
        ]);
        let many = Err(Reached::RecipientsPerDay);
        check(&[(1, 9, 0, Ok(())), (1, 2, 0, many), (1, u64::MAX, 0, many), (1, 1, 0, Ok(()))]);
    }

    #[test]
    fn users_without_end_take_no_memory_without_end() {
        let most = Most { messages_per_hour: 1, messages_per_day: 1, recipients_per_day: 1 };
        let (allowance, start) = (Allowance::new(most), Instant::now());
        let refused = (0..10_000).filter(|uid| allowance.take(*uid, 1, start).is_err()).count();
        assert_eq!(refused, 10_000 - MOST_USERS);
        assert_eq!(allowance.take(10_001, 1, start + DAY), Ok(()));
    }
}
