//! One attempt: an endpoint, a connection, the request on it, the head of the answer. Says how far
//! it came; whether that is good enough is decided elsewhere.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CONNECTION, HOST, HeaderName, TE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, StatusCode, Uri, Version, response};
use hyper::body::Incoming;

use super::content::{self, Content};
use super::idle::{Idle, Watch};
use super::pool::{Freshness, Lease};
use super::replay::Replay;
use super::state::{Active, InFlight, Verdict};
use super::{Protocol, Upstream};
use crate::body::Body;
use crate::exchange::Exchange;
use crate::grpc;
use crate::host::{Host, Instant};
use crate::policy::retry::{self, Reach, Retry};
use crate::telemetry::{AttemptKind, Fault, Outcome, Owner, SpanId, TraceContext};
use crate::timer::before;
use crate::tls;

/// Tells the upstream that this is not the first attempt.
pub(crate) const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-attempt-count");

/// How an attempt went.
pub(super) type Attempted<H> = Result<Answered<H>, Failed>;

/// An answer whose head was read.
pub(super) struct Answered<H: Host> {
    pub(super) head: response::Parts,
    pub(super) content: Content<Incoming>,
    pub(super) lease: Lease<H>,
    pub(super) idle: Option<Idle<H>>,
    /// Counts on its endpoint as long as it lives.
    pub(super) active: Option<Active<H>>,
}

impl<H: Host> Answered<H> {
    /// Its status, as policies see it: a call of gRPC fails under 200, in the head or in trailers that were read.
    pub(super) fn status(&self) -> StatusCode {
        let headers = &self.head.headers;
        let said = headers.get(grpc::STATUS).or_else(|| self.content.trailers()?.get(grpc::STATUS));
        grpc::amounts_to(self.head.status, said)
    }
}

/// No answer.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) reach: Reach,
}

/// What ends with the answer's content.
pub(super) struct Ends<H: Host> {
    #[expect(dead_code, reason = "counts as long as it lives")]
    pub(super) in_flight: InFlight<H>,
    #[expect(dead_code, reason = "counts as long as it lives")]
    pub(super) active: Option<Active<H>>,
    pub(super) deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(super) idle: Option<Watch<H>>,
}

impl<H: Host> Upstream<H> {
    /// Makes one attempt, which is over at `deadline` at the latest.
    pub(super) async fn attempt(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        replay: &Replay,
        tried: &mut Vec<usize>,
        deadline: Instant,
    ) -> Attempted<H> {
        let begun = self.begin(exchange, tried, deadline).await?;
        self.carry(exchange, head, replay, begun, deadline).await
    }

    /// Chooses where an attempt goes, or waits until that can be told.
    pub(super) async fn begin(
        &self,
        exchange: &mut Exchange,
        tried: &mut Vec<usize>,
        deadline: Instant,
    ) -> Result<Begun<H>, Failed> {
        let id = self.ids.span();
        let kind = if tried.is_empty() { AttemptKind::First } else { AttemptKind::Retry };
        exchange.begin_attempt(id, &self.name, kind, self.host.now());
        let chosen = self.state.choose_in_time(exchange, tried, deadline).await;
        let now = self.host.now();
        let (endpoint, verdict) = match chosen {
            Ok(choice) => choice,
            Err(fault) => {
                tried.push(usize::MAX);
                exchange.end_attempt(Outcome::Failed(fault), now);
                return Err(Failed { fault, reach: Reach::Held });
            }
        };
        Ok(self.begun(exchange, (endpoint, verdict), id, tried))
    }

    /// Chooses where an attempt beside others goes; none is made when nobody can take it now.
    pub(super) fn begin_beside(&self, exchange: &mut Exchange, tried: &mut Vec<usize>) -> Option<Begun<H>> {
        let (endpoint, verdict) = self.state.choose(exchange.key, tried).ok()?;
        let id = self.ids.span();
        exchange.begin_attempt(id, &self.name, AttemptKind::Hedge, self.host.now());
        Some(self.begun(exchange, (endpoint, verdict), id, tried))
    }

