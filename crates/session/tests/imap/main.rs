//! IMAP dialogues against the fake store: scenes as text, imaptest's scripts, and input that means no good.

mod driver;
mod hostile;
mod model;
mod scenes;
mod suite;
