//! The outbound side: what the app sends to other services. The request's authority names the
//! service; a pod of it is chosen and asked, over mutual TLS unless the plan says otherwise, under the policies for that service, or
//! for that path of it.

use std::sync::Arc;

use hoplab_proxy::body::Body;
use hoplab_proxy::forward::Forwarder;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::path;
use hoplab_proxy::server::{Connection, Handler, Refused};
use hoplab_proxy::tasks::Spawner;
use hoplab_proxy::telemetry::{Fault, Role};
use hoplab_proxy::tls::Terms;
use hoplab_proxy::upstream::{Config, Protocol, Settings, Succession, Upstream};
use http::{Request, Response};

use crate::config::Protection;
use crate::plan::{Plan, Route};
use crate::sidecar::directory::{Directory, Pods};
use crate::sidecar::seed_of;

/// The outbound side of a sidecar.
pub(super) struct Outbound<H: Host> {
    forwarder: Forwarder<H>,
    directory: Directory,
    services: Vec<Called<H>>,
}

/// A service as the app calls it.
struct Called<H: Host> {
    upstream: Arc<Upstream<H>>,
    /// What may go another way, the longest path first.
    routes: Vec<(Route, Option<Arc<Upstream<H>>>)>,
}

impl<H: Host> Called<H> {
    /// Where `request` goes.
    fn upstream(&self, request: &Request<Body>) -> &Arc<Upstream<H>> {
        let takes = |route: &Route| {
            path::covers(&route.path, request.uri().path())
                && (route.methods.is_empty() || route.methods.contains(request.method()))
        };
        let taken = self.routes.iter().find(|(route, _)| takes(route));
        taken.and_then(|(_, upstream)| upstream.as_ref()).unwrap_or(&self.upstream)
    }
}

impl<H: Host> Pods for Vec<Called<H>> {
    fn changes(&self, service: usize) -> u64 {
        self[service].upstream.changes()
    }

    fn endpoints(&self, service: usize) -> Vec<Endpoint> {
        self[service].upstream.endpoints()
    }
}

impl<H: Host> Outbound<H> {
    /// The outbound side of `plan`, which listens on `port`.
    pub(super) fn new(
        host: &H,
        spawner: &Spawner<H>,
        plan: &Plan,
        port: u16,
        seed: u64,
        succession: &mut Succession<H>,
    ) -> Self {
        let mut services = Vec::with_capacity(plan.services.len());
        for (name, service) in &plan.services {
            let mut config = Config::new(Arc::clone(name), service.endpoints.clone());
            config.placements.clone_from(&service.placements);
            config.source.clone_from(&service.source);
            config.zone.clone_from(&plan.zone);
            config.protocol = Protocol::Http2;
            config.tls = match service.tls.unwrap_or(plan.outbound_tls) {
                Protection::Mutual => Some(Terms::mutual(&plan.identity, service.id.clone())),
                Protection::None => None,
            };
            let mut open = |settings: &Settings, purpose: &str| {
                let config = Config { settings: settings.clone(), ..config.clone() };
                succession.upstream(host, spawner, config, seed_of(seed, purpose))
            };
            let routes = service.routes.iter().enumerate().map(|(number, route)| {
                let own = route.settings.as_ref();
                (route.clone(), own.map(|settings| open(settings, &format!("{name} route {number}"))))
            });
            let routes = routes.collect();
            services.push(Called { upstream: open(&service.settings, name), routes });
        }
        let names = plan.services.keys().map(|name| &**name);
        Self {
            forwarder: Forwarder::new(host.clone(), Role::Outbound, seed_of(seed, "outbound")),
            directory: Directory::new(port, names),
            services,
        }
    }
}

impl<H: Host> Outbound<H> {
    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.directory.port()
    }

    /// How services are called.
    pub(super) fn upstreams(&self) -> Vec<Arc<Upstream<H>>> {
        let of = |service: &Called<H>| {
            let routed = service.routes.iter().filter_map(|(_, upstream)| upstream.clone());
            routed.chain([Arc::clone(&service.upstream)]).collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of).collect()
    }
}

impl<H: Host> Handler for Outbound<H> {
    fn note_refused(&self, refused: Refused<'_>, connection: &Connection) {
        self.forwarder.note_refused(refused, connection);
    }

    async fn handle(
        self: Arc<Self>,
        mut request: Request<Body>,
        connection: Arc<Connection>,
    ) -> Response<Body> {
        let visit = self.forwarder.arrive(&mut request, &connection).await;
        let destination = connection.original_destination;
        let service = self.directory.find(request.headers(), destination, &self.services);
        match service.and_then(|number| self.services.get(number)) {
            Some(service) => {
                let upstream = service.upstream(&request);
                self.forwarder.forward(visit, request, upstream).await
            }
            None => self.forwarder.refuse(visit, Fault::NoRoute),
        }
    }
}
