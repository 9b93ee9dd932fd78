//! What a sweep leaves behind: the figures of every point and how the searches came out. Plain data,
//! serialised as JSON, of which everything that is shown is rendered. Times are microseconds.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Point, Try};
use crate::figures::{self, Scope};
use crate::journal::Journal;
use crate::record::{self, Expectation, Interval, Outcome, Requests, VERSION};
use crate::scenario::grid;
use crate::scenario::plan::{Plan, Source};

/// The version of [`Sweep`]'s shape.
pub const SCHEMA: u32 = 1;

/// A scenario at many points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The version of hoplab that ran it.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// What the scenario asks; may be empty.
    pub question: String,
    /// The texts, the scenario file first.
    pub sources: Vec<Source>,
    /// The first seed.
    pub seed: u64,
    /// How many consecutive seeds each point was run with.
    pub seeds: u64,
    /// What duration and warm-up were multiplied by.
    pub scale: f64,
    /// A hash over the digests of all points.
    pub digest: String,
    /// The keys that were varied; none when only a search was asked for.
    pub axes: Vec<Axis>,
    /// The architectures, in order.
    pub architectures: Vec<String>,
    /// What was seen at each point, in the order of the grid; empty when there is no axis.
    pub points: Vec<Seen>,
    /// What was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// A key that was varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The key, dotted.
    pub key: String,
    /// Its values as people read them.
    pub labels: Vec<String>,
    /// The same as numbers, in the quantity's own unit (µs, requests a second, a share, bytes, bits a
    /// second); `None` for those that are none.
    pub numbers: Vec<Option<f64>>,
}

/// A point of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// By axis, the index of its value.
    pub places: Vec<usize>,
    /// Faults that touched nothing there: the point does not show what it was made to show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untouched: Vec<String>,
    /// The figures by architecture.
    pub architectures: IndexMap<String, Figures>,
}

/// One architecture at one point, after the warm-up, over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The hash over everything observable.
    pub digest: String,
    /// What became of the requests.
    pub requests: Requests,
    /// Requests sent a second, per seed.
    pub offered_rps: f64,
    /// Good answers a second, per seed.
    pub goodput_rps: f64,
    /// The share of requests that failed, timed out or were left open, 0 to 1; `None` when none was sent.
    pub error_rate: Option<Figure>,
    /// Attempts per call between services, over all edges; `None` when there was none.
    pub amplification: Option<f64>,
    /// The mean response time.
    pub mean_us: Option<Figure>,
    /// The median.
    pub p50_us: Option<Figure>,
    /// The 90th percentile; as all of them `None` where the sample cannot carry it.
    pub p90_us: Option<Figure>,
    /// The 99th percentile.
    pub p99_us: Option<Figure>,
    /// The 99.9th percentile.
    pub p999_us: Option<Figure>,
    /// How the expectations came out.
    pub expectations: Vec<Expectation>,
    /// In how many of several seeds they hold together; `None` for a single seed, and where nothing is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_seeds: Option<InSeeds>,
}

/// How all that is expected came out, seed by seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSeeds {
    /// Seeds in which all holds.
    pub hold: u64,
    /// Seeds in which something fails.
    pub fail: u64,
    /// Seeds in which nothing fails, and something cannot be judged by that seed alone.
    pub cannot_be_judged: u64,
}

impl InSeeds {
    /// How `expectations` came out in so many `seeds`.
    pub fn of(expectations: &[Expectation], seeds: u64) -> Option<Self> {
        let seeds_of = |of: fn(&Expectation) -> &Vec<u64>| -> BTreeSet<u64> {
            expectations.iter().flat_map(of).copied().collect()
        };
        let failed = seeds_of(|expectation| &expectation.failed_in);
        let unjudged = &seeds_of(|expectation| &expectation.unjudged_in) - &failed;
        let (fail, cannot_be_judged) = (failed.len() as u64, unjudged.len() as u64);
        let hold = seeds.saturating_sub(fail + cannot_be_judged);
        (seeds > 1 && !expectations.is_empty()).then_some(Self { hold, fail, cannot_be_judged })
    }

    /// How many seeds there are.
    pub fn all(self) -> u64 {
        self.hold + self.fail + self.cannot_be_judged
    }
}

/// A figure, and how far it can be trusted where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was seen.
    pub value: f64,
    /// Its 95 % confidence interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// A search at every point of the grid over all axes but its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The key, dotted.
    pub key: String,
    /// The lowest and the highest value that came into question, as people read them.
    pub range: (String, String),
    /// The lowest result that is all right, as people read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<String>,
    /// What was found, by point and architecture.
    pub found: Vec<Found>,
}

/// The highest value at which all that is expected holds, with no value at or below it at which something fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// By axis, the index of the point's value; `None` on the axis of the key that was searched along.
    pub places: Vec<Option<usize>>,
    /// Under which architecture.
    pub architecture: String,
    /// The value as people read it; `None` when it is known to hold at none.
    pub highest: Option<String>,
    /// The same as a number.
    pub number: Option<f64>,
    /// Whether it held at the highest that came into question, so that the limit lies beyond.
    pub open_ended: bool,
    /// Whether it is at least what it must be.
    pub holds: bool,
    /// Whether that holds, fails, or cannot be judged.
    #[serde(default)]
    pub outcome: Outcome,
    /// The lowest value at which something that is expected fails, as people read it; `None` when nothing does.
    #[serde(default)]
    pub fails_from: Option<String>,
    /// What it would take to judge what lies between, where something cannot be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
    /// The values above [`Found::fails_from`] at which all holds all the same, rising: there is no one limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds_again: Vec<String>,
    /// What was tried, in this order.
    pub tries: Vec<Try>,
    /// What the points of the grid say along the key, in their order; empty where the grid does not have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grid: Vec<Try>,
}

