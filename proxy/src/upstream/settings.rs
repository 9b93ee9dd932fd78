//! The policies of an upstream with every default filled in. The defaults are those of known
//! systems, so that a proxy that is told nothing behaves as people expect.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{By, FaultStatuses, Policies, Protocol, TimeLimit};
use crate::policy::retry::Condition;
use crate::policy::{balance, breaker, budget, deadline, failfast, health, hedge, outlier, retry};

/// Envoy's route timeout.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// [`TIMEOUT`], as configuration writes it.
pub const TIMEOUT_LIMIT: TimeLimit = TimeLimit::Within(TIMEOUT);
/// How long nothing may pass where nothing else ends a stream, so that a caller that vanished without a word is not kept
/// for ever: in a tunnel (`timeout tunnel 1h` in the manual of `HAProxy`), and without a timeout.
pub const STREAM_IDLE_TIMEOUT: Duration = Duration::from_hours(1);
/// Envoy's `connect_timeout`, which includes the TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// None: what the next hop is told is what is left.
pub const DEADLINE_RESERVE: Duration = Duration::ZERO;
/// As Envoy's `x-envoy-expected-rq-timeout-ms`, which tells the route's timeout or that of a try.
pub const DEADLINE_OWN: bool = true;
/// Envoy's `num_retries` once a retry policy is there.
pub const RETRY_ATTEMPTS: u32 = 1;
/// What never does harm: Istio's defaults less those of gRPC.
pub const RETRY_ON: [Condition; 2] = [Condition::ConnectFailure, Condition::RefusedStream];
/// Envoy's base interval.
pub const BACKOFF_BASE: Duration = Duration::from_millis(25);
/// Envoy's maximum interval.
pub const BACKOFF_MAX: Duration = Duration::from_millis(250);
/// Envoy's `max_interval` of the rate-limited back-off.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// nginx's `proxy_max_temp_file_size`.
pub const BUFFER_MAX: u64 = 1 << 30;
/// How much of a request's content is kept for another attempt, in bytes, as in Linkerd.
pub const BODY_LIMIT: u64 = 64 * 1024;
/// Envoy's `max_retries` and `min_retry_concurrency`.
pub const BUDGET_RETRIES_MIN: u32 = 3;
/// Finagle's and Linkerd's retries that are always allowed.
pub const BUDGET_FLOOR_PER_SECOND: f64 = 10.0;
/// Finagle's and Linkerd's time to live.
pub const BUDGET_TTL: Duration = Duration::from_secs(10);
/// The AWS SDKs' cost of a retry.
pub const BUDGET_RETRY_COST: u32 = 14;
/// The AWS SDKs' reward of a success.
pub const BUDGET_SUCCESS: u32 = 1;
/// The SRE book's window of client-side throttling.
pub const THROTTLE_WINDOW: Duration = Duration::from_mins(2);
/// Envoy's and gRPC's smallest hedge: one attempt beside the first.
pub const HEDGES_MAX: u32 = 1;
/// Dean and Barroso's percentile, as a quantile: about 5 % more requests.
pub const HEDGE_QUANTILE: f64 = 0.95;
/// Twice what Dean and Barroso's percentile needs; the SRE book's retry ratio of a client.
pub const HEDGE_SHARE: f64 = 0.1;
/// hoplab's own: a 95th percentile that rests on five samples.
pub const HEDGE_SAMPLES_MIN: u32 = 100;
/// hoplab's own.
pub const HEDGE_WINDOW: Duration = Duration::from_secs(30);
/// Envoy's `consecutive_5xx`.
pub const BREAKER_FAILURES: u32 = 5;
/// Envoy's `base_ejection_time`.
pub const BREAKER_OPEN_FOR: Duration = Duration::from_secs(30);
/// None, so that every open time is `open_for`; Linkerd doubles.
pub const BREAKER_GROWTH: f64 = 1.0;
/// Linkerd's `max-penalty`.
pub const BREAKER_OPEN_MAX: Duration = Duration::from_mins(1);
/// Linkerd's probation: one request.
pub const BREAKER_PROBES: u32 = 1;
/// Hystrix's rolling statistics, and Linkerd's unified accrual.
pub const BREAKER_WINDOW: Duration = Duration::from_secs(10);
/// Hystrix's `requestVolumeThreshold`.
pub const BREAKER_MIN_REQUESTS: u32 = 20;
/// One: Linkerd's proxy, and whoever shares connections between its workers.
pub const WORKERS: u32 = 1;
/// Envoy's `max_connections`, here per endpoint.
pub const CONNECTIONS_MAX: u32 = 1024;
/// One, as in hyper's and Go's clients: all requests share it.
pub const CONNECTIONS_HTTP2_MAX: u32 = 1;
/// Envoy's `max_concurrent_streams` and `max_requests`.
pub const STREAMS_MAX: u32 = 1024;
/// Envoy's `max_pending_requests`, here per endpoint unless it is said for the upstream.
pub const PENDING_MAX: u32 = 1024;
/// The length of the queues that Linkerd's policies send.
pub const QUEUE_LENGTH: u32 = 100;
/// Linkerd's failfast timeout of outbound queues.
pub const QUEUE_FAILFAST: Duration = Duration::from_secs(3);
/// nginx's upstream `keepalive_timeout`; shorter than the 75 s after which servers close.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Envoy's `consecutive_5xx`.
pub const OUTLIER_CONSECUTIVE_5XX: u32 = 5;
/// Envoy's `interval`.
pub const OUTLIER_INTERVAL: Duration = Duration::from_secs(10);
/// Envoy's `base_ejection_time`.
pub const OUTLIER_BASE_EJECTION: Duration = Duration::from_secs(30);
/// Envoy's `max_ejection_time`; or the base, when that is longer.
pub const OUTLIER_MAX_EJECTION: Duration = Duration::from_secs(300);
/// Envoy's `max_ejection_percent`, as a share.
pub const OUTLIER_MAX_EJECTED: f64 = 0.1;
/// Envoy's `success_rate_stdev_factor`, which is written in thousandths there.
pub const OUTLIER_STDEV: f64 = 1.9;
/// Envoy's `success_rate_minimum_hosts` and `failure_percentage_minimum_hosts`.
pub const OUTLIER_MIN_ENDPOINTS: u32 = 5;
/// Envoy's `success_rate_request_volume`.
pub const OUTLIER_SUCCESS_RATE_MIN_REQUESTS: u32 = 100;
/// Envoy's `failure_percentage_threshold`, as a share; nothing is ejected by it unless it is asked for.
pub const OUTLIER_FAILURE_PERCENTAGE: f64 = 0.85;
/// Envoy's `failure_percentage_request_volume`.
pub const OUTLIER_FAILURE_PERCENTAGE_MIN_REQUESTS: u32 = 50;
/// nginx Plus' `interval` of `health_check`.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// Kong's and Kubernetes' timeout of a check; or the interval, when that is shorter.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
/// `HAProxy`'s `rise`.
pub const HEALTH_RISE: u32 = 2;
/// `HAProxy`'s `fall`.
pub const HEALTH_FALL: u32 = 3;
/// What nginx Plus, `HAProxy` and Kubernetes expect; Envoy expects 200 alone.
pub const HEALTH_EXPECT: [RangeInclusive<u16>; 1] = [200..=399];

