//! The wire: carries packets from kernel to kernel, and keeps what is under way.
//!
//! TCP never loses bytes, it loses time. A segment that is lost, or meets a partition, is tried again
//! one retransmission timeout later (200 ms, doubling; a SYN 1 s, doubling: RFC 6298 with Linux's
//! minimum), and everything behind it in its flow waits for it. A lost acknowledgement is made good
//! by whatever follows it. Packets of one flow stay in order.
//!
//! An acknowledgement that changes nothing that anyone sees wakes nobody: it is delivered with the
//! next thing that is. Owns no socket and no clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::host::Instant;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

use super::connection::{Connections, Departed, End, FlowId};
use super::link::{Links, is_between};
use super::meter::{ContainerKind, Meters};
use super::standstill::Standstill;
use super::tap::Tap;
use super::{PodConfig, PodId, lock};
use crate::journal::{Departure, Journal};
use crate::scenario::plan::network::Network;

/// The first pause before a segment is sent again: Linux's `TCP_RTO_MIN`.
const RETRANSMISSION_TIMEOUT: Duration = Duration::from_millis(200);
/// The first pause before a SYN or its answer is sent again (RFC 6298, 2.1).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest pause: Linux's `TCP_RTO_MAX`.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);

/// What is under way between pods.
pub(super) struct Wire {
    pub(super) links: Links,
    journal: Journal,
    by_name: BTreeMap<String, PodId>,
    connections: Connections,
    connects: Connects,
    queue: BinaryHeap<Reverse<Queued>>,
    /// When the courier has to come, in microseconds; some of these may be needless.
    alarms: BinaryHeap<Reverse<u64>>,
    /// When the courier will come, and how to tell it to come earlier.
    armed: Option<(u64, Waker)>,
    sequence: u64,
    retransmissions: u64,
    packets: u64,
    meters: Arc<Mutex<Meters>>,
    /// Per pod, whose its traffic is.
    senders: Vec<ContainerKind>,
    /// Whether anything happened since the last drain that a kernel may have something to send for.
    touched: bool,
    /// Flows that are looked at after each drain.
    watched: Vec<FlowId>,
    /// Set while somebody looks at packets.
    pub(super) tap: Option<Tap>,
    /// Whether time passes.
    pub(super) standstill: Standstill,
    /// A buffer for packets, to be used again.
    buffer: Vec<Packet>,
}

struct Queued {
    at_us: u64,
    sequence: u64,
    flow: FlowId,
    event: Event,
}

enum Event {
    Arrival(Departed),
    /// The retransmission of this name is due, after so many vain attempts.
    Retransmission {
        name: u64,
        vain: u32,
    },
}

impl Wire {
    pub(super) fn new(
        network: Network,
        seed: u64,
        journal: Journal,
        meters: Arc<Mutex<Meters>>,
        pods: &[PodConfig],
    ) -> Self {
        let outermost =
            |pod: &PodConfig| pod.containers.last().map_or(ContainerKind::Client, |last| last.kind);
        let names = pods.iter().enumerate().map(|(index, pod)| (pod.name.clone(), PodId(index)));
        Self {
            links: Links::new(network, seed, pods),
            journal,
            by_name: names.collect(),
            connections: Connections::default(),
            connects: Connects {
                by_pod: pods.iter().map(|_| VecDeque::new()).collect(),
                ..Connects::default()
            },
            queue: BinaryHeap::new(),
            alarms: BinaryHeap::new(),
            armed: None,
            sequence: 0,
            retransmissions: 0,
            packets: 0,
            meters,
            senders: pods.iter().map(outermost).collect(),
            touched: false,
            watched: Vec::new(),
            tap: None,
            standstill: Standstill::default(),
            buffer: Vec::new(),
        }
    }

    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        self.by_name.get(name).map(|pod| pod.address())
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// A socket did something that its kernel may have to send something for.
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// The socket at `local` refers to its flow from now on; `None` within a pod.
    pub(super) fn hold(&mut self, local: SocketAddr, peer: SocketAddr) -> Option<FlowId> {
        let (local, peer) = (end(local.ip(), local.port())?, end(peer.ip(), peer.port())?);
        let flow = self.connections.find(local, peer)?;
        self.connections.hold(flow);
        Some(flow)
    }

