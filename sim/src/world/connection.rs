//! Connections between pods: two ends ([`super::tcp`]) and two flows, one a direction.
//!
//! Owns the table of connections and their life, and tells when one stands still; not what happens to segments on
//! their way ([`super::wire`]), nor who opens and accepts ([`super::kernel`]).

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::ConnectionId;
use slab::Slab;

use super::PodId;
use super::backlog::Backlog;
use super::flow::FlowId;
use super::link::{LinkId, Links};
use super::process::Process;
use super::tcp::{Endpoint, Flags, Segment};
use crate::stalls::{Stall, Stalls, Way};

/// A pod and a port.
pub(super) type End = (PodId, u16);

/// A connection between two pods.
#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    /// What faults of a share of connections draw it by.
    lot: u64,
    /// The end that opened it, and the other.
    ends: [End; 2],
    endpoints: [Endpoint; 2],
    flows: [Flow; 2],
    /// Who listens, while the handshake is under way at the accepting end.
    listener: Option<Arc<Mutex<Backlog>>>,
}

/// What of one direction of a connection is on the wire.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) link: LinkId,
    /// Segments that are on their way.
    pub(super) under_way: u32,
    /// Arrivals, in microseconds, of acknowledgements *to* this flow that wake nobody.
    pub(super) silent_acks: VecDeque<u64>,
    /// Segments that were lost, by their sequence numbers, as long as nothing was sent in their place that arrives.
    missing: BTreeSet<u64>,
    /// Whether its end is among those that may have something to send.
    pub(super) is_ready: bool,
    /// Whether more is written than may be sent.
    is_held: bool,
    /// Whose it is to read what comes, once there is somebody.
    pub(super) reader: Option<Arc<Process>>,
    /// Whether something of it has come that its reader, who is held, does not read.
    is_unread: bool,
}

impl Flow {
    fn new(link: LinkId) -> Self {
        Self {
            link,
            under_way: 0,
            silent_acks: VecDeque::new(),
            missing: BTreeSet::new(),
            is_ready: false,
            is_held: false,
            reader: None,
            is_unread: false,
        }
    }

    /// Whether somebody was told that it stands still.
    fn stands_still(&self) -> bool {
        self.is_held || self.is_unread || !self.missing.is_empty()
    }
}

impl Connection {
    /// Whether nothing is left of it anywhere.
    fn is_over(&self) -> bool {
        let [opener, acceptor] = &self.endpoints;
        let is_over = opener.is_gone() && (acceptor.is_gone() || acceptor.is_unopened());
        is_over && self.flows.iter().all(|flow| flow.under_way == 0)
    }
}

/// The table of connections.
pub(super) struct Connections {
    /// How many there have been.
    opened: u64,
    /// Who is told when one stands still.
    stalls: Stalls,
    known: Slab<Connection>,
    /// Connections that may have become forgettable.
    ending: Vec<usize>,
    /// Flows of which something has come at this instant; whoever reads has yet to do so.
    fresh: Vec<FlowId>,
}

impl Connections {
    pub(super) fn new(stalls: Stalls) -> Self {
        Self { opened: 0, stalls, known: Slab::new(), ending: Vec::new(), fresh: Vec::new() }
    }

    /// The name of a flow's connection.
    pub(super) fn name(&self, id: FlowId) -> ConnectionId {
        self.connection(id).id
    }

    /// What faults of a share of connections draw that of a flow by.
    pub(super) fn lot(&self, id: FlowId) -> u64 {
        self.connection(id).lot
    }

    /// A segment of a flow has left its pod, and is lost or not. What is sent again and lost was missed before, if at
    /// all.
    pub(super) fn left(&mut self, id: FlowId, now: Instant, segment: &Segment, is_lost: bool) {
        if segment.length() == 0 || segment.flags.has(Flags::SYN) {
            return;
        }
        let missing = &mut self.flow(id).missing;
        let was_missing = !missing.is_empty();
        if !is_lost {
            missing.remove(&segment.sequence);
        } else if !segment.is_repeated {
            missing.insert(segment.sequence);
        }
        let is_missing = !missing.is_empty();
        self.tell(id, now, Stall::Retransmission, (was_missing, is_missing));
    }

    /// All of a flow was sent that may be; whether more is written.
    pub(super) fn drained(&mut self, id: FlowId, now: Instant, is_held: bool) {
        let was_held = std::mem::replace(&mut self.flow(id).is_held, is_held);
        self.tell(id, now, Stall::Window, (was_held, is_held));
    }

