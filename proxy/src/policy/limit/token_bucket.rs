//! Token bucket: tokens come at a rate until the bucket is full, and a request takes what it costs or is refused.
//! In any stretch of time T no more than `burst` + rate x T pass. It starts full.

use crate::host::Instant;

use super::{Rate, Verdict, after};

/// How fast tokens come, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How fast.
    pub rate: Rate,
    /// How many at most; at least 1.
    pub burst: u32,
}

/// A bucket of tokens.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    config: Config,
    /// What is in it, in parts: a token is as many as [`Rate::nanos`], so that [`Rate::requests`] come each nanosecond.
    parts: u128,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(config: Config) -> Self {
        Self { config, parts: parts(config, config.burst), filled: Instant::START }
    }

    /// Decides on a request that takes `cost` tokens.
    pub fn admit(&mut self, now: Instant, cost: u32) -> Verdict {
        let Config { rate, burst } = self.config;
        let come =
            u128::from(now.saturating_since(self.filled).as_nanos() as u64) * u128::from(rate.requests);
        self.parts = (self.parts + come).min(parts(self.config, burst));
        self.filled = self.filled.max(now);
        let wanted = parts(self.config, cost);
        match self.parts.checked_sub(wanted) {
            Some(left) => {
                self.parts = left;
                Verdict::Pass
            }
            None if cost > burst => Verdict::Reject { retry_after: None },
            None => {
                let missing = wanted - self.parts;
                Verdict::Reject { retry_after: Some(after(missing.div_ceil(u128::from(rate.requests)))) }
            }
        }
    }
}

fn parts(config: Config, tokens: u32) -> u128 {
    u128::from(tokens) * u128::from(config.rate.nanos)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    fn bucket(per_second: f64, burst: u32) -> TokenBucket {
        TokenBucket::new(Config { rate: Rate::per_second(per_second).unwrap(), burst })
    }

    #[test]
    fn a_thousand_and_twenty_of_ten_thousand_pass() {
        let mut bucket = bucket(100.0, 20);
        let passed = (0..10_000_u64)
            .filter(|ms| bucket.admit(Instant::from_nanos(ms * 1_000_000), 1) == Verdict::Pass);
        // 10 s less a millisecond bring 999 tokens and nine tenths of one.
        assert_eq!(passed.count(), 1_019);
        assert_eq!(bucket.admit(Instant::from_nanos(10_000_000_000), 1), Verdict::Pass, "1,020 at 10 s");
    }

    #[test]
    fn what_is_missing_says_when_to_come_again() {
        let mut bucket = bucket(3.0, 2);
        let now = Instant::START;
        assert_eq!(bucket.admit(now, 2), Verdict::Pass);
        let after = Duration::from_nanos(333_333_334);
        assert_eq!(bucket.admit(now, 1), Verdict::Reject { retry_after: Some(after) });
        assert_eq!(bucket.admit(now, 3), Verdict::Reject { retry_after: None }, "more than it can hold");
        assert_eq!(
            bucket.admit(now + Duration::from_nanos(333_333_333), 1),
            Verdict::Reject { retry_after: Some(Duration::from_nanos(1)) }
        );
        assert_eq!(bucket.admit(now + after, 1), Verdict::Pass);
    }

    proptest! {
        /// In every stretch of time, from any request to any later one, no more than burst + rate x time pass; and
        /// whoever comes again when he was told is let in.
        #[test]
        fn no_stretch_of_time_sees_more_than_the_burst_and_the_rate(
            (burst, per_second) in (1_u32..30, 1_u32..2_000),
            gaps in prop::collection::vec(prop_oneof![0_u64..1_000, 0_u64..20_000_000], 1..200),
        ) {
            let mut bucket = bucket(f64::from(per_second), burst);
            let mut now = Instant::START;
            let mut passed: Vec<Instant> = Vec::new();
            for gap in gaps {
                now = now + Duration::from_nanos(gap);
                match bucket.admit(now, 1) {
                    Verdict::Pass => passed.push(now),
                    Verdict::Reject { retry_after } => {
                        let again = now + retry_after.unwrap();
                        prop_assert_eq!(bucket.clone().admit(again, 1), Verdict::Pass);
                    }
                    Verdict::Delay(_) => prop_assert!(false, "it never delays"),
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, until) in passed.iter().enumerate().skip(first) {
                    let seen = (last - first + 1) as u128;
                    let come = (*until - *from).as_nanos() * u128::from(per_second);
                    prop_assert!(seen * 1_000_000_000 <= u128::from(burst) * 1_000_000_000 + come);
                }
            }
        }
    }
}
