//! Tests of the whole server: layering, and the running binary against suites, clients and crashes.

// Tests say what went wrong by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod layers;
