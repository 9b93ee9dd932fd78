//! Rings of proxies, to measure how fast worlds turn: real servers, forwarders and upstreams of
//! `hoplab-proxy` on every pod, each of which passes requests on to the next pod.
//!
//! A *crossing* is one request and its answer over one hop between two pods. `crossings.rs` measures
//! crossings a wall second; the tests here run the same rings at a tiny size. Not here: real sockets, which
//! are [`live`]'s.

pub mod live;
pub mod ring;

use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Endpoint, Host, Instant, Listener};
use hoplab_proxy::telemetry::{Observer, Report};
use hoplab_sim::costs::Costs;
use hoplab_sim::distribution::Distribution;
use hoplab_sim::journal::Journal;
use hoplab_sim::referee;
use hoplab_sim::scenario::plan::{Capacity, CongestionControl, Line, Network};
use hoplab_sim::stalls::Stalls;
use hoplab_sim::world::{self, Container, ContainerKind, CoresOf, PodConfig, PodId, SimHost, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use ring::{Ring, Turns};

/// One way, between any two pods of the world.
pub const LATENCY: Duration = Duration::from_micros(250);

const SEED: u64 = 1;

/// What came of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// How many crossings there were.
    pub crossings: u64,
    /// Simulated microseconds of each request, in the order of the walkers.
    pub latencies_us: Vec<u64>,
    /// The journal's digest; empty for the referee, which keeps none.
    pub digest: String,
}

/// Turns `ring` in a world whose links take `latency` and 10 Gbit/s.
pub fn in_the_world(ring: Ring, latency: Duration) -> Turned {
    let (latencies_us, digest) = world(ring.pods, latency, async |world| {
        let turns = Turns::new(ring);
        for pod in 0..ring.pods {
            let host = host(&world, pod);
            world.spawn(PodId(pod), &host, ring::pod(host.clone(), Arc::clone(&turns), pod));
        }
        turns.finished().await
    });
    Turned { crossings: ring.crossings(), latencies_us, digest }
}

/// Opens so many connections between two pods, one after the other, sends a byte over each, and keeps them all.
pub fn keep_connections(count: usize) {
    let endpoint = Endpoint::new(ring::name(0), 80);
    world(2, LATENCY, async |world| {
        let (server, client) = (host(&world, 0), host(&world, 1));
        let mut listener = server.bind(([0, 0, 0, 0], 80).into()).await.expect("the port is free");
        let mut kept = Vec::with_capacity(count);
        for _ in 0..count {
            let mut opened = client.connect(&endpoint).await.expect("the server listens");
            let mut accepted = listener.accept().await.expect("the client has connected").stream;
            opened.write_u8(1).await.expect("the server is there");
            accepted.read_u8().await.expect("the client has written");
            kept.push((opened, accepted));
        }
    });
}

/// What becomes of `main` in a world of so many pods, and the journal's digest.
fn world<T, F: Future<Output = T>>(
    pods: usize,
    latency: Duration,
    main: impl FnOnce(World) -> F,
) -> (T, String) {
    let nic = Some(Capacity { bits_per_second: 10_000_000_000, queue: None });
    let network = Network {
        line: Line::new(Distribution::Constant(latency)),
        nic,
        congestion: CongestionControl::default(),
        zones: Vec::new(),
        between: Vec::new(),
    };
    let container = Container { kind: ContainerKind::Application, cores: CoresOf::Own(None) };
    let pods = (0..pods).map(|pod| PodConfig {
        name: ring::name(pod),
        zone: None,
        nic,
        containers: vec![container],
    });
    let journal = Journal::new();
    let reported = Instant::START..Instant::from_nanos(u64::MAX);
    let config = world::Config {
        network,
        seed: SEED,
        journal: journal.clone(),
        stalls: Stalls::default(),
        pods: pods.collect(),
        reported,
    };
    (world::run(config, main), journal.digest())
}

fn host(world: &World, pod: usize) -> SimHost {
    world.host(PodId(pod), ContainerKind::Application, Costs::default(), Arc::new(Deaf))
}

/// Turns `ring` on the referee. Its latencies are whole milliseconds.
pub fn on_the_referee(ring: Ring, latency: Duration) -> Turned {
    let names: Vec<String> = (0..ring.pods).map(ring::name).collect();
    let turns = Turns::new(ring);
    let running = Arc::clone(&turns);
    let pod =
        move |host, index| -> referee::Program { Box::pin(ring::pod(host, Arc::clone(&running), index)) };
    let latencies_us = referee::run(latency, SEED, &names, pod, async move |_| turns.finished().await);
    Turned { crossings: ring.crossings(), latencies_us, digest: String::new() }
}

struct Deaf;

impl Observer for Deaf {
    fn observe(&self, report: Report) {
        assert!(!matches!(report, Report::Panicked), "a task panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::{Policing, Wires};

    fn tiny(wires: Wires) -> Ring {
        Ring { pods: 5, walkers: 4, requests: 3, hops: 4, wires, policies: Policing::Defaults }
    }

    /// A hop takes a round trip, and one more to connect in the clear. Nothing else takes time.
    #[test]
    fn warm_crossings_take_a_round_trip_each() {
        for wires in [Wires::Plain, Wires::Mutual] {
            let turned = in_the_world(tiny(wires), LATENCY);
            let warm: Vec<_> = turned.latencies_us.chunks(3).map(|requests| requests[2]).collect();
            // 1 KiB at 10 Gbit/s takes its time, too: rounded up to a microsecond a packet.
            assert!(warm.iter().all(|latency| (2_000..2_030).contains(latency)), "{wires:?}: {warm:?}");
        }
    }

    #[test]
    fn rings_repeat() {
        for wires in [Wires::Plain, Wires::Mutual] {
            let turned = in_the_world(tiny(wires), LATENCY);
            assert_eq!(turned, in_the_world(tiny(wires), LATENCY), "{wires:?}");
            assert_eq!(turned.crossings, 48);
        }
    }

    #[test]
    fn policies_that_do_not_act_change_no_latency() {
        for wires in [Wires::Plain, Wires::Mutual] {
            let policed = Ring { policies: Policing::All, ..tiny(wires) };
            let turned = in_the_world(policed, LATENCY);
            assert_eq!(turned.latencies_us, in_the_world(tiny(wires), LATENCY).latencies_us, "{wires:?}");
        }
    }

    /// The worlds agree on every request within the referee's grain, once for each message on the way.
    /// The referee's SYNs are answered in no time, so its first requests lack a latency for each hop.
    #[test]
    fn the_referee_agrees() {
        let latency = Duration::from_millis(10);
        for wires in [Wires::Plain, Wires::Mutual] {
            let ring = tiny(wires);
            let (world, referee) = (in_the_world(ring, latency), on_the_referee(ring, latency));
            assert_eq!(world.latencies_us.len(), referee.latencies_us.len());
            let pairs = world.latencies_us.iter().zip(&referee.latencies_us);
            let (hops, grain_us) = (ring.hops as u64, referee::GRAIN.as_micros() as u64);
            for (number, (world, referee)) in pairs.enumerate() {
                let is_first = number % ring.requests == 0;
                let messages = hops * if is_first { 8 } else { 2 };
                let connecting_us = if is_first { hops * latency.as_micros() as u64 } else { 0 };
                let agrees = (referee - messages * grain_us..=referee + connecting_us + messages * grain_us)
                    .contains(world);
                assert!(agrees, "{wires:?}: request {number} takes {world} µs, to the referee {referee}");
            }
        }
    }
}
