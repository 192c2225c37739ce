//! The one reply type for SMTP peers.

use std::borrow::Cow;
use std::fmt;

/// An SMTP reply: code, enhanced code and text lines (RFC 5321 §4.2, RFC 2034).
///
/// The text is for strangers: it says what to do and tells nothing of our inside. The precise private reason
/// goes to the log, in a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    code: u16,
    enhanced: Option<(u8, u16, u16)>,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply of one line without enhanced code: greeting, EHLO, 354 and 3yz only (RFC 2034 §4).
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Reply { code, enhanced: None, lines: vec![text.into()] }
    }

    /// A reply of one line: `Reply::new(550, (5, 1, 1), "no such user")`.
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        Reply { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A further line.
    #[must_use]
    pub fn line(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code (RFC 3463), where the reply has one.
    pub fn enhanced(&self) -> Option<(u8, u16, u16)> {
        self.enhanced
    }

    /// The text lines, without codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(AsRef::as_ref)
    }

    /// The text in one line.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// 2yz or 3yz.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// 4yz: worth trying again.
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5yz.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Appends the reply as it goes over the wire. No line is longer than 512 octets (RFC 5321 §4.5.3.1.5), and
    /// control characters, which a peer may have smuggled into the text, are shown as `?`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (number, line) in self.lines.iter().enumerate() {
            let start = out.len();
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(if number == last { b' ' } else { b'-' });
            if let Some((class, subject, detail)) = self.enhanced {
                out.extend_from_slice(format!("{class}.{subject}.{detail} ").as_bytes());
            }
            for character in line.chars() {
                let shown = if character.is_control() { '?' } else { character };
                if out.len() - start + shown.len_utf8() > 510 {
                    break;
                }
                out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        self.lines.iter().try_for_each(|line| write!(f, " {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: Reply, expected: &str) {
        let mut out = Vec::new();
        reply.write(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn lines_carry_the_code_and_stay_one_line() {
        check(Reply::plain(220, "mx.example.test ESMTP"), "220 mx.example.test ESMTP\r\n");
        check(Reply::new(550, (5, 7, 1), "no").line("relaying"), "550-5.7.1 no\r\n550 5.7.1 relaying\r\n");
        check(Reply::new(501, (5, 1, 3), "bad\r\n250 ok"), "501 5.1.3 bad??250 ok\r\n");
        let mut out = Vec::new();
        Reply::new(500, (5, 5, 2), "é".repeat(900)).write(&mut out);
        assert!(out.len() <= 512 && out.ends_with(b"\r\n") && std::str::from_utf8(&out).is_ok());
    }
}
