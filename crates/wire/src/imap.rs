//! The server's side of IMAP: RFC 9051 and RFC 3501 together, with the extensions that Mailward serves.
//!
//! How a session uses it:
//!
//! 1. [`Framer`] gathers a whole command out of octets, and streams the messages of APPEND.
//! 2. [`command::parse`] turns a command into a [`Command`]; nothing is half-parsed.
//! 3. [`print`] appends responses to a buffer, piece by piece.

pub mod command;
pub mod framer;
pub mod print;
pub mod response;
pub mod utf7;

pub use command::{Command, CommandBody, ParseError};
pub use framer::{Announced, Event, Framer};
pub use response::{Code, Status};

#[cfg(test)]
mod oracle;
