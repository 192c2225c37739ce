//! Counting what peers do, behind a trait, so that checks can be tried on a table.

use std::time::Duration;

/// Counts events by key within a window: connections of an address block, mail of an account, failed log-ins.
///
/// Memory is bounded by the implementation: when full, the oldest keys are forgotten.
pub trait Counters: Send + Sync {
    /// Adds `by` to `key`'s count and gives the sum within the last `window`, the new events included.
    fn add(&self, key: &str, by: u64, window: Duration) -> u64;

    /// `key`'s count within the last `window`, adding nothing.
    fn get(&self, key: &str, window: Duration) -> u64;
}
