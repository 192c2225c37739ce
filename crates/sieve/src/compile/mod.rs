//! From the generic grammar to a program: names, arguments and extensions checked, variables resolved, patterns
//! made ready.

mod action;
mod arguments;
mod extension;
mod matching;
mod test;

use crate::Limits;
use crate::error::Fault;
use crate::extension::{Capabilities, Extension};
use crate::program::{Block, Branch, Command, Include, Operation, Test};
use crate::syntax::{Node, Tests};
use crate::text::{self, Reference, Text, Variable};
pub(crate) use action::is_address_list;
use arguments::{Arguments, Written, no_block, no_tests};
use std::collections::{BTreeMap, BTreeSet};

/// What compiling gives.
pub(crate) struct Program {
    pub(crate) block: Block,
    /// How many variables of its own the script has.
    pub(crate) locals: usize,
    /// Whether matches must set match variables.
    pub(crate) captures: bool,
}

/// Compiles a script that was parsed. `text` is the script, for its lines.
pub(crate) fn compile(
    text: &str,
    nodes: &[Node],
    capabilities: Capabilities,
    limits: &Limits,
) -> Result<Program, Fault> {
    let line_ends = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
    let mut compiler = Compiler {
        capabilities,
        limits,
        line_ends,
        enabled: Capabilities::none(),
        locals: BTreeMap::new(),
        assigned: BTreeSet::new(),
        globals: BTreeSet::new(),
        regexes: 0,
    };
    let required = nodes.iter().take_while(|node| node.name == "require").count();
    for node in &nodes[..required] {
        compiler.require(node)?;
    }
    let block = compiler.block(&nodes[required..])?;
    let captures = compiler.enabled.has(Extension::Variables);
    Ok(Program { block, locals: compiler.locals.len(), captures })
}

struct Compiler<'a> {
    capabilities: Capabilities,
    limits: &'a Limits,
    /// Where each line ends.
    line_ends: Vec<usize>,
    /// What the script required so far, or found by `ihave`.
    enabled: Capabilities,
    locals: BTreeMap<String, u16>,
    /// Local variables that were set so far.
    assigned: BTreeSet<String>,
    /// Variables that were declared global so far.
    globals: BTreeSet<String>,
    /// Regular expressions so far.
    regexes: usize,
}

