//! Confidence intervals as a record keeps them. Owns their shape; how they are estimated is
//! `statistics`'s.

use serde::{Deserialize, Serialize};

/// An interval that holds the true figure with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The degrees of freedom of Student's t by which it reaches so far; `None` where it rests on no spread that was
    /// seen, as where nothing went wrong, or that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrees: Option<f64>,
}

impl Interval {
    /// From `low` to `high`, by no spread that was seen.
    pub fn between(low: f64, high: f64) -> Self {
        Self { low, high, degrees: None }
    }

    /// The same by a spread with so many degrees of freedom.
    #[must_use]
    pub fn with_degrees(self, degrees: f64) -> Self {
        Self { degrees: Some(degrees), ..self }
    }
}

/// The intervals of a sample's figures: those that the sample carries, in the figure's own unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of the mean.
    pub mean: Option<Interval>,
    /// Of the share of requests that failed, timed out or were left open, 0 to 1.
    pub error_rate: Option<Interval>,
    /// Of percentiles, by rising quantile, of [`Intervals::QUANTILES`] as far as the sample goes.
    pub quantiles: Vec<Quantile>,
}

/// A percentile's interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The share of requests that does not exceed it, 0 to 1.
    pub quantile: f64,
    /// Its interval.
    pub interval: Interval,
}

impl Intervals {
    /// The percentiles that are estimated, evenly over the nines, with those that reports name.
    pub const QUANTILES: [f64; 19] = [
        0.05, 0.1, 0.25, 0.5, 0.684, 0.75, 0.8, 0.9, 0.937, 0.95, 0.975, 0.98, 0.99, 0.995, 0.998, 0.999,
        0.9995, 0.9998, 0.9999,
    ];

    /// The interval of a percentile; `None` where the sample cannot carry it.
    pub fn of(&self, quantile: f64) -> Option<Interval> {
        let found = self.quantiles.iter().find(|of| (of.quantile - quantile).abs() < 1e-9);
        found.map(|of| of.interval)
    }
}
