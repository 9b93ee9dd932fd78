//! One simulation: a plan under one of its architectures, from the building of its world to what is left behind.
//! Not here: what of it becomes a record, and how many there are at a time ([`crate::batch`]).

use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Host, Instant};

use crate::deployment::Deployment;
use crate::drain::{self, DRAIN};
use crate::expect;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::lens::{Lens, Seen};
use crate::network;
use crate::pairs::Ends;
use crate::panics::{self, Panic};
use crate::progress::Reached;
use crate::record;
use crate::recorder::{Limits, Recorder};
use crate::scenario::plan::Plan;
use crate::stalls::Stalls;
use crate::timetable;
use crate::world::{self, World};

/// What one simulation leaves behind.
pub(crate) struct Simulated {
    pub(crate) seen: record::Architecture,
    /// How its requests ended, to be compared with those of others.
    pub(crate) ends: Ends,
    /// What was asked to be looked at.
    pub(crate) looked: Seen,
}

/// A simulation panicked, which is a bug of hoplab: there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} (under {architecture}, seed {seed})", self.text())]
pub struct Panicked {
    /// Under which architecture.
    pub architecture: String,
    /// With which seed.
    pub seed: u64,
    /// In which pod; `None` for what belongs to no pod.
    pub pod: Option<String>,
    /// File, line and column.
    pub place: String,
    /// What the panic said.
    pub message: String,
}

impl Panicked {
    /// Who panicked, where and why, in one line.
    pub fn text(&self) -> String {
        let pod = self.pod.as_deref().unwrap_or("the simulation");
        let message: Vec<&str> = self.message.split_whitespace().collect();
        format!("{pod} panicked at {}: {}", self.place, message.join(" "))
    }
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
        let architecture = plan.architectures[index].name.to_string();
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
    let architecture = &plan.architectures[index];
    let (journal, stalls) = (Journal::new(), Stalls::default());
    let config = world::Config {
        network: plan.network.clone(),
        seed: plan.seed,
        journal: journal.clone(),
        stalls: stalls.clone(),
        pods: Deployment::pod_configs(plan, architecture),
        reported: Instant::START + plan.warmup..Instant::START + plan.duration,
    };
    world::run(config, |world: World| async move {
        let mut limits = Limits::default();
        if plan.architectures.len() == 1 {
            // There is nothing to compare its requests with.
            limits.ends = 0;
        }
        let recorder = Recorder::new(plan, architecture, limits, journal, stalls);
        lens.requests.iter().for_each(|wanted| recorder.look_at(wanted.clone()));
        world.look(lens);
        let faults = Faults::new(plan.faults.len());
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
        seen.network = network::network(&deployment.pods, plan);
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
