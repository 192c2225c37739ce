//! One peer's connection, in the clear or inside TLS.

use crate::admission::Permit;
use crate::deflate::{self, Inflater};
use crate::tls::{Authenticated, Protocol, Tls, TlsClient, Used};
use base::address::Host;
use rustix::net::sockopt;
use session::sasl::ChannelBinding;
use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::{client, server};

/// Octets read at a time, into a buffer on the stack: a connection that waits holds none.
const READ: usize = 16 * 1024;

/// How long a closed connection is drained, and how much of it: long enough that our last words are not lost to a
/// reset, short enough to cost nothing.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 1024 * 1024;

/// A silent peer is asked by the kernel whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(300);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// A connection to a peer.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: SocketAddr,
    local: SocketAddr,
    /// Nothing more is read: the peer said it is done, or the stream broke.
    ended: bool,
    /// There where both sides compress.
    inflater: Option<Box<Inflater>>,
    _permit: Option<Permit>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<Secured>),
    /// We are the client.
    Client(Box<client::TlsStream<TcpStream>>),
    /// A handshake failed: nothing goes in or out.
    Broken,
}

#[derive(Debug)]
struct Secured {
    stream: server::TlsStream<TcpStream>,
    used: Used,
}

/// What is known of a TLS connection.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its registered name.
    pub cipher: &'static str,
    /// The host name that the client asked for (RFC 6066 §3).
    pub server_name: Option<String>,
    /// The protocol agreed on (RFC 7301).
    pub alpn: Option<String>,
    /// What SASL can bind to.
    pub binding: ChannelBinding,
}

