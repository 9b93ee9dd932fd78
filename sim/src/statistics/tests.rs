//! Intervals against what mathematics knows: tabled points, and how often they hold the truth.

use super::*;
use crate::record::at_quantile;

fn close(seen: f64, known: f64, share: f64) {
    assert!((seen / known - 1.0).abs() < share, "{seen} instead of {known}");
}

#[test]
fn students_t_is_that_of_the_tables() {
    for (degrees, known) in [(4.0, 2.776), (9.0, 2.262), (19.0, 2.093), (99.0, 1.984), (1e6, 1.960)] {
        close(students_t(degrees), known, 0.002);
    }
}

#[test]
fn the_normal_tail_is_that_of_the_tables() {
    for (z, known) in [(1.0, 0.158_655_254), (1.959_963_985, 0.025), (3.0, 0.001_349_898)] {
        close(normal_tail(z), known, 1e-4);
    }
}

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

/// The intervals of what so many clusters of values saw.
fn of(clusters: &[Vec<i64>], spread: &Spread) -> Intervals {
    let whole = counted(clusters.iter().flatten().copied().collect());
    let cluster = |values: &Vec<i64>| {
        let (sum, count) = (values.iter().sum::<i64>() as f64, values.len() as u64);
        Cluster::new(counted(values.clone()).into_iter(), sum, 0, count)
    };
    let clusters: Vec<_> = clusters.iter().map(cluster).collect();
    let count = whole.iter().map(|(_, count)| count).sum();
    intervals(&clusters, |at| at_quantile(&whole, count, at).unwrap_or(0), spread)
}

#[test]
fn what_never_differs_has_an_interval_of_no_width() {
    let clusters = vec![vec![4_000; 50]; 20];
    let seen = of(&clusters, &Spread::Batches);
    let point = Interval { low: 4_000.0, high: 4_000.0 };
    assert_eq!((seen.mean, seen.of(0.5), seen.of(0.99)), (Some(point), Some(point), Some(point)));
    assert_eq!(seen.of(0.999), None, "a thousand values do not carry it");
    assert_eq!(seen.error_rate, Some(Interval { low: 0.0, high: 0.003 }));
}

#[test]
fn few_clusters_say_nothing() {
    assert_eq!(of(&vec![vec![1, 2, 3]; 4], &Spread::Batches), Intervals::default());
}

/// Response times of a single queue with exponential gaps and demands, in arrival order (Lindley's recursion).
fn queue(seed: u64, customers: usize, load: f64, mean_us: f64) -> Vec<i64> {
    let mut random = random::stream(seed, "queue", 0, 0);
    let mut exponential = |mean: f64| -mean * random::unit(&mut random).ln();
    let mut wait = 0.0;
    let respond = |_| {
        let demand = exponential(mean_us);
        let response = wait + demand;
        wait = (response - exponential(mean_us / load)).max(0.0);
        response.round() as i64
    };
    (0..customers).map(respond).collect()
}

/// In how many of 200 runs the intervals of the mean, the median, the 90th and the 99th percentile of M/M/1 at
/// 0.8 hold the closed form, and in how many there are such intervals.
fn coverage(intervals: impl Fn(u64) -> Intervals) -> [(u32, u32); 4] {
    // Response times are exponential, of mean 10 ms / (1 - 0.8).
    let exact = |quantile: f64| -(1.0 - quantile).ln() * 50_000.0;
    let mut held = [(0, 0); 4];
    for seed in 0..200 {
        let seen = intervals(seed);
        let truths = [50_000.0, exact(0.5), exact(0.9), exact(0.99)];
        let seen = [seen.mean, seen.of(0.5), seen.of(0.9), seen.of(0.99)];
        for ((held, truth), seen) in held.iter_mut().zip(truths).zip(seen) {
            let Some(seen) = seen else { continue };
            held.0 += u32::from(seen.low <= truth && truth <= seen.high);
            held.1 += 1;
        }
    }
    held
}

/// Whether 95 % intervals are nearly always there, and hold the truth in 90 to 99 % of the runs.
fn assert_honest(coverage: [(u32, u32); 4]) {
    for (held, carried) in coverage {
        assert!(carried >= 180, "{coverage:?}");
        assert!((0.90..=0.99).contains(&(f64::from(held) / f64::from(carried))), "{coverage:?}");
    }
}

#[test]
fn stretches_of_a_run_hold_the_closed_form() {
    let held = coverage(|seed| {
        let times = queue(seed, 82_000, 0.8, 10_000.0);
        let stretches: Vec<Vec<i64>> = times[2_000..].chunks(4_000).map(<[i64]>::to_vec).collect();
        of(&stretches, &Spread::Batches)
    });
    assert_honest(held);
}

#[test]
fn seeds_hold_the_closed_form() {
    let held = coverage(|seed| {
        let runs = (0..20).map(|run| queue(seed * 100 + run + 7, 6_000, 0.8, 10_000.0).split_off(1_000));
        of(&runs.collect::<Vec<_>>(), &Spread::Bootstrap(Resamples::draw(seed, 20)))
    });
    assert_honest(held);
}
