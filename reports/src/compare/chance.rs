//! How sure it is that a figure differs between two runs. Owns the statistics, no word.
//!
//! A difference is told in standard errors of its own. Of means and shares that is the root of both sides' squares, where
//! they face each other (Zou and Donner, *Construction of confidence limits about effect measures*, Statistics in Medicine
//! 27, 2008). Of a percentile it is the value that both runs could have had with the least surprise, by the shares of
//! requests below it (Woodruff, *Confidence intervals for medians and other position measures*, JASA 47, 1952; Brown and
//! Mood, *On median tests for linear hypotheses*, 1951), so that steps in a distribution seem no surer than they are.
//! How well a spread is known decides how surprising so many of it are: each interval keeps its degrees of freedom.
//!
//! Many figures are compared at once, and one in twenty would seem to differ by chance alone: Holm's test (*A simple
//! sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6, 1979) keeps the odds that any
//! does below 5 %, whatever the figures have in common.

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{Interval, Traffic};
use hoplab_sim::statistics::{degrees, joint_degrees, least_reach, normal_tail, students_t};

/// The odds of any difference that is none.
const ODDS: f64 = 0.05;

/// How surprising a figure of two runs would be if they did not differ, as a deviate of the normal distribution: chance
/// alone puts one in twenty beyond 1.96. `None` where one of the runs has no interval.
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
    let sides = [(low.1.high - low.0, low.1), (high.0 - high.1.low, high.1)];
    let errors = sides.map(|(reach, interval)| {
        let degrees = degrees(interval);
        (reach / students_t(degrees), degrees)
    });
    let t = (high.0 - low.0) / errors[0].0.hypot(errors[1].0);
    deviate(t, joint_degrees(errors.into_iter()))
}

/// The shares of requests that take at most as long as each value, and how far the share below a percentile reaches.
struct Shares<'a> {
    buckets: &'a [(u64, u64)],
    /// By bucket, how many requests do not exceed it.
    cumulative: Vec<u64>,
    quantile: f64,
    reach: f64,
    degrees: f64,
}

impl<'a> Shares<'a> {
    fn of(traffic: &'a Traffic, quantile: f64, interval: Interval) -> Self {
        let buckets = traffic.latency.buckets.as_slice();
        let cumulative = buckets.iter().scan(0, |seen, (_, count)| {
            *seen += count;
            Some(*seen)
        });
        let mut shares = Self {
            buckets,
            cumulative: cumulative.collect(),
            quantile,
            reach: 0.0,
            degrees: degrees(interval),
        };
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

    /// How surprising the value between both percentiles is that is the least so for both; this one's is the lower. The
    /// spread that is known less well decides.
    fn least_surprise(&self, higher: &Self, (from, until): (f64, f64)) -> f64 {
        let values = self.buckets.iter().chain(higher.buckets).map(|(value, _)| *value as f64);
        let between = values.filter(|us| (from..=until).contains(us));
        let surprises = between.map(|us| {
            let of_lower = (self.below(us) - self.quantile).max(0.0) / self.error();
            let of_higher = (higher.quantile - higher.at_most(us)).max(0.0) / higher.error();
            of_lower.hypot(of_higher)
        });
        deviate(surprises.fold(f64::INFINITY, f64::min), self.degrees.min(higher.degrees))
    }

    /// The standard error of the share.
    fn error(&self) -> f64 {
        self.reach / students_t(self.degrees)
    }
}

/// Which of these distances are beyond chance, of as many figures as there are.
pub(super) fn beyond(distances: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..distances.len()).collect();
    order.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]));
    let mut beyond = vec![false; distances.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if 2.0 * normal_tail(distances[index]) > ODDS / (distances.len() - rank) as f64 {
            break;
        }
        beyond[index] = true;
    }
    beyond
}

/// Student's t as a normal deviate (Wallace, *Bounds on normal approximations to Student's and the chi-square
/// distributions*, Annals of Mathematical Statistics 30, 1959).
fn deviate(t: f64, degrees: f64) -> f64 {
    (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0) * (degrees * (t * t / degrees).ln_1p()).sqrt()
}

#[cfg(test)]
mod tests {
    use hoplab_sim::record::{Intervals, Latencies, Quantile, Requests};

    use super::*;

    #[test]
    fn the_odds_are_those_of_the_tables() {
        for (t, degrees, known) in [
            (3.182, 3.0, 0.05),
            (12.924, 3.0, 0.001),
            (2.776, 4.0, 0.05),
            (8.610, 4.0, 0.001),
            (2.131, 15.0, 0.05),
            (4.073, 15.0, 0.001),
        ] {
            let seen = 2.0 * normal_tail(deviate(t, degrees));
            assert!((0.98..1.3).contains(&(seen / known)), "{seen} instead of {known}: never much less");
        }
        assert!(normal_tail(deviate(f64::INFINITY, 15.0)) < 1e-12);
    }

    #[test]
    fn one_of_many_must_be_further_away_than_one_alone() {
        assert_eq!(beyond(&[2.1]), [true]);
        assert_eq!(beyond(&[2.1, 0.2, 0.3, 0.1]), [false; 4]);
        assert_eq!(beyond(&[0.2, 4.0, 2.1]), [false, true, false]);
        assert_eq!(beyond(&[]), [false; 0]);
    }

    /// As far apart as twice the reach of the difference, which few degrees of freedom leave to chance more often.
    #[test]
    fn what_is_known_from_few_degrees_is_less_sure() {
        let side =
            |value: f64, degrees| (value, Interval::between(value - 1.0, value + 1.0).with_degrees(degrees));
        let odds = |degrees| {
            let apart = values_apart(side(10.0, degrees), side(10.0 + 2.0 * 2.0_f64.sqrt(), degrees));
            2.0 * normal_tail(apart)
        };
        // Student's t of 2 × 3.182 with the 6 degrees of both together, of 2 × 2.131 with 30.
        assert!((0.0007..0.0008).contains(&odds(3.0)), "{}", odds(3.0));
        assert!((0.00018..0.0002).contains(&odds(15.0)), "{}", odds(15.0));
    }

    /// `count` requests of each of these microseconds, and their median's interval.
    fn traffic(buckets: &[(u64, u64)], low: f64, high: f64) -> Traffic {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum_us = buckets.iter().map(|(us, count)| us * count).sum();
        let (min_us, max_us) = (buckets[0].0, buckets[buckets.len() - 1].0);
        let latency = Latencies { count, sum_us, min_us, max_us, buckets: buckets.to_vec() };
        let quantile = Quantile { quantile: 0.5, interval: Interval::between(low, high).with_degrees(15.0) };
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
        assert!(distance(Figure::P50, &before, &now).unwrap() > 5.0);
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
        let side = |value, low, high| (value, Interval::between(low, high).with_degrees(1e6));
        let apart = values_apart(side(10.0, 1.0, 13.0), side(15.0, 11.0, 99.0));
        assert!((apart - 1.96).abs() < 1e-3, "5 of the root of 3² and 4²: {apart}");
    }
}
