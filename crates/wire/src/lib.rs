//! Parse and print: SMTP, IMAP, POP3, SASL and MIME.
