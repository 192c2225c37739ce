//! Every limit that a peer can run into, by name, with its default.

use std::time::Duration;

/// Named bounds on what peers may make us keep, count or wait for. Configuration may change each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Octets of a message, announced by SIZE and APPENDLIMIT.
    pub message_octets: u64,
    /// Octets of a message's own header.
    pub header_octets: usize,
    /// Fields of a message's own header.
    pub header_fields: usize,
    /// Octets of one line of a message, its CRLF left out. RFC 5321 asks for 998; real mail has longer ones, and
    /// what is taken is kept unchanged.
    pub line_octets: usize,
    /// Recipients of one message (RFC 5321 §4.5.3.1.8 asks for 100 at least).
    pub recipients: usize,
    /// Octets of an SMTP or POP3 command line with its CRLF (RFC 5321 §4.5.3.1.4 and what extensions add).
    pub command_octets: usize,
    /// Messages in one SMTP session.
    pub mails_per_session: usize,
    /// Errors of a peer in one session before we hang up.
    pub errors: usize,
    /// Failed log-ins in one session before we hang up.
    pub failed_logins: usize,
    /// `Received` fields after which a message is taken to loop (RFC 5321 §6.3).
    pub received_fields: usize,
    /// MIME parts of one message that are looked at; further ones stay part of their parent.
    pub parts: usize,
    /// How deep MIME parts may nest before the inner ones count as plain text.
    pub nesting: usize,
    /// Octets of an IMAP command line, literals that are not messages included.
    pub imap_command_octets: usize,
    /// Octets of an IMAP command line before log-in; the longest ID that RFC 2971 §3.3 allows takes 31,830.
    pub imap_preauth_octets: usize,
    /// How long a peer may be silent before log-in, and within a command.
    pub command_wait: Duration,
    /// How long an SMTP client may take for a whole message, however it drips (RFC 5321 §4.5.3.2.5 is 3 minutes a
    /// block; this bounds their sum).
    pub message_wait: Duration,
    /// How long a logged-in IMAP client may be silent (RFC 9051 §5.4: 30 minutes at least).
    pub imap_idle: Duration,
    /// How long a logged-in POP3 client may be silent (RFC 1939 §3: 10 minutes at least).
    pub pop3_idle: Duration,
    /// How long a logged-in ManageSieve client may be silent (RFC 5804 §1.2: 30 minutes at least).
    pub managesieve_idle: Duration,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one network (an IPv4 /24, an IPv6 /48).
    pub connections_per_network: usize,
    /// Connections of one address block (an IPv4 address, an IPv6 /64).
    pub connections_per_peer: usize,
    /// Mailboxes of one account.
    pub mailboxes: usize,
    /// Keywords in one mailbox.
    pub keywords: usize,
    /// Annotations of one account: shared ones of its mailboxes and its private ones (RFC 5464).
    pub annotations: usize,
    /// Octets of one annotation.
    pub annotation_octets: usize,
    /// Octets of all annotations of one account.
    pub all_annotation_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_octets: 50 * 1024 * 1024,
            header_octets: 512 * 1024,
            header_fields: 2000,
            line_octets: 1024 * 1024,
            recipients: 1000,
            command_octets: 4096,
            mails_per_session: 1000,
            errors: 20,
            failed_logins: 3,
            received_fields: 50,
            parts: 1000,
            nesting: 64,
            imap_command_octets: 256 * 1024,
            imap_preauth_octets: 40 * 1024,
            command_wait: Duration::from_secs(300),
            message_wait: Duration::from_secs(1800),
            imap_idle: Duration::from_secs(30 * 60),
            pop3_idle: Duration::from_secs(10 * 60),
            managesieve_idle: Duration::from_secs(30 * 60),
            connections: 10_000,
            connections_per_network: 1000,
            connections_per_peer: 100,
            mailboxes: 10_000,
            keywords: 100,
            annotations: 1000,
            annotation_octets: 64 * 1024,
            all_annotation_octets: 256 * 1024,
        }
    }
}
