//! Consistent hashing on a ring (Karger et al. 1997, in the way of Ketama): every endpoint stands at many points of
//! it, as many as its weight demands; a key belongs to the first usable endpoint from its own point on. When an
//! endpoint cannot be used, its keys alone move, to many others.
//!
//! How many points a weight of one has depends on the sum of the weights (as in Envoy), and on nothing else: proxies beside
//! each other must agree. So where members come and go the number goes by powers of two: then one that joins takes points
//! from nobody, and keys move to it alone, but for the joins that make the sum reach the next power of two.

use super::Member;
use super::hash;

/// How the ring is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many points there are at least; the more, the more even the shares.
    pub points_min: u32,
}

/// How many points a weight of one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Points {
    /// As few as make up the least number.
    Fewest,
    /// A number that stays the same until the sum of the weights is twice as much, or half.
    InSteps,
}

/// A ring.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Hashes and slots, in the order of the hashes.
    points: Vec<(u64, u32)>,
}

impl Ring {
    /// A ring of `members`: their slots, and what they are.
    pub fn new(config: Config, number: Points, members: &[(usize, Member)]) -> Self {
        let total: u64 = members.iter().map(|(_, member)| u64::from(member.weight)).sum();
        let total = match (total, number) {
            (0, _) => 1,
            (total, Points::Fewest) => total,
            (total, Points::InSteps) => 1 << total.ilog2(),
        };
        let each = u64::from(config.points_min).div_ceil(total).max(1);
        let mut points = Vec::new();
        for (slot, member) in members {
            let (slot, count) = (u32::try_from(*slot).unwrap_or(u32::MAX), each * u64::from(member.weight));
            points.extend((0..count).map(|number| (hash::of_endpoint(&member.name, number), slot)));
        }
        points.sort_unstable();
        Self { points }
    }

    /// Where `key` belongs among the endpoints in `slots` that are `usable`; `None` when none is.
    pub fn pick(&self, key: u64, slots: &[usize], usable: &impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.points.partition_point(|(hash, _)| *hash < key);
        let (before, after) = self.points.split_at(start);
        let mut walk = after.iter().chain(before).map(|(_, endpoint)| *endpoint as usize);
        let first = walk.next()?;
        if usable(first) {
            return Some(first);
        }
        // Walking around for nothing would take long.
        let any = slots.iter().any(|&slot| usable(slot));
        any.then(|| walk.find(|&endpoint| usable(endpoint))).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{members, moved, spread};
    use super::*;

    const CONFIG: Config = Config { points_min: 1_024 };

    fn ring(weights: &[u32]) -> Ring {
        Ring::new(CONFIG, Points::Fewest, &seated(weights))
    }

    fn seated(weights: &[u32]) -> Vec<(usize, Member)> {
        members(weights).into_iter().enumerate().collect()
    }

    const SLOTS: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn shares_follow_the_weights_roughly() {
        let seen = spread(&[1, 1, 2], 30_000, |key| ring(&[1, 1, 2]).pick(key, &SLOTS[..3], &|_| true));
        for (seen, due) in seen.iter().zip([0.25, 0.25, 0.5]) {
            assert!((seen - due).abs() < 0.06, "{seen} is not about {due}");
        }
    }

    #[test]
    fn only_the_keys_of_the_one_that_is_down_move() {
        let (ring, all) = (ring(&[1; 10]), &SLOTS[..10]);
        let without = |key| ring.pick(key, all, &|endpoint| endpoint != 4);
        let (share, others) = moved(4, |key| ring.pick(key, all, &|_| true), without);
        assert_eq!(others, 0);
        assert!((share - 0.1).abs() < 0.03, "{share}");
    }

    #[test]
    fn nobody_is_found_where_nobody_is_usable() {
        assert_eq!(ring(&[1; 3]).pick(7, &SLOTS[..3], &|_| false), None);
        assert_eq!(ring(&[]).pick(7, &[], &|_| true), None);
    }

    /// Whoever is in which slot, keys belong to names; of those that are not the last one's, none moves.
    #[test]
    fn who_joins_or_leaves_moves_its_share_of_the_keys_alone() {
        for count in [9, 10, 13, 15] {
            let all = seated(&vec![1; count]);
            let last = all.len() - 1;
            let few = Ring::new(CONFIG, Points::InSteps, &all[..last]);
            let shifted: Vec<_> =
                all.iter().rev().map(|(slot, member)| (15 - slot, member.clone())).collect();
            let many = Ring::new(CONFIG, Points::InSteps, &shifted);
            let after = |key| few.pick(key, &SLOTS[..last], &|_| true);
            let before = |key| many.pick(key, &SLOTS, &|_| true).map(|slot| 15 - slot);
            let (share, others) = moved(last, before, after);
            assert_eq!(others, 0, "{count}");
            assert!((share - 1.0 / count as f64).abs() < 0.03, "{share} of {count}");
        }
    }

    #[test]
    fn a_ring_in_steps_has_points_enough_and_not_twice_as_many() {
        for total in 1..100_u32 {
            let ring = Ring::new(CONFIG, Points::InSteps, &seated(&[total]));
            let most = 2 * (1_024 + total as usize);
            assert!((1_024..=most).contains(&ring.points.len()), "{total}: {}", ring.points.len());
        }
    }
}
