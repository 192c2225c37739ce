//! The resolver: hickory behind [`base::Resolver`]. Nothing outside this file names its types.

use base::dns::Mx;
use base::{Answer, BoxFuture, DnsError, Domain, Resolver, Trust};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::FirstAnswer;
use hickory_resolver::net::{DnsError as Failure, DnsHandle, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long one question may take, its repetitions included.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one name server is given for one try.
const TRY: Duration = Duration::from_secs(3);

/// Answers kept in memory.
const CACHE: u64 = 4096;

/// The longest an answer is kept, whatever its TTL.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Records of one answer that are looked at.
const MOST_RECORDS: usize = 256;

/// Asks the configured name servers, and nobody else.
///
/// Validation comes with the identity checks; until then each answer counts as [`Trust::Insecure`], unless the
/// library itself finds it bogus.
pub struct HickoryResolver {
    resolver: TokioResolver,
    /// Asks the same servers without the resolver's special names: it answers for 127.in-addr.arpa by itself, with
    /// `localhost` (RFC 6761 §6.3). The name of a peer on this machine is whatever the configured servers say.
    plain: NameServerPool<TokioRuntimeProvider>,
}

impl HickoryResolver {
    /// A resolver that asks these servers, each at its own port. The error is a text for the log.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        if servers.is_empty() {
            return Err("no name server is configured".into());
        }
        let servers = servers.iter().map(|server| {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            NameServerConfig::new(
                server.ip(),
                true,
                vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())],
            )
        });
        let servers: Vec<_> = servers.collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.clone());
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider.clone());
        let options = builder.options_mut();
        options.timeout = TRY;
        options.attempts = 2;
        options.cache_size = CACHE;
        options.use_hosts_file = ResolveHosts::Never;
        options.positive_max_ttl = Some(LONGEST);
        options.negative_max_ttl = Some(LONGEST);
        options.edns0 = true;
        options.case_randomization = true;
        let text = |error: NetError| error.to_string();
        let context = PoolContext::new(options.clone(), TlsConfig::new().map_err(text)?);
        let plain = NameServerPool::from_config(servers, Arc::new(context), provider);
        Ok(HickoryResolver { resolver: builder.build().map_err(text)?, plain })
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, DnsError> {
        // What is no domain name does not exist.
        let Ok(mut name) = Name::from_ascii(name) else { return Ok(absent(true)) };
        name.set_fqdn(true);
        match tokio::time::timeout(PATIENCE, self.resolver.lookup(name, kind)).await {
            Err(_) => Err(DnsError::Timeout),
            Ok(Err(error)) => denial_or_failure(error),
            Ok(Ok(lookup)) => {
                let records = lookup.answers().iter().filter_map(|record| pick(&record.data));
                Ok(Answer {
                    records: records.take(MOST_RECORDS).collect(),
                    trust: Trust::Insecure,
                    no_such_name: lookup.message().metadata.response_code == ResponseCode::NXDomain,
                })
            }
        }
    }
}

impl Resolver for HickoryResolver {
    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Answer<IpAddr>, DnsError>> {
        Box::pin(async move {
            let pick = |data: &RData| match data {
                RData::A(a) => Some(IpAddr::V4(a.0)),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                _ => None,
            };
            let (v4, v6) = tokio::join!(
                self.ask(host.as_str(), RecordType::A, pick),
                self.ask(host.as_str(), RecordType::AAAA, pick)
            );
            both(v4, v6)
        })
    }

    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Answer<Mx>, DnsError>> {
        Box::pin(self.ask(domain.as_str(), RecordType::MX, |data| match data {
            RData::MX(mx) if mx.exchange.is_root() => Some(Mx { preference: mx.preference, exchange: None }),
            // An exchange that is no host name can't be reached: as if it were not there.
            RData::MX(mx) => {
                to_domain(&mx.exchange).map(|e| Mx { preference: mx.preference, exchange: Some(e) })
            }
            _ => None,
        }))
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answer<Vec<u8>>, DnsError>> {
        Box::pin(self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        }))
    }

    fn names_of(&self, ip: IpAddr) -> BoxFuture<'_, Result<Answer<Domain>, DnsError>> {
        Box::pin(async move {
            let ip = ip.to_canonical();
            let name = Name::from(ip);
            let pick = |data: &RData| match data {
                RData::PTR(name) => to_domain(&name.0),
                _ => None,
            };
            if !ip.is_loopback() {
                return self.ask(&name.to_ascii(), RecordType::PTR, pick).await;
            }
            let asked = self.plain.lookup(Query::query(name, RecordType::PTR), DnsRequestOptions::default());
            match tokio::time::timeout(PATIENCE, asked.first_answer()).await {
                Err(_) => Err(DnsError::Timeout),
                Ok(Err(error)) => denial_or_failure(error),
                Ok(Ok(response)) => {
                    let records = response.answers.iter().filter_map(|record| pick(&record.data));
                    let no_such_name = response.metadata.response_code == ResponseCode::NXDomain;
                    Ok(Answer {
                        records: records.take(MOST_RECORDS).collect(),
                        trust: Trust::Insecure,
                        no_such_name,
                    })
                }
            }
        })
    }
}

fn to_domain(name: &Name) -> Option<Domain> {
    Domain::new(name.to_ascii().trim_end_matches('.')).ok()
}

/// IPv4 and IPv6 together. Half an answer is an answer; no addresses and one failure is a failure.
fn both(
    v4: Result<Answer<IpAddr>, DnsError>,
    v6: Result<Answer<IpAddr>, DnsError>,
) -> Result<Answer<IpAddr>, DnsError> {
    match (v4, v6) {
        (Ok(mut first), Ok(second)) => {
            first.records.extend(second.records);
            first.no_such_name &= second.no_such_name;
            Ok(first)
        }
        (Err(DnsError::Bogus), _) | (_, Err(DnsError::Bogus)) => Err(DnsError::Bogus),
        (Ok(answer), Err(error)) | (Err(error), Ok(answer)) => {
            if answer.records.is_empty() {
                Err(error)
            } else {
                Ok(answer)
            }
        }
        (Err(error), Err(_)) => Err(error),
    }
}

fn absent<T>(no_such_name: bool) -> Answer<T> {
    Answer { records: Vec::new(), trust: Trust::Insecure, no_such_name }
}

/// The library gives "there is none" as an error.
fn denial_or_failure<T>(error: NetError) -> Result<Answer<T>, DnsError> {
    match error {
        NetError::Dns(Failure::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Ok(absent(true)),
            ResponseCode::NoError => Ok(absent(false)),
            _ => Err(DnsError::ServerFailure),
        },
        NetError::Dns(Failure::DnssecBogus) => Err(DnsError::Bogus),
        NetError::Timeout => Err(DnsError::Timeout),
        _ => Err(DnsError::ServerFailure),
    }
}
