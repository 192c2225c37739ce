//! The stages and what is known at each.

use crate::{Destination, Origin, Spooled, Stage};
use base::{Address, ReversePath};
use std::net::IpAddr;

/// Who connected.
pub struct Peer;
/// What it says it sends from.
pub struct Sender;
/// One recipient.
pub struct Recipient;
/// The message itself.
pub struct Content;

impl Stage for Peer {
    type Evidence<'e> = PeerEvidence;
    const NAME: &'static str = "peer";
}

impl Stage for Sender {
    type Evidence<'e> = SenderEvidence<'e>;
    const NAME: &'static str = "sender";
}

impl Stage for Recipient {
    type Evidence<'e> = RecipientEvidence<'e>;
    const NAME: &'static str = "recipient";
}

impl Stage for Content {
    type Evidence<'e> = ContentEvidence<'e>;
    const NAME: &'static str = "content";
}

/// What is known of a peer when it connects.
#[derive(Clone, Debug)]
pub struct PeerEvidence {
    /// Its address.
    pub ip: IpAddr,
    /// The road it comes by.
    pub origin: Origin,
}

/// What is known when a reverse-path was given.
pub struct SenderEvidence<'e> {
    /// The peer.
    pub peer: &'e PeerEvidence,
    /// What it called itself.
    pub helo: &'e str,
    /// The account it is logged in as, and the addresses which that account may send from.
    pub account: Option<&'e (dyn Fn(&Address) -> bool + Sync)>,
    /// The reverse-path.
    pub reverse_path: &'e ReversePath,
}

/// What is known when a recipient was given.
pub struct RecipientEvidence<'e> {
    /// The peer.
    pub peer: &'e PeerEvidence,
    /// Whether it is logged in.
    pub authenticated: bool,
    /// The reverse-path.
    pub reverse_path: &'e ReversePath,
    /// The recipient as given.
    pub recipient: &'e Address,
    /// Where mail for it goes.
    pub destination: &'e Destination,
}

/// What is known when the message is there.
pub struct ContentEvidence<'e> {
    /// The peer; none where the mail came from inside.
    pub peer: Option<&'e PeerEvidence>,
    /// The road.
    pub origin: Origin,
    /// The addresses which the logged-in account may send from.
    pub account: Option<&'e (dyn Fn(&Address) -> bool + Sync)>,
    /// The message.
    pub mail: &'e Spooled,
}
