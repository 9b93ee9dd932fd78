//! Where what moved came from, as far as the figures show it, and what else moved. Owns the reasons and their words, not
//! the judgement.
//!
//! | a figure | what is shown to be its cause |
//! |---|---|
//! | the mean of all requests | owners at hops: their mean times sum to it |
//! | the mean of an endpoint | the same, where its requests alone account for what moved |
//! | requests that failed, timed out, … | counters of edges and policies that moved by the same number |
//! | percentiles, shortest and longest | nothing: a mean over all requests says nothing of a single one |

use std::collections::BTreeMap;

use hoplab_sim::figures::{Figure, Subject};

use super::compare::{Comparison, Finding};
use super::figures::Key;
use super::metric::{Metric, Unit};
use crate::column::{Column, Kind};
use crate::format::{count, difference, duration, listed, significant};

/// An owner at a hop that moved the mean request by less than this many microseconds is no reason.
const MOVED_US_MIN: f64 = 1.0;

/// Nor is one with less than this share of all that moved the same way.
const SHARE_MIN: f64 = 0.1;

/// An endpoint accounts for what moved when all others together are at most this share of it.
const OTHERS_MAX: f64 = 0.1;

/// How many owners are named, and how many counters of each kind.
const OWNERS_MAX: usize = 3;
const COUNTERS_MAX: usize = 2;

/// A difference of attempts per call that is worth saying.
const ATTEMPTS_MIN: f64 = 0.005;

/// What may explain the figures of one architecture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasons {
    /// `retry back-off at order (outbound)`, and by how many microseconds of the mean request.
    moved: Vec<(String, f64)>,
    /// Whose mean they sum to: all requests, and an endpoint that alone accounts for what moved; each with how many times
    /// as much a request of its own moved.
    explained: Vec<(Vec<String>, f64)>,
    /// Counters that moved, in words; the largest of each kind first.
    counters: Vec<String>,
    /// What may have failed requests, in words, and by how many it moved.
    troubles: Vec<(String, f64)>,
}

impl Reasons {
    /// What may explain the figures of an architecture.
    pub fn of(comparison: &Comparison, scope: &str) -> Self {
        let findings: Vec<&Finding> =
            comparison.findings.iter().filter(|finding| finding.key.scope == scope).collect();
        let mut moved: Vec<(String, f64)> = findings
            .iter()
            .filter(|finding| finding.key.subject.first().is_some_and(|word| word == "hop"))
            .filter_map(|finding| Some((finding.key.about(), moved_by(finding)?)))
            .filter(|(_, us)| us.abs() >= MOVED_US_MIN)
            .collect();
        moved.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let mut counters = attempts(&findings);
        counters.extend(counted(&findings, Metric::Figure(Figure::Decisions)));
        counters.extend(counted(&findings, Metric::Figure(Figure::Changes)));
        Self { moved, explained: explained(&findings), counters, troubles: troubles(&findings) }
    }

    /// Which owners the mean of all requests went up by, or down; `None` when none is known.
    pub fn of_mean(&self, upwards: bool) -> Option<String> {
        self.owners(upwards, 1.0)
    }

    /// The same where each moved so many `times` as much.
    fn owners(&self, upwards: bool, times: f64) -> Option<String> {
        let same_way = || self.moved.iter().filter(|(_, us)| (*us > 0.0) == upwards);
        let sum: f64 = same_way().map(|(_, us)| us.abs()).sum();
        let owners: Vec<String> = same_way()
            .filter(|(_, us)| us.abs() >= SHARE_MIN * sum)
            .take(OWNERS_MAX)
            .map(|(about, us)| format!("{about} {}", difference(us * times)))
            .collect();
        (!owners.is_empty()).then(|| owners.join(", "))
    }

    /// What else moved, without a claim that it is why; `None` when nothing is known to have.
    pub fn beside(&self) -> Option<String> {
        (!self.counters.is_empty()).then(|| self.counters.join("; "))
    }

    /// What is shown to be behind a finding: `: retry back-off at shop (outbound) +181 µs`.
    fn behind(&self, finding: &Finding) -> Option<String> {
        let by = moved_by(finding)?;
        let Key { subject, metric: Metric::Figure(figure), .. } = &finding.key else { return None };
        match figure {
            Figure::Mean => {
                let (_, times) = self.explained.iter().find(|(explained, _)| explained == subject)?;
                self.owners(by > 0.0, *times).map(|owners| format!(": {owners}"))
            }
            Figure::Failed | Figure::TimedOut | Figure::Open | Figure::Refused => {
                let alike = self.troubles.iter().filter(|(_, other)| other.total_cmp(&by).is_eq());
                let alike: Vec<String> = alike.take(COUNTERS_MAX).map(|(text, _)| text.clone()).collect();
                (!alike.is_empty()).then(|| format!(", as many as {}", listed(&alike)))
            }
            _ => None,
        }
    }
}

