//! Admission control by success rate, as Envoy's filter of that name does it: when too few of the requests of the
//! last while succeeded, a part of the new ones is refused, at random, the larger the fewer did. It never refuses all, so
//! that what passes shows when the trouble is over. Owns no clock; who asks lends a random source.
//!
//! With n requests in the window of which s succeeded, threshold t and aggression a, it refuses with the
//! probability max(0, (n - s / t) / (n + 1)) ^ (1 / a): nothing while s / n is at least t.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::breaker::Window;
use crate::host::Instant;

/// When to refuse, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// The success rate below which requests are refused; above 0, at most 1.
    pub success_rate: f64,
    /// How steeply: 1 is linear, more refuses more; at least 1.
    pub aggression: f64,
    /// Over how long requests are counted, 90 % to 100 % of it; see [`Window`].
    pub window: Duration,
    /// Below so many requests a second, on average over the window, nothing is refused.
    pub rate_min: f64,
    /// The largest probability; 0 to 1.
    pub rejection_max: f64,
}

/// Admission control.
#[derive(Debug, Clone)]
pub struct Admission {
    config: Config,
    window: Window,
}

impl Admission {
    /// Nothing was seen yet.
    pub fn new(config: Config) -> Self {
        Self { config, window: Window::new(config.window) }
    }

    /// With which probability a request is refused now.
    pub fn rejection_probability(&self, now: Instant) -> f64 {
        let counts = self.window.counts(now);
        let (requests, successes) = (counts.requests as f64, (counts.requests - counts.failures) as f64);
        if requests < self.config.rate_min * self.config.window.as_secs_f64() {
            return 0.0;
        }
        let excess = (requests - successes / self.config.success_rate) / (requests + 1.0);
        excess.max(0.0).powf(1.0 / self.config.aggression).min(self.config.rejection_max)
    }

    /// Decides on a request. How one went that passed is told to [`Admission::observe`]; what was refused counts
    /// nowhere. Draws from `random` only when there is something to decide.
    pub fn admit(&self, now: Instant, random: &mut impl Rng) -> bool {
        let probability = self.rejection_probability(now);
        probability <= 0.0 || random.random::<f64>() >= probability
    }

    /// Learns how a request went.
    pub fn observe(&mut self, now: Instant, success: bool) {
        self.window.observe(now, success);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    fn envoy() -> Config {
        let window = Duration::from_secs(30);
        Config { success_rate: 0.95, aggression: 1.0, window, rate_min: 0.0, rejection_max: 0.8 }
    }

    fn seen(config: Config, successes: u32, failures: u32) -> f64 {
        let mut admission = Admission::new(config);
        (0..successes).for_each(|_| admission.observe(Instant::START, true));
        (0..failures).for_each(|_| admission.observe(Instant::START, false));
        admission.rejection_probability(Instant::START)
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn it_refuses_as_the_formula_says() {
        near(seen(envoy(), 0, 0), 0.0);
        near(seen(envoy(), 95, 5), 0.0);
        near(seen(envoy(), 50, 50), (100.0 - 50.0 / 0.95) / 101.0);
        near(seen(Config { aggression: 2.0, ..envoy() }, 50, 50), ((100.0 - 50.0 / 0.95) / 101.0_f64).sqrt());
        near(seen(envoy(), 0, 1_000), 0.8);
        near(seen(Config { rejection_max: 1.0, ..envoy() }, 0, 999), 0.999);
        near(seen(Config { rate_min: 4.0, ..envoy() }, 0, 119), 0.0);
        near(seen(Config { rate_min: 4.0, ..envoy() }, 0, 120), 0.8);
    }

    #[test]
    fn what_it_refuses_is_that_share_and_is_forgotten_with_its_window() {
        let mut admission = Admission::new(envoy());
        (0..50).for_each(|_| admission.observe(Instant::START, true));
        (0..50).for_each(|_| admission.observe(Instant::START, false));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let refused = (0..10_000).filter(|_| !admission.admit(Instant::START, &mut random)).count();
        let expected = 10_000.0 * (100.0 - 50.0 / 0.95) / 101.0;
        assert!((refused as f64 - expected).abs() < 150.0, "{refused}, not {expected}");
        near(admission.rejection_probability(Instant::START + Duration::from_secs(31)), 0.0);
    }

    proptest! {
        /// Where as many succeed as should, nothing is refused, whatever the other keys say; and never more than
        /// the maximum.
        #[test]
        fn it_refuses_nothing_that_goes_well_and_never_too_much(
            (successes, failures) in (0_u32..300, 0_u32..300),
            (success_rate, aggression, rejection_max) in (0.01..1.0_f64, 1.0..5.0_f64, 0.0..1.0_f64),
        ) {
            let config = Config { success_rate, aggression, rejection_max, ..envoy() };
            prop_assert!(seen(config, successes, 0) <= 0.0);
            let probability = seen(config, successes, failures);
            prop_assert!((0.0..=rejection_max).contains(&probability));
            let total = f64::from(successes + failures);
            if f64::from(successes) >= success_rate * total {
                prop_assert!(probability <= 1e-9);
            }
        }
    }
}
