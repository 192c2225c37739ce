//! Sockets: listeners, TLS, timeouts, the DNS resolver.
//!
//! [`Listener`] lets peers in as far as [`Admission`] allows, [`Connection`] is one of them, in the clear or inside
//! TLS, compressed or not, and [`Tls`] holds the certificates. Protocols live elsewhere: nothing here reads what it carries.

pub mod admission;
pub mod connection;
mod deflate;
pub mod dns;
pub mod listener;
pub mod tls;

pub use admission::{Admission, Block, Full, Most, Permit};
pub use connection::{Connection, TlsInfo};
pub use dns::HickoryResolver;
pub use listener::{Accepted, Listener, Refused, listen};
pub use tls::{Authenticated, Protocol, Tls, TlsClient};

#[cfg(test)]
mod tests;
