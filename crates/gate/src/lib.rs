//! The one door to the store. Nothing reaches a mailbox or the queue except as [`Screened`], with a ruling of
//! every stage.
//!
//! A [`Check`] looks at the evidence of its stage and answers with a [`Verdict`]; it acts on nothing. A
//! [`Ruling`] is what a stage's whole list of checks found; it is made only by running them (or by the origin of
//! the mail, where a stage does not apply), so nobody can write one by hand. [`Rulings`] has one field a stage and
//! no default: forgetting a stage does not compile.

mod check;
mod evidence;
mod mail;
mod ruling;
mod verdict;

pub use check::{Check, Stage, Unsure};
pub use evidence::{
    Content, ContentEvidence, Peer, PeerEvidence, Recipient, RecipientEvidence, Sender, SenderEvidence,
};
pub use mail::{Came, Delivery, Destination, Folder, LocalTarget, Origin, Screened, Spooled};
pub use ruling::{Ruling, Rulings};
pub use verdict::{Finding, Item, Verdict};

#[cfg(test)]
mod tests;
