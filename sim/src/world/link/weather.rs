//! The weather of a link: how long a packet takes that leaves at a given instant. A function of the instant alone,
//! whoever asks, however often, so that every architecture meets the same weather and no load changes it.
//!
//! At each instant the delay has exactly the link's distribution: it is what the distribution exceeds with probability
//! exp(-s), where s, the *strain*, is the time until the next lull over the time that the weather stays alike. Lulls
//! are as far apart as the events of a Poisson process, so that the strain at any instant is exponential with mean 1.
//! Strain builds up at once and wears off evenly, like a queue that a burst fills and that drains: what leaves after a
//! jump arrives after what left before it, and in between the delay of `exp(m)` falls by m in the time that the weather
//! stays alike. So packets overtake each other only where a distribution falls faster than time passes.
//!
//! The peaks between lulls are not drawn independently but evenly: of 2, 4, 8, … peaks in a row one lies in each half,
//! quarter, eighth, … of their distribution, in random order ([`peak`]). So what is measured over a while has the
//! distribution's mean much sooner than independent peaks would have it.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use crate::distribution::Distribution;
use crate::random;

/// How long packets take.
pub(super) enum Weather {
    /// Always the same.
    Constant(Duration),
    /// As it happens.
    Changing(Changing),
}

impl Weather {
    /// The weather that `key` names, of this distribution, which stays alike for so long.
    pub(super) fn new(latency: &Distribution, steady_for: Duration, key: u64) -> Self {
        match latency {
            Distribution::Constant(latency) => Self::Constant(*latency),
            latency => Self::Changing(Changing::new(latency.clone(), steady_for, key)),
        }
    }

    /// How long a packet takes that leaves at `at`; instants are asked for in order.
    pub(super) fn delay(&mut self, at: Instant) -> Duration {
        match self {
            Self::Constant(latency) => *latency,
            Self::Changing(changing) => changing.delay(at.nanos()),
        }
    }
}

/// Weather that changes, as far as it is known.
pub(super) struct Changing {
    latency: Distribution,
    steady_ns: f64,
    key: u64,
    /// For how long there was weather before the world began, so that it does not begin with a peak.
    before_ns: u64,
    /// The number of the next peak.
    next: u64,
    /// When the strain of the peak before that has worn off, from the first weather on.
    lull_ns: u64,
}

impl Changing {
    fn new(latency: Distribution, steady_for: Duration, key: u64) -> Self {
        /// At most, in times that the weather stays alike: peaks in a row are as if independent over that.
        const BEFORE: f64 = 64.0;
        let [before, first] = [0, 1].map(|number| random::join(number, key) >> 11);
        let steady_ns = steady_for.as_nanos() as f64;
        let before_ns = (before as f64 / (1_u64 << 53) as f64 * BEFORE * steady_ns) as u64;
        Self { latency, steady_ns, key, before_ns, next: first, lull_ns: 0 }
    }

    fn delay(&mut self, at_ns: u64) -> Duration {
        let at_ns = at_ns + self.before_ns;
        while self.lull_ns <= at_ns {
            self.lull_ns += (peak(self.key, self.next) * self.steady_ns).round() as u64;
            self.next += 1;
        }
        let strain = (self.lull_ns - at_ns) as f64 / self.steady_ns;
        self.latency.exceeded_with((-strain).exp())
    }
}

