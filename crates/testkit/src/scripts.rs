//! One account's scripts in memory.

use session::scripts::{MOST_SCRIPTS, ScriptEntry, ScriptError, Scripts};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Scripts of `alice@example.test`. One that holds the word `wrong` has a fault.
#[derive(Default)]
pub struct FakeScripts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    texts: BTreeMap<String, String>,
    active: Option<String>,
    broken: bool,
}

impl FakeScripts {
    /// Makes every call fail from now on.
    pub fn break_down(&self) {
        self.lock().broken = true;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Kept>, ScriptError> {
        let kept = self.lock();
        match kept.broken {
            true => Err(ScriptError::Failed("broken by the test".into())),
            false => Ok(kept),
        }
    }
}

impl Scripts for FakeScripts {
    fn owner(&self) -> String {
        "alice@example.test".into()
    }

    fn check(&self, text: &str) -> Result<(), String> {
        match text.lines().position(|line| line.contains("wrong")) {
            Some(line) => Err(format!("line {}: \"wrong\" is wrong", line + 1)),
            None => Ok(()),
        }
    }

    fn list(&self) -> Result<Vec<ScriptEntry>, ScriptError> {
        let kept = self.working()?;
        let entry =
            |name: &String| ScriptEntry { name: name.clone(), active: kept.active.as_ref() == Some(name) };
        Ok(kept.texts.keys().map(entry).collect())
    }

    fn text(&self, name: &str) -> Result<String, ScriptError> {
        self.working()?.texts.get(name).cloned().ok_or(ScriptError::Missing)
    }

    fn put(&self, name: &str, text: &str) -> Result<(), ScriptError> {
        let mut kept = self.working()?;
        if name.is_empty() || name.contains('/') {
            return Err(ScriptError::BadName);
        }
        if kept.texts.len() >= MOST_SCRIPTS && !kept.texts.contains_key(name) {
            return Err(ScriptError::TooMany);
        }
        kept.texts.insert(name.into(), text.into());
        Ok(())
    }

    fn activate(&self, name: Option<&str>) -> Result<(), ScriptError> {
        let mut kept = self.working()?;
        if name.is_some_and(|name| !kept.texts.contains_key(name)) {
            return Err(ScriptError::Missing);
        }
        kept.active = name.map(str::to_owned);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), ScriptError> {
        let mut kept = self.working()?;
        if kept.texts.contains_key(to) {
            return Err(ScriptError::Exists);
        }
        let text = kept.texts.remove(from).ok_or(ScriptError::Missing)?;
        kept.texts.insert(to.into(), text);
        if kept.active.as_deref() == Some(from) {
            kept.active = Some(to.into());
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), ScriptError> {
        let mut kept = self.working()?;
        if kept.active.as_deref() == Some(name) {
            return Err(ScriptError::Active);
        }
        kept.texts.remove(name).map(drop).ok_or(ScriptError::Missing)
    }
}
