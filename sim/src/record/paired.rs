//! Two architectures compared request by request. The same request meets the same arrival, demands and
//! faults under each, so what differs is the architecture's. Owns the shape of the comparison.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::interval::Intervals;
use super::latencies::at_quantile;

/// An architecture against the baseline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The architecture that it is compared with.
    pub baseline: String,
    /// All requests after the warm-up.
    pub total: Difference,
    /// Per part of the run, as [`super::Architecture::phases`], by the requests' intended send.
    pub phases: IndexMap<String, Difference>,
    /// Per endpoint, as [`super::Architecture::endpoints`].
    pub endpoints: IndexMap<String, Difference>,
}

/// How requests fared under an architecture and under the baseline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Requests that ended under both; the sum of the next four.
    pub pairs: u64,
    /// Answered well under both: only these have a difference.
    pub both: u64,
    /// Answered well under the architecture alone: saved.
    pub saved: u64,
    /// Answered well under the baseline alone: lost.
    pub lost: u64,
    /// Answered well under neither.
    pub neither: u64,
    /// Of `both`, slower under the architecture.
    pub slower: u64,
    /// Of `both`, faster under the architecture.
    pub faster: u64,
    /// The exact sum of the differences: the architecture's response time less the baseline's.
    pub sum_us: i64,
    /// The smallest difference; 0 when there is none.
    pub min_us: i64,
    /// The largest difference; 0 when there is none.
    pub max_us: i64,
    /// `[difference, count]` in rising order: exact below 20 ms, else to four significant figures.
    pub buckets: Vec<(i64, u64)>,
    /// Of the mean and the percentiles of the difference; no error rate.
    #[serde(default)]
    pub intervals: Intervals,
}

impl Difference {
    /// The mean difference; `None` when there is none.
    pub fn mean_us(&self) -> Option<f64> {
        (self.both > 0).then(|| self.sum_us as f64 / self.both as f64)
    }

    /// The difference that a share `quantile` of the pairs does not exceed; `None` when the sample
    /// cannot carry it, by the rule of [`super::Latencies::percentile_us`] at either end.
    pub fn percentile_us(&self, quantile: f64) -> Option<i64> {
        let count = self.both as f64;
        let reach = 1.96 * (count * quantile * (1.0 - quantile)).sqrt();
        let carried = count * quantile + reach <= count && count * quantile - reach >= 0.0;
        (carried && self.both > 0).then(|| self.quantile_us(quantile))
    }

    /// The same however small the sample; 0 when it is empty. For curves, not for claims.
    pub fn quantile_us(&self, quantile: f64) -> i64 {
        let value = at_quantile(&self.buckets, self.both, quantile);
        value.map_or(self.max_us, |value| value.clamp(self.min_us, self.max_us))
    }
}
