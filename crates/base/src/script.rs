//! Users' Sieve scripts in plain values: what those who keep them and those who serve them share.

use std::fmt;

/// Scripts that an account may have.
pub const MOST_SCRIPTS: usize = 32;

/// Octets that one of them may have.
pub const MOST_SCRIPT_OCTETS: usize = 256 * 1024;

/// A script as lists show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptEntry {
    /// Its name.
    pub name: String,
    /// Whether it is the one that runs.
    pub active: bool,
}

/// Why a script could not be kept, found, renamed or removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScriptError {
    /// No such script.
    Missing,
    /// There is one of that name.
    Exists,
    /// It is active.
    Active,
    /// The account has [`MOST_SCRIPTS`] already.
    TooMany,
    /// It has more than [`MOST_SCRIPT_OCTETS`].
    TooLarge,
    /// No script can be called that.
    BadName,
    /// The account is gone.
    NoAccount,
    /// The store can't now; for the log.
    Failed(String),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptError::Missing => f.write_str("there is no such script"),
            ScriptError::Exists => f.write_str("there is a script of that name already"),
            ScriptError::Active => f.write_str("the script is active"),
            ScriptError::TooMany => write!(f, "there are {MOST_SCRIPTS} scripts already, and no more may be"),
            ScriptError::TooLarge => {
                write!(f, "the script has more than {} KiB", MOST_SCRIPT_OCTETS / 1024)
            }
            ScriptError::BadName => {
                f.write_str("this can't be a script's name: at most 128 characters, no slashes")
            }
            ScriptError::NoAccount => f.write_str("there is no such account"),
            ScriptError::Failed(why) => f.write_str(why),
        }
    }
}
