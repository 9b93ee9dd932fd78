//! Adaptive concurrency: Envoy's gradient controller. Now and then the limit falls to its minimum and the latency
//! without load is measured (the minRTT); in between, at the end of every interval, the limit is moved by how the latency
//! of now compares with it:
//!
//! ```text
//! gradient = clamp((minRTT + buffer) / sampleRTT, 0.5, 2)
//! limit    = clamp(gradient * limit + max(1, sqrt(gradient * limit)), min, max)
//! ```
//!
//! Owns no timer: it moves when it is asked. An interval without a request moves nothing.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::host::Instant;
use crate::policy::histogram::Histogram;

/// After so many intervals in a row at the minimum the minRTT is measured anew: it may be that it is wrong.
const INTERVALS_AT_MIN: u32 = 5;

/// How the limit moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// The quantile of latencies that is compared; between 0 and 1.
    pub quantile: f64,
    /// How often the limit moves.
    pub interval: Duration,
    /// The least it may be, at which it begins; at least 1.
    pub limit_min: u32,
    /// The most it may be; not below the least.
    pub limit_max: u32,
    /// By what share of itself the minRTT may be exceeded without effect.
    pub buffer: f64,
    /// How long after a measurement of the minRTT the next one begins.
    pub min_rtt_interval: Duration,
    /// By what share of itself that is longer at most, at random, so that hosts do not measure all at once; 0 to 1.
    pub min_rtt_jitter: f64,
    /// How many requests a measurement takes; at least 1.
    pub min_rtt_requests: u32,
}

/// A limit that follows latencies.
#[derive(Debug, Clone)]
pub struct Gradient {
    config: Config,
    limit: u32,
    min_rtt: Duration,
    phase: Phase,
    samples: Histogram,
    intervals_at_min: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The minRTT is being measured.
    Measuring {
        since: Instant,
        /// The limit to go on with.
        before: u32,
    },
    /// The limit moves.
    Following { interval_ends: Instant, measures_at: Instant },
}

impl Gradient {
    /// A limit that begins at its minimum, by measuring.
    pub fn new(config: Config, now: Instant) -> Self {
        let phase = Phase::Measuring { since: now, before: config.limit_min };
        Self {
            config,
            limit: config.limit_min,
            min_rtt: Duration::ZERO,
            phase,
            samples: Histogram::new(),
            intervals_at_min: 0,
        }
    }

    /// How many requests may be in progress.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// The latency without load, as it was measured last; zero before it was.
    pub fn min_rtt(&self) -> Duration {
        self.min_rtt
    }

    /// Does what is due `now`.
    pub fn advance(&mut self, now: Instant, random: &mut impl Rng) {
        let Phase::Following { interval_ends, measures_at } = self.phase else { return };
        if now >= measures_at {
            self.measure(now);
        } else if now >= interval_ends {
            self.follow(now, measures_at);
        }
        // A measurement that needs no request ends at once.
        self.measured(now, random);
    }

    /// Learns how long a request took that had begun at `began`.
    pub fn observe(&mut self, now: Instant, began: Instant, latency: Duration, random: &mut impl Rng) {
        self.advance(now, random);
        match self.phase {
            // It had more company than there is now.
            Phase::Measuring { since, .. } if began < since => {}
            Phase::Measuring { .. } | Phase::Following { .. } => self.samples.add(latency),
        }
        self.measured(now, random);
    }

    fn measure(&mut self, now: Instant) {
        self.phase = Phase::Measuring { since: now, before: self.limit };
        self.limit = self.config.limit_min;
        self.intervals_at_min = 0;
        self.samples.clear();
    }

    /// Ends a measurement that has seen enough.
    fn measured(&mut self, now: Instant, random: &mut impl Rng) {
        let Phase::Measuring { before, .. } = self.phase else { return };
        if self.samples.total() < u64::from(self.config.min_rtt_requests) {
            return;
        }
        self.min_rtt = self.samples.quantile(self.config.quantile);
        self.samples.clear();
        self.limit = before;
        let jitter = match self.config.min_rtt_jitter {
            jitter if jitter > 0.0 => self.config.min_rtt_interval.mul_f64(jitter * random.random::<f64>()),
            _ => Duration::ZERO,
        };
        self.phase = Phase::Following {
            interval_ends: now + self.config.interval,
            measures_at: now + self.config.min_rtt_interval + jitter,
        };
    }

