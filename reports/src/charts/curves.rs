//! What each chart shows, computed once for page, plot files and CSV: percentile curves, series over
//! time, stacks and breaker lanes. Owns no pixel and no colour.

use std::collections::BTreeMap;
use std::f64::consts::LOG10_2;

use hoplab_sim::figures::Figure;
use hoplab_sim::figures::stretch::{Stretch, stretches};
use hoplab_sim::record::{Architecture, BreakerChange, Latencies, Record, Window};
use indexmap::IndexMap;

use crate::format::moment;

/// Points of a percentile curve between two nines; the median has one of its own.
const POINTS_PER_NINE: u32 = 24;

/// The nines beyond which no curve goes: 99.9999 %.
const NINES_MAX: u32 = 6;

/// The quantile with so many nines: 0 is the minimum, 1 is p90, 2 is p99, …
pub(crate) fn quantile(nines: f64) -> f64 {
    if (nines - LOG10_2).abs() < f64::EPSILON { 0.5 } else { 1.0 - 10_f64.powf(-nines) }
}

/// `[nines, µs]` in rising order, as far as the sample carries a percentile; empty without samples.
pub(crate) fn percentiles(latencies: &Latencies) -> Vec<(f64, u64)> {
    if latencies.count == 0 {
        return Vec::new();
    }
    let mut curve = vec![(0.0, latencies.min_us)];
    let mut buckets = latencies.buckets.iter();
    let (mut value, mut seen) = (latencies.min_us, 0);
    let even = (1..=NINES_MAX * POINTS_PER_NINE).map(|step| f64::from(step) / f64::from(POINTS_PER_NINE));
    let mut places: Vec<f64> = even.chain([LOG10_2]).collect();
    places.sort_by(f64::total_cmp);
    for at in places {
        let quantile = quantile(at);
        if !carries(latencies.count, quantile) {
            break;
        }
        let rank = ((latencies.count as f64 * quantile).ceil() as u64).max(1);
        while seen < rank {
            let Some(&(next, count)) = buckets.next() else { break };
            value = next.clamp(latencies.min_us, latencies.max_us);
            seen += count;
        }
        curve.push((at, value));
    }
    curve
}

/// Whether a sample of `count` carries a percentile, by the rule of [`Latencies::percentile_us`].
fn carries(count: u64, quantile: f64) -> bool {
    let probe = Latencies { count, ..Latencies::default() };
    probe.percentile_us(quantile).is_some()
}

/// A figure over an architecture's run, as many windows together as carry it.
pub(crate) fn over_time(record: &Record, architecture: &Architecture, figure: Figure) -> Vec<Stretch> {
    let windows = &architecture.windows;
    stretches(figure, windows, 0..windows.len(), record.spacing())
}

/// Attempts per call between services, by window; windows without calls are left out.
pub(crate) fn attempts_over_time(record: &Record, architecture: &Architecture) -> Vec<Stretch> {
    let windows = architecture.windows.iter().enumerate().filter(|(_, window)| window.calls > 0);
    let stretch = |(index, window): (usize, &Window)| {
        let windows = index..index + 1;
        let (from_us, until_us) = record.spacing().bounds_us(&windows);
        Stretch { windows, from_us, until_us, value: Some(window.attempts as f64 / window.calls as f64) }
    };
    windows.map(stretch).collect()
}

/// Microseconds as seconds.
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// The end of the charts over time: the load's.
pub(crate) fn end_us(record: &Record) -> u64 {
    record.duration_us.max(1)
}

/// The states of one breaker over the whole run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lane {
    /// `checkout-0 → payment-1`, or the whole upstream: `checkout-0 → payment`.
    pub(crate) name: String,
    /// `[from, until, state]` in microseconds, tiling the run.
    pub(crate) spans: Vec<(u64, u64, State)>,
}

/// A breaker's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    HalfOpen,
    Open,
    /// An endpoint that a proxy's outlier detection keeps out of its pool.
    Ejected,
    Unknown,
    /// The record does not say: it was full before.
    Unrecorded,
}

impl State {
    /// The state that a record names.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "closed" => Self::Closed,
            "half-open" => Self::HalfOpen,
            "open" => Self::Open,
            _ => Self::Unknown,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
            Self::Ejected => "ejected",
            Self::Unknown => "unknown",
            Self::Unrecorded => "not recorded",
        }
    }
}

/// A lane for each breaker that ever moved, by the breaker's name; breakers start closed. Where the list of changes was
/// cut nothing is known of what came then.
pub(crate) fn lanes(record: &Record, architecture: &Architecture) -> Vec<Lane> {
    let mut changes: IndexMap<String, Vec<&BreakerChange>> = IndexMap::new();
    for change in &architecture.breakers {
        let endpoint =
            change.endpoint.as_deref().map(|endpoint| endpoint.split(':').next().unwrap_or(endpoint));
        let guarded = endpoint.unwrap_or(&change.upstream);
        let name = format!("{} → {guarded}", change.pod);
        changes.entry(name).or_default().push(change);
    }
    changes.sort_keys();
    let (cut, end) = (architecture.breakers_cut_us, end_us(record));
    let states = |changes: Vec<&BreakerChange>| {
        changes.into_iter().map(|change| (change.at_us, State::of(&change.state))).collect::<Vec<_>>()
    };
    let changes = changes.into_iter();
    changes.map(|(name, changes)| lane(name, states(changes).into_iter(), cut, end)).collect()
}

