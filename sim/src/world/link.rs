//! Links: what lies between two pods. Per direction a latency distribution and a bandwidth with its
//! queue, and the impairments that come and go.
//!
//! Says of a packet when it is across, or that it is lost; what then becomes of it is not decided
//! here ([`super::wire`]).

use std::collections::BTreeMap;
use std::time::Duration;

use hoplab_proxy::host::Instant;
use rand::rngs::ChaCha8Rng;

use super::{PodConfig, PodId};
use crate::distribution::Distribution;
use crate::random;
use crate::scenario::plan::network::{CongestionControl, Network, ZoneId};

/// Something that goes wrong between two sets of pods, in both directions.
#[derive(Debug, Clone)]
pub struct Impairment {
    /// One side.
    pub a: Vec<PodId>,
    /// The other side.
    pub b: Vec<PodId>,
    /// What goes wrong.
    pub kind: ImpairmentKind,
}

/// What goes wrong on a wire.
#[derive(Debug, Clone)]
pub enum ImpairmentKind {
    /// Nothing passes.
    Partition,
    /// Packets take longer by this much.
    Latency(Distribution),
    /// Packets are lost with this probability.
    Loss(f64),
}

/// An impairment that is or was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImpairmentId(usize);

/// One direction between two pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(usize);

/// All links.
pub(super) struct Links {
    network: Network,
    seed: u64,
    stands: Vec<Stand>,
    by_ends: BTreeMap<(PodId, PodId), LinkId>,
    all: Vec<Link>,
    impairments: Vec<InForce>,
    /// Indexes of the impairments that have not been lifted.
    active: Vec<usize>,
}

/// Where a pod stands.
struct Stand {
    key: u64,
    zone: Option<ZoneId>,
}

struct Link {
    ends: (PodId, PodId),
    latency: Distribution,
    random: ChaCha8Rng,
    busy_until: Instant,
}

struct InForce {
    impairment: Impairment,
    hits: u64,
    random: ChaCha8Rng,
}

impl Links {
    pub(super) fn new(network: Network, seed: u64, pods: &[PodConfig]) -> Self {
        let stands = pods.iter().map(|pod| Stand { key: random::key(&pod.name), zone: pod.zone });
        Self {
            network,
            seed,
            stands: stands.collect(),
            by_ends: BTreeMap::new(),
            all: Vec::new(),
            impairments: Vec::new(),
            active: Vec::new(),
        }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// What the ends of connections do about congestion.
    pub(super) fn congestion(&self) -> CongestionControl {
        self.network.congestion
    }

    /// The link from one pod to another.
    pub(super) fn between(&mut self, from: PodId, to: PodId) -> LinkId {
        if let Some(&id) = self.by_ends.get(&(from, to)) {
            return id;
        }
        let id = LinkId(self.all.len());
        let (start, end) = (&self.stands[from.0], &self.stands[to.0]);
        let random = random::stream(self.seed, "wire", random::join(start.key, end.key), 0);
        let latency = self.latency(start.zone, end.zone).clone();
        self.all.push(Link { ends: (from, to), latency, random, busy_until: Instant::START });
        self.by_ends.insert((from, to), id);
        id
    }

    /// Between two zones, that of the two whose latency has the larger mean: the wire out of a far
    /// zone is long, whoever is at its other end, and a sum would count the stretch between twice.
    fn latency(&self, from: Option<ZoneId>, to: Option<ZoneId>) -> &Distribution {
        let zones = [from, to].into_iter().flatten().filter(|_| from != to);
        let latencies = zones.map(|ZoneId(zone)| &self.network.zones[zone].latency);
        latencies.max_by_key(|latency| latency.mean()).unwrap_or(&self.network.latency)
    }

    /// When a packet of `bytes`, headers included, that leaves now is across; `None` when it is lost.
    pub(super) fn cross(&mut self, now: Instant, link: LinkId, bytes: u32) -> Option<Instant> {
        let link = &mut self.all[link.0];
        let mut delay = Duration::ZERO;
        for &index in &self.active {
            let in_force = &mut self.impairments[index];
            if !in_force.applies(link.ends) {
                continue;
            }
            let lost = match &in_force.impairment.kind {
                ImpairmentKind::Partition => true,
                ImpairmentKind::Loss(share) => random::happens(&mut in_force.random, *share),
                ImpairmentKind::Latency(add) => {
                    delay += add.sample(&mut in_force.random);
                    in_force.hits += 1;
                    false
                }
            };
            if lost {
                in_force.hits += 1;
                return None;
            }
        }
        let mut left = now;
        if let Some(bits_per_second) = self.network.bandwidth {
            let nanos = u64::from(bytes) * 8 * 1_000_000_000 / bits_per_second.max(1);
            left = link.busy_until.max(now) + Duration::from_nanos(nanos);
            link.busy_until = left;
        }
        Some(left + delay + link.latency.sample(&mut link.random))
    }

    pub(super) fn impair(&mut self, impairment: Impairment) -> ImpairmentId {
        let id = self.impairments.len();
        let random = random::stream(self.seed, "impairment", id as u64, 0);
        self.impairments.push(InForce { impairment, hits: 0, random });
        self.active.push(id);
        ImpairmentId(id)
    }

    pub(super) fn lift(&mut self, id: ImpairmentId) {
        self.active.retain(|active| *active != id.0);
    }

    pub(super) fn hits(&self, id: ImpairmentId) -> u64 {
        self.impairments[id.0].hits
    }
}

impl InForce {
    fn applies(&self, ends: (PodId, PodId)) -> bool {
        is_between(ends, &self.impairment.a, &self.impairment.b)
    }
}

/// Whether one end is in `a` and the other in `b`.
pub(super) fn is_between((from, to): (PodId, PodId), a: &[PodId], b: &[PodId]) -> bool {
    (a.contains(&from) && b.contains(&to)) || (b.contains(&from) && a.contains(&to))
}
