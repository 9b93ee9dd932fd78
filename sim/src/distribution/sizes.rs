//! Distributions of sizes: how many bytes a request or an answer holds.
//!
//! They are drawn by the arithmetic of durations, with a byte in the place of a nanosecond: both are whole numbers
//! of their smallest unit. Owns the bound on a single draw; how they are written stands in `notation`.

use std::fmt;
use std::time::Duration;

use rand::Rng;

use super::notation::{Measure, Written};
use super::{Distribution, Empirical, NotADistribution};

/// How many bytes something holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes(Distribution);

impl Sizes {
    /// The most that is ever drawn, in bytes; a draw beyond it is this.
    pub const LARGEST: u64 = 64 << 20;

    /// Nothing.
    pub const ZERO: Self = Self(Distribution::Constant(Duration::ZERO));

    /// Reads `text`; `samples` fetches what `empirical(file)` names, or says why it cannot.
    pub fn read(
        text: &str,
        samples: &mut dyn FnMut(&str) -> Result<Empirical, String>,
    ) -> Result<Self, NotADistribution> {
        Distribution::read_as(Measure::Bytes, text, samples).map(Self)
    }

    /// One draw, in bytes, from the stream that `random` opens; a size that never varies opens none.
    pub fn draw<R: Rng>(&self, random: impl FnOnce() -> R) -> u64 {
        let bytes = match &self.0 {
            Distribution::Constant(bytes) => *bytes,
            varies => varies.sample(&mut random()),
        };
        bytes_of(bytes).min(Self::LARGEST)
    }

    /// The mean of what is written, in bytes.
    pub fn mean(&self) -> u64 {
        bytes_of(self.0.mean())
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written { distribution: &self.0, measure: Measure::Bytes }.fmt(f)
    }
}

fn bytes_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn read(text: &str) -> Sizes {
        Sizes::read(text, &mut |file| {
            Empirical::read_sizes(file, "size (KiB)\n1\n3").map_err(|e| e.to_string())
        })
        .unwrap()
    }

    fn complaint(text: &str) -> String {
        Sizes::read(text, &mut |_| Err("no such file".to_owned())).unwrap_err().to_string()
    }

    #[test]
    fn sizes_are_printed_as_they_are_written() {
        for text in [
            "2 KiB",
            "exp(10 KiB)",
            "lognormal(p50=2 KiB, p99=100 KiB)",
            "uniform(1 KB, 2 MB)",
            "gamma(mean=1 MiB, cv=0.5)",
            "pareto(min=512 B, alpha=1.8)",
            "mix(90%: 1 KiB, 10%: exp(1 MiB))",
            "empirical(sizes.csv)",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn draws_have_the_mean_and_a_bound() {
        let sizes = read("lognormal(p50=2 KiB, p99=100 KiB)");
        let mut random = random::stream(1, "test", 0, 0);
        let mut draws: Vec<u64> = (0..10_001).map(|_| sizes.draw(|| &mut random)).collect();
        draws.sort_unstable();
        assert!((1_950..2_150).contains(&draws[5_000]), "{}", draws[5_000]);
        assert!((85_000..120_000).contains(&draws[9_900]), "{}", draws[9_900]);
        assert_eq!(read("empirical(sizes.csv)").mean(), 2_048);
        let constant =
            read("3 KB").draw(|| -> rand::rngs::ChaCha8Rng { panic!("a constant needs no stream") });
        assert_eq!(constant, 3_000);
        let huge = read("uniform(1 GiB, 2 GiB)").draw(|| random::stream(1, "test", 0, 0));
        assert_eq!(huge, Sizes::LARGEST);
    }

    #[test]
    fn complaints_speak_of_sizes() {
        assert_eq!(
            complaint("exp(10ms)"),
            "`10ms` has the unit `ms`, which is none of B, KiB, MiB, GiB, KB, kB, MB, GB: \
             write a size such as `1 KiB`"
        );
        assert_eq!(
            complaint("uniform(2 KiB, 1 KiB)"),
            "`uniform(2 KiB, 1 KiB)` has the least above the most"
        );
        assert_eq!(complaint("exp()"), "`` has no number: write a size such as `1 KiB`");
        assert_eq!(
            complaint("lognormal(1 KiB)"),
            "`lognormal(1 KiB)` has other arguments than `lognormal(p50=2 KiB, p99=100 KiB)`"
        );
        assert_eq!(
            Empirical::read_sizes("sizes.csv", "sizes\n1").unwrap_err().to_string(),
            "line 1: `sizes` names no unit: write `sizes_bytes`, or give each size its own unit"
        );
    }
}
