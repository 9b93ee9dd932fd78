//! A run in windows: what was sent in each, and what became of it.

use serde::{Deserialize, Serialize};

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
    /// The largest; `None` when there is none.
    pub max_us: Option<u64>,
    /// The exact sum of the latencies.
    #[serde(default)]
    pub sum_us: u64,
    /// `[value, count]` in rising order of value: the buckets of an HDR histogram with two significant
    /// figures, each by its highest value.
    #[serde(default)]
    pub buckets: Vec<(u64, u64)>,
}
