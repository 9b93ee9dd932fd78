//! How sure it is that a figure differs between two runs. Owns the statistics, no word.
//!
//! A difference is told in units of its own uncertainty: 1 is as far as its 95 % interval reaches. Of means and shares
//! that is the root of both intervals' squares, on the sides that face each other (Zou and Donner, *Construction of
//! confidence limits about effect measures*, Statistics in Medicine 27, 2008). Of a percentile it is the value that both
//! runs could have had with the least surprise, by the shares of requests below it (Woodruff, *Confidence intervals for
//! medians and other position measures*, JASA 47, 1952; Brown and Mood, *On median tests for linear hypotheses*, 1951), so
//! that steps in a distribution seem no surer than they are.
//!
//! Many figures are compared at once, and one in twenty would seem to differ by chance alone: Holm's test (*A simple
//! sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6, 1979) keeps the odds that any
//! does below 5 %, whatever the figures have in common.

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{Interval, Record, Traffic};
use hoplab_sim::statistics::{SEEDS_MIN, least_reach, normal_tail, students_t};

/// The odds of any difference that is none.
const ODDS: f64 = 0.05;

/// The spread of a single run is known from at least so many batches less one.
const DEGREES_OF_A_RUN: f64 = 15.0;

/// How far apart a figure of two runs is, in reaches of the difference's 95 % interval; `None` where one of the runs has
/// no interval.
pub(super) fn distance(figure: Figure, before: &Traffic, now: &Traffic) -> Option<f64> {
    let side = |traffic: &Traffic| {
        let scope = Scope::of_traffic(traffic);
        Some((figure.of(&scope)?, figure.interval(&scope)?))
    };
    let (first, second) = (side(before)?, side(now)?);
    if first.0.total_cmp(&second.0).is_eq() {
        return Some(0.0);
    }
    let (low, high) = if first.0 < second.0 { (first, second) } else { (second, first) };
    let Figure::Percentile(rank) = figure else { return Some(values_apart(low, high)) };
    let (lower, higher) = if first.0 < second.0 { (before, now) } else { (now, before) };
    let sides = [(lower, low.1), (higher, high.1)];
    let [lower, higher] = sides.map(|(traffic, interval)| Shares::of(traffic, rank.quantile(), interval));
    Some(lower.least_surprise(&higher, (low.0, high.0)))
}

fn values_apart(low: (f64, Interval), high: (f64, Interval)) -> f64 {
    (high.0 - low.0) / (low.1.high - low.0).hypot(high.0 - high.1.low)
}

/// The shares of requests that take at most as long as each value, and how far the share below a percentile reaches.
struct Shares<'a> {
    buckets: &'a [(u64, u64)],
    /// By bucket, how many requests do not exceed it.
    cumulative: Vec<u64>,
    quantile: f64,
    reach: f64,
}

impl<'a> Shares<'a> {
    fn of(traffic: &'a Traffic, quantile: f64, interval: Interval) -> Self {
        let buckets = traffic.latency.buckets.as_slice();
        let cumulative = buckets.iter().scan(0, |seen, (_, count)| {
            *seen += count;
            Some(*seen)
        });
        let mut shares = Self { buckets, cumulative: cumulative.collect(), quantile, reach: 0.0 };
        let count = traffic.latency.count.max(1) as f64;
        let least = least_reach(quantile, count);
        shares.reach = if interval.low < interval.high {
            shares.reach_of(quantile, interval).max(least)
        } else {
            // All requests about it take as long: how far they depend on each other, other percentiles tell.
            let others = traffic.intervals.quantiles.iter().filter(|of| of.interval.low < of.interval.high);
            let times =
                others.map(|of| shares.reach_of(of.quantile, of.interval) / least_reach(of.quantile, count));
            least * times.fold(1.0, f64::max)
        };
        shares
    }

    /// The interval of a percentile as one of the share below it; the narrower side, where values are steps.
    fn reach_of(&self, quantile: f64, interval: Interval) -> f64 {
        let above = self.at_most(interval.high) - quantile;
        let below = quantile - self.below(interval.low);
        above.min(below)
    }

    /// The share of requests that take no longer.
    fn at_most(&self, us: f64) -> f64 {
        self.share(self.buckets.partition_point(|(value, _)| *value as f64 <= us))
    }

    /// The share of requests that take less.
    fn below(&self, us: f64) -> f64 {
        self.share(self.buckets.partition_point(|(value, _)| (*value as f64) < us))
    }

    /// The share of the first so many buckets.
    fn share(&self, buckets: usize) -> f64 {
        let all = self.cumulative.last().copied().unwrap_or(1).max(1);
        let seen = buckets.checked_sub(1).map_or(0, |last| self.cumulative[last]);
        seen as f64 / all as f64
    }

