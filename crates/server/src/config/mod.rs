//! The configuration: read as it is written, then converted into values that are right.

pub mod quantity;
pub mod raw;
mod show;
#[cfg(test)]
mod tests;

pub use quantity::{Network, Size, Span};
pub use raw::{LogFormat, OutboundTls, RawConfig, Sandbox, TlsMode};
pub use show::{Style, show};

use crate::filing::site::SiteScripts;
use crate::log::{self, LogTo};
use crate::metrics::endpoint::Place;
use crate::outbound::route::NextHop;
use crate::trial::Trial;
use ::base::address::Host;
use ::base::{Domain, Limits, Secret};
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::{Table, Value};

/// Where a configuration is looked for when none is named.
pub const STANDARD_FILE: &str = "/etc/mailward/mailward.toml";

/// Octets of a configuration file.
const MOST_OCTETS: u64 = 1 << 20;

/// A configuration that holds valid values only.
#[derive(Clone, Debug)]
pub struct Config {
    /// The files it came from, the later ones laid over the earlier; for reading it again.
    pub files: Vec<PathBuf>,
    /// What this server calls itself.
    pub hostname: Domain,
    /// Where everything is kept.
    pub data: PathBuf,
    /// The store's key.
    pub key_file: PathBuf,
    /// Where commands reach the running server.
    pub control_socket: PathBuf,
    /// Doors to open.
    pub doors: Vec<Door>,
    /// Certificates.
    pub certificates: Certificates,
    /// How long a TLS handshake may take.
    pub handshake_wait: Duration,
    /// Log-in.
    pub auth: Auth,
    /// The store.
    pub store: Store,
    /// Name servers to ask.
    pub dns_servers: Vec<SocketAddr>,
    /// Sending to other servers.
    pub outbound: Outbound,
    /// Mail from the machine itself, if it is taken.
    pub sendmail: Option<Sendmail>,
    /// The site's scripts.
    pub sieve: SiteScripts,
    /// Content checks only record.
    pub record_only: bool,
    /// Where metrics can be asked for.
    pub metrics: Option<Place>,
    /// Where the log goes.
    pub log_to: LogTo,
    /// When the administrator is told of trouble.
    pub alarms: Alarms,
    /// What the server may do on the machine.
    pub sandbox: Sandbox,
    /// The log's filter.
    pub log_level: String,
    /// The log's form.
    pub log_format: LogFormat,
    /// Named bounds.
    pub limits: Limits,
    /// Trial mode's domain and accounts, where it runs in trial mode.
    pub trial: Option<Trial>,
}

/// What is spoken at a door.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ServiceKind {
    /// Mail from other servers.
    Smtp,
    /// Mail from our users.
    Submission,
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// ManageSieve.
    ManageSieve,
}

impl ServiceKind {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            ServiceKind::Smtp => "smtp",
            ServiceKind::Submission => "submission",
            ServiceKind::Imap => "imap",
            ServiceKind::Pop3 => "pop3",
            ServiceKind::ManageSieve => "managesieve",
        }
    }
}

/// A port that listens, at one or more addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// What is spoken.
    pub service: ServiceKind,
    /// How it is secured.
    pub tls: TlsMode,
    /// Where.
    pub addresses: Vec<SocketAddr>,
}

/// Where certificates come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Certificates {
    /// Files, the default first.
    Files(Vec<net::tls::Source>),
    /// Made and kept in this directory, for these names.
    SelfSigned(PathBuf, Vec<String>),
    /// None: no door has TLS.
    None,
}

/// Log-in.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Allowed in the clear on loopback, at doors without TLS.
    pub plaintext_on_loopback: bool,
    /// Whether SCRAM is offered.
    pub scram: bool,
    /// Argon2id's memory in KiB.
    pub argon2_memory_kib: u32,
    /// Its passes.
    pub argon2_passes: u32,
    /// Threads that hash.
    pub hash_threads: usize,
    /// How long a right log-in is remembered.
    pub remember: Duration,
    /// How long the answer to a wrong one is held back.
    pub failure_delay: Duration,
    /// Bans, unless they are off.
    pub bans: Option<Bans>,
}

