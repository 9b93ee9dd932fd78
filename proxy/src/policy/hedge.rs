//! Hedged requests: a second attempt beside one whose answer is late; the first good answer wins (J. Dean and
//! L. A. Barroso, "The Tail at Scale", CACM 2013). Owns no clock: says after how long an answer counts as late,
//! and whether one more attempt is within the budget.
//!
//! A hedge is no retry: it begins while nothing has failed, and is paid from its own budget. Retries come into play
//! only once every attempt beside each other has failed. `max` is counted over the whole request, so that it
//! leads to at most 1 + retries + hedges attempts, never to their product.

mod latencies;

use std::time::Duration;

use super::budget::recent::{self, Recent};
use super::retry::Methods;
use crate::host::Instant;
use latencies::Latencies;

/// How long the requests are remembered that hedges are a share of, as in Finagle's retry budget.
const BUDGET_TTL: Duration = Duration::from_secs(10);

/// When to hedge.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// When an answer is late.
    pub after: After,
    /// Hedges of one request at most; at least 1.
    pub hedges_max: u32,
    /// Hedges in the last ten seconds, as a share of the requests in that time: 0 to 1.
    pub share: f64,
    /// The methods whose requests may be sent twice.
    pub methods: Methods,
}

/// When an answer is late: counted from the start of the attempt until the head of its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum After {
    /// After so long.
    Delay(Duration),
    /// When most answers of the last while were quicker.
    Percentile {
        /// Which share of them: between 0 and 1.
        quantile: f64,
        /// How many answers it takes to tell.
        samples_min: u32,
        /// How long the while is.
        window: Duration,
    },
}

/// Decides on hedges for one upstream.
#[derive(Debug)]
pub struct Hedge {
    config: Config,
    budget: Recent,
    latencies: Option<Box<Latencies>>,
}

impl Hedge {
    /// Decides as `config` says.
    pub fn new(config: Config) -> Self {
        let budget = recent::Config { share: config.share, floor_per_second: 0.0, ttl: BUDGET_TTL };
        let latencies = match config.after {
            After::Delay(_) => None,
            After::Percentile { window, .. } => Some(Box::new(Latencies::new(window))),
        };
        Self { config, budget: Recent::new(budget), latencies }
    }

    /// A request began that may be hedged.
    pub fn enter(&mut self, now: Instant) {
        self.budget.deposit(now);
    }

    /// After how long an answer is late; `None` as long as that cannot be told.
    pub fn delay(&mut self, now: Instant) -> Option<Duration> {
        match self.config.after {
            After::Delay(delay) => Some(delay),
            After::Percentile { quantile, samples_min, .. } => {
                self.latencies.as_mut()?.quantile(now, quantile, samples_min)
            }
        }
    }

    /// Whether one more hedge is within the budget; it is paid at once.
    pub fn admit(&mut self, now: Instant) -> bool {
        self.budget.admit(now)
    }

    /// The first attempt of a request took so long, or was given up after so long.
    pub fn observe(&mut self, now: Instant, latency: Duration) {
        if let Some(latencies) = &mut self.latencies {
            latencies.add(now, latency);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn hedge(after: After, share: f64) -> Hedge {
        Hedge::new(Config { after, hedges_max: 1, share, methods: Methods::default() })
    }

    #[test]
    fn a_percentile_needs_samples_and_forgets_old_ones() {
        let window = Duration::from_secs(10);
        let mut hedge = hedge(After::Percentile { quantile: 0.95, samples_min: 20, window }, 0.1);
        for number in 0..19 {
            hedge.observe(at(number), Duration::from_millis(5));
        }
        assert_eq!(hedge.delay(at(20)), None);
        for number in 0..1_000 {
            hedge.observe(at(20 + number), Duration::from_millis(if number % 10 == 0 { 80 } else { 5 }));
        }
        let delay = hedge.delay(at(1_020)).unwrap();
        assert!((80_000..=83_000).contains(&delay.as_micros()), "{delay:?}");
        assert_eq!(hedge.delay(at(60_000)), None, "all of that is long ago");
    }

    proptest! {
        /// Hedges of the last ten seconds are at most the share of the requests of those and of one slot before.
        #[test]
        fn the_budget_is_never_overdrawn(
            share in 0.0..1.0_f64,
            steps in prop::collection::vec((0_u64..2_000, any::<bool>()), 1..300),
        ) {
            let mut hedge = hedge(After::Delay(Duration::from_millis(50)), share);
            let (mut requests, mut hedges) = (Vec::new(), Vec::new());
            let mut now = 0;
            for (pause, enters) in steps {
                now += pause;
                if enters {
                    hedge.enter(at(now));
                    requests.push(now);
                } else if hedge.admit(at(now)) {
                    hedges.push(now);
                    let within = |times: &[u64], window| times.iter().filter(|at| **at + window > now).count();
                    let paid = share * within(&requests, 11_000) as f64;
                    prop_assert!(within(&hedges, 10_000) as f64 <= paid + 0.001);
                }
            }
        }
    }
}
