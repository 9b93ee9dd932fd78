//! What the products tell of themselves: spans whose segments tile a request's time at one hop,
//! the attempts made on its behalf, and the state changes of their policies.
//!
//! A product builds a [`Span`] with a [`Timeline`], which cannot leave a gap: every mark closes
//! the time since the mark before. Not here: what becomes of a report. Live, an [`Observer`]
//! counts; simulated, the recorder joins the spans of all hops into one account of the request.

pub mod timeline;
pub mod trace;

use std::sync::Arc;

pub use timeline::Timeline;
pub use trace::{SpanId, SpanIds, TraceContext, TraceId};

use crate::host::Instant;

/// Hears what products report. Called on the request path: it must be quick.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of `report`.
    fn observe(&self, report: Report);
}

/// Something that happened at a hop.
#[derive(Debug, Clone)]
pub enum Report {
    /// A request left the hop.
    Span(Span),
    /// A circuit breaker changed its state.
    Breaker(BreakerMoved),
    /// A task of the product panicked: a bug of ours.
    Panicked,
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

/// A request that a hop sent upstream.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The span id that the upstream was told as its parent.
    pub id: SpanId,
    /// The upstream's name, a service as a rule.
    pub upstream: Arc<str>,
    /// When it began, the choice of an endpoint included.
    pub start: Instant,
    /// When its answer's head had been read, or it failed.
    pub end: Instant,
    /// How it went.
    pub outcome: Outcome,
}

/// How a request or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The upstream answered with this status.
    Answered(u16),
    /// There was no answer, or the hop itself refused.
    Failed(Fault),
}

impl Outcome {
    /// Whether a caller would call it a success: an answer below 500.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Answered(status) if status < 500)
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
