//! The interpreter.

mod action;
mod filing;
mod test;
mod vacation;

use crate::body::BodyView;
use crate::compare::{Found, Key, MatchType, Matching, Pattern, Value, cut};
use crate::glob::Work;
use crate::header::HeaderView;
use crate::host::{DuplicateId, Host, Mail, NoScript, Place};
use crate::outcome::{Outcome, RunError, Seen, TraceLine};
use crate::program::{Block, Include, Operation};
use crate::text::{Piece, Text, Variable};
use crate::{Limits, Script};
use filing::Filing;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;

/// Runs scripts, one after the other as long as the message is kept.
pub(crate) fn run(scripts: &[(&str, &Script)], mail: &Mail<'_>, host: &dyn Host, limits: &Limits) -> Outcome {
    let mut run = match Run::new(mail, host, limits) {
        Ok(run) => run,
        Err(error) => return Outcome::unreadable(&error),
    };
    for (name, script) in scripts {
        run.script_name = (*name).to_owned();
        if let Some(flags) = run.filing.begin_script() {
            run.flags = flags.names().collect::<Vec<_>>().join(" ");
        }
        if let Err(Fault { line, message }) = run.script(script) {
            run.fail(line, message);
            break;
        }
        if !run.filing.is_kept() {
            break;
        }
    }
    run.finish()
}

/// Why a script stops half-way.
struct Fault {
    line: u32,
    message: String,
}

/// What comes after a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Return,
    Stop,
}

/// An error in words; the line is added where it is known.
type Checked<T> = Result<T, String>;

struct Run<'a> {
    mail: &'a Mail<'a>,
    host: &'a dyn Host,
    limits: &'a Limits,
    header: HeaderView<'a>,
    body: BodyView<'a>,
    steps: Cell<u64>,
    script_name: String,
    frame: Frame,
    globals: BTreeMap<Box<str>, String>,
    /// The internal variable of RFC 5232 §3.
    flags: String,
    filing: Filing,
    header_edits: usize,
    header_added: usize,
    /// Whether a vacation reply was decided on, one way or the other.
    replied: bool,
    /// Scripts that are being included, outermost first.
    including: Vec<(Place, String)>,
    /// Scripts that were included so far.
    included: Vec<(Place, String)>,
    duplicates: Vec<Seen>,
    /// What the host said of an id: it must not change within a run.
    looked_up: BTreeMap<DuplicateId, bool>,
    error: Option<RunError>,
    trace: Vec<TraceLine>,
}

/// What belongs to one script while it runs.
#[derive(Default)]
struct Frame {
    locals: Vec<String>,
    /// What the last match matched, the whole first.
    matched: Vec<String>,
    /// Whether matches are to be remembered.
    captures: bool,
    line: u32,
}

impl<'a> Run<'a> {
    fn new(mail: &'a Mail<'a>, host: &'a dyn Host, limits: &'a Limits) -> io::Result<Self> {
        Ok(Run {
            mail,
            host,
            limits,
            header: HeaderView::read(mail.tree, mail.raw)?,
            body: BodyView::new(mail.tree, mail.raw, limits.body_octets),
            steps: Cell::new(0),
            script_name: String::new(),
            frame: Frame::default(),
            globals: BTreeMap::new(),
            flags: String::new(),
            filing: Filing::default(),
            header_edits: 0,
            header_added: 0,
            replied: false,
            including: Vec::new(),
            included: Vec::new(),
            duplicates: Vec::new(),
            looked_up: BTreeMap::new(),
            error: None,
            trace: Vec::new(),
        })
    }

    fn script(&mut self, script: &Script) -> Result<Flow, Fault> {
        let frame = Frame {
            locals: vec![String::new(); script.program.locals],
            captures: script.program.captures,
            ..Frame::default()
        };
        let outer = std::mem::replace(&mut self.frame, frame);
        let flow = self.block(&script.program.block);
        self.frame = outer;
        flow
    }

