//! How long to pause before a retry: exponential, capped, with one of the four jitters that M. Brooker compared
//! ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), or with Linkerd's. Owns no clock; the caller draws.
//!
//! The ceiling of retry N is 2^(N - 1) · base for all of them, so that they differ in jitter alone. That is what
//! Envoy 1.40 does (measured; its documentation says 2^N - 1).

use std::time::Duration;

use rand::{Rng, RngExt};

/// How pauses grow and vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The ceiling of the first pause.
    pub base: Duration,
    /// The longest pause; not below the base.
    pub max: Duration,
    /// How pauses vary.
    pub jitter: Jitter,
}

/// How pauses vary, so that those who failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Uniform between zero and the ceiling: Envoy's, and the default.
    #[default]
    Full,
    /// Half the ceiling, and up to as much again.
    Equal,
    /// Uniform between the base and three times the pause before.
    Decorrelated,
    /// The ceiling, and up to as much again, at most the longest pause: Linkerd's, whose `jitter` is 1.0.
    Added,
    /// The ceiling itself.
    None,
}

/// The pauses of one request.
#[derive(Debug, Clone)]
pub struct Backoff {
    config: Config,
    previous: Duration,
}

impl Backoff {
    /// Pauses as `config` says.
    pub fn new(config: Config) -> Self {
        Self { config, previous: config.base }
    }

    /// How long to pause before retry number `retry`, which counts from 1.
    pub fn pause(&mut self, retry: u32, random: &mut impl Rng) -> Duration {
        let Config { base, max, jitter } = self.config;
        let factor = 1_u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX);
        let ceiling = base.saturating_mul(factor).min(max);
        let pause = match jitter {
            Jitter::Full => between(Duration::ZERO, ceiling, random),
            Jitter::Equal => between(ceiling / 2, ceiling, random),
            Jitter::Decorrelated => between(base, self.previous.saturating_mul(3), random).min(max),
            Jitter::Added => between(ceiling, ceiling.saturating_mul(2), random).min(max),
            Jitter::None => ceiling,
        };
        self.previous = pause;
        pause
    }

    /// How long to pause when the upstream has asked for `wanted`: not less, and up to half as much again,
    /// as Envoy's rate-limited back-off; exactly that long without jitter.
    pub fn pause_as_told(&mut self, wanted: Duration, random: &mut impl Rng) -> Duration {
        self.previous = match self.config.jitter {
            Jitter::None => wanted,
            Jitter::Full | Jitter::Equal | Jitter::Decorrelated | Jitter::Added => {
                between(wanted, wanted.saturating_add(wanted / 2), random)
            }
        };
        self.previous
    }
}

/// Uniform between both, ends included.
fn between(low: Duration, high: Duration, random: &mut impl Rng) -> Duration {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(random.random_range(nanos(low)..=nanos(high).max(nanos(low))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    fn backoff(jitter: Jitter) -> Backoff {
        Backoff::new(Config { base: Duration::from_millis(25), max: Duration::from_millis(250), jitter })
    }

    fn mean_first_pause_us(jitter: Jitter) -> u128 {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let sum: Duration = (0..10_000).map(|_| backoff(jitter).pause(1, &mut random)).sum();
        sum.as_micros() / 10_000
    }

    #[test]
    fn the_mean_first_pause_is_what_the_jitter_says() {
        for (jitter, expected_us) in [
            (Jitter::Full, 12_500),
            (Jitter::Equal, 18_750),
            (Jitter::Decorrelated, 50_000),
            (Jitter::Added, 37_500),
            (Jitter::None, 25_000),
        ] {
            let mean_us = mean_first_pause_us(jitter);
            assert!(mean_us.abs_diff(expected_us) <= expected_us / 40, "{jitter:?}: {mean_us}");
        }
    }

    #[test]
    fn a_pause_that_the_upstream_asked_for_is_not_cut_short() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let wanted = Duration::from_secs(2);
        for _ in 0..100 {
            let pause = backoff(Jitter::Full).pause_as_told(wanted, &mut random);
            assert!((wanted..=wanted * 3 / 2).contains(&pause));
        }
        assert_eq!(backoff(Jitter::None).pause_as_told(wanted, &mut random), wanted);
    }

    #[test]
    fn added_jitter_waits_as_linkerd_does() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (retry, from_ms, to_ms) in
            [(1, 25, 50), (2, 50, 100), (3, 100, 200), (4, 200, 250), (5, 250, 250)]
        {
            let pauses = (0..1_000).map(|_| backoff(Jitter::Added).pause(retry, &mut random).as_millis());
            let pauses: Vec<_> = pauses.collect();
            let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
            let near = (to_ms - from_ms) / 10;
            assert!((from_ms..=from_ms + near).contains(least), "retry {retry}: {least} ms");
            assert!((to_ms - near - 1..=to_ms).contains(most), "retry {retry}: {most} ms");
        }
    }

    proptest! {
        #[test]
        fn pauses_stay_within_their_bounds(seed: u64) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut jitters = [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None].map(backoff);
            let mut previous = 25;
            for number in 1..40 {
                let ceiling = match number { 1 => 25, 2 => 50, 3 => 100, 4 => 200, _ => 250 };
                let [full, equal, decorrelated, none] =
                    jitters.each_mut().map(|backoff| backoff.pause(number, &mut random).as_millis());
                prop_assert!(full <= ceiling);
                prop_assert!(ceiling / 2 <= equal && equal <= ceiling);
                prop_assert_eq!(none, ceiling);
                prop_assert!(25 <= decorrelated && decorrelated <= (3 * (previous + 1)).min(250));
                previous = decorrelated;
            }
        }
    }
}
