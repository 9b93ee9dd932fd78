//! A search at one point under one architecture: runs what the bracket asks for, value by value, until nothing is left
//! to try, and once more where the grid knows better. A value holds when all that is expected does under every seed.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::record::{Found, Seen};
use super::{Bracket, NoPlan, Point, Try, limit, plan_at};
use crate::batch::{self, Panicked, Progress};
use crate::join;
use crate::record::{Expectation, Outcome};
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
        let tried = at(base, (search, step), point, architecture, seeds)?;
        bracket.tried(step, tried.outcome);
        tries.push(tried);
    }
    Ok(Found::of(search, point.places.clone(), architecture.to_owned(), tries, Vec::new()))
}

/// Goes on with a search where the points of the grid that were `seen` contradict what it `found`, until the limit lies
/// between two neighbouring values; `None` where nothing is left to try.
pub fn narrow(base: &Plan, seen: &[Seen], found: &Found, seeds: u64) -> Result<Option<Found>, Lost> {
    let Some(search) = &base.search else { return Ok(None) };
    let point = Point { number: 0, places: found.places.clone() };
    let mut known = found.clone().beside(search, &base.sweep, seen);
    while let Some(step) = limit::between(&search.steps, &known) {
        let tried = at(base, (search, step), &point, &found.architecture, seeds)?;
        let is_judged = tried.outcome != Outcome::CannotBeJudged;
        known.tries.push(tried);
        known = known.beside(search, &base.sweep, seen);
        if !is_judged {
            break;
        }
    }
    Ok((known.tries.len() > found.tries.len()).then_some(known))
}

/// A try at a step.
fn at(
    base: &Plan,
    (search, step): (&Search, u32),
    point: &Point,
    architecture: &str,
    seeds: u64,
) -> Result<Try, Lost> {
    let value = search.steps.value(step);
    let mut settings = point.settings(&base.sweep);
    settings.push((&search.key, &value));
    let plan = plan_at(base, &settings, Some(vec![architecture.to_owned()]))?;
    Ok(Try::of(&value.label, value.number, expectations(&plan, seeds)?.iter()))
}

/// How what is expected came out, seed by seed, until something fails under one. What no seed can judge by itself, all of
/// them judge together.
fn expectations(plan: &Plan, seeds: u64) -> Result<Vec<Expectation>, Panicked> {
    let mut records = Vec::new();
    for seed in plan.seed..plan.seed + seeds {
        let seeded = Arc::new(Plan { seed, ..plan.clone() });
        let mut record = batch::once(NonZeroUsize::MIN, &seeded, &Progress::default())?;
        let mut seen = record.architectures.values_mut().flat_map(|seen| &mut seen.expectations);
        if let Some(failed) = seen.find(|expectation| expectation.outcome == Outcome::Fails) {
            if seeds > 1 {
                failed.failed_in = vec![seed];
            }
            return Ok(vec![failed.clone()]);
        }
        records.push(record);
    }
    let record = join::join(records).expect("the seeds of one plan belong together");
    Ok(record.architectures.into_values().flat_map(|seen| seen.expectations).collect())
}