/// The strain that the peak of this `number` begins with: exponential with mean 1.
///
/// It is exceeded with a probability whose binary digits are fair coins, most significant first. Two peaks of the same
/// block of 2^n that agree in their first n - 1 digits lie in different halves of it; one coin, which the two share,
/// says which has the digit 0. This is Owen's nested scrambling of van der Corput's sequence (Owen 1995), but with a
/// coin of its own for each block, so that nothing repeats.
fn peak(key: u64, number: u64) -> f64 {
    /// Blocks of more than 2^12 peaks are independent.
    const LEVELS: u32 = 12;
    const REST: u32 = 53 - LEVELS;
    let mut digits = 0;
    for level in 1..=LEVELS {
        let block = number >> level;
        let coin = random::join(key ^ digits, block << 6 | u64::from(level));
        let digit = (number >> (level - 1) ^ coin) & 1;
        digits = digits << 1 | digit;
    }
    let rest = random::join(key, number << 6) >> (64 - REST);
    let exceeded = (digits << REST | rest) + 1;
    -(exceeded as f64 / (1_u64 << 53) as f64).ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEAN: Duration = Duration::from_millis(10);
    const STEADY_FOR: Duration = Duration::from_millis(20);

    fn weather(latency: &Distribution, key: u64) -> Weather {
        Weather::new(latency, STEADY_FOR, random::key("weather") ^ key)
    }

    /// The delays in milliseconds at evenly spaced instants.
    fn delays(latency: &Distribution, key: u64, every: Duration, count: u32) -> Vec<f64> {
        let mut weather = weather(latency, key);
        let at = |index: u32| Instant::START + every * index;
        (0..count).map(|index| weather.delay(at(index)).as_secs_f64() * 1e3).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// The mean within one percent and percentiles within three, whatever the rate. At one a second, 50 lulls apart,
    /// samples are independent and the mean of n is off by 1/sqrt(n): 0.3 % of 100,000. At 20 a second they hardly are
    /// any more, 0.5 % of 80,000 over 4,000 s. At 2,000 a second the same peaks are seen again and again: over 200 s
    /// and 10,000 independent ones the mean would be off by 1.4 %; these are off by 0.2 %.
    #[test]
    fn the_marginal_is_the_distribution_at_any_rate() {
        let latencies = [
            Distribution::Exponential { mean: MEAN },
            Distribution::LogNormal { p50: MEAN, p99: MEAN * 4 },
            Distribution::Gamma { mean: MEAN, cv: 0.5 },
        ];
        for latency in &latencies {
            for (rate, count) in [(1, 100_000), (20, 80_000), (2_000, 400_000)] {
                let mut delays = delays(latency, 1, Duration::from_secs(1) / rate, count);
                delays.sort_by(f64::total_cmp);
                let near = |seen: f64, expected: Duration, tolerance: f64| {
                    let expected = expected.as_secs_f64() * 1e3;
                    assert!(
                        (seen - expected).abs() <= tolerance * expected,
                        "{latency} at {rate} a second: {seen} ms is not {expected} ms"
                    );
                };
                near(mean(&delays), latency.mean(), 0.01);
                for exceeded in [0.5, 0.1, 0.01] {
                    let seen = delays[(delays.len() as f64 * (1.0 - exceeded)) as usize];
                    near(seen, latency.exceeded_with(exceeded), 0.03);
                }
            }
        }
    }

    /// At an instant, over many links, the delay has the distribution, whatever came before: at the start as later.
    #[test]
    fn the_marginal_is_the_distribution_at_any_instant() {
        let latency = Distribution::Exponential { mean: MEAN };
        for at in [0, 1, 20, 100, 1_000].map(Duration::from_millis) {
            let links = 40_000;
            let delay = |key: u64| weather(&latency, key * 7_919).delay(Instant::START + at).as_secs_f64();
            let delays: Vec<f64> = (0..links).map(delay).collect();
            let mean = mean(&delays) * 1e3;
            assert!((mean - 10.0).abs() < 0.2, "{mean} ms at {at:?}");
            let beyond = delays.iter().filter(|delay| **delay > 0.023_026).count() as f64 / links as f64;
            assert!((beyond - 0.1).abs() < 0.006, "{beyond} beyond the 90th percentile at {at:?}");
        }
    }

    /// One peak in each of 2^n parts, for every aligned block of 2^n; and yet no rhythm: large ones (of the upper
    /// eighth) follow each other at all distances that blocks of eight allow.
    #[test]
    fn peaks_are_spread_evenly_and_irregularly() {
        let exceeded = |number: u64| (-peak(3, number)).exp();
        for level in 1..=12 {
            let parts = 1_u64 << level;
            let mut seen: Vec<u64> =
                (5 * parts..6 * parts).map(|number| (exceeded(number) * parts as f64) as u64).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..parts));
        }
        let large: Vec<u64> = (0..8_000).filter(|number| exceeded(*number) < 0.125).collect();
        let distances: Vec<u64> = large.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for distance in 1..=14 {
            let share = distances.iter().filter(|seen| **seen == distance).count() as f64 / 1_000.0;
            let expected = (8.0 - (distance as f64 - 8.0).abs()) / 64.0;
            assert!((share - expected).abs() < 0.05, "{distance}: {share}, not {expected}");
        }
    }

    /// What is left of rhythm is weak.
    #[test]
    fn weather_forgets() {
        let delays = delays(&Distribution::Exponential { mean: MEAN }, 2, Duration::from_millis(1), 400_000);
        let mean = mean(&delays);
        let variance = delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>();
        let correlation = |lag: usize| {
            let pairs = delays.iter().zip(&delays[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / variance
        };
        assert!(correlation(1) > 0.92);
        // Independent peaks would leave exp(-1) of it; evenly spread ones repel each other.
        assert!((0.15..0.37).contains(&correlation(20)), "{}", correlation(20));
        for lag in [80, 160, 320, 640] {
            assert!(correlation(lag).abs() < 0.12, "{lag}: {}", correlation(lag));
        }
    }

    proptest! {
        #[test]
        fn what_was_asked_before_changes_nothing(
            key: u64,
            mut asked in proptest::collection::vec(0_u64..2_000_000, 1..50),
            more in proptest::collection::vec(0_u64..2_000_000, 0..50),
        ) {
            let latency = Distribution::LogNormal { p50: MEAN, p99: MEAN * 3 };
            asked.sort_unstable();
            let mut all: Vec<u64> = asked.iter().chain(&more).copied().collect();
            all.sort_unstable();
            let at = |micros: u64| Instant::from_nanos(micros * 1_000);
            let (mut seldom, mut often) = (weather(&latency, key), weather(&latency, key));
            for instant in all {
                let delay = often.delay(at(instant));
                if asked.contains(&instant) {
                    prop_assert_eq!(seldom.delay(at(instant)), delay);
                }
            }
        }

        /// With a mean of half of the time that the weather stays alike, as by default.
        #[test]
        fn what_leaves_later_arrives_later(key: u64, gaps in proptest::collection::vec(0_u64..20_000, 1..200)) {
            let mut weather = weather(&Distribution::Exponential { mean: MEAN }, key);
            let mut leaves = Instant::START;
            let mut arrived = Instant::START;
            for gap in gaps {
                leaves = leaves + Duration::from_micros(gap);
                let arrives = leaves + weather.delay(leaves);
                prop_assert!(arrived <= arrives);
                arrived = arrives;
            }
        }
    }
}
