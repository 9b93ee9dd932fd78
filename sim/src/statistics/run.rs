//! Intervals of a single run, whose slices depend on each other as the waits in a queue do, or none.
//!
//! Batch means, with batches that grow until von Neumann's ratio finds neighbours independent (von Neumann,
//! *Distribution of the ratio of the mean square successive difference to the variance*, Annals of
//! Mathematical Statistics 12, 1941; Fishman, *Grouping observations in digital simulation*, Management
//! Science 24, 1978), what is left of their correlation taken into the variance as by Tafazzoli, Steiger and
//! Wilson (*N-Skart*, IEEE Transactions on Automatic Control 56, 2011), and the largest variance that any
//! wider batch shows.
//!
//! Such a test alone is no promise: it passes just those short runs that happen to be quiet, whose intervals
//! are too low and too narrow. So the variance also says how many independent observations the run is worth
//! (its length over the time in which it forgets: Sokal, *Monte Carlo methods in statistical mechanics*,
//! 1997), and that decides: below [`DEGREES_MIN`] there is no interval, and above it Student's t has as many
//! degrees of freedom as the run's worth carries, so that what is nearly too short is wide. What this comes to
//! was counted: see the README, *Intervals*.

use super::points::{DEGREES_MIN, students_t};
use super::{Cluster, Part, error_part, least_reach, mean_part, rule_of_three, share_part, sums};
use crate::record::{Interval, Intervals, Quantile};

/// Fewer batches say too little about their correlation.
const BATCHES_MIN: usize = 16;

/// Two neighbouring batches count as dependent when independent ones would seem so in a fifth of the cases.
const DEPENDENT: f64 = 0.842;

/// The halves of a part differ by chance as much in one case of a hundred.
const DRIFT: f64 = 2.576;

/// So many independent observations on a figure's rarer side give its spread a degree of freedom.
const A_DEGREE: f64 = 8.0;

/// A mean depends on its largest tenth.
const TAIL_OF_MEAN: f64 = 0.1;

/// The intervals of what `slices` of a run, in the order of time, observed together; `whole` gives the whole
/// sample's value at a quantile. Those figures have one that the run carries.
pub(crate) fn of_run(slices: &[Cluster], whole: impl Fn(f64) -> i64) -> Intervals {
    let error_rate = error_rate(slices);
    let Some(run) = Run::of(slices, &whole) else {
        return Intervals { error_rate, ..Intervals::default() };
    };
    let quantile = |&quantile: &f64| {
        let interval = run.quantile(quantile, &whole)?;
        Some(Quantile { quantile, interval })
    };
    let quantiles = Intervals::QUANTILES.iter().filter_map(quantile).collect();
    Intervals { mean: run.mean(), error_rate, quantiles }
}

/// A run, or a part of it, with slices that may be compared.
struct Run<'a> {
    slices: &'a [Cluster],
    count: f64,
    mean: f64,
    /// The spread of the sum of the observations about the mean.
    spread: Spread,
    /// How many independent observations would tell as much about where the mean, the median and the 90th
    /// percentile are: the fewest of them.
    worth: f64,
}

impl<'a> Run<'a> {
    fn of(slices: &'a [Cluster], whole: &impl Fn(f64) -> i64) -> Option<Self> {
        let parts: Vec<_> = slices.iter().map(mean_part).collect();
        let (sum, count) = sums(&parts);
        if count <= 0.0 {
            return None;
        }
        let mean = sum / count;
        let spread = Spread::of(&parts)?;
        let squares = slices.iter().map(|slice| slice.squares(mean)).sum();
        let mut worth = spread.worth(squares, count);
        for quantile in [0.5, 0.9] {
            let parts: Vec<_> = slices.iter().map(share_part(whole(quantile))).collect();
            let share = sums(&parts).0 / count;
            worth = worth.min(Spread::of(&parts)?.worth(count * share * (1.0 - share), count));
        }
        let carried = worth * TAIL_OF_MEAN / A_DEGREE >= DEGREES_MIN;
        carried.then_some(Self { slices, count, mean, spread, worth })
    }

    fn mean(&self) -> Option<Interval> {
        let (reach, degrees) = self.spread.reach(self.worth * TAIL_OF_MEAN)?;
        let reach = reach / self.count;
        let never_negative = |slice: &Cluster| slice.cumulative.first().is_none_or(|(least, _)| *least >= 0);
        if self.mean <= 0.0 || !self.slices.iter().all(never_negative) {
            return Some(Interval::between(self.mean - reach, self.mean + reach).with_degrees(degrees));
        }
        // The spread of what queues grows with the square of its mean, so that the inverse has a steady one.
        let share = reach / self.mean;
        let bounded = share < 1.0;
        let interval = || Interval::between(self.mean / (1.0 + share), self.mean / (1.0 - share));
        bounded.then(|| interval().with_degrees(degrees))
    }

