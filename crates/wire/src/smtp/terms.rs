//! What a sender asks for of mail that waits, as it is kept.

use super::command::each_parameter;
use super::parameter::{EnvelopeId, Notify, OriginalRecipient, Ret};
use super::{CommandError, Mail, Rcpt};
use std::fmt;

/// What a sender asked for of mail to one recipient, by parameters of MAIL and RCPT. By default nothing.
///
/// It is kept as text, in the parameters' own form, blanks between them.
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
}

impl Terms {
    /// Those of a recipient of a message.
    pub fn of(mail: &Mail, rcpt: &Rcpt) -> Self {
        Terms {
            notify: rcpt.notify,
            original: rcpt.original.clone(),
            ret: mail.ret,
            envelope_id: mail.envelope_id.clone(),
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
        let value = value.ok_or(CommandError::Parameter)?;
        let known = match keyword {
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

    /// Whether two recipients can get the message by one MAIL command.
    pub fn share_envelope(&self, other: &Self) -> bool {
        self.ret == other.ret && self.envelope_id == other.envelope_id
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
        for unknown in ["NOTIFY", "NOTIFY=SOMETIMES", "X=1", "RET=HDRS RET=FULL"] {
            assert_eq!(Terms::parse(unknown), None, "{unknown}");
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