/// When an address block is turned away.
#[derive(Clone, Copy, Debug)]
pub struct Bans {
    /// After so many failures,
    pub after: u64,
    /// within this time,
    pub window: Duration,
    /// for this long.
    pub time: Duration,
}

impl Bans {
    /// How long one failure takes to be forgiven, so that a block is banned after `after` within `window`.
    pub fn forgive(self) -> Duration {
        self.window / u32::try_from(self.after.max(1)).unwrap_or(u32::MAX)
    }
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    /// How long deleted mail can be had back.
    pub keep_deleted: Duration,
    /// Octets of it that an account keeps.
    pub keep_deleted_quota: u64,
    /// Free octets below which no mail is taken.
    pub least_free: u64,
    /// How much is kept of what happened to messages.
    pub stories: store::story::Keep,
    /// Whether there is a text index.
    pub index_text: bool,
    /// A new account's quota in octets.
    pub quota: Option<u64>,
    /// A new account's quota in messages.
    pub quota_messages: Option<u64>,
    /// Whether users may share mailboxes with anyone of their mail domain.
    pub share_with_anyone: bool,
}

/// Sending to other servers.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Whether anything is sent.
    pub enabled: bool,
    /// Where all mail goes, if not to mail exchangers.
    pub smart_host: Option<NextHop>,
    /// How to log in there.
    pub login: Option<(String, Secret)>,
    /// Where mail of some domains goes.
    pub routes: HashMap<Domain, NextHop>,
    /// How connections are secured.
    pub tls: OutboundTls,
    /// Where IPv4 connections come from.
    pub source_v4: Option<IpAddr>,
    /// Where IPv6 connections come from.
    pub source_v6: Option<IpAddr>,
    /// Connections in all.
    pub connections: usize,
    /// Connections to one destination.
    pub connections_per_destination: usize,
    /// When a sender is told that a message is late.
    pub late_after: Duration,
    /// When a message goes back to its sender.
    pub give_up_after: Duration,
}

/// Mail from the machine itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sendmail {
    /// The socket.
    pub socket: PathBuf,
    /// The domain of users' addresses, if one is named.
    pub domain: Option<Domain>,
    /// Users who may send from every address.
    pub trusted_users: Vec<String>,
    /// What each may send.
    pub most: crate::allowance::Most,
}

/// When there is an alarm.
#[derive(Clone, Debug)]
pub struct Alarms {
    /// How often all is looked at.
    pub interval: Duration,
    /// The directory whose disk is looked at.
    pub data: PathBuf,
    /// Free octets below which there is one.
    pub disk_free: u64,
    /// The server's memory; none is half of the machine's.
    pub memory_own: Option<u64>,
    /// What the machine must have left; none is a twentieth of what it has.
    pub memory_free: Option<u64>,
    /// Messages that wait.
    pub queue_length: u64,
    /// How long one waits.
    pub queue_age: Duration,
    /// How far the clock is set.
    pub clock_step: Duration,
    /// How long before a certificate ends.
    pub certificate: Duration,
    /// How long nothing is written.
    pub writer: Duration,
    /// Where backups are, if that is to be looked at.
    pub backup_folder: Option<PathBuf>,
    /// How old the newest may be.
    pub backup_age: Duration,
}

/// Why there is no configuration: every reason, ready to print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(pub Vec<String>);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// What was written, by whom.
#[derive(Clone, Debug)]
pub struct Written {
    /// Defaults and all files laid on top of each other.
    pub raw: RawConfig,
    files: Vec<(String, Table)>,
}

