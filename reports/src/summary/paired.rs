//! An architecture against the baseline, request by request, as `summary.json` says it. Owns the keys.

use hoplab_sim::record;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Intervals, Micros};

/// How requests fared under an architecture and under the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The architecture that it is compared with.
    pub baseline: String,
    /// All requests after the warm-up.
    #[serde(flatten)]
    pub total: Difference,
    /// Per part of the run.
    pub phases: IndexMap<String, Difference>,
    /// Per endpoint.
    pub endpoints: IndexMap<String, Difference>,
}

/// The same requests under two architectures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Requests that ended under both; the sum of the next four.
    pub pairs: u64,
    /// Answered well under both: only these have a difference.
    pub both: u64,
    /// Answered well under the architecture alone.
    pub saved: u64,
    /// Answered well under the baseline alone.
    pub lost: u64,
    /// Answered well under neither.
    pub neither: u64,
    /// Of `both`, slower under the architecture.
    pub slower: u64,
    /// Of `both`, faster under the architecture.
    pub faster: u64,
    /// The architecture's response time less the baseline's, over `both`.
    pub difference_us: Spread,
    /// How far the difference can be trusted; left out where that is not known.
    #[serde(default, skip_serializing_if = "Intervals::is_empty")]
    pub intervals: Intervals,
}

/// Differences in microseconds; `null` where the sample cannot carry the figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The smallest.
    pub min: Option<i64>,
    /// The mean.
    pub mean: Option<Micros>,
    /// The 1st percentile.
    pub p1: Option<i64>,
    /// The median.
    pub p50: Option<i64>,
    /// The 90th percentile.
    pub p90: Option<i64>,
    /// The 99th percentile.
    pub p99: Option<i64>,
    /// The largest.
    pub max: Option<i64>,
}

impl Paired {
    pub(super) fn of(paired: &record::Paired) -> Self {
        let each = |map: &IndexMap<String, record::Difference>| {
            map.iter().map(|(name, difference)| (name.clone(), Difference::of(difference))).collect()
        };
        Self {
            baseline: paired.baseline.clone(),
            total: Difference::of(&paired.total),
            phases: each(&paired.phases),
            endpoints: each(&paired.endpoints),
        }
    }
}

impl Difference {
    fn of(difference: &record::Difference) -> Self {
        let record::Difference { pairs, both, saved, lost, neither, slower, faster, .. } = *difference;
        let difference_us = Spread::of(difference);
        let intervals = Intervals::of(&difference.intervals);
        Self { pairs, both, saved, lost, neither, slower, faster, difference_us, intervals }
    }
}

impl Spread {
    fn of(difference: &record::Difference) -> Self {
        let any = difference.both > 0;
        Self {
            min: any.then_some(difference.min_us),
            mean: difference.mean_us().map(Micros::from),
            p1: difference.percentile_us(0.01),
            p50: difference.percentile_us(0.5),
            p90: difference.percentile_us(0.9),
            p99: difference.percentile_us(0.99),
            max: any.then_some(difference.max_us),
        }
    }
}
