//! The products of an architecture, each with its policies resolved and its costs. Not here: where they listen and whom
//! they find, which the deployment says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hoplab_mesh::config::Protection;
use hoplab_proxy::load_control;
use hoplab_proxy::upstream::settings::{Limits, Retries};
use hoplab_proxy::upstream::{Protocol as Http, Settings};

use super::application::EndpointId;
use super::connections::DirectBalance;
use super::network::{Capacity, ZoneId};
use crate::costs::Costs;

/// What clients enter through.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The profile that it behaves by; hoplab's own gateway when `None`.
    pub profile: Option<Arc<str>>,
    /// Its pods; at least 1.
    pub replicas: u32,
    /// How clients spread over several.
    pub balancer: DirectBalance,
    /// Where it stands.
    pub zone: Option<ZoneId>,
    /// What each direction of its NIC carries; without limit when `None`.
    pub nic: Option<Capacity>,
    /// How long it lets a client's connection be idle; as its server does by itself when `None`.
    pub keep_alive: Option<Duration>,
    /// How old it lets one become, a tenth more or less.
    pub max_connection_age: Option<Duration>,
    /// What clients speak with it; what the service speaks that they ask when `None`.
    pub protocol: Option<Http>,
    /// How services are called.
    pub calls: Calls,
    /// What all requests meet.
    pub limits: load_control::Settings,
    /// What requests to single endpoints meet after that.
    pub route_limits: Vec<(EndpointId, load_control::Settings)>,
    /// Its cores; at least 1.
    pub cores: u32,
    /// What its work costs.
    pub costs: Costs,
}

/// What stands beside services: a sidecar at each pod of its members.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// The profile that it behaves by; hoplab's own sidecars when `None`.
    pub profile: Option<Arc<str>>,
    /// Which services have sidecars; an entry a service. The others speak with them in the clear.
    pub members: Vec<bool>,
    /// How connections between sidecars are secured.
    pub tls: Protection,
    /// When a sidecar asks its own application again; never when `None`.
    pub inbound_retry: Option<Retries>,
    /// What it may have of connections to it; as a sidecar has by itself when `None`.
    pub inbound_pool: Option<Limits>,
    /// How services call each other.
    pub calls: Calls,
    /// What requests meet at the inbound sides of a service's pods; an entry a service.
    pub limits: Vec<load_control::Settings>,
    /// Whose cores each sidecar works on.
    pub cores: ProxyCores,
    /// What a sidecar's work costs.
    pub costs: Costs,
}

/// How a proxy calls services.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Per service that is called; an entry a service.
    pub services: Vec<Settings>,
    /// For single endpoints, where they have policies of their own, over those of their services.
    pub routes: Vec<(EndpointId, Settings)>,
}

impl Calls {
    /// How an endpoint is called.
    pub fn of(&self, id: EndpointId) -> &Settings {
        let own = self.routes.iter().find(|(routed, _)| *routed == id).map(|(_, settings)| settings);
        own.unwrap_or(&self.services[id.service.0])
    }
}

/// How long an application waits for an answer when nobody sets a timeout.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3_600);

/// How applications and clients call by themselves; as a plain HTTP library does where there is no entry.
#[derive(Debug, Clone)]
pub struct Applications {
    /// By the services that call and are called, by index.
    pub calls: BTreeMap<(usize, usize), Settings>,
    /// By load, whatever it asks.
    pub loads: Vec<Option<Settings>>,
}

/// Whose cores a proxy beside an application works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyCores {
    /// So many of its own; at least 1.
    Own(u32),
    /// The application's, ahead of what waits there.
    Shared,
}
