//! What a service is doing for one request, as a timeline that stays whole however the work ends.
//!
//! Work that runs in parallel has a timeline for each branch; when the branches join, or are
//! abandoned together, the chain of branches that determined the end is spliced into the parent's:
//! from the end backwards, each the one that ended when the next one could start.

use std::sync::{Arc, Mutex, PoisonError};

use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::host::{Host, Instant};
use hoplab_proxy::telemetry::{Fault, Outcome, Owner, Report, Role, SpanId, Timeline, TraceId};
use http::HeaderValue;

use crate::awaited::Waiter;
use crate::world::SimHost;

/// Something being done, with its timeline.
pub(crate) struct Activity {
    host: SimHost,
    pub(crate) exchange: Exchange,
    /// When it must be done, as its caller said, where the service heeds that.
    pub(crate) deadline: Option<Instant>,
    /// Who it is done for.
    pub(crate) waiter: Arc<Waiter>,
    /// The session that it is done for, which calls pass on.
    pub(crate) session: Option<HeaderValue>,
    /// The branches of a parallel step that have ended.
    branches: Branches,
}

type Branches = Arc<Mutex<Vec<Exchange>>>;

impl Activity {
    fn new(host: SimHost, trace: TraceId, parent: Option<SpanId>, waiter: Arc<Waiter>) -> Self {
        let exchange = Exchange::start(trace, parent, host.now());
        let (deadline, session, branches) = (None, None, Branches::default());
        Self { host, exchange, deadline, waiter, session, branches }
    }

    /// From now on time is spent on `owner`.
    pub(crate) fn doing(&mut self, owner: Owner) {
        self.settle();
        self.exchange.enter(owner);
    }

    /// A branch of this activity, for a parallel step.
    pub(crate) fn branch(&self) -> Branch {
        let waiter = Arc::clone(&self.waiter);
        let mut activity = Self::new(self.host.clone(), self.exchange.trace, None, waiter);
        activity.deadline = self.deadline;
        activity.exchange.flags = self.exchange.flags;
        activity.session.clone_from(&self.session);
        Branch { activity, into: Arc::clone(&self.branches) }
    }

    /// Accounts for the time until now.
    pub(crate) fn settle(&mut self) {
        let mut branches = std::mem::take(&mut *self.branches.lock().unwrap_or_else(PoisonError::into_inner));
        for branch in &mut branches {
            self.exchange.attempts.append(&mut branch.attempts);
        }
        splice(&mut self.exchange.timeline, branches.into_iter().map(|branch| branch.timeline).collect());
        self.exchange.mark(self.host.now());
    }

    fn take(&mut self) -> Exchange {
        self.settle();
        std::mem::replace(&mut self.exchange, Exchange::start(TraceId(1), None, Instant::START))
    }
}

/// One branch of a parallel step. Dropped, it hands its timeline to the activity it belongs to.
pub(crate) struct Branch {
    pub(crate) activity: Activity,
    into: Branches,
}

impl Drop for Branch {
    fn drop(&mut self) {
        let exchange = self.activity.take();
        self.into.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }
}

/// The answering of one request. Dropped, it reports its span: with the outcome it was given, or as
/// cancelled.
pub(crate) struct Answering {
    pub(crate) activity: Activity,
    outcome: Outcome,
}

impl Answering {
    /// Starts answering a request of `trace` that `parent` sent, for `waiter`.
    pub(crate) fn start(host: SimHost, trace: TraceId, parent: Option<SpanId>, waiter: Arc<Waiter>) -> Self {
        Self {
            activity: Activity::new(host, trace, parent, waiter),
            outcome: Outcome::Failed(Fault::Cancelled),
        }
    }

    /// The answer is `status`.
    pub(crate) fn answered(mut self, status: u16) {
        self.outcome = Outcome::Answered(status);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let exchange = self.activity.take();
        let host = &self.activity.host;
        host.report(Report::Span(exchange.into_span(Role::Service, self.outcome, host.now())));
    }
}

/// Appends to `timeline` the chain of `branches` that determined when the last of them ended.
fn splice(timeline: &mut Timeline, mut branches: Vec<Timeline>) {
    let from = timeline.last();
    let mut until = branches.iter().map(Timeline::last).max().unwrap_or(from);
    let mut chain = Vec::new();
    while until > from {
        let found = branches.iter().position(|branch| branch.last() == until && branch.started() < until);
        let Some(found) = found else { break };
        let branch = branches.remove(found);
        until = branch.started();
        chain.push(branch);
    }
    for branch in chain.into_iter().rev() {
        timeline.append(branch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    fn timeline(start: u64, owner: Owner, end: u64) -> Timeline {
        let mut timeline = Timeline::start(at(start));
        timeline.mark(owner, at(end));
        timeline
    }

    #[test]
    fn the_branches_that_determined_the_end_are_kept() {
        let mut whole = timeline(0, Owner::Cpu, 10);
        // Two at a time: the third could start when the first had ended.
        let branches = vec![
            timeline(10, Owner::Queue, 30),
            timeline(10, Owner::Tls, 40),
            timeline(30, Owner::Delay, 70),
        ];
        splice(&mut whole, branches);
        let segments: Vec<_> = whole.into_segments().iter().map(|s| (s.owner, s.end.micros())).collect();
        assert_eq!(segments, [(Owner::Cpu, 10), (Owner::Queue, 30), (Owner::Delay, 70)]);
    }

    #[test]
    fn branches_that_took_no_time_leave_nothing() {
        let mut whole = timeline(0, Owner::Cpu, 10);
        splice(&mut whole, vec![Timeline::start(at(10)), Timeline::start(at(10))]);
        assert_eq!(whole.last(), at(10));
    }
}
