//! Tests of the base language (RFC 5228 §5), and what all tests share.

use super::arguments::{Arguments, Written, no_block};
use super::matching::MatchTags;
use super::{Compiler, constant};
use crate::error::Fault;
use crate::extension::Extension;
use crate::field;
use crate::program::Test;
use crate::syntax::{Node, Tests};
use crate::text::Text;

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
    pub(super) fn folded_field_name(&mut self, written: Written<'_>) -> Result<Text, Fault> {
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

    /// The tags of a test that has none but match type and comparator.
    pub(super) fn match_tags(&self, arguments: &mut Arguments<'_>) -> Result<MatchTags, Fault> {
        let mut tags = MatchTags::default();
        while let Some(tag) = arguments.tag()? {
            if !tags.take(self, arguments, tag)? {
                return Err(arguments.unknown_tag(tag));
            }
        }
        Ok(tags)
    }
}
