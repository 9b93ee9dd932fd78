//! Runs a plan: each architecture in a simulation of its own. What comes out depends on the plan alone.
//! Not here: how simulations share the machine's cores ([`crate::batch`]), and what each of them does
//! (`crate::simulation`).

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::batch::{self, Panicked};
use crate::lens::{Lens, Seen};
use crate::progress::Reached;
use crate::record::{self, Record};
use crate::scenario::plan::Plan;
use crate::simulation::simulate;

pub use crate::progress::Progress;

/// Runs `plan` under each of its architectures, on all of the machine's cores.
///
/// # Panics
/// As a simulation does that finds itself to be wrong.
pub fn run(plan: &Arc<Plan>, progress: &Progress) -> Record {
    run_on(cores(), plan, progress)
}

/// As [`run`], on so many `threads`.
///
/// # Panics
/// As [`run`].
pub fn run_on(threads: NonZeroUsize, plan: &Arc<Plan>, progress: &Progress) -> Record {
    batch::once(threads, plan, progress).unwrap_or_else(|panicked| panic!("{panicked}"))
}

/// As [`run`], and calls `disturb` on the simulation's thread every ten simulated milliseconds. Whatever
/// it does to the real machine, such as holding the thread up, must not change the record.
///
/// # Panics
/// As [`run`].
pub fn run_disturbed(plan: &Arc<Plan>, progress: &Progress, disturb: impl Fn() + Sync) -> Record {
    let record = batch::once_disturbed(cores(), plan, progress, &disturb);
    record.unwrap_or_else(|panicked| panic!("{panicked}"))
}

/// Runs `plan` under its architecture of this `index` alone, looking through `lens`, which changes nothing: the record
/// is that of [`run`].
pub fn look(
    plan: &Arc<Plan>,
    index: usize,
    lens: &Lens,
    progress: &Progress,
) -> Result<(record::Architecture, Seen), Panicked> {
    std::thread::scope(|scope| {
        let reached = Reached::nothing(progress);
        let simulation = scope.spawn(move || simulate(plan, index, &reached, &|| {}, lens));
        let simulated = simulation.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((simulated.seen, simulated.looked))
    })
}

/// How many simulations the machine can run at a time.
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
