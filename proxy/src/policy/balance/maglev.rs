//! Maglev hashing (Eisenbud et al. 2016, section 3.4): a table whose slots the endpoints take in turn, each by a
//! permutation of its own, so that it is nearly even; a heavier endpoint has more turns, as in Envoy. A key belongs
//! where its slot says.
//!
//! The table is made of all endpoints, whether they can be used or not, and anew when one joins or leaves. A key whose
//! endpoint is not usable is hashed again until one is: no other key moves, which is better than the paper's table made
//! anew.

use super::Member;
use super::hash;

/// How the table is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many slots it has: a prime, far above the number of endpoints.
    pub slots: u32,
}

/// How often a key is hashed again before the table is searched.
const REHASHES: u64 = 64;

/// A table.
#[derive(Debug, Clone)]
pub struct Maglev {
    /// The slot that the endpoint of each slot of the table has; empty when there is none.
    slots: Vec<u32>,
}

impl Maglev {
    /// A table of `members`: their slots, and what they are.
    pub fn new(config: Config, members: &[(usize, Member)]) -> Self {
        const FREE: u32 = u32::MAX;
        let size = u64::from(config.slots);
        let heaviest = members.iter().map(|(_, member)| member.weight).max().unwrap_or(0);
        if heaviest == 0 {
            return Self { slots: Vec::new() };
        }
        let mut turns: Vec<_> =
            members.iter().map(|(_, member)| Permutation::of(&member.name, size)).collect();
        // What each has been given of a turn and has not used, in shares of the heaviest's weight.
        let mut due = vec![0; members.len()];
        let mut slots = vec![FREE; config.slots as usize];
        let mut free = slots.len();
        while free > 0 {
            for (place, (endpoint, member)) in members.iter().enumerate() {
                due[place] += u64::from(member.weight);
                if due[place] < u64::from(heaviest) || free == 0 {
                    continue;
                }
                due[place] -= u64::from(heaviest);
                let slot = turns[place].find(|&slot| slots[slot] == FREE).expect("a slot is free");
                slots[slot] = u32::try_from(*endpoint).unwrap_or(FREE - 1);
                free -= 1;
            }
        }
        Self { slots }
    }

    /// Where `key` belongs among the endpoints in `slots` that are `usable`; `None` when none is.
    pub fn pick(&self, key: u64, slots: &[usize], usable: &impl Fn(usize) -> bool) -> Option<usize> {
        let size = self.slots.len() as u64;
        let first = self.of(key.checked_rem(size)?);
        if usable(first) {
            return Some(first);
        }
        if !slots.iter().any(|&slot| usable(slot)) {
            return None;
        }
        let mut again = (0..REHASHES).map(|number| self.of(hash::next(key, number) % size));
        again
            .find(|&endpoint| usable(endpoint))
            .or_else(|| self.slots.iter().map(|slot| *slot as usize).find(|&endpoint| usable(endpoint)))
            .or_else(|| slots.iter().copied().find(|&endpoint| usable(endpoint)))
    }

    fn of(&self, slot: u64) -> usize {
        self.slots[usize::try_from(slot).unwrap_or_default()] as usize
    }
}

/// The order in which an endpoint wants the slots: all of them, since the table's size is a prime.
struct Permutation {
    next: u64,
    skip: u64,
    size: u64,
}

impl Permutation {
    fn of(name: &str, size: u64) -> Self {
        let skip = hash::of_endpoint(name, 1) % (size - 1) + 1;
        Self { next: hash::of_endpoint(name, 0) % size, skip, size }
    }
}

impl Iterator for Permutation {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let slot = self.next;
        self.next = (slot + self.skip) % self.size;
        usize::try_from(slot).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{members, moved};
    use super::*;

    const CONFIG: Config = Config { slots: 65_537 };
    const SLOTS: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

    fn table(weights: &[u32]) -> Maglev {
        Maglev::new(CONFIG, &members(weights).into_iter().enumerate().collect::<Vec<_>>())
    }

    fn counts(maglev: &Maglev, endpoints: usize) -> Vec<usize> {
        let mut counts = vec![0; endpoints];
        maglev.slots.iter().for_each(|slot| counts[*slot as usize] += 1);
        counts
    }

    #[test]
    fn the_table_is_even_to_a_slot() {
        for endpoints in [1, 3, 10, 100] {
            let counts = counts(&table(&vec![1; endpoints]), endpoints);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{endpoints}: from {least} to {most}");
        }
    }

    #[test]
    fn weights_are_shares_of_the_table() {
        let counts = counts(&table(&[1, 3, 4]), 3);
        for (count, due) in counts.iter().zip([0.125, 0.375, 0.5]) {
            let share = *count as f64 / 65_537.0;
            assert!((share - due).abs() < 1e-3, "{share} is not {due}");
        }
    }

    #[test]
    fn only_the_keys_of_the_one_that_is_down_move() {
        let maglev = table(&[1; 10]);
        let without = |key| maglev.pick(key, &SLOTS, &|endpoint| endpoint != 4);
        let (share, others) = moved(4, |key| maglev.pick(key, &SLOTS, &|_| true), without);
        assert_eq!(others, 0);
        assert!((share - 0.1).abs() < 0.02, "{share}");
    }

    #[test]
    fn a_table_with_one_endpoint_less_moves_little_else() {
        let (before, after) = (table(&[1; 10]), table(&[1; 9]));
        let after = |key| after.pick(key, &SLOTS[..9], &|_| true);
        let (share, others) = moved(9, |key| before.pick(key, &SLOTS, &|_| true), after);
        assert!((share - 0.1).abs() < 0.02, "{share}");
        assert!(others < 500, "{others} of 10,000 keys moved that had no need to");
    }

    #[test]
    fn short_numbers_are_spread_evenly() {
        let maglev = table(&[1; 10]);
        let mut seen = [0; 10];
        for number in 0..10_000 {
            let key = hash::key(number.to_string().as_bytes());
            seen[maglev.pick(key, &SLOTS, &|_| true).unwrap()] += 1;
        }
        // Four standard deviations of a binomial.
        assert!(seen.iter().all(|&seen: &i32| (seen - 1_000).abs() < 120), "{seen:?}");
    }

    #[test]
    fn nobody_is_found_where_nobody_is_usable() {
        assert_eq!(table(&[1; 3]).pick(7, &SLOTS[..3], &|_| false), None);
        assert_eq!(Maglev::new(CONFIG, &[]).pick(7, &[], &|_| true), None);
    }
}
