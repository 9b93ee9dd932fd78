//! What became of the connections between clients, gateway and services, and of the packets on them: the world's counts,
//! summed by whose the pods are. Owns no count.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::pods::Pods;
use crate::record;
use crate::scenario::plan::Plan;
use crate::scenario::plan::party::{self, Party};
use crate::world::Crossed;

/// Per `caller → callee`, in the order of their callers: clients, gateway, services.
pub(crate) fn network(pods: &Pods, plan: &Plan) -> IndexMap<String, record::Network> {
    let mut sums: BTreeMap<(Party, Party), record::Network> = BTreeMap::new();
    for ((from, to), crossed) in pods.world().crossed() {
        let sum = sums.entry((pods.party(from), pods.party(to))).or_default();
        *sum = [*sum, recorded(crossed)].into_iter().sum();
    }
    // There are links both ways, also where only one opens connections.
    let is_there = |sum: &record::Network| *sum != record::Network::default();
    let named = |(ends, sum)| (party::edge(ends, &plan.services), sum);
    sums.into_iter().filter(|(_, sum)| is_there(sum)).map(named).collect()
}

fn recorded(crossed: Crossed) -> record::Network {
    let Crossed { packets, lost, dropped, repeated, timeouts, tail_probes, opened, refused, reset } = crossed;
    record::Network {
        packets,
        lost,
        dropped,
        retransmitted: repeated,
        timeouts,
        tail_probes,
        connections: opened,
        refused,
        resets: reset,
    }
}
