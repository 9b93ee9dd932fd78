//! Runs a plan: each architecture in a simulation of its own. What comes out depends on the plan alone.
//! Not here: how simulations share the machine's cores ([`crate::batch`]).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Host, Instant};

use crate::batch::{self, Panicked, Reached};
use crate::deployment::Deployment;
use crate::drain;
use crate::expect;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::lens::{Lens, Seen};
use crate::pairs::Ends;
use crate::panics::{self, Panic};
use crate::record::{self, Record};
use crate::recorder::{Limits, Recorder};
use crate::scenario::plan::Plan;
use crate::timetable;
use crate::world::{self, World};

pub use crate::batch::Progress;

/// The version that records name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long after the load answers are waited for at least, and at most where no timeout says how long a request may
/// take. Requests without an answer by then are open.
pub const DRAIN: Duration = Duration::from_secs(30);

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

/// What one simulation leaves behind.
pub(crate) struct Simulated {
    pub(crate) seen: record::Architecture,
    /// How its requests ended, to be compared with those of others.
    pub(crate) ends: Ends,
    /// What was asked to be looked at.
    pub(crate) looked: Seen,
}

/// One simulation, on this thread, which should be a fresh one.
pub(crate) fn simulate(
    plan: &Arc<Plan>,
    index: usize,
    reached: &Reached,
    disturb: &(dyn Fn() + Sync),
    lens: &Lens,
) -> Result<Simulated, Panicked> {
    let simulated = panics::watch(|| {
        let mut simulated = in_a_world(plan, index, reached, disturb, lens)?;
        judge(&mut simulated.seen, plan, index);
        reached.now(Instant::START + plan.duration);
        Some(simulated)
    });
    simulated.map_err(|Panic { pod, place, message }| {
        let architecture = plan.architectures[index].name().to_owned();
        Panicked { architecture, seed: plan.seed, pod, place, message }
    })
}

/// Builds the world, runs it and takes it down. `None` when something in it panicked.
fn in_a_world(
    plan: &Arc<Plan>,
    index: usize,
    reached: &Reached,
    disturb: &(dyn Fn() + Sync),
    lens: &Lens,
) -> Option<Simulated> {
    let architecture = plan.architectures[index];
    let journal = Journal::new();
    let config = world::Config {
        network: plan.network.clone(),
        seed: plan.seed,
        journal: journal.clone(),
        pods: Deployment::pods(plan, architecture),
        reported: Instant::START + plan.warmup..Instant::START + plan.duration,
    };
    world::run(config, |world: World| async move {
        let mut limits = Limits::default();
        if plan.architectures.len() == 1 {
            // There is nothing to compare its requests with.
            limits.ends = 0;
        }
        let recorder = Recorder::new(plan, architecture, limits, journal);
        lens.requests.iter().for_each(|wanted| recorder.look_at(wanted.clone()));
        world.look(lens);
        let faults = Faults::new(plan);
        let deployment = Deployment::start(&world, plan, architecture, &recorder, &faults);
        let timetable = timetable::run(&deployment, &faults);
        let host = deployment.client_host();
        let load = async {
            let clients = deployment.clients();
            clients.offer(|now| reached.now(now)).await;
            drain::drain(&recorder, &host, plan, architecture).await;
        };
        let disturbing = async {
            while host.now() < Instant::START + plan.duration + DRAIN {
                disturb();
                host.sleep_until(host.now() + Duration::from_millis(10)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = panics::noted() => return None,
            () = load => {}
            never = timetable => match never {},
            () = disturbing => {}
        }
        let mut seen = recorder.finish();
        seen.faults = deployment.fault_hits(&faults);
        seen.resources = deployment.resources();
        seen.effort.packets = world.packets();
        seen.digest = world.journal().digest();
        let (requests, requests_found) = recorder.looked_at();
        let looked = Seen { requests, requests_found, ..world.seen() };
        Some(Simulated { seen, ends: recorder.take_ends(), looked })
    })
}

/// What can be said of the whole, once it is over.
fn judge(seen: &mut record::Architecture, plan: &Plan, index: usize) {
    seen.expectations = expect::judge(plan, index, seen);
}
