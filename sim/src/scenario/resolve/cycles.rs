//! Endpoints that would call themselves: services may call in cycles, endpoints may not.

use std::collections::{BTreeMap, BTreeSet};

use hoplab_config::{Context, Place};

use super::names::Names;
use crate::scenario::plan::EndpointId;

/// Calls by caller, in the order of the file.
pub(super) type Calls = BTreeMap<EndpointId, Vec<(EndpointId, Place)>>;

/// Notes every call that closes a cycle.
pub(super) fn refuse(calls: &Calls, names: &Names, context: &mut Context<'_>) {
    let mut search = Search { calls, names, path: Vec::new(), done: BTreeSet::new() };
    for &endpoint in calls.keys() {
        search.visit(endpoint, context);
    }
}

/// A walk along the calls, depth first.
struct Search<'a> {
    calls: &'a Calls,
    names: &'a Names,
    path: Vec<EndpointId>,
    done: BTreeSet<EndpointId>,
}

impl Search<'_> {
    fn visit(&mut self, endpoint: EndpointId, context: &mut Context<'_>) {
        if self.done.contains(&endpoint) {
            return;
        }
        self.path.push(endpoint);
        for &(callee, place) in self.calls.get(&endpoint).into_iter().flatten() {
            match self.path.iter().position(|&on_path| on_path == callee) {
                Some(start) => {
                    let cycle = self.path[start..].iter().chain([&callee]).map(|&id| self.names.text(id));
                    let cycle = cycle.collect::<Vec<_>>().join(" → ");
                    let hint = "services may call in cycles, endpoints may not: no request would ever end";
                    context.error(place, format!("endpoints call in a cycle: {cycle}")).hint(hint);
                }
                None => self.visit(callee, context),
            }
        }
        self.path.pop();
        self.done.insert(endpoint);
    }
}
