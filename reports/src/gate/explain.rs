//! Where what moved came from: the hops and owners that took more or less of the mean request, and
//! the counters that moved with them. Owns the reasons and their words, not the judgement.

use std::collections::BTreeMap;

use hoplab_sim::figures::Figure;

use super::compare::{Comparison, Finding};
use super::metric::{Metric, Unit};
use crate::format::{count, difference, duration, significant};

/// An owner at a hop that moved the mean request by less than this many microseconds is no reason.
const MOVED_US_MIN: f64 = 1.0;

/// Nor is one with less than this share of all that moved the same way.
const SHARE_MIN: f64 = 0.1;

/// How many owners are named, and how many counters of each kind.
const OWNERS_MAX: usize = 3;
const COUNTERS_MAX: usize = 2;

/// A difference of attempts per call that is worth saying.
const ATTEMPTS_MIN: f64 = 0.005;

/// What may explain the latencies of one architecture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasons {
    /// `retry back-off at order (outbound)`, and by how many microseconds of the mean request.
    moved: Vec<(String, f64)>,
    /// Counters that moved, in words, and by how much; the largest of each kind first.
    counters: Vec<(String, f64)>,
}

impl Reasons {
    /// What may explain the latencies of an architecture.
    pub fn of(comparison: &Comparison, scope: &str) -> Self {
        let findings: Vec<&Finding> =
            comparison.findings.iter().filter(|finding| finding.key.scope == scope).collect();
        let mut moved: Vec<(String, f64)> = findings
            .iter()
            .filter(|finding| finding.key.subject.first().is_some_and(|word| word == "hop"))
            .filter_map(|finding| {
                let (before, now) = finding.numbers()?;
                Some((finding.key.about(), now.as_f64() - before.as_f64()))
            })
            .filter(|(_, us)| us.abs() >= MOVED_US_MIN)
            .collect();
        moved.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let mut counters = attempts(&findings);
        counters.extend(counted(&findings, Metric::Figure(Figure::Decisions)));
        counters.extend(counted(&findings, Metric::Figure(Figure::Changes)));
        Self { moved, counters }
    }

    /// Why something went up, or down, in words; `None` when nothing is known to have moved with it.
    pub fn text(&self, upwards: bool) -> Option<String> {
        let same_way = || self.moved.iter().filter(|(_, us)| (*us > 0.0) == upwards);
        let sum: f64 = same_way().map(|(_, us)| us.abs()).sum();
        let owners: Vec<String> = same_way()
            .filter(|(_, us)| us.abs() >= SHARE_MIN * sum)
            .take(OWNERS_MAX)
            .map(|(about, us)| format!("{about} {}", difference(*us)))
            .collect();
        let mut parts = Vec::new();
        if !owners.is_empty() {
            parts.push(format!("{} a request on average", owners.join(", ")));
        }
        let same_way = self.counters.iter().filter(|(_, by)| (*by > 0.0) == upwards);
        parts.extend(same_way.map(|(text, _)| text.clone()));
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// `p99 of order.place +1.9 ms (5.1 ms → 7 ms)`.
pub fn what(finding: &Finding) -> String {
    let about = finding.key.about();
    let name = match finding.key.metric {
        Metric::Figure(Figure::Decisions | Figure::Changes) => about,
        metric => format!("{} of {about}", metric.label()),
    };
    if finding.key.metric == Metric::Digest {
        return "the run differs from the recorded one".to_owned();
    }
    match (finding.numbers(), &finding.before, &finding.now) {
        (Some((before, now)), ..) => {
            let unit = finding.key.metric.unit();
            let step = change(before.as_f64(), now.as_f64(), unit);
            format!("{name} {step} ({} → {})", amount(before.as_f64(), unit), amount(now.as_f64(), unit))
        }
        (None, Some(_), None) => format!("{name} is gone: the sample does not carry it any more"),
        _ => format!("{name} is new"),
    }
}

/// The sentence about a finding, with its reason where there is one.
pub fn sentence(finding: &Finding, reasons: &Reasons) -> String {
    let what = what(finding);
    if finding.key.metric == Metric::Digest {
        let hint = "state `tolerance digest = any` where only figures matter";
        let digest = |value: &Option<_>| match value {
            Some(value) => format!("{value}"),
            None => "none".to_owned(),
        };
        return format!("{what}: digest {} → {}; {hint}", digest(&finding.before), digest(&finding.now));
    }
    let reason = finding
        .numbers()
        .filter(|_| finding.key.metric.is_latency())
        .and_then(|(before, now)| reasons.text(now > before));
    match reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}

/// Of the latencies of the same subject that came out like `finding`, the one that says most: p99 where
/// there is one.
pub(super) fn telling<'a>(findings: &[&'a Finding], finding: &'a Finding) -> &'a Finding {
    const ORDER: [Metric; 7] = [
        Metric::Figure(Figure::P99),
        Metric::Figure(Figure::P999),
        Metric::Figure(Figure::P90),
        Metric::Figure(Figure::P50),
        Metric::Figure(Figure::Mean),
        Metric::Figure(Figure::Longest),
        Metric::Figure(Figure::Shortest),
    ];
    let alike = findings.iter().copied().filter(|other| {
        (other.outcome, &other.key.subject, &other.key.scope)
            == (finding.outcome, &finding.key.subject, &finding.key.scope)
    });
    let rank = |finding: &&Finding| ORDER.iter().position(|metric| *metric == finding.key.metric);
    alike.filter(|other| rank(other).is_some()).min_by_key(rank).unwrap_or(finding)
}

/// An amount for people.
pub(super) fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Micros => duration(value),
        Unit::Count | Unit::Text if value.fract() == 0.0 => count(value as u64),
        Unit::Count | Unit::Text => significant(value),
    }
}

