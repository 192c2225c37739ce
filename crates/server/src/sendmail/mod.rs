//! `mailward sendmail`: mail from the machine itself, as cron, monit and PHP hand it over.
//!
//! The command ([`client`]) reads flags and message, and speaks to a socket of its own that everybody on the machine may
//! reach ([`door`]). Who sends is what the kernel says of the other end, never what it says itself. One exchange a
//! connection, each message a JSON object on a line:
//!
//! 1. the server says [`Said::Welcome`], or turns away with [`Said::Reply`];
//! 2. the command says its [`Envelope`], and sends the message, as many octets as it announced;
//! 3. the server says [`Said::Reply`], a positive one only when the mail is safe on disk.

pub mod client;
pub mod door;
mod flags;
mod message;
mod users;

use base::Reply;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where the socket is unless `sendmail.socket` says otherwise.
pub const STANDARD_SOCKET: &str = "/run/mailward/sendmail.sock";

/// Octets of an envelope: a thousand recipients of the greatest length, and what belongs to them.
const MOST_ENVELOPE: u64 = 512 * 1024;

/// How long either end may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    /// Come in.
    Welcome {
        /// The user's own address.
        address: String,
        /// Octets that a message may have.
        octets: u64,
    },
    /// How it went, as SMTP says it.
    Reply {
        /// The reply code (RFC 5321 §4.2).
        code: u16,
        /// The enhanced status code (RFC 3463).
        status: Option<(u8, u16, u16)>,
        /// For the person.
        text: String,
    },
}

/// What the command wants sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    /// The command MAIL (RFC 5321 §4.1.1.2).
    mail: String,
    /// The commands RCPT.
    rcpt: Vec<String>,
    /// Octets of the message.
    size: u64,
}

impl From<&Reply> for Said {
    fn from(reply: &Reply) -> Self {
        Said::Reply { code: reply.code(), status: reply.enhanced(), text: reply.text() }
    }
}
