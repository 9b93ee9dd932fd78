//! Round robin: in turn while all endpoints weigh the same; else smoothly weighted, nginx's algorithm: each pick
//! gives every usable endpoint its weight, takes the one with the most, and takes the sum of the weights from it.
//! Over a cycle of as many picks as the weights' sum, each endpoint is picked exactly as often as it weighs, and the
//! picks of a heavy one are spread over it.

use super::weights::Weights;
use crate::host::Instant;

/// How many picks into its cycle a weighted turn may start.
const OFFSET_MAX: u64 = 4_096;

/// Chooses endpoints in turn.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    /// Whose turn it is while all weigh the same: a place in the order.
    next: usize,
    /// What each has been given and has not used, in thousandths of a pick's weight; by slot.
    credits: Vec<i64>,
    /// Whether the weighted turn is taken even if all weigh the same.
    always_weighted: bool,
    /// Where turns start.
    offset: u64,
}

impl RoundRobin {
    /// A turn that starts at `offset`: proxies that start alike must not all begin with the same endpoint.
    /// `always_weighted` keeps it even within parts of the endpoints, among which the usable ones jump to and fro.
    pub fn new(weights: &Weights, offset: u64, always_weighted: bool) -> Self {
        let count = weights.count();
        let next = offset.checked_rem(count as u64).unwrap_or(0);
        let next = usize::try_from(next).unwrap_or(0);
        let slots = weights.order().iter().max().map_or(0, |last| last + 1);
        let mut turn = Self { next, credits: vec![0; slots], always_weighted, offset };
        if always_weighted || !weights.are_equal(Instant::START) {
            for _ in 0..offset.checked_rem(weights.total()).unwrap_or(0) % OFFSET_MAX {
                turn.weighted(Instant::START, weights, &|_| true);
            }
        }
        turn
    }

    /// The members become those of `weights`, after they were those `before`; some have `joined`. Who stays has its turn
    /// when it would have had it, and who joins has no more to come than all have on average. Where nobody was before,
    /// turns start anew.
    pub fn follow(&mut self, weights: &Weights, before: &[usize], joined: &[usize], always_weighted: bool) {
        if before.is_empty() {
            *self = Self::new(weights, self.offset, always_weighted);
            return;
        }
        self.always_weighted = always_weighted;
        let order = weights.order();
        let slots = order.iter().max().map_or(0, |last| last + 1).max(self.credits.len());
        self.credits.resize(slots, 0);
        // Among all members credits add up to nothing; who left may have taken some along.
        let stays = |slot: &&usize| !joined.contains(slot);
        let (count, sum) = order
            .iter()
            .filter(stays)
            .fold((0, 0), |(count, sum), slot| (count + 1, sum + self.credits[*slot]));
        let average = i64::checked_div(sum, count).unwrap_or(0);
        order.iter().filter(stays).for_each(|slot| self.credits[*slot] -= average);
        for slot in joined {
            self.credits[*slot] = 0;
        }
        let (past, coming) = before.split_at(self.next.min(before.len()));
        let mut coming = coming.iter().chain(past).filter(|slot| !joined.contains(slot));
        let next = coming.find_map(|slot| order.iter().position(|member| member == slot));
        self.next = next.unwrap_or(0);
    }

    /// The next endpoint that is `usable`; `None` when none is.
    pub fn pick(
        &mut self,
        now: Instant,
        weights: &Weights,
        usable: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.always_weighted || !weights.are_equal(now) {
            return self.weighted(now, weights, usable);
        }
        let count = weights.count();
        let order = weights.order();
        let mut turn = (self.next..count).chain(0..self.next);
        let picked = turn.find(|&place| usable(order[place]))?;
        self.next = if picked + 1 == count { 0 } else { picked + 1 };
        Some(order[picked])
    }

