//! The answer to a question: what is chosen, and all that it rests on, made of the records of the trials. Plain data,
//! serialised as JSON, of which everything that is shown is rendered.

use std::path::Path;

use hoplab_sim::advise::knee::Knee;
use hoplab_sim::advise::{self, About, Question, Shape};
use hoplab_sim::join;
use hoplab_sim::journal::Journal;
use hoplab_sim::record::Record;
use hoplab_sim::scenario::plan::Plan;
use hoplab_sim::scenario::profile::{Basis, Profile};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::cost::{self, Cost};
use super::criteria::{self, Criterion, Evidence};
use super::growth::Grown;
use super::patience::Patience;
use super::recommendation::{self, Recommendation};
use super::trial::{AllLost, Trial};
use super::tried::Tried;
use crate::added::STEADY;
use crate::error::Error;
use crate::file;
use crate::format::{listed, significant};
use crate::names::SUMMARY;
use crate::verdict::Run;

/// The version of the advice's shape.
pub const SCHEMA: u32 = 1;

/// What to choose, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `advise`.
    pub kind: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its file.
    pub file: String,
    /// Its title.
    pub title: String,
    /// What it asks; may be empty.
    pub question: String,
    /// The first seed.
    pub seed: u64,
    /// How many seeds each trial was run with.
    pub seeds: u64,
    /// How many trials were run.
    pub runs: usize,
    /// A hash over the digests of all trials.
    pub digest: String,
    /// The architecture that others are compared with.
    pub baseline: String,
    /// What the application is made of.
    pub shape: Shape,
    /// A request that takes longer is lost.
    pub patience: Patience,
    /// How many times what 99 % take with the baseline now a load may make them take that is carried.
    pub slower: f64,
    /// What is chosen.
    pub recommendation: Recommendation,
    /// The five questions of an assessment.
    pub criteria: Vec<Criterion>,
    /// What each architecture costs, the baseline first.
    pub costs: IndexMap<String, Cost>,
    /// The currency of money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What was tried.
    pub trials: Vec<Trial>,
    /// What makes the scenario's own run invalid: faults of it that touched nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<String>,
    /// How much load each architecture carries.
    pub knees: Vec<Knee>,
    /// The same system in other sizes.
    pub grown: Vec<Grown>,
}

/// What came of the trials, and how much each architecture carries.
pub struct Came<'a> {
    /// The records of a trial by its place, one of each seed; read when they are needed, since they are large.
    pub records: &'a dyn Fn(usize) -> Option<Vec<Record>>,
    /// How much load each architecture carries.
    pub knees: Vec<Knee>,
    /// How many seeds each trial was run with.
    pub seeds: u64,
}

/// What the trials showed, but for that in which all is well.
#[derive(Default)]
struct Shown {
    trials: Vec<Trial>,
    lost: Vec<AllLost>,
    grown: Vec<Grown>,
    digests: Vec<String>,
    invalid: Vec<String>,
}

impl Advice {
    /// The answer to `question`, by what came of its trials; `None` where records are missing, or no request was measured
    /// when all is well.
    pub fn of(question: &Question, came: Came<'_>) -> Option<Self> {
        let plan = question.plan();
        let (well, _) = joined(&came, 0)?;
        let run = Run::of(&well)?;
        let patience = Patience::of(plan, &run.baseline.seen.total.latency);
        let clear = question.trials().iter().position(|trial| trial.about == About::InTheClear);
        let clear = clear.and_then(|place| joined(&came, place)).map(|(record, _)| record);
        let costs = cost::of(question, &run, clear.as_ref(), patience.us);
        let shown = shown(question, &came, &costs, patience)?;
        let tried = Tried { trials: shown.trials.iter().zip(&shown.lost).collect(), costs: &costs };
        let recommendation = recommendation::recommend(&tried);
        let evidence = Evidence {
            shape: question.shape(),
            costs: &costs,
            trials: &shown.trials,
            knees: &came.knees,
            grown: &shown.grown,
            not_grown: question.not_grown(),
            bounds: (plan.invariants.slower, plan.invariants.errors),
            has_limits: question.has_limits(),
            assumed: assumed(plan),
            currency: plan.prices.as_ref().map(|prices| prices.currency.as_str()),
        };
        let criteria = criteria::criteria(&evidence);
        let digests = std::iter::once(&well.digest).chain(&shown.digests);
        Some(Self {
            schema: SCHEMA,
            kind: "advise".to_owned(),
            scenario: plan.name.clone(),
            file: plan.sources.first().map_or_else(String::new, |source| source.path.clone()),
            title: plan.title.clone(),
            question: plan.question.clone(),
            seed: plan.seed,
            seeds: came.seeds,
            runs: question.trials().len(),
            digest: Journal::digest_of(digests.map(|digest| ("trial", digest.as_str()))),
            baseline: run.baseline.name.to_owned(),
            shape: question.shape().clone(),
            patience,
            slower: plan.invariants.slower,
            recommendation,
            criteria,
            currency: plan.prices.as_ref().map(|prices| prices.currency.clone()),
            trials: shown.trials,
            invalid: shown.invalid,
            knees: came.knees,
            grown: shown.grown,
            costs,
        })
    }

