//! Shrinks a failing scenario: takes faults, load, services, steps and time away as long as the same expectation
//! still fails under the same architecture. Every candidate is an ordinary text that is read and run like any
//! other; one that cannot be read, or in which a fault touches nothing, does not fail. Faults by delta debugging
//! (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), the rest one by one and by
//! halves, again and again until nothing more can go.

mod passes;

use std::sync::Arc;

use super::keep_architectures;
use crate::batch::{self, Panicked};
use crate::record::{Expectation, Record};
use crate::run::cores;
use crate::scenario::edit::{Draft, NotEdited};
use crate::scenario::plan::{Pace, Plan};
use crate::scenario::{Overrides, parse};
use hoplab_config::Problems;

/// Why there is nothing to shrink.
#[derive(Debug, thiserror::Error)]
pub enum CannotShrink {
    /// Its text cannot be changed.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// It cannot be read.
    #[error("{0}")]
    NotAScenario(Problems),
    /// No expectation fails.
    #[error("no expectation fails: there is nothing to shrink")]
    NothingFails,
    /// None fails, and one cannot be judged.
    #[error("no expectation fails, and under {architecture} this cannot be judged: {text}; {takes}")]
    CannotBeJudged {
        /// Under which architecture.
        architecture: String,
        /// Which expectation.
        text: String,
        /// What it would take.
        takes: String,
    },
    /// The run is invalid.
    #[error("fault \"{fault}\" touched nothing: the run is invalid")]
    Untouched {
        /// Which fault.
        fault: String,
    },
    /// The simulation panicked.
    #[error("{0}")]
    Panicked(#[from] Panicked),
}

/// How large a scenario is.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Services.
    pub services: usize,
    /// Pods.
    pub pods: u32,
    /// Endpoints.
    pub endpoints: usize,
    /// Loads.
    pub loads: usize,
    /// Requests that are sent.
    pub requests: u64,
    /// Simulated microseconds of load.
    pub duration_us: u64,
}

/// A scenario that fails, as small as it was made.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// Its text.
    pub draft: Draft,
    /// The expectation that fails.
    pub expectation: String,
    /// What is seen instead.
    pub seen: String,
    /// Under which architecture.
    pub architecture: String,
    /// The seed.
    pub seed: u64,
    /// How large it was.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// How many runs it took.
    pub runs: u32,
    /// Whether nothing more can go; else the runs were used up, or it was stopped.
    pub is_smallest: bool,
}

/// What a candidate that fails shows.
#[derive(Debug, Clone)]
struct Failure {
    requests: u64,
    seen: String,
}

/// The search: the smallest failing text so far.
struct Search<'a> {
    best: Draft,
    failure: Failure,
    /// The expectation, as one line.
    expectation: String,
    runs: u32,
    runs_max: u32,
    stop: &'a dyn Fn() -> bool,
}

/// Shrinks `plan`, which fails, in at most `runs_max` runs. Looks under the first of its architectures in which an
/// expectation fails; only those whose line contains `named` count. Ends with the smallest so far when `stop` says so.
pub fn shrink(
    plan: &Arc<Plan>,
    named: Option<&str>,
    runs_max: u32,
    stop: &dyn Fn() -> bool,
) -> Result<Shrunk, CannotShrink> {
    let record = run(plan)?;
    if let Some(untouched) = record.untouched_faults().first() {
        return Err(CannotShrink::Untouched { fault: untouched.fault.to_owned() });
    }
    let is_meant = |found: &Expectation| named.is_none_or(|named| found.text.contains(named));
    let failing = record.architectures.iter().find_map(|(name, seen)| {
        let place = seen.expectations.iter().position(|found| found.fails() && is_meant(found))?;
        Some((name.clone(), place, seen.expectations[place].clone()))
    });
    let (architecture, place, expectation) = failing.ok_or_else(|| nothing_fails(&record, is_meant))?;
    let mut draft = Draft::of(&plan.sources)?;
    draft.inline_app()?;
    draft.set("scenario.seed", toml_edit::Value::from(i64::try_from(plan.seed).unwrap_or(i64::MAX)))?;
    keep_architectures(&mut draft, std::slice::from_ref(&architecture))?;
    for index in (0..draft.count("expect")).rev().filter(|index| *index != place) {
        draft.remove(&format!("expect.{index}"))?;
    }
    let requests = record.architectures[&architecture].total.requests.sent;
    let mut search = Search {
        best: draft,
        failure: Failure { requests, seen: expectation.seen_text },
        expectation: expectation.text,
        runs: 1,
        runs_max,
        stop,
    };
    let is_smallest = passes::all(&mut search);
    let after = read(&search.best).map_err(CannotShrink::NotAScenario)?;
    Ok(Shrunk {
        architecture,
        seed: plan.seed,
        before: size(plan, requests),
        after: size(&after, search.failure.requests),
        draft: search.best,
        expectation: search.expectation,
        seen: search.failure.seen,
        runs: search.runs,
        is_smallest,
    })
}

