//! What was observed in a part of a run, by slices of its time: what the intervals of a single run rest on.
//! Memory is bounded by the number of slices and of values that can be told apart, whatever the length of
//! the part. Owns no statistics ([`crate::statistics`]) and no figures that are reported.

use std::collections::BTreeMap;
use std::time::Duration;

use hoplab_proxy::host::Instant;

use crate::statistics::Cluster;

/// In how many slices a part is cut: enough that their dependence can be tested at several widths.
const SLICES: u32 = 128;

/// The slices of a part of a run, in order.
pub(crate) struct Slices {
    from: Instant,
    width: Duration,
    all: Vec<Slice>,
}

#[derive(Clone, Default)]
struct Slice {
    sum: i64,
    /// Requests that were not answered well, those that are still open among them.
    errors: u64,
    sent: u64,
    /// How often which value was seen, to within 1 %.
    values: BTreeMap<i64, u64>,
}

impl Slices {
    /// The slices of the part from `from` until `until`.
    pub(crate) fn new(from: Instant, until: Instant) -> Self {
        let width = (until.saturating_since(from) / SLICES).max(Duration::from_nanos(1));
        Self { from, width, all: vec![Slice::default(); SLICES as usize] }
    }

    /// A request was to be sent `at` then; it counts as an error until it is answered.
    pub(crate) fn sent(&mut self, at: Instant) {
        let slice = self.at(at);
        slice.sent += 1;
        slice.errors += 1;
    }

    /// A request that was sent, and was to be so `at` then, was answered without an error.
    pub(crate) fn answered(&mut self, at: Instant) {
        self.at(at).errors -= 1;
    }

    /// A value of a request that was to be sent `at` then: a latency, or a difference of two.
    pub(crate) fn observe(&mut self, at: Instant, value: i64) {
        let slice = self.at(at);
        slice.sum += value;
        *slice.values.entry(rounded(value)).or_default() += 1;
    }

    pub(crate) fn into_clusters(self) -> Vec<Cluster> {
        let cluster =
            |slice: Slice| Cluster::new(slice.values.into_iter(), slice.sum as f64, slice.errors, slice.sent);
        self.all.into_iter().map(cluster).collect()
    }

    fn at(&mut self, at: Instant) -> &mut Slice {
        let number = at.saturating_since(self.from).as_nanos() / self.width.as_nanos();
        // What is left over when the part is divided belongs to the last slice.
        let last = self.all.len() - 1;
        &mut self.all[(number as usize).min(last)]
    }
}

/// The highest of the values that are not told apart from `value`: exact below 256, else to eight binary figures.
fn rounded(value: i64) -> i64 {
    const FIGURES: u32 = 8;
    let dropped = (u64::BITS - value.unsigned_abs().leading_zeros()).saturating_sub(FIGURES);
    ((value >> dropped) << dropped) + ((1 << dropped) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Rounding keeps the order and is off by less than 1 %, whatever the sign.
        #[test]
        fn rounding_is_fine_and_keeps_the_order(a in -(1_i64 << 50)..1 << 50, b in -(1_i64 << 50)..1 << 50) {
            prop_assert!(rounded(a) >= a && rounded(a) - a <= a.abs() / 100);
            prop_assert!((a <= b) == (rounded(a) <= rounded(b)) || rounded(a) == rounded(b));
        }
    }

    #[test]
    fn every_moment_of_a_part_has_its_slice() {
        let at = |millis: u64| Instant::START + Duration::from_millis(millis);
        let mut slices = Slices::new(at(1_000), at(2_000));
        for millis in 1_000..2_000 {
            slices.observe(at(millis), 7);
            slices.sent(at(millis));
            slices.answered(at(millis));
        }
        let clusters = slices.into_clusters();
        let counts: Vec<_> = clusters.iter().map(Cluster::count).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (SLICES as usize, 1_000));
        assert!(counts.iter().all(|count| (7..=8).contains(count)), "{counts:?}");
    }
}
