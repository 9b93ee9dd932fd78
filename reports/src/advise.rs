//! What to choose, and why: the answer to a [`Question`], from the records of its trials alone. As text and as a page for
//! people, as JSON for programs.
//!
//! Read `trial` (what is lost while something is wrong), `cost` (what is paid when nothing is), `growth` (the same in other
//! sizes), then what is made of them: `recommendation` (the rules by which one is chosen) and `criteria` (the five
//! questions of an assessment). `text` and `page` show it.
//!
//! A request is *lost* that was not served well in time: it failed, was refused, or took longer than users wait
//! (`patience`).

mod charts;
mod cost;
mod criteria;
mod growth;
mod page;
mod patience;
mod recommendation;
mod text;
mod trial;

use std::path::{Path, PathBuf};

use hoplab_sim::advise::knee::Knee;
use hoplab_sim::advise::{self, About, Question, Shape};
use hoplab_sim::journal::Journal;
use hoplab_sim::record::Record;
use hoplab_sim::scenario::plan::{Plan, Source};
use hoplab_sim::scenario::profile::Basis;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::added::STEADY;
use crate::checksums::Checksums;
use crate::error::Error;
use crate::file;
use crate::format::{listed, significant};
use crate::names::{SUMMARY, TRIALS};
use crate::verdict::Run;
use crate::write::put;

pub use cost::{Cost, Tls};
pub use criteria::{Criterion, Finding};
pub use growth::{Grown, Price};
pub use patience::{Patience, Why};
pub use recommendation::{Condition, Recommendation};
pub use trial::{Choice, Seen, Trial};

/// The version of the advice's shape.
pub const SCHEMA: u32 = 1;

/// The page, in the folder of an advice.
const PAGE: &str = "report.html";

/// What to choose, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `advise`.
    pub kind: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// What it asks; may be empty.
    pub question: String,
    /// The first seed.
    pub seed: u64,
    /// How many seeds each trial was run with.
    pub seeds: u64,
    /// A hash over the digests of all trials.
    pub digest: String,
    /// The architecture that others are compared with.
    pub baseline: String,
    /// What the application is made of.
    pub shape: Shape,
    /// A request that takes longer is lost.
    pub patience: Patience,
    /// How many times as slow a load may make answers that is carried.
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
    /// How much load each architecture carries.
    pub knees: Vec<Knee>,
    /// The same system in other sizes.
    pub grown: Vec<Grown>,
}

/// What came of the trials: a record each, in their order, and how much each architecture carries.
pub struct Came<'a> {
    /// The record of a trial by its place, of all seeds; read when it is needed, since all of them are large.
    pub record: &'a dyn Fn(usize) -> Option<Record>,
    /// How much load each architecture carries.
    pub knees: Vec<Knee>,
    /// How many seeds each trial was run with.
    pub seeds: u64,
}

/// What a trial of something that goes wrong showed.
struct Wrong {
    trial: Trial,
    gaps: trial::Gaps,
}

