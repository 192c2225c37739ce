//! Parameters of MAIL and RCPT that the extensions for reports, times and priorities bring, read and written: DSN
//! (RFC 3461, RFC 6533), DELIVERBY (RFC 2852), FUTURERELEASE (RFC 4865) and MT-PRIORITY (RFC 6710).

use base::Timestamp;
use std::fmt::{self, Write};

/// Characters of an ENVID as it is written (RFC 3461 §4.4).
const ENVID: usize = 100;

/// Characters of an ORCPT as it is written (RFC 3461 §4.2).
const ORCPT: usize = 500;

/// What a DSN returns of the message (RFC 3461 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ret {
    /// All of it.
    Full,
    /// The header.
    Headers,
}

impl Ret {
    /// Reads the value of RET.
    pub fn parse(text: &str) -> Option<Self> {
        let values = [("FULL", Ret::Full), ("HDRS", Ret::Headers)];
        values.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, ret)| ret)
    }

    /// As RET has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Ret::Full => "FULL",
            Ret::Headers => "HDRS",
        }
    }
}

/// What the sender calls a message's envelope (RFC 3461 §4.4): printable ASCII, blanks and tabs, at least one
/// character, at most 100 when encoded.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EnvelopeId(String);

impl EnvelopeId {
    /// Takes an identifier in clear, unless it has other characters or is too long.
    pub fn new(text: &str) -> Option<Self> {
        (is_printable(text) && (1..=ENVID).contains(&xtext(text).len())).then(|| EnvelopeId(text.to_owned()))
    }

    /// Reads the value of ENVID.
    pub fn parse(value: &str) -> Option<Self> {
        Some(value).filter(|value| value.len() <= ENVID).and_then(printable).and_then(|id| Self::new(&id))
    }

    /// In clear, as a report has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of ENVID.
    pub fn value(&self) -> String {
        xtext(&self.0)
    }
}

/// When the sender wants to hear of a recipient (RFC 3461 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notify {
    /// Not at all.
    Never,
    /// In these cases, of which one is at least.
    On {
        /// When it is delivered.
        success: bool,
        /// When it can't be.
        failure: bool,
        /// When it is late.
        delay: bool,
    },
}

impl Notify {
    /// Reads the value of NOTIFY. NEVER stands alone.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Some(Notify::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for word in text.split(',') {
            match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => success = true,
                "FAILURE" => failure = true,
                "DELAY" => delay = true,
                _ => return None,
            }
        }
        Some(Notify::On { success, failure, delay })
    }

    /// The value of NOTIFY.
    pub fn value(self) -> String {
        match self {
            Notify::Never => "NEVER".to_owned(),
            Notify::On { success, failure, delay } => {
                let cases = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
                let words: Vec<&str> =
                    cases.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
                if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }
            }
        }
    }
}

/// Whom the sender wrote to, before anything was forwarded (RFC 3461 §4.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OriginalRecipient {
    /// The address type: `rfc822`, `utf-8` (RFC 6533 §3) or another.
    pub kind: String,
    /// The address, decoded. It need not be one by any grammar, but has no control characters.
    pub address: String,
}

impl OriginalRecipient {
    /// Reads the value of ORCPT. `utf8`: it may hold UTF-8, because its transaction asked for it.
    pub fn parse(value: &str, utf8: bool) -> Option<Self> {
        let (kind, encoded) = value.split_once(';')?;
        let address = match kind.eq_ignore_ascii_case("utf-8") {
            true => from_unitext(encoded, utf8),
            false => printable(encoded),
        }?;
        let sound = value.len() <= ORCPT && is_kind(kind) && !address.is_empty();
        sound.then(|| OriginalRecipient { kind: kind.to_owned(), address })
    }

    /// The value of ORCPT, unless it can't be written.
    pub fn value(&self, utf8: bool) -> Option<String> {
        // The type is passed on in the letters it came in; only what has no xtext gets another.
        let is_utf8 = self.kind.eq_ignore_ascii_case("utf-8");
        let (kind, address) = match (is_utf8, self.address.is_ascii()) {
            (true, _) => (self.kind.as_str(), unitext(&self.address, utf8)),
            (false, true) => (self.kind.as_str(), xtext(&self.address)),
            (false, false) => ("utf-8", unitext(&self.address, utf8)),
        };
        let value = format!("{kind};{address}");
        (is_kind(&self.kind) && !address.is_empty() && value.len() <= ORCPT).then_some(value)
    }

    /// As the field Original-Recipient has it: in clear (RFC 3461 §6.3), but for UTF-8 in a report that has none (RFC
    /// 6533 §3).
    pub fn field(&self, utf8: bool) -> String {
        let address = if self.address.is_ascii() || utf8 {
            self.address.clone()
        } else {
            unitext(&self.address, false)
        };
        format!("{};{address}", self.kind)
    }
}

/// In clear, as the field Original-Recipient has it (RFC 3464 §2.3.1).
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.kind, self.address)
    }
}

/// By when, and what if not (RFC 2852 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeliverBy {
    /// Seconds that are left, negative when it is over.
    pub seconds: i32,
    /// Whether it is then returned; otherwise the sender is told that it is late.
    pub or_return: bool,
    /// Whether relays are to report it.
    pub trace: bool,
}

