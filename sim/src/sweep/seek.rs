//! A search at one point under one architecture: runs what the bracket asks for, value by value, until the
//! highest is found at which all that is expected holds under every seed.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::record::Found;
use super::{Bracket, NoPlan, Point, Try, plan_at};
use crate::batch::{self, Panicked, Progress};
use crate::join;
use crate::record::{Expectation, Outcome, Record};
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
    let (mut tries, mut takes) = (Vec::new(), None);
    while let Some(step) = bracket.next() {
        let value = search.steps.value(step);
        let mut settings = point.settings(&base.sweep);
        settings.push((&search.key, &value));
        let plan = plan_at(base, &settings, Some(vec![architecture.to_owned()]))?;
        let tried = try_out(&plan, seeds)?;
        bracket.tried(step, tried.outcome);
        takes = takes.or(tried.takes);
        tries.push(Try {
            value: value.label,
            number: value.number.unwrap_or(f64::NAN),
            holds: tried.outcome == Outcome::Holds,
            outcome: tried.outcome,
            unmet: tried.unmet,
        });
    }
    let highest = bracket.highest(&search.steps);
    let number = highest.as_ref().and_then(|value| value.number);
    let fails_from = bracket.fails_from(&search.steps);
    let least = search.at_least.as_ref().and_then(|value| value.number);
    let fails_at = fails_from.as_ref().and_then(|value| value.number);
    let outcome = match least {
        Some(least) if number.is_some_and(|number| number >= least) => Outcome::Holds,
        Some(least) if !bracket.is_unsure() || fails_at.is_some_and(|fails| fails <= least) => Outcome::Fails,
        None if !bracket.is_unsure() => Outcome::Holds,
        Some(_) | None => Outcome::CannotBeJudged,
    };
    Ok(Found {
        places: point.places.clone(),
        architecture: architecture.to_owned(),
        holds: outcome == Outcome::Holds,
        outcome,
        highest: highest.map(|value| value.label),
        number,
        fails_from: fails_from.map(|value| value.label),
        takes: takes.filter(|_| bracket.is_unsure()),
        open_ended: bracket.open_ended(),
        tries,
    })
}

/// How a try went.
struct Tried {
    outcome: Outcome,
    /// The first thing that is expected and does not hold, with the seed that shows it; empty when all holds.
    unmet: String,
    /// What it would take to judge it.
    takes: Option<String>,
}

/// Runs seed by seed, until something that is expected fails under one. What no seed can judge by itself, all of them
/// judge together.
fn try_out(plan: &Plan, seeds: u64) -> Result<Tried, Panicked> {
    let mut records = Vec::new();
    for seed in plan.seed..plan.seed + seeds {
        let record =
            batch::once(NonZeroUsize::MIN, &Arc::new(Plan { seed, ..plan.clone() }), &Progress::default())?;
        if let Some(failed) = first(&record, Outcome::Fails) {
            let seed = if seeds > 1 { format!(", seed {seed}") } else { String::new() };
            let unmet = format!("{}; seen: {}{seed}", failed.text, failed.seen_text);
            return Ok(Tried { outcome: Outcome::Fails, unmet, takes: None });
        }
        records.push(record);
    }
    let record = if records.len() > 1 { join::join(records).ok() } else { records.pop() };
    let not_held = record
        .as_ref()
        .and_then(|record| first(record, Outcome::Fails).or_else(|| first(record, Outcome::CannotBeJudged)));
    Ok(match not_held {
        None => Tried { outcome: Outcome::Holds, unmet: String::new(), takes: None },
        Some(found) => Tried {
            outcome: found.outcome,
            unmet: format!("{}; seen: {}", found.text, found.said()),
            takes: found.takes.clone(),
        },
    })
}

/// The first expectation that came out like this.
fn first(record: &Record, outcome: Outcome) -> Option<&Expectation> {
    let mut expectations = record.architectures.values().flat_map(|seen| &seen.expectations);
    expectations.find(|expectation| expectation.outcome == outcome)
}