impl Advice {
    /// The answer to `question`, by what came of its trials; `None` where no request was measured when all is well.
    pub fn of(question: &Question, came: Came<'_>) -> Option<Self> {
        let plan = question.plan();
        let well = (came.record)(0)?;
        let run = Run::of(&well)?;
        let patience = Patience::of(plan, &run.baseline.seen.total.latency);
        let clear = question.trials().iter().position(|trial| trial.about == About::InTheClear);
        let clear = clear.and_then(|place| (came.record)(place));
        let costs = cost::of(question, &run, clear.as_ref(), patience.us);
        let mut digests = vec![well.digest.clone()];
        let (mut wrong, mut grown) = (Vec::new(), Vec::new());
        for (place, asked) in question.trials().iter().enumerate().skip(1) {
            let record = (came.record)(place)?;
            digests.push(record.digest.clone());
            let Some((trial, gaps)) =
                Trial::of(asked, &record, &costs, patience_of(asked, &record, plan, patience).us)
            else {
                continue;
            };
            match &asked.about {
                About::Grown { .. } => grown.extend(Grown::of(&trial, &record)),
                _ => wrong.push(Wrong { trial, gaps }),
            }
        }
        let tried = recommendation::Tried {
            trials: wrong.iter().map(|of| (&of.trial, &of.gaps)).collect(),
            costs: &costs,
        };
        let recommendation = tried.recommend();
        let trials: Vec<Trial> = wrong.into_iter().map(|of| of.trial).collect();
        let evidence = criteria::Evidence {
            shape: question.shape(),
            costs: &costs,
            trials: &trials,
            knees: &came.knees,
            grown: &grown,
            not_grown: question.not_grown(),
            bounds: (plan.invariants.slower, plan.invariants.errors),
            has_limits: question.has_limits(),
            assumed: assumed(plan),
            currency: plan.prices.as_ref().map(|prices| prices.currency.as_str()),
        };
        let criteria = criteria::criteria(&evidence);
        Some(Self {
            schema: SCHEMA,
            kind: "advise".to_owned(),
            scenario: plan.name.clone(),
            title: plan.title.clone(),
            question: plan.question.clone(),
            seed: plan.seed,
            seeds: came.seeds,
            digest: Journal::digest_of(digests.iter().map(|digest| ("trial", digest.as_str()))),
            baseline: run.baseline.name.to_owned(),
            shape: question.shape().clone(),
            patience,
            slower: plan.invariants.slower,
            recommendation,
            criteria,
            currency: plan.prices.as_ref().map(|prices| prices.currency.clone()),
            trials,
            knees: came.knees,
            grown,
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
    fn untouched(&self) -> Option<String> {
        let names = self.trials.iter().filter(|trial| !trial.counts()).map(|trial| trial.name.clone());
        let names: Vec<String> = names.collect();
        let verb = if names.len() == 1 {
            "does not count: what goes wrong in it"
        } else {
            "do not count: what goes wrong in them"
        };
        (!names.is_empty()).then(|| format!("{} {verb} touched nothing.", listed(&names)))
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("an advice has string keys and numbers, which JSON can say")
    }

    /// As text; it lies in `dir`, for a terminal of that look.
    pub fn to_text(&self, dir: &Path, look: crate::Look) -> String {
        text::text(self, dir, look)
    }

    /// The page.
    pub fn page(&self) -> String {
        page::page(self)
    }
}

/// How much load an architecture carries, in a line.
pub fn carried(knee: &Knee) -> String {
    let carries = knee
        .carries()
        .map_or("not even its own".to_owned(), |times| format!("{} times its own", significant(times)));
    format!("{}: carries {carries}", knee.architecture)
}

/// Writes an advice and its page into `dir`, and the scenarios of its trials, each a text with those that it names.
pub fn write(advice: &Advice, trials: Vec<(String, Vec<Source>)>, dir: &Path) -> Result<(), Error> {
    let placed = trials.into_iter().flat_map(|(name, sources)| {
        sources.into_iter().enumerate().map(move |(index, source)| {
            let file = if index == 0 { format!("{name}.toml") } else { source.path };
            (PathBuf::from(format!("{TRIALS}{file}")), source.text.into_bytes())
        })
    });
    let files: IndexMap<PathBuf, Vec<u8>> = placed.collect();
    write_all(advice, files.into_iter().collect(), dir)
}

/// Writes an advice and its page into `dir` again; the scenarios that lie there stay.
pub(crate) fn write_again(advice: &Advice, dir: &Path) -> Result<(), Error> {
    let checksums = Checksums::read(dir)?.unwrap_or_default();
    let trials = checksums.paths().filter(|path| path.starts_with(TRIALS));
    let there = |path: &str| Some((PathBuf::from(path), std::fs::read(dir.join(path)).ok()?));
    write_all(advice, trials.filter_map(there).collect(), dir)
}

fn write_all(advice: &Advice, mut files: Vec<(PathBuf, Vec<u8>)>, dir: &Path) -> Result<(), Error> {
    files.push((PathBuf::from(PAGE), advice.page().into_bytes()));
    files.push((PathBuf::from(SUMMARY), (advice.to_json() + "\n").into_bytes()));
    put(dir, files).map(drop)
}

/// How long users wait in a trial: those of a system of another size are used to what it takes.
fn patience_of(asked: &advise::Trial, record: &Record, plan: &Plan, patience: Patience) -> Patience {
    let About::Grown { .. } = asked.about else { return patience };
    let steady = Run::of(record)
        .and_then(|run| run.baseline.seen.phases.get(STEADY).map(|phase| &phase.total.latency));
    steady.map_or(patience, |latency| Patience::of(plan, latency))
}

/// The profiles, each with how many of its values nobody has published.
fn assumed(plan: &Plan) -> Vec<(String, usize, usize)> {
    let of = |profile: &hoplab_sim::scenario::profile::Profile| {
        let (assumed, all) = (profile.count(Basis::Assumed), profile.figures.len());
        (assumed > 0).then(|| (profile.name.clone(), assumed, all))
    };
    plan.profiles.iter().filter_map(of).collect()
}
