//! What runs exercised, and what of what there is never was: kinds of faults at services, edges of the graph,
//! and what policies can decide.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::record::{Edge, Record};
use crate::scenario::plan::{FAULT_KINDS, Plan};

/// What was exercised, in one run or in many.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Exercised {
    /// By kind of fault and service, `slow payment`: how many were drawn, and how many of them touched something.
    pub faults: BTreeMap<String, (u64, u64)>,
    /// By edge: requests, attempts and errors.
    pub edges: BTreeMap<String, Edge>,
    /// What policies decided, `gateway → payment: retried`, and states of breakers.
    pub states: BTreeSet<String>,
}

/// What is there and was never exercised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Kinds of faults with a weight that were never drawn at a service.
    pub never_drawn: Vec<String>,
    /// Those that were drawn and never touched anything.
    pub never_hit: Vec<String>,
    /// Edges on which there was no attempt.
    pub never_called: Vec<String>,
    /// Edges on which no attempt failed.
    pub never_failed: Vec<String>,
    /// Edges on which nothing was tried again, where retries or hedges are configured.
    pub never_retried: Vec<String>,
    /// What policies could decide and never did.
    pub never_decided: Vec<String>,
}

impl Exercised {
    /// What a run of `plan` exercised; only what was drawn when it left no record.
    pub(super) fn of(plan: &Plan, record: Option<&Record>) -> Self {
        let mut all = Self::default();
        for (index, fault) in plan.faults.iter().enumerate() {
            let seen = record.iter().flat_map(|record| record.architectures.values());
            let is_hit = seen.filter_map(|seen| seen.faults.get(index)).any(|hits| hits.hits > 0);
            let services = fault.kind.aim().services();
            // A fault between two services is one of the one that is called.
            if let Some(service) = services.last() {
                let name = at_service(fault.kind.key(), &plan.services[*service].name);
                let (drawn, hit) = all.faults.entry(name).or_default();
                *drawn += 1;
                *hit += u64::from(is_hit);
            }
        }
        for seen in record.iter().flat_map(|record| record.architectures.values()) {
            for (name, edge) in &seen.edges {
                all.edge(name, edge);
            }
            for decided in seen.decisions.iter().chain(&seen.decisions_in_warmup) {
                let product = product_of(&decided.pod);
                all.states.insert(state(product, &decided.upstream, &decided.decision));
                all.states.insert(state(product, ANY, &decided.decision));
            }
            for change in &seen.changes {
                all.states.insert(state(product_of(&change.pod), &change.upstream, &breaker(&change.state)));
            }
        }
        all
    }

    /// Adds what other runs exercised.
    pub fn add(&mut self, other: &Self) {
        for (name, (drawn, hit)) in &other.faults {
            let sum = self.faults.entry(name.clone()).or_default();
            *sum = (sum.0 + drawn, sum.1 + hit);
        }
        for (name, edge) in &other.edges {
            self.edge(name, edge);
        }
        self.states.extend(other.states.iter().cloned());
    }

    fn edge(&mut self, name: &str, edge: &Edge) {
        let sum = self.edges.entry(name.to_owned()).or_default();
        *sum = [*sum, *edge].into_iter().sum();
    }

    /// What of `plan` is not in it.
    pub fn missed(&self, plan: &Plan) -> Missed {
        let mut missed = Missed::default();
        for (kind, _) in FAULT_KINDS.iter().zip(&plan.explore.weights).filter(|(_, weight)| **weight > 0.0) {
            for service in &plan.explore.services {
                let name = at_service(kind, &plan.services[service.0].name);
                match self.faults.get(&name) {
                    None => missed.never_drawn.push(name),
                    Some((_, 0)) => missed.never_hit.push(name),
                    Some(_) => {}
                }
            }
        }
        for name in edges(plan) {
            let edge = self.edges.get(&name).copied().unwrap_or_default();
            if edge.attempts == 0 {
                missed.never_called.push(name);
                continue;
            }
            if edge.errors + edge.unsent == 0 {
                missed.never_failed.push(name.clone());
            }
            if edge.retries == 0 {
                missed.never_retried.push(name);
            }
        }
        let decided = |state: &String| self.states.contains(state);
        missed.never_decided = states(plan).into_iter().filter(|state| !decided(state)).collect();
        missed
    }
}

/// Stands for every upstream.
const ANY: &str = "any";

fn at_service(kind: &str, service: &str) -> String {
    format!("{kind} {service}")
}

fn state(product: &str, upstream: &str, decision: &str) -> String {
    format!("{product} → {upstream}: {decision}")
}

fn breaker(state: &str) -> String {
    format!("breaker {state}")
}

fn product_of(pod: &str) -> &'static str {
    if pod.starts_with("gateway-") { "gateway" } else { "mesh" }
}

/// Every edge that the scenario has, by name.
fn edges(plan: &Plan) -> Vec<String> {
    plan.edges().into_iter().map(|edge| plan.edge_name(edge)).collect()
}

/// Everything that the policies of `plan` could decide, in the order of its services.
fn states(plan: &Plan) -> Vec<String> {
    let mut all = Vec::new();
    for gateway in plan.architectures.iter().filter_map(|of| of.gateway.as_ref()) {
        for service in plan.requested_services() {
            let settings = &gateway.calls.services[service];
            of_upstream("gateway", &plan.services[service].name, settings, &mut all);
        }
        of_limits("gateway", &gateway.limits, &mut all);
    }
    for mesh in plan.architectures.iter().filter_map(|of| of.mesh.as_ref()) {
        let edges = plan.edges();
        for (index, service) in plan.services.iter().enumerate() {
            if edges
                .iter()
                .any(|(caller, callee)| caller.is_some_and(|caller| mesh.members[caller]) && *callee == index)
            {
                of_upstream("mesh", &service.name, &mesh.calls.services[index], &mut all);
            }
        }
        for limits in &mesh.limits {
            of_limits("mesh", limits, &mut all);
        }
    }
    let mut known = BTreeSet::new();
    all.retain(|state| known.insert(state.clone()));
    all
}

fn of_upstream(
    product: &str,
    upstream: &str,
    settings: &hoplab_proxy::upstream::Settings,
    all: &mut Vec<String>,
) {
    let mut can = |possible: bool, decisions: &[&str]| {
        if possible {
            all.extend(decisions.iter().map(|decision| state(product, upstream, decision)));
        }
    };
    can(settings.retry.is_some(), &["retried"]);
    can(settings.retry.is_some() && settings.budget.is_some(), &["retry-budget-spent"]);
    can(settings.hedge.is_some(), &["hedged", "hedge-budget-spent"]);
    can(settings.breaker.is_some(), &["breaker open", "breaker half-open", "breaker closed"]);
    can(settings.outlier.is_some(), &["ejected", "readmitted"]);
    can(settings.health.is_some(), &["unhealthy", "healthy"]);
    can(settings.queue.is_some(), &["failfast-began", "failfast-ended"]);
    can(settings.deadline.is_some(), &["deadline-passed"]);
}

fn of_limits(product: &str, limits: &hoplab_proxy::load_control::Settings, all: &mut Vec<String>) {
    let possible = [
        (limits.size.content.is_some(), "content-too-large"),
        (limits.size.fields.is_some(), "fields-too-large"),
        (limits.rate.is_some(), "rate-limited"),
        (limits.admission.is_some(), "admission-refused"),
        (limits.concurrency.is_some(), "concurrency-limited"),
        (limits.priority.is_some(), "priority-shed"),
    ];
    all.extend(possible.iter().filter(|(is, _)| *is).map(|(_, decision)| state(product, ANY, decision)));
}
