//! What became of each figure since the baseline: better, worse, changed, gone. Owns the judgement,
//! not its words and not its reasons.

use std::collections::BTreeSet;

use serde::Serialize;

use super::baseline::Baseline;
use super::figures::{Figures, Key, Thousandths, Value};
use super::metric::Better;
use super::tolerance::Tolerance;

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It moved the wrong way, beyond its tolerance.
    Worse,
    /// It moved, beyond its tolerance, and no way is better.
    Changed,
    /// It was there, and is not any more.
    Gone,
    /// It moved the right way, beyond its tolerance.
    Better,
    /// It was not there.
    New,
    /// It moved, within its tolerance.
    Within,
    /// It is what it was.
    Same,
}

impl Outcome {
    /// Whether the gate fails for it.
    pub fn fails(self) -> bool {
        matches!(self, Self::Worse | Self::Changed | Self::Gone)
    }

    /// Whether it is worth a line: beyond its tolerance, one way or the other.
    pub fn stands_out(self) -> bool {
        !matches!(self, Self::Within | Self::Same)
    }

    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Better => "better",
            Self::New => "new",
            Self::Within => "within",
            Self::Same => "same",
        }
    }
}

/// A figure then and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub key: Key,
    /// What the baseline says.
    pub before: Option<Value>,
    /// What it is now.
    pub now: Option<Value>,
    /// How far it may move.
    pub tolerance: Tolerance,
    /// What became of it.
    pub outcome: Outcome,
}

impl Finding {
    /// Both as numbers.
    pub fn numbers(&self) -> Option<(Thousandths, Thousandths)> {
        match (&self.before, &self.now) {
            (Some(Value::Number(before)), Some(Value::Number(now))) => Some((*before, *now)),
            _ => None,
        }
    }

    /// How far it moved, as a share of what it was; without end when it was nothing.
    pub fn share(&self) -> f64 {
        match self.numbers() {
            Some((before, now)) if before == now => 0.0,
            Some((before, now)) => (now.as_f64() - before.as_f64()) / before.as_f64(),
            None => f64::INFINITY,
        }
    }
}

/// How all of them came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing stands out.
    Pass,
    /// Nothing is worse; something is better or new, which `--update` would keep.
    Better,
    /// Something is worse, changed or gone.
    Fail,
}

/// Every figure of the baseline and of now, in the order of the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// One a figure.
    pub findings: Vec<Finding>,
}

impl Comparison {
    /// Compares `now` with the baseline.
    pub fn of(baseline: &Baseline, now: &Figures) -> Self {
        let keys: BTreeSet<&Key> = baseline.figures.keys().chain(now.keys()).collect();
        let finding = |key: &Key| {
            let zero = || key.metric.is_counter().then_some(Value::Number(Thousandths(0)));
            let before = baseline.figures.get(key).cloned().or_else(zero);
            let now = now.get(key).cloned().or_else(zero);
            let tolerance = baseline.tolerance(key);
            let outcome = outcome(key, before.as_ref(), now.as_ref(), tolerance);
            Finding { key: key.clone(), before, now, tolerance, outcome }
        };
        Self { findings: keys.into_iter().map(finding).collect() }
    }

    /// How all of them came out.
    pub fn verdict(&self) -> Verdict {
        let mut outcomes = self.findings.iter().map(|finding| finding.outcome);
        if outcomes.clone().any(Outcome::fails) {
            Verdict::Fail
        } else if outcomes.any(Outcome::stands_out) {
            Verdict::Better
        } else {
            Verdict::Pass
        }
    }

    /// The findings that came out like this.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.outcome == outcome)
    }

    /// The architectures, in the order of the baseline.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.findings.iter().map(|finding| finding.key.scope.as_str()).collect();
        scopes.dedup();
        scopes
    }

    /// The findings of an architecture that stand out: what fails first, then by how far they moved.
    pub fn standing_out(&self, scope: &str) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self
            .findings
            .iter()
            .filter(|finding| finding.key.scope == scope && finding.outcome.stands_out())
            .collect();
        findings.sort_by(|a, b| {
            let distance = b.share().abs().total_cmp(&a.share().abs());
            a.outcome.cmp(&b.outcome).then(distance).then_with(|| a.key.cmp(&b.key))
        });
        findings
    }
}

fn outcome(key: &Key, before: Option<&Value>, now: Option<&Value>, tolerance: Tolerance) -> Outcome {
    match (before, now) {
        (before, now) if before == now => Outcome::Same,
        _ if tolerance == Tolerance::Any => Outcome::Within,
        (None, _) => Outcome::New,
        (_, None) => Outcome::Gone,
        (Some(Value::Number(before)), Some(Value::Number(now))) => {
            let rises = now > before;
            match key.metric.better() {
                _ if tolerance.allows(*before, *now) => Outcome::Within,
                Better::Neither => Outcome::Changed,
                Better::Less if rises => Outcome::Worse,
                Better::More if !rises => Outcome::Worse,
                Better::Less | Better::More => Outcome::Better,
            }
        }
        _ => Outcome::Changed,
    }
}
