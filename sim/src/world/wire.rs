//! The wire: decides when each packet arrives. Per ordered pair of pods a latency distribution and a
//! bandwidth, and impairments that come and go.
//!
//! TCP never loses bytes, it loses time. A segment that is lost, or meets a partition, is tried again
//! one retransmission timeout later (200 ms, doubling; a SYN 1 s, doubling: RFC 6298 with Linux's
//! minimum), and everything behind it in its flow waits for it. Packets of one flow stay in order.
//! Owns no socket and no clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::host::Instant;
use rand::rngs::ChaCha8Rng;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

use super::PodId;
use crate::distribution::Distribution;
use crate::journal::{Departure, Journal};
use crate::random;
use crate::scenario::plan::{Network, ZoneId};

/// The longest pause between two retransmissions, Linux's `TCP_RTO_MAX`.
const RTO_MAX: Duration = Duration::from_secs(120);

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
    /// Segments with content, SYN or FIN are lost with this probability. Bare acknowledgements are
    /// not: the next one makes up for a lost one.
    Loss(f64),
}

/// An impairment that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImpairmentId(usize);

/// A connection, from the side that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// Something that has come due.
pub(super) enum Due {
    /// A packet has arrived.
    Packet(Packet),
    /// A lost segment was sent again; it arrives later.
    Retried,
}

/// All wires.
pub(super) struct Wire {
    network: Network,
    seed: u64,
    journal: Journal,
    pods: Vec<Stand>,
    by_address: BTreeMap<IpAddr, PodId>,
    by_name: BTreeMap<String, PodId>,
    links: BTreeMap<(PodId, PodId), Link>,
    flows: BTreeMap<FlowKey, Flow>,
    /// How many flows there were after the last clean-up.
    flows_kept: usize,
    queue: BinaryHeap<Reverse<Queued>>,
    sequence: u64,
    packets: u64,
    impairments: Vec<InForce>,
    connections: BTreeSet<Connection>,
    egress: Vec<Packet>,
}

/// Where a pod stands.
struct Stand {
    name: String,
    address: IpAddr,
    zone: Option<ZoneId>,
}

/// One direction between two pods.
struct Link {
    latency: Distribution,
    random: ChaCha8Rng,
    busy_until: Instant,
}

/// One direction of a connection.
type FlowKey = (SocketAddr, SocketAddr);

#[derive(Default)]
struct Flow {
    last_arrival: Instant,
    /// Segments behind one that is being retransmitted.
    held: VecDeque<Packet>,
    retransmitting: bool,
}

struct InForce {
    impairment: Impairment,
    lifted: bool,
    hits: u64,
    random: ChaCha8Rng,
}

struct Queued {
    at: Instant,
    sequence: u64,
    event: Event,
}

enum Event {
    Arrival(Packet),
    Retransmission { packet: Packet, attempt: u32 },
}

impl Wire {
    pub(super) fn new(network: Network, seed: u64, journal: Journal) -> Self {
        Self {
            network,
            seed,
            journal,
            pods: Vec::new(),
            by_address: BTreeMap::new(),
            by_name: BTreeMap::new(),
            links: BTreeMap::new(),
            flows: BTreeMap::new(),
            flows_kept: 0,
            queue: BinaryHeap::new(),
            sequence: 0,
            packets: 0,
            impairments: Vec::new(),
            connections: BTreeSet::new(),
            egress: Vec::new(),
        }
    }

    pub(super) fn add_pod(&mut self, name: &str, address: IpAddr, zone: Option<ZoneId>) {
        let id = PodId(self.pods.len());
        self.by_address.insert(address, id);
        self.by_name.insert(name.to_owned(), id);
        self.pods.push(Stand { name: name.to_owned(), address, zone });
    }

    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        self.by_name.get(name).map(|id| self.pods[id.0].address)
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    pub(super) fn opened(&mut self, connection: Connection) {
        self.connections.insert(connection);
    }

    pub(super) fn closed(&mut self, connection: Connection) {
        self.connections.remove(&connection);
    }

    pub(super) fn impair(&mut self, impairment: Impairment) -> ImpairmentId {
        let id = ImpairmentId(self.impairments.len());
        let random = random::stream(self.seed, "impairment", id.0 as u64, 0);
        self.impairments.push(InForce { impairment, lifted: false, hits: 0, random });
        id
    }

    pub(super) fn lift(&mut self, id: ImpairmentId) {
        self.impairments[id.0].lifted = true;
    }

