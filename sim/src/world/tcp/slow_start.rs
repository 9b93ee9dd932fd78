//! Where slow start begins, and where it ends before anything is lost: when the round trips of a round are longer than
//! the shortest ever, or the acknowledgements of a round follow each other for longer than it (`HyStart`, Ha and Rhee,
//! *Taming the elephants: New TCP slow start*, Computer Networks 55, 2011, as Linux 6.18 has it: `tcp_cubic.c`). Owns
//! no window and no clock.

use std::time::Duration;

use hoplab_proxy::host::Instant;

/// The window that a connection begins with (RFC 6928), in segments.
pub(super) const INITIAL: u32 = 10;
/// What round trips have to grow by: an eighth, within these bounds.
const GROWTH: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(16));
/// How many round trips of a round are looked at before anything is said.
const SAMPLES: u32 = 8;
/// A smaller window ends no slow start.
const WINDOW_MIN: u32 = 16;
/// Acknowledgements that are not farther apart belong to a train.
const APART: Duration = Duration::from_millis(2);
/// How much longer than the shortest round trip a train has to be: what segmentation offload may add to it.
const TRAIN: Duration = Duration::from_millis(1);

/// The rounds of a slow start.
#[derive(Debug, Default)]
pub(super) struct SlowStart {
    /// What acknowledges all that was sent when the round began.
    ends: u64,
    began: Instant,
    /// The last acknowledgement of the train.
    train: Instant,
    samples: u32,
    shortest: Option<Duration>,
    is_over: bool,
}

impl SlowStart {
    /// A round trip was measured, where `least` is the shortest ever; whether the window has become large enough. That
    /// is said once. `sequences` are the first that was not acknowledged and the first that was not sent.
    pub(super) fn measured(
        &mut self,
        now: Instant,
        round_trip: Duration,
        least: Duration,
        window: u32,
        (acknowledged, next): (u64, u64),
    ) -> bool {
        if self.is_over {
            return false;
        }
        if acknowledged > self.ends {
            *self = Self { ends: next, began: now, train: now, ..Self::default() };
        }
        if window < WINDOW_MIN {
            return false;
        }
        self.is_over = self.is_long_train(now, least) || self.has_grown(round_trip, least);
        self.is_over
    }

    fn is_long_train(&mut self, now: Instant, least: Duration) -> bool {
        if now.saturating_since(self.train) > APART {
            return false;
        }
        self.train = now;
        // Who does not pace compares with half of it: pacing spreads what is sent over up to half a round trip.
        now.saturating_since(self.began) > least + TRAIN
    }

    fn has_grown(&mut self, round_trip: Duration, least: Duration) -> bool {
        let shortest = self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip));
        self.shortest = Some(shortest);
        if self.samples < SAMPLES {
            self.samples += 1;
            return false;
        }
        shortest > least + (least / 8).clamp(GROWTH.0, GROWTH.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of ten round trips each, in milliseconds, in which everything is acknowledged at one instant; after how
    /// many slow start is over.
    fn over_after(window: u32, millis: &[u64]) -> Option<u64> {
        let (mut slow_start, mut now, mut least) = (SlowStart::default(), Instant::START, Duration::MAX);
        (0..).zip(millis).find_map(|(number, millis)| {
            let round_trip = Duration::from_millis(*millis);
            now = now + round_trip;
            least = least.min(round_trip);
            let mut heard = (1..=10).map(|at| (at + 10 * number, 10 * number + 11));
            let is_over = heard.any(|heard| slow_start.measured(now, round_trip, least, window, heard));
            is_over.then_some(number + 1)
        })
    }

    #[test]
    fn longer_round_trips_than_the_shortest_end_it_however_slowly_they_grow() {
        assert_eq!(over_after(16, &[20, 22, 24, 25, 26]), Some(4));
        assert_eq!(over_after(16, &[20, 24, 24, 24]), None, "not by more than 4 ms");
        assert_eq!(over_after(15, &[20, 40, 60]), None, "the window is small");
    }

    #[test]
    fn a_train_of_acknowledgements_that_is_longer_than_a_round_trip_ends_it() {
        let (mut slow_start, least) = (SlowStart::default(), Duration::from_millis(20));
        let heard_at = |micros| Instant::START + Duration::from_micros(micros);
        let mut hear = |at| slow_start.measured(heard_at(at), least, least, 100, (1, 1_000_000));
        assert!((0..=21).all(|millis| !hear(millis * 1_000)));
        assert!(hear(21_500), "and said once");
        assert!(!hear(22_000));
    }
}
