//! Listening sockets.

use crate::admission::{Admission, Full};
use crate::connection::Connection;
use rustix::io::Errno;
use rustix::net::sockopt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: u32 = 1024;

/// How long accepting rests when the system gives no more descriptors or memory.
const REST: Duration = Duration::from_millis(100);

/// One service's listening sockets. Dropped, they are closed; connections live on.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    admission: Arc<Admission>,
}

/// A peer that came.
#[derive(Debug)]
pub enum Accepted {
    /// It is let in.
    Connection(Connection),
    /// It is one too many.
    Refused(Refused),
}

/// A peer that can't be served now. Dropped, its connection is closed.
#[derive(Debug)]
pub struct Refused {
    /// Who.
    pub peer: SocketAddr,
    /// Why.
    pub why: Full,
    stream: TcpStream,
}

impl Refused {
    /// Says a last word, as far as the socket takes it at once, and closes.
    pub fn say(self, farewell: &[u8]) {
        // Nothing to be done for a peer that is gone already.
        let _ = self.stream.try_write(farewell);
    }
}

impl Listener {
    /// Listens on every address; port 0 takes a free one. An IPv6 address takes IPv6 only; `::` is left out on a
    /// machine without IPv6.
    pub fn bind(addresses: &[SocketAddr], admission: Arc<Admission>) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for address in addresses {
            match listen(*address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6(&error) => {
                    tracing::info!(%address, "no IPv6 on this machine");
                }
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")));
                }
            }
        }
        Ok(Listener { sockets, admission })
    }

    /// Where it listens.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok())
    }

    /// The next peer. May be cancelled without losing one. Without sockets it waits for ever.
    pub async fn accept(&self) -> Accepted {
        loop {
            match self.accept_stream().await {
                Ok((stream, peer)) => match self.admission.admit(peer.ip()) {
                    Ok(permit) => match Connection::new(stream, Some(permit)) {
                        Ok(connection) => return Accepted::Connection(connection),
                        // It is gone already.
                        Err(_) => continue,
                    },
                    Err(why) => return Accepted::Refused(Refused { peer, why, stream }),
                },
                Err(error) => {
                    if !is_peers(&error) {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        }
    }

    async fn accept_stream(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            for socket in &self.sockets {
                if let Poll::Ready(outcome) = socket.poll_accept(context) {
                    return Poll::Ready(outcome);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Errors of the connection that was to be accepted, not of the listener (accept(2)).
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(error.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted | TimedOut)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            sockopt::set_ipv6_v6only(&socket, true)?;
            socket
        }
    };
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
