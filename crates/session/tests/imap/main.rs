//! IMAP dialogues against the fake store: scenes as text, imaptest's scripts, and input that means no good.

// Tests say what went wrong by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod driver;
mod hostile;
mod model;
mod scenes;
mod suite;
mod urlauth;
