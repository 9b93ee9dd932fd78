//! Circuit breaker: opens after a run of failures, or when too large a share of the requests in a
//! sliding window failed; lets probes pass after a pause; closes when they succeed, and opens for longer
//! when one fails. Owns no timer and no randomness: the caller says what time it is and lends a source.
//!
//! What it guards (an endpoint, an upstream, a route) is its owner's matter, and what counts as a
//! failure is said by [`Blame`]. The states are those of Nygard's *Release It!*; the growing, jittered
//! open time is that of Linkerd's failure accrual.

mod blame;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::host::Instant;
use crate::telemetry::BreakerState;

pub use blame::{Blame, Kind};
pub use window::{BUCKETS, Counts, Window};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Failures in a row that open it; 0 when they do not.
    pub failures: u32,
    /// The share of failures that opens it, if one does.
    pub rate: Option<FailureRate>,
    /// How long it refuses everything before it probes, when it had been closed.
    pub open_for: Duration,
    /// How many times as long it stays open after each probe that failed; at least 1.
    pub growth: f64,
    /// The longest that growth leads to.
    pub open_max: Duration,
    /// By what share of itself an open time may be longer, at random, growth included; 0 to 1.
    pub jitter: f64,
    /// How many probes must succeed to close it, and pass at most until then; at least 1.
    pub probes: u32,
    /// What counts as a failure.
    pub blame: Blame,
}

/// A share of failures over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailureRate {
    /// The share that opens the breaker when it is reached; above 0, at most 1.
    pub share: f64,
    /// Over how long requests are counted; see [`Window`] for what that means exactly.
    pub window: Duration,
    /// How few requests in the window say nothing: below it the breaker stays closed; at least 1.
    pub min_requests: u32,
}

impl Config {
    /// A breaker that opens after `failures` in a row, for `open_for` each time, and probes once.
    pub fn consecutive(failures: u32, open_for: Duration) -> Self {
        Self {
            failures,
            rate: None,
            open_for,
            growth: 1.0,
            open_max: open_for,
            jitter: 0.0,
            probes: 1,
            blame: Blame::default(),
        }
    }
}

/// Whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Pass {
        /// How often the breaker had opened, so that late outcomes are told from those of now.
        round: u32,
    },
    /// It may, and its outcome decides.
    Probe {
        /// As above.
        round: u32,
    },
    /// It may not.
    Reject,
}

impl Admission {
    fn round(self) -> Option<u32> {
        match self {
            Self::Pass { round } | Self::Probe { round } => Some(round),
            Self::Reject => None,
        }
    }
}

/// A circuit breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: Config,
    window: Option<Window>,
    state: State,
    /// How often it opened.
    round: u32,
    /// How often it opened since it was closed.
    reopened: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { out: u32, succeeded: u32 },
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: Config) -> Self {
        let window = config.rate.map(|rate| Window::new(rate.window));
        Self { config, window, state: State::Closed { failures: 0 }, round: 0, reopened: 0 }
    }

    /// How it was configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What [`Breaker::admit`] would say.
    pub fn admission(&self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Pass { round: self.round },
            State::Open { until } if now < until => Admission::Reject,
            State::HalfOpen { out, succeeded } if out + succeeded >= self.config.probes => Admission::Reject,
            State::Open { .. } | State::HalfOpen { .. } => Admission::Probe { round: self.round },
        }
    }

    /// Decides on a request. One that passes must be followed by [`Breaker::observe`] or
    /// [`Breaker::abandon`].
    pub fn admit(&mut self, now: Instant) -> Admission {
        let admission = self.admission(now);
        if let Admission::Probe { .. } = admission {
            self.state = match self.state {
                State::HalfOpen { out, succeeded } => State::HalfOpen { out: out + 1, succeeded },
                State::Closed { .. } | State::Open { .. } => State::HalfOpen { out: 1, succeeded: 0 },
            };
        }
        admission
    }

    /// Learns how a request went that had passed with `admission`. What was sent before the breaker
    /// opened says nothing about the endpoint now, not even when it has closed again: a round that is over
    /// moves nothing. Draws from `random` only when it opens with jitter.
    pub fn observe(&mut self, now: Instant, admission: Admission, success: bool, random: &mut impl Rng) {
        if admission.round() != Some(self.round) {
            return;
        }
        match (self.state, admission) {
            (State::Closed { failures }, _) => {
                let failures = if success { 0 } else { failures.saturating_add(1) };
                self.state = State::Closed { failures };
                if self.too_many(now, success, failures) {
                    self.open(now, random);
                }
            }
            (State::HalfOpen { out, succeeded }, Admission::Probe { .. }) => {
                let succeeded = succeeded + 1;
                match success {
                    true if succeeded >= self.config.probes => self.close(),
                    true => self.state = State::HalfOpen { out: out - 1, succeeded },
                    false => self.open(now, random),
                }
            }
            (State::HalfOpen { .. } | State::Open { .. }, _) => {}
        }
    }

    /// Learns that a request that had passed with `admission` was given up by its caller.
    pub fn abandon(&mut self, admission: Admission) {
        if let (State::HalfOpen { out, .. }, Admission::Probe { round }) = (&mut self.state, admission)
            && round == self.round
        {
            *out -= 1;
        }
    }

    /// The state, as telemetry names it. An open breaker stays open until a request probes it.
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// From when on it may let a request pass: an instant that has passed, unless it is open. Half-open
    /// with all its probes out it cannot know: a probe's outcome decides, which `None` says.
    pub fn usable_at(&self, now: Instant) -> Option<Instant> {
        match (self.admission(now), self.state) {
            (Admission::Pass { .. } | Admission::Probe { .. }, _) => Some(now),
            (Admission::Reject, State::Open { until }) => Some(until),
            (Admission::Reject, _) => None,
        }
    }

    /// Whether the last outcome was one failure too many.
    fn too_many(&mut self, now: Instant, success: bool, failures: u32) -> bool {
        let in_a_row = self.config.failures > 0 && failures >= self.config.failures;
        let (Some(rate), Some(window)) = (self.config.rate, &mut self.window) else { return in_a_row };
        window.observe(now, success);
        let counts = window.counts(now);
        let share = counts.failures as f64 / counts.requests as f64;
        in_a_row || (counts.requests >= u64::from(rate.min_requests) && share >= rate.share)
    }

    fn open(&mut self, now: Instant, random: &mut impl Rng) {
        let exponent = i32::try_from(self.reopened).unwrap_or(i32::MAX);
        let grown = self.config.open_for.as_secs_f64() * self.config.growth.powi(exponent);
        // Growth of 1 must not cost a nanosecond to rounding.
        let base = match Duration::try_from_secs_f64(grown) {
            Ok(grown) if exponent > 0 && self.config.growth > 1.0 => grown.min(self.config.open_max),
            Err(_) => self.config.open_max,
            Ok(_) => self.config.open_for,
        };
        let open_for = match self.config.jitter {
            jitter if jitter > 0.0 => base.mul_f64(1.0 + jitter * random.random::<f64>()),
            _ => base,
        };
        self.state = State::Open { until: now + open_for };
        self.round = self.round.wrapping_add(1);
        self.reopened = self.reopened.saturating_add(1);
    }

    fn close(&mut self) {
        self.state = State::Closed { failures: 0 };
        self.reopened = 0;
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }
}
