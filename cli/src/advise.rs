//! `hoplab advise`: runs the trials that a choice between architectures rests on, each with every seed, and looks for the
//! load that each architecture carries; every piece is a part that is kept. Then says what to choose.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use hoplab_reports as reports;
use hoplab_reports::advise::{Advice, Came};
use hoplab_reports::study::{Kind, Study};
use hoplab_sim::advise::knee::{self, Knee};
use hoplab_sim::advise::{Question, Trial};
use hoplab_sim::batch::{self, Progress};
use hoplab_sim::join;
use hoplab_sim::record::Record;
use hoplab_sim::scenario;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::AdviseArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::plan::{overrides, plan_of};
use crate::study::{Missing, OpenStudy, run_each};
use crate::{place, terminal};

/// Says which of a scenario's architectures to choose.
pub(crate) fn advise(arguments: &AdviseArguments) -> anyhow::Result<End> {
    let overrides = overrides(&arguments.arch, arguments.seed, 1.0);
    let Some(plan) = plan_of(&arguments.file, &overrides) else { return Ok(End::Unusable) };
    let pieces = Pieces { question: Question::of(&plan)?, seeds: arguments.seeds };
    let dir = place::report_dir(arguments.out.as_deref(), &plan);
    let study = Study::of(Kind::Advise, &plan, arguments.seeds);
    let open = OpenStudy::open(study, &dir, &arguments.machine, arguments.json)?;
    interrupt::listen(First::Finishes("the pieces that run are finished"));
    pieces.run_missing(&open)?;
    match open.ends_before_report(pieces.count(), |piece| pieces.name(piece))? {
        Some(end) => Ok(end),
        None => pieces.finish(&open),
    }
}

/// Puts the parts of an advice together.
pub(crate) fn merge(open: &OpenStudy) -> anyhow::Result<End> {
    Pieces { question: Question::of(&Arc::new(open.plan()?))?, seeds: open.study.seeds }.finish(open)
}

/// The pieces that an advice is made of: trials with seeds, then how much each architecture carries.
struct Pieces {
    question: Question,
    seeds: u64,
}

impl Pieces {
    fn trials(&self) -> &[Trial] {
        self.question.trials()
    }

    fn count(&self) -> usize {
        self.runs() + self.question.plan().architectures.len()
    }

    fn runs(&self) -> usize {
        self.trials().len() * self.seeds as usize
    }

    /// Which trial and seed the `piece`th run is.
    fn run_of(&self, piece: usize) -> (&Trial, u64) {
        let seeds = self.seeds as usize;
        (&self.trials()[piece / seeds], self.question.plan().seed + (piece % seeds) as u64)
    }

    /// The architecture of a piece after the runs.
    fn architecture(&self, piece: usize) -> &str {
        &self.question.plan().architectures[piece - self.runs()].name
    }

    /// What the part of the `piece`th is called.
    fn name(&self, piece: usize) -> String {
        if piece >= self.runs() {
            return format!("knee-{}", self.architecture(piece));
        }
        let (trial, seed) = self.run_of(piece);
        format!("{}-seed-{seed}", trial.name)
    }

    fn run_missing(&self, open: &OpenStudy) -> anyhow::Result<()> {
        let (_, missing) = open.share(0..self.count(), |piece| self.name(piece));
        let (runs, knees): (Vec<usize>, Vec<usize>) =
            missing.into_iter().partition(|piece| *piece < self.runs());
        self.run_trials(&runs, open)?;
        self.seek_knees(&knees, open)
    }

    fn run_trials(&self, runs: &[usize], open: &OpenStudy) -> anyhow::Result<()> {
        let progress = Progress::default();
        for run in runs {
            progress.expect(&self.run_of(*run).0.plan, 1);
        }
        let plan = |run: usize| {
            let (trial, seed) = self.run_of(run);
            Some(Arc::new(Plan { seed, ..Plan::clone(&trial.plan) }))
        };
        run_each(open.machine.threads(), runs, &progress, plan, |run, result| {
            let name = self.name(run);
            let put = result.map_err(anyhow::Error::from);
            // Single moments are not looked at.
            let put = put.and_then(|record| Ok(open.parts.put(&name, &join::kept(record, false))?));
            put.context(name)
        })
    }

    fn seek_knees(&self, knees: &[usize], open: &OpenStudy) -> anyhow::Result<()> {
        let mut results = batch::side_by_side(open.machine.threads(), knees.len(), &|number| {
            if interrupt::is_asked() {
                return Ok(());
            }
            let piece = knees[number];
            let found = knee::seek(&self.question, self.architecture(piece))?;
            eprintln!("{}", reports::advise::carried(&found));
            Ok(open.parts.put(&self.name(piece), &found)?)
        });
        results.drain(..).collect()
    }

    /// The records of a trial, one of each seed; `None` where one is missing.
    fn records(&self, trial: usize, open: &OpenStudy) -> Option<Vec<Record>> {
        let first = trial * self.seeds as usize;
        (first..first + self.seeds as usize).map(|piece| open.parts.get(&self.name(piece))).collect()
    }

    /// Puts all parts together, and says what to choose.
    fn finish(&self, open: &OpenStudy) -> anyhow::Result<End> {
        let mut missing = Missing::default();
        for piece in 0..self.runs() {
            let name = self.name(piece);
            missing.note(open.parts.has(&name).then_some(()), piece as u64, &name);
        }
        let knee = |piece| {
            let name = self.name(piece);
            missing.note(open.parts.get::<Knee>(&name), piece as u64, &name)
        };
        let knees: Vec<Knee> = (self.runs()..self.count()).filter_map(knee).collect();
        open.whole(&missing, "pieces", self.count() as u64)?;
        let records = |trial| self.records(trial, open);
        let came = Came { records: &records, knees, seeds: self.seeds };
        let Some(advice) = Advice::of(&self.question, came) else {
            bail!("no request was measured when all is well: there is nothing to choose by");
        };
        let written = reports::advise::write(&advice, self.files(&advice)?, &open.dir);
        let mut out = anstream::stdout();
        if open.json {
            writeln!(out, "{}", advice.to_json())?;
        } else {
            write!(out, "{}", reports::advise::text(&advice, &open.dir, terminal::look()))?;
        }
        written?;
        // As a run of the scenario itself would say.
        for untouched in &advice.invalid {
            eprintln!("invalid: {untouched}");
        }
        Ok(if advice.invalid.is_empty() { End::Well } else { End::Invalid })
    }

    /// The scenarios of all trials, with what was seen in them, and of the loads between which each architecture ceases to
    /// carry.
    fn files(&self, advice: &Advice) -> anyhow::Result<Vec<(String, Vec<scenario::plan::Source>)>> {
        let mut files = Vec::new();
        for trial in self.trials() {
            let texts = match advice.trials.iter().find(|seen| seen.name == trial.name) {
                // What several seeds show together, none shows alone.
                Some(seen) if self.seeds == 1 => {
                    trial.expecting(advice.patience.duration(), &seen.within())?
                }
                _ => trial.files(),
            };
            files.push((trial.name.clone(), texts));
        }
        let edges = advice.knees.iter().flat_map(|knee| [knee.carries(), knee.fails_from()]).flatten();
        let mut written = BTreeSet::new();
        for times in edges.filter(|times| *times > 1.0) {
            let trial = self.question.at_load(times)?;
            if written.insert(trial.name.clone()) {
                files.push((trial.name.clone(), trial.files()));
            }
        }
        Ok(files)
    }
}