    fn begun(
        &self,
        exchange: &mut Exchange,
        (endpoint, verdict): (usize, Verdict<H>),
        id: SpanId,
        tried: &mut Vec<usize>,
    ) -> Begun<H> {
        tried.push(endpoint);
        exchange.choose_endpoint(self.state.endpoint(endpoint));
        Begun { target: Target { endpoint, id, number: tried.len() }, verdict }
    }

    /// Carries out an attempt that has begun.
    pub(super) async fn carry(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        replay: &Replay,
        begun: Begun<H>,
        deadline: Instant,
    ) -> Attempted<H> {
        let Begun { target, verdict } = begun;
        let now = self.host.now();
        let per_try = self.settings.per_try_timeout.map_or(deadline, |timeout| deadline.min(now + timeout));
        let mut reach = Reach::Connecting;
        let exchanged = self.exchange(exchange, head, replay, target, per_try, &mut reach);
        let mut exchanged = before(&self.host, per_try, exchanged).await.unwrap_or(Err(Fault::Timeout));
        if let Ok(answered) = &mut exchanged
            && self.retry.as_ref().is_some_and(Retry::reads_grpc)
            && content::ends_in_trailers(&answered.head)
        {
            let read = answered.content.read_ahead(self.settings.body_limit);
            // One that takes too long is handed on as it comes: it may be a stream.
            if let Some(Err(_)) = before(&self.host, per_try, read).await {
                exchanged = Err(Fault::Reset);
            }
        }
        let now = self.host.now();
        exchange.mark(now);
        let mut attempted = match (exchanged, replay.broken()) {
            (Ok(answered), _) => Ok(answered),
            (Err(_), Some(fault)) => Err(Failed { fault, reach: Reach::Held }),
            (Err(fault), None) => Err(Failed { fault, reach }),
        };
        conclude(exchange, &mut attempted, verdict, now);
        attempted
    }

    /// Sends the request and reads the answer's head.
    ///
    /// A connection that had been idle may turn out to be closed. A request of which nothing was written goes
    /// over a new one unnoticed. One that was written to an idle HTTP/1.1 connection goes over a new one when
    /// its method is idempotent, as in nginx and as RFC 9110, section 9.2.2, allows; the upstream may have seen
    /// both, so that is another attempt.
    async fn exchange(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        replay: &Replay,
        mut target: Target,
        until: Instant,
        reach: &mut Reach,
    ) -> Result<Answered<H>, Fault> {
        let pool = &self.pools[target.endpoint];
        let mut freshness = Freshness::Any;
        loop {
            *reach = Reach::Connecting;
            let mut lease = pool.acquire(exchange, freshness).await.inspect_err(|fault| {
                if *fault == Fault::Overflow {
                    *reach = Reach::Held;
                }
            })?;
            if let Err(fault) = self.refuse_hopeless(target.endpoint, until) {
                lease.give_back();
                *reach = Reach::Held;
                return Err(fault);
            }
            if let Some(peer) = lease.peer() {
                exchange.choose_endpoint(Some(Arc::clone(peer)));
            }
            *reach = Reach::Sent;
            let idle = self.settings.idle_timeout.map(|timeout| Idle::start(self.host.clone(), timeout));
            let body = idle.as_ref().map_or_else(|| replay.body(), |idle| idle.watched(replay.body()));
            let request = self.request(head, body, exchange, &target, until);
            exchange.enter(Owner::Upstream(target.id));
            exchange.sent_attempt(lease.connection());
            let sending = lease.send(request);
            let sent = match &idle {
                None => sending.await,
                Some(idle) => idle.unless_idle(Box::pin(sending)).await.ok_or(Fault::Timeout)?,
            };
            exchange.mark(self.host.now());
            let mut error = match sent {
                Ok(response) => {
                    idle.iter().for_each(Idle::passes);
                    let (head, content) = response.into_parts();
                    return Ok(Answered { head, content: Content::new(content), lease, idle, active: None });
                }
                Err(error) => error,
            };
            let unwritten = error.take_message().is_some();
            if unwritten {
                lease.retire();
            }
            let error = error.into_error();
            *reach = how_far(&error, unwritten);
            if *reach == Reach::Connecting {
                exchange.unsent_attempt();
                return Err(Fault::Tls);
            }
            let stale = lease.reused && freshness == Freshness::Any && replay.is_whole();
            let again =
                self.protocol == Protocol::Http1 && retry::idempotent_methods().contains(&head.method);
            if !stale || *reach == Reach::Refused || !(unwritten || again) {
                return Err(Fault::Reset);
            }
            if !unwritten {
                let now = self.host.now();
                exchange.end_attempt(Outcome::Failed(Fault::Reset), now);
                target.id = self.ids.span();
                exchange.begin_attempt(target.id, &self.name, AttemptKind::Retry, now);
                exchange.choose_endpoint(self.state.endpoint(target.endpoint));
            }
            freshness = Freshness::New;
        }
    }