    /// The advice that lies in `dir`.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(SUMMARY);
        let bytes = file::read(&path, || Error::Nothing { dir: dir.to_owned() })?;
        serde_json::from_slice(&bytes).map_err(|reason| Error::NotARecord { path, reason })
    }

    /// The trials that show nothing, since what goes wrong touched nothing under some architectures; `None` where all do.
    pub(super) fn untouched(&self) -> Option<String> {
        let some = self.trials.iter().filter(|trial| !trial.counts());
        let told = some.map(|trial| match trial.untouched() {
            all if all.len() == trial.seen.len() => format!("{} touched nothing", trial.name),
            names => format!("{} touched nothing under {}", trial.name, listed(&names)),
        });
        let told: Vec<String> = told.collect();
        let verb = if told.len() == 1 { "does" } else { "do" };
        (!told.is_empty()).then(|| format!("{}, and {verb} not count.", told.join("; ")))
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("an advice has string keys and numbers, which JSON can say")
    }
}

/// The record of all seeds of a trial, and theirs.
fn joined(came: &Came<'_>, place: usize) -> Option<(Record, Vec<Record>)> {
    let mut records = (came.records)(place)?;
    if records.len() == 1 {
        return Some((records.pop()?, Vec::new()));
    }
    Some((join::join(records.clone()).ok()?, records))
}

/// What all trials showed but the first; `None` where records are missing.
fn shown(
    question: &Question,
    came: &Came<'_>,
    costs: &IndexMap<String, Cost>,
    patience: Patience,
) -> Option<Shown> {
    let mut shown = Shown::default();
    for (place, asked) in question.trials().iter().enumerate().skip(1) {
        let (record, seeds) = joined(came, place)?;
        shown.digests.push(record.digest.clone());
        if asked.about == About::Written {
            shown.invalid.extend(record.untouched_faults().iter().map(ToString::to_string));
        }
        let records = (&record, &seeds[..]);
        if let About::Grown { .. } = asked.about {
            shown.grown.extend(grown(question, asked, records, patience));
        } else if let Some((trial, lost)) = Trial::of(asked, records, costs, patience.us) {
            shown.trials.push(trial);
            shown.lost.push(lost);
        }
    }
    Some(shown)
}

/// What a system of another size shows: its users are used to what it takes, and its architectures have costs of their own.
fn grown(
    question: &Question,
    asked: &advise::Trial,
    (record, seeds): (&Record, &[Record]),
    patience: Patience,
) -> Option<Grown> {
    let run = Run::of(record)?;
    let steady = run.baseline.seen.phases.get(STEADY).map(|phase| &phase.total.latency);
    let late_us = steady.map_or(patience, |latency| Patience::of(question.plan(), latency)).us;
    let mut costs = cost::of(question, &run, None, late_us);
    // What a slow pod makes of its own cores is no cost of an architecture.
    for cost in costs.values_mut() {
        cost.cores = cost.proxy_cores;
    }
    let (trial, _) = Trial::of(asked, (record, seeds), &costs, late_us)?;
    Grown::of(&trial, &costs)
}

/// How much load an architecture carries, in a line.
pub fn carried(knee: &Knee) -> String {
    let carries = knee
        .carries()
        .map_or("not even its own".to_owned(), |times| format!("{} times its own", significant(times)));
    format!("{}: carries {carries}", knee.architecture)
}

/// The profiles, each with how many of its values nobody has published.
fn assumed(plan: &Plan) -> Vec<(String, usize, usize)> {
    let of = |profile: &Profile| {
        let (assumed, all) = (profile.count(Basis::Assumed), profile.figures.len());
        (assumed > 0).then(|| (profile.name.clone(), assumed, all))
    };
    plan.profiles.iter().filter_map(of).collect()
}
