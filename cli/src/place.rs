//! The folder that a command writes into: claimed before anything is simulated, so that a place that cannot be
//! written to costs no time, and two commands do not write into one.

use std::path::{Path, PathBuf};

use hoplab_reports::claim::Claim;
use hoplab_sim::scenario::plan::Plan;

/// Where a report on `plan` goes, unless it is said.
pub(crate) fn report_dir(out: Option<&Path>, plan: &Plan) -> PathBuf {
    out.map_or_else(|| Path::new("target/hoplab").join(&plan.name), Path::to_owned)
}

/// Claims `dir` for this command; one in which one of the `sources` lies may hold other files, too.
pub(crate) fn claim(dir: &Path, sources: &[PathBuf]) -> anyhow::Result<Claim> {
    let command: Vec<String> = std::env::args().collect();
    let who = format!("process {}: {}", std::process::id(), command.join(" "));
    Ok(Claim::of(dir, &who, sources)?)
}
