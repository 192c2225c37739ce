//! Where mail for another server goes: mail exchangers by RFC 5321 §5, or what the administrator set.

use base::address::Host;
use base::dns::Mx;
use base::{Answer, DnsError, Domain, Reply, Resolver};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The port of a mail exchanger.
const SMTP: u16 = 25;

/// The port of submission inside TLS (RFC 8314 §3.3).
const SUBMISSIONS: u16 = 465;

/// Mail exchangers that are tried for one domain, best first.
const MOST_EXCHANGES: usize = 10;

/// Addresses of one exchanger that are tried.
const MOST_ADDRESSES: usize = 4;

/// The ways out of this server.
#[derive(Default)]
pub struct Routes {
    /// Names that are ourselves: an exchanger of such a name, and any that is no better, is a loop.
    pub own_names: Vec<Domain>,
    /// Where mail for a domain goes, whatever its mail exchangers are.
    pub by_domain: HashMap<Domain, NextHop>,
    /// Where all other mail goes, if not to mail exchangers.
    pub smart_host: Option<NextHop>,
}

/// A server that the administrator names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextHop {
    /// Its name or address.
    pub host: Host,
    /// Its port.
    pub port: u16,
}

/// A server that takes mail for a destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// Its name or address.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// Who named it.
    pub named: Named,
}

impl Exchange {
    /// Whether TLS begins with the connection.
    pub fn is_implicit(&self) -> bool {
        self.port == SUBMISSIONS && self.named != Named::Recipient
    }
}

/// Who says that mail goes to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// The administrator, for all mail: the one that a password may be for.
    SmartHost,
    /// The administrator, for a domain.
    Route,
    /// Whoever holds the domain, or writes the address: a stranger.
    Recipient,
}

/// The status of mail that comes back to this server (RFC 3463 §3.5).
pub const LOOP: (u8, u16, u16) = (5, 4, 6);

impl Routes {
    /// The servers to try for a destination, in this order; or why there is none, now or for good, in the form of what a
    /// server would have said.
    pub async fn exchanges(&self, to: &Host, dns: &dyn Resolver) -> Result<Vec<Exchange>, Reply> {
        let route = match to {
            Host::Domain(domain) => self.by_domain.get(domain),
            Host::Literal(_) => None,
        };
        let set = route.map(|hop| (hop, Named::Route));
        if let Some((hop, named)) = set.or(self.smart_host.as_ref().map(|hop| (hop, Named::SmartHost))) {
            return Ok(vec![Exchange { host: hop.host.clone(), port: hop.port, named }]);
        }
        let Host::Domain(domain) = to else {
            return Ok(vec![Exchange { host: to.clone(), port: SMTP, named: Named::Recipient }]);
        };
        let answer =
            dns.mx(domain).await.map_err(|error| later(&format!("mail exchangers of {domain}"), &error))?;
        self.by_preference(domain, answer)
    }

    /// RFC 5321 §5.1, RFC 7505.
    fn by_preference(&self, domain: &Domain, answer: Answer<Mx>) -> Result<Vec<Exchange>, Reply> {
        let exchange =
            |name: Domain| Exchange { host: Host::Domain(name), port: SMTP, named: Named::Recipient };
        if answer.no_such_name {
            return Err(never((5, 1, 2), format!("the domain {domain} does not exist")));
        }
        if answer.records.is_empty() {
            // The domain itself is its implicit mail exchanger.
            return Ok(vec![exchange(domain.clone())]);
        }
        let mut named: Vec<(u16, Domain)> =
            answer.records.iter().filter_map(|mx| Some((mx.preference, mx.exchange.clone()?))).collect();
        if named.is_empty() {
            return Err(never((5, 1, 10), format!("the domain {domain} takes no mail")));
        }
        // Those alike are shuffled: each server has its share of the load.
        named.sort_by_cached_key(|(preference, _)| (*preference, crate::random::octets::<4>()));
        if let Some(own) = named.iter().find(|(_, name)| self.own_names.contains(name)).map(|(own, _)| *own) {
            named.retain(|(preference, _)| *preference < own);
            if named.is_empty() {
                return Err(never(LOOP, format!("mail for {domain} comes back to this server")));
            }
        }
        Ok(named.into_iter().take(MOST_EXCHANGES).map(|(_, name)| exchange(name)).collect())
    }
}

impl Exchange {
    /// Its addresses, in the order to try them: IPv6 and IPv4 by turns, so that one broken road costs one try.
    pub async fn addresses(&self, dns: &dyn Resolver) -> Result<Vec<SocketAddr>, Reply> {
        let name = match &self.host {
            Host::Literal(ip) if self.leads_back(ip) => return Err(comes_back(&self.host)),
            Host::Literal(ip) => return Ok(vec![SocketAddr::new(*ip, self.port)]),
            Host::Domain(name) => name,
        };
        let answer =
            dns.addresses(name).await.map_err(|error| later(&format!("addresses of {name}"), &error))?;
        if answer.records.iter().any(|ip| self.leads_back(ip)) {
            return Err(comes_back(&self.host));
        }
        if answer.records.is_empty() {
            let text = format!("the mail exchanger {name} has no address");
            return Err(match self.named {
                Named::Recipient => never((5, 4, 4), text),
                // What the administrator may have written wrongly is no reason to give mail up.
                Named::SmartHost | Named::Route => not_now((4, 4, 4), text),
            });
        }
        let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = answer.records.into_iter().partition(IpAddr::is_ipv6);
        let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
        let mut mixed = Vec::new();
        loop {
            let before = mixed.len();
            mixed.extend(v6.next());
            mixed.extend(v4.next());
            if mixed.len() == before || mixed.len() >= MOST_ADDRESSES {
                break;
            }
        }
        mixed.truncate(MOST_ADDRESSES);
        Ok(mixed.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect())
    }
}

impl Exchange {
    /// Whether an address that a stranger named is one of this machine. Where the administrator named it, something
    /// else may listen there.
    fn leads_back(&self, ip: &IpAddr) -> bool {
        self.named == Named::Recipient && is_here(ip.to_canonical())
    }
}

/// Whether an address is one of this machine, or nobody's.
fn is_here(ip: IpAddr) -> bool {
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
        return true;
    }
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Sends nothing: it only asks the system from which address it would. To its own addresses that is the address
    // itself.
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, SMTP))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == ip)
}

fn comes_back(host: &Host) -> Reply {
    never(LOOP, format!("the mail exchanger {host} is this server"))
}

/// Another try does not help.
pub fn never(status: (u8, u16, u16), text: String) -> Reply {
    Reply::new(550, status, text)
}

/// Another try may help.
pub fn not_now(status: (u8, u16, u16), text: String) -> Reply {
    Reply::new(451, status, text)
}

fn later(what: &str, error: &DnsError) -> Reply {
    let why = match error {
        DnsError::Timeout => "nobody answered in time",
        DnsError::ServerFailure => "the name server failed",
        DnsError::Bogus => "the answer is signed and wrong",
    };
    not_now((4, 4, 3), format!("cannot look up the {what}: {why}"))
}

#[cfg(test)]
mod tests;
