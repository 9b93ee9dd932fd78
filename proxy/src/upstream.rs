//! Upstreams: where requests are sent, over which connections, and under which policies.
//!
//! [`Upstream::send`] is the whole story of a request: attempts, each with an endpoint, a
//! connection and an answer, until one is good enough or the policies say stop. The policies are
//! sync and stand in files of their own; what is shared between requests is in `state`.

mod affinity;
mod again;
mod attempt;
mod breakers;
mod buffering;
mod clock;
mod content;
mod deadline;
mod endpoints;
pub mod fleet;
mod health;
mod idle;
mod member;
mod placement;
pub(crate) mod policies;
mod pool;
mod race;
mod replay;
pub mod settings;
pub mod source;
mod state;
mod streaming;
mod succession;
mod tunnel;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use hoplab_config::Choice;
use http::request::Parts;
use http::{Request, Response, StatusCode};

use crate::body::Body;
use crate::exchange::Exchange;
use crate::grpc;
use crate::host::{Endpoint, Host, Instant};
use crate::tasks::Spawner;
use crate::telemetry::gauges::{EndpointGauge, Gauge};
use crate::telemetry::{AttemptKind, Fault, Gauges, Outcome, Owner, Report, SpanIds};
use crate::tls::{ClientTls, Terms};
use crate::upgrade::Upgrade;

pub use crate::policy::balance::Rank;
use crate::policy::deadline::Deadline;
use crate::policy::retry::Retry;
pub use affinity::By;
pub(crate) use attempt::ATTEMPT_COUNT;
use attempt::{Answered, Attempted, Tried};
use deadline::Limits;
pub use endpoints::Endpoints;
pub use fleet::{Fleet, MemberId, MemberSpec};
use health::Checking;
use idle::Idle;
use member::Template;
pub use placement::{PRIORITY_MAX, Placed, Placement, WEIGHT_MAX, rank};
pub use policies::{
    BalanceKeys, BalanceKind, BalancePolicy, BreakerPolicy, BudgetKeys, BudgetPolicy, BufferPolicy,
    Contradiction, DeadlineField, DeadlinePolicy, FailurePercentagePolicy, FaultStatuses, HealthKeys,
    HealthPolicy, HedgeAfter, HedgePolicy, Initial, OutlierPolicy, Policies, PoolPolicy, QueuePolicy,
    RetryAfter, RetryPolicy, SizeLimit, SuccessRatePolicy, TimeLimit, Trailers, WholePolicy, ZonePreference,
    method,
};
use pool::Together;
use replay::Replay;
pub use settings::Settings;
use source::Known;
pub use source::{Source, known};
use state::State;
use streaming::Streaming;
use succession::Nature;
pub use succession::Succession;
use tunnel::{Held, Tunnel};

/// The HTTP version that an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by prior knowledge in the clear, by ALPN over TLS.
    Http2,
}

impl Choice for Protocol {
    const NOUN: &'static str = "protocol";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Http1, "http1", "HTTP/1.1"),
        (Self::Http2, "http2", "HTTP/2: by prior knowledge in the clear, by ALPN over TLS"),
    ];
}

/// What an upstream is.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, a service as a rule; telemetry calls it so.
    pub name: Arc<str>,
    /// Where it listens, to begin with. The order matters: round robin follows it.
    pub endpoints: Vec<Endpoint>,
    /// What balancing goes by, one an endpoint; endpoints beyond its end are as good as any.
    pub placements: Vec<Placement>,
    /// Where else is learned who its members are.
    pub source: Source,
    /// The zone that requests are sent from, where that is known.
    pub zone: Option<Arc<str>>,
    /// What it speaks, unless the policies say so.
    pub protocol: Protocol,
    /// On which terms its connections are secured; they are not when `None`.
    pub tls: Option<Terms>,
    /// How it is called.
    pub settings: Settings,
}

impl Config {
    /// An upstream that speaks HTTP/1.1 in the clear, under the default policies.
    pub fn new(name: impl Into<Arc<str>>, endpoints: Vec<Endpoint>) -> Self {
        Self {
            name: name.into(),
            endpoints,
            placements: Vec::new(),
            source: Source::Listed,
            zone: None,
            protocol: Protocol::Http1,
            tls: None,
            settings: Settings::default(),
        }
    }
}

/// How connections are secured on which `protocol` is spoken.
fn secured(tls: Option<&ClientTls>, protocol: Protocol) -> Option<ClientTls> {
    match protocol {
        Protocol::Http1 => tls.map(ClientTls::speaking_http1),
        Protocol::Http2 => tls.cloned(),
    }
}

