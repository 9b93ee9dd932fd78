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
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use hoplab_proxy::body::Body;
use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::grpc;
use hoplab_proxy::host::{Host, Instant};
use hoplab_proxy::policy::deadline::{self, Deadline};
use hoplab_proxy::server::{self, Connection, Handler};
use hoplab_proxy::tasks::{Spawner, Tasks};
use hoplab_proxy::telemetry::{Fault, Owner, TraceContext, TraceFlags, TraceId};
use hoplab_proxy::upstream::Upstream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use crate::activity::{Activity, Answering};
use crate::awaited::{Awaited, Waiter};
use crate::call::CallKey;
use crate::crowd::Crowd;
use crate::faults::Faults;
use crate::grpc_health;
use crate::grpc_message;
use crate::pods::Place;
use crate::random;
use crate::recorder::Recorder;
use crate::scenario::plan::{
    Call, DeadlineUse, EndpointId, FaultKind, OnCancel, OnError, Once, Plan, Protocol, ServiceId, Step,
};
use crate::session;
use crate::world::{Full, SimHost};
use crate::zeros;

/// One pod's service.
pub(crate) struct Service {
    pub(crate) plan: Arc<Plan>,
    pub(crate) place: Place,
    pub(crate) host: SimHost,
    /// How to reach each service, by its index; `None` for those that are never called.
    pub(crate) upstreams: Vec<Option<Arc<Upstream<SimHost>>>>,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) awaited: Awaited,
    /// Starts what goes on without its caller.
    pub(crate) spawner: Spawner<SimHost>,
    /// Who comes, where too many are too much.
    pub(crate) crowd: Option<Crowd>,
    /// Requests that came without a key: health checks.
    pub(crate) unkeyed: AtomicU64,
}

impl Handler for Service {
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        let waiter = self.awaited.answer(CallKey::of_call(request.headers()), self.host.now());
        let _leaves = Leaves { host: self.host.clone(), waiter: Arc::clone(&waiter) };
        match self.plan.services[self.place.service].on_cancel {
            OnCancel::Stop => self.answer(request, waiter).await,
            OnCancel::Continue => {
                let (tell, told) = oneshot::channel();
                let service = Arc::clone(&self);
                self.spawner.spawn(async move {
                    // Nobody may be there any more to hear it.
                    let _ = tell.send(service.answer(request, waiter).await);
                });
                told.await.unwrap_or_else(|_| self.refusal(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }
}

/// Notes that the caller has gone away, or has its answer, when it is dropped.
struct Leaves {
    host: SimHost,
    waiter: Arc<Waiter>,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.waiter.leaves(self.host.now());
    }
}

/// Notes how long a core was occupied, when it is dropped.
struct Working<'a> {
    service: &'a Service,
    waiter: Arc<Waiter>,
    started: Instant,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let Service { recorder, place, host, .. } = self.service;
        recorder.worked(place.service, self.started, host.now(), &self.waiter);
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
        let settings = self.settings();
        server::serve(self.host.clone(), spawner, listener, self, settings, shutdown).await;
    }

    /// What its server is told.
    fn settings(&self) -> server::Settings {
        let mut settings = server::Settings { connections_max: u32::MAX >> 4, ..server::Settings::default() };
        let service = &self.plan.services[self.place.service];
        let pod = random::join(random::key(&service.name), self.place.replica.into());
        let seed = random::join(random::join(self.plan.seed, random::key("connection age")), pod);
        settings.keep(service.keep_alive, service.max_connection_age);
        if let Some(age) = &mut settings.age {
            age.seed = seed;
        }
        settings
    }

