//! Plain sums over traced requests: lists and counters, no histograms. What the words mean is said here a second time,
//! so that a mistake in one place is not one in both.
//!
//! A request is *sent* when it was meant to be; *ok* is an answer below 500, *refused* one of 429, *served well* is
//! ok and not refused; *timed out* is what its client gave up; *open* has no end; everything else *failed*. An
//! attempt is a request that left its caller's pod, and counts once it was put on a connection.

use std::collections::BTreeMap;
use std::ops::Range;

use hoplab_sim::lens::{AttemptKind, Request, Visit};

use super::account::{self, Account};
use super::traces::Asked;

/// What became of requests.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) all: Ends,
    /// Of each seed, from the first on.
    pub(super) seeds: Vec<Self>,
    /// Good answers by when they were given.
    pub(super) good: i64,
    /// Response times in microseconds, in rising order, of what was served well and of all else that ended.
    pub(super) served_us: Vec<i64>,
    pub(super) others_us: Vec<i64>,
}

/// How requests ended.
#[derive(Default, Clone, Copy)]
pub(super) struct Ends {
    pub(super) sent: i64,
    pub(super) ok: i64,
    pub(super) failed: i64,
    pub(super) timed_out: i64,
    pub(super) open: i64,
    pub(super) refused: i64,
}

/// What became of calls from one service to another.
#[derive(Default, Clone)]
pub(super) struct Edge {
    pub(super) calls: i64,
    pub(super) attempts: i64,
    pub(super) retries: i64,
    pub(super) hedges: i64,
    pub(super) unsent: i64,
    pub(super) errors: i64,
}

/// Where the time of requests went.
#[derive(Default)]
pub(super) struct Owned {
    pub(super) requests: i64,
    /// Nanoseconds by hop and owner.
    pub(super) nanos: Account,
    /// Visits by hop.
    pub(super) visits: BTreeMap<String, i64>,
}

/// Whether a request was answered below 500, and whether it got what it asked for.
pub(super) fn is_ok(request: &Request) -> bool {
    request
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.text.parse::<u16>().is_ok_and(|status| status < 500))
}

pub(super) fn is_served(request: &Request) -> bool {
    is_ok(request) && !is(request, "429")
}

fn is(request: &Request, how: &str) -> bool {
    request.outcome.as_ref().is_some_and(|outcome| outcome.text == how)
}

pub(super) fn latency_us(request: &Request) -> Option<i64> {
    request.end_nanos.map(|end| ((end - request.start_nanos) / 1_000) as i64)
}

impl Traffic {
    /// Of the requests that were to be sent within `part`, in a run whose load ends at `end`.
    pub(super) fn of<'a>(asked: impl IntoIterator<Item = &'a Asked>, part: &Range<u64>, end: u64) -> Self {
        let mut sum = Self::default();
        for Asked { seed, request } in asked {
            let answered = request.end_nanos.filter(|at| part.contains(at) && *at < end);
            sum.good += i64::from(answered.is_some() && is_served(request));
            if !part.contains(&request.start_nanos) {
                continue;
            }
            sum.count(request);
            sum.seeds.resize_with(sum.seeds.len().max(seed + 1), Self::default);
            sum.seeds[*seed].count(request);
        }
        sum.seeds.iter_mut().for_each(Self::sort);
        sum.sort();
        sum
    }

    fn count(&mut self, request: &Request) {
        self.all.count(request);
        if let Some(took) = latency_us(request) {
            if is_served(request) { &mut self.served_us } else { &mut self.others_us }.push(took);
        }
    }

    fn sort(&mut self) {
        self.served_us.sort_unstable();
        self.others_us.sort_unstable();
    }
}

impl Ends {
    fn count(&mut self, request: &Request) {
        self.sent += 1;
        match () {
            () if request.end_nanos.is_none() => self.open += 1,
            () if is_ok(request) => self.ok += 1,
            () if is(request, "timeout") => self.timed_out += 1,
            () => self.failed += 1,
        }
        self.refused += i64::from(is(request, "429"));
    }

    pub(super) fn errors(&self) -> i64 {
        self.failed + self.timed_out + self.open
    }

