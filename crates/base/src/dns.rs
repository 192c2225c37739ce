//! The domain name system as checks see it: answers that say how far they can be trusted.

use crate::{BoxFuture, Domain};
use std::net::IpAddr;

/// How far a DNS answer can be trusted (RFC 4033 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Validated up to the trust anchor.
    Secure,
    /// Proven to lie in an unsigned zone, or validation is off.
    Insecure,
    /// Signed and wrong: must be treated as a temporary failure, never as an answer.
    Bogus,
}

/// Records and what they are worth. No records with `Secure` is a proven denial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T> {
    /// The records; empty where the name or the type does not exist.
    pub records: Vec<T>,
    /// How far to trust them (or their absence).
    pub trust: Trust,
    /// Whether the name itself does not exist (NXDOMAIN), as against having no such record.
    pub no_such_name: bool,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DnsError {
    /// Nobody answered in time.
    Timeout,
    /// The server failed or refused; worth trying again later.
    ServerFailure,
    /// The answer is signed and wrong (RFC 4035 §4.3).
    Bogus,
}

/// A mail exchanger (RFC 5321 §5.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mx {
    /// Lower is preferred.
    pub preference: u16,
    /// The host; `None` is the null MX (RFC 7505).
    pub exchange: Option<Domain>,
}

/// Asks the domain name system. One for the whole server; fakes answer from tables.
pub trait Resolver: Send + Sync {
    /// IPv4 and IPv6 addresses of a host.
    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Answer<IpAddr>, DnsError>>;

    /// Mail exchangers of a domain, unsorted.
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Answer<Mx>, DnsError>>;

    /// Text records; the strings of one record joined without a gap.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answer<Vec<u8>>, DnsError>>;

    /// Names that an address points back to (PTR).
    fn names_of(&self, ip: IpAddr) -> BoxFuture<'_, Result<Answer<Domain>, DnsError>>;
}
