//! Mailward: a secure mail server in one binary.
fn main() {}
