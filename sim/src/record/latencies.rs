//! Response times as a record keeps them: a histogram with exact moments, and what is read off it. What they are of is
//! for [`super::Traffic`] and [`super::Window`] to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// The same of several samples together.
    pub fn joined<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let measured: Vec<&Self> = all.into_iter().filter(|latency| latency.count > 0).collect();
        Self {
            count: measured.iter().map(|latency| latency.count).sum(),
            sum_us: measured.iter().map(|latency| latency.sum_us).sum(),
            min_us: measured.iter().map(|latency| latency.min_us).min().unwrap_or(0),
            max_us: measured.iter().map(|latency| latency.max_us).max().unwrap_or(0),
            buckets: summed(measured.iter().map(|latency| &latency.buckets[..])),
        }
    }

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
