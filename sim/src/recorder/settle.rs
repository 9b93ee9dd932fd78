//! Closing the accounts of requests that have ended, once their late spans have had time to come. Owns no sum.

use std::time::Duration;

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::TraceId;

use super::tally::Slow;
use super::{Pending, State};
use crate::account::{self, Stretch};

impl State {
    /// Closes the accounts that have waited long enough.
    pub(super) fn settle(&mut self, now: Instant) {
        while self.settling.front().is_some_and(|(deadline, _)| *deadline <= now) {
            let (_, trace) = self.settling.pop_front().expect("there is a front");
            if let Some(pending) = self.pending.get(&trace) {
                self.late.closed(trace, pending.intended);
            }
            self.close(trace);
        }
    }

    /// Joins the spans of an ended request and adds up where its time went.
    pub(super) fn close(&mut self, trace: TraceId) {
        let Some(pending) = self.pending.remove(&trace) else { return };
        let Some(root) = pending.root else { return };
        self.forget_stalls(&pending);
        if let Some(eye) = self.eye.as_mut().filter(|eye| eye.wants(trace)) {
            let path = account::path(&pending.visits, root, &self.stalls);
            eye.closed(&self.plan, trace, path, &self.stalls);
        }
        self.watch.closed(trace, self.endpoints[pending.endpoint], &pending.visits, root);
        if pending.intended < self.warmup_end {
            return;
        }
        let path = account::path(&pending.visits, root, &self.stalls);
        let span = &pending.visits[root].span;
        let accounted: Duration = path.iter().map(|stretch| stretch.until - stretch.from).sum();
        assert_eq!(accounted, span.end - pending.intended, "request {trace} is not accounted for");
        let latency_us = (span.end - pending.intended).as_micros() as u64;
        let (endpoint, intended, outcome) = (pending.endpoint, pending.intended, span.outcome);
        if outcome.is_served() {
            self.account_for(&pending, &path);
        } else {
            for stretch in &path {
                let sum = self.failed_nanos.entry(stretch.share).or_default();
                *sum += (stretch.until - stretch.from).as_nanos() as u64;
            }
        }
        self.keep_slow(Slow { trace, endpoint, intended, latency_us, outcome, path });
    }

    /// Forgets, now and then, when connections stood still before any request whose account is open or being closed.
    fn forget_stalls(&mut self, closing: &Pending) {
        const EVERY: u64 = 1_024;
        self.closed += 1;
        if self.closed.is_multiple_of(EVERY) {
            let open = self.pending.values().map(|pending| pending.intended);
            self.stalls.forget(open.fold(closing.intended, Instant::min));
        }
    }

    /// Adds up where the time of a request went that was served well.
    fn account_for(&mut self, pending: &Pending, path: &[Stretch]) {
        for stretch in path {
            let sum = self.hops.entry(stretch.hop).or_default().nanos.entry(stretch.share).or_default();
            *sum += (stretch.until - stretch.from).as_nanos() as u64;
        }
        for part in self.phases.at(pending.intended) {
            for stretch in path {
                let sum = self.part_nanos[part].entry(stretch.share).or_default();
                *sum += (stretch.until - stretch.from).as_nanos() as u64;
            }
        }
        for visit in &pending.visits {
            self.hops.entry(visit.hop).or_default().visits += 1;
        }
    }

    /// Keeps the slowest requests, slowest first; of equals the earlier one.
    fn keep_slow(&mut self, slow: Slow) {
        let place = self.slowest.partition_point(|kept| kept.latency_us >= slow.latency_us);
        if place < self.limits.slowest {
            self.slowest.insert(place, slow);
            self.slowest.truncate(self.limits.slowest);
        }
    }
}
