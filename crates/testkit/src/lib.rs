//! Fakes and players for the tests of every crate.
