//! Connections between pods: two ends ([`super::tcp`]) and two flows, one a direction, each in order.
//!
//! Owns the table of connections and their life; not what happens to segments on their way ([`super::wire`]), nor who
//! opens and accepts ([`super::kernel`]).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::PodId;
use super::backlog::Backlog;
use super::flow::FlowId;
use super::link::{LinkId, Links};
use super::tcp::{Endpoint, Flags, Segment};

/// A pod and a port.
pub(super) type End = (PodId, u16);

/// A connection between two pods.
#[derive(Debug)]
struct Connection {
    /// The end that opened it, and the other.
    ends: [End; 2],
    endpoints: [Endpoint; 2],
    flows: [Flow; 2],
    /// Who listens, while the handshake is under way at the accepting end.
    listener: Option<Arc<Mutex<Backlog>>>,
    /// Whether both ends have closed it, or one has reset it or given up on it.
    over: bool,
}

/// What of one direction of a connection is on the wire.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) link: LinkId,
    /// The arrival of the last segment that was sent, in microseconds: the next cannot be earlier.
    pub(super) last_arrival_us: u64,
    /// Events in the wire's queue.
    pub(super) under_way: u32,
    /// Segments behind one that was lost; that one first.
    pub(super) waiting: VecDeque<Departed>,
    /// A bare acknowledgement that was lost and that nothing has superseded yet.
    pub(super) lost_ack: Option<Departed>,
    /// Names the retransmission that is due; 0 when none is.
    pub(super) retransmission: u64,
    /// Arrivals, in microseconds, of acknowledgements *to* this flow that wake nobody.
    pub(super) silent_acks: VecDeque<u64>,
    past_handshake: bool,
}

/// A segment that has left its pod.
#[derive(Debug)]
pub(super) struct Departed {
    pub(super) segment: Segment,
    /// Nothing but an acknowledgement; a later segment of the flow says the same and more.
    pub(super) bare_ack: bool,
}

impl Flow {
    fn new(link: LinkId) -> Self {
        Self {
            link,
            last_arrival_us: 0,
            under_way: 0,
            waiting: VecDeque::new(),
            lost_ack: None,
            retransmission: 0,
            silent_acks: VecDeque::new(),
            past_handshake: false,
        }
    }

    /// Nothing is sent again.
    fn abort(&mut self) {
        self.waiting.clear();
        self.lost_ack = None;
        self.retransmission = 0;
    }
}

/// The table of connections.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections that may have become forgettable.
    ending: Vec<usize>,
}

impl Connections {
    pub(super) fn flow(&mut self, id: FlowId) -> &mut Flow {
        &mut self.connection_mut(id).flows[id.side]
    }

    /// The end that sends a flow.
    pub(super) fn endpoint(&self, id: FlowId) -> &Endpoint {
        &self.connection(id).endpoints[id.side]
    }

    pub(super) fn endpoint_mut(&mut self, id: FlowId) -> &mut Endpoint {
        &mut self.connection_mut(id).endpoints[id.side]
    }

    /// Where a flow comes from and where it goes.
    pub(super) fn ends(&self, id: FlowId) -> (End, End) {
        let ends = self.connection(id).ends;
        (ends[id.side], ends[1 - id.side])
    }

    /// The flow of an end that connects to another.
    pub(super) fn open(&mut self, ends: [End; 2], opener: Endpoint, links: &mut Links) -> FlowId {
        let [(opens, _), (accepts, _)] = ends;
        let flows = [(opens, accepts), (accepts, opens)].map(|(from, to)| Flow::new(links.between(from, to)));
        let endpoints = [opener, Endpoint::unopened()];
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(Connection { ends, endpoints, flows, listener: None, over: false });
        FlowId { connection: slot, side: 0 }
    }

