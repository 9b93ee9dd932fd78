//! Adaptive throttling by the client: requests that the upstream would refuse anyway are refused here, with the
//! probability max(0, (requests - K · accepts) / (requests + 1)) over the last two minutes (Site Reliability
//! Engineering, chapter 21, "Client-Side Throttling"). First attempts and retries are treated alike. Memory: 60
//! slots a window.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::slots::Slots;
use crate::host::Instant;

/// How much is let through beyond what is accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// K: requests sent for each that was accepted, at least 1; 2 in the book.
    pub multiplier: f64,
    /// Over how long; 2 minutes in the book.
    pub window: Duration,
}

/// Counts requests and accepts.
#[derive(Debug, Clone)]
pub struct Throttle {
    multiplier: f64,
    requests: Slots<61>,
    accepts: Slots<61>,
}

impl Throttle {
    /// Nothing was sent yet.
    pub fn new(config: Config) -> Self {
        Self {
            multiplier: config.multiplier,
            requests: Slots::new(config.window),
            accepts: Slots::new(config.window),
        }
    }

    /// Whether an attempt may be made. It is counted whether or not, as in the book. Draws only when attempts
    /// are being refused.
    pub fn admit(&mut self, now: Instant, random: &mut impl Rng) -> bool {
        let refusal = self.refusal(now);
        self.requests.add(now, 1);
        refusal <= 0.0 || random.random::<f64>() >= refusal
    }

    /// An attempt was accepted.
    pub fn accepted(&mut self, now: Instant) {
        self.accepts.add(now, 1);
    }

    /// The probability with which the next attempt is refused.
    fn refusal(&mut self, now: Instant) -> f64 {
        let (requests, accepts) = (self.requests.total(now) as f64, self.accepts.total(now) as f64);
        ((requests - self.multiplier * accepts) / (requests + 1.0)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    fn throttle(multiplier: f64) -> Throttle {
        Throttle::new(Config { multiplier, window: Duration::from_secs(120) })
    }

    /// Offers `offered` a second for ten minutes to an upstream that takes `capacity` a second; how many a second
    /// were sent in the last five.
    fn sent_per_second(offered: u64, capacity: u64, multiplier: f64) -> f64 {
        let mut throttle = throttle(multiplier);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut sent = 0;
        for second in 0..600 {
            let mut taken = 0;
            for number in 0..offered {
                let now = Instant::from_nanos(second * 1_000_000_000 + number * 1_000_000_000 / offered);
                if throttle.admit(now, &mut random) {
                    sent += u64::from(second >= 300);
                    if taken < capacity {
                        taken += 1;
                        throttle.accepted(now);
                    }
                }
            }
        }
        sent as f64 / 300.0
    }

    #[test]
    fn in_an_overload_it_sends_k_times_what_is_accepted() {
        for multiplier in [1.1, 1.5, 2.0] {
            let sent = sent_per_second(1_000, 200, multiplier);
            let expected = 200.0 * multiplier;
            assert!((sent - expected).abs() < 0.05 * expected, "K {multiplier}: {sent}");
        }
    }

    #[test]
    fn what_is_accepted_is_never_refused() {
        assert!((sent_per_second(100, 200, 2.0) - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_outage_is_forgotten_after_the_window() {
        let mut throttle = throttle(2.0);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for millis in 0..10_000 {
            throttle.admit(Instant::from_nanos(millis * 1_000_000), &mut random);
        }
        assert!(throttle.refusal(Instant::from_nanos(10_000_000_000)) > 0.99);
        assert!(throttle.refusal(Instant::from_nanos(200_000_000_000)) <= 0.0);
    }

    proptest! {
        #[test]
        fn the_refusal_is_a_probability_and_zero_while_k_times_the_accepts_cover_the_requests(
            multiplier in 1.0..5.0_f64,
            steps in prop::collection::vec((0_u64..1_000, any::<bool>()), 1..200),
        ) {
            let mut throttle = throttle(multiplier);
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let (mut now, mut requests, mut accepts) = (Instant::START, 0.0, 0.0);
            for (pause_ms, accepted) in steps {
                now = now + Duration::from_millis(pause_ms / 10);
                throttle.admit(now, &mut random);
                requests += 1.0;
                if accepted {
                    throttle.accepted(now);
                    accepts += 1.0;
                }
                let refusal = throttle.refusal(now);
                prop_assert!((0.0..1.0).contains(&refusal));
                prop_assert_eq!(refusal <= 0.0, requests <= multiplier * accepts);
            }
        }
    }
}
