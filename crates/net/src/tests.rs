//! Both ends in one process: our listener and connection against a rustls client on loopback.

use crate::tls::{Source, self_signed};
use crate::{Accepted, Admission, Connection, HickoryResolver, Listener, Most, Protocol, Tls, TlsClient};
use base::address::Host;
use base::{DnsError, Domain, Resolver};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const WAIT: Duration = Duration::from_secs(5);

/// A directory of one test's own, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mailward-net-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn certificate(directory: &Path, name: &str) -> Source {
    self_signed(directory, &[name.to_owned()]).unwrap()
}

fn listener(all: usize, peer: usize) -> (Listener, std::net::SocketAddr) {
    let admission = Admission::new(Most { all, network: all, peer });
    let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], admission).unwrap();
    let address = listener.addresses().next().unwrap();
    (listener, address)
}

async fn accept(listener: &Listener) -> Connection {
    match listener.accept().await {
        Accepted::Connection(connection) => connection,
        Accepted::Refused(refused) => panic!("refused: {:?}", refused.why),
    }
}

/// The authorities in these directories.
fn roots(trusted: &[&Path]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for directory in trusted {
        roots.add(CertificateDer::from_pem_file(directory.join("ca.pem")).unwrap()).unwrap();
    }
    roots
}

/// A client that trusts the authorities in these directories.
fn client(
    trusted: &[&Path],
    alpn: &[&str],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let roots = roots(trusted);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

const BOTH: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// A handshake: both ends, or the client's error.
async fn handshake(
    tls: &Arc<Tls>,
    protocol: Protocol,
    client: &TlsConnector,
    name: &str,
) -> (std::io::Result<Connection>, std::io::Result<TlsStream<TcpStream>>) {
    let (listener, address) = listener(100, 100);
    let stream = TcpStream::connect(address).await.unwrap();
    let mut connection = accept(&listener).await;
    let server = async { connection.start_tls(tls, protocol, WAIT).await };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (server, client) = tokio::join!(server, client.connect(name, stream));
    (server.map(|()| connection), client)
}

#[tokio::test]
async fn octets_go_both_ways_and_the_end_is_seen() {
    let (listener, address) = listener(10, 10);
    let mut peer = TcpStream::connect(address).await.unwrap();
    let mut connection = accept(&listener).await;
    assert_eq!(connection.peer(), peer.local_addr().unwrap());
    peer.write_all(b"hello").await.unwrap();
    let mut input = Vec::new();
    while input.len() < 5 {
        connection.read(&mut input).await.unwrap();
    }
    connection.write_all(b"220 hi").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(connection.read(&mut input).await.unwrap(), 0);
    assert_eq!(input, b"hello");
    connection.close().await;
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"220 hi");
}

#[tokio::test]
async fn a_silent_peer_runs_into_the_deadline() {
    let (listener, address) = listener(10, 10);
    let _peer = TcpStream::connect(address).await.unwrap();
    let mut connection = accept(&listener).await;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(20);
    let error = connection.read_until(&mut Vec::new(), deadline).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

/// B087: what a client has sent and we never read must not turn our last words into a reset.
#[tokio::test]
async fn closing_is_no_reset() {
    let (listener, address) = listener(10, 10);
    let mut peer = TcpStream::connect(address).await.unwrap();
    let mut connection = accept(&listener).await;
    peer.write_all(&[b'x'; 100_000]).await.unwrap();
    connection.write_all(b"* BYE").await.unwrap();
    let read = async {
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.map(|_| {
            drop(peer);
            answer
        })
    };
    let ((), answer) = tokio::join!(connection.close(), read);
    assert_eq!(answer.unwrap(), b"* BYE");
}

#[tokio::test]
async fn one_peer_too_many_gets_a_word() {
    let (listener, address) = listener(10, 1);
    let _first = TcpStream::connect(address).await.unwrap();
    let connection = accept(&listener).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    match listener.accept().await {
        Accepted::Refused(refused) => refused.say(b"421 later\r\n"),
        Accepted::Connection(_) => panic!("let in"),
    }
    let mut answer = Vec::new();
    second.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"421 later\r\n");
    drop(connection);
    let _third = TcpStream::connect(address).await.unwrap();
    accept(&listener).await;
}

