//! Circuit breaker for one endpoint: opens after a run of failures, lets one probe pass after a
//! pause, and closes when the probe succeeds. Owns no timer: the caller says what time it is.

use std::time::Duration;

use crate::host::Instant;
use crate::telemetry::BreakerState;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it refuses everything before it probes.
    pub open_for: Duration,
}

/// Whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Pass,
    /// It may, and its outcome decides.
    Probe,
    /// It may not.
    Reject,
}

/// A circuit breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: Config,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { probing: bool },
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: Config) -> Self {
        Self { config, state: State::Closed { failures: 0 } }
    }

    /// What [`Breaker::admit`] would say.
    pub fn admission(&self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Pass,
            State::Open { until } if now < until => Admission::Reject,
            State::HalfOpen { probing: true } => Admission::Reject,
            State::Open { .. } | State::HalfOpen { probing: false } => Admission::Probe,
        }
    }

    /// Decides on a request. One that passes must be followed by [`Breaker::observe`] or
    /// [`Breaker::abandon`].
    pub fn admit(&mut self, now: Instant) -> Admission {
        let admission = self.admission(now);
        if admission == Admission::Probe {
            self.state = State::HalfOpen { probing: true };
        }
        admission
    }

    /// Learns how a request went that had passed with `admission`. What was sent before the breaker
    /// opened says nothing about the endpoint now.
    pub fn observe(&mut self, now: Instant, admission: Admission, success: bool) {
        let failures = match (self.state, admission) {
            (State::Closed { failures }, _) => failures + 1,
            (State::HalfOpen { .. }, Admission::Probe) => self.config.failures,
            (State::HalfOpen { .. } | State::Open { .. }, _) => return,
        };
        self.state = match success {
            true => State::Closed { failures: 0 },
            false if failures < self.config.failures => State::Closed { failures },
            false => State::Open { until: now + self.config.open_for },
        };
    }

    /// Learns that a request that had passed with `admission` was given up by its caller.
    pub fn abandon(&mut self, admission: Admission) {
        if let (State::HalfOpen { probing }, Admission::Probe) = (&mut self.state, admission) {
            *probing = false;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    fn breaker() -> Breaker {
        Breaker::new(Config { failures: 3, open_for: Duration::from_secs(5) })
    }

    #[test]
    fn it_opens_after_a_run_of_failures_and_closes_after_a_probe() {
        let mut breaker = breaker();
        for success in [false, false, true, false, false] {
            breaker.observe(at(0), Admission::Pass, success);
            assert_eq!(breaker.state(), BreakerState::Closed);
        }
        breaker.observe(at(0), Admission::Pass, false);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.admit(at(4_999)), Admission::Reject);
        assert_eq!(breaker.admit(at(5_000)), Admission::Probe);
        assert_eq!(breaker.admit(at(5_001)), Admission::Reject, "one probe at a time");
        breaker.observe(at(5_002), Admission::Pass, true);
        assert_eq!(breaker.state(), BreakerState::HalfOpen, "a latecomer decides nothing");
        breaker.observe(at(5_003), Admission::Probe, false);
        assert_eq!(breaker.admit(at(10_002)), Admission::Reject);
        assert_eq!(breaker.admit(at(10_003)), Admission::Probe);
        breaker.abandon(Admission::Probe);
        assert_eq!(breaker.admit(at(10_004)), Admission::Probe, "an abandoned probe is made up for");
        breaker.observe(at(10_005), Admission::Probe, true);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    proptest! {
        #[test]
        fn half_open_never_passes_more_than_one_probe(
            steps in prop::collection::vec((0_u64..3_000, 0_u8..3), 1..200),
        ) {
            let mut breaker = breaker();
            let mut now = 0;
            let mut probes_out = 0_u32;
            for (gap, step) in steps {
                now += gap;
                match (step, breaker.admit(at(now))) {
                    (_, Admission::Reject) => {
                        if probes_out > 0 {
                            breaker.observe(at(now), Admission::Probe, step == 0);
                            probes_out -= 1;
                        }
                    }
                    (0, admission) => breaker.observe(at(now), admission, true),
                    (1, admission) => breaker.observe(at(now), admission, false),
                    (_, Admission::Probe) => probes_out += 1,
                    (_, Admission::Pass) => breaker.abandon(Admission::Pass),
                }
                prop_assert!(probes_out <= 1);
            }
        }
    }
}
