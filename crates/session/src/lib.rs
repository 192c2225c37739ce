//! Protocol state machines without I/O: SMTP, IMAP, POP3.

pub mod mailstore;
pub mod sasl;
