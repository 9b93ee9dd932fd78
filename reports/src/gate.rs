//! The gate: the figures of a run against those that were accepted. Owns the order of things; reads
//! no files and runs nothing.
//!
//! | module | owns |
//! |---|---|
//! | [`figures`] | which figures a run has, and their names |
//! | [`metric`] | the metrics: units, which way is worse |
//! | [`tolerance`] | how far a figure may move |
//! | [`baseline`] | the text that is reviewed, both ways |
//! | [`compare`] | what became of each figure |
//! | [`explain`] | where it came from |
//! | `table`, `markdown`, `annotations`, `junit`, `json` | one way of saying it each |

mod annotations;
pub mod baseline;
pub mod compare;
pub mod explain;
pub mod figures;
mod json;
mod junit;
mod markdown;
pub mod metric;
mod table;
pub mod tolerance;
mod words;

use std::collections::BTreeMap;

use baseline::{Baseline, Origin, Read};
use compare::{Comparison, Finding, Verdict};
use explain::Reasons;
use figures::Figures;
use hoplab_sim::figures::{Figure, Subject};
use hoplab_sim::record::{Outcome, Record};

use crate::table::Look;

/// How the gate came out, with all that its readers may ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What was compared: the scenario's name, or the path of the figures.
    pub subject: String,
    /// The path of the baseline.
    pub path: String,
    /// The command that accepts what is now.
    pub accept: String,
    /// Every figure, then and now.
    pub comparison: Comparison,
    /// The expectations of the run: architecture, text, what was seen, how it came out.
    pub expectations: Vec<Expected>,
    reasons: BTreeMap<String, Reasons>,
    lines: BTreeMap<figures::Key, usize>,
}

/// An expectation and how it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The architecture.
    pub scope: String,
    /// What was expected.
    pub text: String,
    /// What was seen, and what it would take to judge it.
    pub seen: String,
    /// Whether it holds, fails, or cannot be judged.
    pub outcome: Outcome,
}

impl Expected {
    /// How it came out, where it does not hold: `unmet`, `cannot be judged`.
    fn trouble(&self) -> &'static str {
        if self.outcome == Outcome::Fails { "unmet" } else { Outcome::CannotBeJudged.name() }
    }
}

impl Gate {
    /// Compares `now` with what was read from `path`.
    pub fn new(subject: &str, path: &str, accept: &str, read: &Read, now: &Figures) -> Self {
        let comparison = Comparison::of(&read.baseline, now);
        let scopes = comparison.scopes();
        let reasons = scopes.iter().map(|scope| ((*scope).to_owned(), Reasons::of(&comparison, scope)));
        Self {
            subject: subject.to_owned(),
            path: path.to_owned(),
            accept: accept.to_owned(),
            reasons: reasons.collect(),
            comparison,
            expectations: Vec::new(),
            lines: read.lines.clone(),
        }
    }

    /// With the expectations of the run.
    #[must_use]
    pub fn expecting(mut self, record: &Record) -> Self {
        for (scope, architecture) in &record.architectures {
            let expected = architecture.expectations.iter().map(|expectation| Expected {
                scope: scope.clone(),
                text: expectation.text.clone(),
                seen: expectation.said(),
                outcome: expectation.outcome,
            });
            self.expectations.extend(expected);
        }
        self
    }

    /// How the figures came out; expectations are not in it.
    pub fn verdict(&self) -> Verdict {
        self.comparison.verdict()
    }

    /// For the terminal.
    pub fn table(&self, look: Look) -> String {
        table::table(self, look)
    }

    /// For a pull request, or the summary of a workflow.
    pub fn markdown(&self) -> String {
        markdown::markdown(self)
    }

    /// As workflow commands, which GitHub shows at the lines that they name.
    pub fn annotations(&self) -> String {
        annotations::annotations(self)
    }

    /// As `JUnit`'s XML: a case a figure and one an expectation.
    pub fn junit(&self) -> String {
        junit::junit(self)
    }

    /// As JSON, without what is the same.
    pub fn json(&self) -> String {
        json::json(self)
    }

    /// One line about how it came out: `2 figures are worse, 1 is better; 640 are the same`.
    pub fn headline(&self) -> String {
        let counted = [
            ("worse", self.count(compare::Outcome::Worse)),
            ("changed", self.count(compare::Outcome::Changed)),
            ("gone", self.count(compare::Outcome::Gone)),
            ("better", self.count(compare::Outcome::Better)),
            ("new", self.count(compare::Outcome::New)),
            ("moved within tolerance", self.count(compare::Outcome::Within)),
            ("the same", self.count(compare::Outcome::Same)),
        ];
        let parts = counted.iter().filter(|(_, count)| *count > 0);
        let parts: Vec<String> =
            parts.map(|(label, count)| format!("{} {label}", crate::format::count(*count))).collect();
        let verdict = match (self.verdict(), self.not_held().next().map(|expected| expected.outcome)) {
            (Verdict::Fail, _) => "the gate fails",
            (_, Some(Outcome::Fails)) => "an expectation is unmet",
            (_, Some(_)) => "an expectation cannot be judged",
            (Verdict::Better, None) => "the gate passes, and something got better",
            (Verdict::Pass, None) => "the gate passes",
        };
        format!("{}: {verdict} ({})", self.subject, parts.join(", "))
    }

