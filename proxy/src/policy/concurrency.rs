//! Concurrency limit: how many requests may be in progress at a time, as configured or as the latencies suggest
//! ([`gradient`]). There is no queue: what finds no room is refused. Owns no clock.
//!
//! Every request that passes must leave: its owner keeps a guard.

pub mod gradient;

use std::time::Duration;

use rand::Rng;

use crate::host::Instant;

/// How many requests may be in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Config {
    /// So many; at least 1.
    Fixed(u32),
    /// As many as the latencies suggest: Envoy's adaptive concurrency.
    Gradient(gradient::Config),
}

/// Whether a request may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may, and has begun.
    Pass,
    /// There is room, but not for a request that may use no more than its share.
    Shed,
    /// There is no room.
    Reject,
}

/// Counts the requests in progress.
#[derive(Debug, Clone)]
pub struct Concurrency {
    limit: Limit,
    in_progress: u32,
}

#[derive(Debug, Clone)]
enum Limit {
    Fixed(u32),
    Gradient(Box<gradient::Gradient>),
}

impl Concurrency {
    /// Nothing is in progress.
    pub fn new(config: Config, now: Instant) -> Self {
        let limit = match config {
            Config::Fixed(limit) => Limit::Fixed(limit),
            Config::Gradient(config) => Limit::Gradient(Box::new(gradient::Gradient::new(config, now))),
        };
        Self { limit, in_progress: 0 }
    }

    /// Decides on a request that may use a `share` of the limit, 0 to 1; rounded down, but at least one request
    /// unless it is zero. `random` is for the times at which an adaptive limit begins anew.
    pub fn admit(&mut self, now: Instant, share: f64, random: &mut impl Rng) -> Admission {
        let limit = match &mut self.limit {
            Limit::Fixed(limit) => *limit,
            Limit::Gradient(gradient) => {
                gradient.advance(now, random);
                gradient.limit()
            }
        };
        // A hair more, so that 29 % of 100 are 29.
        let room = (f64::from(limit) * share + 1e-9) as u32;
        let room = if share > 0.0 { room.max(1) } else { 0 };
        if self.in_progress >= limit {
            Admission::Reject
        } else if self.in_progress >= room {
            Admission::Shed
        } else {
            self.in_progress += 1;
            Admission::Pass
        }
    }

    /// A request ends that had begun at `began`. `latency`: how long it took, if that tells of the load.
    pub fn leave(&mut self, now: Instant, began: Instant, latency: Option<Duration>, random: &mut impl Rng) {
        self.in_progress -= 1;
        if let (Limit::Gradient(gradient), Some(latency)) = (&mut self.limit, latency) {
            gradient.observe(now, began, latency, random);
        }
    }

    /// How many requests may be in progress.
    pub fn limit(&self) -> u32 {
        match &self.limit {
            Limit::Fixed(limit) => *limit,
            Limit::Gradient(gradient) => gradient.limit(),
        }
    }

    /// How many requests are in progress: more than the limit after it has fallen.
    pub fn in_progress(&self) -> u32 {
        self.in_progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    #[test]
    fn the_less_important_are_shed_first() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut concurrency = Concurrency::new(Config::Fixed(10), Instant::START);
        let mut admit = |share| concurrency.admit(Instant::START, share, &mut random);
        let admitted = |admission| admission == Admission::Pass;
        assert_eq!((0..20).filter(|_| admitted(admit(0.7))).count(), 7);
        assert_eq!(admit(0.7), Admission::Shed);
        assert_eq!((0..20).filter(|_| admitted(admit(0.9))).count(), 2);
        assert_eq!(admit(0.0), Admission::Shed);
        assert_eq!((0..20).filter(|_| admitted(admit(1.0))).count(), 1);
        assert_eq!(admit(0.7), Admission::Reject);
        assert_eq!(concurrency.in_progress(), 10);
        concurrency.leave(Instant::START, Instant::START, None, &mut random);
        assert_eq!(concurrency.admit(Instant::START, 0.9, &mut random), Admission::Shed);
        assert_eq!(concurrency.admit(Instant::START, 1.0, &mut random), Admission::Pass);
        let mut single = Concurrency::new(Config::Fixed(1), Instant::START);
        assert_eq!(single.admit(Instant::START, 0.1, &mut random), Admission::Pass, "at least one");
        let mut hundred = Concurrency::new(Config::Fixed(100), Instant::START);
        let passed = (0..100).filter(|_| admitted(hundred.admit(Instant::START, 0.29, &mut random)));
        assert_eq!(passed.count(), 29);
    }

    proptest! {
        /// There are never more requests in progress than the limit, nor than a share for those that have one.
        #[test]
        fn there_are_never_more_than_the_limit(
            limit in 1_u32..20,
            steps in prop::collection::vec((any::<bool>(), 0.0..=1.0_f64), 1..300),
        ) {
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let mut concurrency = Concurrency::new(Config::Fixed(limit), Instant::START);
            let mut open = 0;
            for (begin, share) in steps {
                if begin {
                    if concurrency.admit(Instant::START, share, &mut random) == Admission::Pass {
                        open += 1;
                        prop_assert!(open <= ((f64::from(limit) * share + 1e-9) as u32).max(1));
                    }
                } else if open > 0 {
                    concurrency.leave(Instant::START, Instant::START, None, &mut random);
                    open -= 1;
                }
                prop_assert_eq!(concurrency.in_progress(), open);
                prop_assert!(open <= limit);
            }
        }
    }
}