    /// By their keys in records, summaries and tables.
    pub(super) fn counts(&self) -> [(&'static str, i64); 6] {
        let Self { sent, ok, failed, timed_out, open, refused } = *self;
        [
            ("sent", sent),
            ("ok", ok),
            ("failed", failed),
            ("timed_out", timed_out),
            ("open", open),
            ("refused", refused),
        ]
    }
}

impl Edge {
    /// By their keys in records, summaries and tables.
    pub(super) fn counts(&self) -> [(&'static str, i64); 6] {
        let Self { calls, attempts, retries, hedges, unsent, errors } = *self;
        [
            ("requests", calls),
            ("attempts", attempts),
            ("retries", retries),
            ("hedges", hedges),
            ("unsent", unsent),
            ("errors", errors),
        ]
    }

    /// Attempts by the call.
    pub(super) fn amplification(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.attempts as f64 / self.calls as f64)
    }
}

/// Calls and attempts by `caller → callee`, under the architecture called `name`.
pub(super) fn edges<'a>(asked: impl IntoIterator<Item = &'a Asked>, name: &str) -> BTreeMap<String, Edge> {
    let mut edges: BTreeMap<String, Edge> = BTreeMap::new();
    for Asked { request, .. } in asked {
        let entrance = request.endpoint.split('.').next().unwrap();
        edges.entry(format!("client → {entrance}")).or_default().calls += 1;
        for visit in &request.visits {
            let (caller, leaves) = caller(visit, name);
            // What a gateway refuses by itself would have been an attempt.
            if visit.hop == "gateway" && visit.attempts.is_empty() {
                edges.entry(format!("client → {entrance}")).or_default().unsent += 1;
            }
            for attempt in &visit.attempts {
                let is_call = is_service(visit) && attempt.kind == AttemptKind::First;
                if !is_call && !leaves {
                    continue;
                }
                let edge = edges.entry(format!("{caller} → {}", attempt.upstream)).or_default();
                edge.calls += i64::from(is_call);
                if !leaves {
                    continue;
                }
                if !attempt.is_sent {
                    edge.unsent += 1;
                    continue;
                }
                edge.attempts += 1;
                edge.retries += i64::from(attempt.kind == AttemptKind::Retry);
                edge.hedges += i64::from(attempt.kind == AttemptKind::Hedge);
                edge.errors += i64::from(!attempt.outcome.is_ok && attempt.outcome.text != "cancelled");
            }
        }
    }
    edges
}

/// Attempts by the pod that they were sent to.
pub(super) fn pods<'a>(asked: impl IntoIterator<Item = &'a Asked>, name: &str) -> BTreeMap<String, i64> {
    let mut pods = BTreeMap::new();
    let visits = asked.into_iter().flat_map(|asked| &asked.request.visits);
    for attempt in visits.filter(|visit| caller(visit, name).1).flat_map(|visit| &visit.attempts) {
        let pod = attempt.endpoint.as_ref().map(|endpoint| endpoint.split(':').next().unwrap());
        if let Some(pod) = pod.filter(|_| attempt.is_sent) {
            *pods.entry(pod.to_owned()).or_default() += 1;
        }
    }
    pods
}

/// Who calls in a visit, and whether what it calls leaves its pod under the architecture called `name`: what stands in
/// front of it, if anything does, is in the same pod, or is the gateway.
fn caller<'a>(visit: &'a Visit, name: &str) -> (&'a str, bool) {
    match visit.hop.split_once(" (") {
        Some((service, "outbound)")) => (service, true),
        Some((service, _)) => (service, false),
        None if visit.hop == "gateway" => ("client", true),
        None if visit.is_client => ("client", !has(name, "gateway")),
        None => (&visit.hop, !has(name, "mesh")),
    }
}

/// Whether the architecture called `name` has a part.
pub(super) fn has(name: &str, part: &str) -> bool {
    name.split('+').any(|has| has == part)
}

/// How many requests came to the gateway within a part of the run, whenever clients meant to send them.
pub(super) fn at_gateway(asked: &[Asked], range: &Range<u64>) -> i64 {
    let visits = asked.iter().flat_map(|asked| &asked.request.visits);
    visits.filter(|visit| visit.hop == "gateway" && range.contains(&visit.start_nanos)).count() as i64
}

fn is_service(visit: &Visit) -> bool {
    !visit.is_client && visit.hop != "gateway" && !visit.hop.contains(" (")
}

impl Owned {
    /// Of the requests that ended.
    pub(super) fn of<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> Self {
        let mut sum = Self::default();
        for Asked { request, .. } in asked.into_iter().filter(|asked| asked.request.end_nanos.is_some()) {
            let closed = request.end_nanos.unwrap() + account::PATIENCE;
            let visits: Vec<&Visit> =
                request.visits.iter().filter(|visit| visit.end_nanos <= closed).collect();
            sum.requests += 1;
            for (place, nanos) in account::of(request, &visits) {
                *sum.nanos.entry(place).or_default() += nanos;
            }
            for visit in visits {
                *sum.visits.entry(visit.hop.clone()).or_default() += 1;
            }
        }
        sum
    }

    /// Mean microseconds by owner, at one hop or at all.
    pub(super) fn mean_us(&self, hop: Option<&str>) -> BTreeMap<&str, f64> {
        let mut nanos: BTreeMap<&str, u64> = BTreeMap::new();
        for ((at, owner), took) in &self.nanos {
            if hop.is_none_or(|hop| hop == at) {
                *nanos.entry(owner).or_default() += took;
            }
        }
        nanos.into_iter().map(|(owner, took)| (owner, took as f64 / 1_000.0 / self.requests as f64)).collect()
    }
}
