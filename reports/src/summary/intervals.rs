//! How far figures can be trusted, as `summary.json` says it: 95 % confidence intervals, `[low, high]`
//! in the figure's own unit. An interval that the sample cannot carry is left out. Owns their keys.

use hoplab_sim::record::{self, Interval};
use serde::{Deserialize, Serialize};

use super::Micros;

/// The 95 % confidence intervals of a sample's figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of the share of requests that failed, timed out or were left open, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<(f64, f64)>,
    /// Of the mean, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_us: Option<(Micros, Micros)>,
    /// Of the median, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<(Micros, Micros)>,
    /// Of the 90th percentile, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_us: Option<(Micros, Micros)>,
    /// Of the 99th percentile, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<(Micros, Micros)>,
    /// Of the 99.9th percentile, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_us: Option<(Micros, Micros)>,
}

impl Intervals {
    /// Those that the record has.
    pub(super) fn of(intervals: &record::Intervals) -> Self {
        let us = |interval: Interval| (interval.low.into(), interval.high.into());
        let ratio = |interval: Interval| (millionths(interval.low), millionths(interval.high));
        let quantile = |quantile| intervals.of(quantile).map(us);
        Self {
            error_rate: intervals.error_rate.map(ratio),
            mean_us: intervals.mean.map(us),
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// To six decimals; never `-0`.
pub(super) fn millionths(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}