impl Written {
    /// Reads files, the later ones laid over the earlier. Relative paths in a file start from its directory.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ConfigError> {
        let mut texts = Vec::new();
        for path in paths {
            let failed =
                |e: std::io::Error| ConfigError(vec![format!("cannot read {}: {e}", path.display())]);
            if fs::metadata(path).map_err(failed)?.len() > MOST_OCTETS {
                return Err(ConfigError(vec![format!(
                    "{} is too large for a configuration",
                    path.display()
                )]));
            }
            let directory = std::path::absolute(path).map_err(failed)?.parent().map(Path::to_path_buf);
            let text = fs::read_to_string(path).map_err(failed)?;
            texts.push((path.display().to_string(), text, directory.unwrap_or_default()));
        }
        Self::parse(&texts)
    }

    /// Reads texts: each a name for messages, the text, and the directory from which relative paths start.
    pub fn parse(texts: &[(String, String, PathBuf)]) -> Result<Self, ConfigError> {
        let failed =
            |name: &str, error: &dyn std::fmt::Display| ConfigError(vec![format!("{name}: {error}")]);
        let mut merged = defaults().map_err(|e| failed("defaults", &e))?;
        let mut files = Vec::new();
        for (name, text, directory) in texts {
            let mut table: Table = toml::from_str(text).map_err(|e| failed(name, &e))?;
            let unknown = unknown_keys(&table);
            if !unknown.is_empty() {
                return Err(ConfigError(unknown.iter().map(|line| format!("{name}: {line}")).collect()));
            }
            // Read by itself for its types: only here does an error know its line.
            toml::from_str::<RawConfig>(text).map_err(|e| failed(name, &e))?;
            make_absolute(&mut table, directory);
            lay_over(&mut merged, &table);
            files.push((name.clone(), table));
        }
        let raw = merged.try_into().map_err(|e| failed("configuration", &e))?;
        Ok(Written { raw, files })
    }

    /// The file that has the last word on a key, `None` where the default stands.
    pub fn origin(&self, section: &str, key: &str) -> Option<&str> {
        let has = |table: &Table| {
            let at = section.split('.').try_fold(table, |table, step| table.get(step)?.as_table());
            at.is_some_and(|table| table.contains_key(key))
        };
        self.files.iter().rev().find(|(_, table)| has(table)).map(|(name, _)| name.as_str())
    }

    /// The valid values, or every reason why there are none.
    pub fn convert(&self, files: &[PathBuf]) -> Result<Config, ConfigError> {
        let raw = &self.raw;
        let mut errors = Vec::new();
        let hostname = check(hostname(&raw.server.hostname), &mut errors);
        let doors = doors(raw, &mut errors);
        let certificates = check(certificates(raw, &doors), &mut errors);
        let dns_servers = check(dns_servers(&raw.dns.servers), &mut errors);
        let outbound = check(outbound(&raw.outbound), &mut errors);
        let sendmail = check(sendmail(&raw.sendmail), &mut errors);
        let sieve = SiteScripts::read(&raw.sieve.before, &raw.sieve.after);
        let sieve = check(sieve.map_err(|error| format!("sieve: {error}")), &mut errors);
        check(
            raw.log.level.parse::<tracing_subscriber::EnvFilter>().map_err(|e| format!("log.level: {e}")),
            &mut errors,
        );
        check(bounds(raw), &mut errors);
        let metrics = check(metrics(&raw.metrics), &mut errors);
        if raw.server.key_file.starts_with(&raw.server.data) {
            errors.push("server.key_file lies in the data directory: keep the key elsewhere, or a copy of the data is a copy of the mail".into());
        }
        let (
            Some(hostname),
            Some(certificates),
            Some(dns_servers),
            Some(outbound),
            Some(sendmail),
            Some(sieve),
            true,
        ) = (hostname, certificates, dns_servers, outbound, sendmail, sieve, errors.is_empty())
        else {
            return Err(ConfigError(errors));
        };
        let above_zero = |count: u64| Some(count).filter(|count| *count > 0);
        Ok(Config {
            files: files.to_vec(),
            hostname,
            data: raw.server.data.clone(),
            key_file: raw.server.key_file.clone(),
            control_socket: self.control_socket(),
            doors,
            certificates,
            handshake_wait: raw.tls.handshake_wait.0,
            auth: auth(&raw.auth),
            store: Store {
                keep_deleted: raw.store.keep_deleted.0,
                keep_deleted_quota: raw.store.keep_deleted_quota.0,
                least_free: raw.store.least_free.0,
                stories: store::story::Keep { time: raw.store.keep_traces.0, events: raw.store.trace_events },
                index_text: raw.store.index_text,
                quota: above_zero(raw.store.quota.0),
                quota_messages: above_zero(raw.store.quota_messages),
                share_with_anyone: raw.store.share_with_anyone,
            },
            dns_servers,
            outbound,
            sendmail,
            sieve,
            record_only: raw.screen.record_only,
            metrics: metrics.flatten(),
            log_to: log_to(&raw.log),
            alarms: alarms(raw),
            sandbox: raw.sandbox.clone(),
            log_level: raw.log.level.clone(),
            log_format: raw.log.format,
            limits: limits(&raw.limits),
            trial: None,
        })
    }

    /// Where commands reach the server.
    pub fn control_socket(&self) -> PathBuf {
        self.raw.server.control_socket.clone().unwrap_or_else(|| self.raw.server.data.join("control.sock"))
    }
}

