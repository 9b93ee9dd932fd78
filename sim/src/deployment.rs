//! Who stands where under an architecture: the pods, and which product runs in each.
//!
//! The products are started with the same `serve` that the live binary calls; here is only what
//! each is configured with. Ports as the field has them: applications and the gateway on 8080, a
//! sidecar's outbound side on 15001 and its inbound side on 15006 (Istio's).

mod reach;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hoplab_gateway::routes::{HostPattern, LimitsId, Route, UpstreamId};
use hoplab_mesh::config::Protection;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::tls::{Authority, Identity, SpiffeId, Terms};
use hoplab_proxy::upstream::{self, Placed, Protocol as Http, Settings, Upstream};
use indexmap::IndexMap;

use crate::awaited::Awaited;
use crate::costs::Costs;
use crate::crowd::Crowd;
use crate::faults::Faults;
use crate::load::{ClientPod, Clients};
use crate::pods::{Instance, Place, Pods};
use crate::random;
use crate::record;
use crate::recorder::Recorder;
use crate::scenario::plan::party::GATEWAY;
use crate::scenario::plan::{
    Architecture, DirectBalance, EndpointId, Gateway, Mesh, Plan, ProxyCores, Service, ServiceId, ZoneId,
};
use crate::service;
use crate::world::{Container, ContainerKind, CoresOf, PodConfig, PodId, SimHost, World};
use reach::{APP_PORT, OUTBOUND_PORT, Reach, gateway_name, gateways};

/// The pods of a run and what runs in them. Cloning gives another handle.
pub(crate) struct Deployment {
    plan: Arc<Plan>,
    architecture: Architecture,
    recorder: Recorder,
    awaited: Awaited,
    faults: Faults,
    authority: Authority,
    /// Keeps what the clients run; ends with the deployment.
    client_tasks: Tasks,
    pub(crate) pods: Pods,
}

impl Deployment {
    /// The pods that a world of `plan` under `architecture` must have.
    pub(crate) fn pod_configs(plan: &Plan, architecture: &Architecture) -> Vec<PodConfig> {
        let own = |kind, cores| Container { kind, cores: CoresOf::Own(cores) };
        let client = |zone: &Option<ZoneId>| PodConfig {
            name: client_name(plan, *zone),
            zone: *zone,
            nic: plan.network.nic,
            containers: vec![own(ContainerKind::Client, None)],
        };
        let gateways = architecture.gateway.iter().flat_map(|gateway| {
            (0..gateway.replicas).map(|replica| PodConfig {
                name: gateway_name(replica),
                zone: gateway.zone,
                nic: gateway.nic,
                containers: vec![own(ContainerKind::Gateway, Some(gateway.cores))],
            })
        });
        let sidecar = architecture.mesh.as_ref().map(|mesh| match mesh.cores {
            ProxyCores::Own(cores) => own(ContainerKind::Sidecar, Some(cores)),
            ProxyCores::Shared => Container { kind: ContainerKind::Sidecar, cores: CoresOf::Shared },
        });
        let services = plan.services.iter().enumerate().flat_map(|(index, service)| {
            let sidecar = architecture.beside(index).and(sidecar);
            let replica = move |replica: u32| {
                let application = own(ContainerKind::Application, Some(service.cores));
                let containers = std::iter::once(application).chain(sidecar).collect();
                PodConfig {
                    name: format!("{}-{replica}", service.name),
                    zone: service.zones[replica as usize],
                    nic: service.nic,
                    containers,
                }
            };
            (0..service.replicas).map(replica)
        });
        let zones = plan.client_zones();
        let (first, others) = zones.split_at(1);
        let clients = |zones: &[Option<ZoneId>]| zones.iter().map(client).collect::<Vec<_>>();
        clients(first).into_iter().chain(gateways).chain(services).chain(clients(others)).collect()
    }

