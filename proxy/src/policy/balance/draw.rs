//! Random draws among the endpoints that may be used, in proportion to their weights: one, and another one, as the power
//! of two choices wants (Mitzenmacher 2001). Where all weigh the same and nearly all may be used, a draw
//! looks at no endpoint but the drawn; else at each of them once or twice. Allocates nothing.

use rand::{Rng, RngExt};

use super::weights::Weights;
use crate::host::Instant;

/// How often an endpoint is drawn blindly before all are looked at.
const BLIND_DRAWS: usize = 4;

/// One endpoint that is `usable`; `None` when none is.
pub(super) fn one(
    now: Instant,
    weights: &Weights,
    usable: &impl Fn(usize) -> bool,
    random: &mut impl Rng,
) -> Option<usize> {
    let count = weights.count();
    if count == 0 {
        return None;
    }
    if weights.are_equal(now) {
        for _ in 0..BLIND_DRAWS {
            let drawn = weights.order()[random.random_range(0..count)];
            if usable(drawn) {
                return Some(drawn);
            }
        }
    }
    weighted(now, weights, usable, random)
}

/// Another one than `first` that is `usable`; `None` when none is.
pub(super) fn one_but(
    first: usize,
    now: Instant,
    weights: &Weights,
    usable: &impl Fn(usize) -> bool,
    random: &mut impl Rng,
) -> Option<usize> {
    let others = weights.count() - 1;
    if others > 0 && weights.are_equal(now) {
        let place = weights.place(first);
        for _ in 0..BLIND_DRAWS {
            let drawn = random.random_range(0..others);
            let drawn = weights.order()[drawn + usize::from(drawn >= place)];
            if usable(drawn) {
                return Some(drawn);
            }
        }
    }
    weighted(now, weights, &|endpoint| endpoint != first && usable(endpoint), random)
}

/// A draw that looks at every endpoint.
fn weighted(
    now: Instant,
    weights: &Weights,
    usable: &impl Fn(usize) -> bool,
    random: &mut impl Rng,
) -> Option<usize> {
    let all = || weights.order().iter().copied().filter(|&endpoint| usable(endpoint));
    let total: u64 = all().map(|endpoint| weights.of(now, endpoint)).sum();
    if total == 0 {
        return None;
    }
    let mut left = random.random_range(0..total);
    all().find(|&endpoint| {
        let weight = weights.of(now, endpoint);
        let here = left < weight;
        left = left.saturating_sub(weight);
        here
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    proptest! {
        #[test]
        fn nothing_but_the_usable_is_drawn(
            all in prop::collection::vec((1_u32..5, any::<bool>()), 0..12),
            seed: u64,
        ) {
            let weights = Weights::new(all.iter().map(|(weight, _)| *weight).collect(), None);
            let count = all.iter().filter(|(_, usable)| *usable).count();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for _ in 0..20 {
                let usable = |endpoint: usize| all[endpoint].1;
                let drawn = one(Instant::START, &weights, &usable, &mut random);
                prop_assert_eq!(drawn.is_some(), count > 0);
                let Some(first) = drawn else { continue };
                prop_assert!(all[first].1);
                let second = one_but(first, Instant::START, &weights, &usable, &mut random);
                prop_assert_eq!(second.is_some(), count > 1);
                prop_assert!(second.is_none_or(|second| second != first && all[second].1));
            }
        }

        #[test]
        fn draws_follow_the_weights(weights in prop::collection::vec(1_u32..20, 1..8), seed: u64) {
            const DRAWS: u32 = 20_000;
            let total: u32 = weights.iter().sum();
            let mut seen = vec![0_u32; weights.len()];
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let written = Weights::new(weights.clone(), None);
            for _ in 0..DRAWS {
                seen[one(Instant::START, &written, &|_| true, &mut random).unwrap()] += 1;
            }
            for (weight, seen) in weights.iter().zip(seen) {
                let share = f64::from(*weight) / f64::from(total);
                let deviation = (f64::from(DRAWS) * share * (1.0 - share)).sqrt();
                let off = (f64::from(seen) - f64::from(DRAWS) * share).abs();
                prop_assert!(off <= 6.0 * deviation, "{off} is beyond six times {deviation}");
            }
        }
    }
}
