//! One attempt: an endpoint, a connection, the request on it, the head of the answer. Says how far
//! it came; whether that is good enough is decided elsewhere.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, response};
use http_body::Body as _;
use rand::Rng;

use super::clock::Clock;
use super::content::{self, Content};
use super::deadline::Limits;
use super::idle::Idle;
use super::member::{Member, Seat};
use super::pool::{Freshness, Lease};
use super::replay::Replay;
use super::settings;
use super::state::{Sought, Verdict};
use super::{Protocol, Upstream};
use crate::body::Body;
use crate::exchange::Exchange;
use crate::grpc;
use crate::host::{Host, Instant};
use crate::http2::client::Unanswered;
use crate::policy::retry::{Candidates, Reach, Retry};
use crate::random;
use crate::telemetry::{AttemptKind, Fault, Outcome, Owner, SpanId, TraceContext};
use crate::timer::before;

/// Tells the upstream that this is not the first attempt.
pub(crate) const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-attempt-count");

/// Which part of an attempt's time is its last moment.
const LAST_MOMENT: u32 = 100;

/// The stream of an attempt's id from which its nonce is drawn.
const NONCES: u64 = 1;

/// How an attempt went.
pub(super) type Attempted<H> = Result<Answered<H>, Failed>;

/// An answer whose head was read.
pub(super) struct Answered<H: Host> {
    pub(super) head: response::Parts,
    pub(super) content: Content<Body>,
    /// Gone where all was received and others may want the connection.
    pub(super) lease: Option<Lease<H>>,
    pub(super) idle: Option<Idle<H>>,
    pub(super) verdict: Verdict<H>,
}

impl<H: Host> Answered<H> {
    /// Gives the connection back, which is not needed for content that was received; one that is not ready again by
    /// `deadline`, or on which a part of `replay` is still to be sent, is closed. Whether all was received: else the answer
    /// is of no use any more.
    pub(super) fn let_go(&mut self, replay: &Replay<H>, deadline: Instant) -> bool {
        let is_received = self.content.is_received() && !self.has_switched();
        let deadline = self.idle.iter().map(Idle::until).fold(deadline, Instant::min);
        if let Some(lease) = self.lease.take().filter(|_| is_received && replay.is_sent()) {
            lease.give_back(deadline);
        }
        is_received
    }

    /// Whether another protocol follows.
    pub(super) fn has_switched(&self) -> bool {
        self.lease.as_ref().is_some_and(Lease::has_switched)
    }

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
    /// Where the attempt went, if anywhere.
    pub(super) endpoint: Option<Arc<str>>,
}

/// Where an attempt went, if anywhere.
pub(super) fn endpoint<H: Host>(attempted: &Attempted<H>) -> Option<&Arc<str>> {
    match attempted {
        Ok(answered) => Some(&answered.verdict.member().label),
        Err(failed) => failed.endpoint.as_ref(),
    }
}

impl<H: Host> Upstream<H> {
    /// Makes one attempt, which is over within `limits`.
    pub(super) async fn attempt(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        replay: &Replay<H>,
        tried: &mut Tried,
        limits: Limits,
    ) -> Attempted<H> {
        let begun = self.begin(exchange, tried, limits.head(replay.waited())).await?;
        self.carry(exchange, head, replay, begun, limits).await
    }

    /// Chooses where an attempt goes, or waits until that can be told.
    pub(super) async fn begin(
        &self,
        exchange: &mut Exchange,
        tried: &mut Tried,
        deadline: Instant,
    ) -> Result<Begun<H>, Failed> {
        let id = self.ids.span();
        let kind = if tried.count == 0 { AttemptKind::First } else { AttemptKind::Retry };
        exchange.begin_attempt(id, &self.name, kind, self.host.now());
        let sought = self.sought(exchange, tried);
        match self.state.choose_in_time(exchange, sought, deadline).await {
            Ok(verdict) => Ok(begun(exchange, verdict, id, tried)),
            Err(fault) => {
                tried.count += 1;
                exchange.end_attempt(Outcome::Failed(fault), self.host.now());
                Err(Failed { fault, reach: Reach::Held, endpoint: None })
            }
        }
    }