    /// The socket of a flow is closed.
    pub(super) fn release(&mut self, flow: FlowId) {
        self.connections.flow(flow).finish();
        self.watch(flow);
        self.connections.release(flow);
    }

    /// The socket of a flow took `bytes` to send.
    pub(super) fn wrote(&mut self, flow: FlowId, bytes: usize) {
        self.connections.flow(flow).wrote(bytes);
        self.watch(flow);
    }

    /// The socket of a flow can take no more, and somebody waits until it can.
    pub(super) fn block(&mut self, flow: FlowId) {
        self.connections.flow(flow).block();
        self.watch(flow);
        self.rouse(flow);
    }

    /// The socket of a flow has nothing more to send.
    pub(super) fn finish(&mut self, flow: FlowId) {
        self.connections.flow(flow).finish();
        self.watch(flow);
    }

    /// A pod's kernel has been told to connect to another pod.
    pub(super) fn connecting(&mut self, pod: PodId) -> ConnectId {
        self.connects.begin(pod)
    }

    /// A connect has come to an end. If its caller gave up, its SYN is not tried again.
    pub(super) fn connected(&mut self, id: ConnectId, gave_up: bool) {
        if let Some(flow) = self.connects.end(id).filter(|_| gave_up) {
            self.connections.abort(flow);
        }
    }

    /// A buffer for a drain; `None` when no kernel can have anything to send.
    pub(super) fn start_drain(&mut self) -> Option<Vec<Packet>> {
        std::mem::take(&mut self.touched).then(|| std::mem::take(&mut self.buffer))
    }

    /// Takes what the kernels sent at `now`; whom to wake if the courier has to come earlier.
    pub(super) fn drained(&mut self, now: Instant, mut packets: Vec<Packet>) -> Option<Waker> {
        for packet in packets.drain(..) {
            self.depart(now, packet);
        }
        self.reuse(packets);
        self.look_after_watched();
        self.connections.sweep();
        let next = self.alarms.peek()?.0;
        self.armed.take_if(|(at, _)| next < *at).map(|(_, courier)| courier)
    }

    /// Whether anything is due.
    pub(super) fn has_due(&self, now: Instant) -> bool {
        self.queue.peek().is_some_and(|next| next.0.at_us <= now.micros())
    }

