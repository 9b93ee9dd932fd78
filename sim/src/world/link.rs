//! Links: what lies between two pods. Per direction a latency ([`weather`]), what a packet takes besides (jitter), what
//! it passes that has a bandwidth and a queue ([`pipe`]), and the impairments that come and go.
//!
//! Says of a packet when it is across, or that it is lost; what then becomes of it is not decided
//! here ([`super::wire`]).

mod impairment;
mod pipe;
mod weather;

use std::collections::BTreeMap;

use hoplab_proxy::host::Instant;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::{PodConfig, PodId};
use crate::distribution::Distribution;
use crate::random;
use crate::scenario::plan::network::{Capacity, CongestionControl, Network, ZoneId};
pub(super) use impairment::ImpairmentId;
pub(super) use impairment::Lost;
pub(super) use impairment::is_between;
use impairment::{Departed, InForce};
pub use impairment::{Impairment, ImpairmentKind};
use pipe::{Passing, Pipe};
use weather::Weather;

/// One direction between two pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(usize);

impl LinkId {
    /// Counted from 0, in the order of their making.
    pub(super) fn index(self) -> usize {
        self.0
    }
}

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
    /// How many connections were opened over it.
    opened: u64,
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
        let key = random::join(start.key, end.key);
        let line = self.network.line_between(start.zone, end.zone);
        let weather = random::stream(self.seed, "weather", key, 0).next_u64();
        let weather = Weather::new(&line.latency, line.steady_for, weather);
        let jitter = line
            .jitter
            .clone()
            .map(|distribution| Jitter { distribution, random: random::stream(self.seed, "jitter", key, 0) });
        let [here, there] = self.places(from, to).map(|places| {
            places.into_iter().filter_map(|(place, capacity)| Some(self.pipe(place, capacity?))).collect()
        });
        self.all.push(Link { ends: (from, to), key, weather, jitter, opened: 0, here, there });
        self.by_ends.insert((from, to), id);
        id
    }

    /// A connection is opened over a link. What faults of a share of connections draw it by: the pods' names and how many
    /// there were before, which is the same in every world.
    pub(super) fn opened(&mut self, id: LinkId) -> u64 {
        let link = &mut self.all[id.0];
        link.opened += 1;
        random::join(link.key, link.opened)
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

    /// When the last bit of a packet with a payload of `bytes` that leaves now is across, or why it never is. Packets
    /// leave in order of time; `lot` is what their connection is drawn by.
    pub(super) fn cross(&mut self, now: Instant, id: LinkId, lot: u64, bytes: u32) -> Result<Instant, Lost> {
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
        let departed = Departed { now, left, bytes, link: link.key, ends: link.ends, lot };
        for &index in &self.active {
            let in_force = &mut self.impairments[index];
            if in_force.applies(&departed) {
                packet = in_force.bite(packet, &departed)?;
            }
        }
        packet = packet.after(delay);
        for &PipeId(pipe) in &link.there {
            packet = self.pipes[pipe].pass(now, packet, bytes).ok_or(Lost::Dropped)?;
        }
        Ok(packet.last)
    }

    /// The links that have been made, each with where it leads from and to.
    pub(super) fn all(&self) -> impl Iterator<Item = (LinkId, (PodId, PodId))> {
        self.all.iter().enumerate().map(|(index, link)| (LinkId(index), link.ends))
    }

    /// Packets that found a queue full.
    pub(super) fn dropped(&self) -> u64 {
        self.pipes.iter().map(Pipe::dropped).sum()
    }

    pub(super) fn impair(&mut self, impairment: Impairment) -> ImpairmentId {
        let index = self.impairments.len();
        self.impairments.push(InForce::new(impairment, self.seed, index as u64));
        self.active.push(index);
        ImpairmentId(index)
    }

    pub(super) fn lift(&mut self, id: ImpairmentId) {
        self.active.retain(|active| *active != id.0);
    }

    pub(super) fn hits(&self, id: ImpairmentId) -> u64 {
        self.impairments[id.0].hits()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::plan::network::{Line, Queue};
    use crate::scenario::plan::target::Ways;

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
            congestion: CongestionControl::default(),
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
        let across = |millis| links.cross(Instant::from_nanos(millis * 1_000_000), link, 0, 100);
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

    /// Something between the clients and `order-0`.
    fn impairment(kind: ImpairmentKind) -> Impairment {
        let (a, b) = (vec![PodId(0)], vec![PodId(1)]);
        Impairment { a, b, ways: Ways::Both, connections: 1.0, kind }
    }

    /// A network that takes no time.
    fn at_once() -> Links {
        links(network(Distribution::Constant(Duration::ZERO), None), &["client-0", "order-0"])
    }

    #[test]
    fn a_latency_fault_is_weather_too() {
        let mut links = at_once();
        let steady_for = Duration::from_millis(40);
        let id = links.impair(impairment(ImpairmentKind::Latency { add: exponential(), steady_for }));
        let there = arrivals(&mut links, 0, 1, (0..200_000).step_by(10));
        assert!(there.is_sorted(), "nothing overtakes");
        let delays = there.iter().zip(0..).map(|(at, number)| *at as f64 - f64::from(number) * 1e7);
        let mean = delays.sum::<f64>() / 20_000.0;
        assert!((mean - 10e6).abs() < 0.2e6, "{mean}");
        assert_eq!(links.hits(id), 20_000);
        let back = arrivals(&mut links, 1, 0, std::iter::once(0));
        assert_ne!(back[0], there[0], "each direction has its own");
    }

    #[test]
    fn a_partition_one_way_lets_pass_what_comes_back() {
        let mut links = at_once();
        let id = links.impair(Impairment { ways: Ways::Forth, ..impairment(ImpairmentKind::Partition) });
        let (there, back) = (links.between(PodId(0), PodId(1)), links.between(PodId(1), PodId(0)));
        assert_eq!(links.cross(Instant::START, there, 0, 100), Err(Lost::Impaired));
        assert_eq!(links.cross(Instant::START, back, 0, 100), Ok(Instant::START));
        assert_eq!(links.hits(id), 1);
        links.lift(id);
        assert_eq!(links.cross(Instant::START, there, 0, 100), Ok(Instant::START));
    }

    /// A byte takes a microsecond, each way.
    #[test]
    fn a_narrow_wire_is_shared_each_way() {
        let mut links = at_once();
        let capacity = Capacity { bits_per_second: 8_000_000, queue: Some(Queue::Packets(1)) };
        let id = links.impair(impairment(ImpairmentKind::Bandwidth(capacity)));
        let (there, back) = (links.between(PodId(0), PodId(1)), links.between(PodId(1), PodId(0)));
        let mut cross = |link| links.cross(Instant::START, link, 0, 100).map(Instant::micros);
        assert_eq!([there, there, there].map(&mut cross), [Ok(100), Ok(200), Err(Lost::Dropped)]);
        assert_eq!(cross(back), Ok(100));
        assert_eq!(links.hits(id), 4);
    }

    /// A connection is in it or not, for as long as it lasts and both ways.
    #[test]
    fn a_share_of_connections_is_drawn_once_for_each() {
        let mut links = at_once();
        links.impair(Impairment { connections: 0.3, ..impairment(ImpairmentKind::Partition) });
        let both = [links.between(PodId(0), PodId(1)), links.between(PodId(1), PodId(0))];
        let mut is_lost = |link, connection| links.cross(Instant::START, link, connection, 100).is_err();
        let lost = (0..10_000).filter(|connection| is_lost(both[0], *connection));
        let lost: Vec<u64> = lost.collect();
        assert!((2_850..3_150).contains(&lost.len()), "{}", lost.len());
        assert!(lost.iter().all(|connection| both.iter().all(|link| is_lost(*link, *connection))));
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