    pub(super) fn hits(&self, id: ImpairmentId) -> u64 {
        self.impairments[id.0].hits
    }

    /// The RST segments that tear down every connection between two sets of pods, for both ends.
    pub(super) fn resets(&self, a: &[PodId], b: &[PodId]) -> Vec<Packet> {
        let between = |connection: &&Connection| {
            let (from, to) = (self.pod_at(connection.from.ip()), self.pod_at(connection.to.ip()));
            let (Some(from), Some(to)) = (from, to) else { return false };
            (a.contains(&from) && b.contains(&to)) || (b.contains(&from) && a.contains(&to))
        };
        let ends = |connection: &Connection| {
            [reset(connection.from, connection.to), reset(connection.to, connection.from)]
        };
        self.connections.iter().filter(between).flat_map(ends).collect()
    }

    /// Takes the packets that the kernels want to send at `now`.
    pub(super) fn collect(&mut self, now: Instant, egress: impl FnOnce(&mut Vec<Packet>)) {
        let mut packets = std::mem::take(&mut self.egress);
        egress(&mut packets);
        for packet in packets.drain(..) {
            self.send(now, packet);
        }
        self.egress = packets;
    }

    /// The next thing that is due at `now`.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Due> {
        if self.queue.peek()?.0.at > now {
            return None;
        }
        let Reverse(queued) = self.queue.pop()?;
        match queued.event {
            Event::Arrival(packet) => Some(Due::Packet(packet)),
            Event::Retransmission { packet, attempt } => {
                self.retransmit(queued.at, packet, attempt);
                Some(Due::Retried)
            }
        }
    }

    /// When something is due next.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(queued)| queued.at)
    }

    fn pod_at(&self, address: IpAddr) -> Option<PodId> {
        self.by_address.get(&address).copied()
    }

    /// A packet leaves its pod.
    fn send(&mut self, now: Instant, packet: Packet) {
        let Transport::Tcp(segment) = &packet.payload else { return };
        let (Some(from), Some(to)) = (self.pod_at(packet.src), self.pod_at(packet.dst)) else { return };
        self.packets += 1;
        let flags = segment.flags;
        self.journal.packet(Departure {
            at: now,
            pods: (from.0, to.0),
            ports: (segment.src_port, segment.dst_port),
            length: segment.payload.len(),
            flags: u8::from(flags.syn)
                | u8::from(flags.ack) << 1
                | u8::from(flags.fin) << 2
                | u8::from(flags.rst) << 3,
        });
        self.forget_idle_flows(now);
        let flow = self.flows.entry(flow_key(&packet)).or_default();
        if flow.retransmitting {
            flow.held.push_back(packet);
        } else {
            self.attempt(now, (from, to), packet, 0);
        }
    }

    /// Sends a packet, for the first time or again; it arrives, or is tried again later.
    fn attempt(&mut self, now: Instant, ends: (PodId, PodId), packet: Packet, attempt: u32) {
        let key = flow_key(&packet);
        if self.is_lost(ends, &packet) {
            self.flows.entry(key).or_default().retransmitting = true;
            let at = now + retransmission_timeout(&packet, attempt);
            self.push(at, Event::Retransmission { packet, attempt: attempt + 1 });
            return;
        }
        let arrival = self.crossing(now, ends, packet.size());
        let flow = self.flows.entry(key).or_default();
        flow.last_arrival = flow.last_arrival.max(arrival);
        let at = flow.last_arrival;
        self.push(at, Event::Arrival(packet));
    }

    /// A lost segment is sent again; once it passes, so does what waited behind it.
    fn retransmit(&mut self, now: Instant, packet: Packet, attempt: u32) {
        let key = flow_key(&packet);
        let (Some(from), Some(to)) = (self.pod_at(packet.src), self.pod_at(packet.dst)) else { return };
        self.flows.entry(key).or_default().retransmitting = false;
        self.attempt(now, (from, to), packet, attempt);
        while let Some(flow) = self.flows.get_mut(&key)
            && !flow.retransmitting
            && let Some(next) = flow.held.pop_front()
        {
            self.attempt(now, (from, to), next, 0);
        }
    }

    /// Whether an impairment takes the packet; counts those that do something to it.
    fn is_lost(&mut self, ends: (PodId, PodId), packet: &Packet) -> bool {
        let carries = carries(packet);
        self.impairments.iter_mut().any(|in_force| {
            let lost = in_force.applies(ends)
                && match in_force.impairment.kind {
                    ImpairmentKind::Partition => true,
                    ImpairmentKind::Latency(_) => false,
                    ImpairmentKind::Loss(share) => carries && random::happens(&mut in_force.random, share),
                };
            in_force.hits += u64::from(lost);
            lost
        })
    }

    /// When a packet of `bytes` that leaves now is across.
    fn crossing(&mut self, now: Instant, ends: (PodId, PodId), bytes: u32) -> Instant {
        if !self.links.contains_key(&ends) {
            self.links.insert(ends, self.link(ends));
        }
        let link = self.links.get_mut(&ends).expect("inserted above");
        let mut left = now;
        if let Some(bits_per_second) = self.network.bandwidth {
            let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(bits_per_second);
            left = link.busy_until.max(now) + Duration::from_nanos(nanos as u64);
            link.busy_until = left;
        }
        let mut arrival = left + link.latency.sample(&mut link.random);
        for in_force in self.impairments.iter_mut().filter(|in_force| in_force.applies(ends)) {
            if let ImpairmentKind::Latency(add) = &in_force.impairment.kind {
                arrival = arrival + add.sample(&mut in_force.random);
                in_force.hits += 1;
            }
        }
        arrival
    }

    /// The wire from one pod to another: the longer latency of the zones that it leaves or enters.
    fn link(&self, (from, to): (PodId, PodId)) -> Link {
        let (from, to) = (&self.pods[from.0], &self.pods[to.0]);
        let zones = [from.zone, to.zone].into_iter().flatten().filter(|_| from.zone != to.zone);
        let latency = zones
            .map(|ZoneId(zone)| &self.network.zones[zone].latency)
            .max_by_key(|latency| latency.mean())
            .unwrap_or(&self.network.latency)
            .clone();
        let key = random::join(random::key(&from.name), random::key(&to.name));
        Link { latency, random: random::stream(self.seed, "wire", key, 0), busy_until: Instant::START }
    }

    fn push(&mut self, at: Instant, event: Event) {
        // The clock's grain is a microsecond; rounding up keeps the order.
        let at = Instant::from_nanos(at.nanos().div_ceil(1_000) * 1_000);
        self.sequence += 1;
        self.queue.push(Reverse(Queued { at, sequence: self.sequence, event }));
    }

    /// A flow matters only while something of it is on its way.
    fn forget_idle_flows(&mut self, now: Instant) {
        if self.flows.len() > 2 * self.flows_kept + 1_024 {
            self.flows.retain(|_, flow| flow.last_arrival >= now || flow.retransmitting);
            self.flows_kept = self.flows.len();
        }
    }
}

