//! What an application is made of, as far as it says what a proxy at every hop costs and where one helps: how many
//! services, how many calls a request causes and how deep they lie. Of the plan alone: what is expected on average, from
//! how often calls are made and with which chance, and not what was seen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::scenario::plan::{Endpoint, EndpointId, Load, Pace, Plan};

/// The size and form of an application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Its services, stores included.
    pub services: usize,
    /// Of these, stores.
    pub stores: usize,
    /// Of these, asked by clients: the entries.
    pub entries: Vec<String>,
    /// Its pods.
    pub pods: u32,
    /// Pairs of a service and one that it calls.
    pub edges: usize,
    /// How many calls between services a client's request causes on average.
    pub calls: f64,
    /// How many services lie one behind the other where a request goes deepest, the entry included.
    pub depth: usize,
    /// The services, by how often one is asked in the course of a client's request on average.
    pub asked: Vec<(String, f64)>,
}

impl Shape {
    /// That of the application of `plan`.
    pub fn of(plan: &Plan) -> Self {
        let requested = requested(&plan.loads);
        let reached = reached(plan, &requested);
        let mut times: BTreeMap<EndpointId, f64> = BTreeMap::new();
        for (id, share) in &requested {
            *times.entry(*id).or_default() += share;
        }
        let mut asked = vec![0.0; plan.services.len()];
        for id in &reached {
            let own = times.get(id).copied().unwrap_or(0.0);
            asked[id.service.0] += own;
            for call in endpoint(plan, *id).calls() {
                *times.entry(call.target).or_default() += own * f64::from(call.times) * call.chance;
            }
        }
        let mut deep: BTreeMap<EndpointId, usize> = BTreeMap::new();
        for id in reached.iter().rev() {
            let calls = endpoint(plan, *id).calls();
            let below = calls.iter().filter_map(|call| deep.get(&call.target)).max().copied().unwrap_or(0);
            deep.insert(*id, below + 1);
        }
        let depth = deep.values().copied().max().unwrap_or(0);
        let entries = plan.requested_services();
        let name = |service: &usize| plan.services[*service].name.clone();
        Self {
            services: plan.services.len(),
            stores: plan.services.iter().filter(|service| service.is_store).count(),
            entries: entries.iter().map(name).collect(),
            pods: plan.services.iter().map(|service| service.replicas).sum(),
            edges: plan.edges().iter().filter(|(caller, _)| caller.is_some()).count(),
            // What clients ask themselves is no call between services.
            calls: asked.iter().sum::<f64>() - 1.0,
            depth,
            asked: asked.iter().enumerate().map(|(service, asked)| (name(&service), *asked)).collect(),
        }
    }

    /// The index of the service that is asked most, of those for which that `holds`; of several the first.
    pub(super) fn most_asked(&self, holds: impl Fn(usize) -> bool) -> Option<usize> {
        let mut most: Option<usize> = None;
        for (index, (_, asked)) in self.asked.iter().enumerate() {
            let is_more = most.is_none_or(|most| *asked > self.asked[most].1);
            if *asked > 0.0 && is_more && holds(index) {
                most = Some(index);
            }
        }
        most
    }
}

/// What clients ask for, each with its share of all requests.
fn requested(loads: &[Load]) -> Vec<(EndpointId, f64)> {
    let all: f64 = loads.iter().map(rate).sum();
    let of_load = |load: &Load| {
        let (weights, share) = (load.mix.iter().map(|(_, weight)| weight).sum::<f64>(), rate(load) / all);
        let of = |(endpoint, weight): &(EndpointId, f64)| (*endpoint, share * weight / weights);
        load.mix.iter().map(of).collect::<Vec<_>>()
    };
    loads.iter().flat_map(of_load).collect()
}

/// Requests a second, about: on average over the points of a curve, and of users as many as a second's pause allows.
fn rate(load: &Load) -> f64 {
    match &load.pace {
        Pace::Open { curve, .. } => {
            curve.iter().map(|(_, rate)| rate).sum::<f64>().max(f64::MIN_POSITIVE) / curve.len().max(1) as f64
        }
        Pace::Closed { users, .. } => f64::from(*users),
    }
}

/// The endpoints that `requested` ones reach, each after all that call it: endpoints call in no circle.
fn reached(plan: &Plan, requested: &[(EndpointId, f64)]) -> Vec<EndpointId> {
    fn visit(plan: &Plan, id: EndpointId, seen: &mut BTreeSet<EndpointId>, after: &mut Vec<EndpointId>) {
        if seen.insert(id) {
            for call in endpoint(plan, id).calls() {
                visit(plan, call.target, seen, after);
            }
            after.push(id);
        }
    }
    let (mut seen, mut after) = (BTreeSet::new(), Vec::new());
    for (id, _) in requested {
        visit(plan, *id, &mut seen, &mut after);
    }
    after.reverse();
    after
}

fn endpoint(plan: &Plan, id: EndpointId) -> &Endpoint {
    &plan.services[id.service.0].endpoints[id.endpoint]
}