/// Reads and converts.
pub fn load(files: &[PathBuf]) -> Result<Config, ConfigError> {
    Written::read(files)?.convert(files)
}

fn check<T>(outcome: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    outcome.map_err(|error| errors.push(error)).ok()
}

fn defaults() -> Result<Table, toml::ser::Error> {
    Table::try_from(RawConfig::default())
}

fn metrics(raw: &raw::Metrics) -> Result<Option<Place>, String> {
    if !raw.enabled {
        return Ok(None);
    }
    if raw.address.starts_with('/') {
        return Ok(Some(Place::Socket(raw.address.clone().into())));
    }
    match raw.address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(Some(Place::Loopback(address))),
        Ok(_) => Err(
            "metrics.address is not an address of loopback: whoever may ask from elsewhere would read them"
                .into(),
        ),
        Err(_) => {
            Err(format!("metrics.address: {} is neither ADDRESS:PORT nor the path of a socket", raw.address))
        }
    }
}

fn log_to(raw: &raw::Log) -> LogTo {
    match raw.to.as_str() {
        "stderr" => LogTo::Stderr,
        "journald" => LogTo::Journald,
        path => LogTo::File(log::Settings {
            path: path.into(),
            octets: raw.turn_over_size.0,
            age: raw.turn_over_after.0,
            keep: raw.keep,
        }),
    }
}

/// Lays `top` over `table`, key by key; lists are replaced whole.
fn lay_over(table: &mut Table, top: &Table) {
    for (key, value) in top {
        match (table.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            _ => drop(table.insert(key.clone(), value.clone())),
        }
    }
}

/// Paths in a file start from its directory.
fn make_absolute(table: &mut Table, directory: &Path) {
    let fix = |value: Option<&mut Value>| {
        if let Some(Value::String(path)) = value {
            *path = directory.join(&*path).display().to_string();
        }
    };
    if let Some(Value::Table(server)) = table.get_mut("server") {
        for key in ["data", "key_file", "control_socket"] {
            fix(server.get_mut(key));
        }
    }
    if let Some(Value::Table(sendmail)) = table.get_mut("sendmail") {
        fix(sendmail.get_mut("socket"));
    }
    if let Some(Value::Table(log)) = table.get_mut("log")
        && !matches!(log.get("to"), Some(Value::String(to)) if to == "stderr" || to == "journald")
    {
        fix(log.get_mut("to"));
    }
    if let Some(Value::Table(alarms)) = table.get_mut("alarms") {
        fix(alarms.get_mut("backup_folder"));
    }
    if let Some(Value::Table(sieve)) = table.get_mut("sieve") {
        for key in ["before", "after"] {
            sieve
                .get_mut(key)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
                .for_each(|file| fix(Some(file)));
        }
    }
    if let Some(Value::Table(outbound)) = table.get_mut("outbound") {
        fix(outbound.get_mut("smart_host_password_file"));
    }
    let certificates =
        table.get_mut("tls").and_then(|tls| tls.get_mut("certificates")).and_then(Value::as_array_mut);
    for certificate in certificates.into_iter().flatten().filter_map(Value::as_table_mut) {
        fix(certificate.get_mut("cert"));
        fix(certificate.get_mut("key"));
    }
    if let Some(Value::Table(dns)) = table.get_mut("dns") {
        fix(dns.get_mut("trust_anchor").filter(|v| !matches!(v.as_str(), Some("builtin" | "none"))));
    }
}

