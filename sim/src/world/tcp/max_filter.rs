//! The largest of the values of the last while, in three samples (Kathleen Nichols' windowed filter, Linux 6.18's
//! `lib/win_minmax.c`): the best, and the best since each of two later moments, which take its place when it is too
//! old. What counts as time is the caller's.

/// The largest of late.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MaxFilter {
    best: [Sample; 3],
}

#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at: u64,
    value: u64,
}

impl MaxFilter {
    pub(super) fn get(&self) -> u64 {
        self.best[0].value
    }

    /// A value, at a time that is no earlier than those before; values older than `window` are forgotten.
    pub(super) fn add(&mut self, window: u64, at: u64, value: u64) {
        let sample = Sample { at, value };
        let best = &mut self.best;
        if value >= best[0].value || at - best[2].at > window {
            *best = [sample; 3];
            return;
        }
        if value >= best[1].value {
            (best[1], best[2]) = (sample, sample);
        } else if value >= best[2].value {
            best[2] = sample;
        }
        let age = at - best[0].at;
        if age > window {
            // The second may be as old.
            for _ in 0..2 {
                if at - best[0].at > window {
                    *best = [best[1], best[2], sample];
                }
            }
        } else if best[1].at == best[0].at && age > window / 4 {
            (best[1], best[2]) = (sample, sample);
        } else if best[2].at == best[1].at && age > window / 2 {
            best[2] = sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_is_forgotten_when_it_is_too_old() {
        let mut filter = MaxFilter::default();
        filter.add(10, 0, 100);
        (1..=10).for_each(|at| filter.add(10, at, 50 + at));
        assert_eq!(filter.get(), 100);
        filter.add(10, 11, 1);
        assert!((57..=60).contains(&filter.get()), "{}", filter.get());
    }

    proptest! {
        /// Never more than the largest of the window, never less than the latest.
        #[test]
        fn it_is_one_of_the_window(values in proptest::collection::vec((0_u64..5, 0_u64..1_000), 1..200)) {
            let (mut filter, mut at, mut all) = (MaxFilter::default(), 0, Vec::new());
            for (gap, value) in values {
                at += gap;
                all.push((at, value));
                filter.add(10, at, value);
                let within = all.iter().filter(|(then, _)| at - then <= 10).map(|(_, value)| *value);
                prop_assert!(within.clone().any(|value| value == filter.get()));
                prop_assert!(filter.get() >= value && filter.get() <= within.max().unwrap_or(0));
            }
        }
    }
}