/// A service that requests are sent to.
pub struct Upstream<H: Host> {
    host: H,
    name: Arc<str>,
    protocol: Protocol,
    secure: bool,
    settings: Settings,
    retry: Option<Retry>,
    deadline: Option<Deadline>,
    ids: SpanIds,
    /// For what outlives a request's future.
    spawner: Spawner<H>,
    /// How members are made and checked.
    template: Template<H>,
    checking: Option<Checking<H>>,
    /// Counts the changes of its members.
    changes: AtomicU64,
    /// Whether it is known who its members are.
    known: Known,
    nature: Nature,
    state: State<H>,
}

impl<H: Host> Upstream<H> {
    /// An upstream whose connections live in `spawner`'s tasks. `seed` decides on span
    /// ids, on the jitter of pauses, and on which endpoint is first.
    pub fn new(host: H, spawner: &Spawner<H>, config: Config, seed: u64) -> Arc<Self> {
        let settings = config.settings.clone();
        let config = Config { protocol: settings.protocol.unwrap_or(config.protocol), ..config };
        let tls = config.tls.as_ref().map(|terms| ClientTls::new(&host, terms));
        let template = Template {
            host: host.clone(),
            spawner: spawner.clone(),
            protocol: config.protocol,
            tls: tls.clone(),
            connect_timeout: settings.connect_timeout,
            limits: settings.limits,
            together: Together::new(&settings.limits),
        };
        let enlist = |seat, spec: &_| template.member(seat, spec);
        let state = State::new(host.clone(), &config, &settings, seed, enlist);
        if settings.outlier.is_some() {
            spawner.spawn(state.readmit());
        }
        let checking =
            settings.health.as_ref().map(|health| Checking::new(&host, spawner, &config, tls, health));
        if let Some(checking) = &checking {
            state.stands(host.now()).iter().for_each(|stand| checking.begin(&stand.member, &state));
        }
        let retry = settings.retry.clone().map(Retry::new).filter(Retry::possible);
        let deadline = settings.deadline.clone().map(Deadline::new);
        let upstream = Arc::new(Self {
            host,
            nature: Nature::of(&config),
            name: config.name,
            protocol: config.protocol,
            secure: config.tls.is_some(),
            known: Known::new(config.source == Source::Listed),
            changes: AtomicU64::new(0),
            settings,
            retry,
            deadline,
            ids: SpanIds::new(seed),
            spawner: spawner.clone(),
            template,
            checking,
            state,
        });
        let gauges: Weak<dyn Gauges> = Arc::<Self>::downgrade(&upstream);
        upstream.host.report(Report::Gauges(gauges));
        source::follow(&upstream, spawner, config.source, seed);
        upstream
    }

    /// Makes those of `fleet` its members, at once and while requests are under way. Who is one already stays who it is,
    /// with its connections and all that is known of it, whatever its weight, zone and rank are now. No attempt is begun
    /// any more at those who are none any more; what is under way there goes on to its end.
    pub fn set_members(&self, fleet: &Fleet) {
        let changes = self.state.set_members(fleet, |seat, spec| self.template.member(seat, spec));
        for left in &changes.left {
            left.left.notify_one();
            left.close();
        }
        if let Some(checking) = &self.checking {
            changes.joined.iter().for_each(|joined| checking.begin(joined, &self.state));
        }
        if !changes.is_empty() {
            self.changes.fetch_add(1, Ordering::Release);
        }
        self.known.tell();
    }