/// Linkerd's decay of peak EWMA.
pub const BALANCE_DECAY: Duration = Duration::from_secs(10);
/// Linkerd's `defaultRtt` of peak EWMA.
pub const BALANCE_DEFAULT_RTT: Duration = Duration::from_millis(30);
/// Envoy's `minimum_ring_size`.
pub const BALANCE_RING_POINTS: u32 = 1024;
/// Envoy's `table_size`, the smaller of the two in the paper.
pub const BALANCE_MAGLEV_SLOTS: u32 = 65_537;
/// Never, as in Istio and Linkerd; Envoy's `healthy_panic_threshold` is half.
pub const BALANCE_PANIC: f64 = 0.0;
/// Envoy's `overprovisioning_factor`, which is written in percent there.
pub const BALANCE_OVERPROVISIONING: f64 = 1.4;

/// How an upstream is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How long a request may take, all its attempts and the whole answer included; any time when `None`.
    pub timeout: Option<Duration>,
    /// How long it may take until the head of its answer, all its attempts included; as long as the whole when `None`.
    pub head_timeout: Option<Duration>,
    /// How long opening a connection may take, the TLS handshake included.
    pub connect_timeout: Duration,
    /// How long nothing may pass on a request's stream, either way; any time when `None`.
    pub idle_timeout: Option<Duration>,
    /// What is spoken with the upstream; what whoever uses it says when `None`.
    pub protocol: Option<Protocol>,
    /// How deadlines travel; they do not when `None`.
    pub deadline: Option<deadline::Config>,
    /// How long one attempt may take until its answer begins.
    pub per_try_timeout: Option<Duration>,
    /// When to try again; never when `None`.
    pub retry: Option<retry::Config>,
    /// From when on after a request began no further attempt is made; at any time when `None`.
    pub retry_within: Option<Duration>,
    /// How many retries there may be; any number when `None`.
    pub budget: Option<budget::Config>,
    /// When to send a second attempt beside a late one; never when `None`.
    pub hedge: Option<hedge::Config>,
    /// How much of a request's content is kept for another attempt, in bytes.
    pub body_limit: u64,
    /// When to stop asking an endpoint for a while; never when `None`.
    pub breaker: Option<Breakers>,
    /// How long requests wait when no endpoint is usable; they do not when `None`.
    pub queue: Option<Queue>,
    /// How endpoints are chosen.
    pub balance: Balance,
    /// What is taken in before it is passed on, or faster than that.
    pub buffer: Buffer,
    /// How many connections and waiting requests there may be.
    pub limits: Limits,
    /// When to stop using an endpoint that stands out; never when `None`.
    pub outlier: Option<outlier::Config>,
    /// How endpoints are asked whether they are well; they are not when `None`.
    pub health: Option<Health>,
    /// By which statuses callers are told of faults.
    pub statuses: FaultStatuses,
}

