//! `hoplab run --seeds N` and `hoplab merge`: the same scenario under many seeds, each a part that is kept,
//! so that what was interrupted goes on, and what several machines did is joined.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use hoplab_reports::study::{Kind, Parts, Study};
use hoplab_sim::batch::{self, Panicked, Progress};
use hoplab_sim::join;
use hoplab_sim::record::Record;
use hoplab_sim::run::cores;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::{MergeArguments, RunArguments};
use crate::end::End;
use crate::interrupt::{self, First};
use crate::joining::{Failures, Joining, Missing};
use crate::{build, explore, place, sweep, terminal, verdict};

/// Runs `plan` with `count` seeds from its own on, and joins what they saw.
pub(crate) fn run(plan: &Arc<Plan>, count: u64, dir: &Path, arguments: &RunArguments) -> anyhow::Result<End> {
    let study = Study::of(Kind::Seeds, plan, count);
    let _claim = place::claim(dir, &[])?;
    let parts = place::open(&study, dir, &arguments.machine)?;
    interrupt::listen(First::Finishes("the seeds that run are finished"));
    let there = |seed: &u64| parts.has(&name(*seed));
    let (kept, missing): (Vec<u64>, Vec<u64>) =
        seeds(&study).filter(|seed| arguments.machine.takes(seed - study.seed)).partition(there);
    if !kept.is_empty() {
        eprintln!("{} of {} seeds are in {} already", kept.len(), kept.len() + missing.len(), dir.display());
    }
    run_missing(plan, &missing, &study, &parts, arguments)?;
    if let Some(shard) = arguments.machine.shard {
        let (done, of) = (seeds(&study).filter(there).count(), dir.display());
        writeln!(anstream::stdout(), "shard {shard}: {done} of {count} seeds are in {of}")?;
        if interrupt::is_asked() {
            return Ok(End::Interrupted);
        }
        eprintln!("join the shards with: hoplab merge DIR… --out DIR");
        return Ok(End::Well);
    }
    let joining = Joining { study: &study, parts: &parts, dir, from: &[], json: arguments.json };
    if interrupt::is_asked() { finish_partly(&joining) } else { finish(&joining) }
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
    let _claim = place::claim(&dir, &arguments.dirs)?;
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

/// What the part of a seed is called.
pub(crate) fn name(seed: u64) -> String {
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
    let mut failures = Failures::default();
    each(plan, missing, arguments.machine.threads(), |seed, result| {
        let kept = result.map_err(anyhow::Error::from).and_then(|record| {
            let record = join::kept(record, seed == study.seed);
            parts.put(&name(seed), &record).with_context(|| format!("seed {seed}"))
        });
        failures.note(seed, kept);
    });
    failures.first()
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
        let seed = *seeds.get(number).filter(|_| !interrupt::is_asked())?;
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
    report(records, dir, json)
}

/// Joins and reports what is there of a study that Ctrl-C ended: the seeds from the first on up to one that is missing.
fn finish_partly(joining: &Joining<'_>) -> anyhow::Result<End> {
    let &Joining { study, parts, dir, json, .. } = joining;
    let records: Vec<Record> = seeds(study).map_while(|seed| parts.get(&name(seed))).collect();
    let (done, of) = (seeds(study).filter(|seed| parts.has(&name(*seed))).count(), study.seeds);
    let joined = records.len() as u64;
    if joined > 0 {
        report(records, dir, json)?;
    }
    let (first, place) = (study.seed, dir.display());
    match joined {
        0 => eprintln!("stopped: {done} of {of} seeds are in {place}, and not the first: there is no report"),
        1 => eprintln!("stopped: this is seed {first} of {of} seeds alone; {done} of them are in {place}"),
        _ => {
            let last = first + joined - 1;
            eprintln!("stopped: these are the seeds {first} to {last} of {of} alone; {done} are in {place}");
        }
    }
    eprintln!("the same command goes on where it stopped");
    Ok(End::Interrupted)
}

fn report(records: Vec<Record>, dir: &Path, json: bool) -> anyhow::Result<End> {
    verdict::report(&join::join(records)?, dir, json)
}

/// Runs `plan` again with `count` seeds; what each saw, as its part has it.
pub(crate) fn again(plan: &Arc<Plan>, count: u64) -> anyhow::Result<Vec<Record>> {
    let seeds: Vec<u64> = (plan.seed..plan.seed + count).collect();
    let mut records = BTreeMap::new();
    let mut failures = Failures::default();
    each(plan, &seeds, cores(), |seed, result| {
        let kept = result.map(|record| drop(records.insert(seed, join::kept(record, seed == plan.seed))));
        failures.note(seed, kept.map_err(anyhow::Error::from));
    });
    failures.first()?;
    Ok(records.into_values().collect())
}
