//! One suite for every engine: it knows `Store` only, and runs for each engine that there is.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accept;
mod annotations;
mod changes;
mod concurrency;
mod crash;
mod directory;
mod house;
mod keeping;
mod lists;
mod mailboxes;
mod memory;
mod queue;
mod replace;
mod rig;
mod scripts;
mod search;
mod sharing;
mod story;
mod tampering;
mod url_key;
