//! A run's windows, by the intended send of their requests, as many neighbours together as it takes to carry a figure:
//! a 99th percentile of 80 requests is their longest, and no 99th percentile. What charts over time draw, and what is
//! watched until it has recovered. Owns no bound and no drawing.

use std::ops::Range;

use super::{Figure, Scope};
use crate::record::{Spacing, Traffic, Window};

/// Neighbouring windows that carry a figure together.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Which windows.
    pub windows: Range<usize>,
    /// When the first of them begins.
    pub from_us: u64,
    /// When the last of them ends.
    pub until_us: u64,
    /// The figure over all of them; by the second it is that of a run. `None` where twice as much was sent as would carry
    /// it, and too little of that was served well.
    pub value: Option<f64>,
}

/// A figure over those of `windows` that are in `range`, from the first on. What does not carry it at the end belongs to
/// the last stretch; there is none where all of them together do not.
pub fn stretches(figure: Figure, windows: &[Window], range: Range<usize>, spacing: Spacing) -> Vec<Stretch> {
    let over = |windows_of: Range<usize>| {
        let traffic = Traffic::of_windows(&windows[windows_of.clone()]);
        let value = figure.of(&Scope::of_traffic(&traffic).over(spacing.seconds(&windows_of)));
        let (from_us, until_us) = spacing.bounds_us(&windows_of);
        Stretch { windows: windows_of, from_us, until_us, value }
    };
    let until = range.end.min(windows.len());
    let (mut begun, mut sent, mut served) = (range.start, 0, 0);
    let mut all: Vec<Stretch> = Vec::new();
    for (index, window) in windows.iter().enumerate().take(until).skip(range.start) {
        sent += window.sent;
        served += window.buckets.iter().map(|(_, count)| count).sum::<u64>();
        if is_carried(figure, sent, served) {
            all.push(over(begun..index + 1));
            (begun, sent, served) = (index + 1, 0, 0);
        }
    }
    if let Some(last) = all.last_mut().filter(|last| last.windows.end < until) {
        *last = over(last.windows.start..until);
    }
    all
}

/// Whether so many requests tell the figure, or that there is none since too few of them were served well.
fn is_carried(figure: Figure, sent: u64, served: u64) -> bool {
    match figure {
        Figure::Goodput => true,
        _ if figure.is_latency() => figure.is_carried_by(served) || figure.is_carried_by(sent / 2),
        _ => sent > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Latencies;

    /// As many requests as are `sent`, of which so many were served well, each in so long.
    fn window(sent: u64, served: u64, us: u64) -> Window {
        let counted = Window { sent, ok: served, errors: sent - served, good: served, ..Window::default() };
        let buckets = if served > 0 { vec![(us, served)] } else { Vec::new() };
        counted.with_latency(Latencies {
            count: served,
            sum_us: served * us,
            min_us: us,
            max_us: us,
            buckets,
        })
    }

    fn of(figure: Figure, windows: &[Window]) -> Vec<(Range<usize>, Option<f64>)> {
        let spacing = Spacing { width_us: 500_000, until_us: 12_300_000, runs: 4 };
        let all = stretches(figure, windows, 0..windows.len(), spacing);
        all.into_iter().map(|stretch| (stretch.windows, stretch.value)).collect()
    }

    #[test]
    fn a_stretch_carries_its_figure_or_says_that_too_little_was_served() {
        let mut windows = vec![window(100, 100, 10); 7];
        windows.extend(vec![window(100, 0, 0); 8]);
        windows.extend(vec![window(400, 399, 20); 2]);
        windows.push(window(100, 100, 5));
        let median = of(Figure::P50, &windows);
        assert_eq!(median.len(), 18, "four requests carry a median");
        assert_eq!(
            of(Figure::P99, &windows),
            [(0..4, Some(10.0)), (4..12, None), (12..16, Some(20.0)), (16..18, Some(20.0))],
            "381 carry a 99th percentile, and one that failed takes nothing from the rest"
        );
        assert_eq!(of(Figure::P99, &windows[..3]), []);
    }

    #[test]
    fn a_rate_is_that_of_a_run_in_the_width_that_there_is() {
        let windows = vec![window(400, 200, 10); 25];
        let rates = of(Figure::Goodput, &windows);
        assert_eq!(rates[0], (0..1, Some(100.0)));
        let (last, rate) = rates[24].clone();
        assert_eq!(last, 24..25);
        assert!((rate.unwrap() - 200.0 / 4.0 / 0.3).abs() < 1e-9, "the last window is 300 ms wide");
    }
}
