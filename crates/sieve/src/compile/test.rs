//! Tests (RFC 5228 §5 and extensions).

use super::arguments::{Arguments, Written, no_block};
use super::matching::MatchTags;
use super::{Compiler, constant};
use crate::error::Fault;
use crate::extension::Extension;
use crate::program::{DateTest, Duplicate, DuplicateId, Test, Transform, Zone};
use crate::syntax::{Node, Tests};
use crate::text::Text;
use crate::{field, zone};

impl Compiler<'_> {
    pub(super) fn test(&mut self, node: &Node) -> Result<Test, Fault> {
        no_block(node)?;
        let arguments = Arguments::of(node);
        match node.name.as_str() {
            "true" => arguments.end().map(|()| Test::Constant(true)),
            "false" => arguments.end().map(|()| Test::Constant(false)),
            "not" => self.not(node),
            "allof" => self.list(node, false).map(Test::AllOf),
            "anyof" => self.list(node, true).map(Test::AnyOf),
            "exists" => self.exists(arguments),
            "size" => self.size(arguments),
            "header" => self.header(arguments),
            "address" => self.address(arguments),
            "envelope" => self.envelope(arguments),
            "body" => self.body(arguments),
            "date" => self.date(arguments),
            "currentdate" => self.current_date(arguments),
            "string" => self.string(arguments),
            "hasflag" => self.has_flag(arguments),
            "mailboxexists" => self.mailbox_exists(arguments),
            "specialuse_exists" => self.special_use_exists(arguments),
            "environment" => self.environment(arguments),
            "spamtest" => self.spam_test(arguments),
            "virustest" => self.virus_test(arguments),
            "duplicate" => self.duplicate(arguments),
            "ihave" => self.ihave(arguments),
            "valid_notify_method" => self.valid_notify_method(arguments),
            "notify_method_capability" => self.notify_method_capability(arguments),
            name => Err(Fault::new(node.at, format!("there is no test \"{name}\""))),
        }
    }

    fn not(&mut self, node: &Node) -> Result<Test, Fault> {
        Arguments::of(node).end_of_arguments()?;
        match &node.tests {
            Tests::One(test) => Ok(Test::Not(Box::new(self.test(test)?))),
            _ => Err(Fault::new(node.at, "\"not\" needs one test")),
        }
    }

    /// The tests of `allof` and `anyof`. What stands behind one that decides by `ihave` is not looked at.
    fn list(&mut self, node: &Node, decides: bool) -> Result<Vec<Test>, Fault> {
        Arguments::of(node).end_of_arguments()?;
        let Tests::List(list) = &node.tests else {
            return Err(Fault::new(node.at, format!("\"{}\" needs tests in parentheses", node.name)));
        };
        let mut tests = Vec::new();
        for test in list {
            let test = self.test(test)?;
            let decided = constant(&test) == Some(decides) && self.skips_dead_code();
            tests.push(test);
            if decided {
                break;
            }
        }
        Ok(tests)
    }

    fn exists(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        let names = self.field_names(&mut arguments)?;
        arguments.end().map(|()| Test::Exists(names))
    }

    fn field_names(&mut self, arguments: &mut Arguments<'_>) -> Result<Vec<Text>, Fault> {
        let names = arguments.strings("the fields' names")?;
        names.into_iter().map(|name| self.folded_field_name(name)).collect()
    }

    fn address_field_names(&mut self, arguments: &mut Arguments<'_>) -> Result<Vec<Text>, Fault> {
        let mut names = Vec::new();
        for (name, at) in arguments.strings("the fields' names")? {
            let text = self.folded_field_name((name, at))?;
            if text.constant().is_some_and(|name| field::is_name(name) && !field::holds_addresses(name)) {
                return Err(Fault::new(at, format!("{name:?} is no header field that holds addresses")));
            }
            names.push(text);
        }
        Ok(names)
    }

    /// A field's name in lower case, as the header keeps it. One that can't be a field's is no error: no field has it
    /// (RFC 5228 §2.4.2.2).
    fn folded_field_name(&mut self, written: Written<'_>) -> Result<Text, Fault> {
        match self.text(written)? {
            Text::Constant(name) => Ok(Text::Constant(name.to_ascii_lowercase().into())),
            text => Ok(text),
        }
    }

    fn size(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        let over = match arguments.tag()? {
            Some(("over", _)) => true,
            Some(("under", _)) => false,
            Some(other) => return Err(arguments.unknown_tag(other)),
            None => return Err(Fault::new(arguments.node.at, "\"size\" needs \":over\" or \":under\"")),
        };
        let limit = arguments.number("the size")?;
        arguments.end().map(|()| Test::Size { over, limit })
    }

    fn header(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        let mut tags = MatchTags::default();
        while let Some(tag) = arguments.tag()? {
            if !tags.take(self, &mut arguments, tag)? && !tags.take_index(self, &mut arguments, tag)? {
                return Err(arguments.unknown_tag(tag));
            }
        }
        let index = tags.index()?;
        let names = self.field_names(&mut arguments)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::Header { index, names, matching })
    }

    fn address(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        let mut tags = MatchTags::default();
        while let Some(tag) = arguments.tag()? {
            let taken = tags.take(self, &mut arguments, tag)?
                || tags.take_part(self, tag)?
                || tags.take_index(self, &mut arguments, tag)?;
            if !taken {
                return Err(arguments.unknown_tag(tag));
            }
        }
        let (index, part) = (tags.index()?, tags.address_part());
        let names = self.address_field_names(&mut arguments)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::Address { index, part, names, matching })
    }

    fn envelope(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Envelope, arguments.node.at, "\"envelope\"")?;
        let mut tags = MatchTags::default();
        while let Some(tag) = arguments.tag()? {
            if !tags.take(self, &mut arguments, tag)? && !tags.take_part(self, tag)? {
                return Err(arguments.unknown_tag(tag));
            }
        }
        let part = tags.address_part();
        let written = arguments.strings("the envelope's parts")?;
        let mut names = Vec::new();
        for (name, at) in written {
            let text = self.text((name, at))?;
            if text
                .constant()
                .is_some_and(|name| !["from", "to"].iter().any(|known| name.eq_ignore_ascii_case(known)))
            {
                return Err(Fault::new(
                    at,
                    format!("an envelope has a \"from\" and a \"to\", but no {name:?}"),
                ));
            }
            names.push(text);
        }
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::Envelope { part, names, matching })
    }

    /// RFC 5173
    fn body(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn date(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn current_date(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn string(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Variables, arguments.node.at, "\"string\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let sources = arguments.strings("the texts")?;
        let sources = self.texts(sources)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::String { sources, matching })
    }

    /// The tags of a test that has none but match type and comparator.
    fn match_tags(&self, arguments: &mut Arguments<'_>) -> Result<MatchTags, Fault> {
        let mut tags = MatchTags::default();
        while let Some(tag) = arguments.tag()? {
            if !tags.take(self, arguments, tag)? {
                return Err(arguments.unknown_tag(tag));
            }
        }
        Ok(tags)
    }

    /// RFC 5232 §4
    fn has_flag(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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

    fn flag_variable(&mut self, (name, at): Written<'_>) -> Result<crate::text::Variable, Fault> {
        let reference = crate::text::reference(name);
        let reference =
            reference.ok_or_else(|| Fault::new(at, format!("{name:?} can't be a variable's name")))?;
        self.variable(reference, at)
    }

    /// RFC 5490 §3.1
    fn mailbox_exists(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Mailbox, arguments.node.at, "\"mailboxexists\"")?;
        let names = arguments.strings("the mailboxes")?;
        let names = self.texts(names)?;
        arguments.end().map(|()| Test::MailboxExists(names))
    }

    /// RFC 8579 §4
    fn special_use_exists(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn environment(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Environment, arguments.node.at, "\"environment\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let item = arguments.string("the item's name")?;
        let item = self.text(item)?;
        let keys = arguments.strings("the keys")?;
        let matching = tags.matching(self, keys)?;
        arguments.end().map(|()| Test::Environment { item, matching })
    }

    /// RFC 5235 §2
    fn spam_test(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn virus_test(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Virustest, arguments.node.at, "\"virustest\"")?;
        let tags = self.match_tags(&mut arguments)?;
        let key = arguments.string("the value")?;
        let matching = tags.matching(self, vec![key])?;
        arguments.end().map(|()| Test::Virus(matching))
    }

    /// RFC 7352 §3
    fn duplicate(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn ihave(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
    fn valid_notify_method(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
        self.need(Extension::Enotify, arguments.node.at, "\"valid_notify_method\"")?;
        let methods = arguments.strings("the methods")?;
        let methods = self.texts(methods)?;
        arguments.end().map(|()| Test::ValidNotifyMethod(methods))
    }

    /// RFC 5435 §5
    fn notify_method_capability(&mut self, mut arguments: Arguments<'_>) -> Result<Test, Fault> {
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
