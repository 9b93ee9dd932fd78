//! Quantiles: what a distribution exceeds with a given probability, and how likely it exceeds a given duration.

use std::time::Duration;

use super::{Branch, Distribution, gamma, normal, scale, sigma};

impl Distribution {
    /// What a draw exceeds with this `probability`, which is above 0 and at most 1; to the nanosecond. The less
    /// likely, the longer.
    pub fn exceeded_with(&self, probability: f64) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
            Self::Exponential { mean } => scale(*mean, -probability.ln()),
            Self::LogNormal { p50, p99 } if p50 == p99 => *p50,
            Self::LogNormal { p50, p99 } => {
                scale(*p50, (-sigma(*p50, *p99) * normal::quantile(probability)).exp())
            }
            Self::Uniform { from, to } => to.saturating_sub(scale(to.saturating_sub(*from), probability)),
            Self::Gamma { .. } if probability >= 1.0 => Duration::ZERO,
            Self::Gamma { mean, cv } => {
                scale(*mean, cv * cv * gamma::exceeded_with(1.0 / (cv * cv), probability))
            }
            Self::Pareto { min, alpha } => scale(*min, probability.powf(-1.0 / alpha)),
            Self::Mix(branches) => mixed(branches, probability),
            Self::Empirical(empirical) => empirical.quantile(1.0 - probability),
        }
    }

    /// How likely a draw exceeds `duration`.
    pub(super) fn exceedance(&self, duration: Duration) -> f64 {
        let over = |other: &Duration| duration.as_nanos() as f64 / other.as_nanos() as f64;
        let certain = |always: Duration| if duration < always { 1.0 } else { 0.0 };
        match self {
            Self::Constant(always)
            | Self::Exponential { mean: always @ Duration::ZERO }
            | Self::Gamma { mean: always @ Duration::ZERO, .. }
            | Self::Pareto { min: always @ Duration::ZERO, .. } => certain(*always),
            Self::LogNormal { p50, p99 } if p50 == p99 => certain(*p50),
            Self::Uniform { from, to } if from == to => certain(*from),
            Self::Exponential { mean } => (-over(mean)).exp(),
            Self::LogNormal { p50, p99 } => gamma::normal_exceedance(over(p50).ln() / sigma(*p50, *p99)),
            Self::Uniform { from, to } => {
                let [left, range] = [duration, *from].map(|start| to.saturating_sub(start).as_nanos() as f64);
                (left / range).min(1.0)
            }
            Self::Gamma { mean, cv } => gamma::exceedance(1.0 / (cv * cv), over(mean) / (cv * cv)),
            Self::Pareto { min, alpha } => over(min).powf(-alpha).min(1.0),
            Self::Mix(branches) => {
                branches.iter().map(|branch| branch.share * branch.distribution.exceedance(duration)).sum()
            }
            Self::Empirical(empirical) => 1.0 - empirical.probability(duration),
        }
    }
}

/// What one of several distributions exceeds with this probability: no less than the least of what each of them does,
/// and no more than the most; between them by halving, to the nanosecond.
fn mixed(branches: &[Branch], probability: f64) -> Duration {
    let possible = branches.iter().filter(|branch| branch.share > 0.0);
    let quantiles = possible.map(|branch| branch.distribution.exceeded_with(probability));
    let bounds = quantiles.fold(None, |bounds: Option<(Duration, Duration)>, quantile| {
        let (low, high) = bounds.unwrap_or((quantile, quantile));
        Some((low.min(quantile), high.max(quantile)))
    });
    let (low, high) = bounds.expect("a mix has a branch");
    let (mut low, mut high) = (low.as_nanos() as u64, high.as_nanos() as u64);
    while low < high {
        let middle = low.midpoint(high);
        let at_middle = Duration::from_nanos(middle);
        let exceeded = |branch: &Branch| branch.share * branch.distribution.exceedance(at_middle);
        if branches.iter().map(exceeded).sum::<f64>() <= probability {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Duration::from_nanos(high)
}
