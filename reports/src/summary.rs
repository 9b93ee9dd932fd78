//! `summary.json`: the figures of a run that programs, gates and reviewers read. A contract: keys are
//! added, never renamed. Owns the file's shape, not where it lies.

mod adoption;
mod intervals;
mod money;
mod paired;
mod resources;
mod verdict;

use std::collections::BTreeMap;

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{
    self, BreakerChange, Decided, Expectation, FaultHits, Network, Record, Requests, Seeds, Violation,
    Wasted, Work,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::adoption::steps;
use crate::money::spent;
use crate::scope::scope;
pub use crate::verdict::{Cited, Reason, Rule};
pub use adoption::Step;
pub use intervals::Intervals;
use intervals::millionths;
pub use money::Money;
pub use paired::{Difference, Paired, Spread};
pub use resources::Resources;
pub use verdict::Verdict;

/// The version of the file's shape.
pub const SCHEMA: u32 = 1;

/// A run in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seed; the first where several were joined.
    pub seed: u64,
    /// The seeds that were joined; left out for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// A hash over the digests of the architectures.
    pub digest: String,
    /// The answer in words.
    #[serde(default)]
    pub verdict: Verdict,
    /// The figures by architecture, in the order of the scenario.
    pub architectures: IndexMap<String, Architecture>,
    /// What each phase of an adoption gained and cost over the one before it; left out where there is none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub adoption: IndexMap<String, Step>,
}

/// One architecture in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// The hash over everything observable.
    pub digest: String,
    /// What became of the requests.
    pub requests: Requests,
    /// Response times from the intended send, of what was served well.
    pub latency_us: Latency,
    /// The same of what ended and was not: failed, timed out or refused.
    #[serde(default)]
    pub failed_latency_us: Latency,
    /// Good answers by the second, by when they were given; `null` where no time is known.
    #[serde(default)]
    pub goodput_rps: Option<Micros>,
    /// Failed, timed out and open, over sent; `null` when none was sent.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// The share of all requests that were served well within a time, by the times in microseconds that the scenario
    /// asks for; left out where it asks for none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub within: BTreeMap<u64, f64>,
    /// How far the figures can be trusted; left out where that is not known.
    #[serde(default, skip_serializing_if = "Intervals::is_empty")]
    pub intervals: Intervals,
    /// The same requests under the baseline; left out for the baseline itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired: Option<Paired>,
    /// The same per endpoint.
    pub endpoints: IndexMap<String, Traffic>,
    /// Mean microseconds per request that was served well, by owner; they sum to `latency_us.mean`.
    pub breakdown_us: BTreeMap<String, Micros>,
    /// The same of what ended and was not served well; they sum to `failed_latency_us.mean`.
    #[serde(default)]
    pub failed_breakdown_us: BTreeMap<String, Micros>,
    /// Calls between services, per `caller → callee`.
    pub edges: IndexMap<String, Edge>,
    /// The changes of circuit breakers' states.
    pub breakers: Vec<BreakerChange>,
    /// Changes beyond the recorder's limit; left out when there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub breakers_left_out: u64,
    /// When the first of these was: nothing is listed of what came then; left out when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakers_cut_us: Option<u64>,
    /// How often policies decided what, after the warm-up.
    #[serde(default)]
    pub policies: Vec<Decided>,
    /// The processor time of services that was spent for nobody, after the warm-up.
    #[serde(default)]
    pub wasted: Wasted,
    /// The processor time of each service, and what of it was wasted.
    #[serde(default)]
    pub work: IndexMap<String, Work>,
    /// What each kind of container took of its machines: `application`, `sidecar`, `gateway`.
    #[serde(default)]
    pub resources: IndexMap<String, Resources>,
    /// What it costs at the scenario's prices; left out where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// What became of the connections that each party opened to another, per `caller → callee`, and of the packets on
    /// them: those that were lost, dropped, sent again, refused, reset.
    #[serde(default)]
    pub network: IndexMap<String, Network>,
    /// How often each fault touched something.
    pub faults: Vec<Fault>,
    /// The invariants that were broken; left out when none was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// How the expectations came out.
    pub expectations: Vec<Expectation>,
}

/// One endpoint in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// What became of the requests.
    pub requests: Requests,
    /// Response times from the intended send, of what was served well.
    pub latency_us: Latency,
    /// The same of what ended and was not: failed, timed out or refused.
    #[serde(default)]
    pub failed_latency_us: Latency,
    /// Good answers by the second, by when they were given; `null` where no time is known.
    #[serde(default)]
    pub goodput_rps: Option<Micros>,
    /// Failed, timed out and open, over sent; `null` when none was sent.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// The share of all requests that were served well within a time, by the times in microseconds that the scenario
    /// asks for; left out where it asks for none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub within: BTreeMap<u64, f64>,
    /// How far the figures can be trusted; left out where that is not known.
    #[serde(default, skip_serializing_if = "Intervals::is_empty")]
    pub intervals: Intervals,
}

/// Response times in microseconds; `null` where the sample cannot carry the figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The shortest.
    pub min: Option<u64>,
    /// The mean.
    pub mean: Option<Micros>,
    /// The median.
    pub p50: Option<u64>,
    /// The 90th percentile.
    pub p90: Option<u64>,
    /// The 99th percentile.
    pub p99: Option<u64>,
    /// The 99.9th percentile.
    pub p999: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
}

