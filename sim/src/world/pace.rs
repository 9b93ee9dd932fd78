//! How fast a container's cores work over time: slowed by some factor while something slows them, and more
//! while too many requests come, which is known to end at a certain time. Sync arithmetic: owns no core, no
//! timer, and nobody who waits.
//!
//! Progress is the work that a core would have done since the world began had it always been busy, in
//! nanoseconds. All cores of a container go at one pace, so work that begins at progress p and takes d is
//! done when progress is p + d, however often the pace changes in between.

use std::time::Duration;

use hoplab_proxy::host::Instant;

/// The pace of a container's cores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Until when progress is counted in `done`.
    since: Instant,
    done: f64,
    /// How many times as long work takes.
    times: f64,
    /// How many times as long it takes besides, and until when.
    crowded: Option<(f64, Instant)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { since: Instant::START, done: 0.0, times: 1.0, crowded: None }
    }
}

impl Pace {
    /// From `now` on work takes so many `times` as long.
    pub(super) fn slow(&mut self, now: Instant, times: f64) {
        self.settle(now);
        self.times = times;
    }

    /// From `now` until `until` work takes so many `times` as long besides. Said again before it is over, it
    /// lasts longer.
    pub(super) fn crowd(&mut self, now: Instant, times: f64, until: Instant) {
        self.settle(now);
        self.crowded = Some((times, until));
    }

    /// How many times as long work takes at `now`.
    pub(super) fn times(&self, now: Instant) -> f64 {
        match self.crowded {
            Some((more, until)) if now < until => self.times * more,
            _ => self.times,
        }
    }

    /// The progress at `now`, not before the last change.
    pub(super) fn progress(&self, now: Instant) -> f64 {
        let (from, done) = match self.crowded {
            Some((more, until)) if self.since < until => {
                let over = until.min(now);
                (over, self.done + nanos_between(self.since, over) / (self.times * more))
            }
            _ => (self.since, self.done),
        };
        done + nanos_between(from, now) / self.times
    }

    /// When progress is `progress`, to the nearest nanosecond; the time of the last change if it was before that.
    pub(super) fn reaches(&self, progress: f64) -> Instant {
        let (mut from, mut left) = (self.since, progress - self.done);
        if let Some((more, until)) = self.crowded.filter(|(_, until)| self.since < *until) {
            let crowded = self.times * more;
            let possible = nanos_between(from, until) / crowded;
            if left <= possible {
                return after(from, left * crowded);
            }
            (from, left) = (until, left - possible);
        }
        after(from, left * self.times)
    }

    fn settle(&mut self, now: Instant) {
        self.done = self.progress(now);
        self.since = now;
    }
}

fn nanos_between(from: Instant, until: Instant) -> f64 {
    until.saturating_since(from).as_nanos() as f64
}

fn after(from: Instant, nanos: f64) -> Instant {
    from + Duration::from_nanos(nanos.round().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn work_under_way_is_slow_for_as_long_as_the_core_is() {
        let mut pace = Pace::default();
        let target = pace.progress(at(0)) + 10e6;
        assert_eq!(pace.reaches(target), at(10));
        pace.slow(at(4), 20.0);
        assert_eq!(pace.reaches(target), at(4 + 120));
        pace.slow(at(44), 1.0);
        // 4 ms done before, 2 ms in 40 of slowness, 4 ms left.
        assert_eq!(pace.reaches(target), at(48));
    }

    #[test]
    fn a_crowd_ends_by_itself_and_multiplies() {
        let mut pace = Pace::default();
        pace.slow(at(0), 2.0);
        pace.crowd(at(0), 5.0, at(100));
        assert!((pace.times(at(99)) - 10.0).abs() < 1e-12 && (pace.times(at(100)) - 2.0).abs() < 1e-12);
        // 10 ms of work in the first 100 ms, then half as fast as it should be.
        assert_eq!((pace.reaches(10e6), pace.reaches(15e6)), (at(100), at(110)));
        pace.crowd(at(50), 5.0, at(200));
        assert_eq!((pace.reaches(10e6), pace.reaches(21e6)), (at(100), at(202)));
    }

    proptest! {
        /// Whatever happens to the pace, what is reached at a time is the progress at that time.
        #[test]
        fn reaching_is_the_inverse_of_progress(
            changes in proptest::collection::vec((1_u64..5_000, 1.0_f64..100.0, any::<bool>(), 1_u64..5_000), 0..12),
            ahead in 1_u64..1_000_000,
        ) {
            let (mut pace, mut now, mut before) = (Pace::default(), 0, 0.0);
            for (gap, times, crowds, lasts) in changes {
                now += gap;
                prop_assert!(pace.progress(at(now)) >= before);
                before = pace.progress(at(now));
                if crowds { pace.crowd(at(now), times, at(now + lasts)) } else { pace.slow(at(now), times) }
                prop_assert!((pace.progress(at(now)) - before).abs() < 1e-3, "a change does nothing by itself");
            }
            let then = at(now) + Duration::from_micros(ahead);
            let reached = pace.reaches(pace.progress(then));
            prop_assert!(reached.nanos().abs_diff(then.nanos()) <= 1);
        }
    }
}
