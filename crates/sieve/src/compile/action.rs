//! Actions (RFC 5228 §4 and extensions).

use super::Compiler;
use super::arguments::{Arguments, Written};
use super::matching::MatchTags;
use crate::error::Fault;
use crate::extension::Extension;
use crate::field;
use crate::program::{DeleteHeader, FileInto, FlagChange, Modifier, Notify, Operation, Redirect, Vacation};
use crate::text::Text;
use base::MailboxName;
use wire::mime::address;

impl Compiler<'_> {
    pub(super) fn action(&mut self, node: &super::Node) -> Result<Operation, Fault> {
        let arguments = Arguments::of(node);
        match node.name.as_str() {
            "keep" => self.keep(arguments),
            "discard" => arguments.end().map(|()| Operation::Discard),
            "fileinto" => self.file_into(arguments),
            "redirect" => self.redirect(arguments),
            "reject" => self.reject(arguments, Extension::Reject),
            "ereject" => self.reject(arguments, Extension::Ereject),
            "vacation" => self.vacation(arguments),
            "notify" => self.notify(arguments),
            "set" => self.set(arguments),
            "setflag" => self.flags(arguments, FlagChange::Set),
            "addflag" => self.flags(arguments, FlagChange::Add),
            "removeflag" => self.flags(arguments, FlagChange::Remove),
            "addheader" => self.add_header(arguments),
            "deleteheader" => self.delete_header(arguments),
            name => Err(Fault::new(node.at, format!("there is no command \"{name}\""))),
        }
    }

    fn keep(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        let mut flags = None;
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "flags" => flags = Some(self.flag_list(tag.1, &mut arguments)?),
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        arguments.end().map(|()| Operation::Keep(flags))
    }

    fn flag_list(&mut self, at: usize, arguments: &mut Arguments<'_>) -> Result<Vec<Text>, Fault> {
        self.need(Extension::Imap4flags, at, "\":flags\"")?;
        let flags = arguments.strings("the flags")?;
        self.texts(flags)
    }

    fn file_into(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        self.need(Extension::Fileinto, arguments.node.at, "\"fileinto\"")?;
        let (mut copy, mut create, mut flags, mut special_use) = (false, false, None, None);
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "copy" => copy = self.copy(tag.1)?,
                "create" => {
                    self.need(Extension::Mailbox, tag.1, "\":create\"")?;
                    create = true;
                }
                "flags" => flags = Some(self.flag_list(tag.1, &mut arguments)?),
                "specialuse" => {
                    self.need(Extension::SpecialUse, tag.1, "\":specialuse\"")?;
                    let attribute = arguments.string("the special use")?;
                    special_use = Some(self.text(attribute)?);
                }
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        let written = arguments.string("the mailbox")?;
        let mailbox = self.text(written)?;
        if let Some(name) = mailbox.constant()
            && MailboxName::new(name).is_err()
        {
            return Err(Fault::new(written.1, format!("{name:?} can't be a mailbox's name")));
        }
        arguments.end()?;
        Ok(Operation::FileInto(Box::new(FileInto { mailbox, flags, copy, create, special_use })))
    }

    /// RFC 3894
    fn copy(&self, at: usize) -> Result<bool, Fault> {
        self.need(Extension::Copy, at, "\":copy\"").map(|()| true)
    }

    fn redirect(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        if self.limits.redirects == 0 {
            return Err(Fault::new(arguments.node.at, "\"redirect\" is not to be had on this server"));
        }
        let mut copy = false;
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "copy" => copy = self.copy(tag.1)?,
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        let written = arguments.string("the address")?;
        let address = self.text(written)?;
        if let Some(text) = address.constant()
            && field::address(text).is_none()
        {
            return Err(Fault::new(written.1, format!("{text:?} is no mail address (name@domain)")));
        }
        arguments.end()?;
        Ok(Operation::Redirect(Redirect { address, copy }))
    }

    /// RFC 5429
    fn reject(&mut self, mut arguments: Arguments<'_>, extension: Extension) -> Result<Operation, Fault> {
        self.need(extension, arguments.node.at, &format!("\"{}\"", extension.name()))?;
        let reason = arguments.string("the reason")?;
        let reason = self.text(reason)?;
        arguments.end()?;
        Ok(Operation::Reject { reason, at_smtp: extension == Extension::Ereject })
    }

    /// RFC 5230 §4, RFC 6131
    fn vacation(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        self.need(Extension::Vacation, arguments.node.at, "\"vacation\"")?;
        let (mut mime, mut seconds, mut addresses) = (false, None, Vec::new());
        let (mut subject, mut from, mut handle) = (None, None, None);
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "days" | "seconds" if seconds.is_some() => {
                    return Err(Fault::new(tag.1, "\":days\" and \":seconds\" exclude each other"));
                }
                "days" => seconds = Some(arguments.number("the days")?.saturating_mul(86_400).max(86_400)),
                "seconds" => {
                    self.need(Extension::VacationSeconds, tag.1, "\":seconds\"")?;
                    seconds = Some(arguments.number("the seconds")?);
                }
                "subject" => subject = Some(arguments.string("the subject")?),
                "from" => from = Some(arguments.string("the sender")?),
                "addresses" => addresses = arguments.strings("your addresses")?,
                "mime" => mime = true,
                "handle" => handle = Some(arguments.string("the handle")?),
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        let reason = arguments.string("the text of the reply")?;
        let fingerprint =
            fingerprint(&[subject, from, Some((if mime { "mime" } else { "" }, 0)), Some(reason)]);
        if let Some((text, at)) = from
            && self.text((text, at))?.constant().is_some_and(|text| !is_address_list(text))
        {
            return Err(Fault::new(at, format!("{text:?} is no list of mail addresses")));
        }
        let mut optional =
            |written: Option<Written<'_>>| written.map(|written| self.text(written)).transpose();
        let (subject, from, handle) = (optional(subject)?, optional(from)?, optional(handle)?);
        let addresses = self.texts(addresses)?;
        let reason = self.text(reason)?;
        arguments.end()?;
        let vacation = Vacation { reason, mime, subject, from, addresses, handle, seconds, fingerprint };
        Ok(Operation::Vacation(Box::new(vacation)))
    }

    /// RFC 5435 §3
    fn notify(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        self.need(Extension::Enotify, arguments.node.at, "\"notify\"")?;
        let (mut from, mut importance, mut options, mut message) = (None, None, Vec::new(), None);
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "from" => from = Some(arguments.string("the sender")?),
                "importance" => importance = Some(arguments.string("the importance")?),
                "options" => options = arguments.strings("the options")?,
                "message" => message = Some(arguments.string("the message")?),
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        if let Some((text, at)) = importance
            && self.text((text, at))?.constant().is_some_and(|text| !matches!(text, "1" | "2" | "3"))
        {
            return Err(Fault::new(at, "the importance is \"1\" (high), \"2\" or \"3\" (low)"));
        }
        let method = arguments.string("the method, such as \"mailto:name@domain\"")?;
        let method = self.text(method)?;
        let options = self.texts(options)?;
        let mut optional =
            |written: Option<Written<'_>>| written.map(|written| self.text(written)).transpose();
        let notify = Notify {
            method,
            options,
            from: optional(from)?,
            importance: optional(importance)?,
            message: optional(message)?,
        };
        arguments.end()?;
        Ok(Operation::Notify(Box::new(notify)))
    }

    /// RFC 5229 §4
    fn set(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        self.need(Extension::Variables, arguments.node.at, "\"set\"")?;
        let mut modifiers: Vec<Modifier> = Vec::new();
        while let Some(tag) = arguments.tag()? {
            let modifier = match tag.0 {
                "lower" => Modifier::Lower,
                "upper" => Modifier::Upper,
                "lowerfirst" => Modifier::LowerFirst,
                "upperfirst" => Modifier::UpperFirst,
                "quotewildcard" => Modifier::QuoteWildcard,
                "length" => Modifier::Length,
                "quoteregex" => {
                    self.need(Extension::Regex, tag.1, "\":quoteregex\"")?;
                    Modifier::QuoteRegex
                }
                "encodeurl" => {
                    self.need(Extension::Enotify, tag.1, "\":encodeurl\"")?;
                    Modifier::EncodeUrl
                }
                _ => return Err(arguments.unknown_tag(tag)),
            };
            if modifiers.iter().any(|other| other.precedence() == modifier.precedence()) {
                return Err(Fault::new(
                    tag.1,
                    format!("\":{}\" excludes another modifier that is given", tag.0),
                ));
            }
            modifiers.push(modifier);
        }
        modifiers.sort_by_key(|modifier| std::cmp::Reverse(modifier.precedence()));
        let name = arguments.string("the variable's name")?;
        let value = arguments.string("its value")?;
        let value = self.text(value)?;
        let variable = self.target(name)?;
        arguments.end()?;
        Ok(Operation::Set { variable, value, modifiers })
    }

    /// RFC 5232 §3
    fn flags(&mut self, mut arguments: Arguments<'_>, change: FlagChange) -> Result<Operation, Fault> {
        let node = arguments.node;
        self.need(Extension::Imap4flags, node.at, &format!("\"{}\"", node.name))?;
        let mut variable = None;
        if arguments.left() > 1 {
            self.need(Extension::Variables, node.at, "a variable for flags")?;
            let name = arguments.string("the variable's name")?;
            variable = Some(self.target(name)?);
        }
        let flags = arguments.strings("the flags")?;
        let flags = self.texts(flags)?;
        arguments.end()?;
        Ok(Operation::Flags { change, variable, flags })
    }

    /// RFC 5293 §4
    fn add_header(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        self.need(Extension::Editheader, arguments.node.at, "\"addheader\"")?;
        let mut last = false;
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "last" => last = true,
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        let name = arguments.string("the field's name")?;
        let name = self.field_name(name)?;
        let value = arguments.string("the field's value")?;
        let value = self.text(value)?;
        arguments.end()?;
        Ok(Operation::AddHeader { last, name, value })
    }

    /// RFC 5293 §5
    fn delete_header(&mut self, mut arguments: Arguments<'_>) -> Result<Operation, Fault> {
        self.need(Extension::Editheader, arguments.node.at, "\"deleteheader\"")?;
        let mut tags = MatchTags::default();
        while let Some(tag) = arguments.tag()? {
            if !tags.take_index(self, &mut arguments, tag)? && !tags.take(self, &mut arguments, tag)? {
                return Err(arguments.unknown_tag(tag));
            }
        }
        let index = tags.index()?;
        let name = arguments.string("the field's name")?;
        let name = self.field_name(name)?;
        let values = match arguments.left() {
            0 => None,
            _ => {
                let values = arguments.strings("the values")?;
                Some(tags.matching(self, values)?)
            }
        };
        arguments.end()?;
        Ok(Operation::DeleteHeader(Box::new(DeleteHeader { index, name, values })))
    }

    /// The name of a header field that is to be changed; one that is known now must be valid (RFC 5293 §4, §5).
    fn field_name(&mut self, written: Written<'_>) -> Result<Text, Fault> {
        let name = self.text(written)?;
        match name.constant() {
            Some(text) if !field::is_name(text) => {
                Err(Fault::new(written.1, format!("{text:?} can't be the name of a header field")))
            }
            _ => Ok(name),
        }
    }
}

/// Whether a text is a list of addresses that mail can be sent to.
pub(crate) fn is_address_list(text: &str) -> bool {
    let mailboxes = address::mailboxes(text.as_bytes());
    let one_line = !text.contains(['\r', '\n']);
    one_line && !mailboxes.is_empty() && mailboxes.iter().all(|mailbox| mailbox.to_address().is_some())
}

/// Stands for a vacation's arguments: two that differ in any of them have different ones (RFC 5230 §4.2).
fn fingerprint(arguments: &[Option<Written<'_>>]) -> Box<str> {
    // FNV-1a over counted strings, 128 bits: it tells a user's own texts apart, nobody else's.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mut add =
        |octet: u8| hash = (hash ^ u128::from(octet)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    for argument in arguments {
        let text = argument.map_or("", |(text, _)| text);
        (text.len() as u64 + u64::from(argument.is_some())).to_be_bytes().into_iter().for_each(&mut add);
        text.bytes().for_each(&mut add);
    }
    format!("{hash:032x}").into()
}
