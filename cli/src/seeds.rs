//! `hoplab run --seeds N`: the same scenario under many seeds, of which each is a piece of a study.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use hoplab_reports::study::{Kind, Study};
use hoplab_sim::batch::Progress;
use hoplab_sim::join;
use hoplab_sim::record::Record;
use hoplab_sim::run::cores;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::RunArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::study::{Missing, OpenStudy, end_of_share, run_each, seed_name};
use crate::verdict;

/// Runs `plan` with `count` seeds from its own on, and joins what they saw.
pub(crate) fn run(plan: &Arc<Plan>, count: u64, dir: &Path, arguments: &RunArguments) -> anyhow::Result<End> {
    let study = Study::of(Kind::Seeds, plan, count);
    let open = OpenStudy::open(study, dir, &arguments.machine, arguments.json)?;
    interrupt::listen(First::Finishes("the seeds that run are finished"));
    let (kept, missing) = open.share(seeds(&open.study), seed_name);
    if kept > 0 {
        eprintln!("{kept} of {} seeds are in {} already", kept + missing.len(), dir.display());
    }
    each(plan, &missing, open.machine.threads(), |seed, record| {
        let record = join::kept(record, seed == plan.seed);
        open.parts.put(&seed_name(seed), &record).with_context(|| format!("seed {seed}"))
    })?;
    if let Some(shard) = open.machine.shard {
        let done = open.done(seeds(&open.study), seed_name);
        return end_of_share(&format!("shard {shard}: {done} of {count} seeds are in {}", dir.display()));
    }
    if interrupt::is_asked() { finish_partly(&open) } else { finish(&open) }
}

fn seeds(study: &Study) -> impl Iterator<Item = u64> + use<> {
    study.seed..study.seed + study.seeds
}

/// Runs `plan` with each of the `seeds`, on so many `threads`; `keep` gets what each saw.
fn each(
    plan: &Arc<Plan>,
    seeds: &[u64],
    threads: NonZeroUsize,
    mut keep: impl FnMut(u64, Record) -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    let progress = Progress::default();
    progress.expect(plan, seeds.len() as u64);
    let seeded = |seed| Some(Arc::new(Plan { seed, ..Plan::clone(plan) }));
    run_each(threads, seeds, &progress, seeded, |seed, result| keep(seed, result?))
}

/// Joins all parts of a study and reports.
pub(crate) fn finish(open: &OpenStudy) -> anyhow::Result<End> {
    let OpenStudy { study, parts, .. } = open;
    let mut missing = Missing::default();
    let part = |seed: u64| missing.note(parts.get::<Record>(&seed_name(seed)), seed - study.seed, &seed);
    let records: Vec<Record> = seeds(study).filter_map(part).collect();
    open.whole(&missing, "seeds", study.seeds)?;
    verdict::report(&join::join(records)?, &open.dir, open.json)
}

/// Joins and reports what is there of a study that Ctrl-C ended: the seeds from the first on up to one that is missing.
fn finish_partly(open: &OpenStudy) -> anyhow::Result<End> {
    let OpenStudy { study, parts, dir, json, .. } = open;
    let records: Vec<Record> = seeds(study).map_while(|seed| parts.get(&seed_name(seed))).collect();
    let (done, of) = (open.done(seeds(study), seed_name), study.seeds);
    let joined = records.len() as u64;
    if joined > 0 {
        verdict::report(&join::join(records)?, dir, *json)?;
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

/// Runs `plan` again with `count` seeds; what each saw, as its part has it.
pub(crate) fn again(plan: &Arc<Plan>, count: u64) -> anyhow::Result<Vec<Record>> {
    let seeds: Vec<u64> = (plan.seed..plan.seed + count).collect();
    let mut records = BTreeMap::new();
    each(plan, &seeds, cores(), |seed, record| {
        records.insert(seed, join::kept(record, seed == plan.seed));
        Ok(())
    })?;
    Ok(records.into_values().collect())
}
