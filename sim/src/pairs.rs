//! The same requests under two architectures. Each run remembers how its requests ended, up to a limit
//! beyond which every other request is forgotten, by its name and not by its turn, so that what is left
//! under one architecture is left under all. Not here: what becomes of the comparison ([`Paired`]).

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::TraceId;
use indexmap::IndexMap;

use crate::random;
use crate::record::{Difference, Intervals, Paired};
use crate::scenario::phases::Phases;
use crate::scenario::plan::Plan;
use crate::slices::Slices;
use crate::statistics;

/// How the requests of one run ended, after its warm-up.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    most: usize,
    /// One request in 2 to this power is kept.
    thinned: u32,
    requests: BTreeMap<TraceId, End>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) endpoint: usize,
    pub(crate) intended: Instant,
    pub(crate) latency_us: u64,
    pub(crate) ok: bool,
}

impl Ends {
    /// Remembers so many at the `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, thinned: 0, requests: BTreeMap::new() }
    }

    /// A request has ended.
    pub(crate) fn ended(&mut self, trace: TraceId, end: End) {
        if self.most == 0 || !kept(trace, self.thinned) {
            return;
        }
        self.requests.insert(trace, end);
        while self.requests.len() > self.most {
            self.thinned += 1;
            let thinned = self.thinned;
            self.requests.retain(|trace, _| kept(*trace, thinned));
        }
    }
}

/// Whether a request is among the one in 2 to the power of `thinned`.
fn kept(trace: TraceId, thinned: u32) -> bool {
    let name = random::join((trace.0 >> 64) as u64, trace.0 as u64);
    thinned == 0 || name.trailing_zeros() >= thinned
}

/// How requests fared under an architecture against the one called `baseline`, in a run of `plan`; `names`
/// are those of the endpoints.
pub(crate) fn compare(plan: &Plan, baseline: &str, names: &[String], from: &Ends, to: &Ends) -> Paired {
    let phases = Phases::of(plan);
    let span = (Instant::START + plan.warmup, Instant::START + plan.duration);
    let mut total = Sum::new(span);
    let mut parts: Vec<_> = phases.parts().iter().map(|part| Sum::new((part.from, part.until))).collect();
    let mut endpoints: Vec<_> = names.iter().map(|_| Sum::new(span)).collect();
    let thinned = from.thinned.max(to.thinned);
    for (trace, before) in from.requests.iter().filter(|(trace, _)| kept(**trace, thinned)) {
        let Some(after) = to.requests.get(trace) else { continue };
        total.add(before, after);
        endpoints[before.endpoint].add(before, after);
        for part in phases.at(before.intended) {
            parts[part].add(before, after);
        }
    }
    let named = phases.parts().iter().map(|part| part.name.clone());
    Paired {
        baseline: baseline.to_owned(),
        total: total.into_difference(),
        phases: named.zip(parts).map(|(name, sum)| (name, sum.into_difference())).collect(),
        endpoints: names
            .iter()
            .zip(endpoints)
            .map(|(name, sum)| (name.clone(), sum.into_difference()))
            .collect::<IndexMap<_, _>>(),
    }
}

/// Sums over pairs in a part of a run.
struct Sum {
    difference: Difference,
    /// Differences by magnitude, those above and those below zero.
    above: Histogram<u32>,
    below: Histogram<u32>,
    slices: Slices,
}

impl Sum {
    fn new((from, until): (Instant, Instant)) -> Self {
        let histogram = || Histogram::new(4).expect("the figures are within the crate's bounds");
        let (above, below) = (histogram(), histogram());
        Self { difference: Difference::default(), above, below, slices: Slices::new(from, until) }
    }

    fn add(&mut self, before: &End, after: &End) {
        let sum = &mut self.difference;
        sum.pairs += 1;
        match (before.ok, after.ok) {
            (true, true) => {}
            (false, true) => return sum.saved += 1,
            (true, false) => return sum.lost += 1,
            (false, false) => return sum.neither += 1,
        }
        let us = after.latency_us as i64 - before.latency_us as i64;
        sum.min_us = if sum.both == 0 { us } else { sum.min_us.min(us) };
        sum.max_us = if sum.both == 0 { us } else { sum.max_us.max(us) };
        sum.both += 1;
        sum.slower += u64::from(us > 0);
        sum.faster += u64::from(us < 0);
        sum.sum_us += us;
        self.slices.observe(before.intended, us);
        let histogram = if us < 0 { &mut self.below } else { &mut self.above };
        histogram.record(us.unsigned_abs()).expect("the histogram grows as needed");
    }

    fn into_difference(self) -> Difference {
        let buckets = signed(&self.below, &self.above);
        let difference = Difference { buckets, ..self.difference };
        let whole = |quantile| difference.quantile_us(quantile);
        let intervals = statistics::of_run(&self.slices.into_clusters(), whole);
        let intervals = Intervals { error_rate: None, ..intervals };
        Difference { intervals, ..difference }
    }
}

/// `[difference, count]` in rising order, each bucket by its highest value.
fn signed(below: &Histogram<u32>, above: &Histogram<u32>) -> Vec<(i64, u64)> {
    let negative = below.iter_recorded().map(|step| {
        let lowest = below.lowest_equivalent(step.value_iterated_to());
        (-(lowest as i64), step.count_since_last_iteration())
    });
    let mut buckets: Vec<_> = negative.collect();
    buckets.reverse();
    let positive = above.iter_recorded();
    buckets.extend(positive.map(|step| (step.value_iterated_to() as i64, step.count_since_last_iteration())));
    buckets
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    fn end(latency_us: u64, ok: bool) -> End {
        End { endpoint: 0, intended: Instant::START, latency_us, ok }
    }

    #[test]
    fn pairs_are_told_apart_by_how_they_ended() {
        let mut sum = Sum::new((Instant::START, Instant::START + Duration::from_secs(1)));
        for (before, after) in [
            (end(100, true), end(150, true)),
            (end(100, true), end(90, true)),
            (end(100, true), end(100, true)),
            (end(100, false), end(100, true)),
            (end(100, true), end(100, false)),
            (end(100, false), end(100, false)),
        ] {
            sum.add(&before, &after);
        }
        let seen = sum.into_difference();
        assert_eq!((seen.pairs, seen.both, seen.saved, seen.lost, seen.neither), (6, 3, 1, 1, 1));
        assert_eq!((seen.slower, seen.faster, seen.sum_us, seen.min_us, seen.max_us), (1, 1, 40, -10, 50));
        assert_eq!(seen.buckets, [(-10, 1), (0, 1), (50, 1)]);
        assert_eq!(seen.quantile_us(0.5), 0);
    }

    proptest! {
        /// What is left when there are too many does not depend on the order in which they ended.
        #[test]
        fn the_same_requests_are_left_whatever_the_order(
            mut traces in proptest::collection::btree_set(1_u128..1_000_000, 1..400).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
            most in 10_usize..200,
            turn in 0_usize..400,
        ) {
            let left = |traces: &[u128]| {
                let mut ends = Ends::new(most);
                for trace in traces {
                    ends.ended(TraceId(*trace), end(1, true));
                }
                (ends.thinned, ends.requests.into_keys().collect::<Vec<_>>())
            };
            let before = left(&traces);
            prop_assert!(before.1.len() <= most);
            let places = traces.len();
            traces.rotate_left(turn % places);
            prop_assert_eq!(before, left(&traces));
        }
    }
}