    /// A segment of the flow departs; whether it is no more than an acknowledgement.
    pub(super) fn depart(&mut self, id: FlowId, segment: &Segment) -> bool {
        let connection = self.connection_mut(id);
        let flow = &mut connection.flows[id.side];
        let is_reset = segment.is_reset();
        // The one that ends the handshake is more: the acceptor has nothing before it has come.
        let past_handshake = id.side == 1 || std::mem::replace(&mut flow.past_handshake, !segment.opens());
        if is_reset {
            connection.flows.iter_mut().for_each(Flow::abort);
        }
        connection.over |= is_reset || connection.endpoints.iter().all(Endpoint::has_sent_fin);
        past_handshake && segment.payload.is_empty() && segment.flags == Flags::ACK
    }

    /// An end may have become such that nothing refers to it.
    pub(super) fn released(&mut self, id: FlowId) {
        self.ending.push(id.connection);
    }

    /// An event of the flow has left the wire's queue.
    pub(super) fn came(&mut self, id: FlowId) {
        let connection = self.connection_mut(id);
        connection.flows[id.side].under_way -= 1;
        if connection.over {
            self.ending.push(id.connection);
        }
    }

    /// The end of a flow has given up on its connection: nothing of the flow is sent again.
    pub(super) fn give_up(&mut self, id: FlowId) {
        let connection = self.connection_mut(id);
        connection.over = true;
        connection.flows[id.side].abort();
        self.ending.push(id.connection);
    }

    /// The handshake of an accepting end is under way, for a listener.
    pub(super) fn begin_handshake(&mut self, id: FlowId, listener: Arc<Mutex<Backlog>>) {
        self.connection_mut(id).listener = Some(listener);
    }

    /// It has come to an end; whose it was.
    pub(super) fn end_handshake(&mut self, id: FlowId) -> Option<Arc<Mutex<Backlog>>> {
        self.connection_mut(id).listener.take()
    }

    /// The flows of the accepting ends whose handshakes for a listener are under way.
    pub(super) fn handshakes(&self, listener: &Arc<Mutex<Backlog>>) -> Vec<FlowId> {
        let is_its = |connection: &Connection| {
            connection.listener.as_ref().is_some_and(|of| Arc::ptr_eq(of, listener))
        };
        let slots = self.slots.iter().enumerate();
        let its = slots.filter(|(_, slot)| slot.as_ref().is_some_and(is_its));
        its.map(|(connection, _)| FlowId { connection, side: 1 }).collect()
    }

    /// The connections that are not over, by their openers' flows, with their ends: the opener's first.
    pub(super) fn open_ones(&self) -> impl Iterator<Item = (FlowId, [End; 2])> {
        self.slots.iter().enumerate().filter_map(|(connection, slot)| {
            let slot = slot.as_ref().filter(|slot| !slot.over)?;
            Some((FlowId { connection, side: 0 }, slot.ends))
        })
    }

    /// Forgets the connections that are over and of which nothing is left anywhere; `forgotten` is told whose
    /// port is free. To be called after a drain: by then the ends have answered what was delivered, and nothing that
    /// a kernel wants to send refers to a connection.
    pub(super) fn sweep(&mut self, mut forgotten: impl FnMut(End)) {
        let mut ending = std::mem::take(&mut self.ending);
        for slot in ending.drain(..) {
            let idle = |flow: &Flow| flow.under_way == 0 && flow.waiting.is_empty();
            let forgettable = |connection: &mut Connection| {
                let held = connection.endpoints.iter().any(Endpoint::is_held);
                connection.over && !held && connection.flows.iter().all(idle)
            };
            let Some(connection) = self.slots[slot].take_if(forgettable) else { continue };
            forgotten(connection.ends[0]);
            self.free.push(slot);
        }
        self.ending = ending;
    }

    fn connection(&self, id: FlowId) -> &Connection {
        self.slots[id.connection].as_ref().expect("a flow that is referred to is kept")
    }

    fn connection_mut(&mut self, id: FlowId) -> &mut Connection {
        self.slots[id.connection].as_mut().expect("a flow that is referred to is kept")
    }
}
