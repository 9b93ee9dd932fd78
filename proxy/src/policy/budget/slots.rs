//! A sum over the last while, kept in a fixed number of slots: what is older than the window is forgotten a slot
//! at a time. Owns no clock.

use std::time::Duration;

use crate::host::Instant;

/// What was added within the last window: all of its last full length, and at most one slot more.
#[derive(Debug, Clone)]
pub(super) struct Slots<const COUNT: usize> {
    sums: [i64; COUNT],
    total: i64,
    slot_nanos: u64,
    /// The number of the youngest slot, counted from the start of time.
    youngest: u64,
}

impl<const COUNT: usize> Slots<COUNT> {
    /// Nothing was added yet.
    pub(super) fn new(window: Duration) -> Self {
        let slots = COUNT as u64 - 1;
        let slot_nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX).div_ceil(slots).max(1);
        Self { sums: [0; COUNT], total: 0, slot_nanos, youngest: 0 }
    }

    /// Adds to what happened `now`.
    pub(super) fn add(&mut self, now: Instant, amount: i64) {
        self.forget(now);
        self.sums[(self.youngest % COUNT as u64) as usize] += amount;
        self.total += amount;
    }

    /// The sum of the window that ends `now`.
    pub(super) fn total(&mut self, now: Instant) -> i64 {
        self.forget(now);
        self.total
    }

    fn forget(&mut self, now: Instant) {
        let youngest = now.nanos() / self.slot_nanos;
        let passed = youngest.saturating_sub(self.youngest).min(COUNT as u64);
        for step in 1..=passed {
            let place = ((self.youngest + step) % COUNT as u64) as usize;
            self.total -= std::mem::take(&mut self.sums[place]);
        }
        self.youngest = self.youngest.max(youngest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The window of 1 s in ten slots holds the last second, and at most 100 ms more.
        #[test]
        fn it_holds_the_last_window_and_at_most_a_slot_more(
            steps in prop::collection::vec((0_u64..700, 1_i64..10), 1..100),
        ) {
            let mut slots = Slots::<11>::new(Duration::from_secs(1));
            let mut added = Vec::new();
            let mut now_ms = 0;
            for (pause_ms, amount) in steps {
                now_ms += pause_ms;
                let now = Instant::from_nanos(now_ms * 1_000_000);
                slots.add(now, amount);
                added.push((now_ms, amount));
                let within = |window_ms: u64| -> i64 {
                    added.iter().filter(|(at, _)| at + window_ms > now_ms).map(|(_, amount)| amount).sum()
                };
                let total = slots.total(now);
                prop_assert!(within(1_000) <= total && total <= within(1_100));
            }
        }
    }
}