    /// Starts what runs in the pods of a world that has [`Deployment::pod_configs`].
    pub(crate) fn start(
        world: &World,
        plan: &Arc<Plan>,
        architecture: &Architecture,
        recorder: &Recorder,
        faults: &Faults,
    ) -> Self {
        let replicas = plan.services.iter().map(|service| service.replicas);
        let gateways = architecture.gateway.as_ref().map_or(0, |gateway| gateway.replicas);
        let pods = Pods::new(world, gateways, replicas, plan.client_zones().len());
        let trust_domain = "hoplab".parse().expect("the name is a trust domain's");
        let observer = recorder.observer(None, "client-0");
        let epoch = world.host(pods.clients()[0], ContainerKind::Client, Costs::default(), observer).wall();
        let deployment = Self {
            pods,
            plan: Arc::clone(plan),
            architecture: architecture.clone(),
            recorder: recorder.clone(),
            awaited: Awaited::default(),
            faults: faults.clone(),
            authority: Authority::new(plan.seed, trust_domain, epoch),
            client_tasks: Tasks::default(),
        };
        deployment.name_services();
        for service in 0..plan.services.len() {
            for replica in 0..plan.services[service].replicas {
                deployment.start_pod(Place { service, replica }.into());
            }
        }
        for replica in 0..gateways {
            deployment.start_pod(Instance::Gateway(replica));
        }
        deployment
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A handle to the machine that clients stand on who stand in no zone.
    pub(crate) fn client_host(&self) -> SimHost {
        self.host(self.pods.clients()[0], ContainerKind::Client, "client-0", None, Costs::default())
    }

    /// How often each fault has bitten, and whether it could.
    pub(crate) fn fault_hits(&self, faults: &Faults) -> Vec<record::FaultHits> {
        let hits = self.plan.faults.iter().enumerate().map(|(index, fault)| record::FaultHits {
            name: fault.name.clone(),
            hits: faults.hits(index, self.pods.world()),
            applies: self.architecture.gateway.is_some() || !fault.kind.aim().is_at_gateway(),
        });
        hits.collect()
    }

    /// What each kind of container that there is has taken.
    pub(crate) fn resources(&self) -> IndexMap<String, record::Resources> {
        let Architecture { gateway, mesh, .. } = &self.architecture;
        let kinds = [
            (ContainerKind::Application, true),
            (ContainerKind::Sidecar, mesh.is_some()),
            (ContainerKind::Gateway, gateway.is_some()),
        ];
        let reported = self.plan.duration.saturating_sub(self.plan.warmup);
        let resources = |(kind, _): (ContainerKind, bool)| {
            let used = self.pods.world().usage(kind);
            let resources = record::Resources {
                processor_us: used.processor.as_micros() as u64,
                cores_mean: used.processor.as_secs_f64() / reported.as_secs_f64(),
                cores_peak: used.cores_peak,
                connections_peak: used.connections_peak,
                bytes: used.bytes,
                memory: self.memory(kind, used.connections_peak),
            };
            (kind.name().to_owned(), resources)
        };
        kinds.into_iter().filter(|(_, is_there)| *is_there).map(resources).collect()
    }

    /// Memory that the proxies of a kind take, with so many connections.
    fn memory(&self, kind: ContainerKind, connections: u64) -> u64 {
        let Architecture { gateway, mesh, .. } = &self.architecture;
        let of = match kind {
            ContainerKind::Gateway => gateway.as_ref().map(|of| (&of.costs, of.replicas)),
            ContainerKind::Sidecar => mesh.as_ref().map(|of| {
                let members = self.plan.services.iter().zip(&of.members).filter(|(_, is_member)| **is_member);
                (&of.costs, members.map(|(service, _)| service.replicas).sum())
            }),
            ContainerKind::Client | ContainerKind::Application => None,
        };
        of.map_or(0, |(costs, pods)| costs.memory * u64::from(pods) + costs.connection_memory * connections)
    }

    /// The clients, ready to send.
    pub(crate) fn clients(&self) -> Clients {
        let host = self.client_host();
        let spawner = self.client_tasks.spawner(host.clone());
        let zones = self.plan.client_zones();
        let pods = zones.iter().zip(self.pods.clients());
        Clients {
            pods: pods.map(|(zone, pod)| self.client_pod(*zone, *pod)).collect(),
            plan: Arc::clone(&self.plan),
            recorder: self.recorder.clone(),
            awaited: self.awaited.clone(),
            host,
            spawner,
        }
    }

    fn client_pod(&self, zone: Option<ZoneId>, pod: PodId) -> ClientPod {
        let name = client_name(&self.plan, zone);
        let host = self.host(pod, ContainerKind::Client, &name, None, Costs::default());
        let spawner = self.client_tasks.spawner(host.clone());
        let purpose = if zone.is_none() { "client" } else { &name };
        let asked = self.plan.requested_services();
        let upstream = |service: usize, own: Option<&Settings>, purpose: &str| {
            let (endpoints, spoken) = match &self.architecture.gateway {
                Some(gateway) => (gateways(gateway), gateway.protocol),
                None => (self.reach().reached(service), None),
            };
            let protocol = spoken.unwrap_or(self.plan.services[service].protocol.http());
            let mut config = self.reach().by_itself(service, endpoints, protocol, own);
            config.zone = Some(self.reach().zone(zone));
            Upstream::new(host.clone(), &spawner, config, self.seed(purpose, service as u64))
        };
        let upstreams = (0..self.plan.services.len())
            .map(|service| asked.contains(&service).then(|| upstream(service, None, purpose)));
        let loads = self.plan.loads.iter().zip(&self.architecture.applications.loads).enumerate();
        let own = loads.filter(|(_, (load, _))| load.zone == zone).flat_map(|(index, (load, own))| {
            let purpose = format!("{purpose} of {}", load.name);
            let asked = own.iter().flat_map(|own| load.mix.iter().map(move |(id, _)| (id.service.0, own)));
            let upstream = &upstream;
            asked.map(move |(service, own)| ((index, service), upstream(service, Some(own), &purpose)))
        });
        ClientPod { zone, upstreams: upstreams.collect(), of_loads: own.collect(), host: host.clone() }
    }

    /// Starts what runs in a pod. Also after a crash.
    pub(crate) fn start_pod(&self, instance: Instance) {
        match (instance, &self.architecture.gateway) {
            (Instance::Gateway(replica), Some(gateway)) => self.start_gateway(replica, gateway),
            (Instance::Gateway(_), None) => {}
            (Instance::Service(place), _) => self.start_service_pod(place),
        }
    }

    /// Starts a service's pod: the service, and its sidecar under a mesh.
    fn start_service_pod(&self, place: Place) {
        let pod = self.pods.id(place);
        let name = format!("{}-{}", self.plan.services[place.service].name, place.replica);
        let kind = ContainerKind::Application;
        let host = self.host(pod, kind, &name, Some(place.service), Costs::default());
        let stopped = self.pods.stopped(place.into());
        match self.architecture.beside(place.service) {
            Some(mesh) => {
                self.start_service(pod, place, &host, std::future::pending());
                self.start_sidecar(pod, place, mesh, stopped);
            }
            None => self.start_service(pod, place, &host, stopped),
        }
    }

    fn start_service(
        &self,
        pod: PodId,
        place: Place,
        host: &SimHost,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        let name = format!("{}-{}", self.plan.services[place.service].name, place.replica);
        let tasks = Tasks::default();
        let spawner = tasks.spawner(host.clone());
        let called = self.plan.services[place.service].callees();
        let upstreams = (0..self.plan.services.len()).map(|callee| {
            called.contains(&callee).then(|| {
                let endpoints = match self.architecture.beside(place.service) {
                    Some(_) => vec![Endpoint::new("127.0.0.1", OUTBOUND_PORT)],
                    None => self.reach().reached(callee),
                };
                let seed = self.seed(&name, callee as u64);
                let protocol = self.plan.services[callee].protocol.http();
                let own = self.architecture.applications.calls.get(&(place.service, callee));
                let mut config = self.reach().by_itself(callee, endpoints, protocol, own);
                config.zone =
                    Some(self.reach().zone(self.plan.services[place.service].zones[place.replica as usize]));
                Upstream::new(host.clone(), &spawner, config, seed)
            })
        });
        let service = Arc::new(service::Service {
            upstreams: upstreams.collect(),
            plan: Arc::clone(&self.plan),
            place,
            host: host.clone(),
            faults: self.faults.clone(),
            recorder: self.recorder.clone(),
            awaited: self.awaited.clone(),
            spawner,
            crowd: self.plan.services[place.service].overload.map(Crowd::new),
            unkeyed: AtomicU64::new(0),
        });
        self.pods.world().spawn(pod, host, service.serve(tasks, anywhere(APP_PORT), shutdown));
    }

    /// The gateway routes by host, one upstream a service that clients ask. Under a mesh it is part of
    /// it: it proves its name and speaks HTTP/2 to the inbound sidecars.
    fn start_gateway(&self, replica: u32, gateway: &Gateway) {
        let (pod, name) = (self.pods.id(Instance::Gateway(replica)), gateway_name(replica));
        let stopped = self.pods.stopped(Instance::Gateway(replica));
        let host = self.host(pod, ContainerKind::Gateway, &name, None, gateway.costs.clone());
        let identity = self.architecture.mesh.as_ref().map(|_| self.identity("gateway", &name, &host));
        let upstream = |service: usize, settings: &Settings| {
            let name = self.plan.services[service].name.as_str();
            let settings = settings.clone();
            let (placements, zone) =
                (self.reach().placements(service), Some(self.reach().zone(gateway.zone)));
            let beside = self.architecture.beside(service);
            match identity.as_ref().zip(beside) {
                None => {
                    let endpoints = self.reach().endpoints(service);
                    let protocol = self.plan.services[service].protocol.http();
                    let config = upstream::Config::new(name, endpoints);
                    upstream::Config { placements, zone, settings, protocol, ..config }
                }
                Some((identity, mesh)) => upstream::Config {
                    placements,
                    zone,
                    settings,
                    protocol: Http::Http2,
                    tls: (mesh.tls == Protection::Mutual)
                        .then(|| Terms::mutual(identity, self.spiffe_id(name))),
                    ..upstream::Config::new(name, self.reach().endpoints(service))
                },
            }
        };
        let asked = self.plan.requested_services();
        let upstreams = asked.iter().map(|service| upstream(*service, &gateway.calls.services[*service]));
        let mut plan = hoplab_gateway::Plan::by_host(upstreams.collect());
        plan.routes = plan.routes.and(self.routes(&asked, gateway));
        let routed = gateway.calls.routes.iter();
        plan.upstreams.extend(routed.map(|(id, settings)| upstream(id.service.0, settings)));
        plan.limits = gateway.limits.clone();
        plan.server.keep(gateway.keep_alive, gateway.max_connection_age);
        let limited = gateway.route_limits.iter();
        let name = |id: &EndpointId| self.plan.services[id.service.0].name.as_str().into();
        plan.route_limits = limited.map(|(id, limits)| (name(id), limits.clone())).collect();
        let seed = self.seed("gateway", replica.into());
        let serving = hoplab_gateway::serve(host.clone(), plan, seed, stopped);
        self.pods.world().spawn(pod, &host, async move {
            serving.await.expect("a pod's ports are free when it starts");
        });
    }

    /// A route for each endpoint of the services of which some have policies or limits of their own: to an upstream of its own,
    /// which come after those of the `asked` services, or to its service's.
    fn routes(&self, asked: &[usize], gateway: &Gateway) -> Vec<Route> {
        let own = &gateway.calls.routes;
        let limited = &gateway.route_limits;
        let mut routes = Vec::new();
        for (position, &service) in asked.iter().enumerate() {
            let mut routed = own.iter().map(|(id, _)| id).chain(limited.iter().map(|(id, _)| id));
            if routed.all(|id| id.service.0 != service) {
                continue;
            }
            let Service { name, endpoints, .. } = &self.plan.services[service];
            for (number, endpoint) in endpoints.iter().enumerate() {
                let id = EndpointId { service: ServiceId(service), endpoint: number };
                let upstream = own.iter().position(|(routed, _)| *routed == id);
                routes.push(Route {
                    host: HostPattern::Exact(name.clone()),
                    path: endpoint.path.clone(),
                    methods: vec![endpoint.method.clone()],
                    upstream: UpstreamId(upstream.map_or(position, |upstream| asked.len() + upstream)),
                    limits: limited.iter().position(|(routed, _)| *routed == id).map(LimitsId),
                });
            }
        }
        routes
    }

    /// A route for each endpoint of a service of which some have policies of their own.
    fn mesh_routes(&self, service: usize, mesh: &Mesh) -> Vec<hoplab_mesh::plan::Route> {
        let own = || mesh.calls.routes.iter().filter(|(id, _)| id.service.0 == service);
        let endpoints = self.plan.services[service].endpoints.iter().enumerate();
        let routes = endpoints.map(|(number, endpoint)| hoplab_mesh::plan::Route {
            path: endpoint.path.clone(),
            methods: vec![endpoint.method.clone()],
            settings: own().find(|(id, _)| id.endpoint == number).map(|(_, settings)| settings.clone()),
        });
        if own().next().is_some() { routes.collect() } else { Vec::new() }
    }

    fn spiffe_id(&self, service: &str) -> SpiffeId {
        SpiffeId::of_service(self.authority.trust_domain(), service).expect("the plan's names are DNS labels")
    }

    fn start_sidecar(
        &self,
        pod: PodId,
        place: Place,
        mesh: &Mesh,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        let service = &self.plan.services[place.service];
        let name = format!("{}-{}", service.name, place.replica);
        let kind = ContainerKind::Sidecar;
        let host = self.host(pod, kind, &name, Some(place.service), mesh.costs.clone());
        let identity = self.identity(&service.name, &name, &host);
        let mut sidecar = hoplab_mesh::plan::Plan::new(service.name.as_str(), identity);
        sidecar.deadline.clone_from(&mesh.calls.services[place.service].deadline);
        sidecar.inbound.limits = mesh.limits[place.service].clone();
        sidecar.inbound.protocol = service.protocol.http();
        sidecar.inbound.retry.clone_from(&mesh.inbound_retry);
        sidecar.outbound_tls = mesh.tls;
        if let Some(pool) = mesh.inbound_pool {
            sidecar.inbound.pool = pool;
        }
        sidecar.zone = Some(self.reach().zone(service.zones[place.replica as usize]));
        for callee in self.plan.services[place.service].callees() {
            let placed = self.reach().endpoints(callee).into_iter().zip(self.reach().placements(callee));
            let endpoints = placed.map(|(endpoint, placement)| Placed { endpoint, placement }).collect();
            let Service { name, protocol, .. } = &self.plan.services[callee];
            let called = sidecar
                .service(name, endpoints, mesh.calls.services[callee].clone())
                .expect("the plan's names are DNS labels");
            self.mesh_routes(callee, mesh).into_iter().for_each(|route| called.route(route));
            if self.architecture.beside(callee).is_none() {
                called.outside(protocol.http());
            }
        }
        let seed = self.seed(&name, u64::MAX);
        let serving = hoplab_mesh::sidecar::serve(host.clone(), sidecar, seed, shutdown);
        self.pods.world().spawn(pod, &host, async move {
            serving.await.expect("a pod's ports are free when it starts");
        });
    }

    fn identity(&self, service: &str, pod: &str, host: &SimHost) -> Identity {
        let credentials = self.authority.issue(&self.spiffe_id(service), pod, host.wall());
        Identity::from_pem(&credentials).expect("the authority's own certificates are sound")
    }

    /// Who finds whom.
    fn reach(&self) -> Reach<'_> {
        Reach { plan: &self.plan, architecture: &self.architecture }
    }

