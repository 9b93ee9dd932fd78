//! Latency that a proxy adds to a request on no core: a distribution, which may be another one the busier its cores are.
//! Knows no cores: the caller says how busy they are, and draws.

use std::time::Duration;

use crate::distribution::Distribution;

/// How long a proxy takes for a request besides its processor time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latency {
    /// In rising order of `busy`; none: no time.
    points: Vec<Point>,
}

/// The latency at a utilisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Which share of the cores is busy, 0 to 1.
    pub busy: f64,
    /// What a request takes then.
    pub latency: Distribution,
}

impl Latency {
    /// No time at all.
    pub const NONE: Self = Self { points: Vec::new() };

    /// As these points say, which rise by `busy`; in between each quantile lies on a line between theirs, and beyond the
    /// first and the last it stays as it is there.
    pub fn new(points: Vec<Point>) -> Self {
        Self { points }
    }

    /// The same, however busy the cores are.
    pub fn of(latency: Distribution) -> Self {
        Self::new(vec![Point { busy: 0.0, latency }])
    }

    /// Whether it is always the same time, which needs no draw.
    pub fn constant(&self) -> Option<Duration> {
        match &self.points[..] {
            [] => Some(Duration::ZERO),
            [Point { latency: Distribution::Constant(always), .. }] => Some(*always),
            _ => None,
        }
    }

    /// Whether it depends on how busy the cores are.
    pub fn grows(&self) -> bool {
        self.points.len() > 1
    }

    /// The mean while the cores are idle, to the nanosecond.
    pub fn mean(&self) -> Duration {
        self.points.first().map_or(Duration::ZERO, |point| point.latency.mean())
    }

    /// What a request takes that meets cores of which the share `busy` is, where a latency is exceeded with
    /// `probability`, above 0 and at most 1; to the nanosecond.
    pub fn exceeded_with(&self, busy: f64, probability: f64) -> Duration {
        let after = self.points.partition_point(|point| point.busy <= busy);
        let at = |index: usize| self.points[index].latency.exceeded_with(probability);
        match (after.checked_sub(1), self.points.get(after)) {
            (None, None) => Duration::ZERO,
            (None, Some(_)) => at(after),
            (Some(before), None) => at(before),
            (Some(before), Some(next)) => {
                let start = self.points[before].busy;
                let share = (busy - start) / (next.busy - start);
                let [low, high] = [at(before), at(after)].map(|latency| latency.as_nanos() as f64);
                Duration::from_nanos((low + (high - low) * share).round() as u64)
            }
        }
    }
}

impl From<Duration> for Latency {
    fn from(always: Duration) -> Self {
        if always.is_zero() { Self::NONE } else { Self::of(Distribution::Constant(always)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn each_quantile_grows_in_a_line_from_point_to_point() {
        let uniform = |from, to| Distribution::Uniform { from: millis(from), to: millis(to) };
        let latency = Latency::new(vec![
            Point { busy: 0.2, latency: uniform(1, 3) },
            Point { busy: 0.6, latency: uniform(5, 11) },
        ]);
        for (busy, median, longest) in [(0.0, 2, 3), (0.2, 2, 3), (0.4, 5, 7), (0.6, 8, 11), (1.0, 8, 11)] {
            assert_eq!(latency.exceeded_with(busy, 0.5), millis(median), "{busy}");
            assert_eq!(latency.exceeded_with(busy, 1e-12), millis(longest), "{busy}");
        }
        assert!(latency.grows() && latency.constant().is_none());
        assert_eq!(latency.mean(), millis(2));
    }

    #[test]
    fn a_latency_that_never_varies_needs_no_draw() {
        assert_eq!(Latency::NONE.constant(), Some(Duration::ZERO));
        assert_eq!(Latency::from(millis(4)).constant(), Some(millis(4)));
        assert_eq!(Latency::from(Duration::ZERO), Latency::NONE);
        assert_eq!(Latency::from(millis(4)).exceeded_with(0.9, 0.5), millis(4));
        assert_eq!(Latency::NONE.exceeded_with(0.9, 0.5), Duration::ZERO);
    }
}