    /// Something of a flow has come that may be read.
    pub(super) fn readable(&mut self, id: FlowId) {
        self.fresh.push(id);
    }

    /// Whoever reads at once has read.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.fresh.is_empty() {
            return;
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        for id in fresh.drain(..) {
            let flow = &self.connection(id).flows[id.side];
            let Some(reader) = flow.reader.as_ref().filter(|reader| !flow.is_unread && reader.is_held())
            else {
                continue;
            };
            if self.endpoint(id.reverse()).has_unread() {
                reader.keeps_waiting();
                self.flow(id).is_unread = true;
                self.tell(id, now, Stall::Unread, (false, true));
            }
        }
        self.fresh = fresh;
    }

    /// Something of a flow was read.
    pub(super) fn read(&mut self, id: FlowId, now: Instant) {
        if self.flow(id).is_unread && !self.endpoint(id.reverse()).has_unread() {
            self.flow(id).is_unread = false;
            self.tell(id, now, Stall::Unread, (true, false));
        }
    }

    /// Nothing more of a flow is sent, nor sent again: it stands still for nothing.
    pub(super) fn silenced(&mut self, id: FlowId, now: Instant) {
        self.drained(id, now, false);
        let missing = std::mem::take(&mut self.flow(id).missing);
        self.tell(id, now, Stall::Retransmission, (!missing.is_empty(), false));
    }

    fn tell(&self, id: FlowId, now: Instant, stall: Stall, (did, does): (bool, bool)) {
        let way = if id.side == 0 { Way::Forth } else { Way::Back };
        match (did, does) {
            (false, true) => self.stalls.begins(self.name(id), way, stall, now),
            (true, false) => self.stalls.ends(self.name(id), way, stall, now),
            _ => {}
        }
    }

    pub(super) fn flow(&mut self, id: FlowId) -> &mut Flow {
        &mut self.connection_mut(id).flows[id.side]
    }

    /// The link from the end that opened the connection of a flow to the other.
    pub(super) fn link(&self, id: FlowId) -> LinkId {
        self.connection(id).flows[0].link
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
        let endpoints = [opener, Endpoint::unopened(links.congestion())];
        self.opened += 1;
        let id = ConnectionId(self.opened);
        let lot = links.opened(flows[0].link);
        let connection = self.known.insert(Connection { id, lot, ends, endpoints, flows, listener: None });
        FlowId { connection, side: 0 }
    }

    /// An end may have become such that nothing refers to it.
    pub(super) fn released(&mut self, id: FlowId) {
        self.ending.push(id.connection);
    }

    /// A segment of the flow has left the wire.
    pub(super) fn came(&mut self, id: FlowId) {
        let connection = self.connection_mut(id);
        connection.flows[id.side].under_way -= 1;
        if connection.is_over() {
            self.ending.push(id.connection);
        }
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
        let its = self.known.iter().filter(|(_, connection)| is_its(connection));
        its.map(|(connection, _)| FlowId { connection, side: 1 }).collect()
    }

    /// All connections, by their openers' flows, with their ends: the opener's first.
    pub(super) fn all(&self) -> impl Iterator<Item = (FlowId, [End; 2])> {
        self.known.iter().map(|(connection, known)| (FlowId { connection, side: 0 }, known.ends))
    }

    /// The end that sends a flow, if it is still known.
    pub(super) fn find(&mut self, id: FlowId) -> Option<&mut Endpoint> {
        self.known.get_mut(id.connection).map(|connection| &mut connection.endpoints[id.side])
    }

    /// Forgets the connections that are over; `forgotten` is told whose port is free. To be called after a drain: by
    /// then nothing that a kernel wants to send refers to a connection.
    pub(super) fn sweep(&mut self, now: Instant, mut forgotten: impl FnMut([End; 2])) {
        if self.ending.is_empty() {
            return;
        }
        let mut ending = std::mem::take(&mut self.ending);
        for key in ending.drain(..) {
            if !self.known.get(key).is_some_and(Connection::is_over) {
                continue;
            }
            let connection = self.known.remove(key);
            if connection.flows.iter().any(Flow::stands_still) {
                self.stalls.over(connection.id, now);
            }
            forgotten(connection.ends);
        }
        self.ending = ending;
    }

    fn connection(&self, id: FlowId) -> &Connection {
        self.known.get(id.connection).expect("a flow that is referred to is kept")
    }

    fn connection_mut(&mut self, id: FlowId) -> &mut Connection {
        self.known.get_mut(id.connection).expect("a flow that is referred to is kept")
    }
}
