//! Exploration: faults drawn at random from seeds, each run an ordinary scenario, and what was broken and what
//! was exercised in it. Owns what is drawn and how a run is judged; who runs the plans and keeps the results is
//! for others to say.

pub mod coverage;
pub(crate) mod draw;
mod judge;
pub mod shrink;

use std::sync::Arc;
use std::time::Duration;

use crate::batch::Panicked;
use crate::record::{Expectation, Record};
use crate::scenario::edit::{Draft, NotEdited};
use crate::scenario::plan::Plan;
use crate::scenario::{Overrides, parse};
use hoplab_config::Problems;

pub use judge::{Broken, DrawnFault, RuleKind, Seen};

/// What is explored: a scenario that stands alone, and what may be drawn for it.
#[derive(Debug, Clone)]
pub struct Exploration {
    plan: Arc<Plan>,
    base: Draft,
    /// When the first drawn fault may begin, and when the last must be over.
    window: (Duration, Duration),
}

/// Why a scenario cannot be explored.
#[derive(Debug, thiserror::Error)]
pub enum CannotExplore {
    /// Its text cannot be changed.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// No fault has room.
    #[error(
        "no fault fits into a run of {duration:?}: it would have to begin after {from:?} and be over by {until:?}, \
         so that \"settle\" fits before the end; lengthen \"duration\" or shorten \"invariants.settle\""
    )]
    TooShort {
        /// How long the run is.
        duration: Duration,
        /// When a fault may begin.
        from: Duration,
        /// When it must be over.
        until: Duration,
    },
    /// What was drawn cannot be run.
    #[error("what was drawn from seed {seed} is no scenario:\n{problems}")]
    NotAScenario {
        /// From which seed.
        seed: u64,
        /// What is wrong.
        problems: Problems,
    },
}

/// A scenario with the faults that a seed draws.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The seed.
    pub seed: u64,
    /// Its text.
    pub draft: Draft,
    /// What it means.
    pub plan: Arc<Plan>,
}

impl Exploration {
    /// Explores `plan` under its architectures.
    pub fn of(plan: &Arc<Plan>) -> Result<Self, CannotExplore> {
        let mut base = Draft::of(&plan.sources)?;
        base.inline_app()?;
        let names: Vec<String> = plan.architectures.iter().map(|of| of.name.to_string()).collect();
        keep_architectures(&mut base, &names)?;
        let reported = plan.duration.saturating_sub(plan.warmup);
        let from = plan.warmup + reported.mul_f64(0.2);
        let until = plan.duration.saturating_sub(plan.invariants.settle + reported.mul_f64(0.1));
        if from + plan.explore.lasts.0 > until {
            return Err(CannotExplore::TooShort { duration: plan.duration, from, until });
        }
        Ok(Self { plan: Arc::clone(plan), base, window: (from, until) })
    }

    /// The scenario that `seed` draws.
    pub fn draw(&self, seed: u64) -> Result<Drawn, CannotExplore> {
        let mut draft = self.base.clone();
        draft.set("scenario.seed", toml_edit::Value::from(i64::try_from(seed).unwrap_or(i64::MAX)))?;
        for fault in draw::faults(&self.plan, self.window, seed) {
            draft.push("faults", fault)?;
        }
        let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
        let plan = parse(&draft.sources(), &overrides)
            .map_err(|problems| CannotExplore::NotAScenario { seed, problems })?;
        Ok(Drawn { seed, draft, plan: Arc::new(plan) })
    }

    /// What a run of `drawn` shows.
    pub fn judge(&self, drawn: &Drawn, result: &Result<Record, Panicked>) -> Seen {
        judge::judge(self.plan.faults.len(), drawn, result)
    }

    /// The plan without what is drawn.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Drawn {
    /// The scenario that shows what was broken, under the architectures where it was: an ordinary text, whose
    /// expectations fail when it runs. Drawn faults that touched nothing are left out, as long as it fails without
    /// them: they would make the run invalid.
    pub fn failing(&self, seen: &Seen) -> Result<Draft, NotEdited> {
        let mut draft = self.draft.clone();
        let is_broken_in = |name: &&String| seen.broken.iter().any(|broken| broken.architecture == **name);
        let compared: Vec<String> = self.plan.architectures.iter().map(|of| of.name.to_string()).collect();
        let architectures: Vec<String> = compared.iter().filter(is_broken_in).cloned().collect();
        keep_architectures(&mut draft, &architectures)?;
        let mut invariants: Vec<&str> = seen.broken.iter().filter_map(Broken::invariant).collect();
        invariants.sort_unstable();
        invariants.dedup();
        for invariant in invariants {
            let of = seen.broken.iter().filter(|broken| broken.invariant() == Some(invariant));
            let names: Vec<&str> = of.map(|broken| &*broken.architecture).collect();
            draft.push("expect", violations(invariant, &names))?;
        }
        let untouched =
            seen.faults.iter().filter(|fault| fault.is_drawn && fault.untouched_in(&architectures));
        let mut pruned = draft.clone();
        for fault in untouched {
            pruned.remove(&format!("faults.{}", fault.name))?;
        }
        let is_same = pruned.text() == draft.text();
        Ok(if is_same || !fails(&pruned) { draft } else { pruned })
    }
}

/// Whether an expectation fails when `draft` runs, and every fault touches something.
fn fails(draft: &Draft) -> bool {
    let Ok(plan) = parse(&draft.sources(), &Overrides::default()) else { return false };
    let Ok(record) = shrink::run(&Arc::new(plan)) else { return false };
    let mut expectations = record.architectures.values().flat_map(|seen| &seen.expectations);
    record.untouched_faults().is_empty() && expectations.any(Expectation::fails)
}

/// An expectation that nothing of `invariant` is broken.
fn violations(invariant: &str, architectures: &[&str]) -> toml_edit::Table {
    crate::scenario::edit::table([
        ("metric", "violations".into()),
        ("invariant", invariant.into()),
        ("in", toml_edit::Value::Array(architectures.iter().copied().collect())),
        ("max", 0.into()),
    ])
}

/// Compares only the architectures `names`; expectations on others go.
pub(crate) fn keep_architectures(draft: &mut Draft, names: &[String]) -> Result<(), NotEdited> {
    let list: toml_edit::Array = names.iter().map(String::as_str).collect();
    draft.set("compare.architectures", toml_edit::Value::Array(list))?;
    for index in (0..draft.count("expect")).rev() {
        let path = format!("expect.{index}.in");
        let Some(listed) = draft.get(&path) else { continue };
        let listed: Vec<String> = listed
            .as_array()
            .map(|list| list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        let kept: toml_edit::Array =
            listed.iter().filter(|name| names.contains(name)).map(String::as_str).collect();
        if kept.is_empty() {
            draft.remove(&format!("expect.{index}"))?;
        } else {
            draft.set(&path, toml_edit::Value::Array(kept))?;
        }
    }
    Ok(())
}
