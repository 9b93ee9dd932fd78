//! `hoplab run`: reads a scenario, runs it, writes the report, prints the table.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use hoplab_reports as reports;
use hoplab_sim::batch::{self, Progress};
use hoplab_sim::record::{Expectation, Outcome, Record, Seeds};
use hoplab_sim::scenario::plan::Plan;
use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::RunArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::{place, seeds, terminal};

/// Runs a scenario. Nothing is written when it cannot be read.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<End> {
    let overrides = overrides(&arguments.arch, arguments.seed, arguments.scale);
    let Some(plan) = plan_of(&arguments.file, &overrides) else { return Ok(End::Unusable) };
    let dir = report_dir(arguments.out.as_deref(), &plan);
    match (arguments.seeds, arguments.machine.shard) {
        (Some(count), _) => seeds::run(&plan, count, &dir, arguments),
        (None, Some(_)) => bail!("--shard shares out seeds: say how many with --seeds"),
        (None, None) => {
            let progress = Progress::new(&plan);
            let threads = arguments.machine.threads();
            let claim = place::claim(&dir, &[])?;
            let leaving = claim.leaving();
            interrupt::listen(First::Ends(Box::new(move || {
                leaving.leave();
                eprintln!("stopped: a run that is not over leaves nothing to write");
            })));
            let record = terminal::with_progress(&progress, || batch::once(threads, &plan, &progress))?;
            let written = reports::write(&record, &dir);
            // What cannot be written is printed all the same.
            let end = show(&record, &dir, arguments.json)?;
            written?;
            Ok(end)
        }
    }
}

/// The plan of a scenario file; `None` when there is none. Says what is wrong with it, or worth a look.
pub(crate) fn plan_of(file: &Path, overrides: &Overrides) -> Option<Arc<Plan>> {
    match scenario::load(file, overrides) {
        Ok(plan) => {
            terminal::problems(&plan.warnings);
            Some(Arc::new(plan))
        }
        Err(problems) => {
            terminal::problems(&problems);
            None
        }
    }
}

/// Where a report on `plan` goes, unless it is said.
pub(crate) fn report_dir(out: Option<&Path>, plan: &Plan) -> PathBuf {
    out.map_or_else(|| Path::new("target/hoplab").join(&plan.name), Path::to_owned)
}

/// Prints what a record says, and judges it.
pub(crate) fn show(record: &Record, dir: &Path, json: bool) -> anyhow::Result<End> {
    let mut out = anstream::stdout();
    if json {
        writeln!(out, "{}", reports::Summary::of(record).to_json())?;
    } else {
        write!(out, "{}", reports::table(record, Some(dir), terminal::look()))?;
    }
    Ok(judge(record))
}

/// What the command line says over the file. An architecture that is asked for twice runs once.
pub(crate) fn overrides(architectures: &[String], seed: Option<u64>, scale: f64) -> Overrides {
    let mut asked = architectures.to_vec();
    asked.sort_by_key(|name| architectures.iter().position(|first| first == name));
    asked.dedup();
    Overrides { architectures: (!asked.is_empty()).then_some(asked), seed, scale }
}

/// The exit code that a record deserves; says on standard error why it is not 0.
pub(crate) fn judge(record: &Record) -> End {
    let untouched = record.untouched_faults();
    for fault in &untouched {
        eprintln!("invalid: fault \"{fault}\" touched nothing under any architecture it applies to");
    }
    if !untouched.is_empty() {
        return End::Invalid;
    }
    let all = || {
        let architectures = record.architectures.iter();
        architectures.flat_map(|(name, seen)| seen.expectations.iter().map(move |of| (name, of)))
    };
    for (name, expectation) in all() {
        let said = expectation.said();
        match expectation.outcome {
            Outcome::Holds => {}
            Outcome::Fails => {
                let seeds =
                    record.seeds.as_ref().map_or_else(String::new, |seeds| failed(expectation, seeds));
                eprintln!("unmet under {name}{seeds}: {}; seen: {said}", expectation.text);
            }
            Outcome::CannotBeJudged => {
                eprintln!("cannot be judged under {name}: {}; {said}", expectation.text);
            }
        }
    }
    Outcome::of_all(all().map(|(_, expectation)| expectation.outcome)).into()
}

/// In which of several seeds an expectation fails.
fn failed(expectation: &Expectation, seeds: &Seeds) -> String {
    if expectation.failed_in.is_empty() {
        return format!(" over {} seeds together", seeds.count());
    }
    let failed: Vec<String> = expectation.failed_in.iter().take(5).map(u64::to_string).collect();
    let more = if expectation.failed_in.len() > failed.len() { ", …" } else { "" };
    let (unmet, of) = (expectation.failed_in.len(), seeds.count());
    format!(" in {unmet} of {of} seeds ({}{more})", failed.join(", "))
}
