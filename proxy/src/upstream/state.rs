//! What the requests to one upstream share: whose turn it is, the breakers, the retry budget, and
//! the randomness of pauses. Each use is one short lock; who passes gets a guard that settles up when
//! it is dropped.

mod active;
mod ejection;
mod health;
mod members;
mod merging;
mod panic;
mod queue;
mod standing;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tokio::sync::Notify;

use super::breakers::{Breakers, Guard};
use super::fleet::MemberSpec;
use super::member::{Member, Seat};
use super::settings::{self, Settings};
use super::source::Source;
use crate::host::{Host, Instant};
use crate::policy::balance::Balancer;
use crate::policy::breaker::{Admission, Breaker};
use crate::policy::budget::{Budget, Cause, Outcome};
use crate::policy::failfast::Failfast;
use crate::policy::hedge::Hedge;
use crate::policy::outlier::Observed;
use crate::policy::retry::Backoff;
use crate::random::stream;
use crate::telemetry::{BreakerMoved, BreakerState, Decision, Fault, PolicyEvent, Report};
use active::Active;
use ejection::Ejection;
pub(super) use health::Checks;
use members::Members;
use merging::Merging;
use standing::{Bar, Standing};

/// The streams of the upstream's seed; 0 is for pauses.
const BUDGET_STREAM: u64 = 1;
const BREAKER_STREAM: u64 = 2;
const OUTLIER_STREAM: u64 = 3;
const HEALTH_STREAM: u64 = 4;
const BALANCE_STREAM: u64 = 5;

/// A handle to the shared state.
pub(super) struct State<H: Host> {
    shared: Arc<Shared<H>>,
}

struct Shared<H: Host> {
    host: H,
    upstream: Arc<str>,
    policies: Mutex<Policies<H>>,
    /// How requests wait when no endpoint is usable; they do not when `None`.
    queue: Option<settings::Queue>,
    /// Tells those who wait that an endpoint may have become usable.
    changed: Notify,
    /// Tells the one who readmits that there is someone to readmit.
    ejected: Arc<Notify>,
}

struct Policies<H: Host> {
    members: Members<H>,
    balance: Balancer,
    /// What the balancer has yet to learn.
    merging: Merging,
    /// Whether it was told that health is ignored.
    panicking: bool,
    breakers: Breakers,
    standing: Standing,
    ejection: Option<Ejection>,
    health: Option<health::Endpoints>,
    queue: Option<Failfast>,
    budget: Budget,
    hedge: Option<Hedge>,
    /// For the jitter of pauses.
    random: ChaCha8Rng,
    /// For the throttle.
    budget_random: ChaCha8Rng,
    /// For the choice of endpoints.
    balance_random: ChaCha8Rng,
}

impl<H: Host> State<H> {
    /// The members are those of `config`, whom `enlist` makes.
    pub(super) fn new(
        host: H,
        config: &super::Config,
        settings: &Settings,
        seed: u64,
        enlist: impl FnMut(Seat, &MemberSpec) -> Arc<Member<H>>,
    ) -> Self {
        let mut members = Members::new(config);
        members.set(&config.fleet(), enlist);
        let (balanced, count) = (members.balanced(), members.slots().len());
        let ranks = balanced.iter().map(|(slot, member)| (*slot, member.rank));
        let merging = Merging::new(settings.balance.merge_window, ranks);
        let balanced: Vec<_> = balanced.into_iter().map(|(_, member)| member).collect();
        let mut policies = Policies {
            members,
            balance: Balancer::new(settings.balance.config, &balanced, seed, host.now()),
            merging,
            panicking: false,
            breakers: Breakers::new(settings.breaker, count, stream(seed, BREAKER_STREAM)),
            standing: Standing::new(count),
            ejection: settings
                .outlier
                .map(|config| Ejection::new(config, count, host.now(), stream(seed, OUTLIER_STREAM))),
            health: settings
                .health
                .as_ref()
                .map(|health| health::Endpoints::new(health, count, stream(seed, HEALTH_STREAM))),
            queue: settings.queue.map(|queue| Failfast::new(queue.config)),
            budget: Budget::new(settings.budget),
            hedge: settings.hedge.clone().map(Hedge::new),
            random: ChaCha8Rng::seed_from_u64(seed),
            budget_random: stream(seed, BUDGET_STREAM),
            balance_random: stream(seed, BALANCE_STREAM),
        };
        if config.source != Source::Listed {
            policies.balance.expect_changes();
        }
        (0..count).for_each(|slot| policies.bar_unchecked(host.now(), slot));
        let upstream = Arc::clone(&config.name);
        let queue = settings.queue;
        let (policies, changed, ejected) = (Mutex::new(policies), Notify::new(), Arc::default());
        Self { shared: Arc::new(Shared { host, upstream, policies, queue, changed, ejected }) }
    }

