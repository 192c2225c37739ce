//! The interpreter.

mod action;
mod filing;
mod notify;
mod test;
mod vacation;
mod values;

use crate::body::BodyView;
use crate::error::shorten;
use crate::header::HeaderView;
use crate::host::{DuplicateId, Host, Mail, NoScript, Place};
use crate::outcome::{Outcome, RunError, Seen, TraceLine};
use crate::program::{Block, Include, Operation};
use crate::{Limits, Script, field, flags};
use base::Flags;
use filing::Filing;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;

/// Runs scripts, one after the other as long as the message is kept.
pub(crate) fn run(scripts: &[(&str, &Script)], mail: &Mail<'_>, host: &dyn Host, limits: &Limits) -> Outcome {
    let mut run = match Run::new(mail, host, limits) {
        Ok(run) => run,
        Err(error) => return Outcome::unreadable(error),
    };
    for (name, script) in scripts {
        run.script_name = (*name).to_owned();
        run.replied = false;
        if let Some(flags) = run.filing.begin_script() {
            run.flags = flags.names().collect::<Vec<_>>().join(" ");
        }
        if let Err(message) = run.script(script) {
            run.fail(message);
            break;
        }
        if !run.filing.is_kept() {
            break;
        }
    }
    run.finish()
}

/// What comes after a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Return,
    Stop,
}

/// An error is words for the script's owner. Its place is where the run stands: [`Run::script_name`] and its line.
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
    /// Whether the current script decided on a vacation reply, one way or the other.
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
            body: BodyView::new(mail.tree, mail.raw, limits),
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

    fn script(&mut self, script: &Script) -> Checked<Flow> {
        let frame = Frame {
            locals: vec![String::new(); script.program.locals],
            captures: script.program.captures,
            ..Frame::default()
        };
        let outer = std::mem::replace(&mut self.frame, frame);
        // After an error the run stays where it is, so that its place is known.
        let flow = self.block(&script.program.block)?;
        self.frame = outer;
        Ok(flow)
    }

    fn block(&mut self, block: &Block) -> Checked<Flow> {
        for command in block {
            self.frame.line = command.line;
            let flow = self.operation(&command.operation)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn operation(&mut self, operation: &Operation) -> Checked<Flow> {
        self.charge(1)?;
        match operation {
            Operation::If(branches) => {
                for branch in branches {
                    self.frame.line = branch.line;
                    if self.test(&branch.test)? {
                        return self.block(&branch.block);
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
                return Err(format!("the script says: {}", field::one_line(&message)));
            }
            action => self.action(action)?,
        }
        Ok(Flow::Next)
    }

    /// RFC 6609 §3.2
    fn include(&mut self, include: &Include) -> Checked<Flow> {
        let place = if include.global { Place::Global } else { Place::Personal };
        let this = (place, include.name.to_string());
        let name = &this.1;
        if include.once && (self.included.contains(&this) || self.including.contains(&this)) {
            return Ok(Flow::Next);
        }
        let (depth, most) = (self.limits.include_depth, self.limits.includes);
        if self.including.contains(&this) {
            return Err(format!("the script {name:?} includes itself"));
        }
        // The outermost script counts, too.
        if self.including.len() + 2 > depth {
            return Err(format!("scripts include each other too deep: {depth} levels at most"));
        }
        if self.included.len() >= most {
            return Err(format!("too many scripts are included: {most} at most"));
        }
        self.charge_question()?;
        let script = match self.host.script(place, name) {
            Ok(script) => script,
            Err(NoScript::Missing) if include.optional => return Ok(Flow::Next),
            Err(NoScript::Missing) => return Err(format!("there is no script {name:?} to include")),
            Err(NoScript::Broken(why)) => {
                return Err(format!("the script {name:?} can't be included: {why}"));
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

    fn note(&mut self, text: impl Into<String>) {
        if self.trace.len() < self.limits.trace_lines {
            let line = TraceLine {
                script: self.script_name.clone(),
                line: self.frame.line,
                text: shorten(text.into()),
            };
            self.trace.push(line);
        }
    }

    /// RFC 5228 §2.10.6
    fn fail(&mut self, message: String) {
        self.note(format!("stopped by an error, the message is kept: {message}"));
        self.error = Some(RunError {
            script: self.script_name.clone(),
            line: self.frame.line,
            message: shorten(message),
        });
        self.duplicates.clear();
        self.filing.fail();
    }

    fn finish(mut self) -> Outcome {
        self.frame.line = 0;
        if self.filing.is_implicit() {
            // RFC 5293 §7: after an error the message is kept as it came.
            let (mut flags, mut header) = (Flags::default(), None);
            if self.error.is_none() {
                self.note("kept, as nothing else was decided");
                flags = flags::to_flags(&flags::words([self.flags.as_str()], self.limits.flags));
                header = self.header.printed().unwrap_or_default();
            }
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
}

/// An error of reading the message, in words.
fn unreadable(error: io::Error) -> String {
    format!("the message can't be read: {error}")
}

impl Outcome {
    /// Nothing is known of the message but that it must not be lost.
    fn unreadable(error: io::Error) -> Self {
        let mut filing = Filing::default();
        filing.keep_implicitly(Flags::default(), None);
        Outcome {
            actions: filing.into_actions(),
            duplicates: Vec::new(),
            error: Some(RunError { script: String::new(), line: 0, message: unreadable(error) }),
            trace: Vec::new(),
            steps: 0,
        }
    }
}
