//! Who the members are, in their order, and what each is to get in relation to the others: its weight, less what slow
//! start holds back from one that has just come, or come back. Linear, as Envoy's slow start with an aggression of 1, and
//! never below a tenth.
//!
//! A member is known by its slot, which stays while others come and go; slots that nobody has are never looked at.

use std::time::Duration;

use crate::host::Instant;

/// A whole weight of one, in the thousandths that [`Weights::of`] tells.
const WHOLE: u64 = 1_000;
/// Envoy's `min_weight_percent`, in thousandths.
const LEAST: u64 = 100;

/// The weights of an upstream's endpoints.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The slots of the members, in their order.
    order: Vec<usize>,
    /// Where in the order each stands; by slot.
    places: Vec<usize>,
    /// By slot.
    configured: Vec<u32>,
    equal: bool,
    slow_start: Option<Duration>,
    /// When each came back, while that counts; by slot.
    since: Vec<Option<Instant>>,
    /// When the last of those that came back is warm.
    warm_at: Instant,
}

impl Weights {
    /// Weights of at least one each, and how long an endpoint warms up that comes back. What is there at the start
    /// is warm.
    pub fn new(weights: Vec<u32>, slow_start: Option<Duration>) -> Self {
        let order: Vec<_> = (0..weights.len()).collect();
        let equal = weights.windows(2).all(|pair| pair[0] == pair[1]);
        let since = vec![None; weights.len()];
        let places = order.clone();
        Self { order, places, configured: weights, equal, slow_start, since, warm_at: Instant::START }
    }

    /// Replaces the members by those in these slots, with these weights, in this order. Who was there before warms up as
    /// it did; who has `joined` is warm, unless [`Weights::warm`] says otherwise.
    pub fn set(&mut self, members: impl Iterator<Item = (usize, u32)>, joined: &[usize]) {
        self.order.clear();
        for (slot, weight) in members {
            if slot >= self.configured.len() {
                self.configured.resize(slot + 1, 1);
                self.since.resize(slot + 1, None);
                self.places.resize(slot + 1, 0);
            }
            self.places[slot] = self.order.len();
            self.order.push(slot);
            self.configured[slot] = weight;
        }
        for slot in joined {
            self.since[*slot] = None;
        }
        self.equal = self.order.windows(2).all(|pair| self.configured[pair[0]] == self.configured[pair[1]]);
    }

    /// How many endpoints there are.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// The slots of the endpoints, in their order.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Where in the order the endpoint in `slot` stands.
    pub fn place(&self, slot: usize) -> usize {
        self.places[slot]
    }

    /// The sum of what was configured.
    pub fn total(&self) -> u64 {
        self.order.iter().map(|&slot| u64::from(self.configured[slot])).sum()
    }

    /// `endpoint` has come back.
    pub fn warm(&mut self, now: Instant, endpoint: usize) {
        let Some(slow_start) = self.slow_start else { return };
        self.since[endpoint] = Some(now);
        self.warm_at = now + slow_start;
    }

    /// Whether all endpoints have the same weight at this instant.
    pub fn are_equal(&self, now: Instant) -> bool {
        self.equal && now >= self.warm_at
    }

    /// The weight of `endpoint` at this instant, in thousandths; above zero.
    pub fn of(&self, now: Instant, endpoint: usize) -> u64 {
        let weight = u64::from(self.configured[endpoint]);
        match (self.since[endpoint], self.slow_start) {
            (Some(since), Some(slow_start)) if now < self.warm_at && now < since + slow_start => {
                let warmed =
                    now.saturating_since(since).as_nanos() * u128::from(WHOLE) / slow_start.as_nanos();
                weight * u64::try_from(warmed).unwrap_or(WHOLE).clamp(LEAST, WHOLE)
            }
            _ => weight * WHOLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn what_comes_back_warms_up_in_a_line_from_a_tenth() {
        let mut weights = Weights::new(vec![2, 2], Some(Duration::from_secs(10)));
        assert!(weights.are_equal(at(0)) && weights.of(at(0), 0) == 2_000);
        weights.warm(at(100), 1);
        let warming = [100, 101, 105, 109, 110, 111].map(|second| weights.of(at(second), 1));
        assert_eq!(warming, [200, 200, 1_000, 1_800, 2_000, 2_000]);
        assert_eq!(weights.of(at(105), 0), 2_000);
        assert!(!weights.are_equal(at(109)) && weights.are_equal(at(110)));
    }

    #[test]
    fn without_slow_start_nothing_warms_up() {
        let mut weights = Weights::new(vec![1, 3], None);
        weights.warm(at(1), 0);
        assert_eq!((weights.of(at(1), 0), weights.of(at(1), 1)), (1_000, 3_000));
        assert!(!weights.are_equal(at(1)));
        assert_eq!(weights.total(), 4);
    }

    #[test]
    fn who_stays_warms_up_as_it_did_and_who_leaves_is_forgotten() {
        let mut weights = Weights::new(vec![1, 2], Some(Duration::from_secs(10)));
        assert!(!weights.are_equal(at(0)));
        weights.warm(at(100), 1);
        weights.set([(1, 4), (2, 4)].into_iter(), &[2]);
        assert_eq!((weights.order(), weights.total(), weights.of(at(105), 1)), (&[1, 2][..], 8, 2_000));
        assert_eq!(weights.of(at(105), 2), 4_000, "it is warm unless somebody says otherwise");
        weights.set([(1, 4), (2, 4), (0, 4)].into_iter(), &[0, 1]);
        assert_eq!(weights.of(at(105), 1), 4_000, "the slot is somebody else's");
        assert!(weights.are_equal(at(110)) && weights.order() == [1, 2, 0]);
    }
}
