//! What a gateway and a mesh are: what the scenario says of them, with every default filled in, for each architecture that
//! this run takes.

use std::sync::Arc;

use hoplab_config::{At, Context, Place};

use super::architectures::{Compared, Part};
use super::calls::{self, Layer};
use super::layers::Usual;
use super::names::Names;
use super::phases::Phase;
use super::unheard::Unheard;
use super::{bounds, connections, double_retries, layers, members, topology};
use hoplab_mesh::config::Protection;

use crate::costs::Costs;
use crate::scenario::plan::products::{Applications, Calls, Gateway, Mesh, ProxyCores};
use crate::scenario::plan::{Architecture, DirectBalance, Load, Network, Service};
use crate::scenario::profile::{Chain, Profile};
use crate::scenario::schema::costs::{self as written, Cost};
use crate::scenario::schema::policies::{
    self, Cores, GatewayManners, Layers, MeshManners, MeshTuning, SHARED,
};

/// Cores of a proxy that says nothing: as many workers as Istio gives an Envoy.
const PROXY_CORES: u32 = 2;

/// What the file says of its products.
pub(super) struct Said {
    pub(super) gateway: policies::Gateway,
    /// How many pods a gateway has.
    pub(super) gateways: u32,
    pub(super) mesh: policies::Mesh,
    pub(super) calls: calls::Written,
    pub(super) costs: written::Costs,
    pub(super) phases: Vec<Phase>,
    /// Where it says how calls without a proxy are balanced.
    pub(super) direct: Option<Place>,
}

/// What the file says of its products, and what they stand among.
pub(super) struct Products<'a> {
    said: Said,
    gateway_layers: Layers,
    mesh_layers: Layers,
    among: Among<'a>,
    /// The profiles that architectures name.
    profiles: Vec<Named>,
}

/// What products stand among.
#[derive(Clone, Copy)]
pub(super) struct Among<'a> {
    pub(super) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    pub(super) network: &'a Network,
}

/// A profile by the name that architectures call it.
struct Named {
    name: String,
    chain: Chain,
    profile: Profile,
}

impl<'a> Products<'a> {
    /// What a file has `said`, `among` what.
    pub(super) fn new(mut said: Said, among: Among<'a>) -> Self {
        let gateway_layers = said.gateway.tuning.take_layers();
        let mesh_layers = said.mesh.tuning.take_layers();
        Self { said, gateway_layers, mesh_layers, among, profiles: Vec::new() }
    }

    /// The architectures that are `chosen`. What is said of a part that none of them has is looked at, too.
    pub(super) fn architectures(
        &mut self,
        chosen: &[Compared],
        context: &mut Context<'_>,
    ) -> Vec<Architecture> {
        self.profiles = named(chosen, context);
        let gateways = each(chosen.iter().map(|of| &of.gateway), |part| self.gateway(part, context));
        let meshes = each(chosen.iter().map(|of| &of.mesh), |part| self.mesh(part, context));
        let applications =
            |has_library, context: &mut Context<'_>| Arc::new(self.applications(has_library, context));
        let alone = applications(false, context);
        let is_read = self.said.calls.library.is_some() || chosen.iter().any(|of| of.has_library);
        let with_library = if is_read { applications(true, context) } else { Arc::clone(&alone) };
        let architecture = |of: &Compared| Architecture {
            applications: Arc::clone(if of.has_library { &with_library } else { &alone }),
            name: of.to_string().into(),
            phase: of.phase(),
            gateway: of.gateway.as_ref().map(|part| found(&gateways, part)),
            mesh: of.mesh.as_ref().map(|part| found(&meshes, part)),
        };
        chosen.iter().map(architecture).collect()
    }

    /// Warns of what the file says of products that multiplies, and of what it says to nobody. It compares these, of which
    /// this run takes those that are `chosen`, which became these `architectures`.
    pub(super) fn warn(
        &self,
        architectures: &[Architecture],
        compared: &[Compared],
        chosen: &[Compared],
        context: &mut Context<'_>,
    ) {
        let Among { names, services, loads, .. } = self.among;
        double_retries::warn(architectures, services, loads, self.said.calls.place(), context);
        let unheard = Unheard { names, services, loads, compared, chosen, architectures };
        unheard.direct_balance(self.said.direct, context);
        unheard.limits(&self.mesh_layers, &self.said.phases, context);
        unheard.calls(&self.said.calls, context);
    }

    /// The profiles that the architectures name.
    pub(super) fn into_profiles(self) -> Vec<Profile> {
        self.profiles.into_iter().map(|named| named.profile).collect()
    }

    /// The profile of `part`, which is to be a `kind`, if it names one.
    fn profile(&self, part: &Part, kind: &'static str, context: &mut Context<'_>) -> Option<&Chain> {
        let name = part.profile.as_deref()?;
        let Named { chain, profile, .. } = self.profiles.iter().find(|named| named.name == name)?;
        let parts = chain.parts();
        if parts.contains(&kind) {
            return Some(chain);
        }
        let hint = match parts[..] {
            [] => "its profile has neither `[gateway]` nor `[mesh]`".to_owned(),
            _ => format!("{} is a {}", profile.title, parts.join(" and a ")),
        };
        context.error_at(part.place, format!("\"{name}\" is no {kind}")).hint(hint);
        None
    }

