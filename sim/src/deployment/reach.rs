//! Who finds whom, and where: the endpoints of services and gateways as their callers know them, and how applications call
//! by themselves. Starts nothing ([`super`]).

use std::sync::Arc;

use hoplab_proxy::host::Endpoint;
use hoplab_proxy::upstream::{
    self, DeadlinePolicy, Placement, Protocol as Http, Rank, Settings, settings::Limits,
};

use crate::scenario::plan::party::GATEWAY;
use crate::scenario::plan::products::PATIENCE;
use crate::scenario::plan::{Architecture, DirectBalance, Gateway, Plan, Service, ZoneId};

pub(super) const APP_PORT: u16 = 8080;
const GATEWAY_PORT: u16 = 8080;
pub(super) const OUTBOUND_PORT: u16 = 15001;
const INBOUND_PORT: u16 = 15006;

/// Who finds whom under an architecture.
pub(super) struct Reach<'a> {
    pub(super) plan: &'a Plan,
    pub(super) architecture: &'a Architecture,
}

impl Reach<'_> {
    /// An upstream as an application's HTTP library is, with policies of its own or as [`plain`].
    pub(super) fn by_itself(
        &self,
        service: usize,
        endpoints: Vec<Endpoint>,
        protocol: Http,
        own: Option<&Settings>,
    ) -> upstream::Config {
        let name = self.plan.services[service].name.as_str();
        // Balancing goes by what pods are where each is asked by its own name.
        let is_listed = own.is_some() && *endpoints == self.endpoints(service);
        let settings = own.cloned().unwrap_or_else(|| plain(protocol));
        let mut config = upstream::Config { settings, protocol, ..upstream::Config::new(name, endpoints) };
        if is_listed {
            config.placements = self.placements(service);
        }
        config
    }

    /// Where whoever has no proxy finds a service: at each of its pods, or at its own address; its sidecars, where it has
    /// some.
    pub(super) fn reached(&self, service: usize) -> Vec<Endpoint> {
        match self.plan.direct {
            DirectBalance::PerRequest => self.endpoints(service),
            DirectBalance::PerConnection => {
                vec![Endpoint::new(self.plan.services[service].name.as_str(), self.port(service))]
            }
        }
    }

    /// Where its pods take requests.
    fn port(&self, service: usize) -> u16 {
        if self.architecture.beside(service).is_some() { INBOUND_PORT } else { APP_PORT }
    }

    /// Its pods, each by its own name.
    pub(super) fn endpoints(&self, service: usize) -> Vec<Endpoint> {
        let (port, Service { name, replicas, .. }) = (self.port(service), &self.plan.services[service]);
        (0..*replicas).map(|replica| Endpoint::new(format!("{name}-{replica}"), port)).collect()
    }

    /// What balancing goes by among the pods of a service.
    pub(super) fn placements(&self, service: usize) -> Vec<Placement> {
        let Service { weights, zones, ranks, .. } = &self.plan.services[service];
        let placed = |((weight, zone), rank): ((&u32, &Option<ZoneId>), &Rank)| Placement {
            weight: *weight,
            zone: Some(self.zone(*zone)),
            rank: *rank,
        };
        weights.iter().zip(zones).zip(ranks).map(placed).collect()
    }

    /// The name of a zone; what stands in none stands together.
    pub(super) fn zone(&self, zone: Option<ZoneId>) -> Arc<str> {
        zone.map_or("", |ZoneId(zone)| &self.plan.network.zones[zone].name).into()
    }
}

/// How an application's HTTP library calls: round robin, patient, without policies, and with as many connections as it wants,
/// or over HTTP/2 one, which its requests share.
fn plain(protocol: Http) -> Settings {
    let connections = (protocol == Http::Http1).then_some(u32::MAX);
    // Whoever is asked is told what the application itself says, and nothing of its library's patience.
    let deadline = DeadlinePolicy { own: Some(false), ..DeadlinePolicy::default() }.resolve();
    Settings {
        timeout: Some(PATIENCE),
        connect_timeout: PATIENCE,
        limits: Limits { connections, pending: u32::MAX, ..Limits::default() },
        deadline,
        ..Settings::default()
    }
}

/// What a gateway's pod is called.
pub(super) fn gateway_name(replica: u32) -> String {
    format!("gateway-{replica}")
}

/// Where clients find the gateway: at each of its pods, or behind a balancer of layer 4, which gives each connection one of
/// them.
pub(super) fn gateways(gateway: &Gateway) -> Vec<Endpoint> {
    let name = |name: String| Endpoint::new(name, GATEWAY_PORT);
    match gateway.balancer {
        DirectBalance::PerConnection if gateway.replicas > 1 => vec![name(GATEWAY.to_owned())],
        _ => (0..gateway.replicas).map(|replica| name(gateway_name(replica))).collect(),
    }
}
