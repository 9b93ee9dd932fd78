//! The bench that the tests work at: apps, sidecars and clients on the loopback interface. Owns every
//! task that a test starts, so that nothing outlives it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hoplab_mesh::plan::Plan;
use hoplab_mesh::sidecar::Sidecar;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::server::{self, Connection, Handler, Security, Settings};
use hoplab_proxy::tasks::{Spawner, Tasks};
use hoplab_proxy::telemetry::{Observer, Report, Role, Span};
use hoplab_proxy::tls::{Authority, Identity, SpiffeId};
use hoplab_proxy::upstream::{self, Policies};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Everything that a test starts.
pub(crate) struct Bench {
    pub(crate) host: Live,
    reports: Arc<Mutex<Vec<Report>>>,
    authority: Authority,
    tasks: Tasks,
}

struct Ear(Arc<Mutex<Vec<Report>>>);

impl Observer for Ear {
    fn observe(&self, report: Report) {
        self.0.lock().unwrap().push(report);
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let reports = Arc::default();
        let host = Live::new(Ear(Arc::clone(&reports)));
        let authority = Authority::new(1, "hoplab".parse().unwrap(), host.wall());
        Self { host, reports, authority, tasks: Tasks::default() }
    }

    /// Spawns what ends with the bench.
    pub(crate) fn spawner(&self) -> Spawner<Live> {
        self.tasks.spawner(self.host.clone())
    }

    /// The name and the credentials of a pod of `service`.
    pub(crate) fn identity(&self, service: &str) -> Identity {
        let id = SpiffeId::of_service(self.authority.trust_domain(), service).unwrap();
        Identity::from_pem(&self.authority.issue(&id, service, self.host.wall())).unwrap()
    }

    /// The same name, vouched for by an authority that nobody here trusts; itself it trusts the mesh's.
    pub(crate) fn stranger(&self, service: &str) -> Identity {
        let domain = self.authority.trust_domain().clone();
        let id = SpiffeId::of_service(&domain, service).unwrap();
        let mut credentials =
            Authority::new(2, domain, self.host.wall()).issue(&id, service, self.host.wall());
        self.authority.certificate().clone_into(&mut credentials.authorities);
        Identity::from_pem(&credentials).unwrap()
    }

    /// A server on a port of its own.
    pub(crate) async fn server(&self, security: Security, handler: impl Handler) -> SocketAddr {
        let listener = self.host.bind(ANY_PORT).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (host, spawner) = (self.host.clone(), self.tasks.spawner(self.host.clone()));
        let settings = Settings { security, ..Settings::default() };
        self.tasks.spawner(self.host.clone()).spawn(async move {
            server::serve(host, spawner, listener, Arc::new(handler), settings, std::future::pending()).await;
        });
        address
    }

    /// An app on a port of its own.
    pub(crate) async fn app(&self, handler: impl Handler) -> SocketAddr {
        self.server(Security::Plain, handler).await
    }

    /// A sidecar's plan for a pod of `service`, on ports of its own.
    pub(crate) fn plan(&self, service: &str) -> Plan {
        let mut plan = Plan::new(service, self.identity(service));
        plan.inbound.listen = ANY_PORT;
        plan.outbound = ANY_PORT;
        plan
    }

    /// A running sidecar before `app`, for a pod of `service`.
    pub(crate) async fn before(&self, service: &str, app: SocketAddr) -> Pod {
        let mut plan = self.plan(service);
        plan.inbound.app = app.into();
        self.pod(plan).await
    }

    /// A running sidecar for a pod of `frontend`, which calls `payment` at `endpoints`.
    pub(crate) async fn calling(&self, endpoints: &[SocketAddr], settings: upstream::Settings) -> Pod {
        let endpoints = endpoints.iter().copied().map(|address| Endpoint::from(address).into()).collect();
        let mut plan = self.plan("frontend");
        plan.service("payment", endpoints, settings).unwrap();
        self.pod(plan).await
    }

    /// A running sidecar.
    pub(crate) async fn pod(&self, plan: Plan) -> Pod {
        let sidecar = Sidecar::bind(self.host.clone(), plan, 7).await.unwrap();
        let (inbound, outbound) = (sidecar.inbound_address().unwrap(), sidecar.outbound_address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let (tell, done) = oneshot::channel();
        let tasks = Tasks::default();
        tasks.spawner(self.host.clone()).spawn(async move {
            sidecar.serve(async { drop(stopped.await) }).await;
            let _ = tell.send(());
        });
        Pod { inbound, outbound, stop: Some(stop), done, tasks }
    }

    /// Who speaks HTTP/1.1 to `address`, in the clear.
    pub(crate) async fn client(&self, address: SocketAddr) -> Client {
        let stream = TokioIo::new(self.host.connect(&address.into()).await.unwrap());
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        self.tasks.spawner(self.host.clone()).spawn(async move { drop(connection.await) });
        Client(sender)
    }

    /// Who speaks HTTP/2 to `address`, in the clear.
    pub(crate) async fn client2(&self, address: SocketAddr) -> http2::SendRequest<Body> {
        let stream = TokioIo::new(self.host.connect(&address.into()).await.unwrap());
        let spawner = self.tasks.spawner(self.host.clone());
        let (sender, connection) = http2::handshake(spawner.clone(), stream).await.unwrap();
        spawner.spawn(async move { drop(connection.await) });
        sender
    }

    /// The spans of `role` so far.
    pub(crate) fn spans(&self, role: Role) -> Vec<Span> {
        let reports = self.reports.lock().unwrap();
        let spans = reports.iter().filter_map(|report| match report {
            Report::Span(span) if span.role == role => Some(span.clone()),
            Report::Panicked => panic!("a task panicked"),
            _ => None,
        });
        spans.collect()
    }
}

/// A running sidecar.
pub(crate) struct Pod {
    pub(crate) inbound: SocketAddr,
    pub(crate) outbound: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    done: oneshot::Receiver<()>,
    #[expect(dead_code, reason = "dropping it ends the sidecar")]
    tasks: Tasks,
}

impl Pod {
    /// Tells the sidecar to come to an end.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the sidecar has come to its end.
    pub(crate) async fn ended(&mut self) {
        (&mut self.done).await.unwrap();
    }
}

/// An HTTP/1.1 connection.
pub(crate) struct Client(http1::SendRequest<Body>);

impl Client {
    pub(crate) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        self.0.ready().await?;
        self.0.send_request(request).await
    }
}

/// `POST /charge` to `host`, with these header fields.
pub(crate) fn post(host: &str, fields: &[(&str, &str)], body: Body) -> Request<Body> {
    let request = Request::post("/charge?times=2").header("host", host);
    fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(body).unwrap()
}

/// Answers with the request's content, and each of its header fields as `echo-NAME`.
pub(crate) struct Echo;

impl Handler for Echo {
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut response = Response::new(body);
        for (name, value) in &head.headers {
            let name = http::HeaderName::try_from(format!("echo-{name}")).unwrap();
            response.headers_mut().append(name, value.clone());
        }
        let target = format!("{} {}", head.method, head.uri);
        response.headers_mut().insert("echo-target", target.parse().unwrap());
        response
    }
}

/// What policies mean that are written as in a file.
pub(crate) fn settings(text: &str) -> upstream::Settings {
    hoplab_config::read::<Policies>("test.toml", text).unwrap().resolve().unwrap()
}
