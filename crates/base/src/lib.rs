//! What every layer of Mailward speaks of: addresses, ids, replies, secrets, limits and time, and the traits
//! that fakes stand in for in tests. No I/O, no protocol, no heavy dependency.

pub mod address;
pub mod annotation;
pub mod counters;
pub mod dns;
pub mod id;
pub mod limits;
pub mod mail;
pub mod mailbox;
pub mod octets;
pub mod reply;
pub mod rights;
pub mod script;
pub mod secret;
pub mod time;

pub use address::{Address, AddressError, Domain, LocalPart, ReversePath};
pub use annotation::{Annotation, EntryName};
pub use counters::Counters;
pub use dns::{Answer, DnsError, Resolver, Trust};
pub use id::{
    AccountId, DomainId, ListId, MailId, MailboxId, MemberId, ModSeq, ThreadId, TraceId, Uid, UidValidity,
};
pub use limits::Limits;
pub use mail::{Flag, Flags, Keyword, MailboxName, SpecialUse};
pub use octets::Octets;
pub use reply::Reply;
pub use rights::Rights;
pub use secret::Secret;
pub use time::Timestamp;

/// A boxed future, as traits that are used through `dyn` return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
