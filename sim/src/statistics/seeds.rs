//! Intervals over the runs of several seeds, which do not depend on each other: a bootstrap whose percentiles are
//! widened for small samples (Hesterberg, *What teachers should know about the bootstrap*, The American Statistician
//! 69, 2015). What too few seeds, or too few requests of each, do not tell this way is told by the runs' own
//! intervals: the square of how far the figure may be off is the sum of the seeds' (Zou and Donner, *Construction of
//! confidence limits about effect measures*, Statistics in Medicine 27, 2008), so that more seeds never say less.

use rand::Rng;

use super::points::{Z, joint_degrees, normal_tail, students_t};
use super::{Cluster, Part, degrees, error_part, least_reach, mean_part, rule_of_three, share_part, sums};
use crate::random;
use crate::record::{Interval, Intervals, Quantile};

/// Fewer seeds say too little about their spread: then the runs' own intervals tell.
pub const SEEDS_MIN: usize = 5;

/// Fewer independent observations beyond a percentile say too little about it: its own spread, which rests on
/// these few, would be believed just where it happens to be too small.
const INDEPENDENT_MIN: f64 = 8.0;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1_000;

/// Which seeds each resample of a bootstrap takes, and how often.
pub(crate) struct Resamples {
    weights: Vec<Vec<u32>>,
}

impl Resamples {
    /// Resamples of so many `clusters`, drawn from `seed`.
    pub(crate) fn draw(seed: u64, clusters: usize) -> Self {
        let resample = |number: usize| {
            let mut random = random::stream(seed, "bootstrap", clusters as u64, number as u64);
            let mut weights = vec![0; clusters];
            for _ in 0..clusters {
                // A multiplication maps 64 random bits onto the clusters, evenly for all that matters.
                let drawn = (u128::from(random.next_u64()) * clusters as u128) >> 64;
                weights[drawn as usize] += 1;
            }
            weights
        };
        Self { weights: (0..RESAMPLES).map(resample).collect() }
    }
}

/// What the run of a seed says of itself.
pub(crate) struct Own<'a> {
    /// Its intervals.
    pub(crate) intervals: &'a Intervals,
    /// Its value at a quantile.
    pub(crate) at: &'a dyn Fn(f64) -> i64,
}

/// The intervals of what the runs of several seeds observed together, in the order of `own`; `whole` gives the
/// whole sample's value at a quantile.
pub(crate) fn of_seeds(
    seeds: &[Cluster],
    own: &[Own<'_>],
    whole: impl Fn(f64) -> i64,
    resamples: &Resamples,
) -> Intervals {
    let spread = Seeds { runs: seeds, whole: &whole, resamples };
    let ratio = |part: &dyn Fn(&Cluster) -> Part, interval: &dyn Fn(&Intervals) -> Option<Interval>| {
        let parts: Vec<_> = seeds.iter().map(part).collect();
        let (above, below) = sums(&parts);
        let told = parts.iter().zip(own).filter(|(part, _)| part.1 > 0.0);
        combined(above / below, told.map(|(part, own)| (part.1, part.0 / part.1, interval(own.intervals))))
    };
    let mean = spread.of_ratio(&mean_part).or_else(|| ratio(&mean_part, &|own| own.mean));
    let error_rate = spread.of_ratio(&error_part).or_else(|| ratio(&error_part, &|own| own.error_rate));
    let error_rate = error_rate.map(|interval| {
        let ended: u64 = seeds.iter().map(|seed| seed.ended).sum();
        if interval.high > 0.0 {
            Interval { low: interval.low.max(0.0), high: interval.high.min(1.0), ..interval }
        } else {
            Interval::between(0.0, rule_of_three(ended as f64))
        }
    });
    let quantile = |&quantile: &f64| {
        let interval = spread.quantile(quantile).or_else(|| {
            let told = seeds.iter().zip(own).filter(|(seed, _)| seed.count() > 0);
            let told = told.map(|(seed, own)| {
                (seed.count() as f64, (own.at)(quantile) as f64, own.intervals.of(quantile))
            });
            combined(whole(quantile) as f64, told)
        })?;
        Some(Quantile { quantile, interval })
    };
    let quantiles = Intervals::QUANTILES.iter().filter_map(quantile).collect();
    Intervals { mean, error_rate, quantiles }
}

/// The interval of `whole`, a figure over seeds of whom each has a weight, a value of its own and maybe an interval.
/// A seed without one counts with the widest of the others'; `None` when no seed has one.
fn combined(whole: f64, seeds: impl Iterator<Item = (f64, f64, Option<Interval>)>) -> Option<Interval> {
    let seeds: Vec<_> = seeds.collect();
    let reaches = |of: fn(f64, Interval) -> f64| {
        let known = seeds.iter().filter_map(|(_, value, interval)| Some(of(*value, (*interval)?)));
        let widest = known.max_by(f64::total_cmp)?;
        let weights: f64 = seeds.iter().map(|(weight, ..)| weight).sum();
        let squares = seeds.iter().map(|(weight, value, interval)| {
            let reach = interval.map_or(widest, |interval| of(*value, interval));
            (weight / weights * reach).powi(2)
        });
        Some(squares.sum::<f64>().sqrt())
    };
    let below = reaches(|value, interval| value - interval.low)?;
    let above = reaches(|value, interval| interval.high - value)?;
    let spreads = seeds.iter().filter_map(|(weight, _, interval)| {
        let interval = (*interval)?;
        let degrees = degrees(interval);
        Some((weight * (interval.high - interval.low) / students_t(degrees), degrees))
    });
    Some(Interval::between(whole - below, whole + above).with_degrees(joint_degrees(spreads)))
}

/// How far a share may be off, downwards and upwards, by so many degrees of freedom.
struct Reach {
    below: f64,
    above: f64,
    degrees: f64,
}

/// What the spread between seeds tells.
struct Seeds<'a, W> {
    runs: &'a [Cluster],
    whole: &'a W,
    resamples: &'a Resamples,
}

