//! Vacation replies (RFC 5230): whether one is fit, and what it says.

use super::{Checked, Run};
use crate::compare::cut;
use crate::compile::is_address_list;
use crate::outcome::{Action, Sender, Vacation};
use crate::{field, program};
use base::{Address, LocalPart};
use wire::mime::address;

impl Run<'_> {
    pub(super) fn vacation(&mut self, vacation: &program::Vacation) -> Checked<()> {
        if std::mem::replace(&mut self.replied, true) {
            return Err("a vacation reply can be given once only".to_owned());
        }
        if self.filing.count(|action| matches!(action, Action::Vacation(_))) > 0 {
            self.note("gives no vacation reply: a script before gives one");
            return Ok(());
        }
        let from = match self.expand_optional(vacation.from.as_ref())? {
            Some(from) if !is_address_list(&from) => {
                return Err(format!("{from:?} is no list of mail addresses"));
            }
            Some(from) => self.own_sender(&from),
            None => None,
        };
        let extra = self.expand_all(&vacation.addresses)?;
        let extra: Vec<Address> = extra.iter().filter_map(|text| field::address(text)).collect();
        let to = match self.reply_to(&extra) {
            Ok(to) => to,
            Err(why) => {
                self.note(format!("gives no vacation reply: {why}"));
                return Ok(());
            }
        };
        let subject = match &vacation.subject {
            Some(subject) => self.expand(subject)?,
            // RFC 5230 §5.2
            None => format!("Auto: {}", self.header.first_text("subject").unwrap_or("your message")),
        };
        let (shortest, longest) = self.limits.vacation_seconds;
        const WEEK: u64 = 7 * 86_400;
        let handle = match &vacation.handle {
            Some(handle) => format!("handle:{}", cut(&self.expand(handle)?, HANDLE_OCTETS)),
            None => format!("text:{}", vacation.fingerprint),
        };
        let note = format!("gives a vacation reply to {to}, unless it got one a short while ago");
        let in_reply_to = self.header.first_text("message-id").and_then(field::message_id);
        self.add(Action::Vacation(Box::new(Vacation {
            to,
            from,
            subject: cut(&field::one_line(&subject), SUBJECT_OCTETS).to_owned(),
            reason: self.expand(&vacation.reason)?,
            mime: vacation.mime,
            handle,
            seconds: vacation.seconds.unwrap_or(WEEK).clamp(shortest, longest.max(shortest)),
            references: self.references(in_reply_to.as_deref()),
            in_reply_to,
        })))?;
        self.note(note);
        Ok(())
    }

    /// RFC 5322 §3.6.4: what the message refers to, the newest, and the message.
    fn references(&self, message_id: Option<&str>) -> Option<String> {
        let older = self.header.first_text("references").unwrap_or_default();
        let older: Vec<String> = older.split_ascii_whitespace().filter_map(field::message_id).collect();
        let newest = older.len().saturating_sub(REFERENCES);
        let all: Vec<&str> = older[newest..].iter().map(String::as_str).chain(message_id).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// The first sender of a list, if it is the account's (RFC 5230 §4.3: others are passed over).
    fn own_sender(&self, list: &str) -> Option<Sender> {
        let mailbox = address::mailboxes(list.as_bytes()).into_iter().next()?;
        let address = mailbox.to_address().filter(|address| self.is_own_address(address))?;
        Some(Sender { name: mailbox.display_name(), address })
    }

    /// To whom a reply goes, or why it goes to nobody (RFC 5230 §4.5, §4.6, RFC 3834 §2).
    fn reply_to(&self, extra: &[Address]) -> Result<Address, &'static str> {
        let sender = self.mail.sender.address().ok_or("the message has no sender")?;
        if is_machine(&sender.local) {
            return Err("the sender is a machine");
        }
        if self.is_own_address(sender) {
            return Err("the sender is the account itself");
        }
        if self.is_automatic() {
            return Err("the message was sent by a machine");
        }
        const LIST_FIELDS: [&str; 7] = [
            "list-id",
            "list-help",
            "list-subscribe",
            "list-unsubscribe",
            "list-post",
            "list-owner",
            "list-archive",
        ];
        let precedence = self.header.first_text("precedence").unwrap_or_default();
        let is_bulk = ["bulk", "list", "junk"].iter().any(|kind| precedence.eq_ignore_ascii_case(kind));
        if is_bulk || LIST_FIELDS.iter().any(|name| self.header.has(name)) {
            return Err("the message came by a mailing list");
        }
        if extra.iter().any(|own| own.is_same_mailbox(sender)) {
            return Err("the sender is the account itself");
        }
        if !self.names_recipient(extra) {
            return Err("the message names none of the account's addresses");
        }
        Ok(sender.clone())
    }

    /// Whether the message was sent by a machine, by its own words (RFC 3834 §5).
    pub(super) fn is_automatic(&self) -> bool {
        let value = self.header.first_text("auto-submitted").unwrap_or("no");
        let word = value.split([';', '(', ' ']).next().unwrap_or_default();
        !word.eq_ignore_ascii_case("no")
    }

    fn names_recipient(&self, extra: &[Address]) -> bool {
        const FIELDS: [&str; 6] = ["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"];
        let own = || std::iter::once(self.mail.recipient).chain(self.mail.addresses).chain(extra);
        FIELDS.iter().flat_map(|name| self.header.named(name)).any(|field| {
            self.header.mailboxes(field).iter().any(|mailbox| own().any(|address| mailbox.is(address)))
        })
    }
}

/// Octets of a subject, and earlier messages that are referred to.
const SUBJECT_OCTETS: usize = 500;
const REFERENCES: usize = 20;
/// Octets of a handle that count.
const HANDLE_OCTETS: usize = 200;

/// Senders that no person reads replies of.
fn is_machine(local: &LocalPart) -> bool {
    const NAMES: [&str; 7] =
        ["mailer-daemon", "listserv", "majordomo", "noreply", "no-reply", "donotreply", "do-not-reply"];
    let local = local.folded();
    NAMES.contains(&local.as_str()) || local.starts_with("owner-") || local.ends_with("-request")
}
