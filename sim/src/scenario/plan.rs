//! A scenario, resolved: every reference is an index, every quantity a type, every default filled
//! in. What is here can run; nothing downstream checks it again.
//!
//! The parts stand in files of their own, below the faults, which know them, and the plan, which holds both.

pub(crate) mod application;
pub(crate) mod architecture;
pub(crate) mod connections;
mod expectation;
pub(crate) mod explore;
pub(crate) mod load;
pub(crate) mod network;
pub(crate) mod party;
pub(crate) mod products;
pub(crate) mod target;

use std::time::Duration;

use hoplab_config::Problems;
pub use hoplab_config::Source;

use super::grid::{Axis, Search};
use super::profile::Profile;
use crate::record::Prices;

pub use application::{
    Call, DeadlineUse, Endpoint, EndpointId, OnCancel, OnError, Once, Overload, Service, ServiceId, Step,
};
pub use architecture::{Architecture, Phase};
pub use connections::{DirectBalance, Protocol};
pub use expectation::{During, Expectation, Metric};
pub use explore::Explore;
pub use load::{Arrivals, Load, Pace};
pub use network::{BetweenZones, Capacity, CongestionControl, Line, Network, Queue, Zone, ZoneId};
pub use party::Party;
pub use products::{Applications, Calls, Gateway, Mesh, ProxyCores};
pub use target::{Between, Side, Target, Ways, Workload};

pub use crate::fault::{KINDS as FAULT_KINDS, Kind as FaultKind};

/// A scenario that can run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file's name without its extension; names the output folder.
    pub name: String,
    /// One line for headings.
    pub title: String,
    /// The comment that opens the file: what the scenario asks. Empty when there is none.
    pub question: String,
    /// Seeds every random stream.
    pub seed: u64,
    /// What the file's duration and warm-up were multiplied by; 1 as a rule.
    pub scale: f64,
    /// How long load is offered, warm-up included.
    pub duration: Duration,
    /// The first part of `duration`, which is not reported.
    pub warmup: Duration,
    /// What is compared, in the order of the file.
    pub architectures: Vec<Architecture>,
    /// The wires between pods.
    pub network: Network,
    /// The services; a [`ServiceId`] is an index into them.
    pub services: Vec<Service>,
    /// The load; at least one.
    pub loads: Vec<Load>,
    /// How services are reached where no proxy stands in between.
    pub direct: DirectBalance,
    /// What machines cost in money, where that is said.
    pub prices: Option<Prices>,
    /// What goes wrong, in the order of the file.
    pub faults: Vec<Fault>,
    /// What must hold, in the order of the file.
    pub expectations: Vec<Expectation>,
    /// The keys that a sweep varies, each with its values; empty when there is nothing to sweep.
    pub sweep: Vec<Axis>,
    /// What a search looks for.
    pub search: Option<Search>,
    /// The bounds of what must always hold.
    pub invariants: Invariants,
    /// What exploration draws from.
    pub explore: Explore,
    /// The known systems that the architectures behave by.
    pub profiles: Vec<Profile>,
    /// The texts that the plan was made from, the scenario file first.
    pub sources: Vec<Source>,
    /// What should be checked before the result is trusted.
    pub warnings: Problems,
}

impl Plan {
    /// How records name an edge of calls, whose caller is none where clients call.
    pub(crate) fn edge_name(&self, (caller, callee): (Option<usize>, usize)) -> String {
        let service = |index| Party::Service(ServiceId(index));
        party::edge((caller.map_or(Party::Clients, service), service(callee)), &self.services)
    }

    /// Every endpoint that load asks for, in the order of the scenario.
    pub(crate) fn requested_endpoints(&self) -> Vec<EndpointId> {
        let mut endpoints = Vec::new();
        for (endpoint, _) in self.loads.iter().flat_map(|load| &load.mix) {
            if !endpoints.contains(endpoint) {
                endpoints.push(*endpoint);
            }
        }
        endpoints
    }

    /// Where clients stand, one pod each: a pod in no zone, which is always there, and one in each zone that some
    /// load names, in the order of the zones.
    pub(crate) fn client_zones(&self) -> Vec<Option<ZoneId>> {
        let mut zones: Vec<Option<ZoneId>> = self.loads.iter().map(|load| load.zone).collect();
        zones.push(None);
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    /// The services that load asks, by index, in rising order.
    pub(crate) fn requested_services(&self) -> Vec<usize> {
        let mut services: Vec<usize> = self.requested_endpoints().iter().map(|id| id.service.0).collect();
        services.sort_unstable();
        services.dedup();
        services
    }

    /// Who calls whom, each by index; clients, which are `None`, come first.
    pub(crate) fn edges(&self) -> Vec<(Option<usize>, usize)> {
        let mut edges: Vec<(Option<usize>, usize)> = Vec::new();
        for endpoint in self.requested_endpoints() {
            if !edges.contains(&(None, endpoint.service.0)) {
                edges.push((None, endpoint.service.0));
            }
        }
        for (caller, service) in self.services.iter().enumerate() {
            edges.extend(service.callees().into_iter().map(|callee| (Some(caller), callee)));
        }
        edges
    }
}

/// The bounds of what must always hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Invariants {
    /// How long after the last fault everything must be as before.
    pub settle: Duration,
    /// How many times as long the median request may then take.
    pub slower: f64,
    /// By how much the share of failed requests may then be higher, 0 to 1.
    pub errors: f64,
}

impl Default for Invariants {
    fn default() -> Self {
        Self { settle: Duration::from_secs(10), slower: 2.0, errors: 0.01 }
    }
}

/// Something that goes wrong for a while.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Its name, unique in the file.
    pub name: String,
    /// When it starts.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it does.
    pub kind: FaultKind,
}
