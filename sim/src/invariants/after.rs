//! The rules that are judged from a whole run: what is left at its end, and whether what was before the first
//! fault is there again some time after the last.

use std::collections::BTreeSet;

use hdrhistogram::Histogram;
use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::Outcome;

use crate::figures::words::percent;
use crate::record::{Architecture, BreakerChange};
use crate::scenario::plan::party::GATEWAY;
use crate::scenario::plan::{Fault, Invariants, Plan};

/// With fewer requests before or after, shares of failures are not compared.
const ERRORS_OF_MIN: u64 = 20;
/// With fewer requests to an endpoint, its medians are not.
const MEDIAN_OF_MIN: u64 = 50;

/// When everything should be as before; `None` when there is no fault, or the run ends too early to tell.
pub(super) fn settled(plan: &Plan) -> Option<Instant> {
    let healed = plan.faults.iter().map(|fault| fault.at + fault.lasts).max()?;
    let settled = healed + plan.invariants.settle;
    (settled <= plan.duration).then(|| Instant::START + settled)
}

/// Every request that was sent has ended in one way, or is open.
pub(super) fn conservation(seen: &Architecture, broken: &mut dyn FnMut(String)) {
    let sum = |of: &crate::record::Requests| of.ok + of.failed + of.timed_out + of.open;
    let named = seen.endpoints.iter().map(|(name, traffic)| (&**name, traffic));
    for (name, traffic) in std::iter::once(("all", &seen.total)).chain(named) {
        let requests = &traffic.requests;
        if requests.sent != sum(requests) {
            broken(format!("{name}: {} sent, {} accounted for", requests.sent, sum(requests)));
        }
        let measured = traffic.latency.count + traffic.failed_latency.count;
        if measured != requests.ended() {
            broken(format!("{name}: {} ended, {measured} measured", requests.ended()));
        }
    }
}

/// Breakers are closed at the end, by the `last` change of each, unless nobody calls what they guard.
pub(super) fn breakers(
    plan: &Plan,
    last: &[BreakerChange],
    called: &BTreeSet<String>,
    broken: &mut dyn FnMut(String),
) {
    for change in last {
        let BreakerChange { pod, upstream, endpoint, .. } = change;
        let caller = pod.rsplit_once('-').map_or(&**pod, |(service, _)| service);
        let caller = if caller == "gateway" { "client" } else { caller };
        let is_called = called.contains(&format!("{caller} → {upstream}"));
        if change.state != "closed" && is_called && !started_anew(plan, pod, change.at_us) {
            let guarded = endpoint
                .as_ref()
                .map_or_else(|| upstream.clone(), |endpoint| format!("{upstream} ({endpoint})"));
            let since = change.at_us as f64 / 1e6;
            broken(format!("the breaker of {pod} for {guarded} is {} since {since:.3} s", change.state));
        }
    }
}

/// Whether a fault made `pod` begin anew after `at_us`, with all its breakers closed.
fn started_anew(plan: &Plan, pod: &str, at_us: u64) -> bool {
    let anew = |fault: &Fault| {
        fault.kind.renews().is_some_and(|target| {
            let name = target.service().map_or(GATEWAY, |service| &plan.services[service.0].name);
            let number = pod.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.parse::<u32>().ok());
            let is_hit = number.is_some_and(|number| target.replica.is_none_or(|only| only == number));
            is_hit && (fault.at + fault.lasts).as_micros() as u64 > at_us
        })
    };
    plan.faults.iter().any(anew)
}

/// What is compared of a part of a run: latencies of what was served well by endpoint, as load asks for them, and
/// how many of those that ended failed.
pub(super) struct Part {
    latencies: Vec<Histogram<u32>>,
    ended: u64,
    errors: u64,
}

impl Part {
    /// Nothing yet, of so many endpoints.
    pub(super) fn new(endpoints: usize) -> Self {
        let empty = || Histogram::new(2).expect("two significant figures are within the crate's bounds");
        Self { latencies: (0..endpoints).map(|_| empty()).collect(), ended: 0, errors: 0 }
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, endpoint: usize, outcome: Outcome, latency_us: u64) {
        if outcome.is_served() {
            self.latencies[endpoint].record(latency_us).expect("the histogram grows as needed");
        }
        self.ended += 1;
        self.errors += u64::from(!outcome.is_ok());
    }

    /// The share of requests that failed; `None` when there are too few to tell.
    fn error_rate(&self) -> Option<f64> {
        (self.ended >= ERRORS_OF_MIN).then(|| self.errors as f64 / self.ended as f64)
    }

    /// The median of an endpoint in milliseconds; `None` when there are too few requests to tell.
    fn median_ms(&self, endpoint: usize) -> Option<f64> {
        let latencies = &self.latencies[endpoint];
        (latencies.len() >= MEDIAN_OF_MIN).then(|| latencies.value_at_quantile(0.5) as f64 / 1e3)
    }
}

/// Latency and errors are what they were.
pub(super) fn recovery(
    bounds: &Invariants,
    endpoints: &[String],
    (before, after): (&Part, &Part),
    settled: Instant,
    broken: &mut dyn FnMut(String),
) {
    let since = settled.micros() as f64 / 1e6;
    for (index, name) in endpoints.iter().enumerate() {
        if let (Some(was), Some(is)) = (before.median_ms(index), after.median_ms(index))
            && is > was * bounds.slower
        {
            broken(format!(
                "the median of {name} was {was:.3} ms before the first fault and is {is:.3} ms from {since:.1} s on"
            ));
        }
    }
    if let (Some(was), Some(is)) = (before.error_rate(), after.error_rate())
        && is > was + bounds.errors
    {
        broken(format!(
            "{} of requests failed before the first fault and {} from {since:.1} s on",
            percent(was),
            percent(is)
        ));
    }
}
