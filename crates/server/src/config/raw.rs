//! The configuration as it is written: every key with what it means and its default. Nothing here is checked beyond
//! its type; `super` turns it into values that are right.

use super::quantity::{Network, Size, Span};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// A key with what it means.
pub struct Key {
    /// Its name within its section.
    pub name: &'static str,
    /// What it means, a line each.
    pub help: &'static [&'static str],
}

/// Defines a section: its keys, each with its help, type and default, stand in one place.
macro_rules! section {
    ($(#[doc = $about:literal])* $section:ident { $( $(#[doc = $help:literal])+ $key:ident: $kind:ty = $default:expr, )* }) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $section {
            $( $(#[doc = $help])+ pub $key: $kind, )*
        }

        impl Default for $section {
            fn default() -> Self {
                $section { $( $key: $default, )* }
            }
        }

        impl $section {
            /// Every key.
            pub const KEYS: &'static [Key] = &[$( Key { name: stringify!($key), help: &[$($help),+] }, )*];
        }
    };
}

section! {
    /// The server itself.
    Server {
        /// The name this server greets with and puts into Received: its MX record and its certificate name it, and
        /// its address points back to it.
        hostname: String = String::new(),
        /// Where everything is kept.
        data: PathBuf = "/var/lib/mailward".into(),
        /// The store's key. It lies outside the data directory; keep a copy, without it the mail is lost.
        key_file: PathBuf = "/etc/mailward/store.key".into(),
        /// Where the commands reach the running server. Unless set: control.sock in the data directory.
        control_socket: Option<PathBuf> = None,
        /// Networks on which a service may go without TLS (tls = "off"); loopback always may. They may not relay.
        trusted_networks: Vec<Network> = Vec::new(),
    }
}

section! {
    /// A service that listens.
    Service {
        /// Whether it listens at all.
        enabled: bool = false,
        /// "implicit" (TLS from the first octet), "starttls", or "off" (loopback and trusted networks only). The port
        /// follows it.
        tls: TlsMode = TlsMode::Implicit,
        /// Where it listens.
        addresses: Vec<String> = vec!["0.0.0.0".into(), "::".into()],
        /// Its port. Unless set it follows tls: 465 or 587, 993 or 143, 995 or 110; always 25 for smtp and 4190
        /// for managesieve.
        port: Option<u16> = None,
        /// A second door of the same service: a table with tls, addresses and port of its own.
        also: Option<Also> = None,
    }
}

section! {
    /// A second door.
    Also {
        /// How it is secured. Unless set: the other one of "implicit" and "starttls".
        tls: Option<TlsMode> = None,
        /// Where it listens. Unless set: where the first door does.
        addresses: Option<Vec<String>> = None,
        /// Its port. Unless set it follows tls.
        port: Option<u16> = None,
    }
}

/// How a service is secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// TLS from the first octet.
    Implicit,
    /// In the clear, with the command that starts TLS; no log-in before it.
    Starttls,
    /// In the clear.
    Off,
}

section! {
    /// Mail from the machine itself.
    Sendmail {
        /// Whether users of this machine (cron, web servers) may hand in mail by `mailward sendmail`, without log-in.
        enabled: bool = false,
        /// The socket for it. All may use it, so its directory must be open to all (mode 0755); it is made if missing.
        socket: PathBuf = crate::sendmail::STANDARD_SOCKET.into(),
        /// The domain of users' addresses, one of ours. Unless set: server.hostname, or what of it is ours.
        domain: Option<String> = None,
        /// Users, by name, who may send from every address, as root may; others only from their own.
        trusted_users: Vec<String> = Vec::new(),
        /// Messages that each user may send within an hour.
        messages_per_hour: u64 = 200,
        /// Messages that each user may send within a day.
        messages_per_day: u64 = 1000,
        /// Recipients that each user may write to within a day, those of each message counted.
        recipients_per_day: u64 = 5000,
    }
}

section! {
    /// Certificates.
    Tls {
        /// Certificate chains and keys in PEM: { cert = "FILE", key = "FILE" }, the default one first. Each is used
        /// for the names it holds, and read again when its files change.
        certificates: Vec<CertificateFiles> = Vec::new(),
        /// Make a certificate that nobody else trusts, kept in the data directory: for trying things out.
        self_signed: bool = false,
        /// How long a handshake may take.
        handshake_wait: Span = span(30),
    }
}

/// A certificate's files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

section! {
    /// Sending to other servers.
    Outbound {
        /// Send at all. Off, mail for other servers waits in the queue.
        enabled: bool = true,
        /// A server that all mail for others is handed to, as HOST or HOST:PORT; on port 465 inside TLS from the start.
        /// Unless set, each domain's mail exchangers are asked for.
        smart_host: Option<String> = None,
        /// The name to log in there with, if it wants that; always within TLS.
        smart_host_user: Option<String> = None,
        /// A file with the password for it.
        smart_host_password_file: Option<PathBuf> = None,
        /// Domains whose mail goes to a server of your choice: { domain = "example.org", host = "HOST:PORT" }.
        routes: Vec<Route> = Vec::new(),
        /// "opportunistic" (TLS where the other server offers it; its certificate is not looked at, as it is nowhere
        /// for mail), "required" (nothing is sent in the clear) or "never".
        tls: OutboundTls = OutboundTls::Opportunistic,
        /// Addresses of this machine to send from, one of IPv4, one of IPv6. Unless set, the system chooses.
        source_addresses: Vec<String> = Vec::new(),
        /// Connections in all.
        connections: usize = 100,
        /// Connections to one destination.
        connections_per_destination: usize = 20,
        /// After so long in the queue the sender is told that a message is late.
        late_after: Span = span(4 * 3600),
        /// After so long a message goes back to its sender.
        give_up_after: Span = span(5 * 86_400),
    }
}

/// A domain and where its mail goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The domain.
    pub domain: String,
    /// HOST or HOST:PORT.
    pub host: String,
}

