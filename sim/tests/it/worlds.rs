//! Small worlds for tests: pods `pod-0`, `pod-1`, … on one network.

use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{Observer, Report};
use hoplab_sim::costs::Costs;
use hoplab_sim::distribution::Distribution;
use hoplab_sim::journal::Journal;
use hoplab_sim::scenario::plan::{CongestionControl, Line, Network};
use hoplab_sim::stalls::Stalls;
use hoplab_sim::world::{Config, Container, ContainerKind, CoresOf, PodConfig, PodId, SimHost, World};

/// Hears nothing.
pub(crate) struct Deaf;

impl Observer for Deaf {
    fn observe(&self, report: Report) {
        assert!(!matches!(report, Report::Panicked), "a task panicked");
    }
}

/// Every link takes `latency`, however much is sent.
pub(crate) fn network(latency: Duration) -> Network {
    Network {
        line: Line::new(Distribution::Constant(latency)),
        nic: None,
        zones: Vec::new(),
        between: Vec::new(),
        congestion: CongestionControl::default(),
    }
}

/// A world of `count` pods without cores to wait for.
pub(crate) fn pods(network: Network, seed: u64, count: usize) -> Config {
    let containers = vec![Container { kind: ContainerKind::Application, cores: CoresOf::Own(None) }];
    let pod = |index| PodConfig {
        name: format!("pod-{index}"),
        zone: None,
        nic: network.nic,
        containers: containers.clone(),
    };
    let reported = Instant::START..Instant::from_nanos(u64::MAX);
    let pods = (0..count).map(pod).collect();
    Config { network, seed, journal: Journal::new(), stalls: Stalls::default(), pods, reported }
}

/// A handle to a pod in which nothing costs anything.
pub(crate) fn host(world: &World, pod: usize) -> SimHost {
    world.host(PodId(pod), ContainerKind::Application, Costs::default(), Arc::new(Deaf))
}
