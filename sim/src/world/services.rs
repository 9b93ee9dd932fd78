//! Services' addresses: names that stand for several pods, of which each new connection is given one at random, as
//! by kube-proxy's rules. Knows nobody's health: who is given a pod that is down finds that out by itself, and the
//! next connection is drawn anew.

use std::collections::BTreeMap;

use super::PodId;
use crate::random;

/// The names that stand for several pods.
pub(super) struct Services {
    seed: u64,
    /// Each name's pods, by their own names.
    pods: BTreeMap<String, Vec<String>>,
    /// How many connections each pod has been given to each name.
    given: BTreeMap<(PodId, String), u64>,
}

impl Services {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, pods: BTreeMap::new(), given: BTreeMap::new() }
    }

    /// Lets `name` stand for `pods`.
    pub(super) fn add(&mut self, name: String, pods: Vec<String>) {
        self.pods.insert(name, pods);
    }

    /// The pod that the next connection of `caller` to `name` is given; `None` when the name stands for no service.
    pub(super) fn give(&mut self, (caller, caller_name): (PodId, &str), name: &str) -> Option<&str> {
        let pods = self.pods.get(name)?;
        let given = self.given.entry((caller, name.to_owned())).or_default();
        let pair = random::join(random::key(caller_name), random::key(name));
        let drawn = random::unit(&mut random::stream(self.seed, "kube-proxy", pair, *given));
        *given += 1;
        // The draw may be 1.
        pods.get(((drawn * pods.len() as f64) as usize).min(pods.len() - 1)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_at_random_and_alike_each_time() {
        let draws = |seed| {
            let mut services = Services::new(seed);
            services.add("cart".to_owned(), (0..4).map(|pod| format!("cart-{pod}")).collect());
            assert_eq!(services.give((PodId(0), "client-0"), "cart-0"), None);
            let give = |_| services.give((PodId(0), "client-0"), "cart").unwrap().to_owned();
            (0..4_000).map(give).collect::<Vec<_>>()
        };
        let first = draws(1);
        assert_eq!(first, draws(1));
        assert_ne!(first, draws(2));
        for pod in 0..4 {
            let count = first.iter().filter(|given| **given == format!("cart-{pod}")).count();
            assert!((900..1_100).contains(&count), "{count}");
        }
    }
}
