//! The sockets that services listen on: where they come from is decided here, once. The server opens them itself
//! ([`Sockets::open`]) or gets them from its keeper ([`crate::keeper::Line::receive`]).

use crate::config::Door;
use std::net::{SocketAddr, TcpListener};

/// Listening sockets by the address that the configuration names.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(SocketAddr, TcpListener)>);

impl Sockets {
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