impl Default for Settings {
    /// What holds where nothing is said.
    fn default() -> Self {
        Policies::default().settings()
    }
}

/// All that a policy of retries says by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// When to try again.
    pub retry: retry::Config,
    /// See [`Settings::retry_within`].
    pub within: Option<Duration>,
    /// See [`Settings::per_try_timeout`].
    pub per_try_timeout: Option<Duration>,
    /// See [`Settings::budget`].
    pub budget: Option<budget::Config>,
    /// See [`Settings::body_limit`].
    pub body_limit: u64,
}

impl Settings {
    /// The same, where requests are tried again as `retries` say.
    #[must_use]
    pub fn retrying(self, retries: Retries) -> Self {
        let Retries { retry, within, per_try_timeout, budget, body_limit } = retries;
        Self { retry: Some(retry), retry_within: within, per_try_timeout, budget, body_limit, ..self }
    }
}

/// How requests wait when no endpoint is usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// How many of them, and until when all fail.
    pub config: failfast::Config,
    /// How long each of them; until all fail when `None`.
    pub timeout: Option<Duration>,
}

/// What is taken in before it is passed on, or faster than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffer {
    /// Requests, whole, of at most so many bytes of content; they pass as they come when `None`.
    pub requests: Option<u64>,
    /// Answers, of which at most so many bytes are kept; they are read at their callers' pace when `None`.
    pub answers: Option<u64>,
}

/// How endpoints are chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Balance {
    /// By which algorithm, and what goes with it.
    pub config: balance::Config,
    /// What requests are told apart by, for consistent hashing.
    pub by: Option<By>,
    /// How long changes of health are gathered after one that took effect; each takes effect at once when `None`.
    pub merge_window: Option<Duration>,
}

/// Active health checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is done.
    pub check: Check,
    /// How often, from the start of one to the start of the next.
    pub interval: Duration,
    /// How long one may take; at most `interval`.
    pub timeout: Duration,
    /// By how much an interval may be longer, at random.
    pub jitter: Duration,
    /// What checks make of an endpoint.
    pub rule: health::Config,
    /// Whether one that passes ends an ejection by outlier detection.
    pub unejects: bool,
}

