//! A queue with failfast: when nothing is usable, requests wait for something to become so; when that
//! takes longer than the queue's patience, all of them fail, and from then on every request fails at
//! once until something is usable again. The algorithm is Linkerd's (`linkerd-stack`'s failfast behind a
//! bounded queue): patience is counted from when the upstream became unusable, not from each request's
//! arrival.
//!
//! Owns neither the requests that wait nor a timer: who may wait is told until when, and asks again. What
//! is usable is the caller's matter.

use std::time::Duration;

use crate::host::Instant;

/// How many requests may wait, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Requests that wait at most; at least 1.
    pub length: u32,
    /// How long nothing may be usable until requests fail at once.
    pub patience: Duration,
}

/// What a request that finds nothing usable is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It holds a place: wait until then at most, and ask again.
    Wait {
        /// When patience ends.
        until: Instant,
    },
    /// It is one too many.
    Overflow,
    /// It fails at once.
    Fail,
}

/// A queue with failfast.
#[derive(Debug, Clone)]
pub struct Failfast {
    config: Config,
    state: State,
    waiting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Usable,
    Waiting { until: Instant },
    Failing,
}

impl Failfast {
    /// An empty queue before something usable.
    pub fn new(config: Config) -> Self {
        Self { config, state: State::Usable, waiting: 0 }
    }

    /// Decides on a request that found nothing usable and holds no place. One that may wait holds a place
    /// until [`Failfast::leave`].
    pub fn admit(&mut self, now: Instant) -> Admission {
        // Nobody saw what happened since the last one went away.
        let unobserved = self.waiting == 0;
        if let State::Waiting { until } = self.state
            && unobserved
            && now >= until
        {
            self.state = State::Usable;
        }
        match self.observe_unusable(now) {
            Admission::Wait { .. } if self.waiting >= self.config.length => Admission::Overflow,
            Admission::Wait { until } => {
                self.waiting += 1;
                Admission::Wait { until }
            }
            other => other,
        }
    }

    /// Decides again on a request that holds a place and still finds nothing usable. It keeps its place.
    pub fn observe_unusable(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Usable => {
                let until = now + self.config.patience;
                self.state = State::Waiting { until };
                Admission::Wait { until }
            }
            State::Waiting { until } if now < until => Admission::Wait { until },
            State::Waiting { .. } | State::Failing => {
                self.state = State::Failing;
                Admission::Fail
            }
        }
    }

    /// Learns that a request found something usable.
    pub fn observe_usable(&mut self) {
        self.state = State::Usable;
    }

    /// A request gives up its place.
    pub fn leave(&mut self) {
        self.waiting -= 1;
    }

    /// Whether requests fail at once.
    pub fn is_failing(&self) -> bool {
        self.state == State::Failing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: Config = Config { length: 2, patience: Duration::from_secs(3) };

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    #[test]
    fn patience_is_that_of_the_upstream_and_not_of_each_request() {
        let mut failfast = Failfast::new(CONFIG);
        let until = at(4_000);
        assert_eq!(failfast.admit(at(1_000)), Admission::Wait { until });
        assert_eq!(failfast.admit(at(3_000)), Admission::Wait { until });
        assert_eq!(failfast.admit(at(3_500)), Admission::Overflow);
        assert_eq!(failfast.observe_unusable(at(3_999)), Admission::Wait { until });
        assert!(!failfast.is_failing());
        assert_eq!(failfast.observe_unusable(at(4_000)), Admission::Fail);
        assert!(failfast.is_failing());
        failfast.leave();
        failfast.leave();
        assert_eq!(failfast.admit(at(100_000)), Admission::Fail, "until something is usable");
        failfast.observe_usable();
        assert!(!failfast.is_failing());
        assert_eq!(failfast.admit(at(100_000)), Admission::Wait { until: at(103_000) });
    }

    #[test]
    fn what_nobody_saw_does_not_count_against_the_next() {
        let mut failfast = Failfast::new(CONFIG);
        failfast.admit(at(0));
        failfast.leave();
        assert_eq!(failfast.admit(at(2_000)), Admission::Wait { until: at(3_000) });
        failfast.leave();
        assert_eq!(failfast.admit(at(9_000)), Admission::Wait { until: at(12_000) });
    }

    proptest! {
        #[test]
        fn never_more_wait_than_may_and_none_for_longer(
            steps in prop::collection::vec((0_u64..1_000, 0_u8..4), 1..200),
        ) {
            let mut failfast = Failfast::new(CONFIG);
            let (mut now, mut waiting) = (0, 0);
            for (gap, step) in steps {
                now += gap;
                let admission = match step {
                    0 if waiting > 0 => {
                        failfast.leave();
                        waiting -= 1;
                        continue;
                    }
                    1 => {
                        failfast.observe_usable();
                        prop_assert!(!failfast.is_failing());
                        continue;
                    }
                    2 if waiting > 0 => failfast.observe_unusable(at(now)),
                    _ => {
                        let admission = failfast.admit(at(now));
                        waiting += u32::from(matches!(admission, Admission::Wait { .. }));
                        admission
                    }
                };
                prop_assert!(waiting <= CONFIG.length);
                match admission {
                    Admission::Wait { until } => {
                        prop_assert!(until > at(now) && until <= at(now) + CONFIG.patience);
                    }
                    Admission::Overflow => prop_assert_eq!(waiting, CONFIG.length),
                    Admission::Fail => prop_assert!(failfast.is_failing()),
                }
            }
        }
    }
}
