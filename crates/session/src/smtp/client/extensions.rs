//! What a server said it can do.

use base::Reply;

/// Log-in mechanisms that are remembered.
const MECHANISMS: usize = 32;

/// The extensions in a reply to EHLO (RFC 5321 §4.1.1.1). After HELO there are none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extensions {
    /// SIZE: the largest message, `u64::MAX` where no limit is told (RFC 1870 §4).
    pub size: Option<u64>,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME, which is nothing without CHUNKING (RFC 3030 §3).
    pub binary_mime: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: bool,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// FUTURERELEASE (RFC 4865). Our own queue holds mail back; this is for the trace.
    pub future_release: bool,
    /// AUTH: the mechanisms, in upper case (RFC 4954).
    pub mechanisms: Vec<String>,
    /// LIMITS MAILMAX: transactions in one session (RFC 9422).
    pub mail_max: Option<usize>,
    /// LIMITS RCPTMAX: recipients of one transaction.
    pub rcpt_max: Option<usize>,
    /// LIMITS RCPTDOMAINMAX: different domains among the recipients of one transaction.
    pub rcpt_domain_max: Option<usize>,
}

impl Extensions {
    /// Reads the lines of a reply to EHLO. The first has the server's name; what is unknown or malformed is left out.
    pub fn parse(reply: &Reply) -> Self {
        let mut extensions = Extensions::default();
        reply.lines().skip(1).for_each(|line| extensions.add(line));
        extensions.binary_mime &= extensions.chunking;
        extensions
    }

    fn add(&mut self, line: &str) {
        // `AUTH=PLAIN` is how it was written before RFC 2554, and some servers still say both.
        let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
        let mut words = rest.split(' ').filter(|word| !word.is_empty());
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => self.size = Some(maximum(words.next())),
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "STARTTLS" => self.starttls = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "REQUIRETLS" => self.require_tls = true,
            "DELIVERBY" => self.deliver_by = true,
            "MT-PRIORITY" => self.mt_priority = true,
            "FUTURERELEASE" => self.future_release = true,
            "AUTH" => words.for_each(|word| self.add_mechanism(word)),
            "LIMITS" => words.for_each(|word| self.add_limit(word)),
            _ => {}
        }
    }

    fn add_mechanism(&mut self, word: &str) {
        let name = word.to_ascii_uppercase();
        if self.mechanisms.len() < MECHANISMS && !self.mechanisms.contains(&name) {
            self.mechanisms.push(name);
        }
    }

    fn add_limit(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        // RFC 9422 §3: one to six digits, not beginning with 0.
        let sound = (1..=6).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        let limit = value.parse::<usize>().ok().filter(|limit| sound && *limit > 0);
        match name.to_ascii_uppercase().as_str() {
            "MAILMAX" => self.mail_max = limit,
            "RCPTMAX" => self.rcpt_max = limit,
            "RCPTDOMAINMAX" => self.rcpt_domain_max = limit,
            _ => {}
        }
    }
}

/// RFC 1870 §4: no number or 0 is no limit that is told.
fn maximum(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).filter(|size| *size > 0).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&'static str], expected: Extensions) {
        let reply =
            lines.iter().fold(Reply::plain(250, "SIZE 1 is my name"), |reply, line| reply.line(*line));
        assert_eq!(Extensions::parse(&reply), expected, "{lines:?}");
    }

    #[test]
    fn keywords() {
        let none = Extensions::default;
        check(&[], none());
        check(&["SIZE 10"], Extensions { size: Some(10), ..none() });
        for unlimited in ["SIZE", "size 0", "SIZE x", "SIZE 99999999999999999999"] {
            check(&[unlimited], Extensions { size: Some(u64::MAX), ..none() });
        }
        check(&["BINARYMIME"], none());
        check(&["BINARYMIME", "chunking"], Extensions { chunking: true, binary_mime: true, ..none() });
        let mechanisms = vec!["PLAIN".to_owned(), "LOGIN".to_owned()];
        check(&["AUTH plain LOGIN", "AUTH=LOGIN PLAIN"], Extensions { mechanisms, ..none() });
        check(
            &["LIMITS MAILMAX=5 RCPTMAX=20 RCPTDOMAINMAX=1 X=2"],
            Extensions { mail_max: Some(5), rcpt_max: Some(20), rcpt_domain_max: Some(1), ..none() },
        );
        check(&["LIMITS MAILMAX=0 RCPTMAX=1000000 RCPTDOMAINMAX=+1"], none());
        check(
            &["DELIVERBY 60", "MT-PRIORITY MIXER", "FUTURERELEASE 1 2", "REQUIRETLS", "DSN"],
            Extensions {
                deliver_by: true,
                mt_priority: true,
                future_release: true,
                require_tls: true,
                dsn: true,
                ..none()
            },
        );
        check(&["", " ", "X-UNKNOWN", "PIPELININGS"], none());
    }
}
