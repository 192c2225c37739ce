//! Randomness from the operating system.

use base::TraceId;
use std::time::{SystemTime, UNIX_EPOCH};

/// Octets that nobody can guess.
pub fn octets<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    // It fails only where the kernel gives no randomness at all: nothing that needs a secret can go on then.
    if aws_lc_rs::rand::fill(&mut out).is_err() {
        std::process::abort();
    }
    out
}

/// A number from 0 up to 1.
pub fn fraction() -> f64 {
    f64::from(u32::from_be_bytes(octets())) / f64::from(u32::MAX)
}

/// A new id for a message or a connection.
pub fn trace_id() -> TraceId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TraceId::at(i64::try_from(now.as_millis()).unwrap_or(i64::MAX), u128::from_be_bytes(octets()))
}
