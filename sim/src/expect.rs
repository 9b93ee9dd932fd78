//! Judges expectations: reads the figure that each asks for out of a record and compares.

use crate::record;
use crate::scenario::plan::{During, Expectation, Metric, Plan};

/// How the expectations of `plan` on its `architecture`th architecture came out.
pub(crate) fn judge(
    plan: &Plan,
    architecture: usize,
    seen: &record::Architecture,
) -> Vec<record::Expectation> {
    plan.expectations
        .iter()
        .filter(|expectation| expectation.architectures.contains(&architecture))
        .map(|expectation| {
            let value = figure(plan, expectation, seen);
            let holds = value.is_some_and(|value| {
                expectation.min.is_none_or(|min| value >= min)
                    && expectation.max.is_none_or(|max| value <= max)
            });
            let seen_text = value.map_or_else(
                || "the sample is too small to tell".to_owned(),
                |value| in_words(expectation.metric, value),
            );
            let text = expectation.text.clone();
            let Expectation { min, max, .. } = *expectation;
            record::Expectation { text, seen: value, seen_text, min, max, holds, failed_in: Vec::new() }
        })
        .collect()
}

/// The part of a record that an expectation is about.
struct Scope<'a> {
    traffic: Option<&'a record::Traffic>,
    decisions: &'a [record::Decided],
    work: &'a indexmap::IndexMap<String, record::Work>,
    edges: &'a indexmap::IndexMap<String, record::Edge>,
    pods: &'a std::collections::BTreeMap<String, u64>,
    seconds: f64,
}

/// The figure that `expectation` asks for; `None` when the sample cannot carry it.
fn figure(plan: &Plan, expectation: &Expectation, seen: &record::Architecture) -> Option<f64> {
    let scope = scope(plan, expectation, seen)?;
    match expectation.metric {
        Metric::Amplification => return amplification(plan, expectation, scope.edges),
        Metric::AmplificationAt(service) => {
            let callee = format!(" → {}", plan.services[service.0].name);
            let to = scope.edges.iter().filter(|(name, _)| name.ends_with(&callee));
            let attempts: u64 = to.map(|(_, edge)| edge.attempts).sum();
            let sent = scope.traffic?.requests.sent;
            return (sent > 0).then(|| attempts as f64 / sent as f64);
        }
        Metric::Decisions { decision, service } => {
            let service = service.map(|id| plan.services[id.0].name.as_str());
            return Some(record::decided(scope.decisions, decision.name(), service) as f64);
        }
        Metric::Violations(invariant) => {
            let name = invariant.map(crate::invariants::Invariant::name);
            return Some(record::violated(&seen.violations, name) as f64);
        }
        Metric::Wasted(service) => {
            let name = service.map(|id| plan.services[id.0].name.as_str());
            return wasted(scope.work, name);
        }
        Metric::Share { service, replica } => {
            let service = &plan.services[service.0];
            let to = |replica| scope.pods.get(&format!("{}-{replica}", service.name)).copied().unwrap_or(0);
            let all: u64 = (0..service.replicas).map(to).sum();
            return (all > 0).then(|| to(replica) as f64 / all as f64);
        }
        _ => {}
    }
    let record::Traffic { requests, latency, .. } = scope.traffic?;
    let ended = requests.sent - requests.open;
    match expectation.metric {
        Metric::Percentile(quantile) => latency.percentile_us(quantile).map(|us| us as f64),
        Metric::Mean => latency.mean_us(),
        Metric::Min => (latency.count > 0).then_some(latency.min_us as f64),
        Metric::Max => (latency.count > 0).then_some(latency.max_us as f64),
        Metric::ErrorRate => {
            (ended > 0).then(|| (requests.failed + requests.timed_out) as f64 / ended as f64)
        }
        Metric::Goodput => Some(requests.ok as f64 / scope.seconds),
        Metric::Requests => Some(requests.sent as f64),
        Metric::Amplification
        | Metric::AmplificationAt(_)
        | Metric::Decisions { .. }
        | Metric::Share { .. }
        | Metric::Violations(_)
        | Metric::Wasted(_) => unreachable!("handled above"),
    }
}

fn scope<'a>(plan: &Plan, expectation: &Expectation, seen: &'a record::Architecture) -> Option<Scope<'a>> {
    let endpoint = expectation.of.map(|id| {
        let service = &plan.services[id.service.0];
        format!("{}.{}", service.name, service.endpoints[id.endpoint].name)
    });
    let part = match expectation.during {
        During::All => None,
        During::Steady => Some("steady"),
        During::Recovery => Some("recovery"),
        During::Fault(index) => Some(&*plan.faults[index].name),
    };
    let (total, endpoints, scope) = match part {
        None => {
            let record::Architecture { total, endpoints, decisions, work, edges, pods, .. } = seen;
            let seconds = plan.duration.saturating_sub(plan.warmup).as_secs_f64();
            (total, endpoints, Scope { traffic: None, decisions, work, edges, pods, seconds })
        }
        Some(name) => {
            let phase = seen.phases.get(name)?;
            let record::Phase { total, endpoints, decisions, work, edges, pods, .. } = phase;
            let seconds = (phase.until_us - phase.from_us) as f64 / 1e6;
            (total, endpoints, Scope { traffic: None, decisions, work, edges, pods, seconds })
        }
    };
    Some(Scope { traffic: endpoint.map_or(Some(total), |name| endpoints.get(&name)), ..scope })
}

/// The share of the processor time of `service`, or of all, that was spent for nobody; `None` when there was none.
fn wasted(work: &indexmap::IndexMap<String, record::Work>, service: Option<&str>) -> Option<f64> {
    let sum: record::Work = work
        .iter()
        .filter(|(name, _)| service.is_none_or(|service| service == *name))
        .map(|(_, work)| *work)
        .sum();
    (sum.cpu_us > 0).then(|| sum.wasted.cpu_us as f64 / sum.cpu_us as f64)
}

fn amplification(
    plan: &Plan,
    expectation: &Expectation,
    edges: &indexmap::IndexMap<String, record::Edge>,
) -> Option<f64> {
    let only = expectation.edge.map(|(caller, callee)| {
        let caller = caller.map_or("client", |id| &plan.services[id.0].name);
        format!("{caller} → {}", plan.services[callee.0].name)
    });
    let mut sum = record::Edge::default();
    for (name, edge) in edges {
        if only.as_ref().is_none_or(|only| only == name) {
            sum.requests += edge.requests;
            sum.attempts += edge.attempts;
        }
    }
    (sum.requests > 0).then(|| sum.amplification())
}

/// A figure as people read it.
fn in_words(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Percentile(_) | Metric::Mean | Metric::Min | Metric::Max => microseconds_in_words(value),
        Metric::ErrorRate | Metric::Share { .. } | Metric::Wasted(_) => format!("{:.2} %", value * 100.0),
        Metric::Goodput => format!("{value:.1} rps"),
        Metric::Amplification | Metric::AmplificationAt(_) => format!("{value:.3}"),
        Metric::Requests | Metric::Violations(_) | Metric::Decisions { .. } => format!("{value:.0}"),
    }
}

/// A duration as people read it: `850 µs`, `3.14 ms`, `1.20 s`.
fn microseconds_in_words(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} µs")
    } else if us < 1e6 {
        format!("{:.2} ms", us / 1e3)
    } else {
        format!("{:.2} s", us / 1e6)
    }
}
