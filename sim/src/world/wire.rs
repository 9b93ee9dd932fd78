//! The wire: carries segments from pod to pod, and keeps what is under way.
//!
//! A segment arrives when its link says so, or is lost; what follows from that is for the ends ([`super::tcp`]). An
//! acknowledgement that changes nothing that anyone sees wakes nobody: it is delivered with the next thing that is.
//! The sockets' side is [`super::kernel`]'s; owns no clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use hoplab_proxy::host::Instant;
use slab::Slab;

use super::connection::End;
use super::flow::FlowId;
use super::kernel::Kernels;
use super::link::{Links, is_between};
use super::meter::{ContainerKind, Meters};
use super::process::Process;
use super::standstill::Standstill;
use super::tap::Tap;
use super::tcp::{Flags, Segment};
use super::{PodConfig, PodId, lock};
use crate::journal::{Departure, Journal};
use crate::scenario::plan::network::Network;
use crate::stalls::Stalls;

/// What is under way between pods.
pub(super) struct Wire {
    pub(super) links: Links,
    journal: Journal,
    by_name: BTreeMap<String, PodId>,
    pub(super) kernels: Kernels,
    under_way: Slab<UnderWay>,
    /// When it arrives, in microseconds, the order of their sending, and which: what is under way is not moved about.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// When the courier has to come, in microseconds; some of these may be needless.
    alarms: BinaryHeap<Reverse<u64>>,
    /// When the courier will come, in microseconds.
    armed_us: u64,
    sequence: u64,
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

/// A segment on its way.
struct UnderWay {
    flow: FlowId,
    segment: Segment,
}

impl Wire {
    pub(super) fn new(
        network: Network,
        seed: u64,
        journal: Journal,
        meters: Arc<Mutex<Meters>>,
        pods: &[PodConfig],
        reported: Range<Instant>,
        stalls: Stalls,
    ) -> Self {
        let outermost =
            |pod: &PodConfig| pod.containers.last().map_or(ContainerKind::Client, |last| last.kind);
        let names = pods.iter().enumerate().map(|(index, pod)| (pod.name.clone(), PodId(index)));
        Self {
            links: Links::new(network, seed, pods),
            journal,
            by_name: names.collect(),
            kernels: Kernels::new(pods.len(), reported, stalls),
            under_way: Slab::new(),
            queue: BinaryHeap::new(),
            alarms: BinaryHeap::new(),
            armed_us: u64::MAX,
            sequence: 0,
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

    /// Connects from a pod, for a process of it, to an end in another.
    pub(super) fn connect(&mut self, pod: PodId, process: &Arc<Process>, to: End) -> io::Result<FlowId> {
        self.kernels.connect(pod, process, to, &mut self.links)
    }

    /// Takes what the kernels send at `now`; when the courier has to come, if that is earlier than it will.
    pub(super) fn collect(&mut self, now: Instant) -> Option<Instant> {
        if self.kernels.is_busy() {
            let mut departing = std::mem::take(&mut self.departing);
            let unsettled = self.kernels.drain(now, &mut departing);
            for (flow, segment) in departing.drain(..) {
                self.depart(now, flow, segment);
            }
            self.departing = departing;
            // What has yet to depart needs the acknowledgements that are under way.
            for flow in unsettled {
                self.rouse(flow);
            }
        }
        self.kernels.settle(now);
        let next_us = self.next_alarm().filter(|next_us| *next_us < self.armed_us)?;
        self.armed_us = next_us;
        Some(Instant::from_nanos(next_us * 1_000))
    }

    /// Delivers what has arrived by now, and does what is due at timers, in order.
    pub(super) fn deliver_due(&mut self, now: Instant) {
        loop {
            let is_due = |at_us: &u64| *at_us <= now.micros();
            let arrival = self.queue.peek().map(|next| next.0.0).filter(is_due);
            let timer = self.kernels.next_timer_before(now.micros() + 1);
            let is_arrival = arrival.is_some_and(|at| timer.is_none_or(|timer| at <= timer));
            let Some(at_us) = (if is_arrival { arrival } else { timer }) else { return };
            let at = Instant::from_nanos(at_us * 1_000);
            if !is_arrival {
                self.kernels.expire(at);
            } else if let Some(Reverse((_, _, arrived))) = self.queue.pop() {
                self.arrive(at, arrived);
            }
        }
    }

    /// Whom to wake for what was delivered, once the wire is let go of; `woken` is empty and is used from now on.
    pub(super) fn exchange_woken(&mut self, woken: &mut Vec<Waker>) {
        std::mem::swap(&mut self.kernels.woken, woken);
    }

    /// When the courier has to come again, as far as is known. Everything due must have been taken.
    pub(super) fn arm(&mut self, now: Instant) -> Option<Instant> {
        while self.alarms.peek().is_some_and(|at| at.0 <= now.micros()) {
            self.alarms.pop();
        }
        let next = self.next_alarm();
        self.armed_us = next.unwrap_or(u64::MAX);
        next.map(|at_us| Instant::from_nanos(at_us * 1_000))
    }

    /// When something has to be done next, in microseconds.
    fn next_alarm(&mut self) -> Option<u64> {
        let arrival = self.alarms.peek().map(|at| at.0);
        self.kernels.next_timer_before(arrival.unwrap_or(u64::MAX)).or(arrival)
    }

    /// Tears down every connection between two sets of pods, with a RST for both ends of each; how many.
    pub(super) fn reset(&mut self, now: Instant, a: &[PodId], b: &[PodId]) -> u64 {
        let between = |ends: &[End; 2]| is_between((ends[0].0, ends[1].0), a, b);
        let all = self.kernels.connections.all().filter(|(_, ends)| between(ends));
        let mut torn = 0;
        for (flow, [opener, acceptor]) in all.collect::<Vec<_>>() {
            if !self.kernels.tear(now, flow) {
                continue;
            }
            torn += 1;
            if let Some(tap) = &mut self.tap {
                for (flow, ends) in [(flow, (opener, acceptor)), (flow.reverse(), (acceptor, opener))] {
                    let next = self.kernels.connections.endpoint(flow).next();
                    tap.sent(now, ends, &Segment::torn(next), None);
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
        let bytes = segment.size();
        let link = self.kernels.connections.flow(id).link;
        let payload = segment.payload.len() as u32;
        let lot = self.kernels.connections.lot(id);
        let crossed = self.links.cross(now, link, lot, payload);
        let lost = crossed.err();
        self.kernels.traffic.sent(self.kernels.connections.link(id), now, &segment, lost);
        self.kernels.connections.left(id, now, &segment, lost.is_some());
        lock(&self.meters).sent(self.senders[from.0.0], now, bytes);
        if let Some(tap) = &mut self.tap {
            tap.sent(now, (from, to), &segment, lost);
        }
        let Ok(arrival) = crossed else { return };
        // The clock's grain is a microsecond; rounding up keeps the order.
        let at_us = arrival.nanos().div_ceil(1_000);
        let reverse = id.reverse();
        if segment.is_bare() && self.kernels.connections.endpoint(reverse).is_settled() {
            self.kernels.connections.flow(reverse).silent_acks.push_back(at_us);
        } else {
            self.alarms.push(Reverse(at_us));
        }
        self.kernels.connections.flow(id).under_way += 1;
        self.sequence += 1;
        let place = self.under_way.insert(UnderWay { flow: id, segment });
        self.queue.push(Reverse((at_us, self.sequence, place)));
    }

    /// A segment arrives.
    fn arrive(&mut self, at: Instant, place: usize) {
        let UnderWay { flow, segment } = self.under_way.remove(place);
        if segment.is_bare() {
            let acknowledgements = &mut self.kernels.connections.flow(flow.reverse()).silent_acks;
            if let Some(silent) = acknowledgements.iter().position(|silent| *silent == at.micros()) {
                acknowledgements.remove(silent);
            }
        }
        self.kernels.deliver(at, flow, segment);
        self.kernels.connections.came(flow);
    }

    /// Somebody waits for the acknowledgements of a flow.
    fn rouse(&mut self, id: FlowId) {
        self.alarms.extend(self.kernels.connections.flow(id).silent_acks.drain(..).map(Reverse));
    }
}
