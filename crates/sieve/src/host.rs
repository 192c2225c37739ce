//! What a script is run on, and what it asks of the server round it.

use crate::Script;
use base::{Address, MailboxName, Octets, ReversePath, SpecialUse, Timestamp};
use std::sync::Arc;
use wire::mime::Tree;

/// A message on its way into an account.
pub struct Mail<'a> {
    /// The message's structure.
    pub tree: &'a Tree,
    /// Its octets, to which the structure belongs.
    pub raw: &'a dyn Octets,
    /// MAIL FROM.
    pub sender: &'a ReversePath,
    /// RCPT TO: the one recipient that this run is for.
    pub recipient: &'a Address,
    /// All addresses that are known to be the account's: a vacation reply goes only to mail that names one of them,
    /// `recipient` or one that the script lists.
    pub addresses: &'a [Address],
    /// The time of the run.
    pub now: Timestamp,
    /// The account's time zone, minutes east of UTC.
    pub zone_minutes: i16,
}

/// Where an included script lies (RFC 6609 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// Among the account's own scripts.
    Personal,
    /// Among the site's.
    Global,
}

/// Why there is no script to include.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoScript {
    /// There is none of that name: no error for `:optional`.
    Missing,
    /// There is one, but it can't be run; the reason in words.
    Broken(String),
}

/// A message as the `duplicate` test names it (RFC 7352 §3.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DuplicateId {
    /// Tests of different handles do not see each other's messages.
    pub handle: Option<String>,
    /// The unique id. It may be as long as a header field: better keep a hash of it and of the handle.
    pub id: String,
}

/// What only the server knows. Each method answers for the account that the script belongs to; without an answer of
/// its own, a host knows of nothing.
pub trait Host {
    /// Whether a mailbox exists and may be delivered into (RFC 5490 §3.1).
    fn mailbox_exists(&self, _name: &MailboxName) -> bool {
        false
    }

    /// Whether some mailbox, or the one named, has a special use (RFC 8579 §4).
    fn special_use_exists(&self, _special_use: SpecialUse, _mailbox: Option<&MailboxName>) -> bool {
        false
    }

    /// A script to include. The name is checked: no path separators, no control characters, 128 characters at most.
    ///
    /// # Errors
    /// See [`NoScript`].
    fn script(&self, _place: Place, _name: &str) -> Result<Arc<Script>, NoScript> {
        Err(NoScript::Missing)
    }

    /// Whether an earlier run remembered this message ([`crate::Outcome::duplicates`]).
    fn is_duplicate(&self, _id: &DuplicateId) -> bool {
        false
    }

    /// How likely the message is spam, 0 to 100; `None` if it was not looked at (RFC 5235 §2).
    fn spam_percent(&self) -> Option<u8> {
        None
    }

    /// What the virus check found: 1 is clean, 5 is surely a virus; `None` if it was not looked at (RFC 5235 §3).
    fn virus_level(&self) -> Option<u8> {
        None
    }

    /// An item of the environment (RFC 5183 §4.1): `domain`, `host`, `location`, `name`, `phase`, `remote-host`,
    /// `remote-ip`, `version`. The item is in lower case.
    fn environment(&self, _item: &str) -> Option<String> {
        None
    }
}

/// A host that knows of nothing: for trying a script out.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoHost;

impl Host for NoHost {}
