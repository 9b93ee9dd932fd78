//! The policies of an upstream with every default filled in. The defaults are those of known
//! systems, so that a proxy that is told nothing behaves as people expect.

use std::time::Duration;

use super::retry::Condition;
use super::{breaker, retry};

/// Envoy's route timeout.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Envoy's `connect_timeout`, which includes the TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Envoy's `num_retries` once a retry policy is there.
pub const RETRY_ATTEMPTS: u32 = 1;
/// What never does harm: Istio's defaults less those of gRPC.
pub const RETRY_ON: [Condition; 2] = [Condition::ConnectFailure, Condition::RefusedStream];
/// Envoy's base interval.
pub const BACKOFF_BASE: Duration = Duration::from_millis(25);
/// Envoy's maximum interval.
pub const BACKOFF_MAX: Duration = Duration::from_millis(250);
/// Envoy's `consecutive_5xx`.
pub const BREAKER_FAILURES: u32 = 5;
/// Envoy's `base_ejection_time`.
pub const BREAKER_OPEN_FOR: Duration = Duration::from_secs(30);
/// Envoy's `max_connections` and `max_requests`, here per endpoint.
pub const CONNECTIONS_MAX: u32 = 1024;
/// Envoy's `max_pending_requests`, here per endpoint.
pub const PENDING_MAX: u32 = 1024;
/// nginx's upstream `keepalive_timeout`; shorter than the 75 s after which servers close.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// How an upstream is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How long a request may take, all its attempts and the whole answer included.
    pub timeout: Duration,
    /// How long opening a connection may take, the TLS handshake included.
    pub connect_timeout: Duration,
    /// How long one attempt may take until its answer begins.
    pub per_try_timeout: Option<Duration>,
    /// When to try again; never when `None`.
    pub retry: Option<retry::Config>,
    /// The share of requests in flight that may be retries; any when `None`.
    pub budget: Option<f64>,
    /// When to stop asking an endpoint for a while; never when `None`.
    pub breaker: Option<breaker::Config>,
    /// How many connections and waiting requests there may be.
    pub limits: Limits,
}

/// How many connections and waiting requests there may be, per endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections (HTTP/1.1) or requests on the connection (HTTP/2) at most.
    pub connections: u32,
    /// Requests that wait for one at most.
    pub pending: u32,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
}
