//! Parse and print: SMTP, IMAP, POP3, ManageSieve, SASL and MIME.

pub mod dsn;
pub mod imap;
pub mod managesieve;
pub mod mime;
pub mod pop3;
pub mod sasl;
pub mod smtp;
