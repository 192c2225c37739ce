//! Notifications (RFC 5435) by mail (RFC 5436).

use super::{Checked, Run};
use crate::compare::cut;
use crate::outcome::{Action, Notify};
use crate::text::Text;
use crate::{field, mailto, program};
use base::Address;

/// Octets of a subject.
const SUBJECT_OCTETS: usize = 500;

impl Run<'_> {
    pub(super) fn notify(&mut self, notify: &program::Notify) -> Checked<()> {
        let mut target = mailto::parse(&self.expand(&notify.method)?)?;
        self.check_options(&notify.options)?;
        let importance = self.importance(notify.importance.as_ref())?;
        if self.is_automatic() {
            self.note("sends no notification: the message was sent by a machine");
            return Ok(());
        }
        // RFC 5436 §2.7: nobody is told twice.
        target.recipients.retain(|address| !self.filing.notifies(address));
        if target.recipients.is_empty() {
            return Ok(());
        }
        if self.filing.count(|action| matches!(action, Action::Notify(_))) >= self.limits.notifications {
            return Err(format!("too many notifications: {} at most", self.limits.notifications));
        }
        let subject = self.expand_optional(notify.message.as_ref())?.or(target.subject);
        let subject = subject.as_deref().or_else(|| self.header.first_text("subject")).unwrap_or_default();
        let subject = cut(&field::one_line(subject), SUBJECT_OCTETS).to_owned();
        let from = self.expand_optional(notify.from.as_ref())?.and_then(|text| field::address(&text));
        let to: Vec<String> = target.recipients.iter().map(Address::to_string).collect();
        self.add(Action::Notify(Box::new(Notify {
            recipients: target.recipients,
            from: from.filter(|address| self.is_own_address(address)),
            importance,
            subject,
            body: target.body.unwrap_or_default(),
            fields: target.fields,
        })))?;
        self.note(format!("notifies {}", to.join(", ")));
        Ok(())
    }

    /// RFC 5435 §3.5: a `mailto:` has no options, but what is given must look like one.
    fn check_options(&self, options: &[Text]) -> Checked<()> {
        for option in self.expand_all(options)? {
            if !option.split_once('=').is_some_and(|(name, _)| is_option_name(name)) {
                return Err(format!("{option:?} is no option: name=value"));
            }
        }
        Ok(())
    }

    /// RFC 5435 §3.4
    fn importance(&self, text: Option<&Text>) -> Checked<u8> {
        match self.expand_optional(text)?.as_deref() {
            None | Some("2") => Ok(2),
            Some("1") => Ok(1),
            Some("3") => Ok(3),
            Some(other) => Err(format!("{other:?} is no importance: 1, 2 or 3")),
        }
    }
}

fn is_option_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}
