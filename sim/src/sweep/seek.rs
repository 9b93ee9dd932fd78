//! A search at one point under one architecture: runs what the bracket asks for, value by value, until the
//! highest is found at which all that is expected holds under every seed.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::record::Found;
use super::{Bracket, NoPlan, Point, Try, plan_at};
use crate::batch::{self, Panicked, Progress};
use crate::scenario::grid::Search;
use crate::scenario::plan::Plan;

/// Why a search has no result.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// There is no scenario at one of its values.
    #[error(transparent)]
    NoPlan(#[from] NoPlan),
    /// A simulation panicked.
    #[error("{0}")]
    Panicked(#[from] Panicked),
}

/// Searches along the key of `search` at `point` of `base` under `architecture`, with so many `seeds` a try.
pub fn seek(
    base: &Plan,
    search: &Search,
    point: &Point,
    architecture: &str,
    seeds: u64,
) -> Result<Found, Lost> {
    let mut bracket = Bracket::new(&search.steps);
    let mut tries = Vec::new();
    while let Some(step) = bracket.next() {
        let value = search.steps.value(step);
        let mut settings = point.settings(&base.sweep);
        settings.push((&search.key, &value));
        let plan = plan_at(base, &settings, Some(vec![architecture.to_owned()]))?;
        let unmet = unmet(&plan, seeds)?;
        let holds = unmet.is_none();
        bracket.tried(step, holds);
        let number = value.number.unwrap_or(f64::NAN);
        tries.push(Try { value: value.label, number, holds, unmet: unmet.unwrap_or_default() });
    }
    let highest = bracket.highest(&search.steps);
    let number = highest.as_ref().and_then(|value| value.number);
    let least = search.at_least.as_ref().and_then(|value| value.number);
    Ok(Found {
        places: point.places.clone(),
        architecture: architecture.to_owned(),
        holds: least.is_none_or(|least| number.is_some_and(|number| number >= least)),
        highest: highest.map(|value| value.label),
        number,
        open_ended: bracket.open_ended(),
        tries,
    })
}

/// The first thing that is expected and does not hold, under the first seed that shows it; `None` when all holds.
fn unmet(plan: &Plan, seeds: u64) -> Result<Option<String>, Panicked> {
    for seed in plan.seed..plan.seed + seeds {
        let record =
            batch::once(NonZeroUsize::MIN, &Arc::new(Plan { seed, ..plan.clone() }), &Progress::default())?;
        let expectations = record.architectures.values().flat_map(|seen| &seen.expectations);
        let first = expectations.into_iter().find(|expectation| !expectation.holds);
        if let Some(expectation) = first {
            let seed = if seeds > 1 { format!(", seed {seed}") } else { String::new() };
            return Ok(Some(format!("{}; seen: {}{seed}", expectation.text, expectation.seen_text)));
        }
    }
    Ok(None)
}