    async fn answer(&self, request: Request<Body>, waiter: Arc<Waiter>) -> Response<Body> {
        let context = TraceContext::read(request.headers());
        let trace = context.map_or(TraceId(1), |context| context.trace);
        let key = CallKey::read(request.headers()).unwrap_or_else(|| self.unkeyed());
        let call = CallKey::of_call(request.headers());
        let parent = context.map(|context| context.parent);
        let mut answering = Answering::start(self.host.clone(), trace, parent, waiter);
        answering.activity.exchange.flags = context.map_or(TraceFlags::NONE, |context| context.flags);
        answering.activity.session = session::read(request.headers());
        answering.activity.doing(Owner::Downstream);
        let deadline = self.deadline(request.headers());
        let (head, mut body) = request.into_parts();
        while let Some(Ok(_)) = body.frame().await {}
        let endpoint = self.plan.services[self.place.service]
            .endpoints
            .iter()
            .position(|endpoint| endpoint.method == head.method && endpoint.path == head.uri.path());
        let answer = match endpoint {
            Some(endpoint) => match deadline {
                Ok(deadline) => self
                    .in_time(&mut answering.activity, endpoint, key, deadline)
                    .await
                    .map(|bytes| self.answer_of(bytes)),
                Err(refusal) => Err(refusal),
            },
            None if grpc_health::asks(&head) => self.fail(usize::MAX, key).map(|()| grpc_health::serving()),
            None => Err(self.nothing_there()),
        };
        if let (Ok(_), Some(endpoint), Some(call)) = (&answer, endpoint, call) {
            self.completed(endpoint, call, trace);
        }
        let status = answer.as_ref().map_or_else(|Refusal(status)| *status, Response::status);
        answering.answered(status.as_u16());
        answer.unwrap_or_else(|Refusal(status)| self.refusal(status))
    }

    fn protocol(&self) -> Protocol {
        self.plan.services[self.place.service].protocol
    }