/// How connections to other servers are secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboundTls {
    /// Where it is offered.
    Opportunistic,
    /// Or not at all.
    Required,
    /// Never.
    Never,
}

section! {
    /// Log-in.
    Auth {
        /// Allow log-in in the clear for clients on this machine, where the service has no TLS. For load generators.
        plaintext_on_loopback: bool = false,
        /// Offer SCRAM-SHA-256, for which a verifier is kept beside the password's hash.
        scram: bool = true,
        /// Memory for one password's hash (Argon2id).
        argon2_memory: Size = Size(19 << 20),
        /// Passes over it.
        argon2_passes: u32 = 2,
        /// Passwords hashed at the same time; others wait.
        hash_threads: usize = 2,
        /// How long a log-in that was right is remembered, so that the next one with the same password is quick.
        remember: Span = span(600),
        /// How long the answer to a wrong log-in is held back.
        failure_delay: Span = span(1),
        /// Turn an address block away for a while after too many failed log-ins.
        bans: bool = true,
        /// Failed log-ins of an address block within ban_window that bring a ban.
        ban_after: u64 = 20,
        /// The time within which they are counted.
        ban_window: Span = span(600),
        /// How long a ban lasts.
        ban_time: Span = span(900),
    }
}

section! {
    /// The store.
    Store {
        /// How long deleted mail can be had back by its owner; 0 keeps none.
        keep_deleted: Span = span(14 * 86_400),
        /// How much of it an account keeps, beside its quota; beyond, the oldest goes first.
        keep_deleted_quota: Size = Size(1 << 30),
        /// Free disk space below which no more mail is taken.
        least_free: Size = Size(512 << 20),
        /// How long it is kept what happened to a message: for `mailward trace`.
        keep_traces: Span = span(30 * 86_400),
        /// Events that are kept at most, of all messages together; of refused mail a quarter as many besides.
        trace_events: u64 = 1_000_000,
        /// Keep an index of words, so that SEARCH is quick.
        index_text: bool = true,
        /// What a new account may keep; 0 is no limit.
        quota: Size = Size(0),
        /// Messages that a new account may keep; 0 is no limit.
        quota_messages: u64 = 0,
        /// Let users share mailboxes with "anyone": every account of their mail domain, also those that are added later.
        /// Without it they name each account; `mailward account share` may do both.
        share_with_anyone: bool = false,
    }
}

section! {
    /// The site's own Sieve scripts.
    Sieve {
        /// Files with scripts that run for every account before its own, one after the other. They are read when the
        /// server starts; a fault keeps it from starting.
        before: Vec<PathBuf> = Vec::new(),
        /// The same, after the account's own script, where that keeps the message.
        after: Vec<PathBuf> = Vec::new(),
    }
}

section! {
    /// The domain name system.
    Dns {
        /// Resolvers to ask, as ADDRESS or ADDRESS:PORT, and nobody else. Unless set: those of /etc/resolv.conf.
        servers: Vec<String> = Vec::new(),
        /// "builtin" (the root zone's keys), "none" (every answer counts as insecure), or a file of DNSKEY records.
        trust_anchor: String = "builtin".into(),
    }
}

section! {
    /// Screening.
    Screen {
        /// Record what the content checks find without acting on it: for benchmarks.
        record_only: bool = false,
    }
}

