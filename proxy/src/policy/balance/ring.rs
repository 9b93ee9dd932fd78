//! Consistent hashing on a ring (Karger et al. 1997, in the way of Ketama): every endpoint stands at many points of
//! it, as many as its weight demands; a key belongs to the first usable endpoint from its own point on. When an
//! endpoint leaves, its keys alone move, to many others.

use super::Member;
use super::hash;

/// How the ring is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many points there are at least; the more, the more even the shares.
    pub points_min: u32,
}

/// A ring.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Hashes and endpoints, in the order of the hashes.
    points: Vec<(u64, u32)>,
    endpoints: usize,
}

impl Ring {
    /// A ring of `members`.
    pub fn new(config: Config, members: &[Member]) -> Self {
        let total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
        let each = u64::from(config.points_min).div_ceil(total.max(1)).max(1);
        let mut points = Vec::new();
        for (endpoint, member) in (0..).zip(members) {
            let count = each * u64::from(member.weight);
            points.extend((0..count).map(|number| (hash::of_endpoint(&member.name, number), endpoint)));
        }
        points.sort_unstable();
        Self { points, endpoints: members.len() }
    }

    /// Where `key` belongs among the endpoints that are `usable`; `None` when none is.
    pub fn pick(&self, key: u64, usable: &impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.points.partition_point(|(hash, _)| *hash < key);
        let (before, after) = self.points.split_at(start);
        let mut walk = after.iter().chain(before).map(|(_, endpoint)| *endpoint as usize);
        let first = walk.next()?;
        if usable(first) {
            return Some(first);
        }
        // Walking around for nothing would take long.
        (0..self.endpoints).any(usable).then(|| walk.find(|&endpoint| usable(endpoint))).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{members, moved, spread};
    use super::*;

    fn ring(weights: &[u32]) -> Ring {
        Ring::new(Config { points_min: 1_024 }, &members(weights))
    }

    #[test]
    fn shares_follow_the_weights_roughly() {
        let seen = spread(&[1, 1, 2], 30_000, |key| ring(&[1, 1, 2]).pick(key, &|_| true));
        for (seen, due) in seen.iter().zip([0.25, 0.25, 0.5]) {
            assert!((seen - due).abs() < 0.06, "{seen} is not about {due}");
        }
    }

    #[test]
    fn only_the_keys_of_the_one_that_leaves_move() {
        let ring = ring(&[1; 10]);
        let (share, others) =
            moved(4, |key| ring.pick(key, &|_| true), |key| ring.pick(key, &|endpoint| endpoint != 4));
        assert_eq!(others, 0);
        assert!((share - 0.1).abs() < 0.03, "{share}");
    }

    #[test]
    fn nobody_is_found_where_nobody_is_usable() {
        assert_eq!(ring(&[1; 3]).pick(7, &|_| false), None);
        assert_eq!(ring(&[]).pick(7, &|_| true), None);
    }
}
