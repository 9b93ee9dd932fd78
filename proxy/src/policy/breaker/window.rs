//! Counts outcomes over a sliding window of time, in a ring of ten buckets: bounded memory, whatever
//! the rate. Owns no clock and no threshold.
//!
//! A bucket covers a tenth of the window, aligned to the host's start. The window at an instant is the
//! bucket of that instant and the nine before it, so it reaches back over 90 % to 100 % of its length;
//! an outcome falls out of it with its bucket. (Hystrix and Finagle count the same way.)

use std::time::Duration;

use crate::host::Instant;

/// Into how many buckets a window is cut.
pub const BUCKETS: usize = 10;

/// Outcomes over a sliding window.
#[derive(Debug, Clone)]
pub struct Window {
    bucket_nanos: u64,
    buckets: [Bucket; BUCKETS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Which stretch of time it counts, from the host's start.
    number: u64,
    counts: Counts,
}

/// How many requests ended, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that ended.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
}

impl Window {
    /// An empty window over the last `length`, 10 ns at least.
    pub fn new(length: Duration) -> Self {
        let bucket_nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX) / BUCKETS as u64;
        Self { bucket_nanos: bucket_nanos.max(1), buckets: [Bucket::default(); BUCKETS] }
    }

    /// Counts an outcome.
    pub fn observe(&mut self, now: Instant, success: bool) {
        let number = self.number(now);
        let bucket = &mut self.buckets[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket { number, counts: Counts::default() };
        }
        bucket.counts.requests += 1;
        bucket.counts.failures += u64::from(!success);
    }

    /// What was counted within the window that ends at `now`.
    pub fn counts(&self, now: Instant) -> Counts {
        let number = self.number(now);
        let within = |bucket: &&Bucket| number - bucket.number.min(number) < BUCKETS as u64;
        self.buckets.iter().filter(within).fold(Counts::default(), |sum, Bucket { counts, .. }| Counts {
            requests: sum.requests + counts.requests,
            failures: sum.failures + counts.failures,
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets = [Bucket::default(); BUCKETS];
    }

    fn number(&self, now: Instant) -> u64 {
        now.nanos() / self.bucket_nanos
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    #[test]
    fn outcomes_fall_out_with_their_bucket() {
        let mut window = Window::new(Duration::from_secs(10));
        window.observe(at(500), false);
        window.observe(at(1_500), true);
        assert_eq!(window.counts(at(9_999)), Counts { requests: 2, failures: 1 });
        assert_eq!(window.counts(at(10_000)), Counts { requests: 1, failures: 0 });
        assert_eq!(window.counts(at(11_000)), Counts::default());
        window.observe(at(100_000), false);
        assert_eq!(window.counts(at(100_000)), Counts { requests: 1, failures: 1 });
        window.clear();
        assert_eq!(window.counts(at(100_000)), Counts::default());
    }

    proptest! {
        #[test]
        fn it_counts_all_of_nine_tenths_and_nothing_older(
            steps in prop::collection::vec((0_u64..400, any::<bool>()), 1..200),
        ) {
            let mut window = Window::new(Duration::from_secs(1));
            let mut log = Vec::new();
            let mut now = 0;
            for (gap, success) in steps {
                now += gap;
                window.observe(at(now), success);
                log.push((now, success));
                let since = |oldest: u64| {
                    let failed = log.iter().filter(|(time, success)| *time >= oldest && !success).count();
                    (log.iter().filter(|(time, _)| *time >= oldest).count() as u64, failed as u64)
                };
                let (least, most) = (since((now + 1).saturating_sub(900)), since(now.saturating_sub(1_000)));
                let counts = window.counts(at(now));
                prop_assert!((least.0..=most.0).contains(&counts.requests));
                prop_assert!((least.1..=most.1).contains(&counts.failures));
            }
        }
    }
}
