//! The scripts that an account has, by name; one of them may be active.

use base::AccountId;
pub use base::script::{MOST_SCRIPT_OCTETS, MOST_SCRIPTS, ScriptEntry, ScriptError};

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

    /// Gives a script another name that none has; an active one stays active (RFC 5804 §2.11).
    fn rename(&self, of: AccountId, from: &str, to: &str) -> Result<(), ScriptError>;

    /// Removes a script that is not active (RFC 5804 §2.10).
    fn remove(&self, of: AccountId, name: &str) -> Result<(), ScriptError>;

    /// What is to be done with an account's mail besides its scripts, as [`Scripts::set_standing`] was given it.
    /// Cheap where there is nothing: asked for each message.
    fn standing(&self, of: AccountId) -> Result<Option<String>, ScriptError>;

    /// Replaces that; `None`: nothing is any more.
    fn set_standing(&self, of: AccountId, text: Option<&str>) -> Result<(), ScriptError>;
}

/// A script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}