impl Compiler<'_> {
    /// RFC 5228 §3.2
    fn require(&mut self, node: &Node) -> Result<(), Fault> {
        let mut arguments = Arguments::of(node);
        for (name, at) in arguments.strings("the extensions")? {
            let known = Extension::from_name(name).filter(|extension| self.capabilities.has(*extension));
            let extension =
                known.ok_or_else(|| Fault::new(at, format!("this server has no extension {name:?}")))?;
            self.enable(extension);
        }
        arguments.end()
    }

    fn enable(&mut self, extension: Extension) {
        self.enabled = self.enabled.with(extension);
        match extension {
            // RFC 6131 §2, RFC 5235 §2.3: the larger extension brings the smaller one.
            Extension::VacationSeconds => self.enable(Extension::Vacation),
            Extension::Spamtestplus => self.enable(Extension::Spamtest),
            _ => {}
        }
    }

    /// Makes sure that an extension may be used here.
    fn need(&self, extension: Extension, at: usize, what: &str) -> Result<(), Fault> {
        if self.enabled.has(extension) {
            return Ok(());
        }
        let name = extension.name();
        Err(Fault::new(at, format!("{what} needs a line at the script's beginning: require \"{name}\";")))
    }

    fn line(&self, at: usize) -> u32 {
        u32::try_from(self.line_ends.partition_point(|end| *end < at) + 1).unwrap_or(u32::MAX)
    }

    /// Whether what `ihave` rules out need not make sense (RFC 5463 §4).
    fn skips_dead_code(&self) -> bool {
        self.enabled.has(Extension::Ihave)
    }

    fn block(&mut self, nodes: &[Node]) -> Result<Block, Fault> {
        let mut block = Vec::new();
        let mut rest = nodes;
        while let Some((node, behind)) = rest.split_first() {
            rest = behind;
            let operation = match node.name.as_str() {
                "if" => {
                    let others =
                        behind.iter().take_while(|n| matches!(n.name.as_str(), "elsif" | "else")).count();
                    rest = &behind[others..];
                    self.condition(node, &behind[..others])?
                }
                "elsif" | "else" => {
                    return Err(Fault::new(node.at, format!("\"{}\" must follow an \"if\"", node.name)));
                }
                "require" => {
                    return Err(Fault::new(node.at, "\"require\" must come before all other commands"));
                }
                "global" => {
                    self.global(node)?;
                    continue;
                }
                _ => self.command(node)?,
            };
            block.push(Command { line: self.line(node.at), operation });
        }
        Ok(block)
    }

    /// `if` with what belongs to it (RFC 5228 §3.1).
    fn condition(&mut self, first: &Node, others: &[Node]) -> Result<Operation, Fault> {
        let mut branches = Vec::new();
        // Whether an earlier branch is always taken, so that `ihave` rules this one out.
        let mut decided = false;
        let mut ended = false;
        for node in std::iter::once(first).chain(others) {
            if ended {
                return Err(Fault::new(node.at, format!("\"{}\" can't follow \"else\"", node.name)));
            }
            ended = node.name == "else";
            Arguments::of(node).end_of_arguments()?;
            let body = node.block.as_deref();
            let body = body.ok_or_else(|| {
                Fault::new(node.at, format!("\"{}\" must be followed by commands in braces", node.name))
            })?;
            if decided && self.skips_dead_code() {
                continue;
            }
            let test = match &node.tests {
                Tests::None if ended => Test::Constant(true),
                Tests::One(test) if !ended => self.test(test)?,
                _ if ended => return Err(Fault::new(node.at, "\"else\" takes no test")),
                _ => return Err(Fault::new(node.at, format!("\"{}\" needs one test", node.name))),
            };
            let known = constant(&test);
            if known == Some(false) && self.skips_dead_code() {
                continue;
            }
            decided |= known == Some(true);
            let block = self.block(body)?;
            branches.push(Branch { line: self.line(node.at), test, block });
        }
        Ok(Operation::If(branches))
    }

    /// A command that is neither a condition nor a declaration.
    fn command(&mut self, node: &Node) -> Result<Operation, Fault> {
        no_tests(node)?;
        no_block(node)?;
        match node.name.as_str() {
            "stop" => Arguments::of(node).end().map(|()| Operation::Stop),
            "return" => {
                self.need(Extension::Include, node.at, "\"return\"")?;
                Arguments::of(node).end().map(|()| Operation::Return)
            }
            "include" => self.include(node),
            "error" => {
                self.need(Extension::Ihave, node.at, "\"error\"")?;
                let mut arguments = Arguments::of(node);
                let message = arguments.string("the message")?;
                let message = self.text(message)?;
                arguments.end().map(|()| Operation::Error(message))
            }
            _ => self.action(node),
        }
    }

    /// RFC 6609 §3.2
    fn include(&mut self, node: &Node) -> Result<Operation, Fault> {
        self.need(Extension::Include, node.at, "\"include\"")?;
        let mut arguments = Arguments::of(node);
        let mut place = None;
        let (mut once, mut optional) = (false, false);
        while let Some((tag, at)) = arguments.tag()? {
            match tag {
                "personal" | "global" if place.is_some() => {
                    return Err(Fault::new(at, "\":personal\" and \":global\" exclude each other"));
                }
                "personal" | "global" => place = Some(tag),
                "once" => once = true,
                "optional" => optional = true,
                _ => return Err(arguments.unknown_tag((tag, at))),
            }
        }
        let (name, at) = arguments.string("the script's name")?;
        if self.text((name, at))?.constant().is_none() {
            return Err(Fault::new(at, "the name of an included script can't hold variables"));
        }
        if !is_script_name(name) {
            return Err(Fault::new(at, format!("{name:?} can't be the name of a script")));
        }
        arguments.end()?;
        Ok(Operation::Include(Include { global: place == Some("global"), once, optional, name: name.into() }))
    }

    /// RFC 6609 §3.4.1
    fn global(&mut self, node: &Node) -> Result<(), Fault> {
        self.need(Extension::Include, node.at, "\"global\"")?;
        self.need(Extension::Variables, node.at, "\"global\"")?;
        let mut arguments = Arguments::of(node);
        for (name, at) in arguments.strings("the variables' names")? {
            let folded = name.to_ascii_lowercase();
            if !text::is_identifier(name) {
                return Err(Fault::new(at, format!("{name:?} can't be a variable's name")));
            }
            if self.assigned.contains(&folded) {
                return Err(Fault::new(at, format!("{name:?} was set before it is declared global")));
            }
            self.globals.insert(folded);
            self.check_variables(at)?;
        }
        arguments.end()
    }

    fn check_variables(&self, at: usize) -> Result<(), Fault> {
        let most = self.limits.variables;
        if self.globals.len() > most || self.locals.len() > most {
            return Err(Fault::new(at, format!("too many variables: {most} at most")));
        }
        Ok(())
    }

    /// A string, its encoded characters undone and its variables resolved.
    fn text(&mut self, (text, at): Written<'_>) -> Result<Text, Fault> {
        let decoded = match self.enabled.has(Extension::EncodedCharacter) && text.contains("${") {
            true => text::decode_characters(text).map_err(|message| Fault::new(at, message))?,
            false => text.to_owned(),
        };
        if !self.enabled.has(Extension::Variables) {
            return Ok(Text::Constant(decoded.into()));
        }
        text::parse(&decoded, |reference| self.variable(reference, at))
    }

    fn texts(&mut self, written: Vec<Written<'_>>) -> Result<Vec<Text>, Fault> {
        written.into_iter().map(|written| self.text(written)).collect()
    }

    fn variable(&mut self, reference: Reference<'_>, at: usize) -> Result<Variable, Fault> {
        let name = reference.name;
        let is_number = name.starts_with(|c: char| c.is_ascii_digit());
        match reference.namespace {
            // RFC 6609 §3.4.2
            Some(namespace)
                if namespace.eq_ignore_ascii_case("global") && self.enabled.has(Extension::Include) =>
            {
                if is_number {
                    return Err(Fault::new(at, format!("{name:?} can't be a global variable's name")));
                }
                Ok(Variable::Global(name.to_ascii_lowercase().into()))
            }
            Some(namespace) => {
                Err(Fault::new(at, format!("there are no variables of the kind {namespace:?}")))
            }
            None if is_number => {
                let digits = name.trim_start_matches('0');
                let number = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
                number.filter(|number| *number <= text::MAX_MATCH).map(Variable::Match).ok_or_else(|| {
                    Fault::new(at, format!("match variables end with ${{{}}}", text::MAX_MATCH))
                })
            }
            None => self.named(&name.to_ascii_lowercase(), at),
        }
    }

    /// A variable without namespace, its name in lower case.
    fn named(&mut self, name: &str, at: usize) -> Result<Variable, Fault> {
        if self.globals.contains(name) {
            return Ok(Variable::Global(name.into()));
        }
        let next = u16::try_from(self.locals.len()).unwrap_or(u16::MAX);
        let number = *self.locals.entry(name.to_owned()).or_insert(next);
        self.check_variables(at)?;
        Ok(Variable::Local(number))
    }

    /// A variable that is to be changed, by its name as written.
    fn target(&mut self, (name, at): Written<'_>) -> Result<Variable, Fault> {
        let reference = text::reference(name);
        let reference =
            reference.ok_or_else(|| Fault::new(at, format!("{name:?} can't be a variable's name")))?;
        let own = reference.namespace.is_none();
        match self.variable(reference, at)? {
            Variable::Match(_) => Err(Fault::new(at, "match variables can't be set")),
            variable => {
                if own && matches!(variable, Variable::Local(_)) {
                    self.assigned.insert(name.to_ascii_lowercase());
                }
                Ok(variable)
            }
        }
    }
}

/// What a test is whatever the message, if that is certain.
fn constant(test: &Test) -> Option<bool> {
    let any = |tests: &[Test], wanted| tests.iter().any(|test| constant(test) == Some(wanted));
    let all = |tests: &[Test], wanted| tests.iter().all(|test| constant(test) == Some(wanted));
    match test {
        Test::Constant(value) => Some(*value),
        Test::Not(test) => constant(test).map(|value| !value),
        Test::AllOf(tests) if any(tests, false) => Some(false),
        Test::AllOf(tests) if all(tests, true) => Some(true),
        Test::AnyOf(tests) if any(tests, true) => Some(true),
        Test::AnyOf(tests) if all(tests, false) => Some(false),
        _ => None,
    }
}

/// Whether a script may be called so: RFC 5804 §1.6, and nothing that could name a file elsewhere.
pub fn is_script_name(name: &str) -> bool {
    let barred = |c: char| {
        c.is_control() || matches!(c, '/' | '\\' | '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    let dots_only = name.bytes().all(|b| b == b'.');
    !dots_only && name.chars().count() <= 128 && !name.contains(barred)
}
