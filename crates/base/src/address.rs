//! Mail addresses, checked once (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Why a text is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressError {
    /// It breaks the grammar.
    Syntax,
    /// Local part over 64 octets, domain over 255, or both together over 254 (RFC 5321 §4.5.3.1).
    TooLong,
    /// Not ASCII where SMTPUTF8 was not asked for.
    NotAscii,
}

/// A domain name as it is looked up: lower case, A-labels (`xn--…`), no trailing dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Checks and normalises a name; U-labels become A-labels (UTS 46, non-transitional).
    pub fn new(name: &str) -> Result<Self, AddressError> {
        if name.len() > 1024 {
            return Err(AddressError::TooLong);
        }
        let ascii = match name.is_ascii() {
            true => name.to_ascii_lowercase(),
            false => idna::domain_to_ascii(name).map_err(|_| AddressError::Syntax)?,
        };
        if ascii.len() > 253 {
            return Err(AddressError::TooLong);
        }
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        if !ascii.split('.').all(label) {
            return Err(AddressError::Syntax);
        }
        Ok(Domain(ascii.into()))
    }

    /// The name in A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a person reads it, in U-labels where it has any. One with a label that only looks like an A-label
    /// stays as it is: what is shown reads back as the same name.
    pub fn to_unicode(&self) -> String {
        match idna::domain_to_unicode(&self.0) {
            (name, Ok(())) if Domain::new(&name).as_ref() == Ok(self) => name,
            _ => self.0.to_string(),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands before the `@`, its quoting undone. Case is kept; [`LocalPart::folded`] is for look-ups.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(Arc<str>);

impl LocalPart {
    /// Reads a local part as it stands in a command: dot-string or quoted string (RFC 5321 §4.1.2).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let value = match text.strip_prefix('"') {
            Some(rest) => unquote(rest.strip_suffix('"').ok_or(AddressError::Syntax)?)?,
            None if is_dot_string(text) => text.to_owned(),
            None => return Err(AddressError::Syntax),
        };
        // RFC 5321 §4.5.3.1.1
        if value.len() > 64 {
            return Err(AddressError::TooLong);
        }
        Ok(LocalPart(value.into()))
    }

    /// The local part with its quoting undone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For look-ups: lower case. Only this server's own mailboxes are compared so (RFC 5321 §2.4).
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// The part before a `+`, and what follows it (RFC 5233 §4), if there is both.
    pub fn subaddress(&self) -> Option<(&str, &str)> {
        self.0.split_once('+').filter(|(user, detail)| !user.is_empty() && !detail.is_empty())
    }
}

/// As it stands in a command: quoted if it must be.
impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if c == '"' || c == '\\' {
                f.write_str("\\")?;
            }
            fmt::Write::write_char(f, c)?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3, with UTF-8 by RFC 6531 §3.3. Unicode's own controls stay out.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

fn unquote(inner: &str) -> Result<String, AddressError> {
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        let c = match c {
            '\\' => characters.next().filter(|c| matches!(c, ' '..='~')).ok_or(AddressError::Syntax)?,
            '"' => return Err(AddressError::Syntax),
            c if c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && !c.is_control()) => c,
            _ => return Err(AddressError::Syntax),
        };
        value.push(c);
    }
    if value.is_empty() { Err(AddressError::Syntax) } else { Ok(value) }
}

/// Where mail for an address goes: a domain, or a host named by its address (RFC 5321 §4.1.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

