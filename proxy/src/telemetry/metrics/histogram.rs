//! Durations counted into fixed buckets, with their exact sum.

use std::time::Duration;

use super::text::{Labels, Text};

/// The upper bounds of the buckets in nanoseconds, and as `le` says them in seconds. The steps are those of
/// Prometheus' own default (1, 2.5, 5 a decade, up to 10 s), carried down to the 100 µs that a hop takes.
const BOUNDS: [(u64, &str); 16] = [
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
];

/// How many durations there were of which length.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// By bucket, not cumulative; the last one is for what is longer than any bound.
    counts: [u64; BOUNDS.len() + 1],
    sum_nanos: u128,
}

impl Histogram {
    /// Counts `duration`. One that is as long as a bound belongs to its bucket.
    pub(super) fn observe(&mut self, duration: Duration) {
        let bucket = BOUNDS.partition_point(|(bound, _)| u128::from(*bound) < duration.as_nanos());
        self.counts[bucket] += 1;
        self.sum_nanos += duration.as_nanos();
    }

    /// The cumulative buckets, the sum and the count, as samples of the family that `text` is at.
    pub(super) fn write(&self, text: &mut Text, labels: Labels<'_>) {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        for (bound, counted) in bounds.zip(self.counts) {
            count += counted;
            text.sample("_bucket", labels, &[("le", bound)], count);
        }
        text.sample("_sum", labels, &[], Seconds(self.sum_nanos));
        text.sample("_count", labels, &[], count);
    }
}

/// Nanoseconds, written as seconds without a loss.
struct Seconds(u128);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::{Family, Kind};
    use super::*;

    const FAMILY: Family = Family { name: "x_seconds", kind: Kind::Histogram, help: "x" };

    /// The value of the sample that begins with `start`.
    fn value<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str, start: &str) -> T {
        let line =
            text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn written(histogram: &Histogram) -> String {
        let mut text = Text::default();
        text.family(FAMILY);
        histogram.write(&mut text, &[]);
        text.finish()
    }

    proptest! {
        #[test]
        fn buckets_count_and_sum_agree(
            durations in proptest::collection::vec(prop_oneof![0..1_000_000_u64, 0..40_000_000_000_u64], 0..200),
        ) {
            let mut histogram = Histogram::default();
            for nanos in &durations {
                histogram.observe(Duration::from_nanos(*nanos));
            }
            let text = written(&histogram);
            let mut before = 0;
            for (bound, name) in BOUNDS {
                let seen: usize = value(&text, &format!("x_seconds_bucket{{le=\"{name}\"}}"));
                let expected = durations.iter().filter(|nanos| **nanos <= bound).count();
                prop_assert_eq!(seen, expected, "{}", name);
                prop_assert!(seen >= before);
                before = seen;
            }
            prop_assert_eq!(value::<usize>(&text, "x_seconds_bucket{le=\"+Inf\"}"), durations.len());
            prop_assert_eq!(value::<usize>(&text, "x_seconds_count"), durations.len());
            let sum: u64 = durations.iter().sum();
            prop_assert!((value::<f64>(&text, "x_seconds_sum") - sum as f64 / 1e9).abs() < 1e-6);
        }
    }

    #[test]
    fn bounds_say_in_seconds_what_they_are_in_nanoseconds() {
        for (nanos, text) in BOUNDS {
            assert_eq!((text.parse::<f64>().unwrap() * 1e9).round() as u64, nanos);
        }
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn sums_are_exact() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_nanos(1));
        histogram.observe(Duration::from_secs(1 << 40));
        assert!(written(&histogram).contains("x_seconds_sum 1099511627776.000000001\n"));
    }
}