    fn weighted(
        &mut self,
        now: Instant,
        weights: &Weights,
        usable: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut total = 0;
        let mut most = None;
        for endpoint in weights.order().iter().copied().filter(|&endpoint| usable(endpoint)) {
            let weight = weights.of(now, endpoint).cast_signed();
            total += weight;
            self.credits[endpoint] += weight;
            if most.is_none_or(|most: usize| self.credits[endpoint] > self.credits[most]) {
                most = Some(endpoint);
            }
        }
        let picked = most?;
        self.credits[picked] -= total;
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn picks(weights: &[u32], offset: u64, count: usize) -> Vec<usize> {
        let weights = Weights::new(weights.to_vec(), None);
        let mut turn = RoundRobin::new(&weights, offset, false);
        (0..count).map(|_| turn.pick(Instant::START, &weights, &|_| true).unwrap()).collect()
    }

    #[test]
    fn endpoints_take_turns() {
        let weights = Weights::new(vec![1; 3], None);
        let mut turn = RoundRobin::new(&weights, 7, false);
        let mut pick = |usable: fn(usize) -> bool| turn.pick(Instant::START, &weights, &usable);
        let picks: Vec<_> = (0..7).map(|_| pick(|_| true).unwrap()).collect();
        assert_eq!(picks, [1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(pick(|endpoint| endpoint != 2), Some(0));
        assert_eq!(pick(|_| false), None);
        let nobody = Weights::new(Vec::new(), None);
        assert_eq!(RoundRobin::new(&nobody, 5, false).pick(Instant::START, &nobody, &|_| true), None);
    }

    #[test]
    fn a_heavy_endpoint_is_spread_over_the_cycle() {
        assert_eq!(picks(&[5, 1, 1], 0, 7), [0, 0, 1, 0, 2, 0, 0], "nginx's own example");
        assert_eq!(picks(&[5, 1, 1], 2, 7), [1, 0, 2, 0, 0, 0, 0], "two picks later");
    }

    #[test]
    fn a_cold_endpoint_is_picked_less_often_while_it_warms_up() {
        let mut weights = Weights::new(vec![1; 2], Some(Duration::from_secs(10)));
        let mut turn = RoundRobin::new(&weights, 0, false);
        let back = Instant::START + Duration::from_secs(1);
        weights.warm(back, 1);
        let mut share = |after: u64| {
            let now = back + Duration::from_secs(after);
            (0..1_100).filter(|_| turn.pick(now, &weights, &|_| true) == Some(1)).count()
        };
        assert_eq!((share(0), share(10)), (100, 550));
    }

    #[test]
    fn turns_go_on_when_members_come_and_go() {
        let mut weights = Weights::new(vec![1; 4], None);
        let mut turn = RoundRobin::new(&weights, 0, false);
        let pick =
            |turn: &mut RoundRobin, weights: &Weights| turn.pick(Instant::START, weights, &|_| true).unwrap();
        assert_eq!([(); 2].map(|()| pick(&mut turn, &weights)), [0, 1]);
        let change = |turn: &mut RoundRobin, weights: &mut Weights, order: &[usize], joined: &[usize]| {
            let before = weights.order().to_vec();
            weights.set(order.iter().map(|slot| (*slot, 1)), joined);
            turn.follow(weights, &before, joined, false);
        };
        // It was 2's turn; 0 leaves, and somebody joins in between.
        change(&mut turn, &mut weights, &[1, 4, 2, 3], &[4]);
        assert_eq!([(); 5].map(|()| pick(&mut turn, &weights)), [2, 3, 1, 4, 2]);
        // Whose turn it is leaves, and somebody else takes the slot: the next one that stays has it.
        change(&mut turn, &mut weights, &[3, 1, 4], &[3]);
        assert_eq!([(); 4].map(|()| pick(&mut turn, &weights)), [1, 4, 3, 1]);
        change(&mut turn, &mut weights, &[], &[]);
        assert_eq!(turn.pick(Instant::START, &weights, &|_| true), None);
        change(&mut turn, &mut weights, &[0, 1], &[0, 1]);
        assert_eq!([(); 2].map(|()| pick(&mut turn, &weights)), [0, 1]);
    }

    proptest! {
        /// In every cycle after whatever change each has its weight, but for the one pick by which credits may be off; and
        /// so nobody is overwhelmed that joins.
        #[test]
        fn whoever_comes_and_goes_has_its_weight_in_each_cycle(
            changes in prop::collection::vec((prop::collection::vec(0_u32..6, 6), 0_usize..20), 1..12),
        ) {
            let mut weights = Weights::new(vec![1, 2, 3], None);
            let mut turn = RoundRobin::new(&weights, 3, true);
            for (wanted, picks) in changes {
                let before = weights.order().to_vec();
                let members: Vec<_> = wanted.iter().copied().enumerate().filter(|(_, weight)| *weight > 0).collect();
                let joined: Vec<_> =
                    members.iter().map(|(slot, _)| *slot).filter(|slot| !before.contains(slot)).collect();
                weights.set(members.iter().copied(), &joined);
                turn.follow(&weights, &before, &joined, true);
                let cycle = weights.total() as usize;
                let mut seen = [0; 6];
                for _ in 0..cycle + picks {
                    let picked = turn.pick(Instant::START, &weights, &|_| true);
                    prop_assert_eq!(picked.is_some(), cycle > 0);
                    let Some(picked) = picked else { continue };
                    prop_assert!(wanted[picked] > 0, "{picked} has left");
                    seen[picked] += 1;
                }
                let sum: i64 = weights.order().iter().map(|slot| turn.credits[*slot]).sum();
                prop_assert!(sum.unsigned_abs() < 6, "{sum}");
                let total = cycle as f64;
                for (slot, weight) in members {
                    let due = f64::from(weight) * (total + picks as f64) / total;
                    prop_assert!((f64::from(seen[slot]) - due).abs() < 6.0, "{slot}: {} of {due}", seen[slot]);
                }
            }
        }

        #[test]
        fn every_cycle_gives_each_exactly_its_weight(
            weights in prop::collection::vec(1_u32..9, 1..9),
            offset: u64,
            cycles in 1_usize..5,
        ) {
            let cycle: u32 = weights.iter().sum();
            let mut seen = vec![0; weights.len()];
            for picked in picks(&weights, offset, cycles * cycle as usize) {
                seen[picked] += 1;
            }
            let due: Vec<_> = weights.iter().map(|&weight| weight as usize * cycles).collect();
            prop_assert_eq!(seen, due);
        }
    }
}
