//! What active health checks say of one endpoint: up after `rise` checks in a row that passed, down after
//! `fall` in a row that failed, as in `HAProxy`. One that begins as unhealthy is up with the first check
//! that passes, as in Envoy. Owns no timer and sends nothing: it is told how each check went.

/// When an endpoint goes up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Checks in a row that must pass for one that is down to be up; at least 1.
    pub rise: u32,
    /// Checks in a row that must fail for one that is up to be down; at least 1.
    pub fall: u32,
    /// Whether it counts as up before the first check.
    pub begins_healthy: bool,
    /// Whether an answer that is not expected brings one that is up down at once, as in Envoy.
    pub unexpected_is_down: bool,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Otherwise, or not in time.
    Failed,
    /// It was answered, but not as expected.
    Unexpected,
}

/// What became of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is up.
    Healthy,
    /// It is down.
    Unhealthy,
}

/// The health of one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    config: Config,
    is_healthy: bool,
    /// Whether a check has moved it, or confirmed what it began as.
    is_known: bool,
    /// Checks in a row that speak against what it is.
    against: u32,
}

impl Health {
    /// An endpoint that was not checked yet.
    pub fn new(config: Config) -> Self {
        Self { config, is_healthy: config.begins_healthy, is_known: false, against: 0 }
    }

    /// Whether it is up.
    pub fn is_healthy(&self) -> bool {
        self.is_healthy
    }

    /// Whether it is down for no other reason than that nothing is known of it yet.
    pub fn is_awaited(&self) -> bool {
        !self.is_known && !self.is_healthy
    }

    /// Learns how a check went; what that makes of the endpoint, if something else.
    pub fn observe(&mut self, outcome: Outcome) -> Option<Moved> {
        let passed = outcome == Outcome::Passed;
        let known = std::mem::replace(&mut self.is_known, true);
        if passed == self.is_healthy {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = match (self.is_healthy, known) {
            (true, _) if outcome == Outcome::Unexpected && self.config.unexpected_is_down => 1,
            (true, _) => self.config.fall,
            (false, true) => self.config.rise,
            (false, false) => 1,
        };
        if self.against < needed {
            return None;
        }
        self.is_healthy = passed;
        self.against = 0;
        Some(if passed { Moved::Healthy } else { Moved::Unhealthy })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: Config = Config { rise: 2, fall: 3, begins_healthy: true, unexpected_is_down: false };

    fn moves(config: Config, checks: &str) -> Vec<Option<Moved>> {
        let mut health = Health::new(config);
        let outcome = |check| match check {
            '+' => Outcome::Passed,
            '!' => Outcome::Unexpected,
            _ => Outcome::Failed,
        };
        checks.chars().map(|check| health.observe(outcome(check))).collect()
    }

    #[test]
    fn it_falls_after_three_in_a_row_and_rises_after_two() {
        let (down, up) = (Some(Moved::Unhealthy), Some(Moved::Healthy));
        assert_eq!(moves(CONFIG, "+--+---"), [None, None, None, None, None, None, down]);
        assert_eq!(moves(CONFIG, "----+-++"), [None, None, down, None, None, None, None, up]);
        assert_eq!(moves(Config { rise: 1, fall: 1, ..CONFIG }, "-+-"), [down, up, down]);
    }

    #[test]
    fn an_unexpected_answer_counts_as_any_failure_or_decides() {
        let (down, up) = (Some(Moved::Unhealthy), Some(Moved::Healthy));
        assert_eq!(moves(CONFIG, "-!-"), [None, None, down]);
        let config = Config { unexpected_is_down: true, ..CONFIG };
        assert_eq!(moves(config, "--+!++"), [None, None, None, down, None, up]);
    }

    #[test]
    fn what_begins_unhealthy_is_up_with_its_first_check_or_rises_as_any() {
        let config = Config { begins_healthy: false, ..CONFIG };
        assert!(!Health::new(config).is_healthy());
        assert_eq!(moves(config, "+"), [Some(Moved::Healthy)]);
        assert_eq!(moves(config, "-+"), [None, None]);
        assert_eq!(moves(config, "-++"), [None, None, Some(Moved::Healthy)]);
    }

    proptest! {
        #[test]
        fn it_is_what_the_last_run_that_was_long_enough_says(
            rise in 1_u32..5,
            fall in 1_u32..5,
            checks in prop::collection::vec(any::<bool>(), 1..60),
        ) {
            let mut health = Health::new(Config { rise, fall, ..CONFIG });
            let (mut expected, mut run, mut last) = (true, 0, true);
            for passed in checks {
                run = if passed == last { run + 1 } else { 1 };
                last = passed;
                if run >= if passed { rise } else { fall } {
                    expected = passed;
                }
                let before = health.is_healthy();
                let moved = health.observe(if passed { Outcome::Passed } else { Outcome::Failed });
                prop_assert_eq!(health.is_healthy(), expected);
                prop_assert_eq!(moved.is_some(), before != expected);
            }
        }
    }
}
