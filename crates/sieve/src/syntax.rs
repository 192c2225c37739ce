//! The generic grammar (RFC 5228 §8.2): commands with arguments, tests and blocks, whatever their names.

use crate::Limits;
use crate::error::Fault;
use crate::lexer::{Lexer, Token};

/// A command or a test, as it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// Lower case.
    pub(crate) name: String,
    pub(crate) at: usize,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) tests: Tests,
    /// The commands in braces; `None` where a `;` stands, and for tests.
    pub(crate) block: Option<Vec<Node>>,
}

/// The tests that stand behind the arguments.
#[derive(Debug)]
pub(crate) enum Tests {
    None,
    One(Box<Node>),
    /// In parentheses.
    List(Vec<Node>),
}

#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Tag(String),
    Number(u64),
    /// A string that is no list.
    String(String),
    /// In brackets, each with its place.
    List(Vec<(String, usize)>),
}

/// Reads a script.
pub(crate) fn parse(text: &str, limits: &Limits) -> Result<Vec<Node>, Fault> {
    if text.len() > limits.script_octets {
        let message = format!("the script is too long: {} octets at most", limits.script_octets);
        return Err(Fault::new(0, message));
    }
    let mut lexer = Lexer::new(text, limits.string_octets);
    let (token, at) = lexer.next()?;
    let mut parser = Parser { lexer, token, at, nodes: 0, limits };
    parser.commands(0)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that comes next, and its place.
    token: Token,
    at: usize,
    nodes: usize,
    limits: &'a Limits,
}

impl Parser<'_> {
    /// Commands up to the end of the script or, within a block, up to its `}`.
    fn commands(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut commands = Vec::new();
        loop {
            match &self.token {
                Token::End if depth == 0 => return Ok(commands),
                Token::Mark('}') if depth > 0 => return Ok(commands),
                Token::Name(_) => commands.push(self.command(depth)?),
                other => {
                    let message = format!("a command was expected, not {}", other.describe());
                    return Err(Fault::new(self.at, message));
                }
            }
        }
    }

    fn command(&mut self, depth: usize) -> Result<Node, Fault> {
        let mut node = self.node(depth)?;
        match &self.token {
            Token::Mark(';') => self.advance()?,
            Token::Mark('{') => {
                self.advance()?;
                node.block = Some(self.commands(depth + 1)?);
                self.expect('}')?;
            }
            other => {
                let message =
                    format!("\";\" or \"{{\" was expected after \"{}\", not {}", node.name, other.describe());
                return Err(Fault::new(self.at, message));
            }
        }
        Ok(node)
    }

    /// A name with its arguments and tests.
    fn node(&mut self, depth: usize) -> Result<Node, Fault> {
        let at = self.at;
        if depth > self.limits.nesting {
            return Err(Fault::new(at, format!("nested too deep: {} levels at most", self.limits.nesting)));
        }
        self.nodes += 1;
        if self.nodes > self.limits.commands {
            let message = format!("too many commands and tests: {} at most", self.limits.commands);
            return Err(Fault::new(at, message));
        }
        let Token::Name(name) = self.take()? else {
            return Err(Fault::new(at, "a test was expected"));
        };
        let arguments = self.arguments()?;
        let tests = self.tests(depth)?;
        Ok(Node { name, at, arguments, tests, block: None })
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, Fault> {
        let mut arguments = Vec::new();
        loop {
            let at = self.at;
            let value = match &self.token {
                Token::Tag(_) | Token::Number(_) | Token::String(_) => match self.take()? {
                    Token::Tag(tag) => Value::Tag(tag),
                    Token::Number(number) => Value::Number(number),
                    Token::String(text) => Value::String(text),
                    _ => return Ok(arguments),
                },
                Token::Mark('[') => Value::List(self.string_list()?),
                _ => return Ok(arguments),
            };
            arguments.push(Argument { at, value });
        }
    }

    fn string_list(&mut self) -> Result<Vec<(String, usize)>, Fault> {
        self.expect('[')?;
        let mut strings = Vec::new();
        loop {
            let at = self.at;
            match self.take()? {
                Token::String(text) => strings.push((text, at)),
                other => {
                    return Err(Fault::new(at, format!("a string was expected, not {}", other.describe())));
                }
            }
            match &self.token {
                Token::Mark(',') => self.advance()?,
                _ => break,
            }
        }
        self.expect(']')?;
        Ok(strings)
    }

    fn tests(&mut self, depth: usize) -> Result<Tests, Fault> {
        match &self.token {
            Token::Name(_) => Ok(Tests::One(Box::new(self.node(depth + 1)?))),
            Token::Mark('(') => {
                self.advance()?;
                let mut tests = vec![self.node(depth + 1)?];
                while self.token == Token::Mark(',') {
                    self.advance()?;
                    tests.push(self.node(depth + 1)?);
                }
                self.expect(')')?;
                Ok(Tests::List(tests))
            }
            _ => Ok(Tests::None),
        }
    }

    fn take(&mut self) -> Result<Token, Fault> {
        let (next, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.take().map(drop)
    }

    fn expect(&mut self, mark: char) -> Result<(), Fault> {
        if self.token == Token::Mark(mark) {
            return self.advance();
        }
        Err(Fault::new(self.at, format!("\"{mark}\" was expected, not {}", self.token.describe())))
    }
}
