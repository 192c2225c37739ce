//! The scripts that an account has, by name; one of them may be active.

use base::AccountId;
use std::fmt;

/// Scripts that an account may have.
pub const MOST_SCRIPTS: usize = 32;

/// Octets that one of them may have.
pub const MOST_SCRIPT_OCTETS: usize = 256 * 1024;

/// An account's Sieve scripts. The store keeps them sealed and does not read them.
pub trait Scripts: Send + Sync {
    /// Their names, in order, and which one is active.
    fn list(&self, of: AccountId) -> Result<Vec<ScriptEntry>, ScriptError>;

    /// A script's text.
    fn text(&self, of: AccountId, name: &str) -> Result<String, ScriptError>;

    /// The active script, if there is one. Cheap where there is none: asked for each message.
    fn active(&self, of: AccountId) -> Result<Option<Script>, ScriptError>;

    /// Adds a script or replaces it; an active one stays active.
    fn put(&self, of: AccountId, name: &str, text: &str) -> Result<(), ScriptError>;

    /// Makes a script the active one, instead of the one that is; `None`: none is any more.
    fn activate(&self, of: AccountId, name: Option<&str>) -> Result<(), ScriptError>;

    /// Removes a script that is not active (RFC 5804 §2.10).
    fn remove(&self, of: AccountId, name: &str) -> Result<(), ScriptError>;
}

/// A script as lists show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptEntry {
    /// Its name.
    pub name: String,
    /// Whether it is the one that runs.
    pub active: bool,
}

/// A script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a script could not be kept, found or removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScriptError {
    /// No such script.
    Missing,
    /// It is active.
    Active,
    /// The account has [`MOST_SCRIPTS`] already.
    TooMany,
    /// It has more than [`MOST_SCRIPT_OCTETS`].
    TooLarge,
    /// The account is gone.
    NoAccount,
    /// The store can't now; for the log.
    Failed(String),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptError::Missing => f.write_str("there is no such script"),
            ScriptError::Active => f.write_str("the script is active"),
            ScriptError::TooMany => write!(f, "there are {MOST_SCRIPTS} scripts already, and no more may be"),
            ScriptError::TooLarge => {
                write!(f, "the script has more than {} KiB", MOST_SCRIPT_OCTETS / 1024)
            }
            ScriptError::NoAccount => f.write_str("there is no such account"),
            ScriptError::Failed(why) => f.write_str(why),
        }
    }
}
