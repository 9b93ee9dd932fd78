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
    /// Whose turn it is while all weigh the same.
    next: usize,
    /// What each has been given and has not used, in thousandths of a pick's weight.
    credits: Vec<i64>,
    /// Whether the weighted turn is taken even if all weigh the same.
    always_weighted: bool,
}

impl RoundRobin {
    /// A turn that starts at `offset`: proxies that start alike must not all begin with the same endpoint.
    /// `always_weighted` keeps it even within parts of the endpoints, among which the usable ones jump to and fro.
    pub fn new(weights: &Weights, offset: u64, always_weighted: bool) -> Self {
        let count = weights.count();
        let next = offset.checked_rem(count as u64).unwrap_or(0);
        let next = usize::try_from(next).unwrap_or(0);
        let mut turn = Self { next, credits: vec![0; count], always_weighted };
        if always_weighted || !weights.are_equal(Instant::START) {
            for _ in 0..offset.checked_rem(weights.total()).unwrap_or(0) % OFFSET_MAX {
                turn.weighted(Instant::START, weights, &|_| true);
            }
        }
        turn
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
        let mut turn = (self.next..count).chain(0..self.next);
        let picked = turn.find(|&endpoint| usable(endpoint))?;
        self.next = if picked + 1 == count { 0 } else { picked + 1 };
        Some(picked)
    }

    fn weighted(
        &mut self,
        now: Instant,
        weights: &Weights,
        usable: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut total = 0;
        let mut most = None;
        for endpoint in (0..weights.count()).filter(|&endpoint| usable(endpoint)) {
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

    proptest! {
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
