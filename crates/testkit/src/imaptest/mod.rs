//! An interpreter for the scripted IMAP tests of `shared/suites/imaptest` (their format: `scripted_test.md` there).
//!
//! A script is parsed into steps ([`script`]), each is played against a live server ([`play`]), and what the server
//! said is compared as trees of tokens with variables in between ([`value`]).

pub mod play;
pub mod script;
pub mod value;

pub use play::{Outcome, Server, run};
pub use script::Script;

#[cfg(test)]
mod tests;
