//! Protocol state machines without I/O: SMTP, IMAP, POP3, ManageSieve.

pub mod imap;
pub mod mail_session;
pub mod mailstore;
pub mod managesieve;
pub mod pop3;
pub mod sasl;
pub mod scripts;
pub mod smtp;