    fn block(&mut self, block: &Block) -> Result<Flow, Fault> {
        for command in block {
            self.frame.line = command.line;
            let flow = self.operation(&command.operation);
            let flow = flow.map_err(|stop| stop.at(self.frame.line))?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn operation(&mut self, operation: &Operation) -> Result<Flow, Stop> {
        self.charge(1)?;
        match operation {
            Operation::If(branches) => {
                for branch in branches {
                    self.frame.line = branch.line;
                    if self.test(&branch.test)? {
                        return Ok(self.block(&branch.block)?);
                    }
                }
                return Ok(Flow::Next);
            }
            Operation::Stop => {
                self.note("the script stops here");
                return Ok(Flow::Stop);
            }
            Operation::Return => return Ok(Flow::Return),
            Operation::Include(include) => return self.include(include),
            Operation::Error(message) => {
                let message = self.expand(message)?;
                return Err(format!("the script says: {message}").into());
            }
            action => self.action(action)?,
        }
        Ok(Flow::Next)
    }

    /// RFC 6609 §3.2
    fn include(&mut self, include: &Include) -> Result<Flow, Stop> {
        let place = if include.global { Place::Global } else { Place::Personal };
        let this = (place, include.name.to_string());
        let name = &this.1;
        if include.once && (self.included.contains(&this) || self.including.contains(&this)) {
            return Ok(Flow::Next);
        }
        if self.including.contains(&this) {
            return Err(format!("the script {name:?} includes itself").into());
        }
        // The outermost script counts, too.
        if self.including.len() + 2 > self.limits.include_depth {
            return Err(format!(
                "scripts include each other too deep: {} levels at most",
                self.limits.include_depth
            )
            .into());
        }
        if self.included.len() >= self.limits.includes {
            return Err(format!("too many scripts are included: {} at most", self.limits.includes).into());
        }
        self.charge_question()?;
        let script = match self.host.script(place, name) {
            Ok(script) => script,
            Err(NoScript::Missing) if include.optional => return Ok(Flow::Next),
            Err(NoScript::Missing) => return Err(format!("there is no script {name:?} to include").into()),
            Err(NoScript::Broken(why)) => {
                return Err(format!("the script {name:?} can't be included: {why}").into());
            }
        };
        self.note(format!("goes on with the script {name:?}"));
        self.included.push(this.clone());
        let outer = std::mem::replace(&mut self.script_name, this.1.clone());
        self.including.push(this);
        let flow = self.script(&script)?;
        self.including.pop();
        self.script_name = outer;
        Ok(if flow == Flow::Stop { Flow::Stop } else { Flow::Next })
    }

    fn charge(&self, steps: u64) -> Checked<()> {
        self.steps.set(self.steps.get().saturating_add(steps));
        if self.steps.get() <= self.limits.steps {
            return Ok(());
        }
        Err(format!("the script takes too long: {} steps at most", self.limits.steps))
    }

    fn note(&mut self, text: impl Into<String>) {
        if self.trace.len() < self.limits.trace_lines {
            let line =
                TraceLine { script: self.script_name.clone(), line: self.frame.line, text: text.into() };
            self.trace.push(line);
        }
    }

    /// RFC 5228 §2.10.6
    fn fail(&mut self, line: u32, message: String) {
        self.frame.line = line;
        self.note(format!("stopped by an error, the message is kept: {message}"));
        self.error = Some(RunError { script: self.script_name.clone(), line, message });
        self.duplicates.clear();
        self.filing.fail();
    }

    fn finish(mut self) -> Outcome {
        self.frame.line = 0;
        if self.filing.is_implicit() {
            if self.error.is_none() {
                self.note("kept, as nothing else was decided");
            }
            let header = match self.error {
                None => self.header.printed().unwrap_or_default(),
                Some(_) => None,
            };
            let flags = if self.error.is_none() { self.flags.as_str() } else { "" };
            let flags = crate::flags::to_flags(&crate::flags::words([flags], self.limits.flags));
            self.filing.keep_implicitly(flags, header);
        }
        Outcome {
            actions: self.filing.into_actions(),
            duplicates: self.duplicates,
            error: self.error,
            trace: self.trace,
            steps: self.steps.get(),
        }
    }

    /// The string with its variables filled in; too long ones are cut. Costs by its length.
    fn expand(&self, text: &Text) -> Checked<String> {
        let out = match text {
            Text::Constant(text) => text.to_string(),
            Text::Pieces(pieces) => {
                let mut out = String::new();
                for piece in pieces {
                    let text = match piece {
                        Piece::Literal(text) => text,
                        Piece::Variable(variable) => self.get(variable),
                    };
                    out.push_str(cut(text, self.limits.string_octets.saturating_sub(out.len())));
                }
                out
            }
        };
        self.charge(out.len() as u64 / OCTETS_FILLED_PER_STEP)?;
        Ok(out)
    }

    fn expand_optional(&self, text: Option<&Text>) -> Checked<Option<String>> {
        text.map(|text| self.expand(text)).transpose()
    }

    fn expand_all(&self, texts: &[Text]) -> Checked<Vec<String>> {
        self.charge(texts.len() as u64)?;
        texts.iter().map(|text| self.expand(text)).collect()
    }

    /// What asking the host costs: it may look into its database.
    fn charge_question(&self) -> Checked<()> {
        self.charge(STEPS_PER_QUESTION)
    }

    fn get(&self, variable: &Variable) -> &str {
        let value = match variable {
            Variable::Local(number) => self.frame.locals.get(usize::from(*number)),
            Variable::Global(name) => self.globals.get(name),
            Variable::Match(number) => self.frame.matched.get(usize::from(*number)),
        };
        value.map_or("", String::as_str)
    }

    /// RFC 5229 §6: a value that is too long is cut, which is no error.
    fn set(&mut self, variable: &Variable, value: &str) {
        let value = cut(value, self.limits.variable_octets).to_owned();
        match variable {
            Variable::Local(number) => {
                if let Some(local) = self.frame.locals.get_mut(usize::from(*number)) {
                    *local = value;
                }
            }
            Variable::Global(name) => {
                if self.globals.len() < self.limits.variables || self.globals.contains_key(name) {
                    self.globals.insert(name.clone(), value);
                }
            }
            Variable::Match(_) => {}
        }
    }

    /// Compares a value with the keys until one matches. With `capture`, what the wildcards stand for comes with it.
    fn compare(&self, value: &Value, matching: &Matching, capture: bool) -> Checked<Found> {
        let left = self.limits.steps.saturating_sub(self.steps.get());
        let mut work = Work::allow(left.saturating_mul(OCTETS_PER_STEP));
        let capture = capture && self.frame.captures;
        let mut found = Found::No;
        for key in &matching.keys {
            let made;
            let pattern = match key {
                Key::Ready(pattern) => pattern,
                Key::Text(text) => {
                    let text = self.expand(text)?;
                    work.add(making_work(matching.match_type, text.len()));
                    made = Pattern::new(&text, matching.match_type, matching.comparator, self.limits)?;
                    &made
                }
            };
            found = pattern.test(value, matching, capture, self.limits, &mut work);
            if work.is_over() || found.is_match() {
                break;
            }
        }
        self.charge(work.done() / OCTETS_PER_STEP + u64::from(work.is_over()))?;
        Ok(found)
    }

    /// Takes what a test found: the match variables change if it matched.
    fn settle(&mut self, found: Found) -> bool {
        let is_match = found.is_match();
        if let Found::Captured(matched) = found {
            let most = usize::from(crate::text::MAX_MATCH) + 1;
            let octets = self.limits.variable_octets;
            self.frame.matched =
                matched.into_iter().take(most).map(|text| cut(&text, octets).to_owned()).collect();
        }
        is_match
    }
}

/// Octets that are compared in the time of one step.
const OCTETS_PER_STEP: u64 = 64;
/// Octets that are filled into strings, kept and looked through, likewise.
const OCTETS_FILLED_PER_STEP: u64 = 16;
/// Steps that a question to the host costs.
const STEPS_PER_QUESTION: u64 = 100;

/// What a key costs that is made ready while the script runs, in octets that are compared. A regular expression of few
/// octets may become a large machine.
fn making_work(match_type: MatchType, octets: usize) -> usize {
    const REGEX: usize = 256 * 1024;
    let fixed = if match_type == MatchType::Regex { REGEX } else { 0 };
    fixed + octets.saturating_mul(8)
}

/// Why a command does not lead to the next one: an error of its own, or one of a block in it, which has its line.
struct Stop {
    line: Option<u32>,
    message: String,
}

impl Stop {
    fn at(self, line: u32) -> Fault {
        Fault { line: self.line.unwrap_or(line), message: self.message }
    }
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop { line: None, message }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop { line: Some(fault.line), message: fault.message }
    }
}

/// An error of reading the message, in words.
fn unreadable(error: io::Error) -> String {
    format!("the message can't be read: {error}")
}

impl Outcome {
    /// Nothing is known of the message but that it must not be lost.
    fn unreadable(error: &io::Error) -> Self {
        let message = format!("the message can't be read: {error}");
        let mut filing = Filing::default();
        filing.keep_implicitly(base::Flags::default(), None);
        Outcome {
            actions: filing.into_actions(),
            duplicates: Vec::new(),
            error: Some(RunError { script: String::new(), line: 0, message }),
            trace: Vec::new(),
            steps: 0,
        }
    }
}