    /// Where an attempt may go after those of `tried`.
    fn sought<'a>(&self, exchange: &Exchange, tried: &'a Tried) -> Sought<'a> {
        let key = exchange.key;
        let tried = tried.members.as_slice();
        match self.retry.as_ref().map(Retry::candidates).unwrap_or_default() {
            Candidates::Others => Sought { key, tried, same: None },
            Candidates::Any => Sought { key, tried: &[], same: None },
            Candidates::Same => Sought { key, tried, same: tried.last().copied() },
        }
    }

    /// Chooses where an attempt beside others goes; none is made when nobody can take it now.
    pub(super) fn begin_beside(&self, exchange: &mut Exchange, tried: &mut Tried) -> Option<Begun<H>> {
        let sought = Sought { key: exchange.key, tried: &tried.members, same: None };
        let verdict = self.state.choose(sought).ok()?;
        let id = self.ids.span();
        exchange.begin_attempt(id, &self.name, AttemptKind::Hedge, self.host.now());
        Some(begun(exchange, verdict, id, tried))
    }

    /// Carries out an attempt that has begun.
    pub(super) async fn carry(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        replay: &Replay<H>,
        begun: Begun<H>,
        limits: Limits,
    ) -> Attempted<H> {
        let Begun { target, mut verdict } = begun;
        let clock = Clock {
            host: &self.host,
            replay,
            limits,
            per_try: self.settings.per_try_timeout,
            patience: self.settings.timeout,
            idle: self.settings.idle_timeout.map(|timeout| Idle::new(self.host.clone(), timeout)),
            began: self.host.now(),
            waited_before: replay.waits().over,
            has_head: AtomicBool::new(false),
        };
        let mut reach = Reach::Connecting;
        let exchanged = {
            let member = verdict.member();
            let exchanging = pin!(self.exchange(exchange, head, (&target, member), &clock, &mut reach));
            clock.in_time(exchanging).await.unwrap_or_else(Err)
        };
        let now = self.host.now();
        exchange.mark(now);
        let began = clock.began;
        let endpoint = |verdict: &Verdict<H>| Some(Arc::clone(&verdict.member().label));
        match (exchanged, replay.broken()) {
            (Ok(received), _) => {
                let Received { head, content, lease } = received;
                let mut answered = Answered { head, content, lease: Some(lease), idle: clock.idle, verdict };
                // Consent to another protocol is a whole answer.
                let is_received = answered.content.is_received() || answered.has_switched();
                let status = answered.status();
                exchange.end_attempt(Outcome::Answered(status.as_u16()), now);
                answered.verdict.answered(status, is_received);
                Ok(answered)
            }
            // Who waits for a connection that others have is with no endpoint yet (as in Envoy), and who gets one in the
            // last moment has left the endpoint no time. Any more counts: else one that hangs would never be found out
            // behind a pool that is full because of it.
            (Err(Fault::Timeout), None)
                if exchange.owner() == Owner::Pool
                    || exchange.time_beside(Owner::Pool, began, now) * LAST_MOMENT < now - began =>
            {
                exchange.end_attempt(Outcome::Failed(Fault::Timeout), now);
                let reach = if reach == Reach::Connecting { Reach::Unwritten } else { reach };
                Err(Failed { fault: Fault::Timeout, reach, endpoint: endpoint(&verdict) })
            }
            (Err(fault), broken) => {
                let blamed =
                    if broken.is_some() || fault == Fault::RequestTimeout { Reach::Held } else { reach };
                let fault = broken.unwrap_or(fault);
                exchange.end_attempt(Outcome::Failed(fault), now);
                verdict.failed(fault, reach != Reach::Connecting && reach != Reach::Held);
                Err(Failed { fault, reach: blamed, endpoint: endpoint(&verdict) })
            }
        }
    }

    /// Sends the request and reads the answer's head, and what came with it.
    ///
    /// A connection that had been idle may turn out to be closed. A request of which nothing was written goes
    /// over a new one unnoticed. All else is for the retry policy to decide: the upstream may have seen it.
    async fn exchange(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        (target, member): (&Target, &Member<H>),
        clock: &Clock<'_, H>,
        reach: &mut Reach,
    ) -> Result<Received<H>, Fault> {
        let mut freshness = Freshness::Any;
        loop {
            *reach = Reach::Connecting;
            let lease = self.connect(exchange, member, freshness, clock, reach).await?;
            *reach = Reach::Sent;
            let may_be_closed = lease.reused && freshness == Freshness::Any;
            match self.sent(exchange, head, target, clock, lease).await {
                Ok(received) => return Ok(received),
                Err((fault, how_far)) => {
                    *reach = how_far;
                    if matches!(how_far, Reach::Connecting | Reach::Held) {
                        exchange.unsent_attempt();
                    }
                    if how_far != Reach::Unwritten || !may_be_closed || !clock.replay.is_whole() {
                        return Err(fault);
                    }
                }
            }
            freshness = Freshness::New;
        }
    }

    /// A connection to send over, as long as there is time for it.
    async fn connect(
        &self,
        exchange: &mut Exchange,
        member: &Member<H>,
        freshness: Freshness,
        clock: &Clock<'_, H>,
        reach: &mut Reach,
    ) -> Result<Lease<H>, Fault> {
        let pool = member.pool(exchange.caller);
        let lease = pool.acquire(exchange, freshness).await.inspect_err(|fault| {
            if matches!(fault, Fault::Overflow | Fault::PendingTimeout) {
                *reach = Reach::Held;
            }
        })?;
        if let Err(fault) = self.refuse_hopeless(&member.label, clock) {
            lease.give_back(clock.until());
            *reach = Reach::Held;
            return Err(fault);
        }
        if let Some(peer) = lease.peer() {
            exchange.choose_endpoint(Some(Arc::clone(peer)));
        }
        Ok(lease)
    }

    /// Sends the request over `lease` and reads the answer's head, and what came with it.
    async fn sent(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        target: &Target,
        clock: &Clock<'_, H>,
        mut lease: Lease<H>,
    ) -> Result<Received<H>, (Fault, Reach)> {
        let body = match &clock.idle {
            Some(idle) => idle.watched(clock.replay.body()),
            None => clock.replay.body(),
        };
        clock.idle.iter().for_each(Idle::passes);
        let request = self.request(head, body, exchange, target, clock.ends_by());
        exchange.enter(Owner::Upstream(target.id));
        exchange.sent_attempt(lease.connection());
        let interim = exchange.interim.clone();
        let sent = match exchange.upgrade.clone() {
            None => lease.send(request, interim).await,
            // Boxed, since it is rare: the future of every request would hold the room for it.
            Some(upgrade) => Box::pin(lease.ask_to_switch(request, &upgrade, interim)).await,
        };
        exchange.mark(self.host.now());
        let (head, content) = match sent {
            Ok(response) => response.into_parts(),
            Err(Unanswered { fault, reach, refusal }) => {
                if let Some(why) = refusal {
                    lease.was_refused(why);
                }
                if reach == Reach::Unwritten {
                    lease.retire();
                }
                return Err((fault, reach));
            }
        };
        clock.idle.iter().for_each(Idle::passes);
        clock.has_head.store(true, Ordering::Relaxed);
        let mut content = Content::new(content);
        content.take_first().map_err(|fault| (fault, Reach::Sent))?;
        // While the caller has more to say, the two may be waiting for each other; and where the whole has no limit, the first
        // message of a stream may be long in coming.
        if self.retry.as_ref().is_some_and(Retry::reads_trailers)
            && self.settings.timeout.is_some()
            && content::ends_in_trailers(&head)
            && clock.replay.is_sent()
        {
            let (limit, passes) = (self.settings.body_limit, || clock.idle.iter().for_each(Idle::passes));
            // One that takes too long is handed on as it comes: it may be a stream.
            let read = async {
                content.read_message(limit, passes).await?;
                let patience = self.host.now() + settings::FOLLOWING_PATIENCE;
                before(&self.host, patience, content.read_end(limit, passes)).await.unwrap_or(Ok(()))
            };
            if let Some(Err(fault)) = before(&self.host, clock.until(), read).await {
                return Err((fault, Reach::Sent));
            }
        }
        Ok(Received { head, content, lease })
    }

    /// The request as this attempt, whose answer must have ended at `until`, sends it.
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
                // hyper leaves out the content of these methods unless it is told how it is framed.
                if matches!(head.method, Method::GET | Method::HEAD) && !request.body().is_end_stream() {
                    match request.body().exact_length() {
                        None => headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
                        Some(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
                    };
                }
                if let Some(upgrade) = &exchange.upgrade {
                    upgrade.ask_http1(&mut headers, || target.nonce());
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
        if let (Some(upgrade), Protocol::Http2) = (&exchange.upgrade, self.protocol) {
            upgrade.ask_http2(&mut request);
        }
        request
    }

    /// What `Host` says when the caller said nothing.
    fn host_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.name).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Where attempts of a request went, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Tried {
    members: Vec<Seat>,
    /// Attempts, also those for which nobody was found.
    count: usize,
}