    fn quantile(&self, quantile: f64, whole: &impl Fn(f64) -> i64) -> Option<Interval> {
        let parts: Vec<_> = self.slices.iter().map(share_part(whole(quantile))).collect();
        let rarer = self.worth * quantile.min(1.0 - quantile);
        let (reach, degrees) = Spread::of(&parts)?.reach(rarer)?;
        let reach = (reach / self.count).max(least_reach(quantile, self.count));
        let (low, high) = (quantile - reach, quantile + reach);
        let within = low >= 0.0 && high <= 1.0;
        within.then(|| Interval::between(whole(low) as f64, whole(high) as f64).with_degrees(degrees))
    }
}

fn error_rate(slices: &[Cluster]) -> Option<Interval> {
    let parts: Vec<_> = slices.iter().map(error_part).collect();
    let (errors, ended) = sums(&parts);
    if ended <= 0.0 {
        return None;
    }
    if errors <= 0.0 {
        return Some(Interval::between(0.0, rule_of_three(ended)));
    }
    if errors >= ended {
        return Some(Interval::between(1.0 - rule_of_three(ended), 1.0));
    }
    let rate = errors / ended;
    let spread = Spread::of(&parts)?;
    let worth = spread.worth(ended * rate * (1.0 - rate), ended);
    let (reach, degrees) = spread.reach(worth * rate.min(1.0 - rate))?;
    let reach = (reach / ended).max(least_reach(rate, ended));
    Some(Interval::between((rate - reach).max(0.0), (rate + reach).min(1.0)).with_degrees(degrees))
}

/// How far a sum over slices spreads.
#[derive(Clone, Copy)]
struct Spread {
    variance: f64,
    batches: usize,
}

impl Spread {
    /// The spread of what is above the line in `parts`, about its share of what is below; `None` when the
    /// slices are not alike, or too few to tell how they depend on each other.
    fn of(parts: &[Part]) -> Option<Self> {
        let (above, below) = sums(parts);
        let ratio = above / below;
        let residuals: Vec<f64> = parts.iter().map(|part| part.0 - ratio * part.1).collect();
        let (independent, batches) = independent_batches(&residuals)?;
        let wider = (0..).map(|times| (batches >> 1) >> times).take_while(|&wider| wider >= BATCHES_MIN);
        let wider = wider.map(|wider| variance(&batched(&residuals, wider)));
        let variance = wider.fold(variance(&independent), f64::max);
        // Half of what sums to nothing has half of the spread.
        let half: f64 = residuals[..residuals.len() / 2].iter().sum();
        let steady = 2.0 * half.abs() <= DRIFT * variance.sqrt();
        steady.then_some(Self { variance, batches })
    }

    /// How many independent observations would spread as the sum does, out of `count` whose squares are these.
    fn worth(self, squares: f64, count: f64) -> f64 {
        if self.variance <= 0.0 { count } else { (count * squares / self.variance).min(count) }
    }

    /// How far the sum may be off, where its rarer side is worth so many independent observations, and by how many
    /// degrees of freedom.
    fn reach(self, rarer: f64) -> Option<(f64, f64)> {
        let degrees = (rarer / A_DEGREE).min(self.batches as f64 - 1.0);
        (degrees >= DEGREES_MIN).then(|| (students_t(degrees) * self.variance.sqrt(), degrees))
    }
}

/// The most batches of which neighbours do not seem to depend on each other, and how many.
fn independent_batches(residuals: &[f64]) -> Option<(Vec<f64>, usize)> {
    let mut batches = residuals.len();
    while batches >= BATCHES_MIN {
        let sums = batched(residuals, batches);
        let count = batches as f64;
        if correlation(&sums) * ((count * count - 1.0) / (count - 2.0)).sqrt() <= DEPENDENT {
            return Some((sums, batches));
        }
        batches = (count / std::f64::consts::SQRT_2) as usize;
    }
    None
}

fn batched(residuals: &[f64], batches: usize) -> Vec<f64> {
    let bound = |batch: usize| batch * residuals.len() / batches;
    (0..batches).map(|batch| residuals[bound(batch)..bound(batch + 1)].iter().sum()).collect()
}

/// How much neighbours have in common: one less half of von Neumann's ratio, 0 when they have nothing.
fn correlation(sums: &[f64]) -> f64 {
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let steps: f64 = sums.windows(2).map(|pair| (pair[0] - pair[1]).powi(2)).sum();
    if squares <= 0.0 { 0.0 } else { 1.0 - steps / (2.0 * squares) }
}

/// The variance of the sum of batches that sum to nothing, what they have in common with their neighbours
/// counted as by a first-order autoregression.
fn variance(sums: &[f64]) -> f64 {
    let count = sums.len() as f64;
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let common = correlation(sums).max(0.0);
    count / (count - 1.0) * squares * (1.0 + common) / (1.0 - common)
}