/// What is no section or key of ours, each with the nearest that is.
fn unknown_keys(table: &Table) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(table, "", &mut unknown);
    unknown
}

fn walk(table: &Table, section: &str, unknown: &mut Vec<String>) {
    let inside = |name: &str| if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
    for (key, value) in table {
        let path = inside(key);
        let is_section = raw::SECTIONS.iter().any(|(name, _, _)| *name == path);
        let keys =
            raw::SECTIONS.iter().find(|(name, _, _)| *name == section).map_or(&[][..], |(_, _, keys)| keys);
        match value {
            Value::Table(below) if is_section => walk(below, &path, unknown),
            _ if keys.iter().any(|k| k.name == key) => {}
            // A section written as a value: its type's error says so.
            _ if is_section => {}
            _ => {
                let here = keys.iter().map(|k| inside(k.name));
                let names = here.chain(raw::SECTIONS.iter().map(|(name, _, _)| (*name).to_owned()));
                unknown.push(format!("unknown key \"{path}\"{}", suggestion(&path, names)));
            }
        }
    }
}

fn suggestion(path: &str, names: impl Iterator<Item = String>) -> String {
    let every = raw::SECTIONS
        .iter()
        .flat_map(|(section, _, keys)| keys.iter().map(move |k| format!("{section}.{}", k.name)));
    // A key that is right but in the wrong section is found by its own name.
    let last = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = every.filter(|name| name.rsplit('.').next() == Some(last));
    let near = names.map(|name| (distance(path, &name), name)).filter(|(d, _)| *d <= 3).min();
    match near.map(|(_, name)| name).or_else(|| elsewhere.into_iter().next()) {
        Some(name) => format!("; did you mean \"{name}\"?"),
        None => "; `mailward config show` lists every key".into(),
    }
}

