//! Sums that grow with what is measured, not with how long: requests, latencies, windows, edges.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{Attempt, AttemptKind, Fault, Outcome, TraceId};

use crate::account::{Share, Stretch};
use crate::record;
use crate::slices::Slices;
use crate::statistics;

/// Requests and their latencies.
pub(super) struct Tally {
    requests: record::Requests,
    /// Of those that were served well, and of all others that ended.
    served: Times,
    failed: Times,
    good: u64,
    within: Vec<record::Within>,
    slices: Slices,
}

impl Tally {
    /// Of the requests of the part of the run from `from` until `until`; what is served is counted by these `limits`,
    /// too.
    fn new((from, until): (Instant, Instant), limits_us: &[u64]) -> Self {
        let within = limits_us.iter().map(|&limit_us| record::Within { limit_us, requests: 0 });
        Self {
            requests: record::Requests::default(),
            served: Times::new(4),
            failed: Times::new(4),
            good: 0,
            within: within.collect(),
            slices: Slices::new(from, until),
        }
    }

    fn sent(&mut self, intended: Instant) {
        self.requests.sent += 1;
        self.requests.open += 1;
        self.slices.sent(intended);
    }

    pub(super) fn ended(&mut self, intended: Instant, outcome: Outcome, latency_us: u64) {
        self.requests.open -= 1;
        match outcome {
            Outcome::Failed(Fault::Timeout) => self.requests.timed_out += 1,
            _ if outcome.is_ok() => self.requests.ok += 1,
            _ => self.requests.failed += 1,
        }
        if outcome.is_ok() {
            self.slices.answered(intended);
        }
        if !outcome.is_served() {
            self.requests.refused += u64::from(outcome.is_ok());
            return self.failed.add(latency_us);
        }
        self.served.add(latency_us);
        self.slices.observe(intended, latency_us as i64);
        for within in self.within.iter_mut().filter(|within| latency_us <= within.limit_us) {
            within.requests += 1;
        }
    }

    /// A good answer was given, whenever it was asked for.
    pub(super) fn gave(&mut self) {
        self.good += 1;
    }

    pub(super) fn served_count(&self) -> u64 {
        self.served.histogram.len()
    }

    pub(super) fn failed_count(&self) -> u64 {
        self.failed.histogram.len()
    }

    pub(super) fn into_traffic(self) -> record::Traffic {
        let Self { requests, served, failed, good, within, slices } = self;
        let (latency, failed_latency) = (served.into_latencies(), failed.into_latencies());
        let at = |quantile| latency.quantile_us(quantile) as i64;
        let mut intervals = statistics::of_run(&slices.into_clusters(), at);
        intervals.quantiles.retain(|of| latency.percentile_us(of.quantile).is_some());
        record::Traffic { requests, latency, failed_latency, good, within, intervals, seeds: Vec::new() }
    }
}

/// Response times.
struct Times {
    histogram: Histogram<u32>,
    sum_us: u64,
    /// Exact, which the histogram's are not.
    min_us: u64,
    max_us: u64,
}

