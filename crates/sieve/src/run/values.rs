//! Texts of a script while it runs: variables filled in, compared, and paid for.

use super::{Checked, Run};
use crate::compare::{Found, Key, MatchType, Matching, Pattern, Value, cut};
use crate::glob::Work;
use crate::text::{MAX_MATCH, Piece, Text, Variable};

impl Run<'_> {
    /// Takes steps from the run's budget.
    pub(super) fn charge(&self, steps: u64) -> Checked<()> {
        self.steps.set(self.steps.get().saturating_add(steps));
        if self.steps.get() <= self.limits.steps {
            return Ok(());
        }
        Err(format!("the script takes too long: {} steps at most", self.limits.steps))
    }

    /// The string with its variables filled in; too long ones are cut. Costs by its length.
    pub(super) fn expand(&self, text: &Text) -> Checked<String> {
        let out = match text {
            Text::Constant(text) => text.to_string(),
            Text::Pieces(pieces) => {
                let mut out = String::new();
                for piece in pieces {
                    let text = match piece {
                        Piece::Literal(text) => text,
                        Piece::Variable(variable) => self.get(variable),
                    };
                    out.push_str(cut(text, self.limits.string_octets.saturating_sub(out.len())));
                }
                out
            }
        };
        self.charge(out.len() as u64 / OCTETS_FILLED_PER_STEP)?;
        Ok(out)
    }

    pub(super) fn expand_optional(&self, text: Option<&Text>) -> Checked<Option<String>> {
        text.map(|text| self.expand(text)).transpose()
    }

    pub(super) fn expand_all(&self, texts: &[Text]) -> Checked<Vec<String>> {
        self.charge(texts.len() as u64)?;
        texts.iter().map(|text| self.expand(text)).collect()
    }

    /// What asking the host costs: it may look into its database.
    pub(super) fn charge_question(&self) -> Checked<()> {
        self.charge(STEPS_PER_QUESTION)
    }

    pub(super) fn get(&self, variable: &Variable) -> &str {
        let value = match variable {
            Variable::Local(number) => self.frame.locals.get(usize::from(*number)),
            Variable::Global(name) => self.globals.get(name),
            Variable::Match(number) => self.frame.matched.get(usize::from(*number)),
        };
        value.map_or("", String::as_str)
    }

    /// RFC 5229 §6: a value that is too long is cut, which is no error.
    pub(super) fn set(&mut self, variable: &Variable, value: &str) {
        let value = cut(value, self.limits.variable_octets).to_owned();
        match variable {
            Variable::Local(number) => {
                if let Some(local) = self.frame.locals.get_mut(usize::from(*number)) {
                    *local = value;
                }
            }
            Variable::Global(name) => {
                if self.globals.len() < self.limits.variables || self.globals.contains_key(name) {
                    self.globals.insert(name.clone(), value);
                }
            }
            Variable::Match(_) => {}
        }
    }

    /// Compares a value with the keys until one matches. With `capture`, what the wildcards stand for comes with it.
    pub(super) fn compare(&self, value: &Value, matching: &Matching, capture: bool) -> Checked<Found> {
        let left = self.limits.steps.saturating_sub(self.steps.get());
        let mut work = Work::allow(left.saturating_mul(OCTETS_PER_STEP));
        let capture = capture && self.frame.captures;
        let mut found = Found::No;
        for key in &matching.keys {
            let made;
            let pattern = match key {
                Key::Ready(pattern) => pattern,
                Key::Text(text) => {
                    let text = self.expand(text)?;
                    work.add(making_work(matching.match_type, text.len()));
                    made = Pattern::new(&text, matching.match_type, matching.comparator, self.limits)?;
                    &made
                }
            };
            found = pattern.test(value, matching, capture, self.limits, &mut work);
            if work.is_over() || found.is_match() {
                break;
            }
        }
        self.charge(work.done() / OCTETS_PER_STEP + u64::from(work.is_over()))?;
        Ok(found)
    }

    /// Takes what a test found: the match variables change if it matched.
    pub(super) fn settle(&mut self, found: Found) -> bool {
        let is_match = found.is_match();
        if let Found::Captured(matched) = found {
            let most = usize::from(MAX_MATCH) + 1;
            let octets = self.limits.variable_octets;
            self.frame.matched =
                matched.into_iter().take(most).map(|text| cut(&text, octets).to_owned()).collect();
        }
        is_match
    }
}

/// Octets that are compared in the time of one step.
const OCTETS_PER_STEP: u64 = 64;
/// Octets that are filled into strings, kept and looked through, likewise.
const OCTETS_FILLED_PER_STEP: u64 = 16;
/// Steps that a question to the host costs.
const STEPS_PER_QUESTION: u64 = 100;

/// What a key costs that is made ready while the script runs, in octets that are compared. A regular expression of few
/// octets may become a large machine.
fn making_work(match_type: MatchType, octets: usize) -> usize {
    const REGEX: usize = 256 * 1024;
    let fixed = if match_type == MatchType::Regex { REGEX } else { 0 };
    fixed + octets.saturating_mul(8)
}
