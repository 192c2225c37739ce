//! The arguments of one command or test, taken one by one and checked for their types.

use crate::error::Fault;
use crate::syntax::{Argument, Node, Tests, Value};

/// A string of the script and its place.
pub(super) type Written<'n> = (&'n str, usize);

/// The arguments of `node`: first the tags, each with what belongs to it, then the others.
pub(super) struct Arguments<'n> {
    pub(super) node: &'n Node,
    next: usize,
    tags: Vec<&'n str>,
}

impl<'n> Arguments<'n> {
    pub(super) fn of(node: &'n Node) -> Self {
        Arguments { node, next: 0, tags: Vec::new() }
    }

    /// The next tag, if a tag is next.
    pub(super) fn tag(&mut self) -> Result<Option<Written<'n>>, Fault> {
        let Some(Argument { at, value: Value::Tag(tag) }) = self.node.arguments.get(self.next) else {
            return Ok(None);
        };
        if self.tags.contains(&tag.as_str()) {
            return Err(Fault::new(*at, format!("\":{tag}\" is given twice")));
        }
        self.tags.push(tag);
        self.next += 1;
        Ok(Some((tag, *at)))
    }

    /// The next argument, which must be a string; `what` says what it means.
    pub(super) fn string(&mut self, what: &str) -> Result<Written<'n>, Fault> {
        match self.take() {
            Some(Argument { at, value: Value::String(text) }) => Ok((text, *at)),
            other => Err(self.mismatch(other, what, "a string")),
        }
    }

    /// The next argument, which must be a string or a list of strings.
    pub(super) fn strings(&mut self, what: &str) -> Result<Vec<Written<'n>>, Fault> {
        match self.take() {
            Some(Argument { at, value: Value::String(text) }) => Ok(vec![(text, *at)]),
            Some(Argument { value: Value::List(list), .. }) => {
                Ok(list.iter().map(|(text, at)| (text.as_str(), *at)).collect())
            }
            other => Err(self.mismatch(other, what, "a string or a list of strings")),
        }
    }

    /// The next argument, which must be a number.
    pub(super) fn number(&mut self, what: &str) -> Result<u64, Fault> {
        match self.take() {
            Some(Argument { value: Value::Number(number), .. }) => Ok(*number),
            other => Err(self.mismatch(other, what, "a number")),
        }
    }

    /// How many arguments are left.
    pub(super) fn left(&self) -> usize {
        self.node.arguments.len().saturating_sub(self.next)
    }

    /// Makes sure that nothing is left: arguments, tests, a block.
    pub(super) fn end(self) -> Result<(), Fault> {
        let node = self.node;
        self.end_of_arguments()?;
        no_tests(node)?;
        no_block(node)
    }

    /// Makes sure that no argument is left.
    pub(super) fn end_of_arguments(self) -> Result<(), Fault> {
        match self.node.arguments.get(self.next) {
            None => Ok(()),
            Some(Argument { at, value: Value::Tag(tag) }) => {
                Err(Fault::new(*at, format!("tags come before other arguments, \":{tag}\" does not")))
            }
            Some(Argument { at, .. }) => {
                Err(Fault::new(*at, format!("\"{}\" takes no further argument", self.node.name)))
            }
        }
    }

    /// The fault of a tag that has no meaning here.
    pub(super) fn unknown_tag(&self, (tag, at): Written<'_>) -> Fault {
        Fault::new(at, format!("\"{}\" knows no \":{tag}\"", self.node.name))
    }

    fn take(&mut self) -> Option<&'n Argument> {
        let argument = self.node.arguments.get(self.next);
        self.next += 1;
        argument
    }

    fn mismatch(&self, found: Option<&Argument>, what: &str, expected: &str) -> Fault {
        let name = &self.node.name;
        let Some(Argument { at, value }) = found else {
            return Fault::new(self.node.at, format!("\"{name}\" lacks an argument: {what}, {expected}"));
        };
        let found = match value {
            Value::Tag(tag) => format!("the tag \":{tag}\""),
            Value::Number(_) => "a number".to_owned(),
            Value::String(_) => "a string".to_owned(),
            Value::List(_) => "a list".to_owned(),
        };
        Fault::new(*at, format!("\"{name}\" expects {what} here, {expected}, not {found}"))
    }
}

pub(super) fn no_tests(node: &Node) -> Result<(), Fault> {
    match &node.tests {
        Tests::None => Ok(()),
        Tests::One(test) => Err(Fault::new(test.at, format!("\"{}\" takes no test", node.name))),
        Tests::List(_) => Err(Fault::new(node.at, format!("\"{}\" takes no tests", node.name))),
    }
}

pub(super) fn no_block(node: &Node) -> Result<(), Fault> {
    match node.block {
        None => Ok(()),
        Some(_) => Err(Fault::new(node.at, format!("\"{}\" takes no block, but ends with \";\"", node.name))),
    }
}
