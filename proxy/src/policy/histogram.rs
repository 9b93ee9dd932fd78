//! Latencies counted in an `HdrHistogram`: whole microseconds up to 19 hours, exact below 256 of them and off by less
//! than 0.8 % above, in 15 KiB that never grow. Owns no clock and forgets nothing by itself.

use std::time::Duration;

use hdrhistogram::Histogram as Counts;

/// What is longer counts as this long.
const LONGEST_US: u64 = (1 << 36) - 1;
/// Two digits of a latency are kept.
const DIGITS: u8 = 2;

/// How often each latency was seen.
#[derive(Debug, Clone)]
pub(super) struct Histogram(Counts<u32>);

impl Histogram {
    /// Nothing was seen yet.
    pub(super) fn new() -> Self {
        Self(Counts::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are in order"))
    }

    /// A latency was seen.
    pub(super) fn add(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// The latency that a share of `quantile` did not exceed; zero when nothing was seen.
    pub(super) fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    /// How many were seen.
    pub(super) fn total(&self) -> u64 {
        self.0.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.reset();
    }

    /// Forgets all but what `other` has seen.
    pub(super) fn set_to(&mut self, other: &Self) {
        self.0.set_to(&other.0).expect("all histograms have the same bounds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_latency_is_too_short_or_too_long() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        histogram.add(Duration::ZERO);
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        histogram.add(Duration::MAX);
        assert!(histogram.quantile(1.0) >= Duration::from_secs(19 * 3_600));
        assert_eq!(histogram.total(), 2);
    }

    proptest! {
        #[test]
        fn a_quantile_is_that_of_the_samples_but_for_rounding_up(
            mut micros in prop::collection::vec(0_u64..10_000_000, 1..300),
            quantile in 0.01..0.999_f64,
        ) {
            let mut histogram = Histogram::new();
            for value in &micros {
                histogram.add(Duration::from_micros(*value));
            }
            micros.sort_unstable();
            let exact = micros[((quantile * micros.len() as f64).ceil() as usize).clamp(1, micros.len()) - 1];
            let found = histogram.quantile(quantile).as_micros() as u64;
            prop_assert!(exact <= found && found <= exact + exact / 128, "{} {}", exact, found);
        }
    }
}