/// Letters to add, drop or change to make one text the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let change = corner + usize::from(a != *b);
            corner = *cell;
            left = change.min(corner + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

fn hostname(written: &str) -> Result<Domain, String> {
    let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = if written.is_empty() { machine() } else { written.to_owned() };
    match Domain::new(&name) {
        Ok(domain) if domain.as_str().contains('.') => Ok(domain),
        _ => Err(format!(
            "server.hostname: \"{name}\" is no full host name: set it to the name that your MX record has, such as \"mail.example.org\""
        )),
    }
}

fn doors(raw: &RawConfig, errors: &mut Vec<String>) -> Vec<Door> {
    use ServiceKind::*;
    let mut doors = Vec::new();
    for (name, kind, service) in [
        ("smtp", Smtp, &raw.smtp),
        ("submission", Submission, &raw.submission),
        ("imap", Imap, &raw.imap),
        ("pop3", Pop3, &raw.pop3),
        ("managesieve", ManageSieve, &raw.managesieve),
    ] {
        if !service.enabled {
            continue;
        }
        let trusted = &raw.server.trusted_networks;
        doors.extend(check(door(name, kind, service.tls, &service.addresses, service.port, trusted), errors));
        if let Some(also) = &service.also {
            let tls = also.tls.unwrap_or(match (kind, service.tls) {
                (Smtp, _) | (_, TlsMode::Implicit) => TlsMode::Starttls,
                _ => TlsMode::Implicit,
            });
            let addresses = also.addresses.as_ref().unwrap_or(&service.addresses);
            doors.extend(check(
                door(&format!("{name}.also"), kind, tls, addresses, also.port, trusted),
                errors,
            ));
        }
    }
    for (index, door) in doors.iter().enumerate() {
        for address in &door.addresses {
            if doors
                .iter()
                .skip(index + 1)
                .any(|other| other.addresses.contains(address) && address.port() != 0)
            {
                errors.push(format!("two services listen on {address}: give one of them another port"));
            }
        }
    }
    doors
}

fn door(
    name: &str,
    service: ServiceKind,
    tls: TlsMode,
    addresses: &[String],
    port: Option<u16>,
    trusted: &[Network],
) -> Result<Door, String> {
    if service == ServiceKind::Smtp && tls == TlsMode::Implicit {
        return Err(format!(
            "{name}.tls: mail from other servers comes in the clear and starts TLS (RFC 3207): write \"starttls\""
        ));
    }
    let port = port.unwrap_or(standard_port(service, tls));
    let addresses = addresses.iter().map(|text| {
        let ip: IpAddr = text.parse().map_err(|_| format!("{name}.addresses: \"{text}\" is no IP address"))?;
        if tls == TlsMode::Off && !ip.is_loopback() && !trusted.iter().any(|network| network.contains(ip)) {
            return Err(format!(
                "{name}.tls: \"off\" is for loopback and networks in server.trusted_networks, and {ip} is neither"
            ));
        }
        Ok(SocketAddr::new(ip, port))
    });
    let addresses = addresses.collect::<Result<Vec<_>, String>>()?;
    if addresses.is_empty() {
        return Err(format!("{name}.addresses is empty: name an address, or set enabled = false"));
    }
    Ok(Door { service, tls, addresses })
}

/// Secure mode moves the port.
fn standard_port(service: ServiceKind, tls: TlsMode) -> u16 {
    match (service, tls) {
        (ServiceKind::Smtp, _) => 25,
        (ServiceKind::Submission, TlsMode::Implicit) => 465,
        (ServiceKind::Submission, _) => 587,
        (ServiceKind::Imap, TlsMode::Implicit) => 993,
        (ServiceKind::Imap, _) => 143,
        (ServiceKind::Pop3, TlsMode::Implicit) => 995,
        (ServiceKind::Pop3, _) => 110,
        // There is no other one (RFC 5804 §1.8).
        (ServiceKind::ManageSieve, _) => 4190,
    }
}

fn certificates(raw: &RawConfig, doors: &[Door]) -> Result<Certificates, String> {
    if raw.tls.self_signed {
        if !raw.tls.certificates.is_empty() {
            return Err("tls.self_signed and tls.certificates exclude each other".into());
        }
        let own = hostname(&raw.server.hostname)?.as_str().to_owned();
        let names = [own.as_str(), "localhost", "127.0.0.1", "::1"].map(str::to_owned);
        return Ok(Certificates::SelfSigned(raw.server.data.join("tls"), names.to_vec()));
    }
    let files = raw.tls.certificates.iter();
    let files: Vec<_> =
        files.map(|c| net::tls::Source { certificate: c.cert.clone(), key: c.key.clone() }).collect();
    match files.is_empty() {
        true if doors.iter().any(|door| door.tls != TlsMode::Off) => {
            Err("tls.certificates: there is none; name one, as { cert = \"FILE\", key = \"FILE\" }, or try things out with tls.self_signed = true".into())
        }
        true => Ok(Certificates::None),
        false => Ok(Certificates::Files(files)),
    }
}

fn dns_servers(written: &[String]) -> Result<Vec<SocketAddr>, String> {
    if !written.is_empty() {
        let bad = |text: &String| format!("dns.servers: \"{text}\" is neither ADDRESS nor ADDRESS:PORT");
        return written.iter().map(|text| server_address(text).ok_or_else(|| bad(text))).collect();
    }
    let system = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let words = system.lines().map(|line| line.split_whitespace());
    let servers =
        words.filter_map(|mut words| words.next().filter(|w| *w == "nameserver").and_then(|_| words.next()));
    let mut servers: Vec<_> = servers.filter_map(server_address).take(8).collect();
    if servers.is_empty() {
        // resolv.conf(5): without a line, the machine itself.
        servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
    }
    Ok(servers)
}

fn server_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)))
}

