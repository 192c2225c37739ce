//! What filing comes to: all that is to be committed together.

use base::{AccountId, Reply};
use gate::{Origin, Screened};
use store::Remembered;

/// What filing came to.
pub enum Outcome {
    /// To be committed.
    Filed(Filed),
    /// No recipient's script takes it (RFC 5429 §2.1.1): what the peer is told.
    Refused(Reply),
}

/// A message with all that its recipients' scripts want besides, to be committed together.
#[derive(Clone, Default)]
pub struct Filed {
    /// The message first; altered copies, what is sent on, notifications and notices.
    pub mail: Vec<Screened>,
    /// What is to be remembered, and the replies that depend on it.
    pub memory: Vec<Remembered>,
}

impl Filed {
    /// Adds what another message came to.
    pub fn add(&mut self, other: Filed) {
        self.mail.extend(other.mail);
        self.memory.extend(other.memory);
    }

    /// The same with quarantine in place of an account's mailboxes. None where nothing would be delivered to anybody
    /// else, or the account gets nothing.
    pub fn held_for(mut self, account: AccountId, reason: &str) -> Option<Filed> {
        let gets = self.mail.iter().any(|one| one.is_for(account));
        let others = self.mail.iter().filter(|one| one.inside() != Some(Origin::Internal));
        let others = others.filter(|one| one.is_for_others(account)).count() > 0;
        self.mail = self.mail.into_iter().map(|one| one.held_for(account, reason)).collect();
        (gets && others).then_some(self)
    }

    /// The message's copies: as it came, and altered.
    pub fn copies(&self) -> impl Iterator<Item = &Screened> {
        let trace = self.mail.first().map(|one| one.mail().trace);
        self.mail.iter().filter(move |one| Some(one.mail().trace) == trace)
    }

    /// Everything that may be committed.
    pub fn all(&self) -> impl Iterator<Item = &Screened> {
        self.mail.iter().chain(self.memory.iter().filter_map(|one| one.unless_known.as_ref()))
    }
}
