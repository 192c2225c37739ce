//! One connection to another server: drives `session::smtp::client`.

use super::route::{Exchange, Named};
use base::Reply;
use base::address::Host;
use net::{Connection, TlsClient};
use session::smtp::client::{Action, Client, Config, Input, Mail, Outcome, Security, Stage, Trouble, Why};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::StoredMessage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a connection may take to be made: less than RFC 5321 §4.5.3.2 gives the greeting, as another address may
/// answer at once.
const CONNECT: Duration = Duration::from_secs(20);

/// How long a server that takes no more is listened to: it may have said why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Octets of a message that is made 7-bit at most: it lies in memory while it is sent.
const CONVERTED: u64 = 16 * 1024 * 1024;

/// KiB that all messages being made 7-bit may take at a time: further ones wait.
pub const CONVERTING: usize = 128 * 1024;

/// A message with most octets coded grows to three times its size, beside which it lies itself.
const GROWTH: u64 = 4;

/// Octets that are taken in while we send.
const HEARD: usize = 64 * 1024;

/// What all connections need.
pub struct Ways {
    /// How sessions go.
    pub config: Arc<Config>,
    /// The same with the log-in that is for the smart host, and for nobody else.
    pub with_login: Option<Arc<Config>>,
    /// The same in the clear, for servers whose TLS fails, where that may be.
    pub plain: Option<Arc<Config>>,
    /// Handshakes.
    pub tls: Arc<TlsClient>,
    /// Where IPv4 connections come from.
    pub source_v4: Option<IpAddr>,
    /// Where IPv6 connections come from.
    pub source_v6: Option<IpAddr>,
}

/// A message to send: what is stored, less the field that is for final delivery only.
pub struct Content {
    message: Box<dyn StoredMessage>,
    skip: u64,
    /// What goes out in its place, to a server that takes 7-bit content only, and its share of [`CONVERTING`].
    seven_bit: Option<(Vec<u8>, OwnedSemaphorePermit)>,
}

/// A connection that takes mail.
pub struct Hop {
    connection: Connection,
    client: Client,
    name: Host,
    tls: Arc<TlsClient>,
    handshake_wait: Duration,
    heard: Vec<u8>,
}

/// What a session came to.
enum Event {
    Ready,
    Done(Box<Outcome>),
    Closed(Option<Box<Trouble>>),
}

impl Content {
    /// Of a stored message. Its Return-Path stays here (RFC 5321 §4.4).
    pub fn new(message: Box<dyn StoredMessage>) -> Self {
        let first = message.tree().fields_named("Return-Path").next().map(|field| field.whole());
        let skip = first.filter(|field| field.start == 0).map_or(0, |field| field.end);
        Content { message, skip, seven_bit: None }
    }

    /// Octets to send.
    pub fn len(&self) -> u64 {
        let length = self.seven_bit.as_ref().map_or(self.message.len(), |(octets, _)| octets.len() as u64);
        length.saturating_sub(self.skip)
    }

    /// Whether it was made 7-bit.
    pub fn is_converted(&self) -> bool {
        self.seven_bit.is_some()
    }

    /// Makes it 7-bit (RFC 6152 §3), when there is `room` for that. False where it can't be, or where it is large.
    pub async fn convert(&mut self, room: &Arc<Semaphore>) -> bool {
        if self.message.len() > CONVERTED {
            return false;
        }
        let size = u32::try_from((self.message.len() * GROWTH).div_ceil(1024)).unwrap_or(u32::MAX);
        let Ok(place) = room.clone().acquire_many_owned(size).await else { return false };
        let octets = tokio::task::block_in_place(|| {
            let mut octets = Vec::new();
            self.message.read(0..self.message.len(), &mut octets).ok()?;
            wire::mime::seven_bit(self.message.tree(), &octets)
        });
        self.seven_bit = octets.map(|octets| (octets, place));
        self.is_converted()
    }

    /// The message as it is stored.
    pub fn message(&self) -> &dyn StoredMessage {
        self.message.as_ref()
    }

    fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let range = range.start + self.skip..range.end + self.skip;
        if let Some((converted, _)) = &self.seven_bit {
            let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            let octets = converted.get(index(range.start)..index(range.end));
            return octets.map(<[u8]>::to_vec).ok_or(io::ErrorKind::UnexpectedEof.into());
        }
        let mut octets = Vec::new();
        // A piece is small, and may lie on a disk.
        tokio::task::block_in_place(|| self.message.read(range, &mut octets))?;
        Ok(octets)
    }
}

