//! What the requests to one upstream share: whose turn it is, the breakers, the retry budget, and
//! the randomness of pauses. Each use is one short lock; who passes gets a guard that settles up when
//! it is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::balance::RoundRobin;
use super::breaker::{Admission, Breaker};
use super::budget::Budget;
use super::retry::Retry;
use super::settings::Settings;
use crate::host::Host;
use crate::telemetry::{BreakerMoved, BreakerState, Fault, Report};

/// A handle to the shared state.
pub(super) struct State<H> {
    shared: Arc<Shared<H>>,
}

struct Shared<H> {
    host: H,
    upstream: Arc<str>,
    endpoints: Vec<Arc<str>>,
    policies: Mutex<Policies>,
}

struct Policies {
    balance: RoundRobin,
    breakers: Vec<Breaker>,
    budget: Option<Budget>,
    random: ChaCha8Rng,
}

impl<H: Host> State<H> {
    pub(super) fn new(host: H, config: &super::Config, settings: &Settings, seed: u64) -> Self {
        let count = config.endpoints.len();
        let policies = Policies {
            balance: RoundRobin::new(count, seed),
            breakers: settings.breaker.map_or_else(Vec::new, |breaker| vec![Breaker::new(breaker); count]),
            budget: settings.budget.map(Budget::new),
            random: ChaCha8Rng::seed_from_u64(seed),
        };
        let endpoints = config.endpoints.iter().map(|endpoint| endpoint.to_string().into()).collect();
        let upstream = Arc::clone(&config.name);
        Self { shared: Arc::new(Shared { host, upstream, endpoints, policies: Mutex::new(policies) }) }
    }

    /// Chooses an endpoint: one that was not tried and whose breaker admits, else any whose breaker admits.
    pub(super) fn choose(&self, tried: &[usize]) -> Result<(usize, Verdict<H>), Fault> {
        let now = self.shared.host.now();
        let mut policies = self.shared.lock();
        let Policies { balance, breakers, .. } = &mut *policies;
        let admits = |endpoint: usize| {
            breakers.get(endpoint).is_none_or(|breaker| breaker.admission(now) != Admission::Reject)
        };
        let endpoint = balance
            .pick(|endpoint| !tried.contains(&endpoint) && admits(endpoint))
            .or_else(|| balance.pick(admits))
            .ok_or(if self.shared.endpoints.is_empty() { Fault::NoEndpoint } else { Fault::BreakerOpen })?;
        let admission = self
            .shared
            .with_breaker(policies, endpoint, |breaker| breaker.admit(now))
            .unwrap_or(Admission::Pass);
        let shared = Arc::clone(&self.shared);
        Ok((endpoint, Verdict { shared, endpoint, admission, pending: true }))
    }

    /// A request began.
    pub(super) fn enter(&self) -> InFlight<H> {
        if let Some(budget) = &mut self.shared.lock().budget {
            budget.enter();
        }
        InFlight(Arc::clone(&self.shared))
    }

    /// Asks for a retry; `None` when the budget is spent.
    pub(super) fn retry(&self) -> Option<Retrying<H>> {
        let admitted = self.shared.lock().budget.as_mut().is_none_or(Budget::admit);
        admitted.then(|| Retrying(Arc::clone(&self.shared)))
    }

    /// How long to pause before retry number `number`.
    pub(super) fn pause(&self, retry: &Retry, number: u32) -> Duration {
        retry.pause(number, &mut self.shared.lock().random)
    }
}

impl<H: Host> Shared<H> {
    /// Changes the breaker of `endpoint`, if there is one, and reports if it moved.
    fn with_breaker<T>(
        &self,
        mut policies: MutexGuard<'_, Policies>,
        endpoint: usize,
        change: impl FnOnce(&mut Breaker) -> T,
    ) -> Option<T> {
        let breaker = policies.breakers.get_mut(endpoint)?;
        let before = breaker.state();
        let result = change(breaker);
        let after = breaker.state();
        drop(policies);
        if before != after {
            self.report(endpoint, after);
        }
        Some(result)
    }

    fn report(&self, endpoint: usize, state: BreakerState) {
        self.host.report(Report::Breaker(BreakerMoved {
            at: self.host.now(),
            upstream: Arc::clone(&self.upstream),
            endpoint: self.endpoints.get(endpoint).cloned(),
            state,
        }));
    }
}

impl<H> Shared<H> {
    fn lock(&self) -> MutexGuard<'_, Policies> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The obligation to tell an endpoint's breaker how its attempt went. Dropped, it says that nobody
/// will know.
pub(super) struct Verdict<H: Host> {
    shared: Arc<Shared<H>>,
    endpoint: usize,
    admission: Admission,
    pending: bool,
}

impl<H: Host> Verdict<H> {
    pub(super) fn observe(mut self, success: bool) {
        self.pending = false;
        let now = self.shared.host.now();
        self.shared.with_breaker(self.shared.lock(), self.endpoint, |breaker| {
            breaker.observe(now, self.admission, success);
        });
    }
}

impl<H: Host> Drop for Verdict<H> {
    fn drop(&mut self) {
        if self.pending {
            self.shared.with_breaker(self.shared.lock(), self.endpoint, |breaker| {
                breaker.abandon(self.admission);
            });
        }
    }
}

/// A request in flight, until the last byte of its answer.
pub(super) struct InFlight<H>(Arc<Shared<H>>);

impl<H> Drop for InFlight<H> {
    fn drop(&mut self) {
        if let Some(budget) = &mut self.0.lock().budget {
            budget.leave();
        }
    }
}

/// A retry in flight: its pause and its attempt.
pub(super) struct Retrying<H>(Arc<Shared<H>>);

impl<H> Drop for Retrying<H> {
    fn drop(&mut self) {
        if let Some(budget) = &mut self.0.lock().budget {
            budget.retried();
        }
    }
}
