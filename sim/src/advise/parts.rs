//! What an architecture consists of, as far as someone has to run it or trust it: its proxies, and which calls it protects.
//! Of the plan alone.

use serde::{Deserialize, Serialize};

use crate::scenario::plan::{Architecture, Plan};
use hoplab_mesh::config::Protection;

/// The proxies of an architecture, and what they protect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Pods of its gateway.
    pub gateways: u32,
    /// Sidecars, one beside each pod of a service that has them.
    pub sidecars: u32,
    /// The calls between services that are encrypted, either side proving its name, as records name their edges.
    pub encrypted: Vec<String>,
    /// Calls for which applications have policies of their own, a library's.
    pub libraries: usize,
    /// Pods that clients connect to: the gateway's, or those of the services that they ask.
    pub entered: u32,
}

impl Parts {
    /// Those of an architecture of `plan`.
    pub fn of(plan: &Plan, architecture: &Architecture) -> Self {
        let replicas = |service: usize| plan.services[service].replicas;
        let has_sidecar = |service: &usize| architecture.beside(*service).is_some();
        let gateways = architecture.gateway.as_ref().map(|gateway| gateway.replicas);
        let asked = || plan.requested_services().into_iter().map(replicas).sum();
        let protects = is_encrypted(architecture);
        let is_protected = |(caller, callee): &(Option<usize>, usize)| {
            protects && caller.is_some_and(|caller| has_sidecar(&caller)) && has_sidecar(callee)
        };
        Self {
            gateways: gateways.unwrap_or(0),
            sidecars: (0..plan.services.len()).filter(has_sidecar).map(replicas).sum(),
            encrypted: plan
                .edges()
                .into_iter()
                .filter(is_protected)
                .map(|edge| plan.edge_name(edge))
                .collect(),
            libraries: architecture.applications.calls.len(),
            entered: gateways.unwrap_or_else(asked),
        }
    }
}

/// Whether what passes between the sidecars of an architecture is encrypted.
pub(super) fn is_encrypted(architecture: &Architecture) -> bool {
    architecture.mesh.as_ref().is_some_and(|mesh| mesh.tls == Protection::Mutual)
}
