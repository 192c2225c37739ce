//! What the server writes itself, as mail that the gate takes.

use base::{Limits, ReversePath, Timestamp, TraceId};
use gate::Spooled;
use std::sync::Arc;
use wire::dsn::Composed;
use wire::mime::Tree;

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
