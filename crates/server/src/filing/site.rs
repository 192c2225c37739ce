//! The site's own scripts: they run for every account, before and after its own.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::scripts::MOST_SCRIPT_OCTETS;

/// All of them.
#[derive(Clone, Default, Debug)]
pub struct SiteScripts {
    /// Those that run first.
    pub before: Vec<SiteScript>,
    /// Those that run last.
    pub after: Vec<SiteScript>,
}

/// One of them.
#[derive(Clone)]
pub struct SiteScript {
    /// Its file, for the log.
    pub name: String,
    /// The script.
    pub script: Arc<sieve::Script>,
}

impl SiteScripts {
    /// Reads and compiles them.
    ///
    /// # Errors
    /// The first that can't be read or has a fault, and where.
    pub fn read(before: &[PathBuf], after: &[PathBuf]) -> Result<Self, String> {
        let read =
            |files: &[PathBuf]| files.iter().map(|file| SiteScript::read(file)).collect::<Result<_, _>>();
        Ok(SiteScripts { before: read(before)?, after: read(after)? })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl SiteScript {
    fn read(file: &Path) -> Result<Self, String> {
        let name = file.display().to_string();
        let failed = |error: std::io::Error| format!("cannot read {name}: {error}");
        let mut text = String::new();
        let bounded = File::open(file).map_err(failed)?.take(MOST_SCRIPT_OCTETS as u64 + 1);
        { bounded }.read_to_string(&mut text).map_err(failed)?;
        // One that is too long is told so by the compiler.
        let script = super::compile(&text).map_err(|error| format!("{name}: {error}"))?;
        Ok(SiteScript { name, script: Arc::new(script) })
    }
}

impl fmt::Debug for SiteScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
