//! How much load an architecture carries: by halving between the scenario's own and eight times as much, in steps of a
//! fifth. A load is carried while what 99 % take is no longer than `[invariants] slower` times that of the baseline at the
//! scenario's own load, and no more requests than its `errors` are not served well: the same bound for each architecture. More load is sent for a shorter time, so that a try costs no more than the scenario
//! itself. Runs what it tries, with the scenario's first seed.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::question::Question;
use super::trial::NoQuestion;
use crate::batch::{self, Panicked, Progress};
use crate::record::{Outcome, Record, Traffic};
use crate::scenario::grid::{Spacing, Steps};
use crate::scenario::plan::{Architecture, Plan};
use crate::sweep::Bracket;

/// The most load that is tried, in times of the scenario's own.
pub const TIMES_MAX: f64 = 8.0;

/// How many loads there are to try: 1, 1.19, 1.41, … 8 times.
const STEPS: u32 = 13;

/// What an architecture carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// Which architecture.
    pub architecture: String,
    /// What was tried, by rising load; the first is the scenario's own.
    pub tries: Vec<Tried>,
}

/// A load that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// How many times the scenario's own it is.
    pub times: f64,
    /// Requests a second that were sent.
    pub sent: f64,
    /// Requests a second that were served well.
    pub goodput: f64,
    /// The share of requests that were not served well.
    pub unserved: f64,
    /// Half of what was served well took no longer, µs.
    pub p50_us: u64,
    /// 99 % took no longer, µs; of few requests the longest.
    pub p99_us: u64,
    /// Whether it is carried.
    pub holds: bool,
}

/// Why it cannot be told what an architecture carries.
#[derive(Debug, thiserror::Error)]
pub enum NoKnee {
    /// There is no scenario at a load.
    #[error(transparent)]
    NoQuestion(#[from] NoQuestion),
    /// A simulation panicked.
    #[error("{0}")]
    Panicked(#[from] Panicked),
}

impl Knee {
    /// The highest load that is carried, in times of the scenario's own; `None` where not even that is.
    pub fn carries(&self) -> Option<f64> {
        self.tries.iter().rev().find(|tried| tried.holds).map(|tried| tried.times)
    }

    /// The lowest load that is not.
    pub fn fails_from(&self) -> Option<f64> {
        self.tries.iter().find(|tried| !tried.holds).map(|tried| tried.times)
    }
}

/// Looks for what `architecture` carries.
pub fn seek(question: &Question, architecture: &str) -> Result<Knee, NoKnee> {
    let steps = Steps {
        from: 1.0,
        to: TIMES_MAX,
        unit: String::new(),
        quoted: false,
        spacing: Spacing::Log,
        count: STEPS,
    };
    let plan = question.plan();
    let usual = attempt(question, question.baseline(), 1.0)?;
    let most_us = usual.p99_us as f64 * plan.invariants.slower;
    let mut bracket = Bracket::new(&steps);
    let mut tries: Vec<Tried> = Vec::new();
    while let Some(step) = bracket.next() {
        let times = steps.value(step).number.unwrap_or(1.0);
        let mut tried = attempt(question, architecture, times)?;
        tried.holds = tried.unserved <= plan.invariants.errors && tried.p99_us as f64 <= most_us;
        bracket.tried(step, if tried.holds { Outcome::Holds } else { Outcome::Fails });
        tries.push(tried);
    }
    tries.sort_by(|a, b| a.times.total_cmp(&b.times));
    Ok(Knee { architecture: architecture.to_owned(), tries })
}

/// Runs so many times the load of the scenario when all is well.
fn attempt(question: &Question, architecture: &str, times: f64) -> Result<Tried, NoKnee> {
    let trial = question.at_load(times)?;
    let is_asked = |of: &&Architecture| *of.name == *architecture;
    let architectures = trial.plan.architectures.iter().filter(is_asked).cloned().collect();
    let plan = Plan { architectures, ..Plan::clone(&trial.plan) };
    let record = batch::once(NonZeroUsize::MIN, &Arc::new(plan), &Progress::default())?;
    Ok(tried(&record, times))
}

fn tried(record: &Record, times: f64) -> Tried {
    let none = Traffic::default();
    let total = record.architectures.values().next().map_or(&none, |seen| &seen.total);
    let seconds = record.duration_us.saturating_sub(record.warmup_us).max(1) as f64 / 1e6;
    let served = total.requests.served();
    Tried {
        times,
        sent: total.requests.sent as f64 / seconds,
        goodput: total.good as f64 / seconds,
        unserved: 1.0 - served as f64 / total.requests.sent.max(1) as f64,
        p50_us: total.latency.quantile_us(0.5),
        p99_us: total.latency.quantile_us(0.99),
        holds: false,
    }
}
