//! A percentile of the latencies of the last while, from two log-linear histograms that take turns (buckets as in
//! G. Tene's `HdrHistogram`: 32 to an octave, so that a value is off by at most 3.2 %). Bounded
//! memory, no allocation; owns no clock.

use std::time::Duration;

use crate::host::Instant;

/// Buckets to an octave, as a power of two.
const PRECISION_BITS: u32 = 5;
/// Latencies are counted in microseconds, up to 2^36 of them: 19 hours.
const VALUE_BITS: u32 = 36;
pub(in crate::policy) const BUCKETS: usize = ((VALUE_BITS - PRECISION_BITS + 1) as usize) << PRECISION_BITS;

/// Latencies of the last window: all of its second half, and at least half of it.
#[derive(Debug)]
pub(super) struct Latencies {
    halves: [[u32; BUCKETS]; 2],
    totals: [u64; 2],
    half_nanos: u64,
    /// The number of the younger half, counted from the start of time.
    youngest: u64,
    /// What was found last, and how many more samples make it worth a second look.
    found: Option<(f64, Duration)>,
    samples_left: u64,
}

impl Latencies {
    /// Nothing was seen yet.
    pub(super) fn new(window: Duration) -> Self {
        let half_nanos = u64::try_from(window.as_nanos() / 2).unwrap_or(u64::MAX).max(1);
        Self {
            halves: [[0; BUCKETS]; 2],
            totals: [0; 2],
            half_nanos,
            youngest: 0,
            found: None,
            samples_left: 0,
        }
    }

    /// A latency was measured.
    pub(super) fn add(&mut self, now: Instant, latency: Duration) {
        self.forget(now);
        let half = (self.youngest & 1) as usize;
        let count = &mut self.halves[half][bucket(latency)];
        *count = count.saturating_add(1);
        self.totals[half] += 1;
        self.samples_left = self.samples_left.saturating_sub(1);
    }

    /// The latency that a share of `quantile` did not exceed; `None` below `samples_min` samples. Looked up anew
    /// after every 64th part more of samples.
    pub(super) fn quantile(&mut self, now: Instant, quantile: f64, samples_min: u32) -> Option<Duration> {
        self.forget(now);
        let total = self.totals[0] + self.totals[1];
        if total < u64::from(samples_min.max(1)) {
            return None;
        }
        match self.found {
            Some((found_for, found)) if self.samples_left > 0 && found_for.total_cmp(&quantile).is_eq() => {
                Some(found)
            }
            _ => {
                let found = self.look_up(quantile, total);
                self.found = Some((quantile, found));
                self.samples_left = total / 64 + 1;
                Some(found)
            }
        }
    }

    fn look_up(&self, quantile: f64, total: u64) -> Duration {
        let rank = ((quantile * total as f64).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let [first, second] = &self.halves;
        let reached = first.iter().zip(second).position(|(first, second)| {
            seen += u64::from(*first) + u64::from(*second);
            seen >= rank
        });
        upper_bound(reached.unwrap_or(BUCKETS - 1))
    }

    fn forget(&mut self, now: Instant) {
        let youngest = now.nanos() / self.half_nanos;
        let passed = youngest.saturating_sub(self.youngest).min(2);
        for step in 1..=passed {
            let half = ((self.youngest + step) & 1) as usize;
            self.halves[half] = [0; BUCKETS];
            self.totals[half] = 0;
            self.samples_left = 0;
        }
        self.youngest = self.youngest.max(youngest);
    }
}

/// The bucket of a latency: linear below 32 us, then 32 to an octave.
pub(in crate::policy) fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min((1 << VALUE_BITS) - 1);
    let octave = (u64::BITS - micros.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((octave as usize) << PRECISION_BITS) + (micros >> octave) as usize
}

/// The largest latency in a bucket.
pub(in crate::policy) fn upper_bound(bucket: usize) -> Duration {
    let octave = (bucket >> PRECISION_BITS).saturating_sub(1);
    let mantissa = bucket - (octave << PRECISION_BITS);
    Duration::from_micros((((mantissa + 1) as u64) << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_one_another() {
        for bucket_number in 0..BUCKETS {
            let bound = upper_bound(bucket_number);
            assert_eq!(bucket(bound), bucket_number);
            if bucket_number + 1 < BUCKETS {
                assert_eq!(bucket(bound + Duration::from_micros(1)), bucket_number + 1);
            }
        }
    }

    proptest! {
        #[test]
        fn a_quantile_is_that_of_the_samples_within_a_bucket(
            mut micros in prop::collection::vec(0_u64..10_000_000, 1..300),
            quantile in 0.01..0.999_f64,
        ) {
            let mut latencies = Latencies::new(Duration::from_secs(10));
            for value in &micros {
                latencies.add(Instant::START, Duration::from_micros(*value));
            }
            micros.sort_unstable();
            let exact = micros[((quantile * micros.len() as f64).ceil() as usize).clamp(1, micros.len()) - 1];
            let found = latencies.quantile(Instant::START, quantile, 1).unwrap().as_micros() as u64;
            prop_assert!(exact <= found && found <= exact + exact / 32 + 1, "{} {}", exact, found);
        }
    }
}
