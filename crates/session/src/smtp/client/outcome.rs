//! What became of a mail, and why.

use base::Reply;

/// What became of a mail that was given to a [`Client`](super::Client).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Of each recipient, in the order of the mail.
    pub recipients: Vec<Fate>,
    /// Whether the server took the DSN parameters. If not, whoever asked for NOTIFY=SUCCESS is owed a "relayed" DSN
    /// for each recipient that was delivered (RFC 3461 §5.2.2).
    pub dsn: bool,
    /// Whether the server took the DELIVERBY parameter. If not, a sender whose mail has one is owed a "relayed" DSN
    /// unless it said NOTIFY=NEVER (RFC 2852 §4.1).
    pub deliver_by: bool,
}

/// What became of a recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The server has taken the message for it, with this reply.
    Delivered(Reply),
    /// It will never get it, as far as this server goes.
    Refused(Trouble),
    /// It may get it later.
    Deferred(Trouble),
    /// The server was sent the whole message and did not say what it did with it. To be tried again, and may then
    /// get it twice (RFC 1047).
    Unknown(Trouble),
    /// Nothing was tried: the transaction was full. Give it in another mail at once.
    NotTried,
}

/// What went wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// During what.
    pub stage: Stage,
    /// What.
    pub why: Why,
    /// With [`Why::Reply`] what the server said, otherwise our own words for it. Text of the server is from a
    /// stranger, although without control characters.
    pub reply: Reply,
}

impl Trouble {
    pub(super) fn new(stage: Stage, why: Why, code: u16, status: (u8, u16, u16), text: String) -> Self {
        Trouble { stage, why, reply: Reply::new(code, status, text) }
    }

    /// Whether it may be this host's trouble only, so that another one for the same destination is worth a try now.
    pub fn is_hosts(&self) -> bool {
        match self.why {
            Why::Lost | Why::Timeout | Why::Protocol | Why::Tls | Why::NoTls | Why::Login => true,
            // RFC 8689 §4.2.1: each host is to be asked.
            Why::NoRequireTls => true,
            Why::NeedsUtf8 | Why::NeedsSevenBit | Why::TooLarge | Why::NoDeliverBy => false,
            Why::Expired | Why::Unsendable | Why::Unreadable => false,
            Why::Reply => self.reply_is_hosts(),
        }
    }

    fn reply_is_hosts(&self) -> bool {
        // RFC 3463 §3.4, §3.5: the mail system's and the network's status.
        let system = matches!(self.reply.enhanced(), Some((_, 3 | 4, _)));
        match self.stage {
            Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Login | Stage::Idle => true,
            _ if self.reply.code() == 421 => true,
            Stage::Recipient => self.reply.is_temporary() && system,
            _ => self.reply.is_temporary(),
        }
    }

    /// What becomes of a recipient that meets this before the server has the message.
    pub(super) fn fate(&self) -> Fate {
        if self.reply.is_permanent() { Fate::Refused(self.clone()) } else { Fate::Deferred(self.clone()) }
    }
}

/// Where in a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Before the server's greeting, or at it.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Login,
    /// MAIL, or before it: the server can't take the mail as it is.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// While content was sent.
    Content,
    /// The whole message was sent.
    End,
    /// Between mails.
    Idle,
}

impl Stage {
    /// What a sentence says of it: "connection lost …".
    pub(super) fn words(self) -> &'static str {
        match self {
            Stage::Greeting => "before its greeting",
            Stage::Hello => "at EHLO",
            Stage::StartTls => "at STARTTLS",
            Stage::Login => "at log-in",
            Stage::Mail => "at MAIL",
            Stage::Recipient => "at RCPT",
            Stage::Data => "at DATA",
            Stage::Content => "while the message was sent",
            Stage::End => "after the message was sent",
            Stage::Idle => "between messages",
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The server said no.
    Reply,
    /// The connection is gone.
    Lost,
    /// The server was silent or slow for too long.
    Timeout,
    /// The server broke the protocol: no reply at all, an endless one, one to nothing, one that can't be meant.
    Protocol,
    /// The handshake failed. Without TLS it might work; whether that may be tried is the caller's policy.
    Tls,
    /// TLS is required and was not offered.
    NoTls,
    /// The server offers no log-in that we could use.
    Login,
    /// An address or the header is not ASCII, and SMTPUTF8 was not offered.
    NeedsUtf8,
    /// The content is 8-bit or binary, and 8BITMIME or BINARYMIME was not offered. Converted to 7-bit it could go.
    NeedsSevenBit,
    /// The message is larger than SIZE.
    TooLarge,
    /// The mail wants REQUIRETLS, and it was not offered or the session is not authenticated TLS (RFC 8689).
    NoRequireTls,
    /// The mail is to be returned if it can't be delivered in time, and DELIVERBY was not offered.
    NoDeliverBy,
    /// The time in which it was to be delivered, or else returned, is over.
    Expired,
    /// The content is not what the mail said: a bare CR or LF, a NUL or 8-bit octets. The rest was not sent.
    Unsendable,
    /// Our own content could not be read.
    Unreadable,
}
