//! Connections as the wire sees them: two flows, one a direction, each in order.
//!
//! A flow knows what its socket has written and what has departed, so that the wire can tell an
//! acknowledgement that somebody waits for from one that nobody will notice. Owns the table of
//! connections and their life; not what happens to packets ([`super::wire`]), nor the TCP state
//! (turmoil-net).

use std::collections::VecDeque;

use indexmap::IndexMap;
use turmoil_net::{Packet, TcpSegment};

use super::PodId;
use super::link::{LinkId, Links};

/// A pod and a port.
pub(super) type End = (PodId, u16);

/// One direction of a connection. Valid as long as the connection is held or something is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowId {
    connection: usize,
    /// 0 from the end that opened the connection, 1 from the other.
    side: usize,
}

impl FlowId {
    pub(super) fn reverse(self) -> Self {
        Self { side: 1 - self.side, ..self }
    }

    pub(super) fn is_from_opener(self) -> bool {
        self.side == 0
    }
}

/// A connection between two pods.
#[derive(Debug)]
pub(super) struct Connection {
    /// The end that opened it, and the other.
    pub(super) ends: [End; 2],
    /// Whether the handshake is done.
    pub(super) established: bool,
    /// Whether both ends have closed it, or one has reset it or given up on it.
    pub(super) over: bool,
    /// Sockets that refer to it.
    holders: u32,
    flows: [Flow; 2],
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) link: LinkId,
    /// The arrival of the last packet that was sent, in microseconds: the next cannot be earlier.
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
    /// Whether the wire looks after each drain whether everything has departed.
    pub(super) watched: bool,
    written: u64,
    departed: u64,
    fin: Fin,
    blocked: bool,
    past_handshake: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fin {
    Open,
    Wanted,
    Departed,
}

/// A packet that has left its pod.
#[derive(Debug)]
pub(super) struct Departed {
    pub(super) packet: Packet,
    /// Nothing but an acknowledgement; a later packet of the flow says the same and more.
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
            watched: false,
            written: 0,
            departed: 0,
            fin: Fin::Open,
            blocked: false,
            past_handshake: false,
        }
    }

    /// Whether everything that was written has departed, and nobody waits to write more: an
    /// acknowledgement then changes nothing that anyone sees.
    pub(super) fn is_settled(&self) -> bool {
        self.written == self.departed && self.fin != Fin::Wanted && !self.blocked
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes as u64;
        self.blocked = false;
    }

    pub(super) fn block(&mut self) {
        self.blocked = true;
    }

    pub(super) fn finish(&mut self) {
        if self.fin == Fin::Open {
            self.fin = Fin::Wanted;
        }
        self.blocked = false;
    }

    /// Nothing more will depart.
    fn abort(&mut self) {
        self.written = self.departed;
        self.fin = Fin::Departed;
        self.blocked = false;
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
    by_ends: IndexMap<[End; 2], usize>,
    /// Connections that may have become forgettable.
    ending: Vec<usize>,
}

impl Connections {
    pub(super) fn flow(&mut self, id: FlowId) -> &mut Flow {
        &mut self.connection(id).flows[id.side]
    }

    pub(super) fn connection(&mut self, id: FlowId) -> &mut Connection {
        self.slots[id.connection].as_mut().expect("a flow that is referred to is kept")
    }

    /// The flow from one end to another, if there is such a connection.
    pub(super) fn find(&self, from: End, to: End) -> Option<FlowId> {
        let opened = self.by_ends.get(&[from, to]).map(|&connection| FlowId { connection, side: 0 });
        opened.or_else(|| {
            let accepted = self.by_ends.get(&[to, from]);
            accepted.map(|&connection| FlowId { connection, side: 1 })
        })
    }

    /// The flow of a segment that departs from one end to another, and whether it is no more than an
    /// acknowledgement. A SYN opens a connection; what belongs to none, late answers to what is
    /// closed, gets one that is over.
    pub(super) fn depart(
        &mut self,
        from: End,
        to: End,
        segment: &TcpSegment,
        links: &mut Links,
    ) -> (FlowId, bool) {
        let flags = segment.flags;
        let opens = flags.syn && !flags.ack;
        let known = self.find(from, to).filter(|_| !opens);
        let id = known.unwrap_or_else(|| self.insert([from, to], !opens, links));
        let connection = self.connection(id);
        let flow = &mut connection.flows[id.side];
        flow.departed += segment.payload.len() as u64;
        if flags.fin {
            flow.fin = Fin::Departed;
        }
        // The one that ends the handshake is more: the acceptor has nothing before it has come.
        let past_handshake = id.side == 1 || std::mem::replace(&mut flow.past_handshake, !opens);
        let bare_ack = past_handshake && segment.payload.is_empty() && !flags.syn && !flags.fin && !flags.rst;
        if flags.rst {
            connection.flows.iter_mut().for_each(Flow::abort);
        }
        if flags.rst || connection.flows.iter().all(|flow| flow.fin == Fin::Departed) {
            connection.over = true;
        }
        (id, bare_ack)
    }

    fn insert(&mut self, ends: [End; 2], over: bool, links: &mut Links) -> FlowId {
        let [(opener, _), (acceptor, _)] = ends;
        let flows = [(opener, acceptor), (acceptor, opener)];
        let flows = flows.map(|(from, to)| Flow::new(links.between(from, to)));
        let connection = Connection { ends, established: false, over, holders: 0, flows };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(connection);
        self.by_ends.insert(ends, slot);
        FlowId { connection: slot, side: 0 }
    }

    /// A socket refers to the flow from now on.
    pub(super) fn hold(&mut self, id: FlowId) {
        self.connection(id).holders += 1;
    }

    /// A socket that referred to the flow is gone.
    pub(super) fn release(&mut self, id: FlowId) {
        self.connection(id).holders -= 1;
        self.ending.push(id.connection);
    }

    /// An event of the flow has left the wire's queue.
    pub(super) fn came(&mut self, id: FlowId) {
        let connection = self.connection(id);
        connection.flows[id.side].under_way -= 1;
        if connection.over {
            self.ending.push(id.connection);
        }
    }

    /// Nothing more will come of the connection, and what waits for a retransmission is dropped.
    pub(super) fn abort(&mut self, id: FlowId) {
        let connection = self.connection(id);
        connection.over = true;
        connection.flows.iter_mut().for_each(Flow::abort);
        self.ending.push(id.connection);
    }

    /// The connections that are established, by their openers' flows.
    pub(super) fn established(&self) -> impl Iterator<Item = (FlowId, [End; 2])> {
        self.slots.iter().enumerate().filter_map(|(connection, slot)| {
            let slot = slot.as_ref().filter(|slot| slot.established && !slot.over)?;
            Some((FlowId { connection, side: 0 }, slot.ends))
        })
    }

    /// Forgets the connections that are over and of which nothing is left anywhere. To be called
    /// after a drain: by then the kernels have answered what was delivered.
    pub(super) fn sweep(&mut self) {
        let mut ending = std::mem::take(&mut self.ending);
        for slot in ending.drain(..) {
            let idle = |flow: &Flow| flow.under_way == 0 && flow.waiting.is_empty() && !flow.watched;
            let forgettable = |connection: &mut Connection| {
                connection.over && connection.holders == 0 && connection.flows.iter().all(idle)
            };
            let Some(connection) = self.slots[slot].take_if(forgettable) else { continue };
            // The ends may have been taken by a newer connection.
            if self.by_ends.get(&connection.ends) == Some(&slot) {
                self.by_ends.swap_remove(&connection.ends);
            }
            self.free.push(slot);
        }
        self.ending = ending;
    }
}
