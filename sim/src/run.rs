//! Runs a plan: each architecture in a simulation of its own. What comes out depends on the plan alone.
//! Not here: how simulations share the machine's cores ([`crate::batch`]).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Host, Instant};

use crate::batch::{self, Reached};
use crate::deployment::Deployment;
use crate::expect;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::lens::{Lens, Seen};
use crate::pairs::Ends;
use crate::record::{self, Record};
use crate::recorder::{Limits, Recorder};
use crate::scenario::plan::Plan;
use crate::stretches;
use crate::timetable;
use crate::world::{self, World};

pub use crate::batch::Progress;

/// The version that records name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long after the last request answers are waited for. Requests without an answer by then count as open.
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
) -> (record::Architecture, Seen) {
    std::thread::scope(|scope| {
        let reached = Reached::nothing(progress);
        let simulation = scope.spawn(move || simulate(plan, index, &reached, &|| {}, lens));
        let simulated = simulation.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (simulated.seen, simulated.looked)
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

/// One simulation, on this thread.
pub(crate) fn simulate(
    plan: &Arc<Plan>,
    index: usize,
    reached: &Reached,
    disturb: &(dyn Fn() + Sync),
    lens: &Lens,
) -> Simulated {
    let architecture = plan.architectures[index];
    let journal = Journal::new();
    let config = world::Config {
        network: plan.network.clone(),
        seed: plan.seed,
        journal: journal.clone(),
        pods: Deployment::pods(plan, architecture),
        reported: Instant::START + plan.warmup..Instant::START + plan.duration,
    };
    let mut simulated = world::run(config, |world: World| async move {
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
            drain(&recorder, &host, plan.duration).await;
        };
        let disturbing = async {
            loop {
                disturb();
                host.sleep_until(host.now() + Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            biased;
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
        Simulated { seen, ends: recorder.take_ends(), looked }
    });
    let seen = &mut simulated.seen;
    let reported = (plan.warmup.as_micros() as u64, plan.duration.as_micros() as u64);
    stretches::estimate(seen, window_us(plan), reported, !plan.faults.is_empty());
    seen.expectations = expect::judge(plan, index, seen);
    reached.now(Instant::START + plan.duration);
    simulated
}

/// The width of a record's windows, in microseconds.
pub(crate) fn window_us(plan: &Plan) -> u64 {
    crate::recorder::window_width(plan.duration).as_micros() as u64
}

/// Waits until every request has ended, or [`DRAIN`] is over.
async fn drain(recorder: &Recorder, host: &impl Host, duration: Duration) {
    let give_up = Instant::START + duration + DRAIN;
    while recorder.open() > 0 && host.now() < give_up {
        host.sleep_until(host.now() + Duration::from_millis(10)).await;
    }
}
