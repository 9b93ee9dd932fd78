//! A request's life at a proxy, in its order: [`Forwarder::arrive`] (trace, work) → the product
//! chooses an upstream → [`Forwarder::forward`] (header fields, attempts, the answer) → the answer's
//! content, which reports the span with its last byte. What does not get that far is answered by
//! [`Forwarder::refuse`]. Gateway and sidecars are the same here, but for their role.

mod visit;

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, PROXY_AUTHORIZATION, RETRY_AFTER, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, response};

use crate::body::Body;
use crate::exchange::Exchange;
use crate::forwarded::Edge;
use crate::framing;
use crate::grpc;
use crate::headers::{self, Via};
use crate::host::{Host, Work};
use crate::load_control::Refusal;
use crate::message;
use crate::server::{Connection, Refused};
use crate::telemetry::trace::TRACESTATE;
use crate::telemetry::{Facts, Fault, Interest, Outcome, Report, Role, SpanIds, TraceContext, TraceFlags};
use crate::upgrade::Upgrade;
use crate::upstream::Upstream;

pub use visit::Visit;
use visit::{Counted, Meter};

/// Methods that this proxy passes on; it says so when it is asked itself.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
    Method::TRACE,
];

/// How many fields most requests are given on their way through, so that there is room for them at once: who the client
/// is, what it spoke, `Via`, and the trace.
const FIELDS_ADDED: usize = 4;

/// Fields that could be used against the caller if they were repeated (RFC 9110, 9.3.8).
const SECRETS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// Marks an answer of a proxy that had too much to do, by Envoy's name.
const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// Passes requests on to upstreams.
pub struct Forwarder<H: Host> {
    host: H,
    role: Role,
    via: Via,
    ids: SpanIds,
    /// What becomes of what requests claim of where they come from; nothing where this is no edge.
    edge: Option<Edge>,
}

impl<H: Host> Forwarder<H> {
    /// A forwarder for a proxy of this role. `seed` decides on the ids of traces that begin here. A gateway is an edge
    /// at which nobody is trusted.
    pub fn new(host: H, role: Role, seed: u64) -> Self {
        let edge = (role == Role::Gateway).then(Edge::default);
        Self { host, role, via: Via::new(pseudonym(role)), ids: SpanIds::new(seed), edge }
    }

    /// The same at an edge that believes what `edge` says.
    #[must_use]
    pub fn at(self, edge: Edge) -> Self {
        Self { edge: Some(edge), ..self }
    }

    /// Takes in a request: from here on its time is measured, and what it costs is paid. At an edge, what it claims of
    /// where it comes from is settled before anything goes by it.
    pub fn arrive(
        &self,
        request: &mut Request<Body>,
        connection: &Connection,
    ) -> impl Future<Output = Visit<H>> + Send + use<H> {
        request.headers_mut().reserve(FIELDS_ADDED);
        let context = TraceContext::read(request.headers());
        let mut exchange = Exchange::of(context, &self.ids, self.host.now());
        if context.is_none() && self.host.wants(Interest::Traces) {
            exchange.flags = TraceFlags::SAMPLED;
        }
        let peer = connection.peer.ip();
        let settle = |edge: &Edge| edge.settle(request.headers_mut(), connection);
        exchange.caller = connection.number;
        exchange.source = Some(self.edge.as_ref().map_or(peer, settle));
        exchange.interim = request.extensions().get().cloned().or_else(|| connection.interim());
        exchange.upgrade = request.extensions().get().cloned();
        self.note(&mut exchange, request, connection);
        let bytes = request.body().exact_length().unwrap_or(0);
        let grpc = grpc::is_grpc(request.headers());
        let mut visit = Visit::new(self.host.clone(), self.role, exchange, connection, grpc);
        async move {
            visit.work(Work { requests: 1, bytes, ..Work::default() }).await;
            visit
        }
    }

    /// Notes and reports of a request that arrives what somebody wants to know.
    fn note(&self, exchange: &mut Exchange, request: &Request<Body>, connection: &Connection) {
        if self.host.wants(Interest::Arrivals) {
            self.host.report(Report::Arrived(self.role));
        }
        if self.host.wants(Interest::Facts) {
            let sampled = exchange.flags.is_sampled();
            let client = exchange.source.unwrap_or(connection.peer.ip());
            let mut facts = Facts::of(request, connection.peer, client, sampled, self.host.wall());
            facts.identity = connection.identity.as_ref().map(|id| id.as_str().into());
            exchange.facts = Some(Box::new(facts));
        }
    }

