//! A limit for each key, in bounded memory: when there are as many keys as may be, the one that was asked for the
//! longest time ago makes room. It is forgotten: should it come back, it begins anew (with a full bucket), so that
//! whoever has more keys than that at his disposal is not held by any of them. Choose `keys_max` above the
//! number of callers, and put a limit without keys before what must not be overrun.

use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::num::NonZeroUsize;

use lru::LruCache;
use xxhash_rust::xxh3::xxh3_128;

use super::{Config, Limiter, Verdict};
use crate::host::Instant;

/// Keys that are longer are kept by a hash, so that a key's memory is bounded, too.
const KEY_BYTES_MAX: usize = 64;

/// Of each key, its limit.
#[derive(Debug)]
pub struct Keyed {
    config: Config,
    limiters: LruCache<Box<[u8]>, Limiter, Seeded>,
}

impl Keyed {
    /// No key has come yet; there are at most `keys_max`, at least 1. `seed` decides on no verdict, but on how keys
    /// are hashed: who does not know it cannot choose keys that are slow to look up.
    pub fn new(config: Config, keys_max: usize, seed: u64) -> Self {
        // A cache that is made with its bound takes the room for all keys at once.
        let mut limiters = LruCache::unbounded_with_hasher(Seeded(seed));
        limiters.resize(NonZeroUsize::new(keys_max).unwrap_or(NonZeroUsize::MIN));
        Self { config, limiters }
    }

    /// Decides on a request of `key` that counts as `cost` requests.
    pub fn admit(&mut self, now: Instant, key: &[u8], cost: u32) -> Verdict {
        let mut short = [0; 16];
        let key = if key.len() <= KEY_BYTES_MAX {
            key
        } else {
            short.copy_from_slice(&xxh3_128(key).to_le_bytes());
            &short
        };
        if let Some(limiter) = self.limiters.get_mut(key) {
            return limiter.admit(now, cost);
        }
        let mut limiter = Limiter::new(self.config);
        let verdict = limiter.admit(now, cost);
        self.limiters.push(key.into(), limiter);
        verdict
    }

    /// How many keys are kept.
    pub fn keys(&self) -> usize {
        self.limiters.len()
    }
}

/// Makes hashers that begin with a seed. The order of keys does not depend on their hashes.
#[derive(Debug)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Rate, sliding_window, token_bucket};
    use super::*;
    use proptest::prelude::*;

    fn one_a_second() -> Config {
        Config::TokenBucket(token_bucket::Config { rate: Rate::per_second(1.0).unwrap(), burst: 1 })
    }

    #[test]
    fn keys_do_not_know_of_each_other() {
        let mut keyed = Keyed::new(one_a_second(), 10, 1);
        for key in [&b"a"[..], b"b", b"", &[7; 1_000], &[7; 1_001]] {
            assert_eq!(keyed.admit(Instant::START, key, 1), Verdict::Pass);
            assert_ne!(keyed.admit(Instant::START, key, 1), Verdict::Pass);
        }
        assert_eq!(keyed.keys(), 5);
    }

    #[test]
    fn the_key_asked_for_the_longest_time_ago_makes_room() {
        let mut keyed = Keyed::new(one_a_second(), 2, 1);
        let mut pass = |key: &str| keyed.admit(Instant::START, key.as_bytes(), 1) == Verdict::Pass;
        assert!(pass("a") && pass("b"));
        assert!(!pass("a"), "a is newer than b now");
        assert!(pass("c"), "b made room");
        assert!(!pass("a"));
        assert!(pass("b"), "and begins anew");
        assert!(!pass("a") && pass("c"));
    }

    proptest! {
        /// Memory never grows beyond its bound, and each key is limited as by a limit of its own, kept in a list in
        /// order of use, from which it falls when it is the last.
        #[test]
        fn it_is_a_list_of_limits_in_order_of_use(
            (keys_max, seed) in (1_usize..6, any::<u64>()),
            steps in prop::collection::vec((0_u8..10, 0_u64..30), 1..300),
        ) {
            let config =
                Config::SlidingWindow(sliding_window::Config { limit: 2, window: Duration::from_nanos(100) });
            let mut keyed = Keyed::new(config, keys_max, seed);
            let mut model: Vec<(u8, Limiter)> = Vec::new();
            let mut now = 0;
            for (key, gap) in steps {
                now += gap;
                let now = Instant::from_nanos(now);
                let known = model.iter().position(|(known, _)| *known == key);
                let entry = known.map_or_else(|| (key, Limiter::new(config)), |known| model.remove(known));
                model.insert(0, entry);
                model.truncate(keys_max);
                prop_assert_eq!(keyed.admit(now, &[key], 1), model[0].1.admit(now, 1));
                prop_assert!(keyed.keys() <= keys_max);
                prop_assert_eq!(keyed.keys(), model.len());
            }
        }
    }
}
