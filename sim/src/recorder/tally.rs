//! Sums that grow with what is measured, not with how long: requests, latencies, windows, edges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{Attempt, Fault, Outcome};

use crate::record;
use crate::slices::Slices;
use crate::statistics;

/// Requests and their latencies.
pub(super) struct Tally {
    requests: record::Requests,
    latencies: Histogram<u32>,
    sum_us: u64,
    /// Exact, which the histogram's are not beyond 20 ms.
    min_us: u64,
    max_us: u64,
    slices: Slices,
}

impl Tally {
    /// Of the requests of the part of the run from `from` until `until`.
    fn new((from, until): (Instant, Instant)) -> Self {
        let latencies = Histogram::new(4).expect("four significant figures are within the crate's bounds");
        let requests = record::Requests::default();
        Self { requests, latencies, sum_us: 0, min_us: u64::MAX, max_us: 0, slices: Slices::new(from, until) }
    }

    pub(super) fn sent(&mut self) {
        self.requests.sent += 1;
        self.requests.open += 1;
    }

    pub(super) fn ended(&mut self, intended: Instant, outcome: Outcome, latency_us: u64) {
        self.requests.open -= 1;
        match outcome {
            Outcome::Failed(Fault::Timeout) => self.requests.timed_out += 1,
            _ if outcome.is_ok() => self.requests.ok += 1,
            _ => self.requests.failed += 1,
        }
        self.slices.ended(intended, outcome.is_ok());
        self.slices.observe(intended, latency_us as i64);
        self.sum_us += latency_us;
        self.min_us = self.min_us.min(latency_us);
        self.max_us = self.max_us.max(latency_us);
        self.latencies.record(latency_us).expect("the histogram grows as needed");
    }

    pub(super) fn ended_count(&self) -> u64 {
        self.requests.sent - self.requests.open
    }

    pub(super) fn into_traffic(self) -> record::Traffic {
        let count = self.latencies.len();
        let buckets = buckets(&self.latencies);
        let latency = record::Latencies {
            count,
            sum_us: self.sum_us,
            min_us: if count == 0 { 0 } else { self.min_us },
            max_us: self.max_us,
            buckets,
        };
        let at = |quantile| latency.quantile_us(quantile) as i64;
        let mut intervals = statistics::of_run(&self.slices.into_clusters(), at);
        intervals.quantiles.retain(|of| latency.percentile_us(of.quantile).is_some());
        record::Traffic { requests: self.requests, latency, intervals }
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
    /// Of so many `endpoints`, in a part of the run: from when until when.
    pub(super) fn new(endpoints: usize, part: (Instant, Instant)) -> Self {
        let endpoints = (0..endpoints).map(|_| Tally::new(part)).collect();
        Self { total: Tally::new(part), endpoints, edges: BTreeMap::new(), addresses: BTreeMap::new() }
    }

    pub(super) fn sent(&mut self, endpoint: usize) {
        self.total.sent();
        self.endpoints[endpoint].sent();
    }

    pub(super) fn ended(&mut self, endpoint: usize, intended: Instant, outcome: Outcome, latency_us: u64) {
        self.total.ended(intended, outcome, latency_us);
        self.endpoints[endpoint].ended(intended, outcome, latency_us);
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

    pub(super) fn attempted(&mut self, edge: EdgeKey, attempt: &Attempt) {
        let edge = self.edges.entry(edge).or_default();
        edge.attempts += 1;
        if let Some(address) = &attempt.endpoint {
            match self.addresses.get_mut(address) {
                Some(attempts) => *attempts += 1,
                None => drop(self.addresses.insert(Arc::clone(address), 1)),
            }
        }
        edge.errors += u64::from(!attempt.outcome.is_ok());
    }
}

/// A stretch of the run.
pub(super) struct Window {
    counts: record::Window,
    latencies: Histogram<u32>,
}

impl Window {
    pub(super) fn new() -> Self {
        let latencies = Histogram::new(2).expect("two significant figures are within the crate's bounds");
        Self { counts: record::Window::default(), latencies }
    }

    pub(super) fn sent(&mut self) {
        self.counts.sent += 1;
    }

    pub(super) fn ended(&mut self, outcome: Outcome, latency_us: u64) {
        let counter = if outcome.is_ok() { &mut self.counts.ok } else { &mut self.counts.errors };
        *counter += 1;
        self.counts.sum_us += latency_us;
        self.latencies.record(latency_us).expect("the histogram grows as needed");
    }

    pub(super) fn called(&mut self) {
        self.counts.calls += 1;
    }

    pub(super) fn attempted(&mut self) {
        self.counts.attempts += 1;
    }

    pub(super) fn into_record(self) -> record::Window {
        let quantile = |q| (!self.latencies.is_empty()).then(|| self.latencies.value_at_quantile(q));
        let max_us = (!self.latencies.is_empty()).then(|| self.latencies.max());
        record::Window {
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            max_us,
            buckets: buckets(&self.latencies),
            ..self.counts
        }
    }
}

/// `[value, count]` of what a histogram holds, each bucket by its highest value.
fn buckets(latencies: &Histogram<u32>) -> Vec<(u64, u64)> {
    let steps = latencies.iter_recorded();
    steps.map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
}

/// How wide the windows of a run of `duration` are: a round number that makes at most 120 of them.
pub(crate) fn window_width(duration: Duration) -> Duration {
    const MOST: u32 = 120;
    let wanted = (duration / MOST).max(Duration::from_millis(1));
    let mut unit = Duration::from_millis(1);
    loop {
        for factor in [1, 2, 5] {
            if unit * factor >= wanted {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_round_and_few() {
        for (seconds, millis) in [(1, 10), (30, 500), (60, 500), (61, 1_000), (600, 5_000), (12_500, 200_000)]
        {
            assert_eq!(
                window_width(Duration::from_secs(seconds)),
                Duration::from_millis(millis),
                "{seconds} s"
            );
        }
    }

    #[test]
    fn latencies_below_twenty_milliseconds_are_exact() {
        let mut tally = Tally::new((Instant::START, Instant::START + Duration::from_secs(1)));
        for latency_us in [274, 3_501, 19_999] {
            tally.sent();
            tally.ended(Instant::START, Outcome::Answered(200), latency_us);
        }
        let latency = tally.into_traffic().latency;
        assert_eq!(latency.buckets, [(274, 1), (3_501, 1), (19_999, 1)]);
        assert_eq!((latency.min_us, latency.max_us, latency.sum_us), (274, 19_999, 23_774));
    }

    #[test]
    fn the_extremes_are_exact_however_long() {
        let mut tally = Tally::new((Instant::START, Instant::START + Duration::from_secs(1)));
        for latency_us in [2_500_000, 6_000_000] {
            tally.sent();
            tally.ended(Instant::START, Outcome::Answered(200), latency_us);
        }
        let latency = tally.into_traffic().latency;
        assert_eq!((latency.min_us, latency.max_us), (2_500_000, 6_000_000));
        assert_eq!((latency.quantile_us(0.5), latency.quantile_us(1.0)), (2_500_095, 6_000_000));
    }
}