impl DeliverBy {
    /// Reads the value of BY. What is to be returned needs time that is left.
    pub fn parse(text: &str) -> Option<Self> {
        let (seconds, mode) = text.split_once(';')?;
        let digits = seconds.strip_prefix(['-', '+']).unwrap_or(seconds);
        let sound = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let seconds: i32 = seconds.parse().ok().filter(|_| sound)?;
        let (or_return, trace) = match mode.to_ascii_uppercase().as_str() {
            "N" => (false, false),
            "NT" => (false, true),
            "R" => (true, false),
            "RT" => (true, true),
            _ => return None,
        };
        (seconds > 0 || !or_return).then_some(DeliverBy { seconds, or_return, trace })
    }

    /// The value of BY.
    pub fn value(self) -> String {
        // RFC 2852 §4: nine digits at most.
        let seconds = self.seconds.clamp(-999_999_999, 999_999_999);
        let mode = if self.or_return { 'R' } else { 'N' };
        format!("{seconds};{mode}{}", if self.trace { "T" } else { "" })
    }
}

/// How long a message is held back before it is sent (RFC 4865 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// HOLDFOR: so many seconds, 1 to 999,999,999.
    For(u32),
    /// HOLDUNTIL: until then.
    Until(Timestamp),
}

impl Hold {
    /// Reads the value of HOLDFOR: up to nine digits, the first not 0.
    pub fn parse_for(text: &str) -> Option<Self> {
        let sound = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| sound && !text.starts_with('0')).map(Hold::For)
    }

    /// Reads the value of HOLDUNTIL: a date and time of RFC 3339 §5.6. Fractions of a second are dropped.
    pub fn parse_until(text: &str) -> Option<Self> {
        date_time(text).map(Hold::Until)
    }

    /// When it ends, if it is now `now`.
    pub fn end(self, now: Timestamp) -> Timestamp {
        match self {
            Hold::For(seconds) => Timestamp(now.0.saturating_add(i64::from(seconds))),
            Hold::Until(end) => end,
        }
    }
}

/// Reads the value of MT-PRIORITY: -9 to 9, without a plus (RFC 6710 §8).
pub fn parse_priority(text: &str) -> Option<i8> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let sound = matches!(digits.as_bytes(), [b'1'..=b'9']) || text == "0";
    text.parse().ok().filter(|_| sound)
}

/// RFC 3339 §5.6: `2026-11-25T08:00:00Z`, `2026-11-25t09:00:00.5+01:00`.
pub(crate) fn date_time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let marks = [(4, b"--"), (7, b"--"), (10, b"Tt"), (13, b"::"), (16, b"::")];
    if !marks.iter().all(|(at, marks)| bytes.get(*at).is_some_and(|b| marks.contains(b))) {
        return None;
    }
    let [year, month, day] = [digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?];
    let [hour, minute, second] = [digits(text, 11, 2)?, digits(text, 14, 2)?, digits(text, 17, 2)?];
    let zone = match text.get(19..)?.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return None;
            }
            zone
        }
        None => text.get(19..)?,
    };
    let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    let (month, day) = (small(month), small(day));
    let midday = Timestamp::from_civil(year, month, day, 12, 0, 0).civil();
    if (midday.year, midday.month, midday.day) != (year, month, day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let there = Timestamp::from_civil(year, month, day, small(hour), small(minute), small(second));
    Some(Timestamp(there.0 - offset(zone)?))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let sign = match zone.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(zone, 1, 2)?, digits(zone, 4, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &str, at: usize, count: usize) -> Option<i64> {
    let digits = text.get(at..at + count)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Whether text is such as may stand in a report's field (RFC 3461 §4.2, §4.4).
fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'))
}

/// Whether text is an address type as they are registered.
fn is_kind(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// RFC 3461 §4: `+`, `=` and what is not printable ASCII as `+` and two hexadecimal digits.
fn xtext(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "+{byte:02X}");
            }
        }
        out
    })
}

/// Undoes [`xtext`].
pub(super) fn from_xtext(text: &str) -> Option<Vec<u8>> {
    let mut octets = text.bytes();
    let mut out = Vec::new();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'+' => upper_hex(octets.next()?)? * 16 + upper_hex(octets.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => octet,
            _ => return None,
        });
    }
    Some(out)
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 6533 §3: `+`, `=`, `\` and what is not printable as `\x{…}`; so is what is not ASCII, unless `utf8`.
fn unitext(text: &str, utf8: bool) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        let plain = match c {
            '+' | '=' | '\\' => false,
            '!'..='~' => true,
            _ => utf8 && !c.is_ascii() && !c.is_control(),
        };
        if plain {
            out.push(c);
        } else {
            let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
        }
        out
    })
}

/// What xtext stands for, if that is printable.
fn printable(encoded: &str) -> Option<String> {
    from_xtext(encoded).and_then(|text| String::from_utf8(text).ok()).filter(|text| is_printable(text))
}

/// Undoes [`unitext`]. What is decoded has no control characters: it is to stand in a report.
fn from_unitext(text: &str, utf8: bool) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        out.push(match c {
            '\\' => {
                let (number, after) = rest.strip_prefix("x{")?.split_once('}')?;
                rest = after;
                code_point(number)?
            }
            '+' | '=' => return None,
            '!'..='~' => c,
            _ if utf8 && !c.is_ascii() && !c.is_control() => c,
            _ => return None,
        });
    }
    Some(out)
}

/// RFC 6533 §3: two to six hexadecimal digits.
fn code_point(digits: &str) -> Option<char> {
    let sound = (2..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| sound)?;
    char::from_u32(number).filter(|c| !c.is_control())
}

#[cfg(test)]
mod tests;
