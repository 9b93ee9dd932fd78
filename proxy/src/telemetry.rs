//! What the products tell of themselves: spans whose segments tile a request's time at one hop,
//! the attempts made on its behalf, and the state changes of their policies.
//!
//! A product builds a [`Span`] with a [`Timeline`], which cannot leave a gap: every mark closes
//! the time since the mark before. Reports are all that products tell; what becomes of one is an
//! [`Observer`]'s matter. Simulated, the recorder joins the spans of all hops into one account of the request.
//! Live, the same reports are counted ([`metrics`]) and written as lines ([`access_log`], [`otlp`]), where a
//! configuration's [`outlets`] want it.

pub mod access_log;
mod calendar;
mod facts;
pub mod gauges;
pub mod metrics;
pub mod otlp;
pub mod outlets;
pub mod timeline;
pub mod trace;
mod troubles;

use std::sync::{Arc, Weak};

pub use facts::Facts;
pub use gauges::Gauges;
pub use outlets::{Outlets, Sink};
pub use timeline::Timeline;
pub use trace::{SpanId, SpanIds, TraceContext, TraceFlags, TraceId};
pub use troubles::{SourceTrouble, TlsPeer, TlsTrouble};

use crate::instant::Instant;

/// Hears what products report. Called on the request path: it must be quick.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of `report`.
    fn observe(&self, report: Report);

    /// Whether it wants what is reported on demand alone. Nothing, unless it says otherwise: whoever wants no
    /// more than spans pays for no more.
    fn wants(&self, _: Interest) -> bool {
        false
    }
}

/// What is reported only where somebody wants it, since it costs every request something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// [`Report::Arrived`], to know how many requests are in flight.
    Arrivals,
    /// [`Span::facts`]: what was asked for, and by whom.
    Facts,
    /// To record the traces that begin here. They are marked as sampled, so that the hops behind record
    /// theirs, too.
    Traces,
}

/// Something that happened at a hop.
#[derive(Debug, Clone)]
pub enum Report {
    /// A request left the hop.
    Span(Span),
    /// A circuit breaker changed its state.
    Breaker(BreakerMoved),
    /// A policy decided something that people want to see.
    Policy(PolicyEvent),
    /// A source of members is of no use for now.
    Source(SourceTrouble),
    /// A connection was not secured.
    Tls(TlsTrouble),
    /// A task of the product panicked: a bug of ours.
    Panicked,
    /// A request arrived at a hop of this role; its span will follow. For those who want
    /// [`Interest::Arrivals`].
    Arrived(Role),
    /// There is something whose present state can be asked for, as long as it is there.
    Gauges(Weak<dyn Gauges>),
}

/// One request's stay at one hop. Its segments tile `[start, end]` in order, without gap or overlap.
#[derive(Debug, Clone)]
pub struct Span {
    /// The request, as W3C trace context names it.
    pub trace: TraceId,
    /// The attempt of the caller that this span answers; `None` at the root.
    pub parent: Option<SpanId>,
    /// What kind of hop it is.
    pub role: Role,
    /// When the hop had read the request's head.
    pub start: Instant,
    /// When the hop had passed on the last byte of the answer, or given up.
    pub end: Instant,
    /// Who owned the time.
    pub segments: Vec<Segment>,
    /// The requests that the hop sent on behalf of this one, in order of their start.
    pub attempts: Vec<Attempt>,
    /// How the hop answered.
    pub outcome: Outcome,
    /// What was asked for; there where somebody wants [`Interest::Facts`].
    pub facts: Option<Box<Facts>>,
}

/// What kind of hop a span was measured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Where the request comes from.
    Client,
    /// An API gateway.
    Gateway,
    /// A sidecar on the caller's side.
    Outbound,
    /// A sidecar on the callee's side.
    Inbound,
    /// A service itself.
    Service,
}

impl Role {
    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Service => "service",
        }
    }
}

/// A stretch of a span with one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Who owns it.
    pub owner: Owner,
    /// Its end; it starts where the one before it ended, the first where the span starts.
    pub end: Instant,
}

/// Who owns a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Waiting for a free core.
    Queue,
    /// Computing on a core.
    Cpu,
    /// Fixed latency of the hop, on no core.
    Latency,
    /// TLS: handshakes, encryption, decryption.
    Tls,
    /// Waiting for a pooled connection.
    Pool,
    /// Opening a TCP connection.
    Connect,
    /// Waiting for the answer to this attempt: on the wire, or with the next hop.
    Upstream(SpanId),
    /// Waiting for the caller to send or to take bytes.
    Downstream,
    /// Pausing before a retry.
    Backoff,
    /// Held back on purpose: a rate limit's delay, a service's sleep.
    Delay,
}

