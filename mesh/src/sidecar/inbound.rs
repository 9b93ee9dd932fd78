//! The inbound side: what comes for the app, over mutual TLS from other sidecars and gateways, or in
//! the clear where that is allowed. It goes to the app as it came, and once unless the plan says otherwise: retries are
//! the caller's.

use std::sync::Arc;

use hoplab_proxy::body::Body;
use hoplab_proxy::forward::Forwarder;
use hoplab_proxy::host::Host;
use hoplab_proxy::load_control::LoadControl;
use hoplab_proxy::policy::deadline;
use hoplab_proxy::server::{Connection, Handler, Refused, Security};
use hoplab_proxy::tasks::Spawner;
use hoplab_proxy::telemetry::Role;
use hoplab_proxy::tls::{ServerTls, SpiffeId};
use hoplab_proxy::upstream::{self, Settings, Succession, Upstream};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Request, Response};

use crate::config::Acceptance;
use crate::plan::Plan;
use crate::sidecar::seed_of;

/// Tells the app who is calling, in Envoy's notation.
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// The inbound side of a sidecar.
pub(super) struct Inbound<H: Host> {
    id: SpiffeId,
    forwarder: Forwarder<H>,
    app: Arc<Upstream<H>>,
    limits: Option<Arc<LoadControl<H>>>,
}

impl<H: Host> Inbound<H> {
    /// The inbound side of `plan`, in which what can be kept of the one `before` is kept.
    pub(super) fn new(
        host: &H,
        spawner: &Spawner<H>,
        plan: &Plan,
        seed: u64,
        (before, succession): (Option<&Self>, &mut Succession<H>),
    ) -> Self {
        let mut limited: Vec<_> = before.and_then(|before| before.limits.clone()).into_iter().collect();
        let mut app = upstream::Config::new(Arc::clone(&plan.service), vec![plan.inbound.app.clone()]);
        app.protocol = plan.inbound.protocol;
        let deadline = plan.deadline.as_ref().and_then(deadline::Config::receiving);
        // Whoever calls decides how long to wait, and goes away; who vanished without a word leaves silence behind.
        app.settings = Settings {
            timeout: None,
            idle_timeout: plan.inbound.idle_timeout,
            deadline,
            limits: plan.inbound.pool,
            ..Settings::default()
        };
        if let Some(retries) = &plan.inbound.retry {
            app.settings = app.settings.retrying(retries.clone());
        }
        Self {
            id: plan.identity.id().clone(),
            forwarder: Forwarder::new(host.clone(), Role::Inbound, seed_of(seed, "inbound")),
            app: succession.upstream(host, spawner, app, seed_of(seed, "app")),
            limits: LoadControl::after(
                &mut limited,
                host.clone(),
                Arc::clone(&plan.service),
                plan.inbound.limits.clone(),
                seed_of(seed, "limits"),
            ),
        }
    }

    /// How the app is called.
    pub(super) fn upstreams(&self) -> Vec<Arc<Upstream<H>>> {
        vec![Arc::clone(&self.app)]
    }

    /// Tells the app who is calling. What the caller itself says of that is not believed.
    fn introduce(&self, caller: Option<&SpiffeId>, headers: &mut HeaderMap) {
        headers.remove(CLIENT_CERTIFICATE);
        let introduction = caller.map(|caller| format!("By={};URI={caller}", self.id));
        if let Some(value) = introduction.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(CLIENT_CERTIFICATE, value);
        }
    }
}

/// How the inbound side of `plan` is secured.
pub(super) fn security<H: Host>(host: &H, plan: &Plan) -> Security {
    let tls = ServerTls::new(host, &plan.identity);
    match plan.inbound.tls {
        Acceptance::Permissive => Security::Permissive(tls),
        Acceptance::Strict => Security::Strict(tls),
    }
}

impl<H: Host> Handler for Inbound<H> {
    fn note_refused(&self, refused: Refused<'_>, connection: &Connection) {
        self.forwarder.note_refused(refused, connection);
    }

    async fn handle(
        self: Arc<Self>,
        mut request: Request<Body>,
        connection: Arc<Connection>,
    ) -> Response<Body> {
        let mut visit = self.forwarder.arrive(&mut request, &connection).await;
        if let Some(limits) = &self.limits
            && let Err(refusal) = visit.pass(limits, request.headers(), &connection).await
        {
            return self.forwarder.turn_away(visit, refusal);
        }
        self.introduce(connection.identity.as_ref(), request.headers_mut());
        self.forwarder.forward(visit, request, &self.app).await
    }
}
