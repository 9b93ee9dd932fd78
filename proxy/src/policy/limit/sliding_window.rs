//! Sliding window, kept as a log: no stretch of time of the window's length sees more than the limit. Exact, and
//! paid for in memory: a ring of as many instants as may pass, which grows to that size as it is used.

use std::collections::VecDeque;
use std::time::Duration;

use crate::host::Instant;

use super::Verdict;

/// How many, in any stretch of which length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many; at least 1.
    pub limit: u32,
    /// The length: what passed exactly so long ago counts no more. Above zero.
    pub window: Duration,
}

/// When the last requests passed.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    config: Config,
    /// In their order; never more than the limit.
    passed: VecDeque<Instant>,
}

impl SlidingWindow {
    /// Nothing has passed yet.
    pub fn new(config: Config) -> Self {
        Self { config, passed: VecDeque::new() }
    }

    /// Decides on a request that counts as `cost` requests.
    pub fn admit(&mut self, now: Instant, cost: u32) -> Verdict {
        let Config { limit, window } = self.config;
        while self.passed.front().is_some_and(|first| *first + window <= now) {
            self.passed.pop_front();
        }
        let (limit, cost) = (limit as usize, cost as usize);
        if cost > limit {
            return Verdict::Reject { retry_after: None };
        }
        let excess = (self.passed.len() + cost).saturating_sub(limit);
        if excess == 0 {
            self.passed.extend(std::iter::repeat_n(now, cost));
            return Verdict::Pass;
        }
        let in_the_way = self.passed.get(excess - 1);
        Verdict::Reject { retry_after: in_the_way.map(|last| (*last + window).saturating_since(now)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(limit: u32, millis: u64) -> SlidingWindow {
        SlidingWindow::new(Config { limit, window: Duration::from_millis(millis) })
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn two_bursts_around_a_second_are_one_too_many() {
        let mut log = window(100, 1_000);
        let burst = |log: &mut SlidingWindow, millis| {
            (0..100).filter(|_| log.admit(at(millis), 1) == Verdict::Pass).count()
        };
        assert_eq!((burst(&mut log, 999), burst(&mut log, 1_001)), (100, 0));
        assert_eq!(burst(&mut log, 1_999), 100, "a window later to the nanosecond");
    }

    #[test]
    fn it_says_when_enough_have_left() {
        let mut log = window(3, 100);
        for millis in [0, 10, 20] {
            assert_eq!(log.admit(at(millis), 1), Verdict::Pass);
        }
        let reject = |millis| Verdict::Reject { retry_after: Some(Duration::from_millis(millis)) };
        assert_eq!(log.admit(at(50), 1), reject(50));
        assert_eq!(log.admit(at(50), 3), reject(70));
        assert_eq!(log.admit(at(50), 4), Verdict::Reject { retry_after: None });
        assert_eq!(log.admit(at(120), 3), Verdict::Pass);
    }

    proptest! {
        /// From any request that passed on, no more than the limit pass within a window; and the log is no longer.
        #[test]
        fn no_window_sees_more_than_the_limit(
            limit in 1_u32..10,
            steps in prop::collection::vec((0_u64..60, 1_u32..3), 1..200),
        ) {
            let mut log = window(limit, 100);
            let (mut now, mut passed) = (0, Vec::new());
            for (gap, cost) in steps {
                now += gap;
                if log.admit(at(now), cost) == Verdict::Pass {
                    passed.extend(std::iter::repeat_n(now, cost as usize));
                }
                prop_assert!(log.passed.len() <= limit as usize);
            }
            for (first, from) in passed.iter().enumerate() {
                let within = passed[first..].iter().filter(|millis| **millis < from + 100).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