    /// What has arrived by now, in order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Packet> {
        let mut packets = std::mem::take(&mut self.buffer);
        while self.has_due(now)
            && let Some(Reverse(Queued { at_us, flow, event, .. })) = self.queue.pop()
        {
            match event {
                Event::Arrival(departed) => {
                    self.arrive(at_us, flow, &departed);
                    packets.push(departed.packet);
                }
                Event::Retransmission { name, vain } => self.retransmit(now, flow, name, vain),
            }
            self.connections.came(flow);
        }
        packets
    }

    /// Gives back a buffer, emptied.
    pub(super) fn reuse(&mut self, buffer: Vec<Packet>) {
        if buffer.capacity() > self.buffer.capacity() {
            self.buffer = buffer;
        }
    }

    /// When the courier has to come again; it is woken if that changes. Everything due must have been taken.
    pub(super) fn arm(&mut self, now: Instant, courier: &Waker) -> Option<Instant> {
        while self.alarms.peek().is_some_and(|at| at.0 <= now.micros()) {
            self.alarms.pop();
        }
        let next = self.alarms.peek().map(|at| at.0);
        self.armed = Some((next.unwrap_or(u64::MAX), courier.clone()));
        next.map(|at_us| Instant::from_nanos(at_us * 1_000))
    }

    /// Tears down every connection between two sets of pods: a RST for both ends of each.
    pub(super) fn reset(&mut self, now: Instant, a: &[PodId], b: &[PodId]) -> Vec<Packet> {
        let between = |ends: &[End; 2]| is_between((ends[0].0, ends[1].0), a, b);
        let torn: Vec<_> = self.connections.established().filter(|(_, ends)| between(ends)).collect();
        let mut packets = Vec::with_capacity(2 * torn.len());
        for (flow, [opener, acceptor]) in torn {
            self.connections.abort(flow);
            packets.extend([reset_packet(opener, acceptor), reset_packet(acceptor, opener)]);
        }
        self.touched = true;
        if let Some(tap) = &mut self.tap {
            for packet in &packets {
                tap.sent(now, packet, false);
            }
        }
        packets
    }

    /// A packet leaves its pod.
    fn depart(&mut self, now: Instant, packet: Packet) {
        let Transport::Tcp(segment) = &packet.payload else { return };
        let Some(from) = end(packet.src, segment.src_port) else { return };
        let flags = segment.flags;
        let connect = (flags.syn && !flags.ack).then(|| self.connects.departs(from.0)).flatten();
        let given_up = connect.is_some_and(|id| !self.connects.is_open(id));
        // An address without a pod swallows everything.
        let to = end(packet.dst, segment.dst_port).filter(|(pod, _)| self.links.has_pod(*pod));
        let Some(to) = to.filter(|_| !given_up) else { return };
        self.packets += 1;
        self.standstill.departs(from.0);
        self.journal.packet(Departure {
            at: now,
            pods: (from.0.0, to.0.0),
            ports: (from.1, to.1),
            length: segment.payload.len(),
            flags: u8::from(flags.syn)
                | u8::from(flags.ack) << 1
                | u8::from(flags.fin) << 2
                | u8::from(flags.rst) << 3,
        });
        let (id, bare_ack) = self.connections.depart(from, to, segment, &mut self.links);
        if let Some(connect) = connect {
            self.connects.departed(connect, id);
        }
        let departed = Departed { packet, bare_ack };
        let flow = self.connections.flow(id);
        if !flow.waiting.is_empty() {
            flow.waiting.push_back(departed);
            return;
        }
        if flow.lost_ack.take().is_some() {
            flow.retransmission = 0;
        }
        self.transmit(now, id, departed, 0);
    }

    /// Sends a packet, after so many vain attempts; it arrives, or is tried again later.
    fn transmit(&mut self, now: Instant, id: FlowId, departed: Departed, vain: u32) {
        let flow = self.connections.flow(id);
        let bytes = departed.packet.size();
        let arrival = self.links.cross(now, flow.link, bytes);
        if let Some(PodId(sender)) = PodId::at(departed.packet.src) {
            lock(&self.meters).sent(self.senders[sender], now, bytes);
        }
        if let Some(tap) = &mut self.tap {
            tap.sent(now, &departed.packet, arrival.is_none());
        }
        let Some(arrival) = arrival else {
            return self.lose(now, id, departed, vain);
        };
        // The clock's grain is a microsecond; rounding up keeps the order.
        let at_us = arrival.nanos().div_ceil(1_000).max(flow.last_arrival_us);
        flow.last_arrival_us = at_us;
        let reverse = self.connections.flow(id.reverse());
        if departed.bare_ack && reverse.is_settled() {
            reverse.silent_acks.push_back(at_us);
        } else {
            self.alarms.push(Reverse(at_us));
        }
        self.push(at_us, id, Event::Arrival(departed));
    }

    fn lose(&mut self, now: Instant, id: FlowId, departed: Departed, vain: u32) {
        let at = now + retransmission_timeout(&departed.packet, vain);
        let flow = self.connections.flow(id);
        if !departed.bare_ack {
            flow.waiting.push_front(departed);
        } else if flow.waiting.is_empty() {
            flow.lost_ack = Some(departed);
        } else {
            // What waits behind it acknowledges as much.
            return;
        }
        self.retransmissions += 1;
        flow.retransmission = self.retransmissions;
        self.alarms.push(Reverse(at.micros()));
        let event = Event::Retransmission { name: self.retransmissions, vain: vain + 1 };
        self.push(at.micros(), id, event);
    }

    /// A lost segment is sent again; once it passes, so does what waited behind it.
    fn retransmit(&mut self, now: Instant, id: FlowId, name: u64, vain: u32) {
        let flow = self.connections.flow(id);
        if flow.retransmission != name {
            return;
        }
        flow.retransmission = 0;
        let lost = flow.lost_ack.take().or_else(|| flow.waiting.pop_front());
        let mut next = lost.map(|lost| (lost, vain));
        while let Some((departed, vain)) = next {
            self.transmit(now, id, departed, vain);
            let flow = self.connections.flow(id);
            let passes = flow.retransmission == 0;
            next = passes.then(|| flow.waiting.pop_front()).flatten().map(|departed| (departed, 0));
        }
    }

    /// A packet is about to be delivered.
    fn arrive(&mut self, at_us: u64, id: FlowId, departed: &Departed) {
        let reverse = self.connections.flow(id.reverse());
        self.touched |= !departed.bare_ack || !reverse.is_settled();
        if departed.bare_ack {
            reverse.silent_acks.pop_front_if(|first| *first <= at_us);
        } else if id.is_from_opener() {
            let is_first = matches!(&departed.packet.payload, Transport::Tcp(segment) if segment.flags.syn);
            self.connections.connection(id).established |= !is_first;
        }
    }

    fn watch(&mut self, id: FlowId) {
        self.touched = true;
        if !std::mem::replace(&mut self.connections.flow(id).watched, true) {
            self.watched.push(id);
        }
    }

    /// Flows of which something has not departed need the acknowledgements that are under way.
    fn look_after_watched(&mut self) {
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|&id| {
            let flow = self.connections.flow(id);
            flow.watched = !flow.is_settled();
            if flow.watched {
                self.alarms.extend(flow.silent_acks.drain(..).map(Reverse));
            }
            flow.watched
        });
        self.watched = watched;
    }

    fn rouse(&mut self, id: FlowId) {
        self.alarms.extend(self.connections.flow(id).silent_acks.drain(..).map(Reverse));
    }

    fn push(&mut self, at_us: u64, flow: FlowId, event: Event) {
        self.connections.flow(flow).under_way += 1;
        self.sequence += 1;
        self.queue.push(Reverse(Queued { at_us, sequence: self.sequence, flow, event }));
    }
}

