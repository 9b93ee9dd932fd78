//! How long a round trip takes, and how long to wait for one (RFC 6298, as Linux 6.18 has it: `tcp_rtt_estimator`,
//! `TCP_RTO_MIN` of 200 ms below the variation and not below the sum). Owns no timer.

use std::time::Duration;

/// What a timeout is longer than a round trip at least: Linux's `TCP_RTO_MIN`.
pub(super) const TIMEOUT_MIN: Duration = Duration::from_millis(200);
/// The longest timeout: Linux's `TCP_RTO_MAX`.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// The timeout before anything was measured (RFC 6298, 2.1).
pub(super) const TIMEOUT_INITIAL: Duration = Duration::from_secs(1);

/// Measured round trips of a connection. Times are in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct RoundTrip {
    /// The smoothed round trip, times eight; 0 before anything was measured.
    smoothed: i64,
    /// The mean deviation, times four.
    deviation: i64,
    /// The largest mean deviation since the present round began.
    deviation_max: i64,
    /// What a timeout is longer than a round trip.
    variation: i64,
    shortest: Option<Duration>,
    /// The sequence number whose acknowledgement ends the present round.
    round_ends: u64,
}

impl RoundTrip {
    /// A round trip took `sample`; `acknowledged` and `next` are the first sequence numbers that have not been
    /// acknowledged and not been sent.
    pub(super) fn measured(&mut self, sample: Duration, acknowledged: u64, next: u64) {
        let sample = (sample.as_nanos() as i64).max(1);
        let least = TIMEOUT_MIN.as_nanos() as i64;
        if self.smoothed == 0 {
            self.smoothed = sample << 3;
            self.deviation = sample << 1;
            self.variation = self.deviation.max(least);
            self.deviation_max = self.variation;
            self.round_ends = next;
            return;
        }
        let error = sample - (self.smoothed >> 3);
        self.smoothed += error;
        let mut excess = error.abs() - (self.deviation >> 2);
        // A round trip that became shorter is no reason to wait longer: an eighth of the gain.
        if error < 0 && excess > 0 {
            excess >>= 3;
        }
        self.deviation += excess;
        if self.deviation > self.deviation_max {
            self.deviation_max = self.deviation;
            self.variation = self.variation.max(self.deviation_max);
        }
        if acknowledged > self.round_ends {
            if self.deviation_max < self.variation {
                self.variation -= (self.variation - self.deviation_max) >> 2;
            }
            self.round_ends = next;
            self.deviation_max = least;
        }
    }

    /// A round trip in which nothing was held back took `sample`.
    pub(super) fn at_least(&mut self, sample: Duration) {
        self.shortest = Some(self.shortest.map_or(sample, |shortest| shortest.min(sample)));
    }

    /// The smoothed round trip, once one was measured.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        (self.smoothed > 0).then(|| Duration::from_nanos((self.smoothed >> 3) as u64))
    }

    /// The shortest one.
    pub(super) fn shortest(&self) -> Option<Duration> {
        self.shortest
    }

    /// How long to wait for an acknowledgement before anything was waited for in vain.
    pub(super) fn timeout(&self) -> Duration {
        match self.smoothed() {
            None => TIMEOUT_INITIAL,
            Some(smoothed) => (smoothed + Duration::from_nanos(self.variation as u64)).min(TIMEOUT_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_steady_round_trip_is_waited_for_200_ms_longer() {
        let mut trips = RoundTrip::default();
        assert_eq!(trips.timeout(), TIMEOUT_INITIAL);
        for at in 0..40 {
            trips.measured(20 * MILLISECOND, at * 10, at * 10 + 10);
        }
        assert_eq!(trips.smoothed(), Some(20 * MILLISECOND));
        assert_eq!(trips.timeout(), 220 * MILLISECOND);
    }

    #[test]
    fn what_varies_much_is_waited_for_longer() {
        let mut trips = RoundTrip::default();
        for at in 0..40 {
            let sample = if at % 2 == 0 { 100 } else { 500 };
            trips.measured(sample * MILLISECOND, at * 10, at * 10 + 10);
        }
        let timeout = trips.timeout();
        assert!(timeout > 900 * MILLISECOND && timeout < 1_400 * MILLISECOND, "{timeout:?}");
    }
}
