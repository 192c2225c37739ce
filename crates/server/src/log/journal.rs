//! The log in systemd's journal, by its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): each line is a datagram with
//! its priority. A journal that is not there or does not keep up loses lines, and holds nobody up.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Where the journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// Octets of a line, which must fit a datagram; the rest is cut.
const MOST_LINE: usize = 48 * 1024;

/// A way to the journal.
pub struct Journal(Arc<UnixDatagram>);

impl Journal {
    /// Finds the journal.
    pub fn open(socket: &Path) -> io::Result<Self> {
        let datagrams = UnixDatagram::unbound()?;
        datagrams.connect(socket)?;
        datagrams.set_nonblocking(true)?;
        Ok(Journal(Arc::new(datagrams)))
    }
}

impl MakeWriter<'_> for Journal {
    type Writer = Entry;

    fn make_writer(&self) -> Entry {
        Entry { socket: self.0.clone(), priority: priority(Level::INFO) }
    }

    fn make_writer_for(&self, about: &Metadata<'_>) -> Entry {
        Entry { socket: self.0.clone(), priority: priority(*about.level()) }
    }
}

/// syslog(3) has the numbers.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// A line on its way; it comes in one piece.
pub struct Entry {
    socket: Arc<UnixDatagram>,
    priority: u8,
}

impl Write for Entry {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Where the time would stand is a space.
        let message = line.trim_ascii();
        let message = message.get(..MOST_LINE).unwrap_or(message);
        let mut datagram =
            format!("PRIORITY={}\nSYSLOG_IDENTIFIER=mailward\nMESSAGE\n", self.priority).into_bytes();
        // With its length before it, no line in it can be taken for a field.
        datagram.extend_from_slice(&(message.len() as u64).to_le_bytes());
        datagram.extend_from_slice(message);
        datagram.push(b'\n');
        // A line that is not taken is lost.
        let _ = self.socket.send(&datagram);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let log = Journal::open(&path).unwrap();
        log.make_writer().write_all(b"two\nPRIORITY=0\n").unwrap();
        let mut datagram = [0; 200];
        let length = journal.recv(&mut datagram).unwrap();
        let expected =
            b"PRIORITY=6\nSYSLOG_IDENTIFIER=mailward\nMESSAGE\n\x0e\0\0\0\0\0\0\0two\nPRIORITY=0\n";
        assert_eq!(&datagram[..length], expected);
        // It is never waited for.
        for _ in 0..10_000 {
            log.make_writer().write_all(b"more\n").unwrap();
        }
    }
}
