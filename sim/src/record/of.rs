//! A record from what the simulations of a plan left behind.

use indexmap::IndexMap;

use super::{Fault, Graph, Paired, Record, SCHEMA};
use crate::journal::Journal;
use crate::pairs::{self, Ends};
use crate::run::{Simulated, VERSION};
use crate::scenario::plan::Plan;

impl Record {
    /// The record of a run of `plan`, by architecture, in their order.
    pub(crate) fn of(plan: &Plan, simulated: Vec<Simulated>) -> Self {
        let names: Vec<String> = plan.architectures.iter().map(|of| of.name().to_owned()).collect();
        let (seen, ends): (Vec<_>, Vec<_>) = simulated.into_iter().map(|of| (of.seen, of.ends)).unzip();
        let architectures: IndexMap<_, _> = names.into_iter().zip(seen).collect();
        let digests = architectures.iter().map(|(name, seen)| (name.as_str(), seen.digest.as_str()));
        let mut record = Self {
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
            graph: Graph::of(plan),
            faults: plan.faults.iter().map(|fault| Fault::of(plan, fault)).collect(),
            architectures,
            paired: IndexMap::new(),
        };
        record.paired = paired(plan, &record, &ends);
        record
    }

    /// The name of the architecture that others are compared with: `direct`, or the first.
    pub fn baseline(&self) -> Option<&str> {
        let direct = self.architectures.get_key_value("direct");
        direct.or_else(|| self.architectures.first()).map(|(name, _)| name.as_str())
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
