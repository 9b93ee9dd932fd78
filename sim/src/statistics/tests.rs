//! Intervals against what mathematics knows: how often those of a queue hold the truth, and how often there are any.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::*;
use crate::random;
use crate::record::{Interval, Intervals, at_quantile};
use crate::slices::Slices;

/// Values in the order of time, each with when it was seen, in seconds.
type Series = Vec<(f64, i64)>;

/// Values with how often they occur, in rising order.
fn counted(mut values: Vec<i64>) -> Vec<(i64, u64)> {
    values.sort_unstable();
    let mut buckets: Vec<(i64, u64)> = Vec::new();
    for value in values {
        match buckets.last_mut() {
            Some((known, count)) if *known == value => *count += 1,
            _ => buckets.push((value, 1)),
        }
    }
    buckets
}

/// The value at each quantile of what was seen.
fn at(values: impl Iterator<Item = i64>) -> impl Fn(f64) -> i64 {
    let buckets = counted(values.collect());
    let count = buckets.iter().map(|(_, count)| count).sum();
    move |quantile| at_quantile(&buckets, count, quantile).unwrap_or(0)
}

/// The intervals of a run of so many `seconds`.
fn run(series: &Series, seconds: f64) -> Intervals {
    let instant = |seconds: f64| Instant::START + Duration::from_secs_f64(seconds);
    let mut slices = Slices::new(instant(0.0), instant(seconds));
    for (seen_at, value) in series {
        slices.observe(instant(*seen_at), *value);
        slices.sent(instant(*seen_at));
        slices.answered(instant(*seen_at));
    }
    of_run(&slices.into_clusters(), at(series.iter().map(|(_, value)| *value)))
}

/// One value each millisecond.
fn each_milli(count: usize, value: impl Fn(usize) -> i64) -> Intervals {
    let series: Series = (0..count).map(|number| (number as f64 / 1e3, value(number))).collect();
    run(&series, count as f64 / 1e3)
}

#[test]
fn what_never_differs_has_an_interval_of_no_width() {
    let seen = each_milli(1_000, |_| 4_000);
    let ends = |interval: Option<Interval>| interval.map(|of| (of.low, of.high));
    let point = Some((4_000.0, 4_000.0));
    assert_eq!((ends(seen.mean), ends(seen.of(0.5)), ends(seen.of(0.95))), (point, point, point));
    assert_eq!(seen.of(0.99), None, "a thousand values do not carry it");
    assert_eq!(seen.error_rate, Some(Interval::between(0.0, 0.003)));
}

#[test]
fn few_observations_say_nothing() {
    assert_eq!(each_milli(200, |_| 4_000).mean, None);
    assert_eq!(run(&Series::new(), 1.0), Intervals::default());
}

/// Noise that does not depend on its past.
fn noise(number: usize) -> i64 {
    (random::join(7, number as u64) % 1_000) as i64
}

#[test]
fn what_does_not_depend_on_its_past_has_the_textbooks_interval() {
    let seen = each_milli(10_000, noise).mean.expect("ten thousand values carry a mean");
    // 1.96 / √(12 × 10,000) of a thousand on both sides; never much less, since the widest of the spreads counts.
    assert!((10.5..18.0).contains(&(seen.high - seen.low)), "{seen:?}");
    assert!(seen.low < 499.5 && 499.5 < seen.high, "{seen:?}");
}

#[test]
fn what_drifts_or_jumps_has_none() {
    let (drifts, jumps) =
        (|number: usize| number as i64 / 10, |number: usize| i64::from(number > 7_000) * 500);
    for seen in
        [each_milli(10_000, |at| noise(at) + drifts(at)), each_milli(10_000, |at| noise(at) + jumps(at))]
    {
        assert_eq!((seen.mean, seen.quantiles.len()), (None, 0));
    }
}

