//! Fixed window: time is cut into windows from the host's start on, and each lets the limit pass. Two numbers of
//! memory; the price is that twice the limit may pass at once, around the cut between two windows.

use std::time::Duration;

use crate::host::Instant;

use super::{Verdict, after};

/// How many, in each window of which length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many; at least 1.
    pub limit: u32,
    /// The length. Above zero.
    pub window: Duration,
}

/// Counts what passed in the current window.
#[derive(Debug, Clone)]
pub struct FixedWindow {
    limit: u32,
    window_nanos: u64,
    /// The number of the window that `passed` is of, from the host's start.
    window: u64,
    passed: u32,
}

impl FixedWindow {
    /// Nothing has passed yet.
    pub fn new(config: Config) -> Self {
        let window_nanos = u64::try_from(config.window.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { limit: config.limit, window_nanos, window: 0, passed: 0 }
    }

    /// Decides on a request that counts as `cost` requests.
    pub fn admit(&mut self, now: Instant, cost: u32) -> Verdict {
        let window = now.nanos() / self.window_nanos;
        if window > self.window {
            (self.window, self.passed) = (window, 0);
        }
        match self.passed.checked_add(cost).filter(|passed| *passed <= self.limit) {
            Some(passed) => {
                self.passed = passed;
                Verdict::Pass
            }
            None if cost > self.limit => Verdict::Reject { retry_after: None },
            None => {
                let left = self.window_nanos - now.nanos() % self.window_nanos;
                Verdict::Reject { retry_after: Some(after(u128::from(left))) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_bursts_around_a_cut_both_pass() {
        let mut counter = FixedWindow::new(Config { limit: 100, window: Duration::from_secs(1) });
        let mut burst = |millis: u64| {
            let now = Instant::from_nanos(millis * 1_000_000);
            (0..150).filter(|_| counter.admit(now, 1) == Verdict::Pass).count()
        };
        assert_eq!((burst(999), burst(1_001)), (100, 100), "200 in 2 ms");
        assert_eq!(burst(1_999), 0);
        let retry_after = Some(Duration::from_millis(1));
        let now = Instant::from_nanos(1_999_000_000);
        assert_eq!(counter.admit(now, 1), Verdict::Reject { retry_after });
        assert_eq!(counter.admit(now, 101), Verdict::Reject { retry_after: None });
    }

    proptest! {
        /// Each window lets the limit pass and no more.
        #[test]
        fn no_window_of_its_own_sees_more_than_the_limit(
            limit in 1_u32..10,
            steps in prop::collection::vec((0_u64..60, 1_u32..3), 1..200),
        ) {
            let mut counter = FixedWindow::new(Config { limit, window: Duration::from_nanos(100) });
            let (mut now, mut passed) = (0, std::collections::BTreeMap::<u64, u32>::new());
            for (gap, cost) in steps {
                now += gap;
                if counter.admit(Instant::from_nanos(now), cost) == Verdict::Pass {
                    *passed.entry(now / 100).or_default() += cost;
                }
            }
            prop_assert!(passed.values().all(|passed| *passed <= limit));
        }
    }
}
