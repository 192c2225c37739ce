//! What a run decided.

use crate::host::DuplicateId;
use base::{Address, Flags, MailboxName, SpecialUse};
use std::fmt;
use std::sync::Arc;

/// What is to become of the message, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What to do, in the order in which the script said it; no two store into the same mailbox or redirect to the
    /// same address. Without any action the message is dropped: its owner's script said so.
    pub actions: Vec<Action>,
    /// Ids to remember for `duplicate`, once the actions are done (RFC 7352 §3).
    pub duplicates: Vec<Seen>,
    /// Why the script stopped half-way. The actions then are those of the scripts before it and a keep (RFC 5228
    /// §2.10.6).
    pub error: Option<RunError>,
    /// What was decided, in plain words and in order.
    pub trace: Vec<TraceLine>,
    /// Steps that the run took, of [`crate::Limits::steps`].
    pub steps: u64,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Store it where mail goes by default.
    Keep {
        /// The flags to store it with.
        flags: Flags,
        /// Whether nobody asked for it: the implicit keep (RFC 5228 §2.10.2).
        implicit: bool,
        /// See [`Header`].
        header: Header,
    },
    /// Store it in a mailbox. Where that can't be done, it must be kept by default (RFC 5228 §4.1).
    FileInto {
        /// The mailbox.
        mailbox: MailboxName,
        /// The flags to store it with.
        flags: Flags,
        /// Create the mailbox if it does not exist (RFC 5490 §3.2).
        create: bool,
        /// If a mailbox of this use exists, store it there instead (RFC 8579 §5).
        special_use: Option<SpecialUse>,
        /// See [`Header`].
        header: Header,
    },
    /// Send it on (RFC 5228 §4.2).
    Redirect {
        /// To whom.
        address: Address,
        /// See [`Header`].
        header: Header,
    },
    /// Refuse it: with a reply of SMTP where the peer still waits and `at_smtp` (`ereject`) wants it, else with a
    /// notice to the sender (RFC 5429). Nothing is stored then.
    Reject {
        /// The reason for the sender.
        reason: String,
        /// `ereject`: rather by a reply.
        at_smtp: bool,
    },
    /// Answer the sender, unless that was done a short while ago (RFC 5230).
    Vacation(Box<Vacation>),
    /// Tell somebody (RFC 5435, RFC 5436).
    Notify(Box<Notify>),
}

/// A header that the script changed (RFC 5293): it goes in front of the body instead of the message's own, its blank
/// line included. `None` where nothing was changed.
pub type Header = Option<Arc<[u8]>>;

/// A vacation reply. That it is fit to be sent is checked: the sender is no machine, the message no list's, and it
/// names one of the account's addresses (RFC 5230 §4.5, §4.6, RFC 3834 §2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vacation {
    /// The envelope's sender.
    pub to: Address,
    /// Who answers, if the script says so and it is one of the account's addresses.
    pub from: Option<Sender>,
    /// The subject, as text.
    pub subject: String,
    /// The text; with `mime` a MIME entity, its header included.
    pub reason: String,
    /// Whether `reason` is a MIME entity.
    pub mime: bool,
    /// Replies with the same handle to the same sender are one (RFC 5230 §4.2). A short text.
    pub handle: String,
    /// For how long the sender gets no other reply with this handle.
    pub seconds: u64,
    /// The message's Message-ID, for In-Reply-To.
    pub in_reply_to: Option<String>,
    /// The message's References and Message-ID, for References.
    pub references: Option<String>,
}

/// A sender as people see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// The name, as text.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

/// A notification by mail (RFC 5436). Its envelope's sender must be empty if the message's was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notify {
    /// To whom.
    pub recipients: Vec<Address>,
    /// Who sends it, if the script says so and it is one of the account's addresses.
    pub from: Option<Address>,
    /// 1 is high, 2 normal, 3 low.
    pub importance: u8,
    /// The subject, as text, one line.
    pub subject: String,
    /// The body; may be empty.
    pub body: String,
    /// Further header fields of the method's address, name and value, checked.
    pub fields: Vec<(String, String)>,
}

/// An id that `duplicate` is to remember.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The id.
    pub id: DuplicateId,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Whether that time begins anew if the id is remembered already (`:last`, RFC 7352 §3.3).
    pub renew: bool,
}

/// Why a script stopped half-way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunError {
    /// The script's name; empty for one that was given none.
    pub script: String,
    /// The line, from 1.
    pub line: u32,
    /// What went wrong, for the script's owner.
    pub message: String,
}

/// One line of the trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceLine {
    /// The script's name; empty for one that was given none.
    pub script: String,
    /// The line of the script, from 1; 0 where it is no line's doing.
    pub line: u32,
    /// What was decided.
    pub text: String,
}

/// As a script's owner reads it, on one line: `fileinto "Lists" (\Seen)`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Keep { flags, implicit, .. } => {
                f.write_str(if *implicit { "implicit keep" } else { "keep" })?;
                write_flags(f, flags)
            }
            Action::FileInto { mailbox, flags, create, special_use, .. } => {
                write!(f, "fileinto {:?}", mailbox.as_str())?;
                write_flags(f, flags)?;
                if let Some(special_use) = special_use {
                    write!(f, " :specialuse {}", special_use.attribute())?;
                }
                f.write_str(if *create { " :create" } else { "" })
            }
            Action::Redirect { address, .. } => write!(f, "redirect {address}"),
            Action::Reject { reason, at_smtp: false } => write!(f, "reject {reason:?}"),
            Action::Reject { reason, at_smtp: true } => write!(f, "ereject {reason:?}"),
            Action::Vacation(vacation) => {
                write!(
                    f,
                    "vacation {} {} s {:?} {:?}",
                    vacation.to, vacation.seconds, vacation.subject, vacation.reason
                )
            }
            Action::Notify(notify) => {
                let to: Vec<String> = notify.recipients.iter().map(Address::to_string).collect();
                write!(f, "notify {} {} {:?}", to.join(" "), notify.importance, notify.subject)
            }
        }
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, flags: &Flags) -> fmt::Result {
    let names: Vec<&str> = flags.names().collect();
    if names.is_empty() { Ok(()) } else { write!(f, " ({})", names.join(" ")) }
}
