//! How each part of a record is summed over seeds. Owns no order and no choice of seeds.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::record::{
    Changed, Decided, Difference, Edge, Effort, Expectation, FaultHits, Hop, Intervals, Latencies, Network,
    Requests, Resources, Seed, Traffic, Violation, Window, Within, Work, summed as buckets,
};
use crate::statistics::{self, Cluster, Own, Resamples};

pub(super) fn traffic(all: &[&Traffic], resamples: &Resamples) -> Traffic {
    let requests = all.iter().fold(Requests::default(), |sum, traffic| Requests {
        sent: sum.sent + traffic.requests.sent,
        ok: sum.ok + traffic.requests.ok,
        failed: sum.failed + traffic.requests.failed,
        timed_out: sum.timed_out + traffic.requests.timed_out,
        open: sum.open + traffic.requests.open,
        refused: sum.refused + traffic.requests.refused,
    });
    let latency = Latencies::joined(all.iter().map(|traffic| &traffic.latency));
    let failed_latency = Latencies::joined(all.iter().map(|traffic| &traffic.failed_latency));
    let cluster = |traffic: &&Traffic| {
        let buckets = traffic.latency.buckets.iter().map(|&(value, count)| (value as i64, count));
        let requests = &traffic.requests;
        Cluster::new(buckets, traffic.latency.sum_us as f64, requests.errors(), requests.sent)
    };
    let clusters: Vec<_> = all.iter().map(cluster).collect();
    let at: Vec<_> = all.iter().map(|traffic| |at| traffic.latency.quantile_us(at) as i64).collect();
    let own = all.iter().zip(&at).map(|(traffic, at)| Own { intervals: &traffic.intervals, at });
    let own: Vec<_> = own.collect();
    let whole = |at| latency.quantile_us(at) as i64;
    let mut intervals = statistics::of_seeds(&clusters, &own, whole, resamples);
    intervals.quantiles.retain(|of| latency.percentile_us(of.quantile).is_some());
    let good = all.iter().map(|traffic| traffic.good).sum();
    let seeds = all.iter().map(|traffic| Seed::from(*traffic)).collect();
    Traffic { requests, latency, failed_latency, good, within: within(all), intervals, seeds }
}

/// The same times are asked for under every seed.
fn within(all: &[&Traffic]) -> Vec<Within> {
    let mut sums: BTreeMap<u64, u64> = BTreeMap::new();
    for within in all.iter().flat_map(|traffic| &traffic.within) {
        *sums.entry(within.limit_us).or_default() += within.requests;
    }
    sums.into_iter().map(|(limit_us, requests)| Within { limit_us, requests }).collect()
}

pub(super) fn difference(all: &[&Difference], resamples: &Resamples) -> Difference {
    let measured = all.iter().filter(|difference| difference.both > 0);
    let sum = |of: fn(&Difference) -> u64| all.iter().map(|difference| of(difference)).sum();
    let joined = Difference {
        pairs: sum(|difference| difference.pairs),
        both: sum(|difference| difference.both),
        saved: sum(|difference| difference.saved),
        lost: sum(|difference| difference.lost),
        neither: sum(|difference| difference.neither),
        slower: sum(|difference| difference.slower),
        faster: sum(|difference| difference.faster),
        sum_us: all.iter().map(|difference| difference.sum_us).sum(),
        min_us: measured.clone().map(|difference| difference.min_us).min().unwrap_or(0),
        max_us: measured.map(|difference| difference.max_us).max().unwrap_or(0),
        buckets: buckets(all.iter().map(|difference| &difference.buckets[..])),
        intervals: Intervals::default(),
    };
    let cluster = |difference: &&Difference| {
        Cluster::new(difference.buckets.iter().copied(), difference.sum_us as f64, 0, difference.both)
    };
    let clusters: Vec<_> = all.iter().map(cluster).collect();
    let at: Vec<_> = all.iter().map(|difference| |at| difference.quantile_us(at)).collect();
    let own = all.iter().zip(&at).map(|(difference, at)| Own { intervals: &difference.intervals, at });
    let own: Vec<_> = own.collect();
    let intervals = statistics::of_seeds(&clusters, &own, |at| joined.quantile_us(at), resamples);
    Difference { intervals: Intervals { error_rate: None, ..intervals }, ..joined }
}