impl Host {
    /// Reads a domain or an address literal.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
            return Domain::new(text).map(Host::Domain);
        };
        let v6 = inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).map(|_| &inner[5..]);
        let address = match v6 {
            Some(text) => text.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
            None => inner.parse::<Ipv4Addr>().map(IpAddr::V4).ok(),
        };
        address.map(Host::Literal).ok_or(AddressError::Syntax)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(domain) => domain.fmt(f),
            Host::Literal(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Host::Literal(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

/// An address: `local@host`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// What stands before the `@`.
    pub local: LocalPart,
    /// What stands after it.
    pub host: Host,
}

impl Address {
    /// Reads `local@host`. A quoted local part may hold an `@`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').ok_or(AddressError::Syntax)?;
        let address = Address { local: LocalPart::parse(&text[..at])?, host: Host::parse(&text[at + 1..])? };
        // RFC 5321 §4.5.3.1.3: a path of 256 octets, its angle brackets included; also in the form in which it is kept
        // and sent on, where A-labels are longer than what they stand for.
        let too_long = text.len() > 254 || !text.is_ascii() && address.to_string().len() > 254;
        if too_long { Err(AddressError::TooLong) } else { Ok(address) }
    }

    /// The domain, unless the host is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.host {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }

    /// Whether both name one mailbox of ours, where the case of letters does not count.
    pub fn is_same_mailbox(&self, other: &Address) -> bool {
        self.host == other.host && self.local.folded() == other.local.folded()
    }

    /// Whether writing it needs SMTPUTF8: the local part is not ASCII (the domain can always be).
    pub fn needs_utf8(&self) -> bool {
        !self.local.as_str().is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a failure is to be reported (RFC 5321 §4.1.1.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ReversePath {
    /// `<>`: reports and replies by machines; nothing may be sent back.
    Null,
    /// A sender.
    Address(Address),
}

impl ReversePath {
    /// The sender, unless it is the null path.
    pub fn address(&self) -> Option<&Address> {
        match self {
            ReversePath::Null => None,
            ReversePath::Address(address) => Some(address),
        }
    }
}

/// Without angle brackets; the null path is empty.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().map_or(Ok(()), |address| address.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, AddressError>) {
        let got = Address::parse(text).map(|a| a.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn addresses() {
        check("a@example.net", Ok("a@example.net"));
        check("A+b/c=d@EXAMPLE.net", Ok("A+b/c=d@example.net"));
        check("\"quoted local\"@example.net", Ok("\"quoted local\"@example.net"));
        check("\"plain\"@example.net", Ok("plain@example.net"));
        check("\"a@b\"@example.net", Ok("\"a@b\"@example.net"));
        check("a@[192.0.2.1]", Ok("a@[192.0.2.1]"));
        check("a@[IPv6:2001:db8::1]", Ok("a@[IPv6:2001:db8::1]"));
        check("grå@bücher.example", Ok("grå@xn--bcher-kva.example"));
        for bad in
            ["", "a", "@b", "a@", "a..b@c", ".a@b", "a b@c", "a@b@c", "a@-b", "a@b.", "\"a\"b@c", "a@b c"]
        {
            check(bad, Err(AddressError::Syntax));
        }
        check(&format!("{}@example.net", "a".repeat(65)), Err(AddressError::TooLong));
        // 250 octets as ASCII, and as many with U-labels whose A-labels make it longer.
        let long = |label: &str| format!("a@{}{label}", format!("{}.", "a".repeat(59)).repeat(4));
        assert_eq!(long("12345678").len(), 250);
        check(&long("12345678"), Ok(&long("12345678")));
        check(&long("bücherei"), Err(AddressError::TooLong));
    }

    #[test]
    fn mailboxes() {
        let address = |text: &str| Address::parse(text).unwrap();
        for (one, other, expected) in [
            ("Anna@example.com", "anna@EXAMPLE.com", true),
            ("ÄNNE@example.com", "änne@example.com", true),
            ("anna@example.com", "anna@example.net", false),
            ("anna@[192.0.2.1]", "ANNA@[192.0.2.1]", true),
            ("anna+x@example.com", "anna@example.com", false),
        ] {
            assert_eq!(address(one).is_same_mailbox(&address(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn domains_for_people() {
        for (name, expected) in [
            ("xn--bcher-kva.example", "bücher.example"),
            // It decodes to a character that UTS 46 disallows.
            ("xn--il.example", "xn--il.example"),
            // To a label that ends with a hyphen (RFC 5891 §4.2.3.1).
            ("xn--xn--bxn--bchbxn--bch.example", "xn--xn--bxn--bchbxn--bch.example"),
        ] {
            assert_eq!(Domain::new(name).map(|domain| domain.to_unicode()).as_deref(), Ok(expected));
        }
    }
}
