//! Where slow start begins, and where it slows down: when the round trips of a round grow it goes on carefully, and at
//! full speed again if that was weather and not a queue (`HyStart++`, RFC 9406; Linux 6.18 has its forerunner, which
//! ends slow start for good at the first gust). Owns no window and no clock.

use std::time::Duration;

/// The window that a connection begins with (RFC 6928), in segments.
pub(super) const INITIAL: u32 = 10;
/// What round trips have to grow by: an eighth, within these bounds.
const GROWTH: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(16));
/// How many round trips of a round are looked at before anything is said.
const SAMPLES: u32 = 8;
/// How much slower the window grows while it is careful.
const CAREFUL: u32 = 4;
/// After so many careful rounds slow start is over.
const CAREFUL_ROUNDS: u32 = 5;

/// The rounds of a slow start.
#[derive(Debug, Default)]
pub(super) struct SlowStart {
    /// What acknowledges all that was sent when the round began.
    ends: u64,
    samples: u32,
    shortest: Option<Duration>,
    shortest_before: Option<Duration>,
    careful: Option<Careful>,
    /// What has arrived towards the next careful growth.
    credit: u32,
}

/// A slow start that has seen round trips grow.
#[derive(Debug)]
struct Careful {
    /// A shorter round trip than this says that it was nothing.
    since: Duration,
    rounds: u32,
}

impl SlowStart {
    /// A round trip was measured; whether slow start is over.
    pub(super) fn measured(&mut self, round_trip: Duration, acknowledged: u64, next: u64) -> bool {
        if acknowledged > self.ends {
            self.begin_round(next);
        }
        self.samples += 1;
        let shortest = self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip));
        self.shortest = Some(shortest);
        if self.samples < SAMPLES {
            return false;
        }
        match (&self.careful, self.shortest_before) {
            (Some(careful), _) if shortest < careful.since => self.careful = None,
            (None, Some(before)) if shortest >= before + (before / 8).clamp(GROWTH.0, GROWTH.1) => {
                self.careful = Some(Careful { since: shortest, rounds: 0 });
            }
            _ => {}
        }
        self.careful.as_ref().is_some_and(|careful| careful.rounds >= CAREFUL_ROUNDS)
    }

    fn begin_round(&mut self, next: u64) {
        (self.ends, self.samples, self.shortest_before) = (next, 0, self.shortest.take());
        if let Some(careful) = &mut self.careful {
            careful.rounds += 1;
        }
    }

    /// By how many segments the window grows when so many have arrived.
    pub(super) fn growth(&mut self, arrived: u32) -> u32 {
        if self.careful.is_none() {
            return arrived;
        }
        self.credit += arrived;
        let growth = self.credit / CAREFUL;
        self.credit %= CAREFUL;
        growth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of ten round trips each, in milliseconds; whether slow start is over after each.
    fn rounds(slow_start: &mut SlowStart, millis: &[u64]) -> Vec<bool> {
        let round = |(number, millis): (u64, &u64)| {
            let round_trip = Duration::from_millis(*millis);
            let samples = (1..=10).map(|at| (at + 10 * number, 10 * number + 11));
            samples.fold(false, |_, (at, next)| slow_start.measured(round_trip, at, next))
        };
        (0..).zip(millis).map(round).collect()
    }

    #[test]
    fn a_queue_that_stays_ends_it_after_five_careful_rounds() {
        let mut slow_start = SlowStart::default();
        assert!(rounds(&mut slow_start, &[20, 20, 30, 30, 30, 30, 30]).iter().all(|is_over| !is_over));
        assert_eq!(slow_start.growth(8), 2);
        let mut slow_start = SlowStart::default();
        assert_eq!(rounds(&mut slow_start, &[20, 30, 30, 30, 30, 30, 30, 30]).last(), Some(&true));
    }

    #[test]
    fn a_gust_slows_it_down_only_while_it_lasts() {
        let mut slow_start = SlowStart::default();
        rounds(&mut slow_start, &[20, 40]);
        assert_eq!(slow_start.growth(8), 2);
        rounds(&mut slow_start, &[20, 40, 20]);
        assert_eq!(slow_start.growth(8), 8);
    }
}
