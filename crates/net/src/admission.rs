//! How many connections there may be, in all and from one address block.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Notify;

/// Counts connections, in all and by address block. One for all listeners of the server.
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Debug)]
struct State {
    most: usize,
    most_per_block: usize,
    total: usize,
    by_block: HashMap<Block, usize>,
}

/// What counts as one peer: an IPv4 address, or the /64 that an IPv6 customer is given whole (RFC 6177).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Block(u128);

impl Block {
    /// The block of an address. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Block(u128::from(v4.to_bits())),
            // No IPv6 block is as small as 2^32: those of ::/96 lose their low half, too.
            IpAddr::V6(v6) => Block(v6.to_bits() >> 64 << 64 | 1 << 63),
        }
    }
}

/// Why a peer is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// There are as many connections as the server takes.
    Server,
    /// This peer's address block has as many as it may.
    Peer,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    block: Block,
}

impl Admission {
    /// At most `most` connections, at most `most_per_block` of one address block.
    pub fn new(most: usize, most_per_block: usize) -> Arc<Self> {
        let state = State { most, most_per_block, total: 0, by_block: HashMap::new() };
        Arc::new(Admission { state: Mutex::new(state), left: Notify::new() })
    }

    /// Changes the limits; connections above them may stay.
    pub fn set_limits(&self, most: usize, most_per_block: usize) {
        let mut state = self.state.lock();
        state.most = most;
        state.most_per_block = most_per_block;
    }

    /// Connections now.
    pub fn count(&self) -> usize {
        self.state.lock().total
    }

    /// A place for a peer, if there is one.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, Full> {
        let block = Block::of(ip);
        let mut state = self.state.lock();
        if state.total >= state.most {
            return Err(Full::Server);
        }
        let most_per_block = state.most_per_block;
        // Refused peers leave no entry, so the table is no larger than the connections there are.
        if state.by_block.get(&block).copied().unwrap_or(0) >= most_per_block {
            return Err(Full::Peer);
        }
        *state.by_block.entry(block).or_insert(0) += 1;
        state.total += 1;
        Ok(Permit { admission: self.clone(), block })
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
        state.total = state.total.saturating_sub(1);
        if let Some(count) = state.by_block.get_mut(&self.block) {
            *count -= 1;
            if *count == 0 {
                state.by_block.remove(&self.block);
            }
        }
        let empty = state.total == 0;
        drop(state);
        if empty {
            self.admission.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &str, second: &str, same: bool) {
        let block = |ip: &str| Block::of(ip.parse().unwrap());
        assert_eq!(block(first) == block(second), same, "{first} {second}");
    }

    #[test]
    fn address_blocks() {
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("2001:db8::1", "2001:db8::ffff:0:0:2", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("0.0.0.0", "::", false);
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = Admission::new(3, 2);
        let ip = |n: u8| IpAddr::from([192, 0, 2, n]);
        let first = admission.admit(ip(1)).unwrap();
        let _second = admission.admit(ip(1)).unwrap();
        assert_eq!(admission.admit(ip(1)).unwrap_err(), Full::Peer);
        let _third = admission.admit(ip(2)).unwrap();
        assert_eq!(admission.admit(ip(3)).unwrap_err(), Full::Server);
        drop(first);
        assert!(admission.admit(ip(1)).is_ok());
        assert_eq!(admission.state.lock().by_block.len(), 2);
    }
}
