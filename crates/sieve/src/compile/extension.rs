//! Tests that extensions add.

use super::Compiler;
use super::arguments::{Arguments, Written};
use super::matching::MatchTags;
use crate::error::Fault;
use crate::extension::Extension;
use crate::program::{DateTest, Duplicate, DuplicateId, Test, Transform, Zone};
use crate::text::{self, Text, Variable};
use crate::zone;

impl Compiler<'_> {
    /// RFC 5173
    pub(super) fn body(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Body, arguments.node.at, "\"body\"")?;
        let mut tags = MatchTags::default();
        let mut transform = None;
        while let Some(tag) = arguments.tag()? {
            if tags.take(self, &mut arguments, tag)? {
                continue;
            }
            let this = match tag.0 {
                "raw" => Transform::Raw,
                "text" => Transform::Text,
                "content" => {
                    let types = arguments.strings("the content types")?;
                    Transform::Content(self.texts(types)?)
                }
                _ => return Err(arguments.unknown_tag(tag)),
            };
            if transform.replace(this).is_some() {
                return Err(Fault::new(tag.1, "\":raw\", \":content\" and \":text\" exclude each other"));
            }
        }
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end()?;
        Ok(Test::Body { transform: transform.unwrap_or(Transform::Text), matching })
    }

    /// RFC 5260 §4
    pub(super) fn date(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Date, arguments.node.at, "\"date\"")?;
        let mut tags = MatchTags::default();
        let mut wanted = None;
        while let Some(tag) = arguments.tag()? {
            if tags.take(self, &mut arguments, tag)? || tags.take_index(self, &mut arguments, tag)? {
                continue;
            }
            let this = match tag.0 {
                "originalzone" => Zone::Original,
                "zone" => Zone::Given(self.zone(&mut arguments)?),
                _ => return Err(arguments.unknown_tag(tag)),
            };
            if wanted.replace(this).is_some() {
                return Err(Fault::new(tag.1, "\":zone\" and \":originalzone\" exclude each other"));
            }
        }
        let index = tags.index()?;
        let header = arguments.string("the field's name")?;
        let header = self.folded_field_name(header)?;
        let part = self.date_part(&mut arguments)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end()?;
        let zone = wanted.unwrap_or(Zone::Local);
        Ok(Test::Date(Box::new(DateTest { index, zone, header, part, matching })))
    }

    /// RFC 5260 §5
    pub(super) fn current_date(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Date, arguments.node.at, "\"currentdate\"")?;
        let mut tags = MatchTags::default();
        let mut zone = None;
        while let Some(tag) = arguments.tag()? {
            if tags.take(self, &mut arguments, tag)? {
                continue;
            }
            match tag.0 {
                "zone" => zone = Some(self.zone(&mut arguments)?),
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        let part = self.date_part(&mut arguments)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::CurrentDate { zone, part, matching })
    }

    fn zone(&mut self, arguments: &mut Arguments<'_>) -> Result<Text, Fault> {
        let written = arguments.string("the time zone")?;
        let text = self.text(written)?;
        if text.constant().is_some_and(|text| zone::parse(text).is_none()) {
            return Err(Fault::new(written.1, "a time zone is written as \"+0100\" or \"-0530\""));
        }
        Ok(text)
    }

    fn date_part(&mut self, arguments: &mut Arguments<'_>) -> Result<Text, Fault> {
        let written = arguments.string("the part of the date")?;
        let text = self.text(written)?;
        if let Some(part) = text.constant()
            && zone::DatePart::from_name(part).is_none()
        {
            return Err(Fault::new(written.1, format!("a date has no part {part:?}")));
        }
        Ok(text)
    }

    /// RFC 5229 §5
    pub(super) fn string(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Variables, arguments.node.at, "\"string\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let sources = arguments.strings("the texts")?;
        let sources = self.texts(sources)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::String { sources, matching })
    }

    /// RFC 5232 §4
    pub(super) fn has_flag(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Imap4flags, arguments.node.at, "\"hasflag\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let mut variables = None;
        if arguments.left() > 1 {
            self.need(Extension::Variables, arguments.node.at, "a variable for flags")?;
            let names = arguments.strings("the variables' names")?;
            variables =
                Some(names.into_iter().map(|name| self.flag_variable(name)).collect::<Result<_, _>>()?);
        }
        let keys = arguments.strings("the flags")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::HasFlag { variables, matching })
    }

    fn flag_variable(&mut self, (name, at): Written<'_>) -> Result<Variable, Fault> {
        let reference = text::reference(name);
        let reference =
            reference.ok_or_else(|| Fault::new(at, format!("{name:?} can't be a variable's name")))?;
        self.variable(reference, at)
    }

    /// RFC 5490 §3.1
    pub(super) fn mailbox_exists(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Mailbox, arguments.node.at, "\"mailboxexists\"")?;
        let names = arguments.strings("the mailboxes")?;
        let names = self.texts(names)?;
        arguments.end().map(|()| Test::MailboxExists(names))
    }

    /// RFC 8579 §4
    pub(super) fn special_use_exists(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::SpecialUse, arguments.node.at, "\"specialuse_exists\"")?;
        let mut mailbox = None;
        if arguments.left() > 1 {
            let written = arguments.string("the mailbox")?;
            mailbox = Some(self.text(written)?);
        }
        let uses = arguments.strings("the special uses")?;
        let uses = self.texts(uses)?;
        arguments.end().map(|()| Test::SpecialUseExists { mailbox, uses })
    }

    /// RFC 5183
    pub(super) fn environment(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Environment, arguments.node.at, "\"environment\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let item = arguments.string("the item's name")?;
        let item = self.text(item)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::Environment { item, matching })
    }

    /// RFC 5235 §2
    pub(super) fn spam_test(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Spamtest, arguments.node.at, "\"spamtest\"")?;
        let mut tags = MatchTags::default();
        let mut percent = false;
        while let Some(tag) = arguments.tag()? {
            if tags.take(self, &mut arguments, tag)? {
                continue;
            }
            if tag.0 != "percent" {
                return Err(arguments.unknown_tag(tag));
            }
            self.need(Extension::Spamtestplus, tag.1, "\":percent\"")?;
            percent = true;
        }
        let key = arguments.string("the value")?;
        let matching = tags.matching(self, vec![key])?;
        arguments.end().map(|()| Test::Spam { percent, matching })
    }

    /// RFC 5235 §3
    pub(super) fn virus_test(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Virustest, arguments.node.at, "\"virustest\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let key = arguments.string("the value")?;
        let matching = tags.matching(self, vec![key])?;
        arguments.end().map(|()| Test::Virus(matching))
    }

    /// RFC 7352 §3
    pub(super) fn duplicate(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Duplicate, arguments.node.at, "\"duplicate\"")?;
        let (mut handle, mut id, mut seconds, mut last) = (None, None, None, false);
        while let Some(tag) = arguments.tag()? {
            match tag.0 {
                "handle" => {
                    let written = arguments.string("the handle")?;
                    handle = Some(self.text(written)?);
                }
                "header" | "uniqueid" if id.is_some() => {
                    return Err(Fault::new(tag.1, "\":header\" and \":uniqueid\" exclude each other"));
                }
                "header" => {
                    let written = arguments.string("the field's name")?;
                    id = Some(DuplicateId::Header(self.text(written)?));
                }
                "uniqueid" => {
                    let written = arguments.string("the id")?;
                    id = Some(DuplicateId::Given(self.text(written)?));
                }
                "seconds" => seconds = Some(arguments.number("the seconds")?),
                "last" => last = true,
                _ => return Err(arguments.unknown_tag(tag)),
            }
        }
        arguments.end()?;
        let id = id.unwrap_or_else(|| DuplicateId::Header(Text::Constant("message-id".into())));
        Ok(Test::Duplicate(Box::new(Duplicate { handle, id, seconds, last })))
    }

    /// RFC 5463 §4: decided now, and what it finds is as if it had been required.
    pub(super) fn ihave(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Ihave, arguments.node.at, "\"ihave\"")?;
        let mut found = Vec::new();
        let names = arguments.strings("the extensions")?;
        for (name, at) in &names {
            if self.text((name, *at))?.constant().is_none() {
                return Err(Fault::new(*at, "the extensions of \"ihave\" can't hold variables"));
            }
            let known = Extension::from_name(name).filter(|extension| self.capabilities.has(*extension));
            found.extend(
                known.filter(|extension| self.enabled.has(*extension) || !extension.changes_grammar()),
            );
        }
        arguments.end()?;
        let all = found.len() == names.len();
        if all {
            found.into_iter().for_each(|extension| self.enable(extension));
        }
        Ok(Test::Constant(all))
    }

    /// RFC 5435 §4
    pub(super) fn valid_notify_method(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Enotify, arguments.node.at, "\"valid_notify_method\"")?;
        let methods = arguments.strings("the methods")?;
        let methods = self.texts(methods)?;
        arguments.end().map(|()| Test::ValidNotifyMethod(methods))
    }

    /// RFC 5435 §5
    pub(super) fn notify_method_capability(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Enotify, arguments.node.at, "\"notify_method_capability\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let method = arguments.string("the method")?;
        let method = self.text(method)?;
        let capability = arguments.string("the capability")?;
        let capability = self.text(capability)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::NotifyMethodCapability { method, capability, matching })
    }
}