/// What a health check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// A GET.
    Http {
        /// Of this path.
        path: String,
        /// Whose answer has one of these statuses.
        expect: Statuses,
    },
    /// A connection.
    Tcp,
    /// gRPC's health checking protocol.
    Grpc {
        /// The service that is asked about; the server as a whole when empty.
        service: String,
    },
}

/// Some statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl From<Vec<RangeInclusive<u16>>> for Statuses {
    fn from(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self(ranges)
    }
}

/// The breakers of an upstream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breakers {
    /// How each of them works.
    pub config: breaker::Config,
    /// What each of them guards.
    pub per: Guarded,
}

/// What a breaker guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guarded {
    /// One endpoint: while it is open, others are chosen.
    #[default]
    Endpoint,
    /// The upstream as a whole.
    Upstream,
}

/// How many connections and requests there may be of an upstream as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Whole {
    /// Connections at most, idle ones too; but every endpoint may have one.
    pub connections: Option<u32>,
    /// Requests that wait for one at most, its opening included.
    pub pending: Option<u32>,
    /// Requests that have a connection at most.
    pub requests: Option<u32>,
}

/// How many connections and requests there may be, per endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many workers have connections of their own; what follows counts for all of them together, unless it says
    /// otherwise.
    pub workers: u32,
    /// Connections at most, but each worker may have one.
    pub connections: Option<u32>,
    /// Requests that wait for one at most, its opening included.
    pub pending: u32,
    /// How long a request may wait for one, its opening included.
    pub pending_timeout: Option<Duration>,
    /// Requests that have a connection or wait for one at most.
    pub requests: Option<u32>,
    /// What the upstream may have as a whole, besides.
    pub whole: Whole,
    /// HTTP/1.1 connections that are kept idle at most, by each worker.
    pub idle: Option<u32>,
    /// How long a connection may be idle.
    pub idle_timeout: Option<Duration>,
    /// How old a connection may be when a request is sent on it.
    pub max_age: Option<Duration>,
    /// Requests that are sent over one connection at most.
    pub requests_per_connection: Option<u32>,
    /// Requests at a time on one HTTP/2 connection at most.
    pub streams: u32,
    /// Connections that are being opened at a time at most, by each worker.
    pub ramp: Option<u32>,
    /// After how long a silence an HTTP/2 connection with requests on it is pinged.
    pub keep_alive: Option<Duration>,
}

/// How long is waited for what follows at once where it is the end: trailers behind a message that may be the first of a
/// stream of gRPC, and the content of an answer that is to be kept without its connection.
pub(super) const FOLLOWING_PATIENCE: Duration = Duration::from_millis(25);

/// How long the end of an answer is waited for whose bytes are all there, when its caller has gone on.
pub(super) const END_PATIENCE: Duration = Duration::from_secs(1);

impl Default for Limits {
    /// Those of a pool that nobody has written anything about.
    fn default() -> Self {
        Self {
            workers: WORKERS,
            connections: None,
            pending: PENDING_MAX,
            pending_timeout: None,
            requests: None,
            whole: Whole::default(),
            idle: None,
            idle_timeout: None,
            max_age: None,
            requests_per_connection: None,
            streams: STREAMS_MAX,
            ramp: None,
            keep_alive: None,
        }
    }
}

impl Limits {
    /// HTTP/1.1 connections at most.
    pub fn connections_http1(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS_MAX)
    }

    /// HTTP/2 connections at most, of each worker unless a number is said.
    pub fn connections_http2(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS_HTTP2_MAX)
    }

    /// How long an HTTP/1.1 connection may be idle.
    pub fn idle_timeout_http1(&self) -> Duration {
        self.idle_timeout.unwrap_or(IDLE_TIMEOUT)
    }

    /// How many requests may be sent at once on an HTTP/2 connection that was just opened.
    pub fn streams_of_new(&self) -> u32 {
        self.streams.min(self.requests_per_connection.unwrap_or(u32::MAX))
    }
}