    /// Chooses an endpoint: the same again where that is asked for and may be, else one that was not tried and whose breaker
    /// admits, else any whose breaker admits.
    pub(super) fn choose(&self, sought: Sought<'_>) -> Result<Verdict<H>, Fault> {
        let Sought { key, tried, same } = sought;
        let now = self.shared.host.now();
        let mut policies = self.shared.lock();
        if policies.merge(now) {
            drop(policies);
            self.shared.report_panic();
            policies = self.shared.lock();
        }
        let Policies { members, balance, balance_random: random, breakers, .. } = &mut *policies;
        let admits = |endpoint: usize| {
            breakers.of(endpoint).is_none_or(|breaker| breaker.admission(now) != Admission::Reject)
        };
        let is_tried = |slot: usize| tried.iter().any(|seat| seat.slot == slot && members.is_current(*seat));
        let may_be_asked =
            |seat: &Seat| members.is_current(*seat) && balance.is_usable(seat.slot) && admits(seat.slot);
        let member = same
            .filter(may_be_asked)
            .map(|seat| seat.slot)
            .or_else(|| balance.pick(now, key, |endpoint| !is_tried(endpoint) && admits(endpoint), random))
            .or_else(|| balance.pick(now, key, admits, random))
            .and_then(|endpoint| members.of(endpoint))
            .ok_or(match balance.healthy() {
                0 if !balance.is_panicking() => Fault::NoEndpoint,
                _ => Fault::BreakerOpen,
            })?;
        let member = Arc::clone(member);
        let active = policies.begin(&self.shared, member.seat);
        let admission = self
            .shared
            .with_breaker(policies, member.seat.slot, |breaker, _| breaker.admit(now))
            .unwrap_or(Admission::Pass { round: 0 });
        let shared = Arc::clone(&self.shared);
        Ok(Verdict { shared, member, admission, began: now, active, open: Open::Whole })
    }

    /// A request begins, unless the budget refuses even that.
    pub(super) fn enter(&self) -> Result<InFlight<H>, Fault> {
        let now = self.shared.host.now();
        let mut policies = self.shared.lock();
        let Policies { budget, budget_random, .. } = &mut *policies;
        let admitted = budget.enter(now, budget_random);
        drop(policies);
        if admitted {
            return Ok(InFlight(Arc::clone(&self.shared)));
        }
        self.decided(None, Decision::Throttled);
        Err(Fault::Throttled)
    }

    /// Asks for a retry; `None` when the budget is spent.
    pub(super) fn retry(&self, cause: Cause) -> Option<Retrying<H>> {
        let now = self.shared.host.now();
        let mut policies = self.shared.lock();
        let Policies { budget, budget_random, .. } = &mut *policies;
        let admitted = budget.admit_retry(now, cause, budget_random);
        drop(policies);
        admitted.then(|| Retrying(Arc::clone(&self.shared)))
    }

    /// Tells the budget how an attempt went.
    pub(super) fn observe(&self, outcome: Outcome) {
        let now = self.shared.host.now();
        self.shared.lock().budget.observe(now, outcome);
    }

    /// How long to pause before retry number `number`; the upstream may have `told`.
    pub(super) fn pause(&self, backoff: &mut Backoff, told: Option<Duration>, number: u32) -> Duration {
        let random = &mut self.shared.lock().random;
        match told {
            Some(wanted) => backoff.pause_as_told(wanted, random),
            None => backoff.pause(number, random),
        }
    }

    /// Asks the hedging policy, or tells it; `None` when there is none.
    pub(super) fn hedge<T>(&self, ask: impl FnOnce(&mut Hedge, Instant) -> T) -> Option<T> {
        let now = self.shared.host.now();
        self.shared.lock().hedge.as_mut().map(|hedge| ask(hedge, now))
    }

