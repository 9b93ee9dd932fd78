//! How far a figure can be trusted: 95 % confidence intervals from clusters of observations. A cluster
//! is a slice of a run, or the run of a seed. A mean is a ratio of sums over clusters. A percentile's
//! interval is that of the share of observations below it, read off the whole sample's distribution
//! (Woodruff, *Confidence intervals for medians and other position measures*, JASA 47, 1952).
//!
//! | file | how the spread of a ratio is told |
//! |---|---|
//! | `run` | from the slices of a single run, which depend on each other |
//! | `seeds` | from the runs of several seeds, which do not |
//! | `differences` | from differences that do not depend on each other |
//! | `points` | the points of the distributions that both need |
//!
//! Not here: where clusters come from.

mod differences;
mod points;
mod run;
mod seeds;

use crate::record::Interval;
pub use differences::of_differences;
pub use points::{joint_degrees, normal_tail, students_t};
pub(crate) use run::of_run;
pub use seeds::SEEDS_MIN;
pub(crate) use seeds::{Own, Resamples, of_seeds};

/// Observations that may depend on each other.
pub(crate) struct Cluster {
    /// The sum of the observations.
    sum: f64,
    /// What went wrong beside, out of `ended`.
    errors: u64,
    ended: u64,
    /// Values in rising order, each with how many observations do not exceed it.
    cumulative: Vec<(i64, u64)>,
}

impl Cluster {
    /// Observations by `[value, count]` in rising order, with their exact sum; `errors` of `ended` went wrong.
    pub(crate) fn new(buckets: impl Iterator<Item = (i64, u64)>, sum: f64, errors: u64, ended: u64) -> Self {
        let mut seen = 0;
        let cumulative = buckets.map(|(value, count)| {
            seen += count;
            (value, seen)
        });
        Self { cumulative: cumulative.collect(), sum, errors, ended }
    }

    pub(crate) fn count(&self) -> u64 {
        self.cumulative.last().map_or(0, |(_, seen)| *seen)
    }

    fn at_most(&self, value: i64) -> u64 {
        let beyond = self.cumulative.partition_point(|(known, _)| *known <= value);
        if beyond == 0 { 0 } else { self.cumulative[beyond - 1].1 }
    }

    /// The sum of the squared distances of the observations from `mean`.
    fn squares(&self, mean: f64) -> f64 {
        let mut before = 0;
        let squares = self.cumulative.iter().map(|&(value, seen)| {
            let count = seen - std::mem::replace(&mut before, seen);
            count as f64 * (value as f64 - mean).powi(2)
        });
        squares.sum()
    }
}

/// What a cluster adds to a ratio: above and below the line.
type Part = (f64, f64);

fn mean_part(cluster: &Cluster) -> Part {
    (cluster.sum, cluster.count() as f64)
}

fn error_part(cluster: &Cluster) -> Part {
    (cluster.errors as f64, cluster.ended as f64)
}

fn share_part(value: i64) -> impl Fn(&Cluster) -> Part {
    move |cluster| (cluster.at_most(value) as f64, cluster.count() as f64)
}

/// The sums above and below the line.
fn sums(parts: &[Part]) -> Part {
    parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
}

/// How far the 95 % interval of a share of `count` observations would reach to either side if they did not depend on each
/// other.
pub fn least_reach(quantile: f64, count: f64) -> f64 {
    points::Z * (quantile * (1.0 - quantile) / count).sqrt()
}

/// The degrees of freedom that an interval rests on; the fewest there may be, where it does not tell.
pub fn degrees(interval: Interval) -> f64 {
    interval.degrees.unwrap_or(points::DEGREES_MIN)
}

/// Of how many independent trials without a success the chance of one may still be so high: three in n (Hanley
/// and Lippman-Hand, *If nothing goes wrong, is everything all right?*, JAMA 249, 1983).
fn rule_of_three(trials: f64) -> f64 {
    (3.0 / trials).min(1.0)
}

#[cfg(test)]
mod tests;
