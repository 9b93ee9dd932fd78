//! `hoplab replay`: runs a recorded run again, from the texts and the seed in the record, and
//! compares everything that was recorded.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use hoplab_reports as reports;
use hoplab_sim::record::Record;
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::ReplayArguments;
use crate::{End, seeds, terminal};

/// Runs the record in a folder again; [`End::Invalid`] when anything differs.
pub(crate) fn replay(arguments: &ReplayArguments) -> anyhow::Result<End> {
    let recorded = reports::read(&arguments.dir)?;
    if recorded.version != run::VERSION {
        eprintln!("warning: recorded by hoplab {}, replayed by {}", recorded.version, run::VERSION);
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
    let fresh = if let Some(joined) = &recorded.seeds {
        seeds::again(&plan, joined.count())?
    } else {
        let progress = Progress::new(&plan);
        terminal::with_progress(&progress, || run::run(&plan, &progress))
    };
    let differences = differences(&recorded, &fresh, &arguments.dir)?;
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
    let path = dir.join("summary.json");
    let summary =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if summary.trim_end() != reports::Summary::of(fresh).to_json().trim_end() {
        differences.push("summary.json is not that of the run".to_owned());
    }
    Ok(differences)
}