/// Why there is nothing to shrink: all that is meant holds, or cannot be judged.
fn nothing_fails(record: &Record, is_meant: impl Fn(&Expectation) -> bool) -> CannotShrink {
    let unjudged = record.architectures.iter().find_map(|(name, seen)| {
        let found = seen.expectations.iter().find(|found| found.is_unjudged() && is_meant(found))?;
        Some(CannotShrink::CannotBeJudged {
            architecture: name.clone(),
            text: found.text.clone(),
            takes: found.takes.clone().unwrap_or_default(),
        })
    });
    unjudged.unwrap_or(CannotShrink::NothingFails)
}

impl Search<'_> {
    /// Takes `candidate` if it still fails; whether it does.
    fn try_out(&mut self, candidate: Draft) -> bool {
        if self.is_over() || candidate.text() == self.best.text() {
            return false;
        }
        let Ok(plan) = read(&candidate) else { return false };
        self.runs += 1;
        let Some(failure) = self.failure(&plan) else { return false };
        (self.best, self.failure) = (candidate, failure);
        true
    }

    /// Tries what `change` makes of the best so far.
    fn try_change(&mut self, change: impl FnOnce(&mut Draft) -> Result<(), NotEdited>) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate).is_ok() && self.try_out(candidate)
    }

    fn is_over(&self) -> bool {
        self.runs >= self.runs_max || (self.stop)()
    }

    fn failure(&self, plan: &Plan) -> Option<Failure> {
        let record = run(&Arc::new(plan.clone())).ok()?;
        let seen = record.architectures.values().next()?;
        let expectation = seen.expectations.first()?;
        let fails = expectation.fails() && expectation.text == self.expectation;
        let is_valid = record.untouched_faults().is_empty();
        let failure = Failure { requests: seen.total.requests.sent, seen: expectation.seen_text.clone() };
        (fails && is_valid).then_some(failure)
    }
}

fn read(draft: &Draft) -> Result<Plan, Problems> {
    parse(&draft.sources(), &Overrides::default())
}

/// Runs `plan` once.
pub(super) fn run(plan: &Arc<Plan>) -> Result<Record, Panicked> {
    batch::once(cores(), plan, &batch::Progress::default())
}

fn size(plan: &Plan, requests: u64) -> Size {
    Size {
        faults: plan.faults.len(),
        services: plan.services.len(),
        pods: plan.services.iter().map(|service| service.replicas).sum(),
        endpoints: plan.services.iter().map(|service| service.endpoints.len()).sum(),
        loads: plan.loads.len(),
        requests,
        duration_us: plan.duration.as_micros() as u64,
    }
}

