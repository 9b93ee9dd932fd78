//! `hoplab run --seeds N` and `hoplab merge`: the same scenario under many seeds, each a part that is kept,
//! so that what was interrupted goes on, and what several machines did is joined.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use hoplab_reports as reports;
use hoplab_reports::study::{Kind, Parts, Study};
use hoplab_sim::batch::{self, Panicked, Progress};
use hoplab_sim::join;
use hoplab_sim::record::Record;
use hoplab_sim::run::cores;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::{MergeArguments, RunArguments};
use crate::joining::{Joining, Missing};
use crate::{End, build, explore, run, sweep, terminal};

/// Runs `plan` with `count` seeds from its own on, and joins what they saw.
pub(crate) fn run(plan: &Arc<Plan>, count: u64, dir: &Path, arguments: &RunArguments) -> anyhow::Result<End> {
    let study = Study::of(Kind::Seeds, plan, count);
    let parts = study.open(dir, &build::name()?)?;
    arguments.machine.note_share(dir)?;
    let there = |seed: &u64| parts.has(&name(*seed));
    let (kept, missing): (Vec<u64>, Vec<u64>) =
        seeds(&study).filter(|seed| arguments.machine.takes(seed - study.seed)).partition(there);
    if !kept.is_empty() {
        eprintln!("{} of {} seeds are in {} already", kept.len(), kept.len() + missing.len(), dir.display());
    }
    run_missing(plan, &missing, &study, &parts, arguments)?;
    if let Some(shard) = arguments.machine.shard {
        let (done, of) = (kept.len() + missing.len(), dir.display());
        writeln!(anstream::stdout(), "shard {shard}: {done} of {count} seeds are in {of}")?;
        eprintln!("join the shards with: hoplab merge DIR… --out DIR");
        return Ok(End::Well);
    }
    finish(&Joining { study: &study, parts: &parts, dir, from: &[], json: arguments.json })
}

/// Joins the parts that lie in several folders.
pub(crate) fn merge(arguments: &MergeArguments) -> anyhow::Result<End> {
    let first = &arguments.dirs[0];
    let study = Study::read(first)?;
    for dir in &arguments.dirs[1..] {
        if Study::read(dir)? != study {
            bail!("{} and {} are not of the same study", first.display(), dir.display());
        }
    }
    let dir: PathBuf = arguments.out.clone().unwrap_or_else(|| first.clone());
    let parts = study.open(&dir, &build::name()?)?;
    for from in &arguments.dirs {
        parts.take_from(from)?;
    }
    let joining =
        Joining { study: &study, parts: &parts, dir: &dir, from: &arguments.dirs, json: arguments.json };
    match study.kind {
        Kind::Seeds => finish(&joining),
        Kind::Sweep => sweep::merge(&joining),
        Kind::Explore => explore::merge(&joining),
    }
}

fn seeds(study: &Study) -> impl Iterator<Item = u64> + use<> {
    study.seed..study.seed + study.seeds
}

fn name(seed: u64) -> String {
    format!("seed-{seed}")
}

/// Runs the `missing` seeds and keeps what each saw.
fn run_missing(
    plan: &Arc<Plan>,
    missing: &[u64],
    study: &Study,
    parts: &Parts,
    arguments: &RunArguments,
) -> anyhow::Result<()> {
    let mut failed = Ok(());
    each(plan, missing, arguments.machine.threads(), |seed, result| {
        let record = result.map(|record| join::kept(record, seed == study.seed));
        let put = record.map_err(anyhow::Error::from).and_then(|record| Ok(parts.put(&name(seed), &record)?));
        if let Err(error) = put {
            failed = Err(error.context(format!("seed {seed}")));
        }
    });
    failed
}

/// Runs `plan` with each of the `seeds`, on so many `threads`; `done` hears of each.
fn each(
    plan: &Arc<Plan>,
    seeds: &[u64],
    threads: NonZeroUsize,
    mut done: impl FnMut(u64, Result<Record, Panicked>) + Send,
) {
    let progress = Progress::default();
    progress.expect(plan, seeds.len() as u64);
    let seeded = |number: usize| {
        let seed = *seeds.get(number)?;
        Some(Arc::new(Plan { seed, ..Plan::clone(plan) }))
    };
    terminal::with_progress(&progress, || {
        batch::run(threads, &seeded, &progress, &mut |number, result| done(seeds[number], result));
    });
}

/// Joins all parts of a study and reports.
fn finish(joining: &Joining<'_>) -> anyhow::Result<End> {
    let &Joining { study, parts, dir, json, .. } = joining;
    let mut missing = Missing::default();
    let part = |seed: u64| missing.note(parts.get::<Record>(&name(seed)), seed - study.seed, &seed);
    let records: Vec<Record> = seeds(study).filter_map(part).collect();
    joining.whole(&missing, "seeds", study.seeds)?;
    let record = join::join(records)?;
    reports::write(&record, dir)?;
    run::show(&record, dir, json)
}

/// Runs `plan` again with `count` seeds, and joins what they see.
pub(crate) fn again(plan: &Arc<Plan>, count: u64) -> anyhow::Result<Record> {
    let seeds: Vec<u64> = (plan.seed..plan.seed + count).collect();
    let mut records = BTreeMap::new();
    let mut failed = Ok(());
    each(plan, &seeds, cores(), |seed, result| match result {
        Ok(record) => drop(records.insert(seed, join::kept(record, seed == plan.seed))),
        Err(panicked) => failed = Err(panicked),
    });
    failed?;
    Ok(join::join(records.into_values().collect())?)
}
