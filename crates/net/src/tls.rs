//! TLS: certificates by host name, picked up when their files change, and one configuration a protocol.

mod certificate;
mod client;

pub use certificate::{Source, TlsError, self_signed};
pub use client::{Authenticated, TlsClient};

use base::Timestamp;
use certificate::{Certificate, Fingerprint};
use parking_lot::RwLock;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// How often the certificates' files are looked at.
const POLL: Duration = Duration::from_secs(5);

/// The newest first.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// What is spoken inside TLS. A client that names other protocols by ALPN and not ours is refused
/// (no_application_protocol, RFC 7301 §3.2), so that an HTTP request can't be passed off as mail (ALPACA); a client
/// without ALPN is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// SMTP, whatever the port. No ALPN name is registered for it; `smtp` is what clients that send one use.
    Smtp,
    /// IMAP: `imap` (RFC 2595's ports by the IANA registry).
    Imap,
    /// POP3: `pop3`.
    Pop3,
    /// ManageSieve: `managesieve`.
    ManageSieve,
}

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            Protocol::Smtp => b"smtp",
            Protocol::Imap => b"imap",
            Protocol::Pop3 => b"pop3",
            Protocol::ManageSieve => b"managesieve",
        }
    }
}

/// The server's certificates, ready for handshakes.
#[derive(Debug)]
pub struct Tls {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    sources: Vec<Source>,
    /// The files as they were when last read, whether that went well or not.
    seen: Vec<Fingerprint>,
    loaded: Arc<Loaded>,
}

/// Certificates of one moment. Each load has its own ticket keys, so that no session is resumed across a change.
#[derive(Debug)]
struct Loaded {
    certificates: Arc<Certificates>,
    smtp: Arc<ServerConfig>,
    imap: Arc<ServerConfig>,
    pop3: Arc<ServerConfig>,
    managesieve: Arc<ServerConfig>,
}

/// Chooses by host name; the first certificate is for clients that name none or an unknown one.
#[derive(Debug)]
struct Certificates(Vec<Certificate>);

impl Certificates {
    fn choose(&self, server_name: Option<&str>) -> Option<&Certificate> {
        let named = server_name.and_then(|name| self.0.iter().find(|certificate| certificate.is_for(name)));
        named.or(self.0.first())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // One certificate needs no choice, and most servers have one.
        let name = hello.server_name().filter(|_| self.0.len() > 1);
        self.choose(name).map(|certificate| certificate.key.clone())
    }
}

impl Tls {
    /// Reads certificates and keys; the first is the default one.
    pub fn load(sources: Vec<Source>) -> Result<Arc<Self>, TlsError> {
        let seen = sources.iter().map(Source::fingerprint).collect();
        let loaded = Arc::new(Loaded::read(&sources)?);
        Ok(Arc::new(Tls { state: RwLock::new(State { sources, seen, loaded }) }))
    }

    /// Reads the files again, changed or not; on an error the old certificates stay. For SIGHUP.
    pub fn reload(&self) -> Result<(), TlsError> {
        let sources = self.state.read().sources.clone();
        self.replace(sources)
    }

    /// Takes other files; on an error the old certificates stay.
    pub fn replace(&self, sources: Vec<Source>) -> Result<(), TlsError> {
        let seen = sources.iter().map(Source::fingerprint).collect();
        match Loaded::read(&sources) {
            Ok(loaded) => {
                *self.state.write() = State { sources, seen, loaded: Arc::new(loaded) };
                tracing::info!("certificates loaded");
                Ok(())
            }
            Err(error) => {
                // Said once for each state of the files, not every few seconds.
                self.state.write().seen = seen;
                tracing::error!(alarm = "certificate", %error, "certificates cannot be loaded; the old ones stay in use");
                Err(error)
            }
        }
    }

    /// Reads the files if they have changed since they were last read.
    pub fn reload_if_changed(&self) {
        let changed = {
            let state = self.state.read();
            state.sources.iter().map(Source::fingerprint).ne(state.seen.iter().cloned())
        };
        if changed {
            // The error is logged, and the old certificates serve on.
            let _ = self.reload();
        }
    }

    /// When the first of the certificates in use ends (RFC 5280 §4.1.2.5).
    pub fn first_end(&self) -> Option<Timestamp> {
        let loaded = self.state.read().loaded.clone();
        loaded.certificates.0.iter().filter_map(Certificate::end).min()
    }

    /// Looks at the files every few seconds, for ever.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(POLL).await;
            let tls = self.clone();
            // A hanging file system must not hold up a worker.
            let _ = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
        }
    }

    pub(crate) fn acceptor(&self, protocol: Protocol) -> (TlsAcceptor, Pending) {
        let loaded = self.state.read().loaded.clone();
        let config = match protocol {
            Protocol::Smtp => &loaded.smtp,
            Protocol::Imap => &loaded.imap,
            Protocol::Pop3 => &loaded.pop3,
            Protocol::ManageSieve => &loaded.managesieve,
        };
        (TlsAcceptor::from(config.clone()), Pending(loaded.certificates.clone()))
    }
}

impl Loaded {
    fn read(sources: &[Source]) -> Result<Self, TlsError> {
        let provider = provider();
        let certificates = sources
            .iter()
            .map(|source| Certificate::read(source, &provider))
            .collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let certificates = Arc::new(Certificates(certificates));
        let smtp = config(provider, certificates.clone())?;
        let with_alpn = |protocol: Protocol| {
            let mut config = smtp.clone();
            config.alpn_protocols = vec![protocol.alpn().to_vec()];
            Arc::new(config)
        };
        Ok(Loaded {
            smtp: with_alpn(Protocol::Smtp),
            imap: with_alpn(Protocol::Imap),
            pop3: with_alpn(Protocol::Pop3),
            managesieve: with_alpn(Protocol::ManageSieve),
            certificates,
        })
    }
}

/// The one library that computes for TLS.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}

fn config(provider: Arc<CryptoProvider>, certificates: Arc<Certificates>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    // Tickets keep the state with the client: resuming costs us no memory. One each, as mail clients resume one
    // connection at a time.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// The certificates that a handshake under way chooses from.
pub(crate) struct Pending(Arc<Certificates>);

impl Pending {
    /// What the handshake chose.
    pub(crate) fn used(&self, server_name: Option<&str>) -> Used {
        Used(self.0.choose(server_name).and_then(|certificate| certificate.end_point.clone()))
    }
}

/// What must be remembered of the certificate that a connection uses.
#[derive(Debug)]
pub(crate) struct Used(Option<Arc<[u8]>>);

impl Used {
    /// For `tls-server-end-point`; `None` where RFC 5929 defines no hash for the certificate's signature.
    pub(crate) fn end_point(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }
}