impl Times {
    /// To so many significant `figures`, of which there are at most five.
    fn new(figures: u8) -> Self {
        let histogram =
            Histogram::new(figures).expect("so few significant figures are within the crate's bounds");
        Self { histogram, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }

    fn add(&mut self, latency_us: u64) {
        self.sum_us += latency_us;
        self.min_us = self.min_us.min(latency_us);
        self.max_us = self.max_us.max(latency_us);
        self.histogram.record(latency_us).expect("the histogram grows as needed");
    }

    fn into_latencies(self) -> record::Latencies {
        let count = self.histogram.len();
        record::Latencies {
            count,
            sum_us: self.sum_us,
            min_us: if count == 0 { 0 } else { self.min_us },
            max_us: self.max_us,
            buckets: buckets(&self.histogram),
        }
    }
}

/// All requests and the same by endpoint, with the edges they caused.
pub(super) struct Scope {
    pub(super) total: Tally,
    pub(super) endpoints: Vec<Tally>,
    pub(super) edges: BTreeMap<EdgeKey, record::Edge>,
    /// Attempts by where they went: `payment-0:8080`.
    pub(super) addresses: BTreeMap<Arc<str>, u64>,
}

/// Caller (`None`: clients) and callee, as indexes of services.
pub(super) type EdgeKey = (Option<usize>, usize);

impl Scope {
    /// Of so many `endpoints`, in a part of the run: from when until when; what is served is counted by these `limits`,
    /// too.
    pub(super) fn new(endpoints: usize, part: (Instant, Instant), limits_us: &[u64]) -> Self {
        Self {
            total: Tally::new(part, limits_us),
            endpoints: (0..endpoints).map(|_| Tally::new(part, limits_us)).collect(),
            edges: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    pub(super) fn sent(&mut self, endpoint: usize, intended: Instant) {
        self.total.sent(intended);
        self.endpoints[endpoint].sent(intended);
    }

    pub(super) fn ended(&mut self, endpoint: usize, intended: Instant, outcome: Outcome, latency_us: u64) {
        self.total.ended(intended, outcome, latency_us);
        self.endpoints[endpoint].ended(intended, outcome, latency_us);
    }

    /// A good answer was given, whenever it was asked for.
    pub(super) fn gave(&mut self, endpoint: usize) {
        self.total.gave();
        self.endpoints[endpoint].gave();
    }

    /// Attempts by pod: `payment-0`.
    pub(super) fn pods(&self) -> BTreeMap<String, u64> {
        let mut pods = BTreeMap::new();
        for (address, attempts) in &self.addresses {
            let pod = address.rsplit_once(':').map_or(&**address, |(pod, _)| pod);
            *pods.entry(pod.to_owned()).or_default() += attempts;
        }
        pods
    }

    pub(super) fn called(&mut self, edge: EdgeKey) {
        self.edges.entry(edge).or_default().requests += 1;
    }

    pub(super) fn unsent(&mut self, edge: EdgeKey) {
        self.edges.entry(edge).or_default().unsent += 1;
    }

    pub(super) fn attempted(&mut self, edge: EdgeKey, attempt: &Attempt) {
        if !attempt.is_sent {
            return self.unsent(edge);
        }
        let edge = self.edges.entry(edge).or_default();
        edge.attempts += 1;
        match attempt.kind {
            AttemptKind::First => {}
            AttemptKind::Retry => edge.retries += 1,
            AttemptKind::Hedge => edge.hedges += 1,
        }
        edge.errors += u64::from(attempt.is_error());
        if let Some(address) = &attempt.endpoint {
            match self.addresses.get_mut(address) {
                Some(attempts) => *attempts += 1,
                None => drop(self.addresses.insert(Arc::clone(address), 1)),
            }
        }
    }
}

/// A stretch of the run.
pub(super) struct Window {
    counts: record::Window,
    served: Times,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { counts: record::Window::default(), served: Times::new(2) }
    }

    pub(super) fn sent(&mut self) {
        self.counts.sent += 1;
    }

    pub(super) fn ended(&mut self, outcome: Outcome, latency_us: u64) {
        let counter = if outcome.is_ok() { &mut self.counts.ok } else { &mut self.counts.errors };
        *counter += 1;
        if outcome.is_served() {
            self.served.add(latency_us);
        } else {
            self.counts.refused += u64::from(outcome.is_ok());
        }
    }

    pub(super) fn gave(&mut self) {
        self.counts.good += 1;
    }

    pub(super) fn called(&mut self) {
        self.counts.calls += 1;
    }

    pub(super) fn attempted(&mut self) {
        self.counts.attempts += 1;
    }

    pub(super) fn into_record(self) -> record::Window {
        self.counts.with_latency(self.served.into_latencies())
    }
}

/// Visits to a hop, and where their time went.
#[derive(Default)]
pub(super) struct HopSum {
    pub(super) visits: u64,
    pub(super) nanos: BTreeMap<Share, u64>,
}

/// A slow request.
pub(super) struct Slow {
    pub(super) trace: TraceId,
    pub(super) endpoint: usize,
    pub(super) intended: Instant,
    pub(super) latency_us: u64,
    pub(super) outcome: Outcome,
    pub(super) path: Vec<Stretch>,
}

/// The mean over `requests` of what each owner took, by its key in a record.
pub(super) fn by_owner(nanos: &BTreeMap<Share, u64>, requests: u64) -> BTreeMap<String, f64> {
    let mean_us = |nanos: u64| nanos as f64 / 1_000.0 / requests.max(1) as f64;
    nanos.iter().map(|(share, nanos)| (share.key().to_owned(), mean_us(*nanos))).collect()
}

/// `[value, count]` of what a histogram holds, each bucket by its highest value.
fn buckets(latencies: &Histogram<u32>) -> Vec<(u64, u64)> {
    let steps = latencies.iter_recorded();
    steps.map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn latencies_below_twenty_milliseconds_are_exact() {
        let mut tally = Tally::new((Instant::START, Instant::START + Duration::from_secs(1)), &[]);
        for latency_us in [274, 3_501, 19_999] {
            tally.sent(Instant::START);
            tally.ended(Instant::START, Outcome::Answered(200), latency_us);
        }
        let latency = tally.into_traffic().latency;
        assert_eq!(latency.buckets, [(274, 1), (3_501, 1), (19_999, 1)]);
        assert_eq!((latency.min_us, latency.max_us, latency.sum_us), (274, 19_999, 23_774));
    }

    #[test]
    fn the_extremes_are_exact_however_long() {
        let mut tally = Tally::new((Instant::START, Instant::START + Duration::from_secs(1)), &[]);
        for latency_us in [2_500_000, 6_000_000] {
            tally.sent(Instant::START);
            tally.ended(Instant::START, Outcome::Answered(200), latency_us);
        }
        let latency = tally.into_traffic().latency;
        assert_eq!((latency.min_us, latency.max_us), (2_500_000, 6_000_000));
        assert_eq!((latency.quantile_us(0.5), latency.quantile_us(1.0)), (2_500_095, 6_000_000));
    }

    #[test]
    fn a_window_of_one_value_has_no_other() {
        let mut window = Window::new();
        for _ in 0..3 {
            window.sent();
            window.ended(Outcome::Answered(200), 50_123);
        }
        let window = window.into_record();
        let all = [window.min_us, window.p50_us, window.p90_us, window.p99_us, window.max_us];
        assert_eq!(all, [Some(50_123); 5]);
        assert_eq!(window.buckets, [(50_175, 3)], "the histogram alone would say otherwise");
        let together = record::Traffic::of_windows(&[window.clone(), window]).latency;
        assert_eq!((together.min_us, together.quantile_us(0.5), together.max_us), (50_123, 50_123, 50_123));
    }
}
