//! A mail to be sent, and its commands.

use super::{Extensions, Stage, Trouble, Why};
use base::{Address, ReversePath};
use wire::smtp::Body;
pub use wire::smtp::{DeliverBy, EnvelopeId, Notify, OriginalRecipient, Ret};

/// A mail for one transaction: envelope, and facts about its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// Who is to get it.
    pub recipients: Vec<Recipient>,
    /// Octets of the content.
    pub size: u64,
    /// What the content is: 7-bit and 8-bit text has CRLF line ends only and no NUL. Anything else is binary and can
    /// go only to a server with BINARYMIME.
    pub body: Body,
    /// Whether the header has UTF-8 (RFC 6532). Whether addresses have it is seen from them.
    pub utf8_header: bool,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// MT-PRIORITY, -9 to 9 (RFC 6710). Left out where it is not offered.
    pub priority: Option<i8>,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// RET (RFC 3461 §4.3), if the sender gave one.
    pub ret: Option<Ret>,
    /// ENVID (RFC 3461 §4.4), if the sender gave one.
    pub envid: Option<EnvelopeId>,
}

/// One recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// Its address.
    pub address: Address,
    /// NOTIFY (RFC 3461 §4.1), if the sender gave one.
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461 §4.2), if the sender gave one.
    pub orcpt: Option<OriginalRecipient>,
}

impl Recipient {
    /// One without DSN parameters.
    pub fn new(address: Address) -> Self {
        Recipient { address, notify: None, orcpt: None }
    }
}

impl Mail {
    /// Why this server can't have it for anybody, as far as is known before MAIL.
    pub(super) fn trouble(&self, extensions: &Extensions, authenticated: bool) -> Option<Trouble> {
        let trouble = |why, code, status, text: &str| {
            Some(Trouble::new(Stage::Mail, why, code, status, text.to_owned()))
        };
        // RFC 8689 §5: a bounce is not lost for want of REQUIRETLS.
        if self.require_tls && self.reverse_path != ReversePath::Null {
            if !authenticated {
                return trouble(Why::NoRequireTls, 554, (5, 7, 10), "message requires authenticated TLS");
            }
            if !extensions.require_tls {
                return trouble(Why::NoRequireTls, 554, (5, 7, 30), "server does not offer REQUIRETLS");
            }
        }
        if self.sender_needs_utf8() && !extensions.smtputf8 {
            return needs_utf8("message");
        }
        if self.size > extensions.size.unwrap_or(u64::MAX) {
            return trouble(Why::TooLarge, 552, (5, 3, 4), "message is larger than the server takes");
        }
        let fits = match self.body {
            Body::SevenBit => true,
            Body::EightBitMime => extensions.eight_bit_mime,
            Body::BinaryMime => extensions.binary_mime,
        };
        if !fits {
            // RFC 6152 §3
            return trouble(Why::NeedsSevenBit, 554, (5, 6, 3), "server takes only 7-bit content");
        }
        match self.deliver_by {
            Some(by) if by.or_return && by.seconds <= 0 => {
                trouble(Why::Expired, 554, (5, 4, 7), "delivery time expired")
            }
            Some(by) if by.or_return && !extensions.deliver_by => {
                trouble(Why::NoDeliverBy, 554, (5, 3, 3), "server does not offer DELIVERBY")
            }
            _ => None,
        }
    }

    fn sender_needs_utf8(&self) -> bool {
        self.utf8_header || self.reverse_path.address().is_some_and(Address::needs_utf8)
    }

    /// The MAIL command. `utf8`: whether SMTPUTF8 goes along.
    pub(super) fn command(&self, extensions: &Extensions, utf8: bool) -> String {
        let mut line = format!("MAIL FROM:<{}>", self.reverse_path);
        let mut add = |parameter: String| {
            line.push(' ');
            line.push_str(&parameter);
        };
        if extensions.size.is_some() {
            add(format!("SIZE={}", self.size));
        }
        match self.body {
            Body::SevenBit => {}
            Body::EightBitMime => add("BODY=8BITMIME".to_owned()),
            Body::BinaryMime => add("BODY=BINARYMIME".to_owned()),
        }
        if utf8 {
            add("SMTPUTF8".to_owned());
        }
        if self.require_tls && extensions.require_tls {
            add("REQUIRETLS".to_owned());
        }
        if let Some(priority) = self.priority.filter(|_| extensions.mt_priority) {
            add(format!("MT-PRIORITY={}", priority.clamp(-9, 9)));
        }
        if let Some(by) = self.deliver_by.filter(|_| extensions.deliver_by) {
            add(format!("BY={}", by.value()));
        }
        if let Some(ret) = self.ret.filter(|_| extensions.dsn) {
            add(format!("RET={}", ret.as_str()));
        }
        if let Some(envid) = self.envid.as_ref().filter(|_| extensions.dsn) {
            add(format!("ENVID={}", envid.value()));
        }
        line + "\r\n"
    }

    /// Whether SMTPUTF8 is to go along for these recipients. It is left out where nothing needs it (RFC 6531 §3.4,
    /// B017).
    pub(super) fn needs_utf8<'a>(&self, mut recipients: impl Iterator<Item = &'a Recipient>) -> bool {
        self.sender_needs_utf8() || recipients.any(|recipient| recipient.address.needs_utf8())
    }
}

impl Recipient {
    /// Why this server can't have it for this one.
    pub(super) fn trouble(&self, extensions: &Extensions) -> Option<Trouble> {
        if self.address.needs_utf8() && !extensions.smtputf8 { needs_utf8("address") } else { None }
    }

    /// The RCPT command.
    pub(super) fn command(&self, extensions: &Extensions, utf8: bool) -> String {
        let mut line = format!("RCPT TO:<{}>", self.address);
        if extensions.dsn {
            if let Some(notify) = self.notify {
                line += &format!(" NOTIFY={}", notify.value());
            }
            if let Some(value) = self.orcpt.as_ref().and_then(|orcpt| orcpt.value(utf8)) {
                line += &format!(" ORCPT={value}");
            }
        }
        line + "\r\n"
    }
}

fn needs_utf8(what: &str) -> Option<Trouble> {
    // RFC 6531 §4.2
    let text = format!("{what} is not ASCII and the server does not offer SMTPUTF8");
    Some(Trouble::new(Stage::Mail, Why::NeedsUtf8, 553, (5, 6, 7), text))
}
