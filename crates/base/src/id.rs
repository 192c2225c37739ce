//! Identifiers. Each is a type of its own, so that a UID can't be taken for a message's id.

use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(/** An account of this server; never given again. */ AccountId(u64));
number_id!(/** A mail domain of this server: the trust domain within which attachments are deduplicated. */ DomainId(u64));
number_id!(/** A group or mailing list of this server; never given again. */ ListId(u64));
number_id!(/** A member of one; never given again. */ MemberId(u64));
number_id!(/** A mailbox; never given again, not even after a mailbox of the same name is made anew (RFC 8474 §4). */ MailboxId(u64));
number_id!(/** A message's content, shared by its copies in several mailboxes: IMAP's EMAILID (RFC 8474 §5.1). */ MailId(u64));
number_id!(/** A thread: IMAP's THREADID (RFC 8474 §5.2). */ ThreadId(u64));
number_id!(/** A message's number in one mailbox, never given again (RFC 9051 §2.3.1.1). Never 0. */ Uid(u32));
number_id!(/** Tells a client whether the UIDs it knows still mean the same messages (RFC 9051 §2.3.1.1). Never 0. */ UidValidity(u32));
number_id!(/** A place in an account's change log (RFC 7162 §3.1). Never 0; at most 2^63 - 1. */ ModSeq(u64));

/// The one id that follows a message from connection to mailbox, in logs, in `Received` and in the queue.
///
/// 48 bits of time, so that what is kept by it lies in the order in which it came, and 80 random bits; printed as 26
/// lower-case letters and digits, so it can be read aloud and pasted anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub u128);

impl TraceId {
    /// An id made at a time, in milliseconds since 1970. Of `random` the lower 80 bits count.
    pub fn at(milliseconds: i64, random: u128) -> Self {
        let time = u128::try_from(milliseconds).unwrap_or(0) & ((1 << 48) - 1);
        TraceId(time << 80 | random & ((1 << 80) - 1))
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..26).rev().try_for_each(|place| {
            let digit = (self.0 >> (place * 5)) & 31;
            fmt::Write::write_char(f, CROCKFORD[digit as usize] as char)
        })
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for TraceId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 26 {
            return Err(());
        }
        text.bytes()
            .try_fold(0u128, |sum, byte| {
                let digit = CROCKFORD.iter().position(|c| *c == byte.to_ascii_lowercase())?;
                sum.checked_mul(32)?.checked_add(digit as u128)
            })
            .map(TraceId)
            .ok_or(())
    }
}