    /// How applications call, by a library or without one.
    fn applications(&self, has_library: bool, context: &mut Context<'_>) -> Applications {
        let Among { names, services, .. } = self.among;
        let library = match (&self.said.calls.library, has_library) {
            (_, false) => None,
            (Some(written), true) => Some(Layer::of(written, names, context)),
            (None, true) => {
                let defaults = self.said.mesh.tuning.manners.defaults.as_ref();
                Some(Layer::of_mesh(defaults, &self.mesh_layers.services, names, context))
            }
        };
        calls::applications(&self.said.calls, library.as_ref(), services, names, context)
    }

    fn gateway(&self, part: &Part, context: &mut Context<'_>) -> Gateway {
        let Among { names, services, loads, network } = self.among;
        let written = &self.said.gateway;
        let profile = self.profile(part, "gateway", context);
        let below = profile.map(Chain::gateway).unwrap_or_default();
        let phase = part.phase.map(|number| &self.said.phases[number].gateway);
        let own: Vec<&GatewayManners> =
            phase.iter().map(|(tuning, _)| tuning).chain([&written.tuning]).map(|of| &of.manners).collect();
        let manners: Vec<&GatewayManners> =
            own.iter().copied().chain(below.iter().map(|layer| &layer.manners)).collect();
        let protocol = manners.iter().find_map(|layer| layer.protocol.as_ref());
        let keep_alive = manners.iter().find_map(|layer| layer.keep_alive.clone());
        let max_connection_age = manners.iter().find_map(|layer| layer.max_connection_age.clone());
        let usual = Usual::of(own.len(), manners.iter().map(|layer| (&layer.defaults, &layer.limits)));
        let layers: Vec<&Layers> =
            phase.iter().map(|(_, layers)| layers).chain([&self.gateway_layers]).collect();
        let mut resolved = layers::resolve(&layers, &usual, names, context);
        connections::adapt_to_grpc(services, &mut resolved);
        connections::refuse_for_grpc(services, &resolved.services, &layers, usual.place, context);
        let zone = written.zone.as_ref();
        let costs = below.iter().filter_map(|layer| layer.costs.as_ref());
        Gateway {
            profile: part.profile.as_deref().map(Arc::from),
            replicas: self.said.gateways,
            balancer: written.balancer.as_ref().map_or(DirectBalance::PerConnection, |at| at.value),
            zone: zone.and_then(|name| topology::zone(name, &network.zones, context)),
            nic: network.nic_of(written.bandwidth.as_ref().map(|at| at.value.0)),
            keep_alive: connections::kept_for(keep_alive, context),
            max_connection_age: connections::kept_for(max_connection_age, context),
            protocol: connections::gateway_protocol(protocol, services, loads, context),
            calls: Calls { services: resolved.services, routes: resolved.routes },
            limits: resolved.limits,
            route_limits: resolved.route_limits,
            cores: gateway_cores(manners.iter().find_map(|layer| layer.cores.as_ref()), context),
            costs: self::costs(self.said.costs.gateway.as_ref(), costs, Costs::GATEWAY),
        }
    }

    fn mesh(&self, part: &Part, context: &mut Context<'_>) -> Mesh {
        let Among { names, services, .. } = self.among;
        let profile = self.profile(part, "mesh", context);
        let below = profile.map(Chain::mesh).unwrap_or_default();
        let phase = part.phase.map(|number| &self.said.phases[number].mesh);
        let tunings: Vec<&MeshTuning> =
            phase.iter().map(|(tuning, _)| tuning).chain([&self.said.mesh.tuning]).collect();
        let own = tunings.iter().map(|tuning| &tuning.manners);
        let manners: Vec<&MeshManners> = own.chain(below.iter().map(|layer| &layer.manners)).collect();
        let mut layers: Vec<&Layers> =
            phase.iter().map(|(_, layers)| layers).chain([&self.mesh_layers]).collect();
        let (mut said, mut of_requests) = (tunings.len(), &manners[..]);
        if profile.is_some_and(|profile| !profile.sees_requests()) {
            note_unseen(&manners[..said], &layers, part, context);
            (said, of_requests, layers) = (0, &manners[said..], Vec::new());
        }
        let usual = Usual::of(said, of_requests.iter().map(|layer| (&layer.defaults, &layer.limits)));
        let mut resolved = layers::resolve(&layers, &usual, names, context);
        connections::adapt_to_grpc(services, &mut resolved);
        connections::refuse_for_grpc(services, &resolved.services, &layers, usual.place, context);
        let costs = below.iter().filter_map(|layer| layer.costs.as_ref());
        Mesh {
            profile: part.profile.as_deref().map(Arc::from),
            tls: manners
                .iter()
                .find_map(|layer| layer.tls.as_ref())
                .map_or_else(Protection::default, |at| at.value),
            inbound_retry: layers::inbound_retry(
                of_requests.iter().map(|layer| &layer.inbound_retry),
                context,
            ),
            inbound_pool: layers::inbound_pool(of_requests.iter().map(|layer| &layer.inbound_pool)),
            members: members::resolve(&tunings, services, names, context),
            calls: Calls { services: resolved.services, routes: resolved.routes },
            limits: resolved.service_limits,
            cores: proxy_cores(manners.iter().find_map(|layer| layer.cores.as_ref()), context),
            costs: self::costs(self.said.costs.sidecar.as_ref(), costs, Costs::SIDECAR),
        }
    }
}

