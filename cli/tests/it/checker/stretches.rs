//! A run over time: neighbouring windows, as many together as it takes to carry a figure, and the figure over them.
//! Reads lists of requests, no histograms.

use std::ops::Range;

use super::figure::percentile;
use super::rebuilt::{Rebuilt, Seen};

/// What is shown over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// A response time, by the share of requests in thousandths that do not exceed it.
    PerMille(usize),
    /// Good answers a second, of one seed.
    Goodput,
    /// Failed, timed out and left open, over sent.
    Errors,
}

/// Neighbouring windows.
pub(super) struct Stretch {
    /// From when until when, in nanoseconds.
    pub(super) time: Range<u64>,
    /// How many windows.
    pub(super) windows: usize,
    /// The figure; nothing where too little of what was sent was served well.
    pub(super) value: Option<f64>,
}

/// A figure over a run: a stretch ends with the window that carries it, and what does not at the end of the run belongs
/// to the last.
pub(super) fn of(rebuilt: &Rebuilt, seen: &Seen, over: Over) -> Vec<Stretch> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    for until in 1..=seen.windows.len() {
        if is_carried(seen, from..until, over) {
            ranges.push(from..until);
            from = until;
        }
    }
    if let Some(last) = ranges.last_mut() {
        last.end = seen.windows.len();
    }
    let times: Vec<Range<u64>> = rebuilt.frame.windows().collect();
    let stretch = |windows: Range<usize>| {
        let end = times[windows.end - 1].end.min(rebuilt.frame.end);
        let time = times[windows.start].start..end;
        Stretch {
            value: value(seen, windows.clone(), over, rebuilt.seconds(&time)),
            windows: windows.len(),
            time,
        }
    };
    ranges.into_iter().map(stretch).collect()
}

/// Whether so many windows tell it, or that it cannot be told since most of what they sent was not served well.
fn is_carried(seen: &Seen, windows: Range<usize>, over: Over) -> bool {
    let sent: i64 = seen.windows[windows.clone()].iter().map(|window| window.traffic.all.sent).sum();
    match over {
        Over::Goodput => true,
        Over::Errors => sent > 0,
        Over::PerMille(per_mille) => {
            let served = served_us(seen, windows);
            let half = vec![0; sent as usize / 2];
            percentile(&served, per_mille, false).is_some() || percentile(&half, per_mille, false).is_some()
        }
    }
}

fn value(seen: &Seen, windows: Range<usize>, over: Over, seconds: f64) -> Option<f64> {
    let all = &seen.windows[windows.clone()];
    match over {
        Over::Goodput => Some(all.iter().map(|window| window.traffic.good).sum::<i64>() as f64 / seconds),
        Over::Errors => {
            let sent: i64 = all.iter().map(|window| window.traffic.all.sent).sum();
            let errors: i64 = all.iter().map(|window| window.traffic.all.errors()).sum();
            (sent > 0).then(|| errors as f64 / sent as f64)
        }
        Over::PerMille(per_mille) => {
            percentile(&served_us(seen, windows), per_mille, false).map(|us| us as f64)
        }
    }
}

fn served_us(seen: &Seen, windows: Range<usize>) -> Vec<i64> {
    let mut served: Vec<i64> =
        seen.windows[windows].iter().flat_map(|window| window.traffic.served_us.iter().copied()).collect();
    served.sort_unstable();
    served
}
