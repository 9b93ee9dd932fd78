//! A run in windows: what was sent in each, what became of it, and where in the run each lies.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::latencies::Latencies;

/// A stretch of a run, by the intended send of its requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Requests that were to be sent in it.
    pub sent: u64,
    /// Of these, answered with a status below 500.
    pub ok: u64,
    /// Of these, failed or timed out; what is neither is open.
    pub errors: u64,
    /// Of those that are ok, refused by a limit.
    #[serde(default)]
    pub refused: u64,
    /// Good answers that were given in it, whenever they were asked for.
    #[serde(default)]
    pub good: u64,
    /// Attempts over all edges, by the request's intended send.
    pub attempts: u64,
    /// Requests over all edges, likewise.
    pub calls: u64,
    /// Median latency of those that were served well, as all that follows; `None` when there is none.
    pub p50_us: Option<u64>,
    /// 90th percentile; `None` when there is no request.
    pub p90_us: Option<u64>,
    /// 99th percentile; the largest value when there are fewer than 100 requests.
    pub p99_us: Option<u64>,
    /// The longest, exact; `None` when there is none.
    pub max_us: Option<u64>,
    /// The shortest, exact; `None` when there is none.
    #[serde(default)]
    pub min_us: Option<u64>,
    /// The exact sum of the latencies.
    #[serde(default)]
    pub sum_us: u64,
    /// `[value, count]` in rising order of value: the buckets of an HDR histogram with two significant
    /// figures, each by its highest value.
    #[serde(default)]
    pub buckets: Vec<(u64, u64)>,
}

impl Window {
    /// The same with these latencies of what was served well; its percentiles are theirs.
    #[must_use]
    pub fn with_latency(self, latency: Latencies) -> Self {
        let known = |us: u64| (latency.count > 0).then_some(us);
        Self {
            p50_us: known(latency.quantile_us(0.5)),
            p90_us: known(latency.quantile_us(0.9)),
            p99_us: known(latency.quantile_us(0.99)),
            min_us: known(latency.min_us),
            max_us: known(latency.max_us),
            sum_us: latency.sum_us,
            buckets: latency.buckets,
            ..self
        }
    }

    /// The latencies of what was served well.
    pub fn latency(&self) -> Latencies {
        let bucket = |bucket: Option<&(u64, u64)>| bucket.map(|(us, _)| *us);
        Latencies {
            count: self.buckets.iter().map(|(_, count)| count).sum(),
            sum_us: self.sum_us,
            min_us: self.min_us.or(bucket(self.buckets.first())).unwrap_or(0),
            max_us: self.max_us.or(bucket(self.buckets.last())).unwrap_or(0),
            buckets: self.buckets.clone(),
        }
    }
}

/// Where the windows of a run lie: side by side from its start, each as wide, the last as much narrower as load ends
/// before it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spacing {
    /// How wide each is but the last.
    pub width_us: u64,
    /// When load ends.
    pub until_us: u64,
    /// How many runs were joined: what is counted in a window was counted in that window of each.
    pub runs: u64,
}

impl Spacing {
    /// From when until when so many neighbouring windows last.
    pub fn bounds_us(self, windows: &Range<usize>) -> (u64, u64) {
        let at = |index: usize| (index as u64).saturating_mul(self.width_us).min(self.until_us);
        (at(windows.start), at(windows.end))
    }

    /// For how long what neighbouring windows count was counted, in all runs: so that what is counted by the second is
    /// that of a run.
    pub fn seconds(self, windows: &Range<usize>) -> f64 {
        let (from_us, until_us) = self.bounds_us(windows);
        (until_us - from_us) as f64 / 1e6 * self.runs as f64
    }
}
