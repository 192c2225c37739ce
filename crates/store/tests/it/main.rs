//! One suite for every engine: it knows `Store` only, and runs for each engine that there is.

mod accept;
mod changes;
mod concurrency;
mod crash;
mod directory;
mod house;
mod mailboxes;
mod rig;
mod search;
