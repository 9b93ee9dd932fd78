//! How long a figure takes to be back within a bound, and to stay there, once a fault is over. Read off the run's
//! windows, by the intended send of their requests: as many neighbouring windows are taken together as it takes for
//! a stretch to carry the figure, and the answer is the end of the last stretch in which it lay outside. It is
//! never too short, and too long by a stretch at the most.

use std::ops::Range;

use super::{Better, Figure, Scope, Subject, Unit};
use crate::record::{Traffic, Window};

/// A figure that is watched from a fault's end on.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// The windows of the whole run.
    pub windows: &'a [Window],
    /// Their width.
    pub window_us: u64,
    /// When the fault is over.
    pub from_us: u64,
    /// When load ends.
    pub until_us: u64,
    /// Which figure.
    pub figure: Figure,
    /// How far it may go: at most so much where less of it is better, else at least.
    pub bound: f64,
}

/// How a figure recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It was back within the bound this long after the fault's end, and stayed there.
    After {
        /// How long.
        us: u64,
    },
    /// It was not, when load ended this long after the fault.
    NotBy {
        /// How long.
        us: u64,
    },
    /// No stretch carries the figure.
    Unknown,
}

impl Figure {
    /// Whether it can be watched: whether a stretch of a run has it.
    pub fn is_watched(self) -> bool {
        let counts = matches!(self, Self::Within) || self.unit() == Unit::Count;
        self.subject() == Subject::Requests && !counts
    }
}

impl Watched<'_> {
    /// How the figure recovered.
    pub fn recovery(&self) -> Recovery {
        let first = (self.from_us / self.window_us) as usize;
        let last = (self.until_us.div_ceil(self.window_us) as usize).min(self.windows.len());
        let (mut begun, mut outside_until, mut is_outside, mut is_known) = (first, None, false, false);
        for next in first + 1..=last {
            let Some(is_within) = self.is_within(begun..next) else { continue };
            begun = next;
            is_known = true;
            is_outside = !is_within;
            if is_outside {
                outside_until = Some(next as u64 * self.window_us);
            }
        }
        let since = |at_us: u64| at_us.saturating_sub(self.from_us);
        match outside_until {
            _ if !is_known => Recovery::Unknown,
            _ if is_outside => Recovery::NotBy { us: since(self.until_us) },
            Some(until_us) => Recovery::After { us: since(until_us) },
            None => Recovery::After { us: 0 },
        }
    }

    /// Whether the figure lies within the bound in a stretch; `None` where it is too short to tell. It does not where
    /// enough was sent, and too little of it was served well.
    fn is_within(&self, windows: Range<usize>) -> Option<bool> {
        let seconds = windows.len() as f64 * self.window_us as f64 / 1e6;
        let traffic = Traffic::of_windows(&self.windows[windows]);
        let value = self.figure.of(&Scope::of_traffic(&traffic).over(seconds));
        match (value, self.figure.better()) {
            (Some(value), Better::Less | Better::Neither) => Some(value <= self.bound),
            (Some(value), Better::More) => Some(value >= self.bound),
            (None, _) => self.figure.is_carried_by(traffic.requests.sent).then_some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of 100 ms in which as many requests took so long each.
    fn window(requests: u64, us: u64) -> Window {
        Window {
            sent: requests,
            ok: requests,
            good: requests,
            sum_us: requests * us,
            buckets: if requests > 0 { vec![(us, requests)] } else { Vec::new() },
            ..Window::default()
        }
    }

    fn recovery(figure: Figure, bound: f64, windows: &[Window]) -> Recovery {
        let until_us = windows.len() as u64 * 100_000;
        Watched { windows, window_us: 100_000, from_us: 200_000, until_us, figure, bound }.recovery()
    }

    #[test]
    fn it_is_the_end_of_the_last_stretch_outside() {
        let fast = || window(100, 10);
        let slow = || window(100, 1_000);
        let p50 = |windows: &[Window]| recovery(Figure::P50, 50.0, windows);
        assert_eq!(p50(&[slow(), slow(), fast(), fast()]), Recovery::After { us: 0 });
        assert_eq!(p50(&[slow(), slow(), slow(), fast(), fast()]), Recovery::After { us: 100_000 });
        // It does not stay there at first.
        assert_eq!(p50(&[slow(), slow(), slow(), fast(), slow(), fast()]), Recovery::After { us: 300_000 });
        assert_eq!(p50(&[slow(), slow(), fast(), slow()]), Recovery::NotBy { us: 200_000 });
        assert_eq!(p50(&[slow(), slow(), window(0, 0)]), Recovery::Unknown);
        let goodput = |bound| recovery(Figure::Goodput, bound, &[fast(), fast(), window(10, 10), fast()]);
        assert_eq!(goodput(1_000.0), Recovery::After { us: 100_000 });
        assert_eq!(goodput(1_001.0), Recovery::NotBy { us: 200_000 });
    }

    #[test]
    fn what_is_not_served_has_not_recovered() {
        let failing = || Window { sent: 100, errors: 100, ..Window::default() };
        let windows = [failing(), failing(), failing(), window(100, 10), window(100, 10)];
        assert_eq!(recovery(Figure::P50, 50.0, &windows), Recovery::After { us: 100_000 });
        assert_eq!(recovery(Figure::ErrorRate, 0.01, &windows), Recovery::After { us: 100_000 });
        assert_eq!(recovery(Figure::P50, 50.0, &windows[..3]), Recovery::NotBy { us: 100_000 });
    }

    #[test]
    fn as_many_windows_are_taken_together_as_carry_the_figure() {
        // A 99th percentile takes 381 requests: four windows of a hundred.
        let mut windows = vec![window(100, 1_000); 3];
        windows.extend(vec![window(100, 10); 9]);
        assert_eq!(recovery(Figure::P99, 50.0, &windows), Recovery::After { us: 400_000 });
        assert_eq!(recovery(Figure::P99, 50.0, &windows[..5]), Recovery::Unknown);
    }
}
