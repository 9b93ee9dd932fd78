//! What a figure is computed from: the part of a record that it is about, narrowed to an endpoint, an edge, a
//! service, a decision. Owns the arithmetic of each figure and no name.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::recovery::{Recovery, Watched};
use crate::record::{
    Architecture, Changed, Decided, Edge, Intervals, Latencies, Network, Phase, Requests, Resources, Traffic,
    Violation, Work, decided, violated,
};

/// A part of a record.
#[derive(Clone, Default)]
pub struct Scope<'a> {
    traffic: Option<&'a Traffic>,
    endpoints: Option<&'a IndexMap<String, Traffic>>,
    /// Whether response times are those of what was not served well.
    is_failed: bool,
    /// How long load was offered, over all seeds.
    seconds: f64,
    limit_us: Option<u64>,
    edges: Option<&'a IndexMap<String, Edge>>,
    edge: Option<&'a str>,
    callee: Option<&'a str>,
    works: Option<&'a IndexMap<String, Work>>,
    service: Option<&'a str>,
    resources: Option<&'a IndexMap<String, Resources>>,
    container: Option<&'a str>,
    network: Option<&'a IndexMap<String, Network>>,
    decisions: &'a [Decided],
    decision: &'a str,
    pods: Option<&'a BTreeMap<String, u64>>,
    pod: Option<&'a str>,
    changes: &'a [Changed],
    changes_left_out: u64,
    state: &'a str,
    violations: &'a [Violation],
    invariant: Option<&'a str>,
    own_time_us: Option<f64>,
    watched: Option<Watched<'a>>,
}

/// What it is about.
impl<'a> Scope<'a> {
    /// All of what was seen after the warm-up, while load was offered for so many `seconds`, those of all seeds.
    pub fn of(seen: &'a Architecture, seconds: f64) -> Self {
        Self {
            traffic: Some(&seen.total),
            endpoints: Some(&seen.endpoints),
            seconds,
            edges: Some(&seen.edges),
            works: Some(&seen.work),
            resources: Some(&seen.resources),
            network: Some(&seen.network),
            decisions: &seen.decisions,
            pods: Some(&seen.pods),
            changes: &seen.changes,
            changes_left_out: seen.breakers_left_out,
            violations: &seen.violations,
            ..Self::default()
        }
    }

    /// A part of a run, over so many `seeds`.
    pub fn of_phase(phase: &'a Phase, seeds: u64) -> Self {
        Self {
            traffic: Some(&phase.total),
            endpoints: Some(&phase.endpoints),
            seconds: phase.until_us.saturating_sub(phase.from_us) as f64 / 1e6 * seeds as f64,
            edges: Some(&phase.edges),
            works: Some(&phase.work),
            decisions: &phase.decisions,
            pods: Some(&phase.pods),
            ..Self::default()
        }
    }

    /// Requests, and nothing else of a run. What is counted by the second has no value.
    pub fn of_traffic(traffic: &'a Traffic) -> Self {
        Self { traffic: Some(traffic), ..Self::default() }
    }

    /// The packets and connections along edges, and nothing else of a run.
    pub fn of_network(network: &'a IndexMap<String, Network>) -> Self {
        Self { network: Some(network), ..Self::default() }
    }

    /// The calls along one edge, and nothing else of a run.
    pub fn of_edges(edges: &'a IndexMap<String, Edge>) -> Self {
        Self { edges: Some(edges), ..Self::default() }
    }

    /// What is counted by the second is counted over so many.
    #[must_use]
    pub fn over(self, seconds: f64) -> Self {
        Self { seconds, ..self }
    }

    /// Of requests, those for an endpoint.
    #[must_use]
    pub fn endpoint(self, name: &str) -> Self {
        let traffic = self.endpoints.and_then(|all| all.get(name));
        Self { traffic, ..self }
    }