/// The difference of two amounts for people, with its sign.
pub(super) fn change(before: f64, now: f64, unit: Unit) -> String {
    if unit == Unit::Micros {
        return difference(now - before);
    }
    let sign = if now < before { "−" } else { "+" };
    format!("{sign}{}", amount((now - before).abs(), unit))
}

/// Edges whose calls need more or fewer attempts than they did.
fn attempts(findings: &[&Finding]) -> Vec<(String, f64)> {
    #[derive(Default)]
    struct Edge {
        calls: (f64, f64),
        attempts: (f64, f64),
    }
    let mut edges: BTreeMap<String, Edge> = BTreeMap::new();
    for finding in findings {
        let Some((before, now)) = finding.numbers() else { continue };
        let pair = (before.as_f64(), now.as_f64());
        match finding.key.metric {
            Metric::Figure(Figure::Calls) => edges.entry(finding.key.about()).or_default().calls = pair,
            Metric::Figure(Figure::Attempts) => edges.entry(finding.key.about()).or_default().attempts = pair,
            _ => {}
        }
    }
    let ratio = |attempts: f64, calls: f64| if calls > 0.0 { attempts / calls } else { 0.0 };
    let mut moved: Vec<(String, f64)> = edges
        .into_iter()
        .map(|(name, Edge { calls, attempts })| {
            let (before, now) = (ratio(attempts.0, calls.0), ratio(attempts.1, calls.1));
            (format!("{name}: attempts {before:.2} → {now:.2} a request"), now - before)
        })
        .filter(|(_, by)| by.abs() >= ATTEMPTS_MIN)
        .collect();
    moved.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    moved.truncate(COUNTERS_MAX);
    moved
}

/// Decisions of policies, or changes of breakers, that there are more or fewer of.
fn counted(findings: &[&Finding], metric: Metric) -> Vec<(String, f64)> {
    let mut moved: Vec<(String, f64)> = findings
        .iter()
        .filter(|finding| finding.key.metric == metric)
        .filter_map(|finding| {
            let (before, now) = finding.numbers()?;
            let (before, now) = (before.as_f64(), now.as_f64());
            let text = format!("{} {} → {}", finding.key.about(), count(before as u64), count(now as u64));
            (before.to_bits() != now.to_bits()).then_some((text, now - before))
        })
        .collect();
    moved.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    moved.truncate(COUNTERS_MAX);
    moved
}
