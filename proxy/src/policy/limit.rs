//! Rate limits: how many requests may pass in a while. One shape for the algorithms that the field knows, one
//! file each; [`Limiter`] is the one that was configured, [`keyed`] keeps one for each key.
//!
//! All of it is exact to the nanosecond: rates are fractions of whole numbers ([`Rate`]), and no algorithm
//! rounds. Owns no clock and no queue: who is delayed waits by itself.

pub mod fixed_window;
pub mod keyed;
pub mod leaky_bucket;
mod rate;
pub mod sliding_window;
pub mod token_bucket;

use std::time::Duration;

use crate::host::Instant;

pub use keyed::Keyed;
pub use rate::Rate;

/// Which limit, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Config {
    /// Tokens that come at a rate and may be saved up: Envoy's, AWS API Gateway's.
    TokenBucket(token_bucket::Config),
    /// A bucket that leaks at a rate; what it holds waits or not: GCRA (ITU-T I.371), nginx's `limit_req`.
    LeakyBucket(leaky_bucket::Config),
    /// So many in any stretch of time of one length: an exact log.
    SlidingWindow(sliding_window::Config),
    /// So many in each of the stretches that time is cut into: Kong's.
    FixedWindow(fixed_window::Config),
}

/// Whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may, at once.
    Pass,
    /// It may, at this instant, which is reserved for it: there is no second asking.
    Delay(Instant),
    /// It may not.
    Reject {
        /// After how long it would pass if nobody else came; `None`: never, it costs more than there can be.
        retry_after: Option<Duration>,
    },
}

/// A rate limit.
#[derive(Debug, Clone)]
pub enum Limiter {
    /// See [`Config::TokenBucket`].
    TokenBucket(token_bucket::TokenBucket),
    /// See [`Config::LeakyBucket`].
    LeakyBucket(leaky_bucket::LeakyBucket),
    /// See [`Config::SlidingWindow`].
    SlidingWindow(sliding_window::SlidingWindow),
    /// See [`Config::FixedWindow`].
    FixedWindow(fixed_window::FixedWindow),
}

impl Limiter {
    /// The limit that `config` says, which nothing has come to yet.
    pub fn new(config: Config) -> Self {
        match config {
            Config::TokenBucket(config) => Self::TokenBucket(token_bucket::TokenBucket::new(config)),
            Config::LeakyBucket(config) => Self::LeakyBucket(leaky_bucket::LeakyBucket::new(config)),
            Config::SlidingWindow(config) => Self::SlidingWindow(sliding_window::SlidingWindow::new(config)),
            Config::FixedWindow(config) => Self::FixedWindow(fixed_window::FixedWindow::new(config)),
        }
    }

    /// Decides on a request that counts as `cost` requests. `now` never runs backwards.
    pub fn admit(&mut self, now: Instant, cost: u32) -> Verdict {
        match self {
            Self::TokenBucket(limit) => limit.admit(now, cost),
            Self::LeakyBucket(limit) => limit.admit(now, cost),
            Self::SlidingWindow(limit) => limit.admit(now, cost),
            Self::FixedWindow(limit) => limit.admit(now, cost),
        }
    }
}

/// How long until `nanos` nanoseconds have passed.
fn after(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