impl Owner {
    /// Its name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::Tls => "tls",
            Self::Pool => "pool",
            Self::Connect => "connect",
            Self::Upstream(_) => "upstream",
            Self::Downstream => "downstream",
            Self::Backoff => "backoff",
            Self::Delay => "delay",
        }
    }
}

/// A connection, as its host names it: no other has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request that a hop sent upstream, or meant to send.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The span id that the upstream was told as its parent.
    pub id: SpanId,
    /// The upstream's name, a service as a rule.
    pub upstream: Arc<str>,
    /// The endpoint, once one was chosen.
    pub endpoint: Option<Arc<str>>,
    /// Why it was made.
    pub kind: AttemptKind,
    /// Whether the request was put on a connection. One that a breaker or the throttle refused, that was shed or
    /// waited in a queue in vain, that found no endpoint or no connection to it, never was.
    pub is_sent: bool,
    /// The connection that it was put on, where the host has names for them.
    pub connection: Option<ConnectionId>,
    /// When it began, the choice of an endpoint included.
    pub start: Instant,
    /// When its answer's head had been read, or it failed.
    pub end: Instant,
    /// How it went.
    pub outcome: Outcome,
}

impl Attempt {
    /// Whether it was put on a connection and failed there. One that was given up, because another answered first
    /// or because the caller went away, did not fail.
    pub fn is_error(&self) -> bool {
        self.is_sent && !self.outcome.is_ok() && self.outcome != Outcome::Failed(Fault::Cancelled)
    }
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptKind {
    /// It is the first of its request.
    First,
    /// Attempts before it failed.
    Retry,
    /// The answer to another, which is still open, is late.
    Hedge,
}

/// How a request or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The upstream answered with this status; a call of gRPC with what its own status amounts to.
    Answered(u16),
    /// There was no answer, or the hop itself refused.
    Failed(Fault),
}

impl Outcome {
    /// Whether a caller would call it a success: an answer below 500.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Answered(status) if status < 500)
    }

    /// Whether a caller got what it asked for: an answer below 500 that does not say that a limit refused the
    /// request (429, RFC 6585). A refusal is no error, but it is no service either.
    pub fn is_served(self) -> bool {
        self.is_ok() && self != Self::Answered(429)
    }
}

/// Why there was no answer from upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No route matches the request.
    NoRoute,
    /// The upstream has no endpoint that may be used.
    NoEndpoint,
    /// The circuit breaker is open.
    BreakerOpen,
    /// A limit on connections or pending requests was reached.
    Overflow,
    /// The endpoint refused the connection.
    Refused,
    /// The connection could not be opened in time.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke before the answer was complete.
    Reset,
    /// The answer did not come in time.
    Timeout,
    /// The request was malformed.
    Malformed,
    /// The caller went away.
    Cancelled,
    /// No endpoint was usable for longer than the queue is patient.
    Failfast,
    /// The client-side throttle refused the request, since the upstream accepts too few.
    Throttled,
    /// A rate limit refused the request.
    RateLimited,
    /// A concurrency limit refused the request.
    ConcurrencyLimited,
    /// Admission control refused the request, since too few succeed.
    AdmissionRefused,
    /// The request was shed, since those of higher priority need the room.
    PriorityShed,
    /// The request's deadline had passed before anything was begun.
    DeadlinePassed,
    /// The upstream's answer is none that may be handed on: malformed, or ambiguous about where it ends.
    ProtocolError,
    /// The caller did not send the request's content in time.
    RequestTimeout,
    /// The request waited too long for a connection, or for an endpoint that is usable.
    PendingTimeout,
    /// This machine has no file descriptor, port or memory for another connection.
    Exhausted,
    /// The upstream does not switch to another protocol, and could not be asked to, or did not say so.
    UpgradeUnsupported,
    /// Nothing passed through the tunnel of another protocol for too long.
    TunnelIdle,
    /// The request has more content than may be.
    ContentTooLarge,
    /// The fields of the request's head are larger than may be.
    FieldsTooLarge,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// Requests are refused.
    Open,
    /// Probes pass.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A circuit breaker's change of state.
#[derive(Debug, Clone)]
pub struct BreakerMoved {
    /// When.
    pub at: Instant,
    /// The upstream that it guards.
    pub upstream: Arc<str>,
    /// The endpoint that it guards; `None` when it guards the upstream as a whole.
    pub endpoint: Option<Arc<str>>,
    /// What it became.
    pub state: BreakerState,
}

