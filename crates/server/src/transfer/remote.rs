//! Another server, named by a URL, and the secured connection to it.

use base::address::Host;
use moving::imap::{Stream, ask_for_tls};
use net::{Authenticated, TlsClient};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long the other server may be silent.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to greet, and to say whether it has TLS. One that waits for TLS itself says nothing.
const GREETING: Duration = Duration::from_secs(20);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);

/// `imaps://HOST[:PORT]` or `imap://HOST[:PORT]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    host: String,
    port: u16,
    /// Whether TLS is asked for on the connection (`imap://`), rather than there from the start.
    pub starttls: bool,
}

impl Url {
    /// Reads one; none where it is a path.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (rest, starttls) = match (text.strip_prefix("imaps://"), text.strip_prefix("imap://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => return None,
        };
        Some(Self::parse_authority(rest.trim_end_matches('/'), starttls))
    }

    fn parse_authority(text: &str, starttls: bool) -> Result<Self, String> {
        if text.contains(['@', '/']) {
            return Err(format!("{text}: a host and a port alone are wanted; the name goes with --user"));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (text, None),
        };
        let usual = if starttls { 143 } else { 993 };
        let port = port.map_or(Ok(usual), |port| port.parse().map_err(|_| format!("{port} is no port")))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() { Err("no host is named".into()) } else { Ok(Url { host, port, starttls }) }
    }

    /// Connects, with TLS, and makes sure of the server's name. `insecure` takes any certificate, on this machine only.
    pub fn connect(&self, insecure: bool) -> Result<Box<dyn Stream>, String> {
        let failed = |error: std::io::Error| format!("{}:{}: {error}", self.host, self.port);
        let mut stream = self.reach().map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let near = stream.peer_addr().is_ok_and(|address| address.ip().is_loopback());
        if insecure && !near {
            return Err(format!("--insecure is for a server on this machine only, not for {}", self.host));
        }
        if self.starttls {
            stream.set_read_timeout(Some(GREETING)).map_err(failed)?;
            ask_for_tls(&mut stream).map_err(|why| {
                format!("{why} (is TLS there from the start? Then it is imaps://{})", self.host)
            })?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        }
        let name =
            self.host.parse().map(Host::Literal).or_else(|_| base::Domain::new(&self.host).map(Host::Domain));
        let name = name.map_err(|_| format!("{} is no host name", self.host))?;
        let client = TlsClient::new().map_err(|e| e.to_string())?;
        let (stream, proven) = client.handshake_blocking(&name, stream).map_err(failed)?;
        match proven {
            Authenticated(true) => {}
            Authenticated(false) if insecure => {
                eprintln!("mailward: the certificate of {} is not looked at (--insecure)", self.host);
            }
            Authenticated(false) => {
                return Err(format!(
                    "{} does not prove by a certificate that it is the one: nothing was sent to it",
                    self.host
                ));
            }
        }
        Ok(Box::new(stream))
    }

    fn reach(&self) -> std::io::Result<TcpStream> {
        let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let check = |text: &str, expected: Option<(&str, u16, bool)>| {
            let got = Url::parse(text).and_then(Result::ok);
            let got = got.as_ref().map(|url| (url.host.as_str(), url.port, url.starttls));
            assert_eq!(got, expected, "{text}");
        };
        check("imaps://imap.example.net", Some(("imap.example.net", 993, false)));
        check("imap://imap.example.net:1143/", Some(("imap.example.net", 1143, true)));
        check("imaps://[2001:db8::1]:9993", Some(("2001:db8::1", 9993, false)));
        check("imaps://[::1]", Some(("::1", 993, false)));
        check("imaps://user@imap.example.net", None);
        check("imaps://:993", None);
        check("/var/mail/imaps", None);
        assert!(Url::parse("imaps").is_none());
    }
}
