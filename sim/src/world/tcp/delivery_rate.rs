//! How fast a connection delivers: with each acknowledgement a sample, of what was delivered between the sending of a
//! segment and the news that it has arrived (draft-ietf-ccwg-bbr, 4.1; Linux 6.18's `tcp_rate.c`). The slower of
//! sending and arriving counts. Owns no segment and no clock: each segment carries what was known when it was sent.

use std::time::Duration;

use hoplab_proxy::host::Instant;

/// What had been delivered when a segment was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp {
    /// Segments, and when the last of them was heard of.
    delivered: u64,
    delivered_at: Instant,
    /// When the segment was sent that was the latest to be heard of.
    sent_before: Instant,
    /// Whether there was too little to send.
    is_app_limited: bool,
}

/// A sample of the rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Segments that were delivered within the interval; `None` when it tells nothing.
    pub(super) delivered: Option<(u64, Duration)>,
    /// What had been delivered at its beginning.
    pub(super) delivered_before: u64,
    /// Whether there was too little to send.
    pub(super) is_app_limited: bool,
}

/// What a connection has delivered.
#[derive(Debug, Default)]
pub(super) struct DeliveryRate {
    delivered: u64,
    delivered_at: Instant,
    sent_before: Instant,
    /// Samples of what is sent before so many are delivered are not of the path.
    app_limited_until: Option<u64>,
    /// The latest segment of those that the present acknowledgement told of: its stamp, when it was sent, its end.
    latest: Option<(Stamp, Instant, u64)>,
}

impl DeliveryRate {
    /// Segments that have arrived, in all.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether what was sent of late was all there was.
    pub(super) fn is_app_limited(&self) -> bool {
        self.app_limited_until.is_some()
    }

    /// There is nothing to send, and so many segments are on their way.
    pub(super) fn app_limited(&mut self, in_flight: u32) {
        self.app_limited_until = Some((self.delivered + u64::from(in_flight)).max(1));
    }

    /// A segment is sent, perhaps again; `is_alone` when nothing was on its way.
    pub(super) fn sent(&mut self, now: Instant, is_alone: bool) -> Stamp {
        if is_alone {
            (self.sent_before, self.delivered_at) = (now, now);
        }
        Stamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            sent_before: self.sent_before,
            is_app_limited: self.is_app_limited(),
        }
    }

    /// A segment has arrived that was sent `at`, with `stamp`, and ends at `end`.
    pub(super) fn arrived(&mut self, stamp: Stamp, at: Instant, end: u64) {
        self.delivered += 1;
        if self.latest.is_none_or(|(_, latest, latest_end)| (at, end) > (latest, latest_end)) {
            self.latest = Some((stamp, at, end));
            self.sent_before = at;
        }
    }

    /// The sample of the acknowledgement that told of what arrived; `None` when it told of nothing.
    pub(super) fn sample(&mut self, now: Instant, shortest: Option<Duration>) -> Option<Sample> {
        self.app_limited_until.take_if(|until| self.delivered > *until);
        let (stamp, at, _) = self.latest.take()?;
        self.delivered_at = now;
        let sending = at.saturating_since(stamp.sent_before);
        let arriving = now.saturating_since(stamp.delivered_at);
        let interval = sending.max(arriving);
        // Shorter than any round trip: a segment that was sent again, and an earlier copy arrived.
        let is_sound = !interval.is_zero() && shortest.is_none_or(|shortest| interval >= shortest);
        Some(Sample {
            delivered: is_sound.then(|| (self.delivered - stamp.delivered, interval)),
            delivered_before: stamp.delivered,
            is_app_limited: stamp.is_app_limited,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// Ten segments at once over 20 ms, then one a millisecond: what arrives together was not sent so fast.
    #[test]
    fn the_slower_of_sending_and_arriving_counts() {
        let mut rate = DeliveryRate::default();
        let first: Vec<Stamp> = (0..10).map(|sent| rate.sent(at(0), sent == 0)).collect();
        for (end, stamp) in (1..).zip(first) {
            rate.arrived(stamp, at(0), end);
        }
        let sample = rate.sample(at(20), None).unwrap();
        assert_eq!(sample.delivered, Some((10, Duration::from_millis(20))));
        let second: Vec<Stamp> = (0..10).map(|sent| rate.sent(at(20 + sent), sent == 0)).collect();
        for (end, stamp) in (11..).zip(second) {
            rate.arrived(stamp, at(end + 9), end);
        }
        let sample = rate.sample(at(40), Some(Duration::from_millis(20))).unwrap();
        assert_eq!(sample.delivered, Some((10, Duration::from_millis(20))));
        assert!(rate.sample(at(41), None).is_none(), "nothing has arrived");
    }

    #[test]
    fn too_little_to_send_is_said_of_what_is_sent_before_it_is_over() {
        let mut rate = DeliveryRate::default();
        rate.app_limited(0);
        let stamp = rate.sent(at(0), true);
        assert!(stamp.is_app_limited);
        rate.arrived(stamp, at(0), 1);
        assert!(rate.sample(at(20), None).unwrap().is_app_limited && rate.is_app_limited());
        let stamp = rate.sent(at(20), true);
        rate.arrived(stamp, at(20), 2);
        rate.sample(at(40), None);
        assert!(!rate.is_app_limited());
    }
}
