//! Distributions of durations: sampled by inverse transform from a seeded stream, so that one draw
//! takes a known number of random words and common random numbers stay aligned.

use std::time::Duration;

use rand::Rng;

/// How long something takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(Duration),
}

impl Distribution {
    /// One draw.
    pub fn sample(&self, _random: &mut impl Rng) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
        }
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
        }
    }
}
