//! The health of endpoints among what requests share: checks are observed, endpoints barred and readmitted. Not
//! here: how an endpoint is checked ([`crate::upstream::health`]).

use std::sync::{Arc, Weak};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::standing::Bar;
use super::{Policies, Shared, State};
use crate::host::{Host, Instant};
use crate::policy::health::{self, Health, Moved, Outcome};
use crate::telemetry::Decision;
use crate::upstream::member::Seat;
use crate::upstream::settings;

/// The health of all endpoints, and the randomness of their checks.
pub(super) struct Endpoints {
    /// By slot.
    all: Vec<Health>,
    rule: health::Config,
    jitter: Duration,
    unejects: bool,
    random: ChaCha8Rng,
}

impl Endpoints {
    pub(super) fn new(settings: &settings::Health, endpoints: usize, random: ChaCha8Rng) -> Self {
        let all = vec![Health::new(settings.rule); endpoints];
        Self { all, rule: settings.rule, jitter: settings.jitter, unejects: settings.unejects, random }
    }

    /// Somebody joins in `slot` who was not checked yet.
    pub(super) fn join(&mut self, slot: usize) {
        let unchecked = Health::new(self.rule);
        self.all.resize(self.all.len().max(slot + 1), unchecked);
        self.all[slot] = unchecked;
    }
}

impl<H: Host> Policies<H> {
    /// Bars the endpoint in `slot`, which was not checked yet, where that counts as down.
    pub(super) fn bar_unchecked(&mut self, now: Instant, slot: usize) {
        if self.health.as_ref().is_some_and(|health| !health.all[slot].is_healthy()) {
            self.standing.bar(slot, Bar::Unhealthy);
            self.balance.observe_health(now, slot, false);
        }
    }

    /// Whether a member is down for no other reason than that it was not checked yet.
    fn awaits_a_check(&self) -> bool {
        let slots = self.members.slots();
        self.health.as_ref().is_some_and(|health| slots.iter().any(|slot| health.all[*slot].is_awaited()))
    }

    /// What a check of `endpoint` decides.
    fn checked(&mut self, shared: &Shared<H>, endpoint: usize, outcome: Outcome) -> Vec<Decision> {
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
    /// Whether a member is down for no other reason than that it was not checked yet.
    pub(in super::super) fn awaits_a_check(&self) -> bool {
        self.shared.lock().awaits_a_check()
    }

    /// Completes when no member is.
    pub(in super::super) async fn checked(&self) {
        loop {
            let changed = self.shared.changed.notified();
            if !self.awaits_a_check() {
                return;
            }
            changed.await;
        }
    }

    /// Where the checks of the member in this seat are told of.
    pub(in super::super) fn checks_of(&self, seat: Seat) -> Checks<H> {
        Checks { shared: Arc::downgrade(&self.shared), seat }
    }
}

/// Where the checks of one member are told of, as long as it is one.
pub(in super::super) struct Checks<H: Host> {
    shared: Weak<Shared<H>>,
    seat: Seat,
}

impl<H: Host> Checks<H> {
    /// Notes how a check went, if it could be made; by how much longer to wait for the next one, unless nobody asks any
    /// more.
    pub(in super::super) fn observe(&self, outcome: Option<Outcome>) -> Option<Duration> {
        let shared = self.shared.upgrade()?;
        let mut policies = shared.lock();
        if !policies.members.is_current(self.seat) {
            return None;
        }
        let slot = self.seat.slot;
        let label = policies.members.label(slot);
        let was_awaited = policies.health.as_ref().is_some_and(|health| health.all[slot].is_awaited());
        let decisions = outcome.map(|outcome| policies.checked(&shared, slot, outcome)).unwrap_or_default();
        let is_told = was_awaited && !policies.awaits_a_check();
        let health = policies.health.as_mut()?;
        let longer = match u64::try_from(health.jitter.as_nanos()).unwrap_or(u64::MAX) {
            0 => Duration::ZERO,
            jitter => Duration::from_nanos(health.random.random_range(0..=jitter)),
        };
        drop(policies);
        for decision in &decisions {
            shared.decided(label.as_ref(), *decision);
        }
        shared.report_panic();
        if is_told || decisions.iter().any(|decision| *decision != Decision::Unhealthy) {
            shared.changed.notify_waiters();
        }
        Some(longer)
    }
}