    /// Gives services addresses of their own, where connections are what is spread.
    fn name_services(&self) {
        if self.architecture.gateway.as_ref().is_some_and(|gateway| gateway.replicas > 1) {
            self.pods.world().name_service(GATEWAY, self.pods.gateways());
        }
        if self.plan.direct == DirectBalance::PerConnection {
            for (index, service) in self.plan.services.iter().enumerate() {
                let places = (0..service.replicas).map(|replica| Place { service: index, replica });
                let pods: Vec<PodId> = places.map(|place| self.pods.id(place)).collect();
                self.pods.world().name_service(&service.name, &pods);
            }
        }
    }

    fn host(
        &self,
        pod: PodId,
        kind: ContainerKind,
        name: &str,
        service: Option<usize>,
        costs: Costs,
    ) -> SimHost {
        self.pods.world().host(pod, kind, costs, self.recorder.observer(service, name))
    }

    /// What decides on span ids, among others: no two upstreams may share one.
    fn seed(&self, purpose: &str, number: u64) -> u64 {
        random::join(random::join(self.plan.seed, random::key(purpose)), number)
    }
}

/// What the clients' pod in a zone, or in none, is called.
fn client_name(plan: &Plan, zone: Option<ZoneId>) -> String {
    format!("client-{}", zone.map_or("0", |ZoneId(zone)| &plan.network.zones[zone].name))
}

fn anywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}
