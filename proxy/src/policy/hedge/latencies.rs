//! A percentile of the latencies of the last while: what the window's two halves saw, of which the older is forgotten
//! when a third begins. Bounded memory, no allocation once it stands; owns no clock.

use std::time::Duration;

use crate::host::Instant;
use crate::policy::histogram::Histogram;

/// Latencies of the last window: all of its second half, and at least half of it.
#[derive(Debug)]
pub(super) struct Latencies {
    /// What both halves saw.
    all: Histogram,
    /// What the younger half saw.
    young: Histogram,
    half_nanos: u64,
    /// The number of the younger half, counted from the start of time.
    youngest: u64,
    /// What was found last, and how many more samples make it worth a second look.
    found: Option<(f64, Duration)>,
    samples_left: u64,
}

impl Latencies {
    /// Nothing was seen yet.
    pub(super) fn new(window: Duration) -> Self {
        let half_nanos = u64::try_from(window.as_nanos() / 2).unwrap_or(u64::MAX).max(1);
        Self {
            all: Histogram::new(),
            young: Histogram::new(),
            half_nanos,
            youngest: 0,
            found: None,
            samples_left: 0,
        }
    }

    /// A latency was measured.
    pub(super) fn add(&mut self, now: Instant, latency: Duration) {
        self.forget(now);
        self.all.add(latency);
        self.young.add(latency);
        self.samples_left = self.samples_left.saturating_sub(1);
    }

    /// The latency that a share of `quantile` did not exceed; `None` below `samples_min` samples. Looked up anew
    /// after every 64th part more of samples.
    pub(super) fn quantile(&mut self, now: Instant, quantile: f64, samples_min: u32) -> Option<Duration> {
        self.forget(now);
        let total = self.all.total();
        if total < u64::from(samples_min.max(1)) {
            return None;
        }
        match self.found {
            Some((found_for, found)) if self.samples_left > 0 && found_for.total_cmp(&quantile).is_eq() => {
                Some(found)
            }
            _ => {
                let found = self.all.quantile(quantile);
                self.found = Some((quantile, found));
                self.samples_left = total / 64 + 1;
                Some(found)
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        let youngest = now.nanos() / self.half_nanos;
        match youngest.saturating_sub(self.youngest) {
            0 => return,
            1 => self.all.set_to(&self.young),
            _ => self.all.clear(),
        }
        self.young.clear();
        self.samples_left = 0;
        self.youngest = youngest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Each sample counts in the half of the window in which it was measured and in the one after that.
        #[test]
        fn the_half_under_way_and_the_one_before_are_remembered(
            steps in prop::collection::vec((0_u64..70, 0_u64..256), 1..200),
        ) {
            let mut latencies = Latencies::new(Duration::from_nanos(100));
            let mut samples: Vec<(u64, u64)> = Vec::new();
            let mut now = 0;
            for (gap, micros) in steps {
                now += gap;
                samples.push((now / 50, micros));
                latencies.add(Instant::from_nanos(now), Duration::from_micros(micros));
                // Between two samples of one half, what was found stands for a while.
                latencies.found = None;
                let young = |half: u64| half + 1 >= now / 50;
                let largest = samples.iter().filter(|(half, _)| young(*half)).map(|(_, micros)| *micros).max();
                let found = latencies.quantile(Instant::from_nanos(now), 1.0, 1);
                prop_assert_eq!(found, largest.map(Duration::from_micros));
            }
        }
    }
}
