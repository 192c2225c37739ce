//! Scripts that were compiled before.

use parking_lot::Mutex;
use sieve::{CompileError, Script};
use std::collections::HashMap;
use std::sync::Arc;

/// Octets of all texts whose scripts are kept compiled.
const KEPT_OCTETS: usize = 2 * 1024 * 1024;

/// Compiled scripts by text, so that a changed script is another.
#[derive(Default)]
pub struct Compiled {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    scripts: HashMap<String, Arc<Script>>,
    octets: usize,
}

impl Compiled {
    /// The script of this text.
    ///
    /// # Errors
    /// Its first fault.
    pub fn script(&self, text: &str) -> Result<Arc<Script>, CompileError> {
        if let Some(known) = self.kept.lock().scripts.get(text) {
            return Ok(known.clone());
        }
        let script = Arc::new(super::compile(text)?);
        // Regular expressions may take a hundred times the memory of their text: such scripts are compiled each time.
        if !text.contains("regex") {
            self.kept.lock().keep(text, script.clone());
        }
        Ok(script)
    }
}

impl Kept {
    /// Begins anew when full: what is used comes back at once.
    fn keep(&mut self, text: &str, script: Arc<Script>) {
        if self.octets + text.len() > KEPT_OCTETS {
            *self = Kept::default();
        }
        if self.scripts.insert(text.to_owned(), script).is_none() {
            self.octets += text.len();
        }
    }
}