impl Connection {
    /// Takes an accepted socket. `permit` is given back when the connection is dropped.
    pub fn new(stream: TcpStream, permit: Option<Permit>) -> io::Result<Self> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        stream.set_nodelay(true)?;
        sockopt::set_socket_keepalive(&stream, true)?;
        sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
        Ok(Connection {
            stream: Stream::Plain(stream),
            peer,
            local,
            ended: false,
            inflater: None,
            _permit: permit,
        })
    }

    /// The other end, an IPv4 address as such even where it came mapped into IPv6.
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer.ip().to_canonical(), self.peer.port())
    }

    /// Our end.
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local.ip().to_canonical(), self.local.port())
    }

    /// Whether it is inside TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_) | Stream::Client(_))
    }

    /// Waits for octets and appends them to `out`; gives how many, 0 when the peer is done. While it waits it holds
    /// no buffer, and `out` need not have one either. May be cancelled without losing octets.
    ///
    /// After the peer's close_notify whatever follows on the socket is never looked at: reading gives 0 for ever.
    pub async fn read(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, out)).await
    }

    /// [`Connection::read`], at most until `deadline`: then `TimedOut`.
    pub async fn read_until(&mut self, out: &mut Vec<u8>, deadline: Instant) -> io::Result<usize> {
        tokio::time::timeout_at(deadline, self.read(out)).await?
    }

    /// Reads if there is something, or has the task woken when there is. `InvalidData` where what the peer compressed
    /// can't be inflated.
    pub fn poll_read(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        while let Some(inflater) = &mut self.inflater {
            let count = inflater.inflate(out)?;
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            self.ended |= inflater.is_ended();
            let mut came = Vec::new();
            if ready!(self.poll_octets(context, &mut came))? == 0 {
                return Poll::Ready(Ok(0));
            }
            if let Some(inflater) = &mut self.inflater {
                inflater.take(came);
            }
        }
        self.poll_octets(context, out)
    }

    /// Reads octets as they come out of the socket or TLS.
    fn poll_octets(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        let mut space = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        let outcome = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Tls(secured) => Pin::new(&mut secured.stream).poll_read(context, &mut buffer),
            Stream::Client(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Broken => Poll::Ready(Ok(())),
        };
        let outcome = match outcome {
            Poll::Pending => return Poll::Pending,
            // The socket ended without close_notify. Our protocols say themselves where a command or a message
            // ends, so that a cut can't be taken for an end.
            Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Poll::Ready(outcome) => outcome,
        };
        let octets = buffer.filled();
        self.ended = octets.is_empty();
        out.extend_from_slice(octets);
        Poll::Ready(outcome.map(|()| octets.len()))
    }

    /// Sends all octets and has them on their way. Cancelled, part of them may have gone: close then.
    pub async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        let octets = &*self.packed(octets)?;
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(octets).await,
            Stream::Tls(secured) => {
                secured.stream.write_all(octets).await?;
                secured.stream.flush().await
            }
            Stream::Client(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
            Stream::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// These octets as they are to go out.
    fn packed<'a>(&self, octets: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        match self.inflater {
            Some(_) => deflate::deflated(octets).map(Cow::Owned),
            None => Ok(Cow::Borrowed(octets)),
        }
    }

    /// From here on both sides compress (RFC 4978). `came` was read already and belongs to the compressed stream.
    pub fn start_compression(&mut self, came: Vec<u8>) {
        self.inflater = Some(Box::new(Inflater::new(came)));
    }

    /// Neither side compresses any more. What was read and not inflated is thrown away.
    pub fn end_compression(&mut self) {
        self.inflater = None;
    }

    /// [`Connection::write_all`], at most until `deadline`: then `TimedOut`.
    pub async fn write_until(&mut self, octets: &[u8], deadline: Instant) -> io::Result<()> {
        tokio::time::timeout_at(deadline, self.write_all(octets)).await?
    }

    /// Has a TLS handshake, at most for `wait`. The caller first throws away what it has read and not used: nothing
    /// that came in the clear may count afterwards (RFC 3207 §4.2). After an error the connection can only be closed.
    pub async fn start_tls(&mut self, tls: &Tls, protocol: Protocol, wait: Duration) -> io::Result<()> {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Broken) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (acceptor, pending) = tls.acceptor(protocol);
        let handshake = Box::pin(acceptor.accept(stream).into_fallible());
        match tokio::time::timeout(wait, handshake).await? {
            Ok(stream) => {
                let used = pending.used(stream.get_ref().1.server_name());
                self.stream = Stream::Tls(Box::new(Secured { stream, used }));
                Ok(())
            }
            Err((error, stream)) => {
                // The alert is out; a reset by unread octets must not overtake it.
                linger(stream).await;
                Err(error)
            }
        }
    }

    /// Sends all octets and takes in what comes meanwhile, up to `most` octets of it: a peer that answers before it
    /// has read all must not be kept waiting (RFC 2920 §3.1). More than that, or an end, and it only sends.
    pub async fn converse(
        &mut self,
        octets: &[u8],
        out: &mut Vec<u8>,
        most: usize,
        deadline: Instant,
    ) -> io::Result<()> {
        let packed = self.packed(octets)?;
        let mut rest = &*packed;
        let work = poll_fn(|context| {
            loop {
                let written = match rest.is_empty() {
                    true => self.poll_flush(context).map_ok(|()| 0),
                    false => self.poll_write(context, rest),
                };
                match written {
                    Poll::Ready(Ok(_)) if rest.is_empty() => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        let reads =
                            !self.ended && out.len() < most && self.poll_read(context, out)?.is_ready();
                        if !reads {
                            return Poll::Pending;
                        }
                    }
                }
            }
        });
        tokio::time::timeout_at(deadline, work).await?
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Stream::Tls(secured) => Pin::new(&mut secured.stream).poll_write(context, octets),
            Stream::Client(stream) => Pin::new(stream).poll_write(context, octets),
            Stream::Broken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(secured) => Pin::new(&mut secured.stream).poll_flush(context),
            Stream::Client(stream) => Pin::new(stream).poll_flush(context),
            Stream::Broken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Connects to a server, from an address of ours or whatever the system chooses, at most for `wait`.
    pub async fn connect(to: SocketAddr, from: Option<IpAddr>, wait: Duration) -> io::Result<Self> {
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(ip) = from {
            socket.bind(SocketAddr::new(ip, 0))?;
        }
        let stream = tokio::time::timeout(wait, socket.connect(to)).await??;
        Self::new(stream, None)
    }

    /// Has the client's TLS handshake with a server of this name, at most for `wait`. Octets that were read before
    /// must not count afterwards. After an error the connection can only be closed.
    pub async fn start_client_tls(
        &mut self,
        tls: &TlsClient,
        name: &Host,
        wait: Duration,
    ) -> io::Result<Authenticated> {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Broken) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (stream, authenticated) = tokio::time::timeout(wait, tls.handshake(name, stream)).await??;
        self.stream = Stream::Client(Box::new(stream));
        Ok(authenticated)
    }

    /// The TLS version and cipher suite in use.
    pub fn tls_words(&self) -> Option<(&'static str, &'static str)> {
        let state: &rustls::CommonState = match &self.stream {
            Stream::Tls(secured) => secured.stream.get_ref().1,
            Stream::Client(stream) => stream.get_ref().1,
            Stream::Plain(_) | Stream::Broken => return None,
        };
        let version = match state.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        Some((version, state.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or("unknown")))
    }

    /// What is known of the TLS connection, if it is one.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        let Stream::Tls(secured) = &self.stream else { return None };
        let tls = secured.stream.get_ref().1;
        let is_13 = tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        // RFC 9266 §2 wants TLS 1.3, or 1.2 with extended master secret, which rustls does not tell.
        let exporter = is_13
            .then(|| tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok())
            .flatten();
        Some(TlsInfo {
            version: if is_13 { "TLSv1.3" } else { "TLSv1.2" },
            cipher: tls.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or("unknown"),
            server_name: tls.server_name().map(str::to_owned),
            alpn: tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            binding: ChannelBinding {
                exporter: exporter.map(Vec::from),
                server_end_point: secured.used.end_point().map(<[u8]>::to_vec),
            },
        })
    }

    /// Closes in order: close_notify, end of our half, then what the peer still sends is read away for a moment, so
    /// that it gets our last words and no reset (RFC 1122 §4.2.2.13).
    pub async fn close(self) {
        let stream = match self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(mut secured) => {
                // A peer that is gone or takes nothing gets no close_notify.
                let _ = tokio::time::timeout(LINGER, secured.stream.shutdown()).await;
                secured.stream.into_inner().0
            }
            Stream::Client(mut stream) => {
                let _ = tokio::time::timeout(LINGER, stream.shutdown()).await;
                stream.into_inner().0
            }
            Stream::Broken => return,
        };
        if !self.ended {
            linger(stream).await;
        }
    }
}

/// Ends our half and reads away the other, within bounds.
async fn linger(mut stream: TcpStream) {
    // Errors mean that the peer is gone already.
    let _ = stream.shutdown().await;
    let drain = poll_fn(|context| {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut drained = 0;
        while drained < LINGER_OCTETS {
            let mut buffer = ReadBuf::uninit(&mut space);
            match Pin::new(&mut stream).poll_read(context, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => break,
                Poll::Ready(Ok(())) => drained += buffer.filled().len(),
            }
        }
        Poll::Ready(())
    });
    let _ = tokio::time::timeout(LINGER, drain).await;
}
