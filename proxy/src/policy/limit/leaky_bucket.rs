//! Leaky bucket: requests leak out of it evenly, at a rate; it holds `burst` beyond the one that leaks, and what
//! does not fit is refused. What it holds waits for its turn (nginx's `limit_req`: the bucket as a queue), but for the
//! first `undelayed`, which pass at once. When all of them do, it is a meter: GCRA (ITU-T I.371, annex A) with an
//! increment of 1 / rate and a limit of `burst` / rate, and the same as a token bucket of `burst` + 1.
//!
//! Kept as I.371's virtual scheduling: one instant, the theoretical arrival time of the next request. A request
//! that is delayed has its turn reserved, and it passes unused if its caller goes away.

use crate::host::Instant;

use super::{Rate, Verdict, after};

/// How fast it leaks, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How fast.
    pub rate: Rate,
    /// How many requests early there may be: tau / T of I.371.
    pub burst: u32,
    /// How many requests early one passes at once; at most `burst`.
    pub undelayed: u32,
}

/// A leaky bucket.
#[derive(Debug, Clone)]
pub struct LeakyBucket {
    config: Config,
    /// When the next request is due, in parts of a nanosecond: [`Rate::requests`] to each, so that one request is
    /// [`Rate::nanos`] parts after the other.
    due: u128,
}

impl LeakyBucket {
    /// An empty bucket.
    pub fn new(config: Config) -> Self {
        Self { config, due: 0 }
    }

    /// Decides on a request that counts as `cost`: one that passes pushes the next back by as much, and the last of
    /// what it counts as is the one that must fit.
    pub fn admit(&mut self, now: Instant, cost: u32) -> Verdict {
        let Config { rate, burst, undelayed } = self.config;
        let parts = |requests: u32| u128::from(requests) * u128::from(rate.nanos);
        let at = u128::from(now.nanos()) * u128::from(rate.requests);
        let early = self.due.saturating_sub(at) + parts(cost.saturating_sub(1));
        if cost > burst.saturating_add(1) {
            return Verdict::Reject { retry_after: None };
        }
        if early > parts(burst) {
            let excess = early - parts(burst);
            return Verdict::Reject { retry_after: Some(after(excess.div_ceil(u128::from(rate.requests)))) };
        }
        self.due = self.due.max(at) + parts(cost);
        match early.saturating_sub(parts(undelayed)) {
            0 => Verdict::Pass,
            wait => Verdict::Delay(now + after(wait.div_ceil(u128::from(rate.requests)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::token_bucket::{self, TokenBucket};
    use super::*;
    use proptest::prelude::*;

    fn bucket(per_second: f64, burst: u32, undelayed: u32) -> LeakyBucket {
        LeakyBucket::new(Config { rate: Rate::per_second(per_second).unwrap(), burst, undelayed })
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// T = 10 ms, tau = 50 ms.
    #[test]
    fn six_pass_at_once_and_the_seventh_is_rejected() {
        let mut gcra = bucket(100.0, 5, 5);
        for request in 0..6 {
            assert_eq!(gcra.admit(at(1_000), 1), Verdict::Pass, "{request}");
        }
        let retry_after = Some(Duration::from_millis(10));
        assert_eq!(gcra.admit(at(1_000), 1), Verdict::Reject { retry_after });
        assert_eq!(gcra.admit(at(1_010), 1), Verdict::Pass);
        assert_eq!(gcra.admit(at(1_019), 1), Verdict::Reject { retry_after: Some(Duration::from_millis(1)) });
    }

    #[test]
    fn a_queue_lets_them_out_one_by_one() {
        let mut queue = bucket(100.0, 3, 0);
        let verdicts: Vec<_> = (0..5).map(|_| queue.admit(at(0), 1)).collect();
        let retry_after = Some(Duration::from_millis(10));
        assert_eq!(
            verdicts,
            [
                Verdict::Pass,
                Verdict::Delay(at(10)),
                Verdict::Delay(at(20)),
                Verdict::Delay(at(30)),
                Verdict::Reject { retry_after },
            ]
        );
        assert_eq!(queue.admit(at(10), 1), Verdict::Delay(at(40)));
        let mut queue = bucket(100.0, 3, 2);
        let verdicts: Vec<_> = (0..4).map(|_| queue.admit(at(0), 1)).collect();
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Pass, Verdict::Pass, Verdict::Delay(at(10))]);
    }

    proptest! {
        /// Without delays it decides as a token bucket with room for one more does, to the nanosecond.
        #[test]
        fn gcra_is_a_token_bucket(
            (burst, per_second) in (0_u32..20, 1_u32..5_000),
            steps in prop::collection::vec((prop_oneof![0_u64..10, 0_u64..30_000_000], 1_u32..4), 1..300),
        ) {
            let rate = Rate::per_second(f64::from(per_second)).unwrap();
            let mut gcra = LeakyBucket::new(Config { rate, burst, undelayed: burst });
            let mut tokens = TokenBucket::new(token_bucket::Config { rate, burst: burst + 1 });
            let mut now = Instant::START;
            for (gap, cost) in steps {
                now = now + Duration::from_nanos(gap);
                prop_assert_eq!(gcra.admit(now, cost), tokens.admit(now, cost));
            }
        }

        /// With all of them delayed, no two pass closer to each other than the rate says, and none waits longer than
        /// the bucket is deep.
        #[test]
        fn what_leaks_out_is_even(
            burst in 0_u32..20,
            gaps in prop::collection::vec(0_u64..25_000_000, 1..300),
        ) {
            let mut queue = bucket(100.0, burst, 0);
            let (mut now, mut last) = (Instant::START, None);
            for gap in gaps {
                now = now + Duration::from_nanos(gap);
                let passes = match queue.admit(now, 1) {
                    Verdict::Pass => now,
                    Verdict::Delay(until) => until,
                    Verdict::Reject { .. } => continue,
                };
                prop_assert!(passes - now <= Duration::from_millis(10) * burst);
                if let Some(last) = last {
                    prop_assert!(passes.saturating_since(last) >= Duration::from_millis(10));
                }
                last = Some(passes);
            }
        }
    }
}