    fn follow(&mut self, now: Instant, measures_at: Instant) {
        self.phase = Phase::Following { interval_ends: now + self.config.interval, measures_at };
        if self.samples.total() == 0 {
            return;
        }
        let sample_rtt = self.samples.quantile(self.config.quantile).as_secs_f64();
        self.samples.clear();
        let buffered = self.min_rtt.as_secs_f64() * (1.0 + self.config.buffer);
        // Where nothing takes any time there is no reason to go down.
        let gradient = if sample_rtt > 0.0 { (buffered / sample_rtt).clamp(0.5, 2.0) } else { 2.0 };
        let limit = f64::from(self.limit) * gradient;
        let limit = (limit + limit.sqrt().max(1.0)) as u32;
        self.limit = limit.clamp(self.config.limit_min, self.config.limit_max);
        let at_min = self.limit == self.config.limit_min && self.limit < self.config.limit_max;
        self.intervals_at_min = if at_min { self.intervals_at_min + 1 } else { 0 };
        if self.intervals_at_min >= INTERVALS_AT_MIN {
            self.measure(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    fn envoy() -> Config {
        Config {
            quantile: 0.5,
            interval: Duration::from_millis(100),
            limit_min: 3,
            limit_max: 1_000,
            buffer: 0.25,
            min_rtt_interval: Duration::from_secs(60),
            min_rtt_jitter: 0.0,
            min_rtt_requests: 50,
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// The limit after each of `intervals` intervals in which requests took `latency`.
    fn follow(gradient: &mut Gradient, from: u64, intervals: u64, latency: Duration) -> Vec<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let one = |interval: u64| {
            let now = at(from + interval * 100);
            gradient.observe(now + Duration::from_millis(50), now, latency, &mut random);
            gradient.advance(now + Duration::from_millis(100), &mut random);
            gradient.limit()
        };
        (0..intervals).map(one).collect()
    }

    fn measured(config: Config, latency: Duration) -> Gradient {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut gradient = Gradient::new(config, at(0));
        (0..config.min_rtt_requests).for_each(|_| gradient.observe(at(0), at(0), latency, &mut random));
        gradient
    }

    #[test]
    fn it_rises_while_latency_stays_and_falls_with_it() {
        let ten = Duration::from_millis(10);
        let mut gradient = measured(envoy(), ten);
        assert!(gradient.min_rtt() >= ten && gradient.min_rtt() <= ten.mul_f64(1.04));
        // 3 x 1.25 + sqrt(3.75) = 5.69; 5 x 1.25 + sqrt(6.25) = 8.75; ...
        assert_eq!(follow(&mut gradient, 0, 4, ten), [5, 8, 13, 20]);
        // Four times as long: half, plus the root of it.
        let slow = follow(&mut gradient, 400, 3, Duration::from_millis(40));
        assert_eq!(slow, [13, 9, 6]);
    }

    #[test]
    fn it_measures_anew_in_time_and_goes_on_with_what_it_had() {
        let ten = Duration::from_millis(10);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut gradient = measured(envoy(), ten);
        let before = *follow(&mut gradient, 0, 10, ten).last().unwrap();
        gradient.advance(at(60_000), &mut random);
        assert_eq!(gradient.limit(), 3);
        let twenty = Duration::from_millis(20);
        gradient.observe(at(60_001), at(59_999), Duration::from_secs(9), &mut random);
        (0..49).for_each(|_| gradient.observe(at(60_030), at(60_010), twenty, &mut random));
        assert_eq!(gradient.limit(), 3, "one began before");
        gradient.observe(at(60_030), at(60_010), twenty, &mut random);
        assert_eq!(gradient.limit(), before);
        assert!(gradient.min_rtt() >= twenty && gradient.min_rtt() <= twenty.mul_f64(1.04));
    }

    /// A minRTT far below what is possible now would hold the limit down until the next measurement.
    #[test]
    fn long_at_its_minimum_it_measures_anew() {
        let mut gradient = measured(Config { limit_min: 10, ..envoy() }, Duration::from_millis(1));
        let long = Duration::from_millis(100);
        assert_eq!(follow(&mut gradient, 0, 5, long), [10; 5]);
        assert!(matches!(gradient.phase, Phase::Measuring { .. }));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        (0..50).for_each(|_| gradient.observe(at(700), at(600), long, &mut random));
        assert!(follow(&mut gradient, 700, 3, long)[2] > 10);
    }

    proptest! {
        /// Whatever latencies come and whenever, the limit stays within its bounds.
        #[test]
        fn the_limit_stays_within_its_bounds(
            (limit_min, above) in (1_u32..50, 0_u32..200),
            steps in prop::collection::vec((0_u64..300, 0_u64..10_000_000), 1..400),
        ) {
            let limit_max = limit_min + above;
            let config = Config { limit_min, limit_max, min_rtt_requests: 5, min_rtt_jitter: 0.5,
                min_rtt_interval: Duration::from_secs(2), ..envoy() };
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let mut gradient = Gradient::new(config, at(0));
            let mut now = 0;
            for (gap, micros) in steps {
                now += gap;
                gradient.observe(at(now), at(now.saturating_sub(gap)), Duration::from_micros(micros), &mut random);
                prop_assert!((limit_min..=limit_max).contains(&gradient.limit()));
            }
        }
    }
}
