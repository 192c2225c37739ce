//! A script in the form in which it runs: checked, names resolved, patterns ready.

use crate::compare::Matching;
use crate::text::{Text, Variable};

pub(crate) type Block = Vec<Command>;

#[derive(Debug)]
pub(crate) struct Command {
    /// The line it stands in, from 1.
    pub(crate) line: u32,
    pub(crate) operation: Operation,
}

#[derive(Debug)]
pub(crate) enum Operation {
    /// `if`, with each `elsif`; `else` is a branch whose test is true.
    If(Vec<Branch>),
    Stop,
    Return,
    Include(Include),
    Error(Text),
    Keep(Option<Vec<Text>>),
    Discard,
    FileInto(Box<FileInto>),
    Redirect(Redirect),
    Reject {
        reason: Text,
        at_smtp: bool,
    },
    Vacation(Box<Vacation>),
    Notify(Box<Notify>),
    Set {
        variable: Variable,
        value: Text,
        modifiers: Vec<Modifier>,
    },
    Flags {
        change: FlagChange,
        variable: Option<Variable>,
        flags: Vec<Text>,
    },
    AddHeader {
        last: bool,
        name: Text,
        value: Text,
    },
    DeleteHeader(Box<DeleteHeader>),
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) line: u32,
    pub(crate) test: Test,
    pub(crate) block: Block,
}

#[derive(Debug)]
pub(crate) struct Include {
    pub(crate) global: bool,
    pub(crate) once: bool,
    pub(crate) optional: bool,
    pub(crate) name: Box<str>,
}

#[derive(Debug)]
pub(crate) struct FileInto {
    pub(crate) mailbox: Text,
    pub(crate) flags: Option<Vec<Text>>,
    pub(crate) copy: bool,
    pub(crate) create: bool,
    pub(crate) special_use: Option<Text>,
}

#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) address: Text,
    pub(crate) copy: bool,
}

#[derive(Debug)]
pub(crate) struct Vacation {
    pub(crate) reason: Text,
    pub(crate) mime: bool,
    pub(crate) subject: Option<Text>,
    pub(crate) from: Option<Text>,
    pub(crate) addresses: Vec<Text>,
    pub(crate) handle: Option<Text>,
    pub(crate) seconds: Option<u64>,
    /// What stands for the handle where there is none: the arguments before variables are filled in (RFC 5230 §4.2).
    pub(crate) fingerprint: Box<str>,
}

#[derive(Debug)]
pub(crate) struct Notify {
    pub(crate) method: Text,
    pub(crate) from: Option<Text>,
    pub(crate) importance: Option<Text>,
    pub(crate) options: Vec<Text>,
    pub(crate) message: Option<Text>,
}

#[derive(Debug)]
pub(crate) struct DeleteHeader {
    pub(crate) index: Option<Index>,
    pub(crate) name: Text,
    /// `None` where every value is meant.
    pub(crate) values: Option<Matching>,
}

/// How `set` changes a value (RFC 5229 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Modifier {
    Lower,
    Upper,
    LowerFirst,
    UpperFirst,
    QuoteWildcard,
    QuoteRegex,
    EncodeUrl,
    Length,
}

impl Modifier {
    /// Modifiers of higher precedence apply first, and no two of the same may be given.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Modifier::Lower | Modifier::Upper => 40,
            Modifier::LowerFirst | Modifier::UpperFirst => 30,
            Modifier::QuoteWildcard | Modifier::QuoteRegex => 20,
            // RFC 5435 §6
            Modifier::EncodeUrl => 15,
            Modifier::Length => 10,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FlagChange {
    Set,
    Add,
    Remove,
}

/// RFC 5260 §6
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Index {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum Test {
    Constant(bool),
    Not(Box<Test>),
    AllOf(Vec<Test>),
    AnyOf(Vec<Test>),
    Exists(Vec<Text>),
    Size { over: bool, limit: u64 },
    Header { index: Option<Index>, names: Vec<Text>, matching: Matching },
    Address { index: Option<Index>, part: AddressPart, names: Vec<Text>, matching: Matching },
    Envelope { part: AddressPart, names: Vec<Text>, matching: Matching },
    Body { transform: Transform, matching: Matching },
    Date(Box<DateTest>),
    CurrentDate { zone: Option<Text>, part: Text, matching: Matching },
    String { sources: Vec<Text>, matching: Matching },
    HasFlag { variables: Option<Vec<Variable>>, matching: Matching },
    MailboxExists(Vec<Text>),
    SpecialUseExists { mailbox: Option<Text>, uses: Vec<Text> },
    Environment { item: Text, matching: Matching },
    Spam { percent: bool, matching: Matching },
    Virus(Matching),
    Duplicate(Box<Duplicate>),
    ValidNotifyMethod(Vec<Text>),
    NotifyMethodCapability { method: Text, capability: Text, matching: Matching },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AddressPart {
    All,
    Local,
    Domain,
    /// RFC 5233
    User,
    /// RFC 5233
    Detail,
}

#[derive(Debug)]
pub(crate) enum Transform {
    Raw,
    Content(Vec<Text>),
    Text,
}

#[derive(Debug)]
pub(crate) struct DateTest {
    pub(crate) index: Option<Index>,
    pub(crate) zone: Zone,
    pub(crate) header: Text,
    pub(crate) part: Text,
    pub(crate) matching: Matching,
}

#[derive(Debug)]
pub(crate) enum Zone {
    Local,
    Original,
    Given(Text),
}

#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) handle: Option<Text>,
    pub(crate) id: DuplicateId,
    pub(crate) seconds: Option<u64>,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum DuplicateId {
    Header(Text),
    Given(Text),
}