async fn check_alpn(protocol: Protocol, offered: &[&str], agreed: Result<Option<&str>, ()>) {
    let directory = Directory::new();
    let tls = Tls::load(vec![certificate(&directory.0, "mail.example.test")]).unwrap();
    let client = client(&[&directory.0], offered, &BOTH);
    let (server, client) = handshake(&tls, protocol, &client, "mail.example.test").await;
    match agreed {
        Ok(name) => assert_eq!(server.unwrap().tls_info().unwrap().alpn.as_deref(), name, "{offered:?}"),
        Err(()) => {
            assert!(server.is_err(), "{offered:?}");
            let alert = client.unwrap_err().to_string();
            assert!(alert.contains("NoApplicationProtocol"), "{alert}");
        }
    }
}

/// B048, RFC 7301 §3.2.
#[tokio::test]
async fn other_protocols_are_refused_by_alpn() {
    check_alpn(Protocol::Imap, &[], Ok(None)).await;
    check_alpn(Protocol::Imap, &["imap"], Ok(Some("imap"))).await;
    check_alpn(Protocol::Imap, &["h2", "imap"], Ok(Some("imap"))).await;
    check_alpn(Protocol::Imap, &["h2", "http/1.1"], Err(())).await;
    check_alpn(Protocol::Pop3, &["imap"], Err(())).await;
    check_alpn(Protocol::Smtp, &["http/1.1"], Err(())).await;
}

async fn check_binding(version: &'static rustls::SupportedProtocolVersion, shown: &str, has_exporter: bool) {
    let directory = Directory::new();
    let tls = Tls::load(vec![certificate(&directory.0, "mail.example.test")]).unwrap();
    let client = client(&[&directory.0], &[], &[version]);
    let (server, client) = handshake(&tls, Protocol::Imap, &client, "mail.example.test").await;
    let (info, client) = (server.unwrap().tls_info().unwrap(), client.unwrap());
    assert_eq!(info.version, shown);
    assert_eq!(info.server_name.as_deref(), Some("mail.example.test"));
    // What the other end computes by itself.
    let (_, state) = client.get_ref();
    let exported = state.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
    assert_eq!(info.binding.exporter, has_exporter.then_some(exported));
    let own = &state.peer_certificates().unwrap()[0];
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, own);
    assert_eq!(info.binding.server_end_point.as_deref(), Some(hash.as_ref()));
}

/// RFC 9266 §2, RFC 5929 §4.1; the certificate is signed with ecdsa-with-SHA256.
#[tokio::test]
async fn both_ends_see_the_same_channel_binding() {
    check_binding(&rustls::version::TLS13, "TLSv1.3", true).await;
    check_binding(&rustls::version::TLS12, "TLSv1.2", false).await;
}

#[tokio::test]
async fn the_certificate_follows_the_host_name() {
    let (first, second) = (Directory::new(), Directory::new());
    let sources = vec![certificate(&first.0, "a.example.test"), certificate(&second.0, "b.example.test")];
    let tls = Tls::load(sources).unwrap();
    // Each client trusts one authority only.
    let (only_first, only_second) = (client(&[&first.0], &[], &BOTH), client(&[&second.0], &[], &BOTH));
    for (client, name, right) in [
        (&only_first, "a.example.test", true),
        (&only_second, "b.example.test", true),
        (&only_first, "b.example.test", false),
    ] {
        let (_, client) = handshake(&tls, Protocol::Imap, client, name).await;
        assert_eq!(client.is_ok(), right, "{name}");
    }
    let (unknown, _) = handshake(&tls, Protocol::Imap, &only_first, "c.example.test").await;
    assert!(unknown.is_err(), "the client refuses the default certificate, which does not name it");
}

