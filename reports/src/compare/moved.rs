//! What moved besides the figures themselves: owners and hops of the mean request, attempts along the
//! edges, decisions of policies, expectations. Largest first. Owns no sentence.

use hoplab_sim::figures::{Figure, Scope, Unit};
use hoplab_sim::record::{Architecture, Expectation, Outcome};

use crate::column::{Column, Kind};
use crate::gate::compare::Finding;
use crate::gate::metric::Metric;

/// An owner that moved the mean request by less than this many microseconds is left out.
const MOVED_US_MIN: f64 = 1.0;

/// Attempts a call that moved by less than this are left out.
const ATTEMPTS_MIN: f64 = 0.005;

/// Something that was so much and is so much now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) what: String,
    before: f64,
    now: f64,
    unit: Unit,
}

impl Step {
    pub(super) fn by(&self) -> f64 {
        self.now - self.before
    }
}

/// Before, now and the difference of some steps of one kind, for people.
pub(super) fn cells(steps: &[Step]) -> Vec<[String; 3]> {
    let Some(Step { unit, .. }) = steps.first() else { return Vec::new() };
    let values = steps.iter().flat_map(|step| [Some(step.before), Some(step.now)]);
    let table = Column::of(Kind::Of(*unit), &values.collect::<Vec<_>>());
    table.steps(&steps.iter().map(|step| (step.before, step.now)).collect::<Vec<_>>())
}

/// How an expectation came out in both, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turned {
    pub(super) text: String,
    pub(super) before: Option<(Outcome, String)>,
    pub(super) now: Option<(Outcome, String)>,
}

impl Turned {
    /// Whether it is worse: it did not fail, or was not asked for, and fails.
    pub(super) fn is_worse(&self) -> bool {
        self.now.as_ref().is_some_and(|(outcome, _)| *outcome == Outcome::Fails)
    }
}

/// What moved under one architecture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Moved {
    /// By owner.
    pub(super) owners: Vec<Step>,
    /// By hop and owner.
    pub(super) hops: Vec<Step>,
    /// Attempts a call along each edge.
    pub(super) edges: Vec<Step>,
    /// Decisions of policies and changes of breakers.
    pub(super) decisions: Vec<Step>,
    /// Expectations whose outcome is another one.
    pub(super) expectations: Vec<Turned>,
}

impl Moved {
    pub(super) fn of(findings: &[&Finding], before: &Architecture, now: &Architecture) -> Self {
        Self {
            owners: times(findings, "owner"),
            hops: times(findings, "hop"),
            edges: attempts(before, now),
            decisions: decisions(findings),
            expectations: turned(&before.expectations, &now.expectations),
        }
    }
}

fn times(findings: &[&Finding], kind: &str) -> Vec<Step> {
    let of_kind =
        findings.iter().filter(|finding| finding.key.subject.first().is_some_and(|word| word == kind));
    let steps = of_kind.filter_map(|finding| step(finding, Unit::Micros));
    sorted(steps.filter(|step| step.by().abs() >= MOVED_US_MIN).collect())
}

fn decisions(findings: &[&Finding]) -> Vec<Step> {
    let counted = |finding: &&&Finding| {
        matches!(finding.key.metric, Metric::Figure(Figure::Decisions | Figure::Changes))
    };
    let steps = findings.iter().filter(counted).filter_map(|finding| step(finding, Unit::Count));
    sorted(steps.filter(|step| step.by().abs() > 0.0).collect())
}

fn step(finding: &Finding, unit: Unit) -> Option<Step> {
    let (before, now) = finding.numbers()?;
    Some(Step { what: finding.key.about(), before: before.as_f64(), now: now.as_f64(), unit })
}

fn attempts(before: &Architecture, now: &Architecture) -> Vec<Step> {
    let gone = before.edges.keys().filter(|name| !now.edges.contains_key(*name));
    let ratio = |seen: &Architecture, name: &str| {
        Figure::Amplification.of(&Scope::of_edges(&seen.edges).edge(name)).unwrap_or(0.0)
    };
    let steps = now.edges.keys().chain(gone).map(|name| Step {
        what: name.clone(),
        before: ratio(before, name),
        now: ratio(now, name),
        unit: Unit::Ratio,
    });
    sorted(steps.filter(|step| step.by().abs() >= ATTEMPTS_MIN).collect())
}

fn sorted(mut steps: Vec<Step>) -> Vec<Step> {
    steps.sort_by(|a, b| b.by().abs().total_cmp(&a.by().abs()));
    steps
}

fn turned(before: &[Expectation], now: &[Expectation]) -> Vec<Turned> {
    let outcome = |all: &[Expectation], text: &str| {
        let found = all.iter().find(|expectation| expectation.text == text)?;
        Some((found.outcome, found.seen_text.clone()))
    };
    let mut texts: Vec<&str> = Vec::new();
    for expectation in now.iter().chain(before) {
        if !texts.contains(&expectation.text.as_str()) {
            texts.push(&expectation.text);
        }
    }
    let all = texts.into_iter().map(|text| Turned {
        text: text.to_owned(),
        before: outcome(before, text),
        now: outcome(now, text),
    });
    let came_out = |seen: &Option<(Outcome, String)>| seen.as_ref().map(|(outcome, _)| *outcome);
    all.filter(|turned| came_out(&turned.before) != came_out(&turned.now)).collect()
}
