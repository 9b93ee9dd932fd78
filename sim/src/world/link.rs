//! Links: what lies between two pods. Per direction a latency ([`weather`]), what a packet takes besides (jitter), what
//! it passes that has a bandwidth and a queue ([`pipe`]), and the impairments that come and go.
//!
//! Says of a packet when it is across, or that it is lost; what then becomes of it is not decided
//! here ([`super::wire`]).

mod pipe;
mod weather;

use std::collections::BTreeMap;
use std::time::Duration;

use hoplab_proxy::host::Instant;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::{PodConfig, PodId};
use crate::distribution::Distribution;
use crate::random;
use crate::scenario::plan::network::{Capacity, Network, ZoneId};
use pipe::{Passing, Pipe};
use weather::Weather;

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
    /// Packets take longer, as weather does.
    Latency {
        /// By how much.
        add: Distribution,
        /// For how long that stays alike.
        steady_for: Duration,
    },
    /// Packets are lost with this probability.
    Loss(f64),
}

/// An impairment that is or was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImpairmentId(usize);

/// One direction between two pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(usize);

/// All links.
pub(super) struct Links {
    network: Network,
    seed: u64,
    stands: Vec<Stand>,
    by_ends: BTreeMap<(PodId, PodId), LinkId>,
    all: Vec<Link>,
    pipes: Vec<Pipe>,
    by_place: BTreeMap<PipePlace, PipeId>,
    impairments: Vec<InForce>,
    /// Indexes of the impairments that have not been lifted.
    active: Vec<usize>,
}

/// Why a packet is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// An impairment has taken it.
    Impaired,
    /// A queue was full.
    Dropped,
}

/// Where a pod stands, and what its NIC carries.
struct Stand {
    key: u64,
    zone: Option<ZoneId>,
    nic: Option<Capacity>,
}