/// The mean split by owner, from those of so many requests each.
pub(super) fn means(all: &[Split]) -> BTreeMap<String, f64> {
    let requests: u64 = all.iter().map(|(requests, _)| requests).sum();
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (requests, split) in all {
        for (owner, us) in *split {
            *sums.entry(owner.clone()).or_default() += us * *requests as f64;
        }
    }
    for sum in sums.values_mut() {
        *sum /= requests.max(1) as f64;
    }
    sums
}

/// The mean split by owner of so many requests.
type Split<'a> = (u64, &'a BTreeMap<String, f64>);

pub(super) fn hops<'a>(all: impl Iterator<Item = (u64, &'a [Hop])>) -> Vec<Hop> {
    let mut requests = 0;
    let mut named: IndexMap<&str, (f64, Vec<Split>)> = IndexMap::new();
    for (of, hops) in all {
        requests += of;
        for hop in hops {
            let (visits, splits) = named.entry(&hop.name).or_default();
            *visits += hop.visits * of as f64;
            splits.push((of, &hop.breakdown_us));
        }
    }
    let hop = |(name, (visits, mut splits)): (&str, (f64, Vec<Split>))| {
        // A seed in which nothing met the hop counts as well: with nothing.
        let nothing = BTreeMap::new();
        let met: u64 = splits.iter().map(|(of, _)| of).sum();
        splits.push((requests - met, &nothing));
        Hop { name: name.to_owned(), visits: visits / requests.max(1) as f64, breakdown_us: means(&splits) }
    };
    named.into_iter().map(hop).collect()
}

pub(super) fn edges<'a>(all: impl Iterator<Item = &'a IndexMap<String, Edge>>) -> IndexMap<String, Edge> {
    let mut sums: IndexMap<String, Edge> = IndexMap::new();
    for (name, edge) in all.flatten() {
        let sum = sums.entry(name.clone()).or_default();
        *sum = [*sum, *edge].into_iter().sum();
    }
    sums
}

pub(super) fn pods<'a>(all: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (pod, attempts) in all.flatten() {
        *sums.entry(pod.clone()).or_default() += attempts;
    }
    sums
}

pub(super) fn decisions<'a>(all: impl Iterator<Item = &'a [Decided]>) -> Vec<Decided> {
    type Key = (String, String, Option<String>, String);
    let mut sums: IndexMap<Key, u64> = IndexMap::new();
    for Decided { pod, upstream, endpoint, decision, count } in all.flatten() {
        let key = (pod.clone(), upstream.clone(), endpoint.clone(), decision.clone());
        *sums.entry(key).or_default() += count;
    }
    let decided =
        |((pod, upstream, endpoint, decision), count)| Decided { pod, upstream, endpoint, decision, count };
    sums.into_iter().map(decided).collect()
}

pub(super) fn changes<'a>(all: impl Iterator<Item = &'a [Changed]>) -> Vec<Changed> {
    type Key = (String, String, Option<String>, String);
    let mut sums: IndexMap<Key, u64> = IndexMap::new();
    for Changed { pod, upstream, endpoint, state, count } in all.flatten() {
        let key = (pod.clone(), upstream.clone(), endpoint.clone(), state.clone());
        *sums.entry(key).or_default() += count;
    }
    let changed =
        |((pod, upstream, endpoint, state), count)| Changed { pod, upstream, endpoint, state, count };
    sums.into_iter().map(changed).collect()
}

/// Violations by invariant, with the first few of the first seeds in words.
pub(super) fn violations<'a>(all: impl Iterator<Item = &'a [Violation]>) -> Vec<Violation> {
    const FIRST: usize = 5;
    let mut joined: Vec<Violation> = Vec::new();
    for found in all.flatten() {
        match joined.iter_mut().find(|known| known.invariant == found.invariant) {
            Some(known) => {
                known.count += found.count;
                known.first.extend(found.first.iter().take(FIRST - known.first.len().min(FIRST)).cloned());
            }
            None => joined.push(found.clone()),
        }
    }
    joined
}

