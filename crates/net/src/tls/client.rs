//! TLS as a client, towards other mail servers.

use super::{TlsError, VERSIONS, provider};
use base::address::Host;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whether the server proved by a certificate that it has the name it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authenticated(pub bool);

/// Handshakes with servers whose certificates are looked at, and the outcome told. Whether a connection to one that
/// proves nothing is good enough is for the caller to decide: against eavesdroppers it is (RFC 7435).
#[derive(Debug)]
pub struct TlsClient {
    /// None where the machine has no authorities: then nothing is proven.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl TlsClient {
    /// Trusts the authorities that the machine trusts.
    pub fn new() -> Result<Arc<Self>, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        if let Some(error) = found.errors.first() {
            tracing::warn!(%error, "some of the machine's certificate authorities cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        Self::with_roots(roots)
    }

    /// Trusts these authorities.
    pub fn with_roots(roots: RootCertStore) -> Result<Arc<Self>, TlsError> {
        if roots.is_empty() {
            tracing::warn!("this machine knows no certificate authorities: no server can prove who it is");
            return Ok(Arc::new(TlsClient { verifier: None }));
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
        Ok(Arc::new(TlsClient { verifier: Some(verifier) }))
    }

    pub(crate) async fn handshake(
        &self,
        name: &Host,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Authenticated)> {
        let name = match name {
            Host::Domain(domain) => {
                ServerName::try_from(domain.as_str().to_owned()).map_err(|_| io::ErrorKind::InvalidInput)?
            }
            Host::Literal(ip) => ServerName::from(*ip),
        };
        let witness = Arc::new(Witness { verifier: self.verifier.clone(), proven: AtomicBool::new(false) });
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&VERSIONS)
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_no_client_auth();
        // A resumed session would show no certificate.
        config.resumption = Resumption::disabled();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok((stream, Authenticated(witness.proven.load(Ordering::Relaxed))))
    }
}

/// Takes any certificate, and remembers whether it proves anything. The handshake itself is checked always: the server
/// holds the key of the certificate that it shows.
#[derive(Debug)]
struct Witness {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    proven: AtomicBool,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let proven = self.verifier.as_ref().is_some_and(|verifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).is_ok()
        });
        self.proven.store(proven, Ordering::Relaxed);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
