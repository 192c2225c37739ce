//! The sockets that services listen on: where they come from is decided here, once. The server opens them itself
//! ([`Sockets::open`]), has them from systemd ([`Sockets::of_systemd`]), or gets them from its keeper
//! ([`crate::keeper::Line::receive`]).

use crate::config::Door;
use listenfd::ListenFd;
use rustix::io::FdFlags;
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Listening sockets by the address that the configuration names.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(SocketAddr, TcpListener)>);

impl Sockets {
    /// Those that systemd opened for us (sd_listen_fds(3)), each by the address that it listens on.
    pub fn of_systemd() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for number in 0..handed.len() {
            if let Some(socket) = handed.take_tcp_listener(number)? {
                socket.set_nonblocking(true)?;
                // None but this process gets it, unless it is handed on.
                rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
                sockets.push((socket.local_addr()?, socket));
            }
        }
        Ok(Sockets(sockets))
    }

    /// Listens on every address of these doors. What is at hand already is used again, what is wanted no more is closed.
    /// Tells what could not be opened, too.
    pub fn open(doors: &[Door], mut at_hand: Sockets) -> (Self, Vec<String>) {
        let (mut sockets, mut failed) = (Vec::new(), Vec::new());
        let wanted: Vec<SocketAddr> = doors.iter().flat_map(|door| door.addresses.iter().copied()).collect();
        let kept: Vec<_> = wanted.iter().map(|address| at_hand.take(*address)).collect();
        // Before others are opened: a closed socket may be in the way of a new one (0.0.0.0 and 127.0.0.1).
        drop(at_hand);
        for (address, kept) in wanted.into_iter().zip(kept) {
            match kept.map_or_else(|| net::listen(address), |socket| Ok(Some(socket))) {
                Ok(socket) => sockets.extend(socket.map(|socket| (address, socket))),
                Err(error) => failed.push(error.to_string()),
            }
        }
        (Sockets(sockets), failed)
    }

    /// Those of one door.
    pub fn take_door(&mut self, door: &Door) -> Vec<TcpListener> {
        door.addresses.iter().filter_map(|address| self.take(*address)).collect()
    }

    fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let at = self.0.iter().position(|(known, _)| *known == address)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The addresses, in order.
    pub fn addresses(&self) -> BTreeSet<SocketAddr> {
        self.0.iter().map(|(address, _)| *address).collect()
    }

    /// Each with its address.
    pub fn all(&self) -> &[(SocketAddr, TcpListener)] {
        &self.0
    }
}

impl FromIterator<(SocketAddr, TcpListener)> for Sockets {
    fn from_iter<I: IntoIterator<Item = (SocketAddr, TcpListener)>>(sockets: I) -> Self {
        Sockets(sockets.into_iter().collect())
    }
}