    /// How surprising the value between both percentiles is that is the least so for both; this one's is the lower.
    fn least_surprise(&self, higher: &Self, (from, until): (f64, f64)) -> f64 {
        let values = self.buckets.iter().chain(higher.buckets).map(|(value, _)| *value as f64);
        let between = values.filter(|us| (from..=until).contains(us));
        let surprises = between.map(|us| {
            let of_lower = (self.below(us) - self.quantile).max(0.0) / self.reach;
            let of_higher = (higher.quantile - higher.at_most(us)).max(0.0) / higher.reach;
            of_lower.hypot(of_higher)
        });
        surprises.fold(f64::INFINITY, f64::min)
    }
}

/// How many degrees of freedom the intervals of two records have, at least.
pub(super) fn degrees(first: &Record, second: &Record) -> f64 {
    let of = |record: &Record| match record.runs() {
        seeds if seeds >= SEEDS_MIN as u64 => (seeds - 1) as f64,
        _ => DEGREES_OF_A_RUN,
    };
    of(first).min(of(second))
}

/// Which of these distances are beyond chance, of as many figures as there are.
pub(super) fn beyond(distances: &[f64], degrees: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..distances.len()).collect();
    order.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]));
    let mut beyond = vec![false; distances.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if odds(distances[index], degrees) > ODDS / (distances.len() - rank) as f64 {
            break;
        }
        beyond[index] = true;
    }
    beyond
}

/// The odds that chance alone puts two figures so far apart: Student's t as a normal deviate (Wallace, *Bounds on normal
/// approximations to Student's and the chi-square distributions*, Annals of Mathematical Statistics 30, 1959).
fn odds(distance: f64, degrees: f64) -> f64 {
    let t = distance * students_t(degrees);
    let deviate =
        (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0) * (degrees * (t * t / degrees).ln_1p()).sqrt();
    2.0 * normal_tail(deviate)
}

#[cfg(test)]
mod tests {
    use hoplab_sim::record::{Intervals, Latencies, Quantile, Requests};

    use super::*;

    #[test]
    fn the_odds_are_those_of_the_tables() {
        // Student's t of 2.776 and 8.610 with 4 degrees, of 2.131 and 4.073 with 15.
        for (t, degrees, known) in
            [(2.776, 4.0, 0.05), (8.610, 4.0, 0.001), (2.131, 15.0, 0.05), (4.073, 15.0, 0.001)]
        {
            let seen = odds(t / students_t(degrees), degrees);
            assert!((0.98..1.16).contains(&(seen / known)), "{seen} instead of {known}: never much less");
        }
        assert!(odds(f64::INFINITY, 15.0) < 1e-12);
    }

    #[test]
    fn one_of_many_must_be_further_away_than_one_alone() {
        assert_eq!(beyond(&[1.1], 15.0), [true]);
        assert_eq!(beyond(&[1.1, 0.2, 0.3, 0.1], 15.0), [false; 4]);
        assert_eq!(beyond(&[0.2, 2.5, 1.1], 15.0), [false, true, false]);
        assert_eq!(beyond(&[], 15.0), [false; 0]);
    }

    /// `count` requests of each of these microseconds, and their median's interval.
    fn traffic(buckets: &[(u64, u64)], low: f64, high: f64) -> Traffic {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum_us = buckets.iter().map(|(us, count)| us * count).sum();
        let (min_us, max_us) = (buckets[0].0, buckets[buckets.len() - 1].0);
        let latency = Latencies { count, sum_us, min_us, max_us, buckets: buckets.to_vec() };
        let quantile = Quantile { quantile: 0.5, interval: Interval { low, high } };
        let intervals = Intervals { quantiles: vec![quantile], ..Intervals::default() };
        Traffic {
            requests: Requests { sent: count, ok: count, ..Requests::default() },
            latency,
            intervals,
            ..Traffic::default()
        }
    }

    #[test]
    fn constants_that_differ_are_far_apart() {
        let [before, now] = [2_000, 2_100].map(|us| traffic(&[(us, 1_000)], us as f64, us as f64));
        assert!(distance(Figure::P50, &before, &now).unwrap() > 10.0);
        assert_eq!(distance(Figure::P50, &before, &before), Some(0.0));
        assert_eq!(distance(Figure::P99, &before, &now), None, "it has no interval");
    }

    /// The median of a half at 2 ms and a half at 9 ms jumps by chance alone, however narrow its interval looks.
    #[test]
    fn a_median_on_a_step_is_not_sure_to_differ() {
        let before = traffic(&[(2_000, 510), (9_000, 490)], 2_000.0, 9_000.0);
        let now = traffic(&[(2_000, 490), (9_000, 510)], 2_000.0, 9_000.0);
        assert!(distance(Figure::P50, &before, &now).unwrap() < 1.0);
        let narrow = traffic(&[(2_000, 490), (9_000, 510)], 9_000.0, 9_000.0);
        assert!(distance(Figure::P50, &before, &narrow).unwrap() < 1.0);
    }

    #[test]
    fn the_sides_of_intervals_that_face_each_other_count() {
        let side = |value, low, high| (value, Interval { low, high });
        let apart = values_apart(side(10.0, 1.0, 13.0), side(15.0, 11.0, 99.0));
        assert!((apart - 1.0).abs() < 1e-9, "5 of the root of 3² and 4²");
    }
}
