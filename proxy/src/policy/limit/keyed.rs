//! A limit for each key, in bounded memory: when there are as many keys as may be, the one that was asked for the
//! longest time ago makes room. It is forgotten: should it come back, it begins anew (with a full bucket), so that
//! whoever has more keys than that at his disposal is not held by any of them. Choose `keys_max` above the
//! number of callers, and put a limit without keys before what must not be overrun.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::{Config, Limiter, Verdict};
use crate::host::Instant;

/// Keys that are longer are kept by a hash, so that a key's memory is bounded, too.
const KEY_BYTES_MAX: usize = 64;

/// Of each key, its limit.
#[derive(Debug, Clone)]
pub struct Keyed {
    config: Config,
    keys_max: usize,
    /// Where in `entries` a key is.
    places: BTreeMap<Arc<[u8]>, usize>,
    entries: Vec<Entry>,
    /// The entries asked for last and the longest time ago; no matter when there is none.
    newest: usize,
    oldest: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    key: Arc<[u8]>,
    limiter: Limiter,
    /// The entry asked for just after this one; itself when there is none.
    newer: usize,
    /// The entry asked for just before this one; itself when there is none.
    older: usize,
}

impl Keyed {
    /// No key has come yet; there are at most `keys_max`, at least 1.
    pub fn new(config: Config, keys_max: usize) -> Self {
        let keys_max = keys_max.max(1);
        Self { config, keys_max, places: BTreeMap::new(), entries: Vec::new(), newest: 0, oldest: 0 }
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
        let place = match self.places.get(key) {
            Some(place) => {
                let place = *place;
                self.unlink(place);
                place
            }
            None => self.make_room(key),
        };
        self.link(place);
        self.entries[place].limiter.admit(now, cost)
    }

    /// How many keys are kept.
    pub fn keys(&self) -> usize {
        self.entries.len()
    }

    /// A place for a `key` that has none, which is not linked yet.
    fn make_room(&mut self, key: &[u8]) -> usize {
        let key: Arc<[u8]> = Arc::from(key);
        let limiter = Limiter::new(self.config);
        let place = if self.entries.len() < self.keys_max {
            let place = self.entries.len();
            self.entries.push(Entry { key: Arc::clone(&key), limiter, newer: place, older: place });
            place
        } else {
            let place = self.oldest;
            self.unlink(place);
            let entry = &mut self.entries[place];
            self.places.remove(&entry.key);
            (entry.key, entry.limiter) = (Arc::clone(&key), limiter);
            place
        };
        self.places.insert(key, place);
        place
    }

    /// Takes an entry out of the order.
    fn unlink(&mut self, place: usize) {
        let Entry { newer, older, .. } = self.entries[place];
        match (newer == place, older == place) {
            (true, true) => {}
            (true, false) => {
                self.entries[older].newer = older;
                self.newest = older;
            }
            (false, true) => {
                self.entries[newer].older = newer;
                self.oldest = newer;
            }
            (false, false) => {
                self.entries[older].newer = newer;
                self.entries[newer].older = older;
            }
        }
        (self.entries[place].newer, self.entries[place].older) = (place, place);
    }

    /// Puts an entry that is out of the order at its newest end.
    fn link(&mut self, place: usize) {
        if self.entries.len() == 1 {
            (self.newest, self.oldest) = (place, place);
            return;
        }
        let before = self.newest;
        self.entries[before].newer = place;
        self.entries[place].older = before;
        self.newest = place;
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
        let mut keyed = Keyed::new(one_a_second(), 10);
        for key in [&b"a"[..], b"b", b"", &[7; 1_000], &[7; 1_001]] {
            assert_eq!(keyed.admit(Instant::START, key, 1), Verdict::Pass);
            assert_ne!(keyed.admit(Instant::START, key, 1), Verdict::Pass);
        }
        assert_eq!(keyed.keys(), 5);
    }

    #[test]
    fn the_key_asked_for_the_longest_time_ago_makes_room() {
        let mut keyed = Keyed::new(one_a_second(), 2);
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
            keys_max in 1_usize..6,
            steps in prop::collection::vec((0_u8..10, 0_u64..30), 1..300),
        ) {
            let config =
                Config::SlidingWindow(sliding_window::Config { limit: 2, window: Duration::from_nanos(100) });
            let mut keyed = Keyed::new(config, keys_max);
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
                prop_assert_eq!(keyed.keys(), keyed.places.len());
                prop_assert_eq!(keyed.keys(), model.len());
            }
        }
    }
}
