//! The mail-security checklist as checks, in the order in which they are asked.
//!
//! A check looks and answers; `gate` turns a stage's answers into a ruling, and `server` acts on it.

mod hygiene;
mod recipients;
mod record;
mod sending;

use base::Limits;
use gate::{Check, Content, Item, Peer, Recipient, Sender};
use hygiene::sure;

/// The checks of every stage.
pub struct Checks {
    /// Asked when a peer connects.
    pub peer: Vec<Box<dyn Check<Peer>>>,
    /// Asked for each reverse-path.
    pub sender: Vec<Box<dyn Check<Sender>>>,
    /// Asked for each recipient.
    pub recipient: Vec<Box<dyn Check<Recipient>>>,
    /// Asked for each message.
    pub content: Vec<Box<dyn Check<Content>>>,
}

/// How the checks behave.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Named bounds.
    pub limits: Limits,
    /// Content verdicts are only recorded, for measurements on old corpora: relaying and sending rules still hold.
    pub record_only: bool,
}

impl Checks {
    /// Every check that there is: all are on by default.
    pub fn new(settings: &Settings) -> Self {
        let hops = settings.limits.received_fields;
        let content = vec![
            sure(Item::Hygiene, move |asked| hygiene::no_loop(asked, hops)),
            sure(Item::Hygiene, hygiene::header_size),
            sure(Item::Hygiene, hygiene::header_lines),
            sure(Item::Identity, hygiene::one_from),
        ];
        let recorded = |check| -> Box<dyn Check<Content>> { Box::new(record::Recorded(check)) };
        let mut content: Vec<_> = match settings.record_only {
            true => content.into_iter().map(recorded).collect(),
            false => content,
        };
        content.push(Box::new(sending::OwnFrom));
        Checks {
            peer: Vec::new(),
            sender: vec![Box::new(sending::OwnReversePath)],
            recipient: vec![
                Box::new(recipients::Relay),
                Box::new(recipients::Returned),
                Box::new(recipients::Known),
                Box::new(recipients::Ready),
            ],
            content,
        }
    }
}

#[cfg(test)]
mod tests;
