//! The health of endpoints among what requests share: checks are observed, endpoints barred and readmitted. Not
//! here: how an endpoint is checked ([`crate::upstream::health`]).

use std::sync::{Arc, Weak};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::standing::Bar;
use super::{Policies, Shared, State};
use crate::host::{Host, Instant};
use crate::policy::health::{Health, Moved, Outcome};
use crate::telemetry::Decision;
use crate::upstream::settings;

/// The health of all endpoints, and the randomness of their checks.
pub(super) struct Endpoints {
    all: Vec<Health>,
    jitter: Duration,
    unejects: bool,
    random: ChaCha8Rng,
}

impl Endpoints {
    pub(super) fn new(settings: &settings::Health, endpoints: usize, random: ChaCha8Rng) -> Self {
        let all = vec![Health::new(settings.rule); endpoints];
        Self { all, jitter: settings.jitter, unejects: settings.unejects, random }
    }
}

impl Policies {
    /// Bars the endpoints that count as down until they are checked.
    pub(super) fn bar_the_unchecked(&mut self, now: Instant) {
        for (endpoint, health) in self.health.iter().flat_map(|health| &health.all).enumerate() {
            if !health.is_healthy() {
                self.standing.bar(endpoint, Bar::Unhealthy);
                self.balance.observe_health(now, endpoint, false);
            }
        }
    }

    /// What a check of `endpoint` decides.
    fn checked<H: Host>(&mut self, shared: &Shared<H>, endpoint: usize, outcome: Outcome) -> Vec<Decision> {
        let Self { health, standing, ejection, .. } = self;
        let Some(health) = health else { return Vec::new() };
        let mut decisions = Vec::new();
        match health.all[endpoint].observe(outcome) {
            Some(Moved::Healthy) => {
                standing.lift(endpoint, Bar::Unhealthy);
                decisions.push(Decision::Healthy);
            }
            Some(Moved::Unhealthy) => {
                standing.bar(endpoint, Bar::Unhealthy);
                decisions.push(Decision::Unhealthy);
            }
            None => {}
        }
        let well = outcome == Outcome::Passed && health.all[endpoint].is_healthy();
        if well
            && health.unejects
            && let Some(ejection) = ejection
            && ejection.outlier.readmit(shared.host.now(), endpoint)
        {
            standing.lift(endpoint, Bar::Ejected);
            decisions.push(Decision::Readmitted);
        }
        self.stands(shared.host.now(), endpoint);
        decisions
    }
}

impl<H: Host> State<H> {
    /// Where the checks of `endpoint` are told of.
    pub(in super::super) fn checks_of(&self, endpoint: usize) -> Checks<H> {
        Checks { shared: Arc::downgrade(&self.shared), endpoint }
    }
}

/// Where the checks of one endpoint are told of, as long as its upstream is there.
pub(in super::super) struct Checks<H> {
    shared: Weak<Shared<H>>,
    endpoint: usize,
}

impl<H: Host> Checks<H> {
    /// Notes how a check went, if it could be made; by how much longer to wait for the next one, unless nobody asks any
    /// more.
    pub(in super::super) fn observe(&self, outcome: Option<Outcome>) -> Option<Duration> {
        let shared = self.shared.upgrade()?;
        let mut policies = shared.lock();
        let decisions =
            outcome.map(|outcome| policies.checked(&shared, self.endpoint, outcome)).unwrap_or_default();
        let health = policies.health.as_mut()?;
        let longer = match u64::try_from(health.jitter.as_nanos()).unwrap_or(u64::MAX) {
            0 => Duration::ZERO,
            jitter => Duration::from_nanos(health.random.random_range(0..=jitter)),
        };
        drop(policies);
        for decision in &decisions {
            shared.decided(Some(self.endpoint), *decision);
        }
        shared.report_panic();
        if decisions.iter().any(|decision| *decision != Decision::Unhealthy) {
            shared.changed.notify_waiters();
        }
        Some(longer)
    }
}
