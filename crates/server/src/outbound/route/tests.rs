use super::*;
use base::{BoxFuture, Trust};

/// A name and its records; `None` where the look-up fails.
type Table<T> = Vec<(&'static str, Option<Answer<T>>)>;

#[derive(Default)]
struct Fake {
    mx: Table<Mx>,
    addresses: Table<IpAddr>,
}

fn found<T: Clone>(table: &Table<T>, name: &str) -> Result<Answer<T>, DnsError> {
    let none = Answer { records: Vec::new(), trust: Trust::Insecure, no_such_name: true };
    let entry = table.iter().find(|(known, _)| *known == name);
    entry.map_or(Ok(none), |(_, answer)| answer.clone().ok_or(DnsError::ServerFailure))
}

impl Resolver for Fake {
    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Answer<IpAddr>, DnsError>> {
        Box::pin(async { found(&self.addresses, host.as_str()) })
    }
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Answer<Mx>, DnsError>> {
        Box::pin(async { found(&self.mx, domain.as_str()) })
    }
    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Answer<Vec<u8>>, DnsError>> {
        Box::pin(async { Err(DnsError::Timeout) })
    }
    fn names_of(&self, _: IpAddr) -> BoxFuture<'_, Result<Answer<Domain>, DnsError>> {
        Box::pin(async { Err(DnsError::Timeout) })
    }
}

fn answer<T>(records: Vec<T>) -> Option<Answer<T>> {
    Some(Answer { records, trust: Trust::Insecure, no_such_name: false })
}

