//! What a sender asks for of mail that waits, as it is kept.

use super::command::each_parameter;
use super::parameter::{DeliverBy, EnvelopeId, Notify, OriginalRecipient, Ret};
use super::{CommandError, Mail, Rcpt};
use base::Timestamp;
use std::fmt;

/// What a sender asked for of mail to one recipient, by parameters of MAIL and RCPT. By default nothing.
///
/// It is kept as text, in the parameters' own form, blanks between them; but BY has a time instead of what is left.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// NOTIFY: when it wants a report (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT: what reports call the recipient (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
    /// RET: what a report on failure is to return (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// ENVID: what reports are to name (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// BY: by when it is to be delivered (RFC 2852 §4).
    pub by: Option<By>,
    /// REQUIRETLS (RFC 8689 §2).
    pub require_tls: bool,
}

/// By when, and what if not (RFC 2852 §4): what [`DeliverBy`] says at a certain time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct By {
    /// By when.
    pub time: Timestamp,
    /// Whether it is then returned; otherwise the sender is told that it is late.
    pub or_return: bool,
    /// Whether relays are to report it.
    pub trace: bool,
}

impl By {
    fn new(by: DeliverBy, now: Timestamp) -> Self {
        let time = Timestamp(now.0.saturating_add(i64::from(by.seconds)));
        By { time, or_return: by.or_return, trace: by.trace }
    }

    /// What a server is told at a time.
    pub fn left(self, now: Timestamp) -> DeliverBy {
        let seconds = self.time.0.saturating_sub(now.0);
        let seconds = i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX });
        DeliverBy { seconds, or_return: self.or_return, trace: self.trace }
    }

    fn parse(text: &str) -> Option<Self> {
        let (time, mode) = text.split_once(';')?;
        let (or_return, trace) = match mode {
            "N" => (false, false),
            "NT" => (false, true),
            "R" => (true, false),
            "RT" => (true, true),
            _ => return None,
        };
        Some(By { time: Timestamp(time.parse().ok()?), or_return, trace })
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.or_return { 'R' } else { 'N' };
        write!(f, "{};{mode}{}", self.time.0, if self.trace { "T" } else { "" })
    }
}

impl Terms {
    /// Those of a recipient of a message whose MAIL came at `now`.
    pub fn of(mail: &Mail, rcpt: &Rcpt, now: Timestamp) -> Self {
        Terms {
            notify: rcpt.notify,
            original: rcpt.original.clone(),
            ret: mail.ret,
            envelope_id: mail.envelope_id.clone(),
            by: mail.deliver_by.map(|by| By::new(by, now)),
            require_tls: mail.require_tls,
        }
    }

    /// Those of mail on which nobody wants a report, such as reports (RFC 3461 §6.1).
    pub fn unreported() -> Self {
        Terms { notify: Some(Notify::Never), ..Terms::default() }
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut terms = Terms::default();
        each_parameter(&format!(" {text}"), |keyword, value| terms.set(keyword, value)).ok().map(|()| terms)
    }

    fn set(&mut self, keyword: &str, value: Option<&str>) -> Result<(), CommandError> {
        if keyword == "REQUIRETLS" && value.is_none() {
            self.require_tls = true;
            return Ok(());
        }
        let value = value.ok_or(CommandError::Parameter)?;
        let known = match keyword {
            "BY" => keep(&mut self.by, By::parse(value)),
            "NOTIFY" => keep(&mut self.notify, Notify::parse(value)),
            "ORCPT" => keep(&mut self.original, OriginalRecipient::parse(value, true)),
            "RET" => keep(&mut self.ret, Ret::parse(value)),
            "ENVID" => keep(&mut self.envelope_id, EnvelopeId::parse(value)),
            _ => false,
        };
        if known { Ok(()) } else { Err(CommandError::Parameter) }
    }

    /// Whether the sender is to hear that mail failed: unless it said otherwise (RFC 3461 §5.2.6).
    pub fn wants_failure(&self) -> bool {
        !matches!(self.notify, Some(Notify::Never | Notify::On { failure: false, .. }))
    }

    /// Whether it is to hear that mail is late: unless it said otherwise (RFC 3461 §5.2.5).
    pub fn wants_delay(&self) -> bool {
        !matches!(self.notify, Some(Notify::Never | Notify::On { delay: false, .. }))
    }

