//! A stage's outcome, and all of them together.

use crate::{
    Check, Content, Delivery, Finding, Item, Origin, Peer, Recipient, Screened, Sender, Spooled, Stage,
    Verdict,
};
use base::Reply;
use std::marker::PhantomData;

/// What a stage's checks found, all of it. Made only by running them, or for an origin they don't apply to.
pub struct Ruling<S> {
    verdicts: Vec<Verdict>,
    unsure: Vec<(Item, String)>,
    not_applicable: Option<Origin>,
    stage: PhantomData<fn() -> S>,
}

impl<S> Clone for Ruling<S> {
    fn clone(&self) -> Self {
        Ruling {
            verdicts: self.verdicts.clone(),
            unsure: self.unsure.clone(),
            not_applicable: self.not_applicable,
            stage: PhantomData,
        }
    }
}

impl<S: Stage> Ruling<S> {
    /// Runs the stage's checks in order, stopping after one that turns the peer away.
    pub async fn of(checks: &[Box<dyn Check<S>>], evidence: &S::Evidence<'_>) -> Self {
        let mut ruling =
            Ruling { verdicts: Vec::new(), unsure: Vec::new(), not_applicable: None, stage: PhantomData };
        for check in checks {
            let verdict = match check.judge(evidence).await {
                Ok(verdict) => verdict,
                Err(unsure) => {
                    ruling.unsure.push((check.item(), unsure.0));
                    check.if_unsure()
                }
            };
            let last = verdict.turns_away().is_some();
            if verdict != Verdict::Pass {
                ruling.verdicts.push(verdict);
            }
            if last {
                break;
            }
        }
        ruling
    }

    /// The ruling of a stage that mail of this origin has no part in: an APPEND has no peer's reverse-path.
    pub fn not_applicable(origin: Origin) -> Self {
        Ruling { verdicts: Vec::new(), unsure: Vec::new(), not_applicable: Some(origin), stage: PhantomData }
    }

    /// The same findings, all as notes: content checks on APPEND and import never refuse or move, since a client's
    /// draft must stay; they hold again when the mail leaves.
    #[must_use]
    pub fn only_noted(mut self) -> Self {
        for verdict in &mut self.verdicts {
            if let Some(finding) = verdict.finding().cloned() {
                *verdict = Verdict::Note(finding);
            }
        }
        self
    }

    /// The worst verdict.
    pub fn verdict(&self) -> &Verdict {
        // `max_by_key` would give the last of equals; the first one found is the reason.
        self.verdicts.iter().rev().max_by_key(|v| v.severity()).unwrap_or(&Verdict::Pass)
    }

    /// The reply that turns the peer away, if the worst verdict does.
    pub fn turns_away(&self) -> Option<&Reply> {
        self.verdict().turns_away()
    }

    /// Every finding with its verdict's word.
    pub fn findings(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        self.verdicts.iter().filter_map(|v| v.finding().map(|f| (v.word(), f)))
    }

    /// Checks that could not decide, with why.
    pub fn unsure(&self) -> &[(Item, String)] {
        &self.unsure
    }

    /// The origin that this stage does not apply to, if so.
    pub fn skipped_for(&self) -> Option<Origin> {
        self.not_applicable
    }

    /// One line for the trace: `content: junk spam (…)`, empty where there is nothing to say.
    pub fn trace(&self) -> String {
        let mut parts: Vec<String> =
            self.findings().map(|(word, f)| format!("{word} {} ({})", f.item, f.what)).collect();
        parts.extend(self.unsure.iter().map(|(item, why)| format!("unsure {item} ({why})")));
        if let Some(origin) = self.not_applicable {
            parts.push(format!("not applicable to {origin}"));
        }
        if parts.is_empty() { String::new() } else { format!("{}: {}", S::NAME, parts.join(", ")) }
    }
}

/// A message's rulings, a field a stage. There is no default: a stage that was forgotten does not compile.
pub struct Rulings {
    /// Of who connected.
    pub peer: Ruling<Peer>,
    /// Of the reverse-path.
    pub sender: Ruling<Sender>,
    /// Of each accepted recipient, with where its mail goes.
    pub recipients: Vec<(Delivery, Ruling<Recipient>)>,
    /// Of the content, once for each recipient, or once for all.
    pub content: Vec<Ruling<Content>>,
}

impl Rulings {
    /// Opens the door, or says with which reply it stays shut.
    ///
    /// DATA has one reply: it refuses only if every recipient's ruling refuses. Otherwise a recipient whose ruling
    /// refuses gets a quarantine entry in place of a delivery.
    pub fn seal(self, mail: Spooled) -> Result<Screened, Reply> {
        if let Some(reply) = self.peer.turns_away().or(self.sender.turns_away()) {
            return Err(reply.clone());
        }
        if self.content.is_empty() || self.recipients.is_empty() {
            return Err(Reply::new(554, (5, 5, 1), "No valid recipients"));
        }
        let one_for_all = self.content.len() == 1;
        let mut refusal = None;
        let mut delivered = 0;
        let deliveries: Vec<Delivery> = self
            .recipients
            .iter()
            .enumerate()
            .map(|(number, (delivery, ruling))| {
                let content = self.content.get(if one_for_all { 0 } else { number }).or(self.content.first());
                let worst = [Some(ruling.verdict()), content.map(Ruling::verdict)];
                let worst =
                    worst.into_iter().flatten().max_by_key(|v| v.severity()).unwrap_or(&Verdict::Pass);
                if let Some(reply) = worst.turns_away() {
                    refusal.get_or_insert_with(|| reply.clone());
                } else {
                    delivered += 1;
                }
                delivery.judged(worst)
            })
            .collect();
        match refusal {
            Some(reply) if delivered == 0 => Err(reply),
            _ => Ok(Screened::new(mail, deliveries, self.peer.skipped_for(), self.trace())),
        }
    }

    fn trace(&self) -> Vec<String> {
        let mut lines = vec![self.peer.trace(), self.sender.trace()];
        lines.extend(self.recipients.iter().map(|(_, ruling)| ruling.trace()));
        lines.extend(self.content.iter().map(Ruling::trace));
        lines.retain(|line| !line.is_empty());
        lines
    }
}