    /// Sends `request` to `upstream` and hands on its answer, or the answer that says why there is none.
    pub fn forward(
        &self,
        mut visit: Visit<H>,
        request: Request<Body>,
        upstream: &Arc<Upstream<H>>,
    ) -> impl Future<Output = Response<Body>> + Send {
        let (mut head, body) = request.into_parts();
        async move {
            if let Err(refusal) = headers::settle_demands(&mut head.headers) {
                let answer = refusal.answer_to(&head.headers);
                return visit.answer(Outcome::Failed(Fault::Malformed), self.dated(answer));
            }
            if headers::is_last_hop(&head.method, &mut head.headers) {
                let answer = self.answer_as_last_hop(&head);
                return visit.answer(Outcome::Answered(answer.status().as_u16()), answer);
            }
            self.dress_request(&mut head, &mut visit);
            visit.goes_to(upstream.name());
            let body = visit.limit(body);
            let body = visit.meter_request(body, upstream.is_secure()).await;
            if let Some(upgrade) = visit.exchange().upgrade.clone() {
                // Boxed, since it is rare: the future of every request would hold the room for it.
                return Box::pin(self.forward_upgrade(visit, &head, body, &upgrade, upstream)).await;
            }
            match upstream.send_parts(visit.exchange(), &head, body).await {
                Ok(answer) => self.hand_on(visit, answer, upstream).await,
                Err(fault) => self.refuse_as(visit, fault, upstream.status_of(fault)),
            }
        }
    }

