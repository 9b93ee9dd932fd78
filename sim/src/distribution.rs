//! Distributions of durations: sampled from a seeded stream, printed and read in the scenario
//! language's own notation (`notation`).
//!
//! All but gamma are sampled by inverse transform, which takes a known number of 64-bit words: a
//! constant none, a mix one for the branch and then what the branch takes, the others one each.
//! Gamma takes as many as it needs, so a draw that may be a gamma deserves a stream of its own. A
//! word means the same everywhere: the probability that the draw is exceeded; what is exceeded with a
//! given probability can be asked of each (`quantile`). Not here: the streams ([`crate::random`]).

mod empirical;
mod gamma;
mod normal;
mod notation;
mod quantile;
mod sizes;

use std::time::Duration;

use rand::Rng;

use crate::random;
pub use empirical::{Empirical, NotASample};
pub use notation::{NotADistribution, Wrong};
pub use sizes::Sizes;

/// How long something takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Always the same: `10ms`.
    Constant(Duration),
    /// Without memory: `exp(10ms)`.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Log-normal, as service times tend to be: `lognormal(p50=4ms, p99=20ms)`.
    LogNormal {
        /// The median; above zero.
        p50: Duration,
        /// The 99th percentile; not below the median.
        p99: Duration,
    },
    /// Anything in a range alike: `uniform(1s, 10s)`.
    Uniform {
        /// The shortest.
        from: Duration,
        /// The longest; not below the shortest.
        to: Duration,
    },
    /// A sum of exponentials, as it were: `gamma(mean=10ms, cv=0.5)`.
    Gamma {
        /// The mean.
        mean: Duration,
        /// The coefficient of variation, standard deviation over mean; above zero.
        cv: f64,
    },
    /// Heavy-tailed: `pareto(min=1ms, alpha=1.8)`.
    Pareto {
        /// The shortest.
        min: Duration,
        /// How fast the tail falls; above 1, since at 1 the mean is infinite.
        alpha: f64,
    },
    /// One of several: `mix(90%: 5ms, 10%: 55ms)`.
    Mix(Vec<Branch>),
    /// As it was measured: `empirical(times.csv)`.
    Empirical(Empirical),
}

/// One of the alternatives of a mix.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Its probability; those of a mix sum to 1.
    pub share: f64,
    /// How long it takes then.
    pub distribution: Distribution,
}

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

impl Distribution {
    /// One draw, to the nanosecond.
    pub fn sample(&self, random: &mut impl Rng) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
            Self::Gamma { mean, cv } => scale(*mean, cv * cv * standard_gamma(1.0 / (cv * cv), random)),
            Self::Mix(branches) => choose(branches, random::unit(random)).sample(random),
            Self::Exponential { .. }
            | Self::LogNormal { .. }
            | Self::Uniform { .. }
            | Self::Pareto { .. }
            | Self::Empirical(_) => self.exceeded_with(random::unit(random)),
        }
    }

    /// The mean, to the nanosecond.
    pub fn mean(&self) -> Duration {
        match self {
            Self::Constant(mean) | Self::Exponential { mean } | Self::Gamma { mean, .. } => *mean,
            Self::LogNormal { p50, p99 } => scale(*p50, (sigma(*p50, *p99).powi(2) / 2.0).exp()),
            Self::Uniform { from, to } => (*from + *to) / 2,
            Self::Pareto { min, alpha } => scale(*min, alpha / (alpha - 1.0)),
            Self::Mix(branches) => {
                branches.iter().map(|branch| scale(branch.distribution.mean(), branch.share)).sum()
            }
            Self::Empirical(empirical) => empirical.mean(),
        }
    }
}

/// `duration` times `factor`, to the nanosecond; the longest duration where that overflows.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::from_nanos((duration.as_nanos() as f64 * factor).round() as u64)
}

/// The log-normal's second parameter.
fn sigma(p50: Duration, p99: Duration) -> f64 {
    (p99.as_nanos() as f64 / p50.as_nanos() as f64).ln() / Z99
}

/// The branch that the draw `unit` falls on; rounding may leave a sliver beyond the last.
fn choose(branches: &[Branch], unit: f64) -> &Distribution {
    let mut beyond = unit;
    let chosen = branches.iter().find(|branch| {
        beyond -= branch.share;
        beyond <= 0.0
    });
    let branch = chosen.or(branches.last()).expect("a mix has a branch");
    &branch.distribution
}

/// A gamma variate of this shape and scale 1, by Marsaglia and Tsang's squeeze: a cubed normal,
/// accepted or drawn again. Below shape 1 it is one of the shape above, times a power of a uniform.
fn standard_gamma(shape: f64, random: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let boost = random::unit(random).powf(1.0 / shape);
        return boost * standard_gamma(shape + 1.0, random);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal::quantile(random::unit(random));
        let v = (1.0 + c * x).powi(3);
        let mut accepted = || random::unit(random).ln() < 0.5 * x * x + d - d * v + d * v.ln();
        if v > 0.0 && v.is_finite() && accepted() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests;