fn lane(name: String, changes: impl Iterator<Item = (u64, State)>, cut: Option<u64>, end: u64) -> Lane {
    let changes = changes.chain(cut.map(|at| (at, State::Unrecorded)));
    let mut spans = Vec::new();
    let (mut from, mut state) = (0, State::Closed);
    for (at, next) in changes {
        let at = at.clamp(from, end);
        if at > from {
            spans.push((from, at, state));
        }
        (from, state) = (at, next);
    }
    if end > from {
        spans.push((from, end, state));
    }
    Lane { name, spans }
}

/// A lane for each endpoint that a proxy ever ejected, by their names; all start in the pool, which is drawn
/// as a closed breaker is. Where the list of decisions was cut nothing is known of what came then.
pub(crate) fn ejections(record: &Record, architecture: &Architecture) -> Vec<Lane> {
    let mut changes: BTreeMap<String, Vec<(u64, State)>> = BTreeMap::new();
    for event in &architecture.policies {
        let state = match &*event.decision {
            "ejected" => State::Ejected,
            "readmitted" => State::Closed,
            _ => continue,
        };
        let endpoint = event.endpoint.as_deref().unwrap_or(&event.upstream);
        let endpoint = endpoint.split(':').next().unwrap_or(endpoint);
        changes.entry(format!("{} ⇢ {endpoint}", event.pod)).or_default().push((event.at_us, state));
    }
    let (cut, end) = (architecture.policies_cut_us, end_us(record));
    changes.into_iter().map(|(name, changes)| lane(name, changes.into_iter(), cut, end)).collect()
}

/// Whose single events a record of several seeds has, for the title of a chart of them.
pub(crate) fn of_first(record: &Record) -> String {
    match record.runs() {
        1 => String::new(),
        seeds => format!(", seed {}, the first of {seeds}", record.seed),
    }
}

/// What is said of a list of events that was `cut`.
pub(crate) fn until(cut: Option<u64>) -> String {
    cut.map_or_else(String::new, |us| format!(" (what came from {} on is counted, not listed)", moment(us)))
}

/// How finely decisions are told apart in time: into so many stretches of the run.
const STRETCHES: u64 = 240;

/// What was decided about one upstream, over the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Events {
    /// `retried`, `ejected`, …
    pub(crate) decision: String,
    /// The upstream.
    pub(crate) upstream: String,
    /// `[from, until, count]` in microseconds, in order; stretches in which nothing was decided are left out.
    pub(crate) stretches: Vec<(u64, u64, u64)>,
}

impl Events {
    /// `retried → payment`.
    pub(crate) fn name(&self) -> String {
        format!("{} → {}", self.decision, self.upstream)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.stretches.iter().map(|(_, _, count)| count).sum()
    }
}

/// A lane for each decision and upstream that there was, by their names; the events of all pods together.
pub(crate) fn events(record: &Record, architecture: &Architecture) -> Vec<Events> {
    let end = end_us(record);
    let width = end.div_ceil(STRETCHES);
    let mut lanes: BTreeMap<(&str, &str), BTreeMap<u64, u64>> = BTreeMap::new();
    for event in &architecture.policies {
        let lane = lanes.entry((&event.decision, &event.upstream)).or_default();
        *lane.entry(event.at_us.min(end - 1) / width).or_default() += 1;
    }
    let stretch = |(stretch, count): (u64, u64)| (stretch * width, ((stretch + 1) * width).min(end), count);
    let lane = |((decision, upstream), counts): ((&str, &str), BTreeMap<u64, u64>)| Events {
        decision: decision.to_owned(),
        upstream: upstream.to_owned(),
        stretches: counts.into_iter().map(stretch).collect(),
    };
    lanes.into_iter().map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_the_sample_no_longer_carries_it() {
        let buckets: Vec<(u64, u64)> = (1..=1000).map(|value| (value, 1)).collect();
        let latencies = Latencies { count: 1000, sum_us: 500_500, min_us: 1, max_us: 1000, buckets };
        let curve = percentiles(&latencies);
        assert_eq!(curve[0], (0.0, 1));
        for &(at, value) in &curve[1..] {
            assert_eq!(latencies.percentile_us(quantile(at)), Some(value));
        }
        let last = curve.last().expect("a curve").0;
        assert!((2.0..2.5).contains(&last), "{last}");
        assert!(percentiles(&Latencies::default()).is_empty());
    }

    #[test]
    fn a_lane_tiles_the_run() {
        let changes = [(10, "open"), (30, "half-open"), (31, "closed")];
        let changes = changes.map(|(at, state)| (at, State::of(state)));
        let cut = lane("x".into(), changes.into_iter().take(1), Some(30), 50);
        assert_eq!(cut.spans, [(0, 10, State::Closed), (10, 30, State::Open), (30, 50, State::Unrecorded)]);
        let lane = lane("x".into(), changes.into_iter(), None, 50);
        let spans = [
            (0, 10, State::Closed),
            (10, 30, State::Open),
            (30, 31, State::HalfOpen),
            (31, 50, State::Closed),
        ];
        assert_eq!(lane.spans, spans);
    }
}
