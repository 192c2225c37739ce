//! `mailward sieve`: users' scripts.

use super::Listing;
use super::run::{ask, print};
use crate::control::{Request, ScriptRequest};
use clap::Subcommand;
use std::io::Read;
use std::path::{Path, PathBuf};
use store::scripts::MOST_SCRIPT_OCTETS;

pub const EXAMPLES: &str = "Examples:
  mailward sieve check rules.sieve                              is it right? needs no server
  mailward sieve put anna@example.org main rules.sieve --activate
  mailward sieve list anna@example.org
  mailward sieve get anna@example.org main > rules.sieve
  mailward sieve deactivate anna@example.org

A script files mail when it is delivered; an error while it runs keeps the mail. docs/sieve.md tells what scripts may use.";

/// Users' scripts.
#[derive(Subcommand, Debug)]
pub enum Sieve {
    /// Give an account a script, or another text for it; one with faults is refused
    Put {
        /// Whose
        address: String,
        /// What it is called
        name: String,
        /// The file; "-" is standard input
        file: PathBuf,
        /// Let it file mail from now on, instead of the one that does
        #[arg(long)]
        activate: bool,
    },
    /// Print a script
    Get {
        /// Whose
        address: String,
        /// Which
        name: String,
    },
    /// List an account's scripts, and which one is active
    List {
        /// Whose
        address: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Let a script file mail from now on, instead of the one that does
    Activate {
        /// Whose
        address: String,
        /// Which
        name: String,
    },
    /// Let no script file an account's mail
    Deactivate {
        /// Whose
        address: String,
    },
    /// Remove a script that is not active
    Remove {
        /// Whose
        address: String,
        /// Which
        name: String,
    },
    /// Say whether a script is right; exit 1 with line and column if it isn't
    Check {
        /// The file; "-" is standard input
        file: PathBuf,
    },
}

/// Does it.
pub fn obey(files: &[PathBuf], command: Sieve) -> Result<(), String> {
    let mut json = false;
    let (address, what) = match command {
        Sieve::Check { file } => return check(&file),
        Sieve::Put { address, name, file, activate } => {
            (address, ScriptRequest::Put { name, text: read(&file)?, activate })
        }
        Sieve::Get { address, name } => (address, ScriptRequest::Get { name }),
        Sieve::List { address, listing } => {
            json = listing.json;
            (address, ScriptRequest::List)
        }
        Sieve::Activate { address, name } => (address, ScriptRequest::Activate { name }),
        Sieve::Deactivate { address } => (address, ScriptRequest::Deactivate),
        Sieve::Remove { address, name } => (address, ScriptRequest::Remove { name }),
    };
    ask(files, &Request::Sieve { address, what }, json)
}

fn check(file: &Path) -> Result<(), String> {
    crate::filing::compile(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    print(b"the script is right\n")
}

/// The text of a file, or of standard input.
pub fn read(file: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", file.display());
    let mut octets = Vec::new();
    let most = MOST_SCRIPT_OCTETS as u64 + 1;
    match file == Path::new("-") {
        true => std::io::stdin().take(most).read_to_end(&mut octets).map_err(failed)?,
        false => {
            std::fs::File::open(file).map_err(failed)?.take(most).read_to_end(&mut octets).map_err(failed)?
        }
    };
    if octets.len() > MOST_SCRIPT_OCTETS {
        return Err(format!("{} has more than {} KiB", file.display(), MOST_SCRIPT_OCTETS / 1024));
    }
    String::from_utf8(octets).map_err(|_| format!("{} is not UTF-8", file.display()))
}