    /// Where its members listen now, in their order.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let stands = self.state.stands(self.host.now());
        stands.iter().map(|stand| stand.member.endpoint.clone()).collect()
    }

    /// How often its members have changed, so that whoever goes by them notices.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The status that tells a caller of `fault`.
    pub fn status_of(&self, fault: Fault) -> StatusCode {
        self.settings.statuses.of(fault)
    }

    /// Whether its connections are secured.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Sends `request` and waits for the head of an answer, over as many attempts as the policies
    /// allow. The answer's content gives its connection back once it was read to the end.
    ///
    /// `request` has its target in origin form and names its host in `Host`. When this future is
    /// dropped half-way, `exchange` keeps what was measured so far.
    pub async fn send(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        request: Request<Body>,
    ) -> Result<Response<Body>, Fault> {
        let (head, body) = request.into_parts();
        self.send_parts(exchange, &head, body).await
    }

    /// As [`Upstream::send`], of a request whose head stays where it is.
    pub(crate) async fn send_parts(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        head: &Parts,
        body: Body,
    ) -> Result<Response<Body>, Fault> {
        let limits = self.limits(exchange, &head.headers)?;
        if exchange.upgrade.as_ref().is_some_and(|upgrade| upgrade.lacks_key())
            && self.protocol == Protocol::Http2
        {
            return Err(Fault::Malformed);
        }
        let is_taken_in = self.takes_in(exchange, head, &body);
        let (body, limits) = match is_taken_in {
            // Boxed, since it is rare: the future of every request would hold the room for it.
            Some(most) => Box::pin(self.take_in(exchange, head, body, limits, most)).await?,
            None => (body, limits),
        };
        exchange.key =
            self.settings.balance.by.as_ref().and_then(|by| by.key(&head.headers, exchange.source));
        let in_flight = self.state.enter().inspect_err(|fault| self.note_unsent(exchange, *fault))?;
        // Two tunnels for one caller would be one too many.
        let mut hedges = if exchange.upgrade.is_some() { 0 } else { self.hedges(&head.method) };
        let repeats = self.retry.is_some() || hedges > 0;
        let kept = if is_taken_in.is_some() { u64::MAX } else { self.settings.body_limit };
        let replay = Replay::new(body, if repeats { kept } else { 0 }, &self.host);
        let mut retries = self.retries();
        let mut tried = Tried::default();
        let mut retrying = None;
        let last = self.settings.retry_within.map(|within| self.host.now() + within);
        loop {
            replay.begin_round();
            let attempted = if hedges > 0 {
                self.race(exchange, head, &replay, &mut tried, &mut hedges, limits).await
            } else {
                self.attempt(exchange, head, &replay, &mut tried, limits).await
            };
            drop(retrying.take());
            let waited = replay.waited();
            let in_time = self.begin_by(limits, waited);
            let begin_by = last.into_iter().fold(in_time, Instant::min);
            let again = self.again(head, &replay, &attempted, &mut retries, begin_by);
            let Some((pause, permit)) = again else {
                let answered = attempted.map_err(|failed| failed.fault)?;
                return Ok(match &exchange.upgrade {
                    Some(upgrade) if answered.has_switched() => {
                        self.open_tunnel(answered, in_flight, upgrade)
                    }
                    _ => self.conclude(answered, in_flight, replay, limits),
                });
            };
            retrying = Some(permit);
            discard(attempted, &replay, limits.head(waited));
            exchange.enter(Owner::Backoff);
            self.host.sleep_until(self.host.now() + pause).await;
            let now = self.host.now();
            exchange.mark(now);
            self.refuse_late(now, in_time)?;
        }
    }

    /// Notes an attempt that was refused before it went anywhere.
    fn note_unsent(&self, exchange: &mut Exchange, fault: Fault) {
        let now = self.host.now();
        exchange.begin_attempt(self.ids.span(), &self.name, AttemptKind::First, now);
        exchange.end_attempt(Outcome::Failed(fault), now);
    }

    fn conclude(
        &self,
        answered: Answered<H>,
        in_flight: state::InFlight<H>,
        replay: Replay<H>,
        limits: Limits,
    ) -> Response<Body> {
        let (host, status) = (self.host.clone(), answered.status());
        let Answered { head, content, lease, idle, verdict } = answered;
        let clock = streaming::Clock { limits, patience: self.settings.timeout, idle };
        let spawner = self.spawner.clone();
        let ends_by = None;
        let buffer = self.settings.buffer.answers.filter(|_| !grpc::is_grpc(&head.headers)).unwrap_or(0);
        let streaming = Streaming {
            host,
            spawner,
            status,
            content,
            lease,
            verdict,
            in_flight,
            replay,
            clock,
            ends_by,
            buffer,
        };
        Response::from_parts(head, streaming.body())
    }

    /// Connects the caller with an upstream that has switched to another protocol.
    fn open_tunnel(
        &self,
        answered: Answered<H>,
        in_flight: state::InFlight<H>,
        upgrade: &Upgrade,
    ) -> Response<Body> {
        let Answered { head, content, lease, idle, verdict } = answered;
        let host = self.host.clone();
        let idle = idle.unwrap_or_else(|| Idle::new(host.clone(), settings::STREAM_IDLE_TIMEOUT));
        let mut lease = lease.expect("who has switched is connected");
        let outlet = lease.take_outlet().expect("who has switched can be sent something");
        let upload = outlet.send(idle.watched(upgrade.take_content()));
        let held = Held { lease, verdict, in_flight };
        let tunnel = Tunnel { host, content, upload, idle, held };
        Response::from_parts(head, tunnel.body(&self.spawner))
    }
}

impl<H: Host> Gauges for Upstream<H> {
    fn read(&self) -> Vec<Gauge> {
        let endpoints = self.state.stands(self.host.now()).into_iter().map(|stand| {
            let site = &stand.member.site;
            let pending = site.pending_now();
            Gauge::Endpoint(EndpointGauge {
                upstream: Arc::clone(&self.name),
                endpoint: Arc::clone(&stand.member.label),
                is_in: stand.is_in,
                is_ejected: stand.is_ejected,
                connections: site.connections_now(),
                in_flight: site.requests_now().saturating_sub(pending),
                pending,
            })
        });
        endpoints.collect()
    }
}

/// Lets go of an answer that will not do. Only one that was received leaves its connection usable:
/// reading what nobody wants could take for ever.
fn discard<H: Host>(attempted: Attempted<H>, replay: &Replay<H>, deadline: Instant) {
    if let Ok(mut answered) = attempted {
        answered.let_go(replay, deadline);
    }
}
