//! The trait of all checks.

use crate::{Item, Verdict};
use base::BoxFuture;

/// A stage of judging, with what its checks get to see.
pub trait Stage: 'static {
    /// What is known at this stage.
    type Evidence<'e>: Sync;
    /// Its name in log and trace.
    const NAME: &'static str;
}

/// One check of a stage. It looks and answers; it changes nothing.
pub trait Check<S: Stage>: Send + Sync {
    /// The checklist row it belongs to.
    fn item(&self) -> Item;

    /// What counts when it can't decide: whether it fails open or closed is said here, once.
    fn if_unsure(&self) -> Verdict;

    /// Judges.
    fn judge<'a>(&'a self, evidence: &'a S::Evidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>>;
}

/// A check could not decide: a look-up timed out, a budget ran out. The reason is for log and trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsure(pub String);
