//! Listening sockets.

use crate::admission::{Admission, Full};
use crate::connection::Connection;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::future::poll_fn;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: i32 = 1024;

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
    /// Lets peers in by sockets that listen already. To be called within the runtime.
    pub fn new(
        sockets: impl IntoIterator<Item = std::net::TcpListener>,
        admission: Arc<Admission>,
    ) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?;
        Ok(Listener { sockets, admission })
    }

    /// Listens on every address ([`listen`]) and lets peers in.
    pub fn bind(addresses: &[SocketAddr], admission: Arc<Admission>) -> io::Result<Self> {
        let sockets = addresses.iter().filter_map(|address| listen(*address).transpose());
        Self::new(sockets.collect::<io::Result<Vec<_>>>()?, admission)
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

/// A socket that listens on an address; port 0 takes a free one. An IPv6 address takes IPv6 only. `None` for `::` on a
/// machine without IPv6.
pub fn listen(address: SocketAddr) -> io::Result<Option<std::net::TcpListener>> {
    match open(address) {
        Ok(socket) => Ok(Some(socket.into())),
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6(error) => {
            tracing::info!(%address, "no IPv6 on this machine");
            Ok(None)
        }
        Err(error) => {
            let error = io::Error::from(error);
            Err(io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
        }
    }
}

fn lacks_ipv6(error: Errno) -> bool {
    matches!(error, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
}

fn open(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // A restart must not wait for the old connections' TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}
