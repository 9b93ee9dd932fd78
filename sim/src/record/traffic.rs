//! Requests: what became of them, how long they took, how many were served within a time. What a figure over
//! them means is for [`crate::figures`] to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::interval::Intervals;
use super::window::Window;

/// Requests and their latencies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// What became of them.
    pub requests: Requests,
    /// Response times from the intended send, of those that were served well: answered with a status below 500 that
    /// is no refusal.
    pub latency: Latencies,
    /// The same of all others that ended: failed, timed out or refused.
    #[serde(default)]
    pub failed_latency: Latencies,
    /// Good answers that were given in this part of the run, whenever they were asked for.
    #[serde(default)]
    pub good: u64,
    /// How many were served well within the times that the scenario asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Within>,
    /// How far the figures can be trusted; empty where that is not known.
    #[serde(default)]
    pub intervals: Intervals,
    /// What became of the requests of each seed, in their order, where several were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<Requests>,
}

/// Requests that were served well within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The time.
    pub limit_us: u64,
    /// How many took no longer.
    pub requests: u64,
}

/// What became of requests: `sent` is the sum of `ok`, `failed`, `timed_out` and `open`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// How many were sent.
    pub sent: u64,
    /// Answered with a status below 500.
    pub ok: u64,
    /// Answered with 500 and above, or not at all.
    pub failed: u64,
    /// Given up by the client.
    pub timed_out: u64,
    /// Not ended when the run was.
    pub open: u64,
    /// Of those that are `ok`, answered 429 (Too Many Requests): refused by a limit, not served well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
}

impl Requests {
    /// Answered with what was asked for: a status below 500 that is no refusal.
    pub fn served(&self) -> u64 {
        self.ok - self.refused.min(self.ok)
    }

    /// Failed, timed out or never answered.
    pub fn errors(&self) -> u64 {
        self.failed + self.timed_out + self.open
    }

    /// Answered, failed or timed out.
    pub fn ended(&self) -> u64 {
        self.sent - self.open.min(self.sent)
    }
}

impl Traffic {
    /// The requests of neighbouring windows; their extremes are those of the histogram.
    pub(crate) fn of_windows(windows: &[Window]) -> Self {
        let sum = |of: fn(&Window) -> u64| windows.iter().map(of).sum::<u64>();
        let buckets = summed(windows.iter().map(|window| &window.buckets[..]));
        let (sent, ok, failed) = (sum(|of| of.sent), sum(|of| of.ok), sum(|of| of.errors));
        let latency = Latencies {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum_us: sum(|of| of.sum_us),
            min_us: buckets.first().map_or(0, |(us, _)| *us),
            max_us: buckets.last().map_or(0, |(us, _)| *us),
            buckets,
        };
        let open = sent.saturating_sub(ok + failed);
        let requests = Requests { sent, ok, failed, timed_out: 0, open, refused: sum(|of| of.refused) };
        Self { requests, latency, good: sum(|of| of.good), ..Self::default() }
    }
}

/// A histogram of latencies, with exact moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many.
    pub count: u64,
    /// Their exact sum.
    pub sum_us: u64,
    /// The shortest; 0 when there are none.
    pub min_us: u64,
    /// The longest; 0 when there are none.
    pub max_us: u64,
    /// `[value, count]` in rising order of value: the buckets of an HDR histogram with four
    /// significant figures (exact below 20 ms), each by its highest value.
    pub buckets: Vec<(u64, u64)>,
}

impl Latencies {
    /// The mean; `None` when there are none.
    pub fn mean_us(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_us as f64 / self.count as f64)
    }

    /// The latency that a share `quantile` of requests did not exceed; `None` when the sample
    /// cannot carry it: when the upper end of its 95 % confidence interval by order statistics
    /// (rank `n·q + 1.96·√(n·q·(1−q))`) lies beyond the largest value.
    pub fn percentile_us(&self, quantile: f64) -> Option<u64> {
        Self::carries(self.count, quantile).then(|| self.quantile_us(quantile))
    }

    /// Whether so many requests carry a percentile.
    pub(crate) fn carries(requests: u64, quantile: f64) -> bool {
        let count = requests as f64;
        let upper = count * quantile + 1.96 * (count * quantile * (1.0 - quantile)).sqrt();
        upper <= count && requests > 0
    }

    /// The latency that a share `quantile` of requests did not exceed, however small the sample; 0
    /// when it is empty. For curves, not for claims.
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        let value = at_quantile(&self.buckets, self.count, quantile);
        value.map_or(self.max_us, |value| value.clamp(self.min_us, self.max_us))
    }
}

/// Histograms of the same figures, summed.
pub(crate) fn summed<'a, V: Copy + Ord + 'a>(all: impl Iterator<Item = &'a [(V, u64)]>) -> Vec<(V, u64)> {
    let mut sum: BTreeMap<V, u64> = BTreeMap::new();
    for &(value, count) in all.flatten() {
        *sum.entry(value).or_default() += count;
    }
    sum.into_iter().collect()
}

/// The value of the bucket, of `[value, count]` in rising order, that a share `quantile` of `count` values does not
/// exceed; `None` when the buckets hold fewer.
pub(crate) fn at_quantile<V: Copy>(buckets: &[(V, u64)], count: u64, quantile: f64) -> Option<V> {
    let rank = ((count as f64 * quantile).ceil() as u64).max(1);
    let mut seen = 0;
    let reached = buckets.iter().find(|(_, count)| {
        seen += count;
        seen >= rank
    });
    reached.map(|(value, _)| *value)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