    /// The request as this attempt, which is over at `until`, sends it.
    fn request(
        &self,
        head: &Parts,
        body: Body,
        exchange: &Exchange,
        target: &Target,
        until: Instant,
    ) -> Request<Body> {
        let mut headers = head.headers.clone();
        self.tell_deadline(&mut headers, exchange, until);
        TraceContext { trace: exchange.trace, parent: target.id, flags: exchange.flags }.write(&mut headers);
        if target.number > 1 {
            headers.insert(ATTEMPT_COUNT, HeaderValue::from(target.number));
        }
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        match self.protocol {
            Protocol::Http1 => {
                *request.version_mut() = Version::HTTP_11;
                if !headers.contains_key(HOST) {
                    headers.insert(HOST, self.host_header());
                }
                if headers.contains_key(TE) {
                    headers.insert(CONNECTION, HeaderValue::from_static("te"));
                }
                *request.uri_mut() = origin_form(&head.uri);
            }
            Protocol::Http2 => {
                *request.version_mut() = Version::HTTP_2;
                let named = headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
                let scheme = if self.secure { Scheme::HTTPS } else { Scheme::HTTP };
                *request.uri_mut() = match named.or_else(|| self.name.parse().ok()) {
                    Some(authority) => absolute_form(&head.uri, authority, scheme),
                    None => origin_form(&head.uri),
                };
            }
        }
        *request.headers_mut() = headers;
        request
    }

    /// What `Host` says when the caller said nothing.
    fn host_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.name).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Where an attempt goes.
struct Target {
    endpoint: usize,
    id: SpanId,
    /// How many attempts of the request there are with this one.
    number: usize,
}

/// An attempt that has its endpoint.
pub(super) struct Begun<H: Host> {
    target: Target,
    verdict: Verdict<H>,
}

/// Notes the end of an attempt with everyone who wants to know.
fn conclude<H: Host>(
    exchange: &mut Exchange,
    attempted: &mut Attempted<H>,
    verdict: Verdict<H>,
    now: Instant,
) {
    match attempted {
        Ok(answered) => {
            exchange.end_attempt(Outcome::Answered(answered.status().as_u16()), now);
            answered.active = verdict.answered(answered.status());
        }
        Err(failed) => {
            exchange.end_attempt(Outcome::Failed(failed.fault), now);
            verdict.failed(failed.fault);
        }
    }
}

/// How far a request came that was not answered, though there was a connection. With TLS 1.3 one may seem open
/// whose handshake the peer has refused.
fn how_far(error: &hyper::Error, unwritten: bool) -> Reach {
    let broken = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    if tls::is_refusal(error) {
        Reach::Connecting
    } else if broken.and_then(h2::Error::reason) == Some(h2::Reason::REFUSED_STREAM) {
        Reach::Refused
    } else if unwritten {
        Reach::Unwritten
    } else {
        Reach::Sent
    }
}

fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from)
}

fn absolute_form(uri: &Uri, authority: Authority, scheme: Scheme) -> Uri {
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let parts = Uri::builder().scheme(scheme).authority(authority).path_and_query(path);
    parts.build().unwrap_or_else(|_| origin_form(uri))
}
