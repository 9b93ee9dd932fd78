//! The wire: carries segments from pod to pod, and keeps what is under way.
//!
//! TCP never loses bytes, it loses time. A segment that is lost, or meets a partition, is tried again
//! one retransmission timeout later (200 ms, doubling; a SYN 1 s, doubling: RFC 6298 with Linux's
//! minimum), and everything behind it in its flow waits for it. A lost acknowledgement is made good
//! by whatever follows it. Segments of one flow stay in order.
//!
//! An acknowledgement that changes nothing that anyone sees wakes nobody: it is delivered with the
//! next thing that is. The sockets' side is [`super::kernel`]'s; owns no clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::connection::{Departed, End};
use super::flow::FlowId;
use super::kernel::Kernels;
use super::link::{Links, is_between};
use super::meter::{ContainerKind, Meters};
use super::standstill::Standstill;
use super::tap::Tap;
use super::tcp::{Flags, Segment};
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
    pub(super) kernels: Kernels,
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
    /// Set while somebody looks at packets.
    pub(super) tap: Option<Tap>,
    /// Whether time passes.
    pub(super) standstill: Standstill,
    /// A buffer for what departs, to be used again.
    departing: Vec<(FlowId, Segment)>,
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
            kernels: Kernels::new(pods.len()),
            queue: BinaryHeap::new(),
            alarms: BinaryHeap::new(),
            armed: None,
            sequence: 0,
            retransmissions: 0,
            packets: 0,
            meters,
            senders: pods.iter().map(outermost).collect(),
            tap: None,
            standstill: Standstill::default(),
            departing: Vec::new(),
        }
    }

    pub(super) fn address(&self, name: &str) -> Option<Ipv4Addr> {
        self.by_name.get(name).map(|pod| pod.address())
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Connects from a pod to an end in another.
    pub(super) fn connect(&mut self, pod: PodId, to: End) -> io::Result<FlowId> {
        self.kernels.connect(pod, to, &mut self.links)
    }

    /// Takes what the kernels send at `now`; whom to wake if the courier has to come earlier.
    pub(super) fn collect(&mut self, now: Instant) -> Option<Waker> {
        if self.kernels.is_busy() {
            let mut departing = std::mem::take(&mut self.departing);
            let unsettled = self.kernels.drain(&mut departing);
            for (flow, segment) in departing.drain(..) {
                self.depart(now, flow, segment);
            }
            self.departing = departing;
            // What has yet to depart needs the acknowledgements that are under way.
            for flow in unsettled {
                self.rouse(flow);
            }
        }
        self.kernels.sweep();
        let next = self.alarms.peek()?.0;
        self.armed.take_if(|(at, _)| next < *at).map(|(_, courier)| courier)
    }

    /// Delivers what has arrived by now, in order.
    pub(super) fn deliver_due(&mut self, now: Instant) {
        let is_due = |next: &Reverse<Queued>| next.0.at_us <= now.micros();
        while self.queue.peek().is_some_and(is_due)
            && let Some(Reverse(Queued { at_us, flow, event, .. })) = self.queue.pop()
        {
            match event {
                Event::Arrival(departed) => self.arrive(at_us, flow, departed),
                Event::Retransmission { name, vain } => self.retransmit(now, flow, name, vain),
            }
            self.kernels.connections.came(flow);
        }
    }

    /// Whom to wake for what was delivered, once the wire is let go of.
    pub(super) fn woken(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.kernels.woken)
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

    /// Tears down every connection between two sets of pods, with a RST for both ends of each; how many.
    pub(super) fn reset(&mut self, now: Instant, a: &[PodId], b: &[PodId]) -> u64 {
        let between = |ends: &[End; 2]| is_between((ends[0].0, ends[1].0), a, b);
        let open = self.kernels.connections.open_ones().filter(|(_, ends)| between(ends));
        let mut torn = 0;
        for (flow, [opener, acceptor]) in open.collect::<Vec<_>>() {
            if !self.kernels.tear(flow) {
                continue;
            }
            torn += 1;
            if let Some(tap) = &mut self.tap {
                for ends in [(opener, acceptor), (acceptor, opener)] {
                    tap.sent(now, ends, &Segment::torn(), false);
                }
            }
        }
        torn
    }

    /// A segment leaves its pod.
    fn depart(&mut self, now: Instant, id: FlowId, segment: Segment) {
        let (from, to) = self.kernels.connections.ends(id);
        self.packets += 1;
        self.standstill.departs(from.0);
        let flags = [Flags::SYN, Flags::ACK, Flags::FIN, Flags::RST].into_iter().enumerate();
        self.journal.packet(Departure {
            at: now,
            pods: (from.0.0, to.0.0),
            ports: (from.1, to.1),
            length: segment.payload.len(),
            flags: flags.map(|(bit, flag)| u8::from(segment.flags.has(flag)) << bit).sum(),
        });
        let bare_ack = self.kernels.connections.depart(id, &segment);
        let departed = Departed { segment, bare_ack };
        let flow = self.kernels.connections.flow(id);
        if !flow.waiting.is_empty() {
            flow.waiting.push_back(departed);
            return;
        }
        if flow.lost_ack.take().is_some() {
            flow.retransmission = 0;
        }
        self.transmit(now, id, departed, 0);
    }

    /// Sends a segment, after so many vain attempts; it arrives, or is tried again later.
    fn transmit(&mut self, now: Instant, id: FlowId, departed: Departed, vain: u32) {
        let connections = &mut self.kernels.connections;
        let bytes = departed.segment.size();
        let ends = connections.ends(id);
        let ports = id.ports((ends.0.1, ends.1.1));
        let arrival = self.links.cross(now, connections.flow(id).link, ports, bytes).ok();
        let PodId(sender) = ends.0.0;
        lock(&self.meters).sent(self.senders[sender], now, bytes);
        if let Some(tap) = &mut self.tap {
            tap.sent(now, ends, &departed.segment, arrival.is_none());
        }
        let Some(arrival) = arrival else {
            return self.lose(now, id, departed, vain);
        };
        let flow = connections.flow(id);
        // The clock's grain is a microsecond; rounding up keeps the order.
        let at_us = arrival.nanos().div_ceil(1_000).max(flow.last_arrival_us);
        flow.last_arrival_us = at_us;
        if departed.bare_ack && connections.endpoint(id.reverse()).is_settled() {
            connections.flow(id.reverse()).silent_acks.push_back(at_us);
        } else {
            self.alarms.push(Reverse(at_us));
        }
        self.push(at_us, id, Event::Arrival(departed));
    }

    fn lose(&mut self, now: Instant, id: FlowId, departed: Departed, vain: u32) {
        let at = now + retransmission_timeout(&departed.segment, vain);
        let flow = self.kernels.connections.flow(id);
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
        let flow = self.kernels.connections.flow(id);
        if flow.retransmission != name {
            return;
        }
        flow.retransmission = 0;
        let lost = flow.lost_ack.take().or_else(|| flow.waiting.pop_front());
        let mut next = lost.map(|lost| (lost, vain));
        while let Some((departed, vain)) = next {
            self.transmit(now, id, departed, vain);
            let flow = self.kernels.connections.flow(id);
            let passes = flow.retransmission == 0;
            next = passes.then(|| flow.waiting.pop_front()).flatten().map(|departed| (departed, 0));
        }
    }

    /// A segment arrives.
    fn arrive(&mut self, at_us: u64, id: FlowId, departed: Departed) {
        if departed.bare_ack {
            let reverse = self.kernels.connections.flow(id.reverse());
            reverse.silent_acks.pop_front_if(|first| *first <= at_us);
        }
        self.kernels.deliver(id, departed.segment);
    }

    /// Somebody waits for the acknowledgements of a flow.
    fn rouse(&mut self, id: FlowId) {
        self.alarms.extend(self.kernels.connections.flow(id).silent_acks.drain(..).map(Reverse));
    }

    fn push(&mut self, at_us: u64, flow: FlowId, event: Event) {
        self.kernels.connections.flow(flow).under_way += 1;
        self.sequence += 1;
        self.queue.push(Reverse(Queued { at_us, sequence: self.sequence, flow, event }));
    }
}

/// The pause before the retransmission that follows `vain` others.
fn retransmission_timeout(segment: &Segment, vain: u32) -> Duration {
    let is_handshake = segment.flags.has(Flags::SYN);
    let first = if is_handshake { HANDSHAKE_TIMEOUT } else { RETRANSMISSION_TIMEOUT };
    first.saturating_mul(1 << vain.min(16)).min(LONGEST_TIMEOUT)
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