    /// The members in their order, and how each of them stands.
    pub(super) fn stands(&self, now: Instant) -> Vec<Stand<H>> {
        let policies = self.shared.lock();
        let Policies { members, balance, breakers, standing, .. } = &*policies;
        let stand = |member: &Arc<Member<H>>| {
            let slot = member.seat.slot;
            let admission = breakers.of(slot).map(|breaker| breaker.admission(now));
            Stand {
                member: Arc::clone(member),
                is_in: balance.is_usable(slot) && admission != Some(Admission::Reject),
                is_ejected: standing.is_barred(slot, Bar::Ejected),
            }
        };
        members.iter().map(stand).collect()
    }

    /// Reports what was decided about a request to `endpoint`.
    pub(super) fn decided(&self, endpoint: Option<&Arc<str>>, decision: Decision) {
        self.shared.decided(endpoint, decision);
    }
}

impl<H: Host> Shared<H> {
    /// Changes the breaker of `endpoint`, if there is one, and reports if it moved.
    fn with_breaker<T>(
        &self,
        mut policies: MutexGuard<'_, Policies<H>>,
        endpoint: usize,
        change: impl FnOnce(&mut Breaker, &mut ChaCha8Rng) -> T,
    ) -> Option<T> {
        let Guard { breaker, endpoint, random } = policies.breakers.guard(endpoint)?;
        let before = breaker.state();
        let result = change(breaker, random);
        let after = breaker.state();
        let moved = before != after;
        let label = endpoint.filter(|_| moved).and_then(|slot| policies.members.label(slot));
        drop(policies);
        if moved {
            self.report(label, after);
        }
        if before != BreakerState::Closed {
            self.changed.notify_waiters();
        }
        Some(result)
    }

    fn decided(&self, endpoint: Option<&Arc<str>>, decision: Decision) {
        self.host.report(Report::Policy(PolicyEvent {
            at: self.host.now(),
            upstream: Arc::clone(&self.upstream),
            endpoint: endpoint.cloned(),
            decision,
        }));
    }

    fn report(&self, endpoint: Option<Arc<str>>, state: BreakerState) {
        self.host.report(Report::Breaker(BreakerMoved {
            at: self.host.now(),
            upstream: Arc::clone(&self.upstream),
            endpoint,
            state,
        }));
    }
}

impl<H: Host> Shared<H> {
    fn lock(&self) -> MutexGuard<'_, Policies<H>> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The obligation to tell the policies how an attempt went: when the head of its answer comes, and when its content
/// has. Dropped before the head, it says that nobody will know; dropped after a good head, it stays with that. What is said
/// of one that has left meanwhile counts for nothing.
pub(super) struct Verdict<H: Host> {
    shared: Arc<Shared<H>>,
    member: Arc<Member<H>>,
    admission: Admission,
    began: Instant,
    #[expect(dead_code, reason = "counts as long as it lives")]
    active: Option<Active<H>>,
    open: Open,
}

/// What is sought for an attempt.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    /// What consistent hashing tells requests apart by.
    pub(super) key: Option<u64>,
    /// Whom to avoid while there is somebody else.
    pub(super) tried: &'a [Seat],
    /// Whom to prefer to all others.
    pub(super) same: Option<Seat>,
}

/// How a member stands.
pub(super) struct Stand<H: Host> {
    pub(super) member: Arc<Member<H>>,
    /// Whether requests are sent there, as far as health and breakers go.
    pub(super) is_in: bool,
    /// Whether outlier detection has ejected it.
    pub(super) is_ejected: bool,
}

/// What is still to be told of an attempt.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// How it went.
    Whole,
    /// How its content ended, after a head with this status.
    Content(StatusCode),
    /// Nothing.
    Nothing,
}

/// How an attempt went, as policies see it.
#[derive(Debug, Clone, Copy)]
enum Settled {
    /// An answer came.
    Answered(StatusCode),
    /// There was no answer, or no end of it.
    Failed {
        fault: Fault,
        /// Whether there was a connection.
        connected: bool,
    },
    /// Nobody waited for the answer.
    Abandoned,
}

impl<H: Host> Verdict<H> {
    /// Whom it is about.
    pub(super) fn member(&self) -> &Arc<Member<H>> {
        &self.member
    }

