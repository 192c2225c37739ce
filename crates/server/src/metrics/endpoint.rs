//! Where Prometheus asks: HTTP/1.1 as far as that needs it, on loopback or a socket of this machine.

use super::Metrics;
use crate::server::Server;
use net::Admission;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Who may ask at the same time.
const AT_ONCE: usize = 4;

/// Octets of a request.
const MOST_REQUEST: u64 = 8 * 1024;

/// How long a request may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// The type of the OpenMetrics text format.
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// An address of loopback.
    Loopback(SocketAddr),
    /// A socket in the file system, for the server's own user.
    Socket(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Loopback(address) => address.fmt(f),
            Place::Socket(path) => path.display().fmt(f),
        }
    }
}

/// The listening socket.
pub enum Endpoint {
    /// On loopback.
    Loopback(TcpListener),
    /// In the file system.
    Socket(UnixListener),
}

impl Endpoint {
    /// Listens.
    pub async fn bind(place: &Place) -> io::Result<Self> {
        match place {
            Place::Loopback(address) => TcpListener::bind(address).await.map(Endpoint::Loopback),
            Place::Socket(path) => crate::control::listen(path, 0o600).map(Endpoint::Socket),
        }
    }

    /// Answers for ever.
    pub async fn serve(self, metrics: Arc<Metrics>, server: Arc<Server>, admission: Arc<Admission>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let accepted: io::Result<Box<dyn Peer>> = match &self {
                Endpoint::Loopback(listener) => {
                    listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Peer>)
                }
                Endpoint::Socket(listener) => {
                    listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Peer>)
                }
            };
            let Ok(stream) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (metrics, server, admission) = (metrics.clone(), server.clone(), admission.clone());
            tokio::spawn(async move {
                let text = move || metrics.text(&server, admission.count());
                // Who asks and goes away is no trouble.
                let _ = timeout(PATIENCE, answer(stream, text)).await;
                drop(place);
            });
        }
    }
}

trait Peer: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Peer for T {}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    text: impl FnOnce() -> String + Send + 'static,
) -> io::Result<()> {
    let mut request = Vec::new();
    let mut bounded = (&mut stream).take(MOST_REQUEST);
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if bounded.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let line = request.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let mut words = line.split(|octet| *octet == b' ');
    let (status, body) =
        match (words.next(), words.next(), request.windows(4).any(|four| four == b"\r\n\r\n")) {
            (Some(b"GET"), Some(b"/metrics"), true) => {
                ("200 OK", tokio::task::spawn_blocking(text).await.map_err(io::Error::other)?)
            }
            (Some(b"GET"), Some(_), true) => ("404 Not Found", "Ask for /metrics.\n".to_owned()),
            (_, _, true) => ("405 Method Not Allowed", String::new()),
            _ => ("400 Bad Request", String::new()),
        };
    let kind = if status.starts_with("200") { TYPE } else { "text/plain" };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(request: &str, expected: &str) {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(request.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        answer(server, || "counted\n".to_owned()).await.unwrap();
        let mut reply = String::new();
        client.read_to_string(&mut reply).await.unwrap();
        assert_eq!(reply.lines().next(), Some(expected), "{request:.80}");
        assert_eq!(reply.ends_with("counted\n"), expected.contains("200"), "{reply}");
    }

    /// RFC 9112 §2.1, §3: what is no request gets 400.
    #[tokio::test]
    async fn answers() {
        check("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 OK").await;
        check("GET /else HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found").await;
        check("POST /metrics HTTP/1.1\r\n\r\nx", "HTTP/1.1 405 Method Not Allowed").await;
        check("GET /metrics HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request").await;
        check(&"x".repeat(20_000), "HTTP/1.1 400 Bad Request").await;
        check("", "HTTP/1.1 400 Bad Request").await;
    }
}
