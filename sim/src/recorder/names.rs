//! Turns the recorder's indexes into the names that a record uses. Owns no sums.

use std::collections::BTreeMap;

use hoplab_proxy::telemetry::{Outcome, Role};
use indexmap::IndexMap;

use super::tally::{HopSum, Scope, Slow, Tally, by_owner};
use crate::account::{Hop, Share};
use crate::record;
use crate::scenario::plan::{EndpointId, Plan};

/// Turns indexes into the names that a record uses.
pub(super) struct Names<'a> {
    pub(super) plan: &'a Plan,
}

impl Names<'_> {
    pub(super) fn endpoint(&self, id: EndpointId) -> String {
        let service = &self.plan.services[id.service.0];
        format!("{}.{}", service.name, service.endpoints[id.endpoint].name)
    }

    pub(super) fn hop(&self, hop: Hop) -> String {
        let service = hop.service.map_or("", |service| &self.plan.services[service].name);
        match hop.role {
            Role::Client => "client".to_owned(),
            Role::Gateway => "gateway".to_owned(),
            Role::Service => service.to_owned(),
            Role::Outbound => format!("{service} (outbound)"),
            Role::Inbound => format!("{service} (inbound)"),
        }
    }

    pub(super) fn scope(
        &self,
        scope: Scope,
        endpoints: &[EndpointId],
    ) -> (record::Traffic, IndexMap<String, record::Traffic>, IndexMap<String, record::Edge>) {
        let named = endpoints.iter().map(|id| self.endpoint(*id));
        let endpoints = named.zip(scope.endpoints.into_iter().map(Tally::into_traffic)).collect();
        let edges = scope.edges.into_iter().map(|(key, edge)| (self.plan.edge_name(key), edge)).collect();
        (scope.total.into_traffic(), endpoints, edges)
    }

    pub(super) fn breakdown(
        &self,
        hops: &IndexMap<Hop, HopSum>,
        requests: u64,
    ) -> (BTreeMap<String, f64>, Vec<record::Hop>) {
        let mut total: BTreeMap<Share, u64> = BTreeMap::new();
        for (share, nanos) in hops.values().flat_map(|sum| &sum.nanos) {
            *total.entry(*share).or_default() += nanos;
        }
        let by_hop = hops.iter().map(|(hop, sum)| record::Hop {
            name: self.hop(*hop),
            visits: sum.visits as f64 / requests.max(1) as f64,
            breakdown_us: by_owner(&sum.nanos, requests),
        });
        (by_owner(&total, requests), by_hop.collect())
    }

    pub(super) fn trace(&self, slow: &Slow, endpoints: &[EndpointId]) -> record::Trace {
        let path = slow.path.iter().map(|stretch| record::Stretch {
            hop: self.hop(stretch.hop),
            owner: stretch.share.key().to_owned(),
            us: (stretch.until - stretch.from).as_micros() as u64,
        });
        record::Trace {
            id: slow.trace.to_string(),
            endpoint: self.endpoint(endpoints[slow.endpoint]),
            at_us: slow.intended.micros(),
            latency_us: slow.latency_us,
            outcome: outcome(slow.outcome),
            path: path.collect(),
        }
    }
}

/// How something ended: `200`, `503`, `timeout`, `connect-timeout`, …
pub(super) fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Answered(status) => status.to_string(),
        Outcome::Failed(fault) => fault.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hoplab_proxy::telemetry::Fault;

    use super::*;

    #[test]
    fn a_record_calls_what_went_wrong_as_answers_and_traces_do() {
        let ends = [Outcome::Answered(503), Outcome::Failed(Fault::ConnectTimeout)];
        assert_eq!(ends.map(outcome), ["503", "connect-timeout"]);
    }
}
