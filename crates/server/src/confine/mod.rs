//! Confinement: a server that somebody has taken over by a fault in it should get nowhere. Before a byte from outside is
//! read, it drops what its user and capabilities allow ([`privileges`]), closes all files and ports but its own
//! ([`landlock`]) and all system calls but those it makes ([`seccomp`]). [`trials`] shows that this holds.
//!
//! What comes later, such as children that scan, must be started by the keeper: the server can start no program.

mod identity;
mod landlock;
pub mod privileges;
mod seccomp;
pub mod trials;

use crate::config::Config;
use landlock::Reach;
use tracing::{info, warn};

/// What became of it, for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Confined {
    /// The configuration does not want it.
    Off,
    /// As far as the kernel could.
    On {
        /// How Landlock is.
        landlock: String,
        /// How seccomp is.
        seccomp: String,
    },
}

impl Confined {
    /// Says it in the log.
    pub fn tell(&self) {
        match self {
            Confined::Off => warn!("the server is not confined (sandbox.enabled = false)"),
            Confined::On { landlock, seccomp } if landlock == ON && seccomp == ON => {
                info!(landlock, seccomp, "confined");
            }
            Confined::On { landlock, seccomp } => warn!(landlock, seccomp, "confined only in part"),
        }
    }
}

/// All of it holds.
const ON: &str = "on";

/// Confines this process for good; for a process with one thread. Where the kernel lacks something, the rest is done, and that is an
/// error only if the configuration wants all of it. The error is a text to print.
pub fn confine(config: &Config) -> Result<Confined, String> {
    if !config.sandbox.enabled {
        return Ok(Confined::Off);
    }
    let landlock = match Reach::of(config).restrict() {
        Ok(status) => landlock::told(&status).to_owned(),
        Err(error) => format!("off: {error}"),
    };
    let seccomp = seccomp::restrict().map_or_else(|error| format!("off: {error}"), |()| ON.to_owned());
    if config.sandbox.required && (landlock != ON || seccomp != ON) {
        return Err(format!(
            "the kernel can't confine the server wholly (Landlock: {landlock}; seccomp: {seccomp}), and sandbox.required \
             says that it must"
        ));
    }
    Ok(Confined::On { landlock, seccomp })
}
