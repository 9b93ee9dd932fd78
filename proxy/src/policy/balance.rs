//! Round robin over the endpoints that may be used. Owns no health: the caller says which may.

/// Chooses endpoints in turn.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    endpoints: usize,
    next: usize,
}

impl RoundRobin {
    /// A turn over `endpoints`, which starts at `offset`: proxies that start alike must not all
    /// begin with the same endpoint.
    pub fn new(endpoints: usize, offset: u64) -> Self {
        let next = offset.checked_rem(endpoints as u64).unwrap_or(0);
        Self { endpoints, next: usize::try_from(next).unwrap_or(0) }
    }

    /// The next endpoint that is `usable`; `None` when none is.
    pub fn pick(&mut self, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let turn = (0..self.endpoints).map(|step| (self.next + step) % self.endpoints);
        let picked = turn.into_iter().find(|&endpoint| usable(endpoint))?;
        self.next = (picked + 1) % self.endpoints;
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn endpoints_take_turns() {
        let mut balance = RoundRobin::new(3, 7);
        let picks: Vec<_> = (0..7).map(|_| balance.pick(|_| true).unwrap()).collect();
        assert_eq!(picks, [1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(balance.pick(|endpoint| endpoint != 2), Some(0));
        assert_eq!(balance.pick(|_| false), None);
        assert_eq!(RoundRobin::new(0, 5).pick(|_| true), None);
    }

    proptest! {
        #[test]
        fn every_endpoint_gets_its_share(endpoints in 1_usize..9, offset: u64, rounds in 1_usize..20) {
            let mut balance = RoundRobin::new(endpoints, offset);
            let mut seen = vec![0; endpoints];
            for _ in 0..rounds * endpoints {
                seen[balance.pick(|_| true).unwrap()] += 1;
            }
            prop_assert!(seen.iter().all(|&count| count == rounds));
        }
    }
}
