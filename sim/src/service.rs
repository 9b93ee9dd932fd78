//! A service: a real HTTP server in a pod that does what the scenario says its endpoints do.
//!
//! It computes on the pod's cores, sleeps, and calls other services through the same upstream code
//! that the proxies use. Not here: which pods there are and how they reach each other
//! ([`crate::deployment`]).

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use futures_util::stream;
use hoplab_proxy::body::Body;
use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::host::Host;
use hoplab_proxy::server::{self, Connection, Handler};
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::telemetry::{Fault, Owner, TraceContext, TraceFlags, TraceId};
use hoplab_proxy::upstream::Upstream;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;

use crate::activity::{Activity, Answering};
use crate::call::CallKey;
use crate::crowd::Crowd;
use crate::faults::{Faults, Place};
use crate::grpc_health;
use crate::random;
use crate::recorder::Recorder;
use crate::scenario::plan::{Call, EndpointId, OnError, Plan, Step};
use crate::world::SimHost;

/// One pod's service.
pub(crate) struct Service {
    pub(crate) plan: Arc<Plan>,
    pub(crate) place: Place,
    pub(crate) host: SimHost,
    /// How to reach each service, by its index; `None` for those that are never called.
    pub(crate) upstreams: Vec<Option<Arc<Upstream<SimHost>>>>,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    /// Who comes, where too many are too much.
    pub(crate) crowd: Option<Crowd>,
    /// Requests that came without a key: health checks.
    pub(crate) unkeyed: AtomicU64,
}

impl Handler for Service {
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        self.answer(request).await
    }
}

/// Why an endpoint answers with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal(StatusCode);