fn mx(list: &[(u16, &str)]) -> Option<Answer<Mx>> {
    let record =
        |(preference, name): &(u16, &str)| Mx { preference: *preference, exchange: Domain::new(name).ok() };
    answer(list.iter().map(record).collect())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The hosts in order, or the status.
fn check(domain: &str, records: Option<Answer<Mx>>, expected: &[&str]) {
    let routes = Routes {
        own_names: vec![Domain::new("mail.example.test").unwrap()],
        by_domain: [(Domain::new("routed.example").unwrap(), hop("gateway.example", 2525))].into(),
        smart_host: None,
    };
    let dns = Fake { mx: vec![("example.net", records)], ..Fake::default() };
    let got = block_on(routes.exchanges(&Host::parse(domain).unwrap(), &dns));
    let got: Vec<String> = match got {
        Ok(hosts) => hosts.iter().map(|one| format!("{}:{}", one.host, one.port)).collect(),
        Err(fault) => {
            let (a, b, c) = fault.enhanced().unwrap();
            assert_eq!((fault.is_temporary(), fault.is_permanent()), (a == 4, a == 5));
            vec![format!("{a}.{b}.{c}")]
        }
    };
    assert_eq!(got, expected, "{domain}");
}

fn hop(host: &str, port: u16) -> NextHop {
    NextHop { host: Host::parse(host).unwrap(), port }
}

/// RFC 5321 §5.1, RFC 7505; B143, B144.
#[test]
fn exchanges_by_preference() {
    let net = "example.net";
    check(
        net,
        mx(&[(20, "b.example.net"), (10, "a.example.net"), (30, "c.example.net")]),
        &["a.example.net:25", "b.example.net:25", "c.example.net:25"],
    );
    check(net, mx(&[]), &["example.net:25"]);
    check("nowhere.example", None, &["5.1.2"]);
    check(net, mx(&[(0, "")]), &["5.1.10"]);
    check(net, mx(&[(0, ""), (10, "a.example.net")]), &["a.example.net:25"]);
    check(net, None, &["4.4.3"]);
    check("[192.0.2.1]", None, &["[192.0.2.1]:25"]);
    check("routed.example", None, &["gateway.example:2525"]);
}

/// RFC 5321 §5.1: what is no better than ourselves is a loop.
#[test]
fn ourselves_among_the_exchanges() {
    let net = "example.net";
    check(
        net,
        mx(&[(10, "a.example.net"), (20, "mail.example.test"), (20, "b.example.net"), (30, "c.example.net")]),
        &["a.example.net:25"],
    );
    check(net, mx(&[(20, "mail.example.test"), (30, "c.example.net")]), &["5.4.6"]);
}

#[test]
fn those_alike_are_shuffled_and_few() {
    let names: Vec<String> = (0..30).map(|n| format!("m{n}.example.net")).collect();
    let list: Vec<(u16, &str)> = names.iter().map(|name| (5, name.as_str())).collect();
    let routes = Routes::default();
    let dns = Fake { mx: vec![("example.net", mx(&list))], ..Fake::default() };
    let ask = || block_on(routes.exchanges(&Host::parse("example.net").unwrap(), &dns)).unwrap();
    let first = ask();
    assert_eq!(first.len(), MOST_EXCHANGES);
    assert!((0..20).any(|_| ask() != first));
}

#[test]
fn a_smart_host_takes_all() {
    let routes = Routes { smart_host: Some(hop("[192.0.2.9]", 587)), ..Routes::default() };
    for to in ["example.net", "[192.0.2.1]"] {
        let got = block_on(routes.exchanges(&Host::parse(to).unwrap(), &Fake::default())).unwrap();
        assert_eq!((got[0].host.to_string(), got[0].port), ("[192.0.2.9]".to_owned(), 587));
        // It is the one that the password is for.
        assert_eq!(got[0].named, Named::SmartHost);
    }
}

#[test]
fn addresses_of_both_kinds_by_turns() {
    let ips = |list: &[&str]| answer(list.iter().map(|ip| ip.parse().unwrap()).collect());
    let dns = Fake {
        addresses: vec![
            ("a.example.net", ips(&["198.51.100.1", "198.51.100.2", "2001:db8::1"])),
            ("none.example.net", ips(&[])),
            ("broken.example.net", None),
        ],
        ..Fake::default()
    };
    let ask = |name: &str| ask(&dns, name, Named::Recipient);
    let got: Vec<String> = ask("a.example.net").unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(got, ["[2001:db8::1]:25", "198.51.100.1:25", "198.51.100.2:25"]);
    assert_eq!(ask("none.example.net").unwrap_err().enhanced(), Some((5, 4, 4)));
    assert_eq!(ask("broken.example.net").unwrap_err().enhanced(), Some((4, 4, 3)));
    assert_eq!(ask("[198.51.100.7]").unwrap()[0].to_string(), "198.51.100.7:25");
}

fn ask(dns: &Fake, name: &str, named: Named) -> Result<Vec<SocketAddr>, Reply> {
    let exchange = Exchange { host: Host::parse(name).unwrap(), port: 25, named };
    block_on(exchange.addresses(dns))
}

/// Nobody makes us send to ourselves by writing our address into a zone, or behind an @.
#[test]
fn addresses_of_this_machine() {
    let ips = |list: &[&str]| answer(list.iter().map(|ip| ip.parse().unwrap()).collect());
    let dns = Fake {
        addresses: vec![
            ("evil.example.net", ips(&["127.0.0.2"])),
            ("both.example.net", ips(&["198.51.100.1", "::1"])),
            ("mapped.example.net", ips(&["::ffff:127.0.0.1"])),
            ("null.example.net", ips(&["0.0.0.0"])),
        ],
        ..Fake::default()
    };
    for name in
        ["evil.example.net", "both.example.net", "mapped.example.net", "null.example.net", "[127.0.0.1]"]
    {
        assert_eq!(ask(&dns, name, Named::Recipient).unwrap_err().enhanced(), Some(LOOP), "{name}");
        assert!(ask(&dns, name, Named::Route).is_ok(), "{name}");
    }
    assert!(!is_here("198.51.100.1".parse().unwrap()));
}

/// A smart host whose name is written wrongly is no reason to give all mail up.
#[test]
fn a_server_of_the_administrators_without_an_address() {
    let error = ask(&Fake::default(), "smart.example.net", Named::SmartHost).unwrap_err();
    assert_eq!((error.is_temporary(), error.enhanced()), (true, Some((4, 4, 4))));
}

/// RFC 8314 §3.3; a stranger's address says nothing of ports.
#[test]
fn port_465_is_tls_from_the_start() {
    for (port, named, expected) in [
        (465, Named::SmartHost, true),
        (465, Named::Route, true),
        (465, Named::Recipient, false),
        (587, Named::SmartHost, false),
    ] {
        let host = Host::parse("smart.example.net").unwrap();
        assert_eq!(Exchange { host, port, named }.is_implicit(), expected, "{port} {named:?}");
    }
}