    /// The head of an answer came, and with it all of the answer when it `is_received`. Balancing goes by the time
    /// until then; breaker and ejection wait for the end of what began well, as Linkerd's classification does, but for a
    /// breaker that probes.
    pub(super) fn answered(&mut self, status: StatusCode, is_received: bool) {
        let settled = Settled::Answered(status);
        let is_over = is_received || status.is_server_error();
        self.open = if is_over { Open::Nothing } else { Open::Content(status) };
        let now = self.shared.host.now();
        let policies = self.settle_balance(now, settled);
        if is_over {
            self.settle(policies, now, settled);
        } else if let Admission::Probe { round } = self.admission {
            // A probe whose answer streams for ever must not keep everybody else out.
            self.settle_breaker(policies, now, settled);
            self.admission = Admission::Pass { round };
        }
    }

    /// The content of an answer came to its end; with the trailers it `amounts_to` a status.
    pub(super) fn ended(&mut self, amounts_to: StatusCode) {
        if let Open::Content(_) = std::mem::replace(&mut self.open, Open::Nothing) {
            self.settle(self.shared.lock(), self.shared.host.now(), Settled::Answered(amounts_to));
        }
    }

    /// There was no answer, or it broke off; and whether there was a connection.
    pub(super) fn failed(&mut self, fault: Fault, connected: bool) {
        self.close(Settled::Failed { fault, connected });
    }

    /// Tells those who have not heard yet, which is everybody before the head.
    fn close(&mut self, settled: Settled) {
        let open = std::mem::replace(&mut self.open, Open::Nothing);
        let now = || self.shared.host.now();
        let (now, policies) = match open {
            Open::Whole => {
                let now = now();
                (now, self.settle_balance(now, settled))
            }
            Open::Content(_) => (now(), self.shared.lock()),
            Open::Nothing => return,
        };
        self.settle(policies, now, settled);
    }

    fn settle_balance(&self, now: Instant, settled: Settled) -> MutexGuard<'_, Policies<H>> {
        let mut policies = self.shared.lock();
        if policies.members.is_current(self.member.seat) {
            policies.balance.observe(now, self.member.seat.slot, now - self.began, settled.into());
        }
        policies
    }

    /// Tells breaker and ejection.
    fn settle(&self, mut policies: MutexGuard<'_, Policies<H>>, now: Instant, settled: Settled) {
        let observed = if policies.members.is_current(self.member.seat) {
            policies.observe_attempt(now, self.member.seat.slot, settled)
        } else {
            Observed::Nothing
        };
        self.settle_breaker(policies, now, settled);
        match observed {
            Observed::Nothing => {}
            Observed::Ejected => self.shared.after_ejection(&self.member.label),
            Observed::Refused => {
                self.shared.decided(Some(&self.member.label), Decision::EjectionRefused);
            }
        }
    }

    fn settle_breaker(&self, policies: MutexGuard<'_, Policies<H>>, now: Instant, settled: Settled) {
        let admission = self.admission;
        // The breaker of one that has left has gone with it; that of the whole upstream has its probe back.
        let settled = match policies.members.is_current(self.member.seat) {
            true => settled,
            false if policies.breakers.guard_the_whole() => Settled::Abandoned,
            false => return,
        };
        self.shared.with_breaker(policies, self.member.seat.slot, |breaker, random| {
            let blame = breaker.config().blame;
            match settled {
                Settled::Answered(status) => breaker.observe(now, admission, !blame.answered(status), random),
                Settled::Failed { fault, .. } if blame.failed(fault) => {
                    breaker.observe(now, admission, false, random);
                }
                Settled::Failed { .. } | Settled::Abandoned => breaker.abandon(admission),
            }
        });
    }
}

impl<H: Host> Drop for Verdict<H> {
    fn drop(&mut self) {
        self.close(match self.open {
            Open::Content(status) => Settled::Answered(status),
            Open::Whole | Open::Nothing => Settled::Abandoned,
        });
    }
}

/// A request in flight, until the last byte of its answer.
pub(super) struct InFlight<H: Host>(Arc<Shared<H>>);

impl<H: Host> Drop for InFlight<H> {
    fn drop(&mut self) {
        self.0.lock().budget.leave();
    }
}

/// A retry in flight: its pause and its attempt.
pub(super) struct Retrying<H: Host>(Arc<Shared<H>>);

impl<H: Host> Drop for Retrying<H> {
    fn drop(&mut self) {
        self.0.lock().budget.retried();
    }
}
