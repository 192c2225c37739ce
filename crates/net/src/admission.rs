//! How many connections there may be: in all, from one network, and from one peer.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Notify;

/// Counts connections: in all, by network and by peer. One for all listeners of the server.
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    left: Notify,
}

/// How many connections there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Most {
    /// In all.
    pub all: usize,
    /// Of one network: an IPv4 /24, or the /48 that an IPv6 site is given (RFC 6177).
    pub network: usize,
    /// Of one peer's [`Block`].
    pub peer: usize,
}

#[derive(Debug)]
struct State {
    most: Most,
    all: usize,
    networks: Tally,
    peers: Tally,
}

/// Connections by address block. Refused peers leave no entry, so it is no larger than the connections there are.
#[derive(Default, Debug)]
struct Tally(HashMap<Block, usize>);

/// A block of addresses, by its first one and its kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Block(u128);

impl Block {
    /// What counts as one peer: an IPv4 address, or the /64 that an IPv6 customer is given whole (RFC 6177). An IPv4
    /// address mapped into IPv6 counts as IPv4.
    pub fn of(ip: IpAddr) -> Self {
        Block::cut(ip, 32, 64)
    }

    /// The network that a peer is in: an IPv4 /24, an IPv6 /48.
    fn around(ip: IpAddr) -> Self {
        Block::cut(ip, 24, 48)
    }

    fn cut(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Block(u128::from(v4.to_bits() >> (32 - v4_bits) << (32 - v4_bits))),
            // No IPv6 block is as small as 2^32: those of ::/96 lose their low half, too.
            IpAddr::V6(v6) => Block(v6.to_bits() >> (128 - v6_bits) << (128 - v6_bits) | 1 << 63),
        }
    }
}

/// Why a peer is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// There are as many connections as the server takes.
    Server,
    /// This peer's network has as many as it may.
    Network,
    /// This peer's address block has as many as it may.
    Peer,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    network: Block,
    peer: Block,
}

impl Admission {
    /// Nobody is there yet.
    pub fn new(most: Most) -> Arc<Self> {
        let state = State { most, all: 0, networks: Tally::default(), peers: Tally::default() };
        Arc::new(Admission { state: Mutex::new(state), left: Notify::new() })
    }

    /// Changes the limits; connections above them may stay.
    pub fn set_limits(&self, most: Most) {
        self.state.lock().most = most;
    }

    /// Connections now.
    pub fn count(&self) -> usize {
        self.state.lock().all
    }

    /// A place for a peer, if there is one.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, Full> {
        let (network, peer) = (Block::around(ip), Block::of(ip));
        let mut state = self.state.lock();
        if state.all >= state.most.all {
            return Err(Full::Server);
        }
        if state.peers.count(peer) >= state.most.peer {
            return Err(Full::Peer);
        }
        if state.networks.count(network) >= state.most.network {
            return Err(Full::Network);
        }
        state.all += 1;
        state.networks.add(network);
        state.peers.add(peer);
        Ok(Permit { admission: self.clone(), network, peer })
    }

    /// Returns when no connection is left: for a graceful stop.
    pub async fn wait_empty(&self) {
        loop {
            let left = self.left.notified();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock();
        state.all = state.all.saturating_sub(1);
        state.networks.remove(self.network);
        state.peers.remove(self.peer);
        let empty = state.all == 0;
        drop(state);
        if empty {
            self.admission.left.notify_waiters();
        }
    }
}

impl Tally {
    fn count(&self, block: Block) -> usize {
        self.0.get(&block).copied().unwrap_or(0)
    }

    fn add(&mut self, block: Block) {
        *self.0.entry(block).or_insert(0) += 1;
    }

    fn remove(&mut self, block: Block) {
        if let Some(count) = self.0.get_mut(&block) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &str, second: &str, peer: bool, network: bool) {
        let (first, second) = (first.parse().unwrap(), second.parse().unwrap());
        assert_eq!(Block::of(first) == Block::of(second), peer, "{first} {second}");
        assert_eq!(Block::around(first) == Block::around(second), network, "{first} {second}");
    }

    #[test]
    fn address_blocks() {
        check("192.0.2.1", "192.0.2.1", true, true);
        check("192.0.2.1", "192.0.2.254", false, true);
        check("192.0.2.1", "192.0.3.1", false, false);
        check("192.0.2.1", "::ffff:192.0.2.1", true, true);
        check("2001:db8::1", "2001:db8::ffff:0:0:2", true, true);
        check("2001:db8::1", "2001:db8:0:1::1", false, true);
        check("2001:db8::1", "2001:db8:1::1", false, false);
        check("0.0.0.0", "::", false, false);
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = Admission::new(Most { all: 4, network: 3, peer: 2 });
        let ip = |network: u8, n: u8| IpAddr::from([192, 0, network, n]);
        let first = admission.admit(ip(2, 1)).unwrap();
        let _second = admission.admit(ip(2, 1)).unwrap();
        assert_eq!(admission.admit(ip(2, 1)).unwrap_err(), Full::Peer);
        let _third = admission.admit(ip(2, 2)).unwrap();
        // B167: a network that has much does not take everybody's place.
        assert_eq!(admission.admit(ip(2, 3)).unwrap_err(), Full::Network);
        let _fourth = admission.admit(ip(3, 1)).unwrap();
        assert_eq!(admission.admit(ip(4, 1)).unwrap_err(), Full::Server);
        drop(first);
        assert!(admission.admit(ip(2, 1)).is_ok());
        let state = admission.state.lock();
        assert_eq!((state.all, state.networks.0.len(), state.peers.0.len()), (3, 2, 3));
    }
}