    /// Of requests, the response times of those that ended and were not served well.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { is_failed: true, ..self }
    }

    /// Within which time requests are to be served.
    #[must_use]
    pub fn limit_us(self, limit_us: u64) -> Self {
        Self { limit_us: Some(limit_us), ..self }
    }

    /// Of calls, packets and connections, those along one edge: `order → payment`.
    #[must_use]
    pub fn edge(self, edge: &'a str) -> Self {
        Self { edge: Some(edge), ..self }
    }

    /// Of calls, those of a service.
    #[must_use]
    pub fn callee(self, callee: &'a str) -> Self {
        Self { callee: Some(callee), ..self }
    }

    /// Of what is about services, what is about one.
    #[must_use]
    pub fn service(self, service: &'a str) -> Self {
        Self { service: Some(service), ..self }
    }

    /// Of what containers take, what a kind of them does: `application`, `sidecar`, `gateway`.
    #[must_use]
    pub fn container(self, container: &'a str) -> Self {
        Self { container: Some(container), ..self }
    }

    /// Of decisions, those of a kind.
    #[must_use]
    pub fn decision(self, decision: &'a str) -> Self {
        Self { decision, ..self }
    }

    /// Of changes of breakers, those to a state.
    #[must_use]
    pub fn state(self, state: &'a str) -> Self {
        Self { state, ..self }
    }

    /// One pod: `payment-0`.
    #[must_use]
    pub fn pod(self, pod: &'a str) -> Self {
        Self { pod: Some(pod), ..self }
    }

    /// Of violations, those of an invariant.
    #[must_use]
    pub fn invariant(self, invariant: &'a str) -> Self {
        Self { invariant: Some(invariant), ..self }
    }

    /// What an owner took of the mean request.
    #[must_use]
    pub fn owned(self, own_time_us: f64) -> Self {
        Self { own_time_us: Some(own_time_us), ..self }
    }

    /// What is watched until it has recovered.
    #[must_use]
    pub fn watched(self, watched: Watched<'a>) -> Self {
        Self { watched: Some(watched), ..self }
    }
}

/// Of requests.
impl Scope<'_> {
    pub(super) fn intervals(&self) -> Option<&Intervals> {
        self.traffic.filter(|_| !self.is_failed).map(|traffic| &traffic.intervals)
    }

    fn latency(&self) -> Option<&Latencies> {
        self.traffic.map(|of| if self.is_failed { &of.failed_latency } else { &of.latency })
    }

    /// How many response times there are.
    pub(crate) fn measured(&self) -> u64 {
        self.latency().map_or(0, |latency| latency.count)
    }

    pub(super) fn requests(&self, count: fn(&Requests) -> u64) -> Option<f64> {
        self.traffic.map(|traffic| count(&traffic.requests) as f64)
    }

    pub(super) fn error_rate(&self) -> Option<f64> {
        let requests = self.traffic?.requests;
        (requests.sent > 0).then(|| requests.errors() as f64 / requests.sent as f64)
    }

    pub(super) fn goodput(&self) -> Option<f64> {
        let good = self.traffic?.good;
        (self.seconds > 0.0).then(|| good as f64 / self.seconds)
    }

    pub(super) fn within(&self) -> Option<f64> {
        let (traffic, limit_us) = (self.traffic?, self.limit_us?);
        let found = traffic.within.iter().find(|within| within.limit_us == limit_us)?;
        (traffic.requests.sent > 0).then(|| found.requests as f64 / traffic.requests.sent as f64)
    }

    pub(super) fn percentile(&self, quantile: f64) -> Option<f64> {
        self.latency()?.percentile_us(quantile).map(|us| us as f64)
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.latency()?.mean_us()
    }

    pub(super) fn shortest(&self) -> Option<f64> {
        self.latency().filter(|latency| latency.count > 0).map(|latency| latency.min_us as f64)
    }

    pub(super) fn longest(&self) -> Option<f64> {
        self.latency().filter(|latency| latency.count > 0).map(|latency| latency.max_us as f64)
    }
}

