//! The timetable of faults: begins each at its time, and notes when it began and ended. Not here: what a fault does
//! meanwhile ([`crate::fault`]).

use std::convert::Infallible;

use futures_util::future::join_all;
use hoplab_proxy::host::{Host, Instant};

use crate::deployment::Deployment;
use crate::fault::Run;
use crate::faults::Faults;
use crate::scenario::plan::Fault;

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
    let (start, end) = (Instant::START + fault.at, Instant::START + fault.at + fault.lasts);
    let host = deployment.client_host();
    host.sleep_until(start).await;
    // What ends at this instant ends first, and what starts anew because of it has started.
    if deployment.plan().faults.iter().any(|other| other.at + other.lasts == fault.at) {
        tokio::task::yield_now().await;
    }
    let pods = &deployment.pods;
    let journal = pods.world().journal();
    journal.fault(start, &fault.name, true);
    let start_pod = &|pod| deployment.start_pod(pod);
    fault.kind.run(&Run { pods, start_pod, host, faults, index, start, end }).await;
    journal.fault(end, &fault.name, false);
}