pub(super) fn work<'a>(all: impl Iterator<Item = &'a IndexMap<String, Work>>) -> IndexMap<String, Work> {
    let mut sums: IndexMap<String, Work> = IndexMap::new();
    for (service, work) in all.flatten() {
        let sum = sums.entry(service.clone()).or_default();
        *sum = [*sum, *work].into_iter().sum();
    }
    sums
}

/// Sums over the seeds, the mean of the means, and the highest of the peaks.
pub(super) fn resources<'a>(
    all: impl Iterator<Item = &'a IndexMap<String, Resources>>,
) -> IndexMap<String, Resources> {
    let mut joined: IndexMap<String, (Resources, u32)> = IndexMap::new();
    for (kind, of) in all.flatten() {
        let (sum, seeds) = joined.entry(kind.clone()).or_default();
        *seeds += 1;
        *sum = Resources {
            processor_us: sum.processor_us + of.processor_us,
            cores_mean: sum.cores_mean + of.cores_mean,
            cores_peak: sum.cores_peak.max(of.cores_peak),
            connections_peak: sum.connections_peak.max(of.connections_peak),
            bytes: sum.bytes + of.bytes,
            memory: sum.memory.max(of.memory),
        };
    }
    let mean = |(kind, (sum, seeds)): (String, (Resources, u32))| {
        (kind, Resources { cores_mean: sum.cores_mean / f64::from(seeds), ..sum })
    };
    joined.into_iter().map(mean).collect()
}

pub(super) fn network<'a>(
    all: impl Iterator<Item = &'a IndexMap<String, Network>>,
) -> IndexMap<String, Network> {
    let mut sums: IndexMap<String, Network> = IndexMap::new();
    for (name, network) in all.flatten() {
        let sum = sums.entry(name.clone()).or_default();
        *sum = [*sum, *network].into_iter().sum();
    }
    sums
}

pub(super) fn faults<'a>(all: impl Iterator<Item = &'a [FaultHits]>) -> Vec<FaultHits> {
    let mut sums: IndexMap<&str, FaultHits> = IndexMap::new();
    for fault in all.flatten() {
        let nothing = || FaultHits { hits: 0, ..fault.clone() };
        sums.entry(&fault.name).or_insert_with(nothing).hits += fault.hits;
    }
    sums.into_values().collect()
}

pub(super) fn effort(all: impl Iterator<Item = Effort>) -> Effort {
    all.fold(Effort::default(), |sum, effort| Effort {
        packets: sum.packets + effort.packets,
        spans: sum.spans + effort.spans,
    })
}

/// A window of several runs; its percentiles are those of all their requests.
pub(super) fn window(all: &[&Window]) -> Window {
    let sum = |of: fn(&Window) -> u64| all.iter().map(|window| of(window)).sum::<u64>();
    let counted = Window {
        sent: sum(|window| window.sent),
        ok: sum(|window| window.ok),
        errors: sum(|window| window.errors),
        refused: sum(|window| window.refused),
        good: sum(|window| window.good),
        attempts: sum(|window| window.attempts),
        calls: sum(|window| window.calls),
        ..Window::default()
    };
    let latencies: Vec<Latencies> = all.iter().map(|window| window.latency()).collect();
    counted.with_latency(Latencies::joined(&latencies))
}

/// Which of the outcomes of an expectation that can be judged is furthest from holding; of equals the first.
pub(super) fn worst(all: &[&Expectation]) -> usize {
    let excess = |expectation: &Expectation| {
        let Some(seen) = expectation.seen else {
            // It fails by more than can be said, or says nothing.
            return if expectation.fails() { f64::INFINITY } else { f64::NEG_INFINITY };
        };
        let below = expectation.min.map_or(f64::NEG_INFINITY, |min| min - seen);
        let above = expectation.max.map_or(f64::NEG_INFINITY, |max| seen - max);
        below.max(above)
    };
    let rank = |index: &usize| (excess(all[*index]), std::cmp::Reverse(*index));
    let by_excess = |a: &usize, b: &usize| {
        let (a, b) = (rank(a), rank(b));
        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
    };
    (0..all.len()).max_by(by_excess).unwrap_or(0)
}
