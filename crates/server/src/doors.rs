//! Doors: where connections come in, and what each is served with.

use crate::config::{Config, Door, ServiceKind, TlsMode};
use crate::server::Server;
use crate::sockets::Sockets;
use crate::{inbound, reader};
use net::{Accepted, Admission, Connection, Listener, Protocol};
use session::mail_session::MailSession;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tracing::{debug, error, info};

/// The open doors. Dropped, they are shut; connections live on.
pub struct Doors {
    server: Arc<Server>,
    admission: Arc<Admission>,
    tasks: JoinSet<()>,
}

impl Doors {
    /// None yet.
    pub fn new(server: Arc<Server>, admission: Arc<Admission>) -> Self {
        Doors { server, admission, tasks: JoinSet::new() }
    }

    /// Opens the doors of a configuration, by sockets that listen already, in place of those that were open.
    pub fn open(&mut self, config: &Config, mut sockets: Sockets) -> Result<(), String> {
        let mut tasks = JoinSet::new();
        for door in &config.doors {
            let listener = Listener::new(sockets.take_door(door), self.admission.clone())
                .map_err(|error| format!("cannot listen: {error}"))?;
            if listener.addresses().next().is_none() {
                error!(service = ?door.service, tls = ?door.tls, "listens nowhere");
            }
            for address in listener.addresses() {
                info!(service = ?door.service, tls = ?door.tls, %address, "listening");
            }
            let entrance = Arc::new(Entrance::new(door, config, self.server.clone()));
            tasks.spawn(entrance.admit(listener));
        }
        self.tasks = tasks;
        Ok(())
    }
}

/// A door's way in: what a connection that comes through it is served with.
struct Entrance {
    server: Arc<Server>,
    service: &'static str,
    implicit_tls: bool,
    handshake_wait: Duration,
    /// For strangers, and for clients on this machine that may log in without TLS.
    far: Desk,
    near: Desk,
}

/// The protocol at a door.
#[derive(Clone)]
enum Desk {
    Smtp(Arc<session::smtp::Config>),
    Imap(Arc<session::imap::Config>),
    Pop3(Arc<session::pop3::Config>),
    ManageSieve(Arc<session::managesieve::Config>),
}

impl Entrance {
    fn new(door: &Door, config: &Config, server: Arc<Server>) -> Self {
        let clear = config.auth.plaintext_on_loopback && door.tls == TlsMode::Off;
        Entrance {
            service: door.service.word(),
            implicit_tls: door.tls == TlsMode::Implicit,
            handshake_wait: config.handshake_wait,
            far: Desk::new(door, config, &server, false),
            near: Desk::new(door, config, &server, clear),
            server,
        }
    }

    /// Lets peers in, for ever.
    async fn admit(self: Arc<Self>, listener: Listener) {
        loop {
            match listener.accept().await {
                Accepted::Connection(connection) => {
                    tokio::spawn(self.clone().welcome(connection));
                }
                Accepted::Refused(refused) => {
                    info!(peer = %refused.peer, why = ?refused.why, "connection refused");
                    self.server.metrics.turned_away();
                    let farewell = if self.implicit_tls { "" } else { self.far.farewell() };
                    refused.say(farewell.as_bytes());
                }
            }
        }
    }

    async fn welcome(self: Arc<Self>, mut connection: Connection) {
        if self.implicit_tls {
            let Some(tls) = &self.server.tls else { return };
            if let Err(error) = connection.start_tls(tls, self.far.protocol(), self.handshake_wait).await {
                debug!(peer = %connection.peer(), %error, "TLS handshake failed");
                return;
            }
            self.server.secured(&connection);
        }
        self.server.metrics.connected(self.service);
        let near = connection.peer().ip().is_loopback();
        let desk = if near { &self.near } else { &self.far };
        let server = self.server.clone();
        let (binding, now) = (connection.tls_info().map(|info| info.binding), Instant::now());
        let session: Box<dyn MailSession> = match desk {
            Desk::Smtp(config) => return inbound::serve(connection, server, config.clone()).await,
            Desk::Imap(config) => Box::new(session::imap::Session::new(config.clone(), binding, now)),
            Desk::Pop3(config) => Box::new(session::pop3::Session::new(config.clone(), binding, now)),
            Desk::ManageSieve(config) => {
                Box::new(session::managesieve::Session::new(config.clone(), binding, now))
            }
        };
        reader::serve(connection, server, desk.protocol(), session).await;
    }
}

impl Desk {
    fn new(door: &Door, config: &Config, server: &Server, clear_passwords: bool) -> Self {
        use session::smtp::Service;
        let limits = config.limits.clone();
        let starttls = door.tls == TlsMode::Starttls && server.tls.is_some();
        let host = config.hostname.to_string();
        let scram = config.auth.scram;
        let nonce = crate::random::octets::<18>;
        let service = match (door.service, door.tls) {
            (ServiceKind::Imap, _) => {
                let version = None;
                return Desk::Imap(Arc::new(session::imap::Config {
                    host,
                    version,
                    limits,
                    starttls,
                    clear_passwords,
                    scram,
                    nonce,
                }));
            }
            (ServiceKind::Pop3, _) => {
                let stls = starttls;
                return Desk::Pop3(Arc::new(session::pop3::Config {
                    host,
                    limits,
                    stls,
                    clear_passwords,
                    scram,
                    nonce,
                }));
            }
            (ServiceKind::ManageSieve, _) => {
                return Desk::ManageSieve(Arc::new(session::managesieve::Config {
                    host,
                    limits,
                    starttls,
                    clear_passwords,
                    scram,
                    nonce,
                    language: crate::filing::language(),
                }));
            }
            (ServiceKind::Smtp, _) => Service::Mx,
            (ServiceKind::Submission, TlsMode::Implicit) => Service::Submissions,
            (ServiceKind::Submission, _) => Service::Submission,
        };
        Desk::Smtp(Arc::new(session::smtp::Config {
            service,
            host: config.hostname.clone(),
            limits,
            starttls,
            plaintext_auth: clear_passwords,
            scram,
            smtputf8: true,
            offers: session::smtp::Offers {
                dsn: true,
                deliver_by: true,
                require_tls: true,
                ..session::smtp::Offers::default()
            },
        }))
    }

    fn protocol(&self) -> Protocol {
        match self {
            Desk::Smtp(_) => Protocol::Smtp,
            Desk::Imap(_) => Protocol::Imap,
            Desk::Pop3(_) => Protocol::Pop3,
            Desk::ManageSieve(_) => Protocol::ManageSieve,
        }
    }

    /// What a peer is told that is one too many.
    fn farewell(&self) -> &'static str {
        match self {
            Desk::Smtp(_) => "421 4.7.0 Too many connections, try again later\r\n",
            Desk::Imap(_) => "* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
            Desk::Pop3(_) => "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
            Desk::ManageSieve(_) => "BYE (TRYLATER) \"Too many connections\"\r\n",
        }
    }
}