fn begun<H: Host>(exchange: &mut Exchange, verdict: Verdict<H>, id: SpanId, tried: &mut Tried) -> Begun<H> {
    tried.members.push(verdict.member().seat);
    tried.count += 1;
    exchange.choose_endpoint(Some(Arc::clone(&verdict.member().label)));
    Begun { target: Target { id, number: tried.count }, verdict }
}

/// An attempt, as whom it is sent to sees it.
struct Target {
    id: SpanId,
    /// How many attempts of the request there are with this one.
    number: usize,
}

impl Target {
    /// Bytes that no other attempt has, by its id, which was drawn at random.
    fn nonce(&self) -> [u8; 16] {
        let mut nonce = [0; 16];
        random::stream(self.id.0, NONCES).fill_bytes(&mut nonce);
        nonce
    }
}

/// An attempt that has its endpoint.
pub(super) struct Begun<H: Host> {
    target: Target,
    verdict: Verdict<H>,
}

impl<H: Host> Begun<H> {
    /// Where it goes.
    pub(super) fn endpoint(&self) -> &Arc<str> {
        &self.verdict.member().label
    }
}

/// The head of an answer, and the content that follows.
struct Received<H: Host> {
    head: response::Parts,
    content: Content<Body>,
    lease: Lease<H>,
}

fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from)
}

fn absolute_form(uri: &Uri, authority: Authority, scheme: Scheme) -> Uri {
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let parts = Uri::builder().scheme(scheme).authority(authority).path_and_query(path);
    parts.build().unwrap_or_else(|_| origin_form(uri))
}
