//! What ManageSieve needs of one account's scripts: a trait in its words, so that the session knows neither the store
//! nor the language.

pub use base::script::{MOST_SCRIPT_OCTETS, MOST_SCRIPTS, ScriptEntry, ScriptError};

/// One account's Sieve scripts. Plain blocking code.
pub trait Scripts: Send + Sync {
    /// Whose they are: the account's address.
    fn owner(&self) -> String;

    /// Says what is wrong with a script, with line and column, as it would be found when the script is to run.
    fn check(&self, text: &str) -> Result<(), String>;

    /// Their names, in order, and which one is active.
    fn list(&self) -> Result<Vec<ScriptEntry>, ScriptError>;

    /// A script's text.
    fn text(&self, name: &str) -> Result<String, ScriptError>;

    /// Adds a script or replaces it; an active one stays active. It was checked.
    fn put(&self, name: &str, text: &str) -> Result<(), ScriptError>;

    /// Makes a script the active one, instead of the one that is; `None`: none is any more.
    fn activate(&self, name: Option<&str>) -> Result<(), ScriptError>;

    /// Gives a script another name that none has.
    fn rename(&self, from: &str, to: &str) -> Result<(), ScriptError>;

    /// Removes a script that is not active.
    fn remove(&self, name: &str) -> Result<(), ScriptError>;
}
