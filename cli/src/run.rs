//! `hoplab run`: reads a scenario, runs it once or hands it on to be run with many seeds, and reports.

use anyhow::bail;
use hoplab_sim::batch::{self, Progress};

use crate::arguments::RunArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::plan::{overrides, plan_of};
use crate::{place, seeds, terminal, verdict};

/// Runs a scenario. Nothing is written when it cannot be read.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<End> {
    let overrides = overrides(&arguments.arch, arguments.seed, arguments.scale);
    let Some(plan) = plan_of(&arguments.file, &overrides) else { return Ok(End::Unusable) };
    let dir = place::report_dir(arguments.out.as_deref(), &plan);
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
            verdict::report(&record, &dir, arguments.json)
        }
    }
}
