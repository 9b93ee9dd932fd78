//! Services' addresses: names that stand for several pods, of which each new connection is given one at random, as
//! by kube-proxy's rules. A pod that is told to stop is given none from then on. Of one that is down without a word
//! nobody knows: who is given it finds that out by itself, and the next connection is drawn anew.

use std::collections::{BTreeMap, BTreeSet};

use super::PodId;
use crate::random;

/// The names that stand for several pods.
pub(super) struct Services {
    seed: u64,
    /// Each name's pods, with their own names.
    pods: BTreeMap<String, Vec<(PodId, String)>>,
    stopping: BTreeSet<PodId>,
    /// How many connections each pod has been given to each name.
    given: BTreeMap<(PodId, String), u64>,
}

impl Services {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, pods: BTreeMap::new(), stopping: BTreeSet::new(), given: BTreeMap::new() }
    }

    /// Lets `name` stand for `pods`.
    pub(super) fn add(&mut self, name: String, pods: Vec<(PodId, String)>) {
        self.pods.insert(name, pods);
    }

    /// A pod is told to stop.
    pub(super) fn stops(&mut self, pod: PodId) {
        self.stopping.insert(pod);
    }

    /// A pod starts.
    pub(super) fn starts(&mut self, pod: PodId) {
        self.stopping.remove(&pod);
    }

    /// The pods that `name` stands for and that are not told to stop; `None` when it stands for no service.
    pub(super) fn pods(&self, name: &str) -> Option<impl Iterator<Item = PodId>> {
        let pods = self.pods.get(name)?;
        Some(pods.iter().map(|(pod, _)| *pod).filter(|pod| !self.stopping.contains(pod)))
    }

    /// The pod that the next connection of `caller` to `name` is given; `None` when the name stands for no service.
    pub(super) fn give(&mut self, (caller, caller_name): (PodId, &str), name: &str) -> Option<&str> {
        let pods = self.pods.get(name)?;
        let given = self.given.entry((caller, name.to_owned())).or_default();
        let pair = random::join(random::key(caller_name), random::key(name));
        let drawn = random::unit(&mut random::stream(self.seed, "kube-proxy", pair, *given));
        *given += 1;
        let is_there = |(pod, _): &&(PodId, String)| !self.stopping.contains(pod);
        let there = pods.iter().filter(is_there).count();
        // Where all of them stop, one of them has to do. The draw may be 1.
        let among = if there > 0 { there } else { pods.len() };
        let index = ((drawn * among as f64) as usize).min(among - 1);
        pods.iter().filter(|pod| there == 0 || is_there(pod)).nth(index).map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_at_random_and_alike_each_time() {
        let draws = |seed| {
            let mut services = Services::new(seed);
            services.add("cart".to_owned(), (0..4).map(|pod| (PodId(pod), format!("cart-{pod}"))).collect());
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

    #[test]
    fn who_stops_is_given_nothing_unless_all_do() {
        let mut services = Services::new(1);
        services
            .add("cart".to_owned(), vec![(PodId(1), "cart-0".to_owned()), (PodId(2), "cart-1".to_owned())]);
        let given = |services: &mut Services| {
            let give = |_| services.give((PodId(0), "client-0"), "cart").unwrap().to_owned();
            (0..100).map(give).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(given(&mut services), ["cart-0", "cart-1"]);
        services.stops(PodId(1));
        assert_eq!(given(&mut services), ["cart-1"]);
        assert_eq!(services.pods("cart").unwrap().collect::<Vec<_>>(), [PodId(2)]);
        assert!(services.pods("cart-0").is_none());
        services.stops(PodId(2));
        assert_eq!(given(&mut services), ["cart-0", "cart-1"]);
        services.starts(PodId(1));
        assert_eq!(given(&mut services), ["cart-0"]);
    }
}
