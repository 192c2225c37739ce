//! What the connection loops of all protocols share: waiting, sending, closing.

use crate::login::Login;
use net::Connection;
use std::future::{Future, pending};
use std::io;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a TLS handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(30);

/// How long a peer may take to accept a piece of output.
const SEND: Duration = Duration::from_secs(300);

/// A read buffer larger than this is given back after use.
const KEPT_BUFFER: usize = 0;

/// What ended a wait.
pub enum Waited {
    /// Octets came; they are in the buffer.
    Octets,
    /// The peer is done sending.
    End,
    /// The deadline came first.
    Deadline,
    /// The account changed.
    Changed,
    /// The server stops, or the log-in is no longer good.
    Stop,
}

/// Waits for the peer, or for whatever else happens first.
pub async fn wait(
    connection: &mut Connection,
    octets: &mut Vec<u8>,
    deadline: Instant,
    stop: &watch::Receiver<bool>,
    login: Option<&mut Login>,
    changes: Option<&mut watch::Receiver<()>>,
) -> io::Result<Waited> {
    let mut stop = stop.clone();
    tokio::select! {
        biased;
        read = connection.read(octets) => Ok(if read? == 0 { Waited::End } else { Waited::Octets }),
        _ = stop.wait_for(|stop| *stop) => Ok(Waited::Stop),
        () = or_never(login.map(Login::ended)) => Ok(Waited::Stop),
        () = or_never(changes.map(|c| async { drop(c.changed().await) })) => Ok(Waited::Changed),
        () = tokio::time::sleep_until(deadline.into()) => Ok(Waited::Deadline),
    }
}

async fn or_never(future: Option<impl Future<Output = ()>>) {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Sends all of it, unless the peer takes it too slowly.
pub async fn send(connection: &mut Connection, octets: &[u8]) -> io::Result<()> {
    connection.write_until(octets, (Instant::now() + SEND).into()).await
}

/// Empties a read buffer; an idle connection holds none.
pub fn release(octets: &mut Vec<u8>) {
    octets.clear();
    octets.shrink_to(KEPT_BUFFER);
}
