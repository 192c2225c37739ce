//! The security checklist as checks: relay, senders, loops, limits.