impl Service {
    /// Serves in its pod, until the pod crashes, or `shutdown` completes and what was begun is done. `tasks` hold
    /// what the service starts.
    pub(crate) async fn serve(
        self: Arc<Self>,
        tasks: Tasks,
        address: SocketAddr,
        shutdown: impl Future<Output = ()>,
    ) {
        let listener = self.host.bind(address).await.expect("a pod's ports are free when it starts");
        let spawner = tasks.spawner(self.host.clone());
        let settings = server::Settings { connections_max: u32::MAX >> 4, ..server::Settings::default() };
        server::serve(self.host.clone(), spawner, listener, self, settings, shutdown).await;
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let context = TraceContext::read(request.headers());
        let trace = context.map_or(TraceId(1), |context| context.trace);
        let key = CallKey::read(request.headers()).unwrap_or_else(|| self.unkeyed());
        let mut answering = Answering::start(self.host.clone(), trace, context.map(|context| context.parent));
        answering.activity.exchange.flags = context.map_or(TraceFlags::NONE, |context| context.flags);
        answering.activity.doing(Owner::Downstream);
        let (head, mut body) = request.into_parts();
        while let Some(Ok(_)) = body.frame().await {}
        let endpoint = self.plan.services[self.place.service]
            .endpoints
            .iter()
            .position(|endpoint| endpoint.method == head.method && endpoint.path == head.uri.path());
        let answer = match endpoint {
            Some(endpoint) => self.perform(&mut answering.activity, endpoint, key).await.map(zeros),
            None if grpc_health::asks(&head) => self.fail(usize::MAX, key).map(|()| grpc_health::serving()),
            None => Err(Refusal(StatusCode::NOT_FOUND)),
        };
        let response = answer.unwrap_or_else(|Refusal(status)| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        });
        answering.answered(response.status().as_u16());
        response
    }

    /// A key for a request that no load sent, so that each such request meets draws of its own.
    fn unkeyed(&self) -> CallKey {
        let pod = CallKey::root(usize::MAX, self.place.service as u64).child(self.place.replica.into());
        pod.child(self.unkeyed.fetch_add(1, Ordering::Relaxed))
    }

    /// Fails if a fault says so.
    fn fail(&self, endpoint: usize, key: CallKey) -> Result<(), Refusal> {
        let status = self.faults.error(self.place, endpoint, key);
        let status =
            status.map(|status| StatusCode::from_u16(status).expect("the plan's statuses are valid"));
        status.map_or(Ok(()), |status| Err(Refusal(status)))
    }

    /// Does what the endpoint does; the number of bytes to answer with.
    async fn perform(&self, activity: &mut Activity, endpoint: usize, key: CallKey) -> Result<u64, Refusal> {
        self.fail(endpoint, key)?;
        if let Some(crowd) = &self.crowd {
            crowd.joined(self.host.now());
        }
        let service = &self.plan.services[self.place.service];
        let endpoint = &service.endpoints[endpoint];
        let works = matches!(endpoint.steps.first(), Some(Step::Work(_)));
        let full = service.queue.is_some_and(|most| self.host.queue_length() >= most as usize);
        if works && full && !self.host.has_free_core() {
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE));
        }
        self.steps(activity, &endpoint.steps, key).await?;
        Ok(endpoint.response)
    }

    async fn steps(&self, activity: &mut Activity, steps: &[Step], key: CallKey) -> Result<(), Refusal> {
        for (place, step) in steps.iter().enumerate() {
            self.step(activity, step, key.child(place as u64)).await?;
        }
        Ok(())
    }

    /// Boxed, because parallel steps contain steps.
    fn step<'a>(
        &'a self,
        activity: &'a mut Activity,
        step: &'a Step,
        key: CallKey,
    ) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>> {
        Box::pin(async move {
            match step {
                Step::Work(duration) => {
                    let duration = duration.sample(&mut random::stream(self.plan.seed, "work", key.0, 0));
                    let crowded = self.crowd.as_ref().map_or(1.0, |crowd| crowd.times(self.host.now()));
                    let duration = duration.mul_f64(self.faults.slowdown(self.place) * crowded);
                    activity.doing(Owner::Queue);
                    let worked = self.host.occupy(duration).await;
                    activity.exchange.worked(worked, self.host.now());
                    Ok(())
                }
                Step::Sleep(duration) => {
                    let duration = duration.sample(&mut random::stream(self.plan.seed, "sleep", key.0, 0));
                    activity.doing(Owner::Delay);
                    self.host.sleep_until(self.host.now() + duration).await;
                    activity.settle();
                    Ok(())
                }
                Step::Call(call) => self.calls(activity, call, key).await,
                Step::All { branches, at_most } => self.all(activity, branches, *at_most, key).await,
            }
        })
    }

    /// Runs all branches, at most so many at a time, and waits for every one even when one fails.
    async fn all(
        &self,
        activity: &mut Activity,
        branches: &[Step],
        at_most: usize,
        key: CallKey,
    ) -> Result<(), Refusal> {
        activity.settle();
        let places = branches.iter().zip(0..);
        let branches: Vec<_> =
            places.map(|(step, place)| self.branch(activity, step, key.child(place))).collect();
        let outcome = stream::iter(branches)
            .buffer_unordered(at_most)
            .fold(Ok(()), |all: Result<(), Refusal>, one| std::future::ready(all.and(one)))
            .await;
        activity.settle();
        outcome
    }

    async fn branch(&self, parent: &Activity, step: &Step, key: CallKey) -> Result<(), Refusal> {
        let mut branch = parent.branch();
        self.step(&mut branch.activity, step, key).await
    }

    async fn calls(&self, activity: &mut Activity, call: &Call, key: CallKey) -> Result<(), Refusal> {
        for time in 0..call.times {
            let key = key.child(u64::from(time));
            let drawn = random::happens(&mut random::stream(self.plan.seed, "chance", key.0, 0), call.chance);
            if drawn && !self.call(activity, call, key).await && call.on_error == OnError::Fail {
                return Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR));
            }
        }
        Ok(())
    }

    /// Makes one call; whether it was answered below 400.
    async fn call(&self, activity: &mut Activity, call: &Call, key: CallKey) -> bool {
        let callee = call.target.service.0;
        let upstream = self.upstreams[callee].as_ref().expect("whatever is called has an upstream");
        self.recorder.called(activity.exchange.trace, Some(self.place.service), callee);
        activity.settle();
        activity.exchange.deadline = call.timeout.map(|timeout| self.host.now() + timeout);
        let request = request(&self.plan, call.target, call.request, key);
        let answered = exchange(upstream, &mut activity.exchange, request).await;
        activity.settle();
        answered.is_ok_and(|status| status < 400)
    }
}

/// Sends `request` and reads its answer to the end. The time since the last mark is for the caller to give.
pub(crate) async fn exchange(
    upstream: &Arc<Upstream<SimHost>>,
    exchange: &mut Exchange,
    request: Request<Body>,
) -> Result<u16, Fault> {
    let response = upstream.send(exchange, request).await?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(status)
}

/// The request for an endpoint, as every caller sends it.
pub(crate) fn request(plan: &Plan, target: EndpointId, bytes: u64, key: CallKey) -> Request<Body> {
    let service = &plan.services[target.service.0];
    let endpoint = &service.endpoints[target.endpoint];
    let mut request = Request::new(Body::from(zero_bytes(bytes)));
    *request.method_mut() = endpoint.method.clone();
    *request.uri_mut() = endpoint.path.parse().expect("the plan's paths are valid");
    let host = HeaderValue::from_str(&service.name).expect("the plan's names are DNS labels");
    request.headers_mut().insert(header::HOST, host);
    key.write(request.headers_mut());
    request
}

fn zeros(bytes: u64) -> Response<Body> {
    Response::new(Body::from(zero_bytes(bytes)))
}

/// `bytes` zeros, shared as far as they are few.
fn zero_bytes(bytes: u64) -> bytes::Bytes {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    match ZEROS.get(..bytes as usize) {
        Some(zeros) => bytes::Bytes::from_static(zeros),
        None => bytes::Bytes::from(vec![0; bytes as usize]),
    }
}
