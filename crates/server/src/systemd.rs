//! What systemd is told (sd_notify(3)): that the server is ready, reads its configuration again, stops, how it is, and,
//! where a watchdog watches, that it still answers.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to systemd, if it started us and wants to know.
pub struct Systemd {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// As the environment says.
    pub fn of_environment() -> Self {
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let socket = env::var("NOTIFY_SOCKET").ok().and_then(|path| connect(&path).ok());
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
        // A keeper that systemd started may have started us.
        let is_meant = match number("WATCHDOG_PID") {
            Some(pid) => {
                pid == u64::from(std::process::id()) || parent.is_some_and(|parent| pid == u64::from(parent))
            }
            None => true,
        };
        let watchdog = number("WATCHDOG_USEC").filter(|_| is_meant).map(Duration::from_micros);
        Systemd { socket, watchdog }
    }

    /// All that must work before is there.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// The configuration is read again; [`Systemd::ready`] follows.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// The server ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=finishing what is under way");
    }

    /// How it is, in a line.
    pub fn status(&self, status: &str) {
        self.say(&format!("STATUS={status}"));
    }

    /// How often the watchdog is to be fed: what comes late is not too late yet.
    pub fn feeding_time(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|time| time / 3)
    }

    /// The server answers.
    pub fn feed(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket {
            // A manager that does not listen can't be helped.
            let _ = socket.send(what.as_bytes());
        }
    }
}

/// `@` stands for the NUL that an abstract name begins with.
fn connect(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match path.strip_prefix('@') {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(path)?,
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// systemd's own format: NAME=VALUE lines in a datagram.
    #[test]
    fn what_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let socket = connect(path.to_str().unwrap()).ok();
        let systemd = Systemd { socket, watchdog: Some(Duration::from_secs(30)) };
        assert_eq!(systemd.feeding_time(), Some(Duration::from_secs(10)));
        let heard = || {
            let mut datagram = [0; 200];
            let length = manager.recv(&mut datagram).unwrap();
            String::from_utf8(datagram[..length].to_vec()).unwrap()
        };
        systemd.ready("fine");
        assert_eq!(heard(), "READY=1\nSTATUS=fine");
        systemd.reloading();
        assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        systemd.feed();
        assert_eq!(heard(), "WATCHDOG=1");
        systemd.stopping();
        assert!(heard().starts_with("STOPPING=1\n"));
    }
}
