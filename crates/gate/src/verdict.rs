//! What a check can say.

use base::Reply;
use std::fmt;
use wire::mime::PartId;

/// The row of docs/checklist.md that a check belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Item {
    /// Only the ports meant to be open, TLS everywhere.
    Ports,
    /// Malware, macros, hidden data.
    Malware,
    /// Spam and floods.
    Spam,
    /// File types.
    FileTypes,
    /// Salted attachment names.
    Attachments,
    /// No relaying.
    Relay,
    /// Sending limits, and sending as oneself.
    Sending,
    /// SPF, DKIM, DMARC.
    Identity,
    /// Trusted DNS.
    Dns,
    /// Reverse DNS.
    ReverseDns,
    /// What every mail server must see to: loops, sizes, structure.
    Hygiene,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Item::Ports => "ports",
            Item::Malware => "malware",
            Item::Spam => "spam",
            Item::FileTypes => "filetypes",
            Item::Attachments => "attachments",
            Item::Relay => "relay",
            Item::Sending => "sending",
            Item::Identity => "identity",
            Item::Dns => "dns",
            Item::ReverseDns => "rdns",
            Item::Hygiene => "hygiene",
        })
    }
}

/// What a check found: a precise private reason for log and trace, and a bland public one for the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The checklist row.
    pub item: Item,
    /// What was seen, for the administrator.
    pub what: String,
    /// What a stranger is told if this finding decides.
    pub reply: Reply,
}

impl Finding {
    /// A finding that never decides a reply by itself; the text is for log and trace.
    pub fn note(item: Item, what: impl Into<String>) -> Self {
        Finding { item, what: what.into(), reply: Reply::new(550, (5, 7, 1), "Message refused") }
    }

    /// A finding with the reply that a peer gets if it decides.
    pub fn new(item: Item, what: impl Into<String>, reply: Reply) -> Self {
        Finding { item, what: what.into(), reply }
    }
}

/// A check's answer. Later variants are worse; of several the worst wins, and all findings are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing to say.
    Pass,
    /// Worth knowing; changes nothing.
    Note(Finding),
    /// Goes to Junk.
    Junk(Finding),
    /// Goes on without this part.
    Strip(PartId, Finding),
    /// Goes to quarantine.
    Hold(Finding),
    /// Try again later: 4yz.
    Defer(Finding),
    /// No: 5yz.
    Refuse(Finding),
}

impl Verdict {
    /// Its place in the order from `Pass` to `Refuse`.
    pub fn severity(&self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Note(_) => 1,
            Verdict::Junk(_) => 2,
            Verdict::Strip(..) => 3,
            Verdict::Hold(_) => 4,
            Verdict::Defer(_) => 5,
            Verdict::Refuse(_) => 6,
        }
    }

    /// The finding, unless there was nothing to say.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Verdict::Pass => None,
            Verdict::Note(f) | Verdict::Junk(f) | Verdict::Strip(_, f) => Some(f),
            Verdict::Hold(f) | Verdict::Defer(f) | Verdict::Refuse(f) => Some(f),
        }
    }

    /// The reply that turns the peer away, if this verdict does.
    pub fn turns_away(&self) -> Option<&Reply> {
        match self {
            Verdict::Defer(finding) | Verdict::Refuse(finding) => Some(&finding.reply),
            _ => None,
        }
    }

    /// In one word, for log and trace.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Note(_) => "note",
            Verdict::Junk(_) => "junk",
            Verdict::Strip(..) => "strip",
            Verdict::Hold(_) => "hold",
            Verdict::Defer(_) => "defer",
            Verdict::Refuse(_) => "refuse",
        }
    }
}
