//! Waits for an endpoint when none is usable, as [`crate::policy::failfast`] allows.
//!
//! Whoever waits asks again when members joined or left, when a breaker moved, when one that is open may let a probe pass, and when
//! the queue's patience ends. A newcomer that finds an endpoint passes those who have not asked again yet.

use std::sync::Arc;

use tokio::sync::futures::Notified;

use super::{Policies, Shared, Sought, State, Verdict};
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::policy::failfast::{Admission, Failfast};
use crate::telemetry::{Decision, Fault, Owner};
use crate::timer::before;

impl<H: Host> State<H> {
    /// As [`State::choose`], but waits for an endpoint when none is usable, until `deadline` at the latest.
    pub(in super::super) async fn choose_in_time(
        &self,
        exchange: &mut Exchange,
        sought: Sought<'_>,
        deadline: Instant,
    ) -> Result<Verdict<H>, Fault> {
        let Some(queue) = self.shared.queue else { return self.choose(sought) };
        // Before anybody is asked: what changes in between is heard of.
        let changed = self.shared.changed.notified();
        match self.choose(sought) {
            Err(fault) if is_unusable(fault) => {}
            chosen => {
                self.shared.with_queue(|queue, _| queue.observe_usable());
                return chosen;
            }
        }
        let until = match self.shared.with_queue(Failfast::admit) {
            Some(Admission::Wait { until }) => until,
            Some(Admission::Overflow) => return Err(Fault::Overflow),
            Some(Admission::Fail) | None => return Err(Fault::Failfast),
        };
        let place = Place(&self.shared);
        exchange.enter(Owner::Pool);
        let gives_up = queue.timeout.map(|timeout| self.shared.host.now() + timeout);
        // Boxed, since it is rare: the future of every request would hold the room for it.
        let chosen = Box::pin(self.wait(sought, changed, until, (gives_up, deadline))).await;
        exchange.mark(self.shared.host.now());
        drop(place);
        chosen
    }

    async fn wait<'a>(
        &'a self,
        sought: Sought<'_>,
        mut changed: Notified<'a>,
        mut until: Instant,
        (gives_up, deadline): (Option<Instant>, Instant),
    ) -> Result<Verdict<H>, Fault> {
        let late = gives_up.map_or(deadline, |gives_up| gives_up.min(deadline));
        loop {
            let now = self.shared.host.now();
            // One that may pass by now was taken by someone else at this instant, whose outcome will tell.
            let usable = self.shared.usable_at(now).filter(|usable| *usable > now).unwrap_or(until);
            before(&self.shared.host, until.min(late).min(usable), changed).await;
            changed = self.shared.changed.notified();
            match self.choose(sought) {
                Err(fault) if is_unusable(fault) => {}
                chosen => {
                    self.shared.with_queue(|queue, _| queue.observe_usable());
                    return chosen;
                }
            }
            let now = self.shared.host.now();
            if now >= deadline {
                return Err(Fault::Timeout);
            }
            if gives_up.is_some_and(|gives_up| now >= gives_up) {
                return Err(Fault::PendingTimeout);
            }
            match self.shared.with_queue(Failfast::observe_unusable) {
                Some(Admission::Wait { until: anew }) => until = anew,
                Some(Admission::Overflow | Admission::Fail) | None => return Err(Fault::Failfast),
            }
        }
    }
}

/// Whether `fault` says that no endpoint may be asked, for now.
fn is_unusable(fault: Fault) -> bool {
    matches!(fault, Fault::BreakerOpen | Fault::NoEndpoint)
}

impl<H: Host> Shared<H> {
    /// Changes the queue, if there is one, and reports if failfast began or ended.
    fn with_queue<T>(&self, change: impl FnOnce(&mut Failfast, Instant) -> T) -> Option<T> {
        let now = self.host.now();
        let mut policies = self.lock();
        let queue = policies.queue.as_mut()?;
        let before = queue.is_failing();
        let result = change(queue, now);
        let after = queue.is_failing();
        drop(policies);
        match (before, after) {
            (false, true) => self.decided(None, Decision::FailfastBegan),
            (true, false) => self.decided(None, Decision::FailfastEnded),
            _ => {}
        }
        Some(result)
    }

    /// When the first breaker may let a request pass, or what is known of health takes effect, as far as that is known.
    fn usable_at(&self, now: Instant) -> Option<Instant> {
        let Policies { members, breakers, merging, .. } = &*self.lock();
        let breakers = members.slots().iter().filter_map(|slot| breakers.of(*slot)?.usable_at(now));
        breakers.chain(merging.due()).min()
    }
}

/// A place in the queue; given up when dropped.
struct Place<'a, H: Host>(&'a Arc<Shared<H>>);

impl<H: Host> Drop for Place<'_, H> {
    fn drop(&mut self) {
        if let Some(queue) = &mut self.0.lock().queue {
            queue.leave();
        }
    }
}
