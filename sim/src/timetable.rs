//! The timetable of faults: switches each on and off at its time, and carries out those that are
//! done to the world rather than asked about by services.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use hoplab_proxy::host::{Host, Instant};

use crate::deployment::Deployment;
use crate::faults::{Faults, Place};
use crate::scenario::plan::{Between, Fault, FaultKind};
use crate::world::{Impairment, ImpairmentKind};

/// Carries out the faults of a run; never completes, so that whoever waits for the run's end goes on
/// as if there were none.
pub(crate) async fn run(deployment: &Deployment, faults: &Faults) -> Infallible {
    let plan = deployment.plan();
    join_all(
        plan.faults.iter().enumerate().map(|(index, fault)| carry_out(deployment, faults, index, fault)),
    )
    .await;
    std::future::pending().await
}

async fn carry_out(deployment: &Deployment, faults: &Faults, index: usize, fault: &Fault) {
    let host = deployment.client_host();
    let (start, end) = (Instant::START + fault.at, Instant::START + fault.at + fault.lasts);
    host.sleep_until(start).await;
    let world = deployment.world();
    world.journal().fault(start, &fault.name, true);
    match &fault.kind {
        FaultKind::Slow { target, times } => {
            let pods = deployment.pods_of(*target).into_iter().map(|pod| deployment.pod_id(pod));
            faults.slows(index, pods.map(|pod| (pod, world.slow(pod, *times))).collect());
            host.sleep_until(end).await;
            faults.slowdowns(index).iter().for_each(|(pod, id)| world.lift_slowdown(*pod, *id));
        }
        FaultKind::Error { .. } => {
            faults.switch(index, true);
            host.sleep_until(end).await;
            faults.switch(index, false);
        }
        FaultKind::Crash { target } => {
            let pods = deployment.pods_of(*target);
            for pod in &pods {
                deployment.hold(*pod);
                deployment.kill(*pod);
                faults.hit(index, 1);
            }
            host.sleep_until(end).await;
            for pod in pods {
                deployment.let_go(pod);
            }
        }
        FaultKind::Restart { target, drain, down } => {
            let pods = deployment.pods_of(*target);
            let turn = fault.lasts / u32::try_from(pods.len()).expect("pods are counted in 32 bits");
            for (pod, number) in pods.into_iter().zip(0..) {
                host.sleep_until(start + turn * number).await;
                restart(deployment, pod, *drain, *down).await;
                faults.hit(index, 1);
            }
            host.sleep_until(end).await;
        }
        FaultKind::Partition(between) => {
            impair(deployment, faults, index, *between, ImpairmentKind::Partition, end).await;
        }
        FaultKind::Latency { between, add } => {
            impair(deployment, faults, index, *between, ImpairmentKind::Latency(add.clone()), end).await;
        }
        FaultKind::Loss { between, share } => {
            impair(deployment, faults, index, *between, ImpairmentKind::Loss(*share), end).await;
        }
        FaultKind::Reset(between) => {
            let (a, b) = deployment.sides(*between);
            faults.hit(index, world.reset(&a, &b));
            host.sleep_until(end).await;
        }
    }
    world.journal().fault(end, &fault.name, false);
}

/// A pod that drains is told to stop, and is killed when its time is over, whether it is done or not. It is held from
/// the first on, so that one that crashes while it drains is not brought back for the rest of that.
async fn restart(deployment: &Deployment, place: Place, drain: Duration, down: Duration) {
    let host = deployment.client_host();
    let killed = host.now() + drain;
    deployment.hold(place);
    if !drain.is_zero() {
        deployment.stop_pod(place);
    }
    host.sleep_until(killed).await;
    deployment.kill(place);
    host.sleep_until(killed + down).await;
    deployment.let_go(place);
}

async fn impair(
    deployment: &Deployment,
    faults: &Faults,
    index: usize,
    between: Between,
    kind: ImpairmentKind,
    end: Instant,
) {
    let world = deployment.world();
    let (a, b) = deployment.sides(between);
    let id = world.impair(Impairment { a, b, kind });
    faults.impairs(index, id);
    deployment.client_host().sleep_until(end).await;
    world.lift(id);
}
