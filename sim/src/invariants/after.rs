//! The rules that are judged from a whole run: what is left at its end, and whether what was before the first
//! fault is there again some time after the last.

use std::collections::{BTreeMap, BTreeSet};

use hoplab_proxy::host::Instant;

use crate::record::{Architecture, BreakerChange, Window};
use crate::recorder::window_width;
use crate::scenario::plan::{Fault, FaultKind, Plan};

/// With fewer requests before or after, nothing is compared.
const REQUESTS_MIN: u64 = 20;

/// When everything should be as before; `None` when there is no fault, or the run ends too early to tell.
pub(super) fn settled(plan: &Plan) -> Option<Instant> {
    let healed = plan.faults.iter().map(|fault| fault.at + fault.lasts).max()?;
    let settled = healed + plan.invariants.settle;
    (settled <= plan.duration).then(|| Instant::START + settled)
}

/// Every request that was sent has ended in one way.
pub(super) fn conservation(seen: &Architecture, open: u64, broken: &mut dyn FnMut(String)) {
    let sum = |of: &crate::record::Requests| of.ok + of.failed + of.timed_out + of.open;
    let named = seen.endpoints.iter().map(|(name, traffic)| (&**name, traffic));
    for (name, traffic) in std::iter::once(("all", &seen.total)).chain(named) {
        let requests = &traffic.requests;
        if requests.sent != sum(requests) {
            broken(format!("{name}: {} sent, {} accounted for", requests.sent, sum(requests)));
        }
        if traffic.latency.count != requests.sent - requests.open {
            broken(format!(
                "{name}: {} ended, {} measured",
                requests.sent - requests.open,
                traffic.latency.count
            ));
        }
    }
    if open > 0 {
        broken(format!("{open} requests had not ended when the run had drained"));
    }
}

/// Breakers are closed at the end, unless nobody calls what they guard.
pub(super) fn breakers(
    plan: &Plan,
    seen: &Architecture,
    called: &BTreeSet<String>,
    broken: &mut dyn FnMut(String),
) {
    if seen.breakers_left_out > 0 {
        return;
    }
    let mut last: BTreeMap<(&str, &str, Option<&str>), &BreakerChange> = BTreeMap::new();
    for change in &seen.breakers {
        last.insert((&change.pod, &change.upstream, change.endpoint.as_deref()), change);
    }
    for ((pod, upstream, endpoint), change) in last {
        let caller = pod.rsplit_once('-').map_or(pod, |(service, _)| service);
        let caller = if caller == "gateway" { "client" } else { caller };
        let is_called = called.contains(&format!("{caller} → {upstream}"));
        if change.state != "closed" && is_called && !started_anew(plan, pod, change.at_us) {
            let guarded =
                endpoint.map_or_else(|| upstream.to_owned(), |endpoint| format!("{upstream} ({endpoint})"));
            let since = change.at_us as f64 / 1e6;
            broken(format!("the breaker of {pod} for {guarded} is {} since {since:.3} s", change.state));
        }
    }
}

/// Whether a fault made `pod` begin anew after `at_us`, with all its breakers closed.
fn started_anew(plan: &Plan, pod: &str, at_us: u64) -> bool {
    let anew = |fault: &Fault| match &fault.kind {
        FaultKind::Crash { target } | FaultKind::Restart { target, .. } => {
            let service = &plan.services[target.service.0];
            let mut replicas =
                (0..service.replicas).filter(|at| target.replica.is_none_or(|only| only == *at));
            let is_hit = replicas.any(|replica| format!("{}-{replica}", service.name) == pod);
            is_hit && (fault.at + fault.lasts).as_micros() as u64 > at_us
        }
        _ => false,
    };
    plan.faults.iter().any(anew)
}

/// Latency and errors are what they were.
pub(super) fn recovery(plan: &Plan, seen: &Architecture, settled: Instant, broken: &mut dyn FnMut(String)) {
    let width = window_width(plan.duration).as_micros() as u64;
    let first = plan.faults.iter().map(|fault| fault.at).min().unwrap_or(plan.duration);
    let part = |from: u64, until: u64| {
        let windows = seen.windows.iter().zip(0_u64..);
        let within = windows.filter(|(_, index)| index * width >= from && (index + 1) * width <= until);
        Part::of(within.map(|(window, _)| window))
    };
    let before = part(plan.warmup.as_micros() as u64, first.as_micros() as u64);
    let after = part(settled.micros(), plan.duration.as_micros() as u64);
    let (Some(before), Some(after)) = (before, after) else { return };
    if after.median_us as f64 > before.median_us as f64 * plan.invariants.slower {
        let ms = |us: u64| us as f64 / 1e3;
        broken(format!(
            "the median was {:.3} ms before the first fault and is {:.3} ms from {:.1} s on",
            ms(before.median_us),
            ms(after.median_us),
            settled.micros() as f64 / 1e6
        ));
    }
    if after.errors > before.errors + plan.invariants.errors {
        broken(format!(
            "{:.2} % of requests failed before the first fault and {:.2} % from {:.1} s on",
            before.errors * 100.0,
            after.errors * 100.0,
            settled.micros() as f64 / 1e6
        ));
    }
}

/// What is compared of a part of a run.
struct Part {
    /// The median of the windows' medians.
    median_us: u64,
    /// The share of requests that failed.
    errors: f64,
}

impl Part {
    /// `None` when there is too little of it.
    fn of<'a>(windows: impl Iterator<Item = &'a Window>) -> Option<Self> {
        let (mut medians, mut ended, mut errors) = (Vec::new(), 0, 0);
        for window in windows {
            medians.extend(window.p50_us);
            ended += window.ok + window.errors;
            errors += window.errors;
        }
        medians.sort_unstable();
        let median_us = medians.get(medians.len() / 2).copied()?;
        (ended >= REQUESTS_MIN).then(|| Self { median_us, errors: errors as f64 / ended as f64 })
    }
}
