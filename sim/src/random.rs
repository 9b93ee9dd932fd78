//! Named random streams: the same question always gets the same answer, whoever asks first.
//!
//! A stream is keyed by (seed, purpose, entity, counter): one purpose a kind of draw, one counter a
//! request, so that adding a draw to one stream moves no other and the same request meets the same
//! draws in every architecture. Values are stable over platforms and versions: `ChaCha8` from a key
//! that is spelled out below. Not here: what is drawn ([`crate::distribution`]).

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use xxhash_rust::xxh3::xxh3_64;

/// The stream for `purpose` of the entity `key` (see [`key`]) at `counter`, under `seed`.
///
/// The four are the cipher's key as they stand (the purpose by its hash), so different streams are
/// independent. Opening one and taking a word costs about as much as a cache miss.
pub fn stream(seed: u64, purpose: &str, key: u64, counter: u64) -> ChaCha8Rng {
    let mut cipher_key = [0; 32];
    for (slot, word) in cipher_key.chunks_exact_mut(8).zip([seed, self::key(purpose), key, counter]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(cipher_key)
}

/// A stable key for an entity's name.
pub fn key(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// One key from two, for entities that have two names: a caller and a callee, a pod and a path.
/// The order counts.
pub fn join(first: u64, second: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    bytes[8..].copy_from_slice(&second.to_le_bytes());
    xxh3_64(&bytes)
}

/// A uniform draw from (0, 1]: one word. Never zero, so its logarithm is finite.
pub fn unit(random: &mut impl Rng) -> f64 {
    const GRAIN: f64 = 1.0 / (1_u64 << 53) as f64;
    ((random.next_u64() >> 11) + 1) as f64 * GRAIN
}

/// Whether something of this `probability` happens: one word, also when the answer is certain.
pub fn happens(random: &mut impl Rng, probability: f64) -> bool {
    unit(random) <= probability
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values that were drawn once and must never change: replays of old records depend on them.
    #[test]
    fn values_are_stable() {
        let mut random = stream(1, "work", key("payment-0"), 7);
        let words = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(
            words,
            [3_009_910_008_425_914_062, 10_672_474_112_863_929_907, 15_265_519_654_808_363_512]
        );
        assert_eq!([key("payment-0"), join(1, 2)], [5_568_524_098_290_343_987, 571_542_372_673_154_031]);
    }

    #[test]
    fn unit_is_uniform() {
        let mut random = stream(1, "test", 0, 0);
        let count = 100_000;
        let mean = (0..count).map(|_| unit(&mut random)).sum::<f64>() / f64::from(count);
        assert!((mean - 0.5).abs() < 0.004, "{mean}");
    }

    #[test]
    fn certain_things_are_certain() {
        let mut random = stream(1, "test", 0, 0);
        assert!((0..1000).all(|_| happens(&mut random, 1.0) && !happens(&mut random, 0.0)));
    }

    proptest! {
        #[test]
        fn every_part_of_the_name_counts(seed: u64, entity: u64, counter: u64) {
            let first = |seed, purpose, entity, counter| stream(seed, purpose, entity, counter).next_u64();
            let base = first(seed, "work", entity, counter);
            prop_assert_eq!(base, first(seed, "work", entity, counter));
            prop_assert_ne!(base, first(!seed, "work", entity, counter));
            prop_assert_ne!(base, first(seed, "think", entity, counter));
            prop_assert_ne!(base, first(seed, "work", !entity, counter));
            prop_assert_ne!(base, first(seed, "work", entity, !counter));
        }
    }
}
