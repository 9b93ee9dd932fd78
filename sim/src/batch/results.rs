//! Makes the record of a plan from what its simulations left behind.

use indexmap::IndexMap;

use crate::journal::Journal;
use crate::pairs::{self, Ends};
use crate::record::{Fault, Graph, Node, Paired, Record, SCHEMA, VERSION};
use crate::scenario::plan::{self, Architecture, Plan};
use crate::simulation::{Panicked, Simulated};

/// The record of `plan`, from what came of each of its architectures, in their order.
pub(super) fn record(plan: &Plan, simulated: Vec<Result<Simulated, Panicked>>) -> Result<Record, Panicked> {
    let simulated: Vec<Simulated> = simulated.into_iter().collect::<Result<_, _>>()?;
    let names: Vec<String> = plan.architectures.iter().map(|of| of.name.to_string()).collect();
    let (seen, ends): (Vec<_>, Vec<_>) = simulated.into_iter().map(|of| (of.seen, of.ends)).unzip();
    let architectures: IndexMap<_, _> = names.into_iter().zip(seen).collect();
    let digests = architectures.iter().map(|(name, seen)| (name.as_str(), seen.digest.as_str()));
    let mut record = Record {
        schema: SCHEMA,
        version: VERSION.to_owned(),
        scenario: plan.name.clone(),
        title: plan.title.clone(),
        question: plan.question.clone(),
        sources: plan.sources.clone(),
        seed: plan.seed,
        seeds: None,
        scale: plan.scale,
        digest: Journal::digest_of(digests),
        duration_us: plan.duration.as_micros() as u64,
        warmup_us: plan.warmup.as_micros() as u64,
        window_us: plan.window_width().as_micros() as u64,
        graph: graph(plan),
        prices: plan.prices.clone(),
        faults: plan.faults.iter().map(|of| fault(plan, of)).collect(),
        architectures,
        paired: IndexMap::new(),
        phases: phases(plan),
        profiles: plan.profiles.iter().map(|profile| profile.name.clone()).collect(),
        adoption: IndexMap::new(),
    };
    record.paired = paired(plan, &record, &ends);
    record.adoption = adoption(plan, &record, &ends);
    Ok(record)
}

/// The graph of `plan`: clients' calls first, then each service's.
fn graph(plan: &Plan) -> Graph {
    let services = plan.services.iter().map(|service| Node {
        name: service.name.clone(),
        replicas: service.replicas,
        zone: service.zone.map(|zone| plan.network.zones[zone.0].name.clone()),
    });
    Graph { services: services.collect(), edges: plan.edges() }
}

/// `fault` of `plan`, in words.
fn fault(plan: &Plan, fault: &plan::Fault) -> Fault {
    Fault {
        name: fault.name.clone(),
        text: fault.kind.in_words(&plan.services),
        services: fault.kind.aim().services(),
        at_us: fault.at.as_micros() as u64,
        for_us: fault.lasts.as_micros() as u64,
    }
}

/// Every architecture but the baseline against it, by how their requests ended.
fn paired(plan: &Plan, record: &Record, ends: &[Ends]) -> IndexMap<String, Paired> {
    let Some(baseline) = record.baseline() else { return IndexMap::new() };
    let names = || record.architectures.keys().zip(ends);
    let Some((_, from)) = names().find(|(name, _)| *name == baseline) else { return IndexMap::new() };
    let endpoints: Vec<String> = record.architectures[baseline].endpoints.keys().cloned().collect();
    let others = names().filter(|(name, _)| *name != baseline);
    others.map(|(name, to)| (name.clone(), pairs::compare(plan, baseline, &endpoints, from, to))).collect()
}

/// What each phase of an adoption is.
fn phases(plan: &Plan) -> IndexMap<String, String> {
    let of = |of: &Architecture| Some((of.name.to_string(), of.phase.as_ref()?.is.to_string()));
    plan.architectures.iter().filter_map(of).collect()
}

/// Each phase of an adoption against the one before it, the first one against the baseline.
fn adoption(plan: &Plan, record: &Record, ends: &[Ends]) -> IndexMap<String, Paired> {
    let all = || plan.architectures.iter().zip(ends);
    let start = all().find(|(of, _)| of.phase.is_none() && Some(&*of.name) == record.baseline());
    let mut phases: Vec<_> = all().filter(|(of, _)| of.phase.is_some()).collect();
    phases.sort_by_key(|(of, _)| of.phase.as_ref().map(|phase| phase.number));
    let steps: Vec<_> = start.into_iter().chain(phases).collect();
    let step = |((before, from), (phase, to)): (&(&Architecture, &Ends), &(&Architecture, &Ends))| {
        let endpoints: Vec<String> = record.architectures[&*before.name].endpoints.keys().cloned().collect();
        (phase.name.to_string(), pairs::compare(plan, &before.name, &endpoints, from, to))
    };
    steps.iter().zip(steps.iter().skip(1)).map(step).collect()
}