    /// Sends a request for another protocol to `upstream`, and connects the two where that consents.
    async fn forward_upgrade(
        &self,
        mut visit: Visit<H>,
        head: &Parts,
        body: Body,
        upgrade: &Upgrade,
        upstream: &Arc<Upstream<H>>,
    ) -> Response<Body> {
        upgrade.put_content(visit.meter_request(upgrade.take_content(), upstream.is_secure()).await);
        let answer = match upstream.send_parts(visit.exchange(), head, body).await {
            Ok(answer) => answer,
            Err(fault) => return self.refuse_as(visit, fault, upstream.status_of(fault)),
        };
        match headers::value(answer.headers(), &UPGRADE).map(|agreed| HeaderValue::from_bytes(&agreed)) {
            Some(Ok(agreed)) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let (mut head, told) = answer.into_parts();
                self.dress_answer(&mut head);
                upgrade.tell(&mut head, agreed);
                visit.answers(head.status, 0);
                let meter = Meter::of(&visit, upstream.is_secure());
                self.dated(Response::from_parts(head, visit.tunnel(told, meter)))
            }
            // Over HTTP/2, any 2xx would be consent, and the answer's content the other protocol.
            _ if answer.status().is_success() && upgrade.is_by_http2() => {
                drop(answer);
                let fault = Fault::UpgradeUnsupported;
                self.refuse_as(visit, fault, upstream.status_of(fault))
            }
            _ => self.hand_on(visit, answer, upstream).await,
        }
    }

    /// Takes note of a request that was refused while it was read, with what is known of it.
    pub fn note_refused(&self, refused: Refused<'_>, connection: &Connection) {
        let context = refused.head.and_then(|head| TraceContext::read(&head.headers));
        let mut exchange = Exchange::of(context, &self.ids, self.host.now());
        if self.host.wants(Interest::Arrivals) {
            self.host.report(Report::Arrived(self.role));
        }
        if self.host.wants(Interest::Facts) {
            let mut facts = Facts::refused(refused.head, connection.peer, self.host.wall());
            facts.status = Some(refused.status);
            exchange.facts = Some(Box::new(facts));
        }
        let is_late = refused.status == StatusCode::REQUEST_TIMEOUT;
        let fault = if is_late { Fault::RequestTimeout } else { Fault::Malformed };
        let span = exchange.into_span(self.role, Outcome::Failed(fault), self.host.now());
        self.host.report(Report::Span(span));
    }

    /// Answers in place of an upstream: there was none, or it did not answer.
    pub fn refuse(&self, visit: Visit<H>, fault: Fault) -> Response<Body> {
        self.refuse_as(visit, fault, fault.status())
    }

    fn refuse_as(&self, visit: Visit<H>, fault: Fault, status: StatusCode) -> Response<Body> {
        let mut answer = if visit.is_grpc() {
            grpc::answer(fault.grpc_status(), &fault.to_string())
        } else {
            message::plain(status, &fault.to_string())
        };
        if fault.is_overload() {
            answer.headers_mut().insert(OVERLOADED, HeaderValue::from_static("true"));
        }
        visit.answer(Outcome::Failed(fault), self.dated(answer))
    }

    /// Answers that load control has refused the request.
    pub fn turn_away(&self, visit: Visit<H>, refusal: Refusal) -> Response<Body> {
        let mut answer = self.refuse(visit, refusal.fault);
        if let Some(after) = refusal.retry_after {
            // Whole seconds (RFC 9110, 10.2.3); sooner would be in vain.
            let seconds = after.as_nanos().div_ceil(1_000_000_000).max(1) as u64;
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }

    /// Answers that the request asks for what this proxy does not do.
    pub fn decline(&self, visit: Visit<H>, answer: Response<Body>) -> Response<Body> {
        let outcome = Outcome::Answered(answer.status().as_u16());
        visit.answer(outcome, self.dated(answer))
    }

    fn dress_request(&self, head: &mut Parts, visit: &mut Visit<H>) {
        headers::strip_hop_by_hop(&mut head.headers);
        self.via.add(&mut head.headers, head.version);
        if visit.exchange().parent.is_none() {
            head.headers.remove(TRACESTATE);
        }
    }

    fn dress_answer(&self, head: &mut response::Parts) {
        headers::strip_hop_by_hop(&mut head.headers);
        framing::settle_head(head.status, &mut head.headers);
        self.via.add(&mut head.headers, head.version);
        head.version = Version::default();
    }

    /// Hands on an upstream's answer; its content pays and is measured as it passes.
    fn hand_on(
        &self,
        mut visit: Visit<H>,
        answer: Response<Body>,
        upstream: &Upstream<H>,
    ) -> impl Future<Output = Response<Body>> + Send {
        let (mut head, body) = answer.into_parts();
        self.dress_answer(&mut head);
        let amounts_to = grpc::amounts_to(head.status, head.headers.get(grpc::STATUS));
        visit.answers(head.status, 0);
        let meter = Meter::of(&visit, upstream.is_secure());
        async move {
            if let Some(bytes) = body.exact_length().filter(|bytes| *bytes > 0) {
                visit.work(meter.work(bytes)).await;
            }
            let counted = Counted::body(visit, body, meter, amounts_to);
            self.dated(Response::from_parts(head, counted))
        }
    }

    /// TRACE and OPTIONS that must go no further (RFC 9110, 7.6.2) are answered as their target would.
    fn answer_as_last_hop(&self, head: &Parts) -> Response<Body> {
        if head.method == Method::OPTIONS {
            return self.dated(message::allow(StatusCode::OK, &METHODS));
        }
        let mut echo = format!("{} {} HTTP/1.1\r\n", head.method, head.uri).into_bytes();
        let fields = head.headers.iter().filter(|(name, _)| !SECRETS.contains(*name));
        for (name, value) in fields {
            echo.extend_from_slice(name.as_str().as_bytes());
            echo.extend_from_slice(b": ");
            echo.extend_from_slice(value.as_bytes());
            echo.extend_from_slice(b"\r\n");
        }
        let mut response = Response::new(Body::from(bytes::Bytes::from(echo)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("message/http"));
        self.dated(response)
    }

    /// An answer that passes must have a date (RFC 9110, 6.6.1).
    fn dated(&self, mut answer: Response<Body>) -> Response<Body> {
        let headers: &mut HeaderMap = answer.headers_mut();
        if !headers.contains_key(DATE) {
            let date = httpdate::fmt_http_date(self.host.wall());
            if let Ok(date) = HeaderValue::try_from(date) {
                headers.insert(DATE, date);
            }
        }
        answer
    }
}

/// What a proxy of this role calls itself in `Via`.
fn pseudonym(role: Role) -> &'static str {
    match role {
        Role::Gateway => "hoplab-gateway",
        Role::Outbound | Role::Inbound => "hoplab-sidecar",
        Role::Client | Role::Service => "hoplab",
    }
}
