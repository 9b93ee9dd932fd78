//! The limits of an accept loop. Their defaults are those of known systems.

use std::time::Duration;

use super::Security;
use super::lifetime::ConnectionAge;
use crate::message::HeadLimits;

/// How long to wait after a failed accept; doubles up to the maximum while failures go on.
pub(super) const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);
pub(super) const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a peer may be idle over HTTP/1.1, or take until a head is complete: nginx's `keepalive_timeout`.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Envoy's `stream_idle_timeout`.
pub const SEND_TIMEOUT: Duration = Duration::from_mins(5);
/// Less than the 30 s after which Kubernetes kills.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How many bytes a request's head may have unless it is said otherwise.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The limits of an accept loop.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether connections are to be secured.
    pub security: Security,
    /// Connections at a time; further ones wait in the kernel's queue.
    pub connections_max: u32,
    /// Requests at a time on one HTTP/2 connection (Envoy: 1024).
    pub streams_max: u32,
    /// Bytes of a request's head (Envoy: 60 KiB): its target, and the names and values of its fields; beyond them, 431.
    /// 4 KiB of the fields that hops add count for nothing, as below.
    pub head_bytes_max: usize,
    /// Header fields of a request (Envoy: 100); beyond them, 431. One line of each field that a hop may add counts for
    /// nothing (`Host`, the content's length or coding, `Via`, of which it is 16 lines, `X-Forwarded-For`, `-Proto` and `-Client-Cert`,
    /// `traceparent`, `X-Attempt-Count`, the fields of deadlines but for those with a name of one's own), so that what
    /// one hop takes, the next one like it takes, too.
    pub headers_max: usize,
    /// How long a peer may take until a request's head is complete, and so how long a connection
    /// may be idle (nginx's `keepalive_timeout`); over HTTP/2, until its first request.
    pub idle_timeout: Duration,
    /// How long an HTTP/2 connection may be without a request once it had one (gRPC's `MAX_CONNECTION_IDLE`; Envoy's
    /// `idle_timeout` is an hour); for ever when `None`.
    pub http2_idle_timeout: Option<Duration>,
    /// After how long a silence the peer of an HTTP/2 connection with requests on it is pinged: one that is gone must not
    /// take up a place for ever.
    pub http2_keep_alive: Duration,
    /// How long a peer may take nothing of what it is sent (nginx's `send_timeout`, which is 60 s; Envoy's
    /// `stream_idle_timeout` is 5 min); then its connection is closed, over HTTP/2 its stream reset. What the kernel takes
    /// counts, which takes more only when about a third of its buffer is free: a peer that reads less than that in this
    /// time seems to take nothing.
    pub send_timeout: Duration,
    /// How old a connection may become; any age when `None`.
    pub age: Option<ConnectionAge>,
    /// How long requests in flight may take when the loop is told to stop (Istio's
    /// `terminationDrainDuration` is 5 s, Kubernetes kills after 30 s).
    pub drain_timeout: Duration,
}

impl Settings {
    /// Sets how long connections may be idle, over either protocol, and how old they may become; what is left out stays
    /// as it is. Whoever has a seed says it in [`Settings::age`].
    pub fn keep(&mut self, idle: Option<Duration>, age: Option<Duration>) {
        self.idle_timeout = idle.unwrap_or(self.idle_timeout);
        self.http2_idle_timeout = idle.or(self.http2_idle_timeout);
        self.age = age.map(|max| ConnectionAge { max, seed: 0 }).or(self.age);
    }

    pub(super) fn head_limits(&self) -> HeadLimits {
        HeadLimits { fields: self.headers_max, bytes: self.head_bytes_max }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            security: Security::Plain,
            connections_max: 16_384,
            streams_max: 1024,
            head_bytes_max: HEAD_BYTES_MAX,
            headers_max: 100,
            idle_timeout: IDLE_TIMEOUT,
            http2_idle_timeout: Some(Duration::from_hours(1)),
            http2_keep_alive: Duration::from_secs(75),
            send_timeout: SEND_TIMEOUT,
            age: None,
            drain_timeout: DRAIN_TIMEOUT,
        }
    }
}