/// By how much a number moved; `None` when it did not.
fn moved_by(finding: &Finding) -> Option<f64> {
    let (before, now) = finding.numbers()?;
    (before != now).then(|| now.as_f64() - before.as_f64())
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

/// The sentence about a finding, with what is shown to be behind it.
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
    what + &reasons.behind(finding).unwrap_or_default()
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

/// Whose mean the owners at the hops sum to: that of all requests, and that of an endpoint whose requests, as many as
/// before, took all that they took together more or less, but for a small part.
fn explained(findings: &[&Finding]) -> Vec<(Vec<String>, f64)> {
    /// How long all requests of a subject took together, and how many there were, then and now.
    #[derive(Default, Clone, Copy)]
    struct Took {
        mean_us: (f64, f64),
        served: (f64, f64),
    }
    let mut subjects: BTreeMap<&[String], Took> = BTreeMap::new();
    for finding in findings {
        let Some((before, now)) = finding.numbers() else { continue };
        let Metric::Figure(figure) = finding.key.metric else { continue };
        let (before, now) = (before.as_f64(), now.as_f64());
        let sign = match figure {
            Figure::Mean => 0.0,
            Figure::Answered => 1.0,
            Figure::Refused => -1.0,
            _ => continue,
        };
        let took = subjects.entry(&finding.key.subject).or_default();
        if figure == Figure::Mean {
            took.mean_us = (before, now);
        }
        took.served = (took.served.0 + sign * before, took.served.1 + sign * now);
    }
    let by = |took: &Took| took.mean_us.1 * took.served.1 - took.mean_us.0 * took.served.0;
    let all = vec!["all".to_owned()];
    let Some(&total) = subjects.get(all.as_slice()) else { return Vec::new() };
    let endpoints: Vec<(&[String], Took)> = subjects
        .into_iter()
        .filter(|(subject, _)| subject.first().is_some_and(|word| word == "endpoint"))
        .collect();
    let accounts = |place: usize, took: &Took| {
        let others = endpoints.iter().enumerate().filter(|(other, _)| *other != place);
        let others: f64 = others.map(|(_, (_, other))| by(other).abs()).sum();
        took.served.0.total_cmp(&took.served.1).is_eq() && others <= OTHERS_MAX * by(&total).abs()
    };
    let accounting = endpoints.iter().enumerate().filter(|(place, (_, took))| accounts(*place, took));
    let accounting =
        accounting.map(|(_, (subject, took))| (subject.to_vec(), total.served.1 / took.served.1));
    std::iter::once((all, 1.0)).chain(accounting).collect()
}

/// Errors and calls never sent along the edges between services, and what policies decided: what may have failed
/// requests. What clients see of the first service is what is to be explained.
fn troubles(findings: &[&Finding]) -> Vec<(String, f64)> {
    let is_trouble = |finding: &&&Finding| {
        let is_inside = |edge: &str| !edge.starts_with("client->");
        match (finding.key.metric, finding.key.subject.get(1)) {
            (Metric::Figure(Figure::FailedAttempts | Figure::Unsent), Some(edge)) => is_inside(edge),
            (Metric::Figure(Figure::Decisions), _) => true,
            _ => false,
        }
    };
    let named = |finding: &Finding| match finding.key.metric {
        Metric::Figure(figure) if figure.subject() == Subject::Edges => {
            format!("{} of {}", figure.label(), finding.key.about())
        }
        _ => finding.key.about(),
    };
    let moved = findings.iter().filter(is_trouble);
    moved.filter_map(|finding| Some((named(finding), moved_by(finding)?))).collect()
}

/// Edges whose calls need more or fewer attempts than they did.
fn attempts(findings: &[&Finding]) -> Vec<String> {
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
            let row = Column::of(Kind::of(Figure::Amplification), &[Some(before), Some(now)]);
            let [before_text, now_text, _] = row.step(before, now);
            (format!("{name}: attempts {before_text} → {now_text} a request"), now - before)
        })
        .filter(|(_, by)| by.abs() >= ATTEMPTS_MIN)
        .collect();
    moved.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    moved.into_iter().take(COUNTERS_MAX).map(|(text, _)| text).collect()
}

/// Decisions of policies, or changes of breakers, that there are more or fewer of.
fn counted(findings: &[&Finding], metric: Metric) -> Vec<String> {
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
    moved.into_iter().take(COUNTERS_MAX).map(|(text, _)| text).collect()
}
