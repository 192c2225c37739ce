//! Actions, as they are decided.

use super::{Checked, Run, unreadable};
use crate::flags;
use crate::outcome::{Action, Header};
use crate::program::{DeleteHeader, FileInto, FlagChange, Modifier, Operation, Redirect};
use crate::text::{Text, Variable};
use crate::{field, mailto};
use base::{Address, Flags, MailboxName, SpecialUse};

impl Run<'_> {
    pub(super) fn action(&mut self, operation: &Operation) -> Checked<()> {
        match operation {
            Operation::Keep(flags) => self.keep(flags.as_deref()),
            Operation::Discard => {
                self.filing.cancel_implicit_keep();
                self.note("discarded");
                Ok(())
            }
            Operation::FileInto(file) => self.file_into(file),
            Operation::Redirect(redirect) => self.redirect(redirect),
            Operation::Reject { reason, at_smtp } => self.reject(reason, *at_smtp),
            Operation::Vacation(vacation) => self.vacation(vacation),
            Operation::Notify(notify) => self.notify(notify),
            Operation::Set { variable, value, modifiers } => {
                let value =
                    modifiers.iter().fold(self.expand(value)?, |value, modifier| modify(value, *modifier));
                self.set(variable, &value);
                Ok(())
            }
            Operation::Flags { change, variable, flags } => {
                self.change_flags(*change, variable.as_ref(), flags)
            }
            Operation::AddHeader { last, name, value } => self.add_header(*last, name, value),
            Operation::DeleteHeader(delete) => self.delete_header(delete),
            // What decides where the script goes on is handled before.
            Operation::If(_)
            | Operation::Stop
            | Operation::Return
            | Operation::Include(_)
            | Operation::Error(_) => Ok(()),
        }
    }

    fn keep(&mut self, flags: Option<&[Text]>) -> Checked<()> {
        let flags = self.message_flags(flags)?;
        let header = self.printed_header()?;
        self.add(Action::Keep { flags, implicit: false, header })?;
        self.filing.cancel_implicit_keep();
        self.note("kept");
        Ok(())
    }

    fn file_into(&mut self, file: &FileInto) -> Checked<()> {
        let name = self.expand(&file.mailbox)?;
        let mailbox = MailboxName::new(&name).map_err(|_| format!("{name:?} can't be a mailbox's name"))?;
        let special_use = self.expand_optional(file.special_use.as_ref())?;
        let special_use = special_use.and_then(|text| SpecialUse::from_attribute(&text));
        let flags = self.message_flags(file.flags.as_deref())?;
        let header = self.printed_header()?;
        let note = format!("filed into {:?}{}", mailbox.as_str(), if file.copy { ", as a copy" } else { "" });
        self.add(Action::FileInto { mailbox, flags, create: file.create, special_use, header })?;
        if !file.copy {
            self.filing.cancel_implicit_keep();
        }
        self.note(note);
        Ok(())
    }

    fn redirect(&mut self, redirect: &Redirect) -> Checked<()> {
        let text = self.expand(&redirect.address)?;
        let address = field::address(&text).ok_or_else(|| format!("{text:?} is no mail address"))?;
        if self.filing.count(|action| matches!(action, Action::Redirect { .. })) >= self.limits.redirects {
            return Err(format!("too many redirects: {} at most", self.limits.redirects));
        }
        let header = self.printed_header()?;
        let note = format!("redirected to {address}{}", if redirect.copy { ", as a copy" } else { "" });
        self.add(Action::Redirect { address, header })?;
        if !redirect.copy {
            self.filing.cancel_implicit_keep();
        }
        self.note(note);
        Ok(())
    }

    fn reject(&mut self, reason: &Text, at_smtp: bool) -> Checked<()> {
        let reason = self.expand(reason)?;
        self.add(Action::Reject { reason, at_smtp })?;
        self.filing.cancel_implicit_keep();
        self.note("rejected");
        Ok(())
    }

    /// Adds an action, if it may be added.
    pub(super) fn add(&mut self, action: Action) -> Checked<()> {
        if let Some(why) = self.filing.conflict(&action) {
            return Err(why.to_owned());
        }
        if self.filing.count(|_| true) >= self.limits.actions {
            return Err(format!("too many actions: {} at most", self.limits.actions));
        }
        self.filing.push(action);
        Ok(())
    }

    fn printed_header(&mut self) -> Checked<Header> {
        self.header.printed().map_err(unreadable)
    }

    /// The flags to store with: those of `:flags`, else those of the internal variable (RFC 5232 §5).
    fn message_flags(&self, given: Option<&[Text]>) -> Checked<Flags> {
        let texts = match given {
            Some(texts) => self.expand_all(texts)?,
            None => vec![self.flags.clone()],
        };
        self.charge_flags(texts.iter().map(String::len).sum())?;
        Ok(flags::to_flags(&flags::words(texts.iter().map(String::as_str), self.limits.flags)))
    }

    fn change_flags(
        &mut self,
        change: FlagChange,
        variable: Option<&Variable>,
        texts: &[Text],
    ) -> Checked<()> {
        let old = variable.map_or(self.flags.as_str(), |variable| self.get(variable)).to_owned();
        let texts = self.expand_all(texts)?;
        self.charge_flags(old.len() + texts.iter().map(String::len).sum::<usize>())?;
        let given = || texts.iter().map(String::as_str);
        let words = match change {
            FlagChange::Set => flags::words(given(), self.limits.flags),
            FlagChange::Add => flags::words(std::iter::once(old.as_str()).chain(given()), self.limits.flags),
            FlagChange::Remove => {
                let removed = flags::words(given(), usize::MAX);
                let mut words = flags::words([old.as_str()], self.limits.flags);
                words.retain(|word| !removed.iter().any(|other| other.eq_ignore_ascii_case(word)));
                words
            }
        };
        let new = words.join(" ");
        match variable {
            Some(variable) => self.set(variable, &new),
            None => self.flags = new,
        }
        Ok(())
    }

    /// Each word is compared with those before it.
    fn charge_flags(&self, octets: usize) -> Checked<()> {
        self.charge(octets as u64 / 4)
    }

    /// RFC 5293 §4
    fn add_header(&mut self, last: bool, name: &Text, value: &Text) -> Checked<()> {
        let name = self.valid_field_name(name)?;
        self.count_header_edit()?;
        if is_fixed(&name) {
            return Ok(());
        }
        let raw = field::print(&name, &self.expand(value)?);
        self.header_added += raw.len();
        if self.header_added > self.limits.header_added_octets {
            return Err(format!(
                "too much is added to the header: {} octets at most",
                self.limits.header_added_octets
            ));
        }
        self.header.add(&name, raw, last);
        self.note(format!("added the header field {name}"));
        Ok(())
    }

    /// RFC 5293 §5
    fn delete_header(&mut self, delete: &DeleteHeader) -> Checked<()> {
        let name = self.valid_field_name(&delete.name)?;
        self.count_header_edit()?;
        let folded = name.to_ascii_lowercase();
        if is_fixed(&folded) {
            return Ok(());
        }
        let doomed = match &delete.values {
            None => self.header.delete(&folded, delete.index, || true),
            Some(matching) => {
                let names = [folded.as_str().into()];
                let mut verdicts = Vec::new();
                for field in self.header.select(&names, delete.index) {
                    verdicts.push(self.compare(self.header.text(field), matching, false)?.is_match());
                }
                let mut verdicts = verdicts.into_iter();
                self.header.delete(&folded, delete.index, || verdicts.next().unwrap_or(false))
            }
        };
        if doomed > 0 {
            self.note(format!("removed the header field {name}"));
        }
        Ok(())
    }

    fn valid_field_name(&self, name: &Text) -> Checked<String> {
        let name = self.expand(name)?;
        match field::is_name(&name) {
            true => Ok(name),
            false => Err(format!("{name:?} can't be the name of a header field")),
        }
    }

    fn count_header_edit(&mut self) -> Checked<()> {
        self.header_edits += 1;
        match self.header_edits <= self.limits.header_edits {
            true => Ok(()),
            false => Err(format!("too many changes of the header: {} at most", self.limits.header_edits)),
        }
    }

    pub(super) fn is_own_address(&self, address: &Address) -> bool {
        std::iter::once(self.mail.recipient)
            .chain(self.mail.addresses)
            .any(|own| own.is_same_mailbox(address))
    }
}

/// Fields that no script may add or remove (RFC 5293 §6): they stop loops, and tell what we ourselves found.
fn is_fixed(name: &str) -> bool {
    ["received", "auto-submitted", "authentication-results"]
        .iter()
        .any(|fixed| fixed.eq_ignore_ascii_case(name))
}

/// RFC 5229 §4.1
fn modify(value: String, modifier: Modifier) -> String {
    let first = |value: String, change: fn(&mut str)| {
        let mut value = value;
        if let Some(first) = value.get_mut(..1) {
            change(first);
        }
        value
    };
    match modifier {
        Modifier::Lower => value.to_ascii_lowercase(),
        Modifier::Upper => value.to_ascii_uppercase(),
        Modifier::LowerFirst => first(value, str::make_ascii_lowercase),
        Modifier::UpperFirst => first(value, str::make_ascii_uppercase),
        Modifier::QuoteWildcard => quote(&value, |c| matches!(c, '*' | '?' | '\\')),
        Modifier::QuoteRegex => quote(&value, |c| r"\^$.[]|()?*+{}".contains(c)),
        Modifier::EncodeUrl => mailto::encode(&value),
        Modifier::Length => value.chars().count().to_string(),
    }
}

fn quote(value: &str, special: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