/// Calls along one edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Calls that the caller wanted to make.
    pub requests: u64,
    /// Attempts made for them: what was put on a connection.
    pub attempts: u64,
    /// Attempts that were made again after a first one failed.
    #[serde(default)]
    pub retries: u64,
    /// Attempts that were made beside another because its answer was late.
    #[serde(default)]
    pub hedges: u64,
    /// What would have been an attempt and was never put on a connection: refused by a breaker, shed, queued in vain,
    /// without endpoint or connection.
    #[serde(default)]
    pub unsent: u64,
    /// Attempts per request.
    pub amplification: Micros,
    /// Attempts that failed; what was given up, such as the losers of hedges, did not.
    pub errors: u64,
}

/// How often a fault touched something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The fault.
    pub name: String,
    /// Requests slowed or failed, pods crashed, segments held back or lost, connections reset.
    pub hits: u64,
    /// Whether the architecture has what the fault is aimed at; left out when it has.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub applies: bool,
}

/// A fraction with at most three decimals; written without any when it is whole.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(from = "f64")]
pub struct Micros(pub f64);

impl From<f64> for Micros {
    fn from(value: f64) -> Self {
        let rounded = (value * 1e3).round() / 1e3;
        Self(if rounded == 0.0 { 0.0 } else { rounded })
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 9e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl Summary {
    /// The figures of a run.
    pub fn of(record: &Record) -> Self {
        Self {
            schema: SCHEMA,
            scenario: record.scenario.clone(),
            seed: record.seed,
            seeds: record.seeds.clone(),
            digest: record.digest.clone(),
            verdict: Verdict::of(record),
            architectures: record
                .architectures
                .iter()
                .map(|(name, seen)| (name.clone(), Architecture::of(record, name, seen)))
                .collect(),
            adoption: steps(record).iter().map(|step| (step.name.to_owned(), Step::of(step))).collect(),
        }
    }

    /// The text of `summary.json`, without the line's end.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a summary has string keys and numbers, which JSON can say")
    }
}

impl Architecture {
    fn of(record: &Record, name: &str, architecture: &record::Architecture) -> Self {
        let scope = scope(record, architecture);
        let all = Traffic::of(&architecture.total, &scope);
        Self {
            digest: architecture.digest.clone(),
            requests: all.requests,
            latency_us: all.latency_us,
            failed_latency_us: all.failed_latency_us,
            goodput_rps: all.goodput_rps,
            error_rate: all.error_rate,
            within: all.within,
            intervals: all.intervals,
            paired: record.paired.get(name).map(Paired::of),
            endpoints: architecture
                .endpoints
                .iter()
                .map(|(name, traffic)| (name.clone(), Traffic::of(traffic, &scope.clone().endpoint(name))))
                .collect(),
            breakdown_us: by_owner(&architecture.breakdown_us),
            failed_breakdown_us: by_owner(&architecture.failed_breakdown_us),
            edges: architecture.edges.iter().map(|(name, edge)| (name.clone(), Edge::of(edge))).collect(),
            breakers: architecture.breakers.clone(),
            breakers_left_out: architecture.breakers_left_out,
            breakers_cut_us: architecture.breakers_cut_us,
            policies: architecture.decisions.clone(),
            wasted: architecture.work.values().copied().sum::<Work>().wasted,
            work: architecture.work.clone(),
            resources: architecture
                .resources
                .iter()
                .map(|(kind, of)| (kind.clone(), Resources::of(of)))
                .collect(),
            money: record
                .prices
                .as_ref()
                .map(|prices| Money::of(prices, &spent(record, prices, architecture))),
            network: architecture.network.clone(),
            faults: architecture.faults.iter().map(Fault::of).collect(),
            violations: architecture.violations.clone(),
            expectations: architecture.expectations.clone(),
        }
    }
}

fn by_owner(split: &BTreeMap<String, f64>) -> BTreeMap<String, Micros> {
    split.iter().map(|(owner, &us)| (owner.clone(), us.into())).collect()
}

impl Traffic {
    fn of(traffic: &record::Traffic, scope: &Scope<'_>) -> Self {
        let within = traffic.within.iter().filter_map(|within| {
            Some((within.limit_us, millionths(Figure::Within.of(&scope.clone().limit_us(within.limit_us))?)))
        });
        Self {
            requests: traffic.requests,
            latency_us: Latency::of(scope),
            failed_latency_us: Latency::of(&scope.clone().failed()),
            goodput_rps: Figure::Goodput.of(scope).map(Micros::from),
            error_rate: Figure::ErrorRate.of(scope).map(millionths),
            within: within.collect(),
            intervals: Intervals::of(&traffic.intervals),
        }
    }
}

impl Latency {
    fn of(scope: &Scope<'_>) -> Self {
        let whole = |figure: Figure| figure.of(scope).map(|us| us as u64);
        Self {
            min: whole(Figure::Shortest),
            mean: Figure::Mean.of(scope).map(Micros::from),
            p50: whole(Figure::P50),
            p90: whole(Figure::P90),
            p99: whole(Figure::P99),
            p999: whole(Figure::P999),
            max: whole(Figure::Longest),
        }
    }
}

impl Fault {
    fn of(hits: &FaultHits) -> Self {
        Self { name: hits.name.clone(), hits: hits.hits, applies: hits.applies }
    }
}

impl Edge {
    fn of(edge: &record::Edge) -> Self {
        Self {
            requests: edge.requests,
            attempts: edge.attempts,
            retries: edge.retries,
            hedges: edge.hedges,
            unsent: edge.unsent,
            amplification: edge.amplification().into(),
            errors: edge.errors,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn yes() -> bool {
    true
}