/// Response times of M/M/1 with demands of 10 ms that starts empty, over so many `seconds` (Lindley's recursion).
fn queue(seed: u64, rate: f64, seconds: f64) -> Series {
    let mut random = random::stream(seed, "queue", rate as u64, seconds as u64);
    let mut exponential = |mean: f64| -mean * random::unit(&mut random).ln();
    let (mut now, mut wait) = (0.0, 0.0);
    let mut series = Series::new();
    loop {
        let gap = exponential(1.0 / rate);
        now += gap;
        if now >= seconds {
            return series;
        }
        let response = f64::max(wait - gap * 1e6, 0.0) + exponential(10_000.0);
        wait = response;
        series.push((now, response.round() as i64));
    }
}

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// In how many of the runs there is an interval of the mean and of each of [`QUANTILES`], and in how many of these
/// it holds the closed form.
fn coverage(rate: f64, seen: impl Iterator<Item = Intervals>) -> [(u32, u32); 5] {
    let mean = 1e6 / (100.0 - rate);
    let mut counts = [(0, 0); 5];
    for seen in seen {
        let quantiles = QUANTILES.map(|quantile| (seen.of(quantile), -(1.0_f64 - quantile).ln() * mean));
        let figures = [(seen.mean, mean)].into_iter().chain(quantiles);
        for (counts, (interval, truth)) in counts.iter_mut().zip(figures) {
            let Some(interval) = interval else { continue };
            counts.0 += 1;
            counts.1 += u32::from(interval.low <= truth && truth <= interval.high);
        }
    }
    counts
}

#[test]
fn whenever_a_run_has_an_interval_it_keeps_its_promise() {
    for rate in [50.0, 80.0, 95.0] {
        for seconds in [30.0, 40.0, 100.0] {
            let counts = coverage(rate, (0..60).map(|seed| run(&queue(seed, rate, seconds), seconds)));
            for (given, held) in counts {
                assert!(held * 60 >= given * 53, "{rate} rps over {seconds} s: {counts:?}");
            }
        }
    }
}

#[test]
fn runs_that_are_long_enough_have_intervals() {
    for (rate, seconds, runs, least) in [(50.0, 100.0, 60, 48), (80.0, 1_000.0, 10, 8)] {
        let counts = coverage(rate, (0..runs).map(|seed| run(&queue(seed, rate, seconds), seconds)));
        assert!(counts[..3].iter().all(|(given, _)| *given >= least), "{rate} rps: {counts:?}");
    }
}

#[test]
fn runs_that_are_too_short_have_none() {
    for (rate, seconds) in [(80.0, 30.0), (95.0, 100.0)] {
        let counts = coverage(rate, (0..60).map(|seed| run(&queue(seed, rate, seconds), seconds)));
        assert_eq!(counts, [(0, 0); 5], "{rate} rps over {seconds} s");
    }
}

/// The intervals of so many runs together.
fn seeds(seed: u64, seeds: u64, rate: f64, seconds: f64) -> (Vec<Intervals>, Intervals) {
    let runs: Vec<_> = (0..seeds).map(|number| queue(seed * 100 + number + 7, rate, seconds)).collect();
    let own: Vec<_> = runs.iter().map(|series| run(series, seconds)).collect();
    let values = |series: &Series| series.iter().map(|(_, value)| *value).collect::<Vec<_>>();
    let cluster = |series: &Series| {
        let (values, count) = (values(series), series.len() as u64);
        let sum = values.iter().sum::<i64>() as f64;
        Cluster::new(counted(values).into_iter(), sum, 0, count)
    };
    let clusters: Vec<_> = runs.iter().map(cluster).collect();
    let quantiles: Vec<_> = runs.iter().map(|series| at(values(series).into_iter())).collect();
    let told = own.iter().zip(&quantiles).map(|(intervals, at)| Own { intervals, at });
    let whole = at(runs.iter().flat_map(values));
    let resamples = Resamples::draw(seed, clusters.len());
    let joined = of_seeds(&clusters, &told.collect::<Vec<_>>(), whole, &resamples);
    (own, joined)
}

#[test]
fn seeds_hold_the_closed_form() {
    let counts = coverage(80.0, (0..100).map(|seed| seeds(seed, 20, 80.0, 60.0).1));
    for (given, held) in counts {
        assert!(given >= 90 && held * 100 >= given * 88, "{counts:?}");
    }
}

#[test]
fn more_seeds_never_say_less() {
    for count in [2, 3, 5] {
        for seed in 0..20 {
            let (own, joined) = seeds(seed, count, 50.0, 40.0);
            for own in own {
                assert!(own.mean.is_none() || joined.mean.is_some(), "{count} seeds from {seed}");
                assert!(own.error_rate.is_none() || joined.error_rate.is_some());
                for of in own.quantiles {
                    assert!(joined.of(of.quantile).is_some(), "{count} seeds from {seed}: {}", of.quantile);
                }
            }
        }
    }
}

#[test]
fn two_seeds_keep_the_promise_too() {
    let counts = coverage(50.0, (0..60).map(|seed| seeds(seed, 2, 50.0, 40.0).1));
    assert!(counts[0].0 >= 30, "{counts:?}");
    for (given, held) in counts {
        assert!(held * 60 >= given * 53, "{counts:?}");
    }
}