/// Something that a policy decided.
#[derive(Debug, Clone)]
pub struct PolicyEvent {
    /// When.
    pub at: Instant,
    /// The upstream that it is about; at an inbound side, the service itself.
    pub upstream: Arc<str>,
    /// The endpoint that it is about, if it is about one.
    pub endpoint: Option<Arc<str>>,
    /// What was decided.
    pub decision: Decision,
}

/// What a policy decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// A failed attempt is made again.
    Retried,
    /// A failed attempt would have been made again, but the retry budget was spent.
    RetryBudgetSpent,
    /// A failed attempt would have been made again, but its content was too long to keep.
    RetryBodyTooLong,
    /// A second attempt was begun while the first was still open.
    Hedged,
    /// A second attempt would have been begun, but the hedging budget was spent.
    HedgeBudgetSpent,
    /// An endpoint was ejected by outlier detection.
    Ejected,
    /// An ejected endpoint may be used again.
    Readmitted,
    /// Active health checks found an endpoint down.
    Unhealthy,
    /// Active health checks found an endpoint up again.
    Healthy,
    /// Too few endpoints are healthy: health is ignored from here on.
    PanicBegan,
    /// Enough endpoints are healthy again.
    PanicEnded,
    /// No endpoint became usable within the queue's patience: requests fail at once from here on.
    FailfastBegan,
    /// An endpoint became usable again.
    FailfastEnded,
    /// A request was refused by a rate limit.
    RateLimited,
    /// A request was refused by a concurrency limit.
    ConcurrencyLimited,
    /// A request was refused by admission control.
    AdmissionRefused,
    /// A request was refused because requests of higher priority need the room.
    PriorityShed,
    /// A request was refused because its deadline had passed before it was begun.
    DeadlinePassed,
    /// A request was refused by the client-side throttle.
    Throttled,
    /// An attempt that was made again was answered well.
    RetrySucceeded,
    /// A failed attempt would have been made again, but for its method.
    RetryMethod,
    /// A second attempt was answered before the first, and its answer taken.
    HedgeWon,
    /// An endpoint would have been ejected, but as many as may be are.
    EjectionRefused,
    /// An endpoint joined the upstream's members.
    Joined,
    /// An endpoint left them.
    Left,
    /// A request was refused because it has more content than may be.
    ContentTooLarge,
    /// A request was refused because the fields of its head are larger than may be.
    FieldsTooLarge,
}

impl Decision {
    /// All of them, in their order.
    pub const ALL: [Self; 27] = [
        Self::Retried,
        Self::RetryBudgetSpent,
        Self::RetryBodyTooLong,
        Self::Hedged,
        Self::HedgeBudgetSpent,
        Self::Ejected,
        Self::Readmitted,
        Self::Unhealthy,
        Self::Healthy,
        Self::PanicBegan,
        Self::PanicEnded,
        Self::FailfastBegan,
        Self::FailfastEnded,
        Self::RateLimited,
        Self::ConcurrencyLimited,
        Self::AdmissionRefused,
        Self::PriorityShed,
        Self::DeadlinePassed,
        Self::Throttled,
        Self::RetrySucceeded,
        Self::RetryMethod,
        Self::HedgeWon,
        Self::EjectionRefused,
        Self::Joined,
        Self::Left,
        Self::ContentTooLarge,
        Self::FieldsTooLarge,
    ];

    /// Its name in records, metrics and expectations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::RetryBudgetSpent => "retry-budget-spent",
            Self::RetryBodyTooLong => "retry-body-too-long",
            Self::Hedged => "hedged",
            Self::HedgeBudgetSpent => "hedge-budget-spent",
            Self::Ejected => "ejected",
            Self::Readmitted => "readmitted",
            Self::Unhealthy => "unhealthy",
            Self::Healthy => "healthy",
            Self::PanicBegan => "panic-began",
            Self::PanicEnded => "panic-ended",
            Self::FailfastBegan => "failfast-began",
            Self::FailfastEnded => "failfast-ended",
            Self::RateLimited => "rate-limited",
            Self::ConcurrencyLimited => "concurrency-limited",
            Self::AdmissionRefused => "admission-refused",
            Self::PriorityShed => "priority-shed",
            Self::DeadlinePassed => "deadline-passed",
            Self::Throttled => "throttled",
            Self::RetrySucceeded => "retry-succeeded",
            Self::RetryMethod => "retry-method-not-listed",
            Self::HedgeWon => "hedge-won",
            Self::EjectionRefused => "ejection-refused",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::ContentTooLarge => "content-too-large",
            Self::FieldsTooLarge => "fields-too-large",
        }
    }
}