impl InForce {
    fn applies(&self, (from, to): (PodId, PodId)) -> bool {
        let Impairment { a, b, .. } = &self.impairment;
        !self.lifted && ((a.contains(&from) && b.contains(&to)) || (b.contains(&from) && a.contains(&to)))
    }
}

fn flow_key(packet: &Packet) -> FlowKey {
    match &packet.payload {
        Transport::Tcp(segment) => {
            (SocketAddr::new(packet.src, segment.src_port), SocketAddr::new(packet.dst, segment.dst_port))
        }
        Transport::Udp(datagram) => {
            (SocketAddr::new(packet.src, datagram.src_port), SocketAddr::new(packet.dst, datagram.dst_port))
        }
    }
}

/// Whether a segment must arrive: a bare acknowledgement need not.
fn carries(packet: &Packet) -> bool {
    match &packet.payload {
        Transport::Tcp(segment) => !segment.payload.is_empty() || segment.flags.syn || segment.flags.fin,
        Transport::Udp(_) => true,
    }
}

/// The pause before the retransmission that follows `attempt` vain ones.
fn retransmission_timeout(packet: &Packet, attempt: u32) -> Duration {
    let is_syn = matches!(&packet.payload, Transport::Tcp(segment) if segment.flags.syn);
    let first = if is_syn { Duration::from_secs(1) } else { Duration::from_millis(200) };
    first.saturating_mul(1 << attempt.min(16)).min(RTO_MAX)
}

/// A RST that reaches `to` as if `from` had sent it.
fn reset(from: SocketAddr, to: SocketAddr) -> Packet {
    let flags = TcpFlags { rst: true, ..TcpFlags::default() };
    let segment = TcpSegment {
        src_port: from.port(),
        dst_port: to.port(),
        seq: 0,
        ack: 0,
        flags,
        window: 0,
        payload: Bytes::new(),
    };
    Packet { src: from.ip(), dst: to.ip(), ttl: 64, payload: Transport::Tcp(segment) }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
