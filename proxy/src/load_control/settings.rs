//! What load control does, resolved: every default filled in. The defaults stand here, with where they come from.

use std::time::Duration;

use http::HeaderName;

use crate::policy::{admission, concurrency, limit, priority};

/// Requests that a token bucket saves up: as many as come in this time, at least one.
pub const BURST_TIME: Duration = Duration::from_secs(1);
/// The stretch of time that windows are about.
pub const WINDOW: Duration = Duration::from_secs(1);
/// Keys that are kept.
pub const KEYS_MAX: u32 = 10_000;

/// Envoy's `sample_aggregate_percentile`.
pub const GRADIENT_QUANTILE: f64 = 0.5;
/// Envoy has no default for it; its example says 100 ms.
pub const GRADIENT_INTERVAL: Duration = Duration::from_millis(100);
/// Envoy's `min_concurrency`.
pub const GRADIENT_MIN: u32 = 3;
/// Envoy's `max_concurrency_limit`.
pub const GRADIENT_MAX: u32 = 1_000;
/// Envoy's `buffer`.
pub const GRADIENT_BUFFER: f64 = 0.25;
/// Envoy has no default for it; its example says a minute.
pub const MIN_RTT_INTERVAL: Duration = Duration::from_mins(1);
/// Envoy's `jitter`.
pub const MIN_RTT_JITTER: f64 = 0.15;
/// Envoy's `request_count`.
pub const MIN_RTT_REQUESTS: u32 = 50;

/// Envoy's `sr_threshold`.
pub const SUCCESS_RATE: f64 = 0.95;
/// Envoy's `aggression`.
pub const AGGRESSION: f64 = 1.0;
/// Envoy's `sampling_window`.
pub const ADMISSION_WINDOW: Duration = Duration::from_secs(30);
/// Envoy's `max_rejection_probability`.
pub const REJECTION_MAX: f64 = 0.8;

/// The header field that says how much a request matters.
pub const PRIORITY_HEADER: HeaderName = HeaderName::from_static("x-priority");
/// The share of the concurrency limit that a request may use, from `critical-plus` to `sheddable`.
pub const SHARES: [f64; 4] = [1.0, 0.9, 0.8, 0.7];

/// What is limited, in the order in which a request meets it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// How large requests may be.
    pub size: Size,
    /// How many requests may come in a while.
    pub rate: Option<RateLimit>,
    /// When requests are refused because too few succeed.
    pub admission: Option<admission::Config>,
    /// How many requests may be in progress.
    pub concurrency: Option<concurrency::Config>,
    /// Which of them may use how much of that.
    pub priority: Option<priority::Config>,
}

impl Settings {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How large requests may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Bytes of content at most; any number when `None`.
    pub content: Option<u64>,
    /// Bytes of the head's fields at most, as [`crate::message::fields_bytes`] counts them.
    pub fields: Option<u64>,
}

/// A rate limit, and what has one of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// The limit.
    pub limit: limit::Config,
    /// What has one of its own; all requests share one when `None`.
    pub by: Option<Keys>,
}

/// What has a limit of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// What tells requests apart.
    pub by: By,
    /// How many are kept at most.
    pub keys_max: u32,
}

/// What tells requests apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// What a header field says; requests without it are one caller.
    Header(HeaderName),
    /// The address that they come from.
    Source,
    /// Who the caller has proven to be; all in the clear are one caller.
    Caller,
}
