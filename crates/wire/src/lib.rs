//! Parse and print: SMTP, IMAP, POP3, SASL and MIME.

pub mod mime;
pub mod sasl;
