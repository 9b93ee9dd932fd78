//! What an application is made of, as far as it says what a proxy at every hop costs and where one helps: how many
//! services, how many calls a request causes and how deep they lie. Of the plan alone: what is expected on average, from
//! how often calls are made and with which chance, and not what was seen.

use serde::{Deserialize, Serialize};

use crate::scenario::plan::{Call, EndpointId, Load, Pace, Plan, Step};

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
        let mut asked = vec![0.0; plan.services.len()];
        let mut depth = 0;
        for (endpoint, share) in requested(&plan.loads) {
            visit(plan, endpoint, share, &mut asked);
            depth = depth.max(depth_of(plan, endpoint));
        }
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

/// Adds how often each service is asked in the course of so many requests for an endpoint.
fn visit(plan: &Plan, id: EndpointId, times: f64, asked: &mut [f64]) {
    asked[id.service.0] += times;
    each_call(&endpoint_of(plan, id).steps, &mut |call| {
        visit(plan, call.target, times * f64::from(call.times) * call.chance, asked);
    });
}

/// How many services lie one behind the other below an endpoint, its own included.
fn depth_of(plan: &Plan, id: EndpointId) -> usize {
    let mut deepest = 0;
    each_call(&endpoint_of(plan, id).steps, &mut |call| deepest = deepest.max(depth_of(plan, call.target)));
    1 + deepest
}

fn endpoint_of(plan: &Plan, id: EndpointId) -> &crate::scenario::plan::Endpoint {
    &plan.services[id.service.0].endpoints[id.endpoint]
}

fn each_call<'a>(steps: &'a [Step], tell: &mut dyn FnMut(&'a Call)) {
    for step in steps {
        match step {
            Step::Work(_) | Step::Sleep(_) => {}
            Step::Call(call) => tell(call),
            Step::All { branches, .. } => each_call(branches, tell),
        }
    }
}