/// What a pipe is the bandwidth of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PipePlace {
    /// A pod's NIC, outwards.
    Sending(PodId),
    /// A zone's access, outwards.
    Leaving(ZoneId),
    /// From the one zone to the other.
    Trunk(ZoneId, ZoneId),
    /// A zone's access, inwards.
    Entering(ZoneId),
    /// A pod's NIC, inwards.
    Receiving(PodId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PipeId(usize);

struct Link {
    ends: (PodId, PodId),
    /// Names it in every world that has these two pods.
    key: u64,
    weather: Weather,
    jitter: Option<Jitter>,
    /// What a packet passes before the latency, in order.
    here: Vec<PipeId>,
    /// What it passes after that.
    there: Vec<PipeId>,
}

/// What each packet takes besides, drawn for itself.
struct Jitter {
    distribution: Distribution,
    random: ChaCha8Rng,
}

struct InForce {
    id: ImpairmentId,
    impairment: Impairment,
    hits: u64,
    random: ChaCha8Rng,
    /// What latency it adds to each link that has met it.
    weathers: BTreeMap<LinkId, Weather>,
}

impl Links {
    pub(super) fn new(network: Network, seed: u64, pods: &[PodConfig]) -> Self {
        let stands =
            pods.iter().map(|pod| Stand { key: random::key(&pod.name), zone: pod.zone, nic: pod.nic });
        Self {
            network,
            seed,
            stands: stands.collect(),
            by_ends: BTreeMap::new(),
            all: Vec::new(),
            pipes: Vec::new(),
            by_place: BTreeMap::new(),
            impairments: Vec::new(),
            active: Vec::new(),
        }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The link from one pod to another.
    pub(super) fn between(&mut self, from: PodId, to: PodId) -> LinkId {
        if let Some(&id) = self.by_ends.get(&(from, to)) {
            return id;
        }
        let id = LinkId(self.all.len());
        let (start, end) = (&self.stands[from.0], &self.stands[to.0]);
        let key = random::join(start.key, end.key);
        let line = self.network.line_between(start.zone, end.zone);
        let weather = weather(self.seed, "weather", key, 0);
        let weather = Weather::new(&line.latency, line.steady_for, weather);
        let jitter = line
            .jitter
            .clone()
            .map(|distribution| Jitter { distribution, random: random::stream(self.seed, "jitter", key, 0) });
        let [here, there] = self.places(from, to).map(|places| {
            places.into_iter().filter_map(|(place, capacity)| Some(self.pipe(place, capacity?))).collect()
        });
        self.all.push(Link { ends: (from, to), key, weather, jitter, here, there });
        self.by_ends.insert((from, to), id);
        id
    }

    /// What has a bandwidth, or could have one, between two pods: before the latency and after it.
    fn places(&self, from: PodId, to: PodId) -> [Vec<(PipePlace, Option<Capacity>)>; 2] {
        let (start, end) = (&self.stands[from.0], &self.stands[to.0]);
        let mut here = vec![(PipePlace::Sending(from), start.nic)];
        let mut there = Vec::new();
        let access = |zone: ZoneId| self.network.zones[zone.0].access;
        if start.zone != end.zone {
            here.extend(start.zone.map(|zone| (PipePlace::Leaving(zone), access(zone))));
            there.extend(end.zone.map(|zone| (PipePlace::Entering(zone), access(zone))));
        }
        if let (Some(from), Some(to)) = (start.zone, end.zone) {
            let between = self.network.between.iter().find(|between| between.joins(from, to));
            here.extend(between.map(|between| (PipePlace::Trunk(from, to), between.trunk)));
        }
        there.push((PipePlace::Receiving(to), end.nic));
        [here, there]
    }

    /// The pipe at a place, which all links share that lead by it.
    fn pipe(&mut self, place: PipePlace, capacity: Capacity) -> PipeId {
        *self.by_place.entry(place).or_insert_with(|| {
            self.pipes.push(Pipe::new(capacity));
            PipeId(self.pipes.len() - 1)
        })
    }

    /// When the last bit of a packet of `bytes`, headers included, that leaves now is across, or why it never is. Packets
    /// leave in order of time.
    pub(super) fn cross(&mut self, now: Instant, id: LinkId, bytes: u32) -> Result<Instant, Lost> {
        let link = &mut self.all[id.0];
        let mut packet = Passing::ready(now);
        for &PipeId(pipe) in &link.here {
            packet = self.pipes[pipe].pass(now, packet, bytes).ok_or(Lost::Dropped)?;
        }
        let left = packet.last;
        let mut delay = link.weather.delay(left);
        if let Some(Jitter { distribution, random }) = &mut link.jitter {
            delay += distribution.sample(random);
        }
        for &index in &self.active {
            let in_force = &mut self.impairments[index];
            if in_force.applies(link.ends) {
                delay += in_force.bite(self.seed, left, id, link.key).ok_or(Lost::Impaired)?;
            }
        }
        packet = packet.after(delay);
        for &PipeId(pipe) in &link.there {
            packet = self.pipes[pipe].pass(now, packet, bytes).ok_or(Lost::Dropped)?;
        }
        Ok(packet.last)
    }

    /// Packets that found a queue full.
    pub(super) fn dropped(&self) -> u64 {
        self.pipes.iter().map(Pipe::dropped).sum()
    }

    pub(super) fn impair(&mut self, impairment: Impairment) -> ImpairmentId {
        let id = self.impairments.len();
        let random = random::stream(self.seed, "impairment", id as u64, 0);
        let id = ImpairmentId(id);
        self.impairments.push(InForce { id, impairment, hits: 0, random, weathers: BTreeMap::new() });
        self.active.push(id.0);
        id
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

    /// How much longer it makes a packet take that left on a `link` of this key; `None` when the packet is lost.
    fn bite(&mut self, seed: u64, left: Instant, link: LinkId, key: u64) -> Option<Duration> {
        let delay = match &self.impairment.kind {
            ImpairmentKind::Partition => None,
            ImpairmentKind::Loss(share) => {
                if !random::happens(&mut self.random, *share) {
                    return Some(Duration::ZERO);
                }
                None
            }
            ImpairmentKind::Latency { add, steady_for } => {
                let ImpairmentId(index) = self.id;
                let weather = self.weathers.entry(link).or_insert_with(|| {
                    let key = weather(seed, "impairment weather", key, index as u64);
                    Weather::new(add, *steady_for, key)
                });
                Some(weather.delay(left))
            }
        };
        self.hits += 1;
        delay
    }
}

/// Names the weather of a link.
fn weather(seed: u64, purpose: &str, link: u64, number: u64) -> u64 {
    random::stream(seed, purpose, link, number).next_u64()
}

/// Whether one end is in `a` and the other in `b`.
pub(super) fn is_between((from, to): (PodId, PodId), a: &[PodId], b: &[PodId]) -> bool {
    (a.contains(&from) && b.contains(&to)) || (b.contains(&from) && a.contains(&to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::network::Line;

    fn links(network: Network, names: &[&str]) -> Links {
        let pod = |name: &&str| PodConfig {
            name: (*name).to_owned(),
            zone: None,
            nic: network.nic,
            containers: Vec::new(),
        };
        let pods: Vec<PodConfig> = names.iter().map(pod).collect();
        Links::new(network, 1, &pods)
    }

    fn network(latency: Distribution, jitter: Option<Distribution>) -> Network {
        Network {
            line: Line { jitter, ..Line::new(latency) },
            nic: None,
            zones: Vec::new(),
            between: Vec::new(),
        }
    }

    fn exponential() -> Distribution {
        Distribution::Exponential { mean: Duration::from_millis(10) }
    }

    /// When packets that leave at these milliseconds are across.
    fn arrivals(links: &mut Links, from: usize, to: usize, millis: impl Iterator<Item = u64>) -> Vec<u64> {
        let link = links.between(PodId(from), PodId(to));
        let across = |millis| links.cross(Instant::from_nanos(millis * 1_000_000), link, 100);
        millis.map(across).map(|at| at.expect("nothing is lost").nanos()).collect()
    }

    /// Whoever else is in the world, and however much is sent: what an architecture adds changes no weather.
    #[test]
    fn a_link_has_its_weather_in_every_world() {
        let mut small = links(network(exponential(), None), &["client-0", "order-0"]);
        let mut large = links(network(exponential(), None), &["client-0", "gateway-0", "order-0", "mail-0"]);
        let others = arrivals(&mut large, 0, 1, (0..1_000).step_by(2));
        let seldom = arrivals(&mut small, 0, 1, (0..1_000).step_by(10));
        let often = arrivals(&mut large, 0, 2, 0..1_000);
        assert_eq!(seldom, often.iter().copied().step_by(10).collect::<Vec<_>>());
        assert_ne!(others, often.iter().copied().step_by(2).collect::<Vec<_>>(), "each link has its own");
        assert!(often.is_sorted(), "nothing overtakes");
    }

    #[test]
    fn a_latency_fault_is_weather_too() {
        let fault = |steady_for| Impairment {
            a: vec![PodId(0)],
            b: vec![PodId(1)],
            kind: ImpairmentKind::Latency { add: exponential(), steady_for },
        };
        let none = Distribution::Constant(Duration::ZERO);
        let mut links = links(network(none, None), &["client-0", "order-0"]);
        let id = links.impair(fault(Duration::from_millis(40)));
        let there = arrivals(&mut links, 0, 1, 0..20_000);
        assert!(there.is_sorted(), "nothing overtakes");
        let delays = there.iter().zip(0..).map(|(at, left)| *at as f64 - f64::from(left) * 1e6);
        let mean = delays.sum::<f64>() / 20_000.0;
        assert!((mean - 10e6).abs() < 0.2e6, "{mean}");
        assert_eq!(links.hits(id), 20_000);
        let back = arrivals(&mut links, 1, 0, 20_000..20_100);
        assert_ne!(back[0] - 20_000_000_000, there[0], "each direction has its own");
    }

    #[test]
    fn jitter_reorders() {
        let jitter = Distribution::Uniform { from: Duration::ZERO, to: Duration::from_millis(5) };
        let constant = Distribution::Constant(Duration::from_millis(1));
        let mut links = links(network(constant, Some(jitter)), &["client-0", "order-0"]);
        let arrivals = arrivals(&mut links, 0, 1, 0..1_000);
        assert!(!arrivals.is_sorted());
        let longest = arrivals.iter().zip(0..).map(|(at, left)| at - left * 1_000_000).max();
        assert!((5_900_000..=6_000_000).contains(&longest.expect("some were sent")));
    }
}
