//! `hoplab replay`: looks whether every file of a run's folder is as it was left, runs the run again, from the texts
//! and the seed in its record, and compares every figure and every byte with what lies there.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use hoplab_reports as reports;
use hoplab_reports::alteration::{Alteration, Kind};
use hoplab_reports::study::{self, Study};
use hoplab_reports::{checksums, folder};
use hoplab_sim::batch::{self, Progress};
use hoplab_sim::join;
use hoplab_sim::record::{Record, VERSION};
use hoplab_sim::run;
use hoplab_sim::scenario::plan::Plan;
use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::ReplayArguments;
use crate::end::End;
use crate::study::seed_name;
use crate::{seeds, terminal};

/// Runs the record in a folder again; [`End::Invalid`] when anything differs.
pub(crate) fn replay(arguments: &ReplayArguments) -> anyhow::Result<End> {
    if !altered(&arguments.dir)?.is_empty() {
        return Ok(End::Invalid);
    }
    let recorded = reports::read(&arguments.dir)?;
    if recorded.version != VERSION {
        eprintln!("warning: recorded by hoplab {}, replayed by {}", recorded.version, VERSION);
    }
    let overrides = Overrides {
        architectures: Some(recorded.architectures.keys().cloned().collect()),
        seed: Some(recorded.seed),
        scale: recorded.scale,
    };
    let plan = match scenario::parse(&recorded.sources, &overrides) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => {
            terminal::problems(&problems);
            eprintln!("the scenario in the record cannot be read");
            return Ok(End::Invalid);
        }
    };
    let (fresh, parts) = if let Some(joined) = &recorded.seeds {
        let records = seeds::again(&plan, joined.count())?;
        let study = parts_differ(&plan, &records, &arguments.dir)?;
        (join::join(records)?, study)
    } else {
        let progress = Progress::new(&plan);
        (terminal::with_progress(&progress, || batch::once(run::cores(), &plan, &progress))?, Vec::new())
    };
    let mut differences = differences(&recorded, &fresh, &arguments.dir)?;
    differences.extend(parts);
    let mut out = anstream::stdout();
    if differences.is_empty() {
        writeln!(out, "same: digest {} (seed {})", fresh.digest, fresh.seed)?;
        return Ok(End::Well);
    }
    for difference in differences {
        writeln!(out, "differs: {difference}")?;
    }
    Ok(End::Invalid)
}

/// The files in `dir` that are not as they were left; says which.
fn altered(dir: &Path) -> anyhow::Result<Vec<Alteration>> {
    if !folder::holds(dir) {
        // Reading it says what is there instead.
        return Ok(Vec::new());
    }
    let (beside, altered): (Vec<Alteration>, Vec<Alteration>) =
        checksums::alterations(dir)?.into_iter().partition(|found| found.kind == Kind::Beside);
    for found in beside {
        eprintln!("note: {found}");
    }
    for found in &altered {
        writeln!(anstream::stdout(), "differs: {found}")?;
    }
    Ok(altered)
}

/// Which parts of the study in `dir` are not what the seeds' runs give; nothing when there is no such study.
fn parts_differ(plan: &Plan, records: &[Record], dir: &Path) -> anyhow::Result<Vec<String>> {
    if !Study::is_in(dir) {
        return Ok(Vec::new());
    }
    let study = Study::read(dir)?;
    let mut differences = Vec::new();
    // Of a study that was ended early there are fewer seeds.
    let asked = Study::of(study::Kind::Seeds, plan, study.seeds);
    if study != (Study { version: study.version.clone(), ..asked }) {
        return Ok(vec!["record/study.json is of another study than the record".to_owned()]);
    }
    let parts = study.parts_in(dir);
    for record in records {
        let name = seed_name(record.seed);
        match parts.of_any_build::<Record>(&name) {
            Some(part) if part == *record => {}
            Some(_) => differences.push(format!("record/parts/{name}.json is not that of the run")),
            None => differences.push(format!("record/parts/{name}.json is not there")),
        }
    }
    Ok(differences)
}

/// Where the record in `dir` and a fresh one differ, in words; empty when they are the same.
fn differences(recorded: &Record, fresh: &Record, dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut differences = Vec::new();
    for (name, again) in &fresh.architectures {
        match recorded.architectures.get(name) {
            Some(before) if before.digest != again.digest => {
                differences
                    .push(format!("{name}: digest {} was recorded, {} now", before.digest, again.digest));
            }
            Some(before) if before != again => {
                differences.push(format!("{name}: figures in the record are not those of the run"));
            }
            Some(_) => {}
            None => differences.push(format!("{name}: not in the record")),
        }
    }
    if recorded.digest != fresh.digest {
        differences.push(format!("digest {} was recorded, {} now", recorded.digest, fresh.digest));
    }
    if differences.is_empty() && recorded != fresh {
        differences.push("the record's description of the scenario is not that of its texts".to_owned());
    }
    for (name, bytes) in reports::write::files(fresh)? {
        let path = dir.join(&name);
        let there = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if there != bytes {
            differences.push(format!("{} is not that of the run", name.display()));
        }
    }
    Ok(differences)
}
