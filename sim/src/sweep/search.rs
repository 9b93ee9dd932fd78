//! Bisection along a key: which value to try next, and when it is found. Rests on what holds at a value
//! holding at every lower one. A value at which what is expected cannot be judged counts as neither: it says nothing
//! of the values around it, and the search goes on above it, where more is sent. Owns no run: the caller tries and
//! says how it went.

use crate::record::Outcome;
use crate::scenario::grid::{Steps, Value};

/// What is known of the steps: below it holds, above it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bracket {
    count: u32,
    /// The highest step at which it held.
    holds: Option<u32>,
    /// The highest step at which it could not be judged, of those below the lowest that fails.
    unjudged: Option<u32>,
    /// The lowest step at which it failed.
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
    /// Whether all held, something failed, or something cannot be judged.
    #[serde(default)]
    pub outcome: Outcome,
    /// What did not hold, and what was seen; empty when all held.
    pub unmet: String,
}

impl Bracket {
    /// Nothing is known yet.
    pub fn new(steps: &Steps) -> Self {
        Self::over(steps.count())
    }

    fn over(count: u32) -> Self {
        Self { count, holds: None, unjudged: None, fails: None }
    }

    /// The step to try next: the ends first, then the middle of what is left; `None` when it is found.
    pub fn next(&self) -> Option<u32> {
        match (self.holds.max(self.unjudged), self.fails) {
            (None, None) => Some(0),
            (Some(low), None) => (low < self.count - 1).then_some(self.count - 1),
            (None, Some(_)) => None,
            (Some(low), Some(high)) => (high - low > 1).then_some(low + (high - low) / 2),
        }
    }

    /// What a try at `step` said.
    pub fn tried(&mut self, step: u32, outcome: Outcome) {
        *(match outcome {
            Outcome::Holds => &mut self.holds,
            Outcome::CannotBeJudged => &mut self.unjudged,
            Outcome::Fails => &mut self.fails,
        }) = Some(step);
    }

    /// The highest value at which it held; `None` when it is known to hold at none.
    pub fn highest(&self, steps: &Steps) -> Option<Value> {
        self.holds.map(|step| steps.value(step))
    }

    /// The lowest value at which it failed; `None` when it is known to fail at none.
    pub fn fails_from(&self, steps: &Steps) -> Option<Value> {
        self.fails.map(|step| steps.value(step))
    }

    /// Whether a value above the highest at which it held cannot be judged, so that the limit may lie there.
    pub fn is_unsure(&self) -> bool {
        self.unjudged > self.holds
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
        /// The highest step that holds is found, in no more tries than halving needs. Steps that are too low to be
        /// judged do not hide it.
        #[test]
        fn it_finds_the_last_that_holds(count in 2_u32..5_000, limit in -1_i64..5_001, judged_from in 0_i64..5_001) {
            let limit = limit.min(i64::from(count) - 1);
            let mut bracket = Bracket::over(count);
            let mut tries = 0;
            while let Some(step) = bracket.next() {
                let step_at = i64::from(step);
                bracket.tried(step, match step_at {
                    _ if step_at > limit => Outcome::Fails,
                    _ if step_at < judged_from => Outcome::CannotBeJudged,
                    _ => Outcome::Holds,
                });
                tries += 1;
                prop_assert!(tries <= 16);
            }
            if limit >= judged_from {
                prop_assert_eq!(bracket.holds.map(i64::from), Some(limit));
                prop_assert!(!bracket.is_unsure());
            } else {
                prop_assert_eq!(bracket.holds, None);
                prop_assert_eq!(bracket.is_unsure(), limit >= 0);
            }
            let fails_from = (limit + 1 < i64::from(count)).then_some(limit + 1);
            prop_assert_eq!(bracket.fails.map(i64::from), fails_from);
            prop_assert_eq!(bracket.open_ended(), limit >= judged_from && limit == i64::from(count) - 1);
        }
    }
}
