//! What requests meet: the limits, the routes, the upstreams of one plan.

use std::sync::Arc;

use hoplab_proxy::body::Body;
use hoplab_proxy::forward::Forwarder;
use hoplab_proxy::forwarded::Edge;
use hoplab_proxy::host::Host;
use hoplab_proxy::load_control::LoadControl;
use hoplab_proxy::message;
use hoplab_proxy::path::Paths;
use hoplab_proxy::server::{Connection, Handler, Refused};
use hoplab_proxy::tasks::Spawner;
use hoplab_proxy::telemetry::{Fault, Role};
use hoplab_proxy::upstream::{Succession, Upstream};
use http::{Request, Response, StatusCode};

use crate::plan::Plan;
use crate::routes::{LimitsId, Miss, Routes};

/// What requests meet.
pub(crate) struct Requests<H: Host> {
    forwarder: Forwarder<H>,
    paths: Paths,
    upstreams: Vec<Arc<Upstream<H>>>,
    routes: Routes,
    /// What all requests meet.
    limits: Option<Arc<LoadControl<H>>>,
    /// What those of single routes meet after that; a [`LimitsId`] is an index into them.
    route_limits: Vec<Option<Arc<LoadControl<H>>>>,
}

impl<H: Host> Requests<H> {
    /// What requests meet by `plan`, in which what can be kept of the plan `before` is kept.
    pub(crate) fn new(
        host: &H,
        spawner: &Spawner<H>,
        plan: Plan,
        seed: u64,
        before: Option<&Self>,
    ) -> (Self, Succession<H>) {
        let deadlines = plan.upstreams.iter().filter_map(|upstream| upstream.settings.deadline.as_ref());
        let believed = deadlines.flat_map(|deadline| deadline.believed().cloned()).collect();
        let edge = Edge { trusted: plan.trusted, believed };
        // Apart, since an upstream may have any name.
        let mut limited: Vec<_> = before.and_then(|before| before.limits.clone()).into_iter().collect();
        let limits = LoadControl::after(&mut limited, host.clone(), "gateway", plan.limits, seed);
        let limited = before.into_iter().flat_map(|before| before.route_limits.iter().flatten());
        let mut limited: Vec<_> = limited.cloned().collect();
        let routed = (1..).zip(plan.route_limits).map(|(number, (name, limits))| {
            LoadControl::after(&mut limited, host.clone(), name, limits, seed.wrapping_sub(number))
        });
        let route_limits = routed.collect();
        let mut succession =
            Succession::after(before.map(|before| before.upstreams.clone()).unwrap_or_default());
        let upstreams = plan.upstreams.into_iter().zip(0..);
        let upstreams = upstreams
            .map(|(config, number)| succession.upstream(host, spawner, config, seed.wrapping_add(number)));
        let requests = Self {
            forwarder: Forwarder::new(host.clone(), Role::Gateway, seed).at(edge),
            paths: plan.paths,
            upstreams: upstreams.collect(),
            routes: plan.routes,
            limits,
            route_limits,
        };
        (requests, succession)
    }
}

impl<H: Host> Handler for Requests<H> {
    fn note_refused(&self, refused: Refused<'_>, connection: &Connection) {
        self.forwarder.note_refused(refused, connection);
    }

    fn handle(
        self: Arc<Self>,
        mut request: Request<Body>,
        connection: Arc<Connection>,
    ) -> impl Future<Output = Response<Body>> + Send {
        let path = self.paths.settle(request.uri_mut());
        async move {
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
}