/// Of calls between services.
impl Scope<'_> {
    fn sum(&self) -> Edge {
        let is_meant = |name: &str| {
            self.edge.is_none_or(|edge| edge == name)
                && self
                    .callee
                    .is_none_or(|callee| name.rsplit_once(" → ").is_some_and(|(_, called)| called == callee))
        };
        self.edges.into_iter().flatten().filter(|(name, _)| is_meant(name)).map(|(_, edge)| *edge).sum()
    }

    pub(super) fn calls(&self, count: fn(&Edge) -> u64) -> Option<f64> {
        self.edges.map(|_| count(&self.sum()) as f64)
    }

    pub(super) fn amplification(&self) -> Option<f64> {
        let sum = self.sum();
        (sum.requests > 0).then(|| sum.amplification())
    }

    pub(super) fn attempts_by_request(&self) -> Option<f64> {
        let sent = self.traffic?.requests.sent;
        (sent > 0).then(|| self.sum().attempts as f64 / sent as f64)
    }
}

/// Of services, their policies and their pods.
impl Scope<'_> {
    pub(super) fn work(&self) -> Work {
        let all = self.works.into_iter().flatten();
        let meant = all.filter(|(name, _)| self.service.is_none_or(|service| service == name.as_str()));
        meant.map(|(_, work)| *work).sum()
    }

    pub(super) fn wasted(&self) -> Option<f64> {
        let work = self.work();
        (work.cpu_us > 0).then(|| work.wasted.cpu_us as f64 / work.cpu_us as f64)
    }

    /// What containers of the kind took, or all of them; `None` where there is no such container.
    pub(super) fn resources(&self, take: fn(&Resources) -> f64) -> Option<f64> {
        let all = self.resources.into_iter().flatten();
        let meant = all.filter(|(kind, _)| self.container.is_none_or(|container| container == kind.as_str()));
        let meant: Vec<Resources> = meant.map(|(_, of)| *of).collect();
        (!meant.is_empty()).then(|| take(&meant.into_iter().sum()))
    }

    /// What became of packets and connections along the edge, or along all of them.
    pub(super) fn network(&self, count: fn(&Network) -> u64) -> Option<f64> {
        let all = self.network?.iter();
        let meant = all.filter(|(name, _)| self.edge.is_none_or(|edge| edge == name.as_str()));
        Some(count(&meant.map(|(_, of)| *of).sum()) as f64)
    }

    pub(super) fn decided(&self) -> f64 {
        decided(self.decisions, self.decision, self.service) as f64
    }

    pub(super) fn changes(&self) -> f64 {
        let meant = |change: &&Changed| {
            change.state == self.state && self.service.is_none_or(|service| service == change.upstream)
        };
        self.changes.iter().filter(meant).map(|change| change.count).sum::<u64>() as f64
    }

    pub(super) fn changes_left_out(&self) -> f64 {
        self.changes_left_out as f64
    }

    /// Of the attempts that were sent to the pods of its service.
    pub(super) fn pod_share(&self) -> Option<f64> {
        let (pods, pod) = (self.pods?, self.pod?);
        let service = |pod: &str| pod.rsplit_once('-').map(|(service, _)| service.to_owned());
        let beside = pods.iter().filter(|(other, _)| service(other) == service(pod));
        let all: u64 = beside.map(|(_, attempts)| attempts).sum();
        (all > 0).then(|| pods.get(pod).copied().unwrap_or(0) as f64 / all as f64)
    }
}

/// Of a run.
impl Scope<'_> {
    pub(super) fn own_time_us(&self) -> Option<f64> {
        self.own_time_us
    }

    pub(super) fn violations(&self) -> f64 {
        violated(self.violations, self.invariant) as f64
    }

    /// How what is watched recovered; `None` where nothing is.
    pub(crate) fn recovery(&self) -> Option<Recovery> {
        self.watched.as_ref().map(Watched::recovery)
    }

    pub(super) fn recovered_us(&self) -> Option<f64> {
        match self.recovery()? {
            Recovery::After { us } => Some(us as f64),
            Recovery::NotBy { .. } | Recovery::Unknown => None,
        }
    }
}
