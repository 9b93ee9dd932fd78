//! How long a figure takes to be back within a bound, and to stay there, once a fault is over. Read off the run's
//! windows, by the intended send of their requests, as [`super::stretch`] takes them together: the answer is the end of
//! the last stretch in which the figure lay outside. It is never too short, and too long by a stretch at the most.

use super::stretch::{self, Stretch};
use super::{Better, Figure, Subject, Unit};
use crate::record::{Spacing, Window};

/// A figure that is watched from a fault's end on.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// The windows of the whole run.
    pub windows: &'a [Window],
    /// Where they lie.
    pub spacing: Spacing,
    /// When the fault is over.
    pub from_us: u64,
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
        let first = (self.from_us / self.spacing.width_us) as usize;
        let stretches =
            stretch::stretches(self.figure, self.windows, first..self.windows.len(), self.spacing);
        let since = |at_us: u64| at_us.saturating_sub(self.from_us);
        match stretches.iter().rposition(|stretch| !self.is_within(stretch)) {
            _ if stretches.is_empty() => Recovery::Unknown,
            None => Recovery::After { us: 0 },
            Some(last) if last + 1 == stretches.len() => Recovery::NotBy { us: since(self.spacing.until_us) },
            Some(last) => Recovery::After { us: since(stretches[last].until_us) },
        }
    }

    /// Whether the figure lies within the bound in a stretch. It does not where too little was served well.
    fn is_within(&self, stretch: &Stretch) -> bool {
        stretch.value.is_some_and(|value| match self.figure.better() {
            Better::Less | Better::Neither => value <= self.bound,
            Better::More => value >= self.bound,
        })
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
        let spacing = Spacing { width_us: 100_000, until_us: windows.len() as u64 * 100_000, runs: 1 };
        Watched { windows, spacing, from_us: 200_000, figure, bound }.recovery()
    }

    #[test]
    fn a_rate_is_that_of_a_run_and_of_the_last_window_as_wide_as_it_is() {
        let mut windows = vec![window(100, 10); 6];
        windows.push(window(50, 10));
        let of = |runs| {
            let spacing = Spacing { width_us: 100_000, until_us: 650_000, runs };
            let figure = Figure::Goodput;
            let watched = |bound| Watched { windows: &windows, spacing, from_us: 200_000, figure, bound };
            let rate = 1_000.0 / runs as f64;
            (watched(rate).recovery(), watched(rate + 1.0).recovery())
        };
        let wanted = (Recovery::After { us: 0 }, Recovery::NotBy { us: 450_000 });
        assert_eq!([of(1), of(4)], [wanted; 2]);
    }

    #[test]
    fn what_is_left_at_the_end_counts_with_the_last_stretch() {
        let mut windows = vec![window(100, 10); 7];
        windows.push(window(100, 1_000));
        assert_eq!(recovery(Figure::P99, 50.0, &windows), Recovery::NotBy { us: 600_000 });
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
