//! What the server writes itself, as mail that the gate takes.

use base::{Address, Domain, Limits, ReversePath, Timestamp, TraceId};
use gate::Spooled;
use std::sync::Arc;
use wire::dsn::Composed;
use wire::mime::Tree;

/// A mail of plain text to a person, which no machine is to answer (RFC 3834 §5).
pub struct Letter<'a> {
    /// From whom, as the field has it.
    pub from: String,
    /// To whom.
    pub to: &'a Address,
    /// What about, in ASCII unless the recipient's address is not.
    pub subject: String,
    /// Its lines, CRLF between them.
    pub text: String,
}

impl Letter<'_> {
    /// The letter as mail from this host.
    pub fn spooled(&self, host: &Domain) -> Spooled {
        let (trace, date) = (crate::random::trace_id(), Timestamp::now().rfc5322());
        let Letter { from, to, subject, text } = self;
        let octets = format!(
            "From: {from}\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{trace}@{host}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
        );
        let composed = Composed { octets: octets.into_bytes(), smtputf8: to.needs_utf8() };
        spooled(&composed, ReversePath::Null, trace)
    }
}

/// A composed mail with its reverse-path, as what was received has it.
pub fn spooled(composed: &Composed, reverse_path: ReversePath, trace: TraceId) -> Spooled {
    let octets = [format!("Return-Path: <{reverse_path}>\r\n").as_bytes(), &composed.octets].concat();
    Spooled {
        trace,
        reverse_path,
        tree: Arc::new(Tree::parse(&octets, &Limits::default())),
        octets: Arc::new(octets),
        received: Timestamp::now(),
        smtputf8: composed.smtputf8,
    }
}
