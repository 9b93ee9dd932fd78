//! Bisection along a key: which value to try next, and when there is none left to try. Rests on what holds at a value
//! holding at every lower one. A value at which what is expected cannot be judged is neither above nor below the limit:
//! it says nothing of the values around it, so the search goes on above it, where more is sent, and then below it.
//! Owns no run and no answer: the caller tries and says how it went, `limit` says what all of it comes to.

use std::collections::BTreeSet;

use crate::record::{Expectation, Outcome};
use crate::scenario::grid::Steps;

/// What is known of the steps: below it holds, above it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bracket {
    count: u32,
    /// The highest step at which it held.
    holds: Option<u32>,
    /// The steps at which it could not be judged.
    unjudged: BTreeSet<u32>,
    /// The lowest step at which it failed.
    fails: Option<u32>,
}

/// A value that was run.
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
    /// What it would take to judge it, where it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
}

impl Try {
    /// What is expected of `value` and how it came out: what fails decides, then what cannot be judged.
    pub(super) fn of<'a>(
        value: &str,
        number: Option<f64>,
        expectations: impl Iterator<Item = &'a Expectation> + Clone,
    ) -> Self {
        let outcome = Outcome::of_all(expectations.clone().map(|expectation| expectation.outcome));
        let mut deciding = expectations.filter(|expectation| expectation.outcome == outcome);
        let deciding = deciding.next().filter(|_| outcome != Outcome::Holds);
        // What was seen is of the worst of them, which is not always the first.
        let seeds = |of: &Expectation| match of.failed_in[..] {
            [] => String::new(),
            [seed] => format!(", seed {seed}"),
            [..] => format!(", the worst of {} seeds that fail", of.failed_in.len()),
        };
        let unmet = |of: &Expectation| format!("{}; seen: {}{}", of.text, of.said(), seeds(of));
        Self {
            value: value.to_owned(),
            number: number.unwrap_or(f64::NAN),
            holds: outcome == Outcome::Holds,
            outcome,
            unmet: deciding.map(unmet).unwrap_or_default(),
            takes: deciding.and_then(|of| of.takes.clone()),
        }
    }
}

impl Bracket {
    /// Nothing is known yet.
    pub fn new(steps: &Steps) -> Self {
        Self::over(steps.count())
    }

    fn over(count: u32) -> Self {
        Self { count, holds: None, unjudged: BTreeSet::new(), fails: None }
    }

    /// The step to try next: the ends first, then the middle of what is left, above what cannot be judged and then
    /// below it; `None` when nothing is left.
    pub fn next(&self) -> Option<u32> {
        let middle = |low: u32, high: u32| (high - low > 1).then_some(low + (high - low) / 2);
        let unjudged = || self.unsure().copied();
        let low = match (self.holds.max(unjudged().max()), self.fails) {
            (None, None) => return Some(0),
            (None, Some(_)) => return None,
            (Some(low), _) => low,
        };
        let above = match self.fails {
            None => (low < self.count - 1).then_some(self.count - 1),
            Some(high) => middle(low, high),
        };
        above.or_else(|| middle(self.holds?, unjudged().min()?))
    }

    /// What a try at `step` said.
    pub fn tried(&mut self, step: u32, outcome: Outcome) {
        match outcome {
            Outcome::Holds => self.holds = Some(step),
            Outcome::Fails => self.fails = Some(step),
            Outcome::CannotBeJudged => drop(self.unjudged.insert(step)),
        }
    }

    /// The steps at which it could not be judged, of those between the highest that holds and the lowest that fails.
    fn unsure(&self) -> impl Iterator<Item = &u32> {
        let is_between = |step: &&u32| {
            self.holds.is_none_or(|holds| **step > holds) && self.fails.is_none_or(|fails| **step < fails)
        };
        self.unjudged.iter().filter(is_between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tries until nothing is left, with what each step says.
    fn search(count: u32, says: impl Fn(i64) -> Outcome) -> (Bracket, u32) {
        let (mut bracket, mut tries) = (Bracket::over(count), 0);
        while let Some(step) = bracket.next() {
            bracket.tried(step, says(i64::from(step)));
            tries += 1;
            assert!(tries < 64, "it does not end: {bracket:?}");
        }
        (bracket, tries)
    }

    proptest! {
        /// The highest step that holds is found, in no more tries than halving needs. Steps that are too low to be
        /// judged do not hide it.
        #[test]
        fn it_finds_the_last_that_holds(count in 2_u32..5_000, limit in -1_i64..5_001, judged_from in 0_i64..5_001) {
            let limit = limit.min(i64::from(count) - 1);
            let (bracket, tries) = search(count, |step| match step {
                _ if step > limit => Outcome::Fails,
                _ if step < judged_from => Outcome::CannotBeJudged,
                _ => Outcome::Holds,
            });
            prop_assert!(tries <= 16);
            if limit >= judged_from {
                prop_assert_eq!(bracket.holds.map(i64::from), Some(limit));
                prop_assert_eq!(bracket.unsure().count(), 0);
            } else {
                prop_assert_eq!(bracket.holds, None);
                prop_assert_eq!(bracket.unsure().next().is_some(), limit >= 0);
            }
            let fails_from = (limit + 1 < i64::from(count)).then_some(limit + 1);
            prop_assert_eq!(bracket.fails.map(i64::from), fails_from);
        }

        /// What cannot be judged between what holds and what fails is neither: the highest that holds below it is
        /// found, and the lowest that fails above it.
        #[test]
        fn what_cannot_be_judged_is_neither_above_nor_below(
            count in 3_u32..5_000, holds_to in 0_i64..5_000, unsure in 0_i64..2_000
        ) {
            let holds_to = holds_to.min(i64::from(count) - 1);
            let (bracket, tries) = search(count, |step| match step {
                _ if step <= holds_to => Outcome::Holds,
                _ if step <= holds_to + unsure => Outcome::CannotBeJudged,
                _ => Outcome::Fails,
            });
            prop_assert!(tries <= 30);
            prop_assert_eq!(bracket.holds.map(i64::from), Some(holds_to));
            let fails_from = holds_to + unsure + 1;
            prop_assert_eq!(bracket.fails.map(i64::from), (fails_from < i64::from(count)).then_some(fails_from));
        }
    }
}