impl Found {
    /// The same with what the points of the grid over `axes` say along the key.
    pub(super) fn beside(self, search: &grid::Search, axes: &[grid::Axis], points: &[Seen]) -> Self {
        let grid = along(axes, search, points, &self);
        Self::of(search, self.places, self.architecture, self.tries, grid)
    }

    /// All that was run along the key, tries and points of the grid, by rising number.
    pub fn ran(&self) -> Vec<&Try> {
        let mut ran: Vec<&Try> = self.tries.iter().chain(&self.grid).collect();
        ran.sort_by(|a, b| a.number.total_cmp(&b.number));
        ran
    }
}

impl Sweep {
    /// The sweep of `plan` with so many `seeds` a point, from what was `seen` and `found`.
    pub fn of(plan: &Plan, seeds: u64, points: Vec<Seen>, found: Vec<Found>) -> Self {
        let digests = points.iter().flat_map(|point| &point.architectures);
        let digest =
            Journal::digest_of(digests.map(|(name, figures)| (name.as_str(), figures.digest.as_str())));
        let search = plan.search.as_ref().map(|search| {
            let steps = &search.steps;
            let range = (steps.value(0).label, steps.value(steps.count() - 1).label);
            let at_least = search.at_least.as_ref().map(|value| value.label.clone());
            let found = found.into_iter().map(|found| found.beside(search, &plan.sweep, &points)).collect();
            Search { key: search.key.clone(), range, at_least, found }
        });
        Self {
            schema: SCHEMA,
            version: VERSION.to_owned(),
            scenario: plan.name.clone(),
            title: plan.title.clone(),
            question: plan.question.clone(),
            sources: plan.sources.clone(),
            seed: plan.seed,
            seeds,
            scale: plan.scale,
            digest,
            axes: plan.sweep.iter().map(Axis::of).collect(),
            architectures: plan.architectures.iter().map(|of| of.name.to_string()).collect(),
            points,
            search,
        }
    }
}

/// What the points of the grid say along the key of a search, where it was made. A point where a fault touched nothing
/// does not show what it was made to show.
fn along(axes: &[grid::Axis], search: &grid::Search, points: &[Seen], found: &Found) -> Vec<Try> {
    let Some(own) = axes.iter().position(|axis| axis.key == search.key) else { return Vec::new() };
    let is_there = |point: &&Seen| {
        let mut places = point.places.iter().zip(&found.places);
        point.untouched.is_empty() && places.all(|(place, still)| still.is_none_or(|still| still == *place))
    };
    let tried = |point: &Seen| {
        let expectations = &point.architectures.get(&found.architecture)?.expectations;
        let value = &axes[own].values[point.places[own]];
        (!expectations.is_empty()).then(|| Try::of(&value.label, value.number, expectations.iter()))
    };
    points.iter().filter(is_there).filter_map(tried).collect()
}

impl Axis {
    fn of(axis: &grid::Axis) -> Self {
        Self {
            key: axis.key.clone(),
            labels: axis.values.iter().map(|value| value.label.clone()).collect(),
            numbers: axis.values.iter().map(|value| value.number).collect(),
        }
    }
}

impl Seen {
    /// What a record says of a point.
    pub fn of(point: &Point, record: &record::Record) -> Self {
        let untouched = record.untouched_faults();
        let seeds = record.runs();
        let seconds = record.duration_us.saturating_sub(record.warmup_us) as f64 / 1e6 * seeds as f64;
        let figures = |(name, seen): (&String, &record::Architecture)| {
            (name.clone(), Figures::of(seen, seconds, seeds))
        };
        Self {
            places: point.places.iter().copied().flatten().collect(),
            untouched: untouched.into_iter().map(|untouched| untouched.fault.to_owned()).collect(),
            architectures: record.architectures.iter().map(figures).collect(),
        }
    }
}

impl Figures {
    fn of(seen: &record::Architecture, seconds: f64, seeds: u64) -> Self {
        let scope = Scope::of(seen, seconds);
        let figure = |figure: figures::Figure| {
            Some(Figure { value: figure.of(&scope)?, interval: figure.interval(&scope) })
        };
        let by_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            digest: seen.digest.clone(),
            requests: seen.total.requests,
            offered_rps: by_second(seen.total.requests.sent),
            goodput_rps: figures::Figure::Goodput.of(&scope).unwrap_or(0.0),
            error_rate: figure(figures::Figure::ErrorRate),
            amplification: figures::Figure::Amplification.of(&scope),
            mean_us: figure(figures::Figure::Mean),
            p50_us: figure(figures::Figure::P50),
            p90_us: figure(figures::Figure::P90),
            p99_us: figure(figures::Figure::P99),
            p999_us: figure(figures::Figure::P999),
            expectations: seen.expectations.clone(),
            in_seeds: InSeeds::of(&seen.expectations, seeds),
        }
    }
}
