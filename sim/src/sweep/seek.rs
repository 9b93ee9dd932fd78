//! A search at one point under one architecture: runs what the bracket asks for, value by value, until nothing is left
//! to try. A value holds when all that is expected does under every seed.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::record::Found;
use super::{Bracket, NoPlan, Point, Try, plan_at};
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
        let value = search.steps.value(step);
        let mut settings = point.settings(&base.sweep);
        settings.push((&search.key, &value));
        let plan = plan_at(base, &settings, Some(vec![architecture.to_owned()]))?;
        let tried = Try::of(&value.label, value.number, expectations(&plan, seeds)?.iter());
        bracket.tried(step, tried.outcome);
        tries.push(tried);
    }
    Ok(Found::of(search, point.places.clone(), architecture.to_owned(), tries, Vec::new()))
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
