//! Outlier detection: ejects the endpoints of an upstream that fail several times in a row, or far more
//! often than the others, and readmits each after a time that grows with how often it was ejected. The
//! rules are Envoy's; three differences are on purpose. An endpoint is readmitted at its time and not at
//! the next interval. When several are outliers at once, the worst are ejected first. And of what was in
//! flight when an endpoint was ejected, nothing is learned.
//!
//! Endpoints have slots, which stay while others join and leave; in a slot that nobody has nothing is counted.
//!
//! Owns no timer and no randomness: the caller asks when something is [`Outlier::due`], and calls
//! [`Outlier::advance`] then. What an ejection means for balancing is its matter, too.

mod rates;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::StatusCode;
use rand::{Rng, RngExt};

use crate::host::Instant;

pub use rates::{FailurePercentage, SuccessRate};
use rates::{Judge, Tally};

/// What ejects an endpoint, for how long, and how many of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Answers of 500 and above in a row that eject; 0 when they do not.
    pub consecutive_5xx: u32,
    /// Answers of 502, 503 and 504 in a row that eject; 0 when they do not.
    pub consecutive_gateway: u32,
    /// Attempts in a row without an answer that eject. When 0, such an attempt counts as a 503 instead; else it
    /// counts here alone, and rates are told apart as well.
    pub consecutive_local: u32,
    /// The success rate that ejects, compared with that of the others.
    pub success_rate: Option<SuccessRate>,
    /// The share of failures that ejects, whatever the others do.
    pub failure_percentage: Option<FailurePercentage>,
    /// How often rates are looked at; above zero.
    pub interval: Duration,
    /// How long the first ejection lasts, and by how much each one is longer than the one before.
    pub base_ejection: Duration,
    /// The longest that this leads to; at least `base_ejection`.
    pub max_ejection: Duration,
    /// By how much an ejection may be longer, at random, over `max_ejection` too.
    pub jitter: Duration,
    /// The share of all endpoints that are ejected at most, 0 to 1. See [`Outlier::ejected_max`].
    pub max_ejected: f64,
    /// Whether one endpoint may be ejected whatever `max_ejected` says.
    pub always_eject_one: bool,
    /// Whether an endpoint that has no others beside it is never ejected, as in nginx.
    pub keep_lone: bool,
    /// Whether a connection ends a run of attempts without an answer, as in Envoy, so that none of those with one makes
    /// it longer than one; else an answer ends it.
    pub connection_is_success: bool,
}

/// How an attempt at an endpoint went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, below 500.
    Success,
    /// It was answered with 500 or above, but for the three below.
    ServerError,
    /// It was answered with 502, 503 or 504.
    GatewayError,
    /// It was not answered, for there was no connection.
    ConnectFailure,
    /// It was not answered over its connection: reset, or too late.
    LocalFailure,
}

impl Outcome {
    /// Whether there was no answer.
    fn is_local(self) -> bool {
        matches!(self, Self::ConnectFailure | Self::LocalFailure)
    }
}

impl Outcome {
    /// An answer with `status`.
    pub fn answered(status: StatusCode) -> Self {
        match status.as_u16() {
            502..=504 => Self::GatewayError,
            500.. => Self::ServerError,
            _ => Self::Success,
        }
    }
}

/// What an attempt made of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// Nothing.
    Nothing,
    /// It is ejected.
    Ejected,
    /// It would have been, but as many as may be are.
    Refused,
}

/// What became of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It must not be used.
    Ejected,
    /// It may be used again.
    Readmitted,
    /// It would have been ejected, but as many as may be are.
    Refused,
}

/// Outlier detection over the endpoints of one upstream.
#[derive(Debug, Clone)]
pub struct Outlier {
    config: Config,
    /// By slot.
    endpoints: Vec<Watched>,
    /// How many slots somebody has.
    members: usize,
    ejected: usize,
    /// When rates are looked at next.
    interval_ends: Instant,
}

/// One endpoint.
#[derive(Debug, Clone, Default)]
struct Watched {
    in_a_row: InARow,
    /// What it answered in this interval; local failures, too, while they are not told apart.
    answers: Tally,
    /// Whether it could be reached in this interval, when that is told apart.
    reached: Tally,
    /// How many times `base_ejection` its last ejection was, less the intervals it has stayed healthy since.
    multiplier: u32,
    standing: Standing,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    /// Nobody has the slot.
    Absent,
    Admitted {
        since: Instant,
    },
    Ejected {
        until: Instant,
    },
}

impl Default for Standing {
    fn default() -> Self {
        Self::Admitted { since: Instant::START }
    }
}