    /// What to do about what stands out; `None` when nothing does.
    pub fn hint(&self) -> Option<String> {
        match self.verdict() {
            Verdict::Pass => None,
            Verdict::Better => Some(format!("to keep what was gained: {}", self.accept)),
            Verdict::Fail => Some(format!("to accept this, if it is meant: {}", self.accept)),
        }
    }

    /// The expectations that fail.
    pub fn unmet(&self) -> impl Iterator<Item = &Expected> {
        self.expectations.iter().filter(|expected| expected.outcome == Outcome::Fails)
    }

    /// The expectations that cannot be judged.
    pub fn unjudged(&self) -> impl Iterator<Item = &Expected> {
        self.expectations.iter().filter(|expected| expected.outcome == Outcome::CannotBeJudged)
    }

    /// Those that fail, then those that cannot be judged.
    fn not_held(&self) -> impl Iterator<Item = &Expected> {
        self.unmet().chain(self.unjudged())
    }

    fn count(&self, outcome: compare::Outcome) -> u64 {
        self.comparison.with(outcome).count() as u64
    }

    fn reasons(&self, finding: &Finding) -> &Reasons {
        &self.reasons[&finding.key.scope]
    }

    /// The sentences on an architecture: its digest, for each subject one latency that moved and its mean, requests that
    /// came out otherwise, each with what is shown to be behind it, once; and at last what else moved, which is not said to
    /// be why.
    fn explanations(&self, scope: &str) -> Vec<String> {
        let standing_out = self.comparison.standing_out(scope);
        let Some(reasons) = self.reasons.get(scope) else { return Vec::new() };
        let mut sentences = Vec::new();
        let mut told: Vec<String> = Vec::new();
        for finding in told_of(&standing_out) {
            let (what, sentence) = (explain::what(finding), explain::sentence(finding, reasons));
            let behind = sentence.strip_prefix(&what).unwrap_or_default().to_owned();
            if behind.is_empty() || !told.contains(&behind) {
                sentences.push(sentence);
                told.push(behind);
            }
        }
        let beside = reasons.beside().filter(|_| !sentences.is_empty());
        sentences.extend(beside.map(|text| format!("what else moved: {text}")));
        sentences
    }
}

/// The findings that are worth a sentence, in this order: the digest, of each subject the latency that says most, its
/// mean, and what became of all requests.
fn told_of<'a>(standing_out: &[&'a Finding]) -> Vec<&'a Finding> {
    let mut told: Vec<&Finding> = Vec::new();
    for &finding in standing_out {
        let is_of_all = || finding.key.subject == ["all"];
        match finding.key.metric {
            metric::Metric::Digest => told.push(finding),
            metric if metric.is_latency() => {
                let telling = explain::telling(standing_out, finding);
                let is_known = told
                    .iter()
                    .any(|other| other.key.subject == finding.key.subject && other.key.metric.is_latency());
                if !is_known {
                    told.push(telling);
                }
            }
            metric::Metric::Figure(figure) if figure.subject() == Subject::Requests && is_of_all() => {
                told.push(finding);
            }
            _ => {}
        }
    }
    let is_mean = |finding: &&&Finding| finding.key.metric == metric::Metric::Figure(Figure::Mean);
    let means = standing_out.iter().filter(is_mean).copied();
    let means: Vec<&Finding> = means.filter(|mean| !told.iter().any(|other| other.key == mean.key)).collect();
    told.extend(means);
    told
}

/// What `--update` writes: the figures of now under the tolerances and comments of before; where there
/// is no before, under the defaults. Tolerances for single figures that are not there any more are
/// dropped.
pub fn accepted(before: Option<&Baseline>, origin: Origin, accept: &str, now: Figures) -> Baseline {
    let Some(before) = before else {
        let notes = vec![
            format!("The figures that `hoplab gate` compares with. Accept a change: {accept}"),
            "A counter that is not here is 0. Times are microseconds.".to_owned(),
        ];
        return Baseline { notes, origin, tolerances: tolerance::defaults(&now), figures: now };
    };
    let mut tolerances = before.tolerances.clone();
    tolerances.retain(|stated| !stated.is_narrow() || now.keys().any(|key| stated.covers(key)));
    Baseline { notes: before.notes.clone(), origin, tolerances, figures: now }
}

#[cfg(test)]
mod tests;
