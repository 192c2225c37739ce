//! Fakes and players for the tests of every crate.

// Tests say what went wrong by panicking, and index what they made themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod imaptest;
pub mod mailstore;
pub mod scripts;