section! {
    /// Metrics for Prometheus.
    Metrics {
        /// Whether they can be asked for.
        enabled: bool = false,
        /// Where: an address of loopback with a port, or the path of a socket for the server's own user.
        address: String = "127.0.0.1:9725".into(),
    }
}

section! {
    /// When the administrator is told of trouble.
    Alarms {
        /// How often all is looked at.
        interval: Span = span(60),
        /// Free disk space below which there is an alarm. Unless set: twice store.least_free.
        disk_free: Option<Size> = None,
        /// Memory of the server above which there is one. Unless set: half of the machine's.
        memory_own: Option<Size> = None,
        /// Memory that the machine must have left. Unless set: a twentieth of it.
        memory_free: Option<Size> = None,
        /// Messages that wait to be sent.
        queue_length: u64 = 10_000,
        /// How long a message waits to be sent, held ones aside.
        queue_age: Span = span(86_400),
        /// How far the machine's clock is set, forward or back.
        clock_step: Span = span(2),
        /// How long before the first certificate ends.
        certificate: Span = span(14 * 86_400),
        /// How long the disk takes nothing.
        writer: Span = span(60),
        /// The folder of the backups that `mailward backup` makes, to be told when none is made any more.
        backup_folder: Option<PathBuf> = None,
        /// How old the newest may be.
        backup_age: Span = span(2 * 86_400),
    }
}

section! {
    /// What the server may do on the machine.
    Sandbox {
        /// Confine the server to its own files, ports and system calls (Landlock, seccomp). docs/sandbox.md says to which.
        enabled: bool = true,
        /// Do not start where the kernel can't do all of it. Off, what is missing is said, and the rest is done.
        required: bool = false,
        /// The user that the server is, started as root: USER or USER:GROUP. Unless set: mailward, if there is one.
        run_as: Option<String> = None,
    }
}

section! {
    /// The log.
    Log {
        /// Where it goes: "stderr", "journald", or a file.
        to: String = "stderr".into(),
        /// The size at which a file is turned over: mailward.log becomes mailward.log.1, and so on.
        turn_over_size: Size = Size(64 << 20),
        /// The age at which it is.
        turn_over_after: Span = span(7 * 86_400),
        /// Files that are kept besides.
        keep: usize = 8,
        /// "error", "warn", "info", "debug" or "trace"; also by module: "info,store=debug".
        level: String = "info".into(),
        /// "text" or "json".
        format: LogFormat = LogFormat::Text,
    }
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line to read.
    Text,
    /// A JSON object a line.
    Json,
}

section! {
    /// What peers may make us keep, count or wait for.
    Limits {
        /// Size of a message.
        message: Size = octets(base().message_octets as usize),
        /// Size of a message's header.
        header: Size = octets(base().header_octets),
        /// Fields of a message's header.
        header_fields: usize = base().header_fields,
        /// Length of one line of a message. What is taken is kept unchanged.
        line: Size = octets(base().line_octets),
        /// Recipients of one message.
        recipients: usize = base().recipients,
        /// Length of an SMTP or POP3 command.
        command: Size = octets(base().command_octets),
        /// Messages in one SMTP session.
        mails_per_session: usize = base().mails_per_session,
        /// Errors in one session before we hang up.
        errors: usize = base().errors,
        /// Failed log-ins in one session before we hang up.
        failed_logins: usize = base().failed_logins,
        /// Received fields after which a message is taken to loop.
        received_fields: usize = base().received_fields,
        /// MIME parts of a message that are looked at one by one.
        parts: usize = base().parts,
        /// How deep MIME parts may nest.
        nesting: usize = base().nesting,
        /// Length of an IMAP command, small literals included.
        imap_command: Size = octets(base().imap_command_octets),
        /// The same before log-in.
        imap_preauth: Size = octets(base().imap_preauth_octets),
        /// How long a peer may be silent before log-in and within a command.
        command_wait: Span = Span(base().command_wait),
        /// How long an SMTP client may take for a whole message.
        message_wait: Span = Span(base().message_wait),
        /// How long a logged-in IMAP client may be silent.
        imap_idle: Span = Span(base().imap_idle),
        /// How long a logged-in POP3 client may be silent.
        pop3_idle: Span = Span(base().pop3_idle),
        /// How long a logged-in ManageSieve client may be silent.
        managesieve_idle: Span = Span(base().managesieve_idle),
        /// Connections in all.
        connections: usize = base().connections,
        /// Connections of one network (an IPv4 /24, an IPv6 /48).
        connections_per_network: usize = base().connections_per_network,
        /// Connections of one address block (an IPv4 address, an IPv6 /64).
        connections_per_peer: usize = base().connections_per_peer,
        /// Mailboxes of one account.
        mailboxes: usize = base().mailboxes,
        /// Keywords in one mailbox.
        keywords: usize = base().keywords,
        /// Annotations of one account (IMAP METADATA).
        annotations: usize = base().annotations,
        /// Octets of one annotation.
        annotation: Size = octets(base().annotation_octets),
        /// Octets of all annotations of one account.
        all_annotations: Size = octets(base().all_annotation_octets),
    }
}