    /// Whether it is to hear that mail arrived: only if it said so (RFC 3461 §5.2.3).
    pub fn wants_success(&self) -> bool {
        matches!(self.notify, Some(Notify::On { success: true, .. }))
    }

    /// Whether it is to hear that a server has mail which does not see to what was asked for: one without DSN of
    /// success (RFC 3461 §5.2.2), one without DELIVERBY of the time, and any that takes mail to be traced (RFC 2852
    /// §4).
    pub fn wants_relay(&self, dsn: bool, deliver_by: bool) -> bool {
        let unseen = self.by.is_some_and(|by| by.trace || !deliver_by);
        self.wants_success() && !dsn || unseen && self.notify != Some(Notify::Never)
    }

    /// Whether two recipients can get the message by one MAIL command.
    pub fn share_envelope(&self, other: &Self) -> bool {
        self.ret == other.ret
            && self.envelope_id == other.envelope_id
            && self.by == other.by
            && self.require_tls == other.require_tls
    }
}

fn keep<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.notify.map(|notify| format!("NOTIFY={}", notify.value())),
            self.original.as_ref().and_then(|original| original.value(true)).map(|o| format!("ORCPT={o}")),
            self.ret.map(|ret| format!("RET={}", ret.as_str())),
            self.envelope_id.as_ref().map(|id| format!("ENVID={}", id.value())),
            self.by.map(|by| format!("BY={by}")),
            self.require_tls.then(|| "REQUIRETLS".to_owned()),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        assert_eq!(Terms::parse(text).map(|terms| terms.to_string()).as_deref(), Some(text));
    }

    #[test]
    fn come_back_as_they_were() {
        check("");
        check("NOTIFY=NEVER");
        check("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;B+2Bx@example.test RET=HDRS ENVID=QQ+20314159");
        check("ORCPT=utf-8;jürgen\\x{20}x@example.net");
        check("ORCPT=utF-8;jürgen@example.net");
        check("ORCPT=UTF-8;anna@example.net");
        check("ORCPT=RFC822;anna@example.net");
        check("BY=1795600000;RT REQUIRETLS");
        check("BY=-5;N");
        for unknown in
            ["NOTIFY", "BY=5", "BY=5;X", "REQUIRETLS=1", "NOTIFY=SOMETIMES", "X=1", "RET=HDRS RET=FULL"]
        {
            assert_eq!(Terms::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn time_runs_down() {
        let by = By::parse("1000;RT").unwrap();
        for (now, expected) in [(900, "100;RT"), (1000, "0;RT"), (1001, "-1;RT")] {
            assert_eq!(by.left(Timestamp(now)).value(), expected);
        }
        assert_eq!(By::new(DeliverBy::parse("120;N").unwrap(), Timestamp(880)), By::parse("1000;N").unwrap());
    }

    /// RFC 3461 §5.2.2, RFC 2852 §4.1: without DSN, without DELIVERBY, with both.
    #[test]
    fn who_wants_to_hear_of_a_relay() {
        for (text, expected) in [
            ("", [false, false, false]),
            ("NOTIFY=SUCCESS", [true, false, false]),
            ("BY=1;N", [false, true, false]),
            ("BY=1;NT", [true, true, true]),
            ("BY=1;NT NOTIFY=NEVER", [false, false, false]),
        ] {
            let terms = Terms::parse(text).unwrap();
            let ways = [(false, true), (true, false), (true, true)];
            assert_eq!(ways.map(|(dsn, by)| terms.wants_relay(dsn, by)), expected, "{text}");
        }
    }

    /// RFC 3461 §5.2.3, §5.2.5, §5.2.6: failure, delay, success.
    #[test]
    fn who_wants_to_hear_of_what() {
        for (text, expected) in [
            ("", (true, true, false)),
            ("NOTIFY=NEVER", (false, false, false)),
            ("NOTIFY=SUCCESS", (false, false, true)),
            ("NOTIFY=FAILURE", (true, false, false)),
            ("NOTIFY=DELAY", (false, true, false)),
            ("NOTIFY=SUCCESS,FAILURE,DELAY", (true, true, true)),
        ] {
            let terms = Terms::parse(text).unwrap();
            let wants = (terms.wants_failure(), terms.wants_delay(), terms.wants_success());
            assert_eq!(wants, expected, "{text}");
        }
    }
}