fn outbound(raw: &raw::Outbound) -> Result<Outbound, String> {
    let hop = |key: &str, text: &str, port: u16| {
        next_hop(text, port)
            .ok_or_else(|| format!("outbound.{key}: \"{text}\" is neither HOST nor HOST:PORT"))
    };
    let smart_host = raw.smart_host.as_deref().map(|text| hop("smart_host", text, 587)).transpose()?;
    let login = match (&raw.smart_host_user, &raw.smart_host_password_file) {
        (None, None) => None,
        (Some(user), Some(file)) if smart_host.is_some() => {
            let text = fs::read_to_string(file).map_err(|e| {
                format!("outbound.smart_host_password_file: cannot read {}: {e}", file.display())
            })?;
            Some((user.clone(), Secret::new(text.trim_end_matches(['\r', '\n']))))
        }
        _ => {
            return Err(
                "outbound: smart_host, smart_host_user and smart_host_password_file belong together".into()
            );
        }
    };
    if login.is_some() && raw.tls == OutboundTls::Never {
        return Err(
            "outbound.tls: \"never\", and no password goes in the clear: take smart_host_user away".into()
        );
    }
    let mut routes = HashMap::new();
    for route in &raw.routes {
        let domain = Domain::new(&route.domain)
            .map_err(|_| format!("outbound.routes: \"{}\" is no domain", route.domain))?;
        routes.insert(domain, hop("routes", &route.host, 25)?);
    }
    let (mut source_v4, mut source_v6) = (None, None);
    for text in &raw.source_addresses {
        let slot = match text.parse() {
            Ok(ip @ IpAddr::V4(_)) => source_v4.replace(ip),
            Ok(ip @ IpAddr::V6(_)) => source_v6.replace(ip),
            Err(_) => return Err(format!("outbound.source_addresses: \"{text}\" is no IP address")),
        };
        if slot.is_some() {
            return Err("outbound.source_addresses: one of IPv4 and one of IPv6".into());
        }
    }
    Ok(Outbound {
        enabled: raw.enabled,
        smart_host,
        login,
        routes,
        tls: raw.tls,
        source_v4,
        source_v6,
        connections: raw.connections,
        connections_per_destination: raw.connections_per_destination,
        late_after: raw.late_after.0,
        give_up_after: raw.give_up_after.0,
    })
}

