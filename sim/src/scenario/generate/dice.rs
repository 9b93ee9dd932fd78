//! What an application is drawn with: a stream for each purpose and service, and the few ways to draw from it.

use rand::Rng;
use rand::rngs::ChaCha8Rng;

use crate::random;

/// The stream for what `purpose` says of the endpoint of this number of the service called `name`.
pub(super) fn stream(seed: u64, purpose: &str, name: &str, endpoint: usize) -> ChaCha8Rng {
    random::stream(seed, purpose, random::key(name), endpoint as u64)
}

/// An index below `count`, each alike; `count` is not zero.
pub(super) fn index(count: usize, random: &mut impl Rng) -> usize {
    let drawn = (random::unit(random) * count as f64).ceil() as usize;
    drawn.clamp(1, count) - 1
}

/// A Poisson variate of this mean, by the product of uniform ones; at most `most`.
pub(super) fn poisson(mean: f64, most: u32, random: &mut impl Rng) -> u32 {
    let floor = (-mean).exp();
    let (mut count, mut product) = (0, random::unit(random));
    while product > floor && count < most {
        count += 1;
        product *= random::unit(random);
    }
    count
}

/// 1 to some number, each with a probability that falls like its power of minus an exponent.
pub(super) struct Zipf {
    /// The probability of each number or a smaller one.
    cumulative: Vec<f64>,
}

impl Zipf {
    /// At least 1, at most `most`.
    pub(super) fn new(exponent: f64, most: u32) -> Self {
        let weights: Vec<f64> = (1..=most).map(|number| f64::from(number).powf(-exponent)).collect();
        let (sum, mut below) = (weights.iter().sum::<f64>(), 0.0);
        let cumulative = weights.iter().map(|weight| {
            below += weight / sum;
            below
        });
        Self { cumulative: cumulative.collect() }
    }

    pub(super) fn draw(&self, random: &mut impl Rng) -> u32 {
        let unit = random::unit(random);
        let index = self.cumulative.partition_point(|reached| *reached < unit);
        index.min(self.cumulative.len() - 1) as u32 + 1
    }
}