/// Failures in a row, each kind by itself.
#[derive(Debug, Clone, Copy, Default)]
struct InARow {
    server_errors: u32,
    gateway_errors: u32,
    local_failures: u32,
}

impl Outlier {
    /// Watches `endpoints` from `now` on, all of them admitted.
    pub fn new(config: Config, endpoints: usize, now: Instant) -> Self {
        let fresh = Watched { standing: Standing::Admitted { since: now }, ..Watched::default() };
        let (members, endpoints) = (endpoints, vec![fresh; endpoints]);
        Self { config, endpoints, members, ejected: 0, interval_ends: now + config.interval }
    }

    /// An endpoint joins in `slot`, which nobody has: it is admitted, and nothing is known of it.
    pub fn join(&mut self, now: Instant, slot: usize) {
        self.leave(slot);
        let absent = Watched { standing: Standing::Absent, ..Watched::default() };
        self.endpoints.resize(self.endpoints.len().max(slot + 1), absent);
        self.endpoints[slot] = Watched { standing: Standing::Admitted { since: now }, ..Watched::default() };
        self.members += 1;
    }

    /// The endpoint in `slot` leaves, and what is known of it with it: were it ejected, another one may be now.
    pub fn leave(&mut self, slot: usize) {
        let Some(watched) = self.endpoints.get_mut(slot) else { return };
        let left = std::mem::replace(watched, Watched { standing: Standing::Absent, ..Watched::default() });
        self.members -= usize::from(!matches!(left.standing, Standing::Absent));
        self.ejected -= usize::from(left.ejected_until().is_some());
    }

    /// How many endpoints are ejected at a time at most: `max_ejected` of all of them, rounded down, so that the
    /// share *after* an ejection is within the limit; but one when one may always be, and none that is alone where
    /// such are kept.
    pub fn ejected_max(&self) -> usize {
        if self.config.keep_lone && self.members == 1 {
            return 0;
        }
        // A billionth makes up for shares that binary fractions hold a trifle too small: 29 % of 100 is 29.
        let share = (self.config.max_ejected * self.members as f64 + 1e-9).floor() as usize;
        share.max(usize::from(self.config.always_eject_one)).min(self.members)
    }

    /// How many endpoints are ejected.
    pub fn ejected(&self) -> usize {
        self.ejected
    }

    /// Learns how an attempt at `endpoint` went; what that makes of it.
    pub fn observe(
        &mut self,
        now: Instant,
        endpoint: usize,
        outcome: Outcome,
        random: &mut impl Rng,
    ) -> Observed {
        let watched = &mut self.endpoints[endpoint];
        if !watched.is_admitted() {
            return Observed::Nothing;
        }
        watched.count(outcome, &self.config);
        if !watched.in_a_row.take_reached(&self.config) {
            Observed::Nothing
        } else if self.eject(now, endpoint, random) {
            Observed::Ejected
        } else {
            Observed::Refused
        }
    }

    /// When [`Outlier::advance`] has something to do next, as far as is known now.
    pub fn due(&self) -> Instant {
        let readmissions = self.endpoints.iter().filter_map(Watched::ejected_until);
        readmissions.fold(self.interval_ends, Instant::min)
    }

    /// Does what is due: readmits, and at the end of an interval looks at rates. Tells `moved` of every
    /// endpoint that was ejected or readmitted, and of the first that could not be ejected.
    pub fn advance(&mut self, now: Instant, random: &mut impl Rng, mut moved: impl FnMut(usize, Moved)) {
        for endpoint in 0..self.endpoints.len() {
            if self.endpoints[endpoint].ejected_until().is_some_and(|until| until <= now) {
                self.readmit(now, endpoint);
                moved(endpoint, Moved::Readmitted);
            }
        }
        if self.interval_ends > now {
            return;
        }
        for watched in &mut self.endpoints {
            watched.calm_down(now, self.config.interval);
        }
        self.eject_outliers(now, |watched| watched.answers, random, &mut moved);
        self.eject_outliers(now, |watched| watched.reached, random, &mut moved);
        for watched in &mut self.endpoints {
            (watched.answers, watched.reached) = Default::default();
        }
        let next = self.interval_ends + self.config.interval;
        // Whoever comes late leaves out the intervals that nobody looked at.
        self.interval_ends = if next > now { next } else { now + self.config.interval };
    }

    /// Readmits `endpoint` before its time; whether it was ejected.
    pub fn readmit(&mut self, now: Instant, endpoint: usize) -> bool {
        let watched = &mut self.endpoints[endpoint];
        if watched.ejected_until().is_none() {
            return false;
        }
        watched.standing = Standing::Admitted { since: now };
        self.ejected -= 1;
        true
    }

