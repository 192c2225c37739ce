//! Header fields: names that are valid, and fields that a script adds.

use base::Address;
use wire::mime::address::{self, Entry};

/// Whether a header field can have this name (RFC 5322 §3.6.8).
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 200 && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}

/// One address to send to: `addr-spec`, or a name and an address in angle brackets (RFC 5228 §2.4.2.3).
pub(crate) fn address(text: &str) -> Option<Address> {
    let text = text.trim();
    if let Ok(address) = Address::parse(text) {
        return Some(address);
    }
    match address::parse(text.as_bytes()).as_slice() {
        [Entry::Mailbox(mailbox)] if mailbox.route.is_none() && text.ends_with('>') => mailbox.to_address(),
        _ => None,
    }
}

/// Fields that hold addresses: the ones that the `address` test may look at (RFC 5228 §5.1).
pub(crate) fn holds_addresses(name: &str) -> bool {
    const NAMES: [&str; 24] = [
        "from",
        "to",
        "cc",
        "bcc",
        "sender",
        "reply-to",
        "resent-from",
        "resent-to",
        "resent-cc",
        "resent-bcc",
        "resent-sender",
        "resent-reply-to",
        "return-path",
        "delivered-to",
        "envelope-to",
        "envelope-from",
        "x-original-to",
        "apparently-to",
        "errors-to",
        "return-receipt-to",
        "disposition-notification-to",
        "mail-followup-to",
        "mail-reply-to",
        "x-envelope-to",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Octets of a line that are not passed where there is a blank to fold at (RFC 5322 §2.1.1).
const LINE: usize = 78;
/// Octets of a word that may stand in a line of its own (RFC 5322 §2.1.1: 998 in all).
const LONGEST_WORD: usize = 900;

/// A field with its line end: control characters in the value become blanks, what is not ASCII encoded words, long lines
/// are folded at blanks, which stay.
pub(crate) fn print(name: &str, value: &str) -> Vec<u8> {
    let value = one_line(value);
    let fits = value.is_ascii() && value.split(' ').all(|word| word.len() <= LONGEST_WORD);
    let value = if fits { value } else { encoded_words(&value) };
    let mut out = format!("{name}:").into_bytes();
    let mut line = out.len();
    for (at, word) in value.split(' ').enumerate() {
        if line + 1 + word.len() > LINE && at > 0 && !word.is_empty() {
            out.extend_from_slice(b"\r\n");
            line = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        line += 1 + word.len();
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A text without line ends and other control characters, nor blanks at its ends.
pub(crate) fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect();
    parts.join(" ").trim().to_owned()
}

/// All of a text as encoded words (RFC 2047), each of whole characters and at most 75 octets long.
pub(crate) fn encoded_words(text: &str) -> String {
    const OCTETS: usize = 20;
    let mut out = String::new();
    let mut word = String::from("=?UTF-8?Q?");
    let mut octets = 0;
    for c in text.chars() {
        if octets + c.len_utf8() > OCTETS {
            out.push_str(&word);
            out.push_str("?= ");
            word = String::from("=?UTF-8?Q?");
            octets = 0;
        }
        octets += c.len_utf8();
        match c {
            ' ' => word.push('_'),
            'a'..='z' | 'A'..='Z' | '0'..='9' => word.push(c),
            _ => {
                let mut utf8 = [0; 4];
                c.encode_utf8(&mut utf8).bytes().for_each(|b| word.push_str(&format!("={b:02X}")));
            }
        }
    }
    out + &word + "?="
}

/// A Message-ID that can be repeated in another mail.
pub(crate) fn message_id(text: &str) -> Option<String> {
    let text = text.trim();
    let sound = text.len() < 250 && text.bytes().all(|b| b.is_ascii_graphic());
    (sound && text.starts_with('<') && text.ends_with('>')).then(|| text.to_owned())
}
