//! How busy cores have been lately. Owns no clock and no cores.

use std::time::Duration;

use hoplab_proxy::host::Instant;

/// After how long what was weighs a factor of e less: long enough for many requests of a busy proxy, short enough to follow
/// a burst.
const MEMORY: Duration = Duration::from_millis(100);

/// The share of the cores that was busy, as an average over the time that weighs what is long ago less.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Busy {
    average: f64,
    since: Instant,
}

impl Busy {
    /// The average at `now`, where `share` of the cores has been busy since this was last asked or told.
    pub(super) fn average(&mut self, now: Instant, share: f64) -> f64 {
        let passed = now.saturating_since(self.since).as_secs_f64() / MEMORY.as_secs_f64();
        self.average = share + (self.average - share) * (-passed).exp();
        self.since = now;
        self.average
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn it_follows_what_the_cores_do() {
        let mut busy = Busy::default();
        assert!(busy.average(at(500), 0.0) < 1e-9);
        let after_one = busy.average(at(600), 1.0);
        assert!((after_one - (1.0 - (-1.0_f64).exp())).abs() < 1e-9, "{after_one}");
        assert!(busy.average(at(2_000), 1.0) > 0.999);
        // However often it is asked.
        let mut often = Busy::default();
        often.average(at(500), 0.0);
        for millis in 501..600 {
            often.average(at(millis), 1.0);
        }
        assert!((often.average(at(600), 1.0) - after_one).abs() < 1e-9);
    }
}
