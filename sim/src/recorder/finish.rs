//! What a recorder has kept, as a record's architecture. Owns no sum of its own.

use std::sync::Arc;

use hoplab_proxy::host::Instant;
use indexmap::IndexMap;

use super::State;
use super::breakers::Breakers;
use super::decisions::Decisions;
use super::names::Names;
use super::tally::{Scope, Window, by_owner};
use crate::record;
use crate::scenario::plan::{Architecture, Plan};

impl State {
    pub(super) fn finish(&mut self) -> record::Architecture {
        self.is_over = true;
        self.settle(Instant::from_nanos(u64::MAX));
        let plan = Arc::clone(&self.plan);
        let names = Names { plan: &plan };
        let (breakdown_us, hops) = names.breakdown(&self.hops, self.all.total.served_count());
        let failed_breakdown_us = by_owner(&self.failed_nanos, self.all.total.failed_count());
        let nothing = Scope::new(0, (Instant::START, Instant::START), &[]);
        let all = std::mem::replace(&mut self.all, nothing);
        let pods = all.pods();
        let (total, endpoints, edges) = names.scope(all, &self.endpoints);
        let phases = self.phases(&names, &plan);
        let decisions = std::mem::replace(&mut self.decisions, Decisions::new(0, 0));
        let (counted, decisions_in_warmup) = (decisions.all(), decisions.in_warmup());
        let policies_cut_us = decisions.cut_us();
        let (policies, policies_left_out) = decisions.into_events();
        let moved = std::mem::replace(&mut self.breakers, Breakers::new(0));
        let (changes, breakers_cut_us) = (moved.counts(), moved.cut_us());
        let last: Vec<record::BreakerChange> = moved.last().cloned().collect();
        let (breakers, breakers_left_out) = moved.into_events();
        let mut seen = record::Architecture {
            digest: String::new(),
            total,
            endpoints,
            phases,
            breakdown_us,
            failed_breakdown_us,
            hops,
            edges,
            pods,
            breakers,
            breakers_left_out,
            breakers_cut_us,
            changes,
            policies,
            policies_left_out,
            policies_cut_us,
            decisions: counted,
            decisions_in_warmup,
            violations: Vec::new(),
            work: self.work.record(&plan),
            resources: IndexMap::new(),
            at_gateway: self.architecture.gateway.as_ref().map(|_| self.at_gateway),
            without_sidecar: without_sidecar(&self.architecture),
            network: IndexMap::new(),
            faults: Vec::new(),
            windows: recorded(std::mem::take(&mut self.windows)),
            endpoint_windows: std::mem::take(&mut self.endpoint_windows)
                .into_iter()
                .map(|(endpoint, windows)| (names.endpoint(self.endpoints[endpoint]), recorded(windows)))
                .collect(),
            expectations: Vec::new(),
            slowest: self.slowest.iter().map(|slow| names.trace(slow, &self.endpoints)).collect(),
            effort: record::Effort { packets: 0, spans: self.spans },
        };
        seen.violations = self.watch.finish(&seen, &last);
        seen
    }

    /// The parts of the run by name.
    fn phases(&mut self, names: &Names<'_>, plan: &Plan) -> IndexMap<String, record::Phase> {
        let parts = self.phases.parts().iter().zip(std::mem::take(&mut self.parts)).zip(&self.part_nanos);
        let phases = parts.enumerate().map(|(index, ((part, scope), nanos))| {
            let breakdown_us = by_owner(nanos, scope.total.served_count());
            let pods = scope.pods();
            let (total, endpoints, edges) = names.scope(scope, &self.endpoints);
            let (from_us, until_us) = (part.from.micros(), part.until.micros());
            let decisions = self.decisions.part(index);
            let work = self.part_work[index].record(plan);
            let phase = record::Phase {
                from_us,
                until_us,
                total,
                endpoints,
                breakdown_us,
                edges,
                work,
                pods,
                decisions,
            };
            (part.name.clone(), phase)
        });
        phases.collect()
    }
}

/// The services outside the mesh, where there is one.
fn without_sidecar(architecture: &Architecture) -> Vec<usize> {
    let members = architecture.mesh.iter().flat_map(|mesh| mesh.members.iter().enumerate());
    members.filter(|(_, has_sidecar)| !**has_sidecar).map(|(service, _)| service).collect()
}

fn recorded(windows: Vec<Window>) -> Vec<record::Window> {
    windows.into_iter().map(Window::into_record).collect()
}
