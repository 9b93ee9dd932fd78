//! The API gateway: one entrance for clients, which finds the service that a request is for.
//!
//! Read it in this order: [`config`] (what may be written), [`plan`] (what it means), [`routes`] (which
//! upstream), then [`serve`] and the handler here: a request's way through the gateway on one screen.

pub mod config;
pub mod plan;
pub mod routes;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hoplab_proxy::body::Body;
use hoplab_proxy::forward::Forwarder;
use hoplab_proxy::forwarded::Edge;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::load_control::LoadControl;
use hoplab_proxy::message;
use hoplab_proxy::path::Paths;
use hoplab_proxy::server::{self, Connection, Drained, Handler, Refused, Security};
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::telemetry::{Fault, Role};
use hoplab_proxy::tls::ServerTls;
use hoplab_proxy::upstream::{self, Upstream};
use http::{Request, Response, StatusCode};

pub use config::Config;
pub use plan::Plan;
use routes::{LimitsId, Miss, Routes};

/// Serves `plan` until `shutdown` completes, then finishes what is in flight. Dropping the future
/// ends everything at once. `seed` decides on ids, pauses and turns.
pub async fn serve<H: Host>(
    host: H,
    plan: Plan,
    seed: u64,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Drained> {
    Ok(Gateway::bind(host, plan).await?.run(seed, shutdown).await)
}

/// A gateway that has its port and accepts nothing yet.
pub struct Gateway<H: Host> {
    host: H,
    plan: Plan,
    listener: H::Listener,
}

impl<H: Host> Gateway<H> {
    /// Takes the port of `plan`.
    pub async fn bind(host: H, plan: Plan) -> io::Result<Self> {
        let listener = host.bind(plan.listen).await?;
        Ok(Self { host, plan, listener })
    }

    /// The port that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// As [`serve`].
    pub async fn run(self, seed: u64, shutdown: impl Future<Output = ()>) -> Drained {
        let Self { host, mut plan, listener } = self;
        if !plan.certificates.is_empty() {
            plan.server.security = Security::Public(ServerTls::public(&host, plan.certificates));
        }
        if let Some(age) = &mut plan.server.age {
            age.seed = seed;
        }
        let tasks = Tasks::default();
        let spawner = tasks.spawner(host.clone());
        let deadlines = plan.upstreams.iter().filter_map(|upstream| upstream.settings.deadline.as_ref());
        let believed = deadlines.flat_map(|deadline| deadline.believed().cloned()).collect();
        let edge = Edge { trusted: plan.trusted, believed };
        let upstreams = plan.upstreams.into_iter().zip(seed..);
        let routed = (1..).zip(plan.route_limits).map(|(number, (name, limits))| {
            LoadControl::new(host.clone(), name, limits, seed.wrapping_sub(number))
        });
        let route_limits = routed.collect();
        let requests = Requests {
            forwarder: Forwarder::new(host.clone(), Role::Gateway, seed).at(edge),
            paths: plan.paths,
            upstreams: upstreams
                .map(|(upstream, seed)| Upstream::new(host.clone(), &spawner, upstream, seed))
                .collect(),
            routes: plan.routes,
            limits: LoadControl::new(host.clone(), "gateway", plan.limits, seed),
            route_limits,
        };
        upstream::known(&host, &requests.upstreams).await;
        server::serve(host, spawner, listener, Arc::new(requests), plan.server, shutdown).await
    }
}

/// What requests meet.
struct Requests<H: Host> {
    forwarder: Forwarder<H>,
    paths: Paths,
    upstreams: Vec<Arc<Upstream<H>>>,
    routes: Routes,
    /// What all requests meet.
    limits: Option<Arc<LoadControl<H>>>,
    /// What those of single routes meet after that; a [`LimitsId`] is an index into them.
    route_limits: Vec<Option<Arc<LoadControl<H>>>>,
}

impl<H: Host> Handler for Requests<H> {
    fn note_refused(&self, refused: Refused<'_>, connection: &Connection) {
        self.forwarder.note_refused(refused, connection);
    }

    async fn handle(
        self: Arc<Self>,
        mut request: Request<Body>,
        connection: Arc<Connection>,
    ) -> Response<Body> {
        let path = self.paths.settle(request.uri_mut());
        let mut visit = self.forwarder.arrive(&mut request, &connection).await;
        if path.is_err() {
            return self.forwarder.refuse(visit, Fault::Malformed);
        }
        if let Some(limits) = &self.limits
            && let Err(refusal) = visit.pass(limits, request.headers(), &connection).await
        {
            return self.forwarder.turn_away(visit, refusal);
        }
        match self.routes.find(&request) {
            Ok(route) => {
                let limits = route.limits.and_then(|LimitsId(limits)| self.route_limits[limits].as_ref());
                if let Some(limits) = limits
                    && let Err(refusal) = visit.pass(limits, request.headers(), &connection).await
                {
                    return self.forwarder.turn_away(visit, refusal);
                }
                self.forwarder.forward(visit, request, &self.upstreams[route.upstream.0]).await
            }
            Err(Miss::NotFound) => self.forwarder.refuse(visit, Fault::NoRoute),
            Err(Miss::Method(methods)) => {
                let answer = message::allow(StatusCode::METHOD_NOT_ALLOWED, &methods);
                self.forwarder.decline(visit, answer)
            }
        }
    }
}
