//! Runs a plan: each architecture in a simulation of its own, on a thread of its own, side by side
//! as far as there are cores. What comes out depends on the plan alone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplab_proxy::host::{Host, Instant};
use indexmap::IndexMap;

use crate::deployment::Deployment;
use crate::expect;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::record::{self, Record};
use crate::recorder::{Limits, Recorder};
use crate::scenario::plan::Plan;
use crate::timetable;
use crate::world::{self, World};

/// The version that records name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long after the last request answers are waited for. Requests without an answer by then count as open.
pub const DRAIN: Duration = Duration::from_secs(30);

/// How far a run has come, for whoever watches from another thread.
#[derive(Debug)]
pub struct Progress {
    /// Simulated microseconds, per architecture.
    reached_us: Vec<AtomicU64>,
    duration: Duration,
}

impl Progress {
    /// The progress of a run of `plan` that has not started.
    pub fn new(plan: &Plan) -> Self {
        let reached_us = plan.architectures.iter().map(|_| AtomicU64::new(0)).collect();
        Self { reached_us, duration: plan.duration }
    }

    /// Simulated time so far, summed over the architectures.
    pub fn done(&self) -> Duration {
        Duration::from_micros(self.reached_us.iter().map(|reached| reached.load(Ordering::Relaxed)).sum())
    }

    /// Simulated time in all.
    pub fn total(&self) -> Duration {
        self.duration * self.reached_us.len() as u32
    }

    fn reach(&self, architecture: usize, now: Instant) {
        self.reached_us[architecture].store(now.micros(), Ordering::Relaxed);
    }
}

/// Runs `plan` under each of its architectures.
pub fn run(plan: &Arc<Plan>, progress: &Progress) -> Record {
    run_disturbed(plan, progress, || {})
}

/// As [`run`], and calls `disturb` on the simulation's thread every ten simulated milliseconds. Whatever
/// it does to the real machine, such as holding the thread up, must not change the record.
pub fn run_disturbed(plan: &Arc<Plan>, progress: &Progress, disturb: impl Fn() + Sync) -> Record {
    let architectures = run_all(plan, progress, &disturb);
    let named = plan.architectures.iter().map(|architecture| architecture.name().to_owned());
    let architectures: IndexMap<_, _> = named.zip(architectures).collect();
    let digests = architectures.iter().map(|(name, seen)| (name.as_str(), seen.digest.as_str()));
    Record {
        schema: record::SCHEMA,
        version: VERSION.to_owned(),
        scenario: plan.name.clone(),
        title: plan.title.clone(),
        question: plan.question.clone(),
        sources: plan.sources.clone(),
        seed: plan.seed,
        seeds: None,
        scale: plan.scale,
        digest: Journal::digest_of(digests),
        duration_us: plan.duration.as_micros() as u64,
        warmup_us: plan.warmup.as_micros() as u64,
        window_us: crate::recorder::window_width(plan.duration).as_micros() as u64,
        graph: record::Graph::of(plan),
        faults: plan.faults.iter().map(|fault| record::Fault::of(plan, fault)).collect(),
        architectures,
        paired: IndexMap::new(),
    }
}

/// One simulation an architecture, no more at a time than there are cores, each on a fresh thread: some
/// libraries count per thread.
fn run_all(plan: &Arc<Plan>, progress: &Progress, disturb: &(impl Fn() + Sync)) -> Vec<record::Architecture> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(plan.architectures.len());
    let next = AtomicUsize::new(0);
    let results: Vec<_> = plan.architectures.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(result) = results.get(index) else { return };
                    let simulation = scope.spawn(move || simulate(plan, index, progress, disturb));
                    let seen = simulation.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
                }
            });
        }
    });
    let taken = results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
    taken.map(|seen| seen.expect("every simulation ran or panicked")).collect()
}

/// One simulation, on this thread.
fn simulate(
    plan: &Arc<Plan>,
    index: usize,
    progress: &Progress,
    disturb: &impl Fn(),
) -> record::Architecture {
    let architecture = plan.architectures[index];
    let journal = Journal::new();
    let config = world::Config {
        network: plan.network.clone(),
        seed: plan.seed,
        journal: journal.clone(),
        pods: Deployment::pods(plan, architecture),
    };
    let mut seen = world::run(config, |world: World| async move {
        let recorder = Recorder::new(plan, architecture, Limits::default(), journal);
        let faults = Faults::new(plan);
        let deployment = Deployment::start(&world, plan, architecture, &recorder, &faults);
        let timetable = timetable::run(&deployment, &faults);
        let host = deployment.client_host();
        let load = async {
            let clients = deployment.clients();
            clients.offer(|now| progress.reach(index, now)).await;
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
        seen.effort.packets = world.packets();
        seen.digest = world.journal().digest();
        seen
    });
    seen.expectations = expect::judge(plan, index, &seen);
    progress.reach(index, Instant::START + plan.duration);
    seen
}

/// Waits until every request has ended, or [`DRAIN`] is over.
async fn drain(recorder: &Recorder, host: &impl Host, duration: Duration) {
    let give_up = Instant::START + duration + DRAIN;
    while recorder.open() > 0 && host.now() < give_up {
        host.sleep_until(host.now() + Duration::from_millis(10)).await;
    }
}
