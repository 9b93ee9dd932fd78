//! Retry budgets: how many retries there may be beside the requests that are made anyway. One shape for the
//! kinds that the field knows, one file each; [`Budget`] is the one that was configured.
//!
//! Per request: [`Budget::enter`] (which [`throttle`] may refuse) and [`Budget::leave`]; per retry:
//! [`Budget::admit_retry`] and [`Budget::retried`]; per attempt that ended: [`Budget::observe`].

pub mod active;
pub mod concurrent;
pub mod recent;
mod slots;
pub mod throttle;
pub mod tokens;

use rand::Rng;

use crate::host::Instant;

/// Which budget, complete.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Config {
    /// So many retries at once: Envoy's `max_retries`.
    Concurrent(concurrent::Config),
    /// A share of the requests in flight: Envoy's and Istio's retry budget.
    Active(active::Config),
    /// A share of the requests of the last while: Finagle's, Linkerd's and tower's.
    Recent(recent::Config),
    /// A bucket of tokens with costs: the AWS SDKs'.
    Tokens(tokens::Config),
    /// Adaptive throttling by the client: the SRE book's.
    Throttle(throttle::Config),
}

/// Why an attempt is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There was no answer in time.
    Timeout,
    /// Any other failure.
    Failure,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream accepted it: an answer below 500 other than 429.
    Accepted {
        /// Why this attempt was a retry, if it was one.
        retried: Option<Cause>,
    },
    /// It did not.
    Refused,
}

/// The retry budget of an upstream.
#[derive(Debug, Clone)]
pub enum Budget {
    /// No limit.
    None,
    /// See [`Config::Concurrent`].
    Concurrent(concurrent::Concurrent),
    /// See [`Config::Active`].
    Active(active::Active),
    /// See [`Config::Recent`].
    Recent(Box<recent::Recent>),
    /// See [`Config::Tokens`].
    Tokens(tokens::Tokens),
    /// See [`Config::Throttle`].
    Throttle(Box<throttle::Throttle>),
}

impl Budget {
    /// The budget that `config` says; no limit when `None`.
    pub fn new(config: Option<Config>) -> Self {
        match config {
            None => Self::None,
            Some(Config::Concurrent(config)) => Self::Concurrent(concurrent::Concurrent::new(config)),
            Some(Config::Active(config)) => Self::Active(active::Active::new(config)),
            Some(Config::Recent(config)) => Self::Recent(Box::new(recent::Recent::new(config))),
            Some(Config::Tokens(config)) => Self::Tokens(tokens::Tokens::new(config)),
            Some(Config::Throttle(config)) => Self::Throttle(Box::new(throttle::Throttle::new(config))),
        }
    }

    /// Whether a request may begin; if so, followed by [`Budget::leave`]. Only a throttle ever refuses.
    pub fn enter(&mut self, now: Instant, random: &mut impl Rng) -> bool {
        match self {
            Self::None | Self::Concurrent(_) | Self::Tokens(_) => {}
            Self::Active(active) => active.enter(),
            Self::Recent(recent) => recent.deposit(now),
            Self::Throttle(throttle) => return throttle.admit(now, random),
        }
        true
    }

    /// A request ended, with its last retry.
    pub fn leave(&mut self) {
        if let Self::Active(active) = self {
            active.leave();
        }
    }

    /// Whether one more retry may begin, for `cause`; if so, followed by [`Budget::retried`].
    pub fn admit_retry(&mut self, now: Instant, cause: Cause, random: &mut impl Rng) -> bool {
        match self {
            Self::None => true,
            Self::Concurrent(concurrent) => concurrent.admit(),
            Self::Active(active) => active.admit(),
            Self::Recent(recent) => recent.admit(now),
            Self::Tokens(tokens) => tokens.admit(cause),
            Self::Throttle(throttle) => throttle.admit(now, random),
        }
    }

    /// A retry ended.
    pub fn retried(&mut self) {
        match self {
            Self::Concurrent(concurrent) => concurrent.retried(),
            Self::Active(active) => active.retried(),
            Self::None | Self::Recent(_) | Self::Tokens(_) | Self::Throttle(_) => {}
        }
    }

    /// An attempt went so.
    pub fn observe(&mut self, now: Instant, outcome: Outcome) {
        match (self, outcome) {
            (Self::Tokens(tokens), Outcome::Accepted { retried }) => tokens.accepted(retried),
            (Self::Throttle(throttle), Outcome::Accepted { .. }) => throttle.accepted(now),
            _ => {}
        }
    }
}
