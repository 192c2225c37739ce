//! What the connection loops of all protocols share: waiting, sending, closing.

use crate::login::Login;
use net::Connection;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a TLS handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(30);

/// How long a peer may take to accept a piece of output.
const SEND: Duration = Duration::from_secs(300);

/// A read buffer larger than this is given back after use.
const KEPT_BUFFER: usize = 0;

/// A peer that answers within this time is near.
const NEAR: Duration = Duration::from_micros(200);

/// Looks at a near peer's connection before going to sleep: some tens of microseconds in all.
const LOOKS: usize = 16;

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

/// A connection's waits.
pub struct Waiter {
    stop: watch::Receiver<bool>,
    /// The peer answered at once last time.
    near: bool,
}

impl Waiter {
    /// For a connection of a server that says when it stops.
    pub fn new(stop: &watch::Receiver<bool>) -> Self {
        Waiter { stop: stop.clone(), near: false }
    }

    /// Waits for the peer, or for whatever else happens first.
    pub async fn wait(
        &mut self,
        connection: &mut Connection,
        octets: &mut Vec<u8>,
        deadline: Instant,
        login: Option<&mut Login>,
        changes: Option<&mut watch::Receiver<()>>,
    ) -> io::Result<Waited> {
        let began = Instant::now();
        // A peer that always has something to say is stopped all the same, and has no more time than others.
        if *self.stop.borrow() || login.as_ref().is_some_and(|login| login.is_over()) {
            return Ok(Waited::Stop);
        }
        if began >= deadline {
            return Ok(Waited::Deadline);
        }
        let read = |count| if count == 0 { Waited::End } else { Waited::Octets };
        if self.near
            && let Some(count) = look(connection, octets).await
        {
            return count.map(read);
        }
        let waited = tokio::select! {
            biased;
            count = connection.read(octets) => read(count?),
            _ = self.stop.wait_for(|stop| *stop) => Waited::Stop,
            () = or_never(login.map(Login::ended)) => Waited::Stop,
            () = or_never(changes.map(|c| async { drop(c.changed().await) })) => Waited::Changed,
            () = tokio::time::sleep_until(deadline.into()) => Waited::Deadline,
        };
        self.near = began.elapsed() < NEAR;
        Ok(waited)
    }
}

/// Looks a few times whether the peer has sent something, letting others run in between. For one that is near and
/// asks one thing after another this saves both sides the time of being woken up.
async fn look(connection: &mut Connection, octets: &mut Vec<u8>) -> Option<io::Result<usize>> {
    for _ in 0..LOOKS {
        let look = poll_fn(|context| match connection.poll_read(context, octets) {
            Poll::Ready(count) => Poll::Ready(Some(count)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(count) = look.await {
            return Some(count);
        }
        tokio::task::yield_now().await;
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    /// Whether it was near or not, a peer that never falls silent hears of a stop and of its time's end.
    #[tokio::test]
    async fn a_busy_peer_is_stopped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = Connection::new(listener.accept().await.unwrap().0, None).unwrap();
        let (stop, stopping) = watch::channel(false);
        let mut waiter = Waiter::new(&stopping);
        let mut octets = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        for near in [false, true] {
            waiter.near = near;
            stop.send_replace(false);
            peer.try_write(b"NOOP\r\n").unwrap();
            let waited = waiter.wait(&mut connection, &mut octets, deadline, None, None).await;
            assert!(matches!(waited, Ok(Waited::Octets)));
            peer.try_write(b"NOOP\r\n").unwrap();
            stop.send_replace(true);
            let waited = waiter.wait(&mut connection, &mut octets, deadline, None, None).await;
            assert!(matches!(waited, Ok(Waited::Stop)));
            stop.send_replace(false);
            let waited = waiter.wait(&mut connection, &mut octets, Instant::now(), None, None).await;
            assert!(matches!(waited, Ok(Waited::Deadline)));
            octets.clear();
        }
    }
}