fn sendmail(raw: &raw::Sendmail) -> Result<Option<Sendmail>, String> {
    let no_domain = |name: &String| format!("sendmail.domain: \"{name}\" is no domain");
    let domain =
        raw.domain.as_ref().map(|name| Domain::new(name).map_err(|_| no_domain(name))).transpose()?;
    let most = crate::allowance::Most {
        messages_per_hour: raw.messages_per_hour,
        messages_per_day: raw.messages_per_day,
        recipients_per_day: raw.recipients_per_day,
    };
    let trusted_users = raw.trusted_users.clone();
    Ok(raw.enabled.then(|| Sendmail { socket: raw.socket.clone(), domain, trusted_users, most }))
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`; an IPv4 address needs no brackets.
fn next_hop(text: &str, port: u16) -> Option<NextHop> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, number)) if !host.contains(':') || host.ends_with(']') => (host, number.parse().ok()?),
        _ => (text, port),
    };
    let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    let host = match bare.parse::<IpAddr>() {
        Ok(ip) => Host::Literal(ip),
        Err(_) => Host::Domain(Domain::new(host).ok()?),
    };
    Some(NextHop { host, port })
}

/// Values that would make the server useless or the protocols' minimum unreachable.
fn bounds(raw: &RawConfig) -> Result<(), String> {
    let limits = &raw.limits;
    let at_least = [
        ("limits.recipients", limits.recipients as u64, 100, "RFC 5321 §4.5.3.1.8"),
        ("limits.command", limits.command.0, 512, "RFC 5321 §4.5.3.1.4"),
        ("limits.line", limits.line.0, 998, "RFC 5322 §2.1.1"),
        ("limits.message", limits.message.0, 64 << 10, "RFC 5321 §4.5.3.1.7"),
        ("limits.imap_command", limits.imap_command.0, 8192, "RFC 9051 §4"),
        ("limits.imap_preauth", limits.imap_preauth.0, 8192, "RFC 9051 §4"),
        ("limits.imap_idle", limits.imap_idle.0.as_secs(), 1800, "RFC 9051 §5.4"),
        ("limits.managesieve_idle", limits.managesieve_idle.0.as_secs(), 1800, "RFC 5804 §1.2"),
        ("limits.pop3_idle", limits.pop3_idle.0.as_secs(), 600, "RFC 1939 §3"),
        ("limits.connections", limits.connections as u64, 1, "one at a time"),
        ("limits.connections_per_network", limits.connections_per_network as u64, 1, "one at a time"),
        ("limits.connections_per_peer", limits.connections_per_peer as u64, 1, "one at a time"),
        ("outbound.connections", raw.outbound.connections as u64, 1, "one at a time"),
        (
            "outbound.connections_per_destination",
            raw.outbound.connections_per_destination as u64,
            1,
            "one at a time",
        ),
        ("limits.errors", limits.errors as u64, 1, "one"),
        ("limits.failed_logins", limits.failed_logins as u64, 1, "one"),
        ("auth.argon2_memory", raw.auth.argon2_memory.0, 8 << 10, "RFC 9106 §3.1"),
        ("auth.argon2_passes", u64::from(raw.auth.argon2_passes), 1, "RFC 9106 §3.1"),
        ("auth.hash_threads", raw.auth.hash_threads as u64, 1, "one"),
        ("alarms.interval", raw.alarms.interval.0.as_secs(), 1, "a second"),
        ("tls.handshake_wait", raw.tls.handshake_wait.0.as_secs(), 1, "a second"),
    ];
    let short = at_least.iter().find(|(_, value, least, _)| value < least);
    match short {
        Some((key, value, least, why)) => {
            Err(format!("{key} is {value}, and must be {least} at least ({why})"))
        }
        None => Ok(()),
    }
}

fn auth(raw: &raw::Auth) -> Auth {
    let bans = Bans { after: raw.ban_after, window: raw.ban_window.0, time: raw.ban_time.0 };
    Auth {
        plaintext_on_loopback: raw.plaintext_on_loopback,
        scram: raw.scram,
        argon2_memory_kib: u32::try_from(raw.argon2_memory.0 / 1024).unwrap_or(u32::MAX),
        argon2_passes: raw.argon2_passes,
        hash_threads: raw.hash_threads,
        remember: raw.remember.0,
        failure_delay: raw.failure_delay.0,
        bans: raw.bans.then_some(bans),
    }
}

fn alarms(raw: &RawConfig) -> Alarms {
    let set = &raw.alarms;
    Alarms {
        interval: set.interval.0,
        data: raw.server.data.clone(),
        disk_free: set.disk_free.map_or(raw.store.least_free.0.saturating_mul(2), |size| size.0),
        memory_own: set.memory_own.map(|size| size.0),
        memory_free: set.memory_free.map(|size| size.0),
        queue_length: set.queue_length,
        queue_age: set.queue_age.0,
        clock_step: set.clock_step.0,
        certificate: set.certificate.0,
        writer: set.writer.0,
        backup_folder: set.backup_folder.clone(),
        backup_age: set.backup_age.0,
    }
}

fn limits(raw: &raw::Limits) -> Limits {
    let octets = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    Limits {
        message_octets: raw.message.0,
        header_octets: octets(raw.header),
        header_fields: raw.header_fields,
        line_octets: octets(raw.line),
        recipients: raw.recipients,
        command_octets: octets(raw.command),
        mails_per_session: raw.mails_per_session,
        errors: raw.errors,
        failed_logins: raw.failed_logins,
        received_fields: raw.received_fields,
        parts: raw.parts,
        nesting: raw.nesting,
        imap_command_octets: octets(raw.imap_command),
        imap_preauth_octets: octets(raw.imap_preauth),
        command_wait: raw.command_wait.0,
        message_wait: raw.message_wait.0,
        imap_idle: raw.imap_idle.0,
        pop3_idle: raw.pop3_idle.0,
        managesieve_idle: raw.managesieve_idle.0,
        connections: raw.connections,
        connections_per_network: raw.connections_per_network,
        connections_per_peer: raw.connections_per_peer,
        mailboxes: raw.mailboxes,
        keywords: raw.keywords,
        annotations: raw.annotations,
        annotation_octets: octets(raw.annotation),
        all_annotation_octets: octets(raw.all_annotations),
    }
}