/// Warns of what is said of requests, in `manners` and `layers`, to proxies that see none.
fn note_unseen(manners: &[&MeshManners], layers: &[&Layers], part: &Part, context: &mut Context<'_>) {
    let said = manners.iter().find_map(|of| {
        let places = [of.defaults.as_ref().map(|at| at.place), of.limits.as_ref().map(|at| at.place)];
        places.into_iter().flatten().chain(of.inbound_retry.as_ref().map(|at| at.place)).next()
    });
    let of_services = layers.iter().flat_map(|layers| layers.services.iter().chain(&layers.routes));
    let place = said.or_else(|| of_services.map(|(name, _)| name.place).next());
    if let (Some(place), Some(name)) = (place, &part.profile) {
        let hint = "its proxies pass connections on and see no requests; that takes waypoints, which are not there yet";
        context.warning(place, format!("\"{name}\" is of layer 4: this holds for nothing there")).hint(hint);
    }
}

/// The profiles that are named by the architectures that are `chosen`, each once.
fn named(chosen: &[Compared], context: &mut Context<'_>) -> Vec<Named> {
    let parts = chosen.iter().flat_map(|of| [&of.gateway, &of.mesh]).flatten();
    let mut all = Vec::<(&str, Option<Place>)>::new();
    for part in parts {
        let name = part.profile.as_deref().filter(|name| all.iter().all(|(known, _)| known != name));
        all.extend(name.map(|name| (name, part.place)));
    }
    let named = |(name, place): (&str, Option<Place>)| {
        let chain = Chain::open(name, place, context)?;
        let profile = chain.profile(context);
        if let (Some(ended), Some(place)) = (&profile.ended, place) {
            let hint = "it is there for the record";
            context.warning(place, format!("{} ended on {ended}", profile.title)).hint(hint);
        }
        Some(Named { name: name.to_owned(), chain, profile })
    };
    all.into_iter().filter_map(named).collect()
}

/// What each different part is made into; hoplab's own where there is none.
fn each<'p, T>(
    parts: impl Iterator<Item = &'p Option<Part>>,
    mut make: impl FnMut(&Part) -> T,
) -> Vec<(Part, Arc<T>)> {
    let mut all = Vec::<Part>::new();
    for part in parts.flatten() {
        if !all.contains(part) {
            all.push(part.clone());
        }
    }
    if all.is_empty() {
        all.push(Part::default());
    }
    all.into_iter().map(|part| (part.clone(), Arc::new(make(&part)))).collect()
}

fn found<T>(made: &[(Part, Arc<T>)], part: &Part) -> Arc<T> {
    let made = made.iter().find(|(of, _)| of == part);
    Arc::clone(&made.expect("every part was made").1)
}

/// What its work costs: as is `written`, and nothing besides; else as its profile says, in layers, over what is `usual`.
fn costs<'a>(written: Option<&At<Cost>>, profile: impl Iterator<Item = &'a At<Cost>>, usual: Costs) -> Costs {
    match written {
        Some(at) => Cost::over(&[&at.value], Costs::default()),
        None => Cost::over(&profile.map(|at| &at.value).collect::<Vec<_>>(), usual),
    }
}

fn gateway_cores(written: Option<&At<Cores>>, context: &mut Context<'_>) -> u32 {
    match proxy_cores(written, context) {
        ProxyCores::Own(cores) => cores,
        ProxyCores::Shared => {
            let place = written.map_or(Place::BEGINNING, |at| at.place);
            let hint = "it stands alone in its pod: write how many cores it has";
            context.error(place, "the gateway has no application to share cores with").hint(hint);
            PROXY_CORES
        }
    }
}

fn proxy_cores(written: Option<&At<Cores>>, context: &mut Context<'_>) -> ProxyCores {
    match written {
        None => ProxyCores::Own(PROXY_CORES),
        Some(&At { value: Cores::Number(cores), place }) => {
            let cores = Some(&At { value: cores, place });
            ProxyCores::Own(bounds::count("core", cores, bounds::CORES_MAX, context))
        }
        Some(At { value: Cores::Name(name), .. }) if name == SHARED => ProxyCores::Shared,
        Some(At { value: Cores::Name(name), place }) => {
            let name = At { value: name.clone(), place: *place };
            context.unknown("use of cores", &name, [SHARED]);
            ProxyCores::Own(PROXY_CORES)
        }
    }
}