    /// Ejects those whose rates, as `tally` has them, are out of line, the worst first, as far as may be.
    fn eject_outliers(
        &mut self,
        now: Instant,
        tally: impl Fn(&Watched) -> Tally,
        random: &mut impl Rng,
        moved: &mut impl FnMut(usize, Moved),
    ) {
        let admitted = |watched: &&Watched| watched.is_admitted();
        let judge = Judge::new(
            self.config.success_rate,
            self.config.failure_percentage,
            &self.endpoints.iter().filter(admitted).map(&tally),
        );
        loop {
            let outliers = self
                .endpoints
                .iter()
                .enumerate()
                .filter(|(_, watched)| admitted(watched) && judge.condemns(tally(watched)));
            let worst =
                outliers.min_by(|(_, one), (_, other)| tally(one).rate().total_cmp(&tally(other).rate()));
            let Some(worst) = worst.map(|(endpoint, _)| endpoint) else { return };
            if !self.eject(now, worst, random) {
                moved(worst, Moved::Refused);
                return;
            }
            moved(worst, Moved::Ejected);
        }
    }

    /// Ejects `endpoint`, which is admitted, unless too many are; whether it did.
    fn eject(&mut self, now: Instant, endpoint: usize, random: &mut impl Rng) -> bool {
        if self.ejected >= self.ejected_max() {
            return false;
        }
        let Config { base_ejection, max_ejection, jitter, .. } = self.config;
        let watched = &mut self.endpoints[endpoint];
        let most = max_ejection.saturating_add(base_ejection);
        if base_ejection.saturating_mul(watched.multiplier) < most {
            watched.multiplier += 1;
        }
        let longer = match nanos(jitter) {
            0 => Duration::ZERO,
            jitter => Duration::from_nanos(random.random_range(0..=jitter)),
        };
        let length =
            base_ejection.saturating_mul(watched.multiplier).min(max_ejection).saturating_add(longer);
        let multiplier = watched.multiplier;
        *watched =
            Watched { standing: Standing::Ejected { until: now + length }, multiplier, ..Watched::default() };
        self.ejected += 1;
        true
    }
}

impl Watched {
    fn ejected_until(&self) -> Option<Instant> {
        match self.standing {
            Standing::Ejected { until } => Some(until),
            Standing::Admitted { .. } | Standing::Absent => None,
        }
    }

    fn is_admitted(&self) -> bool {
        matches!(self.standing, Standing::Admitted { .. })
    }

    /// Counts `outcome`; local failures by themselves if they are told apart.
    fn count(&mut self, outcome: Outcome, config: &Config) {
        let told_apart = config.consecutive_local > 0;
        let InARow { server_errors, gateway_errors, mut local_failures } = self.in_a_row;
        self.in_a_row = match outcome {
            Outcome::ConnectFailure | Outcome::LocalFailure if told_apart => {
                if outcome == Outcome::LocalFailure && config.connection_is_success {
                    self.reached.succeeded();
                    local_failures = 0;
                }
                self.reached.failed();
                InARow { local_failures: local_failures.saturating_add(1), ..self.in_a_row }
            }
            Outcome::Success => InARow::default(),
            Outcome::ServerError => {
                InARow { server_errors: server_errors.saturating_add(1), ..InARow::default() }
            }
            Outcome::GatewayError | Outcome::ConnectFailure | Outcome::LocalFailure => InARow {
                server_errors: server_errors.saturating_add(1),
                gateway_errors: gateway_errors.saturating_add(1),
                local_failures: 0,
            },
        };
        if outcome.is_local() && told_apart {
            return;
        }
        self.answers.count(outcome == Outcome::Success);
        if told_apart {
            self.reached.succeeded();
        }
    }

    /// An interval has passed: one that it was admitted for from end to end makes its next ejection shorter.
    fn calm_down(&mut self, now: Instant, interval: Duration) {
        if let Standing::Admitted { since } = self.standing
            && since + interval <= now
        {
            self.multiplier = self.multiplier.saturating_sub(1);
        }
    }
}

impl InARow {
    /// Whether one of the runs is as long as `config` bears; those that are begin anew, whatever comes of it.
    fn take_reached(&mut self, config: &Config) -> bool {
        let reached = |run: &mut u32, most: u32| {
            let reached = most > 0 && *run >= most;
            if reached {
                *run = 0;
            }
            reached
        };
        let server = reached(&mut self.server_errors, config.consecutive_5xx);
        let gateway = reached(&mut self.gateway_errors, config.consecutive_gateway);
        let local = reached(&mut self.local_failures, config.consecutive_local);
        server || gateway || local
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
