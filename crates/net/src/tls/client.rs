//! TLS as a client, towards other mail servers.

use super::{TlsError, VERSIONS, provider};
use base::address::Host;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, StreamOwned,
};
use std::io;
use std::sync::Arc;
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
    config: Arc<ClientConfig>,
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
        let verifier = if roots.is_empty() {
            tracing::warn!("this machine knows no certificate authorities: no server can prove who it is");
            None
        } else {
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            Some(built.map_err(|error| TlsError::Setup(Error::General(error.to_string())))?)
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&VERSIONS)
            .map_err(TlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth();
        // A resumed session would show no certificate.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(TlsClient { config: Arc::new(config), verifier }))
    }

    pub(crate) async fn handshake(
        &self,
        name: &Host,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Authenticated)> {
        let name = server_name(name)?;
        let stream = TlsConnector::from(self.config.clone()).connect(name.clone(), stream).await?;
        let proven = self.proves(stream.get_ref().1, &name);
        Ok((stream, proven))
    }

    /// The same for code that blocks.
    pub fn handshake_blocking(
        &self,
        name: &Host,
        mut stream: std::net::TcpStream,
    ) -> io::Result<(impl io::Read + io::Write + Send + use<>, Authenticated)> {
        let name = server_name(name)?;
        let connection = ClientConnection::new(self.config.clone(), name.clone());
        let mut connection = connection.map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let proven = self.proves(&connection, &name);
        Ok((StreamOwned::new(connection, stream), proven))
    }

    fn proves(&self, connection: &ClientConnection, name: &ServerName<'static>) -> Authenticated {
        let shown = connection.peer_certificates().and_then(<[_]>::split_first);
        Authenticated(self.verifier.as_ref().zip(shown).is_some_and(|(verifier, (own, chain))| {
            verifier.verify_server_cert(own, chain, name, &[], UnixTime::now()).is_ok()
        }))
    }
}

fn server_name(name: &Host) -> io::Result<ServerName<'static>> {
    Ok(match name {
        Host::Domain(domain) => {
            ServerName::try_from(domain.as_str().to_owned()).map_err(|_| io::ErrorKind::InvalidInput)?
        }
        Host::Literal(ip) => ServerName::from(*ip),
    })
}

/// Takes any certificate. The handshake itself is checked always: the server holds the key of the certificate that it
/// shows.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
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