impl<W: Fn(f64) -> i64> Seeds<'_, W> {
    /// The interval of the sum of the first over the sum of the second; `None` when there is nothing to divide by,
    /// or the seeds are too few.
    fn of_ratio(&self, part: &dyn Fn(&Cluster) -> Part) -> Option<Interval> {
        let parts: Vec<_> = self.runs.iter().map(part).collect();
        // A seed in which nothing was observed tells nothing.
        let told = parts.iter().filter(|part| part.1 > 0.0).count();
        if told < SEEDS_MIN {
            return None;
        }
        let seeds = told as f64;
        let resampled = self.resamples.weights.iter().filter_map(|weights| {
            let weighed = weights.iter().zip(&parts).filter(|(weight, _)| **weight > 0);
            let (above, below) = weighed.fold((0.0, 0.0), |sum, (weight, part)| {
                (sum.0 + f64::from(*weight) * part.0, sum.1 + f64::from(*weight) * part.1)
            });
            (below > 0.0).then(|| above / below)
        });
        let mut ratios: Vec<f64> = resampled.collect();
        ratios.sort_by(f64::total_cmp);
        let tail = normal_tail((seeds / (seeds - 1.0)).sqrt() * students_t(seeds - 1.0));
        let rank = |share: f64| ((ratios.len() - 1) as f64 * share).round() as usize;
        let interval = Interval::between(*ratios.get(rank(tail))?, *ratios.get(rank(1.0 - tail))?);
        Some(interval.with_degrees(seeds - 1.0))
    }

    /// How far the share of observations below a quantile's value may be off.
    fn reach(&self, quantile: f64) -> Option<Reach> {
        let part = share_part((self.whole)(quantile));
        let around = self.of_ratio(&part)?;
        let parts: Vec<_> = self.runs.iter().map(part).collect();
        let (below, count) = sums(&parts);
        let least = least_reach(quantile, count);
        let share = below / count;
        let (below, above) = ((share - around.low).max(least), (around.high - share).max(least));
        Some(Reach { below, above, degrees: degrees(around) })
    }

    /// So many independent observations would spread as these do, judged where the spread is well known.
    fn worth(&self, quantile: f64) -> Option<f64> {
        let Reach { below, above, .. } = self.reach(quantile)?;
        Some(quantile * (1.0 - quantile) * (2.0 * Z / (below + above)).powi(2))
    }

    fn quantile(&self, quantile: f64) -> Option<Interval> {
        let beyond = match quantile {
            low if low < 0.1 => self.worth(0.1)? * low,
            high if high > 0.9 => self.worth(0.9)? * (1.0 - high),
            _ => f64::INFINITY,
        };
        let Reach { below, above, degrees } = self.reach(quantile)?;
        let (low, high) = (quantile - below, quantile + above);
        let count: u64 = self.runs.iter().map(Cluster::count).sum();
        let rarer = beyond.min(count as f64 * quantile.min(1.0 - quantile));
        let carried = rarer >= INDEPENDENT_MIN && low >= 0.0 && high <= 1.0;
        let interval = || Interval::between((self.whole)(low) as f64, (self.whole)(high) as f64);
        carried.then(|| interval().with_degrees(degrees))
    }
}