impl Hop {
    /// Connects and gets as far as the first mail. Where only TLS fails, tries again without, if that may be.
    pub async fn open(exchange: &Exchange, address: SocketAddr, ways: &Ways) -> Result<Self, Trouble> {
        if let (Named::SmartHost, Some(config)) = (exchange.named, &ways.with_login) {
            return Self::open_with(exchange, address, ways, config).await;
        }
        match (Self::open_with(exchange, address, ways, &ways.config).await, &ways.plain) {
            (Err(trouble), Some(plain)) if trouble.why == Why::Tls && !exchange.is_implicit() => {
                tracing::info!(host = %exchange.host, %address, reply = %trouble.reply, "TLS fails: going on in the clear");
                Self::open_with(exchange, address, ways, plain).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn open_with(
        exchange: &Exchange,
        address: SocketAddr,
        ways: &Ways,
        config: &Arc<Config>,
    ) -> Result<Self, Trouble> {
        let source = if address.is_ipv4() { ways.source_v4 } else { ways.source_v6 };
        let connection = Connection::connect(address, source, CONNECT)
            .await
            .map_err(|error| unconnected(address, &error))?;
        let mut hop = Hop {
            connection,
            client: Client::new(config.clone(), None, Instant::now()),
            name: exchange.host.clone(),
            tls: ways.tls.clone(),
            handshake_wait: config.waits.handshake,
            heard: Vec::new(),
        };
        if exchange.is_implicit() {
            let secured = hop.connection.start_client_tls(&hop.tls, &hop.name, hop.handshake_wait).await;
            let net::Authenticated(authenticated) = match secured {
                Ok(authenticated) => authenticated,
                Err(error) => {
                    hop.connection.close().await;
                    return Err(no_handshake(address, &error));
                }
            };
            hop.client = Client::new(config.clone(), Some(Security { authenticated }), Instant::now());
        }
        match hop.run(None).await {
            Event::Ready => Ok(hop),
            Event::Closed(Some(trouble)) => {
                hop.connection.close().await;
                Err(*trouble)
            }
            // Neither comes before a mail or an order to quit.
            Event::Done(_) | Event::Closed(None) => {
                Err(unconnected(address, &io::ErrorKind::NotConnected.into()))
            }
        }
    }

    /// Sends a mail; tells what became of it.
    pub async fn send(&mut self, mail: Mail, content: &Content) -> Outcome {
        let lost = mail.recipients.len();
        self.client.feed(Instant::now(), Input::Mail(Box::new(mail)));
        match self.run(Some(content)).await {
            Event::Done(outcome) => *outcome,
            // Each mail gets its `Done`; should one not, nothing is said of it.
            Event::Ready | Event::Closed(_) => Outcome {
                recipients: vec![session::smtp::client::Fate::NotTried; lost],
                dsn: false,
                deliver_by: false,
            },
        }
    }

    /// Whether another mail may be sent.
    pub fn is_ready(&self) -> bool {
        self.client.is_ready()
    }

    /// The server's name and address, and how it is secured, for the log.
    pub fn words(&self) -> String {
        let tls = match self.connection.tls_words() {
            None => "in the clear".to_owned(),
            Some((version, cipher)) => {
                let proven = self.client.security().is_some_and(|security| security.authenticated);
                format!("{version} {cipher}{}", if proven { ", certificate valid" } else { "" })
            }
        };
        format!("{}[{}] {tls}", self.name, self.connection.peer().ip())
    }

    /// The version of TLS, if there is any.
    pub fn tls_version(&self) -> Option<&'static str> {
        self.connection.tls_words().map(|(version, _)| version)
    }

    /// The server's name.
    pub fn name(&self) -> &Host {
        &self.name
    }

    /// Waits until the server says something, which it should not: then the connection is of no more use.
    pub async fn idle(&mut self) {
        let heard = self.connection.read(&mut self.heard).await;
        match heard {
            Ok(count) if count > 0 => self.client.feed(Instant::now(), Input::Bytes(&self.heard)),
            _ => self.client.feed(Instant::now(), Input::Eof),
        }
        self.heard = Vec::new();
    }

    /// Says goodbye.
    pub async fn quit(mut self) {
        self.client.feed(Instant::now(), Input::Quit);
        self.run(None).await;
        self.connection.close().await;
    }

    /// Does what the session asks for until it has something to tell.
    async fn run(&mut self, content: Option<&Content>) -> Event {
        let (mut done, mut closed) = (None, false);
        loop {
            while let Some(action) = self.client.next() {
                match action {
                    Action::Send(octets) => self.say(&octets).await,
                    Action::StartTls => self.start_tls().await,
                    Action::Content(range) => self.feed_content(content, range),
                    Action::Ready if done.is_none() => return Event::Ready,
                    Action::Ready => {}
                    Action::Done(outcome) => done = Some(outcome),
                    Action::Close(trouble) if done.is_none() => return Event::Closed(trouble),
                    Action::Close(_) => closed = true,
                }
            }
            // After an outcome the session may still be clearing up: a transaction that broke is reset.
            if let Some(outcome) = done.take_if(|_| closed || self.client.is_ready()) {
                return Event::Done(outcome);
            }
            self.listen().await;
        }
    }

    /// When the session has to hear something; an idle one that says its last words has a moment.
    fn deadline(&self) -> tokio::time::Instant {
        self.client.deadline().unwrap_or_else(|| Instant::now() + CONNECT).into()
    }

    async fn say(&mut self, octets: &[u8]) {
        let deadline = self.deadline();
        if let Err(error) = self.connection.converse(octets, &mut self.heard, HEARD, deadline).await {
            if error.kind() == io::ErrorKind::TimedOut {
                return self.client.feed(Instant::now(), Input::Tick);
            }
            self.hear_last_words().await;
            self.client.feed(Instant::now(), Input::Eof);
        }
    }

    /// Takes in what a server said before it hung up on us: a refusal counts.
    async fn hear_last_words(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        while self.heard.len() < HEARD
            && let Ok(1..) = self.connection.read_until(&mut self.heard, deadline.into()).await
        {}
        let heard = std::mem::take(&mut self.heard);
        if !heard.is_empty() {
            self.client.feed(Instant::now(), Input::Bytes(&heard));
        }
    }

    /// Takes in what came, or waits for something.
    async fn listen(&mut self) {
        if self.heard.is_empty() {
            let deadline = self.deadline();
            match self.connection.read_until(&mut self.heard, deadline).await {
                Ok(0) => return self.client.feed(Instant::now(), Input::Eof),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return self.client.feed(Instant::now(), Input::Tick);
                }
                Err(_) => return self.client.feed(Instant::now(), Input::Eof),
            }
        }
        let heard = std::mem::take(&mut self.heard);
        self.client.feed(Instant::now(), Input::Bytes(&heard));
    }

    async fn start_tls(&mut self) {
        if !self.heard.is_empty() {
            // It came in the clear, before any handshake: the session says what that is.
            let heard = std::mem::take(&mut self.heard);
            return self.client.feed(Instant::now(), Input::Bytes(&heard));
        }
        let handshake = self.connection.start_client_tls(&self.tls, &self.name, self.handshake_wait).await;
        let now = Instant::now();
        match handshake {
            Ok(net::Authenticated(authenticated)) => {
                self.client.feed(now, Input::TlsUp(Security { authenticated }))
            }
            Err(error) => self.client.feed(now, Input::TlsFailed(error.to_string())),
        }
    }

    fn feed_content(&mut self, content: Option<&Content>, range: Range<u64>) {
        let read = content.map_or(Err(io::ErrorKind::NotFound.into()), |content| content.read(range));
        match read {
            Ok(octets) => self.client.feed(Instant::now(), Input::Content(&octets)),
            Err(_) => self.client.feed(Instant::now(), Input::ContentFailed),
        }
    }
}

/// No TLS on a port that speaks nothing else (RFC 3463 §3.8).
fn no_handshake(address: SocketAddr, error: &io::Error) -> Trouble {
    let reply = Reply::new(454, (4, 7, 5), format!("TLS handshake with {address} failed: {error}"));
    Trouble { stage: Stage::StartTls, why: Why::Tls, reply }
}

/// No connection: what the sender may be told.
fn unconnected(address: SocketAddr, error: &io::Error) -> Trouble {
    let why = if error.kind() == io::ErrorKind::TimedOut { Why::Timeout } else { Why::Lost };
    let text = match error.kind() {
        io::ErrorKind::TimedOut => format!("{address} does not answer"),
        io::ErrorKind::ConnectionRefused => format!("{address} refuses the connection"),
        _ => format!("cannot connect to {address}: {error}"),
    };
    // RFC 3463 §3.5: no answer from host.
    Trouble { stage: Stage::Greeting, why, reply: Reply::new(451, (4, 4, 1), text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Limits, Octets};
    use std::future::Future;
    use std::task::Poll;
    use wire::mime::Tree;

    struct Stored(Vec<u8>, Tree);

    impl Octets for Stored {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
            self.0.read(range, out)
        }
    }

    impl StoredMessage for Stored {
        fn tree(&self) -> &Tree {
            &self.1
        }
    }

    fn content(octets: &[u8]) -> Content {
        Content::new(Box::new(Stored(octets.to_vec(), Tree::parse(octets, &Limits::default()))))
    }

    /// However many servers take 7-bit content only: what is made for them has its bounds.
    #[tokio::test(flavor = "multi_thread")]
    async fn conversions_wait_for_room() {
        let text = "Subject: s\r\n\r\n".to_owned() + &"ä\r\n".repeat(1000);
        let room = Arc::new(Semaphore::new(text.len() * 6 / 1024));
        let (mut one, mut other) = (content(text.as_bytes()), content(text.as_bytes()));
        assert!(one.convert(&room).await);
        assert!(one.len() > text.len() as u64);
        let mut waits = std::pin::pin!(other.convert(&room));
        assert!(std::future::poll_fn(|context| Poll::Ready(waits.as_mut().poll(context).is_pending())).await);
        drop(one);
        assert!(waits.await);
    }
}
