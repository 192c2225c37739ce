//! Where notifications go: `mailto:` addresses (RFC 5436 §2, RFC 6068 §2).

use crate::field::{self, one_line};
use base::Address;

/// A method of `notify`, taken apart.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Mailto {
    pub(crate) recipients: Vec<Address>,
    pub(crate) subject: Option<String>,
    pub(crate) body: Option<String>,
    /// Other header fields.
    pub(crate) fields: Vec<(String, String)>,
}

/// Recipients and fields of one notification.
const MOST: usize = 10;

/// # Errors
/// In words: another method, a bad address, too many of them.
pub(crate) fn parse(method: &str) -> Result<Mailto, String> {
    let scheme = method.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    if scheme.is_none() {
        return Err(format!("notifications go by \"mailto:\" only, not to {method:?}"));
    }
    let (to, headers) = method[7..].split_once('?').unwrap_or((&method[7..], ""));
    let mut mailto = Mailto::default();
    mailto.add_recipients(to, true)?;
    for header in headers.split('&').filter(|header| !header.is_empty()) {
        let (name, value) =
            header.split_once('=').ok_or_else(|| format!("{header:?} in {method:?} has no \"=\""))?;
        mailto.header(&decode(name)?.to_ascii_lowercase(), value)?;
    }
    match mailto.recipients.len() {
        0 => Err(format!("{method:?} names no address")),
        1..=MOST => Ok(mailto),
        _ => Err(format!("too many addresses: {MOST} at most")),
    }
}

impl Mailto {
    /// Addresses with commas between them; commas that are encoded belong to an address.
    fn add_recipients(&mut self, list: &str, encoded: bool) -> Result<(), String> {
        for text in list.split(',').filter(|text| !text.trim().is_empty()) {
            let text = if encoded { decode(text)? } else { text.to_owned() };
            let address = Address::parse(text.trim()).map_err(|_| format!("{text:?} is no mail address"))?;
            if !self.recipients.contains(&address) {
                self.recipients.push(address);
            }
        }
        Ok(())
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let value = decode(value)?;
        match name {
            "to" | "cc" => return self.add_recipients(&value, false),
            "subject" => self.subject = Some(one_line(&value)),
            "body" => self.body = Some(value),
            // RFC 5436 §2.7: what the notification says of itself, and what could make others believe something.
            _ if is_ours(name) => {}
            _ if field::is_name(name) && self.fields.len() < MOST => {
                self.fields.push((name.to_owned(), one_line(&value)));
            }
            _ => return Err(format!("{name:?} can't be a header field of a notification")),
        }
        Ok(())
    }
}

/// Fields that a method must not set.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 10] = [
        "from",
        "sender",
        "bcc",
        "reply-to",
        "auto-submitted",
        "received",
        "return-path",
        "date",
        "message-id",
        "dkim-signature",
    ];
    OURS.contains(&name)
        || ["resent-", "content-", "mime-", "arc-", "authentication-"].iter().any(|p| name.starts_with(p))
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let octet = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let octet = octet.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let octet = octet.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(
            octet.ok_or_else(|| format!("a \"%\" in {text:?} is not followed by two hexadecimal digits"))?,
        );
        rest = &behind[2..];
    }
    let text = String::from_utf8(out).map_err(|_| format!("{text:?} is not UTF-8"))?;
    if text.contains('\0') { Err("a NUL in an address".to_owned()) } else { Ok(text) }
}

/// Percent-encodes all but what URIs never reserve (RFC 5435 §6).
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
