//! Intervals for a single run: its windows, taken together into stretches, are the clusters. Only a run,
//! or a part of it, in which nothing changes has stretches that may be compared: where faults come and
//! go it is the steady part before the first.

use crate::join;
use crate::pairs::BATCHES;
use crate::record::{Architecture, Traffic, Window};
use crate::statistics::{self, Cluster, Spread};

/// Fewer windows make no stretches.
const WINDOWS_MIN: usize = 10;

/// Fills in the intervals of all requests: of the whole run when it has no `faults`, and of its steady part.
/// `window_us` is the width of the windows, `reported` from where to where the run is reported, in microseconds.
pub(crate) fn estimate(seen: &mut Architecture, window_us: u64, reported: (u64, u64), faults: bool) {
    if !faults {
        of(&mut seen.total, within(&seen.windows, window_us, reported));
    }
    if let Some(steady) = seen.phases.get_mut("steady") {
        let windows = within(&seen.windows, window_us, (steady.from_us, steady.until_us));
        of(&mut steady.total, windows);
    }
}

/// The windows that lie within a part of the run.
fn within(windows: &[Window], window_us: u64, (from_us, until_us): (u64, u64)) -> &[Window] {
    let last = ((until_us / window_us) as usize).min(windows.len());
    let first = (from_us.div_ceil(window_us) as usize).min(last);
    &windows[first..last]
}

fn of(traffic: &mut Traffic, windows: &[Window]) {
    if windows.len() < WINDOWS_MIN {
        return;
    }
    let stretches = BATCHES.min(windows.len() as u64) as usize;
    let bound = |stretch: usize| stretch * windows.len() / stretches;
    let stretch = |number: usize| cluster(&windows[bound(number)..bound(number + 1)]);
    let clusters: Vec<_> = (0..stretches).map(stretch).collect();
    let latency = &traffic.latency;
    let carried = |quantile| latency.percentile_us(quantile).is_some();
    let mut seen = statistics::intervals(&clusters, |at| latency.quantile_us(at) as i64, &Spread::Batches);
    seen.quantiles.retain(|of| carried(of.quantile));
    traffic.intervals = seen;
}

/// The requests of neighbouring windows.
fn cluster(windows: &[Window]) -> Cluster {
    let buckets = join::buckets(windows.iter().map(|window| &window.buckets[..]));
    let sum = windows.iter().map(|window| window.sum_us).sum::<u64>() as f64;
    let errors = windows.iter().map(|window| window.errors).sum();
    let ended = windows.iter().map(|window| window.ok + window.errors).sum();
    Cluster::new(buckets.into_iter().map(|(value, count)| (value as i64, count)), sum, errors, ended)
}