/// B050: new files are taken up, a half-written or mismatched pair is not.
#[tokio::test]
async fn changed_files_are_picked_up() {
    let (live, fresh) = (Directory::new(), Directory::new());
    let source = certificate(&live.0, "mail.example.test");
    let old_authority = live.0.join("ca.pem");
    let tls = Tls::load(vec![source.clone()]).unwrap();
    let new = certificate(&fresh.0, "mail.example.test");
    let (old_client, new_client) = (client(&[&live.0], &[], &BOTH), client(&[&fresh.0], &[], &BOTH));
    let serves = async |client: &TlsConnector| {
        handshake(&tls, Protocol::Imap, client, "mail.example.test").await.1.is_ok()
    };
    assert!(serves(&old_client).await && !serves(&new_client).await && old_authority.exists());

    let whole = std::fs::read(&new.certificate).unwrap();
    std::fs::write(&source.certificate, &whole[..whole.len() / 4]).unwrap();
    tls.reload_if_changed();
    assert!(serves(&old_client).await, "a half-written chain");
    std::fs::write(&source.certificate, &whole).unwrap();
    tls.reload_if_changed();
    assert!(serves(&old_client).await, "the new chain with the old key");
    std::fs::copy(&new.key, &source.key).unwrap();
    tls.reload_if_changed();
    assert!(serves(&new_client).await && !serves(&old_client).await, "the new pair");
}

#[test]
fn a_made_certificate_is_kept_until_other_names_are_asked_for() {
    let directory = Directory::new();
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let read = |source: Source| std::fs::read(source.certificate).unwrap();
    let first = read(self_signed(&directory.0, &names(&["mail.example.test", "127.0.0.1", "::1"])).unwrap());
    assert_eq!(first, read(self_signed(&directory.0, &names(&["mail.example.test", "::1"])).unwrap()));
    assert_ne!(first, read(self_signed(&directory.0, &names(&["other.example.test"])).unwrap()));
}

/// B007: a TLS peer that says close_notify and goes on in the clear is not listened to.
#[tokio::test]
async fn nothing_counts_after_close_notify() {
    let directory = Directory::new();
    let tls = Tls::load(vec![certificate(&directory.0, "mail.example.test")]).unwrap();
    let client = client(&[&directory.0], &[], &BOTH);
    let (server, client) = handshake(&tls, Protocol::Smtp, &client, "mail.example.test").await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    client.write_all(b"EHLO x\r\n").await.unwrap();
    client.get_mut().1.send_close_notify();
    client.flush().await.unwrap();
    client.get_mut().0.write_all(b"QUIT\r\n").await.unwrap();
    let mut input = Vec::new();
    while server.read(&mut input).await.unwrap() > 0 {}
    assert_eq!(server.read(&mut input).await.unwrap(), 0);
    assert_eq!(input, b"EHLO x\r\n");
}

/// RFC 3207 §4.2: octets in the clear behind STARTTLS break the handshake, they are never read as a command.
#[tokio::test]
async fn clear_text_is_no_handshake() {
    let directory = Directory::new();
    let tls = Tls::load(vec![certificate(&directory.0, "mail.example.test")]).unwrap();
    let (listener, address) = listener(10, 10);
    let mut peer = TcpStream::connect(address).await.unwrap();
    let mut connection = accept(&listener).await;
    peer.write_all(b"EHLO injected\r\n").await.unwrap();
    let outcome = tokio::join!(connection.start_tls(&tls, Protocol::Smtp, WAIT), async {
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest).await;
        drop(peer);
    });
    assert!(outcome.0.is_err());
    let mut input = Vec::new();
    assert_eq!(connection.read(&mut input).await.unwrap(), 0);
    assert!(input.is_empty() && connection.write_all(b"x").await.is_err());
}

#[tokio::test]
async fn a_resolver_without_servers_or_answers_is_an_error() {
    assert!(HickoryResolver::new(&[]).is_err());
    // A port that was free a moment ago: nobody answers there.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let resolver = HickoryResolver::new(&[port]).unwrap();
    let outcome = resolver.mx(&Domain::new("example.test").unwrap()).await;
    assert!(matches!(outcome, Err(DnsError::ServerFailure | DnsError::Timeout)), "{outcome:?}");
}