/// Names a connect that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectId(u64);

/// Connects whose outcome is open. A kernel does not say which SYN is whose, but it sends them in the
/// order in which it was told to.
#[derive(Default)]
struct Connects {
    last: u64,
    /// The flow, once the SYN has departed.
    open: BTreeMap<ConnectId, Option<FlowId>>,
    /// Per pod, those whose SYN has not departed.
    by_pod: Vec<VecDeque<ConnectId>>,
}

impl Connects {
    fn begin(&mut self, pod: PodId) -> ConnectId {
        self.last += 1;
        let id = ConnectId(self.last);
        self.open.insert(id, None);
        self.by_pod[pod.0].push_back(id);
        id
    }

    fn departs(&mut self, pod: PodId) -> Option<ConnectId> {
        self.by_pod[pod.0].pop_front()
    }

    fn is_open(&self, id: ConnectId) -> bool {
        self.open.contains_key(&id)
    }

    fn departed(&mut self, id: ConnectId, flow: FlowId) {
        self.open.insert(id, Some(flow));
    }

    fn end(&mut self, id: ConnectId) -> Option<FlowId> {
        self.open.remove(&id).flatten()
    }
}

fn end(address: IpAddr, port: u16) -> Option<End> {
    PodId::at(address).map(|pod| (pod, port))
}

/// The pause before the retransmission that follows `vain` others.
fn retransmission_timeout(packet: &Packet, vain: u32) -> Duration {
    let is_handshake = matches!(&packet.payload, Transport::Tcp(segment) if segment.flags.syn);
    let first = if is_handshake { HANDSHAKE_TIMEOUT } else { RETRANSMISSION_TIMEOUT };
    first.saturating_mul(1 << vain.min(16)).min(LONGEST_TIMEOUT)
}

/// A RST that reaches `to` as if `from` had sent it.
fn reset_packet(from: End, to: End) -> Packet {
    let segment = TcpSegment {
        src_port: from.1,
        dst_port: to.1,
        seq: 0,
        ack: 0,
        flags: TcpFlags { rst: true, ..TcpFlags::default() },
        window: 0,
        payload: Bytes::new(),
    };
    Packet { src: from.0.address(), dst: to.0.address(), ttl: 64, payload: Transport::Tcp(segment) }
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
        (self.at_us, self.sequence).cmp(&(other.at_us, other.sequence))
    }
}
