//! Bisection along a key: which value to try next, and when it is found. Rests on what holds at a value
//! holding at every lower one. Owns no run: the caller tries and says how it went.

use crate::scenario::grid::{Steps, Value};

/// What is known of the steps: below it holds, above it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bracket {
    count: u32,
    /// The highest step at which it held.
    holds: Option<u32>,
    /// The lowest step at which it did not.
    fails: Option<u32>,
}

/// A value that was tried.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Try {
    /// The value, as people read it.
    pub value: String,
    /// In the quantity's own unit.
    pub number: f64,
    /// Whether all that is expected held.
    pub holds: bool,
    /// What did not, and what was seen; empty when all held.
    pub unmet: String,
}

impl Bracket {
    /// Nothing is known yet.
    pub fn new(steps: &Steps) -> Self {
        Self { count: steps.count(), holds: None, fails: None }
    }

    /// The step to try next: the ends first, then the middle of what is left; `None` when it is found.
    pub fn next(&self) -> Option<u32> {
        match (self.holds, self.fails) {
            (None, None) => Some(0),
            (Some(0), None) => Some(self.count - 1),
            (None, Some(_)) | (Some(_), None) => None,
            (Some(low), Some(high)) => (high - low > 1).then_some(low + (high - low) / 2),
        }
    }

    /// What a try at `step` said.
    pub fn tried(&mut self, step: u32, holds: bool) {
        *(if holds { &mut self.holds } else { &mut self.fails }) = Some(step);
    }

    /// The highest value at which it held; `None` when it did not even at the lowest.
    pub fn highest(&self, steps: &Steps) -> Option<Value> {
        self.holds.map(|step| steps.value(step))
    }

    /// Whether it held at the highest of all, so that the limit lies beyond.
    pub fn open_ended(&self) -> bool {
        self.holds == Some(self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The highest step that holds is found, in no more tries than halving needs.
        #[test]
        fn it_finds_the_last_that_holds(count in 2_u32..5_000, limit in -1_i64..5_001) {
            let limit = limit.min(i64::from(count) - 1);
            let mut bracket = Bracket { count, holds: None, fails: None };
            let mut tries = 0;
            while let Some(step) = bracket.next() {
                bracket.tried(step, i64::from(step) <= limit);
                tries += 1;
                prop_assert!(tries <= 16);
            }
            prop_assert_eq!(bracket.holds.map(i64::from), (limit >= 0).then_some(limit));
            prop_assert_eq!(bracket.open_ended(), limit == i64::from(count) - 1);
        }
    }
}