/// The whole file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// The server itself.
    pub server: Server,
    /// Mail from other servers.
    pub smtp: Service,
    /// Mail from our users.
    pub submission: Service,
    /// IMAP.
    pub imap: Service,
    /// POP3.
    pub pop3: Service,
    /// ManageSieve.
    pub managesieve: Service,
    /// Sending to other servers.
    pub outbound: Outbound,
    /// Mail from the machine itself.
    pub sendmail: Sendmail,
    /// Certificates.
    pub tls: Tls,
    /// Log-in.
    pub auth: Auth,
    /// The store.
    pub store: Store,
    /// The site's own Sieve scripts.
    pub sieve: Sieve,
    /// The domain name system.
    pub dns: Dns,
    /// Screening.
    pub screen: Screen,
    /// Metrics.
    pub metrics: Metrics,
    /// When the administrator is told of trouble.
    pub alarms: Alarms,
    /// What the server may do on the machine.
    pub sandbox: Sandbox,
    /// The log.
    pub log: Log,
    /// Limits.
    pub limits: Limits,
}

/// Closed unless opened: 25, 465 and 993.
impl Default for RawConfig {
    fn default() -> Self {
        let open = Service { enabled: true, ..Service::default() };
        RawConfig {
            server: Server::default(),
            smtp: Service { tls: TlsMode::Starttls, ..open.clone() },
            submission: open.clone(),
            imap: open,
            pop3: Service::default(),
            // What its clients expect at the one port that there is.
            managesieve: Service { tls: TlsMode::Starttls, ..Service::default() },
            outbound: Outbound::default(),
            sendmail: Sendmail::default(),
            tls: Tls::default(),
            auth: Auth::default(),
            store: Store::default(),
            sieve: Sieve::default(),
            dns: Dns::default(),
            screen: Screen::default(),
            metrics: Metrics::default(),
            alarms: Alarms::default(),
            sandbox: Sandbox::default(),
            log: Log::default(),
            limits: Limits::default(),
        }
    }
}

/// Every section with what it is about and its keys, in the order in which they are shown.
pub const SECTIONS: &[(&str, &str, &[Key])] = &[
    ("server", "The server itself.", Server::KEYS),
    ("smtp", "Mail from other servers, on port 25. Its tls is \"starttls\" or \"off\".", Service::KEYS),
    ("smtp.also", "A second port for mail from other servers.", Also::KEYS),
    ("submission", "Mail from our users' programs, after log-in.", Service::KEYS),
    ("submission.also", "A second door for submission, such as port 587 beside 465.", Also::KEYS),
    ("imap", "Reading mail by IMAP.", Service::KEYS),
    ("imap.also", "A second door for IMAP, such as port 143 beside 993.", Also::KEYS),
    ("pop3", "Fetching mail by POP3.", Service::KEYS),
    ("pop3.also", "A second door for POP3, such as port 110 beside 995.", Also::KEYS),
    ("managesieve", "Changing Sieve scripts by ManageSieve, on port 4190 whatever its tls.", Service::KEYS),
    ("managesieve.also", "A second door for ManageSieve; it needs a port of its own.", Also::KEYS),
    ("outbound", "Sending to other servers.", Outbound::KEYS),
    ("sendmail", "Mail from the machine itself: `mailward sendmail`.", Sendmail::KEYS),
    ("tls", "Certificates.", Tls::KEYS),
    ("auth", "Log-in.", Auth::KEYS),
    ("store", "Where mail is kept.", Store::KEYS),
    ("sieve", "The site's own Sieve scripts.", Sieve::KEYS),
    ("dns", "The domain name system.", Dns::KEYS),
    ("screen", "Screening.", Screen::KEYS),
    ("metrics", "Metrics for Prometheus, at /metrics.", Metrics::KEYS),
    (
        "alarms",
        "When the administrator is told of trouble: in the log, and by mail to the postmaster.",
        Alarms::KEYS,
    ),
    ("sandbox", "What the server may do on the machine.", Sandbox::KEYS),
    ("log", "The log.", Log::KEYS),
    ("limits", "What peers may make the server keep, count or wait for.", Limits::KEYS),
];

fn base() -> base::Limits {
    base::Limits::default()
}

fn octets(count: usize) -> Size {
    Size(count as u64)
}

fn span(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}