    fn answer_of(&self, bytes: u64) -> Response<Body> {
        match self.protocol() {
            Protocol::Http1 | Protocol::Http2 => Response::new(zeros::body(bytes)),
            Protocol::Grpc => grpc_message::answer(bytes),
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Body> {
        match self.protocol() {
            Protocol::Http1 | Protocol::Http2 => refusal(status),
            Protocol::Grpc => grpc_message::failure(status),
        }
    }

    /// How it answers what none of its endpoints does.
    fn nothing_there(&self) -> Refusal {
        Refusal(match self.protocol() {
            Protocol::Http1 | Protocol::Http2 => StatusCode::NOT_FOUND,
            Protocol::Grpc => StatusCode::NOT_IMPLEMENTED,
        })
    }

    /// Notes that an endpoint has completed its steps for a logical call, on behalf of a client's request, where that
    /// may happen only once.
    fn completed(&self, endpoint: usize, call: CallKey, request: TraceId) {
        let service = self.place.service;
        let of = match self.plan.services[service].endpoints[endpoint].once {
            Once::Never => return,
            Once::Call => call,
            Once::Request => CallKey::of_request(request),
        };
        let id = EndpointId { service: ServiceId(service), endpoint };
        self.recorder.completed(id, of, self.host.now());
    }

    /// When a request must be done, if the service heeds what it says.
    fn deadline(&self, headers: &HeaderMap) -> Result<Option<Instant>, Refusal> {
        if self.plan.services[self.place.service].deadline == DeadlineUse::Ignore {
            return Ok(None);
        }
        let fields = || vec![deadline::Field::grpc()];
        let config =
            deadline::Config { read: fields(), write: fields(), reserve: Duration::ZERO, own: false };
        let now = self.host.now();
        let read = Deadline::new(config).read(headers, now, now, || self.host.wall());
        read.map_err(|_| Refusal(StatusCode::BAD_REQUEST))
    }

    /// As [`Service::perform`], as long as there is time: what is too late is not begun, and what becomes too late is
    /// given up, unless the service goes on whatever happens.
    async fn in_time(
        &self,
        activity: &mut Activity,
        endpoint: usize,
        key: CallKey,
        deadline: Option<Instant>,
    ) -> Result<u64, Refusal> {
        let late = Err(Refusal(StatusCode::GATEWAY_TIMEOUT));
        let Some(deadline) = deadline else { return self.perform(activity, endpoint, key).await };
        if self.host.now() >= deadline {
            return late;
        }
        activity.deadline = Some(deadline);
        if self.plan.services[self.place.service].on_cancel == OnCancel::Continue {
            return self.perform(activity, endpoint, key).await;
        }
        tokio::select! {
            biased;
            performed = self.perform(activity, endpoint, key) => performed,
            () = self.host.sleep_until(deadline) => late,
        }
    }

    /// A key for a request that no load sent, so that each such request meets draws of its own.
    fn unkeyed(&self) -> CallKey {
        let pod = CallKey::root(usize::MAX, self.place.service as u64).child(self.place.replica.into());
        pod.child(self.unkeyed.fetch_add(1, Ordering::Relaxed))
    }

    /// Fails if a fault says so.
    fn fail(&self, endpoint: usize, key: CallKey) -> Result<(), Refusal> {
        for (index, fault) in self.plan.faults.iter().enumerate() {
            if let FaultKind::Error(error) = &fault.kind
                && self.faults.is_on(index)
                && error.fails(self.plan.seed, index, self.place, endpoint, key)
            {
                self.faults.hit(index, 1);
                let status = StatusCode::from_u16(error.status).expect("the plan's statuses are valid");
                return Err(Refusal(status));
            }
        }
        Ok(())
    }

    /// Does what the endpoint does; the number of bytes to answer with.
    async fn perform(&self, activity: &mut Activity, endpoint: usize, key: CallKey) -> Result<u64, Refusal> {
        self.fail(endpoint, key)?;
        if let Some(crowd) = &self.crowd
            && let Some(until) = crowd.joined(self.host.now())
        {
            self.host.crowd(crowd.times(), until);
        }
        let endpoint = &self.plan.services[self.place.service].endpoints[endpoint];
        self.steps(activity, &endpoint.steps, key).await?;
        Ok(endpoint.response.draw(|| random::stream(self.plan.seed, "response", key.0, 0)))
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
                    let work = duration.sample(&mut random::stream(self.plan.seed, "work", key.0, 0));
                    self.work(activity, work).await
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

    /// Works on a core, unless as many requests wait for one as may.
    async fn work(&self, activity: &mut Activity, work: Duration) -> Result<(), Refusal> {
        activity.doing(Owner::Queue);
        let waiter = Arc::clone(&activity.waiter);
        let queue = self.plan.services[self.place.service].queue;
        let began = |started| {
            activity.doing(Owner::Cpu);
            Working { service: self, waiter, started }
        };
        let worked = self.host.occupy(work, queue, began).await;
        activity.settle();
        worked.map_err(|Full| Refusal(StatusCode::SERVICE_UNAVAILABLE))
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
        let limit = call.timeout.map(|timeout| self.host.now() + timeout);
        let deadline = [limit, activity.deadline].into_iter().flatten().min();
        activity.exchange.deadline = deadline;
        activity.exchange.told = match self.plan.services[self.place.service].deadline {
            DeadlineUse::Forward => deadline,
            DeadlineUse::Ignore => limit.filter(|_| call.send_deadline),
        };
        let _call = self.awaited.call(key, &activity.waiter);
        let bytes = call.request.draw(|| random::stream(self.plan.seed, "request", key.0, 0));
        let mut request = request(&self.plan, call.target, bytes, key);
        session::write(activity.session.as_ref(), request.headers_mut());
        let answered = exchange(upstream, &mut activity.exchange, request).await;
        activity.settle();
        answered.is_ok_and(|status| status < 400)
    }
}

/// Sends `request` and reads its answer to the end; the status that it amounts to. The time since the last mark is for the caller to give.
pub(crate) async fn exchange(
    upstream: &Arc<Upstream<SimHost>>,
    exchange: &mut Exchange,
    request: Request<Body>,
) -> Result<u16, Fault> {
    let is_grpc = grpc::is_grpc(request.headers());
    let (head, mut body) = upstream.send(exchange, request).await?.into_parts();
    let mut said = head.headers.get(grpc::STATUS).cloned();
    while let Some(frame) = body.frame().await {
        if let Ok(trailers) = frame?.into_trailers() {
            said = trailers.get(grpc::STATUS).cloned().or(said);
        }
    }
    let status = if is_grpc { grpc_message::outcome(head.status, said.as_ref()) } else { head.status };
    Ok(status.as_u16())
}

/// The request for an endpoint, as every caller sends it.
pub(crate) fn request(plan: &Plan, target: EndpointId, bytes: u64, key: CallKey) -> Request<Body> {
    let service = &plan.services[target.service.0];
    let endpoint = &service.endpoints[target.endpoint];
    let mut request = match service.protocol {
        Protocol::Http1 | Protocol::Http2 => Request::new(zeros::body(bytes)),
        Protocol::Grpc => grpc_message::call(bytes),
    };
    *request.method_mut() = endpoint.method.clone();
    *request.uri_mut() = endpoint.path.parse().expect("the plan's paths are valid");
    let host = HeaderValue::from_str(&service.name).expect("the plan's names are DNS labels");
    request.headers_mut().insert(header::HOST, host);
    key.write(request.headers_mut());
    request
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