/// The single rate of an open load, in requests per second.
fn rate(plan: &Plan, load: &str) -> Option<f64> {
    let load = plan.loads.iter().find(|known| known.name == load)?;
    match &load.pace {
        Pace::Open { curve, .. } if curve.len() == 1 => Some(curve[0].1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::scenario::plan::Source;

    fn plan(text: &str) -> Arc<Plan> {
        let source = Source { path: "it.toml".to_owned(), text: text.to_owned() };
        Arc::new(parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}")))
    }

    #[test]
    fn what_lies_before_a_fault_goes_with_it() {
        // An earlier fault leaves more time after it, and a shorter run ends with it: neither fails by itself.
        let plan = plan(
            "[scenario]\nduration = \"1700ms\"\n[compare]\narchitectures = [\"direct\"]\n\
             [services.first.endpoints.get]\nsteps = [{ work = \"1ms\" }]\n\
             [load.all]\nrate = \"100 rps\"\nmix = { \"first.get\" = 1 }\n\
             [[faults]]\nname = \"f\"\nat = \"1s\"\nfor = \"500ms\"\nerror = { service = \"first\" }\n\
             [[expect]]\nmetric = \"requests\"\nduring = \"recovery\"\nmin = 30",
        );
        let shrunk = shrink(&plan, None, 500, &|| false).unwrap_or_else(|error| panic!("{error}"));
        assert!(shrunk.after.duration_us < 800_000, "{}", shrunk.draft.text());
    }

    #[test]
    fn nothing_is_left_that_is_not_needed() {
        // The limit of one phase refuses; all else is of no account.
        let plan = plan(
            "[scenario]\nduration = \"200ms\"\n\
             [services.first]\ncalls = { defaults = { timeout = \"5s\" }, services.second = { timeout = \"3s\" } }\n\
             [services.first.endpoints.get]\nsteps = [{ call = \"second.get\" }, { call = \"third.get\" }]\n\
             [services.second.endpoints.get]\n[services.third.endpoints.get]\nsteps = [{ work = \"1ms\" }]\n\
             [load.all]\nrate = \"100 rps\"\nmix = { \"first.get\" = 1 }\ncalls = { retry = { attempts = 1 } }\n\
             [calls]\ndefaults = { timeout = \"5s\" }\nservices.third = { timeout = \"2s\" }\n\
             [library]\nservices.second = { timeout = \"1s\" }\n[prices]\ncurrency = \"USD\"\ncore_hour = 0.04\n\
             [mesh]\nservices.third = { timeout = \"4s\" }\nroutes.\"third.get\" = { timeout = \"4s\" }\n\
             [[adoption.phases]]\nname = \"edge\"\nis = \"gateway\"\n\
             [[adoption.phases]]\nname = \"start\"\nis = \"mesh\"\n\
             mesh = { only = [\"first\", \"third\"], services.first = { limits = { rate = { rate = \"1 rps\" } } } }\n\
             [[adoption.phases]]\nname = \"all\"\nis = \"gateway+mesh\"\n\
             [[expect]]\nmetric = \"refused\"\nmax = 3\nin = [\"start\"]",
        );
        let shrunk = shrink(&plan, None, 500, &|| false).unwrap_or_else(|error| panic!("{error}"));
        let small = shrunk.draft;
        let is_there = |path: &str| small.get(path).is_some();
        for path in ["prices", "calls", "library", "services.first.calls", "load.all.calls", "mesh"] {
            assert!(!is_there(path), "{path}:\n{}", small.text());
        }
        assert_eq!(small.names("services"), ["first"], "{}", small.text());
        assert_eq!(small.count("adoption.phases"), 1, "the one that fails");
        assert_eq!(small.names("adoption.phases.start.mesh"), ["services"], "{}", small.text());
    }

    #[test]
    fn what_is_stopped_is_the_smallest_so_far() {
        let text = "[scenario]\nduration = \"200ms\"\n[compare]\narchitectures = [\"direct\"]\n\
                    [services.first.endpoints.get]\nsteps = [{ call = \"second.get\" }, { work = \"1ms\" }]\n\
                    [services.second.endpoints.get]\nsteps = [{ work = \"1ms\" }]\n\
                    [load.all]\nrate = \"100 rps\"\nmix = { \"first.get\" = 1 }\n\
                    [[expect]]\nmetric = \"mean\"\nmax = \"1us\"";
        let plan = plan(text);
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 3
        };
        let stopped = shrink(&plan, None, 500, &stop).unwrap_or_else(|error| panic!("{error}"));
        let smallest = shrink(&plan, None, 500, &|| false).unwrap_or_else(|error| panic!("{error}"));
        assert!((1..=4).contains(&stopped.runs) && stopped.runs < smallest.runs, "{}", stopped.runs);
        assert_eq!((stopped.is_smallest, smallest.is_smallest), (false, true));
        assert!(read(&stopped.draft).is_ok());
    }
}