/// The rig's DNS server (tests/dns/), gone with the test.
struct Dns(std::process::Child, std::net::SocketAddr);

impl Dns {
    /// `None` where there is no Python.
    fn start(directory: &Directory) -> Option<Self> {
        let (root, port_file) =
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dns"), directory.0.join("port"));
        let mut command = std::process::Command::new("python3");
        command
            .arg("-B")
            .arg(root.join("serve.py"))
            .arg("--port-file")
            .arg(&port_file)
            .arg(root.join("outside.zone"));
        let child = command.stdout(std::process::Stdio::null()).spawn().ok()?;
        let mut dns = Dns(child, "127.0.0.1:0".parse().unwrap());
        for _ in 0..500 {
            if let Ok(port) = std::fs::read_to_string(&port_file) {
                dns.1.set_port(port.trim().parse().unwrap());
                return Some(dns);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the DNS server does not start");
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What tests/dns/outside.zone says, asked through the resolver.
#[tokio::test]
async fn answers_denials_and_failures_are_told_apart() {
    let directory = Directory::new();
    let Some(dns) = Dns::start(&directory) else {
        eprintln!("skipped: no python3 for the DNS server");
        return;
    };
    let resolver = HickoryResolver::new(&[dns.1]).unwrap();
    let name = |text: &str| Domain::new(text).unwrap();

    let mx = resolver.mx(&name("outside.test")).await.unwrap();
    let mut exchanges: Vec<_> =
        mx.records.into_iter().map(|mx| (mx.preference, mx.exchange.unwrap())).collect();
    exchanges.sort();
    assert_eq!(exchanges, [(10, name("mx.outside.test")), (20, name("mx2.outside.test"))]);
    // RFC 7505
    let null = resolver.mx(&name("nomail.example.net")).await.unwrap();
    assert!(matches!(&null.records[..], [mx] if mx.exchange.is_none()), "{null:?}");

    let alias = resolver.addresses(&name("alias.example.net")).await.unwrap();
    assert_eq!(alias.records, ["127.0.0.2".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(resolver.txt("example.net").await.unwrap().records, [b"v=spf1 ip4:127.0.0.0/8 ip6:::1 -all"]);
    let names = resolver.names_of("::ffff:127.0.0.2".parse().unwrap()).await.unwrap();
    assert_eq!(names.records, [name("peer2.peers.test")]);

    for (absent, no_such_name) in
        [("none.example.net", true), ("nodata.example.net", false), ("example.org", true)]
    {
        let answer = resolver.addresses(&name(absent)).await.unwrap();
        assert!(answer.records.is_empty() && answer.no_such_name == no_such_name, "{absent}: {answer:?}");
    }
    assert_eq!(resolver.addresses(&name("broken.example.net")).await, Err(DnsError::ServerFailure));
    assert_eq!(resolver.mx(&name("silent.example.net")).await, Err(DnsError::Timeout));
}

/// As a client: any certificate will do for TLS, and only one that an authority gave for this name proves anything.
#[tokio::test]
async fn who_another_server_is() {
    let place = Directory::new();
    let tls = Tls::load(vec![certificate(place.0.as_path(), "mx.example.net")]).unwrap();
    for (trusted, name, proven) in [
        (&[place.0.as_path()][..], "mx.example.net", true),
        (&[place.0.as_path()], "mx.example.org", false),
        (&[place.0.as_path()], "[127.0.0.1]", false),
        (&[], "mx.example.net", false),
    ] {
        let ours = TlsClient::with_roots(roots(trusted)).unwrap();
        let (listener, address) = listener(10, 10);
        let mut connection = Connection::connect(address, None, WAIT).await.unwrap();
        let mut peer = accept(&listener).await;
        let host = Host::parse(name).unwrap();
        let (server, client) = tokio::join!(
            peer.start_tls(&tls, Protocol::Smtp, WAIT),
            connection.start_client_tls(&ours, &host, WAIT)
        );
        server.unwrap();
        assert_eq!(client.unwrap().0, proven, "{name} {trusted:?}");
        assert!(connection.is_tls() && connection.tls_words().is_some());
    }
}
