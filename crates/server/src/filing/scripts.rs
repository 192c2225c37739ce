//! One account's scripts, as the ManageSieve session wants them.

use session::scripts::Scripts;
use std::sync::Arc;
use store::scripts::{ScriptEntry, ScriptError};
use store::{Account, Store};

/// An account's scripts, for as long as a session is logged in.
pub struct AccountScripts {
    account: Account,
    store: Arc<dyn Store>,
}

impl AccountScripts {
    /// The scripts of `account`.
    pub fn new(account: Account, store: Arc<dyn Store>) -> Self {
        AccountScripts { account, store }
    }
}

impl Scripts for AccountScripts {
    fn owner(&self) -> String {
        self.account.address.to_string()
    }

    fn check(&self, text: &str) -> Result<(), String> {
        super::compile(text).map(drop).map_err(|error| error.to_string())
    }

    fn list(&self) -> Result<Vec<ScriptEntry>, ScriptError> {
        self.store.scripts().list(self.account.id)
    }

    fn text(&self, name: &str) -> Result<String, ScriptError> {
        self.store.scripts().text(self.account.id, name)
    }

    fn put(&self, name: &str, text: &str) -> Result<(), ScriptError> {
        fit_to_be(name)?;
        self.store.scripts().put(self.account.id, name, text)
    }

    fn activate(&self, name: Option<&str>) -> Result<(), ScriptError> {
        self.store.scripts().activate(self.account.id, name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), ScriptError> {
        fit_to_be(to)?;
        self.store.scripts().rename(self.account.id, from, to)
    }

    fn remove(&self, name: &str) -> Result<(), ScriptError> {
        self.store.scripts().remove(self.account.id, name)
    }
}

fn fit_to_be(name: &str) -> Result<(), ScriptError> {
    if sieve::is_script_name(name) { Ok(()) } else { Err(ScriptError::BadName) }
}
