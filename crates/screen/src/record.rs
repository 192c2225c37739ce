//! A check whose verdict is recorded and not acted on.

use base::BoxFuture;
use gate::{Check, Item, Stage, Unsure, Verdict};

/// Turns every verdict of the inner check into a note.
pub struct Recorded<S: Stage>(pub Box<dyn Check<S>>);

impl<S: Stage> Check<S> for Recorded<S> {
    fn item(&self) -> Item {
        self.0.item()
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, evidence: &'a S::Evidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        let inner = self.0.judge(evidence);
        Box::pin(async move {
            let verdict = inner.await?;
            Ok(verdict.finding().cloned().map_or(Verdict::Pass, Verdict::Note))
        })
    }
}
